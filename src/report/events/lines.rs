//! One run's lines, made as the ledger hears of things.

use std::io::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use super::Events;
use crate::ledger::event::{ChangeId, ChangeKind, Event, LifeId, Micros};
use crate::ledger::history::{Listener, Step, StepKind};
use crate::plan::model::{NodeId, QueueId, StopHow, Variant, WorkerId};

/// Lines are handed over in chunks of about so many bytes,
const CHUNK: usize = 64 * 1024;
/// or when the first of them is so old, as the run counts.
const DELAY: Micros = 200_000;

/// The listener of one run.
pub struct Lines {
    run: u32,
    plan: Arc<Variant>,
    to: Events,
    /// What a line of each producer has between its event and the message's number.
    producers: Vec<Vec<u8>>,
    /// What a line of each subscription has after that.
    lives: Vec<Vec<u8>>,
    workers: Vec<WorkerId>,
    changes: Vec<(ChangeId, QueueId, ChangeKind)>,
    chunk: Vec<u8>,
    /// The time of the latest line: what is found at the end bears no time of its own.
    latest: Micros,
    /// The time of the chunk's first line.
    since: Option<Micros>,
}

impl Lines {
    pub fn new(run: u32, plan: Arc<Variant>, to: Events) -> Self {
        let producer = |name: &String| format!(",\"producer\":{},\"n\":", json!(name)).into_bytes();
        Self {
            run,
            to,
            producers: plan.producers.iter().map(|it| producer(&it.name)).collect(),
            lives: Vec::new(),
            workers: Vec::new(),
            changes: Vec::new(),
            chunk: Vec::with_capacity(CHUNK + CHUNK / 4),
            latest: 0,
            since: None,
            plan,
        }
    }

    fn worker(&self, life: LifeId) -> Option<&str> {
        let worker = self.workers.get(life.index())?;
        Some(&self.plan.workers[worker.index()].name)
    }

    fn queue(&self, queue: QueueId) -> &str {
        &self.plan.topology.queues[queue.index()].name
    }

    fn put(&mut self, bytes: &[u8]) {
        self.chunk.extend_from_slice(bytes);
    }

    fn number(&mut self, number: impl itoa::Integer) {
        let mut buffer = itoa::Buffer::new();
        self.chunk.extend_from_slice(buffer.format(number).as_bytes());
    }

    /// `{"run":1,"at_us":12,"event":"deliver"`, by hand: there are millions of them.
    fn open(&mut self, at: Micros, event: &str) {
        self.put(b"{\"run\":");
        self.number(self.run);
        self.put(b",\"at_us\":");
        self.number(at);
        self.put(b",\"event\":\"");
        self.put(event.as_bytes());
        self.put(b"\"");
    }

