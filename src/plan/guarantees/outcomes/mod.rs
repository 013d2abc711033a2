//! What becomes of the copies in one queue.

mod cluster;
mod impatient;
mod leaving;
mod misplaced;
mod rounds;
mod seen;
mod stream;

use crate::plan::count::{COPY_OUTCOMES, Count};
use crate::plan::guarantees::copies::{DeadRoute, dead_route};
use crate::plan::guarantees::outcomes::leaving::Leaving;
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::refusals::{Refusals, refusals};
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::guarantees::staffing::{Damage, Staff};
use crate::plan::guarantees::threats::{Begins, Blow, Threats, Weather};
use crate::plan::model::{AckMode, Confirms, Overflow, ProducerId, Queue, QueueId, QueueKind};

/// What comes to a queue.
pub struct Arrivals {
    pub copies: Bound,
    /// Some of them are dead letters of other queues, or may be.
    pub letters: bool,
    /// Of these, ones whose publish may have no answer, or may never have been sent.
    pub unanswered: Range,
    pub unsent: Range,
    /// Messages that may come twice because they were published twice.
    pub again: Range,
    /// Whether all of it is there: no publish is cut off.
    pub whole: bool,
    pub round: Round,
}

/// Whether the queue's dead letters come back to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// They do not.
    Outside,
    /// All of them do, and there are so many; nothing else leaves it but by being done.
    Known(u64),
    Unknown,
}

/// What becomes of it.
pub struct Outcome {
    pub sheet: Sheet,
    /// How many copies leave as dead letters that are seen again.
    pub dead: Range,
}

/// One queue, and what comes to it.
struct Case<'a, 'v> {
    threats: &'a Threats<'v>,
    id: QueueId,
    queue: &'v Queue,
    arrivals: &'a Arrivals,
    staff: Staff<'v>,
    damage: Damage,
    refusals: Refusals,
    route: DeadRoute,
}

/// What becomes of what comes to a queue.
pub fn outcome(threats: &Threats<'_>, id: QueueId, arrivals: &Arrivals) -> Outcome {
    let copies = arrivals.copies.range;
    let staff = Staff::of(threats, id);
    let plain = !arrivals.letters && arrivals.whole;
    let is_classic = threats.variant.topology.queues[id.index()].kind == QueueKind::Classic;
    let case = Case {
        threats,
        id,
        queue: &threats.variant.topology.queues[id.index()],
        arrivals,
        damage: staff.damage(copies, is_classic),
        staff,
        refusals: match arrivals.round {
            Round::Known(letters) => Refusals { finals: Range::exactly(letters), ..Refusals::NONE },
            _ => refusals(threats, id, copies, plain),
        },
        route: dead_route(threats, id),
    };
    if case.perishes() {
        return case.nothing_left();
    }
    if case.is_out_of_reach() {
        return case.nothing_known();
    }
    if let Some(outcome) = case.acks_elsewhere() {
        return outcome;
    }
    match case.wild() {
        Some(Rule::Rounds) => case.rounds(),
        Some(Rule::Settings) => case.impatient(),
        Some(rule) => case.anything(rule),
        None if case.queue.kind == QueueKind::Stream => case.stream(),
        None => case.accounts(),
    }
}

impl Case<'_, '_> {
    fn copies(&self) -> Range {
        self.arrivals.copies.range
    }

    /// Why nothing can be foretold of the queue, if so.
    fn wild(&self) -> Option<Rule> {
        let fades = match self.threats.weather {
            Weather::Calm => None,
            Weather::Restarts { killed, .. } => self.fades(killed),
            Weather::Nodes(losses) => self.fades_with(losses),
            Weather::Ends => Some(Rule::BrokerEnds),
        };
        let errs = self.threats.workers_of(self.id).any(|(id, _)| self.threats.may_err(id));
        let reasons = [
            (fades.is_some(), fades.unwrap_or(Rule::BrokerEnds)),
            (self.threats.has_settings() && !self.staff.is_empty(), Rule::Settings),
            (self.threats.is_probed(self.queue), Rule::Probed),
            (!self.threats.stays(self.id), Rule::QueueGoes),
            (errs, Rule::Errors),
            (self.arrivals.round == Round::Unknown, Rule::Rounds),
        ];
        reasons.into_iter().find(|(holds, _)| *holds).map(|(_, rule)| rule)
    }

