//! What it costs to tell of every event, and how long the page of a large run takes.

use std::fs::File;
use std::time::Instant;

use rmq_scenario::broker::Broker;
use rmq_scenario::plan::{self, Options};
use rmq_scenario::report::events::Events;
use rmq_scenario::report::page;
use rmq_scenario::report::{BrokerInfo, FORMAT, Report, ScenarioReport};
use rmq_scenario::scenario::Source;
use rmq_scenario::verdict;
use rmq_scenario::verdict::picture::Picture;

use crate::ours::{self, scenario};
use crate::{Case, PAIRS, median, millis};

/// The throughput with events written to a file, of that without; alternating, on one broker.
pub async fn events(broker: &Broker, case: Case) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = scenario(case);
    let told = async || {
        let mut events = Events::default();
        let file = File::create(folder.path().join("events")).expect("a file");
        let mut writer = events.add(Box::new(file));
        let played = ours::played(broker, &text, Some(&events)).await;
        drop(events);
        writer.close().expect("it was written");
        played.facts.duration
    };
    let mut ratios = Vec::new();
    for pair in 0..=PAIRS {
        let (without, with) = if pair % 2 == 0 {
            let without = ours::played(broker, &text, None).await.facts.duration;
            (without, told().await)
        } else {
            let with = told().await;
            (ours::played(broker, &text, None).await.facts.duration, with)
        };
        if pair > 0 {
            ratios.push(without as f64 / with as f64);
        }
    }
    println!(
        "ndjson: {:.3} of the throughput without it (at least 0.90), {}  pairs {}",
        median(&mut ratios.clone()),
        case.name,
        ratios.iter().map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(" ")
    );
}

/// The page of a million messages, from the closed books to the text.
pub async fn page(broker: &Broker) {
    let case = Case { name: "page", messages: 1_000_000, queues: 1, window: Some(500) };
    let text = scenario(case);
    let ours::Played { books, facts, .. } = ours::played(broker, &text, None).await;
    let planned = plan::load(Source::new("bench.yaml", &*text), &Options::default());
    let planned = planned.expect("it ran");
    let mut outcome = verdict::judge(&planned, &planned.variants[0], &books, &facts);
    let began = Instant::now();
    outcome.picture = Some(std::sync::Arc::new(Picture::of(&books, &facts)));
    let verdict = outcome.verdict;
    let report = Report {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION"),
        verdict,
        broker: BrokerInfo { version: broker.version().to_owned(), kind: "private" },
        seed: 1,
        scenarios: vec![ScenarioReport {
            scenario: "page".to_owned(),
            file: "page.yaml".to_owned(),
            verdict,
            variants: vec![outcome],
        }],
    };
    let page = page::render(&report);
    println!(
        "page: {:.0} ms and {} kB for 1000000 messages (under 3000 ms, 5000 kB)",
        millis(began.elapsed()),
        page.len() / 1000
    );
}
