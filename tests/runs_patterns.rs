//! What producers write and how long workers work: patterns, rates, and one seed for all.

mod scenes;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use scenes::{Scene, api, run};
use serde_json::{Value, json};

/// The messages of a queue while its run goes on, in their order: body, headers, key.
fn messages(queue: &str, seed: &str) -> Vec<Value> {
    let yaml = format!(
        "
scenario: decisions
topology: {{ queues: [{{ name: {queue} }}], exchanges: [{{ name: e, type: topic }}],
            bindings: [{{ from: e, to: {queue}, routing_key: '#' }}] }}
producers:
  - name: p
    to: {{ exchange: e, routing_key: {{ random: [red, green, blue] }} }}
    messages: 40
    body: 'task {{n}} of {{producer}}: {{{{{{dots}}}}}}'
    dots: {{ range: [0, 9] }}
    size: {{ weighted: {{ 64B: 3, 128B: 1 }} }}
    headers: {{ n: index, kind: [a, b], lot: {{ range: [1, 1000] }} }}
    persistent: false
settle: {{ at_least: 60s }}
"
    );
    let scene = Scene::new(&yaml).args(&["--seed", seed]);
    let child = scene.command().spawn().unwrap();
    let (vhost, real) = scenes::find_queue(queue);
    scenes::await_ready(&vhost, &real, 40);
    let body = json!({ "count": 100, "ackmode": "ack_requeue_true", "encoding": "auto" });
    let got = api(Method::POST, &format!("queues/{vhost}/{real}/get"), &body);
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let run = scene.read(child.wait_with_output().unwrap(), Duration::ZERO);
    run.exits(130).has("published 40, remaining 40, unexpected 0");
    let pick = |message: &Value| {
        json!({
            "body": message["payload"], "key": message["routing_key"],
            "headers": message["properties"]["headers"],
            "mode": message["properties"]["delivery_mode"],
        })
    };
    got.as_array().unwrap().iter().map(pick).collect()
}

#[test]
fn one_seed_decides_everything_and_another_differs() {
    let first = messages("decides-first", "7");
    assert_eq!(first.len(), 40);
    assert_eq!(first, messages("decides-second", "7"));
    assert_ne!(first, messages("decides-third", "8"));
    for (n, message) in (1..).zip(&first) {
        let body = message["body"].as_str().unwrap();
        assert!(body.starts_with(&format!("task {n} of p: {{")), "{body}");
        let dots = body.bytes().filter(|&byte| byte == b'.').count();
        assert!(dots <= 9 && body.contains(&format!("{{{}}}", ".".repeat(dots))), "{body}");
        assert!(body.len() == 64 || body.len() == 128, "{body}");
        let headers = &message["headers"];
        assert_eq!(headers["n"], n, "{message}");
        assert_eq!(headers["kind"], ["a", "b"][(n - 1) % 2], "{message}");
        assert!((1..=1000).contains(&headers["lot"].as_u64().unwrap()), "{message}");
        assert_eq!(message["mode"], 1, "{message}");
    }
    let mut keys: BTreeMap<&str, u32> = BTreeMap::new();
    for message in &first {
        *keys.entry(message["key"].as_str().unwrap()).or_default() += 1;
    }
    assert_eq!(keys.keys().copied().collect::<Vec<_>>(), ["blue", "green", "red"], "{keys:?}");
}

#[test]
fn every_form_of_work() {
    // (form, least time that 6 messages take one worker)
    for (work, at_least) in [
        ("20ms", 120),
        ("{ per_dot: 10ms }", 120),
        ("[10ms, 40ms]", 150),
        ("{ random: [20ms, 30ms] }", 120),
        ("{ weighted: { 20ms: 1, 30ms: 5 } }", 120),
        ("{ range: [20ms, 40ms] }", 120),
    ] {
        let run = run(&format!(
            "
scenario: works
topology: {{ queues: [{{ name: q }}] }}
producers:
  - {{ name: p, to: {{ queue: q }}, messages: 6, body: '{{dots}}!', dots: [1, 2, 3], size: 100B }}
workers: [{{ name: w, queue: q, work: {work} }}]
"
        ));
        run.exits(0).has("delivered 6, finished 6");
        let took = run.variant(0)["duration_ms"].as_u64().unwrap();
        assert!(took >= at_least, "{work} took {took} ms{run}");
        assert!(took < at_least + 3000, "{work} took {took} ms{run}");
    }
}

