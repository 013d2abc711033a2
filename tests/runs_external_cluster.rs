//! The nodes of a cluster that is somebody else's, each by its address: which one a file means, and
//! what is told when the addresses do not fit together.
//!
//! One version of RabbitMQ is enough for this.

mod scenes;
mod support;
mod ward;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rmq_scenario::broker::{Broker, Choice, Settings};
use rustix::process::{Pid, Signal, kill_process};
use scenes::{Run, Scene};
use support::{block_on, program};
use ward::{Turn, ward_of};

fn cluster() -> Turn {
    ward_of(3)
}

/// A quorum queue, whose producer is on the second node and whose worker is on the third.
fn scattered(fault: &str) -> String {
    format!(
        "
scenario: theirs
requires: {{ nodes: 3 }}
topology: {{ queues: [{{ name: q, type: quorum }}] }}
producers:
  - name: p
    to: {{ queue: q }}
    messages: 160
    rate: 40/s
    node: 2
    reconnect: {{ after: 100ms, unconfirmed: republish }}
workers: [{{ name: w, queue: q, node: 3, reconnect: {{ after: 100ms }} }}]
faults: [{{ {fault} }}]
settle: {{ idle: 500ms }}
expect: {{ lost: 0 }}
"
    )
}

const KILL: &str = "restart: broker, node: 2, at: 2s, how: sigkill, down_for: 500ms";

#[track_caller]
fn bit(run: &Run) {
    run.exits(0).has("published 160, lost 0");
    assert_eq!(run.row("faults", 0)["bit"], true, "{run}");
}

#[test]
fn a_number_names_the_node_at_that_address() {
    let ward = cluster();
    let called = ward.tool("called");
    let control = format!(
        "command:echo {{action}} {{node}} {{index}} {{name}} >> {called}; {} {{action}} {{node}}",
        ward.tool("ward")
    );
    let run = ward.run_by(&control, &scattered(KILL));
    bit(&run);
    let called = std::fs::read_to_string(called).unwrap();
    let name = &ward.all_facts()[1].name;
    for action in ["id", "kill", "start"] {
        assert!(called.contains(&format!("{action} 2 1 {name}\n")), "{called}");
    }
    // Nobody else was touched.
    assert!(called.lines().all(|line| line.ends_with(&format!("2 1 {name}"))), "{called}");
    assert!(ward.works());
}

#[test]
fn a_name_that_stands_for_each_is_asked_of_the_cluster() {
    let ward = cluster();
    let run = ward.run_by("rabbitmqctl:{name}", &scattered("restart: broker, node: 2, at: 2s"));
    bit(&run);
    let stop = format!("rabbitmqctl --node {} stop_app", ward.all_facts()[1].name);
    assert!(ward.calls().contains(&stop), "{:?}", ward.calls());
    assert!(ward.works());
}

/// Every node hears every other one.
#[track_caller]
fn whole(ward: &Turn, run: &Run) {
    let all: BTreeSet<String> = ward.all_facts().iter().map(|it| it.name.clone()).collect();
    assert_eq!(ward.running(), [all.clone(), all.clone(), all], "{run}");
    assert!(ward.works(), "{run}");
}

const APART: &str = "partition: broker, node: 3, at: 1s, for: 1s";

/// Whether the others miss it is asked of them, and the run goes on when they have it back.
#[test]
fn a_node_is_parted_by_rabbitmqctl_and_heard_again() {
    let ward = cluster();
    let run = ward.run_by("rabbitmqctl:{name}", &scattered(APART));
    bit(&run);
    whole(&ward, &run);
    let effect = run.row("faults", 0)["effect"].as_str().unwrap();
    assert!(effect.contains("another node reported it down after"), "{run}");
    let calls = ward.calls();
    let name = &ward.all_facts()[2].name;
    let says = |what: &str| {
        let call = format!("rabbitmqctl --node {name} {what}");
        calls.iter().any(|line| line.starts_with(&call))
    };
    assert!(says("eval [begin erlang:set_cookie(N, rmq_scenario_parted)"), "{calls:#?}");
    assert!(says("eval [begin erlang:set_cookie(N, erlang:get_cookie())"), "{calls:#?}");
    // Where nobody decides between two histories.
    let mnesia = ["3.", "4.0."].iter().any(|old| ward.version().starts_with(old));
    assert_eq!((says("stop_app"), says("start_app")), (mnesia, mnesia), "{calls:#?}");
}

#[test]
fn a_node_is_parted_by_a_command() {
    let ward = cluster();
    let control = format!("command:{} {{action}} {{node}}", ward.tool("ward"));
    let run = ward.run_by(&control, &scattered(APART));
    bit(&run);
    whole(&ward, &run);
}

/// It says that it has done so.
#[test]
fn a_tool_that_parts_nobody_does_not_bite() {
    let ward = cluster();
    let run = ward.run_by("command:true {action} {node}", &scattered(APART));
    run.exits(4).has("published 160, lost 0");
    run.says("did not bite: no other node reported it down");
    whole(&ward, &run);
}

