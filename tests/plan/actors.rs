//! Producers, workers and the topology.

use crate::{check, plan, producer, with, worker};

#[test]
fn patterns_of_every_form_and_kind() {
    for (keys, expected) in [
        ("dots: 3", "Some(Always(3))"),
        ("dots: [1, 2]", "Some(Cycle([1, 2]))"),
        ("dots: { random: [1, 2] }", "Some(Random([1, 2]))"),
        ("dots: { weighted: { 1: 9, 2: 1 } }", "Some(Weighted([(1, 9), (2, 1)]))"),
        ("dots: { range: [1, 5] }", "Some(Range(1, 5))"),
        ("dots: index", "Some(Index)"),
        ("dots: $num", "Some(Always(3))"),
        ("dots: [1, $num]", "Some(Cycle([1, 3]))"),
        ("dots: $nothing", "None"),
    ] {
        check(keys, producer(keys).dots, expected);
    }
    for (keys, expected) in [
        ("size: 4KiB", "Some(Always(4096))"),
        ("size: [16B, 1MiB]", "Some(Cycle([16, 1048576]))"),
        ("size: { range: [16B, 32B] }", "Some(Range(16, 32))"),
    ] {
        check(keys, producer(keys).size, expected);
    }
    for (keys, expected) in [
        ("work: 10ms", "Pattern(Always(10ms))"),
        ("work: [10ms, 1.5s]", "Pattern(Cycle([10ms, 1.5s]))"),
        ("work: { random: [10ms] }", "Pattern(Random([10ms]))"),
        ("work: { weighted: { 1ms: 9, 2m: 1 } }", "Pattern(Weighted([(1ms, 9), (120s, 1)]))"),
        ("work: { range: [1ms, 5ms] }", "Pattern(Range(1ms, 5ms))"),
        ("work: { per_dot: 100ms }", "PerDot(100ms)"),
    ] {
        check(keys, worker(keys).work, expected);
    }
}

