//! What the file lets befall each program and the broker, as far as it decides about counts.
//!
//! Whatever is not understood here is a threat: a guarantee may be wider than what happens, and
//! never narrower.

mod moments;
mod weather;

use std::time::Duration;

pub use crate::plan::guarantees::threats::weather::{Losses, Weather};
use crate::plan::model::{
    AckMode, BrokerAct, ExchangeRef, Fault, FaultAction, Instance, KillHow, Operation, ProducerId,
    Queue, QueueId, QueueKind, Tree, Trigger, Variant, Work, Worker, WorkerId,
};
use crate::plan::pattern::{Pattern, Scalar};
use crate::plan::version_matches;

/// What there is between two heartbeats unless a file says otherwise.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How much later than it should anything may happen on a busy machine.
const SLACK: Duration = Duration::from_secs(2);
/// How much longer than its works a worker may hold what it holds.
const HESITATION: Duration = Duration::from_millis(500);
/// The largest messages that a broker takes unless told otherwise, in bytes: before 4.0, and since.
const LARGEST: [u64; 2] = [128 << 20, 16 << 20];
/// Settings under which every count is what it would be without.
const HARMLESS: [&str; 3] =
    ["channel_tick_interval", "consumer_disconnected_timeout", "collect_statistics_interval"];

/// What becomes of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// It is killed, after what it has written; `back`: it is started again.
    Dies { back: bool },
    /// It loses its connection, and with it what is on the way; `back`: it connects again.
    Parts { back: bool },
    /// It leaves in good order.
    Leaves,
    /// It stands still, and what it holds stays with it.
    Freezes,
}

impl Blow {
    /// Whether it is there again afterwards, for certain.
    pub fn comes_back(self) -> bool {
        matches!(self, Blow::Dies { back: true } | Blow::Parts { back: true })
    }
}

/// One thing that befalls a program.
#[derive(Debug, Clone, Copy)]
pub struct Threat<'v> {
    pub blow: Blow,
    pub trigger: &'v Trigger,
}

/// Who is there from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    AtOnce,
    Later,
    Perhaps,
}

/// What the file lets happen.
pub struct Threats<'v> {
    pub variant: &'v Variant,
    pub weather: Weather,
}

impl<'v> Threats<'v> {
    pub fn of(variant: &'v Variant) -> Self {
        let calm = Self { variant, weather: Weather::Calm };
        Self { variant, weather: Weather::of(variant, calm.has_settings()) }
    }

    /// Settings of a private broker may change anything, but for those that are known.
    pub fn has_settings(&self) -> bool {
        self.has_unknown_settings()
            || self.consumer_timeout().is_some_and(|timeout| self.may_outlast(timeout))
    }

    /// Whether there are settings that nobody here knows.
    pub fn has_unknown_settings(&self) -> bool {
        let settings = &self.variant.broker;
        let unknown = |(name, value): &(String, Scalar)| match (&**name, value) {
            ("consumer_timeout", Scalar::Int(timeout)) => *timeout < 0,
            (name, _) => !HARMLESS.contains(&name),
        };
        let unknown_tree = |(name, tree): &(String, Tree)| match (&**name, tree) {
            ("rabbit", Tree::Map(entries)) => {
                entries.iter().any(|(name, _)| !HARMLESS.contains(&&**name))
            }
            _ => true,
        };
        settings.config.iter().any(unknown) || settings.advanced.iter().any(unknown_tree)
    }

    /// How long the broker waits for an ack, if the file says so.
    pub fn consumer_timeout(&self) -> Option<Duration> {
        self.variant.broker.config.iter().find_map(|(name, value)| match (&**name, value) {
            ("consumer_timeout", Scalar::Int(timeout)) => {
                u64::try_from(*timeout).ok().map(Duration::from_millis)
            }
            _ => None,
        })
    }

