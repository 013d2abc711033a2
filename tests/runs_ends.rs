//! Interrupted runs: cleaned up, reported, exit 130; and a user without management rights.

mod scenes;
mod support;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use scenes::{Run, Scene, api, facts};
use serde_json::json;

/// Something of everything is under way: a slow producer, a long work, a restart to come.
fn busy(name: &str) -> String {
    format!(
        "
scenario: busy
topology:
  queues: [{{ name: {name} }}, {{ name: {name}-x, exclusive: true }}, {{ name: {name}-a, auto_delete: true }}]
  exchanges: [{{ name: {name}-e, type: fanout }}]
producers:
  - {{ name: p, to: {{ queue: {name} }}, messages: 1000, rate: 50/s }}
  - {{ name: e, to: {{ exchange: {name}-e }}, messages: 1000, rate: 50/s, confirms: false }}
  - {{ name: late, to: {{ queue: {name} }}, messages: 10, start: {{ at: 30s }} }}
workers:
  - {{ name: long, queue: {name}, work: 10m, prefetch: 1 }}
  - {{ name: killed, queue: {name} }}
  - {{ name: own, queue: {name}-x }}
  - {{ name: passing, queue: {name}-a }}
  - {{ name: sub, temporary_queue: {{ bindings: [{{ exchange: {name}-e }}] }} }}
faults:
  - {{ kill: killed, during: 3, restart_after: 30s }}
  - {{ kill: sub, during: 3, how: cancel, restart_after: 30s }}
observe: [{{ name: o, when: {{ at: 30s }} }}]
expect: {{ delivered: 1000 }}
"
    )
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Reads what it says until a line contains `text`; the rest is for whoever collects it.
fn await_line(child: &mut Child, text: &str) -> impl Read + use<> {
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(text) {
        line.clear();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended without saying {text:?}");
    }
    lines
}

/// Interrupts a run once the kill has acted, and sees it end in good order.
fn interrupt(scene: &Scene, mut command: Command, with: Signal) -> Run {
    let mut child = command.spawn().unwrap();
    let mut rest = await_line(&mut child, "kill killed at");
    signal(&child, with);
    let began = Instant::now();
    let mut err = String::new();
    rest.read_to_string(&mut err).unwrap();
    let mut output = child.wait_with_output().unwrap();
    output.stderr = err.into_bytes();
    let run = scene.read(output, began.elapsed());
    run.exits(130).says("interrupted");
    assert!(run.took < Duration::from_secs(20), "{run}");
    assert_eq!(run.variant(0)["reason"], "interrupted", "{run}");
    assert!(run.row("expectations", 0)["held"].is_null(), "{run}");
    run.has("workers.long.begun 1, workers.long.finished 0, workers.killed.begun 3, unexpected 0");
    assert!(run.number(0, "published") < 1000, "{run}");
    assert_eq!(run.number(0, "lost"), run.number(0, "queues.sub.lost"), "{run}");
    run
}

fn left_of(name: &str) -> Vec<String> {
    let mut left = Vec::new();
    for kind in ["queues", "exchanges"] {
        let all = api(Method::GET, &format!("{kind}?disable_stats=true"), &json!(null));
        let names = all.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap());
        left.extend(names.filter(|it| it.contains(name)).map(str::to_owned));
    }
    left
}

#[test]
fn an_interrupted_run_leaves_no_virtual_host() {
    for (name, with) in [("int", Signal::INT), ("term", Signal::TERM), ("hup", Signal::HUP)] {
        let name = format!("ends-{name}");
        let scene = Scene::new(&busy(&name));
        let mut child_of = scene.command();
        let finder = std::thread::spawn({
            let name = name.clone();
            move || scenes::find_queue(&name).0
        });
        child_of.stdin(Stdio::null());
        interrupt(&scene, child_of, with);
        let vhost = finder.join().unwrap();
        let all = api(Method::GET, "vhosts", &json!(null));
        let names: Vec<_> = all.as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
        assert!(!names.contains(&vhost.into()), "{names:?}");
        assert_eq!(left_of(&name), [""; 0]);
    }
}

/// A user who may use `/` and nothing else.
fn plain_user(name: &str) {
    api(Method::PUT, &format!("users/{name}"), &json!({ "password": "plain", "tags": "" }));
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    api(Method::PUT, &format!("permissions/%2F/{name}"), &all);
}

