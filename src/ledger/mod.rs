//! What happened: events in, rows and counts out.
//!
//! The [`Ledger`] has one owner, who gives it every event through [`Ledger::record`]. It knows
//! no clock and no network. What it cannot believe it writes down as a [`Violation`]. What
//! became of each copy is decided once, at the end, by [`Ledger::close`].

pub mod books;
mod changing;
pub mod counts;
mod crowding;
pub mod dead_letters;
mod deliveries;
pub mod event;
pub mod facts;
pub mod fates;
pub mod history;
pub mod lives;
pub mod messages;
pub mod outages;
pub mod paths;
mod placing;
pub mod progress;
mod recording;
pub mod rules;
mod schedule;
mod seeing;
pub mod series;
mod settled;
mod streams;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::ledger::changing::Changing;
use crate::ledger::crowding::Crowd;
use crate::ledger::dead_letters::Laters;
use crate::ledger::event::{ChangeId, ChangeKind, LifeId, MessageKey, Micros};
use crate::ledger::history::{History, Listener};
use crate::ledger::lives::Life;
use crate::ledger::messages::{Copy, Messages, Routes};
use crate::ledger::outages::{Outage, Strike};
use crate::ledger::paths::Paths;
use crate::ledger::progress::Progress;
use crate::ledger::rules::Rules;
use crate::ledger::schedule::Schedule;
use crate::ledger::series::Series;
use crate::ledger::streams::Readers;
use crate::plan::content::Content;
use crate::plan::model::{Confirms, ProducerId, QueueId, Variant, WorkerId};
use crate::plan::routing::Standing;

/// Something that cannot be: this program is wrong, or the broker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    pub what: String,
    pub message: Option<MessageKey>,
}

/// How many violations are kept; the rest is only counted.
const VIOLATIONS: usize = 20;

/// Everything that was observed in one run.
pub struct Ledger {
    plan: Arc<Variant>,
    changing: Changing,
    routes: Routes,
    producers: Vec<ProducerBook>,
    queues: Vec<QueueBook>,
    lives: Vec<Life>,
    /// Copies that a change of the topology made possible and that were seen.
    extras: BTreeMap<(MessageKey, QueueId), Copy>,
    /// Copies that came as dead letters.
    laters: Laters,
    /// The ways by which they came.
    paths: Arc<Paths>,
    readers: Readers,
    rules: Rules,
    /// Each time that the broker, or a node of it, was ended.
    outages: Vec<Outage>,
    /// Queues that are about to go with their broker: how many outages there had been before, and
    /// how many events.
    perishing: HashMap<ChangeId, (usize, u64)>,
    /// Faults upon workers that lived on.
    strikes: Vec<Strike>,
    /// Messages that were on their way when a queue was about to come.
    windows: Vec<Window>,
    /// Where a message was seen that must not be there.
    unexpected: BTreeMap<(MessageKey, QueueId), u64>,
    /// Messages that no producer of this run published.
    foreign: u64,
    /// Copies that were acked and came again, by the life that acked them: examples, and
    /// how many.
    suspects: BTreeMap<LifeId, (Vec<MessageKey>, u64)>,
    /// Copies that came to others while a life held them, likewise.
    early: BTreeMap<LifeId, (Vec<MessageKey>, u64)>,
    /// From whom to whom redelivered copies went.
    moves: HashMap<Move, u64>,
    /// Deliveries that broke the order of a producer's numbers.
    disorder: Vec<(MessageKey, WorkerId)>,
    disorder_count: u64,
    violations: Vec<Violation>,
    violation_count: u64,
    history: History,
    series: Series,
    live: Progress,
    /// How many events were recorded.
    events: u64,
}

/// From whom to whom a redelivered copy went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Move {
    /// `None` is somebody who never read it.
    pub from: Option<LifeId>,
    /// That one refused it and wanted it to come back.
    pub given_back: bool,
    pub to: WorkerId,
}

/// One producer instance.
struct ProducerBook {
    content: Content,
    messages: Messages,
    confirms: bool,
    /// Every number below is settled: answered, read or seen.
    open_from: u32,
    /// The first number of the channel in use.
    channel_from: u32,
    /// The first numbers of all its channels, the one in use last.
    channels: Vec<u32>,
    /// Numbers of earlier channels that the one in use published again.
    again: BTreeSet<u32>,
    /// Which of these came back on it.
    returned_again: BTreeSet<u32>,
    /// Sends beyond the first of a message.
    republished: u64,
    /// When a number was published for the last time, where that was not the first.
    last_sends: BTreeMap<u32, Resend>,
    /// Answers and returns of the channel in use.
    channel_answered: u32,
    channel_returned: u32,
    /// The channel is open.
    up: bool,
    /// Channels that died with publishes on the way: their first and last number.
    broken: Vec<(u32, u32)>,
    schedule: Schedule,
}