    fn close(&mut self, at: Micros) {
        self.latest = self.latest.max(at);
        self.put(b"}\n");
        let since = *self.since.get_or_insert(at);
        if self.chunk.len() >= CHUNK || at.saturating_sub(since) >= DELAY {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.since = None;
        if !self.chunk.is_empty() {
            let next = Vec::with_capacity(CHUNK + CHUNK / 4);
            self.to.send(std::mem::replace(&mut self.chunk, next));
        }
    }

    /// A line about anything but a message; `more` is an object.
    fn about(&mut self, at: Micros, event: &str, more: &Value) {
        self.open(at, event);
        for (name, value) in more.as_object().into_iter().flatten() {
            // Writing to a vector cannot fail.
            let _ = write!(self.chunk, ",{}:{value}", json!(name));
        }
        self.close(at);
    }

    fn consumer(&mut self, at: Micros, life: LifeId, worker: WorkerId) {
        let plan = &self.plan.workers[worker.index()];
        let more = json!({
            "worker": plan.name, "consumer": life.0, "queue": self.queue(plan.queue),
        });
        let names = ["worker", "consumer", "queue"];
        let fixed = names.map(|name| format!(",\"{name}\":{}", more[name])).concat();
        self.workers.push(worker);
        self.lives.push(fixed.into_bytes());
        self.about(at, "consumer_started", &more);
    }

    fn change(&mut self, at: Micros, id: ChangeId, state: &str) {
        let Some(&(_, queue, kind)) = self.changes.iter().find(|(known, ..)| *known == id) else {
            return;
        };
        let kind = match kind {
            ChangeKind::Comes => "declared",
            ChangeKind::Goes => "gone",
            ChangeKind::Perishes => "lost with the broker",
            ChangeKind::Purged => "purged",
        };
        let more = json!({ "queue": self.queue(queue), "change": kind, "state": state });
        self.about(at, "queue", &more);
    }
}

/// Its lines are handed over however the run ends.
impl Drop for Lines {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Listener for Lines {
    fn step(&mut self, step: &Step) {
        let (event, life, more): (_, Option<LifeId>, &[u8]) = match step.kind {
            StepKind::Published => ("publish", None, b""),
            StepKind::Republished => ("publish", None, b",\"again\":true"),
            StepKind::Confirmed => ("confirm", None, b""),
            StepKind::Refused => ("nack", None, b""),
            StepKind::Returned => ("return", None, b""),
            StepKind::Replied => ("reply", None, b""),
            StepKind::Read { life, redelivered: false } => {
                ("deliver", Some(life), b",\"redelivered\":false")
            }
            StepKind::Read { life, redelivered: true } => {
                ("deliver", Some(life), b",\"redelivered\":true")
            }
            StepKind::Begun(life) => ("begin", Some(life), b""),
            StepKind::Finished(life) => ("finish", Some(life), b""),
            StepKind::Acked(life) => ("ack", Some(life), b""),
            StepKind::Rejected { life, requeue: true } => {
                ("reject", Some(life), b",\"requeue\":true")
            }
            StepKind::Rejected { life, requeue: false } => {
                ("reject", Some(life), b",\"requeue\":false")
            }
            StepKind::Found(_) => ("found", None, b""),
        };
        let at = if let StepKind::Found(_) = step.kind { self.latest } else { step.at };
        self.open(at, event);
        let producer = std::mem::take(&mut self.producers[step.message.producer.index()]);
        self.put(&producer);
        self.producers[step.message.producer.index()] = producer;
        self.number(step.message.n);
        if let Some(fixed) = life.and_then(|life| self.lives.get_mut(life.index())) {
            let fixed = std::mem::take(fixed);
            self.put(&fixed);
            self.lives[life.unwrap_or(LifeId(0)).index()] = fixed;
        }
        if let StepKind::Found(queue) = step.kind {
            let queue = json!(self.queue(queue)).to_string();
            self.put(b",\"queue\":");
            self.put(queue.as_bytes());
        }
        self.put(more);
        self.close(at);
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::ProducerStarted { producer, reconnected, at } => {
                let name = &self.plan.producers[producer.index()].name;
                let more = json!({ "producer": name, "reconnected": reconnected });
                self.about(*at, "producer_connected", &more);
            }
            Event::ProducerEnded { producer, end, at } => {
                let name = &self.plan.producers[producer.index()].name;
                let more = json!({ "producer": name, "closed": end.closed });
                self.about(*at, "producer_disconnected", &more);
            }
            Event::LifeStarted { life, worker, at } => self.consumer(*at, *life, *worker),
            Event::LifeEnded { life, how, at, .. } => {
                let more = json!({
                    "worker": self.worker(*life), "consumer": life.0, "how": how.word(),
                });
                self.about(*at, "consumer_ended", &more);
            }
            Event::ChangeBegun { change, queue, kind, at } => {
                self.changes.push((*change, *queue, *kind));
                self.change(*at, *change, "requested");
            }
            Event::ChangeEnded { change, at } => self.change(*at, *change, "done"),
            Event::ChangeDropped { change, at } => self.change(*at, *change, "dropped"),
            Event::Acted { fault, at, done } => {
                let label = &self.plan.faults[fault.index()].label;
                let more = json!({ "fault": label, "done_us": done });
                self.about(*at, "fault", &more);
            }
            Event::BrokerFell { how, node, at, .. } => {
                let how = if *how == StopHow::Sigkill { "sigkill" } else { "graceful" };
                self.about(*at, "broker_ending", &json!({ "node": counted(*node), "how": how }));
            }
            Event::BrokerDown { at } => self.about(*at, "broker_down", &json!({})),
            Event::BrokerRose { node, at } => {
                self.about(*at, "broker_up", &json!({ "node": counted(*node) }));
            }
            Event::Parted { node, at } => {
                self.about(*at, "parted", &json!({ "node": node.index() + 1 }));
            }
            Event::Rejoined { node, at } => {
                self.about(*at, "rejoined", &json!({ "node": node.index() + 1 }));
            }
            Event::Hindered { .. }
            | Event::Published { .. }
            | Event::Republished { .. }
            | Event::Answered { .. }
            | Event::Returned { .. }
            | Event::Replied { .. }
            | Event::Worked { .. }
            | Event::LifeRead { .. }
            | Event::LifeNoticed { .. }
            | Event::LifeDropped { .. }
            | Event::Struck { .. }
            | Event::Drained { .. }
            | Event::DrainEnded { .. }
            | Event::Excused { .. } => {}
        }
    }
}

/// As the file counts; `null` is the whole broker.
fn counted(node: Option<NodeId>) -> Option<usize> {
    node.map(|node| node.index() + 1)
}
