//! What a publish bears, how many go out together, and what ends a producer.

mod scenes;
mod support;

use reqwest::Method;
use scenes::{Scene, api, await_ready, find_queue, run};
use serde_json::json;

#[test]
fn priority_expiry_and_the_way_back_are_properties_of_each_message() {
    let scene = Scene::new(
        "
scenario: properties
topology: { queues: [{ name: properties-q }] }
producers:
  - { name: p, to: { queue: properties-q }, messages: 3, priority: [7, 0], ttl: 4s,
      rpc: { timeout: 10ms } }
  - { name: bare, to: { queue: properties-q }, messages: 1, start: { after: { published: 3 } } }
",
    );
    let child = scene.command().spawn().unwrap();
    let (vhost, queue) = find_queue("properties-q");
    await_ready(&vhost, &queue, 4);
    let body = json!({ "count": 9, "ackmode": "ack_requeue_true", "encoding": "auto" });
    let got = api(Method::POST, &format!("queues/{vhost}/{queue}/get"), &body);
    let output = child.wait_with_output().unwrap();
    scene.read(output, Default::default()).exits(0).has("expired 3, remaining 1, unanswered 3");

    let properties: Vec<_> = got.as_array().unwrap().iter().map(|it| &it["properties"]).collect();
    let of_p = properties.iter().filter(|it| it.get("reply_to").is_some());
    let seen: Vec<_> = of_p.clone().map(|it| (&it["priority"], &it["expiration"])).collect();
    let wanted = [7, 0, 7].map(|priority| (json!(priority), json!("4000")));
    assert_eq!(seen, wanted.each_ref().map(|(a, b)| (a, b)), "{got}");
    for one in of_p {
        assert!(one["reply_to"].as_str().unwrap().starts_with("amq.rabbitmq.reply-to"), "{one}");
        assert_eq!(one["correlation_id"], one["message_id"]);
    }
    let bare: Vec<_> = properties.iter().filter(|it| it.get("reply_to").is_none()).collect();
    assert_eq!(bare.len(), 1, "{got}");
    for name in ["priority", "expiration", "correlation_id"] {
        assert!(bare[0].get(name).is_none(), "{name} in {}", bare[0]);
    }
}

#[test]
fn high_priorities_come_first() {
    let run = run("
scenario: priorities
topology: { queues: [{ name: q, max_priority: 5 }] }
producers:
  - { name: low, to: { queue: q }, messages: 10 }
  - { name: high, to: { queue: q }, messages: 10, priority: 5, start: { after: { confirmed: 10 } } }
workers:
  - { name: w, queue: q, prefetch: 1, start: { after: { confirmed: 20 } },
      stop: { after: { finished: 13 } } }
");
    run.exits(0).has("producers.high.delivered 10, producers.low.delivered 3, remaining 7");
}

#[test]
fn a_batch_is_answered_before_the_next_begins() {
    for (confirms, least) in [("{ batch: 10 }", 20), ("{ in_flight: 10 }", 11)] {
        let run = run(&format!(
            "
scenario: batch
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 100, confirms: {confirms} }}]
faults: [{{ kill: p, after: {{ published: 21 }} }}]
"
        ));
        run.exits(0).has("published 21, unchecked 0, refused 0");
        let confirmed = run.number(0, "confirmed");
        assert!((least..=21).contains(&confirmed), "{confirms}: {confirmed} were confirmed{run}");
    }
}

#[test]
fn large_bodies_go_out_few_at_a_time() {
    let run = run("
scenario: large
producers:
  - { name: p, to: { exchange: nope, missing: true }, messages: 64, size: 1MiB }
");
    run.exits(1).has("confirmed 0");
    let published = run.number(0, "published");
    assert!(published < 64, "all {published} were in memory together{run}");
    assert_eq!(run.number(0, "unconfirmed"), published);
}

#[test]
fn a_message_that_is_too_large_ends_its_producer() {
    let yaml = |requires: &str| {
        format!(
            "
scenario: oversized
requires: {{ rabbitmq: '{requires}' }}
topology: {{ queues: [{{ name: q }}] }}
producers:
  - {{ name: p, to: {{ queue: q }}, messages: 4, size: [1KiB, 2KiB, 17MiB], confirms: {{ batch: 1 }} }}
"
        )
    };
    let refused = run(&yaml(">=4.0"));
    if refused.variant(0)["verdict"] == "skipped" {
        let taken = run(&yaml("<4.0"));
        taken.exits(0).has("published 4, confirmed 4, remaining 4");
        return;
    }
    refused.exits(1).has("published 3, confirmed 2, unconfirmed 1, remaining 2, in_doubt 1");
    let error = refused.row("errors", 0);
    assert_eq!((&error["scope"], &error["code"]), (&"channel".into(), &406.into()), "{refused}");
    refused.says("is larger than configured max size");
}

#[test]
fn a_message_that_lives_too_short_expires_and_its_neighbours_do_not() {
    for kind in ["classic", "quorum"] {
        let run = run(&format!(
            "
scenario: expiry
topology: {{ queues: [{{ name: q, type: {kind} }}] }}
producers:
  - {{ name: long, to: {{ queue: q }}, messages: 5, ttl: 60s }}
  - {{ name: short, to: {{ queue: q }}, messages: 5, ttl: [10ms, 30ms],
      start: {{ after: {{ confirmed: 5 }} }} }}
workers: [{{ name: w, queue: q, start: {{ at: 400ms }} }}]
"
        ));
        run.exits(0).because(&["expired 5 ttl"]).has(
            "producers.long.delivered 5, producers.short.expired 5, delivered 5, lost 0, \
             remaining 0",
        );
    }
}
