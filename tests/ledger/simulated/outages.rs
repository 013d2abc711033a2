//! The simulated broker ends, and perhaps comes back.

use rmq_scenario::ledger::event::{ChangeId, ChangeKind, Event};
use rmq_scenario::plan::model::StopHow::{Graceful, Sigkill};
use rmq_scenario::plan::model::{ProducerId, QueueId, QueueKind, StopHow, WorkerId};

use crate::simulated::working::Post;
use crate::simulated::{Action, Sim};

/// How the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weather {
    Up,
    /// It is being ended. Changes under way, each with its pile and whether that goes for sure.
    Falling {
        how: StopHow,
        young: Vec<QueueId>,
        changes: Vec<(ChangeId, usize, bool)>,
    },
    Down,
    /// It does not come back.
    Gone,
}

impl Sim<'_> {
    /// Whether the broker does anything at all.
    pub(super) fn serves(&self) -> bool {
        matches!(self.weather, Weather::Up | Weather::Falling { how: Graceful, .. })
    }

    pub(super) fn is_up(&self) -> bool {
        self.weather == Weather::Up
    }

    pub(super) fn weather_actions(&self, actions: &mut Vec<Action>) {
        match &self.weather {
            Weather::Up if self.rough => {
                let piles = 0..self.broker.piles.len();
                actions.extend(piles.filter(|&it| self.is_unwritten(it)).map(Action::Flush));
            }
            Weather::Up | Weather::Gone => {}
            Weather::Falling { how, .. } => {
                actions.push(Action::GoDown);
                let open = self.broker.consumers.iter().enumerate().filter(|(_, it)| it.open);
                if *how == Graceful {
                    actions.extend(open.map(|(id, _)| Action::Dismiss(id)));
                }
            }
            Weather::Down => actions.push(Action::Rise),
        }
    }

    fn is_unwritten(&self, pile: usize) -> bool {
        let pile = &self.broker.piles[pile];
        !pile.settled.is_empty() || pile.ready.values().any(|letter| !letter.written)
    }

    /// The broker is told to end.
    pub(super) fn fall(&mut self) {
        let how = self.dice.pick(&[Graceful, Sigkill, Sigkill]);
        let mut changes = Vec::new();
        for index in 0..self.plan.topology.queues.len() {
            let queue = QueueId::from_index(index);
            let plan = &self.plan.topology.queues[index];
            let Some(pile) = self.broker.standing(queue) else { continue };
            // A queue that is on its way out may be on its way twice.
            if self.going.contains(&pile) && self.dice.percent(50) {
                continue;
            }
            let (perishes, owned) = (!plan.durable && plan.owner.is_none(), plan.owner.is_some());
            if !(perishes || owned || (plan.auto_delete && self.is_consumed(queue))) {
                continue;
            }
            let kind = if perishes { ChangeKind::Perishes } else { ChangeKind::Goes };
            let change = self.begin_change(queue, kind);
            changes.push((change, pile, perishes || owned));
            // Whoever owns it may find it still there.
            if !owned || self.dice.percent(60) {
                self.going.push(pile);
            }
        }
        let quorum = |id: &QueueId| self.plan.topology.queues[id.index()].kind == QueueKind::Quorum;
        let queues = (0..self.plan.topology.queues.len()).map(QueueId::from_index);
        let young: Vec<QueueId> = queues.filter(quorum).collect();
        let young = if self.dice.percent(40) { young } else { Vec::new() };
        let at = self.now();
        self.events.push(Event::BrokerFell { how, node: None, young: young.clone(), at });
        self.weather = Weather::Falling { how, young, changes };
    }

    /// Closing its connections one by one, the broker closes this one.
    pub(super) fn dismiss(&mut self, consumer: usize) {
        let acks = self.broker.consumers[consumer].acks.len();
        for _ in 0..self.dice.below(acks + 1) {
            self.broker.take_ack(consumer);
        }
        self.broker.close(consumer);
    }

    /// Its process has ended.
    pub(super) fn go_down(&mut self) {
        let weather = std::mem::replace(&mut self.weather, Weather::Down);
        let Weather::Falling { how, young, changes } = weather else {
            unreachable!("it is falling");
        };
        self.broker.truth.may_forget |= how == Sigkill;
        self.broker.end(how, &young, &mut self.dice);
        for dying in &mut self.dying {
            dying.clean = false;
        }
        for (change, _, done) in std::mem::take(&mut self.purges) {
            self.end_or_drop(change, done);
        }
        let at = self.now();
        self.events.push(Event::BrokerDown { at });
        for (change, pile, certain) in changes {
            match certain {
                true => self.is_gone(change, pile),
                false => self.uncertain.push((change, pile)),
            }
        }
        for index in 0..self.posts.len() {
            self.break_off(WorkerId::from_index(index));
        }
        if self.dice.percent(15) {
            self.weather = Weather::Gone;
        }
    }

    fn end_or_drop(&mut self, change: ChangeId, happened: bool) {
        let at = self.now();
        self.events.push(match happened {
            true => Event::ChangeEnded { change, at },
            false => Event::ChangeDropped { change, at },
        });
    }

    fn is_gone(&mut self, change: ChangeId, pile: usize) {
        self.broker.remove(pile);
        self.going.retain(|&going| going != pile);
        self.end_change(change);
    }

    /// A worker was declaring its queue: that has gone, if it ever came.
    fn break_off(&mut self, id: WorkerId) {
        if let Post::Declaring { change, pile } = &self.posts[id.index()] {
            let (change, pile) = (*change, *pile);
            let goes = self.begin_change(self.plan.workers[id.index()].queue, ChangeKind::Goes);
            self.end_change(change);
            self.end_change(goes);
            pile.into_iter().for_each(|pile| self.broker.remove(pile));
            self.posts[id.index()] = Post::Absent;
        }
    }

    /// It answers again.
    pub(super) fn rise(&mut self) {
        let at = self.now();
        self.events.push(Event::BrokerRose { node: None, at });
        for (change, pile) in std::mem::take(&mut self.uncertain) {
            match self.broker.piles[pile].gone || self.dice.percent(50) {
                true => self.is_gone(change, pile),
                false => {
                    self.going.retain(|&going| going != pile);
                    self.end_or_drop(change, false);
                }
            }
        }
        self.weather = Weather::Up;
    }

    /// The run is over, whatever the broker does.
    pub(super) fn end_weather(&mut self) {
        if matches!(self.weather, Weather::Falling { .. }) {
            self.go_down();
        }
        if self.weather == Weather::Down {
            self.rise();
        }
        // Of one that is gone nobody can say which queues it took along.
        for (change, _) in std::mem::take(&mut self.uncertain) {
            self.end_or_drop(change, false);
        }
    }

    /// The broker closes a producer's connection, or that is cut and given up.
    pub(super) fn sever(&mut self, producer: ProducerId) {
        let written = self.broker.inlets[producer.index()].wire.len();
        let read = self.dice.below(written + 1);
        self.broker.sever_inlet(producer.index(), read, &mut self.dice);
    }
}
