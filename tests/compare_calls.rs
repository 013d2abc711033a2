//! `compare` and `run --baseline` as they are called: exit codes, files that are refused, and real runs.
//!
//! One version of RabbitMQ is enough for this.

mod scenes;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use scenes::Scene;

const BASE: &str = include_str!("compare/base.json");

/// The base with a loss where there was none.
fn worse() -> String {
    let worse = BASE.replace("\"lost\": 0", "\"lost\": 1");
    assert_ne!(worse, BASE);
    worse
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("base.json"), BASE).expect("there is room");
    fs::write(folder.path().join("new.json"), worse()).expect("there is room");
    folder
}

fn call(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(support::program());
    command.args(words).current_dir(folder).env_remove("CLICOLOR_FORCE");
    command.output().expect("the program starts")
}

#[test]
fn the_exit_code_says_whether_anything_is_worse() {
    let folder = folder();
    for (words, code, said) in [
        (&["base.json", "base.json"][..], 0, "no regression, 0 other differences"),
        (&["base.json", "new.json"], 1, "REGRESSION"),
        (&["new.json", "base.json"], 0, "better"),
        (&["base.json", "base.json", "new.json"], 1, "REGRESSION"),
        (&["base.json", "new.json", "--format", "markdown"], 1, "## rmq-scenario: REGRESSION"),
        (&["base.json", "new.json", "--format", "json"], 1, "rmq-scenario.comparison/1"),
    ] {
        let output = call(folder.path(), &[&["compare"], words].concat());
        let told = String::from_utf8(output.stdout).expect("it is text");
        assert_eq!(output.status.code(), Some(code), "{words:?} {told}");
        assert!(told.contains(said) && !told.contains('\x1b'), "{words:?} {told}");
        assert!(output.stderr.is_empty(), "{words:?}");
    }
}

#[test]
fn what_is_no_report_is_refused_with_what_to_do() {
    let folder = folder();
    let cut = BASE.get(..BASE.len() / 2).expect("it is ASCII there");
    let scenario = "# A file\nscenario: t\nproducers: []\n";
    let other = BASE.replace("report/1", "report/2");
    let events = BASE.replace("report/1", "events/1");
    let renamed = BASE.replace("work-queue", "x").replace("work_queue.yaml", "x.yaml");
    let part = BASE.replace("\"counts\"", "\"sums\"");
    let none = r#"{"format": "rmq-scenario.report/1", "tool": "", "verdict": "skipped",
        "broker": {"version": ""}, "seed": 1, "scenarios": []}"#;
    for (text, said) in [
        ("", "is empty"),
        (cut, "is cut off: it ends in line "),
        (scenario, "is a scenario file, not a report"),
        ("<?xml version=\"1.0\"?>", "is XML"),
        ("{ \"a\": 1 ]", "is not JSON: "),
        ("[1, 2]", "is JSON, but not a report of `run`"),
        ("{}", "is JSON, but not a report of `run`"),
        (&other, "is a report of version 2 of the format, and this program reads version 1"),
        (&events, "is no report of `run`: its format is `rmq-scenario.events/1`"),
        (&part, "is not a whole report: missing field `counts` at line "),
        (none, "is a report of nothing"),
        (&renamed, "has none of the scenarios of"),
    ] {
        fs::write(folder.path().join("bad.json"), text).expect("there is room");
        for words in [["compare", "base.json", "bad.json"], ["compare", "bad.json", "base.json"]] {
            let output = call(folder.path(), &words);
            let told = String::from_utf8(output.stderr).expect("it is text");
            assert_eq!(output.status.code(), Some(2), "{words:?} {told}");
            assert!(told.contains(said) && told.contains("= help: "), "{said}: {told}");
            assert!(output.stdout.is_empty());
        }
    }
    fs::write(folder.path().join("bad.json"), b"\xff\xfe").expect("there is room");
    for (words, said) in [
        (["compare", "base.json", "bad.json"], "it is not text"),
        (["compare", "base.json", "none.json"], "No such file"),
        (["compare", "base.json", "."], "Is a directory"),
    ] {
        let output = call(folder.path(), &words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && told.contains(said), "{told}");
    }
    let marked = format!("\u{feff}{BASE}");
    fs::write(folder.path().join("bad.json"), marked).expect("there is room");
    assert_eq!(call(folder.path(), &["compare", "base.json", "bad.json"]).status.code(), Some(0));
}

const SCENE: &str = "
scenario: guarded
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, ack: manual, work: 10ms }]
faults: [{ kill: w-1, during: 4 }]
expect: { published: 20 }
tolerance: { duration: any }
";

fn path(scene: &Scene, name: &str) -> PathBuf {
    scene.dir().join(name)
}

#[test]
fn a_run_is_compared_with_its_baseline() {
    let first = Scene::new(SCENE);
    first.run().exits(0);
    let baseline = path(&first, "report.json").display().to_string();
    let again = Scene::new(SCENE).args(&["--baseline", &baseline]);
    let run = again.run();
    run.exits(0);
    assert!(run.out.contains("\nno regression, "), "{run}");
    let worse = Scene::new(&SCENE.replace("manual", "auto")).args(&["--baseline", &baseline]);
    let run = worse.run();
    run.exits(1);
    assert!(run.out.contains("1 variant passed"), "its own expectations hold{run}");
    assert!(run.out.contains("REGRESSION") && run.out.contains("   lost"), "{run}");
    let report = path(&worse, "report.json").display().to_string();
    let output = call(first.dir(), &["compare", &baseline, &report]);
    assert_eq!(output.status.code(), Some(1));
    let page = path(&first, "page.md");
    let chosen = again.args(&["--variant", ""]);
    let mut command = chosen.command();
    command.env("GITHUB_STEP_SUMMARY", &page);
    chosen.run_command(command).exits(0);
    let page = fs::read_to_string(page).expect("the page of the job was written");
    assert!(
        page.contains("## rmq-scenario: pass") && page.contains("## rmq-scenario: no regression")
    );
}

#[test]
fn a_bad_baseline_is_told_before_anything_runs() {
    let scene = Scene::new(SCENE);
    fs::write(path(&scene, "base.json"), BASE).expect("there is room");
    fs::write(path(&scene, "cut.json"), &BASE[..99]).expect("there is room");
    let own = BASE.replace("work-queue", "guarded");
    fs::write(path(&scene, "own.json"), &own).expect("there is room");
    for (words, said) in [
        (&["--baseline", "none.json"][..], "cannot read the report `none.json`: No such file"),
        (&["--baseline", "cut.json"], "`cut.json` is cut off"),
        (&["--baseline", "base.json"], "the baseline `base.json` has none of these scenarios"),
        (&["--baseline", "own.json", "--report", "json=own.json"], "would overwrite `own.json`"),
        (&["--baseline", "own.json", "--watch"], "cannot be used with"),
        (&["--baseline", "own.json", "--bless"], "cannot be used with"),
    ] {
        let mut command = scene.bare();
        // Nothing listens on the port of discard, and nobody asks.
        command.args(["--broker", "amqp://127.0.0.1:9"]).args(words).current_dir(scene.dir());
        let output = command.output().expect("the program starts");
        let told = String::from_utf8(output.stderr).expect("it is text");
        assert_eq!(output.status.code(), Some(2), "{words:?} {told}");
        assert!(told.contains(said), "{said}: {told}");
    }
    assert_eq!(fs::read_to_string(path(&scene, "own.json")).expect("it is there"), own);
}
