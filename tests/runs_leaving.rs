//! Every way out of a queue but an ack: rejected, expired, dropped, over the limit, purged,
//! deleted, unused; and where dead letters come to. Whatever is said here holds on 3.10, 4.0 and
//! 4.3 unless a test asks for the version.

mod scenes;
mod support;

use scenes::{Run, run};
use support::{block_on, node};

const BOTH: [&str; 2] = ["classic", "quorum"];

/// Runs it with each type in the place of `TYPE`.
fn on_each(yaml: &str, check: impl Fn(&Run)) {
    for kind in BOTH {
        check(&run(&yaml.replace("TYPE", kind)));
    }
}

/// The first number of the broker's version.
fn major() -> u32 {
    block_on(node()).version().split('.').next().unwrap().parse().unwrap()
}

#[test]
fn what_is_rejected_without_an_exchange_for_it_is_rejected() {
    for using in ["nack", "reject"] {
        let yaml = "
scenario: rejected
topology: { queues: [{ name: q, type: TYPE }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, reject: [{ messages: [2, 5], using: USING }] }]
";
        on_each(&yaml.replace("USING", using), |run| {
            run.exits(0).because(&["rejected 2 worker_rejected"]).has(
                "delivered 8, rejected 2, lost 0, still_queued 0, workers.w.rejected 2, \
                 workers.w.acked 8, workers.w.finished 8, workers.w.begun 10",
            );
        });
    }
}

#[test]
fn a_dead_letter_is_a_copy_of_its_own() {
    on_each(
        "
scenario: dead
topology:
  exchanges: [{ name: dlx, type: fanout }]
  queues: [{ name: q, type: TYPE, dead_letter: { exchange: dlx } }, { name: dead, type: TYPE }]
  bindings: [{ from: dlx, to: dead }]
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers:
  - { name: w, queue: q, reject: [{ every: 3 }] }
  - { name: u, queue: dead }
",
        |run| {
            run.exits(0).has(
                "delivered 10, dead_lettered 3, expected 13, rejected 0, lost 0, \
                 queues.q.expected 10, queues.q.dead_lettered 3, queues.q.delivered 7, \
                 queues.dead.expected 3, queues.dead.delivered 3, producers.p.delivered 10, \
                 producers.p.dead_lettered 3, workers.u.finished 3, repeats 0",
            );
            run.says("3 dead-lettered from q (rejected)");
        },
    );
}

#[test]
fn a_retry_comes_back_as_another_copy_in_every_round() {
    on_each(
        "
scenario: retry
topology:
  queues:
    - { name: q, type: TYPE, dead_letter: { exchange: '', routing_key: wait } }
    - { name: wait, type: TYPE, message_ttl: 60ms, dead_letter: { exchange: '', routing_key: q } }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, count: 2, queue: q, reject: [{ messages: [2, 4], times: 3 }] }]
",
        |run| {
            run.exits(0).has(
                "delivered 5, dead_lettered 12, expected 17, lost 0, expired 0, \
                 queues.q.dead_lettered 6, queues.wait.dead_lettered 6, queues.q.delivered 5, \
                 queues.q.deliveries 11, duplicates 0, repeats 0",
            );
        },
    );
}

#[test]
fn dead_letters_from_two_queues_come_together() {
    on_each(
        "
scenario: fan-in
topology:
  exchanges: [{ name: x, type: fanout }, { name: dlx, type: fanout }]
  queues:
    - { name: a, type: TYPE, dead_letter: { exchange: dlx } }
    - { name: b, type: TYPE, message_ttl: 50ms, dead_letter: { exchange: dlx } }
    - { name: dead, type: TYPE }
  bindings: [{ from: x, to: a }, { from: x, to: b }, { from: dlx, to: dead }]
producers: [{ name: p, to: { exchange: x, routing_key: k }, messages: 6 }]
workers: [{ name: w, queue: a, reject: [{ every: 1 }] }]
",
        |run| {
            run.exits(0).has(
                "expected 24, dead_lettered 12, remaining 12, still_queued 12, \
                 queues.dead.expected 12, queues.dead.remaining 12, lost 0, unexpected 0",
            );
            run.says("6 dead-lettered from a (rejected)").says("6 dead-lettered from b (expired)");
        },
    );
}

