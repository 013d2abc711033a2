//! The books once more, by brute force: every count of the documentation computed from the
//! list of events with ordered maps. It shares the names of things with the ledger, and
//! nothing else; it is slow and believes everything.

use std::collections::{BTreeMap, BTreeSet};

use rmq_scenario::ledger::event::{ChangeId, ChangeKind, Event, LifeId, MessageKey, WorkEvent};
use rmq_scenario::plan::count::{COPY_OUTCOMES, Count};
use rmq_scenario::plan::model::{
    Confirms, ExchangeRef, ProducerId, QueueId, QueueKind, Variant, WorkerId,
};
use rmq_scenario::plan::pattern::Pattern;

use crate::simulated::Run;
use crate::simulated::broker::{CopyKey, first_stay, routes};

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
            Event::Struck { .. } | Event::Hindered { .. } | Event::BrokerRose { .. } => {}
            Event::BrokerFell { .. } => self.line.outages.push((index, NEVER)),
            Event::BrokerDown { .. } => {
                self.line.outages.last_mut().expect("it fell").1 = index;
            }
            Event::Excused { .. } => unreachable!("there are no probes"),
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
            Event::LifeStarted { .. } | Event::LifeEnded { .. } | Event::Worked { .. } => {
                self.take_work(index, event);
            }
            Event::ProducerStarted { .. } | Event::LifeRead { .. } | Event::LifeNoticed { .. } => {}
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

    fn confirms(&self, message: MessageKey) -> bool {
        self.plan.producers[message.producer.index()].confirms != Confirms::Off
    }

    /// From its publish to its answer; with confirms off, to the close of its channel or until
    /// it is seen.
    fn on_its_way(&self, message: MessageKey) -> (usize, usize) {
        let line = &self.line;
        let end = if self.confirms(message) {
            line.answered.get(&message).map_or(NEVER, |(index, _)| *index)
        } else {
            let closed = line.closed.get(&message).copied().unwrap_or(NEVER);
            closed.min(line.first_seen.get(&message).copied().unwrap_or(NEVER))
        };
        (line.published[&message], end)
    }

    fn binds(&self, message: MessageKey, queue: QueueId) -> bool {
        let to = &self.plan.producers[message.producer.index()].to;
        let ExchangeRef::Declared(exchange) = to.exchange else { return false };
        let key = match &to.routing_key {
            Pattern::Always(key) => key,
            Pattern::Cycle(keys) => &keys[(message.n as usize - 1) % keys.len()],
            other => unreachable!("a run has no {other:?}"),
        };
        routes(self.plan, exchange, key, queue)
    }

    /// Whether the exchange goes, or is gone, that it was published to at this moment.
    fn exchange(&self, message: MessageKey, at: usize) -> (bool, bool) {
        let to = &self.plan.producers[message.producer.index()].to;
        let ExchangeRef::Declared(exchange) = to.exchange else { return (false, true) };
        let exchange = &self.plan.topology.exchanges[exchange.index()];
        if exchange.durable || exchange.name.is_empty() {
            return (false, false);
        }
        let mut outages = self.line.outages.iter();
        let goes = self.line.outages.iter().any(|&(fell, down)| fell < at && at < down);
        (goes, outages.any(|&(_, down)| down < at))
    }

    /// Whether a change of the queue overlaps the span.
    fn changes(&self, queue: QueueId, (from, to): (usize, usize)) -> bool {
        self.line.changes.values().any(|&(q, _, begin, end)| q == queue && begin < to && end > from)
    }

    fn comes(&self, queue: QueueId, at: usize) -> bool {
        let mut changes = self.line.changes.values();
        changes.any(|&(q, kind, begin, end)| {
            q == queue && kind == ChangeKind::Comes && begin < at && end > at
        })
    }

    /// Whether the queue is there, at a moment when it does not change.
    fn stands(&self, queue: QueueId, at: usize) -> bool {
        self.newest(queue, |&(_, _, begin, _)| begin < at)
    }

    /// The same as far as changes have ended by then.
    fn stood(&self, queue: QueueId, at: usize) -> bool {
        self.newest(queue, |&(_, _, _, end)| end < at)
    }

    fn newest(&self, queue: QueueId, counts: impl Fn(&Change) -> bool) -> bool {
        let happened = self.line.changes.iter().filter(|(id, _)| !self.line.dropped.contains(id));
        let before = happened
            .map(|(_, change)| change)
            .filter(|change| change.0 == queue && change.1 != ChangeKind::Purged && counts(change));
        match before.max_by_key(|change| change.2) {
            Some((_, kind, ..)) => *kind == ChangeKind::Comes,
            None => self.plan.topology.queues[queue.index()].owner.is_none(),
        }
    }

    fn publishes(&mut self) {
        for &message in self.line.published.keys() {
            let confirms = self.confirms(message);
            let outcome = match self.line.answered.get(&message) {
                _ if !confirms => Count::Unchecked,
                Some((_, true)) => Count::Confirmed,
                Some((_, false)) => Count::Refused,
                None => Count::Unconfirmed,
            };
            let returned = self.line.returned.contains(&message);
            let unroutable = self.is_unroutable(message);
            let numbers = &mut self.naive.producers[message.producer.index()];
            add(numbers, Count::Published);
            add(numbers, outcome);
            for count in [(returned, Count::Returned), (unroutable, Count::Unroutable)] {
                if count.0 {
                    add(numbers, count.1);
                }
            }
        }
    }

    /// No queue could be found for it when it was published, or none was, since it came back;
    /// and none has it.
    fn is_unroutable(&self, message: MessageKey) -> bool {
        let at = self.line.published[&message];
        let returned = self.line.returned.contains(&message);
        self.queues().all(|queue| {
            let there = self.stood(queue, at) || self.comes(queue, at);
            let (goes, gone) = self.exchange(message, at);
            let possible = self.binds(message, queue) && there && !gone;
            let sure = possible && !goes && !self.changes(queue, self.on_its_way(message));
            !sure && !self.is_seen(&first_stay(message, queue)) && (!possible || returned)
        })
    }

    fn queues(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0..self.plan.topology.queues.len()).map(QueueId::from_index)
    }

    fn is_seen(&self, copy: &CopyKey) -> bool {
        let line = &self.line;
        line.seen.contains(copy) || line.drained.contains(copy) || self.left.contains(copy)
    }

    /// Whoever was seen as a dead letter has left where it was before, and so on.
    fn trace(&mut self) -> BTreeSet<CopyKey> {
        let seen = self.line.seen.iter().chain(&self.line.drained);
        let mut later: BTreeSet<CopyKey> =
            seen.filter(|copy| !copy.2.is_empty()).cloned().collect();
        let mut next: Vec<CopyKey> = later.iter().cloned().collect();
        while let Some(copy) = next.pop() {
            let parent = self.run.parents[&copy].clone();
            if !parent.2.is_empty() && later.insert(parent.clone()) {
                next.push(parent.clone());
            }
            self.left.insert(parent);
        }
        later
    }

    fn copies(&mut self, later: BTreeSet<CopyKey>) {
        let messages: Vec<MessageKey> = self.line.published.keys().copied().collect();
        for message in messages {
            for queue in self.queues() {
                self.copy(first_stay(message, queue));
            }
        }
        for copy in later {
            self.expected(copy);
        }
        for (worker, plan) in self.plan.workers.iter().enumerate() {
            let by = self.line.finished_by.iter();
            let twice = by.filter(|((who, _), times)| who.index() == worker && **times > 1);
            if self.run.kind(plan.queue) == QueueKind::Stream {
                let doubled = twice.count() as u64;
                *self.naive.queues[plan.queue.index()].entry(Count::Duplicates).or_default() +=
                    doubled;
            }
        }
    }

    fn copy(&mut self, copy: CopyKey) {
        let (message, queue, _) = copy;
        let span = self.on_its_way(message);
        let (goes, gone) = self.exchange(message, span.0);
        let optional = goes || self.changes(queue, span);
        let expected = self.binds(message, queue)
            && !gone
            && if optional { self.is_seen(&copy) } else { self.stands(queue, span.0) };
        if !expected {
            if self.is_seen(&copy) {
                add(&mut self.naive.totals, Count::Unexpected);
            }
            return;
        }
        self.expected(copy);
    }

    fn expected(&mut self, copy: CopyKey) {
        let (message, queue) = (copy.0, copy.1);
        let outcome = self.outcome(&copy);
        self.naive.outcomes.insert(copy.clone(), outcome);
        let numbers = &mut self.naive.queues[queue.index()];
        add(numbers, Count::Expected);
        add(numbers, outcome);
        if self.line.drained.contains(&copy) {
            add(numbers, Count::StillQueued);
        }
        let twice = self.line.finished.get(&copy).is_some_and(|&times| times > 1);
        if twice && self.run.kind(queue) != QueueKind::Stream {
            add(numbers, Count::Duplicates);
        }
        add(&mut self.naive.producers[message.producer.index()], outcome);
    }

    /// Refused for good by the worker that had it last. Where there may be two of it that nothing
    /// tells apart, either may have been the last.
    fn is_rejected(&self, copy: &CopyKey) -> bool {
        let last = self.line.last.get(copy).copied().unwrap_or_default();
        let mut refusals = self.line.rejected.iter().filter(|(refused, _)| refused == copy);
        match self.run.truth.may_be_two(copy) {
            true => refusals.next().is_some() && self.told.get(copy) == Some(&Count::Rejected),
            false => refusals.any(|(_, order)| *order == last),
        }
    }

    fn outcome(&self, copy: &CopyKey) -> Count {
        let answer = self.line.answered.get(&copy.0).map(|(_, ack)| *ack);
        let seen = self.is_seen(copy);
        let unsure = answer.is_none() && self.confirms(copy.0) && !seen;
        let undrained = !self.line.complete.get(&copy.1).copied().unwrap_or(false);
        if self.line.finished.contains_key(copy) {
            Count::Delivered
        } else if self.left.contains(copy) {
            Count::DeadLettered
        } else if self.is_rejected(copy) {
            Count::Rejected
        } else if self.line.drained.contains(copy) {
            Count::Remaining
        } else if answer == Some(false) && !seen {
            Count::TurnedAway
        } else if unsure || undrained {
            Count::InDoubt
        } else {
            match self.told.get(copy) {
                Some(rule @ (Count::Expired | Count::Dropped | Count::OverLimit)) => *rule,
                _ => Count::Lost,
            }
        }
    }

    fn sum_up(&mut self) {
        for queue in &self.naive.queues {
            for (count, n) in queue {
                *self.naive.totals.entry(*count).or_default() += n;
            }
        }
        for producer in &self.naive.producers {
            for (count, n) in producer.iter().filter(|(count, _)| !COPY_OUTCOMES.contains(count)) {
                *self.naive.totals.entry(*count).or_default() += n;
            }
        }
        // As an outcome of copies `rejected` was summed up above.
        for worker in &self.naive.workers {
            let acked = worker.get(&Count::Acked).copied().unwrap_or(0);
            *self.naive.totals.entry(Count::Acked).or_default() += acked;
        }
    }
}
