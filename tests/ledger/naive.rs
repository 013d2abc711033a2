//! The books once more, by brute force: every count of the documentation computed from the
//! list of events with ordered maps. It shares the names of things with the ledger, and
//! nothing else; it is slow and believes everything.

use std::collections::{BTreeMap, BTreeSet};

use rmq_scenario::ledger::event::{ChangeId, ChangeKind, Event, LifeId, MessageKey, WorkEvent};
use rmq_scenario::plan::count::{COPY_OUTCOMES, Count};
use rmq_scenario::plan::model::{Confirms, ExchangeRef, ProducerId, QueueId, Variant, WorkerId};
use rmq_scenario::plan::pattern::Pattern;

use crate::simulated::broker::{CopyKey, routes};

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

/// What of the events concerns messages and queues, by position in the list.
#[derive(Default)]
struct Timeline {
    published: BTreeMap<MessageKey, usize>,
    answered: BTreeMap<MessageKey, (usize, bool)>,
    returned: BTreeSet<MessageKey>,
    closed: BTreeMap<MessageKey, usize>,
    first_seen: BTreeMap<MessageKey, usize>,
    /// Queue, kind, begin, end.
    changes: BTreeMap<u32, (QueueId, ChangeKind, usize, usize)>,
    seen: BTreeSet<CopyKey>,
    finished: BTreeMap<CopyKey, u64>,
    drained: BTreeSet<CopyKey>,
    complete: BTreeMap<QueueId, bool>,
}

/// One subscription.
struct Life {
    worker: WorkerId,
    queue: QueueId,
    tags: BTreeMap<u64, MessageKey>,
    unacked: BTreeSet<u64>,
    began: u64,
    in_work: bool,
}

struct Counting<'a> {
    plan: &'a Variant,
    line: Timeline,
    lives: BTreeMap<LifeId, Life>,
    channels: BTreeMap<ProducerId, Vec<MessageKey>>,
    highest: BTreeMap<(WorkerId, ProducerId), u32>,
    naive: Naive,
}

pub fn count(plan: &Variant, events: &[Event]) -> Naive {
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
        line: Timeline::default(),
        lives: BTreeMap::new(),
        channels: BTreeMap::new(),
        highest: BTreeMap::new(),
        naive,
    };
    for (index, event) in events.iter().enumerate() {
        counting.take(index, event);
    }
    counting.publishes();
    counting.copies();
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
            Event::Republished { .. } => unreachable!("nobody connects again"),
            Event::ChangeDropped { .. } => unreachable!("every change happens"),
            Event::Excused { .. } => unreachable!("there are no probes"),
            Event::Drained { queue, messages } => {
                for message in messages.iter().flatten() {
                    let message = &message.message;
                    self.line.first_seen.entry(*message).or_insert(index);
                    self.line.drained.insert((*message, *queue));
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
        let mut both = |count: Count| {
            add(&mut self.naive.workers[worker.index()], count);
            if count != Count::Acked {
                add(&mut self.naive.queues[queue.index()], count);
            }
        };
        match what {
            WorkEvent::Read { tag, message: Some(seen), redelivered } => {
                let message = seen.message;
                both(Count::Deliveries);
                life.tags.insert(tag, message);
                life.unacked.insert(tag);
                self.line.first_seen.entry(message).or_insert(index);
                if redelivered {
                    both(Count::Redelivered);
                } else {
                    let highest = self.highest.entry((worker, message.producer)).or_default();
                    self.naive.disorder += u64::from(message.n <= *highest);
                    *highest = message.n.max(*highest);
                }
                if !self.line.seen.insert((message, queue)) {
                    both(Count::Repeats);
                }
            }
            WorkEvent::Read { message: None, .. } => unreachable!("a run has no foreign messages"),
            WorkEvent::Rejected { .. } => unreachable!("nobody rejects anything"),
            WorkEvent::Begun { .. } => {
                both(Count::Begun);
                (life.began, life.in_work) = (at, true);
            }
            WorkEvent::Finished { tag } => {
                both(Count::Finished);
                life.in_work = false;
                self.naive.busy[worker.index()] += at - life.began;
                *self.line.finished.entry((life.tags[&tag], queue)).or_default() += 1;
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

    /// Whether a change of the queue overlaps the span.
    fn changes(&self, queue: QueueId, (from, to): (usize, usize)) -> bool {
        self.line.changes.values().any(|&(q, _, begin, end)| q == queue && begin < to && end > from)
    }

    /// Whether the queue is there, at a moment when it does not change.
    fn stands(&self, queue: QueueId, at: usize) -> bool {
        let before = self.line.changes.values().filter(|change| change.0 == queue && change.2 < at);
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
            let there = self.stands(queue, at) || self.changes(queue, (at, at));
            let possible = self.binds(message, queue) && there;
            let sure = possible && !self.changes(queue, self.on_its_way(message));
            !sure && !self.is_seen((message, queue)) && (!possible || returned)
        })
    }

    fn queues(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0..self.plan.topology.queues.len()).map(QueueId::from_index)
    }

    fn is_seen(&self, copy: CopyKey) -> bool {
        self.line.seen.contains(&copy) || self.line.drained.contains(&copy)
    }

    fn copies(&mut self) {
        let messages: Vec<MessageKey> = self.line.published.keys().copied().collect();
        for message in messages {
            for queue in self.queues() {
                self.copy((message, queue));
            }
        }
    }

    fn copy(&mut self, copy: CopyKey) {
        let (message, queue) = copy;
        let span = self.on_its_way(message);
        let optional = self.changes(queue, span);
        let expected = self.binds(message, queue)
            && if optional { self.is_seen(copy) } else { self.stands(queue, span.0) };
        if !expected {
            if self.is_seen(copy) {
                add(&mut self.naive.totals, Count::Unexpected);
            }
            return;
        }
        let outcome = self.outcome(copy);
        self.naive.outcomes.insert(copy, outcome);
        let numbers = &mut self.naive.queues[queue.index()];
        add(numbers, Count::Expected);
        add(numbers, outcome);
        if self.line.drained.contains(&copy) {
            add(numbers, Count::StillQueued);
        }
        if self.line.finished.get(&copy).is_some_and(|&times| times > 1) {
            add(numbers, Count::Duplicates);
        }
        add(&mut self.naive.producers[message.producer.index()], outcome);
    }

    fn outcome(&self, copy: CopyKey) -> Count {
        let answer = self.line.answered.get(&copy.0).map(|(_, ack)| *ack);
        let seen = self.is_seen(copy);
        let unsure = answer.is_none() && self.confirms(copy.0) && !seen;
        let undrained = !self.line.complete.get(&copy.1).copied().unwrap_or(false);
        if self.line.finished.contains_key(&copy) {
            Count::Delivered
        } else if self.line.drained.contains(&copy) {
            Count::Remaining
        } else if answer == Some(false) && !seen {
            Count::TurnedAway
        } else if unsure || undrained {
            Count::InDoubt
        } else {
            Count::Lost
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
        for worker in &self.naive.workers {
            let acked = worker.get(&Count::Acked).copied().unwrap_or(0);
            *self.naive.totals.entry(Count::Acked).or_default() += acked;
        }
    }
}
