//! When a run is over: at once when nothing can change, never too soon, at the deadline.

mod scenes;
mod support;

use std::time::Duration;

use scenes::{Scene, run};

#[test]
fn a_run_that_has_nothing_to_wait_for_ends_at_once() {
    // `idle` would make each of them last longer than the bound.
    let finished = "
scenario: at-once
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q }]
settle: { idle: 30s }
";
    let lost = "
scenario: at-once
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, ack: auto, work: 10ms }]
faults: [{ kill: w-1, during: 4 }]
settle: { idle: 30s }
";
    let nobody = "
scenario: at-once
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
settle: { idle: 30s }
";
    let cancelled = "
scenario: at-once
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q, work: 10ms }]
faults: [{ kill: w, during: 4, how: cancel }]
settle: { idle: 30s }
";
    let unroutable = "
scenario: at-once
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { exchange: '', routing_key: nobody }, messages: 20, confirms: false }]
workers: [{ name: w, queue: q }]
settle: { idle: 30s }
";
    let redelivered = "
scenario: at-once
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, work: 10ms }]
faults: [{ kill: w-1, during: 4 }]
settle: { idle: 30s }
";
    for yaml in [finished, lost, nobody, cancelled, unroutable, redelivered] {
        let run = run(yaml);
        run.exits(0);
        assert!(run.took < Duration::from_secs(15), "it waited{yaml}{run}");
    }
}

#[test]
fn a_trigger_that_never_comes_is_waited_for_until_nothing_moves() {
    let run = run("
scenario: idle
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q }]
observe: [{ name: never, when: { after: { finished: 21 } } }]
settle: { idle: 700ms }
");
    run.exits(0).has("delivered 20");
    assert!(run.took >= Duration::from_millis(700), "{run}");
    assert!(run.variant(0)["duration_ms"].as_u64().unwrap() < 700, "idling is no event{run}");
}

#[test]
fn never_sooner_than_at_least() {
    let run = run("
scenario: at-least
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 1 }]
settle: { at_least: 1500ms }
");
    run.exits(0).has("remaining 1");
    assert!(run.took >= Duration::from_millis(1500), "{run}");
}

#[test]
fn a_long_work_is_not_idleness() {
    // With a trigger that never comes the end is decided by idleness alone.
    run("
scenario: long
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 2 }]
workers: [{ name: w, queue: q, work: 400ms }]
observe: [{ name: never, when: { after: { finished: 3 } } }]
settle: { idle: 50ms }
")
    .exits(0)
    .has("delivered 2, finished 2, acked 2, remaining 0");
}

#[test]
fn a_pause_of_the_schedule_is_not_idleness() {
    run("
scenario: slow
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 4, rate: 4/s }]
workers: [{ name: w, queue: q }]
settle: { idle: 50ms }
")
    .exits(0)
    .has("delivered 4, published 4");
}

#[test]
fn what_a_dead_worker_held_is_waited_for() {
    // Many large messages come back at once; the other has to read them all.
    run("
scenario: many
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 3000, size: 4KiB }]
workers:
  - { name: hoarder, queue: q, work: 10m }
  - { name: heir, queue: q, start: { after: { fault: death } } }
faults: [{ name: death, kill: hoarder, at: 1s }]
settle: { idle: 200ms }
")
    .exits(0)
    .has("delivered 3000, lost 0, remaining 0, finished 3000");
}

#[test]
fn a_restart_that_is_due_is_waited_for() {
    run("
scenario: restart
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, queue: q }]
faults: [{ kill: w, before_ack: 5, how: close_connection, restart_after: 700ms }]
settle: { idle: 50ms }
")
    .exits(0)
    .has("delivered 5, duplicates 1, finished 6, acked 5");
}

