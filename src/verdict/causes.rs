//! Why copies were lost or finished twice: decided from what was observed, never from what
//! the scenario was meant to show.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::books::{Books, CopyView};
use crate::ledger::event::{LifeId, MessageKey, Micros};
use crate::ledger::lives::Life;
use crate::ledger::messages::{NOBODY, again, copy_flag};
use crate::plan::count::Count;
use crate::plan::model::{AckMode, Confirms, ProducerId, QueueId};

/// A reason, by its name in files and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Cause {
    AutoAck,
    EarlyAck,
    QueueGone,
    NotSent,
    ForgottenAck,
    Requeued,
    AckLost,
    Unexplained,
}

impl Cause {
    pub fn name(self) -> &'static str {
        match self {
            Cause::AutoAck => "auto_ack",
            Cause::EarlyAck => "early_ack",
            Cause::QueueGone => "queue_gone",
            Cause::NotSent => "not_sent",
            Cause::ForgottenAck => "forgotten_ack",
            Cause::Requeued => "requeued",
            Cause::AckLost => "ack_lost",
            Cause::Unexplained => "unexplained",
        }
    }
}

/// How many messages of a group are kept as examples.
const EXAMPLES: usize = 5;

/// The copies of one outcome that share a set of causes, with who was involved.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub count: u64,
    pub lives: BTreeSet<LifeId>,
    pub queues: BTreeSet<QueueId>,
    pub producers: BTreeSet<ProducerId>,
    pub examples: Vec<MessageKey>,
}

/// `lost` and `duplicates`, by their causes.
#[derive(Debug, Clone, Default)]
pub struct Causes {
    pub groups: BTreeMap<(Count, Vec<Cause>), Group>,
}

impl Causes {
    /// Looks at every copy that is lost or was finished twice.
    pub fn find(books: &Books) -> Self {
        let mut causes = Self::default();
        each(books, |view, outcome, found, lives| causes.add(outcome, found, lives, view));
        causes
    }

    /// How many copies have the cause of that name.
    pub fn count(&self, name: &str) -> u64 {
        let with = self
            .groups
            .iter()
            .filter(|((_, causes), _)| causes.iter().any(|cause| cause.name() == name));
        with.map(|(_, group)| group.count).sum()
    }

    fn add(&mut self, outcome: Count, causes: Vec<Cause>, lives: Vec<LifeId>, view: &CopyView) {
        let group = self.groups.entry((outcome, causes)).or_default();
        group.count += 1;
        group.lives.extend(lives);
        group.queues.insert(view.queue);
        group.producers.insert(view.message.producer);
        if group.examples.len() < EXAMPLES {
            group.examples.push(view.message);
        }
    }
}

/// Tells of every copy that is lost or was finished twice: which of the two, why, and by
/// whose end.
pub fn each(books: &Books, mut tell: impl FnMut(&CopyView, Count, Vec<Cause>, Vec<LifeId>)) {
    let scene = Scene::new(books);
    for view in books.copies() {
        if view.outcome == Count::Lost {
            let (found, lives) = scene.lost(&view);
            tell(&view, Count::Lost, found, lives);
        }
        if view.copy.finished() > 1 {
            tell(&view, Count::Duplicates, doubled(&view), Vec::new());
        }
    }
}

/// What the search needs at hand for every copy.
struct Scene<'a> {
    books: &'a Books,
    /// Ended subscriptions under automatic acks, by queue.
    forgetful: Vec<Vec<&'a Life>>,
    /// By queue, when a consumer whose deliveries come back ended first.
    first_return: Vec<Option<Micros>>,
    /// For each producer's broken channels: first and last number, and the highest that arrived.
    broken: Vec<Vec<(u32, u32, u32)>>,
}

impl<'a> Scene<'a> {
    fn new(books: &'a Books) -> Self {
        let mut forgetful = vec![Vec::new(); books.plan.topology.queues.len()];
        let mut first_return: Vec<Option<Micros>> = vec![None; forgetful.len()];
        for life in books.lives() {
            let Some(end) = &life.end else { continue };
            let queue = life.queue.index();
            if life.ack == AckMode::Auto {
                forgetful[queue].push(life);
            } else if !life.holds_on() {
                let earlier = first_return[queue].map_or(end.at, |at| at.min(end.at));
                first_return[queue] = Some(earlier);
            }
        }
        let producers = (0..books.plan.producers.len()).map(ProducerId::from_index);
        let broken = producers.map(|producer| {
            let channels = books.broken(producer).iter();
            let arrived = |(first, last): &(u32, u32)| {
                (*first, *last, books.highest_arrived(producer, *first, *last))
            };
            channels.map(arrived).collect()
        });
        Self { books, forgetful, first_return, broken: broken.collect() }
    }

