//! Whether anything can still change: what lets a run end at once.

use std::collections::HashMap;

use crate::ledger::Ledger;
use crate::ledger::dead_letters::Later;
use crate::ledger::event::{LifeId, MessageKey, Micros, Sighting};
use crate::ledger::lives::Life;
use crate::ledger::messages::{Copy, NOBODY, copy_flag, message_flag};
use crate::ledger::paths::PathId;
use crate::plan::model::{AckMode, ProducerId, QueueId, QueueKind};

impl Ledger {
    /// Whether no outcome can change any more as long as nothing new is published and nobody
    /// new subscribes: every answer is in, no live worker has anything in hand, and every copy
    /// is finished for good, gone for good, or in a queue that nobody consumes from.
    ///
    /// It may say `false` where an all-knowing observer would say `true` (then the run waits
    /// until nothing happens any more), never the other way round. Takes time in proportion
    /// to the copies, unless a worker is still at work.
    pub fn is_final(&self) -> bool {
        // Whoever may have been given up may not have been heard, and what it held may come again.
        let busy =
            self.lives.iter().any(|life| life.is_live() && (life.in_hand() > 0 || life.unsure));
        // Nobody can say what a broker that was ended may still bring back.
        if busy || self.changing.is_unsettled() || !self.outages.is_empty() {
            return false;
        }
        let scene = self.scene();
        let topology = &self.plan.topology;
        let expiring = topology.queues.iter().enumerate().any(|(index, queue)| {
            let id = QueueId::from_index(index);
            queue.expires.is_some() && self.changing.has(id) && !scene.consumed[index]
        });
        let windows = self.windows.iter();
        let uncertain = windows.into_iter().any(|window| scene.consumed[window.queue.index()]);
        let published = (0..self.producers.len()).map(ProducerId::from_index).all(|producer| {
            let book = &self.producers[producer.index()];
            self.hears_nothing_more(producer)
                && book.messages.each(&self.routes).all(|(n, queue, copy)| {
                    let message = MessageKey { producer, n };
                    let (path, keyed) = (PathId::NONE, None);
                    self.is_at_rest(Later { message, queue, path, keyed, copy }, &scene)
                })
        });
        !expiring
            && !uncertain
            && published
            && self.laters.each().all(|later| self.is_at_rest(*later, &scene))
    }

    fn scene(&self) -> Scene {
        let mut consumed = vec![false; self.queues.len()];
        for life in self.lives.iter().filter(|life| life.is_live()) {
            consumed[life.queue.index()] = true;
        }
        let queues = (0..self.queues.len()).map(QueueId::from_index);
        let read = queues.map(|queue| self.kind(queue) == QueueKind::Stream && self.is_read(queue));
        let (read, restless) = (read.collect(), self.restless(&consumed));
        Scene { consumed, restless, read, untaken: self.untaken_acks() }
    }

    /// Queues that may give something up to where it moves on: their messages expire, or they
    /// send dead letters to a queue that somebody consumes from, or that is restless itself.
    fn restless(&self, consumed: &[bool]) -> Vec<bool> {
        let queues = &self.plan.topology.queues;
        let mut restless: Vec<bool> =
            queues.iter().map(|queue| queue.message_ttl.is_some()).collect();
        let letters = queues.iter().any(|queue| queue.dead_letter.is_some());
        // Where its dead letters go depends on their keys: any queue may be meant.
        let moving = letters && (consumed.contains(&true) || restless.contains(&true));
        for (restless, queue) in restless.iter_mut().zip(queues) {
            *restless |= moving && queue.dead_letter.is_some();
        }
        restless
    }

