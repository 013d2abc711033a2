//! However the program ends, nothing of its private node is left: no process, no directory.
//!
//! The program that ends is this test program itself, started again for [`holder`] with a
//! temporary directory of its own. That directory is in the environment of every process that
//! belongs to it, the keeper too, which is how what is left is found.
//!
//! One version of RabbitMQ is enough for this.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rmq_scenario::broker::{Broker, Choice, Control, Settings};
use rmq_scenario::plan::model::{Alarm, NodeId, StopHow};
use rustix::process::{Pid, Signal, kill_process};
use support::{contained, traces};

/// What the holder does once it has its nodes.
const END: &str = "RMQ_TEST_END";
/// What befalls its nodes before that; without it, it has one, to which nothing is done.
const SCENE: &str = "RMQ_TEST_SCENE";
/// The program that becomes the keeper.
const KEEPER: &str = "RMQ_TEST_KEEPER";
/// After its end, all must be gone by then; an engine takes its time to end a container.
const GONE_WITHIN: Duration = Duration::from_secs(2);
const CONTAINER_GONE_WITHIN: Duration = Duration::from_secs(20);

/// Not a test but the program that the tests end: they run this file again with [`END`] set.
#[test]
fn holder() {
    let (Ok(end), Ok(keeper)) = (std::env::var(END), std::env::var(KEEPER)) else { return };
    let scene = std::env::var(SCENE).unwrap_or_default();
    support::block_on(async {
        let nodes = if scene == "cluster" { 3 } else { 1 };
        let settings = Settings { nodes, ..Settings::default() };
        let choice = Choice::Private { server: None, settings };
        let broker = Broker::open(choice, Path::new(&keeper)).await.expect("a node");
        befall(&scene, &broker.control().expect("they are ours")).await;
        println!("\nready");
        match &*end {
            "close" => broker.close().await.expect("it closes"),
            "drop" => drop(broker),
            "exit" => std::process::exit(0),
            "abort" => std::process::abort(),
            "panic" => panic!("as told"),
            _ => std::future::pending().await,
        }
    });
}

/// One node is in each state that a fault leaves it in, or on the way there.
async fn befall(scene: &str, control: &Control) {
    let [one, two, three] = [0, 1, 2].map(NodeId);
    match scene {
        "stopped" => drop(control.stop(one, StopHow::Sigkill).await.expect("it stops")),
        "paused" => control.pause(one).await.expect("it stands still"),
        "ending" => {
            let control = control.clone();
            drop(tokio::spawn(async move { control.stop(one, StopHow::Graceful).await }));
        }
        "starting" => {
            control.stop(one, StopHow::Sigkill).await.expect("it stops");
            let control = control.clone();
            drop(tokio::spawn(async move { control.start(one).await }));
        }
        "cluster" => {
            control.alarm(one, Alarm::Memory, true).await.expect("it obeys");
            control.pause(two).await.expect("it stands still");
            control.stop(three, StopHow::Sigkill).await.expect("it stops");
        }
        _ => {}
    }
}

/// A running holder in a temporary directory of its own.
struct Held {
    child: Child,
    tmp: tempfile::TempDir,
}

impl Held {
    fn start(end: &str) -> Self {
        Self::start_as(end, |_, _| {})
    }

    /// `prepare` may change the command; it is told the temporary directory.
    fn start_as(end: &str, prepare: impl FnOnce(&mut Command, &Path)) -> Self {
        let tmp = tempfile::Builder::new().prefix("ends-").tempdir().unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["holder", "--exact", "--nocapture"])
            .env(END, end)
            .env(KEEPER, support::program())
            .env("TMPDIR", tmp.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        prepare(&mut command, tmp.path());
        Self { child: command.spawn().unwrap(), tmp }
    }

