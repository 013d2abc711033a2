//! What the ledger costs, side by side with what it is compared to, in one run.
//!
//! Each throughput is a ratio against a bare lapin loop with the same batching, on the same
//! broker, alternating; the median of seven pairs. `scripts/bench` runs this.

mod bare;
mod boot;
mod effects;
mod memory;
mod ours;
mod reports;

use std::path::Path;
use std::time::Duration;

use rmq_scenario::broker::{Broker, Choice, Settings};

/// One throughput comparison.
#[derive(Clone, Copy)]
pub struct Case {
    pub name: &'static str,
    pub messages: u32,
    pub queues: u32,
    /// Confirms with this window, and manual acks with this prefetch; else neither.
    pub window: Option<u16>,
}

const CASES: [Case; 3] = [
    Case { name: "auto ack, no confirms", messages: 200_000, queues: 1, window: None },
    Case {
        name: "manual ack, confirms, window 200",
        messages: 60_000,
        queues: 1,
        window: Some(200),
    },
    Case { name: "fanout to three queues", messages: 60_000, queues: 3, window: None },
];
pub const PAIRS: usize = 7;
/// The program under measurement.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_rmq-scenario");

fn main() {
    // `cargo bench` hands over `--bench`; anything else picks cases by a part of their name.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let picks = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    if picks("memory") {
        memory::per_copy();
    }
    if picks("boot") {
        boot::boot();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(async {
        let choice = Choice::Private {
            server: std::env::var_os("RMQ_SCENARIO_SERVER").map(Into::into),
            settings: Settings::default(),
        };
        let broker = Broker::open(choice, Path::new(PROGRAM)).await.expect("a broker starts");
        println!("RabbitMQ {}", broker.version());
        for case in CASES.into_iter().filter(|case| picks(case.name)) {
            compare(&broker, case).await;
        }
        if picks("ndjson") {
            for case in &CASES[..2] {
                reports::events(&broker, *case).await;
            }
        }
        if picks("page") {
            reports::page(&broker).await;
        }
        if picks("kill") {
            ours::kill_latency(&broker).await;
        }
        if picks("wire") {
            ours::beside_a_wire(&broker).await;
        }
        if picks("overhead") {
            ours::overhead(&broker).await;
        }
        if picks("workers") {
            ours::thousand_workers(&broker).await;
        }
        broker.close().await.expect("the broker ends");
        if picks("sigkill") {
            effects::broker_kill().await;
        }
        if picks("cluster") {
            boot::cluster().await;
        }
    });
}

async fn compare(broker: &Broker, case: Case) {
    // One pair warms the broker up and is not counted.
    let mut ratios = Vec::new();
    let mut rates = Vec::new();
    for pair in 0..=PAIRS {
        let (bare, ours) = if pair % 2 == 0 {
            let bare = bare::run(broker, case).await;
            (bare, ours::run(broker, case).await)
        } else {
            let ours = ours::run(broker, case).await;
            (bare::run(broker, case).await, ours)
        };
        if pair > 0 {
            ratios.push(bare.as_secs_f64() / ours.as_secs_f64());
            rates.push(f64::from(case.messages) / ours.as_secs_f64() / 1000.0);
        }
    }
    println!(
        "{:<34} {:.3} of a bare loop (at least 0.95; {:.1} k messages/s)  pairs {}",
        case.name,
        median(&mut ratios.clone()),
        median(&mut rates),
        ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(" ")
    );
}

pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
