//! Probes and expected errors: what each form means.

use crate::{check, plan, variant, with};

fn probe(text: &str) -> String {
    let probe = variant(&format!("probes: [{{ {text} }}]")).probes.remove(0);
    format!("{} {:?} {:?}", probe.about, probe.operation, probe.when)
}

#[test]
fn every_operation() {
    for (text, expected) in [
        (
            "publish: { exchange: e, routing_key: k, size: 2KiB, mandatory: true }",
            "to e k Publish { exchange: \"e\", routing_key: \"k\", mandatory: true, size: 2048 } None",
        ),
        (
            "publish: { routing_key: q }",
            "to q Publish { exchange: \"\", routing_key: \"q\", mandatory: false, size: 0 } None",
        ),
        (
            "consume: { queue: q }",
            "q Consume { queue: \"q\", ack: Never, exclusive: false, prefetch: 1 } None",
        ),
        (
            "consume: { queue: x, ack: auto, exclusive: true, prefetch: 0 }, expect_error: {}",
            "x Consume { queue: \"x\", ack: Auto, exclusive: true, prefetch: 0 } None",
        ),
        (
            "get: { queue: q, ack: manual }, when: { at: 1s }",
            "q Get { queue: \"q\", ack: Never } Some(At(1s))",
        ),
        (
            "get: { queue: q, ack: auto }, expect_error: { code: 404 }",
            "q Get { queue: \"q\", ack: Auto } None",
        ),
        ("ack_unknown_tag: 99", "99 AckUnknownTag(99) None"),
        (
            "qos: { prefetch: 9, global: true, queue: q }",
            "prefetch 9 global on q Qos { prefetch: 9, global: true, queue: Some(\"q\") } None",
        ),
        ("qos: {}", "prefetch 0 Qos { prefetch: 0, global: false, queue: None } None"),
    ] {
        assert_eq!(probe(text), expected, "{text}");
    }
}

#[test]
fn declarations_are_entries_of_the_topology_and_more() {
    use rmq_scenario::plan::model::{ExchangeKind, Operation, QueueKind};
    let probes = variant(
        "probes:
- { declare_queue: { name: q, type: quorum, max_priority: 5, durable: false, passive: true } }
- { declare_exchange: { name: e, type: headers, internal: true } }
- { if: false, get: { queue: q } }",
    )
    .probes;
    assert_eq!(probes.len(), 2);
    let Operation::DeclareQueue { queue, passive: true } = &probes[0].operation else {
        panic!("{:?}", probes[0]);
    };
    check("queue", (queue.kind, queue.max_priority, queue.durable), "(Quorum, Some(5), false)");
    assert_eq!(queue.kind, QueueKind::Quorum);
    let Operation::DeclareExchange { exchange, passive: false } = &probes[1].operation else {
        panic!("{:?}", probes[1]);
    };
    assert_eq!((exchange.kind, exchange.internal), (ExchangeKind::Headers, true));
}

fn expectations(text: &str) -> Vec<String> {
    let all = variant(text).expectations;
    all.iter().map(|it| format!("{} = {} {:?}", it.path, it.expected, it.what)).collect()
}

#[test]
fn what_is_expected_of_answers() {
    let text = "probes:
- { get: { queue: q } }
- { get: { queue: q }, expect_ok: true }
- { get: { queue: q }, expect_error: { code: 404, text: no queue } }
- { get: { queue: q }, expect_error: {} }";
    let error = |code: &str, text: &str| {
        format!("Some(ExpectedError {{ who: None, scope: None, code: {code}, text: {text} }})")
    };
    let expected = [
        "probes.2.expect_ok = true Told { probe: 1, error: None }".to_owned(),
        format!(
            "probes.3.expect_error = 404 \"no queue\" Told {{ probe: 2, error: {} }}",
            error("Some(404)", "Some(\"no queue\")")
        ),
        format!(
            "probes.4.expect_error = any Told {{ probe: 3, error: {} }}",
            error("None", "None")
        ),
    ];
    assert_eq!(expectations(text), expected);
}

#[test]
fn listed_errors() {
    let found =
        expectations("expect: { errors: [{ code: 406, text: tag, who: w }, { scope: consumer }] }");
    let first = "ExpectedError { who: Some([\"w-1\", \"w-2\"]), scope: None, code: Some(406), text: Some(\"tag\") }";
    let second = "ExpectedError { who: None, scope: Some(\"consumer\"), code: None, text: None }";
    assert_eq!(found[0], format!("errors.1 = 406 \"tag\" of w Error({first})"));
    assert_eq!(found[1], format!("errors.2 = consumer Error({second})"));
    assert_eq!(found[2], format!("errors = no other NoOtherErrors([{first}, {second}])"));
    assert_eq!(expectations("expect: { errors: [] }"), ["errors = none NoOtherErrors([])"]);
    assert!(expectations("expect: { errors: any }").is_empty());
}

#[test]
fn a_variant_takes_errors_back_or_replaces_them() {
    let text = with(
        "expect: { errors: [{ code: 406 }] }
variants:
- { name: same }
- { name: back, expect: { errors: any } }
- { name: other, expect: { errors: [{ code: 404 }, { code: 405 }] } }",
    );
    let paths = |index: usize| -> Vec<String> {
        plan(&text).variants[index].expectations.iter().map(|it| it.path.clone()).collect()
    };
    assert_eq!(paths(0), ["errors.1", "errors"]);
    assert!(paths(1).is_empty());
    assert_eq!(paths(2), ["errors.1", "errors.2", "errors"]);
}
