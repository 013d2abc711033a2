//! Brokers that end and come back under a run, or do not, or stand still.
//!
//! Each file runs on a private node of its own, because others would feel what happens to it.

mod scenes;
mod support;

use scenes::{Run, Scene};

/// Runs a file on a private node of its own.
#[track_caller]
fn run(yaml: &str) -> Run {
    let scene = Scene::new(yaml);
    let mut command = scene.bare();
    command.arg("--report").arg(format!("json={}", scene.report().display()));
    if let Some(server) = std::env::var_os("RMQ_SCENARIO_SERVER") {
        command.env("RMQ_SCENARIO_SERVER", server);
    }
    scene.run_command(command)
}

/// 100 messages wait in a queue when the broker ends two seconds after it was declared.
fn survivors(queue: &str, persistent: bool, fault: &str) -> String {
    format!(
        "
topology: {{ queues: [{{ name: q, {queue} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 100, persistent: {persistent} }}]
workers: [{{ name: w, queue: q, start: {{ after: {{ fault: end }} }}, prefetch: 10 }}]
faults: [{{ name: end, restart: broker, at: 2s, {fault} }}]
settle: {{ idle: 300ms }}
"
    )
}

#[test]
fn what_is_durable_and_persistent_survives_a_graceful_end() {
    let run = run(&format!("scenario: s{}", survivors("", true, "")));
    run.exits(0).because(&[]).has("delivered 100, lost 0, redelivered 0");
    let fault = run.row("faults", 0);
    assert_eq!(fault["bit"], true, "{run}");
    let effect = fault["effect"].as_str().unwrap();
    assert!(effect.contains("ended after") && effect.contains("came instead"), "{run}");
}

#[test]
fn what_is_transient_dies_in_every_end() {
    for fault in ["", "how: sigkill"] {
        let run = run(&format!("scenario: s{}", survivors("", false, fault)));
        run.exits(0).because(&["lost 100 transient"]).has("confirmed 100, delivered 0, lost 100");
    }
}

#[test]
fn a_killed_broker_flags_what_a_classic_queue_keeps() {
    let run = run(&format!("scenario: s{}", survivors("", true, "how: sigkill")));
    run.exits(0).because(&[]).has("delivered 100, lost 0, redelivered 100, repeats 0");
}

#[test]
fn a_quorum_queue_keeps_everything_and_flags_nothing() {
    for (persistent, fault) in [(true, "how: sigkill"), (false, "")] {
        let run = run(&format!("scenario: s{}", survivors("type: quorum", persistent, fault)));
        run.exits(0).because(&[]).has("delivered 100, lost 0, redelivered 0");
    }
}

#[test]
fn a_queue_that_is_not_durable_goes_and_its_worker_with_it() {
    let run = run("
scenario: gone
topology: { queues: [{ name: q, durable: false }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, work: 2s, prefetch: 1 }]
faults: [{ restart: broker, at: 1500ms }]
settle: { idle: 300ms }
");
    // It finishes what it has in hand.
    run.exits(0).because(&["lost 9 transient"]).has("lost 9, delivered 1, confirmed 10");
    run.says("queue q was not durable, and went when RabbitMQ ended");
    assert!(run.died("w"), "it finds no queue when it comes back{run}");
}

#[test]
fn everybody_comes_back_to_a_broker_that_was_restarted() {
    for how in ["graceful", "sigkill"] {
        let run = run(&format!(
            "
scenario: back
topology: {{ queues: [{{ name: q }}] }}
producers:
  - {{ name: p, to: {{ queue: q }}, messages: 150, rate: 50/s, reconnect: {{ unconfirmed: republish }} }}
workers: [{{ name: w, queue: q, count: 2, work: 5ms, prefetch: 5 }}]
faults: [{{ restart: broker, at: 1500ms, how: {how} }}]
"
        ));
        run.exits(0).has("published 150, delivered 150, lost 0, in_doubt 0");
        assert!(!run.died("w-1") && !run.died("w-2"), "{run}");
        let errors = run.variant(0)["errors"].as_array().unwrap();
        assert!(errors.len() >= 3 && errors.iter().all(|it| it["explained"] == true), "{run}");
    }
}

#[test]
fn whoever_reads_a_stream_reads_on_after_a_restart() {
    let run = run("
scenario: stream
topology: { queues: [{ name: q, type: stream }] }
producers: [{ name: p, to: { queue: q }, messages: 60 }]
workers:
  - name: w
    count: 2
    queue: q
    prefetch: 10
    offset: first
    work: 20ms
    reconnect: { after: 20ms }
faults: [{ restart: broker, after: { finished: 40 } }]
# A stream may take a second to send anything to whoever has just come back.
settle: { idle: 4s }
");
    run.exits(0).has("published 60, delivered 60, lost 0");
    assert!(!run.died("w-1") && !run.died("w-2"), "{run}");
}

#[test]
fn a_fault_on_a_broker_that_another_has_ended_did_not_bite() {
    for fault in ["block: broker", "restart: broker"] {
        let lasts = if fault.contains("restart") { "" } else { ", for: 1s" };
        let run = run(&format!(
            "
scenario: twice
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 60, rate: 30/s }}]
workers: [{{ name: w, queue: q }}]
faults:
  - {{ restart: broker, after: {{ published: 20 }}, down_for: 1s }}
  - {{ {fault}, after: {{ published: 20 }}{lasts} }}
"
        ));
        run.exits(4).has("published 60, lost 0").says("did not bite");
        // What was published in the moment of the end may have got nowhere, and nobody can know.
        assert_eq!(run.number(0, "delivered") + run.number(0, "in_doubt"), 60, "{run}");
    }
}

#[test]
fn an_alarm_that_ends_while_its_broker_is_away_is_no_failure() {
    let run = run("
scenario: twice
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 60, rate: 30/s }]
workers: [{ name: w, queue: q }]
faults:
  - { block: broker, after: { published: 20 }, for: 500ms }
  - { restart: broker, after: { fault: end }, down_for: 2s, may_miss: true }
  - { name: end, slow: w, after: { published: 20 }, latency: 1ms, for: 100ms, may_miss: true }
");
    run.exits(0).has("published 60, lost 0");
}

