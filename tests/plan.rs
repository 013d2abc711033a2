//! What files mean, one small file for each rule.

use std::fmt::Debug;

use rmq_scenario::plan::model::{Producer, Scenario, Variant, Worker};
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

fn plan_with(text: &str, sets: &[(&str, &str)]) -> Scenario {
    let sets = sets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = Options { sets, seed: None };
    load(Source::new("f.yaml", text), &options).unwrap_or_else(|diagnostics| {
        let all: Vec<String> = diagnostics.iter().map(|it| it.render(false)).collect();
        panic!("{}\n{text}", all.join("\n"))
    })
}

fn plan(text: &str) -> Scenario {
    plan_with(text, &[])
}

/// A file that is right, and `more` at its end.
fn with(more: &str) -> String {
    format!(
        "scenario: t
topology: {{ queues: [{{ name: q }}], exchanges: [{{ name: e, type: topic }}] }}
{more}
"
    )
}

fn producer(keys: &str) -> Producer {
    let text = with(&format!(
        "vars: {{ color: red, truth: true, nothing: null, num: 3, text: $$x, list: one }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 5, {keys} }}]"
    ));
    plan(&text).variants[0].producers[0].clone()
}

fn worker(keys: &str) -> Worker {
    let text = with(&format!("workers: [{{ name: w, queue: q, {keys} }}]"));
    plan(&text).variants[0].workers[0].clone()
}

/// A variant of a file with a producer `p`, a worker `w` of two instances, and `more`.
fn variant(more: &str) -> Variant {
    let text = with(&format!(
        "producers: [{{ name: p, to: {{ queue: q }}, messages: 5 }}]
workers: [{{ name: w, count: 2, queue: q }}]
{more}"
    ));
    plan(&text).variants.remove(0)
}

/// Compares what a short input means, as Rust shows it, with what is expected.
fn check(input: &str, meant: impl Debug, expected: &str) {
    assert_eq!(format!("{meant:?}"), expected, "{input}");
}

/// The example of the format's description.
const EXAMPLE: &str = r##"# yaml-language-server: $schema=../schema/scenario.schema.json
scenario: work-queue
description: Two workers share a queue and one is killed while it works. What is lost, what comes back?
tags: [tutorial-2]
vars: { ack: manual, durable: true }

topology:
  queues:
    - name: task_queue
      durable: $durable

producers:
  - name: new_task
    to: { queue: task_queue }
    messages: 20
    persistent: $durable
    body: "Hello World! #{n} {dots}"
    dots: [1, 2, 3]

workers:
  - name: worker
    count: 2
    queue: task_queue
    ack: $ack
    work: { per_dot: 20ms }

faults:
  - kill: worker-1
    during: 4

variants:
  - name: auto ack, nothing durable
    vars: { ack: auto, durable: false }
    expect: { delivered: 13, lost: 7, redelivered: 0 }
  - name: manual ack, durable
    expect: { delivered: 20, lost: 0, redelivered: ">= 1" }
"##;

