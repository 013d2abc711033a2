//! The one owner of the ledger, and how everybody else reaches it.
//!
//! Events go through one queue. Whoever records an event before acting on the world knows
//! that every event which that act causes is recorded after it.

use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::ledger::Ledger;
use crate::ledger::event::{Event, Micros};
use crate::ledger::progress::Progress;

/// How many batches may wait for the ledger before their senders do.
const QUEUE: usize = 1024;
/// How many the ledger takes in one go.
const GULP: usize = 64;

/// How a run stands, as the ledger knows it.
#[derive(Debug, Clone)]
pub struct Pulse {
    pub progress: Progress,
    /// When something last happened to a message.
    pub last_activity: Instant,
    /// How often something happened to a message; equal numbers mean that nothing did.
    pub activity: u64,
    /// Whether some live worker of each queue can still be sent something.
    pub able: Vec<bool>,
    /// How many deliveries of each queue somebody holds who lives.
    pub held: Vec<u64>,
}

enum Request {
    Event(Event),
    Pulse(oneshot::Sender<Pulse>),
    IsFinal(oneshot::Sender<bool>),
    IsOutstanding(oneshot::Sender<bool>),
    LastExpiry(oneshot::Sender<Micros>),
}

/// A way to the ledger; cheap to clone.
#[derive(Debug, Clone)]
pub struct Scribe(mpsc::Sender<Request>);

/// What the owner hands back when the last [`Scribe`] is gone.
pub struct Written {
    pub ledger: Ledger,
    /// The time of the last event of a message.
    pub last_event: Micros,
}

impl Scribe {
    /// Starts the owner of the ledger.
    pub fn start(ledger: Ledger) -> (Self, JoinHandle<Written>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        (Self(sender), tokio::spawn(keep(ledger, receiver)))
    }

    /// Adds an event. When this returns, its place in the order is settled.
    pub async fn record(&self, event: Event) {
        // The owner lives as long as any scribe; only a panic of its own ends it before, and
        // that panic is reported where its handle is joined.
        let _ = self.0.send(Request::Event(event)).await;
    }

    /// How the run stands after everything recorded so far.
    pub async fn pulse(&self) -> Option<Pulse> {
        self.ask(Request::Pulse).await
    }

    /// Whether no outcome can change any more.
    pub async fn is_final(&self) -> bool {
        self.ask(Request::IsFinal).await.unwrap_or(false)
    }

    /// Whether a copy must still show up in some queue.
    pub async fn is_outstanding(&self) -> bool {
        self.ask(Request::IsOutstanding).await.unwrap_or(false)
    }

    /// When the last message expires that its publisher lets expire.
    pub async fn last_expiry(&self) -> Micros {
        self.ask(Request::LastExpiry).await.unwrap_or(0)
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.0.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

async fn keep(ledger: Ledger, mut requests: mpsc::Receiver<Request>) -> Written {
    let mut owner = Owner { ledger, last_activity: Instant::now(), activity: 0, last_event: 0 };
    let mut gulp = Vec::with_capacity(GULP);
    while requests.recv_many(&mut gulp, GULP).await > 0 {
        for request in gulp.drain(..) {
            owner.serve(request);
        }
    }
    Written { ledger: owner.ledger, last_event: owner.last_event }
}

struct Owner {
    ledger: Ledger,
    last_activity: Instant,
    activity: u64,
    last_event: Micros,
}

impl Owner {
    fn serve(&mut self, request: Request) {
        match request {
            Request::Event(event) => {
                if let Some(at) = time_of(&event) {
                    self.last_activity = Instant::now();
                    self.activity += 1;
                    self.last_event = self.last_event.max(at);
                }
                self.ledger.record(event);
            }
            // Whoever asked may have been cut off meanwhile.
            Request::Pulse(reply) => drop(reply.send(self.pulse())),
            Request::IsFinal(reply) => drop(reply.send(self.ledger.is_final())),
            Request::IsOutstanding(reply) => drop(reply.send(self.ledger.is_outstanding())),
            Request::LastExpiry(reply) => drop(reply.send(self.ledger.last_expiry())),
        }
    }

    fn pulse(&self) -> Pulse {
        Pulse {
            progress: self.ledger.progress(),
            last_activity: self.last_activity,
            activity: self.activity,
            able: self.ledger.able(),
            held: self.ledger.held(),
        }
    }
}

/// When something happened to a message; `None` for events about anything else.
fn time_of(event: &Event) -> Option<Micros> {
    match event {
        Event::Published { at, .. }
        | Event::Republished { at, .. }
        | Event::Answered { at, .. }
        | Event::Returned { at, .. }
        | Event::Replied { at, .. } => Some(*at),
        Event::Worked { events, .. } => events.last().map(|event| event.at),
        _ => None,
    }
}
