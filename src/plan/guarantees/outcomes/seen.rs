//! What the workers see of what comes to a queue, and what they ack.

use crate::plan::count::Count;
use crate::plan::guarantees::outcomes::Case;
use crate::plan::guarantees::outcomes::leaving::Leaving;
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::model::AckMode;

impl Case<'_, '_> {
    /// What workers see of it.
    pub(super) fn seen(&self, sheet: &mut Sheet, leaving: &Leaving) {
        let still = self.still_queued(sheet);
        sheet.set(Count::StillQueued, still);
        if self.staff.is_empty() {
            return;
        }
        let (copies, delivered) = (self.copies(), sheet.range(Count::Delivered));
        let poison = self.poison();
        let exceeds = poison.is_none() && self.may_exceed();
        // What comes back to a full queue may be dropped before anybody gets it.
        let stays = !self.can(Count::Expired) && !self.queue.is_bounded();
        let sure = self.staff.is_sure() && stays && !exceeds;
        let certain = |range: Range| if sure { range } else { range.or_none() };
        let returns = match &poison {
            Some(poison) => poison.returns,
            None if exceeds || self.refusals.most.is_none() => Range::ANY,
            None => certain(self.refusals.returns),
        };
        let damage = &self.damage;
        let doubled = certain(damage.doubled) + self.arrivals.again;
        let again = certain(damage.repeated) + self.arrivals.again;
        let rule = match (returns.is_zero(), again.is_zero()) {
            (true, true) => sheet.get(Count::Delivered).rule,
            (false, true) => Rule::Returning,
            (_, false) if self.arrivals.again.is_zero() => self.comes_back_by(),
            (_, false) => Rule::Republished,
        };
        let mut set = |count, range: Range, rule| {
            sheet.set(count, Bound::new(range, rule).or_never());
        };
        match self.is_flagged() {
            true => set(Count::Redelivered, delivered, Rule::Flagged),
            false => set(Count::Redelivered, certain(damage.returned) + returns, rule),
        }
        set(Count::Repeats, again + returns, rule);
        set(Count::Duplicates, doubled.at_most(copies.high), rule);
        let refused = leaving.refused + if poison.is_some() { leaving.over } else { Range::ZERO };
        let worked = delivered + refused;
        let calm = self.staff.is_calm()
            && !self.can(Count::Expired)
            && !exceeds
            && self.arrivals.again.is_zero()
            && (!self.queue.is_bounded() || returns.is_zero());
        let read = match calm {
            true => worked + returns,
            false => {
                let most = copies + damage.returned + returns + self.arrivals.again;
                Range { low: (worked + certain(damage.repeated)).low, high: most.high }
            }
        };
        let finished = if calm { delivered } else { delivered + doubled };
        let begun = finished + refused + returns + certain(damage.broken);
        set(Count::Deliveries, read, rule);
        set(Count::Begun, if calm { read } else { begun }, rule);
        set(Count::Finished, finished, rule);
        set(Count::Acked, self.acked((worked, delivered, begun), doubled, calm), Rule::Acks);
    }

    fn comes_back_by(&self) -> Rule {
        if self.staff.restarts() > 0 { Rule::BrokerRestarts } else { Rule::Requeued }
    }

    /// Copies that are there at the end, done or not.
    fn still_queued(&self, sheet: &Sheet) -> Bound {
        let (left, delivered) = (sheet.get(Count::Remaining), sheet.range(Count::Delivered));
        let staff = &self.staff;
        if staff.is_empty() || staff.count(|mode| mode == AckMode::Never) == 0 {
            let undone = if staff.is_sure() || staff.is_empty() {
                self.damage.held
            } else {
                self.damage.returned + self.damage.held
            };
            let high = left.range.high.zip(undone.high).map(|(left, undone)| left + undone);
            let range = Range { low: left.range.low, high }.at_most(self.copies().high);
            return Bound::new(range, left.rule).or_never();
        }
        let all = left.range + delivered;
        let never = staff.all(|mode| mode == AckMode::Never);
        let range = if never { all } else { Range { low: left.range.low, ..all } };
        Bound::new(range.at_most(self.copies().high), Rule::Forgotten).or_never()
    }

    /// Copies that acks were written for.
    fn acked(
        &self,
        (worked, delivered, begun): (Range, Range, Range),
        doubled: Range,
        calm: bool,
    ) -> Range {
        let staff = &self.staff;
        let silent = |mode| matches!(mode, AckMode::Auto | AckMode::Never);
        if staff.all(silent) {
            return Range::ZERO;
        }
        // Whoever is killed acks nothing twice that somebody else does once more.
        let once = staff.only_die() && self.arrivals.again.is_zero();
        let sure = staff.is_sure();
        if staff.all(|mode| matches!(mode, AckMode::Manual { .. })) {
            let low = if sure { delivered.low } else { 0 };
            let high = if once { delivered.high } else { (delivered + doubled).high };
            return if calm { delivered } else { Range { low, high } };
        }
        if staff.all(|mode| mode == AckMode::Early) {
            let once = if once { begun } else { begun.or_none() };
            return if calm { worked } else { once };
        }
        (worked + doubled).or_none()
    }
}
