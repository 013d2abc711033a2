//! Queues, exchanges and bindings with everything that may be said of them.

use rmq_scenario::plan::model::{Exchange, Queue, Scenario, Topology};

use crate::{check, plan};

fn topology(text: &str) -> Topology {
    plan(&format!("scenario: t\ntopology:\n{text}")).variants.remove(0).topology
}

fn queue(keys: &str) -> Queue {
    topology(&format!("  queues: [{{ name: q, {keys} }}]")).queues.remove(0)
}

fn exchange(keys: &str) -> Exchange {
    let text =
        format!("  exchanges: [{{ name: e, type: fanout, {keys} }}, {{ name: f, type: fanout }}]");
    topology(&text).exchanges.remove(1)
}

#[test]
fn a_key_and_the_argument_that_means_the_same_are_one() {
    for (key, argument) in [
        ("message_ttl: 5s", "x-message-ttl: 5000"),
        ("message_ttl: 0s", "x-message-ttl: 0"),
        ("expires: 1m", "x-expires: 60000"),
        ("max_length: 0", "x-max-length: 0"),
        ("max_length_bytes: 1000", "x-max-length-bytes: 1000"),
        ("max_length_bytes: 4KiB", "x-max-length-bytes: 4096"),
        ("overflow: reject-publish", "x-overflow: reject-publish"),
        ("overflow: reject-publish-dlx", "x-overflow: reject-publish-dlx"),
        ("max_priority: 5", "x-max-priority: 5"),
        ("single_active_consumer: true", "x-single-active-consumer: true"),
        ("dead_letter: { exchange: \"\" }", "x-dead-letter-exchange: \"\""),
        (
            "dead_letter: { exchange: \"\", routing_key: k }",
            "x-dead-letter-exchange: \"\", x-dead-letter-routing-key: k",
        ),
    ] {
        assert_eq!(queue(key), queue(&format!("arguments: {{ {argument} }}")), "{key}");
    }
    for (key, argument) in [
        ("delivery_limit: 3", "x-delivery-limit: 3"),
        ("delivery_limit: -1", "x-delivery-limit: -1"),
        (
            "overflow: reject-publish, dead_letter: { exchange: \"\", strategy: at-least-once }",
            "x-overflow: reject-publish, x-dead-letter-exchange: \"\", x-dead-letter-strategy: at-least-once",
        ),
    ] {
        let by_key = queue(&format!("type: quorum, {key}"));
        assert_eq!(by_key, queue(&format!("type: quorum, arguments: {{ {argument} }}")), "{key}");
    }
}

#[test]
fn keys_mean_what_they_say() {
    check("ttl", queue("message_ttl: 1.5s").message_ttl, "Some(1.5s)");
    check("expires", queue("expires: 250ms").expires, "Some(250ms)");
    check("limit", queue("type: quorum, delivery_limit: -1").delivery_limit, "Some(-1)");
    check("kind", queue("type: stream, max_length_bytes: 5").kind, "Stream");
    check("predeclared", queue("predeclared: true, type: quorum").predeclared, "true");
    check(
        "null",
        queue("message_ttl: null, arguments: { x-message-ttl: null }").message_ttl,
        "None",
    );
    check(
        "default",
        queue("dead_letter: { exchange: \"\", routing_key: dead }").dead_letter,
        r#"Some(DeadLetter { exchange: Declared(ExchangeId(0)), routing_key: Some("dead"), at_least_once: false })"#,
    );
    check(
        "missing",
        queue("dead_letter: { exchange: gone }").dead_letter,
        r#"Some(DeadLetter { exchange: Missing("gone"), routing_key: None, at_least_once: false })"#,
    );
    check(
        "raw",
        queue("arguments: { x-queue-mode: lazy, x-consumer-timeout: 5000 }").arguments,
        r#"[("x-queue-mode", Text("lazy")), ("x-consumer-timeout", Int(5000))]"#,
    );
    check("asks for nothing", queue("type: stream, single_active_consumer: false").name, "\"q\"");
}

#[test]
fn what_only_the_broker_refuses_is_no_mistake() {
    for keys in [
        "type: quorum, durable: false",
        "type: quorum, auto_delete: true",
        "type: stream, durable: false",
        "type: stream, arguments: { x-queue-mode: lazy }",
        "type: quorum, overflow: reject-publish-dlx",
        "arguments: { x-max-priority: 0, x-consumer-timeout: 5000, x-unknown: 1 }",
    ] {
        check(keys, queue(keys).name, "\"q\"");
    }
}

