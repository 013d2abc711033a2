//! Why copies are gone or were finished twice: decided from what was observed, never from what
//! the scenario was meant to show.

use std::collections::HashMap;

use crate::ledger::Ledger;
use crate::ledger::books::CopyView;
use crate::ledger::event::{ChangeKind, LifeEnd, LifeId, MessageKey, Micros};
use crate::ledger::lives::Life;
use crate::ledger::messages::{NOBODY, again, copy_flag, message_flag};
use crate::ledger::paths::PathId;
use crate::plan::count::Count;
use crate::plan::model::{AckMode, Confirms, ProducerId, QueueId, QueueKind};

/// A reason, by its name in files and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    AutoAck,
    EarlyAck,
    QueueGone,
    NotSent,
    Transient,
    Unflushed,
    YoungQueue,
    WorkerRejected,
    DeliveryLimit,
    Ttl,
    MaxLength,
    ForgottenAck,
    Requeued,
    AckLost,
    Reread,
    Republished,
    Unexplained,
}

impl Cause {
    pub fn name(self) -> &'static str {
        match self {
            Cause::AutoAck => "auto_ack",
            Cause::EarlyAck => "early_ack",
            Cause::QueueGone => "queue_gone",
            Cause::NotSent => "not_sent",
            Cause::Transient => "transient",
            Cause::Unflushed => "unflushed",
            Cause::YoungQueue => "young_queue",
            Cause::WorkerRejected => "worker_rejected",
            Cause::DeliveryLimit => "delivery_limit",
            Cause::Ttl => "ttl",
            Cause::MaxLength => "max_length",
            Cause::ForgottenAck => "forgotten_ack",
            Cause::Requeued => "requeued",
            Cause::AckLost => "ack_lost",
            Cause::Reread => "reread",
            Cause::Republished => "republished",
            Cause::Unexplained => "unexplained",
        }
    }
}

/// What is asked again and again when the books are closed.
#[derive(Debug, Default)]
pub(super) struct Fates {
    /// Ended subscriptions under automatic acks, by queue.
    forgetful: Vec<Vec<LifeId>>,
    /// By queue, when a consumer whose deliveries come back ended first.
    first_return: Vec<Option<Micros>>,
    /// By queue, how many such consumers may not have read all that was sent to them.
    returning: Vec<u64>,
    /// For each producer's broken channels: first and last number, and the highest that arrived.
    broken: Vec<Vec<(u32, u32, u32)>>,
    /// By the channel of a producer without confirms and by quorum queue, the highest number
    /// that came there; only where a queue may forget those behind it.
    heads: HashMap<(ProducerId, u32, QueueId), u32>,
}

impl Fates {
    pub fn of(ledger: &Ledger) -> Self {
        let mut forgetful = vec![Vec::new(); ledger.queues.len()];
        let mut first_return: Vec<Option<Micros>> = vec![None; forgetful.len()];
        let mut returning = vec![0; forgetful.len()];
        for life in &ledger.lives {
            let Some(end) = &life.end else { continue };
            let queue = life.queue.index();
            // One that stopped in good order had read all that was sent to it, unless that was on
            // its way from one node to another when they were parted.
            let partings = ledger.partings(life);
            let in_order = end.how == LifeEnd::Stopped && life.read_by_broker && partings == 0;
            if life.ack == AckMode::Auto {
                if !in_order {
                    forgetful[queue].push(life.id);
                }
                continue;
            }
            // What a silent channel holds comes back when nobody can be sent it any more; what
            // came back in a partition may be sent to the same one once more.
            returning[queue] += u64::from(!in_order || life.shaken.is_some()) + partings as u64;
            if !life.surely_holds_on() {
                let at = life.gave_back();
                first_return[queue] = Some(first_return[queue].map_or(at, |first| first.min(at)));
            }
        }
        let broken = ledger.producers.iter().map(|book| {
            let arrived =
                |(first, last): &(u32, u32)| (*first, *last, highest_arrived(book, *first, *last));
            book.broken.iter().map(arrived).collect()
        });
        let heads = heads(ledger);
        Self { forgetful, first_return, returning, broken: broken.collect(), heads }
    }

    /// How many consumers of the queue may have given back what they never read.
    pub fn returning(&self, queue: QueueId) -> u64 {
        self.returning[queue.index()]
    }
}

fn heads(ledger: &Ledger) -> HashMap<(ProducerId, u32, QueueId), u32> {
    let mut heads = HashMap::new();
    let producers = ledger.producers.iter().enumerate();
    for (index, book) in producers.filter(|(_, book)| ledger.rules.forgets_tails && !book.confirms)
    {
        let quorum = |queue: QueueId| ledger.kind(queue) == QueueKind::Quorum;
        let copies = book.messages.each(&ledger.routes);
        for (n, queue, copy) in copies.filter(|(_, queue, _)| quorum(*queue)) {
            let key = (ProducerId::from_index(index), book.channel_of(n), queue);
            let head = heads.entry(key).or_insert(0);
            *head = if copy.was_seen() { n.max(*head) } else { *head };
        }
    }
    heads
}

