//! Simulated runs in which nothing impossible happens: the ledger must count what the naive
//! model counts, explain every loss with its true cause, and suspect nothing.

use std::sync::Arc;

use std::collections::BTreeSet;

use rmq_scenario::ledger::Ledger;
use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::{Event, WorkEvent};
use rmq_scenario::plan::count::Count;
use rmq_scenario::verdict::causes::each;

use crate::compare::{books, differences};
use crate::naive::count;
use crate::simulated::broker::CopyKey;
use crate::simulated::{Run, run};

const SEEDS: u64 = 4000;

/// Where a run does not hold, with its seed.
fn check(seed: u64) -> Result<(), String> {
    let run = run(seed);
    let naive = count(&run.plan, &run.events);
    let books = books(&run.plan, &run.events);
    let mut wrong = differences(&books, &naive);
    wrong.extend(books.violations.iter().map(|violation| format!("{violation:?}")));
    wrong.extend(untrue_causes(&run, &books).into_iter().map(|(_, text)| text));
    if wrong.is_empty() {
        return Ok(());
    }
    let events: Vec<String> = run.events.iter().map(|event| format!("{event:?}")).collect();
    Err(format!("seed {seed}:\n{}\n{}", wrong.join("\n"), events.join("\n")))
}

/// Copies whose causes do not contain the truth, or that are unexplained.
pub fn untrue_causes(run: &Run, books: &Books) -> Vec<(CopyKey, String)> {
    let mut wrong = Vec::new();
    each(books, |view, outcome, causes, _| {
        let copy = (view.message, view.queue);
        let found: Vec<&str> = causes.iter().map(|cause| cause.name()).collect();
        let told = match outcome {
            // One of several ways would have been enough to lose it.
            Count::Lost => run.vanished.get(&copy).is_some_and(|truth| meets(truth, &found)),
            _ => run.returned.get(&copy).is_some_and(|truth| contains(truth, &found)),
        };
        if !told || found.contains(&"unexplained") {
            let truth = (run.vanished.get(&copy), run.returned.get(&copy));
            wrong.push((copy, format!("{copy:?} {}: {found:?}, truly {truth:?}", outcome.name())));
        }
    });
    wrong
}

fn meets(truth: &BTreeSet<&str>, found: &[&str]) -> bool {
    truth.iter().any(|why| found.contains(why))
}

fn contains(truth: &BTreeSet<&str>, found: &[&str]) -> bool {
    !truth.is_empty() && truth.iter().all(|why| found.contains(why))
}

#[test]
fn thousands_of_honest_runs_are_counted_and_explained() {
    let wrong: Vec<String> = (1..=SEEDS).filter_map(|seed| check(seed).err()).collect();
    let first = wrong.first().map_or("", String::as_str);
    assert!(wrong.is_empty(), "{} of {SEEDS} runs are wrong; the first: {first}", wrong.len());
}

/// What a run that is over must not see any more.
fn is_news(event: &Event) -> bool {
    match event {
        Event::Answered { .. } | Event::Returned { .. } => true,
        Event::Worked { events, .. } => {
            events.iter().any(|event| !matches!(event.what, WorkEvent::Acked { .. }))
        }
        _ => false,
    }
}

#[test]
fn a_run_that_is_called_final_sees_nothing_new() {
    let mut final_runs = 0;
    for seed in 1..=SEEDS / 2 {
        let run = run(seed);
        let mut ledger = Ledger::new(run.plan.clone(), Arc::default(), "4.3.6");
        let mut called = None;
        for (index, event) in run.events[..run.stops_from].iter().enumerate() {
            if called.is_some() && is_news(event) {
                panic!("seed {seed}: final after {called:?}, and then came {index}: {event:?}");
            }
            ledger.record(event.clone());
            if index + 1 >= run.settling_from && called.is_none() && ledger.is_final() {
                called = Some(index);
            }
        }
        final_runs += u64::from(called.is_some());
    }
    assert!(final_runs > SEEDS / 8, "only {final_runs} of {} runs became final", SEEDS / 2);
}
