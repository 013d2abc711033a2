//! `rmq-scenario completions` and `man`: they know every command that there is, and none that is
//! nobody's business.

use std::process::Command;

fn said(words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    let output = command.args(words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{words:?}");
    assert!(output.stderr.is_empty(), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = said(&["--help"]);
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
    let names: Vec<String> = names.filter(|name| name != "help").collect();
    assert!(names.len() >= 8, "{names:?}");
    names
}

#[test]
fn every_shell_completes_every_command() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = said(&["completions", shell]);
        for name in commands() {
            assert!(text.contains(&name), "{shell} does not know {name}");
        }
        assert!(text.contains("deny"), "{shell} does not know options");
        assert!(!text.contains("keep-node"), "{shell} knows what is hidden");
    }
}

#[test]
fn the_manual_has_a_part_for_every_command() {
    let page = said(&["man"]);
    assert!(page.starts_with(".ie") || page.contains(".TH rmq-scenario 1"), "{page}");
    for name in commands() {
        let heading = format!(".SH \"RMQ-SCENARIO {}\"\n", name.to_uppercase());
        assert!(page.contains(&heading), "there is no part on {name}");
    }
    assert!(page.contains(".SH \"RMQ-SCENARIO BROKER UP\"\n"));
    assert!(!page.contains("KEEP"), "what is hidden is told");
}
