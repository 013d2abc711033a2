//! Rules by which a broker removes a message, and whether one of them can have removed a copy.

use crate::ledger::Ledger;
use crate::ledger::books::CopyView;
use crate::ledger::event::{MessageKey, Micros};
use crate::ledger::fates::{Cause, Fates};
use crate::ledger::messages::copy_flag;
use crate::ledger::paths::PathId;
use crate::plan::model::{AckMode, Confirms, Overflow, Queue, QueueKind};

/// What differs between brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// How often a message of a quorum queue without a limit of its own may come back.
    default_limit: Option<u64>,
    /// A negative limit is none.
    negative_is_none: bool,
    /// A quorum queue may forget what was published last on a channel that is closed.
    pub(super) forgets_tails: bool,
    /// A node that was parted from the others gives its own history up when it hears them again,
    /// and is restarted for that.
    pub(super) restarts_parted: bool,
}

impl Rules {
    /// Those of a version: `4.3.6`. (Measured: 3.10 has no default limit and takes a negative one
    /// for 0; from 4.0 on the default is 20. On 3.10 a burst without confirms may lose its end,
    /// though the channel was closed in good order: the queue hears of that before it has heard
    /// of every publish. Hundreds of 4800 were gone every other time, and none on 4.0 and 4.3. From
    /// 4.3 on nodes keep no history of their own: what they know is a majority's.)
    pub fn of(version: &str) -> Self {
        let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
        let modern = major.is_none_or(|major| major >= 4);
        let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
        Self {
            default_limit: modern.then_some(20),
            negative_is_none: modern,
            forgets_tails: !modern,
            restarts_parted: !modern || (major == Some(4) && minor.is_some_and(|minor| minor < 3)),
        }
    }

    /// How often a message of the queue may come back.
    pub fn delivery_limit(self, queue: &Queue) -> Option<u64> {
        if queue.kind != QueueKind::Quorum {
            return None;
        }
        match queue.delivery_limit {
            None => self.default_limit,
            Some(limit) if limit < 0 && self.negative_is_none => None,
            Some(limit) => Some(u64::try_from(limit).unwrap_or(0)),
        }
    }
}

impl Ledger {
    /// The rules that can have removed a copy which is gone.
    pub(super) fn rules_for(&self, fates: &Fates, view: &CopyView) -> Vec<Cause> {
        let taken = view.copy.has(copy_flag::REJECTED | copy_flag::LEFT);
        if taken || self.was_taken_for_good(view) {
            return Vec::new();
        }
        let queue = &self.plan.topology.queues[view.queue.index()];
        let mut rules = Vec::new();
        if self.may_be_over_limit(fates, view, queue) {
            rules.push(Cause::DeliveryLimit);
        }
        if self.may_have_expired(view, queue) {
            rules.push(Cause::Ttl);
        }
        if self.may_have_been_dropped(view, queue) {
            rules.push(Cause::MaxLength);
        }
        rules
    }

    /// The broker forgets what it sends under automatic acknowledgement, and what is acked,
    /// unless the ack was lost with its connection.
    fn was_taken_for_good(&self, view: &CopyView) -> bool {
        let Some(holder) = self.lives.get(usize::from(view.copy.holder)) else { return false };
        let heard = holder.is_live() || holder.surely_holds_on() || holder.read_by_broker;
        let taken = holder.ack == AckMode::Auto || (view.copy.has(copy_flag::ACKED) && heard);
        taken && !self.may_be_forgotten_since(holder)
    }

    /// Each consumer that ended without reading all that was sent to it may have been sent the
    /// copy once more than it read it.
    fn may_be_over_limit(&self, fates: &Fates, view: &CopyView, queue: &Queue) -> bool {
        let unread = fates.returning(view.queue);
        // On 4.0 the broker's count goes with a dead letter from one quorum queue to the next.
        let earlier: u32 = self.paths.deaths(view.path).iter().map(|death| death.count).sum();
        let deliveries = match view.copy.deliveries {
            u16::MAX => u64::MAX,
            deliveries => u64::from(deliveries) + u64::from(earlier) + unread,
        };
        self.rules.delivery_limit(queue).is_some_and(|limit| deliveries > limit)
    }

    fn may_have_expired(&self, view: &CopyView, queue: &Queue) -> bool {
        let Some(ttl) = self.ttl_of(view, queue) else { return false };
        let MessageKey { producer, n } = view.message;
        let book = &self.producers[producer.index()];
        // Where it was published again and that was answered, it came then at the latest.
        let again = self.confirmed_resend(view);
        let came = again.map_or_else(|| book.schedule.published_at(n), |send| send.at);
        // The drain brings everything to the head of its queue, where messages expire.
        came + ttl <= self.queues[view.queue.index()].drained_at
    }

    /// The time that a copy had; a dead letter has lost what its publisher gave it.
    fn ttl_of(&self, view: &CopyView, queue: &Queue) -> Option<Micros> {
        let content = &self.producers[view.message.producer.index()].content;
        let own = match view.path {
            PathId::NONE => content.ttl(view.message.n.into()),
            _ => None,
        };
        let ttl = match (own, queue.message_ttl) {
            (Some(own), Some(queue)) => own.min(queue),
            (own, queue) => own.or(queue)?,
        };
        Some(Micros::try_from(ttl.as_micros()).unwrap_or(Micros::MAX))
    }

    fn may_have_been_dropped(&self, view: &CopyView, queue: &Queue) -> bool {
        let producer = view.message.producer;
        let unchecked = self.plan.producers[producer.index()].confirms == Confirms::Off;
        let drops = match (queue.overflow, queue.kind) {
            (Overflow::DropHead, _) | (Overflow::RejectPublishDlx, QueueKind::Quorum) => true,
            // The publisher is told, if it listens.
            (Overflow::RejectPublish | Overflow::RejectPublishDlx, _) => {
                unchecked || view.path != PathId::NONE
            }
        };
        drops && self.was_crowded(view.queue, producer, view.message.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delivery_limit_depends_on_the_version() {
        let queue =
            |limit| Queue { kind: QueueKind::Quorum, delivery_limit: limit, ..Queue::named("q") };
        for (version, limit, expected) in [
            ("3.10.8", None, None),
            ("3.10.8", Some(-1), Some(0)),
            ("3.10.8", Some(2), Some(2)),
            ("4.0.5", None, Some(20)),
            ("4.3.6", Some(-1), None),
            ("4.3.6", Some(0), Some(0)),
        ] {
            let found = Rules::of(version).delivery_limit(&queue(limit));
            assert_eq!(found, expected, "{version} {limit:?}");
        }
        assert_eq!(Rules::of("4.3.6").delivery_limit(&Queue::named("q")), None);
    }
}
