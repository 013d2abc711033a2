//! Runs written by hand, event by event; what actors count of themselves is counted along.

use std::collections::BTreeMap;
use std::sync::Arc;

use rmq_scenario::ledger::Ledger;
use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::{
    Answer, ChangeId, ChangeKind, Event, Hindrance, LifeEnd, LifeId, LifeTotals, MessageKey,
    Micros, ProducerEnd, Sighting, Stamped, WorkEvent,
};
use rmq_scenario::ledger::facts::Facts;
use rmq_scenario::ledger::paths::{Death, Paths};
use rmq_scenario::plan::model::{
    AckMode, FaultId, KillHow, NodeId, ProducerId, QueueId, StopHow, Variant, WorkerId,
};
use rmq_scenario::verdict::causes::each;
use rmq_scenario::verdict::judge;
use rmq_scenario::verdict::model::VariantReport;

use crate::build::{Draft, scenario};

pub const CRASH: LifeEnd = LifeEnd::Killed(KillHow::Crash);
pub const P: ProducerId = ProducerId(0);

pub fn message(n: u32) -> MessageKey {
    MessageKey { producer: P, n }
}

/// A run in the making. The clock stands still until it is told to go on.
pub struct Script {
    version: &'static str,
    pub plan: Arc<Variant>,
    pub events: Vec<Event>,
    pub at: Micros,
    pub paths: Arc<Paths>,
    lives: Vec<(WorkerId, LifeTotals, u64)>,
    ends: BTreeMap<ProducerId, ProducerEnd>,
    changes: u32,
}

impl Script {
    pub fn new(draft: &Draft) -> Self {
        let plan = draft.arc();
        let (events, lives) = (Vec::new(), Vec::new());
        Self {
            version: "4.3.6",
            plan,
            events,
            at: 0,
            paths: Arc::default(),
            lives,
            ends: BTreeMap::new(),
            changes: 0,
        }
    }

    /// The same on another broker.
    pub fn on(self, version: &'static str) -> Self {
        Self { version, ..self }
    }

    pub fn wait(&mut self, micros: Micros) {
        self.at += micros;
    }

    pub fn start(&mut self, producer: ProducerId) {
        let end =
            ProducerEnd { closed: true, published: 0, republished: 0, answered: 0, returned: 0 };
        self.ends.insert(producer, end);
        self.events.push(Event::ProducerStarted { producer, reconnected: false, at: self.at });
    }

    pub fn publish(&mut self, producer: ProducerId, first: u32, count: u32) {
        self.ends.get_mut(&producer).expect("it started").published += count;
        self.events.push(Event::Published { producer, first, count, at: self.at });
    }

    pub fn answer(&mut self, producer: ProducerId, first: u32, count: u32, ack: bool) {
        self.ends.get_mut(&producer).expect("it started").answered += count;
        let answers = vec![Answer { first, count, ack }];
        self.events.push(Event::Answered { producer, answers, at: self.at });
    }

    pub fn give_back(&mut self, message: MessageKey) {
        self.ends.get_mut(&message.producer).expect("it started").returned += 1;
        self.events.push(Event::Returned { message, at: self.at });
    }

    /// Publishes `1..=count` with every answer, and closes in good order.
    pub fn publish_all(&mut self, producer: ProducerId, count: u32, confirms: bool) {
        self.start(producer);
        self.publish(producer, 1, count);
        if confirms {
            self.answer(producer, 1, count, true);
        }
        self.end(producer, true);
    }

    pub fn end(&mut self, producer: ProducerId, closed: bool) {
        let end = ProducerEnd { closed, ..self.ends[&producer] };
        self.events.push(Event::ProducerEnded { producer, end, at: self.at });
    }

    pub fn subscribe(&mut self, worker: WorkerId) -> LifeId {
        let life = LifeId(u16::try_from(self.lives.len()).expect("few lives"));
        self.lives.push((worker, LifeTotals::default(), 0));
        self.events.push(Event::LifeStarted { life, worker, at: self.at });
        life
    }

    pub fn work(&mut self, life: LifeId, what: WorkEvent) {
        let events = vec![Stamped { at: self.at, what }];
        self.events.push(Event::Worked { life, events });
    }

    pub fn read_from(&mut self, life: LifeId, message: Option<MessageKey>, redelivered: bool) {
        let totals = &mut self.lives[life.index()].1;
        totals.read += 1;
        let tag = totals.read;
        let message = message.map(Sighting::from);
        self.work(life, WorkEvent::Read { tag, message, redelivered });
    }

