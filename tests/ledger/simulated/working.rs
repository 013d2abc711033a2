//! The simulated workers: subscribing, working, dying in each way, and coming back.

use rmq_scenario::ledger::event::{ChangeId, ChangeKind, Event, LifeEnd, LifeId};
use rmq_scenario::plan::model::{KillHow, QueueId, QueueKind, WorkerId};

use crate::simulated::client::Client;
use crate::simulated::{Action, Sim};

/// A worker instance.
pub enum Post {
    /// It will subscribe.
    Absent,
    /// The request for its queue is sent; `pile` once the broker has read it.
    Declaring {
        change: ChangeId,
        pile: Option<usize>,
    },
    Live(Client),
    /// It does not come back.
    Done,
}

/// A life that is over while the broker does not know it yet.
pub struct Dying {
    pub client: Client,
    /// The broker reads every ack, and says so.
    pub clean: bool,
    pub goes: Option<(ChangeId, usize)>,
}

impl Sim<'_> {
    pub(super) fn working_actions(&self, id: WorkerId, actions: &mut Vec<Action>) {
        match &self.posts[id.index()] {
            Post::Done => {}
            Post::Absent if self.must_wait(id) => {}
            Post::Absent | Post::Declaring { .. } if !self.is_up() => {}
            Post::Absent | Post::Declaring { .. } => actions.push(Action::StartWorker(id)),
            Post::Live(client) => {
                if client.reads() && !self.broker.consumers[client.consumer].wire.is_empty() {
                    actions.extend([Action::Read(id); 3]);
                }
                if client.has_work() {
                    actions.extend([Action::Work(id); 3]);
                }
                if client.untold() > 0 {
                    actions.push(Action::Tell(id));
                }
            }
        }
    }

    /// A named exclusive queue cannot be declared again before the last one is gone.
    fn must_wait(&self, id: WorkerId) -> bool {
        let queue = self.plan.workers[id.index()].queue;
        let entry = &self.plan.topology.queues[queue.index()];
        let named = entry.owner.is_some() && (self.rough || !entry.temporary);
        named && self.going.iter().any(|&pile| self.broker.piles[pile].queue == queue)
    }

    pub(super) fn start_worker(&mut self, id: WorkerId) {
        let queue = self.plan.workers[id.index()].queue;
        let owned = self.plan.topology.queues[queue.index()].owner.is_some();
        match &self.posts[id.index()] {
            Post::Absent if owned => {
                let change = self.begin_change(queue, ChangeKind::Comes);
                self.posts[id.index()] = Post::Declaring { change, pile: None };
            }
            Post::Absent => match self.broker.standing(queue) {
                Some(pile) if !self.going.contains(&pile) => self.subscribe(id, pile),
                _ => self.posts[id.index()] = Post::Done,
            },
            Post::Declaring { change, pile: None } => {
                let (change, pile) = (*change, Some(self.broker.declare(queue)));
                self.posts[id.index()] = Post::Declaring { change, pile };
            }
            Post::Declaring { change, pile: Some(pile) } => {
                let pile = *pile;
                self.end_change(*change);
                self.subscribe(id, pile);
            }
            Post::Live(_) | Post::Done => unreachable!("it is not starting"),
        }
    }

    fn subscribe(&mut self, worker: WorkerId, pile: usize) {
        let plan = &self.plan.workers[worker.index()];
        let life = LifeId(self.lives);
        self.lives += 1;
        let at = self.now();
        self.events.push(Event::LifeStarted { life, worker, at });
        let consumer = self.broker.subscribe(worker, pile, plan.offset);
        let stream = self.plan.topology.queues[plan.queue.index()].kind == QueueKind::Stream;
        let refusals = if stream { 0 } else { self.dice.pick(&[0, 0, 20, 40]) };
        let client = Client::new(life, consumer, plan.ack, refusals);
        self.posts[worker.index()] = Post::Live(client);
    }

    pub(super) fn read(&mut self, id: WorkerId) {
        let at = self.now();
        if let Post::Live(client) = &mut self.posts[id.index()] {
            client.read(&mut self.broker, at);
        }
    }

    pub(super) fn work(&mut self, id: WorkerId) {
        let at = self.now();
        if let Post::Live(client) = &mut self.posts[id.index()] {
            client.step(&mut self.broker, &mut self.dice, at);
            self.events.extend(client.tell_refusals());
            if client.lost && !client.is_busy() {
                self.end_lost(id);
            }
        }
    }

    pub(super) fn tell(&mut self, id: WorkerId) {
        let count = 1 + self.dice.below(8);
        if let Post::Live(client) = &mut self.posts[id.index()] {
            self.events.extend(client.tell(count));
        }
    }

    /// Some way of ending, by a fault or by its `stop`.
    pub(super) fn end_worker(&mut self, id: WorkerId) {
        let how = self.dice.pick(&[
            LifeEnd::Killed(KillHow::Crash),
            LifeEnd::Killed(KillHow::Crash),
            LifeEnd::Killed(KillHow::Crash),
            LifeEnd::Killed(KillHow::CloseConnection),
            LifeEnd::Killed(KillHow::CloseChannel),
            LifeEnd::Killed(KillHow::Cancel),
            LifeEnd::Failed,
            LifeEnd::Stopped,
        ]);
        let frozen = matches!(&self.posts[id.index()], Post::Live(it) if it.frozen.is_some());
        let how = if frozen { LifeEnd::Killed(KillHow::Crash) } else { how };
        let queue = self.plan.workers[id.index()].queue;
        let keeps = matches!(how, LifeEnd::Killed(KillHow::CloseChannel | KillHow::Cancel));
        let owned = self.plan.topology.queues[queue.index()].owner.is_some();
        let back = self.dice.percent(50) && how != LifeEnd::Stopped && !(owned && keeps);
        let hangs_up = !keeps;
        self.end_life(id, how, hangs_up);
        self.posts[id.index()] = if back { Post::Absent } else { Post::Done };
    }

    /// The worker's subscription ends, and its queue with it if nothing else holds that.
    pub(super) fn end_life(&mut self, id: WorkerId, how: LifeEnd, hangs_up: bool) {
        let Post::Live(mut client) = std::mem::replace(&mut self.posts[id.index()], Post::Done)
        else {
            return;
        };
        let open = self.broker.consumers[client.consumer].open;
        let deaf = client.cut.is_some() || !open;
        if how == LifeEnd::Stopped && deaf {
            while client.is_busy() {
                let at = self.now();
                client.step(&mut self.broker, &mut self.dice, at);
                self.events.extend(client.tell_refusals());
            }
        } else if how == LifeEnd::Stopped {
            // The answer to its cancel comes behind all that was sent to it.
            self.broker.consumers[client.consumer].subscribed = false;
            while !self.broker.consumers[client.consumer].wire.is_empty() {
                let at = self.now();
                client.read(&mut self.broker, at);
            }
            while client.is_busy() {
                let at = self.now();
                client.step(&mut self.broker, &mut self.dice, at);
                self.events.extend(client.tell_refusals());
            }
            let at = self.now();
            client.ack_rest(&mut self.broker, at);
        }
        self.events.extend(client.tell(usize::MAX));
        if deaf {
            return self.bury_later(id, client, how);
        }
        let goes = self.begin_departure(id, client.consumer, hangs_up);
        let at = self.now();
        let (life, totals) = (client.life, client.totals());
        self.events.push(Event::LifeEnded { life, how, totals, at });
        if how == LifeEnd::Killed(KillHow::Cancel) {
            self.broker.consumers[client.consumer].subscribed = false;
            self.unread.push((life, false));
            self.silent.push(client);
            if let Some((change, pile)) = goes {
                self.broker.remove(pile);
                self.unverified.push((change, pile));
            }
            return;
        }
        let clean = !matches!(how, LifeEnd::Killed(KillHow::Crash) | LifeEnd::Failed);
        self.dying.push(Dying { client, clean, goes });
    }

    pub(super) fn begin_departure(
        &mut self,
        id: WorkerId,
        consumer: usize,
        hangs_up: bool,
    ) -> Option<(ChangeId, usize)> {
        let queue = self.plan.workers[id.index()].queue;
        let entry = &self.plan.topology.queues[queue.index()];
        let pile = self.broker.consumers[consumer].pile;
        let goes = match entry.owner {
            Some(_) => hangs_up,
            None => entry.auto_delete && !self.is_consumed(queue),
        };
        if !goes || self.going.contains(&pile) || self.broker.piles[pile].gone {
            return None;
        }
        self.going.push(pile);
        Some((self.begin_change(queue, ChangeKind::Goes), pile))
    }

    pub(super) fn is_consumed(&self, queue: QueueId) -> bool {
        let posts = self.posts.iter().zip(&self.plan.workers);
        let counts = |post: &Post| matches!(post, Post::Live(client) if client.cut.is_none());
        posts.filter(|(post, _)| counts(post)).any(|(_, plan)| plan.queue == queue)
    }

    /// The broker notices the end of a life: reads what it still can, takes back what was
    /// unacked, and removes the queue that goes.
    pub(super) fn bury(&mut self, index: usize) {
        let dying = self.dying.remove(index);
        let consumer = dying.client.consumer;
        let written = self.broker.consumers[consumer].acks.len();
        let deaf = self.broker.consumers[consumer].cut;
        let read = if dying.clean { written } else { self.dice.below(written + 1) };
        let read = if deaf { 0 } else { read };
        for _ in 0..read {
            self.broker.take_ack(consumer);
        }
        self.broker.close(consumer);
        dying.client.bury(&mut self.broker);
        self.unread.push((dying.client.life, dying.clean));
        if let Some((change, pile)) = dying.goes {
            self.broker.remove(pile);
            self.unverified.push((change, pile));
        }
    }
}
