//! Whole files: defaults, variables, variants, null.

use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

use crate::{check, plan, plan_with, producer, variant, with, worker};

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
fn a_key_that_is_null_takes_nothing_from_the_layer_below() {
    let text = with(
        "expect: { lost: 0, queues: { q: { begun: 1 } } }
variants:
- { name: one, expect: { lost: null, queues: { q: { begun: null, finished: 2 } } } }",
    );
    let variant = plan(&text).variants.remove(0);
    let paths: Vec<&str> = variant.expectations.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["lost", "queues.q.begun", "queues.q.finished"]);
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
fn keys_that_ask_for_nothing_are_accepted() {
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
