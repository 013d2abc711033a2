//! Where copies are kept, and which of them a change of the topology makes optional.

use crate::ledger::event::{ChangeId, ChangeKind, MessageKey, Micros, Sighting};
use crate::ledger::lives::CopyPlace;
use crate::ledger::messages::{Copy, copy_flag, message_flag};
use crate::ledger::paths::{PathId, Step};
use crate::ledger::recording::{Broken, NOT_ANSWERED, NOT_READ};
use crate::ledger::{Gone, Ledger, Window};
use crate::plan::model::{ExchangeRef, ProducerId, QueueId, Unconfirmed};

impl Ledger {
    pub(super) fn change_begun(&mut self, change: ChangeId, queue: QueueId, kind: ChangeKind) {
        for index in 0..self.producers.len() {
            let producer = ProducerId::from_index(index);
            let on_their_way = self.on_their_way(producer);
            match kind {
                ChangeKind::Comes if !on_their_way.is_empty() => {
                    let count =
                        on_their_way.iter().map(|&(first, last)| u64::from(last - first) + 1);
                    self.came_back(queue, count.sum());
                    let (spans, standing) = (on_their_way.clone(), self.changing.with(queue));
                    self.windows.push(Window { queue, producer, spans, standing });
                }
                ChangeKind::Comes => {}
                ChangeKind::Goes | ChangeKind::Perishes | ChangeKind::Purged => {
                    self.make_optional(producer, queue, &on_their_way);
                }
            }
            let messages = &mut self.producers[index].messages;
            for n in on_their_way.into_iter().flat_map(|(first, last)| first..=last) {
                messages.add_flags(n, message_flag::UNCERTAIN);
            }
        }
        if kind == ChangeKind::Perishes {
            self.perishing.insert(change, (self.outages.len(), self.events));
        }
        self.changing.begin(change, queue, kind);
    }

    pub(super) fn change_ended(&mut self, change: ChangeId, at: Micros) {
        match self.changing.end(change) {
            Some((_, ChangeKind::Comes)) => {}
            Some((queue, how)) => {
                let since = self.perishing.remove(&change).unwrap_or_default();
                if how == ChangeKind::Perishes && !self.has_ended_since(since) {
                    self.violation(None, "a queue went with a broker that had not ended");
                }
                let published = self.published_so_far();
                let event = self.events;
                self.queues[queue.index()].gone.push(Gone { how, event, published });
                self.series.emptied(queue, at);
            }
            None => self.violation(None, "a change of the topology ended that never began"),
        }
    }

    /// Exchanges that are not durable are about to go. What was published to one that stays, and
    /// that one of them passes on, comes to no queue if it has not come there yet and is published
    /// again when the broker is back.
    pub(super) fn lose_exchanges(&mut self) {
        for index in 0..self.producers.len() {
            let producer = ProducerId::from_index(index);
            let plan = &self.plan.producers[index];
            let stays = match plan.to.exchange {
                ExchangeRef::Declared(id) => self.plan.topology.exchanges[id.index()].durable,
                ExchangeRef::Missing(_) => false,
            };
            if !stays || !self.changing.falls() || plan.unconfirmed != Unconfirmed::Republish {
                continue;
            }
            for n in self.on_their_way(producer).into_iter().flat_map(|(first, last)| first..=last)
            {
                let book = &mut self.producers[index];
                let route = self.changing.route(producer, &book.content, n, &mut self.routes);
                book.messages.add_flags(n, message_flag::UNCERTAIN);
                let lost = self.routes.get(route).iter().filter(|(_, optional)| *optional);
                let lost: Vec<QueueId> = lost.map(|(queue, _)| *queue).collect();
                lost.into_iter().for_each(|queue| self.make_optional(producer, queue, &[(n, n)]));
            }
        }
    }

    /// The messages of a producer that the broker may not have routed yet, as spans.
    fn on_their_way(&self, producer: ProducerId) -> Vec<(u32, u32)> {
        let book = &self.producers[producer.index()];
        let settled = if book.confirms { NOT_ANSWERED } else { NOT_READ };
        let mut spans: Vec<(u32, u32)> = Vec::new();
        for n in book.open_from..=book.messages.len() {
            if book.messages.flags(n) & settled != 0 {
                continue;
            }
            match spans.last_mut() {
                Some((_, last)) if *last + 1 == n => *last = n,
                _ => spans.push((n, n)),
            }
        }
        spans
    }

