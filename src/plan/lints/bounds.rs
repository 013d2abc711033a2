//! Between which numbers a count can be, as far as the configuration alone tells.
//!
//! These are coarse on purpose: each bound holds whatever the broker does and whenever faults act.

use crate::plan::count::{COPY_OUTCOMES, Count};
use crate::plan::lints::looked::Looked;
use crate::plan::model::{
    AckMode, Confirms, ExchangeRef, Overflow, Producer, ProducerId, QueueId, QueueKind, Scope,
    Unconfirmed, Worker,
};

/// A count is at least `least`, and at most `most` if that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub least: u64,
    pub most: Option<u64>,
}

impl Bounds {
    const NONE: Self = Self { least: 0, most: Some(0) };

    fn up_to(most: Option<u64>) -> Self {
        Self { least: 0, most }
    }
}

/// What a count of this scope can be.
pub fn of(looked: &Looked, scope: &Scope, count: Count) -> Bounds {
    use Count::*;
    match count {
        Published | Confirmed | Refused | Unconfirmed | Unchecked | Republished | Returned
        | Unroutable | Replied | Unanswered => of_publishes(looked, scope, count),
        Deliveries | Begun | Finished | Redelivered | Repeats | Acked => {
            of_workers(looked, scope, count)
        }
        Rejected if matches!(scope, Scope::Workers(_)) => of_workers(looked, scope, count),
        Unexpected => Bounds::up_to(None),
        _ => of_copies(looked, scope, count),
    }
}

fn producers<'a>(looked: &Looked<'a, '_>, scope: &Scope) -> Vec<&'a Producer> {
    let all = &looked.variant.producers;
    match scope {
        Scope::Producers(ids) => ids.iter().map(|id| &all[id.index()]).collect(),
        _ => all.iter().collect(),
    }
}

fn of_publishes(looked: &Looked, scope: &Scope, count: Count) -> Bounds {
    let producers = producers(looked, scope);
    let sum = |counts: &dyn Fn(&Producer) -> bool| {
        let those = producers.iter().filter(|producer| counts(producer));
        those.map(|producer| producer.messages).fold(0, u64::saturating_add)
    };
    let off = |it: &Producer| it.confirms == Confirms::Off;
    let most = |counts: &dyn Fn(&Producer) -> bool| Bounds::up_to(Some(sum(counts)));
    let exactly = |n: u64| {
        let least = if undisturbed(looked, &producers) { n } else { 0 };
        Bounds { least, most: Some(n) }
    };
    match count {
        Count::Published => exactly(sum(&|_| true)),
        Count::Unchecked => exactly(sum(&off)),
        Count::Confirmed | Count::Refused | Count::Unconfirmed => most(&|it| !off(it)),
        Count::Returned => most(&|it| it.mandatory),
        Count::Replied | Count::Unanswered => most(&|it| it.rpc.is_some()),
        Count::Republished => {
            let again = producers.iter().any(|it| it.unconfirmed == Unconfirmed::Republish);
            Bounds::up_to((!again).then_some(0))
        }
        _ => most(&|_| true),
    }
}

/// Whether nothing keeps these producers from publishing all they have.
fn undisturbed(looked: &Looked, producers: &[&Producer]) -> bool {
    let exchanges = &looked.variant.topology.exchanges;
    let taken = |producer: &&Producer| {
        let open = match producer.to.exchange {
            ExchangeRef::Declared(id) => {
                let exchange = &exchanges[id.index()];
                !exchange.internal && !exchange.auto_delete
            }
            ExchangeRef::Missing(_) => false,
        };
        open && producer.size.is_none() && producer.start.is_none()
    };
    looked.variant.faults.is_empty() && !looked.expects_errors() && producers.iter().all(taken)
}