#[test]
fn exchanges_lead_to_exchanges_and_to_alternates() {
    check("key", exchange("alternate_exchange: f").alternate, "Some(Declared(ExchangeId(2)))");
    check(
        "default",
        exchange("alternate_exchange: \"\"").alternate,
        "Some(Declared(ExchangeId(0)))",
    );
    check("missing", exchange("alternate_exchange: g").alternate, r#"Some(Missing("g"))"#);
    let by_argument = exchange("arguments: { alternate-exchange: f, x-any: 1 }");
    check("argument", &by_argument.alternate, "Some(Declared(ExchangeId(2)))");
    check("rest", by_argument.arguments, r#"[("x-any", Int(1))]"#);
    check("predeclared", exchange("predeclared: true").predeclared, "true");
    let bound = topology(
        "  exchanges: [{ name: a, type: topic, predeclared: true }, { name: b, type: fanout }]
  bindings: [{ from: a, to_exchange: b, routing_key: x.* }, { from: b, to_exchange: a }]",
    );
    let ends: Vec<_> = bound.bindings.iter().map(|it| (it.from.0, it.to)).collect();
    check("cycle", ends, "[(1, Exchange(ExchangeId(2))), (2, Exchange(ExchangeId(1)))]");
}

/// A file with a queue that leads to another and back.
fn round(there: &str, back: &str, worker: &str) -> Scenario {
    plan(&format!(
        "scenario: t
topology:
  queues:
    - {{ name: a, dead_letter: {{ exchange: \"\", routing_key: b }}, {there} }}
    - {{ name: b, dead_letter: {{ exchange: \"\", routing_key: a }}, {back} }}
producers: [{{ name: p, to: {{ queue: a }}, messages: 5 }}]
workers: [{worker}]"
    ))
}

fn warnings(scenario: &Scenario) -> Vec<&str> {
    scenario.warnings.iter().map(|warning| warning.message.as_str()).collect()
}

#[test]
fn a_round_without_an_exit_is_warned_about_and_one_with_an_exit_is_not() {
    let rejecting = |rule: &str| format!("{{ name: w, queue: a, reject: [{{ {rule} }}] }}");
    let ttl = "message_ttl: 10ms";
    for (there, back, worker, expected) in [
        ("", ttl, rejecting("every: 1"), "for ever"),
        ("", ttl, rejecting("messages: [3]"), "for ever"),
        ("", ttl, rejecting("messages: [3], times: 2"), ""),
        ("", ttl, rejecting("every: 1, requeue: true, times: 2"), ""),
        ("", ttl, "{ name: w, queue: a }".to_owned(), ""),
        ("", "", rejecting("every: 1"), ""),
        (ttl, ttl, String::new(), "drops"),
        ("type: quorum, delivery_limit: 2", ttl, rejecting("every: 1, requeue: true"), "drops"),
        (
            "",
            ttl,
            "{ name: w, queue: a, reject: [{ every: 1 }] }, { name: v, queue: a }".to_owned(),
            "",
        ),
        ("", ttl, "{ name: w, queue: a, reject: [{ every: 1 }], stop: { at: 1s } }".to_owned(), ""),
    ] {
        let scenario = round(there, back, &worker);
        let told = warnings(&scenario).join("; ");
        let right = if expected.is_empty() { told.is_empty() } else { told.contains(expected) };
        assert!(right, "{there}, {back}, {worker}: {told:?}");
    }
}

#[test]
fn requeueing_for_ever_is_warned_about_only_where_nothing_ends_it() {
    let warned = |queue: &str, producer: &str, workers: &str| {
        let text = format!(
            "scenario: t
topology: {{ queues: [{{ name: q, {queue} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 5, {producer} }}]
workers: [{{ name: w, queue: q, {workers} }}]"
        );
        plan(&text).warnings.iter().any(|warning| warning.lint == Some("endless-requeue"))
    };
    let requeue = "reject: [{ every: 2, requeue: true }]";
    assert!(warned("", "", requeue));
    assert!(!warned("", "", "reject: [{ every: 2, requeue: true, times: 3 }]"));
    assert!(!warned("", "", "reject: [{ every: 2 }]"));
    assert!(!warned("message_ttl: 1s", "", requeue));
    assert!(!warned("type: quorum", "", requeue));
    assert!(!warned("", "ttl: 1s", requeue));
    assert!(!warned("", "", &format!("{requeue}, stop: {{ at: 1s }}")));
    assert!(!warned("", "", &format!("{requeue} }}, {{ name: v, queue: q")));
}

#[test]
fn a_private_broker_is_set_up_as_the_file_wishes() {
    let text = "scenario: t
broker:
  nodes: 1
  heartbeat: 10s
  config: { consumer_timeout: 5000, a.b: text, c: true }
  advanced: { rabbit: { channel_tick_interval: 1000, list: [1, [x, { y: 1.5 }]], gone: null } }";
    let wishes = &plan(text).variants[0].broker;
    check("nodes", wishes.nodes, "Some(1)");
    check("heartbeat", wishes.heartbeat, "Some(10s)");
    check(
        "config",
        &wishes.config,
        r#"[("consumer_timeout", Int(5000)), ("a.b", Text("text")), ("c", Bool(true))]"#,
    );
    check(
        "advanced",
        &wishes.advanced,
        r#"[("rabbit", Map([("channel_tick_interval", Scalar(Int(1000))), ("list", List([Scalar(Int(1)), List([Scalar(Text("x")), Map([("y", Scalar(Float(1.5)))])])]))]))]"#,
    );
}
