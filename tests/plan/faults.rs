//! What can befall programs and the broker, and which node of it is meant.

use rmq_scenario::plan::model::{Fault, Variant};

use crate::{check, plan, variant, with};

/// The faults of a file about three nodes with a short heartbeat.
fn faults(list: &str) -> Vec<Fault> {
    variant(&format!("broker: {{ nodes: 3, heartbeat: 1s }}\nfaults:\n{list}")).faults
}

/// The one fault of an entry, as reports call it and as it is meant.
fn fault(entry: &str) -> (String, String) {
    let fault = faults(&format!("- {{ {entry} }}")).remove(0);
    (fault.label, format!("{:?}", fault.action))
}

#[test]
fn what_befalls_a_program() {
    const W1: &str = "target: Worker(WorkerId(0))";
    for (entry, label, action) in [
        ("freeze: w-1, at: 1s", "freeze w-1", format!("Freeze {{ {W1}, lasts: None }}")),
        ("cut: w-1, at: 1s, for: 5s", "cut w-1", format!("Cut {{ {W1}, lasts: Some(5s) }}")),
        (
            "slow: w-1, latency: 50ms, at: 1s",
            "slow w-1",
            format!("Slow {{ {W1}, latency: 50ms, lasts: None }}"),
        ),
        (
            "slow: p, latency: 1ms, for: 2s, at: 1s",
            "slow p",
            "Slow { target: Producer(ProducerId(0)), latency: 1ms, lasts: Some(2s) }".to_owned(),
        ),
        ("disconnect: w-1, at: 1s", "disconnect w-1", format!("Disconnect {{ {W1} }}")),
        (
            "freeze: p, after: { published: 3 }, for: 1s",
            "freeze p",
            "Freeze { target: Producer(ProducerId(0)), lasts: Some(1s) }".to_owned(),
        ),
    ] {
        assert_eq!(fault(entry), (label.to_owned(), action), "{entry}");
    }
}

#[test]
fn what_befalls_the_broker() {
    for (entry, label, action) in [
        (
            "restart: broker, at: 1s",
            "restart broker",
            "act: Restart { how: Graceful, down_for: 500ms }, node: None",
        ),
        (
            "restart: broker, how: sigkill, node: 2, down_for: 0s, at: 1s",
            "restart broker node 2",
            "act: Restart { how: Sigkill, down_for: 0ns }, node: Some(NodeId(1))",
        ),
        ("stop: broker, at: 1s", "stop broker", "act: Stop { how: Graceful }, node: None"),
        (
            "stop: broker, how: sigkill, node: 3, at: 1s",
            "stop broker node 3",
            "act: Stop { how: Sigkill }, node: Some(NodeId(2))",
        ),
        (
            "pause: broker, for: 3s, at: 1s",
            "pause broker",
            "act: Pause { lasts: Some(3s) }, node: None",
        ),
        (
            "pause: broker, node: 1, at: 1s",
            "pause broker node 1",
            "act: Pause { lasts: None }, node: Some(NodeId(0))",
        ),
        (
            "block: broker, at: 1s",
            "block broker",
            "act: Block { alarm: Memory, lasts: None }, node: None",
        ),
        (
            "block: broker, alarm: disk, for: 2s, at: 1s",
            "block broker",
            "act: Block { alarm: Disk, lasts: Some(2s) }, node: None",
        ),
        (
            "partition: broker, node: 2, at: 1s",
            "partition broker node 2",
            "act: Partition { lasts: None }, node: Some(NodeId(1))",
        ),
    ] {
        let action = format!("Broker {{ {action} }}");
        assert_eq!(fault(entry), (label.to_owned(), action), "{entry}");
    }
}

#[test]
fn moments_of_a_delivery_are_hit_by_what_befalls_workers() {
    for verb in ["kill", "freeze", "cut", "disconnect"] {
        for (when, expected) in [("during: 4", "During(4)"), ("before_ack: 4", "BeforeAck(4)")] {
            let fault = faults(&format!("- {{ {verb}: w-2, {when} }}")).remove(0);
            check(verb, fault.trigger, expected);
        }
    }
}