/// The highest number between the two whose message the broker was seen to have: answered,
/// returned, or seen by a worker or the drain. 0 is none.
fn highest_arrived(book: &crate::ledger::ProducerBook, first: u32, last: u32) -> u32 {
    use message_flag::{ACKED, NACKED, RETURNED, SEEN};
    let arrived = |n: &u32| book.messages.flags(*n) & (ACKED | NACKED | RETURNED | SEEN) != 0;
    (first..=last).rev().find(arrived).unwrap_or(0)
}

/// Causes, and the subscriptions by whose end they came about.
pub type Found = (Vec<Cause>, Vec<LifeId>);

impl Ledger {
    /// What became of a copy that is gone and that nobody finished, rejected or turned away.
    pub(super) fn fate(&self, fates: &Fates, view: &CopyView) -> Count {
        let rules = self.rules_for(fates, view);
        let Some(first) = rules.first() else { return Count::Lost };
        if !self.faults_for(fates, view).0.is_empty() {
            return Count::Lost;
        }
        match first {
            Cause::DeliveryLimit => Count::OverLimit,
            Cause::Ttl => Count::Expired,
            _ => Count::Dropped,
        }
    }

    /// Why a copy has the outcome that it has, where that wants a cause.
    pub(super) fn causes(&self, fates: &Fates, view: &CopyView) -> Found {
        let refused = view.copy.has(copy_flag::REFUSED);
        let (mut causes, lives) = match view.outcome {
            Count::Lost => {
                let (mut faults, lives) = self.faults_for(fates, view);
                faults.extend(self.rules_for(fates, view));
                (faults, lives)
            }
            Count::Rejected => (vec![Cause::WorkerRejected], self.holder_of(view)),
            // Where several rules can have acted, the outcome is that of the first.
            Count::OverLimit => {
                let mut rules = self.rules_for(fates, view);
                if refused {
                    rules.insert(0, Cause::WorkerRejected);
                }
                (rules, self.holder_of(view))
            }
            Count::Expired | Count::Dropped => (self.rules_for(fates, view), Vec::new()),
            _ => return (Vec::new(), Vec::new()),
        };
        if causes.is_empty() && self.may_be_forgotten(fates, view) {
            causes.push(Cause::NotSent);
        }
        if causes.is_empty() {
            causes.push(Cause::Unexplained);
        }
        (causes, lives)
    }

    /// The queue saw nothing that its channel published later.
    fn may_be_forgotten(&self, fates: &Fates, view: &CopyView) -> bool {
        let MessageKey { producer, n } = view.message;
        let channel = self.producers[producer.index()].channel_of(n);
        let head = fates.heads.get(&(producer, channel, view.queue));
        view.path == PathId::NONE && head.is_some_and(|head| n > *head)
    }

    fn holder_of(&self, view: &CopyView) -> Vec<LifeId> {
        self.lives.get(usize::from(view.copy.holder)).map(|life| life.id).into_iter().collect()
    }

    /// The faults that can have taken a copy which is gone.
    fn faults_for(&self, fates: &Fates, view: &CopyView) -> Found {
        let mut found = (Vec::new(), Vec::new());
        if view.copy.holder == NOBODY {
            self.unseen(fates, view, &mut found);
        } else {
            self.seen(fates, view, &mut found);
        }
        found
    }

    /// A worker read it, and it was not finished.
    fn seen(&self, fates: &Fates, view: &CopyView, found: &mut Found) {
        let holder = &self.lives[usize::from(view.copy.holder)];
        if holder.end.is_none() {
            return;
        }
        match holder.ack {
            AckMode::Auto => {
                found.0.push(Cause::AutoAck);
                found.1.push(holder.id);
                self.forgotten(fates, view, holder, found);
            }
            AckMode::Early if view.copy.has(copy_flag::ACKED) => {
                found.0.push(Cause::EarlyAck);
                found.1.push(holder.id);
                // Where the broker may never have read the ack, it may as well have put the
                // copy back.
                if !holder.read_by_broker && !holder.surely_holds_on() {
                    self.requeued(fates, view, holder, found);
                } else {
                    self.forgotten(fates, view, holder, found);
                }
            }
            // It was never acked, so it went back to its queue: what became of it there is
            // asked as of one that nobody read.
            _ => self.requeued(fates, view, holder, found),
        }
    }

