//! `rmq-scenario check`: which files it looks at, what it says of them, and how.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const RIGHT: &str = "scenario: right\ntopology: { queues: [{ name: q }] }\nproducers: \
                     [{ name: p, to: { queue: q }, messages: 1 }]\nexpect: { remaining: 1 }\n";
const DOUBTFUL: &str = "scenario: doubtful\ntopology: { queues: [{ name: q }] }\nproducers: \
                        [{ name: p, to: { queue: q }, messages: 1 }]\n";
const WRONG: &str = "scenario: wrong\ntopologie: { queues: [{ name: q }] }\n";

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

struct Said {
    code: i32,
    text: String,
}

/// What `check` says with these words, in this folder.
fn check(folder: &Path, words: &[&str], github: bool) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    command.arg("check").args(words).current_dir(folder).env_remove("GITHUB_ACTIONS");
    if github {
        command.env("GITHUB_ACTIONS", "true");
    }
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    Said { code: output.status.code().unwrap(), text: String::from_utf8(output.stdout).unwrap() }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The number of files in a folder of this repository.
fn files(name: &str) -> usize {
    let entries = fs::read_dir(root().join(name)).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "yaml")).count()
}

#[test]
fn nothing_is_wrong_with_the_lessons() {
    let said = check(root(), &["scenarios", "--deny", "warnings"], false);
    assert_eq!(said.text, format!("{} files checked, nothing wrong\n", files("scenarios")));
    assert_eq!(said.code, 0);
}

#[test]
fn every_mistake_of_every_file_is_told_in_one_go() {
    let folder = folder(&[("b.yaml", WRONG), ("a.yaml", RIGHT), ("deep/c.yml", WRONG)]);
    let said = check(folder.path(), &["."], false);
    assert_eq!(said.code, 2);
    let (first, second) = (said.text.find("b.yaml:2:1"), said.text.find("deep/c.yml:2:1"));
    assert!(first.is_some() && first < second, "{}", said.text);
    assert!(said.text.contains("topologie"), "{}", said.text);
    assert!(said.text.ends_with(" mistakes in 2 of 3 files\n"), "{}", said.text);
}

#[test]
fn patterns_find_files_that_no_shell_has_found() {
    let all =
        [("b.yaml", WRONG), ("a.yaml", RIGHT), ("a.txt", "no scenario"), (".c/d.yaml", WRONG)];
    let folder = folder(&all);
    assert_eq!(check(folder.path(), &["a.*"], false).code, 2, "a.txt is looked at, too");
    assert_eq!(check(folder.path(), &["[a]*.yaml"], false).text, "1 file checked, nothing wrong\n");
    // Named twice, looked at once; what is hidden is not meant by a directory.
    let said = check(folder.path(), &["a.yaml", "?.yaml", "a.yaml"], false);
    assert!(said.text.ends_with(" in 1 of 2 files\n"), "{}", said.text);
    let none = check(folder.path(), &["x*.yaml", "missing.yaml", "a.yaml"], false);
    assert_eq!(none.code, 2);
    for part in ["no file is like x*.yaml", "missing.yaml"] {
        assert!(none.text.contains(part), "{}", none.text);
    }
    fs::create_dir(folder.path().join("empty")).unwrap();
    let empty = check(folder.path(), &["empty"], false);
    assert_eq!((empty.code, empty.text.contains("no scenario files in empty")), (2, true));
}

#[test]
fn warnings_are_mistakes_only_where_they_are_denied() {
    let said = check(root(), &["tests/warnings"], false);
    assert_eq!(said.code, 0, "{}", said.text);
    let all = files("tests/warnings");
    assert!(said.text.ends_with(&format!(" warnings in {all} of {all} files\n")), "{}", said.text);
    assert_eq!(check(root(), &["tests/warnings", "--deny", "warnings"], false).code, 2);
}

#[test]
fn machines_read_the_same() {
    let folder = folder(&[("a.yaml", WRONG)]);
    let said = check(folder.path(), &["a.yaml", "--format", "json"], false);
    assert_eq!(said.code, 2);
    let found: Value = serde_json::from_str(&said.text).unwrap();
    assert_eq!((&found["format"], &found["files"]), (&1.into(), &1.into()));
    let first = &found["diagnostics"][0];
    assert_eq!(first["severity"], "error");
    assert_eq!(
        (&first["file"], &first["line"], &first["column"]),
        (&"a.yaml".into(), &2.into(), &1.into())
    );
    assert!(first["help"].as_str().unwrap().contains("topology"), "{first}");
}

#[test]
fn github_shows_it_beside_the_line() {
    let folder = folder(&[("a.yaml", WRONG)]);
    let said = check(folder.path(), &["a.yaml"], true);
    let note = said.text.lines().find(|line| line.starts_with("::error ")).unwrap();
    assert!(note.starts_with("::error file=a.yaml,line=2,col=1,endColumn="), "{note}");
    assert!(!check(folder.path(), &["a.yaml"], false).text.contains("::error"));
}

/// Each warning says its name, and all of them together where to read on.
#[test]
fn warnings_have_names() {
    let folder = folder(&[("a.yaml", DOUBTFUL), ("b.yaml", DOUBTFUL), ("c.yaml", RIGHT)]);
    let said = check(folder.path(), &["."], true);
    assert_eq!((said.code, said.text.matches("= lint: unread-queue").count()), (0, 2));
    assert_eq!(said.text.matches("docs/lints.md").count(), 1, "{}", said.text);
    assert_eq!(said.text.matches(",title=unread-queue::").count(), 2, "{}", said.text);
    assert!(!check(folder.path(), &["c.yaml"], false).text.contains("docs/lints.md"));
    let said = check(folder.path(), &["a.yaml", "--format", "json"], false);
    let found: Value = serde_json::from_str(&said.text).unwrap();
    let first = &found["diagnostics"][0];
    assert_eq!((&first["severity"], &first["lint"]), (&"warning".into(), &"unread-queue".into()));
}

/// A variable of the command line counts as in `run`.
#[test]
fn variables_are_set_as_for_a_run() {
    let text = RIGHT.replace("messages: 1", "messages: $many") + "vars: { many: 1 }\n";
    let folder = folder(&[("a.yaml", &text)]);
    assert_eq!(check(folder.path(), &["a.yaml"], false).code, 0);
    assert_eq!(check(folder.path(), &["a.yaml", "--set", "many=few"], false).code, 2);
}

#[test]
fn what_is_hidden_is_not_meant_by_a_directory() {
    let folder = folder(&[("a.yaml", RIGHT), (".b.yaml", WRONG), (".c/d.yaml", WRONG)]);
    assert_eq!(check(folder.path(), &["."], false).text, "1 file checked, nothing wrong\n");
    assert_eq!(check(folder.path(), &[".b.yaml"], false).code, 2, "it was named");
}