/// One queue.
struct QueueBook {
    /// Each time that the queue was verified gone, or was purged.
    gone: Vec<Gone>,
    /// For each producer the last number that must have a copy here, and how many may have one.
    last: Vec<u32>,
    routed: Vec<u32>,
    /// How many dead letters came here.
    arrived: u64,
    crowd: Option<Crowd>,
    drained: u64,
    /// Whether the drain saw it empty; `None` before.
    drain: Option<bool>,
    /// When that was.
    drained_at: Micros,
}

/// A message was published once more.
#[derive(Debug, Clone, Copy)]
struct Resend {
    at: Micros,
    /// Which event that was, counted over all.
    event: u64,
    /// The queues that it reached then.
    route: u32,
}

/// A queue lost what was in it.
struct Gone {
    /// How: purged, it stayed, and only what was ready went.
    how: ChangeKind,
    /// Which event that was, counted over all.
    event: u64,
    /// What had been published by then.
    published: Vec<u32>,
}

/// Messages that were on their way when a queue was about to come may have a copy there.
struct Window {
    queue: QueueId,
    producer: ProducerId,
    /// First and last numbers of spans.
    spans: Vec<(u32, u32)>,
    /// What stood then, and the queue.
    standing: Standing,
}

impl Ledger {
    /// An empty ledger for a run of `plan` on a broker of this version. Whoever reads messages
    /// tells their ways through `paths`.
    pub fn new(plan: Arc<Variant>, paths: Arc<Paths>, version: &str) -> Self {
        let producers = plan.producers.len();
        let limits = plan.topology.queues.iter().map(|queue| queue.max_length);
        let limits: Vec<Option<u64>> = limits.collect();
        let queue = |(index, _)| QueueBook {
            gone: Vec::new(),
            last: vec![0; producers],
            routed: vec![0; producers],
            arrived: 0,
            crowd: Crowd::of(&plan.topology, QueueId::from_index(index)),
            drained: 0,
            drain: None,
            drained_at: 0,
        };
        let live = Progress {
            messages: plan.producers.iter().map(|producer| producer.messages).sum(),
            confirms: plan.producers.iter().any(|producer| producer.confirms != Confirms::Off),
            ..Progress::default()
        };
        Self {
            changing: Changing::new(Arc::clone(&plan), version),
            routes: Routes::default(),
            producers: plan
                .producers
                .iter()
                .map(|producer| ProducerBook::new(producer, plan.seed))
                .collect(),
            queues: plan.topology.queues.iter().enumerate().map(queue).collect(),
            lives: Vec::new(),
            extras: BTreeMap::new(),
            laters: Laters::default(),
            paths,
            readers: Readers::default(),
            rules: Rules::of(version),
            outages: Vec::new(),
            perishing: HashMap::new(),
            strikes: Vec::new(),
            windows: Vec::new(),
            unexpected: BTreeMap::new(),
            foreign: 0,
            suspects: BTreeMap::new(),
            early: BTreeMap::new(),
            moves: HashMap::new(),
            disorder: Vec::new(),
            disorder_count: 0,
            violations: Vec::new(),
            violation_count: 0,
            history: History::default(),
            series: Series::new(producers, &limits, plan.workers.len()),
            live,
            events: 0,
            plan,
        }
    }

    /// Has somebody hear of everything from now on, to the end of the run.
    pub fn with_listener(mut self, listener: Option<Box<dyn Listener>>) -> Self {
        self.history.listener = listener;
        self
    }

    /// How far the run is; `elapsed` is the caller's to fill in.
    pub fn progress(&self) -> Progress {
        let at_work = |life: &&Life| life.is_live() && !life.is_frozen();
        let in_hand = self.lives.iter().filter(at_work).map(Life::in_hand).sum();
        Progress { in_hand, ..self.live }
    }

    fn violation(&mut self, message: Option<MessageKey>, what: impl Into<String>) {
        self.violation_count += 1;
        if self.violations.len() < VIOLATIONS {
            self.violations.push(Violation { what: what.into(), message });
        }
    }
}

impl ProducerBook {
    fn new(producer: &crate::plan::model::Producer, seed: u64) -> Self {
        Self {
            content: Content::new(producer, seed),
            messages: Messages::with_capacity(producer.messages),
            confirms: producer.confirms != Confirms::Off,
            open_from: 1,
            channel_from: 1,
            channels: Vec::new(),
            again: BTreeSet::new(),
            returned_again: BTreeSet::new(),
            republished: 0,
            last_sends: BTreeMap::new(),
            channel_answered: 0,
            channel_returned: 0,
            up: false,
            broken: Vec::new(),
            schedule: Schedule::new(producer.rate),
        }
    }

    /// The first number of the channel that published `n`.
    fn channel_of(&self, n: u32) -> u32 {
        self.channels.iter().rev().find(|first| **first <= n).copied().unwrap_or(1)
    }
}