    fn make_optional(&mut self, producer: ProducerId, queue: QueueId, spans: &[(u32, u32)]) {
        let book = &mut self.producers[producer.index()];
        for n in spans.iter().flat_map(|&(first, last)| first..=last) {
            let Some(index) = book.messages.find(n, queue, &self.routes) else { continue };
            let copy = book.messages.copy_mut(index);
            let was_required = !copy.has(copy_flag::OPTIONAL);
            copy.flags |= copy_flag::OPTIONAL;
            let gone = u64::from(was_required && !copy.was_seen());
            self.live.expected = self.live.expected.saturating_sub(gone);
        }
    }

    /// Where the copy of a message in a queue is kept, if there may be one.
    pub(super) fn place(
        &mut self,
        seen: Sighting,
        queue: QueueId,
        last: Option<Step>,
    ) -> Result<CopyPlace, Broken> {
        let message = seen.message;
        let MessageKey { producer, n } = message;
        let Some(book) = self.producers.get(producer.index()) else {
            return Err((None, format!("a message of an unknown producer {} came", producer.0)));
        };
        if n == 0 || n > book.messages.len() {
            return Err((Some(message), format!("message {n} came before it was published")));
        }
        if seen.path != PathId::NONE {
            return Ok(self.place_later(seen, queue, last));
        }
        if let Some(index) = book.messages.find(n, queue, &self.routes) {
            return Ok(CopyPlace::Routed(u32::try_from(index).expect("under 4 billion copies")));
        }
        if !self.is_in_a_window(message, queue) {
            return Ok(CopyPlace::Unexpected);
        }
        self.extras.entry((message, queue)).or_insert_with(|| Copy::new(true));
        Ok(CopyPlace::Extra)
    }

    /// Whether a publish may have made a copy in the queue.
    pub(super) fn may_be_published(&self, message: MessageKey, queue: QueueId) -> bool {
        let messages = &self.producers[message.producer.index()].messages;
        messages.find(message.n, queue, &self.routes).is_some()
            || self.is_in_a_window(message, queue)
    }

    /// Whether the message was on its way when the queue came, and gets through its bindings.
    fn is_in_a_window(&self, message: MessageKey, queue: QueueId) -> bool {
        let MessageKey { producer, n } = message;
        let content = &self.producers[producer.index()].content;
        self.windows.iter().any(|window| {
            let within = |&(first, last): &(u32, u32)| (first..=last).contains(&n);
            window.queue == queue
                && window.producer == producer
                && window.spans.iter().any(within)
                && self.changing.could_reach((producer, n), content, queue, &window.standing)
        })
    }

    pub(super) fn copy(&self, message: MessageKey, queue: QueueId, place: CopyPlace) -> Copy {
        match place {
            CopyPlace::Routed(index) => {
                self.producers[message.producer.index()].messages.copy(index as usize)
            }
            CopyPlace::Extra => self.extras[&(message, queue)],
            CopyPlace::Later(index) => self.laters.get(index).copy,
            CopyPlace::Unexpected => Copy::new(true),
        }
    }

    pub(super) fn copy_mut(
        &mut self,
        message: MessageKey,
        queue: QueueId,
        place: CopyPlace,
    ) -> &mut Copy {
        match place {
            CopyPlace::Routed(index) => {
                self.producers[message.producer.index()].messages.copy_mut(index as usize)
            }
            CopyPlace::Later(index) => &mut self.laters.get_mut(index).copy,
            _ => self.extras.entry((message, queue)).or_insert_with(|| Copy::new(true)),
        }
    }

    pub(super) fn mark(
        &mut self,
        message: MessageKey,
        queue: QueueId,
        place: CopyPlace,
        flag: u16,
    ) {
        if place != CopyPlace::Unexpected {
            self.copy_mut(message, queue, place).flags |= flag;
        }
    }
}
