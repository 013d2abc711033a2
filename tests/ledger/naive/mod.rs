//! The books once more, by brute force: every count of the documentation computed from the
//! list of events with ordered maps. It shares the names of things with the ledger, and
//! nothing else; it is slow and believes everything.

mod outcomes;
mod topology;

use std::collections::{BTreeMap, BTreeSet};

use rmq_scenario::ledger::event::{ChangeId, ChangeKind, Event, LifeId, MessageKey, WorkEvent};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{ProducerId, QueueId, QueueKind, Variant, WorkerId};

use crate::simulated::Run;
use crate::simulated::broker::CopyKey;

pub type Numbers = BTreeMap<Count, u64>;

/// Beyond every event.
const NEVER: usize = usize::MAX;

pub struct Naive {
    pub totals: Numbers,
    pub queues: Vec<Numbers>,
    pub producers: Vec<Numbers>,
    pub workers: Vec<Numbers>,
    pub busy: Vec<u64>,
    pub disorder: u64,
    pub outcomes: BTreeMap<CopyKey, Count>,
}

/// Queue, kind, begin, end.
type Change = (QueueId, ChangeKind, usize, usize);

/// What of the events concerns messages and queues, by position in the list.
#[derive(Default)]
struct Timeline {
    published: BTreeMap<MessageKey, usize>,
    answered: BTreeMap<MessageKey, (usize, bool)>,
    returned: BTreeSet<MessageKey>,
    closed: BTreeMap<MessageKey, usize>,
    first_seen: BTreeMap<MessageKey, usize>,
    changes: BTreeMap<u32, Change>,
    seen: BTreeSet<CopyKey>,
    /// Changes that did not happen.
    dropped: BTreeSet<u32>,
    /// Of streams, by whom.
    read_by: BTreeSet<(WorkerId, CopyKey)>,
    finished_by: BTreeMap<(WorkerId, CopyKey), u64>,
    finished: BTreeMap<CopyKey, u64>,
    /// The last delivery of each that was read, in the broker's order, and refusals for good.
    last: BTreeMap<CopyKey, usize>,
    rejected: BTreeSet<(CopyKey, usize)>,
    drained: BTreeSet<CopyKey>,
    complete: BTreeMap<QueueId, bool>,
    republished: BTreeSet<MessageKey>,
    /// When the broker fell, and was down.
    outages: Vec<(usize, usize)>,
}

/// One subscription.
struct Life {
    worker: WorkerId,
    queue: QueueId,
    tags: BTreeMap<u64, CopyKey>,
    unacked: BTreeSet<u64>,
    began: u64,
    in_work: bool,
}

struct Counting<'a> {
    plan: &'a Variant,
    run: &'a Run,
    /// What the books say of copies that are gone: by a rule, or lost.
    told: &'a BTreeMap<CopyKey, Count>,
    /// Stays whose successor was seen.
    left: BTreeSet<CopyKey>,
    line: Timeline,
    lives: BTreeMap<LifeId, Life>,
    channels: BTreeMap<ProducerId, Vec<MessageKey>>,
    /// Of a stream, for each subscription.
    highest: BTreeMap<(WorkerId, Option<LifeId>, ProducerId), u32>,
    naive: Naive,
}

/// Counts a run. Which rule took a copy that is gone, or whether it is lost, the books must
/// say; whether that is true is asked elsewhere.
pub fn count(run: &Run, events: &[Event], told: &BTreeMap<CopyKey, Count>) -> Naive {
    let plan = &*run.plan;
    let empty = |len: usize| vec![Numbers::new(); len];
    let naive = Naive {
        totals: Numbers::new(),
        queues: empty(plan.topology.queues.len()),
        producers: empty(plan.producers.len()),
        workers: empty(plan.workers.len()),
        busy: vec![0; plan.workers.len()],
        disorder: 0,
        outcomes: BTreeMap::new(),
    };
    let mut counting = Counting {
        plan,
        run,
        told,
        left: BTreeSet::new(),
        line: Timeline::default(),
        lives: BTreeMap::new(),
        channels: BTreeMap::new(),
        highest: BTreeMap::new(),
        naive,
    };
    for (index, event) in events.iter().enumerate() {
        counting.take(index, event);
    }
    let later = counting.trace();
    counting.publishes();
    counting.copies(later);
    counting.sum_up();
    counting.naive
}

fn add(numbers: &mut Numbers, count: Count) {
    *numbers.entry(count).or_default() += 1;
}

