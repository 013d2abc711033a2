//! Queues that belong to somebody, and queues that go.

mod scenes;
mod support;

use std::time::Duration;

use reqwest::Method;
use scenes::{Scene, run};
use serde_json::json;

#[test]
fn an_auto_delete_queue_goes_with_its_last_consumer() {
    // worker 4 of 20 in work at the kill; everything it held is gone with the queue, and what
    // comes when that is known to be gone finds none.
    let run = run("
scenario: auto-delete
topology: { queues: [{ name: q, auto_delete: true }] }
producers:
  - { name: p, to: { queue: q }, messages: 20 }
  - { name: late, to: { queue: q }, messages: 5, start: { at: 1s } }
workers: [{ name: w, queue: q, work: 20ms }]
faults: [{ kill: w, after: { finished: 3, of: w }, how: close_channel }]
observe: [{ name: o, when: { after: { confirmed: 5, of: late } } }]
");
    run.exits(0).because(&["lost 17 queue_gone"]).has(
        "delivered 3, lost 17, expected 20, producers.late.unroutable 5, \
         producers.late.confirmed 5, still_queued 0, redelivered 0",
    );
    assert_eq!(run.row("observations", 0)["queues"].as_array().unwrap().len(), 0, "{run}");
    run.says("queue q is auto-delete and went with its last consumer");
}

#[test]
fn an_auto_delete_queue_stays_as_long_as_one_consumes() {
    run("
scenario: auto-delete
topology: { queues: [{ name: q, auto_delete: true, durable: false }] }
producers: [{ name: p, to: { queue: q }, messages: 20, persistent: false }]
workers: [{ name: w, count: 2, queue: q, work: 20ms }]
faults: [{ kill: w-1, during: 4 }]
")
    .exits(0)
    .has("delivered 20, lost 0, redelivered 7");
}

#[test]
fn what_is_left_in_an_auto_delete_queue_at_the_end_remains() {
    run("
scenario: auto-delete
topology: { queues: [{ name: q, auto_delete: true }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, prefetch: 3, ack: never }]
settle: { idle: 200ms }
")
    .exits(0)
    .has("delivered 3, remaining 7, still_queued 10, lost 0, in_doubt 0");
}

#[test]
fn an_auto_delete_queue_under_an_exclusive_consumer_is_no_doubt() {
    run("
scenario: auto-delete
topology: { queues: [{ name: q, auto_delete: true }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, exclusive: true }]
")
    .exits(0)
    .has("delivered 10, still_queued 0, lost 0, in_doubt 0");
}

#[test]
fn a_stopped_last_consumer_takes_an_auto_delete_queue_along() {
    run("
scenario: auto-delete
topology: { queues: [{ name: q, auto_delete: true }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, stop: { after: { finished: 4, of: w } }, work: 10ms }]
")
    .exits(0)
    .because(&["lost 6 queue_gone"])
    .has("delivered 4, lost 6, acked 4");
}

#[test]
fn a_cancel_takes_an_auto_delete_queue_along_too() {
    run("
scenario: auto-delete
topology: { queues: [{ name: q, auto_delete: true }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, prefetch: 2, work: 10ms }]
faults: [{ kill: w, during: 3, how: cancel }]
")
    .exits(0)
    .because(&["lost 8 queue_gone"])
    .has("delivered 2, lost 8, still_queued 0, in_doubt 0");
}

#[test]
fn a_worker_that_comes_to_a_queue_that_is_gone_is_refused() {
    let run = run("
scenario: gone
topology: { queues: [{ name: q, auto_delete: true }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers:
  - { name: w, queue: q, work: 10ms }
  - { name: late, queue: q, start: { after: { fault: death } } }
faults: [{ name: death, kill: w, during: 3 }]
");
    run.exits(0).because(&["lost 8 queue_gone"]).has("delivered 2, workers.late.deliveries 0");
    let error = run.row("errors", 0);
    assert_eq!((&error["who"], &error["code"]), (&"late".into(), &404.into()), "{run}");
    assert_eq!(error["explained"], true, "the kill explains it{run}");
    assert!(run.died("late"), "{run}");
}

#[test]
fn an_exclusive_queue_goes_with_its_connection_only() {
    let yaml = "
scenario: exclusive
vars: { how: crash }
topology: { queues: [{ name: q, exclusive: true }] }
producers:
  - { name: p, to: { queue: q }, messages: 10 }
  - { name: late, to: { queue: q }, messages: 5, start: { after: { fault: death } } }
workers: [{ name: w, queue: q, prefetch: 4, work: 10ms }]
faults: [{ name: death, kill: w, during: 3, how: $how }]
matrix: { how: [crash, close_connection, close_channel, cancel] }
";
    let run = run(yaml);
    run.exits(0);
    for variant in [0, 1] {
        assert_eq!(run.causes(variant), ["lost 8 queue_gone"], "{run}");
        // After a crash the queue goes when the broker notices: `late` may still reach it.
        run.variant_has(variant, "delivered 2, lost 8, remaining 0, expected 10");
    }
    for variant in [2, 3] {
        assert!(run.causes(variant).is_empty(), "{run}");
        run.variant_has(
            variant,
            "delivered 2, lost 0, remaining 13, unroutable 0, still_queued 13",
        );
    }
}

#[test]
fn an_exclusive_queue_comes_again_with_a_restart() {
    for how in ["crash", "close_channel", "cancel"] {
        run(&format!(
            "
scenario: exclusive
topology: {{ queues: [{{ name: q, exclusive: true }}] }}
producers:
  - {{ name: p, to: {{ queue: q }}, messages: 10 }}
  - {{ name: late, to: {{ queue: q }}, messages: 5, start: {{ after: {{ fault: death }} }} }}
workers: [{{ name: w, queue: q, work: 10ms }}]
faults: [{{ name: death, kill: w, during: 3, how: {how}, restart_after: 20ms }}]
"
        ))
        .exits(0)
        .because(&["lost 8 queue_gone"])
        .has("delivered 7, lost 8, unroutable 0, producers.late.delivered 5, redelivered 0");
    }
}

#[test]
fn a_temporary_queue_of_a_group_is_one_for_each() {
    run("
scenario: group
topology: { exchanges: [{ name: t, type: topic }] }
producers: [{ name: p, to: { exchange: t, routing_key: [a.x, b.x] }, messages: 20 }]
workers:
  - name: w
    count: 3
    temporary_queue: { bindings: [{ exchange: t, routing_key: 'a.*' }] }
    work: 5ms
faults: [{ kill: w-2, after: { finished: 4, of: w-2 } }]
")
    .exits(0)
    .has(
        "expected 30, unroutable 10, queues.w-1.delivered 10, queues.w-3.delivered 10, \
         queues.w-2.delivered 4, queues.w-2.lost 6",
    );
}

#[test]
fn a_worker_that_is_killed_while_it_stops_still_owns_its_queue() {
    // Its subscription is gone, its last work goes on, and then its channel or socket goes.
    for (how, lost) in [("close_channel", 0), ("cancel", 0), ("close_connection", 5), ("crash", 5)]
    {
        let run = run(&format!(
            "
scenario: stopping
topology: {{ exchanges: [{{ name: e, type: fanout }}] }}
producers: [{{ name: p, to: {{ exchange: e }}, messages: 5 }}]
workers:
  - {{ name: w, temporary_queue: {{ bindings: [{{ exchange: e }}] }}, work: 10m, stop: {{ at: 200ms }} }}
faults: [{{ kill: w, at: 400ms, how: {how} }}]
"
        ));
        run.exits(0).has(&format!("begun 1, finished 0, lost {lost}, remaining {}", 5 - lost));
        assert!(run.took < Duration::from_secs(10), "{run}");
    }
}

#[test]
fn an_exclusive_consumer_keeps_others_out_and_lets_them_in_when_it_is_gone() {
    let run = run("
scenario: exclusive
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers:
  - { name: w, queue: q, exclusive: true, work: 150ms }
  - { name: second, queue: q, start: { after: { fault: death } } }
  - { name: first, queue: q, start: { at: 10ms } }
faults: [{ name: death, kill: w, during: 5, how: close_connection }]
");
    run.exits(1).has("delivered 10, lost 0, workers.second.finished 6, redelivered 6");
    assert!(run.died("first") && !run.died("second"), "{run}");
}

#[test]
fn what_the_rest_of_the_world_publishes_is_unexpected() {
    let scene = Scene::new(
        "
scenario: foreign
topology: { queues: [{ name: foreign-q }, { name: foreign-r }] }
producers: [{ name: p, to: { queue: foreign-q }, messages: 20, rate: 10/s }]
workers: [{ name: w, queue: foreign-q }]
",
    );
    let child = scene.command().spawn().unwrap();
    for queue in ["foreign-q", "foreign-r"] {
        let (vhost, real) = scenes::find_queue(queue);
        scenes::publish(&vhost, &real, None);
    }
    let run = scene.read(child.wait_with_output().unwrap(), Duration::ZERO);
    run.exits(1).has(
        "delivered 20, published 20, unexpected 2, remaining 0, lost 0, deliveries 21, \
         finished 21",
    );
    run.says("2 messages were seen where they must not be");
}

#[test]
fn a_message_in_the_wrong_queue_or_of_another_run_is_unexpected() {
    let scene = Scene::new(
        "
scenario: stray
topology: { queues: [{ name: stray-q }, { name: stray-r }] }
producers: [{ name: p, to: { queue: stray-q }, messages: 20, rate: 10/s }]
observe: [{ name: o, when: { at: 1s }, expect: { stray-r: { ready: 1 } } }]
",
    );
    let child = scene.command().spawn().unwrap();
    let (vhost, _) = scenes::find_queue("stray-r");
    scenes::find_queue("stray-q");
    scenes::publish(&vhost, "stray-q", Some("0badc0de-0-1"));
    // The first message is under way by then: a run begins when its queues stand.
    scenes::await_ready(&vhost, "stray-q", 2);
    let id = vhost.strip_prefix("rmq-scenario-").unwrap();
    scenes::publish(&vhost, "stray-r", Some(&format!("{id}-0-1")));
    let run = scene.read(child.wait_with_output().unwrap(), Duration::ZERO);
    run.exits(1).has("remaining 20, unexpected 2, lost 0, queues.stray-q.remaining 20");
    run.says("in stray-r: message 1");
}

#[test]
fn a_worker_that_comes_back_finds_its_exchange_gone() {
    let run = run("
scenario: gone
topology:
  exchanges: [{ name: e, type: fanout, auto_delete: true }]
  queues: [{ name: q, exclusive: true }]
  bindings: [{ from: e, to: q }]
producers:
  - { name: p, to: { queue: q }, messages: 400, rate: 1000/s, mandatory: true }
workers: [{ name: w, queue: q }]
faults: [{ kill: w, during: 10, restart_after: 20ms }]
settle: { idle: 100ms }
");
    run.exits(0).has("published 400, unexpected 0");
    assert!(run.died("w"), "{run}");
    let error = run.row("errors", 0);
    assert_eq!((&error["who"], &error["code"]), (&"w".into(), &404.into()), "{run}");
    assert_eq!(error["explained"], true, "the kill took the exchange along{run}");
}

#[test]
fn a_producer_whose_exchange_goes_with_a_killed_worker_is_explained() {
    let run = run("
scenario: gone
topology:
  exchanges: [{ name: e, type: fanout, auto_delete: true }]
producers: [{ name: p, to: { exchange: e }, messages: 200, rate: 1000/s }]
workers: [{ name: w, temporary_queue: { bindings: [{ exchange: e }] } }]
faults: [{ kill: w, during: 20 }]
settle: { idle: 100ms }
");
    run.exits(0);
    let error = run.row("errors", 0);
    assert_eq!((&error["who"], &error["code"]), (&"p".into(), &404.into()), "{run}");
    assert_eq!(error["explained"], true, "{run}");
}

#[test]
fn the_default_queue_type_of_a_virtual_host_changes_nothing() {
    let facts = scenes::facts();
    scenes::api(Method::PUT, "vhosts/typed", &json!({ "default_queue_type": "quorum" }));
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    scenes::api(Method::PUT, &format!("permissions/typed/{}", facts.user), &all);
    let scene = Scene::new(
        "
scenario: typed
topology:
  exchanges: [{ name: x, type: fanout }]
  queues: [{ name: typed-q }, { name: typed-brief, durable: false, auto_delete: true }]
producers: [{ name: p, to: { queue: typed-q }, messages: 5 }]
workers:
  - { name: w, queue: typed-brief }
  - { name: t, temporary_queue: { bindings: [{ exchange: x }] } }
settle: { at_least: 2s }
",
    );
    let mut running =
        scene.command_as(&facts.user, &facts.password, "typed").spawn().expect("it starts");
    let (vhost, _) = scenes::find_queue("typed-q");
    assert_eq!(vhost, "typed");
    scenes::find_queue("typed-brief");
    let queues = scenes::api(Method::GET, "queues/typed?disable_stats=true", &json!(null));
    for queue in queues.as_array().expect("a list") {
        assert_eq!(queue["type"], "classic", "{queue}");
    }
    assert_eq!(running.wait().expect("it ends").code(), Some(0));
    scenes::api(Method::DELETE, "vhosts/typed", &json!(null));
}
