//! Clusters one of whose nodes does not hear the others for a while.
//!
//! Each file runs on a private cluster of its own.

mod scenes;
mod support;

use scenes::{Run, Scene};

/// Runs a file on a private cluster of its own.
#[track_caller]
fn run(yaml: &str) -> Run {
    let scene = Scene::new(yaml);
    let mut command = scene.bare();
    command.arg("--report").arg(format!("json={}", scene.report().display()));
    if let Some(server) = std::env::var_os("RMQ_SCENARIO_SERVER") {
        command.env("RMQ_SCENARIO_SERVER", server);
    }
    scene.run_command(command)
}

/// A quorum queue that is led by node 1, and a publisher on each side of a partition of node 3.
fn both_sides(fault: &str) -> String {
    format!(
        "
scenario: sides
broker: {{ nodes: 3 }}
topology: {{ queues: [{{ name: q, type: quorum, node: 1 }}] }}
producers:
  - name: inside
    to: {{ queue: q }}
    messages: 200
    rate: 50/s
    node: 2
    confirms: {{ timeout: 40s, in_flight: 1000 }}
  - name: outside
    to: {{ queue: q }}
    messages: 200
    rate: 50/s
    node: 3
    confirms: {{ timeout: 40s, in_flight: 1000 }}
    reconnect: {{ after: 100ms, unconfirmed: republish }}
workers: [{{ name: w, queue: q, node: 1, prefetch: 10 }}]
faults: [{{ {fault} }}]
settle: {{ idle: 500ms, deadline: 90s }}
"
    )
}

#[track_caller]
fn bit(run: &Run) {
    let fault = run.row("faults", 0);
    assert_eq!(fault["bit"], true, "{run}");
    assert!(fault["effect"].as_str().unwrap().contains("another node reported it down"), "{run}");
}

#[test]
fn the_majority_goes_on_and_who_is_outside_waits_for_the_others() {
    let run = run(&both_sides("partition: broker, node: 3, at: 2s, for: 3s"));
    run.exits(0).has("published 400, confirmed 400, delivered 400, lost 0");
    bit(&run);
    let fault = run.row("faults", 0);
    assert!(fault["effect"].as_str().unwrap().contains("; over at "), "{run}");
    // Whoever is inside notices nothing.
    assert_eq!(run.number(0, "producers.inside.republished"), 0, "{run}");
}

/// The node of the queue's leader, and of the worker: the others elect another one. What the worker
/// had comes again, and what it acks meanwhile is not heard.
#[test]
fn a_leader_that_is_parted_is_replaced() {
    let run = run(&both_sides("partition: broker, node: 1, at: 2s, for: 3s"));
    run.exits(0).has("published 400, confirmed 400, delivered 400, lost 0");
    bit(&run);
    println!("{run}");
}

/// Where the broker itself decides between two histories, it does so, and nothing else is done.
#[test]
fn every_way_of_the_broker_to_handle_a_partition_heals() {
    for handling in ["pause_minority", "autoheal"] {
        let yaml = both_sides("partition: broker, node: 3, at: 2s, for: 3s");
        let own = format!("nodes: 3, config: {{ cluster_partition_handling: {handling} }}");
        let run = run(&yaml.replace("nodes: 3", &own));
        run.exits(0).has("published 400, confirmed 400, delivered 400, lost 0");
        bit(&run);
    }
}

#[test]
fn a_partition_without_an_end_is_healed_when_the_run_is_over() {
    let yaml = both_sides("partition: broker, node: 1, at: 1s").replace("node: 3", "node: 2");
    let run = run(&yaml.replace("q, node: 1, prefetch", "q, node: 2, prefetch"));
    run.exits(0).has("published 400, confirmed 400, delivered 400, lost 0, in_doubt 0");
    bit(&run);
    assert!(run.took.as_secs() < 60, "nobody waits for the deadline{run}");
}

