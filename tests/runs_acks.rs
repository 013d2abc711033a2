//! What the ack mode, the prefetch and the moment of a kill decide, number for number.

mod scenes;
mod support;

use scenes::run;

/// Two workers that are attached first, 50 ms of work, and worker-1 dies in its 4th.
fn reference(ack: &str) -> scenes::Run {
    run(&format!(
        "
scenario: reference
topology: {{ queues: [{{ name: task_queue }}] }}
producers: [{{ name: new_task, to: {{ queue: task_queue }}, messages: 20 }}]
workers: [{{ name: worker, count: 2, queue: task_queue, ack: {ack}, work: 50ms }}]
faults: [{{ kill: worker-1, during: 4 }}]
"
    ))
}

#[test]
fn reference_with_automatic_acks() {
    let run = reference("auto");
    run.exits(0).because(&["lost 7 auto_ack"]).has(
        "published 20, confirmed 20, expected 20, delivered 13, lost 7, redelivered 0, \
         deliveries 20, begun 14, finished 13, duplicates 0, repeats 0, acked 0, still_queued 0, \
         workers.worker-1.finished 3, workers.worker-2.finished 10, workers.worker-1.begun 4",
    );
    assert!(run.died("worker-1") && !run.died("worker-2"));
    let fault = run.row("faults", 0);
    assert_eq!((&fault["fired"], &fault["bit"]), (&true.into(), &true.into()), "{run}");
    assert!(fault["at_ms"].as_u64().unwrap() >= 150, "{run}");
    run.says("worker-1 had been sent 10, finished 3, and was killed in its 4th");
}

#[test]
fn reference_with_manual_acks() {
    reference("manual").exits(0).because(&[]).has(
        "delivered 20, lost 0, redelivered 7, repeats 7, deliveries 27, begun 21, finished 20, \
         acked 20, duplicates 0, still_queued 0, workers.worker-1.finished 3, \
         workers.worker-1.deliveries 10, workers.worker-2.finished 17, \
         workers.worker-2.redelivered 7",
    );
}

#[test]
fn reference_with_early_acks() {
    reference("early").exits(0).because(&["lost 1 early_ack"]).has(
        "delivered 19, lost 1, redelivered 6, deliveries 26, begun 20, finished 19, acked 20, \
         duplicates 0, workers.worker-1.finished 3, workers.worker-2.finished 16, \
         workers.worker-1.acked 4",
    );
}

#[test]
fn reference_without_acks() {
    let run = reference("never");
    run.exits(0).because(&["duplicates 3 forgotten_ack"]).has(
        "delivered 20, still_queued 20, remaining 0, lost 0, redelivered 10, deliveries 30, \
         begun 24, finished 23, duplicates 3, acked 0, workers.worker-1.finished 3, \
         workers.worker-2.finished 20",
    );
}

/// All 20 are in the queue before worker-1 comes, and worker-2 comes after it.
fn backlog(ack: &str, prefetch: u32) -> scenes::Run {
    run(&format!(
        "
scenario: backlog
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers:
  - {{ name: worker-1, queue: q, ack: {ack}, prefetch: {prefetch}, work: 20ms,
      start: {{ after: {{ confirmed: 20 }} }} }}
  - {{ name: worker-2, queue: q, ack: {ack}, prefetch: {prefetch}, work: 20ms,
      start: {{ after: {{ finished: 1, of: worker-1 }} }} }}
faults: [{{ kill: worker-1, during: 4 }}]
"
    ))
}

#[test]
fn a_backlog_goes_to_the_first_who_subscribes() {
    backlog("auto", 0).exits(0).because(&["lost 17 auto_ack"]).has(
        "delivered 3, lost 17, redelivered 0, deliveries 20, workers.worker-1.deliveries 20, \
         workers.worker-2.deliveries 0",
    );
}

#[test]
fn prefetch_means_nothing_under_automatic_acks() {
    backlog("auto", 1).exits(0).has("delivered 3, lost 17, workers.worker-1.deliveries 20");
}

