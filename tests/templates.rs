//! `rmq-scenario new`: what it writes is right and runs, and what is there is left alone.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::fs;
use std::path::Path;

use support::call;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The names of all templates, as the program lists them.
fn templates() -> Vec<String> {
    let output = call(Path::new("."), &["new", "--list"]);
    assert!(output.status.success());
    let lines = text(&output.stdout).lines();
    lines.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

/// A folder with a file from each template.
fn all() -> (TempDir, Vec<String>) {
    let folder = folder();
    let write = |template: String| {
        let name = format!("my-{template}");
        let output = call(folder.path(), &["new", &name, "--from", &template]);
        assert!(output.status.success(), "{output:?}");
        format!("{name}.yaml")
    };
    let files = templates().into_iter().map(write).collect();
    (folder, files)
}

#[test]
fn every_template_is_right_and_has_the_name_that_was_asked_for() {
    let (folder, files) = all();
    assert!(files.len() >= 7, "{files:?}");
    let output = call(folder.path(), &["check", ".", "--deny", "warnings"]);
    assert_eq!(text(&output.stdout), format!("{} files checked, nothing wrong\n", files.len()));
    for file in files {
        let written = fs::read_to_string(folder.path().join(&file)).unwrap();
        let name = file.strip_suffix(".yaml").unwrap();
        assert!(written.contains(&format!("\nscenario: {name}\n")), "{written}");
        assert!(written.matches("\n#").count() + written.matches("  # ").count() > 1, "{written}");
    }
}

/// On every version, and inside its guarantees.
#[test]
fn every_template_runs_and_passes() {
    let (folder, files) = all();
    let mut words = vec!["run"];
    words.extend(files.iter().map(String::as_str));
    let output = call(folder.path(), &words);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(!said.contains("guarantees"), "{said}");
}

#[test]
fn a_file_that_is_there_is_never_touched() {
    let folder = folder();
    let path = folder.path().join("mine.yaml");
    fs::write(&path, "precious\n").unwrap();
    for name in ["mine", "mine.yaml"] {
        let output = call(folder.path(), &["new", name]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).starts_with("error: `mine.yaml` is there already"));
    }
    assert_eq!(fs::read_to_string(path).unwrap(), "precious\n");
}

#[test]
fn what_cannot_be_written_is_told() {
    let folder = folder();
    for (words, code, said) in [
        (&["new", "no/such"][..], 3, "cannot write `no/such.yaml`: there is no such folder"),
        (&["new", "two words"], 2, "`two words` cannot be the name of a scenario"),
        (&["new", "x", "--from", "pubsup"], 2, "there is no template `pubsup`"),
        (&["new", "x", "--list"], 2, "cannot be used with"),
        (&["new"], 2, "required"),
    ] {
        let output = call(folder.path(), words);
        assert_eq!(output.status.code(), Some(code), "{words:?}");
        assert!(text(&output.stderr).contains(said), "{words:?}: {}", text(&output.stderr));
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}
