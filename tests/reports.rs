//! Reports of real runs in every format: what they say, who accepts them, what becomes of them when
//! the run fails or is interrupted, and which paths are refused before it.
//!
//! One version of RabbitMQ is enough for this.

mod junit_rules;
mod scenes;
mod support;

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rmq_scenario::report::schema;
use scenes::Scene;
use serde_json::Value;
use support::program;

/// A variant that passes, one that fails, one that is inconclusive and one that is skipped.
const MIXED: &str = "
scenario: mixed
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, ack: $ack, work: 10ms }]
vars: { ack: auto, during: 4 }
faults: [{ kill: w-1, during: $during }]
expect: { lost: 0 }
variants:
  - { name: 'keeps | all', vars: { ack: manual, during: 4 } }
  - { name: loses, vars: { ack: auto, during: 4 } }
  - { name: misses, vars: { ack: auto, during: 15 } }
  - { name: elsewhere, vars: { during: 4 }, requires: { rabbitmq: '>=99' } }
";

/// Its messages are worked on for longer than anybody waits.
const LONG: &str = "
scenario: long
topology: { queues: [{ name: long-wait }] }
producers: [{ name: p, to: { queue: long-wait }, messages: 10 }]
workers: [{ name: w, queue: long-wait, ack: manual, work: 30s }]
expect: { delivered: 10 }
";

const FORMATS: [&str; 5] = ["junit", "markdown", "csv", "html", "ndjson"];

/// A scene whose reports lie beside it, one of each format.
fn scene(yaml: &str) -> Scene {
    let scene = Scene::new(yaml);
    let reports = FORMATS.map(|format| format!("{format}={}", path(&scene, format)));
    let args = reports.iter().flat_map(|report| ["--report", report]);
    scene.args(&args.collect::<Vec<_>>())
}

fn path(scene: &Scene, name: &str) -> String {
    scene.dir().join(name).display().to_string()
}

fn written(scene: &Scene, name: &str) -> String {
    fs::read_to_string(scene.dir().join(name)).expect("it was written")
}

/// Fails unless readers of each format accept what is there.
fn assert_valid(scene: &Scene) {
    let schema: Value = serde_json::from_str(&schema::text()).expect("it is JSON");
    let validator = jsonschema::draft7::new(&schema).expect("it is a schema");
    let report: Value = serde_json::from_str(&written(scene, "report.json")).expect("it is JSON");
    let found: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(found.is_empty(), "{found:?}");
    let found = junit_rules::complaints(&written(scene, "junit"));
    assert!(found.is_empty(), "{found:?}");
    let table = written(scene, "csv");
    let rows = csv::Reader::from_reader(table.as_bytes()).into_records().count();
    assert!(rows > 0 && written(scene, "markdown").starts_with("## rmq-scenario: "));
}

#[test]
fn every_format_tells_of_every_variant() {
    let scene = scene(MIXED);
    let run = scene.run();
    run.exits(1);
    assert_valid(&scene);
    let junit = written(&scene, "junit");
    let count = |what: &str| junit.matches(what).count();
    assert_eq!(
        (count("<failure "), count("<error "), count("<skipped ")),
        (1, 1, 1),
        "{junit}{run}"
    );
    assert!(junit.contains("classname=\"mixed.loses\""), "{junit}");
    assert!(junit.contains("scene.yaml:8:17\n") && junit.contains("= why: auto_ack: "), "{junit}");
    let page = written(&scene, "markdown");
    assert!(page.contains("| keeps \\| all | 20 | 20 | 0 |"), "{page}");
    assert!(page.contains("scene.yaml:8`") && page.contains("| elsewhere | - |"), "{page}");
    let table = written(&scene, "csv");
    let rows: Vec<_> = csv::Reader::from_reader(table.as_bytes())
        .into_records()
        .map(|row| row.expect("a row"))
        .collect();
    let scopes: Vec<&str> = rows.iter().take(5).map(|row| &row[6]).collect();
    assert_eq!(scopes, ["run", "queue", "producer", "worker", "worker"]);
    let lost = run.number(1, "lost").to_string();
    assert!(lost != "0" && rows[5][28] == lost, "{:?}", rows[5]);
}

#[test]
fn a_run_that_is_interrupted_leaves_whole_reports() {
    let scene = scene(LONG);
    let began = Instant::now();
    let mut child = scene.command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // The run has begun when its virtual host has the queue.
    let _ = scenes::find_queue("long-wait");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(began.elapsed() < Duration::from_secs(60), "{said}");
    assert_valid(&scene);
    assert!(
        written(&scene, "junit").contains("<error type=\"inconclusive\" message=\"interrupted")
    );
}

