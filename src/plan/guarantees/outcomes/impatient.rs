//! What is known of a queue whose broker loses patience with a consumer that does not ack.
//!
//! Such a consumer is ended, and what it held comes back. (Measured on 3.10.8, 4.0.5 and 4.3.6:
//! its channel is closed; on 4.3 only a quorum queue does it, and cancels the consumer.)

use crate::plan::count::Count;
use crate::plan::guarantees::outcomes::{Case, Outcome, Round};
use crate::plan::guarantees::range::Bound;
use crate::plan::guarantees::refusals::Refusals;
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::staffing::Hand;
use crate::plan::guarantees::threats::{Blow, Weather};
use crate::plan::model::{AckMode, Fault, FaultAction, QueueKind, Trigger};

/// No quorum queue gives up what came back less often.
const USUAL_LIMIT: usize = 20;

impl Case<'_, '_> {
    /// Everything may come twice; but somebody who acks in time gets all that comes back.
    pub(super) fn impatient(&self) -> Outcome {
        let mut outcome = self.anything(Rule::Settings);
        let Some(timeout) = self.threats.consumer_timeout().filter(|_| self.is_only_impatient())
        else {
            return outcome;
        };
        let sheet = &mut outcome.sheet;
        let hands = &self.staff.hands;
        sheet.set(Count::OverLimit, Bound::never());
        let quick = |hand: &&Hand<'_>| self.threats.acks_within(hand.worker, timeout);
        // What somebody who stands still has finished, it has acked: it froze in a later work.
        let frozen = |hand: &Hand<'_>| match hand.threats[..] {
            [] => true,
            [threat] => matches!(threat.trigger, Trigger::During(_)),
            _ => false,
        };
        if hands.iter().all(|hand| quick(&hand) && frozen(hand)) {
            sheet.set(Count::Duplicates, Bound::never());
        }
        let moves = hands.iter().all(|hand| hand.threats.is_empty());
        if moves && hands.iter().filter(quick).any(Hand::is_sure) {
            sheet.set(Count::Remaining, Bound::never());
            sheet.set(Count::StillQueued, Bound::never());
            let all = Bound::new(self.copies(), Rule::Consumed);
            sheet.set(Count::Delivered, all.or_never());
        }
        outcome
    }

    /// Whether nothing else can take a message out of the queue, or give it back, and each
    /// consumer is ended once at most.
    fn is_only_impatient(&self) -> bool {
        let freezes = |hand: &Hand<'_>| hand.threats.iter().all(|it| it.blow == Blow::Freezes);
        let acks = |mode| matches!(mode, AckMode::Manual { .. });
        let threats = self.threats;
        let arrivals = self.arrivals;
        // A worker that stands still for a while, or whose network does, is no threat elsewhere.
        let for_good =
            |fault: &Fault| matches!(fault.action, FaultAction::Freeze { lasts: None, .. });
        !threats.has_unknown_settings()
            && threats.variant.faults.iter().all(for_good)
            && threats.weather == Weather::Calm
            && self.staff.all(acks)
            && !self.staff.single_active
            && self.staff.hands.len() < USUAL_LIMIT
            && self.staff.hands.iter().all(freezes)
            && self.refusals == Refusals::NONE
            && self.queue.kind != QueueKind::Stream
            && self.queue.delivery_limit.is_none()
            && self.queue.arguments.is_empty()
            && !self.queue.is_bounded()
            && !self.can(Count::Expired)
            && !threats.is_probed(self.queue)
            && threats.stays(self.id)
            && threats.workers_of(self.id).all(|(id, _)| !threats.may_err(id))
            && arrivals.round != Round::Unknown
            && [arrivals.unanswered, arrivals.unsent, arrivals.again].iter().all(|it| it.is_zero())
    }
}
