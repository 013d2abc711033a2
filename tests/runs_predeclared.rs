//! Queues and exchanges that are there before the run, and stay.

mod scenes;
mod support;

use reqwest::Method;
use scenes::{api, publish, run};
use serde_json::{Value, json};

/// A durable classic queue in `/`, beside whatever else is there.
fn make_queue(name: &str) {
    let body = json!({ "durable": true, "arguments": { "x-queue-type": "classic" } });
    api(Method::PUT, &format!("queues/%2F/{name}"), &body);
}

fn queue(name: &str) -> Value {
    let path = "queues/%2F?disable_stats=true&enable_queue_totals=true";
    let queues = api(Method::GET, path, &Value::Null);
    let mut queues = queues.as_array().expect("a list").clone().into_iter();
    queues.find(|queue| queue["name"] == name).unwrap_or_else(|| panic!("{name} is gone"))
}

#[test]
fn a_predeclared_queue_is_used_and_left_as_it_was() {
    make_queue("given");
    api(Method::PUT, "exchanges/%2F/given-x", &json!({ "type": "fanout", "durable": true }));
    let run = run("
scenario: predeclared
topology:
  exchanges: [{ name: given-x, type: fanout, predeclared: true }]
  queues: [{ name: given, predeclared: true }, { name: mine }]
  bindings: [{ from: given-x, to: mine }]
producers:
  - { name: p, to: { queue: given }, messages: 10 }
  - { name: x, to: { exchange: given-x, routing_key: '' }, messages: 5 }
workers: [{ name: w, queue: given, prefetch: 2, ack: never }]
settle: { idle: 200ms }
");
    run.exits(0).has(
        "queues.given.delivered 2, queues.given.remaining 8, queues.given.still_queued 10, \
         queues.mine.remaining 5, unexpected 0, lost 0",
    );
    // Only what the run put there was taken.
    assert_eq!(queue("given")["messages"], 0, "{run}");
    let left: Vec<String> =
        scenes::leftovers().into_iter().filter(|name| name.contains("mine")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_somebody_else_puts_there_stays() {
    make_queue("shared");
    let scene = scenes::Scene::new(
        "
scenario: shared
topology: { queues: [{ name: shared, predeclared: true }] }
producers: [{ name: p, to: { queue: shared }, messages: 10 }]
settle: { at_least: 1500ms }
",
    );
    let mut running = scene.command().spawn().expect("the program starts");
    scenes::await_ready("%2F", "shared", 10);
    publish("%2F", "shared", None);
    let status = running.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while queue("shared")["messages_ready"] != 1 {
        assert!(std::time::Instant::now() < deadline, "{}", queue("shared"));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

#[test]
fn a_predeclared_queue_must_be_there_and_empty() {
    let yaml = "
scenario: predeclared
topology: { queues: [{ name: NAME, predeclared: true }] }
producers: [{ name: p, to: { queue: NAME }, messages: 1 }]
";
    let missing = run(&yaml.replace("NAME", "never-made"));
    missing.exits(3);
    missing.says("looking for the predeclared queue \"never-made\" failed");
    make_queue("full");
    publish("%2F", "full", None);
    scenes::await_ready("%2F", "full", 1);
    let full = run(&yaml.replace("NAME", "full"));
    full.exits(3);
    full.says("the predeclared queue \"full\" is not empty: it holds 1");
}
