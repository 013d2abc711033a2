//! One subscription of one worker, as a program of its own would run it: its own connection
//! and channel, read eagerly, worked on one message at a time in the order of arrival.
//!
//! One task does everything a worker does, so a kill can come only between two of its steps.
//! Events and acks of works that take no time are written in chunks.

mod leaving;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::{Channel, Consumer, Error};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::broker::Link;
use crate::ledger::event::{Event, LifeId, LifeTotals, MessageKey, Micros, Stamped, WorkEvent};
use crate::ledger::facts::Effect;
use crate::plan::content::WorkTime;
use crate::plan::model::{AckMode, KillHow, WorkerId};
use crate::run::acting;
use crate::run::departure::Departure;
use crate::run::identity;
use crate::run::stage::{Command, Stage, surface};
use crate::run::tally::Action;
use crate::run::trouble::Listener;
use crate::run::watches::{Watches, due, in_order};

/// How many works without duration are done before anybody else is listened to.
const CHUNK: usize = 256;
/// How many deliveries are read before anything else is done.
const READ: usize = 1024;
/// How many events are kept back before the ledger gets them.
const EVENTS: usize = 512;
/// No answer of a broker that works takes longer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A delivery that waits for its work.
#[derive(Debug, Clone, Copy)]
struct Item {
    tag: u64,
    message: Option<MessageKey>,
    dots: u32,
}

/// How a life ended.
pub enum Ending {
    Killed {
        how: KillHow,
        done: oneshot::Sender<Effect>,
    },
    Stopped {
        done: oneshot::Sender<()>,
    },
    Finished {
        cut: bool,
        left: oneshot::Sender<()>,
    },
    Failed(Error),
    /// The server ended the subscription.
    Cancelled,
}

impl Ending {
    /// Nobody is left who could tell it anything: the run is gone.
    fn forsaken() -> Self {
        Ending::Finished { cut: true, left: oneshot::channel().0 }
    }
}

/// A worker while it is subscribed.
pub struct Life {
    pub stage: Arc<Stage>,
    pub worker: WorkerId,
    pub id: LifeId,
    pub link: Link,
    pub channel: Channel,
    pub listener: Listener,
    pub control: mpsc::Receiver<Command>,
    consumer: Consumer,
    watches: Watches,
    time: WorkTime,
    ack: AckMode,
    backlog: VecDeque<Item>,
    events: Vec<Stamped>,
    pub totals: LifeTotals,
    /// Finished since the last ack was written.
    unacked: u64,
    last_finished: u64,
    /// The stream of deliveries has ended.
    ended: Option<Ending>,
    /// Its `stop` came: what is in hand is the last.
    pub stopping: Option<oneshot::Sender<()>>,
    /// Its end has begun.
    left: bool,
    /// Its queue goes because this subscription or its connection ends.
    pub departure: Option<Departure>,
}

/// What a life is made of.
pub struct Parts {
    pub stage: Arc<Stage>,
    pub worker: WorkerId,
    pub id: LifeId,
    pub link: Link,
    pub channel: Channel,
    pub listener: Listener,
    pub control: mpsc::Receiver<Command>,
    pub consumer: Consumer,
}

impl Life {
    pub fn new(parts: Parts) -> Self {
        let plan = &parts.stage.plan;
        Self {
            watches: Watches::new(&parts.stage, parts.worker),
            time: WorkTime::new(plan, parts.worker),
            ack: plan.workers[parts.worker.index()].ack,
            stage: parts.stage,
            worker: parts.worker,
            id: parts.id,
            link: parts.link,
            channel: parts.channel,
            listener: parts.listener,
            control: parts.control,
            consumer: parts.consumer,
            backlog: VecDeque::new(),
            events: Vec::new(),
            totals: LifeTotals::default(),
            unacked: 0,
            last_finished: 0,
            ended: None,
            stopping: None,
            left: false,
            departure: None,
        }
    }

    /// Works until something ends it.
    pub async fn live(&mut self) -> Ending {
        loop {
            self.read_ready();
            if self.events.len() >= EVENTS {
                self.flush().await;
            }
            if let Some(ending) = self.listen_without_waiting().await {
                return ending;
            }
            let result = match self.backlog.pop_front() {
                Some(item) => self.turn(item).await,
                None => self.wait().await,
            };
            if let Err(ending) = result {
                return ending;
            }
        }
    }

    /// Takes every delivery that has arrived.
    fn read_all(&mut self) {
        while let (None, Some(next)) = (&self.ended, self.consumer.next().now_or_never()) {
            self.take(next);
        }
    }

    /// Takes what has arrived, and after many leaves the rest for later.
    fn read_ready(&mut self) {
        for _ in 0..READ {
            match self.consumer.next().now_or_never() {
                Some(next) if self.ended.is_none() => self.take(next),
                _ => break,
            }
        }
    }

