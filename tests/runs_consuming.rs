//! Who is served, where acks go, and what a cancel by the broker does.

mod scenes;
mod support;

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use scenes::{Scene, broker, facts, find_queue, run};
use support::block_on;

#[test]
fn the_consumer_of_higher_priority_gets_everything_it_can_take() {
    for kind in ["classic", "quorum"] {
        let run = run(&format!(
            "
scenario: preferred
topology: {{ queues: [{{ name: q, type: {kind} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers:
  - {{ name: low, queue: q, priority: -1 }}
  - {{ name: plain, queue: q }}
  - {{ name: high, queue: q, priority: 10 }}
"
        ));
        run.exits(0).has(
            "workers.low.deliveries 0, workers.plain.deliveries 0, workers.high.deliveries 20, \
             workers.high.finished 20, delivered 20",
        );
    }
}

#[test]
fn what_the_preferred_consumer_cannot_take_goes_to_the_others() {
    let run = run("
scenario: overflow
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers:
  - { name: low, queue: q }
  - { name: high, queue: q, priority: 10, prefetch: 5, ack: never }
");
    run.exits(0).has("workers.high.deliveries 5, workers.low.deliveries 15, still_queued 5");
}

#[test]
fn a_second_consumer_beside_an_exclusive_one_is_refused() {
    for (first, second) in [("true", "false"), ("false", "true"), ("true", "true")] {
        let run = run(&format!(
            "
scenario: alone
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 5 }}]
workers:
  - {{ name: first, queue: q, exclusive: {first} }}
  - {{ name: second, queue: q, exclusive: {second} }}
"
        ));
        run.exits(1).has("workers.first.finished 5, workers.second.deliveries 0, delivered 5");
        let error = run.row("errors", 0);
        assert_eq!((&error["who"], &error["code"]), (&"second".into(), &403.into()), "{run}");
        assert!(run.died("second") && !run.died("first"), "{run}");
    }
}

#[test]
fn a_single_active_consumer_is_followed_by_the_next() {
    for kind in ["classic", "quorum"] {
        let run = run(&format!(
            "
scenario: active
topology: {{ queues: [{{ name: q, type: {kind}, single_active_consumer: true }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers: [{{ name: w, count: 3, queue: q, work: 20ms, prefetch: 4 }}]
faults: [{{ kill: w-1, during: 4 }}]
"
        ));
        run.exits(0).because(&[]).has(
            "workers.w-1.finished 3, workers.w-2.finished 17, workers.w-3.deliveries 0, \
             delivered 20, duplicates 0, lost 0",
        );
    }
}

#[test]
fn an_ack_on_another_channel_ends_the_program() {
    for kind in ["classic", "quorum"] {
        for (every, finished) in [(1, 1), (3, 3)] {
            let run = run(&format!(
                "
scenario: elsewhere
topology: {{ queues: [{{ name: q, type: {kind} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers:
  - {{ name: w, queue: q, work: 100ms, ack_every: {every}, ack_on: another_channel }}
"
            ));
            run.exits(1).has(&format!(
                "workers.w.finished {finished}, workers.w.acked {finished}, \
                 delivered {finished}, still_queued 20"
            ));
            let error = run.row("errors", 0);
            assert_eq!(
                (&error["scope"], &error["code"]),
                (&"channel".into(), &406.into()),
                "{run}"
            );
            run.says(&format!("unknown delivery tag {finished}"));
            assert!(run.died("w"));
        }
    }
}

#[test]
fn the_last_ack_on_another_channel_is_refused_as_well() {
    let run = run("
scenario: last
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers: [{ name: w, queue: q, ack_every: 50, ack_on: another_channel }]
");
    run.exits(1).has("finished 20, acked 20, delivered 20, still_queued 20, remaining 0");
    run.says("unknown delivery tag 20");
    assert_eq!(run.variant(0)["errors"].as_array().unwrap().len(), 1, "{run}");
}

#[test]
fn acks_on_another_channel_are_never_taken_for_read() {
    let run = run("
scenario: never-read
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers:
  - { name: wrong, queue: q, work: 20ms, ack_every: 5, ack_on: another_channel }
  - { name: right, queue: q, start: { after: { fault: gone } } }
faults: [{ name: gone, kill: wrong, how: close_channel, after: { acked: 5, of: wrong } }]
");
    run.has("delivered 10, duplicates 5, workers.right.finished 10, workers.wrong.acked 5");
}

/// A worker has read two of five messages and works on the first when the queue is deleted by
/// somebody else.
#[test]
fn a_cancel_by_the_broker_ends_the_program_at_once() {
    let scene = Scene::new(
        "
scenario: cancelled
topology: { queues: [{ name: cancelled-q }] }
producers: [{ name: p, to: { queue: cancelled-q }, messages: 5 }]
workers: [{ name: w, queue: cancelled-q, prefetch: 2, work: 3s }]
",
    );
    let child = scene.command().spawn().unwrap();
    let (vhost, queue) = find_queue("cancelled-q");
    delete_when_ready(&vhost, &queue, 3);
    let run = scene.read(child.wait_with_output().unwrap(), Default::default());
    run.has("workers.w.deliveries 2, workers.w.begun 1, workers.w.finished 0, delivered 0");
    let error = run.row("errors", 0);
    assert_eq!(
        (&error["scope"], &error["text"]),
        (&"consumer".into(), &"cancelled".into()),
        "{run}"
    );
    assert!(run.died("w"));
    let ended = run.variant(0)["duration_ms"].as_u64().unwrap();
    assert!(ended < 3000, "it did not finish what it had in hand{run}");
}

/// Deletes a queue once so many messages are ready in it.
fn delete_when_ready(vhost: &str, queue: &str, ready: u32) {
    block_on(async {
        let vhost = vhost.replace('/', "%2F");
        let url = broker(&facts().user, &facts().password, &vhost);
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let asked = channel.queue_declare(queue.into(), options, FieldTable::default());
            let numbers = asked.await.unwrap();
            if numbers.message_count() == ready && numbers.consumer_count() == 1 {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "{queue} never had {ready} ready");
        }
        let deleted = channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
        deleted.unwrap();
        connection.close(200, "done".into()).await.unwrap();
    });
}

#[test]
fn a_quorum_queue_cancels_who_does_not_ack_in_time() {
    let run = run("
scenario: timeout
requires: { rabbitmq: '>=4.3' }
topology:
  queues: [{ name: q, type: quorum, arguments: { x-consumer-timeout: 1000 } }]
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers:
  - { name: slow, queue: q, prefetch: 2, work: 4s }
  - { name: quick, queue: q, start: { at: 100ms } }
");
    if run.variant(0)["verdict"] == "skipped" {
        return;
    }
    run.has("workers.slow.begun 1, workers.slow.finished 0, delivered 5, workers.quick.finished 5");
    assert_eq!(run.row("errors", 0)["text"], "cancelled", "{run}");
}

#[test]
fn workers_begin_a_stream_where_they_ask_to() {
    let run = run("
scenario: offsets
topology: { queues: [{ name: s, type: stream }] }
producers: 
  - { name: early, to: { queue: s }, messages: 20 }
  - { name: later, to: { queue: s }, messages: 5, start: { after: { consuming: 3 } } }
workers:
  - { name: first, queue: s, prefetch: 7, offset: first, start: { after: { confirmed: 20, of: early } } }
  - { name: from, queue: s, prefetch: 7, offset: 15, start: { after: { confirmed: 20, of: early } } }
  - { name: next, queue: s, prefetch: 7, offset: next, start: { after: { confirmed: 20, of: early } } }
");
    run.exits(0).has(
        "workers.first.finished 25, workers.from.finished 10, workers.next.finished 5, \
         delivered 25, repeats 0, duplicates 0, expected 25",
    );
}

#[test]
fn what_a_stream_asks_of_its_consumers() {
    for (keys, code) in [("ack: auto, prefetch: 10", 540), ("ack: manual", 406)] {
        let run = run(&format!(
            "
scenario: demands
topology: {{ queues: [{{ name: s, type: stream }}] }}
producers: [{{ name: p, to: {{ queue: s }}, messages: 5 }}]
workers: [{{ name: w, queue: s, {keys} }}]
"
        ));
        run.exits(1).has("deliveries 0, remaining 5, confirmed 5");
        assert_eq!(run.row("errors", 0)["code"], code, "{run}");
        assert!(run.died("w"), "{run}");
    }
}