    /// Why a restart of the broker may take something out of the queue, if so.
    fn fades(&self, killed: bool) -> Option<Rule> {
        let rule = if killed { Rule::BrokerEnds } else { Rule::BrokerRestarts };
        let classic = self.queue.kind == QueueKind::Classic;
        let producers = &self.threats.variant.producers;
        // Of three nodes two keep what a young queue has got.
        let kept = match self.threats.weather {
            Weather::Nodes(losses) => !classic && !losses.is_more(),
            _ => false,
        };
        let killed = killed && !kept;
        let transient = classic && producers.iter().any(|producer| !producer.persistent);
        let unasked = (killed || self.may_be_turned_away())
            && producers.iter().any(|producer| producer.confirms == Confirms::Off);
        let young = killed && !self.threats.spares_the_young();
        let letters = self.arrivals.letters || self.queue.dead_letter.is_some();
        let stream = self.queue.kind == QueueKind::Stream;
        let fades = !self.queue.durable || transient || unasked || young || letters || stream;
        fades.then_some(rule)
    }

    /// Everything is in the queue before its broker ends, which takes it, and nobody reads it before.
    fn perishes(&self) -> bool {
        let Weather::Restarts { .. } = self.threats.weather else { return false };
        let producers = &self.threats.variant.producers;
        let classic = self.queue.kind == QueueKind::Classic;
        let transient = !self.queue.durable || producers.iter().all(|it| !it.persistent);
        let through = |index| self.threats.is_through(ProducerId::from_index(index));
        let plain = !self.can(Count::Expired) && !self.queue.is_bounded() && !self.arrivals.letters;
        classic
            && transient
            && plain
            && self.arrivals.unanswered.is_zero()
            && self.queue.owner.is_none()
            && !self.threats.is_hit(self.id)
            && (0..producers.len()).all(through)
            && self
                .staff
                .hands
                .iter()
                .all(|hand| self.threats.is_after_all(hand.worker.start.as_ref()))
    }

    /// All of it is lost.
    fn nothing_left(&self) -> Outcome {
        let mut sheet = Sheet::default();
        sheet.set(Count::Expected, self.arrivals.copies.or_never());
        sheet.set(Count::Lost, Bound::new(self.copies(), Rule::Transient).or_never());
        Outcome { sheet, dead: Range::ZERO }
    }

    /// What can be at all, whatever happens.
    fn can(&self, count: Count) -> bool {
        let some = !self.staff.is_empty();
        let producers = &self.threats.variant.producers;
        let calm = self.threats.weather == Weather::Calm;
        let hit = self.threats.is_hit(self.id) || self.queue.expires.is_some();
        // It has no other consumer than its owner, and goes with it.
        let owned = self.queue.owner.is_some() && calm && self.refusals == Refusals::NONE;
        let limited = self.queue.is_bounded();
        let acks = |mode| matches!(mode, AckMode::Manual { .. } | AckMode::Early);
        match count {
            Count::Delivered | Count::Deliveries | Count::Begun | Count::Finished => some,
            Count::Redelivered | Count::Repeats | Count::Duplicates => some && !owned,
            Count::Remaining | Count::StillQueued => {
                !owned
                    || self.staff.hands.iter().any(|hand| {
                        hand.begins == Begins::Perhaps
                            || hand.worker.ack == AckMode::Never
                            || hand.threats.iter().any(|it| it.blow == Blow::Freezes)
                    })
            }
            Count::DeadLettered => {
                !matches!(&self.route, DeadRoute::Nowhere)
                    && self.route != DeadRoute::To(Vec::new())
            }
            Count::Rejected => self.refusals.finals != Range::ZERO,
            Count::OverLimit => self.queue.kind == QueueKind::Quorum && some,
            Count::Expired => {
                self.queue.message_ttl.is_some() || producers.iter().any(|it| it.ttl.is_some())
            }
            Count::Dropped => limited && self.queue.kind != QueueKind::Stream,
            Count::TurnedAway => {
                let cluster = matches!(self.threats.weather, Weather::Ends | Weather::Nodes(_));
                (cluster && self.queue.kind != QueueKind::Quorum)
                    || self.may_be_turned_away()
                    || !self.threats.stays(self.id)
                    || (limited && self.queue.overflow != Overflow::DropHead)
            }
            Count::InDoubt => {
                let back = match self.threats.weather {
                    Weather::Calm => true,
                    Weather::Restarts { killed, .. } => !killed || self.threats.spares_the_young(),
                    Weather::Nodes(_) | Weather::Ends => false,
                };
                !back || hit || !self.arrivals.unanswered.is_zero()
            }
            Count::Lost => self.may_lose(),
            Count::Acked => self.staff.count(acks) > 0,
            _ => true,
        }
    }

    fn may_lose(&self) -> bool {
        let risky = |mode| matches!(mode, AckMode::Auto | AckMode::Early);
        self.threats.weather != Weather::Calm
            || !self.threats.stays(self.id)
            || self.threats.is_probed(self.queue)
            || self.staff.count(risky) > 0
            || !self.arrivals.unsent.is_zero()
    }

