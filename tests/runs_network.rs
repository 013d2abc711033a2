//! Networks that fall silent, or slow, and connections that the broker closes.

mod scenes;
mod support;

use scenes::run;

#[test]
fn a_worker_that_is_cut_off_works_on_and_what_it_held_goes_to_others() {
    let run = run("
scenario: half-open
broker: { heartbeat: 1s }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, work: 50ms }]
faults: [{ cut: w-1, during: 4 }]
");
    run.exits(0).has("delivered 20, lost 0, workers.w-2.finished 17, redelivered 7");
    // It acked three before, worked on the seven that it held, and its acks reached nobody.
    let finished = run.number(0, "workers.w-1.finished");
    let doubled = run.number(0, "duplicates");
    assert!(finished > 3 && doubled == finished - 3, "{run}");
    for cause in run.causes(0) {
        assert!(cause.starts_with("duplicates"), "{cause}{run}");
        assert!(cause.ends_with("ack_lost") || cause.ends_with("requeued"), "{cause}{run}");
    }
    let effect = run.row("faults", 0)["effect"].as_str().unwrap();
    assert!(effect.contains("held 7 unacked"), "{run}");
    assert!(effect.contains("the broker gave it up after"), "{run}");
    assert!(effect.contains("it learned of it after"), "{run}");
    let errors = run.variant(0)["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["explained"] == true), "{run}");
}

#[test]
fn a_short_silence_costs_nothing() {
    let run = run("
scenario: blip
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 40, rate: 40/s }]
workers: [{ name: w, queue: q, work: 5ms }]
faults:
  - { cut: w, at: 300ms, for: 300ms }
  - { cut: p, at: 700ms, for: 200ms }
");
    run.exits(0).because(&[]).has("delivered 40, redelivered 0, duplicates 0, confirmed 40");
    assert!(!run.died("w"), "{run}");
}

#[test]
fn who_is_cut_off_before_it_consumes_begins_when_it_can() {
    let run = run("
scenario: early
broker: { heartbeat: 1s }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 3, queue: q, prefetch: 1, work: 300ms }]
faults: [{ cut: w-2, after: { consuming: 1 }, for: 3s, may_miss: true }]
");
    run.exits(0).has("delivered 20, lost 0, duplicates 0");
    assert!(run.number(0, "workers.w-2.finished") > 0, "{run}");
}

#[test]
fn a_slow_network_delays_what_goes_through_it() {
    let run = run("
scenario: slow
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20, confirms: { batch: 1 } }]
workers: [{ name: w, queue: q }]
faults: [{ slow: p, after: { confirmed: 10 }, latency: 50ms, for: 10s }]
settle: { idle: 100ms }
");
    run.exits(0).has("delivered 20, confirmed 20");
    let duration = run.variant(0)["duration_ms"].as_u64().unwrap();
    assert!(duration >= 1000, "ten times there and back{run}");
}

#[test]
fn a_producer_that_is_cut_off_for_good_is_waited_for_by_nobody() {
    let run = run("
scenario: dark
broker: { heartbeat: 1s }
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: 100, rate: 100/s, confirms: { in_flight: 10, timeout: 1s } }
workers: [{ name: w, queue: q }]
faults: [{ cut: p, after: { confirmed: 30 } }]
settle: { idle: 300ms }
");
    run.exits(0).has("lost 0");
    assert!(run.number(0, "confirmed") >= 30 && run.number(0, "unconfirmed") > 0, "{run}");
    assert!(run.took.as_secs() < 30, "{run}");
}

#[test]
fn whoever_is_disconnected_comes_back() {
    let run = run("
scenario: sent-away
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, work: 30ms }]
faults: [{ disconnect: w-1, during: 4 }]
");
    // It finishes the work in hand, never acks it, and forgets the six that it had read.
    run.exits(0)
        .because(&["duplicates 1 requeued"])
        .has("delivered 20, lost 0, redelivered 7, duplicates 1, begun 21, deliveries 27");
    assert!(!run.died("w-1"), "{run}");
    let error = run.row("errors", 0);
    assert_eq!((&error["code"], &error["explained"]), (&320.into(), &true.into()), "{run}");
}

#[test]
fn what_comes_due_while_a_producer_is_away_goes_out_when_it_is_back() {
    let run = run("
scenario: overdue
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: 60, rate: 30/s, confirms: false,
      reconnect: { after: 1s } }
workers: [{ name: w, queue: q }]
faults: [{ disconnect: p, after: { published: 15 } }]
expect: { published: 60, latency: { max: \">= 900ms\" } }
");
    run.exits(0);
}

#[test]
fn a_producer_that_is_disconnected_loses_nothing_when_it_publishes_again() {
    let run = run("
scenario: sent-away
topology: { queues: [{ name: q }] }
producers:
  - name: p
    to: { queue: q }
    messages: 300
    rate: 300/s
    reconnect: { after: 50ms, unconfirmed: republish }
workers: [{ name: w, queue: q }]
faults: [{ disconnect: p, after: { confirmed: 50 } }]
");
    run.exits(0).has("published 300, confirmed 300, delivered 300, lost 0, in_doubt 0");
}

#[test]
fn a_worker_that_does_not_reconnect_is_gone() {
    let run = run("
scenario: for-good
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, work: 30ms, reconnect: false }]
faults: [{ disconnect: w, during: 4 }]
settle: { idle: 200ms }
");
    run.exits(0).has("delivered 4, remaining 6, still_queued 7, lost 0");
    assert!(run.died("w"), "{run}");
}

#[test]
fn silence_and_slowness_that_nobody_feels_did_not_bite() {
    for fault in ["cut: w, at: 400ms, for: 50ms", "slow: w, at: 400ms, latency: 5ms, for: 50ms"] {
        let run = run(&format!(
            "
scenario: idle
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 5 }}]
workers: [{{ name: w, queue: q }}]
faults: [{{ {fault} }}]
"
        ));
        run.exits(4).says("did not bite");
    }
    let run = run("
scenario: idle
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, queue: q }]
faults: [{ disconnect: w, at: 400ms }]
");
    run.exits(4).says("disconnect w (at: 400ms) did not bite");
}
