//! Brokers that end and come back, nodes that are parted from the others, and faults upon workers
//! that live on: what is known of each, and which copies an end can have taken.
//!
//! A parted node serves its clients as well as it can. The others take what its consumers hold for
//! given back, and hand it to consumers of their own; what is acked on it meanwhile does not reach
//! a queue that is led elsewhere. Who is connected to which node is not known here, so this may
//! befall anybody.
//!
//! What became of copies is told by where they are seen afterwards, not by what a broker of that
//! kind should do: a cause is only looked for where a copy is gone.

use crate::ledger::books::{Books, CopyView};
use crate::ledger::event::{Hindrance, LifeId, Micros};
use crate::ledger::fates::Cause;
use crate::ledger::lives::Life;
use crate::ledger::messages::message_flag;
use crate::ledger::paths::PathId;
use crate::ledger::{Ledger, Resend};
use crate::plan::model::{AckMode, FaultId, NodeId, QueueId, QueueKind, StopHow};

/// What befell the broker, or one of its nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Ended(StopHow),
    /// It runs, and it and the others do not hear each other.
    Parted,
}

/// One end of the broker, or of one of its nodes; or a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    pub how: How,
    /// `None` is all of it.
    pub node: Option<NodeId>,
    /// Queues that had been declared for less than a second.
    young: Vec<QueueId>,
    /// When it began.
    pub at: Micros,
    /// What each producer had published when the process was seen to have ended, or the partition
    /// was over.
    published: Option<Vec<u32>>,
    /// Which event that was, counted over all.
    ended: u64,
    /// When it answered again, or heard the others again.
    pub up: Option<Micros>,
}

impl Outage {
    /// Its process was not yet seen to have ended.
    pub(super) fn is_under_way(&self) -> bool {
        self.is_on() && self.how != How::Parted
    }

    /// The same, or it is a partition that is not over.
    pub(super) fn is_on(&self) -> bool {
        self.published.is_none()
    }

    /// Whether it is a partition of this node that is not over.
    fn is_parted(&self, node: NodeId) -> bool {
        self.is_on() && self.how == How::Parted && self.node == Some(node)
    }

    /// Whether it may have forgotten what it had done last: killed, or one node of several, which
    /// others may not have heard in time.
    fn may_forget(&self) -> bool {
        self.how == How::Ended(StopHow::Sigkill) || self.node.is_some()
    }

    /// Whether it befell whoever began at that moment, when there had been so many before.
    fn befell(&self, number: usize, life: &Life) -> bool {
        let parted = self.how == How::Parted && self.up.is_none_or(|up| life.started <= up);
        number >= life.outages_before || parted
    }
}

/// How a worker stood when a fault acted upon it that it lived through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    pub fault: FaultId,
    pub life: LifeId,
    pub at: Micros,
    pub read: u64,
    pub finished: u64,
    /// Read and not finished.
    pub unworked: u64,
    /// Read and not acked, where acks are asked for.
    pub unacked: u64,
    /// What each producer had published by then, and how many dead letters had come to its queue.
    pub published: Vec<u32>,
    pub arrived: u64,
}

impl Ledger {
    pub(super) fn struck(&mut self, fault: FaultId, id: LifeId, at: Micros) {
        let published = self.published_so_far();
        let Some(life) = self.lives.get(id.index()) else {
            return self.violation(None, "a fault acted upon a worker that never was");
        };
        let acks_due = life.ack != AckMode::Auto;
        self.strikes.push(Strike {
            fault,
            life: id,
            at,
            read: life.counts.read,
            finished: life.counts.finished,
            unworked: life.in_hand(),
            unacked: if acks_due { life.unsettled() } else { 0 },
            published,
            arrived: self.queues[life.queue.index()].arrived,
        });
        self.lives[id.index()].shake(at);
    }

    pub(super) fn hindered(&mut self, id: LifeId, by: Option<Hindrance>) {
        match self.lives.get_mut(id.index()) {
            Some(life) => life.hinder(by),
            None => self.violation(None, "a worker was held up that never was"),
        }
    }

    /// What it held may come to others now.
    pub(super) fn dropped(&mut self, id: LifeId, at: Micros) {
        let Some(life) = self.lives.get_mut(id.index()).filter(|life| !life.is_live()) else {
            return self.violation(None, "a connection was lost by somebody who had none left");
        };
        life.dropped = true;
        let (queue, back) = (life.queue, life.unsettled());
        self.came_back(queue, back);
        self.series.went_back(queue, back, at);
    }