#[test]
fn the_deadline_cuts_without_finishing_what_is_in_hand() {
    let run = run("
scenario: cut
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 100, rate: 20/s }]
workers: [{ name: w, queue: q, work: 10m }]
settle: { deadline: 1s }
expect: { delivered: 100, lost: 0 }
");
    run.exits(4).has("delivered 0, begun 1, finished 0, lost 0, turned_away 0");
    let published = run.number(0, "published");
    assert!((1..100).contains(&published), "{run}");
    // The last may be on its way when the producer is cut.
    let (remaining, in_doubt) = (run.number(0, "remaining"), run.number(0, "in_doubt"));
    assert_eq!(remaining + in_doubt, published, "{run}");
    assert!(in_doubt <= 1, "{run}");
    assert_eq!(run.variant(0)["verdict"], "inconclusive", "{run}");
    for expectation in run.variant(0)["expectations"].as_array().unwrap() {
        assert!(expectation["held"].is_null(), "{run}");
    }
    assert_eq!(run.row("expectations", 0)["actual"], 0, "{run}");
    run.says("the run was cut at its deadline");
}

#[test]
fn a_cut_in_the_middle_of_publishing_loses_nothing() {
    // The goodbye comes behind what is on its way, with large bodies and without a rate, so
    // that some always is.
    for _ in 0..5 {
        run("
scenario: cut
topology: { queues: [{ name: q }] }
producers:
  - { name: p, count: 2, to: { queue: q }, messages: 1000000, size: 4KiB, confirms: false }
settle: { deadline: 200ms }
")
        .exits(4)
        .has("lost 0, in_doubt 0, unexpected 0, confirmed 0");
    }
}

#[test]
fn nothing_begins_behind_the_deadline() {
    let run = run("
scenario: cut
topology: { queues: [{ name: q }], exchanges: [{ name: e, type: fanout }] }
producers:
  - { name: p, to: { queue: q }, messages: 10 }
  - { name: late, to: { queue: q }, messages: 10, start: { at: 30s } }
workers:
  - { name: w, queue: q, work: 10ms }
  - { name: t, temporary_queue: { bindings: [{ exchange: e }] } }
  - { name: later, queue: q, start: { at: 30s } }
faults:
  - { kill: w, during: 3, restart_after: 30s }
  - { kill: t, at: 100ms, how: close_channel, restart_after: 30s, may_miss: true }
observe: [{ name: o, when: { at: 30s } }]
settle: { deadline: 1s }
");
    run.exits(4).has("published 10, delivered 2, remaining 8, lost 0");
    assert!(run.took < Duration::from_secs(20), "{run}");
    assert!(run.died("w") && !run.died("later"), "{run}");
}

#[test]
fn a_deadline_over_a_failed_fault_is_still_inconclusive() {
    let run = run("
scenario: cut
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10, rate: 1/s }]
workers: [{ name: w, queue: q }]
faults: [{ kill: w, after: { published: 10 } }]
settle: { deadline: 500ms }
");
    run.exits(4);
    assert_eq!(run.row("faults", 0)["fired"], false, "{run}");
}

#[test]
fn the_next_variant_finds_nothing_of_the_one_before() {
    let run = Scene::new(
        "
scenario: two
vars: { m: 5 }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: $m }]
variants: [{ name: one, vars: { m: 5 } }, { name: two, vars: { m: 3 } }]
",
    )
    .run();
    run.exits(0).variant_has(0, "remaining 5").variant_has(1, "remaining 3, unexpected 0");
}

#[test]
fn nobody_can_take_anything_beside_a_single_active_consumer_that_is_full() {
    for kind in ["classic", "quorum"] {
        let run = run(&format!(
            "
scenario: full
topology: {{ queues: [{{ name: q, type: {kind}, single_active_consumer: true }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 10 }}]
workers:
  - {{ name: w, queue: q, ack: never, prefetch: 3 }}
  - {{ name: next, queue: q, ack: auto }}
settle: {{ idle: 200ms, deadline: 5s }}
"
        ));
        run.exits(0).has("workers.w.finished 3, workers.next.deliveries 0, remaining 7");
    }
}
