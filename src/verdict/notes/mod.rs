//! Sentences on what needs no cause but gains by one.

mod blocked;
mod redelivered;
mod remaining;

use crate::ledger::books::Books;
use crate::ledger::counts::Counts;
use crate::ledger::event::LifeEnd;
use crate::ledger::facts::Facts;
use crate::ledger::paths::Reason;
use crate::plan::count::Count;
use crate::plan::model::{
    ExchangeRef, Expected, Group, Overflow, Producer, Queue, QueueId, WorkerId,
};
use crate::verdict::words::plural;

/// How many names a sentence lists.
const NAMES: usize = 3;

/// Sentences on who had to wait, what was redelivered, stayed in a queue, or found no queue.
pub fn notes(books: &Books, facts: &Facts) -> Vec<String> {
    let mut notes = blocked::sentences(books, facts);
    notes.extend(redelivered::sentences(books));
    notes.extend(dead_letters(books));
    notes.extend(remaining::sentences(books));
    notes.extend(kept(books));
    notes.extend(turned_away(books));
    notes.extend(unroutable(books));
    notes.extend(unanswered(books));
    notes.extend(uncertain(books));
    notes.extend(shares(books));
    notes.extend(unconfirmed(books));
    notes.extend(unseen(books));
    notes
}

/// Publishes without an answer.
fn unconfirmed(books: &Books) -> Option<String> {
    let count = books.totals[Count::Unconfirmed];
    let unseen = match books.undrained.is_empty() {
        true => books.totals[Count::InDoubt],
        false => 0,
    };
    let mut text = format!(
        "{count} unconfirmed: no answer came, so the publisher cannot know whether {} arrived",
        plural(count, "it", "they")
    );
    if unseen > 0 {
        text += &format!("; {unseen} {} never seen", plural(unseen, "was", "were"));
    }
    (count > 0).then_some(text)
}

/// Queues that nobody could look into at the end.
fn unseen(books: &Books) -> Vec<String> {
    let note = |id: &QueueId| {
        let count = books.queues[id.index()][Count::InDoubt];
        let queue = &books.plan.topology.queues[id.index()].name;
        let they = plural(count, "it is", "they are");
        (count > 0).then(|| {
            format!(
                "{count} in doubt: queue {queue} gave nothing away at the end, so nobody can tell \
                 whether {they} in it"
            )
        })
    };
    books.undrained.iter().filter_map(note).collect()
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

/// `3 dead-lettered from work: rejected`.
fn dead_letters(books: &Books) -> Vec<String> {
    let note = |((queue, reason), count): ((QueueId, Reason), u64)| {
        let (them, they) = (plural(count, "it", "them"), plural(count, "it", "they"));
        let why = match reason {
            Reason::Rejected => format!("a worker refused {them}"),
            Reason::Expired => format!("{they} had waited for as long as allowed"),
            Reason::MaxLength => format!("the queue was too full for {them}"),
            Reason::DeliveryLimit => {
                format!("{they} came back more often than the delivery limit allows")
            }
        };
        let queue = &books.plan.topology.queues[queue.index()].name;
        format!("{count} dead-lettered from {queue} ({}): {why}", reason.name())
    };
    books.deaths().into_iter().map(note).collect()
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
