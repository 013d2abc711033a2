//! What a page draws of a run: its lanes over time, and the ways of single messages.
//!
//! Of a run of few messages every one is here, with all that happened to it; of a larger one those
//! that were not plainly delivered come first, up to [`MOST`], and the rest is in the numbers over
//! time. Nothing here is judged: the report beside it says what it means.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::ledger::books::Books;
use crate::ledger::event::{LifeId, MessageKey, Micros};
use crate::ledger::facts::Facts;
use crate::ledger::history::{Step, StepKind};
use crate::plan::count::Count;
use crate::plan::model::{AckMode, QueueKind, Variant};

/// Of how many messages the whole way is told.
pub const MOST: usize = 1500;
/// In a larger run, so many that were plainly delivered are told of as examples.
const PLAIN: usize = 100;
/// How many steps are told in all.
const STEPS: usize = 40_000;

/// All that is drawn of one variant. Times are microseconds since the run began.
#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    pub end: Micros,
    /// How long a slot of the numbers over time is.
    pub slot: Micros,
    pub producers: Vec<ProducerLane>,
    pub queues: Vec<QueueLane>,
    pub workers: Vec<WorkerLane>,
    /// The mean time from the scheduled publish to the finish, by slot.
    pub latency: Vec<Option<u64>>,
    pub faults: Vec<FaultLine>,
    pub messages: Vec<Message>,
    /// Whether every message of the run is in `messages`, with all its steps.
    pub complete: bool,
    /// What was to run, for the drawing of its topology.
    #[serde(skip)]
    pub plan: Arc<Variant>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ProducerLane {
    pub name: String,
    pub published: Vec<u32>,
    pub confirmed: Vec<u32>,
}

#[derive(Debug, Clone, Serialize)]
pub struct QueueLane {
    pub name: String,
    /// `classic`, `quorum` or `stream`.
    pub kind: &'static str,
    /// What was there when that was the most in its slot, as the programs knew it.
    pub ready: Vec<u32>,
    pub unacked: Vec<u32>,
    pub delivered: Vec<u32>,
}

#[derive(Debug, Clone, Serialize)]
pub struct WorkerLane {
    pub name: String,
    /// An index into `queues`.
    pub queue: usize,
    pub ack: &'static str,
    pub finished: Vec<u32>,
    pub lives: Vec<LifeSpan>,
}

