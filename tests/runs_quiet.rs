//! What a run says while it goes on and when it is quiet, on which of the two streams.
//!
//! One version of RabbitMQ is enough for this.

mod scenes;
mod support;

use scenes::Scene;
use serde_json::Value;

const KILL: &str = "
scenario: killed
topology: { queues: [{ name: tasks }] }
producers: [{ name: p, to: { queue: tasks }, messages: 10 }]
workers: [{ name: w, count: 2, queue: tasks, ack: $ack, work: 5ms }]
vars: { ack: manual }
faults: [{ kill: w-1, during: 2 }]
variants:
  - { name: manual, expect: { lost: 0 } }
  - { name: auto, vars: { ack: auto }, expect: { lost: 0 } }
";

/// The objects on the standard error.
fn objects(text: &str) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|it| panic!("{it}: {line}"));
    text.lines().map(read).collect()
}

#[test]
fn a_quiet_run_says_one_line_for_its_file_with_the_reason() {
    let run = Scene::new(KILL).args(&["-q"]).run();
    run.exits(1);
    assert_eq!(run.err, "", "nothing is wrong with the file{run}");
    assert_eq!(run.out.lines().count(), 1, "{run}");
    assert!(run.out.starts_with("FAIL ") && run.out.contains("scene.yaml: 1 failed, 1 passed"));
    for part in ["published 20, ", "; auto: line 10: expected lost: 0, but "] {
        assert!(run.out.contains(part), "{part}{run}");
    }
}

#[test]
fn a_quiet_run_that_passes_has_no_reason() {
    let run = Scene::new(KILL).args(&["--quiet", "--variant", "manual"]).run();
    run.exits(0);
    assert!(run.out.starts_with("pass ") && run.err.is_empty(), "{run}");
    assert!(run.out.ends_with("1 variant passed; published 10, delivered 10, lost 0\n"), "{run}");
}

#[test]
fn a_quiet_run_still_tells_mistakes() {
    let output = Scene::new("scenario: [").args(&["-q"]).bare().output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 mistake in 1 file"));
}

#[test]
fn annotations_of_a_quiet_run_are_on_the_other_stream() {
    let scene = Scene::new(KILL).args(&["-q", "--variant", "auto"]);
    let mut command = scene.command();
    command.env("GITHUB_ACTIONS", "true");
    let run = scene.run_command(command);
    run.exits(1);
    assert_eq!(run.out.lines().count(), 1, "{run}");
    assert!(run.err.starts_with("::error file="), "{run}");
}

#[test]
fn quiet_and_more_exclude_each_other() {
    for more in ["-v", "--bless"] {
        let output = Scene::new(KILL).args(&["-q", more]).bare().output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{more}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("--quiet' cannot be used with"), "{said}");
    }
}

#[test]
fn a_program_is_told_what_runs_what_befell_it_and_how_it_ended() {
    let run = Scene::new(KILL).args(&["--progress", "json", "--variant", "manual"]).run();
    run.exits(0);
    let told = objects(&run.err);
    let of = |event: &str| told.iter().filter(|it| it["event"] == event).collect::<Vec<_>>();
    assert!(of("note")[0]["text"].as_str().is_some_and(|it| it.starts_with("external RabbitMQ")));
    let ([started], [fault], [ended]) = (&of("started")[..], &of("fault")[..], &of("ended")[..])
    else {
        panic!("one of each{run}");
    };
    for it in [started, fault, ended] {
        let what = (&it["run"], &it["scenario"], &it["variant"]);
        assert_eq!(what, (&1.into(), &"killed".into(), &"manual".into()), "{run}");
        assert!(it["elapsed_ms"].is_u64() && it["counts"]["published"].is_u64(), "{run}");
    }
    assert!(fault["text"].as_str().is_some_and(|it| it.starts_with("kill w-1")), "{run}");
    assert_eq!(ended["verdict"], "pass");
    assert!(ended["elapsed_ms"].as_u64() >= fault["elapsed_ms"].as_u64(), "{run}");
    assert!(run.out.contains("1 variant passed"), "people read the table{run}");
}

#[test]
fn lines_or_nothing_where_that_is_asked_for() {
    let run = Scene::new(KILL).args(&["--progress", "none", "--variant", "manual"]).run();
    run.exits(0);
    assert_eq!(run.err, "");
    let run = Scene::new(KILL).args(&["-q", "--progress", "plain", "--variant", "manual"]).run();
    run.exits(0);
    for line in ["killed · manual: started\n", "killed · manual: pass\n"] {
        assert!(run.err.contains(line), "{line}{run}");
    }
    assert_eq!(run.out.lines().count(), 1, "{run}");
}
