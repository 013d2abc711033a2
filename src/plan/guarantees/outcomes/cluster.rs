//! What becomes of a queue when nodes of its cluster are lost.

use crate::plan::count::Count;
use crate::plan::guarantees::outcomes::{Case, Outcome};
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::refusals::Refusals;
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::guarantees::threats::{Losses, Threats, Weather};
use crate::plan::model::{AckMode, ProducerId, QueueKind};

impl Case<'_, '_> {
    /// Why the loss of nodes may take something out of the queue, if so.
    pub(super) fn fades_with(&self, losses: Losses) -> Option<Rule> {
        let keeps = match self.queue.kind {
            QueueKind::Quorum => self.is_replicated(losses),
            QueueKind::Classic => self.comes_back_whole(losses),
            QueueKind::Stream => false,
        };
        if keeps { self.fades(true) } else { Some(Rule::BrokerEnds) }
    }

    /// A quorum queue that a majority of its members keeps, as soon as all are back that come
    /// back; and whose consumers are where they are heard.
    fn is_replicated(&self, losses: Losses) -> bool {
        let plain = |(name, _): &(String, _)| !name.starts_with("x-quorum");
        let heard = losses.parted.is_none()
            || self.staff.hands.iter().all(|hand| !losses.strikes(hand.worker.node));
        let unlimited = !losses.is_more() || self.queue.delivery_limit.is_none();
        self.queue.arguments.iter().all(plain) && heard && unlimited
    }

    /// A classic queue whose one node ends when everything is in it, and is back before anybody
    /// reads it.
    fn comes_back_whole(&self, losses: Losses) -> bool {
        self.is_full_before()
            && losses.gone.is_none()
            && !losses.is_more()
            && losses.strikes(Threats::home(self.queue))
            && (self.staff.is_empty() || self.staff.comes_after())
    }

    /// Whether all that comes to the queue is in it before any node is lost, and nobody reads it
    /// before.
    fn is_full_before(&self) -> bool {
        let producers = 0..self.threats.variant.producers.len();
        let late = |start| self.threats.is_after_all(start);
        self.queue.owner.is_none()
            && !self.queue.predeclared
            && !self.arrivals.letters
            && producers.map(ProducerId::from_index).all(|id| self.threats.is_through(id))
            && self.staff.hands.iter().all(|hand| late(hand.worker.start.as_ref()))
    }

    /// Whether a quorum queue refuses something because a node is lost.
    pub(super) fn may_be_turned_away(&self) -> bool {
        let mut producers = (0..self.threats.variant.producers.len()).map(ProducerId::from_index);
        !self.copies().is_zero() && producers.any(|id| self.threats.may_be_turned_away(id))
    }

    /// Whether a quorum queue of three nodes has lost two of them for good at the end.
    pub(super) fn is_silenced(&self) -> bool {
        let gone = self.threats.gone();
        self.queue.kind == QueueKind::Quorum && gone.is_some_and(|gone| gone == 2 || gone == 3)
    }

    /// Whether all that there is bears the flag: it has outlived the one death of its broker, and
    /// is read after that.
    pub(super) fn is_flagged(&self) -> bool {
        let killed = match self.threats.weather {
            Weather::Restarts { times, killed } => times == 1 && killed,
            Weather::Nodes(losses) => losses.killed && self.comes_back_whole(losses),
            _ => false,
        };
        killed
            && self.queue.kind == QueueKind::Classic
            && self.is_full_before()
            && self.staff.comes_after()
            && self.staff.count(|mode| mode == AckMode::Never) == 0
            && self.refusals == Refusals::NONE
            && self.arrivals.again.is_zero()
    }

    /// Whether everything is in a durable queue on one node when that ends for good, and nobody
    /// has read any of it.
    pub(super) fn is_out_of_reach(&self) -> bool {
        let Weather::Nodes(losses) = self.threats.weather else { return false };
        let home = Threats::home(self.queue);
        let persistent = self.threats.variant.producers.iter().all(|it| it.persistent);
        self.queue.kind == QueueKind::Classic
            && home.is_some()
            && losses.gone == home
            && !losses.is_more()
            && self.queue.durable
            && persistent
            && self.is_full_before()
            && !self.can(Count::Expired)
            && !self.queue.is_bounded()
            && !self.threats.is_hit(self.id)
            && !self.threats.is_probed(self.queue)
            && self.queue.expires.is_none()
    }

    /// Nobody can look into it: all of it is in doubt.
    pub(super) fn nothing_known(&self) -> Outcome {
        let mut sheet = Sheet::default();
        sheet.set(Count::Expected, self.arrivals.copies.or_never());
        sheet.set(Count::InDoubt, Bound::new(self.copies(), Rule::BrokerEnds).or_never());
        Outcome { sheet, dead: Range::ZERO }
    }
}
