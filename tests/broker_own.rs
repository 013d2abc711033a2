//! Which broker a variant gets: one of its own where faults befall that, another one where the
//! last did not come back, and never a warm one to break.
//!
//! One version of RabbitMQ is enough for this.

#![cfg(target_os = "linux")]

mod support;

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

const PLAIN: &str = "
scenario: plain
topology: { queues: [{ name: orders }] }
producers: [{ name: shop, to: { queue: orders }, messages: 10 }]
workers: [{ name: clerk, queue: orders }]
expect: { delivered: 10 }
";

/// The last variant finds out whether the ones before have left the broker whole.
const STOPPED: &str = "
scenario: stopped
vars: { breaks: true }
topology: { queues: [{ name: orders }] }
producers: [{ name: shop, to: { queue: orders }, messages: 10, rate: 20/s }]
workers: [{ name: clerk, queue: orders }]
faults: [{ stop: broker, how: sigkill, after: { published: 5 }, if: $breaks }]
settle: { deadline: 10s }
variants: [{ name: one }, { name: two }, { name: three, vars: { breaks: false }, expect: { delivered: 10 } }]
";

const LONG: &str = "
scenario: long
topology: { queues: [{ name: orders }] }
producers: [{ name: shop, to: { queue: orders }, messages: 10, rate: $rate }]
workers: [{ name: clerk, queue: orders }]
settle: { deadline: 30s }
vars: { rate: 1/s }
variants: [{ name: one }, { name: two, vars: { rate: 100/s }, expect: { delivered: 10 } }]
";

/// A user's world: where the warm broker is written down, and where nodes live.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("own-").tempdir().unwrap();
        for name in ["runtime", "tmp"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        for (name, text) in [("plain", PLAIN), ("stopped", STOPPED), ("long", LONG)] {
            fs::write(dir.path().join(format!("{name}.yaml")), text).unwrap();
        }
        Self { dir }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(support::program());
        command.args(words).current_dir(self.dir.path());
        command.env_remove("RMQ_SCENARIO_BROKER").env("TMPDIR", self.dir.path().join("tmp"));
        command.env("XDG_RUNTIME_DIR", self.dir.path().join("runtime"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn call(&self, words: &[&str]) -> (Option<i32>, String) {
        said(self.command(words).output().unwrap())
    }

    /// The directories of nodes.
    fn nodes(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.dir.path().join("tmp")).unwrap().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

/// However a test ends, nothing stays.
impl Drop for World {
    fn drop(&mut self) {
        let _ = self.command(&["broker", "down"]).output();
    }
}

fn said(output: Output) -> (Option<i32>, String) {
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code(), out + &err)
}

#[test]
fn a_warm_broker_is_not_broken() {
    let world = World::new();
    // A server that is named is no warm one: here it is the one that stands.
    let server = std::env::var_os("RMQ_SCENARIO_SERVER");
    let (code, up) = world.call(&["broker", "up"]);
    assert_eq!(code, Some(0), "{up}");
    let (code, text) = world.call(&["run", "plain.yaml", "stopped.yaml", "plain.yaml"]);
    // The broker went away before all was confirmed, which proves nothing.
    assert!(matches!(code, Some(1 | 4)), "{code:?} {text}");
    assert!(text.contains("warm RabbitMQ ") || server.is_some(), "{text}");
    assert_eq!(text.matches("starting a private RabbitMQ to break").count(), 1, "{text}");
    assert_eq!(text.matches("plain: pass").count(), 2, "{text}");
    assert!(text.contains("stopped · three: pass"), "{text}");
    assert!(!text.contains("does not come back"), "{text}");
    let (code, status) = world.call(&["broker", "status"]);
    assert_eq!(code, Some(0), "{status}");
    assert!(status.contains("0 virtual hosts of runs"), "{status}");
    assert_eq!(world.call(&["broker", "down"]).0, Some(0));
    assert!(world.nodes().is_empty(), "{:?}", world.nodes());
}

#[test]
fn where_all_variants_break_their_broker_one_is_enough() {
    let world = World::new();
    let broken = STOPPED
        .replace(", { name: three, vars: { breaks: false }, expect: { delivered: 10 } }", "");
    fs::write(world.dir.path().join("broken.yaml"), broken).unwrap();
    let (code, text) = world.call(&["run", "broken.yaml"]);
    assert!(matches!(code, Some(1 | 4)), "{code:?} {text}");
    assert_eq!(text.matches("starting").count(), 1, "{text}");
    assert!(world.nodes().is_empty(), "{:?}", world.nodes());
}

#[test]
fn one_that_was_killed_by_somebody_else_is_told_and_replaced() {
    if support::contained() {
        // The engine's processes are not for us to kill.
        return;
    }
    let world = World::new();
    let mut child = world.command(&["run", "long.yaml"]).spawn().unwrap();
    let mut heard = String::new();
    let mut stderr = child.stderr.take().unwrap();
    while !heard.contains("long · one: started") {
        let mut bytes = [0; 256];
        let count = stderr.read(&mut bytes).unwrap();
        assert_ne!(count, 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    let node = &world.nodes()[0];
    let id = fs::read_to_string(node.join("pid")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(id).unwrap(), Signal::KILL).unwrap();
    let killed = Instant::now();
    stderr.read_to_string(&mut heard).unwrap();
    let (code, text) = said(child.wait_with_output().unwrap());
    assert_eq!(code, Some(3), "{heard} {text}");
    assert!(heard.contains("starting another private RabbitMQ"), "{heard}");
    assert!(heard.contains("long · two: pass"), "{heard}");
    assert!(
        text.contains("ended by itself") || heard.contains("ended by itself"),
        "{heard} {text}"
    );
    assert!(killed.elapsed() < Duration::from_secs(40), "it waited for the dead");
    assert!(world.nodes().is_empty(), "{:?}", world.nodes());
}