#[test]
fn a_partition_that_nobody_could_tell_of_is_told_before_the_run() {
    let ward = cluster();
    let yaml = "
scenario: blind
requires: { nodes: 3 }
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
faults: [{ partition: broker, node: 1, at: 100ms, for: 1s }]
";
    let allowed = ["--allow-faults", "--broker-control", "command:false {action} {node}"];
    let scene = Scene::new(yaml);
    let mut command = ward.command_on(&scene, &[1]);
    command.args(allowed);
    let run = scene.run_command(command);
    run.exits(3).says("`partition` needs the addresses of several nodes").says("name them all");
    assert!(ward.works());
}

/// Stopped, paused, parted or alarmed without an end.
#[test]
fn what_befell_a_node_is_undone_after_an_interruption() {
    let ward = cluster();
    for (fault, action) in [
        ("stop: broker, node: 2, at: 1s, how: sigkill", "kill"),
        ("pause: broker, node: 2, at: 1s", "pause"),
        ("partition: broker, node: 2, at: 1s", "part"),
        ("block: broker, at: 1s", "memory-alarm-on"),
    ] {
        let scene = Scene::new(&scattered(fault));
        let mut command = ward.command(&scene);
        let done = scene.dir().join("done");
        let line = format!(
            "command:{} {{action}} {{node}} && echo {{action}} >> {}",
            ward.tool("ward"),
            done.display()
        );
        command.args(["--allow-faults", "--broker-control", &line]);
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let acted = || std::fs::read_to_string(&done).unwrap_or_default().contains(action);
        while !acted() && child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "it never came to {action}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = kill_process(Pid::from_child(&child), Signal::INT);
        let run = scene.read(child.wait_with_output().unwrap(), began.elapsed());
        run.exits(130);
        let actions = std::fs::read_to_string(&done).unwrap();
        let undone = match action {
            "kill" => "start\nid\n",
            "pause" => "resume\n",
            "part" => "heal\n",
            _ => "memory-alarm-off\n",
        };
        assert!(actions.ends_with(undone), "{fault}: {actions}");
        whole(&ward, &run);
    }
}

/// How a run goes that is given the addresses of these nodes alone.
#[track_caller]
fn on(ward: &Turn, nodes: &[usize], yaml: &str) -> Run {
    let scene = Scene::new(yaml);
    scene.run_command(ward.command_on(&scene, nodes))
}

#[test]
fn the_nodes_that_run_are_counted_and_those_with_an_address_can_be_named() {
    let ward = cluster();
    let file = |nodes: u64, place: &str| {
        format!(
            "
scenario: counted
requires: {{ nodes: {nodes} }}
topology: {{ queues: [{{ name: q, type: quorum }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 10 }}]
workers: [{{ name: w, queue: q{place} }}]
"
        )
    };
    on(&ward, &[1], &file(3, "")).exits(0).has("delivered 10");
    let run = on(&ward, &[1, 2], &file(3, ", node: 3"));
    run.exits(0).says("names node 3, and `--broker` gives the address of 2 of 3");
    on(&ward, &[1, 2, 3], &file(3, ", node: 3")).exits(0).has("delivered 10");
    on(&ward, &[1, 2, 3], &file(4, "")).exits(0).says("requires 4 nodes, this is 3");
}

#[test]
fn addresses_that_do_not_fit_together_are_told_before_anything_is_done() {
    let ward = cluster();
    let yaml = scattered("purge: q, at: 1s");
    let refused = |broker: &str, management: &[&str], says: &str| {
        let scene = Scene::new(&yaml);
        let mut command = scene.bare();
        command.args(["--broker", broker]);
        for url in management {
            command.args(["--management", url]);
        }
        let run = scene.run_command(command);
        run.exits(2).says(says);
        assert!(!format!("{run}").contains(&ward.facts().password), "{run}");
    };
    let choice = Choice::Private { server: None, settings: Settings::default() };
    let other = block_on(Broker::open(choice, program())).unwrap();
    let (one, port) = (ward.addresses(&[1]), other.facts().unwrap().amqp);
    // Its greeting is read before anybody logs in.
    refused(&format!("{one},amqp://127.0.0.1:{port}"), &[], "the addresses are not of one cluster");
    block_on(other.close()).unwrap();
    let (port, api) = (ward.facts().amqp, ward.facts().management);
    let api = format!("http://127.0.0.1:{api}");
    let twice = format!("{one},amqp://localhost:{port}");
    refused(&twice, &[&api], &format!("lead to the same node, {}", ward.facts().name));
    refused(&format!("{one},{one}"), &[], "is named twice");
    let two = [api.as_str(), api.as_str()];
    refused(&ward.addresses(&[1, 2, 3]), &two, "2 management addresses are given for 3");
    let scene = Scene::new(&scattered(KILL));
    let mut command = ward.command(&scene);
    command.args(["--allow-faults", "--broker-control", "docker:one"]);
    scene.run_command(command).exits(2).says("means the same for all 3 nodes");
}

/// The first of them goes while the run is on: the others are asked instead.
#[test]
fn a_node_that_is_away_is_not_missed_by_those_who_look_and_clean_up() {
    let ward = cluster();
    let control = format!("command:{} {{action}} {{node}}", ward.tool("ward"));
    let fault = "restart: broker, node: 1, at: 1s, how: sigkill, down_for: 3s";
    let run = ward.run_by(&control, &scattered(fault));
    bit(&run);
    assert!(ward.works());
}