/// Who works on the parted node, on a quorum queue and on a classic one of another node.
#[test]
fn a_worker_on_the_parted_node_loses_nothing() {
    for queue in ["type: quorum, node: 1", "node: 1"] {
        let run = run(&format!(
            "
scenario: working
broker: {{ nodes: 3 }}
topology: {{ queues: [{{ name: q, {queue} }}] }}
producers:
  - name: p
    to: {{ queue: q }}
    messages: 200
    rate: 50/s
    node: 1
    confirms: {{ timeout: 40s, in_flight: 1000 }}
    reconnect: {{ after: 100ms, unconfirmed: republish }}
workers:
  - {{ name: inside, queue: q, node: 1, prefetch: 10, work: 5ms }}
  - {{ name: outside, queue: q, node: 3, prefetch: 10, work: 5ms }}
faults: [{{ partition: broker, node: 3, at: 2s, for: 3s }}]
settle: {{ idle: 500ms, deadline: 90s }}
"
        ));
        bit(&run);
        run.exits(0).has("published 200, delivered 200, lost 0");
    }
}

/// A queue that fails over hands to whoever is inside what the worker outside holds, and does not
/// hear its acks. (Measured: 3.10 and 4.0 do, 4.3 waits for the consumer's node.)
#[test]
fn what_is_acked_outside_is_explained_where_it_comes_again_inside() {
    let run = run("
scenario: again
broker: { nodes: 3 }
topology: { queues: [{ name: q, type: quorum, node: 1 }] }
producers: [{ name: p, to: { queue: q }, messages: 200, rate: 50/s, node: 2 }]
workers:
  - { name: outside, queue: q, node: 3, prefetch: 20, work: 200ms }
  - { name: inside, queue: q, node: 1, prefetch: 20, work: 10ms }
faults: [{ partition: broker, node: 3, at: 2s, for: 4s }]
expect: { lost: 0, causes: { unexplained: 0 } }
settle: { idle: 500ms, deadline: 90s }
");
    bit(&run);
    run.exits(0).has("published 200, confirmed 200, delivered 200, lost 0");
    let causes = run.variant(0)["causes"].as_array().expect("a list").clone();
    let lost = causes.iter().filter(|row| row.to_string().contains("ack_lost"));
    let lost: u64 = lost.map(|row| row["count"].as_u64().expect("a number")).sum();
    assert_eq!(lost, run.number(0, "duplicates"), "{run}");
}

/// Up to 4.0 the node is restarted when it hears the others again, and forgets what is not durable.
#[test]
fn what_is_not_durable_goes_with_a_parted_node_or_stays() {
    let run = run("
scenario: soft
broker: { nodes: 3 }
topology: { queues: [{ name: q, durable: false, node: 3 }] }
producers: [{ name: p, to: { queue: q }, messages: 50, node: 3 }]
faults: [{ partition: broker, node: 3, at: 2s, for: 2s }]
settle: { idle: 500ms, deadline: 60s }
");
    bit(&run);
    run.exits(0).has("published 50, confirmed 50, in_doubt 0");
    let lost = run.number(0, "lost");
    assert_eq!(run.number(0, "remaining") + lost, 50, "{run}");
    match lost {
        0 => run.because(&[]),
        _ => run.because(&["lost 50 transient"]),
    };
}

#[test]
fn a_partition_that_nobody_is_there_to_notice_does_not_bite() {
    let run = run("
scenario: alone
broker: { nodes: 2 }
topology: { queues: [{ name: q, node: 2 }] }
producers: [{ name: p, to: { queue: q }, messages: 100, rate: 50/s, node: 2 }]
workers: [{ name: w, queue: q, node: 2 }]
faults:
  - { stop: broker, node: 1, at: 500ms, how: sigkill }
  - { partition: broker, node: 2, at: 1s, for: 500ms }
settle: { idle: 500ms }
");
    run.exits(4).has("published 100, confirmed 100, delivered 100, lost 0");
    let fault = run.row("faults", 1);
    assert_eq!((&fault["fired"], &fault["bit"]), (&true.into(), &false.into()), "{run}");
    run.says("partition broker node 2 (at: 1s) did not bite: no other node reported it down");
    run.says("part it while another node runs that can miss it, or give the broker more `nodes`");
}

#[test]
fn a_partition_that_never_comes_says_how_to_change_the_file() {
    let run = run("
scenario: never
broker: { nodes: 2 }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q }]
faults: [{ partition: broker, node: 2, after: { finished: 11 }, for: 500ms }]
settle: { idle: 300ms }
");
    run.exits(4)
        .has("delivered 10")
        .says("never fired")
        .says("a smaller number, or `may_miss: true`");
}
