//! The program itself is ended at a random moment, by SIGKILL, SIGTERM or SIGINT: while its node
//! boots, while a run is on and its faults have the broker stopped, paused or alarmed, while it
//! drains. Nothing may be left of it after a few seconds, and the next run must work.
//!
//! Six kills by default; `RMQ_SCENARIO_KILLS=50` makes as many, `RMQ_SCENARIO_KILLS_SEED=…` draws
//! the same moments again.
//!
//! One version of RabbitMQ is enough for this.

#![cfg(target_os = "linux")]

#[path = "ledger/dice.rs"]
mod dice;
mod scenes;
mod support;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dice::Dice;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use scenes::Scene;
use support::traces;

/// After its end, all must be gone by then; an engine takes its time to end a container.
const GONE_WITHIN: Duration = Duration::from_secs(5);
const CONTAINER_GONE_WITHIN: Duration = Duration::from_secs(30);
/// Cleaning up may have to bring a broker back first.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// What the program says when a fault acts, or a run begins, comes sooner than this.
const SAYS_WITHIN: Duration = Duration::from_secs(60);

/// A run in which one thing after another is under way. Many messages stay, so that the drain at
/// its end takes a while.
const BUSY: &str = "
scenario: busy
broker: { heartbeat: 1s }
topology: { queues: [{ name: QUEUE }, { name: QUEUE-rest }, { name: QUEUE-own, exclusive: true }] }
producers:
  - { name: p, to: { queue: QUEUE }, messages: 400, rate: 100/s }
  - { name: own, to: { queue: QUEUE-own }, messages: 100, rate: 100/s }
  - { name: rest, to: { queue: QUEUE-rest }, messages: 20000 }
workers:
  - { name: w, count: 3, queue: QUEUE, work: 5ms, prefetch: 20 }
  - { name: o, queue: QUEUE-own }
faults:
FAULTS
settle: { idle: 300ms }
";

/// What befalls a private broker, and programs on any. Each begins when the one before is over.
const ON_BROKER: [&str; 5] = [
    "restart: broker, down_for: 700ms",
    "restart: broker, how: sigkill, down_for: 700ms",
    "pause: broker, for: 1s",
    "block: broker, for: 1s",
    "stop: broker",
];
const ON_PROGRAMS: [&str; 4] = [
    "cut: w-1, for: 3s",
    "freeze: w-2, for: 1s",
    "disconnect: w-3",
    "kill: o, restart_after: 500ms",
];

/// When the program is ended: so long after it has said this; nothing is when it starts.
#[derive(Debug)]
struct Moment {
    said: &'static str,
    after: Duration,
}

/// How one kill is done.
#[derive(Debug)]
struct Plan {
    fault: &'static str,
    moment: Moment,
    signal: Signal,
    /// The whole group gets it, as from a terminal.
    group: bool,
    /// On a broker that others use.
    external: bool,
}

fn plan(dice: &mut Dice, index: usize) -> Plan {
    let external = dice.percent(30);
    let signal = [Signal::KILL, Signal::TERM, Signal::INT][index % 3];
    let of_broker = !external && dice.percent(75);
    let fault = if of_broker { dice.pick(&ON_BROKER) } else { dice.pick(&ON_PROGRAMS) };
    let mut within = |most: usize| Duration::from_millis(dice.below(most) as u64);
    let moment = match index % 5 {
        0 => Moment { said: "", after: within(if external { 300 } else { 5000 }) },
        1 => Moment { said: ": started", after: within(800) },
        // The fault acts, and is over; then nothing more is said before the drain.
        2 | 3 => Moment { said: " ms", after: within(2500) },
        _ => Moment { said: " ms", after: within(6000) },
    };
    let group = signal != Signal::KILL && dice.percent(50);
    Plan { fault, moment, signal, group, external }
}

