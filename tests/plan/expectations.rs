//! Triggers, faults, observations and expectations.

use rmq_scenario::plan::model::FaultAction;
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

use crate::{check, variant, with};

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
    let kill = |index: usize| match faults[index].action {
        FaultAction::Kill { how, restart_after, .. } => (how, restart_after),
        ref other => panic!("{other:?} is no kill"),
    };
    check("how", (kill(0).0, kill(2).0), "(Cancel, CloseChannel)");
    check("miss", (faults[0].may_miss, faults[2].may_miss), "(true, false)");
    check("restart", kill(2).1, "Some(1s)");
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
