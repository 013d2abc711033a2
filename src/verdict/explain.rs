//! The why lines: one plain sentence for each set of causes, with its evidence.

use crate::ledger::books::Books;
use crate::ledger::event::{LifeEnd, LifeId};
use crate::ledger::fates::Cause;
use crate::ledger::outages::How;
use crate::plan::count::Count;
use crate::plan::model::{Fault, FaultAction, QueueId, StopHow};
use crate::verdict::causes::{Causes, Group as Alike};
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
            .join(if *outcome == Count::OverLimit { ", and " } else { "; or " }),
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
            "the channel of {} ended under {}, which nobody notices with confirms off",
            producers(books, group),
            plural(group.count, "its publish", "the publishes")
        ),
        Cause::Transient => transient(books, group),
        Cause::Unflushed => unflushed(books, group),
        Cause::YoungQueue => format!(
            "{} was less than a second old when RabbitMQ was killed, and a quorum queue that young \
             may forget everything",
            queues(books, group)
        ),
        Cause::WorkerRejected => {
            format!("{} refused {}", refusers(books, group), { plural(group.count, "it", "them") })
        }
        Cause::DeliveryLimit => format!(
            "{} handed {} out as often as its delivery limit allows, and RabbitMQ drops what comes \
             back once more",
            queues(books, group),
            plural(group.count, "it", "them")
        ),
        Cause::Ttl => format!(
            "{} waited in {} for longer than {} time to live",
            plural(group.count, "it", "they"),
            queues(books, group),
            plural(group.count, "its", "their")
        ),
        Cause::MaxLength => {
            format!("{} was full, and RabbitMQ drops what is too much", queues(books, group))
        }
        Cause::Republished => format!(
            "{} published {} once more after its connection was lost, and the first {} arrived",
            producers(books, group),
            plural(group.count, "it", "them"),
            plural(group.count, "had", "ones had")
        ),
        Cause::Reread => "the worker read the stream once more from an earlier offset".to_owned(),
        Cause::ForgottenAck => format!(
            "finished and never acked, so RabbitMQ handed {} out again when the worker was gone",
            plural(group.count, "it", "them")
        ),
        Cause::Requeued => format!(
            "the worker {} between its work and its ack, so RabbitMQ handed {} out again",
            parted(books),
            plural(group.count, "it", "them")
        ),
        Cause::AckLost => ack_lost(books, group),
        Cause::Unexplained => "nothing that was observed explains it".to_owned(),
    }
}

fn ack_lost(books: &Books, group: &Alike) -> String {
    let acks = plural(group.count, "its ack was", "their acks were");
    let copies = plural(group.count, "it", "them");
    if befell(books, How::Ended(StopHow::Sigkill)) {
        return format!("{acks} written, and lost with RabbitMQ when that was killed");
    }
    if befell(books, How::Parted) {
        return format!(
            "{acks} written on a node that did not hear the others, which had taken {copies} for \
             given back"
        );
    }
    format!(
        "{acks} written, and RabbitMQ had not taken {copies} when the worker or its connection \
         was gone"
    )
}

fn unflushed(books: &Books, group: &Alike) -> String {
    let copies = plural(group.count, "it", "them");
    let killed = books.outages().iter().any(|it| it.how != How::Parted);
    match killed || !befell(books, How::Parted) {
        true => {
            format!("RabbitMQ was killed before it had written {copies}, and had confirmed nothing")
        }
        false => format!(
            "nodes of RabbitMQ did not hear each other when {copies} came, and had confirmed nothing"
        ),
    }
}

fn befell(books: &Books, how: How) -> bool {
    books.outages().iter().any(|it| it.how == how)
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

/// How workers and their deliveries were parted in this run.
fn parted(books: &Books) -> &'static str {
    let ends = || books.lives().iter().filter_map(|life| life.end.as_ref());
    let any = |alike: fn(&LifeEnd) -> bool| ends().any(|end| alike(&end.how));
    let killed = any(|how| matches!(how, LifeEnd::Killed(_)));
    let lost = any(|how| matches!(how, LifeEnd::Lost));
    match (killed, lost, any(|how| matches!(how, LifeEnd::Failed))) {
        (true, false, false) => "was killed",
        (false, true, false) => "lost its connection",
        _ => "was gone",
    }
}

/// Who refused them.
fn refusers(books: &Books, group: &Alike) -> String {
    let name = |id: &LifeId| books.plan.workers[books.life(*id).worker.index()].name.clone();
    let mut names: Vec<String> = group.lives.iter().map(name).collect();
    names.dedup();
    list(&names, NAMES)
}

fn queues(books: &Books, group: &Alike) -> String {
    let name = |id: &QueueId| format!("queue {}", books.plan.topology.queues[id.index()].name);
    list(&group.queues.iter().map(name).collect::<Vec<_>>(), NAMES)
}

fn gone(books: &Books, group: &Alike) -> String {
    let one = |id: &QueueId| {
        let queue = &books.plan.topology.queues[id.index()];
        let deleted = |fault: &Fault| fault.action == FaultAction::Delete(*id);
        let why = match (queue.temporary, queue.exclusive) {
            _ if books.was_purged(*id) => "was purged",
            _ if books.plan.faults.iter().any(deleted) => "was deleted with what was in it",
            (true, _) => "is temporary and went with its connection",
            (_, true) => "is exclusive and went with its connection",
            _ if queue.auto_delete => "is auto-delete and went with its last consumer",
            _ => "expired because nobody used it",
        };
        let kind = if queue.temporary { "the queue of" } else { "queue" };
        format!("{kind} {} {why}", queue.name)
    };
    list(&group.queues.iter().map(one).collect::<Vec<_>>(), NAMES)
}

/// What does not survive the end of its broker, and why.
fn transient(books: &Books, group: &Alike) -> String {
    let plan = &books.plan;
    let durable = |id: &QueueId| plan.topology.queues[id.index()].durable;
    if group.queues.iter().all(|id| !durable(id)) {
        return format!("{} was not durable, and went when RabbitMQ ended", queues(books, group));
    }
    let what = plural(group.count, "the message was", "the messages were");
    format!("{what} not persistent, and a classic queue keeps no others when RabbitMQ ends")
}

fn producers(books: &Books, group: &Alike) -> String {
    let name = |id: &crate::plan::model::ProducerId| books.plan.producers[id.index()].name.clone();
    list(&group.producers.iter().map(name).collect::<Vec<_>>(), NAMES)
}