    /// Whether a copy stays what it is.
    fn is_at_rest(&self, later: Later, scene: &Scene) -> bool {
        let Later { message, queue, path, keyed, copy } = later;
        let seen = Sighting { message, path };
        let flags = self.producers[message.producer.index()].messages.flags(message.n);
        if flags & message_flag::REPUBLISHED != 0 && scene.consumed[queue.index()] {
            return false;
        }
        if copy.has(copy_flag::LEFT) {
            // Where it went to several queues, it was perhaps seen in one of them only.
            let restless = scene.restless[queue.index()];
            return !restless || self.dead_letter_route(message, keyed, queue).len() < 2;
        }
        if self.kind(queue) == QueueKind::Stream {
            return !scene.consumed[queue.index()] || scene.read[queue.index()];
        }
        let holder = self.lives.get(usize::from(copy.holder));
        let held = holder.is_some_and(|life| life.is_live() || life.surely_holds_on());
        // An ack that was lost with its connection lets the copy move again.
        let settled = copy.has(copy_flag::ACKED) && holder.is_some_and(|life| life.read_by_broker);
        let rejected = copy.has(copy_flag::REJECTED);
        let moves = scene.restless[queue.index()]
            || (seen.path == PathId::NONE
                && self.plan.producers[seen.message.producer.index()].ttl.is_some());
        if moves && (rejected || !(settled || held && !copy.has(copy_flag::RETURNED))) {
            let forgotten = holder.is_some_and(|life| life.ack == AckMode::Auto);
            return forgotten && !rejected;
        }
        match scene.consumed[queue.index()] {
            true => self.is_done_with(seen, copy, &scene.untaken),
            false => self.is_resting(seen.message, queue, copy),
        }
    }

    /// Whether some copy must still show up: a dead letter that is on its way, or one that was
    /// published without an answer. Takes time in proportion to the copies.
    pub fn is_outstanding(&self) -> bool {
        use message_flag::{ACKED, NACKED};
        if self.awaits_dead_letters() {
            return true;
        }
        self.producers.iter().any(|book| {
            let mut copies = book.messages.each(&self.routes);
            copies.any(|(n, queue, copy)| {
                let required = !copy.has(copy_flag::OPTIONAL) && !copy.was_seen();
                let answered = book.messages.flags(n) & (ACKED | NACKED) != 0;
                required && !answered && self.changing.has(queue)
            })
        })
    }

    /// When the last message expires that its publisher lets expire and that nobody has finished;
    /// 0 is none.
    pub fn last_expiry(&self) -> Micros {
        let mut last = 0;
        for (book, plan) in self.producers.iter().zip(&self.plan.producers) {
            if plan.ttl.is_none() {
                continue;
            }
            for (n, _, copy) in book.messages.each(&self.routes) {
                let ttl = book.content.ttl(u64::from(n)).unwrap_or_default();
                let again = book.last_sends.get(&n).map(|send| send.at);
                let sent = again.unwrap_or_else(|| book.schedule.published_at(n));
                let until = sent + ttl.as_micros() as Micros;
                if copy.finished() == 0 && !copy.has(copy_flag::LEFT) {
                    last = last.max(until);
                }
            }
        }
        last
    }

    /// For each queue, whether some live worker can be sent another message: it has no limit,
    /// or holds fewer unacked ones than its prefetch. Beside a single active consumer that is
    /// full the others wait in vain.
    pub fn able(&self) -> Vec<bool> {
        let mut able = vec![false; self.queues.len()];
        let mut blocked = able.clone();
        for life in self.lives.iter().filter(|life| life.is_live()) {
            let prefetch = u64::from(self.plan.workers[life.worker.index()].prefetch);
            let full = prefetch > 0 && life.ack != AckMode::Auto && life.unsettled() >= prefetch;
            let queue = life.queue.index();
            able[queue] |= !full && life.hindered.is_none();
            blocked[queue] |= full && self.plan.topology.queues[queue].single_active_consumer;
        }
        able.iter().zip(blocked).map(|(able, blocked)| *able && !blocked).collect()
    }

    /// How many deliveries of each queue wait for an ack of somebody who can still write it, or
    /// keeps them to the end.
    pub fn held(&self) -> Vec<u64> {
        let mut held = vec![0; self.queues.len()];
        let holds = |life: &&Life| life.is_live() || life.holds_on();
        for life in self.lives.iter().filter(holds).filter(|life| life.ack != AckMode::Auto) {
            held[life.queue.index()] += life.unsettled();
        }
        held
    }

