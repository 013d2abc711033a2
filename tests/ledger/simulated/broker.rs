//! A toy broker: queues in memory, channels to consumers and producers, and the truth about
//! what became of every copy. It shares nothing with the ledger but the names of things.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rmq_scenario::ledger::event::{MessageKey, Micros, Sighting};
use rmq_scenario::ledger::paths::{Death, Paths};
use rmq_scenario::plan::model::{
    AckMode, BoundTo, ExchangeId, ExchangeKind, ExchangeRef, Queue, QueueId, QueueKind, Variant,
    WorkerId,
};
use rmq_scenario::plan::pattern::Pattern;

use crate::dice::Dice;
use crate::simulated::truth::{Delivered, Truth};

/// A stay of a message in a queue; the way by which it came is sorted.
pub type CopyKey = (MessageKey, QueueId, Vec<Death>);

/// The stay that began with a publish.
pub fn first_stay(message: MessageKey, queue: QueueId) -> CopyKey {
    (message, queue, Vec::new())
}

/// A copy in a queue: its place in the order, and whether it was handed out before.
#[derive(Debug, Clone)]
pub struct Letter {
    pub message: MessageKey,
    pub place: u64,
    pub redelivered: bool,
    /// From which deliveries it came back, until somebody reads it.
    pub origins: Vec<Delivered>,
    /// The broker has it where a kill does not reach.
    pub written: bool,
    /// Which queues gave it up, the most recent first, and the routing key that they gave it.
    pub way: Vec<Death>,
    pub key: Option<String>,
    /// How often it came back to this queue, and when it expires there.
    pub returns: u64,
    pub due: Option<Micros>,
}

/// One existence of a queue; a temporary one may come again before the last is gone.
#[derive(Debug)]
pub struct Pile {
    pub queue: QueueId,
    /// Of a stream: all that it ever got.
    pub ready: BTreeMap<u64, Letter>,
    pub gone: bool,
    /// What left it of late, and by which delivery; a kill may undo that.
    pub settled: Vec<(Letter, Option<Delivered>)>,
    /// It has lost its leader for good.
    pub stuck: bool,
}

/// What a consumer writes.
#[derive(Debug, Clone, Copy)]
pub enum Frame {
    Ack { tag: u64, multiple: bool },
    Nack { tag: u64, requeue: bool },
}

/// The broker's side of a consumer.
#[derive(Debug)]
pub struct Consumer {
    pub(super) worker: WorkerId,
    pub pile: usize,
    pub ack: AckMode,
    pub prefetch: usize,
    pub subscribed: bool,
    pub open: bool,
    /// Nothing gets through, in either direction.
    pub cut: bool,
    /// Its node does not hear the one where the queue is.
    pub parted: bool,
    pub(super) next_tag: u64,
    /// On the way to the client.
    pub wire: VecDeque<(u64, Letter)>,
    pub unacked: BTreeMap<u64, Letter>,
    /// On the way from the client.
    pub acks: VecDeque<Frame>,
    /// Of a stream: the place behind the last that it was sent.
    pub offset: u64,
    /// Tags whose ack was read.
    pub acked: BTreeSet<u64>,
}

/// What comes back to a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Answer { n: u32, ack: bool },
    Return(u32),
}

/// The broker's side of a producer's channel.
#[derive(Debug, Default)]
pub struct Inlet {
    pub wire: VecDeque<u32>,
    pub(super) unanswered: BTreeMap<u32, bool>,
    pub replies: VecDeque<Reply>,
    /// The broker has closed it, and whether for a mistake.
    pub closed: bool,
    pub refused: bool,
}

pub struct Broker<'a> {
    pub(super) plan: &'a Variant,
    pub piles: Vec<Pile>,
    pub consumers: Vec<Consumer>,
    pub inlets: Vec<Inlet>,
    /// Of a hundred publishes this many are refused, and this many never answered.
    pub refusals: usize,
    pub silence: usize,
    next_place: u64,
    pub now: Micros,
    pub paths: Arc<Paths>,
    dice: Dice,
    /// Every return counts towards the delivery limit, or only those by a lost channel.
    pub counts_nacks: bool,
    /// From which stay a dead letter came.
    pub parents: BTreeMap<CopyKey, CopyKey>,
    /// How many messages have expired.
    pub expired: u64,
    /// How many deaths a message may have before a round of it is broken off.
    pub patience: u32,
    /// What some worker refused for good, whether the broker heard of it or not.
    pub refused: BTreeSet<CopyKey>,
    pub truth: Truth,
    /// Exchanges that are not durable are gone.
    pub lost_exchanges: bool,
}

