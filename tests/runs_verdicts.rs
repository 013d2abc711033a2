//! What people and pipelines are told: verdicts, exit codes, expectations, errors of the world.

mod scenes;
mod support;

use reqwest::Method;
use scenes::{Run, Scene, api, facts, run};
use serde_json::json;

/// 10 messages, 8 finished, 2 remain, with what the file expects of it.
fn expecting(expect: &str) -> Run {
    run(&format!(
        "
scenario: expecting
topology: {{ queues: [{{ name: q }}, {{ name: r }}] }}
producers:
  - {{ name: p, to: {{ queue: q }}, messages: 8 }}
  - {{ name: s, to: {{ queue: r }}, messages: 2 }}
workers: [{{ name: w, count: 2, queue: q, work: 1ms }}]
expect: {expect}
"
    ))
}

#[test]
fn matchers_that_hold() {
    let run = expecting(
        "
  delivered: 8
  remaining: '> 1'
  published: '<= 10'
  expected: 10..10
  confirmed: '>= 100%'
  lost: any
  unexpected: 0
  redelivered: '<= 0%'
  deliveries: '< 9'
  finished: '>= 8'
  duplicates: 0..3
  still_queued: '20%'
  queues: { q: { delivered: '>= 100%', deliveries: 8 }, r: { remaining: 2, expected: 2 } }
  producers: { p: { confirmed: 8, delivered: 8 }, s: { remaining: '>= 100%' } }
  workers: { w: { finished: 8 }, w-1: { finished: '>= 1' } }
  causes: { unexplained: 0, auto_ack: 0 }
  order: fifo
  fairness: { workers: w, max_share: 100% }
  duration: '< 60s'
"
        .replace("'20%'", "'>= 20%'")
        .as_str(),
    );
    run.exits(0);
    let rows = run.variant(0)["expectations"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["held"] == true), "{run}");
    let paths: Vec<_> = rows.iter().map(|row| row["path"].as_str().unwrap()).collect();
    for path in ["delivered", "queues.r.remaining", "workers.w.finished", "causes.auto_ack"] {
        assert!(paths.contains(&path), "{paths:?}");
    }
    let any = rows.iter().find(|row| row["path"] == "lost").unwrap();
    assert_eq!((&any["expected"], &any["actual"]), (&"any".into(), &0.into()), "{run}");
    let delivered = rows.iter().find(|row| row["path"] == "delivered").unwrap();
    assert_eq!((&delivered["actual"], &delivered["line"]), (&8.into(), &9.into()), "{run}");
}

#[test]
fn matchers_that_do_not_hold() {
    for expect in [
        "{ delivered: 7 }",
        "{ delivered: '> 8' }",
        "{ delivered: '< 8' }",
        "{ delivered: 9..20 }",
        "{ delivered: '>= 81%' }",
        "{ remaining: '<= 19%' }",
        "{ published: '< 100%' }",
        "{ redelivered: '> 0%' }",
        "{ queues: { q: { remaining: 1 } } }",
        "{ workers: { w: { finished: 7 } } }",
        "{ producers: { s: { delivered: 2 } } }",
        "{ causes: { auto_ack: 1 } }",
        "{ duration: '> 60s' }",
        "{ fairness: { workers: w, max_share: 1% } }",
        "{ delivered: 8, lost: 1 }",
    ] {
        let run = expecting(expect);
        run.exits(1);
        assert_eq!(run.report["verdict"], "fail", "{expect}{run}");
        let rows = run.variant(0)["expectations"].as_array().unwrap();
        let missed = rows.iter().filter(|row| row["held"] == false).count();
        assert_eq!(missed, 1, "{expect}{run}");
        assert!(
            run.err.contains("error: expected") || run.out.contains("error: expected"),
            "{run}"
        );
        run.says("scene.yaml:8:");
    }
}

#[test]
fn expectations_are_merged_deeply_and_any_takes_one_back() {
    let run = run("
scenario: merged
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 4 }]
variants:
  - name: replaced
    expect: { remaining: 4, queues: { q: { remaining: 4 } } }
  - name: taken back
    expect: { remaining: any, queues: { q: { remaining: any } } }
  - name: kept
