//! What becomes of what comes to a stream.

use crate::plan::count::Count;
use crate::plan::guarantees::outcomes::{Case, Outcome};
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::refusals::Refusals;
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::guarantees::staffing::Hand;
use crate::plan::guarantees::threats::{Begins, Weather, takes_all};
use crate::plan::model::{AckMode, Offset};

impl Case<'_, '_> {
    /// A stream keeps everything; each of its readers gets it all that begins at its beginning.
    pub(super) fn stream(&self) -> Outcome {
        let bounded = self.queue.max_length_bytes.is_some();
        let reads = |hand: &Hand<'_>| match hand.worker.offset {
            Some(Offset::First) => hand.begins != Begins::Perhaps,
            None | Some(Offset::Next) => hand.begins == Begins::AtOnce,
            Some(Offset::Last | Offset::At(_)) => false,
        };
        let open = self.staff.hands.iter().all(|hand| takes_all(hand.worker));
        let calm = !bounded && open && self.staff.is_calm();
        let reads_all = self.staff.hands.iter().all(reads);
        let readers = u64::try_from(self.staff.hands.len()).unwrap_or(u64::MAX);
        let refuses = self.refusals != Refusals::NONE;
        if !calm || !reads_all || (refuses && readers > 1) || !self.refusals.returns.is_zero() {
            return self.some_of_stream(calm, self.staff.hands.iter().any(reads) && !refuses);
        }
        let refused = self.refusals.finals.at_most(self.copies().high);
        let copies = self.copies();
        let acks = |mode| matches!(mode, AckMode::Manual { .. } | AckMode::Early);
        let acking = u64::try_from(self.staff.count(acks)).unwrap_or(u64::MAX);
        let mut sheet = Sheet::default();
        let mut set = |count, range| sheet.set(count, Bound::new(range, Rule::Stream).or_never());
        for count in [Count::Deliveries, Count::Begun] {
            set(count, copies.times(readers));
        }
        let done = copies.times(readers) - refused;
        set(Count::Finished, done);
        set(Count::Acked, if acking == 1 { done } else { copies.times(acking) });
        let left = if readers == 0 { copies } else { refused };
        set(Count::Delivered, copies - left);
        set(Count::Remaining, left);
        // What is refused for good is that, and stays in the stream all the same. On 3.10 whoever
        // refuses is ended, and leaves the rest. (Measured on 3.10.8, 4.0.5 and 4.3.6.)
        set(Count::Rejected, refused);
        set(Count::StillQueued, copies);
        sheet.set(Count::Expected, self.arrivals.copies.or_never());
        Outcome { sheet, dead: Range::ZERO }
    }

    /// Readers who begin elsewhere, or are kept from something.
    fn some_of_stream(&self, calm: bool, somebody: bool) -> Outcome {
        let Outcome { mut sheet, dead } = self.anything(Rule::Stream);
        let copies = self.copies();
        if calm && self.threats.weather == Weather::Calm {
            sheet.set(Count::StillQueued, Bound::new(copies, Rule::Stream).or_never());
            for count in [Count::Redelivered, Count::Repeats, Count::Duplicates, Count::Lost] {
                sheet.set(count, Bound::never());
            }
            if somebody {
                sheet.set(Count::Delivered, Bound::new(copies, Rule::Stream).or_never());
                sheet.set(Count::Remaining, Bound::never());
            }
            let most = copies.times(u64::try_from(self.staff.hands.len()).unwrap_or(u64::MAX));
            for count in [Count::Deliveries, Count::Begun, Count::Finished, Count::Acked] {
                let bound = Bound::new(most.or_none(), Rule::Stream);
                sheet.set(count, bound.or_never());
            }
        }
        Outcome { sheet, dead }
    }
}