impl<'a> Broker<'a> {
    pub fn new(plan: &'a Variant, dice: Dice) -> Self {
        let mut broker = Self {
            plan,
            piles: Vec::new(),
            consumers: Vec::new(),
            inlets: plan.producers.iter().map(|_| Inlet::default()).collect(),
            refusals: 0,
            silence: 0,
            next_place: 0,
            now: 0,
            paths: Arc::default(),
            dice,
            counts_nacks: false,
            parents: BTreeMap::new(),
            expired: 0,
            patience: 0,
            refused: BTreeSet::new(),
            truth: Truth::default(),
            lost_exchanges: false,
        };
        for (index, queue) in plan.topology.queues.iter().enumerate() {
            if queue.owner.is_none() {
                broker.declare(QueueId::from_index(index));
            }
        }
        broker
    }

    pub fn declare(&mut self, queue: QueueId) -> usize {
        self.piles.push(Pile {
            queue,
            ready: BTreeMap::new(),
            gone: false,
            settled: Vec::new(),
            stuck: false,
        });
        self.piles.len() - 1
    }

    pub fn standing(&self, queue: QueueId) -> Option<usize> {
        self.piles.iter().rposition(|pile| pile.queue == queue && !pile.gone)
    }

    pub(super) fn next_place(&mut self) -> u64 {
        self.next_place += 1;
        self.next_place
    }

    pub(super) fn plan(&self) -> &'a Variant {
        self.plan
    }

    /// What a delivery says of its message: older deaths come in any order.
    pub fn sighting(&mut self, letter: &Letter) -> Sighting {
        let mut way = letter.way.clone();
        for index in 2..way.len() {
            way.swap(index, 1 + self.dice.below(index));
        }
        Sighting { message: letter.message, path: self.paths.read(&way) }
    }

    /// Direct and fanout exchanges are all that a simulated run has.
    pub(super) fn reaches(&self, message: MessageKey, pile: usize) -> bool {
        let pile = &self.piles[pile];
        let to = &self.plan.producers[message.producer.index()].to;
        let ExchangeRef::Declared(exchange) = to.exchange else { return false };
        !pile.gone && routes(self.plan, exchange, key_of(self.plan, message), pile.queue)
    }

    pub(super) fn queue(&self, pile: usize) -> &Queue {
        &self.plan.topology.queues[self.piles[pile].queue.index()]
    }

    pub(super) fn vanish(&mut self, copy: CopyKey, why: &'static str) {
        self.truth.vanish(copy, why);
    }

    pub(super) fn is_stream(&self, pile: usize) -> bool {
        let queue = self.piles[pile].queue;
        self.plan.topology.queues[queue.index()].kind == QueueKind::Stream
    }

    /// The queue goes with all that is ready and all that is unacked.
    pub fn remove(&mut self, pile: usize) {
        let queue = self.piles[pile].queue;
        self.piles[pile].gone = true;
        for letter in std::mem::take(&mut self.piles[pile].ready).into_values() {
            self.vanish(letter.stay(queue), "queue_gone");
        }
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.pile == pile) {
            consumer.subscribed = false;
        }
    }
}

/// The routing key of a publish.
pub fn key_of(plan: &Variant, message: MessageKey) -> &str {
    match &plan.producers[message.producer.index()].to.routing_key {
        Pattern::Always(key) => key,
        Pattern::Cycle(keys) => &keys[(message.n as usize - 1) % keys.len()],
        other => unreachable!("a simulated run has no {other:?}"),
    }
}

/// Whether a binding carries `key` from `exchange` to `queue`.
pub fn routes(plan: &Variant, exchange: ExchangeId, key: &str, queue: QueueId) -> bool {
    let entry = &plan.topology.queues[queue.index()];
    if exchange == ExchangeId(0) {
        return !entry.temporary && entry.name == key;
    }
    let fanout = plan.topology.exchanges[exchange.index()].kind == ExchangeKind::Fanout;
    plan.topology.bindings.iter().any(|binding| {
        binding.from == exchange
            && binding.to == BoundTo::Queue(queue)
            && (fanout || binding.routing_key == key)
    })
}