    /// Whether this worker acks whatever it holds before the broker loses patience with it, if
    /// nothing befalls it: of what it may hold, each work takes no longer than the longest.
    pub fn acks_within(&self, worker: &Worker, timeout: Duration) -> bool {
        let AckMode::Manual { every: 1 } = worker.ack else { return false };
        let longest = match &worker.work {
            Work::Pattern(Pattern::Range(_, most)) => Some(*most),
            Work::Pattern(pattern) => pattern.values().and_then(|all| all.into_iter().max()),
            Work::PerDot(_) => None,
        };
        let messages: u64 = self.variant.producers.iter().map(|it| it.messages).sum();
        let held = match worker.prefetch {
            0 => messages,
            prefetch => messages.min(u64::from(prefetch)),
        };
        let held = u32::try_from(held).unwrap_or(u32::MAX);
        longest.is_some_and(|longest| longest.saturating_mul(held) + HESITATION < timeout)
    }

    /// Whether somebody may hold a message so long without an ack: longer than all works of all
    /// messages take together, and whatever stops them.
    fn may_outlast(&self, timeout: Duration) -> bool {
        let mut time = HESITATION;
        for fault in &self.variant.faults {
            match fault.action {
                FaultAction::Kill { how, .. } if how != KillHow::Cancel => {}
                FaultAction::Freeze { lasts: Some(lasts), .. } => time += lasts,
                _ => return true,
            }
        }
        let messages: u64 = self.variant.producers.iter().map(|it| it.messages).sum();
        let Ok(messages) = u32::try_from(messages) else { return true };
        let longest = self.variant.workers.iter().map(|worker| match &worker.work {
            Work::Pattern(pattern) if worker.ack != AckMode::Never => match pattern {
                Pattern::Range(_, most) => Some(*most),
                pattern => pattern.values().and_then(|all| all.into_iter().max()),
            },
            _ => None,
        });
        let longest = longest.map(|it| it.map(|it| it.saturating_mul(messages)));
        let longest = longest.collect::<Option<Vec<Duration>>>();
        longest.is_none_or(|all| all.into_iter().max().unwrap_or_default() + time >= timeout)
    }