    /// Reads a dead letter that came by this way, the last step first.
    pub fn read_dead(&mut self, life: LifeId, n: u32, way: &[Death]) {
        let seen = Sighting { message: message(n), path: self.paths.read(way) };
        self.read_sighting(life, seen);
    }

    pub fn read_sighting(&mut self, life: LifeId, seen: Sighting) {
        self.see(life, seen, false);
    }

    pub fn reread_sighting(&mut self, life: LifeId, seen: Sighting) {
        self.see(life, seen, true);
    }

    fn see(&mut self, life: LifeId, seen: Sighting, redelivered: bool) {
        let totals = &mut self.lives[life.index()].1;
        totals.read += 1;
        let tag = totals.read;
        self.work(life, WorkEvent::Read { tag, message: Some(seen), redelivered });
    }

    pub fn read(&mut self, life: LifeId, n: u32) {
        self.read_from(life, Some(message(n)), false);
    }

    pub fn reread(&mut self, life: LifeId, n: u32) {
        self.read_from(life, Some(message(n)), true);
    }

    pub fn begin(&mut self, life: LifeId) {
        let totals = &mut self.lives[life.index()].1;
        totals.begun += 1;
        let tag = totals.begun;
        self.work(life, WorkEvent::Begun { tag });
    }

    pub fn finish(&mut self, life: LifeId) {
        let totals = &mut self.lives[life.index()].1;
        totals.finished += 1;
        let tag = totals.finished + totals.rejected;
        self.work(life, WorkEvent::Finished { tag });
    }

    /// Begins work on the next one and refuses it.
    pub fn reject(&mut self, life: LifeId, requeue: bool) {
        self.begin(life);
        self.reject_begun(life, requeue);
    }

    pub fn reject_begun(&mut self, life: LifeId, requeue: bool) {
        let (_, totals, settled) = &mut self.lives[life.index()];
        totals.rejected += 1;
        *settled += 1;
        let tag = totals.finished + totals.rejected;
        self.work(life, WorkEvent::Rejected { tag, requeue });
    }

    /// Acks the next tag that is not acked.
    pub fn ack(&mut self, life: LifeId) {
        let (_, totals, acked) = &mut self.lives[life.index()];
        totals.acks += 1;
        *acked += 1;
        let tag = *acked;
        self.work(life, WorkEvent::Acked { tag, multiple: false });
    }

    /// Begins, works and finishes as this worker's ack mode says.
    pub fn complete(&mut self, life: LifeId) {
        let ack = self.plan.workers[self.lives[life.index()].0.index()].ack;
        self.begin(life);
        if ack == AckMode::Early {
            self.ack(life);
        }
        self.finish(life);
        if matches!(ack, AckMode::Manual { .. }) {
            self.ack(life);
        }
    }

    pub fn end_life(&mut self, life: LifeId, how: LifeEnd) {
        let totals = self.lives[life.index()].1;
        self.events.push(Event::LifeEnded { life, how, totals, at: self.at });
    }

    pub fn life_read(&mut self, life: LifeId) {
        self.events.push(Event::LifeRead { life, at: self.at });
    }

    pub fn life_noticed(&mut self, life: LifeId) {
        self.events.push(Event::LifeNoticed { life, at: self.at });
    }

    /// The broker is told to end; these queues are young.
    pub fn fall(&mut self, how: StopHow, young: &[QueueId]) {
        let (node, young) = (None, young.to_vec());
        self.events.push(Event::BrokerFell { how, node, young, at: self.at });
    }

    /// It ends, and answers again.
    pub fn restart(&mut self, how: StopHow) {
        self.fall(how, &[]);
        self.down();
        self.rise();
    }

    /// One node of it does.
    pub fn restart_node(&mut self, how: StopHow, node: NodeId) {
        let node = Some(node);
        self.events.push(Event::BrokerFell { how, node, young: Vec::new(), at: self.at });
        self.events.push(Event::BrokerDown { at: self.at });
        self.events.push(Event::BrokerRose { node, at: self.at });
    }

    pub fn part(&mut self, node: NodeId) {
        self.events.push(Event::Parted { node, at: self.at });
    }