expect:
  remaining: 1
  queues: { q: { remaining: 1, expected: 4 } }
");
    run.exits(1);
    let verdicts = [0, 1, 2].map(|index| run.variant(index)["verdict"].clone());
    assert_eq!(verdicts, ["pass", "pass", "fail"], "{run}");
}

#[test]
fn an_order_that_is_broken_and_one_that_only_jumps_back() {
    // What comes again may be older than what was read before; with two workers each sees
    // rising numbers.
    run("
scenario: order
topology: { queues: [{ name: q }] }
producers: [{ name: p, count: 2, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, work: 2ms }]
faults: [{ kill: w-1, during: 6, restart_after: 10ms }]
expect: { order: fifo, delivered: 40 }
")
    .exits(0);
}

#[test]
fn observations_with_expectations() {
    let file = |unacked: u32| {
        format!(
            "
scenario: observed
topology: {{ queues: [{{ name: q }}, {{ name: empty }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 10 }}]
workers:
  - {{ name: w, count: 2, queue: q, prefetch: 3, work: 2s, stop: {{ at: 100ms }} }}
settle: {{ idle: 100ms }}
observe:
  - name: mid
    when: {{ at: 1s }}
    expect: {{ q: {{ ready: 4, unacked: {unacked}, consumers: '<= 2' }}, empty: {{ ready: 0 }} }}
"
        )
    };
    let good = run(&file(6));
    good.exits(0);
    assert_eq!(good.observed(0, "empty"), [0, 0, 0], "{good}");
    let bad = run(&file(5));
    bad.exits(1);
    let row = &bad.variant(0)["expectations"];
    let missed = row.as_array().unwrap().iter().find(|row| row["held"] == false).unwrap();
    assert_eq!((&missed["actual"], &missed["path"]), (&6.into(), &"observe.mid.q.unacked".into()));
}

#[test]
fn a_fault_must_bite() {
    let file = |fault: &str| {
        format!(
            "
scenario: bite
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 10 }}]
workers: [{{ name: w, queue: q }}]
faults: [{fault}]
settle: {{ idle: 100ms }}
"
        )
    };
    for (fault, fired, says) in [
        ("{ kill: w, during: 11", false, "it began 10 deliveries"),
        ("{ kill: w, before_ack: 11", false, "it finished 10"),
        ("{ kill: w, after: { finished: 11 }", false, "never fired"),
        // All is acked by then, and nothing comes later.
        ("{ kill: w, at: 700ms", true, "did not bite"),
        ("{ kill: p, at: 700ms", true, "was not running"),
        ("{ kill: p, after: { confirmed: 10 }, how: close_channel", true, "had published 10, 0"),
    ] {
        let run = run(&file(&format!("{fault} }}")));
        run.exits(4).says("may_miss: true").says(says);
        assert_eq!(run.report["verdict"], "inconclusive", "{run}");
        let row = run.row("faults", 0);
        assert_eq!((&row["fired"], &row["bit"]), (&fired.into(), &false.into()), "{run}");
        let run = scenes::run(&file(&format!("{fault}, may_miss: true }}")));
        run.exits(0);
        assert_eq!(run.row("faults", 0)["bit"], false, "{run}");
    }
}

#[test]
fn the_worst_verdict_wins_and_is_kept_for_each_variant() {
    let run = run("
scenario: worst
vars: { m: 5, at: 1 }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: $m }]
workers: [{ name: w, queue: q, work: 5ms }]
faults: [{ kill: w, during: $at, restart_after: 1ms }]
settle: { idle: 100ms }
variants:
  - { name: passes }
  - { name: misses, vars: { at: 9 } }
  - { name: is skipped, requires: { rabbitmq: '>= 99.0' } }
  - { name: needs more nodes, requires: { nodes: 3 } }
  - { name: fails, vars: { m: 4 } }