    /// Everything that can be may be, in any number.
    fn anything(&self, rule: Rule) -> Outcome {
        let mut sheet = Sheet::default();
        let some = self.copies().or_none();
        // What nobody consumes from and nobody can look into at the end is in doubt.
        let silent = self.staff.is_empty() && self.is_silenced();
        let seen = [Count::Remaining, Count::StillQueued, Count::Lost];
        for count in COPY_OUTCOMES.into_iter().chain([Count::StillQueued]) {
            if self.can(count) && !(silent && seen.contains(&count)) {
                sheet.set(count, Bound::new(some, rule).or_never());
            }
        }
        let seen = [
            Count::Deliveries,
            Count::Begun,
            Count::Finished,
            Count::Redelivered,
            Count::Repeats,
            Count::Duplicates,
            Count::Acked,
        ];
        let probed = self.threats.is_probed(self.queue);
        let any = if some.is_zero() && !probed { Range::ZERO } else { Range::ANY };
        for count in seen.into_iter().filter(|count| self.can(*count)) {
            sheet.set(count, Bound::new(any, rule).or_never());
        }
        if self.staff.comes_after() && !probed && self.refusals == Refusals::NONE {
            self.once(&mut sheet, rule);
        }
        sheet.set(Count::Expected, self.arrivals.copies.or_never());
        if rule == Rule::Probed && self.is_undisturbed() {
            sheet.set(Count::Repeats, Bound::never());
            sheet.set(Count::Duplicates, Bound::never());
        }
        if self.is_emptied(rule) {
            sheet.set(Count::Remaining, Bound::never());
            sheet.set(Count::StillQueued, Bound::never());
        }
        let dead = if self.can(Count::DeadLettered) { some } else { Range::ZERO };
        Outcome { sheet, dead }
    }

    /// Whether nobody loses or gives back anything that he was sent, but to probes.
    fn is_undisturbed(&self) -> bool {
        let producers = (0..self.threats.variant.producers.len()).map(ProducerId::from_index);
        self.threats.weather == Weather::Calm
            && self.staff.is_calm()
            && self.staff.count(|mode| mode == AckMode::Never) == 0
            && self.refusals == Refusals::NONE
            && self.queue.kind != QueueKind::Stream
            && self.arrivals.round != Round::Unknown
            && !self.threats.has_settings()
            && self.threats.stays(self.id)
            && self.threats.workers_of(self.id).all(|(id, _)| !self.threats.may_err(id))
            && producers.into_iter().all(|id| self.threats.of_producer(id).is_empty())
    }

    /// Whether nothing but restarts of the broker befalls a queue that is there again afterwards,
    /// and whoever consumes from it takes and acks what it has kept.
    fn is_emptied(&self, rule: Rule) -> bool {
        let Weather::Restarts { killed, .. } = self.threats.weather else { return false };
        let held = self.damage.held.is_zero() && self.refusals == Refusals::NONE;
        matches!(rule, Rule::BrokerEnds | Rule::BrokerRestarts)
            && self.queue.kind == QueueKind::Classic
            && self.queue.durable
            && self.queue.owner.is_none()
            && (!killed || self.threats.spares_the_young())
            && self.arrivals.round != Round::Unknown
            && !self.threats.has_settings()
            && !self.threats.is_probed(self.queue)
            && self.threats.stays(self.id)
            && self.threats.workers_of(self.id).all(|(id, _)| !self.threats.may_err(id))
            && self.staff.is_sure()
            && held
            && self.staff.count(|mode| mode == AckMode::Never) == 0
    }

    /// Whatever the broker has kept is worked on once, by those who come when all is over.
    fn once(&self, sheet: &mut Sheet, rule: Rule) {
        let some = self.copies().or_none();
        let seen = some + self.arrivals.again;
        let read = [Count::Deliveries, Count::Begun, Count::Finished, Count::Redelivered];
        for count in read.into_iter().filter(|count| self.can(*count)) {
            sheet.set(count, Bound::new(seen, rule).or_never());
        }
        for count in [Count::Repeats, Count::Duplicates] {
            sheet.set(count, Bound::new(self.arrivals.again, Rule::Republished).or_never());
        }
        let silent = |mode| matches!(mode, AckMode::Auto | AckMode::Never);
        let acked = if self.staff.all(silent) { Range::ZERO } else { seen };
        sheet.set(Count::Acked, Bound::new(acked, rule).or_never());
        sheet.set(Count::OverLimit, Bound::never());
        let back = matches!(self.threats.weather, Weather::Restarts { .. });
        // A quorum queue flags what was handed out before, and nobody was there.
        if back && self.queue.kind == QueueKind::Quorum {
            sheet.set(Count::Redelivered, Bound::never());
        }
        if back
            && self.staff.count(|mode| mode == AckMode::Never) == 0
            && self.queue.kind != QueueKind::Stream
        {
            sheet.set(Count::Remaining, Bound::never());
            sheet.set(Count::StillQueued, Bound::never());
        }
    }