/// One subscription.
#[derive(Debug, Clone, Serialize)]
pub struct LifeSpan {
    /// By which steps name it.
    pub id: u16,
    pub from: Micros,
    pub to: Micros,
    /// `killed`, `stopped` … as the events say it.
    pub how: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct FaultLine {
    pub fault: String,
    pub at: Micros,
    /// When what it stopped worked again, or its time had passed.
    pub until: Option<Micros>,
    /// From when it acted to the first delivery after it had.
    pub recovered_after: Option<Micros>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Message {
    /// An index into `producers`, and the number of the publish, from 1.
    pub p: usize,
    pub n: u32,
    pub steps: Vec<Told>,
    pub copies: Vec<CopyFate>,
}

/// A step: when, what ([`word`]), and whose: a subscription's id, or an index of a queue.
#[derive(Debug, Clone, Serialize)]
pub struct Told(
    Micros,
    &'static str,
    #[serde(skip_serializing_if = "Option::is_none")] Option<usize>,
);

/// What became of a copy.
#[derive(Debug, Clone, Serialize)]
pub struct CopyFate {
    /// An index into `queues`.
    pub queue: usize,
    pub outcome: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<&'static str>,
    /// Whether it was delivered more than once,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// and finished more than once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub doubled: bool,
}

impl Picture {
    /// Of a run that is over.
    pub fn of(books: &Books, facts: &Facts) -> Self {
        let (plan, series) = (&books.plan, books.series());
        let slots = series.slots();
        let producers = plan.producers.iter().zip(&series.producers);
        let queues = plan.topology.queues.iter().zip(&series.queues);
        let end = facts.duration.max(series.last());
        let (messages, complete) = messages(books, end);
        Self {
            end,
            slot: series.width(),
            producers: producers
                .map(|(producer, over_time)| ProducerLane {
                    name: producer.name.clone(),
                    published: over_time.published.numbers(slots),
                    confirmed: over_time.confirmed.numbers(slots),
                })
                .collect(),
            queues: queues
                .enumerate()
                .map(|(index, (queue, over_time))| QueueLane {
                    name: queue.name.clone(),
                    kind: kind(queue.kind),
                    ready: settled(books, facts, index, over_time.ready(slots)),
                    unacked: over_time.unacked(slots),
                    delivered: over_time.delivered.numbers(slots),
                })
                .collect(),
            workers: workers(books, facts, slots),
            latency: series.latency(),
            faults: faults(books, facts),
            messages,
            complete,
            plan: Arc::clone(plan),
        }
    }
}

/// What was ready, less what turned out not to be there: of a queue where more seemed to be ready at
/// the end than there was, the rest went, by all that is known, when the first fault acted; where
/// there is none, bit by bit as it came.
fn settled(books: &Books, facts: &Facts, queue: usize, mut ready: Vec<u32>) -> Vec<u32> {
    let counts = &books.queues[queue];
    let left = u32::try_from(counts[Count::StillQueued]).unwrap_or(u32::MAX);
    let surplus = ready.last().copied().unwrap_or(0).saturating_sub(left);
    if surplus == 0 || books.plan.topology.queues[queue].kind == QueueKind::Stream {
        return ready;
    }
    let first = facts.faults.iter().filter_map(|fact| fact.at).min().unwrap_or(0);
    let from = usize::try_from(first / books.series().width()).unwrap_or(usize::MAX);
    for slot in ready.iter_mut().skip(from) {
        *slot = slot.saturating_sub(surplus);
    }
    ready
}

fn kind(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "classic",
        QueueKind::Quorum => "quorum",
        QueueKind::Stream => "stream",
    }
}

fn workers(books: &Books, facts: &Facts, slots: usize) -> Vec<WorkerLane> {
    let workers = books.plan.workers.iter().zip(&books.series().workers).enumerate();
    let lane = |(index, (worker, over_time)): (usize, (&crate::plan::model::Worker, _))| {
        let over_time: &crate::ledger::series::OfWorker = over_time;
        let lives = books.lives().iter().filter(|life| life.worker.index() == index);
        let span = |life: &crate::ledger::lives::Life| LifeSpan {
            id: life.id.0,
            from: life.started,
            to: life.end.as_ref().map_or(facts.duration, |end| end.at),
            how: life.end.as_ref().map_or("live", |end| end.how.word()),
        };
        WorkerLane {
            name: worker.name.clone(),
            queue: worker.queue.index(),
            ack: match worker.ack {
                AckMode::Auto => "auto",
                AckMode::Early => "early",
                AckMode::Manual { .. } => "manual",
                AckMode::Never => "never",
            },
            finished: over_time.finished.numbers(slots),
            lives: lives.map(span).collect(),
        }
    };
    workers.map(lane).collect()
}

fn faults(books: &Books, facts: &Facts) -> Vec<FaultLine> {
    let all = books.plan.faults.iter().zip(&facts.faults).enumerate();
    let acted = all.filter_map(|(index, (fault, fact))| {
        let id = crate::plan::model::FaultId::from_index(index);
        Some(FaultLine {
            fault: fault.label.clone(),
            at: fact.at?,
            until: fact.restarted,
            recovered_after: books.series().recovery(id),
        })
    });
    acted.collect()
}

/// The ways of messages, in their order; and whether these are all.
fn messages(books: &Books, end: Micros) -> (Vec<Message>, bool) {
    let total: u64 = books.producers.iter().map(|counts| counts[Count::Published]).sum();
    let (chosen, all) = choose(books, total);
    let mut steps: HashMap<MessageKey, Vec<&Step>> = HashMap::new();
    let mut told = 0;
    for step in books.steps().filter(|step| chosen.contains_key(&step.message)) {
        told += 1;
        if told > STEPS {
            break;
        }
        steps.entry(step.message).or_default().push(step);
    }
    let complete = all && told <= STEPS && !books.has_more_steps();
    let messages = chosen.into_iter().map(|(message, copies)| {
        let mut steps = steps.remove(&message).unwrap_or_default();
        steps.sort_by_key(|step| step.at);
        // What is found at the end bears no time of its own.
        let steps = steps.into_iter().map(|step| tell(step, end)).collect();
        Message { p: message.producer.index(), n: message.n, steps, copies }
    });
    (messages.collect(), complete)
}

type Chosen = BTreeMap<MessageKey, Vec<CopyFate>>;

/// All, where they are few; else those with a story.
fn choose(books: &Books, total: u64) -> (Chosen, bool) {
    let all = total <= MOST as u64;
    let mut chosen = Chosen::new();
    let mut plain: BTreeSet<MessageKey> = BTreeSet::new();
    if all {
        for (index, counts) in books.producers.iter().enumerate() {
            let producer = crate::plan::model::ProducerId::from_index(index);
            let last = u32::try_from(counts[Count::Published]).unwrap_or(u32::MAX);
            chosen.extend((1..=last).map(|n| (MessageKey { producer, n }, Vec::new())));
        }
    }
    for view in books.copies() {
        let doubled = view.copy.finished() > 1;
        let odd = view.outcome != Count::Delivered || doubled || view.copy.deliveries > 1;
        let known = chosen.contains_key(&view.message);
        let room = odd && chosen.len() < MOST || !odd && plain.len() < PLAIN;
        if !known && !room {
            continue;
        }
        if !odd && !known {
            plain.insert(view.message);
        }
        let (found, _) = books.causes(&view);
        chosen.entry(view.message).or_default().push(CopyFate {
            queue: view.queue.index(),
            outcome: view.outcome.name(),
            causes: found.into_iter().map(crate::ledger::fates::Cause::name).collect(),
            again: view.copy.deliveries > 1,
            doubled,
        });
    }
    (chosen, all)
}

fn tell(step: &Step, end: Micros) -> Told {
    let life = |life: LifeId| Some(life.index());
    let (what, whose) = match step.kind {
        StepKind::Published => ("published", None),
        StepKind::Republished => ("published again", None),
        StepKind::Confirmed => ("confirmed", None),
        StepKind::Refused => ("refused", None),
        StepKind::Returned => ("returned", None),
        StepKind::Replied => ("answered", None),
        StepKind::Read { life: id, redelivered: false } => ("delivered", life(id)),
        StepKind::Read { life: id, redelivered: true } => ("redelivered", life(id)),
        StepKind::Begun(id) => ("begun", life(id)),
        StepKind::Finished(id) => ("finished", life(id)),
        StepKind::Acked(id) => ("acked", life(id)),
        StepKind::Rejected { life: id, requeue: false } => ("rejected", life(id)),
        StepKind::Rejected { life: id, requeue: true } => ("given back", life(id)),
        StepKind::Found(queue) => ("found", Some(queue.index())),
    };
    Told(step.at.min(end), what, whose)
}
