//! The ledger's books beside the naive model's numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rmq_scenario::ledger::Ledger;
use rmq_scenario::ledger::books::{Books, CopyView};
use rmq_scenario::ledger::counts::Counts;
use rmq_scenario::ledger::event::{Event, MessageKey, WorkEvent};
use rmq_scenario::plan::count::{ALL, COPY_OUTCOMES, Count};
use rmq_scenario::plan::model::{AckMode, FaultId, QueueId};

use crate::naive::{Naive, Numbers};
use crate::simulated::broker::CopyKey;
use crate::simulated::{Run, Strike};

pub fn books(run: &Run, events: &[Event]) -> Books {
    let mut ledger = Ledger::new(Arc::clone(&run.plan), Arc::clone(&run.paths), "4.3.6");
    for event in events {
        ledger.record(event.clone());
    }
    ledger.close()
}

/// What became of each copy, by the ledger.
pub fn outcomes(run: &Run, books: &Books) -> BTreeMap<CopyKey, Count> {
    books.copies().map(|view| (key(run, &view), view.outcome)).collect()
}

/// The stay that a copy is.
pub fn key(run: &Run, view: &CopyView) -> CopyKey {
    (view.message, view.queue, run.way(view.path))
}

/// How workers stood when faults struck them, where the ledger says otherwise.
pub fn false_strikes(run: &Run, books: &Books) -> Vec<String> {
    let each = run.strikes.iter().enumerate().filter_map(|(index, strike)| {
        let known = books.strike(FaultId::from_index(index)).expect("it was told");
        let told = [known.read, known.finished, known.unworked, known.unacked];
        let found = standing(run, strike);
        (told != found).then(|| format!("strike {index}: {told:?}, naively {found:?}"))
    });
    each.collect()
}

/// Deliveries read, finished, not worked on yet and not settled.
fn standing(run: &Run, strike: &Strike) -> [u64; 4] {
    let (mut read, mut finished, mut refused, mut worker) = (0, 0, 0, None);
    let mut open: BTreeSet<u64> = BTreeSet::new();
    for event in &run.events[..strike.events] {
        match event {
            Event::LifeStarted { life, worker: of, .. } if *life == strike.life => {
                worker = Some(*of);
            }
            Event::Worked { life, events } if *life == strike.life => {
                for event in events {
                    match event.what {
                        WorkEvent::Read { tag, .. } => {
                            read += 1;
                            open.insert(tag);
                        }
                        WorkEvent::Begun { .. } => {}
                        WorkEvent::Finished { .. } => finished += 1,
                        WorkEvent::Rejected { tag, .. } => {
                            refused += 1;
                            open.remove(&tag);
                        }
                        WorkEvent::Acked { tag, multiple } => {
                            open.retain(|&held| if multiple { held > tag } else { held != tag });
                        }
                    }
                }
            }
            _ => {}
        }
    }
    let auto = run.plan.workers[worker.expect("it began").index()].ack == AckMode::Auto;
    let unacked = if auto { 0 } else { open.len() as u64 };
    [read, finished, read - finished - refused, unacked]
}

/// Every difference, in words.
pub fn differences(run: &Run, books: &Books, naive: &Naive) -> Vec<String> {
    let mut found = Vec::new();
    let all = |_: Count| true;
    scope(&mut found, "totals", &books.totals, &naive.totals, all);
    for (index, numbers) in naive.queues.iter().enumerate() {
        scope(&mut found, &format!("queue {index}"), &books.queues[index], numbers, all);
    }
    for (index, numbers) in naive.producers.iter().enumerate() {
        let name = format!("producer {index}");
        let known = |count: Count| count.in_producers() || COPY_OUTCOMES.contains(&count);
        scope(&mut found, &name, &books.producers[index], numbers, known);
    }
    for (index, numbers) in naive.workers.iter().enumerate() {
        scope(&mut found, &format!("worker {index}"), &books.workers[index], numbers, all);
    }
    if books.busy != naive.busy {
        found.push(format!("busy: {:?}, naively {:?}", books.busy, naive.busy));
    }
    if books.disorder_count != naive.disorder {
        found.push(format!("disorder: {}, naively {}", books.disorder_count, naive.disorder));
    }
    // By which of several ways a message came that nobody saw on its way cannot be known.
    let outcomes = outcomes(run, books);
    if without_ways(&outcomes) != without_ways(&naive.outcomes) {
        let (mine, other) = (outcomes.iter(), naive.outcomes.iter());
        let mine: Vec<_> = mine.filter(|&(copy, o)| naive.outcomes.get(copy) != Some(o)).collect();
        let other: Vec<_> = other.filter(|&(copy, o)| outcomes.get(copy) != Some(o)).collect();
        found.push(format!("outcomes: {mine:?}, naively {other:?}"));
    }
    found
}

fn without_ways(
    outcomes: &BTreeMap<CopyKey, Count>,
) -> BTreeMap<(MessageKey, QueueId, Count), usize> {
    let mut counts = BTreeMap::new();
    for (&(message, queue, _), &outcome) in outcomes {
        *counts.entry((message, queue, outcome)).or_default() += 1;
    }
    counts
}

fn scope(
    found: &mut Vec<String>,
    name: &str,
    counts: &Counts,
    numbers: &Numbers,
    knows: impl Fn(Count) -> bool,
) {
    for count in ALL.into_iter().filter(|&count| knows(count)) {
        let naive = numbers.get(&count).copied().unwrap_or(0);
        if counts[count] != naive {
            found.push(format!("{name}: {} is {}, naively {naive}", count.name(), counts[count]));
        }
    }
}