/// A program under way, and what it says.
struct Running {
    child: Child,
    said: Receiver<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.process_group(0).spawn().unwrap();
        let (sender, said) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        // It ends with the program, or with whoever listens.
        std::thread::spawn(move || {
            lines.map_while(Result::ok).all(|line| sender.send(line).is_ok());
        });
        let mut out = child.stdout.take().unwrap();
        std::thread::spawn(move || out.read_to_end(&mut Vec::new()));
        Self { child, said }
    }

    /// Waits for the moment; less if the program has ended by then.
    fn reach(&mut self, moment: &Moment) {
        let deadline = Instant::now() + SAYS_WITHIN;
        let says = |line: &str| line.ends_with(moment.said);
        while !moment.said.is_empty() && Instant::now() < deadline {
            match self.said.recv_timeout(SAYS_WITHIN) {
                Ok(line) if says(&line) => break,
                Ok(_) => {}
                Err(_) => return,
            }
        }
        let until = Instant::now() + moment.after;
        while Instant::now() < until && self.child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn signal(&mut self, plan: &Plan) {
        // Of one that was waited for, somebody else may have the id by now.
        if self.child.try_wait().unwrap().is_some() {
            return;
        }
        let id = Pid::from_child(&self.child);
        let sent = match plan.group {
            true => kill_process_group(id, plan.signal),
            false => kill_process(id, plan.signal),
        };
        sent.unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > deadline {
                self.child.kill().unwrap();
                let status = self.child.wait().unwrap();
                let said: Vec<String> = self.said.try_iter().collect();
                panic!("it does not end: {status}, it said {said:?}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Whatever happens to the test, its program ends.
impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn busy(plan: &Plan, name: &str) -> String {
    let fault = format!("  - {{ {}, at: 700ms }}", plan.fault);
    BUSY.replace("FAULTS", &fault).replace("QUEUE", name)
}

/// The program on this file, in a temporary directory of its own.
fn command(scene: &Scene, external: bool) -> (Command, PathBuf) {
    let mut command = if external { scene.command() } else { scene.bare() };
    if let Some(server) = std::env::var_os("RMQ_SCENARIO_SERVER") {
        command.env("RMQ_SCENARIO_SERVER", server);
    }
    let tmp = scene.dir().join("tmp");
    std::fs::create_dir_all(&tmp).unwrap();
    command.env("TMPDIR", &tmp);
    (command, tmp)
}

/// Ends one program as planned, and sees that nothing of it stays.
fn end_one(plan: &Plan, index: usize) {
    let name = format!("killed{index}");
    let scene = Scene::new(&busy(plan, &name));
    let (command, tmp) = command(&scene, plan.external);
    let mut running = Running::start(command);
    running.reach(&plan.moment);
    let sockets = traces::listeners(&traces::processes(&tmp));
    running.signal(plan);
    let began = Instant::now();
    let status = running.end();
    let took = began.elapsed();
    let expected = match plan.signal {
        Signal::KILL => status.signal() == Some(Signal::KILL.as_raw()) || status.code().is_some(),
        // One that was over when the signal came ends as it would have.
        _ => matches!(status.code(), Some(130 | 0 | 4)),
    };
    assert!(expected, "{plan:?} ended with {status}");
    nothing_is_left(plan, &tmp, &sockets);
    println!("{index:>3} {plan:?}: {status} after {} ms", took.as_millis());
    if plan.external {
        nothing_is_on_the_broker(plan, &name);
    }
}

fn nothing_is_left(plan: &Plan, tmp: &Path, sockets: &BTreeSet<String>) {
    let within = if support::contained() { CONTAINER_GONE_WITHIN } else { GONE_WITHIN };
    let deadline = Instant::now() + within;
    loop {
        let (processes, directories) = (traces::processes(tmp), traces::directories(tmp));
        let open: Vec<_> = traces::listening().intersection(sockets).cloned().collect();
        if processes.is_empty() && directories.is_empty() && open.is_empty() {
            return;
        }
        let left = format!("{processes:?} {directories:?}, listening: {open:?}");
        assert!(Instant::now() < deadline, "{plan:?} left {left}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// On somebody else's broker a SIGKILL leaves the virtual host, and nothing else does.
fn nothing_is_on_the_broker(plan: &Plan, name: &str) {
    let left = scenes::leftovers();
    if plan.signal != Signal::KILL {
        assert_eq!(left, [""; 0], "{plan:?} left this on the broker");
    }
    for vhost in left.iter().filter(|left| left.starts_with("rmq-scenario-")) {
        let path = format!("vhosts/{vhost}");
        scenes::api(reqwest::Method::DELETE, &path, &serde_json::Value::Null);
    }
    assert_eq!(scenes::leftovers(), [""; 0], "{name}");
}

/// The next run finds nothing in its way.
fn next_run_works(external: bool) {
    let scene = Scene::new(
        "
scenario: next
topology: { queues: [{ name: killed-next }] }
producers: [{ name: p, to: { queue: killed-next }, messages: 20 }]
workers: [{ name: w, queue: killed-next }]
expect: { delivered: 20 }
",
    );
    let (mut command, tmp) = command(&scene, external);
    if !external {
        command.arg("--report").arg(format!("json={}", scene.report().display()));
    }
    scene.run_command(command).exits(0).has("delivered 20");
    assert_eq!(traces::processes(&tmp), []);
}

fn number(name: &str) -> Option<u64> {
    std::env::var(format!("RMQ_SCENARIO_{name}")).ok()?.parse().ok()
}

#[test]
fn nothing_is_left_of_a_program_that_was_ended_at_any_moment() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = number("KILLS_SEED").unwrap_or(u64::from(now.subsec_nanos()));
    println!("from seed {seed}");
    let kills = number("KILLS").unwrap_or(6) as usize;
    let mut dice = Dice::new(seed, "kills");
    for index in 0..kills {
        let plan = plan(&mut dice, index);
        end_one(&plan, index);
        if index % 10 == 9 || plan.external {
            next_run_works(plan.external);
        }
    }
}