    /// Waits until the holder has its node.
    fn ready(&mut self) {
        let out = BufReader::new(self.child.stdout.as_mut().unwrap());
        let ready = out.lines().map_while(Result::ok).any(|line| line == "ready");
        assert!(ready, "the holder has no node; scripts/test installs a RabbitMQ where it may");
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The processes that belong to it, without the dead ones that nobody has waited for.
    fn processes(&self) -> Vec<(u32, String)> {
        traces::processes(self.tmp.path())
    }

    fn directories(&self) -> Vec<PathBuf> {
        traces::directories(self.tmp.path())
    }

    /// Waits until `seen` says so; the node must still be booting then.
    fn when(&self, what: &str, seen: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !seen(self) {
            assert!(Instant::now() < deadline, "never saw {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn runs(&self, name: &str) -> bool {
        self.processes().iter().any(|(_, comm)| comm.starts_with(name))
    }

    /// The holder has ended, or is about to: nothing may be left soon.
    #[track_caller]
    fn leaves_nothing(mut self) {
        let status = self.child.wait().unwrap();
        let ended = Instant::now();
        loop {
            let (processes, directories) = (self.processes(), self.directories());
            if processes.is_empty() && directories.is_empty() {
                return;
            }
            let within = if contained() { CONTAINER_GONE_WITHIN } else { GONE_WITHIN };
            assert!(
                ended.elapsed() < within,
                "after {status} there are left: {processes:?} {directories:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// What is left if a test fails is ended all the same.
impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ends_by_itself(end: &str) {
    let mut held = Held::start(end);
    held.ready();
    held.leaves_nothing();
}

fn ends_by_signal(signal: Signal) {
    let mut held = Held::start("wait");
    held.ready();
    assert!(contained() || held.runs("beam.smp"), "{:?}", held.processes());
    held.signal(signal);
    assert_eq!(held.child.wait().unwrap().signal(), Some(signal.as_raw()));
    held.leaves_nothing();
}

#[test]
fn after_a_normal_end_nothing_is_left_at_once() {
    let mut held = Held::start("close");
    held.ready();
    assert!(held.child.wait().unwrap().success());
    assert_eq!((held.processes(), held.directories()), (vec![], vec![]));
}

#[test]
fn after_a_node_was_dropped_nothing_is_left() {
    ends_by_itself("drop");
}

#[test]
fn after_an_exit_without_closing_nothing_is_left() {
    ends_by_itself("exit");
}

#[test]
fn after_a_panic_nothing_is_left() {
    ends_by_itself("panic");
}

#[test]
fn after_an_abort_nothing_is_left() {
    ends_by_itself("abort");
}

#[test]
fn after_sigterm_nothing_is_left() {
    ends_by_signal(Signal::TERM);
}

#[test]
fn after_sigint_nothing_is_left() {
    ends_by_signal(Signal::INT);
}

#[test]
fn after_sigkill_nothing_is_left() {
    ends_by_signal(Signal::KILL);
}

/// Nodes that hear nothing, or are none any more, go as well.
#[test]
fn whatever_befell_its_nodes_nothing_is_left() {
    for scene in ["stopped", "paused", "ending", "starting"] {
        for end in ["close", "wait"] {
            println!("{scene}, {end}");
            let mut held = Held::start_as(end, |command, _| {
                command.env(SCENE, scene);
            });
            held.ready();
            if end == "wait" {
                held.signal(Signal::KILL);
            }
            held.leaves_nothing();
        }
    }
}

#[test]
fn of_a_cluster_nothing_is_left() {
    if contained() {
        // There are none of containers.
        return;
    }
    for end in ["close", "wait"] {
        let mut held = Held::start_as(end, |command, _| {
            command.env(SCENE, "cluster");
        });
        held.ready();
        if end == "wait" {
            held.signal(Signal::KILL);
        }
        held.leaves_nothing();
    }
    let held = Held::start_as("wait", |command, _| {
        command.env(SCENE, "cluster");
    });
    held.when("two Erlang machines", |held| {
        held.processes().iter().filter(|(_, comm)| comm.starts_with("beam")).count() > 1
    });
    held.signal(Signal::KILL);
    held.leaves_nothing();
}

/// A terminal's Ctrl-C, or a supervisor's SIGTERM, goes to the whole process group.
#[test]
fn signals_for_the_keeper_do_not_end_the_node_before_the_program() {
    let mut held = Held::start("wait");
    held.ready();
    let processes = held.processes();
    let keeper = processes.iter().find(|(id, _)| {
        let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        words.split(|&byte| byte == 0).any(|word| word == b"keep-node")
    });
    let keeper = Pid::from_raw(keeper.expect("a keeper").0 as i32).unwrap();
    for signal in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        kill_process(keeper, signal).unwrap();
    }
    // Only signals can end it before its pipe ends, and those have been delivered by now.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(held.processes().len(), processes.len(), "{:?}", held.processes());
    held.signal(Signal::KILL);
    held.leaves_nothing();
}

#[test]
fn after_sigkill_during_the_boot_nothing_is_left() {
    type Moment = (&'static str, fn(&Held) -> bool);
    let moments: [Moment; 5] = [
        ("the keeper", |held| held.processes().len() > 1),
        ("the directory", |held| !held.directories().is_empty()),
        ("the name service", |held| held.runs("epmd")),
        ("the Erlang machine", |held| held.runs("beam.smp")),
        ("its data", |held| held.directories().iter().any(|dir| dir.join("data").exists())),
    ];
    // The later ones happen out of sight, inside a container.
    let visible = if contained() { 2 } else { moments.len() };
    for (what, seen) in moments.into_iter().take(visible) {
        let held = Held::start("wait");
        held.when(what, seen);
        held.signal(Signal::KILL);
        held.leaves_nothing();
    }
}

#[test]
fn after_sigterm_during_the_boot_nothing_is_left() {
    let held = Held::start("wait");
    held.when("the Erlang machine, or where its container's words will go", |held| {
        held.runs("beam.smp") || contained() && !held.directories().is_empty()
    });
    held.signal(Signal::TERM);
    held.leaves_nothing();
}

/// Root hands the same test to somebody else; anybody else is such a user already.
#[test]
fn a_user_without_rights_can_run_a_node() {
    const NOBODY: u32 = 65534;
    if contained() {
        // An engine that root may use need not be open to others.
        return;
    }
    let mut held = Held::start_as("close", |command, tmp| {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        // The build directory may be closed to others.
        let programs = tmp.parent().unwrap().join(format!("programs-{}", std::process::id()));
        fs::create_dir(&programs).unwrap();
        fs::set_permissions(&programs, fs::Permissions::from_mode(0o755)).unwrap();
        let (test, keeper) = (programs.join("test"), programs.join("keeper"));
        fs::copy(std::env::current_exe().unwrap(), &test).unwrap();
        fs::copy(support::program(), &keeper).unwrap();
        std::os::unix::fs::chown(tmp, Some(NOBODY), Some(NOBODY)).unwrap();
        let mut other = Command::new(test);
        other.args(command.get_args()).env(KEEPER, keeper);
        for (name, value) in command.get_envs().filter(|(name, _)| *name != KEEPER) {
            other.env(name, value.unwrap());
        }
        other.env("HOME", "/nonexistent").current_dir("/").uid(NOBODY).gid(NOBODY);
        other.stdout(Stdio::piped()).stderr(Stdio::null());
        *command = other;
    });
    held.ready();
    assert!(held.child.wait().unwrap().success());
    let _ = fs::remove_dir_all(
        held.tmp.path().parent().unwrap().join(format!("programs-{}", std::process::id())),
    );
    held.leaves_nothing();
}

/// What the node writes is for its user alone.
#[test]
fn others_cannot_read_the_directory() {
    let held = Held::start("wait");
    held.when("the directory", |held| !held.directories().is_empty());
    let mode = fs::metadata(&held.directories()[0]).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    held.signal(Signal::KILL);
    held.leaves_nothing();
}
