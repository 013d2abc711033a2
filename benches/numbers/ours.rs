//! The same through this program's own engine, and what only it can be asked.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rmq_scenario::broker::Broker;
use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::facts::Facts;
use rmq_scenario::ledger::history::StepKind;
use rmq_scenario::ledger::progress::Progress;
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::{self, Options};
use rmq_scenario::report::events::Events;
use rmq_scenario::run::{self, Audience};
use rmq_scenario::scenario::Source;

use crate::{Case, PAIRS, PROGRAM, median, millis};

/// From the first publish to the last message finished and acked.
pub async fn run(broker: &Broker, case: Case) -> Duration {
    let (books, facts) = play(broker, &scenario(case)).await;
    let copies = u64::from(case.messages) * u64::from(case.queues);
    assert_eq!(books.totals[Count::Delivered], copies, "nothing is lost");
    assert_eq!(books.violation_count, 0, "the books balance");
    Duration::from_micros(facts.duration)
}

pub fn scenario(case: Case) -> String {
    let (confirms, ack, prefetch) = match case.window {
        Some(window) => (format!("{{ in_flight: {window}, timeout: 60s }}"), "manual", window),
        None => ("false".to_owned(), "auto", 0),
    };
    let each = |line: &dyn Fn(u32) -> String| (0..case.queues).map(line).collect::<String>();
    format!(
        "scenario: bench\n\
         topology:\n  exchanges: [{{ name: e, type: fanout }}]\n  queues:\n{}  bindings:\n{}\
         producers:\n  - {{ name: p, to: {{ exchange: e }}, messages: {}, confirms: {confirms}, \
         body: 'Hello World!' }}\n\
         workers:\n{}",
        each(&|n| format!("    - {{ name: q{n} }}\n")),
        each(&|n| format!("    - {{ from: e, to: q{n} }}\n")),
        case.messages,
        each(&|n| format!("  - {{ name: w{n}, queue: q{n}, ack: {ack}, prefetch: {prefetch} }}\n")),
    )
}

async fn play(broker: &Broker, text: &str) -> (Books, Facts) {
    let Played { books, facts, .. } = played(broker, text, None).await;
    (books, facts)
}

/// What a run came to, and when it began.
pub struct Played {
    pub books: Books,
    pub facts: Facts,
    pub began: Instant,
}

/// Events go where somebody wants them.
pub async fn played(broker: &Broker, text: &str, events: Option<&Events>) -> Played {
    let planned = plan::load(Source::new("bench.yaml", text), &Options::default());
    let scenario = planned.unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)));
    let id = format!("{:08x}", Instant::now().elapsed().as_nanos() as u32 ^ std::process::id());
    let space = broker.space(&id).await.expect("a space");
    let (_stop, interrupted) = tokio::sync::watch::channel(false);
    let (notices, _heard) = tokio::sync::mpsc::unbounded_channel();
    let mut began = None;
    // It is told a moment after it was looked at: of many, the earliest is the truest.
    let mut progress = |progress: Progress| {
        let looked = Instant::now().checked_sub(progress.elapsed).expect("clocks are old");
        began = Some(began.map_or(looked, |began: Instant| began.min(looked)));
    };
    let plan = Arc::new(scenario.variants[0].clone());
    let told = events.and_then(|to| to.begin(("bench", "bench.yaml"), &plan, broker.version()));
    let listener = told.map(|(_, listener)| listener);
    let audience =
        Audience { interrupted, progress: &mut progress, notices, inspects: false, listener };
    let played = run::run(plan, id, space.clone(), audience).await.expect("it runs");
    if let Some(control) = broker.control() {
        control.mend().await.expect("it comes back");
    }
    space.close().await.expect("the space goes");
    let played = played.expect("nobody interrupts it");
    Played { books: played.books, facts: played.facts, began: began.expect("it was told") }
}

/// From the beginning of the 50th work to the cut of `during: 50`.
pub async fn kill_latency(broker: &Broker) {
    let text = "scenario: kill\ntopology: { queues: [{ name: q }] }\n\
        producers: [{ name: p, to: { queue: q }, messages: 200 }]\n\
        workers: [{ name: w, queue: q, work: 2ms }, { name: v, queue: q, work: 2ms }]\n\
        faults: [{ kill: w, during: 50 }]\n";
    let mut delays = Vec::new();
    for _ in 0..7 {
        let (books, _) = play(broker, text).await;
        let life = books.lives().iter().find(|life| life.worker.0 == 0).expect("it lived");
        let end = life.end.as_ref().expect("it ended");
        let message = end.in_work.expect("it was at work");
        let steps = books.history(message);
        let begun = steps.iter().find(|step| step.kind == StepKind::Begun(life.id));
        delays.push((end.at - begun.expect("it began").at) as f64 / 1000.0);
    }
    println!("kill: {:.2} ms from the 50th work to its cut (under 5 ms)", median(&mut delays));
}

