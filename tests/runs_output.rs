//! Where the output goes, how wide it is, and who may close it.
//!
//! One version of RabbitMQ is enough for this.

mod scenes;
mod support;

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use scenes::Scene;
use serde_json::Value;

const LONG: &str = "
scenario: a-scenario-with-a-name-that-is-longer-than-most
description: Much to tell.
topology: { queues: [{ name: a-queue-with-a-very-long-name-that-takes-many-of-eighty }] }
producers:
  - name: a-producer-with-a-very-long-name-that-takes-many-of-eighty
    to: { queue: a-queue-with-a-very-long-name-that-takes-many-of-eighty }
    messages: 30
workers:
  - name: a-worker-with-a-very-long-name-that-takes-much-of-eighty
    count: 2
    queue: a-queue-with-a-very-long-name-that-takes-many-of-eighty
    ack: $ack
    work: 5ms
vars: { ack: auto }
faults: [{ kill: a-worker-with-a-very-long-name-that-takes-much-of-eighty-1, during: 4 }]
observe: [{ name: seen, when: { after: { finished: 5 } } }]
variants:
  - { name: 'automatic acknowledgements, in one line of text that is longer than most', vars: { ack: auto } }
  - { name: manual, vars: { ack: manual }, expect: { lost: 1 } }
";

#[test]
fn nothing_is_wider_than_eighty_columns_but_what_cannot_be_broken() {
    for verbosity in ["-v", "-vv"] {
        let scene = Scene::new(LONG).args(&[verbosity]);
        let mut command = scene.command();
        command.env("COLUMNS", "80");
        let run = scene.run_command(command);
        run.exits(1);
        for line in run.out.lines().filter(|line| line.chars().count() > 80) {
            let longest = line.split_whitespace().map(|word| word.chars().count()).max().unwrap();
            assert!(longest > 40, "wide without need: {line:?}{run}");
        }
        assert!(!run.out.contains('\u{1b}') && !run.err.contains('\u{1b}'), "{run}");
    }
}

#[test]
fn colour_only_where_it_is_wanted() {
    for (args, no_color, coloured) in [
        (&["--color", "always"][..], false, true),
        (&["--color", "never"], false, false),
        (&["--color", "auto"], false, false),
        (&[], true, false),
    ] {
        let scene = Scene::new(LONG).args(args);
        let mut command = scene.command();
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let run = scene.run_command(command);
        assert_eq!(run.out.contains('\u{1b}'), coloured, "{args:?}{run}");
    }
}

#[test]
fn a_report_on_standard_output_is_alone_there() {
    let scene = Scene::new(LONG).args(&["--report", "json=-"]);
    let run = scene.run();
    run.exits(1);
    let report: Value = serde_json::from_str(&run.out).expect("nothing but the report");
    assert_eq!(report, run.report, "the file and the output are the same report");
    assert!(run.err.contains("manual"), "people read the other one{run}");
}

#[test]
fn whoever_reads_only_the_first_line_does_no_harm() {
    for args in [&["-vv"][..], &["--report", "json=-"]] {
        let scene = Scene::new(LONG).args(args);
        let mut child = scene.command().spawn().unwrap();
        let mut reader = BufReader::with_capacity(16, child.stdout.take().unwrap());
        reader.read_line(&mut String::new()).unwrap();
        drop(reader);
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        let code = child.wait().unwrap().code();
        assert!(!err.contains("panicked"), "{err}");
        // A report that nobody takes is a report that could not be written.
        assert!(code == Some(1) || code == Some(3) && args[0] == "--report", "{code:?} {err}");
        assert!(scene.report().exists());
    }
}

#[test]
fn every_name_of_the_report_is_there_even_when_it_is_zero() {
    let scene = Scene::new(LONG);
    let run = scene.run();
    let report = &run.report;
    assert_eq!(report["format"], "rmq-scenario.report/1", "{run}");
    for name in ["tool", "verdict", "broker", "seed", "scenarios"] {
        assert!(!report[name].is_null(), "{name}");
    }
    let variant = run.variant(0);
    for name in [
        "name",
        "vars",
        "verdict",
        "duration_ms",
        "counts",
        "queues",
        "producers",
        "workers",
        "faults",
        "causes",
        "errors",
        "observations",
        "probes",
        "expectations",
    ] {
        assert!(!variant[name].is_null(), "{name}");
    }
    assert!(variant.as_object().unwrap().contains_key("reason"));
    let has = |row: &Value, names: &str| {
        for name in names.split_whitespace() {
            assert!(row.as_object().unwrap().contains_key(name), "{name} in {row}");
        }
    };
    let outcomes = "delivered dead_lettered rejected over_limit expired dropped remaining \
                    turned_away in_doubt lost";
    let publishes = "published confirmed refused unconfirmed unchecked republished returned \
                     unroutable replied unanswered";
    has(&variant["counts"], outcomes);
    has(&variant["counts"], publishes);
    has(
        &variant["counts"],
        "expected still_queued unexpected deliveries begun finished \
                             redelivered repeats duplicates acked",
    );
    has(&variant["queues"][0], outcomes);
    has(
        &variant["queues"][0],
        "name expected still_queued deliveries begun finished redelivered \
                                repeats duplicates",
    );
    has(&variant["producers"][0], outcomes);
    has(&variant["producers"][0], publishes);
    has(
        &variant["workers"][0],
        "name deliveries begun finished redelivered repeats acked \
                                 rejected died",
    );
    has(&variant["faults"][0], "fault fired at_ms effect bit");
    has(&variant["causes"][0], "outcome count causes text");
    has(&variant["observations"][0], "name at_ms queues");
    has(&variant["observations"][0]["queues"][0], "name ready unacked consumers");
    has(&run.variant(1)["expectations"][0], "path expected actual held line");
}

#[test]
fn a_run_adds_little_to_the_time_of_its_scenario() {
    let scene = Scene::new(
        "
scenario: quick
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 1 }]
workers: [{ name: w, queue: q }]
",
    );
    let fastest = (0..5).map(|_| scene.run().took).min().unwrap();
    assert!(fastest < Duration::from_secs(2), "{fastest:?}");
}

#[test]
fn a_table_that_cannot_be_written_is_told() {
    let scene = Scene::new(
        "
scenario: full-disk
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 1 }]
",
    );
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has one");
    let output = scene.command().stdout(full).output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot write to the standard output"), "{said}");
}

#[test]
fn a_start_and_a_stop_that_never_come_are_told() {
    let run = scenes::run(
        "
scenario: never
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: 3 }
  - { name: late, to: { queue: q }, messages: 3, start: { after: { confirmed: 4 } } }
workers: [{ name: w, queue: q, stop: { after: { finished: 9 } } }]
settle: { idle: 200ms }
",
    );
    run.exits(0).has("published 3, delivered 3");
    run.says("producer late never started").says("the stop of worker w never came");
}
