//! One subscription of one worker, as a program of its own would run it: its own connection
//! and channel, read eagerly, worked on one message at a time in the order of arrival.
//!
//! One task does everything a worker does, so a kill can come only between two of its steps.
//! Events and acks of works that take no time are written in chunks.

mod answering;
mod leaving;
mod losing;
pub mod refusing;
mod struck;
mod working;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::{Channel, Consumer, Error};
use tokio::sync::{mpsc, oneshot};

use crate::broker::Link;
use crate::ledger::event::{Event, LifeId, LifeTotals, MessageKey, Stamped, WorkEvent};
use crate::ledger::facts::Effect;
use crate::plan::content::{Rejections, Replies, WorkTime};
use crate::plan::model::{AckMode, KillHow, WorkerId};
use crate::run::departure::Departure;
use crate::run::identity;
use crate::run::stage::{Command, Hold, Numbers, Stage, surface};
use crate::run::tally::Action;
use crate::run::trouble::Listener;
use crate::run::watches::Watches;
use crate::run::worker::answering::Request;
use crate::run::{acting, staff};

/// How many deliveries are read before anything else is done.
const READ: usize = 1024;
/// How many events are kept back before the ledger gets them.
const EVENTS: usize = 512;
/// No answer of a broker that works takes longer.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A delivery that waits for its work.
#[derive(Debug)]
struct Item {
    tag: u64,
    message: Option<MessageKey>,
    dots: u32,
    /// What it asks for, if this worker answers.
    request: Option<Box<Request>>,
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
    /// Where acks go when not to the channel that the deliveries come on.
    acks_on: Option<Channel>,
    watches: Watches,
    time: WorkTime,
    ack: AckMode,
    rejections: Option<Rejections>,
    replies: Option<Replies>,
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
    /// Its queue sends to one consumer at a time.
    is_single: bool,
    /// Its end has begun.
    left: bool,
    /// Its connection is lost; what is in hand is the last.
    lost: Option<Error>,
    /// It stands still, and for how long it did in the work in hand.
    frozen: bool,
    stood_still: Duration,
    /// Its network is silent.
    cut_off: bool,
    /// The run is not over before it has learned that its connection is gone.
    hold: Option<Hold>,
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
    pub acks_on: Option<Channel>,
}

impl Life {
    pub fn new(parts: Parts) -> Self {
        let plan = &parts.stage.plan;
        let queue = plan.workers[parts.worker.index()].queue;
        Self {
            is_single: plan.topology.queues[queue.index()].single_active_consumer,
            watches: Watches::new(&parts.stage, parts.worker),
            time: WorkTime::new(plan, parts.worker),
            ack: plan.workers[parts.worker.index()].ack,
            rejections: Rejections::new(plan, parts.worker),
            replies: Replies::new(plan, parts.worker),
            stage: parts.stage,
            worker: parts.worker,
            id: parts.id,
            link: parts.link,
            channel: parts.channel,
            listener: parts.listener,
            control: parts.control,
            consumer: parts.consumer,
            acks_on: parts.acks_on,
            backlog: VecDeque::new(),
            events: Vec::new(),
            totals: LifeTotals::default(),
            unacked: 0,
            last_finished: 0,
            ended: None,
            stopping: None,
            left: false,
            lost: None,
            frozen: false,
            stood_still: Duration::ZERO,
            cut_off: false,
            hold: None,
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
        // A program cannot tell what a probe published from anything else: it works on it.
        if message.is_none() && identity::is_of_probe(&self.stage.run, &delivery.properties) {
            self.stage.excused.fetch_add(1, Ordering::SeqCst);
        }
        let tag = delivery.delivery_tag;
        let redelivered = delivery.redelivered;
        self.note(WorkEvent::Read { tag, message: sighting, redelivered });
        self.totals.read += 1;
        if self.is_single {
            let queue = self.stage.plan.workers[self.worker.index()].queue;
            let reader = &self.stage.queues[queue.index()].reader;
            reader.store(self.worker.index() + 1, Ordering::SeqCst);
        }
        let dots = if self.time.counts_dots() { dots(&delivery.data) } else { 0 };
        let request = self.replies.as_ref().and_then(|_| Request::of(&delivery.properties));
        self.backlog.push_back(Item { tag, message, dots, request });
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
        self.broken_off()
    }

    /// An error or a cancel by the broker ends the program at once, whatever it has in hand. A
    /// subscription that it gave up itself lets it finish that.
    fn broken_off(&mut self) -> Option<Ending> {
        let own = self.stopping.is_some() && matches!(self.ended, Some(Ending::Cancelled));
        if own { None } else { self.ended.take() }
    }

    /// Where acks are written to.
    fn ack_channel(&self) -> &Channel {
        self.acks_on.as_ref().unwrap_or(&self.channel)
    }

    /// Whether the broker can know the tags that it acks.
    pub fn acks_in_vain(&self) -> bool {
        self.acks_on.is_some()
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
            error = self.listener.error(), if self.acks_on.is_some() => {
                Err(Ending::Failed(error))
            }
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
            Command::Strike { fault, blow, done } => self.struck(fault, blow, done).await,
            Command::Recover { blow, done } => {
                self.recover(blow).await;
                let _ = done.send(());
                None
            }
            Command::Catch { up } => {
                self.catch_up().await;
                let _ = up.send(());
                None
            }
            // It is not about to leave its queue to a successor.
            Command::Vacate { .. } => None,
            Command::Lend { reply } => {
                staff::lend(&self.link, reply).await;
                None
            }
            Command::Ask { reply } => {
                self.tell_numbers(reply).await;
                None
            }
        }
    }

    /// The numbers of its own queue, if anybody would answer.
    async fn tell_numbers(&self, reply: oneshot::Sender<Option<Numbers>>) {
        let numbers = match self.would_be_heard() {
            true => acting::own_numbers(&self.stage, &self.link, self.worker).await,
            false => None,
        };
        // Whoever asked may have been cut off.
        let _ = reply.send(numbers);
    }

    /// A command in the middle of a work: a stop lets the work end, all else is obeyed at once.
    async fn heed(&mut self, command: Option<Command>) -> Result<(), Ending> {
        let ending = match command {
            Some(command) => self.obey(command).await,
            None => Some(Ending::forsaken()),
        };
        match ending {
            // Also one that came while it stood still.
            Some(Ending::Stopped { done }) => {
                self.stop_reading(done).await;
                Ok(())
            }
            ending => ending.map_or(Ok(()), Err),
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
        let epoch = self.stage.nodes.epoch();
        let mut acts = tokio::spawn(acting::act_all(&self.stage, actions));
        loop {
            tokio::select! {
                biased;
                command = self.control.recv() => self.heed(command).await?,
                acted = &mut acts => {
                    surface(acted);
                    break;
                }
            }
        }
        // What was sent to it in the same moment belongs to what has acted.
        while let Ok(command) = self.control.try_recv() {
            self.heed(Some(command)).await?;
        }
        if self.stage.nodes.epoch() != epoch && self.stage.nodes.some_ended() {
            self.feel().await;
        }
        Ok(())
    }
}

/// How many `.` bytes a body has.
fn dots(body: &[u8]) -> u32 {
    let count = body.iter().filter(|&&byte| byte == b'.').count();
    u32::try_from(count).unwrap_or(u32::MAX)
}