    fn take(&mut self, next: Option<Result<Delivery, Error>>) {
        match next {
            Some(Ok(delivery)) => self.read(&delivery),
            Some(Err(error)) => self.ended = Some(Ending::Failed(error)),
            None => self.ended = Some(Ending::Cancelled),
        }
    }

    fn read(&mut self, delivery: &Delivery) {
        let sighting = identity::sighting(&self.stage, &delivery.properties);
        let message = sighting.map(|sighting| sighting.message);
        let tag = delivery.delivery_tag;
        let redelivered = delivery.redelivered;
        self.note(WorkEvent::Read { tag, message: sighting, redelivered });
        self.totals.read += 1;
        let dots = if self.time.counts_dots() { dots(&delivery.data) } else { 0 };
        self.backlog.push_back(Item { tag, message, dots });
    }

    fn note(&mut self, what: WorkEvent) {
        let at = self.stage.clock.now();
        self.events.push(Stamped { at, what });
    }

    /// Gives the ledger what was kept back.
    pub async fn flush(&mut self) {
        if !self.events.is_empty() {
            let events = std::mem::take(&mut self.events);
            self.stage.scribe.record(Event::Worked { life: self.id, events }).await;
        }
    }

    async fn listen_without_waiting(&mut self) -> Option<Ending> {
        if let Ok(command) = self.control.try_recv()
            && let Some(ending) = self.obey(command).await
        {
            return Some(ending);
        }
        if self.ended.is_some() && self.backlog.is_empty() {
            return self.ended.take();
        }
        // An error ends the program at once, whatever it still has in hand.
        matches!(self.ended, Some(Ending::Failed(_))).then(|| self.ended.take()).flatten()
    }

