//! The end of a simulated run: the workers stop, channels close, every queue is drained.

use rmq_scenario::ledger::event::{Event, LifeEnd, Sighting};
use rmq_scenario::plan::model::{ProducerId, QueueId, WorkerId};

use crate::simulated::Sim;
use crate::simulated::working::Post;

impl Sim<'_> {
    pub(super) fn end(&mut self) {
        self.end_weather();
        for index in 0..self.sources.len() {
            if self.sources[index].is_up() && self.broker.inlets[index].closed {
                self.learn_loss(ProducerId::from_index(index));
            }
            if self.sources[index].is_up() {
                self.end_producer(ProducerId::from_index(index));
            }
            if self.sources[index].is_up() {
                self.crash_producer(ProducerId::from_index(index));
            }
        }
        let how = if self.cut { LifeEnd::Cut } else { LifeEnd::Stopped };
        for index in 0..self.posts.len() {
            if let Post::Declaring { change, .. } = &self.posts[index] {
                let change = *change;
                let queue = self.plan.workers[index].queue;
                if self.broker.standing(queue).is_none() {
                    self.broker.declare(queue);
                }
                self.end_change(change);
            }
            let how = self.last_way(index, how);
            self.end_life(WorkerId::from_index(index), how, false);
        }
        while !self.dying.is_empty() {
            self.bury(0);
        }
        while !self.purges.is_empty() {
            self.purge(0);
        }
        while !self.unverified.is_empty() {
            self.verify_gone(0);
        }
        for (life, clean) in std::mem::take(&mut self.unread) {
            self.tell_noticed(life, clean);
        }
        self.close_silent();
        // What has had its time goes before anybody can see it.
        while let Some(pile) =
            (0..self.broker.piles.len()).find(|&pile| self.broker.can_expire(pile))
        {
            self.broker.expire(pile);
        }
        for index in 0..self.plan.topology.queues.len() {
            self.drain(QueueId::from_index(index));
        }
    }

    /// Nobody hears a goodbye of who is out of reach.
    fn last_way(&mut self, index: usize, how: LifeEnd) -> LifeEnd {
        let Post::Live(client) = &self.posts[index] else { return how };
        let open = self.broker.consumers[client.consumer].open;
        match (client.frozen, client.cut) {
            (Some(_), _) => LifeEnd::Frozen,
            (None, Some(_)) => LifeEnd::Lost,
            (None, None) if !open => self.dice.pick(&[LifeEnd::Lost, LifeEnd::Failed]),
            (None, None) => how,
        }
    }

    /// Channels that were only cancelled end with the run.
    fn close_silent(&mut self) {
        for client in std::mem::take(&mut self.silent) {
            while !self.broker.consumers[client.consumer].acks.is_empty() {
                self.broker.take_ack(client.consumer);
            }
            self.broker.close(client.consumer);
            client.bury(&mut self.broker);
        }
    }

    fn drain(&mut self, queue: QueueId) {
        let mut found: Vec<Sighting> = Vec::new();
        let pile = self.broker.standing(queue);
        let reachable = pile.is_none_or(|it| self.is_up() && !self.broker.piles[it].stuck);
        if let Some(pile) = pile.filter(|_| reachable) {
            let ready = self.broker.piles[pile].ready.clone();
            found.extend(ready.values().map(|letter| self.broker.sighting(letter)));
        }
        let complete = !self.dice.percent(2) && reachable;
        if !complete {
            found.truncate(self.dice.below(found.len() + 1));
        }
        let total = found.len() as u64;
        while !found.is_empty() {
            let rest = found.split_off(found.len().min(1 + self.dice.below(4)));
            let messages = found.into_iter().map(Some).collect();
            self.events.push(Event::Drained { queue, messages });
            found = rest;
        }
        self.events.push(Event::DrainEnded { queue, complete, total, at: self.clock });
    }
}