#[test]
fn headers_keep_their_types_and_null() {
    for (keys, expected) in [
        ("headers: { a: 1 }", r#"[("a", Always(Int(1)))]"#),
        ("headers: { a: null, b: $nothing }", r#"[("a", Always(Null)), ("b", Always(Null))]"#),
        (
            "headers: { a: [x, null, true, 1.5] }",
            r#"[("a", Cycle([Text("x"), Null, Bool(true), Float(1.5)]))]"#,
        ),
        (
            "headers: { a: index, b: { range: [1, 9] } }",
            r#"[("a", Index), ("b", Range(Int(1), Int(9)))]"#,
        ),
        (
            "headers: { a: { weighted: { x: 1, 2: 3 } } }",
            r#"[("a", Weighted([(Text("x"), 1), (Int(2), 3)]))]"#,
        ),
        (
            "headers: { a: \"1\", b: yes, c: 010 }",
            r#"[("a", Always(Text("1"))), ("b", Always(Text("yes"))), ("c", Always(Text("010")))]"#,
        ),
    ] {
        check(keys, producer(keys).headers, expected);
    }
}

#[test]
fn bodies_are_templates() {
    for (keys, expected) in [
        ("body: \"{{{n}}}\"", r#"[Text("{"), Number, Text("}")]"#),
        ("body: \"{color} {truth}{nothing}{num}\"", r#"[Text("red true3")]"#),
        ("body: $color", r#"[Text("red")]"#),
        ("body: $$color", r#"[Text("$color")]"#),
        ("body: \"$$$color\"", r#"[Text("$$color")]"#),
        ("body: $text", r#"[Text("$x")]"#),
        ("body: \"{text} $color\"", r#"[Text("$x $color")]"#),
        ("body: \"$ 5\"", r#"[Text("$ 5")]"#),
        ("body: \"{producer}{dots}\", dots: 1", "[Producer, Dots]"),
        ("body: $nothing", "[]"),
    ] {
        check(keys, producer(keys).body.parts, expected);
    }
}

#[test]
fn destinations_confirms_and_reconnects() {
    for (to, expected) in [
        (
            "{ exchange: e, routing_key: a.b }",
            r#"Destination { exchange: Declared(ExchangeId(1)), routing_key: Always("a.b") }"#,
        ),
        (
            "{ exchange: e }",
            r#"Destination { exchange: Declared(ExchangeId(1)), routing_key: Always("") }"#,
        ),
        (
            "{ exchange: \"\", routing_key: q }",
            r#"Destination { exchange: Declared(ExchangeId(0)), routing_key: Always("q") }"#,
        ),
        (
            "{ exchange: e, routing_key: [a, b] }",
            r#"Destination { exchange: Declared(ExchangeId(1)), routing_key: Cycle(["a", "b"]) }"#,
        ),
        (
            "{ exchange: e, routing_key: { range: [1, 3] } }",
            r#"Destination { exchange: Declared(ExchangeId(1)), routing_key: Range("1", "3") }"#,
        ),
        (
            "{ exchange: e, routing_key: index }",
            r#"Destination { exchange: Declared(ExchangeId(1)), routing_key: Index }"#,
        ),
        (
            "{ exchange: gone, missing: true }",
            r#"Destination { exchange: Missing("gone"), routing_key: Always("") }"#,
        ),
    ] {
        let text = with(&format!("producers: [{{ name: p, to: {to}, messages: 1 }}]"));
        check(to, &plan(&text).variants[0].producers[0].to, expected);
    }
    for (keys, expected) in [
        ("confirms: false", "Off"),
        ("confirms: true", "Window { in_flight: 100, timeout: 5s }"),
        ("confirms: { in_flight: 7 }", "Window { in_flight: 7, timeout: 5s }"),
        ("confirms: { timeout: 1s }", "Window { in_flight: 100, timeout: 1s }"),
        ("confirms: { batch: 9, timeout: 2s }", "Batch { size: 9, timeout: 2s }"),
    ] {
        check(keys, producer(keys).confirms, expected);
    }
    for (keys, expected) in [
        ("reconnect: false", "(None, Drop)"),
        ("reconnect: { unconfirmed: republish }", "(Some(200ms), Republish)"),
        ("reconnect: { after: 1s, unconfirmed: drop }", "(Some(1s), Drop)"),
    ] {
        let p = producer(keys);
        check(keys, (p.reconnect, p.unconfirmed), expected);
    }
    check("rate", producer("rate: 50/s").rate, "Some(50.0)");
}

#[test]
fn workers_ack_and_reconnect() {
    for (keys, expected) in [
        ("ack: auto", "Auto"),
        ("ack: early", "Early"),
        ("ack: never", "Never"),
        ("ack_every: 5", "Manual { every: 5 }"),
        ("ack_on: own_channel", "Manual { every: 1 }"),
        ("reject: []", "Manual { every: 1 }"),
        ("ack: null", "Manual { every: 1 }"),
    ] {
        check(keys, worker(keys).ack, expected);
    }
    check("reconnect", worker("reconnect: { after: 1s }").reconnect, "Some(1s)");
    check("reconnect", worker("reconnect: false").reconnect, "None");
    check("prefetch", worker("prefetch: 65535, exclusive: true").prefetch, "65535");
}

#[test]
fn messages_have_priorities_and_lives_and_may_be_requests() {
    for (keys, expected) in
        [("priority: 5", "Some(Always(5))"), ("priority: [1, 255]", "Some(Cycle([1, 255]))")]
    {
        check(keys, producer(keys).priority, expected);
    }
    for (keys, expected) in
        [("ttl: 1.5s", "Some(Always(1.5s))"), ("ttl: { range: [1ms, 1s] }", "Some(Range(1ms, 1s))")]
    {
        check(keys, producer(keys).ttl, expected);
    }
    check("rpc", producer("rpc: {}").rpc, "Some(5s)");
    check("rpc", producer("rpc: { timeout: 1s }, confirms: true").rpc, "Some(1s)");
    check("size", producer("size: 17MiB").size, "Some(Always(17825792))");
}

#[test]
fn workers_reject_answer_and_begin_where_they_are_told() {
    for (keys, expected) in [
        (
            "reject: [{ messages: [3, 7] }]",
            "[Reject { which: Messages([3, 7]), requeue: false, using: Nack, times: None }]",
        ),
        (
            "ack: never, reject: [{ every: 5, requeue: true, using: reject, times: 2 }]",
            "[Reject { which: Every(5), requeue: true, using: Reject, times: Some(2) }]",
        ),
        (
            "reject: [{ share: 2.5% }]",
            "[Reject { which: Share(Share(250)), requeue: false, using: Nack, times: None }]",
        ),
    ] {
        check(keys, worker(keys).rejects, expected);
    }
    check(
        "reply",
        worker("reply: \"{n} {producer}\"").reply.unwrap().parts,
        r#"[Number, Text(" "), Producer]"#,
    );
    check("no reply", worker("priority: -3").reply, "None");
    check("priority", worker("priority: -3").priority, "Some(-3)");
    check("elsewhere", worker("ack: early, ack_on: another_channel").acks_elsewhere, "true");
    for (offset, expected) in
        [("first", "First"), ("last", "Last"), ("next", "Next"), ("7", "At(7)")]
    {
        let text = format!(
            "scenario: t
topology: {{ queues: [{{ name: s, type: stream, predeclared: true }}] }}
workers: [{{ name: w, queue: s, offset: {offset}, ack: auto }}]"
        );
        let offset = plan(&text).variants[0].workers[0].offset;
        check("offset", offset.unwrap(), expected);
    }
}

#[test]
fn queues_are_purged_and_deleted() {
    let text = with(
        "workers: [{ name: w, queue: q }]
faults:
- { purge: q, after: { finished: 3, of: q }, name: first }
- { delete: q, after: { fault: first }, may_miss: true }",
    );
    let v = plan(&text).variants.remove(0);
    let told: Vec<String> = v
        .faults
        .iter()
        .map(|it| format!("{}, {:?}, {:?}", it.label, it.action, it.trigger))
        .collect();
    assert_eq!(
        told,
        [
            "purge q, Purge(QueueId(0)), Count { event: Finished, n: 3, of: Queue(QueueId(0)) }",
            "delete q, Delete(QueueId(0)), AfterFaults([FaultId(0)])"
        ]
    );
}

#[test]
fn temporary_queues_belong_to_their_workers() {
    let v = plan(
        "scenario: pubsub
topology: { exchanges: [{ name: logs, type: fanout }] }
producers: [{ name: p, to: { exchange: logs }, messages: 5 }]
workers:
- { name: all, count: 2, temporary_queue: { bindings: [{ exchange: logs, routing_key: \"#\" }] } }
- { name: one, temporary_queue: { bindings: [{ exchange: logs }] } }
faults: [{ kill: p, after: { published: 2, of: all } }]
expect: { queues: { all: { delivered: 10 }, all-2: { delivered: 5 }, one: { lost: 0 } } }",
    )
    .variants
    .remove(0);
    let queues: Vec<String> = v
        .topology
        .queues
        .iter()
        .map(|q| format!("{} {} {:?}", q.name, q.temporary, q.owner))
        .collect();
    assert_eq!(
        queues,
        [
            "all-1 true Some(WorkerId(0))",
            "all-2 true Some(WorkerId(1))",
            "one true Some(WorkerId(2))"
        ]
    );
    let bindings: Vec<String> = v
        .topology
        .bindings
        .iter()
        .map(|b| format!("{:?} {:?} {}", b.from, b.to, b.routing_key))
        .collect();
    assert_eq!(
        bindings,
        [
            "ExchangeId(1) Queue(QueueId(0)) #",
            "ExchangeId(1) Queue(QueueId(1)) #",
            "ExchangeId(1) Queue(QueueId(2)) "
        ]
    );
    let consumed: Vec<usize> = v.workers.iter().map(|worker| worker.queue.index()).collect();
    assert_eq!(consumed, [0, 1, 2]);
    let scopes: Vec<String> = v.expectations.iter().map(|it| format!("{:?}", it.what)).collect();
    assert!(scopes[0].contains("Queues([QueueId(0), QueueId(1)])"), "{scopes:?}");
    assert!(scopes[1].contains("Queue(QueueId(1))") && scopes[2].contains("Queue(QueueId(2))"));
    check(
        "of",
        &v.faults[0].trigger,
        "Count { event: Published, n: 2, of: Queues([QueueId(0), QueueId(1)]) }",
    );
}

#[test]
fn an_exclusive_queue_is_owned_by_its_worker() {
    let v = plan(
        "scenario: t
topology: { queues: [{ name: a }, { name: b, exclusive: true }] }
workers: [{ name: x, queue: a }, { name: y, queue: b }]",
    );
    check("owner", v.variants[0].topology.queues[1].owner, "Some(WorkerId(1))");
}

#[test]
fn bindings_keep_their_headers() {
    let text = "scenario: t
topology:
  exchanges: [{ name: h, type: headers, durable: false, auto_delete: true, internal: true }]
  queues: [{ name: q }]
  bindings: [{ from: h, to: q, headers: { a: 1, b: true, c: null }, match: any }]";
    let v = plan(text).variants.remove(0);
    check(
        "binding",
        &v.topology.bindings,
        r#"[Binding { from: ExchangeId(1), to: Queue(QueueId(0)), routing_key: "", headers: [("a", Int(1)), ("b", Bool(true))], match_any: true }]"#,
    );
    check(
        "exchange",
        &v.topology.exchanges[1],
        r#"Exchange { name: "h", kind: Headers, durable: false, auto_delete: true, internal: true, alternate: None, predeclared: false, arguments: [] }"#,
    );
}
