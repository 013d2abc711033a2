//! Writing publishes: a chunk at a time, each recorded before it is written.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::options::BasicPublishOptions;
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Error, PublisherConfirm};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use crate::broker::{Link, header};
use crate::ledger::event::{Event, MessageKey};
use crate::ledger::facts::Effect;
use crate::plan::model::{Confirms, ExchangeId, ExchangeRef, KillHow};
use crate::plan::routing::{Envelope, route};
use crate::run::identity;
use crate::run::producer::answers::Waiting;
use crate::run::producer::asking::REPLY_TO;
use crate::run::producer::{Ending, Life};
use crate::run::stage::{Blow, Command, Stage, lock};
use crate::run::tally::{Action, Watch};
use crate::run::worker::PATIENCE;

/// A chunk ends when its bodies have so many bytes together: they are copied into frames, and
/// wait in memory until the socket takes them.
const CHUNK_BYTES: usize = 1 << 20;

impl Life {
    /// Publishes the next `count` messages, or as many of them as have room in a chunk.
    pub async fn publish(&mut self, count: u32) -> Result<(), Ending> {
        let first = self.next;
        let count = self.render(first, count);
        let (producer, at) = (self.id, self.stage.clock.now());
        self.ask(first);
        self.stage.scribe.record(Event::Published { producer, first, count, at }).await;
        let confirms = self.write(first, count).await?;
        let sent = Instant::now();
        self.next += count;
        self.in_batch += u64::from(count);
        self.stage.producers[self.id.index()].published.store(self.next - 1, Ordering::SeqCst);
        if let Some(patience) = self.patience() {
            let numbered = (first..).zip(confirms);
            let until = sent + patience;
            self.waiting.extend(numbered.map(|(n, confirm)| Waiting { n, until, confirm }));
        } else if self.plan().mandatory {
            self.hear_returns().await;
        }
        let watch = self.published.clone();
        let due = self.count(&watch, first, count);
        self.fire(due).await
    }

    /// Makes the bodies of the next chunk: at least one and at most `count`, and no more once
    /// they are large. How many there are.
    fn render(&mut self, first: u32, count: u32) -> u32 {
        let mut bytes = 0;
        for (n, body) in (first..first + count).zip(&mut self.bodies) {
            self.content.body(u64::from(n), body);
            bytes += body.len();
            if bytes >= CHUNK_BYTES {
                return n + 1 - first;
            }
        }
        count
    }

    /// What one large body took is not kept for the next.
    fn tidy_up(&mut self) {
        for body in self.bodies.iter_mut().filter(|body| body.capacity() > CHUNK_BYTES) {
            *body = Vec::new();
        }
    }

    /// Writes a chunk; the first poll of each publish queues its frames, so the order holds.
    async fn write(&mut self, first: u32, count: u32) -> Result<Vec<PublisherConfirm>, Ending> {
        let bodies = std::mem::take(&mut self.bodies);
        let standing = self.standing(count);
        let mut publishes = Vec::with_capacity(bodies.len());
        for (n, body) in (first..first + count).zip(&bodies) {
            let (exchange, key, options, properties) = self.envelope(n);
            publishes.push(self.channel.basic_publish(exchange, key, options, body, properties));
        }
        let written = {
            let mut writing = pin!(join_all(publishes));
            let mut bystander = Bystander {
                stage: &self.stage,
                link: &self.link,
                standing,
                frozen: &mut self.frozen,
            };
            tokio::select! {
                biased;
                written = &mut writing => Ok(written),
                command = next_ending(&mut self.control, &mut bystander) => {
                    // A goodbye would overtake the publishes that are queued. Only a crash does
                    // not wait for them.
                    let crash = matches!(command, Command::Kill { how: KillHow::Crash, .. });
                    let rest = if crash { None } else { timeout(PATIENCE, writing).await.ok() };
                    let torn = !rest.is_some_and(|rest| rest.iter().all(Result::is_ok));
                    Err((command, torn))
                }
            }
        };
        self.bodies = bodies;
        self.tidy_up();
        match written {
            Ok(written) => {
                let confirms: Result<Vec<_>, Error> = written.into_iter().collect();
                confirms.map_err(|error| self.published_in_vain(count, error))
            }
            Err((command, torn)) => {
                // Handed over; torn, nobody knows how much of it reached the socket.
                self.torn = torn;
                self.next += count;
                self.remember();
                Err(self.obey(command).await.unwrap_or(Ending::Finished))
            }
        }
    }