    /// Nothing to do: waits for a delivery or a command.
    async fn wait(&mut self) -> Result<(), Ending> {
        self.flush().await;
        tokio::select! {
            biased;
            command = self.control.recv() => match command {
                Some(command) => self.obey(command).await.map_or(Ok(()), Err),
                None => Err(Ending::forsaken()),
            },
            next = self.consumer.next() => {
                self.take(next);
                Ok(())
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Option<Ending> {
        match command {
            Command::Kill { how, done } => Some(Ending::Killed { how, done }),
            Command::Finish { cut, left } => Some(Ending::Finished { cut, left }),
            Command::Stop { done } => Some(Ending::Stopped { done }),
            Command::Catch { up } => {
                self.catch_up().await;
                let _ = up.send(());
                None
            }
            // It is not about to leave its queue to a successor.
            Command::Vacate { .. } => None,
            Command::Ask { reply } => {
                let numbers = acting::own_numbers(&self.stage, &self.link, self.worker).await;
                // Whoever asked may have been cut off.
                let _ = reply.send(numbers);
                None
            }
        }
    }

    /// One work, or a chunk of works that take no time.
    async fn turn(&mut self, item: Item) -> Result<(), Ending> {
        let duration = self.duration(item);
        if duration.is_zero() && self.watches.is_idle() && self.stopping.is_none() {
            return self.chunk(item).await;
        }
        self.work(item, duration).await
    }

    fn duration(&self, item: Item) -> Duration {
        let n = item.message.map_or(1, |message| u64::from(message.n));
        self.time.of(n, item.dots)
    }

    /// Works that take no time and that nothing waits for: one ack covers them all, written
    /// before anything else can happen to this worker.
    async fn chunk(&mut self, first: Item) -> Result<(), Ending> {
        let at = self.stage.clock.now();
        let mut next = Some(first);
        let mut done = 0;
        while let Some(item) = next {
            self.push(at, WorkEvent::Begun { tag: item.tag });
            if self.ack == AckMode::Early {
                self.early_ack(item.tag).await?;
            }
            self.push(at, WorkEvent::Finished { tag: item.tag });
            self.count_work(item.tag);
            done += 1;
            let more =
                done < CHUNK && self.backlog.front().is_some_and(|&item| self.is_instant(item));
            next = if more { self.backlog.pop_front() } else { None };
        }
        if let AckMode::Manual { every } = self.ack {
            let due = self.unacked / every * every;
            if due > 0 {
                self.write_ack(self.last_finished - (self.unacked - due)).await?;
                self.unacked -= due;
            }
        }
        Ok(())
    }

    fn is_instant(&self, item: Item) -> bool {
        self.duration(item).is_zero()
    }

    fn push(&mut self, at: Micros, what: WorkEvent) {
        self.events.push(Stamped { at, what });
    }

    fn count_work(&mut self, tag: u64) {
        self.totals.begun += 1;
        self.totals.finished += 1;
        self.unacked += 1;
        self.last_finished = tag;
        let slot = &self.stage.workers[self.worker.index()];
        slot.begun.fetch_add(1, Ordering::Relaxed);
        slot.finished.fetch_add(1, Ordering::Relaxed);
    }

    /// One work with everything that may happen in it.
    async fn work(&mut self, item: Item, duration: Duration) -> Result<(), Ending> {
        self.begin(item).await?;
        if !duration.is_zero() {
            self.flush().await;
            self.spend(duration).await?;
        }
        self.finish(item).await?;
        match self.stopping.take() {
            Some(done) => Err(Ending::Stopped { done }),
            None => Ok(()),
        }
    }

    async fn begin(&mut self, item: Item) -> Result<(), Ending> {
        self.note(WorkEvent::Begun { tag: item.tag });
        self.totals.begun += 1;
        let slot = &self.stage.workers[self.worker.index()];
        let begun = slot.begun.fetch_add(1, Ordering::Relaxed) + 1;
        if self.ack == AckMode::Early {
            self.early_ack(item.tag).await?;
        }
        let due = due(&self.watches.during, begun);
        self.fire(due).await
    }

    async fn finish(&mut self, item: Item) -> Result<(), Ending> {
        self.note(WorkEvent::Finished { tag: item.tag });
        self.totals.finished += 1;
        self.unacked += 1;
        self.last_finished = item.tag;
        let slot = &self.stage.workers[self.worker.index()];
        let finished = slot.finished.fetch_add(1, Ordering::Relaxed) + 1;
        let mut actions = self.stage.tallies.count(&self.watches.finished, 1, |_| true);
        actions.extend(due(&self.watches.before_ack, finished));
        self.fire(in_order(actions)).await?;
        if let AckMode::Manual { every } = self.ack
            && self.unacked >= every
        {
            self.write_ack(item.tag).await?;
            let covered = std::mem::take(&mut self.unacked);
            let due = self.stage.tallies.count(&self.watches.acked, covered, |_| true);
            self.fire(due).await?;
        }
        Ok(())
    }

    async fn early_ack(&mut self, tag: u64) -> Result<(), Ending> {
        let options = BasicAckOptions { multiple: false };
        let written = self.channel.basic_ack(tag, options).await;
        written.map_err(Ending::Failed)?;
        self.note(WorkEvent::Acked { tag, multiple: false });
        self.totals.acks += 1;
        let due = self.stage.tallies.count(&self.watches.acked, 1, |_| true);
        self.fire(due).await
    }

    /// Acks everything finished up to the tag.
    async fn write_ack(&mut self, tag: u64) -> Result<(), Ending> {
        let options = BasicAckOptions { multiple: true };
        self.channel.basic_ack(tag, options).await.map_err(Ending::Failed)?;
        self.note(WorkEvent::Acked { tag, multiple: true });
        self.totals.acks += 1;
        Ok(())
    }

    /// A command in the middle of a work: a stop lets the work end, all else is obeyed at once.
    async fn heed(&mut self, command: Option<Command>) -> Result<(), Ending> {
        match command {
            Some(Command::Stop { done }) => self.stop_reading(done).await,
            Some(command) => return self.obey(command).await.map_or(Ok(()), Err),
            None => return Err(Ending::forsaken()),
        }
        Ok(())
    }

    /// Works for a while, reading what arrives meanwhile.
    async fn spend(&mut self, duration: Duration) -> Result<(), Ending> {
        let until = Instant::now() + duration;
        loop {
            let reading = self.ended.is_none() && self.stopping.is_none();
            tokio::select! {
                biased;
                command = self.control.recv() => self.heed(command).await?,
                () = sleep_until(until) => return Ok(()),
                next = self.consumer.next(), if reading => {
                    self.take(next);
                    self.read_ready();
                    self.flush().await;
                }
            }
            if let Some(Ending::Failed(error)) = &self.ended {
                return Err(Ending::Failed(error.clone()));
            }
        }
    }

    /// Lets faults and other actions happen before this worker does anything else. Whatever
    /// befalls the worker meanwhile is obeyed.
    async fn fire(&mut self, actions: Vec<Action>) -> Result<(), Ending> {
        if actions.is_empty() {
            return Ok(());
        }
        // A broker drops what it has not yet looked at when a socket dies. What was acked before
        // this moment shall have been read, as it has in any work that lasts: only then is what a
        // kill does here the same every time.
        self.catch_up().await;
        let mut acts = tokio::spawn(acting::act_all(&self.stage, actions));
        loop {
            tokio::select! {
                biased;
                command = self.control.recv() => self.heed(command).await?,
                acted = &mut acts => {
                    surface(acted);
                    return Ok(());
                }
            }
        }
    }
}

/// How many `.` bytes a body has.
fn dots(body: &[u8]) -> u32 {
    let count = body.iter().filter(|&&byte| byte == b'.').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