#[test]
fn temporary_queues_are_declared_again() {
    let run = run("
scenario: temporary
topology: { exchanges: [{ name: x, type: fanout }] }
producers: [{ name: p, to: { exchange: x }, messages: 120, rate: 40/s }]
workers: [{ name: w, count: 2, temporary_queue: { bindings: [{ exchange: x }] }, ack: auto }]
faults: [{ restart: broker, at: 1s }]
");
    run.exits(0);
    let delivered = run.number(0, "delivered");
    assert!(delivered > 60, "both read on after the restart{run}");
}

#[test]
fn a_broker_that_is_stopped_for_good_leaves_its_queues_in_doubt() {
    let run = run("
scenario: stopped
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q, work: 100ms, prefetch: 1 }]
faults: [{ stop: broker, at: 550ms }]
");
    run.exits(4).has("published 20, confirmed 20, lost 0");
    let (delivered, doubt) = (run.number(0, "delivered"), run.number(0, "in_doubt"));
    assert!(delivered + doubt == 20 && doubt >= 12, "{run}");
    assert!(run.took.as_secs() < 40, "nobody waits for the deadline{run}");
}

#[test]
fn a_stopped_broker_may_be_expected() {
    let run = run("
scenario: stopped
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
faults: [{ stop: broker, at: 500ms }]
variants:
  - { name: stopped, expect: { in_doubt: 20 } }
  - { name: again, expect: { in_doubt: 20 } }
");
    run.exits(0).variant_has(1, "in_doubt 20, confirmed 20");
}

#[test]
fn a_broker_that_stands_still_keeps_a_publisher_waiting() {
    let run = run("
scenario: paused
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 100, rate: 100/s }]
workers: [{ name: w, queue: q }]
faults: [{ pause: broker, at: 300ms, for: 1s }]
");
    run.exits(0).has("published 100, confirmed 100, delivered 100, duplicates 0");
    assert!(run.variant(0)["duration_ms"].as_u64().unwrap() >= 1300, "{run}");
}

#[test]
fn a_pause_that_nobody_feels_did_not_bite() {
    let run = run("
scenario: paused
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, queue: q }]
faults: [{ pause: broker, at: 500ms, for: 200ms }]
");
    run.exits(4).says("pause broker (at: 500ms) did not bite");
}

#[test]
fn an_alarm_blocks_whoever_publishes() {
    for alarm in ["memory", "disk"] {
        let run = run(&format!(
            "
scenario: blocked
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 300, rate: 100/s }}]
workers: [{{ name: w, queue: q }}]
faults: [{{ block: broker, alarm: {alarm}, at: 300ms, for: 2s }}]
"
        ));
        run.exits(0).has("published 300, confirmed 300, delivered 300");
        let effect = run.row("faults", 0)["effect"].as_str().unwrap().to_owned();
        assert!(effect.contains("blocked p"), "{effect}{run}");
    }
}

#[test]
fn an_alarm_that_nobody_hears_did_not_bite() {
    let run = run("
scenario: blocked
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, queue: q }]
faults: [{ block: broker, at: 500ms, for: 200ms }]
");
    run.exits(4).says("nobody was told to stop publishing");
}

#[test]
fn a_broker_that_ends_before_anybody_is_there_did_not_bite() {
    for fault in ["restart: broker", "stop: broker, how: sigkill"] {
        let run = run(&format!(
            "
scenario: early
topology: {{ queues: [{{ name: q }}] }}
producers:
  - {{ name: p, to: {{ queue: q }}, messages: 5, start: {{ after: {{ published: 1, of: q }} }} }}
faults: [{{ {fault}, at: 1200ms }}]
"
        ));
        run.exits(4).says("did not bite").says("0 clients connected, 0 copies published by then");
    }
}

#[test]
fn a_quorum_queue_that_dies_young_ends_in_doubt_or_empty_and_never_in_a_hang() {
    let run = run("
scenario: young
topology: { queues: [{ name: q, type: quorum }] }
producers: [{ name: p, to: { queue: q }, messages: 100 }]
faults: [{ restart: broker, how: sigkill, after: { confirmed: 100 }, may_miss: true }]
settle: { deadline: 30s, idle: 300ms }
");
    // 4.3 comes back with an empty queue, 3.10 and 4.0 with one that never finds a leader again,
    // or, on a slow machine, with everything.
    let sum = ["lost", "in_doubt", "remaining"].map(|name| run.number(0, name));
    assert_eq!(sum.iter().sum::<u64>(), 100, "{run}");
    for cause in run.causes(0) {
        assert!(cause.ends_with("young_queue"), "{cause}{run}");
    }
    assert!(matches!(run.code, Some(0 | 4)), "{run}");
    assert!(run.took.as_secs() < 110, "{run}");
}

#[test]
fn what_holds_everybody_up_to_the_end_is_cut_at_the_deadline_and_cleaned_up() {
    for fault in ["pause: broker", "block: broker"] {
        let run = run(&format!(
            "
scenario: stuck
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 1000, rate: 100/s }}]
workers: [{{ name: w, queue: q }}]
faults: [{{ {fault}, at: 500ms }}]
settle: {{ deadline: 4s }}
"
        ));
        run.exits(4).says("the run was cut at its deadline").has("lost 0");
        assert!(run.took.as_secs() < 60, "{run}");
    }
}