    fn lost(&self, view: &CopyView) -> (Vec<Cause>, Vec<LifeId>) {
        let mut causes = Vec::new();
        let mut lives = Vec::new();
        if view.copy.holder == NOBODY {
            self.unseen(view, &mut causes, &mut lives);
        } else {
            self.seen(view, &mut causes, &mut lives);
        }
        if causes.is_empty() {
            causes.push(Cause::Unexplained);
        }
        (causes, lives)
    }

    /// A worker read it, and it was not finished.
    fn seen(&self, view: &CopyView, causes: &mut Vec<Cause>, lives: &mut Vec<LifeId>) {
        let holder = self.books.life(LifeId(view.copy.holder));
        if holder.end.is_none() {
            return;
        }
        match holder.ack {
            AckMode::Auto => {
                causes.push(Cause::AutoAck);
                lives.push(holder.id);
            }
            AckMode::Early if view.copy.has(copy_flag::ACKED) => {
                causes.push(Cause::EarlyAck);
                lives.push(holder.id);
                // Where the broker may never have read the ack, it may as well have put the
                // copy back.
                if !holder.read_by_broker && !holder.holds_on() {
                    self.requeued(view, holder, causes, lives);
                }
            }
            // It was never acked, so it went back to its queue: what became of it there is
            // asked as of one that nobody read.
            _ => self.requeued(view, holder, causes, lives),
        }
    }

    fn requeued(
        &self,
        view: &CopyView,
        holder: &Life,
        causes: &mut Vec<Cause>,
        lives: &mut Vec<LifeId>,
    ) {
        let returned_at = holder.end.as_ref().map_or(0, |end| end.at);
        for life in &self.forgetful[view.queue.index()] {
            if !life.is_noticed(returned_at) {
                causes.push(Cause::AutoAck);
                lives.push(life.id);
            }
        }
        causes.dedup();
        self.queue_gone(view, causes);
    }

    /// Nobody read it.
    fn unseen(&self, view: &CopyView, causes: &mut Vec<Cause>, lives: &mut Vec<LifeId>) {
        let MessageKey { producer, n } = view.message;
        let channel = self.books.channel_of(view.message);
        for life in &self.forgetful[view.queue.index()] {
            // It may have been on its way to a consumer that ended, unless that consumer had
            // read a later one: a channel keeps the order of the queue. But a copy that came
            // back from another consumer, who never read it, may have been sent after later
            // ones.
            let in_time = life.sent_until.as_ref().is_none_or(|until| n <= until[producer.index()]);
            let in_order = n > life.highest_of_channel(producer, channel);
            if in_time && (in_order || self.came_back_before(life)) {
                causes.push(Cause::AutoAck);
                lives.push(life.id);
            }
        }
        causes.dedup();
        self.queue_gone(view, causes);
        let unchecked = self.books.plan.producers[producer.index()].confirms == Confirms::Off;
        let broken = self.broken[producer.index()].iter();
        let under = |&&(first, last, arrived): &&(u32, u32, u32)| {
            (first..=last).contains(&n) && n > arrived
        };
        if unchecked && broken.filter(under).count() > 0 {
            causes.push(Cause::NotSent);
        }
    }

    /// Whether copies came back to the queue of this life while it could be sent some.
    fn came_back_before(&self, life: &Life) -> bool {
        self.first_return[life.queue.index()].is_some_and(|at| !life.is_noticed(at))
    }

    fn queue_gone(&self, view: &CopyView, causes: &mut Vec<Cause>) {
        let MessageKey { producer, n } = view.message;
        let gone = self.books.gone(view.queue).iter();
        if gone.filter(|published| n <= published[producer.index()]).count() > 0 {
            causes.push(Cause::QueueGone);
        }
    }
}

/// Collected whenever a finished copy was read again.
fn doubled(view: &CopyView) -> Vec<Cause> {
    let bits = view.copy.again();
    let known = [
        (again::FORGOTTEN, Cause::ForgottenAck),
        (again::REQUEUED, Cause::Requeued),
        (again::ACK_LOST, Cause::AckLost),
    ];
    let found: Vec<Cause> =
        known.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, cause)| cause).collect();
    if found.is_empty() { vec![Cause::Unexplained] } else { found }
}
