//! Sentences on what needs no cause but gains by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::books::Books;
use crate::ledger::counts::Counts;
use crate::ledger::event::{LifeEnd, LifeId};
use crate::ledger::paths::Reason;
use crate::plan::count::Count;
use crate::plan::model::{
    ExchangeRef, Expected, Group, Overflow, Producer, Queue, QueueId, WorkerId,
};
use crate::verdict::words::{list, plural};

/// How many names a sentence lists.
const NAMES: usize = 3;

/// Sentences on what was redelivered, stayed in a queue, or found no queue.
pub fn notes(books: &Books) -> Vec<String> {
    let mut notes = redelivered(books);
    notes.extend(dead_letters(books));
    notes.extend(remaining(books));
    notes.extend(kept(books));
    notes.extend(turned_away(books));
    notes.extend(unroutable(books));
    notes.extend(unanswered(books));
    notes.extend(uncertain(books));
    notes.extend(shares(books));
    if books.totals[Count::Unconfirmed] > 0 {
        let unconfirmed = books.totals[Count::Unconfirmed];
        notes.push(format!(
            "{unconfirmed} unconfirmed: published, and no answer came; nobody knows"
        ));
    }
    notes
}

/// Copies whose publish the broker refused.
fn turned_away(books: &Books) -> Vec<String> {
    let queues = books.plan.topology.queues.iter().zip(&books.queues);
    let with = queues.filter(|(_, counts)| counts[Count::TurnedAway] > 0);
    let note = |(queue, counts): (&Queue, &Counts)| {
        let why = match queue.overflow {
            Overflow::DropHead => "RabbitMQ refused them",
            _ => "the queue was full, and RabbitMQ told the publisher with basic.nack",
        };
        format!("{} turned away from {}: {why}", counts[Count::TurnedAway], queue.name)
    };
    with.map(note).collect()
}

/// Requests that nobody answered in time.
fn unanswered(books: &Books) -> Option<String> {
    let count = books.totals[Count::Unanswered];
    let answers = books.plan.workers.iter().any(|worker| worker.reply.is_some());
    let why = if answers { "no answer came" } else { "no worker has a `reply`" };
    (count > 0).then(|| format!("{count} unanswered: {why}"))
}

/// With at-least-once a queue keeps a dead letter until some queue has taken it, out of the
/// drain's reach.
fn kept(books: &Books) -> Vec<String> {
    let queues = books.plan.topology.queues.iter().zip(&books.queues);
    let note = |(queue, counts): (&Queue, &Counts)| {
        let dead = [Count::Rejected, Count::Expired, Count::OverLimit, Count::Dropped];
        let gone: u64 = dead.iter().map(|count| counts[*count]).sum();
        let keeps = queue.dead_letter.as_ref().is_some_and(|dead| dead.at_least_once);
        (keeps && gone > 0).then(|| {
            format!(
                "{gone} dead letters of {} came nowhere: with at-least-once RabbitMQ keeps them \
                 inside the queue, where nobody can see them",
                queue.name
            )
        })
    };
    queues.filter_map(note).collect()
}

/// Copies that a queue may or may not have got while it came or went.
fn uncertain(books: &Books) -> Option<String> {
    let count = books.uncertain();
    let them = plural(count, "it", "them");
    (count > 0).then(|| {
        format!(
            "{count} on the way while a queue came or went: nobody can say whether the queue got \
             {them}, so nothing counts {them}"
        )
    })
}

/// `7 redelivered: worker-1 held 7 unacked when it was killed; worker-2 got them`.
fn redelivered(books: &Books) -> Vec<String> {
    type Source = (Option<LifeId>, bool);
    let mut by_source: BTreeMap<Source, (u64, BTreeSet<WorkerId>)> = BTreeMap::new();
    for (moved, count) in &books.moves {
        let entry = by_source.entry((moved.from, moved.given_back)).or_default();
        entry.0 += count;
        entry.1.insert(moved.to);
    }
    let note = |((from, given_back), (count, to)): (Source, (u64, BTreeSet<WorkerId>))| {
        let name = |id: &WorkerId| books.plan.workers[id.index()].name.clone();
        let takers = list(&to.iter().map(name).collect::<Vec<_>>(), NAMES);
        let them = plural(count, "it", "them");
        let why = match from {
            None => format!("sent before to somebody who never read {them}"),
            Some(id) if given_back => {
                let worker = &books.plan.workers[books.life(id).worker.index()].name;
                format!("{worker} gave {them} back")
            }
            Some(id) => held(books, id, count),
        };
        format!("{count} redelivered: {why}; {takers} got {them}")
    };
    by_source.into_iter().map(note).collect()
}