#[test]
fn the_example_of_the_description_means_what_it_says() {
    let scenario = plan(EXAMPLE);
    assert_eq!(scenario.name, "work-queue");
    assert_eq!(scenario.tags, ["tutorial-2"]);
    assert_eq!(scenario.seed, 1);
    let [auto, manual] = scenario.variants.as_slice() else { panic!("two variants") };
    assert_eq!(auto.name, "auto ack, nothing durable");
    check("vars", &auto.vars, r#"[("ack", Text("auto")), ("durable", Bool(false))]"#);
    check("vars", &manual.vars, r#"[("ack", Text("manual")), ("durable", Bool(true))]"#);
    assert!(!auto.topology.queues[0].durable && manual.topology.queues[0].durable);
    assert!(!auto.producers[0].persistent && manual.producers[0].persistent);
    let names: Vec<&str> = auto.workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["worker-1", "worker-2"]);
    check("ack", auto.workers[0].ack, "Auto");
    check("ack", manual.workers[1].ack, "Manual { every: 1 }");
    check("work", &auto.workers[0].work, "PerDot(20ms)");
    check(
        "body",
        &auto.producers[0].body.parts,
        r##"[Text("Hello World! #"), Number, Text(" "), Dots]"##,
    );
    check("dots", &auto.producers[0].dots, "Some(Cycle([1, 2, 3]))");
    check("faults", auto.faults.len(), "1");
    check(
        "kill",
        (&auto.faults[0].label, &auto.faults[0].trigger_text),
        r#"("kill worker-1", "during: 4")"#,
    );
    let expected: Vec<String> =
        manual.expectations.iter().map(|it| format!("{} {}", it.path, it.expected)).collect();
    assert_eq!(expected, ["delivered 20", "lost 0", "redelivered >= 1"]);
    let place = scenario.source.place(manual.expectations[2].at).unwrap();
    let line = EXAMPLE.lines().position(|line| line.contains(">= 1")).unwrap();
    let column = EXAMPLE.lines().nth(line).unwrap().find('"').unwrap();
    assert_eq!((place.line, place.column, place.width), (line + 1, column + 1, 6));
}

#[test]
fn what_is_left_out_has_the_default_of_the_description() {
    let p = producer("");
    check("confirms", p.confirms, "Window { in_flight: 100, timeout: 5s }");
    check("the rest", (p.persistent, p.mandatory, p.rate, p.start), "(true, false, None, None)");
    check("body", (&p.body.parts, &p.dots, &p.size, &p.headers), "([], None, None, [])");
    check("reconnect", (p.reconnect, p.unconfirmed), "(Some(200ms), Drop)");
    check(
        "to",
        &p.to,
        r#"Destination { exchange: Declared(ExchangeId(0)), routing_key: Always("q") }"#,
    );
    let w = worker("");
    check("ack", (w.ack, w.prefetch, w.exclusive), "(Manual { every: 1 }, 0, false)");
    check("work", &w.work, "Pattern(Always(0ns))");
    check("reconnect", (w.start, w.stop, w.reconnect), "(None, None, Some(200ms))");
    let v = variant("");
    check("settle", v.settle, "Settle { idle: 500ms, at_least: 0ns, deadline: 60s }");
    check("requires", v.requires, "Requires { rabbitmq: None, nodes: None, management: false }");
    check("variant", (&v.name, v.seed, &v.vars), r#"("", 1, [])"#);
    let queue = &v.topology.queues[0];
    check(
        "queue",
        (queue.durable, queue.auto_delete, queue.exclusive, queue.temporary, queue.owner),
        "(true, false, false, false, None)",
    );
    let exchange = &v.topology.exchanges[1];
    check(
        "exchange",
        (exchange.durable, exchange.auto_delete, exchange.internal),
        "(true, false, false)",
    );
}

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
fn triggers_of_every_form() {
    for (when, expected) in [
        ("at: 1s", "At(1s)"),
        ("after: { published: 3 }", "Count { event: Published, n: 3, of: All }"),
        (
            "after: { confirmed: 3, of: p }",
            "Count { event: Confirmed, n: 3, of: Producers([ProducerId(0)]) }",
        ),
        (
            "after: { finished: 3, of: w }",
            "Count { event: Finished, n: 3, of: Workers([WorkerId(0), WorkerId(1)]) }",
        ),
        (
            "after: { acked: 3, of: w-2 }",
            "Count { event: Acked, n: 3, of: Workers([WorkerId(1)]) }",
        ),
        (
            "after: { consuming: 3, of: q }",
            "Count { event: Consuming, n: 3, of: Queue(QueueId(0)) }",
        ),
        (
            "after: { published: 3, of: q }",
            "Count { event: Published, n: 3, of: Queue(QueueId(0)) }",
        ),
        ("during: 4", "During(4)"),
        ("before_ack: 4", "BeforeAck(4)"),
    ] {
        let fault = variant(&format!("faults: [{{ kill: w-1, {when} }}]")).faults.remove(0);
        check(when, fault.trigger, expected);
        assert_eq!(fault.trigger_text, when);
    }
}

#[test]
fn a_fault_on_a_group_is_one_for_each_instance() {
    let faults = variant(
        "faults:
- { name: a, kill: w, during: 2, how: cancel, may_miss: true }
- { kill: p, how: close_channel, restart_after: 1s, after: { fault: a } }
- { kill: w-1, if: false, at: 1s }",
    )
    .faults;
    let labels: Vec<&str> = faults.iter().map(|fault| fault.label.as_str()).collect();
    assert_eq!(labels, ["kill w-1", "kill w-2", "kill p"]);
    check("how", (faults[0].how, faults[2].how), "(Cancel, CloseChannel)");
    check("miss", (faults[0].may_miss, faults[2].may_miss), "(true, false)");
    check("restart", faults[2].restart_after, "Some(1s)");
    check("after", &faults[2].trigger, "AfterFaults([FaultId(0), FaultId(1)])");
    assert_eq!(faults[2].trigger_text, "after: { fault: a }");
    assert_eq!(faults[0].name.as_deref(), Some("a"));
}

fn expectations(text: &str) -> Vec<String> {
    let expectations = variant(text).expectations;
    expectations.iter().map(|it| format!("{} {} {:?}", it.path, it.expected, it.what)).collect()
}

#[test]
fn expectations_of_every_form() {
    for (expect, expected) in [
        ("lost: 0", "lost 0 Count { scope: All, count: Lost, matcher: Exactly(0) }"),
        ("lost: any", "lost any Count { scope: All, count: Lost, matcher: Any }"),
        ("lost: \"3..7\"", "lost 3..7 Count { scope: All, count: Lost, matcher: Between(3, 7) }"),
        (
            "acked: \">= 90%\"",
            "acked >= 90% Count { scope: All, count: Acked, matcher: Percent(GreaterOrEqual, Share(9000)) }",
        ),
        (
            "queues: { q: { begun: \"< 5\" } }",
            "queues.q.begun < 5 Count { scope: Queue(QueueId(0)), count: Begun, matcher: Compare(Less, 5) }",
        ),
        (
            "producers: { p: { confirmed: 5 } }",
            "producers.p.confirmed 5 Count { scope: Producers([ProducerId(0)]), count: Confirmed, matcher: Exactly(5) }",
        ),
        (
            "workers: { w: { rejected: 0 } }",
            "workers.w.rejected 0 Count { scope: Workers([WorkerId(0), WorkerId(1)]), count: Rejected, matcher: Exactly(0) }",
        ),
        (
            "workers: { w-2: { begun: 0 } }",
            "workers.w-2.begun 0 Count { scope: Workers([WorkerId(1)]), count: Begun, matcher: Exactly(0) }",
        ),
        (
            "causes: { auto_ack: 7 }",
            "causes.auto_ack 7 Cause { cause: \"auto_ack\", matcher: Exactly(7) }",
        ),
        (
            "fairness: { workers: w, max_share: 60.5% }",
            "fairness max_share 60.5% Fairness { workers: [WorkerId(0), WorkerId(1)], max_share: Share(6050) }",
        ),
        ("order: fifo", "order fifo Fifo"),
        ("duration: \"< 5s\"", "duration < 5s Duration(DurationMatcher { op: Less, bound: 5s })"),
    ] {
        assert_eq!(expectations(&format!("expect: {{ {expect} }}")), [expected], "{expect}");
    }
    for taken_back in [
        "queues: any",
        "queues: { q: any }",
        "order: any",
        "fairness: any",
        "causes: any",
        "duration: any",
        "errors: any",
        "latency: any",
        "lost: null",
        "queues: null",
    ] {
        assert!(expectations(&format!("expect: {{ {taken_back} }}")).is_empty(), "{taken_back}");
    }
}

#[test]
fn observations_look_at_queues() {
    let v = variant(
        "observe: [{ name: mid, when: { at: 500ms }, expect: { q: { ready: 0, consumers: \"> 0\" } } }]",
    );
    check("when", &v.observations, r#"[Observation { name: "mid", when: At(500ms) }]"#);
    let paths: Vec<&str> = v.expectations.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["observe.mid.q.ready", "observe.mid.q.consumers"]);
    check(
        "what",
        &v.expectations[0].what,
        "Observed { observation: 0, queue: QueueId(0), number: Ready, matcher: Exactly(0) }",
    );
}

#[test]
fn every_count_is_known_exactly_where_it_has_a_meaning() {
    use rmq_scenario::plan::count::{ALL, Count};
    type Knows = fn(Count) -> bool;
    let scopes: [(&str, &str, Knows); 3] = [
        ("queues", "q", Count::in_queues),
        ("producers", "p", Count::in_producers),
        ("workers", "w", Count::in_workers),
    ];
    let refused = |expect: &str| {
        let text = with(&format!(
            "producers: [{{ name: p, to: {{ queue: q }}, messages: 5 }}]\nworkers: [{{ name: w, queue: q }}]\nexpect: {{ {expect} }}"
        ));
        load(Source::new("f", text), &Options::default()).is_err()
    };
    for count in ALL {
        assert!(!refused(&format!("{}: 0", count.name())), "{}", count.name());
        for (key, name, knows) in scopes {
            let expect = format!("{key}: {{ {name}: {{ {}: 0 }} }}", count.name());
            assert_eq!(refused(&expect), !knows(count), "{expect}");
        }
    }
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
        ["ExchangeId(1) QueueId(0) #", "ExchangeId(1) QueueId(1) #", "ExchangeId(1) QueueId(2) "]
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
        r#"[Binding { from: ExchangeId(1), to: QueueId(0), routing_key: "", headers: [("a", Int(1)), ("b", Bool(true))], match_any: true }]"#,
    );
    check(
        "exchange",
        &v.topology.exchanges[1],
        r#"Exchange { name: "h", kind: Headers, durable: false, auto_delete: true, internal: true }"#,
    );
}

#[test]
fn entries_whose_if_is_false_are_not_there() {
    let text = with(
        "vars: { second: false }
workers: [{ name: a, queue: q }, { name: b, queue: nowhere, if: $second }, { name: b, queue: q, if: true }]
variants: [{ name: one }]",
    );
    let v = plan(&text).variants.remove(0);
    let names: Vec<&str> = v.workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[test]
fn a_matrix_makes_a_variant_of_each_cell_and_lays_expectations_over_them() {
    let text = with(
        "vars: { ack: auto, durable: true, work: 1ms }
matrix: { ack: [auto, manual], durable: [true, false] }
workers: [{ name: w, queue: q, ack: $ack, work: $work }]
expect: { lost: 0, queues: { q: { begun: 1, lost: 0 } } }
variants:
- { when: { ack: auto }, requires: { management: true }, expect: { lost: \"> 0\", queues: { q: { lost: any } } } }
- { when: { ack: auto, durable: false }, expect: { lost: 5 } }",
    );
    let scenario = plan(&text);
    let seen: Vec<String> = scenario
        .variants
        .iter()
        .map(|v| {
            let expected: Vec<String> =
                v.expectations.iter().map(|it| format!("{}={}", it.path, it.expected)).collect();
            format!("{} | {} | {}", v.name, v.requires.management, expected.join(" "))
        })
        .collect();
    assert_eq!(
        seen,
        [
            "ack=auto durable=true | true | lost=> 0 queues.q.begun=1 queues.q.lost=any",
            "ack=auto durable=false | true | lost=5 queues.q.begun=1 queues.q.lost=any",
            "ack=manual durable=true | false | lost=0 queues.q.begun=1 queues.q.lost=0",
            "ack=manual durable=false | false | lost=0 queues.q.begun=1 queues.q.lost=0",
        ]
    );
    check(
        "vars",
        &scenario.variants[3].vars,
        r#"[("ack", Text("manual")), ("durable", Bool(false)), ("work", Text("1ms"))]"#,
    );
}

#[test]
fn the_command_line_has_the_last_word() {
    let text = with(
        "vars: { ack: auto, n_: 1 }
matrix: { ack: [auto, manual] }
workers: [{ name: w, queue: q, ack: $ack, prefetch: $n_ }]
variants: [{ when: { ack: auto }, expect: { lost: 1 } }, { when: { ack: manual }, expect: { lost: 2 } }]",
    );
    let scenario = plan_with(&text, &[("ack", "early"), ("n_", "1"), ("n_", "7")]);
    assert_eq!(scenario.variants.len(), 1);
    let v = &scenario.variants[0];
    check(
        "v",
        (&v.name, v.workers[0].ack, v.workers[0].prefetch, v.expectations.len()),
        r#"("ack=early", Early, 7, 0)"#,
    );
    let scenario = plan_with(&text, &[("ack", "manual")]);
    check("v", &scenario.variants[0].expectations[0].expected, r#""2""#);
    let listed = with(
        "vars: { ack: auto }\nworkers: [{ name: w, queue: q, ack: $ack }]\nvariants: [{ name: is $ack, vars: { ack: never } }, { name: $ack, vars: { ack: never } }]",
    );
    let scenario = plan_with(&listed, &[("ack", "\"manual\"")]);
    let names: Vec<&str> = scenario.variants.iter().map(|v| v.name.as_str()).collect();
    assert_eq!(names, ["is $ack", "manual"]);
    check("ack", scenario.variants[0].workers[0].ack, "Manual { every: 1 }");
}

#[test]
fn the_seed_of_the_command_line_wins() {
    let load_with = |seed| {
        let options = Options { sets: Vec::new(), seed };
        let scenario = load(Source::new("f", with("seed: 7")), &options).unwrap();
        (scenario.seed, scenario.variants[0].seed)
    };
    assert_eq!(load_with(None), (7, 7));
    assert_eq!(load_with(Some(9)), (9, 9));
}

#[test]
fn null_is_as_if_left_out_wherever_it_comes_from() {
    let text = with(
        "vars: { none: null }
tags: null
variants: null
matrix: null
broker: {}
settle: { idle: $none }
workers: [{ name: w, queue: q, prefetch: $none, temporary_queue: $none, count: null }]",
    );
    let v = plan(&text).variants.remove(0);
    check("settle", v.settle.idle, "500ms");
    check("vars", &v.vars, r#"[("none", Null)]"#);
    assert_eq!(v.workers[0].name, "w");
}

#[test]
fn aliases_line_ends_and_a_byte_order_mark_are_welcome() {
    let text = "\u{feff}scenario: t\r\ntopology: { queues: [{ name: &q tasks }] }\r\nworkers: [{ name: w, queue: *q }]\r\n";
    let scenario = plan(text);
    assert_eq!(scenario.variants[0].topology.queues[0].name, "tasks");
    check("queue", scenario.variants[0].workers[0].queue, "QueueId(0)");
}

#[test]
fn unsupported_keys_that_ask_for_nothing_are_accepted() {
    let text = "scenario: t
broker: {}
probes: []
topology: { queues: [{ name: q, type: classic, predeclared: false, single_active_consumer: false, arguments: {} }] }
workers: [{ name: w, queue: q, reject: [], ack_on: own_channel }]
requires: { rabbitmq: \">=4.0, <5\", nodes: 3 }";
    let v = plan(text).variants.remove(0);
    assert!(v.requires.rabbitmq.unwrap().matches(&"4.3.6".parse().unwrap()));
    assert_eq!(v.requires.nodes, Some(3));
}