#[test]
fn a_backlog_with_manual_acks_comes_back_whole() {
    backlog("manual", 0).exits(0).has(
        "delivered 20, lost 0, redelivered 17, duplicates 0, workers.worker-1.finished 3, \
         workers.worker-2.finished 17",
    );
}

#[test]
fn with_prefetch_one_a_death_costs_one_redelivery() {
    backlog("manual", 1).exits(0).has(
        "delivered 20, lost 0, redelivered 1, repeats 1, deliveries 21, begun 21, \
         workers.worker-1.deliveries 4, duplicates 0",
    );
}

#[test]
fn what_was_not_acked_because_of_ack_every_is_done_twice() {
    // Of 4 finished, 3 are acked; the 4th comes again.
    run("
scenario: every
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 12 }]
workers:
  - { name: a, queue: q, ack_every: 3, work: 10ms }
  - { name: b, queue: q, ack_every: 3, start: { after: { fault: death } } }
faults: [{ name: death, kill: a, during: 5 }]
")
    .exits(0)
    .because(&["duplicates 1 requeued"])
    .has(
        "delivered 12, duplicates 1, workers.a.finished 4, workers.a.acked 3, \
         workers.b.deliveries 9, workers.b.redelivered 9, workers.b.acked 9, redelivered 9, \
         lost 0, still_queued 0",
    );
}

#[test]
fn at_the_end_and_at_a_stop_the_rest_is_acked() {
    let run = run("
scenario: rest
topology: { queues: [{ name: q }, { name: r }] }
producers:
  - { name: p, to: { queue: q }, messages: 7 }
  - { name: s, to: { queue: r }, messages: 7 }
workers:
  - { name: ends, queue: q, ack_every: 5 }
  - { name: stops, queue: r, ack_every: 5, stop: { after: { finished: 7, of: stops } } }
observe: [{ name: all-acked, when: { after: { acked: 7, of: stops } } }]
settle: { idle: 200ms }
");
    run.exits(0).has("workers.ends.acked 7, workers.stops.acked 7, still_queued 0, lost 0");
    assert_eq!(run.observed(0, "r")[1], 0, "all were acked then{run}");
}

#[test]
fn ack_every_above_the_prefetch_stands_still_and_acks_at_the_end() {
    // Four in hand and the ack is due at the fifth: nobody moves any more.
    run("
scenario: stuck
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, prefetch: 4, ack_every: 5 }]
settle: { idle: 200ms }
")
    .exits(0)
    .has("delivered 4, remaining 6, still_queued 6, workers.w.acked 4, workers.w.deliveries 4, lost 0");
}

#[test]
fn without_acks_a_prefetch_is_all_that_ever_comes() {
    run("
scenario: full
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, prefetch: 3, ack: never }]
settle: { idle: 200ms }
")
    .exits(0)
    .has("delivered 3, remaining 7, still_queued 10, deliveries 3, finished 3, acked 0, lost 0");
}

#[test]
fn round_robin_and_fair_dispatch() {
    let yaml = "
scenario: dispatch
vars: { prefetch: 0 }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, prefetch: $prefetch, work: [5ms, 50ms] }]
matrix: { prefetch: [0, 1] }
variants:
  - { when: { prefetch: 0 }, expect: { duration: '>= 500ms', fairness: { workers: w, max_share: 100% } } }
  - { when: { prefetch: 1 }, expect: { fairness: { workers: w, max_share: 70% } } }
";
    let run = run(yaml);
    run.exits(0).has("delivered 20, workers.w-1.deliveries 10, workers.w-2.deliveries 10");
    run.variant_has(1, "delivered 20");
    assert_eq!(run.variant(0)["name"], "prefetch=0");
}

#[test]
fn what_workers_hold_at_the_end_comes_to_none_of_them() {
    let run = run("
scenario: end
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 400 }]
workers: [{ name: w, count: 8, queue: q, ack: never }]
settle: { idle: 100ms }
");
    run.exits(0).has(
        "delivered 400, still_queued 400, deliveries 400, finished 400, redelivered 0, repeats 0",
    );
}
