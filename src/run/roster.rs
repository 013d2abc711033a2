//! Who consumes from which queue, what the broker shows of that, and what a fault accounts for.

use std::sync::atomic::Ordering;

use lapin::Error;

use crate::ledger::facts::ErrorFact;
use crate::plan::model::{NodeId, QueueId, QueueKind, WorkerId};
use crate::run::network::Network;
use crate::run::stage::{FORCED, INTERNAL, Stage};
use crate::run::trouble;

impl Stage {
    /// How many consumers the broker shows of a queue when it has given up all that are dead. Of
    /// a quorum queue with a single active consumer it shows that one, and none that wait; and
    /// of every quorum queue also who was cancelled and still holds something. (Measured on
    /// 3.10.8, 4.0.5 and 4.3.6; a classic queue forgets who is cancelled.)
    pub fn consumers_shown(&self, queue: QueueId) -> u64 {
        let slot = &self.queues[queue.index()];
        let live = slot.consumers.load(Ordering::SeqCst);
        let live = if self.shows_waiting(queue) { live } else { live.min(1) };
        match self.plan.topology.queues[queue.index()].kind {
            QueueKind::Quorum => live + slot.holding.load(Ordering::SeqCst),
            QueueKind::Classic | QueueKind::Stream => live,
        }
    }

    /// How many of the queue's subscriptions stand still.
    pub fn frozen_on(&self, queue: QueueId) -> u64 {
        let workers = self.workers.iter().zip(&self.plan.workers);
        let frozen = workers
            .filter(|(slot, plan)| plan.queue == queue && slot.frozen.load(Ordering::SeqCst));
        frozen.count() as u64
    }

    /// Whether some of its consumers cannot be given up as long as its network is silent, or the
    /// broker is away.
    pub fn is_held_up(&self, queue: QueueId) -> bool {
        let mut workers = self.workers.iter().zip(&self.plan.workers);
        let silent = workers.any(|(slot, plan)| plan.queue == queue && slot.network.is_silent());
        (silent && !self.is_closing()) || (!self.nodes.can_be_reached() && !self.nodes.all_gone())
    }

    /// Whether a queue is away with the only node that has it. Since 4.0 whoever asks for such a
    /// queue gets no answer for a minute; 3.10 says at once that it is down. (Measured on 3.10.8,
    /// 4.0.5 and 4.3.6.)
    pub fn is_away(&self, queue: QueueId) -> bool {
        self.home(queue).is_some_and(|node| self.nodes.is_missing(node))
    }

    /// Whether it is away, and stays so.
    pub fn is_gone(&self, queue: QueueId) -> bool {
        self.home(queue).is_some_and(|node| self.nodes.is_gone(node))
    }

    /// The node that a classic queue lives on: that of the connection that declared it, unless it
    /// is placed.
    fn home(&self, queue: QueueId) -> Option<NodeId> {
        let plan = &self.plan.topology.queues[queue.index()];
        let placed = self.nodes.count() > 1 && plan.kind == QueueKind::Classic;
        match plan.owner {
            Some(owner) => self.workers[owner.index()].node().filter(|_| placed),
            None => placed.then_some(plan.node.unwrap_or(NodeId(0))),
        }
    }

    /// Whether the broker counts every consumer of a queue.
    pub fn shows_waiting(&self, queue: QueueId) -> bool {
        let plan = &self.plan.topology.queues[queue.index()];
        !(plan.single_active_consumer && plan.kind == QueueKind::Quorum)
    }

    /// A subscription of the worker counts among those of its queue from now on.
    pub fn count_in(&self, worker: WorkerId) {
        let queue = self.plan.workers[worker.index()].queue;
        if !self.workers[worker.index()].counted.swap(true, Ordering::SeqCst) {
            self.queues[queue.index()].consumers.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// And no longer. Whether it was the last.
    pub fn uncount(&self, worker: WorkerId) -> bool {
        let consumers = &self.queues[self.plan.workers[worker.index()].queue.index()].consumers;
        match self.workers[worker.index()].counted.swap(false, Ordering::SeqCst) {
            true => consumers.fetch_sub(1, Ordering::SeqCst) == 1,
            false => consumers.load(Ordering::SeqCst) == 0,
        }
    }

    /// Whether a fault of the file accounts for what somebody met with this network, consuming
    /// from this queue: it took the queue, or the connection, or the broker.
    pub fn explains(&self, network: &Network, queue: Option<QueueId>, met: &ErrorFact) -> bool {
        let taken =
            queue.is_some_and(|queue| self.queues[queue.index()].taken.load(Ordering::SeqCst));
        let lost = met.scope == "connection" && matches!(met.code, 0 | FORCED);
        // Of one that stands still, or was cut off, the broker may lose patience; and it may still
        // believe in who was there before.
        let impatient = met.scope == "consumer" || matches!(met.code, 403 | 405 | 406);
        // A queue whose node is away, or parted from who asks, is not found, does not answer, or
        // sends its consumers away.
        let away = matches!(met.code, 0 | 404);
        taken
            || (network.is_struck() && (lost || impatient))
            || (self.nodes.is_disturbed()
                && (lost
                    || met.code == INTERNAL
                    || (away && self.nodes.some_missing())
                    || (met.code == 404 && self.nodes.may_forget())))
    }

    /// Whether an error means that a queue is not there yet, after its broker or node came back.
    /// (Seen on 3.10.8 and 4.3.6, of a stream.)
    pub fn is_coming_back(&self, queue: QueueId, error: &Error) -> bool {
        self.nodes.is_disturbed() && !self.is_gone(queue) && trouble::is_away(error)
    }

    /// Whether an error means that the connection was lost, and not that whoever used it made a
    /// mistake. A broker that has just come back fails at what it cannot do yet: a stream is not
    /// to be consumed from before its coordinator works. (Seen on 4.3.)
    pub fn is_loss(&self, error: &Error) -> bool {
        trouble::is_loss(error) || (self.nodes.is_disturbed() && trouble::is_internal(error))
    }
}
