//! A broker that is kept warm between runs: its whole life, what finds it, and what is left.
//!
//! One version of RabbitMQ is enough for this.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::traces;

const SHORT: &str = "
scenario: short
topology: { queues: [{ name: orders }] }
producers: [{ name: shop, to: { queue: orders }, messages: 10 }]
workers: [{ name: clerk, queue: orders }]
expect: { delivered: 10, lost: 0 }
";

/// Longer than anybody would wait for it.
const LONG: &str = "
scenario: long
topology: { queues: [{ name: orders }] }
producers: [{ name: shop, to: { queue: orders }, messages: 1000 }]
workers: [{ name: clerk, queue: orders, work: 100ms }]
settle: { deadline: 100s }
variants: [{ name: one }, { name: two }]
";

/// A user's world: where the warm broker is written down, and where nodes live.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("warm-").tempdir().unwrap();
        for name in ["runtime", "tmp"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("short.yaml"), SHORT).unwrap();
        fs::write(dir.path().join("long.yaml"), LONG).unwrap();
        Self { dir }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(support::program());
        // `run` would start the server that is named; `up` starts whichever the tests are for.
        if words.first() != Some(&"broker") {
            command.env_remove("RMQ_SCENARIO_SERVER");
        }
        command.args(words).current_dir(self.dir.path());
        command.env_remove("RMQ_SCENARIO_BROKER").env("TMPDIR", self.dir.path().join("tmp"));
        command.env("XDG_RUNTIME_DIR", self.dir.path().join("runtime"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn call(&self, words: &[&str]) -> Called {
        Called::from(self.command(words).output().expect("the program starts"))
    }

    #[track_caller]
    fn up(&self) -> Called {
        self.call(&["broker", "up"]).exits(0)
    }

    fn place(&self) -> PathBuf {
        let name = format!("rmq-scenario-warm-{}", rustix::process::geteuid().as_raw());
        self.dir.path().join("runtime").join(name)
    }

    fn file(&self) -> PathBuf {
        self.place().join("broker.json")
    }

    /// What is written down, as far as the tests need it.
    fn written(&self) -> Value {
        serde_json::from_slice(&fs::read(self.file()).unwrap()).unwrap()
    }

    fn kill(&self, what: &str) {
        let id = self.written().pointer(what).unwrap().as_i64().unwrap();
        kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), Signal::KILL).unwrap();
    }

    /// The processes that belong to this world, the dead ones aside.
    fn processes(&self) -> Vec<(u32, String)> {
        let words =
            |id| (id, fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default());
        traces::ids(self.dir.path()).into_iter().map(words).collect()
    }

    fn keepers(&self) -> usize {
        self.processes().iter().filter(|(_, words)| words.contains("keep-node")).count()
    }

    fn left(&self) -> Vec<PathBuf> {
        let entries = |name: &str| fs::read_dir(self.dir.path().join(name)).unwrap().flatten();
        entries("runtime").chain(entries("tmp")).map(|entry| entry.path()).collect()
    }

    #[track_caller]
    fn is_empty(&self) {
        assert_eq!((self.processes(), self.left()), (vec![], vec![]));
    }

    #[track_caller]
    fn soon(&self, what: &str, seen: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !seen(self) {
            assert!(Instant::now() < deadline, "never saw {what}: {:?}", self.processes());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// However a test ends, nothing stays.
impl Drop for World {
    fn drop(&mut self) {
        let _ = self.command(&["broker", "down"]).output();
    }
}

struct Called {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Called {
    fn from(output: Output) -> Self {
        let [out, err] =
            [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        Self { code: output.status.code(), out, err }
    }
}

impl Called {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(&self, part: &str) -> &Self {
        assert!(
            self.out.contains(part) || self.err.contains(part),
            "{part}: {}{}",
            self.out,
            self.err
        );
        self
    }
}

#[test]
fn the_life_of_a_warm_broker() {
    let world = World::new();
    world.call(&["broker", "status"]).exits(1).says("`rmq-scenario broker up` starts one");
    world.call(&["broker", "down"]).exits(0).says("no warm RabbitMQ was up");
    world.is_empty();
    let cold = Instant::now();
    world.up().says("is up, ready in").says("rmq-scenario broker down");
    let cold = cold.elapsed();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(world.place()), mode(world.file())), (0o700, 0o600));
    let written = world.written();
    let amqp = format!("amqp://127.0.0.1:{}", written["facts"]["amqp"]);
    let again = world.up();
    again.says("is up already").says(&amqp).says("management  http://127.0.0.1:");
    assert!(!again.out.contains(written["facts"]["password"].as_str().unwrap()));
    assert_eq!((world.written(), world.keepers()), (written, 1));
    for _ in 0..2 {
        let warm = Instant::now();
        let run = world.call(&["run", "short.yaml", "--report", "json=report.json"]).exits(0);
        run.says("warm RabbitMQ").says("1 variant passed");
        println!("up {cold:?}, a run on it {:?}", warm.elapsed());
        assert!(warm.elapsed() < cold, "nothing is gained: {:?}, {cold:?}", warm.elapsed());
        let report = fs::read(world.dir.path().join("report.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["broker"]["kind"], "private");
    }
    let status = world.call(&["broker", "status"]).exits(0);
    status.says(&amqp).says(" MB\n").says("0 virtual hosts of runs").says("is up since 20");
    world.call(&["broker", "down"]).exits(0).says("nothing of it is left");
    world.is_empty();
    world.call(&["broker", "status"]).exits(1);
}

#[test]
fn two_at_the_same_time_end_with_the_same_one() {
    let world = World::new();
    let both = [(); 2].map(|()| world.command(&["broker", "up"]).spawn().unwrap());
    let both = both.map(|up| Called::from(up.wait_with_output().unwrap()).exits(0));
    let already = both.iter().filter(|up| up.out.contains("is up already")).count();
    assert_eq!((already, world.keepers()), (1, 1), "{} {}", both[0].out, both[1].out);
    world.call(&["broker", "down"]).exits(0);
    world.is_empty();
}

#[test]
fn one_that_has_died_is_told_once_and_replaced() {
    let world = World::new();
    world.up();
    world.kill("/facts/pid");
    world.soon("its end", |world| world.processes().is_empty());
    world.call(&["broker", "status"]).exits(1).says("has died");
    let run = world.call(&["run", "short.yaml"]).exits(0);
    run.says("the warm RabbitMQ has died").says("private RabbitMQ");
    world.is_empty();
    world.call(&["broker", "status"]).exits(1).says("no warm RabbitMQ");
}

/// Nobody is there to end the node then; the next command does.
#[test]
fn one_whose_keeper_was_killed_leaves_nothing_either() {
    let world = World::new();
    world.up();
    world.kill("/keeper");
    world.soon("the keeper's end", |world| world.keepers() == 0);
    assert!(!world.processes().is_empty(), "its node goes on");
    world.call(&["broker", "down"]).exits(0);
    world.is_empty();
}

#[test]
fn what_is_written_is_not_believed_without_a_look() {
    let world = World::new();
    world.up();
    let mut written = world.written();
    world.call(&["broker", "down"]).exits(0);
    fs::create_dir(world.place()).unwrap();
    fs::set_permissions(world.place(), fs::Permissions::from_mode(0o700)).unwrap();
    // A process of that number lives, but it is another.
    written["keeper"] = std::process::id().into();
    fs::write(world.file(), written.to_string()).unwrap();
    world.call(&["broker", "status"]).exits(1).says("has died");
    fs::write(world.file(), "{").unwrap();
    world.call(&["broker", "status"]).exits(1).says("no warm RabbitMQ");
    // Where others may write, anything may be written.
    fs::write(world.file(), written.to_string()).unwrap();
    fs::set_permissions(world.place(), fs::Permissions::from_mode(0o777)).unwrap();
    world.call(&["broker", "status"]).exits(1).says("no warm RabbitMQ");
    world.call(&["broker", "up"]).exits(3).says("somebody else can write or read there");
    fs::set_permissions(world.place(), fs::Permissions::from_mode(0o700)).unwrap();
    world.call(&["broker", "down"]).exits(0);
    world.is_empty();
}

#[test]
fn a_start_that_is_broken_off_leaves_nothing() {
    let world = World::new();
    let mut up = world.command(&["broker", "up"]).spawn().unwrap();
    world.soon("the Erlang machine", |world| {
        world.processes().iter().any(|(_, words)| words.contains("beam.smp"))
    });
    up.kill().unwrap();
    up.wait().unwrap();
    world.soon("the end of everything", |world| world.processes().is_empty());
    world.call(&["broker", "status"]).exits(1).says("no warm RabbitMQ");
    world.call(&["broker", "down"]).exits(0);
    world.is_empty();
}

/// A run in the middle of its work.
fn running(world: &World) -> Child {
    let run = world.command(&["run", "long.yaml"]).spawn().unwrap();
    world.soon("its messages", |world| {
        let status = world.call(&["broker", "status"]).exits(0);
        let busy = status.out.contains("1 virtual host of a run, 1 queue, ");
        busy && !status.out.contains(" 0 messages") && !status.out.contains(" 0 connections")
    });
    run
}

#[test]
fn a_run_whose_broker_is_taken_away_says_so() {
    let world = World::new();
    world.up();
    let run = running(&world);
    let began = Instant::now();
    world.call(&["broker", "down"]).exits(0);
    let run = Called::from(run.wait_with_output().unwrap()).exits(3);
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    run.says("the warm RabbitMQ was ended while the run was on").says("rmq-scenario broker down");
    let seen = run.out.lines().find(|line| line.trim_start().starts_with("one "));
    assert!(
        seen.is_some_and(|row| !row.contains(" 0          0 ")),
        "what was seen stands: {}",
        run.out
    );
    world.is_empty();
}