    pub(super) fn broker_fell(
        &mut self,
        how: StopHow,
        node: Option<NodeId>,
        young: Vec<QueueId>,
        at: Micros,
    ) {
        if self.outages.iter().any(Outage::is_under_way) {
            self.violation(None, "a broker was ended while it was being ended");
        }
        if node.is_none() {
            self.changing.fall();
            self.lose_exchanges();
        }
        // Who is connected to which node is not known here.
        self.lives.iter_mut().for_each(|life| life.shake(at));
        let how = How::Ended(how);
        self.outages.push(Outage { how, node, young, at, published: None, ended: 0, up: None });
    }

    /// What consumers of the node hold may come to others from now on.
    pub(super) fn parted(&mut self, node: NodeId, at: Micros) {
        if self.outages.iter().any(|it| it.is_parted(node)) {
            self.violation(None, "a node was parted from the others that was parted");
        }
        self.lives.iter_mut().for_each(|life| life.shake(at));
        let (how, node, young) = (How::Parted, Some(node), Vec::new());
        self.outages.push(Outage { how, node, young, at, published: None, ended: 0, up: None });
    }

    pub(super) fn rejoined(&mut self, node: NodeId, at: Micros) {
        let (published, event) = (self.published_so_far(), self.events);
        let Some(outage) = self.outages.iter_mut().find(|it| it.is_parted(node)) else {
            return self.violation(None, "a node found the others again that was not parted");
        };
        (outage.published, outage.ended, outage.up) = (Some(published), event, Some(at));
    }

    /// The process that sent deliveries and took acks is gone: to nobody that was subscribed
    /// anything more is sent, and what they held is back in its queue, if that survives.
    pub(super) fn broker_down(&mut self, at: Micros) {
        let (published, event) = (self.published_so_far(), self.events);
        let Some(outage) = self.outages.iter_mut().find(|it| it.is_under_way()) else {
            return self.violation(None, "a broker ended that nobody had ended");
        };
        outage.published = Some(published.clone());
        outage.ended = event;
        let (all, killed) = (outage.node.is_none(), outage.may_forget());
        if killed {
            // What was acked may be in its queue again.
            self.all_came_back();
        }
        if !all {
            return;
        }
        self.changing.fallen();
        for life in &mut self.lives {
            life.dropped = true;
            life.noticed.get_or_insert(at);
            life.sent_until.get_or_insert_with(|| published.clone());
        }
    }

    pub(super) fn broker_rose(&mut self, node: Option<NodeId>, at: Micros) {
        let mut outages = self.outages.iter_mut().rev();
        let ended = |it: &&mut Outage| it.node == node && it.up.is_none() && !it.is_on();
        match outages.find(ended) {
            Some(outage) => outage.up = Some(at),
            None => self.violation(None, "a broker came back that had not ended"),
        }
    }

    /// Whether a broker with what is not durable has ended since then: since there had been so
    /// many outages, and events. It is told to end later than that; a parted one may be restarted
    /// when it hears the others again.
    pub(super) fn has_ended_since(&self, (outages, event): (usize, u64)) -> bool {
        let mut all = self.outages.iter().enumerate();
        all.any(|(number, it)| match it.how {
            How::Ended(_) => number >= outages && !it.is_on(),
            How::Parted => it.ended > event,
        })
    }

    /// Whether a broker may, since the life began, have forgotten what it had sent and which acks
    /// it had read.
    pub(super) fn may_be_forgotten_since(&self, life: &Life) -> bool {
        self.forgotten_by(life).is_some()
    }

    /// How often the node that it is connected to may have been parted from others since it began.
    pub(super) fn partings(&self, life: &Life) -> usize {
        let outages = self.outages.iter().enumerate();
        outages.filter(|(number, it)| it.how == How::Parted && it.befell(*number, life)).count()
    }

    /// The first end of a broker by which that may have come about, and its number.
    pub(super) fn forgotten_by(&self, life: &Life) -> Option<(usize, &Outage)> {
        let mut outages = self.outages.iter().enumerate();
        outages.find(|(number, outage)| outage.may_forget() && outage.befell(*number, life))
    }

