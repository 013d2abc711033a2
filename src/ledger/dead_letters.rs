//! What leaves a queue as a dead letter and where it may come then.
//!
//! A copy that came as a dead letter proves that there was one before it in the queue that gave
//! it up. So each is traced back, hop by hop, to its publish; what cannot be traced should not
//! exist.

use std::collections::HashMap;

use crate::ledger::Ledger;
use crate::ledger::event::{MessageKey, Sighting};
use crate::ledger::lives::CopyPlace;
use crate::ledger::messages::{Copy, copy_flag};
use crate::ledger::paths::{PathId, Reason};
use crate::plan::model::{ExchangeRef, QueueId, Topology};
use crate::plan::routing::{Envelope, route};

/// A copy that came as a dead letter.
#[derive(Debug, Clone, Copy)]
pub struct Later {
    pub message: MessageKey,
    pub queue: QueueId,
    pub path: PathId,
    pub copy: Copy,
}

/// All of them, in the order in which they were first seen or proven.
#[derive(Debug, Default)]
pub struct Laters {
    all: Vec<Later>,
    known: HashMap<(Sighting, QueueId), u32>,
    /// How many copies each queue gave up, by reason.
    deaths: HashMap<(QueueId, Reason), u64>,
    /// Copies that were rejected, are bound to go somewhere, and were not seen there yet.
    awaited: u64,
}

impl Laters {
    pub fn each(&self) -> impl Iterator<Item = &Later> {
        self.all.iter()
    }

    pub fn get(&self, index: u32) -> &Later {
        &self.all[index as usize]
    }

    pub fn get_mut(&mut self, index: u32) -> &mut Later {
        &mut self.all[index as usize]
    }

    /// How many copies the queue gave up for the reason.
    pub fn deaths(&self) -> &HashMap<(QueueId, Reason), u64> {
        &self.deaths
    }

    /// Whether a dead letter is still on its way.
    pub fn is_awaited(&self) -> bool {
        self.awaited > 0
    }
}

impl Ledger {
    /// Where the copy of a dead letter is kept, and all that it proves.
    pub(super) fn place_later(&mut self, seen: Sighting, queue: QueueId) -> CopyPlace {
        if let Some(&index) = self.laters.known.get(&(seen, queue)) {
            return CopyPlace::Later(index);
        }
        let message = seen.message;
        let plan = std::sync::Arc::clone(&self.plan);
        let leads = |from: QueueId| may_lead(&plan.topology, from);
        let Some((from, reason, before)) = self.paths.before(seen.path, leads) else {
            return CopyPlace::Unexpected;
        };
        let earlier = Sighting { message, path: before };
        if !self.dead_letter_route(earlier, from).contains(&queue) {
            return CopyPlace::Unexpected;
        }
        let Ok(place) = self.place(earlier, from) else { return CopyPlace::Unexpected };
        if place == CopyPlace::Unexpected {
            return CopyPlace::Unexpected;
        }
        self.has_left(earlier, from, place, reason);
        let index = u32::try_from(self.laters.all.len()).expect("under 4 billion copies");
        let copy = Copy::new(true);
        self.laters.all.push(Later { message, queue, path: seen.path, copy });
        self.laters.known.insert((seen, queue), index);
        self.queues[queue.index()].arrived += 1;
        self.live.expected += 1;
        CopyPlace::Later(index)
    }

    /// The copy's successor was seen.
    fn has_left(&mut self, earlier: Sighting, queue: QueueId, place: CopyPlace, reason: Reason) {
        let before = self.copy(earlier.message, queue, place);
        if before.has(copy_flag::LEFT) {
            return;
        }
        *self.laters.deaths.entry((queue, reason)).or_default() += 1;
        if before.has(copy_flag::REJECTED) && !self.dead_letter_route(earlier, queue).is_empty() {
            self.laters.awaited = self.laters.awaited.saturating_sub(1);
        }
        self.mark(earlier.message, queue, place, copy_flag::LEFT);
    }

    /// A copy was rejected for good: where its queue has a dead-letter exchange, it will be seen
    /// elsewhere.
    pub(super) fn await_successor(&mut self, seen: Sighting, queue: QueueId, place: CopyPlace) {
        let is_known = place != CopyPlace::Unexpected;
        let left = is_known && self.copy(seen.message, queue, place).has(copy_flag::LEFT);
        if is_known && !left && !self.dead_letter_route(seen, queue).is_empty() {
            self.laters.awaited += 1;
        }
    }

    /// A copy was seen in its queue again: if it had been rejected, the broker never read that.
    pub(super) fn came_again(&mut self, seen: Sighting, queue: QueueId, before: Copy) {
        let rejected = before.has(copy_flag::REJECTED) && !before.has(copy_flag::LEFT);
        if rejected && !self.dead_letter_route(seen, queue).is_empty() {
            self.laters.awaited = self.laters.awaited.saturating_sub(1);
        }
    }

    /// Whether a copy that was rejected must still come somewhere.
    pub fn awaits_dead_letters(&self) -> bool {
        self.laters.is_awaited()
    }

    /// Where a copy goes if its queue gives it up.
    pub(super) fn dead_letter_route(&self, seen: Sighting, queue: QueueId) -> Vec<QueueId> {
        let topology = &self.plan.topology;
        let Some(dead) = &topology.queues[queue.index()].dead_letter else { return Vec::new() };
        let ExchangeRef::Declared(exchange) = dead.exchange else { return Vec::new() };
        let key = self.dead_letter_key(seen, queue);
        let content = &self.producers[seen.message.producer.index()].content;
        let headers = content.headers(u64::from(seen.message.n));
        let envelope = Envelope { exchange, routing_key: &key, headers: &headers };
        route(topology, &self.changing.whole(), envelope)
    }

    /// The key that a copy gets when its queue gives it up: the queue's, or the one that it had.
    fn dead_letter_key(&self, seen: Sighting, queue: QueueId) -> String {
        let topology = &self.plan.topology;
        let key = |queue: QueueId| {
            let dead = topology.queues[queue.index()].dead_letter.as_ref();
            dead.and_then(|dead| dead.routing_key.clone())
        };
        let mut path = seen.path;
        if let Some(key) = key(queue) {
            return key;
        }
        while let Some((from, _, before)) = self.paths.before(path, |from| may_lead(topology, from))
        {
            if let Some(key) = key(from) {
                return key;
            }
            path = before;
        }
        let content = &self.producers[seen.message.producer.index()].content;
        content.routing_key(u64::from(seen.message.n)).into_owned()
    }
}

/// Whether the queue sends what it gives up anywhere.
fn may_lead(topology: &Topology, queue: QueueId) -> bool {
    topology.queues[queue.index()].dead_letter.is_some()
}