#[test]
fn the_time_of_a_work_belongs_to_the_message_and_not_to_its_turn() {
    // The odd ones are heavy, whoever gets them and however often: the second worker starts
    // with what comes back.
    run("
scenario: belongs
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 6 }]
workers:
  - { name: w, queue: q, work: [300ms, 0ms] }
  - { name: v, queue: q, work: [300ms, 0ms], start: { after: { fault: death } } }
faults: [{ name: death, kill: w, during: 2, how: close_connection }]
expect: { duration: '>= 900ms' }
")
    .exits(0)
    .has("delivered 6, workers.w.finished 1, workers.v.finished 5");
}

#[test]
fn a_rate_is_a_schedule_that_makes_up_for_a_pause() {
    // 50 at 100/s take 0.49 s; without a pause made up for, a death of 300 ms would add to it.
    let smooth = run("
scenario: rate
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 50, rate: 100/s }]
");
    smooth.exits(0).has("published 50, remaining 50");
    let took = smooth.variant(0)["duration_ms"].as_u64().unwrap();
    assert!((490..3000).contains(&took), "{took}{smooth}");
    let waiting = run("
scenario: rate
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: 10, rate: 20/s, confirms: { batch: 5 } }
");
    waiting.exits(0).has("confirmed 10");
    assert!(waiting.variant(0)["duration_ms"].as_u64().unwrap() >= 450, "{waiting}");
}

#[test]
fn every_form_of_confirms() {
    for (confirms, outcome) in [
        ("false", "unchecked"),
        ("true", "confirmed"),
        ("{ in_flight: 1 }", "confirmed"),
        ("{ in_flight: 7, timeout: 5s }", "confirmed"),
        ("{ batch: 1 }", "confirmed"),
        ("{ batch: 7 }", "confirmed"),
        ("{ batch: 1000, timeout: 1ms }", "confirmed"),
        ("{ in_flight: 3, timeout: 1ms }", "confirmed"),
    ] {
        run(&format!(
            "
scenario: confirms
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, count: 2, to: {{ queue: q }}, messages: 50, confirms: {confirms} }}]
expect: {{ order: fifo }}
"
        ))
        .exits(0)
        .has(&format!("published 100, {outcome} 100, remaining 100, unconfirmed 0, in_doubt 0"));
    }
}

#[test]
fn variables_variants_flags_and_set() {
    let yaml = "
scenario: variables
vars: { m: 3, work: 1ms, extra: false, ack: manual }
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: $m }
  - { name: more, if: $extra, to: { queue: q }, messages: 10 }
workers: [{ name: w, queue: q, work: $work, ack: $ack }]
matrix: { extra: [true, false], ack: [auto, manual] }
variants:
  - { when: { extra: true }, expect: { published: '> 10' } }
  - { when: { ack: auto }, expect: { acked: 0 } }
";
    let run = Scene::new(yaml).args(&["--set", "m=6"]).run();
    run.exits(0);
    for (variant, numbers) in [
        (0, "published 16, delivered 16, acked 0"),
        (1, "published 16, acked 16"),
        (2, "published 6, acked 0"),
        (3, "published 6, delivered 6, acked 6"),
    ] {
        run.variant_has(variant, numbers);
    }
    assert_eq!(run.variant(0)["name"], "extra=true ack=auto", "{run}");
    assert_eq!(run.variant(0)["vars"]["m"], 6, "{run}");
}

#[test]
fn a_large_body_and_an_empty_one() {
    run("
scenario: sizes
topology: { queues: [{ name: q }] }
producers:
  - { name: large, to: { queue: q }, messages: 5, size: 1MiB }
  - { name: empty, to: { queue: q }, messages: 5 }
  - { name: mixed, to: { queue: q }, messages: 6, size: [1B, 8000B, 9000B, 200KiB], confirms: false }
workers: [{ name: w, queue: q }]
")
    .exits(0)
    .has("delivered 16, lost 0, unchecked 6, confirmed 10");
}
