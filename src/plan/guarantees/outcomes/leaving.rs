//! What leaves a queue by a rule of its own or of its workers.

use crate::plan::count::Count;
use crate::plan::guarantees::copies::DeadRoute;
use crate::plan::guarantees::outcomes::{Case, Round};
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::guarantees::staffing::Staff;
use crate::plan::model::{Confirms, Overflow, QueueKind, Refusal};

/// How often a message may come back to a quorum queue that says nothing of it, from 4.0 on.
const USUAL_LIMIT: u64 = 20;

/// Copies that come back too often, and how often they do.
pub(super) struct Poison {
    pub copies: Range,
    pub returns: Range,
}

/// Copies that leave a queue by a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    pub refused: Range,
    pub expired: Range,
    /// Beyond the queue's length.
    pub beyond: Range,
    /// Came back too often.
    pub over: Range,
}

impl Leaving {
    pub fn is_empty(&self) -> bool {
        [self.refused, self.expired, self.beyond, self.over].iter().all(|range| range.is_zero())
    }
}

impl Default for Leaving {
    fn default() -> Self {
        let none = Range::ZERO;
        Self { refused: none, expired: none, beyond: none, over: none }
    }
}

impl Case<'_, '_> {
    /// How many copies are refused for good, expire, are beyond the length, or beyond the limit of
    /// returns.
    pub(super) fn leaving(&self) -> Leaving {
        let none = self.staff.is_empty();
        let copies = self.copies();
        let ttl = self.can(Count::Expired);
        let limited = self.queue.is_bounded();
        let others = ttl || limited || !self.staff.is_sure() || !self.staff.is_calm();
        let mut leaving = Leaving::default();
        let finals = self.refusals.finals;
        leaving.refused = if others { finals.or_none() } else { finals };
        if ttl {
            let alone = none && self.queue.message_ttl.is_some() && !limited;
            leaving.expired = if alone { copies } else { copies.or_none() };
        }
        let beyond = match (self.queue.max_length, self.queue.max_length_bytes) {
            (Some(most), None) => (copies - Range::exactly(most)).at_most(copies.high),
            _ => copies.or_none(),
        };
        let classic = self.queue.kind == QueueKind::Classic;
        if limited {
            let plain = none && !ttl && classic && self.queue.max_length_bytes.is_none();
            leaving.beyond = if plain { beyond } else { beyond.or_none() };
        }
        if let Some(poison) = self.poison() {
            leaving.over = poison.copies;
            leaving.refused = self.refusals.finals;
        } else if self.may_exceed() {
            leaving.over = copies.or_none();
            leaving.refused = leaving.refused.or_none();
        }
        leaving
    }

    /// Whether a copy may come back more often than a quorum queue lets it.
    pub(super) fn may_exceed(&self) -> bool {
        if self.queue.kind != QueueKind::Quorum || self.staff.is_empty() {
            return false;
        }
        let limit = match self.queue.delivery_limit {
            None if self.threats.may_be("4.0.0") => USUAL_LIMIT,
            None => return false,
            Some(limit) => u64::try_from(limit).unwrap_or(u64::MAX),
        };
        let threats = self.staff.hands.iter().map(|hand| hand.threats.len()).sum::<usize>();
        let blows = u64::try_from(threats).unwrap_or(u64::MAX);
        let blows = blows.saturating_add(self.staff.restarts());
        self.refusals.most.is_none_or(|most| most.saturating_add(blows) > limit)
    }

    /// Messages that are given back whenever they come, until the queue has had enough: how many,
    /// and how often all of them together come back. Only where that is certain.
    pub(super) fn poison(&self) -> Option<Poison> {
        let limit = u64::try_from(self.queue.delivery_limit?).ok()?;
        let calm = self.staff.is_calm() && self.staff.is_sure() && !self.can(Count::Expired);
        let limited = self.queue.is_bounded();
        if self.queue.kind != QueueKind::Quorum || !calm || limited {
            return None;
        }
        let endless = self.refusals.endless?;
        // What comes back by basic.nack counts no longer, from 4.3 on.
        let rules = self.staff.hands.iter().flat_map(|hand| &hand.worker.rejects);
        let mut returning = rules.filter(|rule| rule.requeue);
        let counted =
            returning.all(|rule| rule.using == Refusal::Reject) || !self.threats.may_be("4.3.0");
        (counted && self.refusals.returns.is_zero()).then(|| Poison {
            copies: Range::exactly(endless),
            returns: Range::exactly(endless.saturating_mul(limit)),
        })
    }

