//! What leaves a queue as a dead letter and where it may come then.
//!
//! A copy that came as a dead letter proves that there was one before it in the queue that gave
//! it up. So each is traced back, hop by hop, to its publish; what cannot be traced should not
//! exist.

use std::collections::{HashMap, HashSet};

use crate::ledger::Ledger;
use crate::ledger::event::{MessageKey, Sighting};
use crate::ledger::lives::CopyPlace;
use crate::ledger::messages::{Copy, copy_flag};
use crate::ledger::paths::{PathId, Reason, Step};
use crate::plan::model::{ExchangeRef, QueueId};
use crate::plan::routing::{Envelope, route};

/// A copy that came as a dead letter.
#[derive(Debug, Clone, Copy)]
pub struct Later {
    pub message: MessageKey,
    pub queue: QueueId,
    pub path: PathId,
    /// The queue that gave it its present routing key, if one did.
    pub keyed: Option<QueueId>,
    pub copy: Copy,
}

/// One step of a copy's way: a queue gave it up, and it came to another.
struct Hop {
    from: QueueId,
    reason: Reason,
    /// The way before this step, and with it.
    before: PathId,
    after: PathId,
    to: QueueId,
    keyed: Option<QueueId>,
}

/// Where looking for a way has led nowhere.
type DeadEnds = HashSet<(PathId, QueueId)>;

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
    /// `last` is what it said itself.
    pub(super) fn place_later(
        &mut self,
        seen: Sighting,
        queue: QueueId,
        last: Option<Step>,
    ) -> CopyPlace {
        if let Some(&index) = self.laters.known.get(&(seen, queue)) {
            return CopyPlace::Later(index);
        }
        let mut way = Vec::new();
        if self.trace(seen, (queue, last), &mut way, &mut DeadEnds::new()).is_none() {
            return CopyPlace::Unexpected;
        }
        let mut place = CopyPlace::Unexpected;
        for hop in way {
            place = self.go(seen.message, &hop);
        }
        place
    }

    /// Finds the steps by which a copy came to a queue, the earliest first, as far as they are
    /// not known yet: which queue gave it its routing key in the end. The outer `None` is no way.
    fn trace(
        &self,
        seen: Sighting,
        (queue, last): (QueueId, Option<Step>),
        way: &mut Vec<Hop>,
        dead_ends: &mut DeadEnds,
    ) -> Option<Option<QueueId>> {
        let Sighting { message, path } = seen;
        if path == PathId::NONE {
            return self.may_be_published(message, queue).then_some(None);
        }
        if let Some(&index) = self.laters.known.get(&(seen, queue)) {
            return Some(self.laters.get(index).keyed);
        }
        if dead_ends.contains(&(path, queue)) {
            return None;
        }
        let passed = way.len();
        let mut steps = self.paths.steps(path);
        steps.retain(|&(from, ..)| self.may_lead(message, from, queue));
        if steps.len() > 1 {
            steps.sort_by_key(|&step| self.unlikelihood(message, step));
            steps.sort_by_key(|&(from, reason, _)| last.is_some_and(|it| it != (from, reason)));
        }
        for (from, reason, before) in steps {
            let earlier = Sighting { message, path: before };
            if let Some(had) = self.trace(earlier, (from, None), way, dead_ends)
                && self.dead_letter_route(message, had, from).contains(&queue)
            {
                let keyed = if self.own_key(from).is_some() { Some(from) } else { had };
                way.push(Hop { from, reason, before, after: path, to: queue, keyed });
                return Some(keyed);
            }
            way.truncate(passed);
        }
        dead_ends.insert((path, queue));
        None
    }

    /// Of several steps that can have been the last the first to be tried is one from a copy
    /// that was seen and is not known to have left, and the last one is a rejection that no
    /// worker has told of.
    fn unlikelihood(&self, message: MessageKey, step: (QueueId, Reason, PathId)) -> u8 {
        let (from, reason, path) = step;
        let earlier = Sighting { message, path };
        let copy = match path {
            PathId::NONE => self.find_published(message, from),
            _ => self.laters.known.get(&(earlier, from)).map(|&index| self.laters.get(index).copy),
        };
        let copy = copy.unwrap_or_else(|| Copy::new(true));
        // Where there may be two of it, the other may leave when one has.
        let left = copy.has(copy_flag::LEFT) && !self.may_be_two(earlier);
        match reason == Reason::Rejected {
            true if !copy.has(copy_flag::REJECTED) => 3,
            _ if copy.has(copy_flag::SEEN) && !left => 0,
            _ => 1 + u8::from(left),
        }
    }

    /// Whether a dead letter may be one of two that took the same steps in different orders, which
    /// nothing tells apart: there were several copies of its message at some time. Or a temporary
    /// queue was there again before its last one was gone, and both gave it up.
    pub(super) fn may_have_met(&self, seen: Sighting) -> bool {
        let deaths = self.paths.deaths(seen.path);
        let temporary = |id: QueueId| self.plan.topology.queues[id.index()].temporary;
        if deaths.len() < 2 {
            return deaths.iter().any(|death| temporary(death.queue));
        }
        let MessageKey { producer, n } = seen.message;
        let published = self.routes.get(self.producers[producer.index()].messages.route(n)).len();
        let queues = || (0..self.queues.len()).map(QueueId::from_index);
        let fans_out = |from: QueueId| {
            queues().filter(|&to| self.may_lead(seen.message, from, to)).count() > 1
        };
        published > 1 || deaths.iter().any(|it| temporary(it.queue) || fans_out(it.queue))
    }

    fn find_published(&self, message: MessageKey, queue: QueueId) -> Option<Copy> {
        let messages = &self.producers[message.producer.index()].messages;
        let index = messages.find(message.n, queue, &self.routes);
        let routed = index.map(|index| messages.copy(index));
        routed.or_else(|| self.extras.get(&(message, queue)).copied())
    }

    /// Takes down one step of a message, all earlier ones being known.
    fn go(&mut self, message: MessageKey, hop: &Hop) -> CopyPlace {
        let earlier = Sighting { message, path: hop.before };
        let Ok(place) = self.place(earlier, hop.from, None) else {
            return CopyPlace::Unexpected;
        };
        self.has_left(message, hop.from, place, hop.reason);
        let index = u32::try_from(self.laters.all.len()).expect("under 4 billion copies");
        let (queue, path, copy) = (hop.to, hop.after, Copy::new(true));
        self.laters.all.push(Later { message, queue, path, keyed: hop.keyed, copy });
        self.laters.known.insert((Sighting { message, path }, queue), index);
        self.queues[queue.index()].arrived += 1;
        self.live.expected += 1;
        CopyPlace::Later(index)
    }

    /// The copy's successor was seen.
    fn has_left(&mut self, message: MessageKey, queue: QueueId, place: CopyPlace, reason: Reason) {
        let before = self.copy(message, queue, place);
        if before.has(copy_flag::LEFT) {
            return;
        }
        *self.laters.deaths.entry((queue, reason)).or_default() += 1;
        if reason != Reason::Rejected {
            self.series.left(queue, self.series.last());
        }
        if before.has(copy_flag::REJECTED) && self.leads_anywhere(message, queue, place) {
            self.laters.awaited = self.laters.awaited.saturating_sub(1);
        }
        self.mark(message, queue, place, copy_flag::LEFT);
    }

    /// A copy was rejected for good: where its queue has a dead-letter exchange, it will be seen
    /// elsewhere.
    pub(super) fn await_successor(
        &mut self,
        message: MessageKey,
        queue: QueueId,
        place: CopyPlace,
    ) {
        let is_known = place != CopyPlace::Unexpected;
        let left = is_known && self.copy(message, queue, place).has(copy_flag::LEFT);
        if is_known && !left && self.leads_anywhere(message, queue, place) {
            self.laters.awaited += 1;
        }
    }

    /// A copy was seen in its queue again: if it had been rejected, the broker never read that.
    pub(super) fn came_again(
        &mut self,
        message: MessageKey,
        queue: QueueId,
        place: CopyPlace,
        before: Copy,
    ) {
        let rejected = before.has(copy_flag::REJECTED) && !before.has(copy_flag::LEFT);
        if rejected && self.leads_anywhere(message, queue, place) {
            self.laters.awaited = self.laters.awaited.saturating_sub(1);
        }
    }

    /// Whether a copy that was rejected must still come somewhere.
    pub fn awaits_dead_letters(&self) -> bool {
        self.laters.is_awaited()
    }

    /// Whether a copy goes anywhere if its queue gives it up.
    fn leads_anywhere(&self, message: MessageKey, queue: QueueId, place: CopyPlace) -> bool {
        let keyed = match place {
            CopyPlace::Later(index) => self.laters.get(index).keyed,
            _ => None,
        };
        !self.dead_letter_route(message, keyed, queue).is_empty()
    }

    /// Where a copy goes if its queue gives it up; `keyed` gave it its routing key.
    pub(super) fn dead_letter_route(
        &self,
        message: MessageKey,
        keyed: Option<QueueId>,
        queue: QueueId,
    ) -> Vec<QueueId> {
        let given = self.own_key(queue).or_else(|| self.own_key(keyed?));
        match given {
            Some(key) => self.dead_letter_route_by(message, queue, key),
            None => {
                let content = &self.producers[message.producer.index()].content;
                self.dead_letter_route_by(message, queue, &content.routing_key(message.n.into()))
            }
        }
    }

    fn dead_letter_route_by(&self, message: MessageKey, from: QueueId, key: &str) -> Vec<QueueId> {
        let topology = &self.plan.topology;
        let Some(dead) = &topology.queues[from.index()].dead_letter else { return Vec::new() };
        let ExchangeRef::Declared(exchange) = dead.exchange else { return Vec::new() };
        let content = &self.producers[message.producer.index()].content;
        let headers = content.headers(u64::from(message.n));
        let envelope = Envelope { exchange, routing_key: key, headers: &headers };
        route(topology, &self.changing.whole(), envelope)
    }

    /// Whether a queue may send what it gives up to another, by any key that it can have.
    fn may_lead(&self, message: MessageKey, from: QueueId, to: QueueId) -> bool {
        if self.own_key(from).is_some() {
            return self.dead_letter_route(message, None, from).contains(&to);
        }
        let queues = (0..self.queues.len()).map(QueueId::from_index);
        let keyed = queues.filter(|queue| self.own_key(*queue).is_some()).map(Some);
        let mut keyed = std::iter::once(None).chain(keyed);
        keyed.any(|keyed| self.dead_letter_route(message, keyed, from).contains(&to))
    }

    /// The key that a queue gives to what it gives up; else that keeps the one that it has.
    fn own_key(&self, queue: QueueId) -> Option<&str> {
        let dead = self.plan.topology.queues[queue.index()].dead_letter.as_ref();
        dead.and_then(|dead| dead.routing_key.as_deref())
    }
}
