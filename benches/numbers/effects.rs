//! From what sets a fault off to what can be seen of it from outside.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rmq_scenario::broker::{Broker, Choice, Settings};
use rmq_scenario::ledger::event::MessageKey;
use rmq_scenario::ledger::history::StepKind;
use rmq_scenario::plan::model::ProducerId;

use crate::{PROGRAM, median, millis, ours};

const RUNS: usize = 7;
/// How often the process is looked at.
const STEP: Duration = Duration::from_micros(200);
/// The publish that sets the fault off.
const SETS_OFF: u32 = 200;

/// From the publish that sets off the broker's SIGKILL to the end of its process, as somebody
/// sees it who watches its id.
pub async fn broker_kill() {
    let choice = Choice::Private { server: None, settings: Settings::default() };
    let broker = Broker::open(choice, Path::new(PROGRAM)).await.expect("a broker starts");
    let text = format!(
        "scenario: sigkill\ntopology: {{ queues: [{{ name: q }}] }}\n\
         producers: [{{ name: p, to: {{ queue: q }}, messages: 400, rate: 400/s, \
         reconnect: false }}]\n\
         workers: [{{ name: w, queue: q, reconnect: false }}]\n\
         faults: [{{ stop: broker, how: sigkill, after: {{ published: {SETS_OFF} }} }}]\n\
         settle: {{ idle: 100ms }}\n"
    );
    let mut delays = Vec::new();
    for _ in 0..RUNS {
        let process = beam(&broker);
        let watch = Watch::of(process);
        let played = ours::played(&broker, &text, None).await;
        let gone = watch.gone();
        let key = MessageKey { producer: ProducerId(0), n: SETS_OFF };
        let steps = played.books.history(key);
        let published = steps.iter().find(|step| step.kind == StepKind::Published);
        let published = played.began + Duration::from_micros(published.expect("it was").at);
        delays.push(millis(gone.saturating_duration_since(published)));
    }
    broker.close().await.expect("it ends");
    println!(
        "sigkill: {:.1} ms from the publish that sets it off to the end of the broker's process \
         (under 50 ms)  runs {}",
        median(&mut delays.clone()),
        delays.iter().map(|it| format!("{it:.1}")).collect::<Vec<_>>().join(" ")
    );
}

/// The Erlang machine of a private node; scripts around it are no broker.
fn beam(broker: &Broker) -> u32 {
    let facts = broker.facts().expect("it is ours");
    let text = fs::read_to_string(facts.dir.join("pid")).expect("it wrote its id");
    let inside: u32 = text.trim().parse().expect("a number");
    // In a root file system of its own the id may be another one, but not the name.
    let is_beam = |id: u32| {
        let name = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        name.starts_with("beam")
    };
    if is_beam(inside) { inside } else { facts.pid }
}

/// Somebody who looks whether a process is there.
struct Watch {
    gone: Arc<Mutex<Option<Instant>>>,
    enough: Arc<AtomicBool>,
}

impl Watch {
    fn of(process: u32) -> Self {
        let gone = Arc::new(Mutex::new(None));
        let enough = Arc::new(AtomicBool::new(false));
        let (seen, stop) = (Arc::clone(&gone), Arc::clone(&enough));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if !lives(process) {
                    *seen.lock().expect("nobody panics with it") = Some(Instant::now());
                    return;
                }
                std::thread::sleep(STEP);
            }
        });
        Self { gone, enough }
    }

    fn gone(&self) -> Instant {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if let Some(gone) = *self.gone.lock().expect("nobody panics with it") {
                return gone;
            }
            std::thread::sleep(STEP);
        }
        self.enough.store(true, Ordering::Relaxed);
        panic!("the broker's process did not end");
    }
}

/// A dead one that nobody has waited for does not live.
fn lives(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
