//! A toy broker: queues in memory, channels to consumers and producers, and the truth about
//! what became of every copy. It shares nothing with the ledger but the names of things.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rmq_scenario::ledger::event::{MessageKey, Micros, Sighting};
use rmq_scenario::ledger::paths::{Death, Paths};
use rmq_scenario::plan::model::{
    AckMode, BoundTo, ExchangeId, ExchangeKind, ExchangeRef, Offset, ProducerId, Queue, QueueId,
    QueueKind, Variant, WorkerId,
};
use rmq_scenario::plan::pattern::Pattern;

use crate::dice::Dice;
use crate::simulated::truth::{Delivered, Finish, Truth};

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
    worker: WorkerId,
    pub pile: usize,
    pub ack: AckMode,
    pub prefetch: usize,
    pub subscribed: bool,
    pub open: bool,
    /// Nothing gets through, in either direction.
    pub cut: bool,
    next_tag: u64,
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
    unanswered: BTreeMap<u32, bool>,
    pub replies: VecDeque<Reply>,
    /// The broker has closed it, and whether for a mistake.
    pub closed: bool,
    pub refused: bool,
}

pub struct Broker<'a> {
    plan: &'a Variant,
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

    /// The broker reads one publish: routes it, returns it, prepares its answer.
    pub fn take_publish(&mut self, producer: ProducerId, dice: &mut Dice) {
        let plan = &self.plan.producers[producer.index()];
        let Some(n) = self.inlets[producer.index()].wire.pop_front() else { return };
        let message = MessageKey { producer, n };
        if self.misses(plan.to.exchange.clone()) {
            self.inlets[producer.index()].refused = true;
            return self.sever_inlet(producer.index(), 0, dice);
        }
        let confirms = plan.confirms != rmq_scenario::plan::model::Confirms::Off;
        let piles: Vec<usize> =
            (0..self.piles.len()).filter(|&pile| self.reaches(message, pile)).collect();
        let mut refused = confirms && !piles.is_empty() && dice.percent(self.refusals);
        for &pile in &piles {
            // A refused message may have reached another queue than the one that refused it.
            let takes = !refused || (piles.len() > 1 && dice.percent(30));
            if takes && !self.enqueue(message, pile) {
                refused = confirms;
            }
        }
        let inlet = &mut self.inlets[producer.index()];
        if piles.is_empty() && plan.mandatory {
            inlet.replies.push_back(Reply::Return(n));
        }
        let stuck = piles.iter().any(|&pile| self.piles[pile].stuck);
        if confirms && !stuck && !dice.percent(self.silence) {
            inlet.unanswered.insert(n, !refused);
        }
    }

    fn misses(&self, exchange: ExchangeRef) -> bool {
        let ExchangeRef::Declared(exchange) = exchange else { return true };
        let exchange = &self.plan.topology.exchanges[exchange.index()];
        self.lost_exchanges && !exchange.durable && !exchange.name.is_empty()
    }

    /// A publish comes to a queue. Whether that takes it.
    fn enqueue(&mut self, message: MessageKey, pile: usize) -> bool {
        let letter = Letter {
            message,
            place: 0,
            redelivered: false,
            origins: Vec::new(),
            written: false,
            way: Vec::new(),
            key: None,
            returns: 0,
            due: None,
        };
        self.arrive(letter, pile)
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
    fn reaches(&self, message: MessageKey, pile: usize) -> bool {
        let pile = &self.piles[pile];
        let to = &self.plan.producers[message.producer.index()].to;
        let ExchangeRef::Declared(exchange) = to.exchange else { return false };
        !pile.gone && routes(self.plan, exchange, key_of(self.plan, message), pile.queue)
    }

    /// The broker answers some of what it has routed, in any order.
    pub fn answer(&mut self, producer: ProducerId, dice: &mut Dice) {
        let inlet = &mut self.inlets[producer.index()];
        let waiting: Vec<u32> = inlet.unanswered.keys().copied().collect();
        if waiting.is_empty() {
            return;
        }
        let upto = dice.pick(&waiting);
        let one = dice.percent(30);
        for n in waiting.into_iter().filter(|&n| if one { n == upto } else { n <= upto }) {
            let inlet = &mut self.inlets[producer.index()];
            let ack = inlet.unanswered.remove(&n).expect("it was waiting");
            inlet.replies.push_back(Reply::Answer { n, ack });
            if ack {
                self.write(MessageKey { producer, n });
            }
        }
    }

    pub fn owes_answers(&self, producer: ProducerId) -> bool {
        !self.inlets[producer.index()].unanswered.is_empty()
    }

    /// The socket is dead: what the broker had not read never arrives.
    pub fn lose_inlet(&mut self, producer: ProducerId) {
        let inlet = std::mem::take(&mut self.inlets[producer.index()]);
        inlet.wire.into_iter().for_each(|n| self.never_arrives(producer, n));
    }

    /// What is published on a connection that the broker has closed.
    pub fn never_arrives(&mut self, producer: ProducerId, n: u32) {
        let confirms = self.plan.producers[producer.index()].confirms;
        if confirms == rmq_scenario::plan::model::Confirms::Off {
            let message = MessageKey { producer, n };
            for index in 0..self.plan.topology.queues.len() {
                self.vanish(first_stay(message, QueueId::from_index(index)), "not_sent");
            }
        }
    }

    /// The broker closes a producer's connection, having read so much more of it; what it said
    /// before that is still read.
    pub fn sever_inlet(&mut self, index: usize, read: usize, dice: &mut Dice) {
        let producer = ProducerId::from_index(index);
        for _ in 0..read {
            self.take_publish(producer, dice);
        }
        let inlet = &mut self.inlets[index];
        inlet.closed = true;
        inlet.unanswered.clear();
        let wire = std::mem::take(&mut inlet.wire);
        wire.into_iter().for_each(|n| self.never_arrives(producer, n));
    }

    pub(super) fn queue(&self, pile: usize) -> &Queue {
        &self.plan.topology.queues[self.piles[pile].queue.index()]
    }

    pub(super) fn vanish(&mut self, copy: CopyKey, why: &'static str) {
        self.truth.vanish(copy, why);
    }

    pub fn subscribe(&mut self, worker: WorkerId, pile: usize, offset: Option<Offset>) -> usize {
        let plan = &self.plan.workers[worker.index()];
        let (ack, prefetch) = (plan.ack, usize::from(plan.prefetch));
        let from_next = offset == Some(Offset::Next);
        let last = self.piles[pile].ready.last_key_value().map_or(0, |(place, _)| *place);
        self.consumers.push(Consumer {
            worker,
            pile,
            ack,
            prefetch,
            subscribed: true,
            open: true,
            cut: false,
            next_tag: 1,
            wire: VecDeque::new(),
            unacked: BTreeMap::new(),
            acks: VecDeque::new(),
            offset: if from_next { last } else { 0 },
            acked: BTreeSet::new(),
        });
        self.consumers.len() - 1
    }

    fn able(&self, consumer: &Consumer) -> bool {
        let limited = consumer.prefetch > 0 && consumer.ack != AckMode::Auto;
        consumer.subscribed && (!limited || consumer.unacked.len() < consumer.prefetch)
    }

    pub(super) fn is_stream(&self, pile: usize) -> bool {
        let queue = self.piles[pile].queue;
        self.plan.topology.queues[queue.index()].kind == QueueKind::Stream
    }

    /// Consumers that can be sent what is at the head, or behind what they were sent.
    fn able_on(&self, pile: usize) -> Vec<usize> {
        let (ready, stream) = (&self.piles[pile].ready, self.is_stream(pile));
        let more = |c: &Consumer| match stream {
            true => ready.range(c.offset + 1..).next().is_some(),
            false => !ready.is_empty(),
        };
        let all = self.consumers.iter().enumerate();
        all.filter(|(_, c)| c.pile == pile && self.able(c) && more(c)).map(|(id, _)| id).collect()
    }

    pub fn can_dispatch(&self, pile: usize) -> bool {
        !self.piles[pile].gone && !self.piles[pile].stuck && !self.able_on(pile).is_empty()
    }

    /// The head of the queue goes to some able consumer.
    pub fn dispatch(&mut self, pile: usize, dice: &mut Dice) {
        let able = self.able_on(pile);
        let stream = self.is_stream(pile);
        let id = dice.pick(&able);
        let consumer = &mut self.consumers[id];
        let ready = &mut self.piles[pile].ready;
        let letter = if stream {
            let (place, letter) = ready.range(consumer.offset + 1..).next().expect("it is able");
            consumer.offset = *place;
            letter.clone()
        } else {
            ready.pop_first().expect("something is ready").1
        };
        let tag = consumer.next_tag;
        consumer.next_tag += 1;
        consumer.wire.push_back((tag, letter.clone()));
        self.truth.send((id, tag));
        match consumer.ack {
            AckMode::Auto if !stream => self.settle(pile, letter, Some((id, tag))),
            AckMode::Auto => {}
            _ => drop(consumer.unacked.insert(tag, letter)),
        }
    }

    /// The broker reads one ack.
    pub fn take_ack(&mut self, id: usize) {
        let consumer = &mut self.consumers[id];
        let (tag, multiple) = match consumer.acks.pop_front() {
            Some(Frame::Ack { tag, multiple }) => (tag, multiple),
            Some(Frame::Nack { tag, requeue }) => return self.take_nack(id, tag, requeue),
            None => return,
        };
        let from = if multiple { 0 } else { tag };
        let covered: Vec<u64> = consumer.unacked.range(from..=tag).map(|(tag, _)| *tag).collect();
        for tag in covered {
            let consumer = &mut self.consumers[id];
            consumer.acked.insert(tag);
            let pile = consumer.pile;
            if let Some(letter) = consumer.unacked.remove(&tag).filter(|_| !self.is_stream(pile)) {
                self.settle(pile, letter, Some((id, tag)));
            }
        }
    }

    /// The channel is no more: what it held goes back, in its place.
    pub fn close(&mut self, id: usize) {
        let consumer = &mut self.consumers[id];
        (consumer.open, consumer.subscribed) = (false, false);
        consumer.acks.clear();
        let unacked = std::mem::take(&mut consumer.unacked);
        let (pile, auto) = (consumer.pile, consumer.ack == AckMode::Auto);
        // Whoever lives on may still read what was sent.
        let wire = consumer.wire.clone();
        let queue = self.piles[pile].queue;
        for (tag, letter) in wire.into_iter().filter(|_| auto) {
            if !self.truth.is_back((id, tag)) {
                self.vanish(letter.stay(queue), "auto_ack");
            }
        }
        let stream = self.is_stream(pile);
        for (tag, mut letter) in unacked.into_iter().filter(|_| !stream) {
            letter.origins.push((id, tag));
            self.truth.take_back((id, tag));
            self.come_back(letter, pile, true);
        }
        self.shorten(pile);
    }

    /// The client read a delivery.
    pub fn note_read(&mut self, id: usize, tag: u64, letter: &Letter) {
        if let Some(held) = self.consumers[id].unacked.get_mut(&tag) {
            held.origins.clear();
        }
        let queue = self.piles[self.consumers[id].pile].queue;
        self.truth.read_again(letter.stay(queue), &letter.origins);
    }

    /// The client finished a delivery.
    pub fn note_finish(&mut self, id: usize, tag: u64, letter: &Letter, finish: Finish) {
        let pile = self.consumers[id].pile;
        let stay = letter.stay(self.piles[pile].queue);
        match self.is_stream(pile) {
            true => self.truth.finish_entry(self.consumers[id].worker, stay, letter.place),
            false => self.truth.finish((id, tag), stay, letter.place, finish),
        }
    }

    pub fn vanish_held(&mut self, id: usize, letter: &Letter, why: &'static str) {
        let pile = self.consumers[id].pile;
        if !self.is_stream(pile) {
            self.vanish(letter.stay(self.piles[pile].queue), why);
        }
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
