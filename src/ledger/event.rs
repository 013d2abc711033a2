//! What producers, workers and the engine observed: facts, never conclusions.
//!
//! Events reach the ledger in an order that respects cause and effect: a publish is recorded
//! before it is written to a socket, a change of the topology before its request is sent, and
//! whatever one worker or producer records keeps its order.

use crate::ledger::paths::PathId;
use crate::plan::model::{FaultId, KillHow, NodeId, ProducerId, QueueId, StopHow, WorkerId};

/// Microseconds since the run began; what comes before is 0.
pub type Micros = u64;

/// A message of this run: the `n`-th publish of a producer instance, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageKey {
    pub producer: ProducerId,
    pub n: u32,
}

/// A message that was seen in a queue, and by which way it came there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sighting {
    pub message: MessageKey,
    pub path: PathId,
}

impl From<MessageKey> for Sighting {
    /// It came straight from its publish.
    fn from(message: MessageKey) -> Self {
        Self { message, path: PathId::NONE }
    }
}

/// One subscription of a worker instance: from its consume to its end. A restart begins
/// another one. An index, in the order of their starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LifeId(pub u16);

impl LifeId {
    /// The id as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One change of the topology that decides about copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChangeId(pub u32);

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A producer opened a channel and goes on with its next number.
    /// One that has `reconnected` is the same program as before: its schedule goes on.
    ProducerStarted { producer: ProducerId, reconnected: bool, at: Micros },
    /// `count` messages from number `first` are about to be written, in order.
    Published { producer: ProducerId, first: u32, count: u32, at: Micros },
    /// These messages, whose answers were lost with a channel, are about to be written again.
    Republished { producer: ProducerId, numbers: Vec<u32>, at: Micros },
    /// The broker answered the messages of each span.
    Answered { producer: ProducerId, answers: Vec<Answer>, at: Micros },
    /// A basic.return came.
    Returned { message: MessageKey, at: Micros },
    /// The first answer to a request came.
    Replied { message: MessageKey, at: Micros },
    /// The producer's channel is no more.
    ProducerEnded { producer: ProducerId, end: ProducerEnd, at: Micros },
    /// A worker's subscription was confirmed.
    LifeStarted { life: LifeId, worker: WorkerId, at: Micros },
    /// What a worker saw and did, in order.
    Worked { life: LifeId, events: Vec<Stamped> },
    /// Nothing more is read, worked or acked.
    LifeEnded { life: LifeId, how: LifeEnd, totals: LifeTotals, at: Micros },
    /// The broker answered a close of the life's channel: it has read every ack before it.
    LifeRead { life: LifeId, at: Micros },
    /// The broker was seen to have given up the life's consumer: it sends it nothing more, and
    /// what the life held is back in its queue. What of its acks was read nobody knows.
    LifeNoticed { life: LifeId, at: Micros },
    /// The request that makes this queue come or go is about to be sent.
    ChangeBegun { change: ChangeId, queue: QueueId, kind: ChangeKind, at: Micros },
    /// Its answer was read, or the queue was verified gone.
    ChangeEnded { change: ChangeId, at: Micros },
    /// It did not happen: the queue is what it was.
    ChangeDropped { change: ChangeId, at: Micros },
    /// A fault acts upon a worker that lives on.
    Struck { fault: FaultId, life: LifeId, at: Micros },
    /// What a fault does is done: it acted `at` that moment.
    Acted { fault: FaultId, at: Micros, done: Micros },
    /// A fault keeps a life from being sent anything; `None`: no more.
    Hindered { life: LifeId, by: Option<Hindrance> },
    /// The connection is gone on which a life whose subscription was over still held deliveries:
    /// they return to their queue.
    LifeDropped { life: LifeId, at: Micros },
    /// The broker, or one node of it, is about to be ended. `young` are the queues that had been
    /// declared for less than a second.
    BrokerFell { how: StopHow, node: Option<NodeId>, young: Vec<QueueId>, at: Micros },
    /// Its process was seen to have ended.
    BrokerDown { at: Micros },
    /// It, or that node of it, answers again.
    BrokerRose { node: Option<NodeId>, at: Micros },
    /// A node is about to be parted from the others: it runs and its clients reach it, but none of
    /// them hears the other any more.
    Parted { node: NodeId, at: Micros },
    /// It and the others were seen to hear each other again.
    Rejoined { node: NodeId, at: Micros },
    /// Found in the queue after the run, in the queue's order; `None` is no message of this run.
    Drained { queue: QueueId, messages: Vec<Option<Sighting>> },
    /// The drain of a queue is over. `complete` says that it was seen empty, `total` how many
    /// messages all its batches had.
    DrainEnded { queue: QueueId, complete: bool, total: u64, at: Micros },
    /// So many of the deliveries recorded before, of no message of a producer, were a probe's.
    Excused { deliveries: u64 },
}

/// Answers to the messages `first` to `first + count - 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub first: u32,
    pub count: u32,
    /// basic.ack, else basic.nack.
    pub ack: bool,
}

/// How a producer's channel ended, with what the producer itself counted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerEnd {
    /// The broker answered the channel's close, which was written after every publish, so it
    /// has read them all.
    pub closed: bool,
    pub published: u32,
    /// Messages of earlier channels that it published again.
    pub republished: u32,
    pub answered: u32,
    pub returned: u32,
}

/// One event of a worker with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    pub at: Micros,
    pub what: WorkEvent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkEvent {
    /// A basic.deliver reached the program; `None` is no message of this run.
    Read { tag: u64, message: Option<Sighting>, redelivered: bool },
    /// Work on it began.
    Begun { tag: u64 },
    /// Its work ended.
    Finished { tag: u64 },
    /// Its work ended, and it is refused: basic.nack or basic.reject is about to be written.
    /// Told first, because what that sets off may be read elsewhere at once.
    Rejected { tag: u64, requeue: bool },
    /// An ack was written: of this tag alone, or with `multiple` of all up to it.
    Acked { tag: u64, multiple: bool },
}

/// Why a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeEnd {
    /// Its `stop`, or the end of the run.
    Stopped,
    /// The run was cut at its deadline or interrupted.
    Cut,
    Killed(KillHow),
    /// The broker ended it: a channel or connection error, a cancel.
    Failed,
    /// Its connection was lost: with the network, with the broker, or closed by an administrator.
    Lost,
    /// It was still frozen when the run ended.
    Frozen,
}

impl LifeEnd {
    /// In a word or two.
    pub fn word(self) -> &'static str {
        match self {
            LifeEnd::Stopped => "stopped",
            LifeEnd::Cut => "cut",
            LifeEnd::Killed(_) => "killed",
            LifeEnd::Failed => "failed",
            LifeEnd::Lost => "lost its connection",
            LifeEnd::Frozen => "frozen",
        }
    }
}

/// What keeps a worker that lives from being sent anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// It does nothing.
    Frozen,
    /// Its network is silent.
    CutOff,
}

/// What the worker itself counted in one life; the ledger must have seen the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifeTotals {
    pub read: u64,
    pub begun: u64,
    pub finished: u64,
    pub rejected: u64,
    /// Acks written, each frame once.
    pub acks: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// The queue is declared and bound.
    Comes,
    /// The queue goes: with its connection, with its last consumer, unused, or deleted.
    Goes,
    /// The queue goes because it is not durable and its broker stops.
    Perishes,
    /// The queue stays and loses what is ready in it.
    Purged,
}