impl Counting<'_> {
    fn take(&mut self, index: usize, event: &Event) {
        match event {
            Event::Published { producer, first, count, .. } => {
                for n in *first..first + count {
                    let message = MessageKey { producer: *producer, n };
                    self.line.published.insert(message, index);
                    self.channels.entry(*producer).or_default().push(message);
                }
            }
            Event::Answered { producer, answers, .. } => {
                for answer in answers {
                    for n in answer.first..answer.first + answer.count {
                        let message = MessageKey { producer: *producer, n };
                        self.line.answered.insert(message, (index, answer.ack));
                    }
                }
            }
            Event::Returned { message, .. } => {
                self.line.returned.insert(*message);
            }
            Event::ProducerEnded { producer, end, .. } => {
                for message in self.channels.remove(producer).unwrap_or_default() {
                    if end.closed {
                        self.line.closed.insert(message, index);
                    }
                }
            }
            Event::ChangeBegun { change: ChangeId(id), queue, kind, .. } => {
                self.line.changes.insert(*id, (*queue, *kind, index, NEVER));
            }
            Event::ChangeEnded { change: ChangeId(id), .. } => {
                self.line.changes.get_mut(id).expect("it began").3 = index;
            }
            Event::Replied { .. } => unreachable!("nobody asks anything"),
            Event::Republished { producer, numbers, .. } => {
                let again = numbers.iter().map(|&n| MessageKey { producer: *producer, n });
                self.line.republished.extend(again);
                let republished = &mut self.naive.producers[producer.index()];
                *republished.entry(Count::Republished).or_default() += numbers.len() as u64;
            }
            Event::ChangeDropped { change: ChangeId(id), .. } => {
                self.line.changes.get_mut(id).expect("it began").3 = index;
                self.line.dropped.insert(*id);
            }
            Event::Struck { .. }
            | Event::Hindered { .. }
            | Event::LifeDropped { .. }
            | Event::Acted { .. }
            | Event::Parted { .. }
            | Event::Rejoined { .. }
            | Event::BrokerRose { .. } => {}
            Event::BrokerFell { .. } => self.line.outages.push((index, NEVER)),
            Event::BrokerDown { .. } => {
                self.line.outages.last_mut().expect("it fell").1 = index;
            }
            Event::Excused { .. } => unreachable!("there are no probes"),
            Event::Drained { .. } | Event::DrainEnded { .. } => self.take_drain(index, event),
            Event::LifeStarted { .. } | Event::LifeEnded { .. } | Event::Worked { .. } => {
                self.take_work(index, event);
            }
            Event::ProducerStarted { .. } | Event::LifeRead { .. } | Event::LifeNoticed { .. } => {}
        }
    }

    fn take_drain(&mut self, index: usize, event: &Event) {
        match event {
            Event::Drained { queue, messages } => {
                for seen in messages.iter().flatten() {
                    self.line.first_seen.entry(seen.message).or_insert(index);
                    let way = self.run.way(seen.path);
                    self.line.drained.insert((seen.message, *queue, way));
                }
            }
            Event::DrainEnded { queue, complete, .. } => {
                self.line.complete.insert(*queue, *complete);
            }
            _ => unreachable!("it is no drain"),
        }
    }

    fn take_work(&mut self, index: usize, event: &Event) {
        match event {
            Event::LifeStarted { life, worker, .. } => {
                let queue = self.plan.workers[worker.index()].queue;
                let life_book = Life {
                    worker: *worker,
                    queue,
                    tags: BTreeMap::new(),
                    unacked: BTreeSet::new(),
                    began: 0,
                    in_work: false,
                };
                self.lives.insert(*life, life_book);
            }
            Event::Worked { life, events } => {
                for event in events {
                    self.step(index, *life, event.at, event.what);
                }
            }
            Event::LifeEnded { life, at, .. } => {
                let life = self.lives.get_mut(life).expect("it began");
                if std::mem::take(&mut life.in_work) {
                    self.naive.busy[life.worker.index()] += at - life.began;
                }
            }
            _ => unreachable!("it is no work"),
        }
    }

    fn step(&mut self, index: usize, id: LifeId, at: u64, what: WorkEvent) {
        let life = self.lives.get_mut(&id).expect("it began");
        let (worker, queue) = (life.worker, life.queue);
        let stream = self.run.kind(queue) == QueueKind::Stream;
        let mut both = |count: Count| {
            add(&mut self.naive.workers[worker.index()], count);
            if count != Count::Acked {
                add(&mut self.naive.queues[queue.index()], count);
            }
        };
        match what {
            WorkEvent::Read { tag, message: Some(seen), redelivered } => {
                let message = seen.message;
                let copy = (message, queue, self.run.way(seen.path));
                both(Count::Deliveries);
                life.tags.insert(tag, copy.clone());
                life.unacked.insert(tag);
                self.line.first_seen.entry(message).or_insert(index);
                if redelivered {
                    both(Count::Redelivered);
                } else {
                    let one = stream.then_some(id);
                    let highest = self.highest.entry((worker, one, message.producer)).or_default();
                    self.naive.disorder += u64::from(message.n <= *highest);
                    *highest = message.n.max(*highest);
                }
                let order = self.run.truth.order.get(&(id.index(), tag)).copied();
                let last = self.line.last.entry(copy.clone()).or_default();
                *last = order.unwrap_or_default().max(*last);
                let read_by = self.line.read_by.insert((worker, copy.clone()));
                let first = self.line.seen.insert(copy);
                if !if stream { read_by } else { first } {
                    both(Count::Repeats);
                }
            }
            WorkEvent::Read { message: None, .. } => unreachable!("a run has no foreign messages"),
            WorkEvent::Rejected { tag, requeue } => {
                add(&mut self.naive.workers[worker.index()], Count::Rejected);
                life.in_work = false;
                life.unacked.remove(&tag);
                self.naive.busy[worker.index()] += at - life.began;
                if !requeue {
                    let order = self.run.truth.order.get(&(id.index(), tag)).copied();
                    let copy = life.tags[&tag].clone();
                    self.line.rejected.insert((copy, order.unwrap_or_default()));
                }
            }
            WorkEvent::Begun { .. } => {
                both(Count::Begun);
                (life.began, life.in_work) = (at, true);
            }
            WorkEvent::Finished { tag } => {
                both(Count::Finished);
                life.in_work = false;
                self.naive.busy[worker.index()] += at - life.began;
                let copy = &life.tags[&tag];
                *self.line.finished.entry(copy.clone()).or_default() += 1;
                *self.line.finished_by.entry((worker, copy.clone())).or_default() += 1;
            }
            WorkEvent::Acked { tag, multiple } => {
                let from = if multiple { 0 } else { tag };
                let covered: Vec<u64> = life.unacked.range(from..=tag).copied().collect();
                for tag in covered {
                    life.unacked.remove(&tag);
                    both(Count::Acked);
                }
            }
        }
    }
}
