//! What is known of a queue whose dead letters come back to it.

use crate::plan::count::Count;
use crate::plan::guarantees::outcomes::{Case, Outcome};
use crate::plan::guarantees::range::Bound;
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::threats::Weather;
use crate::plan::model::{AckMode, ProducerId, QueueKind, Refusal};

impl Case<'_, '_> {
    /// How many rounds there are is not known; but where nothing befalls whoever works, each copy
    /// has one end.
    pub(super) fn rounds(&self) -> Outcome {
        let mut outcome = self.anything(Rule::Rounds);
        let sheet = &mut outcome.sheet;
        let workers = || self.threats.variant.workers.iter();
        let kept = self.staff.count(|mode| mode == AckMode::Never) == 0;
        let producers = (0..self.threats.variant.producers.len()).map(ProducerId::from_index);
        let calm = self.threats.weather == Weather::Calm
            && self.staff.is_calm()
            && producers.into_iter().all(|id| self.threats.of_producer(id).is_empty());
        if !calm || !kept || self.queue.kind != QueueKind::Classic {
            return outcome;
        }
        let returns = workers().flat_map(|worker| &worker.rejects).any(|rule| rule.requeue);
        sheet.set(Count::Duplicates, Bound::never());
        if !returns {
            sheet.set(Count::Repeats, Bound::never());
        }
        // What is refused by basic.reject comes flagged, from 4.3 on.
        let nacked = workers()
            .flat_map(|worker| &worker.rejects)
            .all(|rule| rule.using == Refusal::Nack || !self.threats.may_be("4.3.0"));
        if !returns && nacked {
            sheet.set(Count::Redelivered, Bound::never());
        }
        // Whoever waits is worked on, or its time comes.
        let expires = self.staff.is_empty() && self.queue.message_ttl.is_some();
        if expires || self.staff.is_sure() {
            sheet.set(Count::Remaining, Bound::never());
            sheet.set(Count::StillQueued, Bound::never());
        }
        outcome
    }
}
