//! `rmq-scenario run` with many files: which are chosen, several at a time, and told in order.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn program(folder: &Path, words: &[&str]) -> Output {
    support::call(folder, &[&["run"], words].concat())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A folder with copies of these lessons.
fn lessons(names: &[&str]) -> TempDir {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let file = format!("{name}.yaml");
        fs::copy(from.join(&file), folder.path().join(&file)).unwrap();
    }
    folder
}

/// A scenario in the folder whose worker works so long on each of its three messages.
fn write(folder: &Path, name: &str, work: &str, more: &str) {
    let text = format!(
        "scenario: {name}
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 3 }}]
workers: [{{ name: w, queue: q, work: {work} }}]
{more}"
    );
    fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
}

/// The results in a JSON report: file, variant, verdict, and the counts.
fn results(path: &Path) -> Vec<(String, String, String, BTreeMap<String, Value>)> {
    let report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let scenarios = report["scenarios"].as_array().unwrap();
    let of = |scenario: &Value| {
        let file = scenario["file"].as_str().unwrap().to_owned();
        let variants = scenario["variants"].as_array().unwrap().clone();
        variants.into_iter().map(move |variant| {
            let word = |key: &str| variant[key].as_str().unwrap().to_owned();
            let counts = variant["counts"].as_object().unwrap().clone();
            (file.clone(), word("name"), word("verdict"), counts.into_iter().collect())
        })
    };
    scenarios.iter().flat_map(of).collect()
}

/// The runs that others overlap, by the lines that tell when each begins and ends.
fn overlapping(stderr: &str) -> Vec<String> {
    let mut running: Vec<&str> = Vec::new();
    let mut overlapping: Vec<String> = Vec::new();
    for line in stderr.lines() {
        let Some((run, said)) = line.rsplit_once(": ") else { continue };
        match said {
            "started" => running.push(run),
            "pass" | "fail" | "inconclusive" => running.retain(|it| *it != run),
            _ => continue,
        }
        if running.len() > 1 {
            overlapping.extend(running.iter().map(|run| (*run).to_owned()));
        }
    }
    overlapping.sort();
    overlapping.dedup();
    overlapping
}

#[test]
fn the_same_comes_of_them_in_the_same_order_however_many_run_at_a_time() {
    // One with a broker of its own and one that expects something of time are among them.
    let names = [
        "blocked_publishers",
        "dead_letters",
        "headers",
        "hello_world",
        "large_messages",
        "missing_exchange",
        "routing",
        "topics",
        "work_queue",
    ];
    let folder = lessons(&names);
    let mut told = Vec::new();
    for jobs in ["1", "6"] {
        let report = folder.path().join(format!("{jobs}.json"));
        let output = program(
            folder.path(),
            &[".", "-j", jobs, "--report", &format!("json={}", report.display())],
        );
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
        // The heads of the tables: the names of the scenarios at the left, of the files at the right.
        let heads: Vec<String> =
            stdout.lines().filter(|line| line.ends_with(".yaml")).map(str::to_owned).collect();
        assert_eq!(heads.len(), names.len(), "{stdout}");
        told.push((heads, results(&report)));
        let overlapping = overlapping(stderr);
        if jobs == "1" {
            assert!(overlapping.is_empty(), "{overlapping:?}");
        } else {
            assert!(overlapping.len() > 5, "several did run at a time: {stderr}");
            let timed = |run: &&String| run.starts_with("work-queue");
            assert_eq!(overlapping.iter().find(timed), None, "it expects fairness: {stderr}");
        }
    }
    let [one, six] = told.try_into().unwrap();
    assert_eq!(one.0, six.0);
    let verdicts = |results: &[(String, String, String, BTreeMap<String, Value>)]| {
        let all = results.iter().map(|it| (it.0.clone(), it.1.clone(), it.2.clone()));
        all.collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&one.1), verdicts(&six.1));
    for (alone, beside) in one.1.iter().zip(&six.1) {
        for count in ["published", "expected", "delivered", "lost", "unroutable"] {
            assert_eq!(alone.3[count], beside.3[count], "{} {} {count}", alone.0, alone.1);
        }
    }
}

