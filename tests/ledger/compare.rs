//! The ledger's books beside the naive model's numbers.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmq_scenario::ledger::Ledger;
use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::counts::Counts;
use rmq_scenario::ledger::event::Event;
use rmq_scenario::plan::count::{ALL, COPY_OUTCOMES, Count};
use rmq_scenario::plan::model::Variant;

use crate::naive::{Naive, Numbers};
use crate::simulated::broker::CopyKey;

pub fn books(plan: &Arc<Variant>, events: &[Event]) -> Books {
    let mut ledger = Ledger::new(Arc::clone(plan), Arc::default(), "4.3.6");
    for event in events {
        ledger.record(event.clone());
    }
    ledger.close()
}

/// What became of each copy, by the ledger.
pub fn outcomes(books: &Books) -> BTreeMap<CopyKey, Count> {
    books.copies().map(|view| ((view.message, view.queue), view.outcome)).collect()
}

/// Every difference, in words.
pub fn differences(books: &Books, naive: &Naive) -> Vec<String> {
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
    let outcomes = outcomes(books);
    if outcomes != naive.outcomes {
        found.push(format!("outcomes: {outcomes:?}, naively {:?}", naive.outcomes));
    }
    found
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