    /// The books of a queue that stays.
    fn accounts(&self) -> Outcome {
        let copies = self.copies();
        let mut sheet = Sheet::default();
        sheet.set(Count::Expected, self.arrivals.copies.or_never());
        let leaving = self.leaving();
        if let Some(n) = self.staff.quits(copies).filter(|_| leaving.is_empty()) {
            return self.quits(sheet, n);
        }
        let dead = self.by_rule(&mut sheet, &leaving);
        let turned_away = match self.may_be_turned_away() {
            true => Bound::new(self.copies().or_none(), Rule::Leaderless),
            false => Bound::new(self.turned_away(), Rule::FullQueue),
        };
        sheet.set(Count::TurnedAway, turned_away.or_never());
        sheet
            .set(Count::InDoubt, Bound::new(self.arrivals.unanswered, Rule::Unanswered).or_never());
        sheet.set(Count::Lost, self.lost());
        sheet.set(Count::Remaining, self.remaining(&leaving));
        let gone = COPY_OUTCOMES.into_iter().filter(|count| *count != Count::Delivered);
        let gone = gone.map(|count| sheet.get(count)).reduce(|one, other| one + other);
        let gone = gone.expect("there are outcomes");
        let delivered = match self.staff.is_empty() {
            true => Bound::never(),
            false => {
                let rule = if gone.range.exact() == Some(0) { Rule::Consumed } else { gone.rule };
                Bound::new((copies - gone.range).at_most(copies.high), rule).or_never()
            }
        };
        sheet.set(Count::Delivered, delivered);
        self.seen(&mut sheet, &leaving);
        Outcome { sheet, dead }
    }

    /// The only worker leaves after so many works.
    fn quits(&self, mut sheet: Sheet, n: u64) -> Outcome {
        let (done, copies) = (Range::exactly(n), self.copies());
        let mut set = |count, range, rule| sheet.set(count, Bound::new(range, rule).or_never());
        for count in [Count::Delivered, Count::Begun, Count::Finished, Count::Acked] {
            set(count, done, Rule::Leaves);
        }
        let worker = self.staff.hands[0].worker;
        let prefetch = u64::from(worker.prefetch);
        let read = Range { low: n, high: copies.high };
        // It has given up its subscription before it acks the work that it leaves after.
        let acked = match worker.ack {
            AckMode::Manual { every } => (n - 1) / every * every,
            _ => n,
        };
        let ahead = (prefetch > 0).then_some(acked.saturating_add(prefetch));
        set(Count::Deliveries, read.at_most(ahead), Rule::Leaves);
        let doubt = self.arrivals.unanswered + self.arrivals.unsent;
        let left = (copies - done - doubt).at_most(copies.high);
        for count in [Count::Remaining, Count::StillQueued] {
            set(count, left, Rule::Leaves);
        }
        set(Count::InDoubt, self.arrivals.unanswered, Rule::Unanswered);
        set(Count::Lost, self.arrivals.unsent, Rule::NotSent);
        Outcome { sheet, dead: Range::ZERO }
    }

    fn lost(&self) -> Bound {
        let sure =
            Range { low: self.damage.auto.low + self.damage.early.low, high: Some(u64::MAX) };
        let (auto, early) = (self.damage.auto, self.damage.early);
        let parts = [
            Bound::new(auto, Rule::AutoAckDeath),
            Bound::new(early, Rule::EarlyAckDeath),
            Bound::new(self.arrivals.unsent, Rule::NotSent),
        ];
        let sum = parts.into_iter().reduce(|one, other| one + other).expect("three");
        let others = self.can(Count::Expired) || self.queue.is_bounded();
        let low = if others { 0 } else { sure.low };
        let range = Range { low, ..sum.range }.at_most(self.copies().high);
        Bound::new(range, sum.rule).or_never()
    }

    fn remaining(&self, leaving: &Leaving) -> Bound {
        let copies = self.copies();
        if self.staff.is_empty() {
            // Whatever waits, its time comes.
            if self.queue.message_ttl.is_some() {
                return Bound::never();
            }
            let gone =
                leaving.expired + leaving.beyond + self.arrivals.unanswered + self.arrivals.unsent;
            let rule = if gone.is_zero() { Rule::NobodyConsumes } else { Rule::FullQueue };
            let rule = if leaving.expired.is_zero() { rule } else { Rule::Expiry };
            return Bound::new((copies - gone).at_most(copies.high), rule).or_never();
        }
        if !self.staff.is_sure() {
            return Bound::new(copies.or_none(), Rule::Perhaps).or_never();
        }
        Bound::new(self.damage.held.at_most(copies.high), Rule::Held).or_never()
    }
}