#[test]
fn a_run_without_a_broker_leaves_whole_reports() {
    let scene = scene(LONG);
    let mut command = scene.bare();
    // Nothing listens on the port of discard.
    command.args(["--broker", "amqp://127.0.0.1:9"]);
    command.arg("--report").arg(format!("json={}", scene.report().display()));
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_valid(&scene);
    assert!(written(&scene, "junit").contains("<error type=\"world\""));
}

/// What the program says to a command line that it refuses before it looks for a broker.
fn refusal(scene: &Scene, reports: &[&str], code: i32) -> String {
    let mut command = scene.bare();
    command.args(["--broker", "amqp://127.0.0.1:9"]).current_dir(scene.dir());
    for report in reports {
        command.args(["--report", report]);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn what_cannot_be_written_is_refused_before_the_run() {
    let scene = Scene::new(LONG);
    let before = written(&scene, "scene.yaml");
    let twice = refusal(&scene, &["json=a", "junit=./a"], 2);
    assert!(
        twice.contains("`--report json=a` and `--report junit=./a` go to one place"),
        "{twice}"
    );
    let own = refusal(&scene, &["csv=scene.yaml"], 2);
    assert!(own.contains("would overwrite"), "{own}");
    assert_eq!(written(&scene, "scene.yaml"), before);
    let unknown = refusal(&scene, &["junot=a"], 2);
    assert!(unknown.contains("csv, html, ndjson; did you mean `junit`?"), "{unknown}");
    let nowhere = refusal(&scene, &["json=b", "junit=none/a"], 3);
    assert!(nowhere.contains("cannot open the report `none/a`"), "{nowhere}");
    assert!(nowhere.contains("its directory must exist; nothing was run"), "{nowhere}");
    // Nothing was made of the reports that could have been written either.
    let names = fs::read_dir(scene.dir()).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(names.collect::<Vec<_>>(), ["scene.yaml"]);
}

#[test]
fn a_place_without_room_is_told_before_the_run() {
    let scene = Scene::new(LONG);
    for present in [false, true] {
        if present {
            fs::write(scene.report(), "of before").unwrap();
        }
        // A process that may not write to files meets what a full disk does.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]).arg(program());
        command.arg("run").arg(scene.dir().join("scene.yaml"));
        command.args(["--broker", "amqp://127.0.0.1:9", "--report", "json=report.json"]);
        let output = command.current_dir(scene.dir()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        let what = "cannot open the report `report.json` for writing: File too large (os error 27)";
        assert!(said.contains(&format!("{what}\n")), "{said}");
        assert!(said.contains("make room there"), "{said}");
        let names = fs::read_dir(scene.dir()).unwrap().count();
        assert_eq!(names, if present { 2 } else { 1 }, "something was left");
    }
    assert_eq!(written(&scene, "report.json"), "of before");
}

#[test]
fn a_full_disk_is_told_and_the_other_reports_are_written() {
    let scene = scene(MIXED).args(&["--report", "json=/dev/full"]);
    let run = scene.run();
    run.exits(3).says("cannot write the report `/dev/full`: No space left on device");
    assert_valid(&scene);
}

/// The scene as a step of a job of GitHub Actions runs it.
fn on_github(scene: &Scene, summary: &Path) -> Command {
    let mut command = scene.command();
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", summary);
    command
}

#[test]
fn a_job_of_github_is_told_by_itself() {
    let scene = Scene::new(MIXED);
    let summary = scene.dir().join("summary");
    fs::write(&summary, "of the step before\n").unwrap();
    let run = scene.run_command(on_github(&scene, &summary));
    run.exits(1);
    let text = written(&scene, "summary");
    assert!(text.starts_with("of the step before\n## rmq-scenario: FAIL\n"), "{text}");
    let annotations: Vec<&str> = run.out.lines().filter(|line| line.starts_with("::")).collect();
    let file = path(&scene, "scene.yaml");
    assert_eq!(annotations.len(), 2, "{run}");
    let start = format!("::error file={file},line=8,col=17,endColumn=17,title=mixed%3A loses::");
    assert!(annotations[0].starts_with(&start), "{run}");
    assert!(annotations[1].starts_with(&format!("::warning file={file},line=7,")), "{run}");
    // Whoever asks for the summary gets it once, and as asked for.
    let asked = format!("markdown={}", summary.display());
    let scene = scene.args(&["--report", &asked]);
    scene.run_command(on_github(&scene, &summary)).exits(1);
    let text = written(&scene, "summary");
    assert!(text.starts_with("## ") && text.matches("## rmq-scenario").count() == 1, "{text}");
}

#[test]
fn a_summary_that_cannot_be_written_is_a_warning() {
    let scene = Scene::new(MIXED);
    let nowhere = scene.dir().join("none/summary");
    let run = scene.run_command(on_github(&scene, &nowhere));
    run.exits(1).says("warning: cannot append to");
}
