//! Every way to kill, under every way to ack, with and without a second life.

mod scenes;
mod support;

use scenes::{Run, run};

/// 20 messages, two workers, and the first dies in its 4th work, holding 7 of its 10.
fn killed(ack: &str, how: &str) -> Run {
    run(&format!(
        "
scenario: killed
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers: [{{ name: w, count: 2, queue: q, ack: {ack}, work: 25ms }}]
faults: [{{ kill: w-1, during: 4, how: {how} }}]
settle: {{ idle: 200ms }}
"
    ))
}

#[test]
fn each_way_of_hanging_up_gives_back_the_same() {
    for how in ["crash", "close_connection", "close_channel"] {
        killed("auto", how)
            .exits(0)
            .because(&["lost 7 auto_ack"])
            .has("delivered 13, lost 7, redelivered 0, deliveries 20, begun 14, finished 13");
        killed("manual", how)
            .exits(0)
            .because(&[])
            .has("delivered 20, lost 0, redelivered 7, deliveries 27, begun 21, duplicates 0");
        killed("early", how)
            .exits(0)
            .because(&["lost 1 early_ack"])
            .has("delivered 19, lost 1, redelivered 6, deliveries 26, begun 20, finished 19");
        killed("never", how).exits(0).because(&["duplicates 3 forgotten_ack"]).has(
            "delivered 20, still_queued 20, redelivered 10, deliveries 30, begun 24, finished 23",
        );
    }
}

#[test]
fn a_cancel_gives_nothing_back() {
    killed("auto", "cancel")
        .exits(0)
        .because(&["lost 7 auto_ack"])
        .has("delivered 13, lost 7, redelivered 0, deliveries 20");
    killed("manual", "cancel").exits(0).because(&[]).has(
        "delivered 13, remaining 7, still_queued 7, lost 0, redelivered 0, repeats 0, \
         deliveries 20, workers.w-2.deliveries 10, workers.w-1.acked 3",
    );
    killed("early", "cancel")
        .exits(0)
        .because(&["lost 1 early_ack"])
        .has("delivered 13, remaining 6, still_queued 6, lost 1, redelivered 0, deliveries 20");
    killed("never", "cancel")
        .exits(0)
        .because(&[])
        .has("delivered 13, remaining 7, still_queued 20, lost 0, deliveries 20, duplicates 0");
}

#[test]
fn a_cancelled_worker_that_was_restarted_keeps_what_it_held() {
    run("
scenario: again
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q, work: 10ms }]
faults: [{ kill: w, during: 4, how: cancel, restart_after: 50ms }]
settle: { idle: 200ms }
")
    .exits(0)
    .has("delivered 3, remaining 17, still_queued 17, redelivered 0, deliveries 20, acked 3");
}

#[test]
fn who_was_cancelled_on_a_quorum_queue_and_holds_something_is_still_counted_there() {
    // The second life is stuck with what it never acks, and the rest is ready for nobody.
    run("
scenario: again
topology: { queues: [{ name: q, type: quorum }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q, prefetch: 3, ack: never }]
faults: [{ kill: w, during: 1, how: cancel, restart_after: 50ms }]
settle: { idle: 200ms, deadline: 5s }
")
    .exits(0)
    .has("still_queued 20, lost 0, redelivered 0, begun 4, finished 3");
}

#[test]
fn a_restarted_worker_gets_what_its_first_life_held() {
    for how in ["crash", "close_connection", "close_channel"] {
        let run = run(&format!(
            "
scenario: again
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 10 }}]
workers: [{{ name: w, queue: q, work: 10ms }}]
faults: [{{ kill: w, during: 4, how: {how}, restart_after: 100ms }}]
"
        ));
        run.exits(0).has(
            "delivered 10, lost 0, redelivered 7, repeats 7, deliveries 17, begun 11, \
             finished 10, workers.w.acked 10, duplicates 0",
        );
        assert!(!run.died("w"), "it is back{run}");
    }
}

#[test]
fn a_temporary_queue_goes_with_its_worker_and_comes_empty() {
    // What was published while nobody subscribed is unroutable; which messages these are is
    // decided at the edges, so only sums are certain.
    for how in ["crash", "close_connection", "close_channel", "cancel"] {
        let run = run(&format!(
            "
scenario: temporary
topology: {{ exchanges: [{{ name: e, type: fanout }}] }}
producers: [{{ name: p, to: {{ exchange: e }}, messages: 40, rate: 100/s }}]
workers:
  - {{ name: w, temporary_queue: {{ bindings: [{{ exchange: e }}] }} }}
  - {{ name: v, temporary_queue: {{ bindings: [{{ exchange: e }}] }} }}
faults: [{{ kill: w, during: 10, how: {how}, restart_after: 100ms }}]
"
        ));
        run.exits(0).has("published 40, unroutable 0, queues.v.delivered 40");
        // 4.3 was seen to refuse a publish whose route led to the queue that was just going.
        let (confirmed, refused) = (run.number(0, "confirmed"), run.number(0, "refused"));
        assert_eq!(confirmed + refused, 40, "{run}");
        assert!(refused <= 2, "{run}");
        run.has("queues.v.lost 0, workers.v.finished 40, unexpected 0, redelivered 0");
        let missed = 40 - run.number(0, "queues.w.expected");
        assert!((1..=30).contains(&missed) || how != "crash", "{missed}{run}");
        assert!(run.number(0, "queues.w.delivered") >= 9, "{run}");
        assert_eq!(run.causes(0).len(), 1, "{run}");
        assert!(run.causes(0)[0].ends_with("queue_gone"), "{run}");
        assert!(!run.died("w"), "{run}");
    }
}

