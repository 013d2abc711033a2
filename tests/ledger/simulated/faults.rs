//! What befalls queues and programs in a simulated run, and the changes of the topology under way.

use rmq_scenario::ledger::event::{ChangeId, ChangeKind, Event, LifeEnd};
use rmq_scenario::plan::model::{ProducerId, QueueId, QueueKind, WorkerId};

use crate::simulated::Sim;
use crate::simulated::working::Post;

impl Sim<'_> {
    pub(super) fn fault(&mut self) {
        if self.ends && self.is_up() && self.dice.percent(45) {
            return self.fall();
        }
        if self.is_up() && self.dice.percent(20) {
            return self.queue_fault();
        }
        if self.parts && self.is_up() && !self.parted && self.dice.percent(30) {
            return self.part();
        }
        if self.dice.percent(35) {
            let up = (0..self.sources.len()).filter(|&index| self.sources[index].is_up());
            let up: Vec<usize> = up.collect();
            if !up.is_empty() {
                let index = self.dice.pick(&up);
                let id = ProducerId::from_index(index);
                match self.rough && self.dice.percent(60) {
                    true if self.broker.inlets[index].closed => {}
                    true => self.sever(id),
                    false => self.crash_producer(id),
                }
            }
            return;
        }
        let live = (0..self.posts.len()).filter(|&i| matches!(self.posts[i], Post::Live(_)));
        let live: Vec<usize> = live.collect();
        if !live.is_empty() {
            let index = self.dice.pick(&live);
            let for_good = self.rough && self.dice.percent(15);
            match self.rough && self.dice.percent(60) {
                true => self.strike(WorkerId::from_index(index), for_good),
                false => self.end_worker(WorkerId::from_index(index)),
            }
        }
    }

    pub(super) fn begin_change(&mut self, queue: QueueId, kind: ChangeKind) -> ChangeId {
        let change = ChangeId(self.changes);
        self.changes += 1;
        let at = self.now();
        self.events.push(Event::ChangeBegun { change, queue, kind, at });
        change
    }

    pub(super) fn end_change(&mut self, change: ChangeId) {
        let at = self.now();
        self.events.push(Event::ChangeEnded { change, at });
    }

    /// A shared queue is purged or deleted, or only nearly.
    fn queue_fault(&mut self) {
        let shared = |queue: &QueueId| {
            let entry = &self.plan.topology.queues[queue.index()];
            entry.owner.is_none() && entry.kind != QueueKind::Stream
        };
        let queues = (0..self.plan.topology.queues.len()).map(QueueId::from_index);
        let queues: Vec<QueueId> = queues.filter(shared).collect();
        let queue = self.dice.pick(&queues);
        let Some(pile) = self.broker.standing(queue).filter(|pile| !self.going.contains(pile))
        else {
            return;
        };
        if self.dice.percent(70) {
            let change = self.begin_change(queue, ChangeKind::Purged);
            return self.purges.push((change, pile, false));
        }
        let change = self.begin_change(queue, ChangeKind::Goes);
        if self.dice.percent(30) {
            let at = self.now();
            return self.events.push(Event::ChangeDropped { change, at });
        }
        self.going.push(pile);
        self.broker.remove(pile);
        self.unverified.push((change, pile));
        for index in 0..self.posts.len() {
            let id = WorkerId::from_index(index);
            if self.plan.workers[index].queue == queue {
                self.end_life(id, LifeEnd::Failed, false);
            }
        }
    }

    pub(super) fn purge(&mut self, index: usize) {
        let (change, pile, done) = self.purges[index];
        if done {
            self.purges.remove(index);
            return self.end_change(change);
        }
        if self.dice.percent(10) {
            self.purges.remove(index);
            let at = self.now();
            return self.events.push(Event::ChangeDropped { change, at });
        }
        self.broker.purge(pile);
        self.purges[index].2 = true;
    }

    pub(super) fn verify_gone(&mut self, index: usize) {
        let (change, pile) = self.unverified.remove(index);
        self.going.retain(|&going| going != pile);
        self.end_change(change);
    }
}