    pub fn rejoin(&mut self, node: NodeId) {
        self.events.push(Event::Rejoined { node, at: self.at });
    }

    pub fn down(&mut self) {
        self.events.push(Event::BrokerDown { at: self.at });
    }

    pub fn rise(&mut self) {
        self.events.push(Event::BrokerRose { node: None, at: self.at });
    }

    pub fn hinder(&mut self, life: LifeId, by: Option<Hindrance>) {
        self.events.push(Event::Hindered { life, by });
    }

    pub fn strike(&mut self, life: LifeId) {
        self.events.push(Event::Struck { fault: FaultId(0), life, at: self.at });
    }

    pub fn republish(&mut self, producer: ProducerId, numbers: &[u32]) {
        let numbers = numbers.to_vec();
        let end = self.ends.get_mut(&producer).expect("it started");
        end.republished += u32::try_from(numbers.len()).expect("few numbers");
        self.events.push(Event::Republished { producer, numbers, at: self.at });
    }

    /// The connection is lost, and there is another one.
    pub fn reconnect(&mut self, producer: ProducerId) {
        self.end(producer, false);
        self.start(producer);
    }

    pub fn begin_change(&mut self, queue: QueueId, kind: ChangeKind) -> ChangeId {
        let change = ChangeId(self.changes);
        self.changes += 1;
        self.events.push(Event::ChangeBegun { change, queue, kind, at: self.at });
        change
    }

    pub fn end_change(&mut self, change: ChangeId) {
        self.events.push(Event::ChangeEnded { change, at: self.at });
    }

    /// The queue comes, or goes, with nothing in between.
    pub fn change(&mut self, queue: QueueId, kind: ChangeKind) {
        let change = self.begin_change(queue, kind);
        self.end_change(change);
    }

    pub fn drain_dead(&mut self, queue: QueueId, found: &[(u32, &[Death])]) {
        let sighting = |&(n, way): &(u32, &[Death])| {
            Some(Sighting { message: message(n), path: self.paths.read(way) })
        };
        let messages: Vec<_> = found.iter().map(sighting).collect();
        let total = messages.len() as u64;
        self.events.push(Event::Drained { queue, messages });
        self.events.push(Event::DrainEnded { queue, complete: true, total, at: self.at });
    }

    pub fn drain(&mut self, queue: QueueId, numbers: &[u32]) {
        let messages: Vec<_> = numbers.iter().map(|n| Some(message(*n).into())).collect();
        let total = messages.len() as u64;
        if total > 0 {
            self.events.push(Event::Drained { queue, messages });
        }
        self.events.push(Event::DrainEnded { queue, complete: true, total, at: self.at });
    }

    /// Whether the run would be over now.
    pub fn is_final(&self) -> bool {
        self.ledger().is_final()
    }

    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::new(Arc::clone(&self.plan), Arc::clone(&self.paths), self.version);
        for event in &self.events {
            ledger.record(event.clone());
        }
        ledger
    }

    /// Closes the books; queues that were not drained are found empty.
    pub fn books(&self) -> Books {
        let mut ledger = self.ledger();
        for index in 0..self.plan.topology.queues.len() {
            let queue = QueueId::from_index(index);
            let drained = |event: &Event| matches!(event, Event::DrainEnded { queue: done, .. } if *done == queue);
            if !self.events.iter().any(drained) {
                ledger.record(Event::DrainEnded { queue, complete: true, total: 0, at: self.at });
            }
        }
        ledger.close()
    }

    /// The books of a run in which nothing impossible happened.
    pub fn sound_books(&self) -> Books {
        let books = self.books();
        assert_eq!(books.violations, [], "{:#?}", self.events);
        books
    }

    /// What the first violation says.
    pub fn violation(&self) -> String {
        let books = self.books();
        let first = books.violations.first().expect("something impossible happened");
        first.what.clone()
    }

    pub fn report(&self, facts: &Facts) -> VariantReport {
        let books = self.books();
        judge(&scenario((*self.plan).clone()), &self.plan, &books, facts)
    }
}

/// The causes of one message's copy in a queue, `lost` or `duplicates` alike.
pub fn causes(books: &Books, n: u32, queue: QueueId) -> Vec<&'static str> {
    let mut found = Vec::new();
    each(books, |view, _, causes, _| {
        if view.message == message(n) && view.queue == queue {
            found.extend(causes.iter().map(|cause| cause.name()));
        }
    });
    found
}
