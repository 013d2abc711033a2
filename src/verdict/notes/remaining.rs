//! What is still in its queue at the end, and why nobody took it where no worker could.

use crate::ledger::books::Books;
use crate::ledger::counts::Counts;
use crate::ledger::event::LifeEnd;
use crate::ledger::lives::{End, Life};
use crate::plan::count::Count;
use crate::plan::model::{Queue, QueueId};
use crate::verdict::words::plural;

/// A sentence for each such queue.
pub fn sentences(books: &Books) -> Vec<String> {
    let queues = books.plan.topology.queues.iter().zip(&books.queues).enumerate();
    let with = queues.filter(|(_, (_, counts))| counts[Count::Remaining] > 0);
    let note = |(index, (queue, counts)): (usize, (&Queue, &Counts))| {
        let count = counts[Count::Remaining];
        let why = left_alone(books, QueueId::from_index(index), count);
        format!("{count} remaining: still in queue {} at the end{why}", queue.name)
    };
    with.map(note).collect()
}

fn left_alone(books: &Books, queue: QueueId, count: u64) -> String {
    let lives = || books.lives().iter().filter(|life| life.queue == queue);
    let ends = || lives().filter_map(|life| Some((life, life.end.as_ref()?)));
    if let Some((life, end)) = ends().find(|(_, end)| end.how == LifeEnd::Frozen) {
        let name = &books.plan.workers[life.worker.index()].name;
        return format!("; {name} was frozen to the end and held {}", end.unacked);
    }
    let last = |life: &Life| {
        !lives().any(|other| other.worker == life.worker && other.id.index() > life.id.index())
    };
    let gone = |end: &End| matches!(end.how, LifeEnd::Killed(_) | LifeEnd::Failed | LifeEnd::Lost);
    let died = |life: &Life| !last(life) || life.end.as_ref().is_some_and(gone);
    match lives().next().is_some() && lives().all(died) {
        true => format!("; no worker was left to take {}", plural(count, "it", "them")),
        false => String::new(),
    }
}
