//! The why lines: one plain sentence for each set of causes, with its evidence, and notes on
//! what needs no cause but gains by one.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::books::Books;
use crate::ledger::counts::Counts;
use crate::ledger::event::{LifeEnd, LifeId};
use crate::plan::count::Count;
use crate::plan::model::{ExchangeRef, Expected, Group, Producer, QueueId, WorkerId};
use crate::verdict::causes::{Cause, Causes, Group as Alike};
use crate::verdict::model::CauseRow;
use crate::verdict::proof::death;
use crate::verdict::words::{list, plural};

/// How many names a sentence lists.
const NAMES: usize = 3;

/// A row for each set of causes.
pub fn rows(books: &Books, causes: &Causes) -> Vec<CauseRow> {
    let row = |((outcome, set), group): (&(Count, Vec<Cause>), &Alike)| CauseRow {
        outcome: outcome.name().to_owned(),
        count: group.count,
        causes: set.iter().map(|cause| cause.name().to_owned()).collect(),
        text: set
            .iter()
            .map(|cause| sentence(books, *cause, group))
            .collect::<Vec<_>>()
            .join("; or "),
    };
    causes.groups.iter().map(row).collect()
}

fn sentence(books: &Books, cause: Cause, group: &Alike) -> String {
    match cause {
        Cause::AutoAck => format!(
            "under automatic acks RabbitMQ forgets a message when it sends it; {}",
            sent(books, group)
        ),
        Cause::EarlyAck => format!(
            "acked when the work began, so RabbitMQ forgot {} before the work was done; {}",
            plural(group.count, "it", "them"),
            sent(books, group)
        ),
        Cause::QueueGone => gone(books, group),
        Cause::NotSent => format!(
            "with confirms off nobody notices when the connection of {} ends under a publish",
            producers(books, group)
        ),
        Cause::ForgottenAck => format!(
            "finished and never acked, so RabbitMQ handed {} out again when the worker was gone",
            plural(group.count, "it", "them")
        ),
        Cause::Requeued => format!(
            "the first worker was gone between its work and its ack, so RabbitMQ handed {} out again",
            plural(group.count, "it", "them")
        ),
        Cause::AckLost => format!(
            "the ack of {} was written and took no effect before the worker was gone",
            plural(group.count, "it", "them")
        ),
        Cause::Unexplained => "nothing that was observed explains it".to_owned(),
    }
}

/// `worker-1 had been sent 10, finished 3, and was killed in its 4th (160 ms)`. What is lost
/// beyond what they held was still on its way, and they had been sent more than they had read.
fn sent(books: &Books, group: &Alike) -> String {
    let held: u64 = group.lives.iter().map(|id| books.life(*id).in_hand()).sum();
    let on_their_way = group.count.saturating_sub(held);
    let had = if on_their_way > 0 { "had read" } else { "had been sent" };
    let one = |id: &LifeId| {
        let life = books.life(*id);
        let name = &books.plan.workers[life.worker.index()].name;
        let counts = life.counts;
        let ended = death(books, *id);
        format!("{name} {had} {}, finished {}, and {ended}", counts.read, counts.finished)
    };
    let all: Vec<String> = group.lives.iter().map(one).collect();
    let list = list(&all, NAMES);
    match on_their_way {
        0 => list,
        1 => format!("{list}; 1 was still on its way"),
        many => format!("{list}; {many} were still on their way"),
    }
}

fn gone(books: &Books, group: &Alike) -> String {
    let one = |id: &QueueId| {
        let queue = &books.plan.topology.queues[id.index()];
        let why = match (queue.temporary, queue.exclusive) {
            (true, _) => "is temporary and went with its connection",
            (_, true) => "is exclusive and went with its connection",
            _ => "is auto-delete and went with its last consumer",
        };
        let kind = if queue.temporary { "the queue of" } else { "queue" };
        format!("{kind} {} {why}", queue.name)
    };
    list(&group.queues.iter().map(one).collect::<Vec<_>>(), NAMES)
}

fn producers(books: &Books, group: &Alike) -> String {
    let name = |id: &crate::plan::model::ProducerId| books.plan.producers[id.index()].name.clone();
    list(&group.producers.iter().map(name).collect::<Vec<_>>(), NAMES)
}

/// Sentences on what was redelivered, stayed in a queue, or found no queue.
pub fn notes(books: &Books) -> Vec<String> {
    let mut notes = redelivered(books);
    notes.extend(remaining(books));
    notes.extend(unroutable(books));
    notes.extend(shares(books));
    if books.totals[Count::Unconfirmed] > 0 {
        let unconfirmed = books.totals[Count::Unconfirmed];
        notes.push(format!(
            "{unconfirmed} unconfirmed: published, and no answer came; nobody knows"
        ));
    }
    notes
}

/// `7 redelivered: worker-1 held 7 unacked when it was killed; worker-2 got them`.
fn redelivered(books: &Books) -> Vec<String> {
    let mut by_source: BTreeMap<Option<LifeId>, (u64, BTreeSet<WorkerId>)> = BTreeMap::new();
    for ((from, to), count) in &books.moves {
        let entry = by_source.entry(*from).or_default();
        entry.0 += count;
        entry.1.insert(*to);
    }
    let note = |(from, (count, to)): (Option<LifeId>, (u64, BTreeSet<WorkerId>))| {
        let name = |id: &WorkerId| books.plan.workers[id.index()].name.clone();
        let takers = list(&to.iter().map(name).collect::<Vec<_>>(), NAMES);
        let them = plural(count, "it", "them");
        match from {
            None => format!(
                "{count} redelivered: sent before to somebody who never read {them}; {takers} got {them}"
            ),
            Some(id) => format!("{count} redelivered: {}; {takers} got {them}", held(books, id)),
        }
    };
    by_source.into_iter().map(note).collect()
}

fn held(books: &Books, id: LifeId) -> String {
    let life = books.life(id);
    let name = &books.plan.workers[life.worker.index()].name;
    let Some(end) = &life.end else { return format!("{name} had them") };
    let when = match end.how {
        LifeEnd::Killed(_) => "when it was killed",
        LifeEnd::Stopped => "when it stopped",
        LifeEnd::Failed | LifeEnd::Cut => "when it ended",
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