/// A pair of programs on connections of their own, as fast as they can, while another one of the
/// same file has a network that is slow; and while it has not.
pub async fn beside_a_wire(broker: &Broker) {
    let scenario = |faults: &str| {
        format!(
            "scenario: beside\ntopology: {{ queues: [{{ name: q }}, {{ name: o }}] }}\n\
             producers:\n  - {{ name: p, to: {{ queue: q }}, messages: 200000, confirms: false }}\n\
             \x20 - {{ name: o-p, to: {{ queue: o }}, messages: 100, rate: 100/s }}\n\
             workers: [{{ name: w, queue: q, ack: auto }}, {{ name: o-w, queue: o }}]\n{faults}"
        )
    };
    let plain = scenario("");
    let slow = scenario("faults: [{ slow: o-w, at: 10ms, latency: 5ms }]\n");
    let mut ratios = Vec::new();
    for pair in 0..=PAIRS {
        let (plain, slow) = if pair % 2 == 0 {
            let plain = play(broker, &plain).await.1;
            (plain, play(broker, &slow).await.1)
        } else {
            let slow = play(broker, &slow).await.1;
            (play(broker, &plain).await.1, slow)
        };
        if pair > 0 {
            ratios.push(plain.duration as f64 / slow.duration as f64);
        }
    }
    println!(
        "wire: {:.3} of the throughput without it, for whoever has none (at least 0.95)  pairs {}",
        median(&mut ratios.clone()),
        ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(" ")
    );
}

/// What the whole program takes on a running broker beyond the scenario's own time.
pub async fn overhead(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scenario.yaml");
    let text = "scenario: short\ntopology: { queues: [{ name: q }] }\n\
        producers: [{ name: p, to: { queue: q }, messages: 20 }]\n\
        workers: [{ name: w, count: 2, queue: q, work: 20ms }]\n";
    std::fs::write(&file, text).expect("a file is written");
    let mut beyond = Vec::new();
    for _ in 0..7 {
        let report = folder.path().join("report.json");
        let began = Instant::now();
        let mut command = program(broker, &file);
        let status = command.arg("--report").arg(format!("json={}", report.display())).output();
        let took = began.elapsed();
        assert!(status.expect("it runs").status.success());
        let text = std::fs::read_to_string(&report).expect("a report");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let own = json["scenarios"][0]["variants"][0]["duration_ms"].as_u64().expect("a number");
        beyond.push(millis(took) - own as f64);
    }
    println!(
        "overhead: {:.0} ms beyond the scenario's own time (under 300 ms)",
        median(&mut beyond)
    );
}

/// A thousand workers on connections of their own: until all consume, and what that takes.
pub async fn thousand_workers(broker: &Broker) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scenario.yaml");
    let text = "scenario: crowd\ntopology: { queues: [{ name: q }] }\n\
        producers: [{ name: p, to: { queue: q }, messages: 1000 }]\n\
        workers: [{ name: w, count: 1000, queue: q }]\n\
        expect: { delivered: 1000 }\n";
    std::fs::write(&file, text).expect("a file is written");
    let (books, consuming) = {
        let began = Instant::now();
        let (books, facts) = play(broker, text).await;
        (books, began.elapsed() - Duration::from_micros(facts.duration))
    };
    assert_eq!(books.totals[Count::Delivered], 1000);
    let mut child = program(broker, &file).spawn().expect("it starts");
    let mut peak = 0;
    while child.try_wait().expect("it is ours").is_none() {
        // The last look counts: before its exec the child still shows our own memory.
        peak = crate::memory::peak(child.id()).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    println!(
        "workers: 1000 consuming, run and gone in {:.1} s (consuming in under 5 s), peak {} MB (under 250 MB)",
        consuming.as_secs_f64(),
        peak / 1024
    );
}

fn program(broker: &Broker, file: &std::path::Path) -> Command {
    let facts = broker.facts().expect("the broker is ours");
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg(file);
    command
        .arg("--broker")
        .arg(format!("amqp://{}:{}@127.0.0.1:{}/%2f", facts.user, facts.password, facts.amqp));
    command.arg("--management").arg(format!("http://127.0.0.1:{}", facts.management));
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    command
}