    /// Whether a queue may, at any time, have given up the same copy twice.
    pub(super) fn may_repeat_dead_letters(&self) -> bool {
        self.outages.iter().any(Outage::may_forget)
    }

    /// Why a copy may be gone that was in its queue, or on its way there, when a broker ended;
    /// `since` leaves out the ends before that number.
    pub(super) fn outages_for(&self, view: &CopyView, since: usize, causes: &mut Vec<Cause>) {
        let sent = self.confirmed_resend(view).map_or(0, |send| send.event);
        let outages = self.outages[since..].iter();
        let there = outages.filter(|it| self.hosts(it, view.queue) && was_there(it, view));
        for outage in there.filter(|it| it.is_on() || it.ended > sent) {
            causes.extend(self.taken_by(outage, view));
        }
        causes.sort_unstable();
        causes.dedup();
    }

    /// When the message was published once more, if it came to the queue then, and that was
    /// confirmed: what was before that took another one.
    pub(super) fn confirmed_resend(&self, view: &CopyView) -> Option<Resend> {
        let book = &self.producers[view.message.producer.index()];
        let send = book.last_sends.get(&view.message.n).filter(|_| is_confirmed(view))?;
        self.routes.get(send.route).contains(&(view.queue, false)).then_some(*send)
    }

    /// Whether the broker had said by then, or may have, that it has written the copy: what was
    /// published once more after that had no answer before.
    fn was_confirmed(&self, view: &CopyView, outage: &Outage) -> bool {
        let book = &self.producers[view.message.producer.index()];
        let resend = book.last_sends.get(&view.message.n);
        is_confirmed(view) && resend.is_none_or(|it| outage.is_on() || it.event < outage.ended)
    }

    /// Whether the queue, or a part of it, was where the broker ended. Whoever publishes through a
    /// parted node may not reach the queues of the others.
    fn hosts(&self, outage: &Outage, queue: QueueId) -> bool {
        let queue = &self.plan.topology.queues[queue.index()];
        let replicated = queue.kind != QueueKind::Classic;
        let home = queue.node.unwrap_or(NodeId(0));
        outage.how == How::Parted || outage.node.is_none_or(|node| replicated || node == home)
    }

    /// A classic queue keeps no transient message over an end of its broker, however that came
    /// about. Whoever is killed has perhaps not written what it had not yet confirmed, and keeps
    /// nothing of a quorum queue that is not yet a second old. (Measured on 3.10.8, 4.0.5 and
    /// 4.3.6.) What is published in a partition may never reach its queue, and who was parted may
    /// be restarted when it hears the others again.
    fn taken_by(&self, outage: &Outage, view: &CopyView) -> Vec<Cause> {
        let queue = &self.plan.topology.queues[view.queue.index()];
        let persistent = self.plan.producers[view.message.producer.index()].persistent;
        let mut causes = Vec::new();
        let home = outage.node == Some(queue.node.unwrap_or(NodeId(0)));
        let restarted = outage.how != How::Parted || (home && self.rules.restarts_parted);
        if restarted && queue.kind == QueueKind::Classic && (!persistent || !queue.durable) {
            causes.push(Cause::Transient);
        }
        if outage.how == How::Ended(StopHow::Graceful) {
            return causes;
        }
        if !self.was_confirmed(view, outage) && causes.is_empty() {
            causes.push(Cause::Unflushed);
        }
        if outage.young.contains(&view.queue) {
            causes.push(Cause::YoungQueue);
        }
        causes
    }
}

/// Whether the broker said that it has written the copy.
fn is_confirmed(view: &CopyView) -> bool {
    view.message_flags & message_flag::ACKED != 0 && view.path == PathId::NONE
}

/// Whether the copy can have been in its queue, or on its way there. When a dead letter came is
/// not known.
fn was_there(outage: &Outage, view: &CopyView) -> bool {
    let until = outage.published.as_ref().map(|all| all[view.message.producer.index()]);
    view.path != PathId::NONE || until.is_none_or(|until| view.message.n <= until)
}

impl Books {
    /// How the worker stood when the fault acted upon it, if it lived through that.
    pub fn strike(&self, fault: FaultId) -> Option<&Strike> {
        self.ledger.strikes.iter().find(|strike| strike.fault == fault)
    }

    /// Each time that the broker, or a node of it, was ended.
    pub fn outages(&self) -> &[Outage] {
        &self.ledger.outages
    }
}
