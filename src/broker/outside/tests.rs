//! What is run for each act, by each tool: golden, without any of the tools.

use super::hands::Hands;
use super::tool::Tool;
use super::*;
use crate::broker::control;
use crate::plan::model::BrokerAct;

const ACTS: [Act; 12] = [
    Act::Stop(StopHow::Graceful),
    Act::Stop(StopHow::Sigkill),
    Act::Start,
    Act::Who,
    Act::Pause,
    Act::Resume,
    Act::Alarm(Alarm::Memory, true),
    Act::Alarm(Alarm::Disk, false),
    Act::Part,
    Act::Heal,
    Act::IsSplit,
    Act::Rejoin,
];

fn hands(given: &[&str], nodes: usize) -> Result<Hands, crate::broker::BrokerError> {
    let given: Vec<_> = given.iter().map(|text| (*text).to_owned()).collect();
    Hands::parse(&given, nodes)
}

/// The tool of the second of two nodes.
fn tool(given: &str) -> Tool {
    hands(&[given], 1).unwrap().tool(1, "rabbit@b")
}

/// What is run for each act, and asked before; Erlang sentences by their names.
#[track_caller]
fn check(given: &str, expected: &str) {
    let tool = tool(given);
    let mut found = String::new();
    for act in ACTS {
        for line in tool.asks_process(act).into_iter().chain(tool.lines(act, "4711")) {
            found += &format!("{line}\n");
        }
    }
    for (name, sentence) in [
        ("LIFE", erlang::LIFE),
        ("PROCESS", erlang::PROCESS),
        ("PLACE", erlang::PLACE),
        ("MEMORY", &erlang::alarm(Alarm::Memory, true)),
        ("NO-DISK", &erlang::alarm(Alarm::Disk, false)),
        ("PART", erlang::PART),
        ("HEAL", erlang::HEAL),
        ("IS-SPLIT", &control::erlang::is_split()),
    ] {
        found = found.replace(&running::quoted(sentence), name);
    }
    let expected: Vec<_> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{given}");
}

#[test]
fn containers_are_stopped_started_and_paused_by_their_engine() {
    for engine in ["docker", "podman"] {
        let expected = "
            ENGINE stop -t 90 rmq-2
            ENGINE kill --signal KILL rmq-2
            ENGINE start rmq-2
            ENGINE inspect --format '{{.State.Pid}} {{.State.StartedAt}}' rmq-2
            ENGINE pause rmq-2
            ENGINE unpause rmq-2
            ENGINE exec rmq-2 rabbitmqctl eval MEMORY
            ENGINE exec rmq-2 rabbitmqctl eval NO-DISK
            ENGINE exec rmq-2 rabbitmqctl eval PART
            ENGINE exec rmq-2 rabbitmqctl eval HEAL
            ENGINE exec rmq-2 rabbitmqctl eval IS-SPLIT
            ENGINE exec rmq-2 rabbitmqctl stop_app
            ENGINE exec rmq-2 rabbitmqctl start_app";
        check(&format!("{engine}:rmq-{{node}}"), &expected.replace("ENGINE", engine));
    }
}

#[test]
fn units_are_stopped_started_and_signalled_by_systemd() {
    check(
        "systemd:rabbitmq-server",
        "
        systemctl --no-ask-password stop rabbitmq-server
        systemctl --no-ask-password kill --signal=SIGKILL rabbitmq-server
        systemctl --no-ask-password stop rabbitmq-server
        systemctl --no-ask-password start rabbitmq-server
        systemctl --no-ask-password show --property=MainPID --property=ExecMainStartTimestampMonotonic rabbitmq-server
        systemctl --no-ask-password kill --signal=SIGSTOP rabbitmq-server
        systemctl --no-ask-password kill --signal=SIGCONT rabbitmq-server
        rabbitmqctl eval MEMORY
        rabbitmqctl eval NO-DISK
        rabbitmqctl eval PART
        rabbitmqctl eval HEAL
        rabbitmqctl eval IS-SPLIT
        rabbitmqctl stop_app
        rabbitmqctl start_app",
    );
}

#[test]
fn pods_keep_their_process_unless_it_is_killed() {
    let expected = "
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl stop_app
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval PROCESS
        KUBECTL exec hare-server-1 --container rabbitmq -- sh -c 'kill -KILL 4711'
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl start_app
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval LIFE
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval PROCESS
        KUBECTL exec hare-server-1 --container rabbitmq -- sh -c 'kill -STOP 4711'
        KUBECTL exec hare-server-1 --container rabbitmq -- sh -c 'kill -CONT 4711'
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval MEMORY
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval NO-DISK
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval PART
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval HEAL
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl eval IS-SPLIT
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl stop_app
        KUBECTL exec hare-server-1 --container rabbitmq -- rabbitmqctl start_app";
    check(
        "kubectl:meadow/hare-server-{index}",
        &expected.replace("KUBECTL", "kubectl --namespace meadow"),
    );
    check("kubectl:hare-server-{index}", &expected.replace("KUBECTL", "kubectl"));
    let waits = tool("kubectl:meadow/hare-server-{index}").waits_for_start().unwrap();
    assert_eq!(
        waits.to_string(),
        "kubectl --namespace meadow wait --for=condition=Ready --timeout=100s pod/hare-server-1"
    );
    assert_eq!(tool("docker:hare").waits_for_start(), None);
}

