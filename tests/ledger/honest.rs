//! Simulated runs in which nothing impossible happens: the ledger must count what the naive
//! model counts, explain every loss with its true cause, and suspect nothing.

use std::sync::Arc;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use rmq_scenario::ledger::Ledger;
use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::{Event, WorkEvent};
use rmq_scenario::ledger::messages::copy_flag;
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{ExchangeId, ExchangeRef, QueueId};
use rmq_scenario::verdict::causes::each;

use crate::compare::{books, differences, false_strikes, key, outcomes};
use crate::naive::count;
use crate::simulated::broker::CopyKey;
use crate::simulated::{Run, rough_run, run};

const SEEDS: u64 = 6000;
/// How many wrong runs are told of.
const EXAMPLES: usize = 20;

/// Where a run does not hold, with its seed, and its events where only one seed is looked at.
fn check(seed: u64, run: Run) -> Result<(), String> {
    let books = books(&run, &run.events);
    let naive = count(&run, &run.events, &outcomes(&run, &books));
    let mut wrong = differences(&run, &books, &naive);
    wrong.extend(books.violations.iter().map(|violation| format!("{violation:?}")));
    wrong.extend(untrue_causes(&run, &books).into_iter().map(|(_, text)| text));
    wrong.extend(false_strikes(&run, &books));
    if wrong.is_empty() {
        return Ok(());
    }
    if seeds(SEEDS).count() == 1 {
        wrong.extend(run.events.iter().map(|event| format!("{event:?}")));
    }
    Err(format!("\nseed {seed}: {}", wrong.join("\n")))
}

/// Copies whose causes do not contain the truth, or that are unexplained.
pub fn untrue_causes(run: &Run, books: &Books) -> Vec<(CopyKey, String)> {
    let mut wrong = Vec::new();
    each(books, |view, outcome, causes, _| {
        let copy = key(run, view);
        let found: Vec<&str> = causes.iter().map(|cause| cause.name()).collect();
        let told = match outcome {
            // One of several ways would have been enough to lose it.
            Count::Rejected => run.refused.contains(&copy),
            Count::Duplicates => {
                run.returned.get(&copy).is_some_and(|truth| contains(truth, &found))
            }
            _ => run.truth.vanished.get(&copy).is_some_and(|truth| meets(truth, &found)),
        };
        if !told || found.contains(&"unexplained") {
            let truth = (run.truth.vanished.get(&copy), run.returned.get(&copy));
            let text = format!("{copy:?} {}: {found:?}, truly {truth:?}", outcome.name());
            wrong.push((copy, text));
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
    check_all(run);
}

#[test]
fn thousands_of_rough_honest_runs_are_counted_and_explained() {
    check_all(rough_run);
}

fn check_all(run: fn(u64) -> Run) {
    let wrong: Vec<String> = seeds(SEEDS).filter_map(|seed| check(seed, run(seed)).err()).collect();
    let texts: String = wrong.iter().take(EXAMPLES).map(String::as_str).collect();
    let events = wrong.first().map(|_| "with LEDGER_SEEDS=n..n their events are told, too");
    assert!(wrong.is_empty(), "{} runs are wrong: {texts}\n{}", wrong.len(), events.unwrap_or(""));
}

/// The seeds to try: `1..=count`, unless somebody wants others (`LEDGER_SEEDS=7000..9000`).
pub fn seeds(count: u64) -> RangeInclusive<u64> {
    let wanted = std::env::var("LEDGER_SEEDS").ok();
    let wanted = wanted.as_deref().and_then(|text| text.split_once(".."));
    let number = |text: &str| text.parse::<u64>().ok();
    let range = wanted.and_then(|(from, to)| Some(number(from)?..=number(to)?));
    range.unwrap_or(1..=count)
}

/// Whether a queue gives what it gives up to another one of the plan.
fn leads_on(run: &Run, queue: QueueId) -> bool {
    let topology = &run.plan.topology;
    let dead = topology.queues[queue.index()].dead_letter.as_ref();
    let key = dead.and_then(|dead| match dead.exchange {
        ExchangeRef::Declared(ExchangeId(0)) => dead.routing_key.as_ref(),
        _ => None,
    });
    key.is_some_and(|key| topology.queues.iter().any(|queue| queue.name == *key))
}

#[test]
fn what_was_refused_is_awaited_until_it_is_seen() {
    let mut awaiting = 0;
    for seed in 1..=SEEDS / 2 {
        let run = run(seed);
        let mut ledger = Ledger::new(run.plan.clone(), Arc::clone(&run.paths), "4.3.6");
        for event in &run.events {
            ledger.record(event.clone());
        }
        let awaits = ledger.awaits_dead_letters();
        let books = ledger.close();
        let open: Vec<QueueId> = books
            .copies()
            .filter(|view| {
                let seen = copy_flag::LEFT | copy_flag::DRAINED;
                view.copy.has(copy_flag::REJECTED) && !view.copy.has(seen)
            })
            .map(|view| view.queue)
            .collect();
        assert!(!awaits || !open.is_empty(), "seed {seed}: nothing is there to wait for");
        let must = open.iter().any(|&queue| leads_on(&run, queue));
        assert!(awaits || !must, "seed {seed}: a dead letter is not waited for");
        awaiting += u64::from(awaits);
    }
    assert!(awaiting > SEEDS / 1000, "only {awaiting} runs waited");
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
    let runs = seeds(SEEDS / 2).count();
    let called = seeds(SEEDS / 2).filter(|&seed| is_called_final(seed, &run(seed))).count();
    assert!(called > runs / 8, "only {called} of {runs} runs became final");
}

#[test]
fn a_rough_run_that_is_called_final_sees_nothing_new() {
    let runs = seeds(SEEDS / 2).count();
    let called = seeds(SEEDS / 2).filter(|&seed| is_called_final(seed, &rough_run(seed))).count();
    assert!(called > runs / 50, "only {called} of {runs} runs became final");
}

/// Whether the ledger says at any time, once nothing new is to come, that nothing can change.
fn is_called_final(seed: u64, run: &Run) -> bool {
    let mut ledger = Ledger::new(run.plan.clone(), Arc::clone(&run.paths), "4.3.6");
    let mut called = None;
    for (index, event) in run.events[..run.stops_from].iter().enumerate() {
        if called.is_some() && is_news(event) {
            panic!("seed {seed}: final after {called:?}, and then came {index}: {event:?}");
        }
        ledger.record(event.clone());
        if called.is_some() && run.expiries.contains(&(index + 1)) {
            panic!("seed {seed}: final after {called:?}, and then a message expired");
        }
        if index + 1 >= run.settling_from && called.is_none() && ledger.is_final() {
            called = Some(index);
        }
    }
    called.is_some()
}
