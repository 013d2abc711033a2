//! Workers and producers that stand still for a while, or to the end.

mod scenes;
mod support;

use scenes::run;

/// 20 messages and two workers; something befalls the first in its 4th work.
fn frozen(worker: &str, fault: &str, rest: &str) -> scenes::Run {
    run(&format!(
        "
scenario: frozen
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers: [{{ name: w, count: 2, queue: q, work: 20ms, {worker} }}]
faults: [{{ freeze: w-1, during: 4, {fault} }}]
settle: {{ idle: 200ms }}
{rest}
"
    ))
}

#[test]
fn a_frozen_worker_goes_on_where_it_stood() {
    let run = frozen("ack: manual", "for: 600ms", "");
    run.exits(0)
        .because(&[])
        .has("delivered 20, redelivered 0, deliveries 20, workers.w-1.finished 10")
        .has("workers.w-2.finished 10, duplicates 0");
    let duration = run.variant(0)["duration_ms"].as_u64().unwrap();
    assert!(duration >= 800, "ten works and the time in which it stood still{run}");
    let fault = run.row("faults", 0);
    assert_eq!((&fault["fired"], &fault["bit"]), (&true.into(), &true.into()), "{run}");
    assert!(!run.died("w-1"), "{run}");
}

/// The run is looked at every 5 ms. Ended by a look that fell upon the moment of the thaw, one of
/// ten such runs left the worker with work in its hands.
#[test]
fn a_run_is_not_over_in_the_moment_of_a_thaw() {
    let run = run("
scenario: thaw
vars: { time: 300ms }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 4 }]
workers: [{ name: w, queue: q, work: 30ms }]
faults: [{ freeze: w, during: 2, for: $time }]
matrix:
  time: [300ms, 301ms, 302ms, 303ms, 304ms, 305ms, 306ms, 307ms, 308ms, 309ms,
         310ms, 311ms, 312ms, 313ms, 314ms, 315ms, 316ms, 317ms, 318ms, 319ms]
settle: { idle: 50ms }
expect: { delivered: 4, redelivered: 0 }
");
    run.exits(0);
}

#[test]
fn what_a_frozen_worker_holds_is_stuck_with_it() {
    frozen("ack: manual, prefetch: 5", "", "").exits(0).because(&[]).has(
        "delivered 15, remaining 5, redelivered 0, workers.w-1.finished 3, workers.w-1.acked 3, \
         workers.w-2.finished 12, lost 0",
    );
    let run = frozen("ack: auto", "", "");
    run.exits(0).because(&["lost 7 auto_ack"]).has("delivered 13, lost 7");
    run.says("w-1 had been sent 10, finished 3, and was frozen to the end");
}

#[test]
fn who_is_frozen_can_be_killed() {
    let run = run("
scenario: frozen
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, work: 20ms }]
faults:
  - { name: ice, freeze: w-1, during: 4 }
  - { kill: w-1, at: 700ms }
settle: { idle: 200ms }
");
    run.exits(0).has("delivered 20, redelivered 7, workers.w-1.finished 3");
    assert!(run.died("w-1"), "{run}");
}

#[test]
fn who_is_stopped_while_it_is_frozen_finishes_what_it_has_in_hand() {
    for ack in ["early", "manual"] {
        let run = run(&format!(
            "
scenario: frozen
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers:
  - {{ name: w, queue: q, work: 20ms, ack: {ack}, stop: {{ at: 300ms }} }}
  - {{ name: v, queue: q, work: 20ms }}
faults: [{{ freeze: w, during: 4, for: 600ms }}]
settle: {{ idle: 200ms }}
"
        ));
        run.exits(0).because(&[]).has("delivered 20, lost 0, workers.w.begun 4");
        run.has("workers.w.finished 4, workers.w.acked 4, duplicates 0, redelivered 6");
    }
}

#[test]
fn a_frozen_producer_catches_up() {
    let run = run("
scenario: frozen
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 60, rate: 100/s }]
workers: [{ name: w, queue: q }]
faults: [{ freeze: p, after: { published: 10 }, for: 400ms }]
");
    run.exits(0).has("published 60, confirmed 60, delivered 60");
    let duration = run.variant(0)["duration_ms"].as_u64().unwrap();
    // By its schedule the 60th is due after 590 ms.
    assert!((580..2000).contains(&duration), "what is overdue goes out at once{run}");
}

#[test]
fn a_producer_that_is_frozen_to_the_end_is_done() {
    let run = run("
scenario: frozen
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 60, rate: 200/s }]
workers: [{ name: w, queue: q }]
faults: [{ freeze: p, after: { published: 10 } }]
settle: { idle: 200ms }
");
    run.exits(0).has("published 10, delivered 10");
    assert!(run.took.as_secs() < 20, "nobody waits for the deadline{run}");
}

#[test]
fn a_freeze_that_finds_nothing_to_do_did_not_bite() {
    let run = run("
scenario: idle
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, queue: q }]
faults: [{ freeze: w, at: 400ms, for: 50ms }]
");
    run.exits(4).says("freeze w (at: 400ms) did not bite");
    run.says("an earlier moment, or `may_miss: true` if this is meant");
}