    /// A broker that was killed may have put back what it had taken for acked.
    fn forgotten(&self, fates: &Fates, view: &CopyView, holder: &Life, found: &mut Found) {
        if let Some((number, outage)) = self.forgotten_by(holder) {
            self.came_back_at(fates, view, (outage.at, number + 1), found);
        }
    }

    fn requeued(&self, fates: &Fates, view: &CopyView, holder: &Life, found: &mut Found) {
        // What it gave back itself returned some time before that.
        let given_back = view.copy.has(copy_flag::RETURNED);
        let returned_at = if given_back { holder.started } else { holder.gave_back() };
        self.came_back_at(fates, view, (returned_at, holder.outages_before), found);
    }

    /// What can have taken it after it came back to its queue, at this moment or later, other than
    /// the ends of brokers before that number.
    fn came_back_at(
        &self,
        fates: &Fates,
        view: &CopyView,
        (returned_at, since): (Micros, usize),
        found: &mut Found,
    ) {
        for id in &fates.forgetful[view.queue.index()] {
            if !self.lives[id.index()].is_noticed(returned_at) {
                found.0.push(Cause::AutoAck);
                found.1.push(*id);
            }
        }
        found.0.dedup();
        self.queue_gone(view, &mut found.0);
        self.outages_for(view, since, &mut found.0);
    }

    /// Nobody read it.
    fn unseen(&self, fates: &Fates, view: &CopyView, found: &mut Found) {
        let MessageKey { producer, n } = view.message;
        for id in &fates.forgetful[view.queue.index()] {
            let life = &self.lives[id.index()];
            if self.may_have_been_sent(fates, view, life) {
                found.0.push(Cause::AutoAck);
                found.1.push(*id);
            }
        }
        found.0.dedup();
        self.queue_gone(view, &mut found.0);
        self.outages_for(view, 0, &mut found.0);
        let unchecked = self.plan.producers[producer.index()].confirms == Confirms::Off;
        let mut broken = fates.broken[producer.index()].iter();
        let under =
            |&(first, last, arrived): &(u32, u32, u32)| (first..=last).contains(&n) && n > arrived;
        if unchecked && broken.any(under) {
            found.0.push(Cause::NotSent);
        }
    }

    /// It may have been on its way to a consumer that ended, unless that consumer had read a
    /// later one: a channel keeps the order of the queue. But a copy that came back from another
    /// consumer, who never read it, may have been sent after later ones, and so may one that was
    /// published again; and what was on its way between two nodes that were parted then never
    /// arrives.
    fn may_have_been_sent(&self, fates: &Fates, view: &CopyView, life: &Life) -> bool {
        let MessageKey { producer, n } = view.message;
        let channel = self.producers[producer.index()].channel_of(n);
        let in_time = life.sent_until.as_ref().is_none_or(|until| n <= until[producer.index()]);
        let later = n > life.highest_of_channel(producer, channel);
        let came_back =
            fates.first_return[life.queue.index()].is_some_and(|at| !life.is_noticed(at));
        let skipped = self.partings(life) > 0;
        let again = self.producers[producer.index()].last_sends.get(&n);
        let again = again.is_some_and(|send| !life.is_noticed(send.at));
        let ordered = self.keeps_order(view.queue, producer) && !again;
        in_time && (later || came_back || skipped || !ordered)
    }

    /// Whether what a channel of the producer publishes leaves the queue in that order.
    pub(super) fn keeps_order(&self, queue: QueueId, producer: ProducerId) -> bool {
        let queue = &self.plan.topology.queues[queue.index()];
        let mixed = self.plan.producers[producer.index()].priority.is_some();
        !(mixed && (queue.max_priority.is_some() || queue.kind == QueueKind::Quorum))
    }

    fn queue_gone(&self, view: &CopyView, causes: &mut Vec<Cause>) {
        let MessageKey { producer, n } = view.message;
        let gone = self.queues[view.queue.index()].gone.iter();
        let sent = self.confirmed_resend(view).map_or(0, |send| send.event);
        let there = gone.filter(|gone| n <= gone.published[producer.index()] && gone.event > sent);
        causes.extend(there.map(|gone| match gone.how {
            ChangeKind::Perishes => Cause::Transient,
            _ => Cause::QueueGone,
        }));
        causes.sort_unstable();
        causes.dedup();
    }
}

/// Collected whenever a finished copy was read again.
pub(super) fn doubled(view: &CopyView) -> Vec<Cause> {
    let bits = view.copy.again();
    let known = [
        (again::FORGOTTEN, Cause::ForgottenAck),
        (again::REQUEUED, Cause::Requeued),
        (again::ACK_LOST, Cause::AckLost),
        (again::REREAD, Cause::Reread),
        (again::REPUBLISHED, Cause::Republished),
    ];
    let found: Vec<Cause> =
        known.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, cause)| cause).collect();
    if found.is_empty() { vec![Cause::Unexplained] } else { found }
}