#[test]
fn tags_names_and_variants_choose_what_is_run() {
    let folder = lessons(&["hello_world", "routing", "work_queue"]);
    fs::create_dir(folder.path().join("below")).unwrap();
    write(&folder.path().join("below"), "tagged", "1ms", "tags: [mine, small]\n");
    fs::write(folder.path().join("part.yaml"), "part: common\nvars: { n: 1 }\n").unwrap();
    let run = |words: &[&str]| {
        let output = program(folder.path(), &[&[".", "-j", "4"], words].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let heads = text(&output.stdout).lines().filter(|line| line.ends_with(".yaml"));
        let names = heads.map(|head| head.split_whitespace().next().unwrap().to_owned());
        (names.collect::<Vec<_>>(), text(&output.stdout).to_owned())
    };
    assert_eq!(run(&["--tag", "mine"]).0, ["tagged"]);
    assert_eq!(run(&["--tag", "small", "--tag", "tutorial-4"]).0, ["tagged", "routing"]);
    assert_eq!(
        run(&["--skip-tag", "tutorial-2", "--skip-tag", "mine"]).0,
        ["hello-world", "routing"]
    );
    assert_eq!(run(&["--filter", "below/", "--filter", "hello"]).0, ["tagged", "hello-world"]);
    assert!(run(&["--tag", "mine"]).1.contains(" below/tagged.yaml\n"), "without ./ before it");
    let (names, said) = run(&["--variant", "manual ack"]);
    assert_eq!(names, ["work-queue"]);
    assert!(said.contains("1 variant passed"), "{said}");
}

#[test]
fn what_chooses_nothing_is_an_error_that_says_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", "1ms", "tags: [mine]\nvariants: [{ name: first }]\n");
    fs::create_dir(folder.path().join("empty")).unwrap();
    fs::write(folder.path().join("part.yaml"), "part: common\nvars: { n: 1 }\n").unwrap();
    for (words, said) in [
        (&["one.yaml", "--tag", "yours"][..], "the tags of the files are mine"),
        (&["one.yaml", "--variant", "second"], "their variants are first"),
        (&["empty"], "no scenario files in empty"),
        (&["*.yml"], "no file is like *.yml"),
        (&["part.yaml"], "part"),
        (&["one.yaml", "-j", "0"], "invalid value '0'"),
        (&["one.yaml", "--variant", "first", "--bless"], "cannot be used with"),
    ] {
        let output = program(folder.path(), words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(text(&output.stderr).contains(said), "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn nothing_is_begun_after_a_failure_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a-right", "1ms", "");
    write(folder.path(), "b-wrong", "1ms", "expect: { delivered: 4 }\n");
    write(folder.path(), "c-right", "1ms", "");
    let report = folder.path().join("report.json");
    let asked = format!("json={}", report.display());
    let output = program(folder.path(), &[".", "--fail-fast", "--report", &asked]);
    assert_eq!(output.status.code(), Some(1));
    let verdicts: Vec<String> = results(&report).into_iter().map(|it| it.2).collect();
    assert_eq!(verdicts, ["pass", "fail", "skipped"]);
    assert!(text(&output.stdout).contains("another one did not pass before"), "{output:?}");
    assert!(!text(&output.stderr).contains("c-right: started"));
}

#[test]
fn what_is_inconclusive_is_run_again_as_often_as_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "missed", "1ms", "faults: [{ kill: w, after: { finished: 4 } }]\n");
    write(folder.path(), "right", "1ms", "");
    let output = program(folder.path(), &[".", "--retry-inconclusive", "2", "-j", "2"]);
    assert_eq!(output.status.code(), Some(4));
    let begun = |name: &str| {
        text(&output.stderr).lines().filter(|line| *line == format!("{name}: started")).count()
    };
    assert_eq!((begun("missed"), begun("right")), (3, 1), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("attempt 3; before it was inconclusive"), "{output:?}");
}

#[test]
fn an_interruption_ends_all_that_run_and_leaves_nothing() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let nodes = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", "d"] {
        write(folder.path(), name, "20s", "");
    }
    let mut command = Command::new(support::program());
    command.env_remove("RMQ_SCENARIO_BROKER").env("XDG_RUNTIME_DIR", "/nonexistent");
    command.env("TMPDIR", nodes.path()).args(["run", ".", "-j", "3"]).current_dir(folder.path());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let begun = lines.by_ref().filter(|line| line.ends_with(": started")).take(3).count();
    assert_eq!(begun, 3);
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let rest: Vec<String> = lines.collect();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    let said = text(&output.stdout);
    assert!(said.contains("interrupted; 4 variants inconclusive"), "{said}");
    assert!(!rest.iter().any(|line| line == "d: started"), "{rest:?}");
    assert!(support::traces::ids(nodes.path()).is_empty(), "no process is left");
    assert_eq!(fs::read_dir(nodes.path()).unwrap().count(), 0, "no directory either");
}