#[test]
fn what_waits_too_long_expires() {
    on_each(
        "
scenario: ttl
topology: { queues: [{ name: q, type: TYPE, message_ttl: 80ms }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
",
        |run| {
            run.exits(0).because(&["expired 10 ttl"]).has("expired 10, lost 0, still_queued 0");
        },
    );
}

#[test]
fn a_message_may_bring_its_own_time_to_live() {
    on_each(
        "
scenario: ttl
topology: { queues: [{ name: q, type: TYPE }] }
producers: [{ name: p, to: { queue: q }, messages: 10, ttl: [50ms, 10m] }]
settle: { idle: 300ms, deadline: 3s }
",
        |run| {
            // Every other short one stands behind a long one, and goes when the drain has taken
            // that. The long ones would move in ten minutes: the deadline ends the run.
            run.exits(4).because(&["expired 5 ttl"]).has("expired 5, remaining 5, lost 0");
        },
    );
}

#[test]
fn a_full_queue_drops_its_head() {
    let run = run("
scenario: full
topology: { queues: [{ name: q, max_length: 4 }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
");
    run.exits(0)
        .because(&["dropped 6 max_length"])
        .has("dropped 6, remaining 4, confirmed 10, lost 0, still_queued 4");
}

#[test]
fn a_queue_of_bytes_drops_its_head() {
    let run = run("
scenario: full
topology: { queues: [{ name: q, max_length_bytes: 450 }] }
producers: [{ name: p, to: { queue: q }, messages: 10, size: 100B }]
");
    run.exits(0).because(&["dropped 6 max_length"]).has("dropped 6, remaining 4, lost 0");
}

#[test]
fn a_full_queue_may_refuse() {
    let run = run("
scenario: full
topology: { queues: [{ name: q, max_length: 4, overflow: reject-publish }] }
producers: [{ name: p, to: { queue: q }, messages: 10, confirms: { in_flight: 1 } }]
");
    run.exits(0).has("turned_away 6, refused 6, confirmed 4, remaining 4, lost 0, dropped 0");
}

#[test]
fn a_full_quorum_queue_refuses_a_little_late() {
    // It overshoots: the leader tells publishers only after it has taken one too many.
    let run = run("
scenario: full
topology: { queues: [{ name: q, type: quorum, max_length: 4, overflow: reject-publish }] }
producers: [{ name: p, to: { queue: q }, messages: 10, confirms: { in_flight: 1 } }]
expect: { refused: 2..6, turned_away: 2..6, remaining: 4..8, lost: 0 }
");
    run.exits(0);
}

#[test]
fn what_a_full_queue_refuses_is_dropped_where_nobody_listens() {
    let run = run("
scenario: full
topology: { queues: [{ name: q, max_length: 4, overflow: reject-publish }] }
producers: [{ name: p, to: { queue: q }, messages: 10, confirms: false }]
");
    run.exits(0).because(&["dropped 6 max_length"]).has("dropped 6, unchecked 10, remaining 4");
}

#[test]
fn what_does_not_fit_may_become_a_dead_letter() {
    let yaml = "
scenario: full
topology:
  queues:
    - { name: q, type: TYPE, max_length: 4, overflow: OVERFLOW,
        dead_letter: { exchange: '', routing_key: dead } }
    - { name: dead, type: TYPE }
producers: [{ name: p, to: { queue: q }, messages: 10, confirms: { in_flight: 1 } }]
";
    on_each(&yaml.replace("OVERFLOW", "drop-head"), |run| {
        run.exits(0).has("dead_lettered 6, expected 16, remaining 10, confirmed 10, lost 0");
        run.says("6 dead-lettered from q (maxlen)");
    });
    // A classic queue refuses and dead-letters the new one; a quorum queue drops its head.
    let classic = run(&yaml.replace("TYPE", "classic").replace("OVERFLOW", "reject-publish-dlx"));
    classic.exits(0).has("dead_lettered 6, refused 6, confirmed 4, remaining 10, turned_away 0");
    let quorum = run(&yaml.replace("TYPE", "quorum").replace("OVERFLOW", "reject-publish-dlx"));
    quorum.exits(0).has("dead_lettered 6, refused 0, confirmed 10, remaining 10");
}

#[test]
fn what_comes_back_too_often_is_over_the_limit() {
    let yaml = "
scenario: poison
topology:
  queues:
    - { name: q, type: quorum, delivery_limit: 2DEAD }
    - { name: dead }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, queue: q, reject: [{ messages: [2], requeue: true, using: reject }] }]
";
    let silent = run(&yaml.replace("DEAD", ""));
    silent
        .exits(0)
        .because(&["over_limit 1 worker_rejected+delivery_limit"])
        .has("delivered 4, over_limit 1, rejected 0, workers.w.rejected 3, lost 0, repeats 2");
    let dead = yaml.replace("DEAD", ", dead_letter: { exchange: '', routing_key: dead }");
    let dead = run(&dead);
    dead.exits(0).has("delivered 4, dead_lettered 1, remaining 1, workers.w.rejected 3");
    dead.says("1 dead-lettered from q (delivery_limit)");
}

#[test]
fn the_default_delivery_limit_came_with_version_4() {
    let run = run("
scenario: poison
topology: { queues: [{ name: q, type: quorum }] }
producers: [{ name: p, to: { queue: q }, messages: 3 }]
workers: [{ name: w, queue: q, reject: [{ messages: [2], requeue: true, using: reject, times: 30 }] }]
");
    match major() {
        3 => run.exits(0).has("delivered 3, over_limit 0, workers.w.rejected 30"),
        _ => run.exits(0).has("delivered 2, over_limit 1, workers.w.rejected 21"),
    };
}

#[test]
fn at_least_once_dead_letters_arrive() {
    let run = run("
scenario: at-least-once
topology:
  queues:
    - { name: q, type: quorum, overflow: reject-publish,
        dead_letter: { exchange: '', routing_key: dead, strategy: at-least-once } }
    - { name: dead, type: quorum }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q, reject: [{ every: 2 }] }]
");
    run.exits(0).has("delivered 10, dead_lettered 10, remaining 10, expected 30, lost 0");
}

#[test]
fn a_purge_takes_what_is_ready_and_leaves_what_is_held() {
    on_each(
        "
scenario: purge
topology: { queues: [{ name: q, type: TYPE }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, prefetch: 2, work: 50ms, start: { after: { confirmed: 10 } } }]
faults: [{ purge: q, after: { finished: 2 } }]
",
        |run| {
            run.exits(0).because(&["lost 7 queue_gone"]).has("delivered 3, lost 7, acked 3");
            run.says("queue q was purged");
            assert_eq!(run.row("faults", 0)["bit"], true, "{run}");
        },
    );
}

#[test]
fn a_deleted_queue_takes_everything_and_ends_its_consumers() {
    on_each(
        "
scenario: delete
topology: { queues: [{ name: q, type: TYPE }] }
producers:
  - { name: p, to: { queue: q }, messages: 10 }
  - { name: late, to: { queue: q }, messages: 3, start: { after: { fault: gone } } }
workers: [{ name: w, queue: q, prefetch: 2, work: 200ms }]
faults: [{ name: gone, delete: q, during: NONE, after: { finished: 2 } }]
"
        .replace(", during: NONE", "")
        .as_str(),
        |run| {
            run.exits(0)
                .because(&["lost 8 queue_gone"])
                .has("delivered 2, lost 8, producers.late.unroutable 3, still_queued 0");
            run.says("queue q was deleted");
            assert_eq!(run.row("errors", 0)["text"], "cancelled", "{run}");
            assert_eq!(run.row("errors", 0)["explained"], true, "{run}");
        },
    );
}

#[test]
fn an_exclusive_queue_is_purged_and_deleted_by_its_owner() {
    let yaml = "
scenario: exclusive
topology: { queues: [{ name: q, exclusive: true }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, prefetch: 2, work: 100ms }]
faults: [{ FAULT: q, after: { finished: 2 } }]
";
    let purged = run(&yaml.replace("FAULT", "purge"));
    purged.exits(0).because(&["lost 7 queue_gone"]).has("delivered 3, lost 7, acked 3");
    let deleted = run(&yaml.replace("FAULT", "delete"));
    deleted.exits(0).because(&["lost 8 queue_gone"]).has("delivered 2, lost 8");
}

#[test]
fn a_queue_that_nobody_uses_expires() {
    on_each(
        "
scenario: expires
topology: { queues: [{ name: q, type: TYPE, expires: 400ms }] }
producers:
  - { name: p, to: { queue: q }, messages: 10 }
  - { name: late, to: { queue: q }, messages: 3, start: { at: 1500ms } }
",
        |run| {
            run.exits(0)
                .because(&["lost 10 queue_gone"])
                .has("lost 10, producers.late.unroutable 3, expected 10");
            run.says("queue q expired because nobody used it");
        },
    );
}

#[test]
fn a_queue_that_is_consumed_from_does_not_expire() {
    on_each(
        "
scenario: expires
topology: { queues: [{ name: q, type: TYPE, expires: 300ms }] }
producers: [{ name: p, to: { queue: q }, messages: 30, rate: 50/s }]
workers: [{ name: w, queue: q }]
settle: { at_least: 900ms }
",
        |run| {
            run.exits(0).has("delivered 30, lost 0");
        },
    );
}

#[test]
fn everybody_reads_all_of_a_stream() {
    let run = run("
scenario: stream
topology: { queues: [{ name: log, type: stream }] }
producers: [{ name: p, to: { queue: log }, messages: 40 }]
workers:
  - { name: live, queue: log, prefetch: 10 }
  - { name: again, queue: log, prefetch: 10, offset: first, start: { after: { confirmed: 40 } } }
  - { name: tail, queue: log, prefetch: 10, offset: 30, start: { after: { confirmed: 40 } } }
  - { name: deaf, queue: log, prefetch: 10, offset: next, start: { after: { confirmed: 40 } } }
");
    run.exits(0).has(
        "delivered 40, expected 40, lost 0, still_queued 40, repeats 0, duplicates 0, \
         redelivered 0, workers.live.finished 40, workers.again.finished 40, \
         workers.tail.finished 10, workers.deaf.finished 0",
    );
}

#[test]
fn who_reads_a_stream_again_repeats() {
    let run = run("
scenario: stream
topology: { queues: [{ name: log, type: stream }] }
producers: [{ name: p, to: { queue: log }, messages: 20 }]
workers: [{ name: w, queue: log, prefetch: 5, offset: first, work: 5ms }]
faults: [{ kill: w, during: 11, restart_after: 50ms }]
");
    run.exits(0)
        .because(&["duplicates 10 reread"])
        .has("delivered 20, workers.w.finished 30, duplicates 10, lost 0");
}

#[test]
fn a_stream_that_nobody_reads_keeps_all() {
    let run = run("
scenario: stream
topology: { queues: [{ name: log, type: stream }] }
producers: [{ name: p, to: { queue: log }, messages: 2000, confirms: false }]
");
    run.exits(0).has("remaining 2000, still_queued 2000, lost 0, in_doubt 0");
}

#[test]
fn what_only_the_drain_brings_to_the_head_reaches_no_worker() {
    // The others expire behind the first one, which nobody takes from `a` during the run. The
    // further auto-delete queues give the drain of the first some time.
    run("
scenario: behind
topology:
  queues:
    - { name: a, auto_delete: true, dead_letter: { exchange: '', routing_key: b } }
    - { name: b }
    - { name: c, auto_delete: true }
    - { name: d, auto_delete: true }
    - { name: e, auto_delete: true }
    - { name: f, auto_delete: true }
producers:
  - { name: p, to: { queue: a }, messages: 1 }
  - { name: r, to: { queue: a }, messages: 3, ttl: 20ms, start: { after: { confirmed: 1 } } }
workers: [{ name: w, queue: b, work: 100ms }]
settle: { idle: 200ms }
")
    .exits(0)
    .has("queues.a.remaining 1, queues.a.dead_lettered 3, queues.b.remaining 3, begun 0, lost 0");
}

#[test]
fn a_queue_that_goes_unused_is_drained_before_it_goes() {
    // The drain of the exclusive queue waits for what was published without a confirm, for
    // longer than the other one lasts without a consumer.
    run("
scenario: kept
topology:
  queues:
    - { name: q, expires: 100ms }
    - { name: own, exclusive: true, max_length: 0, overflow: reject-publish }
producers:
  - { name: p, to: { queue: q }, messages: 5 }
  - { name: r, to: { queue: own }, messages: 5, confirms: false }
workers:
  - { name: w, queue: q, prefetch: 2, ack: never }
  - { name: o, queue: own }
settle: { idle: 200ms }
")
    .exits(0)
    .has("queues.q.delivered 2, queues.q.remaining 3, queues.q.still_queued 5, dropped 5");
}