#[test]
fn a_kill_of_a_group_has_a_row_and_a_count_for_each() {
    let run = run("
scenario: group
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, count: 2, queue: q, ack: auto, work: 20ms }]
faults: [{ kill: w, during: 3 }]
");
    run.exits(0)
        .because(&["lost 16 auto_ack"])
        .has("delivered 4, lost 16, workers.w-1.finished 2, workers.w-2.finished 2");
    let names = [0, 1].map(|index| run.row("faults", index)["fault"].clone());
    assert_eq!(names, ["kill w-1", "kill w-2"], "{run}");
    assert!(run.variant(0)["faults"].as_array().unwrap().len() == 2, "{run}");
}

#[test]
fn two_kills_of_one_worker_count_over_its_lives() {
    run("
scenario: twice
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, work: 10ms }]
faults:
  - { kill: w, during: 3, restart_after: 20ms }
  - { kill: w, during: 6, restart_after: 20ms }
")
    .exits(0)
    // Begun: 3 with 2 finished; then 3 with 2 finished; then the last 6.
    .has("delivered 10, begun 12, finished 10, deliveries 24, redelivered 14, duplicates 0");
}

#[test]
fn a_producer_that_dies_in_mid_publish() {
    for how in ["crash", "close_connection", "close_channel"] {
        let run = run(&format!(
            "
scenario: publisher
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 100, confirms: true }}]
workers: [{{ name: w, queue: q }}]
faults: [{{ kill: p, after: {{ published: 30, of: p }}, how: {how} }}]
"
        ));
        run.exits(0).has("published 30, lost 0, unexpected 0, republished 0");
        let known = run.number(0, "confirmed") + run.number(0, "unconfirmed");
        assert_eq!(known, 30, "{run}");
        let settled = run.number(0, "delivered") + run.number(0, "in_doubt");
        assert_eq!(settled, 30, "{run}");
        assert!(run.number(0, "delivered") >= run.number(0, "confirmed"), "{run}");
        let effect = run.row("faults", 0)["effect"].as_str().unwrap();
        assert!(effect.starts_with("had published 30,"), "{effect}");
        assert!(effect.ends_with("70 messages left"), "{effect}");
    }
}

#[test]
fn a_restarted_producer_goes_on_with_its_next_number() {
    for confirms in ["true", "{ in_flight: 10 }", "{ batch: 7 }"] {
        let run = run(&format!(
            "
scenario: publisher
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 100, confirms: {confirms} }}]
workers: [{{ name: w, queue: q }}]
faults: [{{ kill: p, after: {{ published: 30, of: p }}, restart_after: 50ms }}]
expect: {{ order: fifo }}
"
        ));
        run.exits(0).has("published 100, lost 0, unexpected 0, duplicates 0, refused 0");
        assert!(run.number(0, "confirmed") >= 70, "{run}");
        assert_eq!(run.number(0, "delivered") + run.number(0, "in_doubt"), 100, "{run}");
    }
}

#[test]
fn without_confirms_what_was_not_sent_is_lost_without_a_word() {
    let yaml = "
scenario: publisher
vars: { how: crash }
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: 1000, size: 2KiB, confirms: false }
workers: [{ name: w, queue: q }]
faults: [{ kill: p, after: { published: 500, of: p }, how: $how }]
matrix: { how: [crash, close_connection, close_channel] }
";
    let run = run(yaml);
    run.exits(0);
    for variant in 0..3 {
        run.variant_has(variant, "published 500, unchecked 500, confirmed 0, unconfirmed 0");
        let (delivered, lost) = (run.number(variant, "delivered"), run.number(variant, "lost"));
        assert_eq!(delivered + lost, 500, "{run}");
        let causes = run.causes(variant);
        assert!(lost == 0 || causes == [format!("lost {lost} not_sent")], "{causes:?}{run}");
    }
    // Whoever closes in order has sent everything before.
    run.variant_has(1, "lost 0, delivered 500").variant_has(2, "lost 0, delivered 500");
}

#[test]
fn a_close_in_the_middle_of_a_publish_proves_nothing_about_it() {
    let run = run("
scenario: publisher
vars: { how: close_channel }
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: 4000, size: 256KiB, confirms: false }
workers: [{ name: w, queue: q }]
faults: [{ kill: p, at: 40ms, how: $how }]
matrix: { how: [close_connection, close_channel] }
");
    run.exits(0);
    for variant in 0..2 {
        let [published, lost, delivered] =
            ["published", "lost", "delivered"].map(|name| run.number(variant, name));
        assert_eq!(delivered + lost, published, "{run}");
        let causes = run.causes(variant);
        assert!(lost == 0 || causes == [format!("lost {lost} not_sent")], "{causes:?}{run}");
    }
}