fn of_workers(looked: &Looked, scope: &Scope, count: Count) -> Bounds {
    let all = &looked.variant.workers;
    let mut workers: Vec<&Worker> = match scope {
        Scope::Workers(ids) => ids.iter().map(|id| &all[id.index()]).collect(),
        Scope::Queue(id) => all.iter().filter(|worker| worker.queue == *id).collect(),
        Scope::Queues(ids) => all.iter().filter(|worker| ids.contains(&worker.queue)).collect(),
        _ => all.iter().collect(),
    };
    match count {
        Count::Acked => workers.retain(|it| !matches!(it.ack, AckMode::Auto | AckMode::Never)),
        Count::Rejected => workers.retain(|it| !it.rejects.is_empty()),
        _ => {}
    }
    let mut queues: Vec<QueueId> = workers.iter().map(|worker| worker.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    let most = looked.flow.most_of(queues.iter().copied());
    if most == Some(0) {
        return Bounds::NONE;
    }
    let buried = queues.iter().any(|queue| looked.flow.buried[queue.index()]);
    if looked.redelivers(None) || buried {
        return Bounds::up_to(None);
    }
    match count {
        Count::Redelivered | Count::Repeats => Bounds::NONE,
        _ => Bounds::up_to(most),
    }
}

fn of_copies(looked: &Looked, scope: &Scope, count: Count) -> Bounds {
    let queues: Vec<QueueId> = match scope {
        Scope::Queue(id) => vec![*id],
        Scope::Queues(ids) => ids.clone(),
        Scope::Producers(ids) => return of_producers_copies(looked, ids, count),
        _ => (0..looked.variant.topology.queues.len()).map(QueueId::from_index).collect(),
    };
    if impossible(looked, &queues, count) {
        return Bounds::NONE;
    }
    let read = |queue: &QueueId| looked.is_read(*queue);
    let most = match count {
        Count::Delivered | Count::Duplicates => {
            looked.flow.most_of(queues.into_iter().filter(read))
        }
        _ => looked.flow.most_of(queues),
    };
    Bounds::up_to(most)
}

/// The copies of what some producers publish, if nothing of it is dead-lettered.
fn of_producers_copies(looked: &Looked, ids: &[ProducerId], count: Count) -> Bounds {
    let variant = looked.variant;
    let all: Vec<QueueId> = (0..variant.topology.queues.len()).map(QueueId::from_index).collect();
    if impossible(looked, &all, count) {
        return Bounds::NONE;
    }
    if looked.flow.buried.contains(&true) || !COPY_OUTCOMES.contains(&count) {
        return Bounds::up_to(None);
    }
    let groups = variant.producer_groups.iter().zip(&looked.flow.sent);
    let sums = groups.map(|(group, sent)| {
        let instances = group.members.iter().filter(|id| ids.contains(id)).count();
        let each = sent.copies.values().copied().fold(0, u64::saturating_add);
        let known = sent.whole || instances == 0;
        known.then(|| each.saturating_mul(u64::try_from(instances).unwrap_or(u64::MAX)))
    });
    Bounds::up_to(sums.sum())
}

/// Whether no queue of these has what makes such an outcome.
fn impossible(looked: &Looked, queues: &[QueueId], count: Count) -> bool {
    let variant = looked.variant;
    let any = |has: &dyn Fn(&crate::plan::model::Queue) -> bool| {
        queues.iter().any(|id| has(&variant.topology.queues[id.index()]))
    };
    // What was there before the run may have more than the file says, by a policy.
    if any(&|queue| queue.predeclared) {
        return false;
    }
    match count {
        Count::DeadLettered => !any(&|queue| queue.dead_letter.is_some()),
        Count::OverLimit => !any(&|queue| queue.kind == QueueKind::Quorum),
        Count::Expired => {
            let ttl = variant.producers.iter().any(|producer| producer.ttl.is_some());
            !ttl && !any(&|queue| queue.message_ttl.is_some() || queue.kind == QueueKind::Stream)
        }
        Count::Dropped => !any(&|queue| {
            queue.is_bounded()
                || queue.overflow != Overflow::DropHead
                || queue.kind == QueueKind::Stream
        }),
        Count::Rejected => !looked.workers().any(|(_, it)| it.rejects.iter().any(|it| !it.requeue)),
        _ => false,
    }
}