/// `3 dead-lettered from work: rejected`.
fn dead_letters(books: &Books) -> Vec<String> {
    let note = |((queue, reason), count): ((QueueId, Reason), u64)| {
        let why = match reason {
            Reason::Rejected => "a worker refused",
            Reason::Expired => "the time to live ran out of",
            Reason::MaxLength => "the queue was too full for",
            Reason::DeliveryLimit => "the delivery limit was reached by",
        };
        let queue = &books.plan.topology.queues[queue.index()].name;
        let them = plural(count, "it", "them");
        format!("{count} dead-lettered from {queue} ({}): {why} {them}", reason.name())
    };
    books.deaths().into_iter().map(note).collect()
}

fn held(books: &Books, id: LifeId, count: u64) -> String {
    let life = books.life(id);
    let name = &books.plan.workers[life.worker.index()].name;
    let Some(end) = &life.end else { return format!("{name} had them") };
    let when = match end.how {
        LifeEnd::Killed(_) => "when it was killed",
        LifeEnd::Stopped => "when it stopped",
        // Of acks that it wrote on a dead connection the broker may have read none.
        LifeEnd::Lost => {
            let them = plural(count, "it", "them");
            return format!("RabbitMQ had no ack of {them} when {name} lost its connection");
        }
        LifeEnd::Failed | LifeEnd::Cut | LifeEnd::Frozen => "when it ended",
    };
    format!("{name} held {} unacked {when}", end.unacked)
}

fn remaining(books: &Books) -> Vec<String> {
    let queues = books.plan.topology.queues.iter().zip(&books.queues);
    let with = queues.filter(|(_, counts)| counts[Count::Remaining] > 0);
    let note = |(queue, counts): (&crate::plan::model::Queue, &Counts)| {
        let count = counts[Count::Remaining];
        format!("{count} remaining: still in queue {} at the end", queue.name)
    };
    with.map(note).collect()
}

/// What became of messages that no queue was bound for, by producer.
fn unroutable(books: &Books) -> Vec<String> {
    let producers = books.plan.producers.iter().zip(&books.producers);
    let with = producers.filter(|(_, counts)| counts[Count::Unroutable] > 0);
    let note = |(producer, counts): (&Producer, &Counts)| {
        let fate = match &producer.to.exchange {
            ExchangeRef::Missing(name) => format!(
                "exchange {name} does not exist, and RabbitMQ closes the channel of whoever \
                 publishes to it"
            ),
            ExchangeRef::Declared(_) if producer.mandatory => {
                "no queue was bound for them; RabbitMQ returned what is mandatory".to_owned()
            }
            ExchangeRef::Declared(_) if counts[Count::Confirmed] > 0 => {
                "no queue was bound for them; RabbitMQ confirms and drops them: a confirm does \
                 not mean that a queue took it"
                    .to_owned()
            }
            ExchangeRef::Declared(_) => {
                "no queue was bound for them; RabbitMQ dropped them without a word".to_owned()
            }
        };
        format!("{} unroutable: {fate}", counts[Count::Unroutable])
    };
    with.map(note).collect()
}

/// How a group shared its time at work, where that is expected to be fair or was far from it.
/// A death explains any share, so a group that had one is left out.
fn shares(books: &Books) -> Vec<String> {
    let died = |id: &WorkerId| {
        let mut lives = books.lives().iter().filter(|life| life.worker == *id);
        lives.any(|life| life.end.as_ref().is_some_and(|end| end.how != LifeEnd::Stopped))
    };
    let expected = |members: &Vec<WorkerId>| {
        books.plan.expectations.iter().any(|expectation| {
            matches!(&expectation.what, Expected::Fairness { workers, .. } if workers == members)
        })
    };
    let told = |group: &&Group<WorkerId>| {
        let members = &group.members;
        let total: u64 = members.iter().map(|id| books.busy[id.index()]).sum();
        let most = members.iter().map(|id| books.busy[id.index()]).max().unwrap_or(0);
        let unfair = most * members.len() as u64 * 2 >= total * 3;
        let lasting = total >= 100_000 && members.len() > 1;
        lasting && (unfair || expected(members)) && !members.iter().any(died)
    };
    books.plan.worker_groups.iter().filter(told).map(|group| share(books, group)).collect()
}

/// `time at work: worker-1 17%, worker-2 83%`; of many only the least and the most.
fn share(books: &Books, group: &Group<WorkerId>) -> String {
    let busy = |id: &WorkerId| books.busy[id.index()];
    let total: u64 = group.members.iter().map(busy).sum();
    let one = |id: &WorkerId| {
        let name = &books.plan.workers[id.index()].name;
        format!("{name} {:.0}%", busy(id) as f64 * 100.0 / total as f64)
    };
    if group.members.len() <= NAMES {
        let all: Vec<String> = group.members.iter().map(one).collect();
        return format!("time at work: {}", all.join(", "));
    }
    let least = group.members.iter().min_by_key(|id| busy(id)).map(one).unwrap_or_default();
    let most = group.members.iter().max_by_key(|id| busy(id)).map(one).unwrap_or_default();
    format!("time at work: from {least} to {most}")
}
