//! `rmq-scenario doctor`: what a machine has, what it lacks, and whether scenarios can be run.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use support::{block_on, contained, management, node, traces};

fn doctor(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(support::program());
    for name in ["BROKER", "MANAGEMENT"] {
        command.env_remove(format!("RMQ_SCENARIO_{name}"));
    }
    // Whoever runs the tests may keep a broker warm.
    command.env("XDG_RUNTIME_DIR", "/nonexistent").env("TMPDIR", folder);
    command.arg("doctor").args(words).output().unwrap()
}

/// The line about one thing, and those that belong to it.
fn about(output: &Output, what: &str) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is = |line: &&str| line.get(8..).is_some_and(|rest| rest.starts_with(what));
    let first = lines.iter().position(is).unwrap_or_else(|| panic!("no {what}: {text}"));
    let more = lines[first + 1..].iter().take_while(|line| line.starts_with("          "));
    [lines[first]].into_iter().chain(more.copied()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_machine_with_a_server_is_well_and_nothing_is_left_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let tried = about(&output, "private node");
    assert!(tried.starts_with("  ok ") && tried.contains("RabbitMQ "), "{tried}");
    assert!(contained() || about(&output, "server").starts_with("  ok "));
    assert!(about(&output, "warm broker").contains("none is up"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "its directory is gone");
    assert!(traces::ids(folder.path()).is_empty(), "no process either");
}

#[test]
fn what_is_missing_is_said_with_what_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = doctor(folder.path(), &["--server", "/nonexistent/rabbitmq-server"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let server = about(&output, "server");
    assert!(server.starts_with("  FAIL ") && server.contains("to mend it: name the server"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.ends_with("no scenario can be run here; what to do stands above\n"), "{text}");

    let output = doctor(&folder.path().join("gone"), &["--server", "/nonexistent/rabbitmq-server"]);
    assert!(about(&output, "files").contains("to mend it: name another folder"), "{output:?}");
}

#[test]
fn a_broker_that_is_named_decides() {
    let folder = tempfile::tempdir().unwrap();
    let password = block_on(node()).facts().expect("it is private").password.clone();
    let (right, wrong) = block_on(async {
        let facts = node().await.facts().expect("it is private");
        let url =
            |password: &str| format!("amqp://{}:{password}@127.0.0.1:{}", facts.user, facts.amqp);
        (url(&facts.password), url("wrong"))
    });
    let management = block_on(management());
    // Whatever may be installed here, that broker is the one to run on.
    let server = ["--server", "/nonexistent/rabbitmq-server"];
    for (url, code, said) in [(&right, 0, "with its management API"), (&wrong, 1, "FAIL")] {
        let words = [&["--broker", url, "--management", &management][..], &server].concat();
        let output = doctor(folder.path(), &words);
        let told = about(&output, "your broker");
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(said), "{told}");
        assert!(
            !told.contains(&password) && !told.contains("wrong@"),
            "a password is shown: {told}"
        );
    }
}