#[test]
fn rabbitmqctl_stops_the_application_and_signals_the_process() {
    check(
        "rabbitmqctl:{name}",
        "
        rabbitmqctl --node rabbit@b stop_app
        rabbitmqctl --node rabbit@b start_app
        rabbitmqctl --node rabbit@b eval LIFE
        rabbitmqctl --node rabbit@b eval PLACE
        kill -s STOP 4711
        kill -s CONT 4711
        rabbitmqctl --node rabbit@b eval MEMORY
        rabbitmqctl --node rabbit@b eval NO-DISK
        rabbitmqctl --node rabbit@b eval PART
        rabbitmqctl --node rabbit@b eval HEAL
        rabbitmqctl --node rabbit@b eval IS-SPLIT
        rabbitmqctl --node rabbit@b stop_app
        rabbitmqctl --node rabbit@b start_app",
    );
}

#[test]
fn a_command_is_told_what_to_do_with_whom() {
    check(
        "command:ssh host-{node} rmq {action} {name} ${HOME}",
        "
        sh -c 'ssh host-2 rmq stop rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq kill rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq start rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq id rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq pause rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq resume rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq memory-alarm-on rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq disk-alarm-off rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq part rabbit@b ${HOME}'
        sh -c 'ssh host-2 rmq heal rabbit@b ${HOME}'",
    );
    // What a cluster calls its nodes is nothing that a shell may read as more than a name.
    let tool = hands(&["command:do {action} {name}"], 1).unwrap().tool(0, "a; rm b");
    assert_eq!(tool.lines(Act::Start, "")[0].0[2], "do start 'a; rm b'");
}

#[test]
fn what_a_tool_cannot_do_is_known_before() {
    use std::time::Duration;
    let restart = |how| BrokerAct::Restart { how, down_for: Duration::ZERO };
    let (graceful, sigkill) = (StopHow::Graceful, StopHow::Sigkill);
    let all = [
        restart(graceful),
        restart(sigkill),
        BrokerAct::Stop { how: graceful },
        BrokerAct::Stop { how: sigkill },
        BrokerAct::Pause { lasts: None },
        BrokerAct::Block { alarm: Alarm::Disk, lasts: None },
        BrokerAct::Partition { lasts: None },
    ];
    let refused = |given: &str| {
        let hands = hands(&[given], 1).unwrap();
        all.map(|act| hands.refusal(&act, None).is_some())
    };
    for everything in ["docker:x", "podman:x", "systemd:x", "command:x {action}"] {
        assert_eq!(refused(everything), [false; 7], "{everything}");
    }
    assert_eq!(refused("kubectl:x"), [false, false, false, true, false, false, false]);
    assert_eq!(refused("rabbitmqctl:x"), [false, true, false, true, false, false, false]);
    let mixed = hands(&["docker:a", "rabbitmqctl:b"], 2).unwrap();
    let killed = restart(sigkill);
    assert_eq!(mixed.refusal(&killed, Some(0)), None);
    for node in [Some(1), None] {
        let why = mixed.refusal(&killed, node).unwrap();
        assert!(why.contains("cannot start a process again that was killed"), "{why}");
    }
}

#[test]
fn mistakes_are_told_with_a_remedy() {
    for (given, nodes, says, advises) in [
        (&["ssh:x"][..], 1, "there is no kind \"ssh\"; there are: docker", "rabbitmqctl:NODE"),
        (&["docker"], 1, "does not say what", "docker:CONTAINER"),
        (&["docker:"], 1, "does not say what", "docker:CONTAINER"),
        (&["kubectl:here/"], 1, "does not say what", "kubectl:NAMESPACE/POD"),
        (&["docker:--all"], 1, "does not begin with a hyphen", "docker:CONTAINER"),
        (&["kubectl:here/-x"], 1, "does not begin with a hyphen", "kubectl:NAMESPACE/POD"),
        (&["command:restart it"], 1, "`{action}`", "command:LINE"),
        (&["docker:x"], 3, "the same for all 3 nodes", "{index}"),
        (&["docker:x", "docker:y"], 3, "given 2 times for 3 nodes", "once for all"),
        (&["docker:x", "docker:y"], 1, "given 2 times for 1 node", "once for all"),
    ] {
        let error = hands(given, nodes).unwrap_err();
        assert!(error.is_usage() && error.message.contains(says), "{error}");
        assert!(error.help.as_ref().unwrap().contains(advises), "{error:?}");
    }
    assert!(hands(&["docker:x-{index}"], 3).is_ok());
    assert!(hands(&["docker:x", "systemd:y"], 2).is_ok());
    assert!(hands(&["rabbitmqctl:{name}"], 2).unwrap().need_names());
    assert!(!hands(&["docker:{node}"], 2).unwrap().need_names());
}
