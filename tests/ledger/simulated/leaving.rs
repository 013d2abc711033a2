//! The ways out of a simulated queue: refused, expired, too many, too often, purged; and where
//! dead letters go.

use rmq_scenario::ledger::event::Micros;
use rmq_scenario::ledger::paths::{Death, Reason};
use rmq_scenario::plan::model::{ExchangeRef, Overflow, Queue, QueueId, QueueKind};

use crate::simulated::broker::{Broker, CopyKey, Letter, key_of, routes};

/// How often a message of a quorum queue may come back unless the file says.
const DEFAULT_LIMIT: u64 = 20;

impl Letter {
    pub fn stay(&self, queue: QueueId) -> CopyKey {
        let mut way = self.way.clone();
        way.sort_unstable();
        (self.message, queue, way)
    }

    /// The queue gives it up: what is written down of that.
    fn die(&mut self, queue: QueueId, reason: Reason) {
        let known = self.way.iter().position(|d| (d.queue, d.reason) == (queue, reason));
        let count = known.map_or(0, |index| self.way.remove(index).count);
        self.way.insert(0, Death { queue, reason, count: count + 1 });
    }
}

fn cause(reason: Reason) -> &'static str {
    match reason {
        Reason::Rejected => "worker_rejected",
        Reason::Expired => "ttl",
        Reason::MaxLength => "max_length",
        Reason::DeliveryLimit => "delivery_limit",
    }
}

fn drops_head(queue: &Queue) -> bool {
    match queue.overflow {
        Overflow::DropHead => queue.kind != QueueKind::Stream,
        Overflow::RejectPublishDlx => queue.kind == QueueKind::Quorum,
        Overflow::RejectPublish => false,
    }
}

impl Broker<'_> {
    /// Something comes to a queue. Whether that takes it.
    pub(super) fn arrive(&mut self, mut letter: Letter, pile: usize) -> bool {
        let (queue, id) = (self.queue(pile).clone(), self.piles[pile].queue);
        let full = queue.max_length.is_some_and(|max| self.piles[pile].ready.len() as u64 >= max);
        if full && !drops_head(&queue) && queue.kind != QueueKind::Stream {
            let published = letter.way.is_empty();
            if queue.overflow == Overflow::RejectPublishDlx && published {
                self.give_up(letter, pile, Reason::MaxLength);
            } else if published {
                self.vanish(letter.stay(id), "max_length");
            }
            return false;
        }
        letter.place = self.next_place();
        letter.due = queue.message_ttl.map(|ttl| self.now + ttl.as_micros() as Micros);
        self.piles[pile].ready.insert(letter.place, letter);
        self.shorten(pile);
        true
    }

    /// What is too much is dropped at the head.
    pub(super) fn shorten(&mut self, pile: usize) {
        let queue = self.queue(pile);
        let Some(max) = queue.max_length.filter(|_| drops_head(queue)) else { return };
        while self.piles[pile].ready.len() as u64 > max {
            let (_, head) = self.piles[pile].ready.pop_first().expect("it is too long");
            self.give_up(head, pile, Reason::MaxLength);
        }
    }

    /// Whether the head of the queue has had its time.
    pub fn can_expire(&self, pile: usize) -> bool {
        !self.piles[pile].stuck && self.next_expiry(pile).is_some_and(|due| due <= self.now)
    }

    /// When the head of the queue will have had its time.
    pub fn next_expiry(&self, pile: usize) -> Option<Micros> {
        self.piles[pile].ready.first_key_value().and_then(|(_, head)| head.due)
    }

    pub fn expire(&mut self, pile: usize) {
        let (_, head) = self.piles[pile].ready.pop_first().expect("it has a head");
        self.expired += 1;
        self.give_up(head, pile, Reason::Expired);
    }

    pub fn purge(&mut self, pile: usize) {
        let queue = self.piles[pile].queue;
        for letter in std::mem::take(&mut self.piles[pile].ready).into_values() {
            self.vanish(letter.stay(queue), "queue_gone");
            self.settle(pile, letter, None);
        }
    }

    pub fn note_refusal(&mut self, id: usize, letter: &Letter) {
        let queue = self.piles[self.consumers[id].pile].queue;
        self.refused.insert(letter.stay(queue));
    }

    pub(super) fn take_nack(&mut self, id: usize, tag: u64, requeue: bool) {
        let consumer = &mut self.consumers[id];
        let pile = consumer.pile;
        let Some(letter) = consumer.unacked.remove(&tag) else { return };
        if requeue {
            self.come_back(letter, pile, self.counts_nacks);
            self.shorten(pile);
        } else if self.piles[pile].gone {
            // Refused before its queue went, or after: it is gone either way.
            self.vanish(letter.stay(self.piles[pile].queue), "worker_rejected");
        } else {
            self.give_up(letter, pile, Reason::Rejected);
        }
    }

    /// What was handed out goes back to its place, unless it did so too often.
    pub(super) fn come_back(&mut self, letter: Letter, pile: usize, counts: bool) {
        if self.piles[pile].gone {
            let stay = letter.stay(self.piles[pile].queue);
            return self.vanish(stay, "queue_gone");
        }
        let returns = letter.returns + u64::from(counts);
        let back = Letter { redelivered: true, returns, ..letter };
        let queue = self.queue(pile);
        let limit = queue.delivery_limit.map_or(DEFAULT_LIMIT, |limit| limit as u64);
        if queue.kind == QueueKind::Quorum && returns > limit {
            return self.give_up(back, pile, Reason::DeliveryLimit);
        }
        self.piles[pile].ready.insert(back.place, back);
    }

    /// The queue gives a message up: it goes where dead letters go.
    fn give_up(&mut self, letter: Letter, pile: usize, reason: Reason) {
        let from = self.piles[pile].queue;
        let stay = letter.stay(from);
        self.settle(pile, letter.clone(), None);
        self.vanish(stay.clone(), cause(reason));
        let dead = self.queue(pile).dead_letter.clone();
        let Some(dead) = dead else { return };
        let ExchangeRef::Declared(exchange) = dead.exchange else { return };
        let key = dead.routing_key.or_else(|| letter.key.clone());
        let mut next = Letter {
            redelivered: false,
            origins: Vec::new(),
            written: false,
            returns: 0,
            due: None,
            key,
            ..letter
        };
        next.die(from, reason);
        let key = next.key.clone();
        let key = key.unwrap_or_else(|| key_of(self.plan(), next.message).to_owned());
        for to in 0..self.plan().topology.queues.len() {
            let to = QueueId::from_index(to);
            let Some(target) = self.standing(to) else { continue };
            // A round that nobody but the broker goes is broken off.
            let last = next.way.iter().position(|death| death.queue == to);
            let round = last.is_some_and(|last| {
                next.way[..=last].iter().all(|death| death.reason != Reason::Rejected)
            });
            let deaths: u32 = next.way.iter().map(|death| death.count).sum();
            let round = round && deaths >= self.patience;
            if round || !routes(self.plan(), exchange, &key, to) {
                continue;
            }
            self.parents.insert(next.stay(to), stay.clone());
            self.arrive(next.clone(), target);
        }
    }
}