#[test]
fn an_interrupted_run_under_a_prefix_leaves_nothing() {
    plain_user("plain-ends");
    // Observations need the management API.
    let yaml = busy("ends-prefix").replace("observe: [{ name: o, when: { at: 30s } }]", "");
    let scene = Scene::new(&yaml);
    let command = scene.command_as("plain-ends", "plain", "%2F");
    interrupt(&scene, command, Signal::INT);
    assert_eq!(left_of("ends-prefix"), [""; 0]);
    assert_eq!(left_of("rmq-scenario-").iter().filter(|it| it.contains("prefix")).count(), 0);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let scene = Scene::new(&busy("ends-twice"));
    let mut child = scene.command().spawn().unwrap();
    let mut rest = await_line(&mut child, "kill killed at");
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    let _ = rest.read_to_end(&mut Vec::new());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn under_a_prefix_the_numbers_are_the_same() {
    plain_user("plain-runs");
    let yaml = "
scenario: prefixed
vars: { ack: auto }
topology:
  exchanges: [{ name: prefix-t, type: topic }]
  queues: [{ name: prefix-q }, { name: prefix-x, exclusive: true }, { name: prefix-a, auto_delete: true }]
  bindings: [{ from: prefix-t, to: prefix-x, routing_key: 'x.#' }]
producers:
  - { name: p, to: { queue: prefix-q }, messages: 20 }
  - { name: t, to: { exchange: prefix-t, routing_key: [x.y, y] }, messages: 10, mandatory: true }
  - { name: a, to: { exchange: '', routing_key: prefix-a }, messages: 5 }
  - { name: m, to: { exchange: prefix-nowhere, missing: true }, messages: 1, if: false }
workers:
  - { name: w, count: 2, queue: prefix-q, ack: $ack, work: 20ms }
  - { name: x, queue: prefix-x }
  - { name: s, temporary_queue: { bindings: [{ exchange: prefix-t, routing_key: '#' }] } }
faults: [{ kill: w-1, during: 4 }]
matrix: { ack: [auto, manual] }
";
    let scene = Scene::new(yaml);
    for command in [scene.command_as("plain-runs", "plain", "%2F"), scene.command()] {
        let run = scene.run_command(command);
        run.exits(0).has(
            "queues.prefix-q.delivered 13, queues.prefix-q.lost 7, queues.prefix-x.delivered 5, \
             queues.s.delivered 10, queues.prefix-a.remaining 5, returned 0, unexpected 0",
        );
        run.variant_has(1, "queues.prefix-q.delivered 20, redelivered 7, lost 0, unroutable 0");
        assert_eq!(left_of("prefix-q"), [""; 0]);
    }
    assert_eq!(left_of("prefix-"), [""; 0]);
}

/// A private node of its own, in a temporary directory that shows what is left.
fn private(scene: &Scene) -> Command {
    let mut command = scene.bare();
    let tmp = scene.dir().join("tmp");
    std::fs::create_dir_all(&tmp).unwrap();
    command.env("TMPDIR", &tmp).process_group(0);
    command.arg("--report").arg(format!("json={}", scene.report().display()));
    command
}

/// Processes whose environment names the directory.
#[cfg(target_os = "linux")]
fn processes(tmp: &Path) -> Vec<u32> {
    let mark = tmp.to_str().unwrap().as_bytes();
    let ids = std::fs::read_dir("/proc").unwrap().flatten();
    ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|id| {
            let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark)
        })
        .collect()
}

#[cfg(target_os = "linux")]
#[track_caller]
fn nothing_is_left(scene: &Scene) {
    let tmp = scene.dir().join("tmp");
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let (processes, files) = (processes(&tmp), std::fs::read_dir(&tmp).unwrap().count());
        if processes.is_empty() && files == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "left: {processes:?}, {files} files in {tmp:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_private_node_is_gone_after_the_run_and_after_a_signal() {
    let scene = Scene::new(&busy("private"));
    interrupt(&scene, private(&scene), Signal::INT);
    nothing_is_left(&scene);
    let scene = Scene::new(
        "
scenario: fails
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 3 }]
expect: { remaining: 4 }
",
    );
    let run = scene.run_command(private(&scene));
    run.exits(1).has("remaining 3");
    assert_eq!(run.report["broker"]["kind"], "private", "{run}");
    nothing_is_left(&scene);
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_while_the_private_node_boots() {
    for with in [Signal::INT, Signal::TERM] {
        let scene = Scene::new(&busy("boots"));
        let child = private(&scene).spawn().unwrap();
        let tmp = scene.dir().join("tmp");
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read_dir(&tmp).unwrap().count() == 0 {
            assert!(Instant::now() < deadline, "it never made its directory");
            std::thread::sleep(Duration::from_millis(1));
        }
        signal(&child, with);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        nothing_is_left(&scene);
    }
}

#[test]
fn the_password_is_told_nowhere() {
    let scene = Scene::new("scenario: x\ntopology: { queues: [{ name: q }] }\n").args(&["-vv"]);
    let run = scene.run();
    run.exits(0);
    let report = std::fs::read_to_string(scene.report()).unwrap();
    assert!(!format!("{run}{report}").contains(&facts().password));
}