    /// Where message `n` goes, and how.
    pub(super) fn envelope(
        &self,
        n: u32,
    ) -> (ShortString, ShortString, BasicPublishOptions, BasicProperties) {
        let options = BasicPublishOptions { mandatory: self.plan().mandatory, immediate: false };
        (self.exchange.clone(), self.routing_key(n), options, self.properties(n))
    }

    /// How long a confirm is waited for; `None` where none is asked for.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.plan().confirms {
            Confirms::Off => None,
            Confirms::Window { timeout, .. } | Confirms::Batch { timeout, .. } => Some(timeout),
        }
    }

    fn published_in_vain(&mut self, count: u32, error: Error) -> Ending {
        self.orphans.extend(self.next..self.next + count);
        self.next += count;
        self.remember();
        Ending::Failed(error)
    }

    fn remember(&self) {
        self.stage.producers[self.id.index()].published.store(self.next - 1, Ordering::SeqCst);
    }

    fn routing_key(&self, n: u32) -> ShortString {
        let key = self.content.routing_key(u64::from(n));
        let by_name = self.plan().to.exchange == ExchangeRef::Declared(ExchangeId(0));
        let queues = &self.stage.plan.topology.queues;
        match queues.iter().find(|queue| by_name && queue.name == key && !queue.temporary) {
            Some(queue) => self.stage.space.queue_name(queue).as_str().into(),
            None => key.as_ref().into(),
        }
    }

    fn properties(&self, n: u32) -> BasicProperties {
        let message = MessageKey { producer: self.id, n };
        let id = identity::write(&self.stage.run, message);
        let mut properties = BasicProperties::default()
            .with_delivery_mode(if self.plan().persistent { 2 } else { 1 })
            .with_message_id(id.clone());
        if let Some(priority) = self.content.priority(u64::from(n)) {
            properties = properties.with_priority(priority);
        }
        if let Some(ttl) = self.content.ttl(u64::from(n)) {
            properties = properties.with_expiration(ttl.as_millis().to_string().into());
        }
        if self.requests.is_some() {
            properties = properties.with_reply_to(REPLY_TO.into()).with_correlation_id(id);
        }
        if self.plan().headers.is_empty() {
            return properties;
        }
        let mut table = FieldTable::default();
        for (name, value) in self.content.headers(u64::from(n)) {
            table.insert(name.as_str().into(), header(&value));
        }
        properties.with_headers(table)
    }

    /// Counts publishes or answers; the actions that are due.
    pub fn count(&self, watch: &Watch, first: u32, count: u32) -> Vec<Action> {
        if watch.is_idle() {
            return Vec::new();
        }
        self.stage.tallies.count(watch, u64::from(count), |queue| {
            let ExchangeRef::Declared(exchange) = self.plan().to.exchange else { return false };
            let key = self.content.routing_key(u64::from(first));
            let headers = self.content.headers(u64::from(first));
            let envelope = Envelope { exchange, routing_key: &key, headers: &headers };
            let standing = lock(&self.stage.standing);
            route(&self.stage.plan.topology, &standing, envelope).contains(&queue)
        })
    }
}

/// What can befall a producer in the middle of a write that it lives through. A write may take
/// long, when the broker takes nothing.
struct Bystander<'a> {
    stage: &'a Arc<Stage>,
    link: &'a Arc<Link>,
    standing: Effect,
    frozen: &'a mut bool,
}

impl Bystander<'_> {
    /// It stands still when the write is over.
    fn struck(&mut self, blow: Blow, done: oneshot::Sender<Effect>) {
        *self.frozen |= blow == Blow::Freeze;
        if blow == Blow::Disconnect {
            // The write may end before the broker has answered.
            let (stage, link) = (Arc::clone(self.stage), Arc::clone(self.link));
            let standing = self.standing.clone();
            tokio::spawn(async move {
                if let Err(error) = stage.space.disconnect(&link).await {
                    stage.blame(error);
                }
                // The fault's task may have been cut off.
                let _ = done.send(standing);
            });
            return;
        }
        let _ = done.send(self.standing.clone());
    }
}

/// The next command that ends a producer in the middle of a write.
async fn next_ending(
    control: &mut mpsc::Receiver<Command>,
    bystander: &mut Bystander<'_>,
) -> Command {
    loop {
        match control.recv().await {
            Some(command @ (Command::Kill { .. } | Command::Finish { .. })) => return command,
            Some(Command::Strike { blow, done, .. }) => bystander.struck(blow, done),
            Some(Command::Recover { blow: Blow::Freeze, .. }) => *bystander.frozen = false,
            Some(_) => {}
            None => return Command::Finish { cut: true, left: oneshot::channel().0 },
        }
    }
}
