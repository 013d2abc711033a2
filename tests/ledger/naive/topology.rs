//! What stands at which moment, and what is on its way then: by positions in the list of events.

use rmq_scenario::ledger::event::{ChangeKind, MessageKey};
use rmq_scenario::plan::model::{Confirms, ExchangeRef, QueueId};
use rmq_scenario::plan::pattern::Pattern;

use crate::naive::{Change, Counting, NEVER};
use crate::simulated::broker::routes;

impl Counting<'_> {
    pub(super) fn confirms(&self, message: MessageKey) -> bool {
        self.plan.producers[message.producer.index()].confirms != Confirms::Off
    }

    /// From its publish to its answer; with confirms off, to the close of its channel or until
    /// it is seen.
    pub(super) fn on_its_way(&self, message: MessageKey) -> (usize, usize) {
        let line = &self.line;
        let end = if self.confirms(message) {
            line.answered.get(&message).map_or(NEVER, |(index, _)| *index)
        } else {
            let closed = line.closed.get(&message).copied().unwrap_or(NEVER);
            closed.min(line.first_seen.get(&message).copied().unwrap_or(NEVER))
        };
        (line.published[&message], end)
    }

    pub(super) fn binds(&self, message: MessageKey, queue: QueueId) -> bool {
        let to = &self.plan.producers[message.producer.index()].to;
        let ExchangeRef::Declared(exchange) = to.exchange else { return false };
        let key = match &to.routing_key {
            Pattern::Always(key) => key,
            Pattern::Cycle(keys) => &keys[(message.n as usize - 1) % keys.len()],
            other => unreachable!("a run has no {other:?}"),
        };
        routes(self.plan, exchange, key, queue)
    }

    /// Whether the exchange goes, or is gone, that it was published to at this moment.
    pub(super) fn exchange(&self, message: MessageKey, at: usize) -> (bool, bool) {
        let to = &self.plan.producers[message.producer.index()].to;
        let ExchangeRef::Declared(exchange) = to.exchange else { return (false, true) };
        let exchange = &self.plan.topology.exchanges[exchange.index()];
        if exchange.durable || exchange.name.is_empty() {
            return (false, false);
        }
        let mut outages = self.line.outages.iter();
        let goes = self.line.outages.iter().any(|&(fell, down)| fell < at && at < down);
        (goes, outages.any(|&(_, down)| down < at))
    }

    /// Whether a change of the queue overlaps the span.
    pub(super) fn changes(&self, queue: QueueId, (from, to): (usize, usize)) -> bool {
        self.line.changes.values().any(|&(q, _, begin, end)| q == queue && begin < to && end > from)
    }

    pub(super) fn comes(&self, queue: QueueId, at: usize) -> bool {
        let mut changes = self.line.changes.values();
        changes.any(|&(q, kind, begin, end)| {
            q == queue && kind == ChangeKind::Comes && begin < at && end > at
        })
    }

    /// Whether the queue is there, at a moment when it does not change.
    pub(super) fn stands(&self, queue: QueueId, at: usize) -> bool {
        self.newest(queue, |&(_, _, begin, _)| begin < at)
    }

    /// The same as far as changes have ended by then.
    pub(super) fn stood(&self, queue: QueueId, at: usize) -> bool {
        self.newest(queue, |&(_, _, _, end)| end < at)
    }

    fn newest(&self, queue: QueueId, counts: impl Fn(&Change) -> bool) -> bool {
        let happened = self.line.changes.iter().filter(|(id, _)| !self.line.dropped.contains(id));
        let before = happened
            .map(|(_, change)| change)
            .filter(|change| change.0 == queue && change.1 != ChangeKind::Purged && counts(change));
        match before.max_by_key(|change| change.2) {
            Some((_, kind, ..)) => *kind == ChangeKind::Comes,
            None => self.plan.topology.queues[queue.index()].owner.is_none(),
        }
    }
}