    /// Sets the outcomes of what leaves by a rule; returns how many are seen again as dead letters.
    pub(super) fn by_rule(&self, sheet: &mut Sheet, leaving: &Leaving) -> Range {
        let dropped = match self.queue.overflow {
            Overflow::DropHead => leaving.beyond,
            _ if self.asks_for_none() => leaving.beyond,
            _ if self.asks_for_all() => Range::ZERO,
            _ => leaving.beyond.or_none(),
        };
        let ways = [
            (Count::Rejected, leaving.refused, Rule::Refusing),
            (Count::Expired, leaving.expired, Rule::Expiry),
            (Count::Dropped, dropped, Rule::FullQueue),
            (Count::OverLimit, leaving.over, Rule::Limit),
        ];
        let mut dead = Range::ZERO;
        let certain = self.arrives();
        for (count, range, rule) in ways {
            let stays = match (&self.route, certain) {
                (DeadRoute::Nowhere, _) => range,
                (DeadRoute::To(queues), _) if queues.is_empty() => range,
                (DeadRoute::To(_), true) => Range::ZERO,
                _ => range.or_none(),
            };
            sheet.set(count, Bound::new(stays, rule).or_never());
            if self.can(Count::DeadLettered) {
                dead = dead + range;
            }
        }
        // What `reject-publish-dlx` turns away is a dead letter, and no copy of this queue.
        if self.queue.overflow == Overflow::RejectPublishDlx && self.can(Count::DeadLettered) {
            let all = self.asks_for_all();
            dead = dead + if all { leaving.beyond } else { leaving.beyond.or_none() };
        }
        let dead = dead.at_most(self.copies().high);
        // One that nobody sees again is none.
        let turned_away = self.queue.overflow == Overflow::RejectPublishDlx;
        let seen = certain && (!turned_away || self.asks_for_all());
        let told = if seen { dead } else { dead.or_none() };
        sheet.set(Count::DeadLettered, Bound::new(told, Rule::DeadLetters).or_never());
        told
    }

    fn asks_for_none(&self) -> bool {
        self.threats.variant.producers.iter().all(|it| it.confirms == Confirms::Off)
    }

    fn asks_for_all(&self) -> bool {
        self.threats.variant.producers.iter().all(|it| it.confirms != Confirms::Off)
    }

    /// Whether a dead letter is seen for certain where it goes: somebody works on it, or it is
    /// still there at the end.
    fn arrives(&self) -> bool {
        let DeadRoute::To(queues) = &self.route else { return false };
        // What waits elsewhere until its time is up comes back here, and is seen then.
        if matches!(self.arrivals.round, Round::Known(_)) {
            return true;
        }
        queues.iter().all(|id| {
            let queue = &self.threats.variant.topology.queues[id.index()];
            let keeps = queue.message_ttl.is_none() && !queue.is_bounded();
            // On 3.10 a dead letter does not come into a stream. (Measured on 3.10.8.)
            keeps
                && queue.kind != QueueKind::Stream
                && self.threats.stays(*id)
                && Staff::of(self.threats, *id).is_calm()
        })
    }

    /// Publishes that a full queue refuses; their copies never were.
    pub(super) fn turned_away(&self) -> Range {
        let limited = self.queue.is_bounded();
        if !limited || self.queue.overflow == Overflow::DropHead || self.asks_for_none() {
            return Range::ZERO;
        }
        // A dead letter that is seen was not turned away.
        let letter = self.queue.overflow == Overflow::RejectPublishDlx && self.asks_for_all();
        if letter && self.can(Count::DeadLettered) && self.arrives() {
            return Range::ZERO;
        }
        let leaving = self.leaving().beyond;
        let plain = self.asks_for_all() && self.queue.overflow == Overflow::RejectPublish;
        if plain { leaving } else { leaving.or_none() }
    }
}
