//! What becomes of a queue whose only worker acks on another channel.

use crate::plan::count::Count;
use crate::plan::guarantees::outcomes::{Case, Outcome, Round};
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::guarantees::threats::{Begins, Weather};
use crate::plan::model::{AckMode, QueueKind};

impl Case<'_, '_> {
    /// It works on one message, acks that where nobody knows it, and is ended for it: it has no
    /// second one, and the first stays. Only where it is alone, and nothing else befalls the
    /// queue.
    pub(super) fn acks_elsewhere(&self) -> Option<Outcome> {
        let [hand] = &self.staff.hands[..] else { return None };
        let worker = hand.worker;
        let alone = worker.acks_elsewhere
            && worker.prefetch == 1
            && worker.ack == AckMode::Manual { every: 1 }
            && worker.rejects.is_empty()
            && hand.threats.is_empty()
            && hand.begins != Begins::Perhaps;
        let threats = self.threats;
        let calm = threats.weather == Weather::Calm
            && !threats.has_settings()
            && !threats.is_probed(self.queue)
            && threats.stays(self.id);
        let arrivals = self.arrivals;
        let plain = !arrivals.letters
            && arrivals.round == Round::Outside
            && [arrivals.unanswered, arrivals.unsent, arrivals.again].iter().all(|it| it.is_zero())
            && !self.can(Count::Expired)
            && !self.queue.is_bounded()
            && self.queue.kind != QueueKind::Stream;
        (alone && calm && plain).then(|| self.one_of(self.copies()))
    }

    fn one_of(&self, copies: Range) -> Outcome {
        let mut sheet = Sheet::default();
        let mut set = |count, range| {
            sheet.set(count, Bound::new(range, Rule::Errors).or_never());
        };
        let one = Range { low: copies.low.min(1), high: copies.high.map(|high| high.min(1)) };
        for count in [Count::Delivered, Count::Deliveries, Count::Begun, Count::Finished] {
            set(count, one);
        }
        set(Count::Acked, one);
        set(Count::Remaining, copies - one);
        set(Count::StillQueued, copies);
        sheet.set(Count::Expected, self.arrivals.copies.or_never());
        Outcome { sheet, dead: Range::ZERO }
    }
}