    pub fn of_worker(&self, id: WorkerId) -> Vec<Threat<'v>> {
        let worker = &self.variant.workers[id.index()];
        let stop = worker.stop.iter().map(|trigger| Threat { blow: Blow::Leaves, trigger });
        self.upon(Instance::Worker(id), worker.reconnect.is_some()).chain(stop).collect()
    }

    pub fn of_producer(&self, id: ProducerId) -> Vec<Threat<'v>> {
        let producer = &self.variant.producers[id.index()];
        self.upon(Instance::Producer(id), producer.reconnect.is_some()).collect()
    }

    fn upon(&self, instance: Instance, reconnects: bool) -> impl Iterator<Item = Threat<'v>> {
        let meant = move |fault: &&Fault| fault.action.target() == Some(instance);
        self.variant.faults.iter().filter(meant).filter_map(move |fault| {
            let blow = match fault.action {
                FaultAction::Kill { how, restart_after, .. } => {
                    let back = restart_after.is_some() && how != KillHow::Cancel;
                    if how == KillHow::Cancel { Blow::Freezes } else { Blow::Dies { back } }
                }
                FaultAction::Cut { lasts, .. } => {
                    Blow::Parts { back: lasts.is_some() && reconnects }
                }
                FaultAction::Disconnect { .. } => Blow::Parts { back: reconnects },
                FaultAction::Freeze { lasts: None, .. } => Blow::Freezes,
                _ => return None,
            };
            Some(Threat { blow, trigger: &fault.trigger })
        })
    }

    /// Whether the broker may refuse what it does, and so end it.
    pub fn may_err(&self, id: WorkerId) -> bool {
        let worker = &self.variant.workers[id.index()];
        let queue = &self.variant.topology.queues[worker.queue.index()];
        let alone = self.workers_of(worker.queue).count() == 1;
        let stream = queue.kind == QueueKind::Stream;
        let refused = stream && (worker.prefetch == 0 || worker.ack == AckMode::Auto);
        refused || worker.acks_elsewhere || (self.wants_alone(worker.queue) && !alone)
    }

    fn wants_alone(&self, queue: QueueId) -> bool {
        self.workers_of(queue).any(|(_, worker)| worker.exclusive)
    }

    /// Whether the broker may refuse a message of it.
    pub fn may_be_refused(&self, id: ProducerId) -> bool {
        let producer = &self.variant.producers[id.index()];
        let sizes = producer.size.as_ref().map(|sizes| sizes.values());
        let largest = LARGEST[usize::from(self.may_be("4.0.0"))];
        let large = match sizes {
            None => false,
            Some(None) => true,
            Some(Some(sizes)) => sizes.into_iter().any(|size| size > largest),
        };
        large || matches!(producer.to.exchange, ExchangeRef::Missing(_))
    }

    /// Whether it may run on this version, or on a later one of the kind.
    pub fn may_be(&self, version: &str) -> bool {
        let versions = ["4.0.0", "4.2.99", "4.3.0", "4.3.99", "9.0.0"];
        let Some(wanted) = &self.variant.requires.rabbitmq else { return true };
        let later = versions.into_iter().skip_while(|it| *it != version);
        later.into_iter().any(|version| version_matches(wanted, version))
    }

    /// The workers on a queue.
    pub fn workers_of(&self, queue: QueueId) -> impl Iterator<Item = (WorkerId, &'v Worker)> {
        let workers = self.variant.workers.iter().enumerate();
        workers
            .filter(move |(_, worker)| worker.queue == queue)
            .map(|(index, worker)| (WorkerId::from_index(index), worker))
    }

    /// Whether a queue is there before the first publish.
    pub fn comes_first(&self, id: QueueId) -> bool {
        let owner = self.variant.topology.queues[id.index()].owner;
        owner.is_none_or(|owner| {
            self.variant.workers[owner.index()].start.is_none() && !self.may_err(owner)
        })
    }

    /// Whether a queue, once it is there, stays to the end with all that it has.
    pub fn stays(&self, id: QueueId) -> bool {
        let queue: &Queue = &self.variant.topology.queues[id.index()];
        let lives = |id: WorkerId| self.of_worker(id).is_empty() && !self.may_err(id);
        let constant = |id: WorkerId| lives(id) && self.variant.workers[id.index()].start.is_none();
        let owned = queue.owner.is_none_or(|owner| lives(owner) && self.weather == Weather::Calm);
        let used = queue.owner.is_some() || self.workers_of(id).any(|(id, _)| constant(id));
        let goes =
            (queue.auto_delete && self.workers_of(id).next().is_some()) || queue.expires.is_some();
        owned && !self.is_hit(id) && (!goes || used && self.weather == Weather::Calm)
    }

    /// Whether a fault purges or deletes it.
    pub fn is_hit(&self, queue: QueueId) -> bool {
        self.variant.faults.iter().any(|fault| match fault.action {
            FaultAction::Purge(id) | FaultAction::Delete(id) => id == queue,
            _ => false,
        })
    }

    /// Whether a probe takes from it or adds to it, or may.
    pub fn is_probed(&self, queue: &Queue) -> bool {
        self.variant.probes.iter().any(|probe| match &probe.operation {
            Operation::Publish { .. } => true,
            Operation::Consume { queue: name, .. } | Operation::Get { queue: name, .. } => {
                *name == queue.name
            }
            Operation::Qos { queue: name, .. } => name.as_ref() == Some(&queue.name),
            Operation::DeclareQueue { .. }
            | Operation::DeclareExchange { .. }
            | Operation::AckUnknownTag(_) => false,
        })
    }
}

/// Whether it goes on taking whatever comes: one that holds all that it may hold before it acks
/// anything stands still.
pub fn takes_all(worker: &Worker) -> bool {
    let prefetch = u64::from(worker.prefetch);
    match worker.ack {
        AckMode::Auto | AckMode::Early => true,
        AckMode::Manual { every } => prefetch == 0 || every <= prefetch,
        AckMode::Never => prefetch == 0,
    }
}

fn is_of_broker(fault: &Fault) -> bool {
    matches!(fault.action, FaultAction::Broker { .. })
}

fn is_for_good(act: BrokerAct) -> bool {
    match act {
        BrokerAct::Restart { .. } => false,
        BrokerAct::Stop { .. } => true,
        BrokerAct::Pause { lasts }
        | BrokerAct::Block { lasts, .. }
        | BrokerAct::Partition { lasts } => lasts.is_none(),
    }
}