#[test]
fn every_instance_of_a_group_has_its_own_fault() {
    let faults = faults(
        "- { name: a, freeze: w, at: 1s, for: 1s }
- { name: b, cut: w, after: { fault: a } }
- { name: c, slow: w, latency: 1ms, after: { fault: b } }
- { name: d, disconnect: w, after: { fault: c } }
- { name: e, restart: broker, after: { fault: d } }
- { name: f, purge: q, after: { fault: e } }
- { kill: p, after: { fault: f } }",
    );
    let told: Vec<String> =
        faults.iter().map(|fault| format!("{} {:?}", fault.label, fault.trigger)).collect();
    let two = |verb: &str, ids: &str| {
        [1, 2].map(|n| format!("{verb} w-{n} AfterFaults([{ids}])")).join("; ")
    };
    let expected = [
        "freeze w-1 At(1s); freeze w-2 At(1s)".to_owned(),
        two("cut", "FaultId(0), FaultId(1)"),
        two("slow", "FaultId(2), FaultId(3)"),
        two("disconnect", "FaultId(4), FaultId(5)"),
        "restart broker AfterFaults([FaultId(6), FaultId(7)])".to_owned(),
        "purge q AfterFaults([FaultId(8)])".to_owned(),
        "kill p AfterFaults([FaultId(9)])".to_owned(),
    ];
    assert_eq!(told.join("; "), expected.join("; "));
}

/// A file whose queue, producer and worker are each on a node.
fn placed(node: &str, more: &str) -> Variant {
    plan(&format!(
        "scenario: t
{more}
topology: {{ queues: [{{ name: q, {node} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 5, {node} }}]
workers: [{{ name: w, count: 2, queue: q, {node} }}]"
    ))
    .variants
    .remove(0)
}

#[test]
fn nodes_are_counted_from_one_in_a_file() {
    for (node, more, expected) in [
        ("node: 2", "broker: { nodes: 3 }", "Some(NodeId(1))"),
        ("node: 3", "broker: { nodes: 3 }", "Some(NodeId(2))"),
        ("node: 3", "requires: { nodes: 3 }", "Some(NodeId(2))"),
        ("node: 2", "requires: { nodes: 2 }\nbroker: { nodes: 3 }", "Some(NodeId(1))"),
        ("node: 1", "", "Some(NodeId(0))"),
        ("node: null", "broker: { nodes: 3 }", "None"),
    ] {
        let v = placed(node, more);
        check(node, v.topology.queues[0].node, expected);
        check(node, v.producers[0].node, expected);
        check(node, (v.workers[0].node, v.workers[1].node), &format!("({expected}, {expected})"));
    }
    let v = placed("node: 1", "broker: { nodes: 64 }");
    check("nodes", v.broker.nodes, "Some(64)");
}

#[test]
fn a_variant_chooses_the_fault_and_its_node() {
    let v = plan(&with(
        "vars: { kill: false, node: 1, how: graceful }
broker: { nodes: 3 }
faults:
- { restart: broker, how: $how, node: $node, at: 5s, if: $kill }
variants:
- { name: nobody }
- { name: second, vars: { kill: true, node: 2, how: sigkill } }
- { name: everybody, vars: { kill: true, node: null } }",
    ));
    let labels: Vec<String> = v
        .variants
        .iter()
        .map(|v| v.faults.iter().map(|fault| fault.label.clone()).collect())
        .collect();
    assert_eq!(labels, ["", "restart broker node 2", "restart broker"]);
}

#[test]
fn a_fault_may_wait_for_the_end_of_another_on_the_same_node() {
    // What would collide at a fixed time does not behind the other.
    let faults = faults(
        "- { name: a, restart: broker, node: 1, at: 2s }
- { name: b, restart: broker, node: 2, after: { fault: a } }
- { name: c, restart: broker, node: 3, after: { fault: b } }
- { pause: broker, node: 1, after: { fault: c }, for: 1s }
- { name: d, block: broker, at: 40s, for: 2s }
- { block: broker, after: { fault: d }, for: 2s }
- { block: broker, at: 42s, for: 1s }
- { stop: broker, node: 3, at: 50s }
- { restart: broker, node: 2, at: 50s }",
    );
    assert_eq!(faults.len(), 9);
}