expect: { delivered: 5 }
");
    run.exits(1);
    let verdicts = [0, 1, 2, 3, 4].map(|index| run.variant(index)["verdict"].clone());
    assert_eq!(verdicts, ["pass", "inconclusive", "skipped", "skipped", "fail"], "{run}");
    let reason = run.variant(2)["reason"].as_str().unwrap();
    assert!(
        reason.contains("99") && reason.contains(run.report["broker"]["version"].as_str().unwrap())
    );
    run.variant_has(2, "published 0, delivered 0");
}

#[test]
fn all_skipped_is_said_loudly_and_passes() {
    let run = run("
scenario: skipped
requires: { rabbitmq: '>=99.0' }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 1 }]
");
    run.exits(0).says("skipped");
    assert_eq!(run.report["verdict"], "skipped", "{run}");
    assert_eq!(run.variant(0)["queues"], json!([]), "{run}");
}

#[test]
fn bad_files_and_bad_command_lines_start_nothing() {
    let good = "
scenario: good
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 1 }]
";
    // A server that does not exist would be exit 3, if it came to that.
    for (yaml, args) in [
        ("", vec![]),
        ("scenario: x\nprefech: 1\n", vec![]),
        ("[1, 2", vec![]),
        (good, vec!["--set", "nobody=1"]),
        (good, vec!["--report", "html5=x"]),
        (good, vec!["--seed", "many"]),
        (good, vec!["no-such-file.yaml"]),
        (good, vec!["."]),
    ] {
        let scene = Scene::new(yaml).args(&args);
        let mut command = scene.bare();
        command.arg("--server").arg("/nonexistent/rabbitmq-server");
        let run = scene.run_command(command);
        run.exits(2);
        assert!(run.out.is_empty() && !run.err.is_empty(), "{args:?}{run}");
    }
}

const SIMPLE: &str = "
scenario: simple
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 3 }]
";

/// One error, one line of what to do, exit 3, and no password anywhere.
#[track_caller]
fn world_fails(run: &Run, says: &str) {
    run.exits(3).says(says);
    assert_eq!(run.err.matches("error:").count(), 1, "{run}");
    assert!(!format!("{run}").contains("wr0ng-secret"), "the password is told{run}");
}

#[test]
fn when_the_broker_does_not_let_us_in() {
    let scene = Scene::new(SIMPLE);
    world_fails(&scene.run_command(scene.command_as("nobody", "wr0ng-secret", "%2F")), "refused");
    let facts = facts();
    let gone = scene.command_as(&facts.user, &facts.password, "no-such-vhost");
    let run = scene.run_command(gone);
    world_fails(&run, "no-such-vhost");
}

#[test]
fn when_there_is_no_broker() {
    let scene = Scene::new(SIMPLE);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let mut command = scene.bare();
    command.arg("--broker").arg(format!("amqp://me:wr0ng-secret@127.0.0.1:{port}"));
    world_fails(&scene.run_command(command), "refused");
    let mut command = scene.bare();
    command.args(["--server", "/nonexistent/rabbitmq-server"]);
    world_fails(&scene.run_command(command), "/nonexistent/rabbitmq-server");
}

#[test]
fn when_a_report_cannot_be_written_nothing_runs() {
    let scene = Scene::new(SIMPLE).args(&["--report", "json=/nonexistent/dir/report.json"]);
    let run = scene.run_command(scene.command());
    world_fails(&run, "/nonexistent/dir/report.json");
    assert!(!run.err.contains("started"), "{run}");
}

#[test]
fn when_the_user_may_not_declare() {
    let body = json!({ "password": "wr0ng-secret", "tags": "" });
    api(Method::PUT, "users/reader", &body);
    let body = json!({ "configure": "^$", "write": "^$", "read": ".*" });
    api(Method::PUT, "permissions/%2F/reader", &body);
    let scene = Scene::new(SIMPLE);
    let run = scene.run_command(scene.command_as("reader", "wr0ng-secret", "%2F"));
    world_fails(&run, "access to queue");
}
