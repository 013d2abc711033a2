//! Where what was redelivered had been before, and who got it then.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::Move;
use crate::ledger::books::Books;
use crate::ledger::event::LifeEnd;
use crate::ledger::outages::How;
use crate::plan::model::{QueueKind, StopHow, WorkerId};
use crate::verdict::notes::NAMES;
use crate::verdict::words::{list, plural};

/// Where redelivered copies had been before, as far as a sentence tells them apart.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    /// Nobody of this run had read them.
    Unread,
    /// Nor these, and they were in a classic queue of a broker that was killed.
    Flagged,
    /// The worker of that life gave them back.
    GivenBack(WorkerId),
    /// The worker had them when its lives ended in that way.
    Held(WorkerId, &'static str),
    /// Who had them goes on.
    Had(WorkerId),
}

/// `7 redelivered: worker-1 held 7 unacked when it was killed; worker-2 got them`.
pub fn sentences(books: &Books) -> Vec<String> {
    let mut by_source: BTreeMap<Source, (u64, BTreeSet<WorkerId>)> = BTreeMap::new();
    for (moved, count) in &books.moves {
        let entry = by_source.entry(source(books, moved)).or_default();
        entry.0 += count;
        entry.1.insert(moved.to);
    }
    let note = |(source, (count, to)): (Source, (u64, BTreeSet<WorkerId>))| {
        let takers: Vec<String> = to.iter().map(|id| worker(books, *id).to_owned()).collect();
        let takers = list(&takers, NAMES);
        let them = plural(count, "it", "them");
        let why = match source {
            Source::Unread => format!("sent before to somebody who never read {them}"),
            Source::Flagged => "RabbitMQ was killed, and flags all that a classic queue has left \
                                after that, because it no longer knows what it had sent"
                .to_owned(),
            Source::GivenBack(id) => format!("{} gave {them} back", worker(books, id)),
            Source::Held(id, when) => held(books, id, when, count),
            Source::Had(id) => format!("{} had {them}", worker(books, id)),
        };
        format!("{count} redelivered: {why}; {takers} got {them}")
    };
    by_source.into_iter().map(note).collect()
}

fn source(books: &Books, moved: &Move) -> Source {
    let Some(id) = moved.from else {
        let queue = books.plan.workers[moved.to.index()].queue;
        let classic = books.plan.topology.queues[queue.index()].kind == QueueKind::Classic;
        let killed =
            books.outages().iter().any(|outage| outage.how == How::Ended(StopHow::Sigkill));
        return if classic && killed { Source::Flagged } else { Source::Unread };
    };
    let life = books.life(id);
    match &life.end {
        _ if moved.given_back => Source::GivenBack(life.worker),
        Some(end) => Source::Held(life.worker, ended(end.how)),
        None => Source::Had(life.worker),
    }
}

fn worker(books: &Books, id: WorkerId) -> &str {
    &books.plan.workers[id.index()].name
}

fn ended(how: LifeEnd) -> &'static str {
    match how {
        LifeEnd::Killed(_) => "was killed",
        LifeEnd::Stopped => "stopped",
        LifeEnd::Lost => LOST,
        LifeEnd::Failed | LifeEnd::Cut | LifeEnd::Frozen => "ended",
    }
}

const LOST: &str = "lost its connection";

/// What the worker held all the times that it ended in this way.
fn held(books: &Books, id: WorkerId, when: &str, count: u64) -> String {
    let name = worker(books, id);
    // Of acks that it wrote on a dead connection the broker may have read none.
    if when == LOST {
        let them = plural(count, "it", "them");
        return match books.outages().iter().any(|outage| outage.how == How::Ended(StopHow::Sigkill))
        {
            true => format!("RabbitMQ had kept no ack of {them} by {name} when it was killed"),
            false => format!("RabbitMQ had no ack of {them} when {name} {when}"),
        };
    }
    let lives = books.lives().iter().filter(|life| life.worker == id);
    let ends = lives.filter_map(|life| life.end.as_ref());
    let alike: Vec<u64> =
        ends.filter(|end| ended(end.how) == when).map(|end| end.unacked).collect();
    let unacked: u64 = alike.iter().sum();
    match alike.iter().filter(|unacked| **unacked > 0).count() {
        0 | 1 => format!("{name} held {unacked} unacked when it {when}"),
        times => format!("{name} {when} {times} times, holding {unacked} unacked in all"),
    }
}
