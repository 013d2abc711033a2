//! Faults of a broker that is somebody else's: refused unless allowed, and then done by the tools
//! of whoever has it, and undone.
//!
//! One version of RabbitMQ is enough for this.

mod scenes;
mod support;
mod ward;

use scenes::{Run, Scene};
use ward::{Turn, ward};

/// A broker that ends under a producer and a worker who come back.
fn ends(fault: &str) -> String {
    format!(
        "
scenario: theirs
topology: {{ queues: [{{ name: q }}] }}
producers:
  - name: p
    to: {{ queue: q }}
    messages: 300
    rate: 40/s
    reconnect: {{ after: 100ms, unconfirmed: republish }}
workers: [{{ name: w, queue: q, reconnect: {{ after: 100ms }} }}]
faults:
  - {{ {fault} }}
settle: {{ idle: 300ms }}
expect: {{ lost: 0 }}
"
    )
}

const RESTART: &str = "restart: broker, at: 1500ms, down_for: 300ms";
const KILL: &str = "restart: broker, at: 1500ms, how: sigkill, down_for: 300ms";
/// One after another.
const MILD: &str = "name: shut, block: broker, at: 500ms, for: 500ms }
  - { name: still, pause: broker, after: { fault: shut }, for: 1s }
  - { name: calm, restart: broker, after: { fault: still }";
const ALL: &str = "name: shut, block: broker, at: 500ms, for: 500ms }
  - { name: still, pause: broker, after: { fault: shut }, for: 1s }
  - { name: calm, restart: broker, after: { fault: still } }
  - { name: hard, restart: broker, after: { fault: calm }, how: sigkill";

#[test]
fn they_are_refused_before_anything_is_started_unless_they_are_allowed() {
    let scene = Scene::new(&ends(RESTART)).args(&["--broker", "amqp://u:s3cret-word@127.0.0.1:1"]);
    let refused = |args: &[&str]| {
        let mut command = scene.bare();
        command.args(args);
        let run = scene.run_command(command);
        run.exits(2).says("nothing was run").says("scene.yaml:12:");
        run
    };
    refused(&[]).says("`restart broker` is refused").says("`--allow-faults` allows it");
    // By what it is done is no permission.
    refused(&["--broker-control", "docker:x"]).says("`--allow-faults` allows it");
    refused(&["--allow-faults"]).says("`--broker-control KIND:…` says how");
    let scene = Scene::new(&ends(KILL)).args(&["--broker", "amqp://u:s3cret-word@127.0.0.1:1"]);
    let mut command = scene.bare();
    command.args(["--allow-faults", "--broker-control", "rabbitmqctl:rabbit@h"]);
    let run = scene.run_command(command);
    run.exits(2).says("cannot start a process again that was killed").says("scene.yaml:12:");
}

#[test]
fn a_mistake_in_it_is_told_before_anything_is_started() {
    for (control, says) in
        [("ssh:x", "there is no kind \"ssh\""), ("command:do it", "needs the place `{action}`")]
    {
        let scene = Scene::new(&ends(RESTART));
        let mut command = scene.bare();
        command.args(["--broker", "amqp://127.0.0.1:1", "--allow-faults"]);
        command.args(["--broker-control", control]);
        scene.run_command(command).exits(2).says(says);
    }
}

/// The network of a program is ours, and what a queue loses too.
#[test]
fn other_faults_need_no_permission() {
    let run = ward().run(&ends("cut: w, at: 1s, for: 300ms"), &[]);
    run.exits(0).has("delivered 300, lost 0");
}

/// Every fault was seen to bite, and the broker works again.
#[track_caller]
fn all_bit(ward: &Turn, run: &Run, count: usize) {
    run.exits(0).has("published 300, lost 0");
    for index in 0..count {
        assert_eq!(run.row("faults", index)["bit"], true, "{run}");
    }
    assert!(ward.works(), "{run}");
}

#[test]
fn a_command_stops_kills_and_pauses_it() {
    let ward = ward();
    let run = ward.run_by(&format!("command:{} {{action}}", ward.tool("ward")), &ends(ALL));
    all_bit(&ward, &run, 4);
    // Which life ended and which began is what the command says.
    let effect = run.row("faults", 2)["effect"].as_str().unwrap();
    assert!(effect.matches("life-").count() == 2, "{run}");
}

/// Each is called in the right order; the last of the calls for each fault.
fn calls_of(control: &str, expected: &[&str]) {
    let ward = ward();
    let run = ward.run_by(control, &ends(ALL));
    all_bit(&ward, &run, 4);
    let calls = ward.calls();
    let mut left = calls.iter();
    for call in expected {
        let called = left.any(|line| line.starts_with(call));
        assert!(called, "{call} is missing, or not in its place, in {calls:#?}");
    }
}

#[test]
fn a_container_is_handled_by_its_engine() {
    let expected = [
        "docker exec theirs rabbitmqctl eval case",
        "docker exec theirs rabbitmqctl eval rabbit_alarm:clear",
        "docker pause theirs",
        "docker unpause theirs",
        "docker stop -t 90 theirs",
        "docker start theirs",
        "docker kill --signal KILL theirs",
        "docker start theirs",
    ];
    calls_of("docker:theirs", &expected);
}

#[test]
fn a_unit_is_handled_by_systemd() {
    let expected = [
        "kill --signal=SIGSTOP theirs",
        "kill --signal=SIGCONT theirs",
        "stop theirs",
        "start theirs",
        "kill --signal=SIGKILL theirs",
        "stop theirs",
        "start theirs",
    ];
    let expected = expected.map(|call| format!("systemctl --no-ask-password {call}"));
    let mut calls = vec!["rabbitmqctl eval case", "rabbitmqctl eval rabbit_alarm:clear"];
    calls.extend(expected.iter().map(String::as_str));
    calls_of("systemd:theirs", &calls);
}

#[test]
fn a_pod_is_handled_by_kubectl() {
    let expected = [
        "exec theirs-server-0 --container rabbitmq -- rabbitmqctl eval case",
        "exec theirs-server-0 --container rabbitmq -- rabbitmqctl eval rabbit_alarm:clear",
        "exec theirs-server-0 --container rabbitmq -- sh -c kill -STOP ",
        "exec theirs-server-0 --container rabbitmq -- sh -c kill -CONT ",
        "exec theirs-server-0 --container rabbitmq -- rabbitmqctl stop_app",
        "exec theirs-server-0 --container rabbitmq -- rabbitmqctl start_app",
        "exec theirs-server-0 --container rabbitmq -- sh -c kill -KILL ",
        "wait --for=condition=Ready --timeout=100s pod/theirs-server-0",
    ];
    let expected = expected.map(|call| format!("kubectl --namespace here {call}"));
    let expected = expected.each_ref().map(String::as_str);
    calls_of("kubectl:here/theirs-server-{index}", &expected);
}

/// The real tool, on the real process.
#[test]
fn rabbitmqctl_stops_the_application_and_pauses_the_process() {
    let ward = ward();
    let run = ward.run_by("rabbitmqctl:{name}", &ends(MILD));
    all_bit(&ward, &run, 3);
    let stop = format!("rabbitmqctl --node {} stop_app", ward.facts().name);
    assert!(ward.calls().contains(&stop), "{:?}", ward.calls());
}

/// Without `for`, or for good: whatever it is, it is over when the run is.
#[test]
fn what_is_left_stopped_or_paused_is_brought_back() {
    let ward = ward();
    let control = format!("command:{} {{action}}", ward.tool("ward"));
    for fault in ["stop: broker, at: 1s", "pause: broker, at: 1s"] {
        let yaml = ends(fault).replace("idle: 300ms", "idle: 300ms, deadline: 4s");
        let run = ward.run_by(&control, &yaml);
        assert_eq!(run.row("faults", 0)["fired"], true, "{run}");
        assert!(ward.works(), "{fault}{run}");
        let left = run.err.contains("left behind") || run.err.contains("rmq-scenario-");
        assert!(!left, "{run}");
    }
}

#[test]
fn after_an_interruption_it_is_brought_back_as_well() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::time::{Duration, Instant};
    let ward = ward();
    for (fault, action) in [("stop: broker, at: 1s", "stop"), ("pause: broker, at: 1s", "pause")] {
        let scene = Scene::new(&ends(fault));
        let mut command = ward.command(&scene);
        // The tool that stops it writes that it has.
        let done = scene.dir().join("done");
        let line = format!(
            "command:{} {{action}} && echo {{action}} >> {}",
            ward.tool("ward"),
            done.display()
        );
        command.args(["--allow-faults", "--broker-control", &line]);
        let began = Instant::now();
        let child = command.spawn().unwrap();
        while !std::fs::read_to_string(&done).unwrap_or_default().contains(action) {
            assert!(began.elapsed() < Duration::from_secs(30), "it never came to {action}");
            std::thread::sleep(Duration::from_millis(5));
        }
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        let run = scene.read(child.wait_with_output().unwrap(), began.elapsed());
        run.exits(130);
        assert!(ward.works(), "{fault}{run}");
    }
}

#[test]
fn a_tool_that_fails_is_told_with_its_words() {
    let ward = ward();
    let run = ward.run_by("command:echo it is broken >&2; false {action}", &ends(RESTART));
    run.exits(3).says("stopping the RabbitMQ at 127.0.0.1").says("it is broken");
    let run = ward.run_by("podman:other", &ends("stop: broker, at: 1s, how: graceful"));
    assert_eq!(run.row("faults", 0)["fired"], true, "{run}");
    assert!(ward.works());
}
