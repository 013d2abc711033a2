//! A private broker in a container. The engine is played by `tests/engine/docker`, which writes
//! down what it is told and runs a real server where a container would.
//!
//! One version of RabbitMQ is enough for this.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rmq_scenario::broker::{SERVER_VARIABLE, locate};
use rustix::process::{Pid, Signal, kill_process};
use support::traces;
use tempfile::TempDir;

const IMAGE: &str = "docker:rabbitmq:4.3-management";
const SCENARIO: &str = "\
scenario: contained
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers: [{ name: w, queue: q }]
expect: { delivered: 5 }
";

/// The player, and what it knows.
struct Engine {
    dir: TempDir,
}

impl Engine {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("engine-").tempdir().unwrap();
        let player = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine");
        for (folder, name) in [("outside", "docker"), ("inside", "docker-entrypoint.sh")] {
            fs::create_dir(dir.path().join(folder)).unwrap();
            symlink(player.join(name), dir.path().join(folder).join(name)).unwrap();
        }
        Self { dir }
    }

    /// One that behaves otherwise from the beginning.
    fn with(file: &str, text: &str) -> Self {
        let engine = Self::new();
        fs::write(engine.path(file), text).unwrap();
        engine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program on a scenario, with this engine first in its path, and perhaps a `--server`.
    fn command(&self, server: Option<&str>) -> Command {
        self.command_on(SCENARIO, server)
    }

    fn command_on(&self, scenario: &str, server: Option<&str>) -> Command {
        fs::write(self.path("contained.yaml"), scenario).unwrap();
        let path = format!("{}:{}", self.path("outside").display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(support::program());
        for name in ["RMQ_SCENARIO_BROKER", "RMQ_SCENARIO_ENGINE", SERVER_VARIABLE] {
            command.env_remove(name);
        }
        command.arg("run").arg(self.path("contained.yaml"));
        if let Some(server) = server {
            command.args(["--server", server]);
        }
        command.env("PATH", path).env("FAKE_DIR", self.dir.path());
        // Only what boots a node needs it.
        command.env("FAKE_SERVER", locate(None).unwrap_or_default());
        command.env("TMPDIR", self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self) -> Output {
        self.command(Some(IMAGE)).output().unwrap()
    }

    /// Runs it to a failure of the world, and returns what it says.
    fn fails(&self) -> String {
        let output = self.run();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
        self.is_clean();
        said
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    fn containers(&self) -> usize {
        fs::read_dir(self.path("containers")).map_or(0, Iterator::count)
    }

    /// The processes that belong to it: its directory is in the environment of each.
    fn processes(&self) -> Vec<String> {
        traces::processes(self.dir.path()).into_iter().map(|(_, name)| name).collect()
    }

    /// No container, no process, no directory of a node is left, or soon will be.
    #[track_caller]
    fn is_clean(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let temporary = fs::read_dir(self.dir.path()).unwrap().flatten();
            let nodes = temporary.filter(|it| it.file_name().to_string_lossy().starts_with("rmq-"));
            let left = (self.containers(), self.processes(), nodes.count());
            if left == (0, vec![], 0) {
                return;
            }
            assert!(Instant::now() < deadline, "left: {left:?}\n{}", self.calls().join("\n"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    fn when(&self, what: &str, seen: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(90);
        while !seen(self) {
            assert!(Instant::now() < deadline, "never saw {what}\n{}", self.calls().join("\n"));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Where no server is installed, nothing can play a container. But then there is an engine, and
/// the real thing must do.
fn runs_in_a_real_container() {
    let engine = Engine::new();
    let mut command = Command::new(support::program());
    engine.command(None);
    let output = command.arg("run").arg(engine.path("contained.yaml")).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn a_scenario_runs_in_a_container_that_is_gone_afterwards() {
    if support::contained() {
        return runs_in_a_real_container();
    }
    let engine = Engine::new();
    let output = engine.run();
    let said = format!("{output:?}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 variant passed"), "{said}");
    engine.is_clean();

    let calls = engine.calls();
    assert_eq!(calls[0], "ps --quiet");
    assert_eq!(calls[1], "image inspect rabbitmq:4.3-management");
    assert_eq!(calls[2], "pull rabbitmq:4.3-management");
    let run = &calls[3];
    let name = run.split("--name=").nth(1).unwrap().split(' ').next().unwrap();
    assert!(run.starts_with("run --name=rmq-scenario-"), "{run}");
    assert!(run.contains(" --label=rmq-scenario "), "{run}");
    assert!(!run.contains("default_pass"), "everybody can read the arguments: {run}");
    assert!(calls.contains(&format!("rm --force --volumes {name}")), "{calls:?}");
    let last = format!("ps --all --quiet --filter name={name}");
    assert_eq!(calls.last(), Some(&last), "it makes sure");

    engine.run();
    assert_eq!(engine.calls().iter().filter(|call| call.starts_with("pull")).count(), 1);
    engine.is_clean();
}

#[test]
fn however_the_program_ends_the_container_goes() {
    if support::contained() {
        // Without a server that could play the node, only its making can be interrupted.
        return made_after_the_end(Signal::TERM);
    }
    for (how, code) in [(Signal::INT, Some(130)), (Signal::TERM, Some(130)), (Signal::KILL, None)] {
        let engine = Engine::new();
        let mut child = engine.command(Some(IMAGE)).spawn().unwrap();
        engine.when("the node", |engine| engine.processes().iter().any(|it| it.contains("beam")));
        signal(&child, how);
        assert_eq!(child.wait().unwrap().code(), code, "{how:?}");
        engine.is_clean();
    }
}

/// A durable queue and what befalls its broker.
fn befallen(fault: &str) -> String {
    format!(
        "
scenario: befallen
topology: {{ queues: [{{ name: q }}] }}
producers:
  - name: p
    to: {{ queue: q }}
    messages: 150
    rate: 50/s
    confirms: {{ timeout: 60s }}
    reconnect: {{ after: 100ms, unconfirmed: republish }}
workers: [{{ name: w, queue: q, reconnect: {{ after: 100ms }} }}]
faults: [{{ {fault} }}]
settle: {{ idle: 500ms, deadline: 90s }}
expect: {{ published: 150, lost: 0, in_doubt: 0, delivered: 150 }}
"
    )
}

#[test]
fn what_befalls_a_broker_befalls_its_container() {
    if support::contained() {
        return;
    }
    for (fault, called) in [
        ("restart: broker, at: 1500ms", &["kill --signal=TERM", "start --attach"][..]),
        ("restart: broker, at: 1500ms, how: sigkill", &["kill --signal=KILL", "start --attach"]),
        ("pause: broker, at: 1s, for: 1s", &["pause", "unpause"]),
        ("block: broker, at: 1s, for: 2s", &["exec"]),
    ] {
        let engine = Engine::new();
        let output = engine.command_on(&befallen(fault), Some(IMAGE)).output().unwrap();
        let said = format!("{fault}: {output:?}\n{}", engine.calls().join("\n"));
        assert_eq!(output.status.code(), Some(0), "{said}");
        let calls = engine.calls();
        let name = calls.iter().find_map(|call| call.strip_prefix("run --name=")).unwrap();
        let name = name.split(' ').next().unwrap();
        for called in called {
            let told = format!("{called} {name}");
            assert!(calls.iter().any(|call| call.starts_with(&told)), "{told}: {said}");
        }
        engine.is_clean();
    }
}

/// Between two lives nobody but the engine knows of the container.
#[test]
fn a_container_that_was_stopped_goes_however_the_program_ends() {
    if support::contained() {
        return;
    }
    for (how, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let engine = Engine::new();
        let yaml = befallen("restart: broker, at: 200ms, how: sigkill, down_for: 60s");
        let mut child = engine.command_on(&yaml, Some(IMAGE)).spawn().unwrap();
        engine.when("its end", |engine| {
            engine.calls().iter().any(|call| call.starts_with("kill --signal=KILL"))
                && !engine.processes().iter().any(|it| it.contains("beam"))
        });
        assert_eq!(engine.containers(), 1, "it can be started again");
        signal(&child, how);
        assert_eq!(child.wait().unwrap().code(), code, "{how:?}");
        engine.is_clean();
    }
}

/// The engine may be asked to remove a container that it is only about to make.
#[test]
fn a_container_that_is_made_after_the_program_has_ended_goes_too() {
    for how in [Signal::INT, Signal::KILL] {
        made_after_the_end(how);
    }
}

fn made_after_the_end(how: Signal) {
    let engine = Engine::with("slow", "");
    let mut child = engine.command(Some(IMAGE)).spawn().unwrap();
    engine.when("its making", |engine| engine.path("made").exists());
    signal(&child, how);
    // The first one finds nothing to remove, and must not be the last.
    engine.when("several tries to remove it", |engine| {
        engine.calls().iter().filter(|call| call.starts_with("rm ")).count() >= 3
    });
    assert_eq!(engine.containers(), 0);
    fs::remove_file(engine.path("slow")).unwrap();
    child.wait().unwrap();
    engine.is_clean();
}

#[test]
fn what_keeps_the_container_from_running_is_told() {
    let mistake = "docker: Error response from daemon: no space left on device.";
    for (file, text, says) in [
        ("down", "", "error: docker is installed, but does not answer"),
        ("down", "", "Is the docker daemon running?"),
        ("offline", "", "error: docker cannot pull the image rabbitmq:4.3-management"),
        ("offline", "", "manifest for rabbitmq:4.3-management not found"),
        ("refuses", mistake, "error: the private RabbitMQ ended while it booted"),
        ("refuses", mistake, mistake),
        ("refuses", mistake, "the last words of its container, from the image"),
    ] {
        let said = Engine::with(file, text).fails();
        let said: Vec<&str> = said.split_whitespace().collect();
        assert!(said.join(" ").contains(says), "{says:?} in {}", said.join(" "));
    }
}

#[test]
fn a_port_that_was_taken_meanwhile_is_tried_again_with_others() {
    let engine = Engine::with("refuses", "Bind for 127.0.0.1:1 failed: port is already allocated");
    engine.fails();
    let runs = engine.calls().into_iter().filter(|call| call.starts_with("run"));
    let ports = runs.map(|run| run.split("--publish=").nth(1).unwrap().to_owned());
    let ports: std::collections::BTreeSet<String> = ports.collect();
    assert_eq!(ports.len(), 3, "{ports:?}");
}

#[test]
fn the_environment_may_name_the_image_and_the_engine() {
    let engine = Engine::with("offline", "");
    let said = |server: Option<&str>, allowed: &str| {
        let mut command = engine.command(server);
        command.env("RMQ_SCENARIO_ENGINE", allowed).env(SERVER_VARIABLE, "docker:one/of-my:own");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8(output.stderr).unwrap()
    };
    for (server, allowed, says) in [
        (None, "", "docker cannot pull the image one/of-my:own"),
        (Some(IMAGE), "docker", "docker cannot pull the image rabbitmq:4.3-management"),
        (None, "none", "RMQ_SCENARIO_ENGINE allows no engine"),
    ] {
        let said = said(server, allowed);
        assert!(said.contains(says), "{says:?} in {said}");
    }
}
