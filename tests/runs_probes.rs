//! Probes and expected errors on a real broker: what it answers, and what becomes of the run.

mod scenes;
mod support;

use scenes::{Scene, run};
use serde_json::Value;

/// The answers of the first variant's probes: `true`, or the code of the error.
fn answers(run: &scenes::Run) -> Vec<String> {
    let rows = run.variant(0)["probes"].as_array().unwrap().iter();
    let answer = |row: &Value| match (row["ok"].as_bool(), &row["code"]) {
        (Some(true), _) => "ok".to_owned(),
        (Some(false), Value::Null) => "no code".to_owned(),
        (Some(false), code) => code.to_string(),
        (None, _) => "never".to_owned(),
    };
    rows.map(answer).collect()
}

fn is_3_or_4_0() -> bool {
    let version = support::block_on(support::node()).version().to_owned();
    version.starts_with("3.") || version.starts_with("4.0.")
}

#[test]
fn each_kind_of_probe_shows_the_answer_of_the_broker() {
    let run = run("
scenario: answers
topology:
  exchanges: [{ name: logs, type: fanout }, { name: inner, type: fanout, internal: true }]
  queues: [{ name: jobs }, { name: log, type: stream }, { name: mine, exclusive: true }]
workers:
  - { name: owner, queue: mine }
  - { name: jealous, queue: jobs, exclusive: true }
probes:
  - declare_queue: { name: jobs, durable: false }
    expect_error: { code: 406, text: \"inequivalent arg 'durable' for queue 'jobs' in vhost '/'\" }
  - declare_queue: { name: jobs }
    expect_ok: true
  - declare_queue: { name: absent, passive: true }
    expect_error: { code: 404, text: \"no queue 'absent'\" }
  - { declare_queue: { name: amq.mine }, expect_error: { code: 403 } }
  - declare_queue: { name: mine, exclusive: true }
    expect_error: { code: 405, text: \"locked queue 'mine'\" }
  - { declare_queue: { name: odd, type: quorum, max_priority: 5 }, expect_error: { code: 406 } }
  - declare_exchange: { name: logs, type: topic }
    expect_error: { code: 406, text: inequivalent arg 'type' }
  - { declare_exchange: { name: none, type: topic, passive: true }, expect_error: { code: 404 } }
  - { publish: { exchange: none }, expect_error: { code: 404, text: no exchange 'none' } }
  - { publish: { exchange: inner }, expect_error: { code: 403 } }
  - { publish: { routing_key: nobody }, expect_ok: true }
  - publish: { routing_key: nobody, mandatory: true }
    expect_error: { code: 312, text: NO_ROUTE }
  - { get: { queue: absent }, expect_error: { code: 404 } }
  - { get: { queue: mine }, expect_error: { code: 405 } }
  - { get: { queue: jobs }, expect_ok: true }
  - { get: { queue: log }, expect_error: { code: 540 } }
  - { consume: { queue: log, ack: auto }, expect_error: { code: 540 } }
  - { consume: { queue: log, prefetch: 0 }, expect_error: { code: 406, text: prefetch } }
  - { consume: { queue: log }, expect_ok: true }
  - { consume: { queue: jobs }, expect_error: { code: 403, text: exclusive } }
  - { consume: { queue: mine }, expect_error: { code: 405 } }
  - { ack_unknown_tag: 99, expect_error: { code: 406, text: unknown delivery tag 99 } }
  - { qos: { prefetch: 10, global: true }, expect_ok: true }
expect: { errors: [], unexpected: 0, published: 0 }
");
    run.exits(0).says("probe get jobs: ok, empty");
    let wanted = "406 ok 404 403 405 406 406 404 404 403 ok 312 404 405 ok 540 540 406 ok 403 405 \
                  406 ok";
    assert_eq!(answers(&run).join(" "), wanted, "{run}");
    let row = run.row("probes", 4);
    assert_eq!((&row["probe"], &row["about"]), (&"declare_queue".into(), &"mine".into()));
    let paths = run.variant(0)["expectations"].as_array().unwrap().iter();
    let paths: Vec<&str> = paths.map(|row| row["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"errors") && paths.contains(&"probes.1.expect_error"), "{paths:?}");
}

#[test]
fn a_global_prefetch_on_a_quorum_queue_is_refused_up_to_4_0() {
    let run = run("
scenario: global
topology: { queues: [{ name: safe, type: quorum }] }
probes:
  - { qos: { prefetch: 10, global: true, queue: safe }, expect_error: { code: 540 } }
");
    if is_3_or_4_0() {
        run.exits(0).says("does not support global qos");
    } else {
        run.exits(1).says("expected the probe qos prefetch 10 global on safe to be told 540");
        assert_eq!(answers(&run), ["ok"]);
    }
}

#[test]
fn an_oversized_message_is_refused_where_the_limit_is_16_mib() {
    let run = run("
scenario: oversized
topology: { exchanges: [{ name: bin, type: fanout }] }
probes: [{ publish: { exchange: bin, size: 17MiB } }]
");
    let old = support::block_on(support::node()).version().starts_with("3.");
    assert_eq!(answers(&run), [if old { "ok" } else { "406" }], "{run}");
    run.exits(if old { 0 } else { 1 });
}

#[test]
fn what_is_told_and_not_expected_fails_with_its_place() {
    let run = run("
scenario: unexpected
topology: { queues: [{ name: jobs }] }
probes:
  - get: { queue: absent }
  - { get: { queue: absent }, expect_ok: true }
  - { get: { queue: jobs }, expect_error: {} }
  - { get: { queue: absent }, expect_error: { code: 404, text: other words } }
");
    run.exits(1);
    run.says("the probe get absent was told 404 NOT_FOUND");
    run.says("scene.yaml:5:5");
    run.says("expected the probe get absent to be answered with ok, but it was told 404");
    run.says("expected the probe get jobs to be told any, but it was told ok, empty");
    run.says("expected the probe get absent to be told 404 \"other words\"");
    let held = run.variant(0)["expectations"].as_array().unwrap();
    assert!(held.iter().all(|row| row["held"] == false && row["line"].as_u64() > Some(5)));
}

/// What a probe publishes to a queue of the file is worked on by whoever gets it, and found by
/// the drain otherwise; neither is anything unexpected, and no copy is made of it.
#[test]
fn a_message_of_a_probe_disturbs_no_books() {
    for kind in ["classic", "quorum"] {
        let run = run(&format!(
            "
scenario: apart
topology: {{ queues: [{{ name: jobs, type: {kind} }}, {{ name: idle, type: {kind} }}] }}
producers:
  - {{ name: p, to: {{ queue: jobs }}, messages: 5 }}
  - {{ name: rest, to: {{ queue: idle }}, messages: 5 }}
workers: [{{ name: w, queue: jobs }}]
probes:
  - {{ publish: {{ routing_key: jobs, mandatory: true }}, expect_ok: true }}
  - {{ publish: {{ routing_key: idle, mandatory: true }}, expect_ok: true }}
settle: {{ at_least: 300ms }}
"
        ));
        run.exits(0).has("published 10, expected 10, delivered 5, remaining 5, unexpected 0");
        // The worker cannot tell it from others.
        run.has("workers.w.finished 6, still_queued 5");
    }
}

#[test]
fn what_a_probe_takes_goes_back() {
    for kind in ["classic", "quorum"] {
        let run = run(&format!(
            "
scenario: back
topology: {{ queues: [{{ name: jobs, type: {kind} }}] }}
producers: [{{ name: p, to: {{ queue: jobs }}, messages: 5 }}]
workers:
  - {{ name: w, queue: jobs, start: {{ at: 600ms }} }}
probes:
  - {{ get: {{ queue: jobs }}, when: {{ after: {{ confirmed: 5 }} }}, expect_ok: true }}
  - {{ consume: {{ queue: jobs }}, when: {{ at: 200ms }}, expect_ok: true }}
expect: {{ delivered: 5, lost: 0, unexpected: 0, repeats: 0, duplicates: 0, remaining: 0 }}
"
        ));
        run.exits(0).says("probe get jobs: ok, a message, and 4 more");
    }
}

/// The run ends at once when nothing can change, yet not before a probe that is due was told.
#[test]
fn the_run_waits_for_probes_but_not_for_a_count_that_cannot_come() {
    let run = run("
scenario: late
topology: { queues: [{ name: jobs }] }
producers: [{ name: p, to: { queue: jobs }, messages: 5 }]
probes:
  - { get: { queue: jobs }, when: { at: 700ms }, expect_ok: true }
  - { get: { queue: jobs }, when: { after: { confirmed: 6 } } }
  - { get: { queue: jobs }, when: { after: { confirmed: 7 } }, expect_ok: true }
");
    assert_eq!(answers(&run), ["ok", "never", "never"]);
    run.exits(4).says("probes.3.expect_ok could not be measured");
}

/// Without a virtual host of its own, what a probe declares is removed by its name.
#[test]
fn nothing_that_a_probe_declares_stays_behind() {
    let scene = Scene::new("
scenario: tidy
topology: { queues: [{ name: jobs }] }
probes:
  - { declare_queue: { name: fresh }, expect_ok: true }
  - { declare_exchange: { name: bare, type: fanout }, expect_ok: true }
  - { declare_queue: { name: fresh, durable: false }, expect_error: { code: 406, text: queue 'fresh' } }
");
    support::block_on(support::api::make_user("prober", "", Some(".*")));
    scene.run_command(scene.command_as("prober", "s3cret-word", "%2F")).exits(0);
    scene.run().exits(0);
    // Other tests have runs of their own at the same time.
    let mut left = scenes::leftovers();
    left.retain(|name| name.ends_with("fresh") || name.ends_with("bare"));
    assert!(left.is_empty(), "{left:?}");
}

const JEALOUS: &str = "
topology: { queues: [{ name: jobs }] }
workers:
  - { name: first, queue: jobs, exclusive: true }
  - { name: late, count: 2, queue: jobs }
";

fn with_errors(errors: &str) -> scenes::Run {
    run(&format!("scenario: errors{JEALOUS}expect:\n  errors: {errors}\n"))
}

#[test]
fn errors_that_are_listed_do_not_make_the_run_fail() {
    run(&format!("scenario: errors{JEALOUS}")).exits(1).says("which nothing in the file explains");
    for listed in [
        "[{ code: 403 }]",
        "[{ code: 403, text: \"queue 'jobs' in vhost '/' in exclusive use\", who: late }]",
        "[{ code: 403, who: late-1, scope: channel }, { code: 403, who: late-2 }]",
    ] {
        with_errors(listed).exits(0);
    }
}

#[test]
fn each_listed_error_must_come_and_no_other() {
    let run = with_errors("[{ code: 406 }, { code: 403, who: late-1 }]");
    run.exits(1).says("expected the error 406, but it did not come");
    run.says("instead: late-1 met a channel error 403");
    run.says("expected no other errors, but late-2 met a channel error 403: ACCESS_REFUSED");
    run.says("if it is meant, add it to `errors`: { code: 403, text: … }");
    run.says("scene.yaml:7:12");
    let held: Vec<&Value> =
        run.variant(0)["expectations"].as_array().unwrap().iter().map(|row| &row["held"]).collect();
    assert_eq!(held, [false, true, false]);
    with_errors("[]").exits(1).says("expected no errors, but late-1 met a channel error 403");
    with_errors("[{ code: 403, text: exclusion }]").exits(1).says("`text` is a part of what");
}

#[test]
fn observations_wait_for_the_tick_of_a_quorum_queue() {
    let scene = Scene::new(
        "
scenario: ticks
topology: { queues: [{ name: safe, type: quorum }, { name: log, type: stream }] }
producers:
  - { name: p, to: { queue: safe }, messages: 20 }
  - { name: l, to: { queue: log }, messages: 20 }
workers: [{ name: w, queue: safe, prefetch: 8, ack: never }]
observe:
  - name: mid
    when: { after: { confirmed: 40 } }
    expect: { safe: { ready: 12, unacked: 8, consumers: 1 }, log: { ready: 20, unacked: 0 } }
",
    );
    // A private node, whose ticks are short.
    let mut command = scene.bare();
    command.arg("--report").arg(format!("json={}", scene.report().display()));
    let run = scene.run_command(command);
    let held = run.variant(0)["expectations"].as_array().unwrap();
    assert!(held.iter().all(|row| row["held"] == true), "{run}");
    let seen = &run.row("observations", 0)["queues"][0];
    assert!(seen["unacked_age_ms"].as_u64().unwrap() < 5000, "{seen}");
    run.says("unacked: the broker's number within");
}

const STANDING: &str = "
scenario: standing
topology:
  exchanges: [{ name: logs, type: topic, alternate_exchange: rest }, { name: rest, type: fanout }]
  queues: [{ name: jobs, max_length: 5 }]
  bindings:
    - { from: logs, to: jobs, routing_key: a.* }
    - { from: logs, to_exchange: rest }
workers: [{ name: ear, temporary_queue: { bindings: [{ exchange: rest }] } }]
";

#[test]
fn what_stands_is_shown_on_request() {
    let scene = Scene::new(STANDING).args(&["-v"]);
    let run = scene.run();
    run.exits(0).says("exchange logs: topic, durable, alternate-exchange rest");
    run.says("queue jobs: durable, x-max-length 5, x-queue-type classic");
    run.says("queue ear: exclusive, x-queue-type classic");
    run.says("binding from logs to jobs: key a.*");
    run.says("binding from logs to rest: empty key");
    run.says("binding from rest to ear: empty key");
    assert!(!run.out.contains("amq."), "{run}");
    support::block_on(support::api::make_user("looker", "", Some(".*")));
    let run = scene.run_command(scene.command_as("looker", "s3cret-word", "%2F"));
    run.exits(0).says("by the file, because the management API that would know does not answer:");
    run.says("exchange logs: topic, durable, alternate-exchange");
    run.says("binding from rest to ear: empty key");
}