    /// Whether no answer and no return can come any more.
    fn hears_nothing_more(&self, producer: ProducerId) -> bool {
        let book = &self.producers[producer.index()];
        let answered = book.confirms && book.open_from > book.messages.len();
        let silent = !book.confirms && !self.plan.producers[producer.index()].mandatory;
        !book.up || answered || silent
    }

    /// In a queue that nobody consumes from a copy stays as it is once the broker has it.
    fn is_resting(&self, message: MessageKey, queue: QueueId, copy: Copy) -> bool {
        use message_flag::{ACKED, NACKED, READ};
        let flags = self.producers[message.producer.index()].messages.flags(message.n);
        let arrived = flags & (ACKED | NACKED | READ) != 0;
        copy.holder != NOBODY || arrived || !self.changing.has(queue)
    }

    /// In a queue that somebody consumes from a copy may come again unless the broker has
    /// forgotten it, or somebody holds it and keeps it.
    fn is_done_with(&self, seen: Sighting, copy: Copy, untaken: &Untaken) -> bool {
        let MessageKey { producer, n } = seen.message;
        if copy.holder == NOBODY {
            let messages = &self.producers[producer.index()].messages;
            // Of several queues another one may have refused it.
            let alone = self.routes.get(messages.route(n)).len() == 1;
            return alone && messages.flags(n) & message_flag::NACKED != 0;
        }
        if copy.has(copy_flag::RETURNED) {
            return false;
        }
        let holder = &self.lives[usize::from(copy.holder)];
        // What a live worker still has in hand was ruled out before. What it holds finished
        // and unacked stays with it as long as it lives; what a dead one held goes back to
        // the queue, unless its channel stays open.
        if holder.is_live() || holder.surely_holds_on() || holder.ack == AckMode::Auto {
            return true;
        }
        let taken = untaken.get(&holder.id).is_none_or(|taken| n < taken[producer.index()]);
        let rejected = copy.has(copy_flag::REJECTED) && holder.read_by_broker;
        rejected || (copy.has(copy_flag::ACKED) && taken && seen.path == PathId::NONE)
    }

    /// For each life whose acks the broker may not have read, the numbers below which it has:
    /// everybody who could have been sent something has been sent a later copy that came back
    /// from that life, and copies come back at once and in the order of the queue.
    fn untaken_acks(&self) -> Untaken {
        let unsure = |life: &&Life| {
            !life.is_live()
                && !life.surely_holds_on()
                && !life.read_by_broker
                && life.counts.acked > 0
        };
        let numbers = |life: &Life| {
            let producers = (0..self.producers.len()).map(ProducerId::from_index);
            let least = |producer: ProducerId| {
                // What a restarted producer published can lie anywhere in the queue.
                if self.producers[producer.index()].channels.len() > 1 {
                    return 0;
                }
                let taken = self.lives.iter().filter(|other| may_take(other, life));
                let highest = |other: &Life| other.taken_over.get(&(life.id, producer)).copied();
                taken.map(|other| highest(other).unwrap_or(0)).min().unwrap_or(0)
            };
            producers.map(least).collect()
        };
        self.lives.iter().filter(unsure).map(|life| (life.id, numbers(life))).collect()
    }
}

/// How the queues stand.
struct Scene {
    /// Somebody consumes from it.
    consumed: Vec<bool>,
    /// What is in it may move by itself.
    restless: Vec<bool>,
    /// A stream that everybody has read to its end.
    read: Vec<bool>,
    untaken: Untaken,
}

/// By life and producer.
type Untaken = HashMap<LifeId, Vec<u32>>;

/// Whether what comes back from `life` may have been sent to `other`.
fn may_take(other: &Life, life: &Life) -> bool {
    other.id != life.id && other.queue == life.queue && !other.is_noticed(life.gave_back())
}
