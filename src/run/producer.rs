//! One producer instance on one connection: publishes what the plan says, at the rate and
//! within the window it says, and hears every answer.
//!
//! Publishes go out in chunks that are polled together, so that they share writes; a chunk
//! ends where a trigger counts. Each is recorded before it is written.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Error, PublisherConfirm};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::broker::{BrokerError, Link, Space};
use crate::ledger::event::{Answer, Event, MessageKey, ProducerEnd};
use crate::ledger::facts::Effect;
use crate::plan::content::Content;
use crate::plan::model::{
    Confirms, CountEvent, ExchangeId, ExchangeRef, Instance, KillHow, Producer, ProducerId,
};
use crate::plan::pattern::Scalar;
use crate::plan::routing::{Envelope, route};
use crate::run::acting;
use crate::run::identity;
use crate::run::stage::{Command, Stage, lock};
use crate::run::tally::{Action, Watch};
use crate::run::trouble::{self, Listener};
use crate::run::worker::PATIENCE;

/// How many publishes are written together.
const CHUNK: u64 = 64;
/// How many commands may wait.
const COMMANDS: usize = 64;

enum Ending {
    /// Everything is published and answered, or no longer waited for.
    Done,
    Killed {
        how: KillHow,
        done: oneshot::Sender<Effect>,
    },
    Finished,
    Failed(Error),
}

/// A message that has no answer yet.
struct Waiting {
    n: u32,
    until: Instant,
    confirm: PublisherConfirm,
}

struct Life {
    stage: Arc<Stage>,
    id: ProducerId,
    link: Link,
    channel: Channel,
    listener: Listener,
    control: mpsc::Receiver<Command>,
    content: Content,
    exchange: ShortString,
    published: Watch,
    confirmed: Watch,
    next: u32,
    first: u32,
    began: Instant,
    waiting: VecDeque<Waiting>,
    /// No longer waited for; their answers still count.
    late: Vec<Waiting>,
    in_batch: u64,
    answered: u32,
    returned: u32,
    bodies: Vec<Vec<u8>>,
}

/// Connects a producer and lets it publish.
pub async fn start(stage: &Arc<Stage>, id: ProducerId) {
    match prepare(stage, id).await {
        Ok(life) => launch(life),
        Err(error) => {
            stage.producers[id.index()].done.store(true, Ordering::SeqCst);
            stage.fail(error);
        }
    }
}

/// A producer that is connected and has published nothing yet.
pub struct Ready(Life);

/// Connects one; many may do so at the same time.
pub async fn connect(stage: &Arc<Stage>, id: ProducerId) -> Result<Ready, BrokerError> {
    prepare(stage, id).await.map(Ready)
}

/// Lets it go.
pub fn release(ready: Ready) {
    launch(ready.0);
}

fn launch(life: Life) {
    let (stage, id) = (Arc::clone(&life.stage), life.id);
    let task = tokio::spawn(run(life));
    lock(&stage.producers[id.index()].task).push(task);
}

async fn prepare(stage: &Arc<Stage>, id: ProducerId) -> Result<Life, BrokerError> {
    let slot = &stage.producers[id.index()];
    slot.done.store(false, Ordering::SeqCst);
    let (sender, control) = mpsc::channel(COMMANDS);
    *lock(&slot.control) = Some(sender);
    let plan = &stage.plan.producers[id.index()];
    let link = stage.space.connect(&plan.name, frame_max(plan)).await?;
    let doing = format!("opening a channel for {}", plan.name);
    let opened = timeout(PATIENCE, link.connection.create_channel()).await;
    let channel = opened.map_err(|_| BrokerError::silent(&doing))?;
    let channel = channel.map_err(|error| BrokerError::amqp(&doing, &error))?;
    if plan.confirms != Confirms::Off {
        let doing = format!("asking for confirms for {}", plan.name);
        let selected = timeout(PATIENCE, channel.confirm_select(ConfirmSelectOptions::default()));
        let selected = selected.await.map_err(|_| BrokerError::silent(&doing))?;
        selected.map_err(|error| BrokerError::amqp(&doing, &error))?;
    }
    let who = Instance::Producer(id);
    let first = slot.published.load(Ordering::SeqCst) + 1;
    Ok(Life {
        listener: Listener::new(&link.connection),
        content: Content::new(plan, stage.plan.seed),
        exchange: exchange_name(&stage.space, stage, plan),
        published: stage.tallies.watch(CountEvent::Published, who, None),
        confirmed: stage.tallies.watch(CountEvent::Confirmed, who, None),
        stage: Arc::clone(stage),
        id,
        link,
        channel,
        control,
        next: first,
        first,
        began: Instant::now(),
        waiting: VecDeque::new(),
        late: Vec::new(),
        in_batch: 0,
        answered: 0,
        returned: 0,
        bodies: vec![Vec::new(); usize::try_from(CHUNK).expect("it is small")],
    })
}

/// Small frames keep a thousand connections small; large bodies want large frames.
fn frame_max(plan: &Producer) -> Option<u32> {
    let sizes = plan.size.as_ref().map(|size| size.values());
    let large = match sizes {
        Some(Some(values)) => values.into_iter().any(|size| size > 8_000),
        Some(None) => true,
        None => false,
    };
    large.then_some(131_072)
}

fn exchange_name(space: &Space, stage: &Stage, plan: &Producer) -> ShortString {
    match &plan.to.exchange {
        ExchangeRef::Declared(ExchangeId(0)) => "".into(),
        ExchangeRef::Declared(id) => {
            space.exchange_name(&stage.plan.topology.exchanges[id.index()]).as_str().into()
        }
        ExchangeRef::Missing(name) => name.as_str().into(),
    }
}

async fn run(mut life: Life) {
    let (producer, at) = (life.id, life.stage.clock.now());
    life.stage.scribe.record(Event::ProducerStarted { producer, at }).await;
    life.began = Instant::now();
    let ending = life.live().await;
    life.end(ending).await;
}

impl Life {
    fn plan(&self) -> &Producer {
        &self.stage.plan.producers[self.id.index()]
    }

    fn left(&self) -> u64 {
        (self.plan().messages + 1).saturating_sub(u64::from(self.next))
    }

    async fn live(&mut self) -> Ending {
        loop {
            let count = self.room();
            let result = if count > 0 {
                self.publish(u32::try_from(count).expect("a chunk is small")).await
            } else if self.left() == 0 && self.waiting.is_empty() {
                return self.linger().await;
            } else {
                self.wait().await
            };
            if let Err(ending) = result {
                return ending;
            }
            if let Ok(command) = self.control.try_recv()
                && let Some(ending) = self.obey(command)
            {
                return ending;
            }
        }
    }

    /// How many messages may go out now.
    fn room(&mut self) -> u64 {
        let outstanding = self.waiting.len() as u64;
        let window = match self.plan().confirms {
            Confirms::Off => CHUNK,
            // Refilled by halves: one write for many, unless a rate spreads them anyway.
            Confirms::Window { in_flight, .. } => {
                let refill = self.plan().rate.is_some() || outstanding * 2 <= in_flight;
                if refill { in_flight.saturating_sub(outstanding) } else { 0 }
            }
            Confirms::Batch { size, .. } => {
                if outstanding == 0 && self.in_batch >= size {
                    self.in_batch = 0;
                }
                size - self.in_batch
            }
        };
        let trigger = self.stage.tallies.room(&self.published);
        window.min(self.left()).min(self.due()).min(CHUNK).min(trigger)
    }

    /// How many the schedule says should be out by now. The schedule is absolute: what a
    /// pause held up goes out at once.
    fn due(&self) -> u64 {
        let Some(rate) = self.plan().rate else { return u64::MAX };
        let sent = f64::from(self.next - self.first);
        let due = self.began.elapsed().as_secs_f64() * rate + 1.0 - sent;
        if due > 0.0 { due as u64 } else { 0 }
    }

    fn next_due(&self) -> Option<Instant> {
        let rate = self.plan().rate.filter(|_| self.left() > 0)?;
        let offset = f64::from(self.next - self.first) / rate;
        Some(self.began + Duration::from_secs_f64(offset))
    }

    /// Publishes the next `count` messages.
    async fn publish(&mut self, count: u32) -> Result<(), Ending> {
        let (first, at) = (self.next, self.stage.clock.now());
        let producer = self.id;
        self.stage.scribe.record(Event::Published { producer, first, count, at }).await;
        let confirms = self.write(first, count).await?;
        let sent = Instant::now();
        self.next += count;
        self.in_batch += u64::from(count);
        self.stage.producers[self.id.index()].published.store(self.next - 1, Ordering::SeqCst);
        let patience = match self.plan().confirms {
            Confirms::Off => None,
            Confirms::Window { timeout, .. } | Confirms::Batch { timeout, .. } => Some(timeout),
        };
        if let Some(patience) = patience {
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

    /// Writes a chunk; the first poll of each publish queues its frames, so the order holds.
    async fn write(&mut self, first: u32, count: u32) -> Result<Vec<PublisherConfirm>, Ending> {
        let mut bodies = std::mem::take(&mut self.bodies);
        let mut publishes = Vec::with_capacity(bodies.len());
        for (n, body) in (first..first + count).zip(&mut bodies) {
            self.content.body(u64::from(n), body);
            publishes.push(self.channel.basic_publish(
                self.exchange.clone(),
                self.routing_key(n),
                BasicPublishOptions { mandatory: self.plan().mandatory, immediate: false },
                body,
                self.properties(n),
            ));
        }
        let written = tokio::select! {
            biased;
            written = join_all(publishes) => Ok(written),
            command = next_ending(&mut self.control) => Err(command),
        };
        self.bodies = bodies;
        match written {
            Ok(written) => {
                let confirms: Result<Vec<_>, Error> = written.into_iter().collect();
                confirms.map_err(|error| self.published_in_vain(count, error))
            }
            Err(command) => {
                // Handed over, but how much of it reached the socket nobody knows.
                self.next += count;
                self.remember();
                Err(self.obey(command).unwrap_or(Ending::Finished))
            }
        }
    }

    fn published_in_vain(&mut self, count: u32, error: Error) -> Ending {
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
        let properties = BasicProperties::default()
            .with_delivery_mode(if self.plan().persistent { 2 } else { 1 })
            .with_message_id(identity::write(&self.stage.run, message));
        if self.plan().headers.is_empty() {
            return properties;
        }
        let mut table = FieldTable::default();
        for (name, value) in self.content.headers(u64::from(n)) {
            if let Some(value) = field(&value) {
                table.insert(name.as_str().into(), value);
            }
        }
        properties.with_headers(table)
    }

    /// Waits for an answer, for the next moment of the schedule, or for a command.
    async fn wait(&mut self) -> Result<(), Ending> {
        let due = self.next_due();
        let patience = self.waiting.front().map(|waiting| waiting.until);
        // In a batch and in a full window nothing but answers helps.
        let blocked = self.is_window_full();
        let wake = match (due.filter(|_| !blocked), patience) {
            (Some(due), Some(patience)) => due.min(patience),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => Instant::now() + PATIENCE,
        };
        let answers = tokio::select! {
            biased;
            command = self.control.recv() => match command {
                Some(command) => return self.obey(command).map_or(Ok(()), Err),
                None => return Err(Ending::Finished),
            },
            answers = answers(&mut self.waiting) => answers,
            () = sleep_until(wake) => {
                self.give_up_waiting();
                return Ok(());
            }
        };
        self.hear(answers).await
    }

    fn is_window_full(&self) -> bool {
        let outstanding = self.waiting.len() as u64;
        match self.plan().confirms {
            Confirms::Off => false,
            Confirms::Window { in_flight, .. } => outstanding >= in_flight,
            Confirms::Batch { size, .. } => self.in_batch >= size && outstanding > 0,
        }
    }

    /// What has waited long enough is late from now on.
    fn give_up_waiting(&mut self) {
        let now = Instant::now();
        while self.waiting.front().is_some_and(|waiting| waiting.until <= now) {
            self.late.extend(self.waiting.pop_front());
        }
    }

    async fn hear(&mut self, answers: Answers) -> Result<(), Ending> {
        let producer = self.id;
        for message in answers.returned {
            self.returned_one(&message).await;
        }
        if !answers.spans.is_empty() {
            let at = self.stage.clock.now();
            let acked: Vec<Answer> = answers.spans.iter().filter(|a| a.ack).copied().collect();
            self.answered += answers.spans.iter().map(|answer| answer.count).sum::<u32>();
            let answered = Event::Answered { producer, answers: answers.spans, at };
            self.stage.scribe.record(answered).await;
            if !self.confirmed.is_idle() {
                let watch = self.confirmed.clone();
                let mut due = Vec::new();
                for n in acked.iter().flat_map(|a| a.first..a.first + a.count) {
                    due.extend(self.count(&watch, n, 1));
                }
                self.fire(due).await?;
            }
        }
        match answers.error {
            Some(error) => Err(Ending::Failed(error)),
            None => Ok(()),
        }
    }

    async fn returned_one(&mut self, message: &BasicReturnMessage) {
        let id = message.delivery.properties.message_id().as_ref();
        if let Some(key) = id.and_then(|id| identity::read(&self.stage.run, id.as_str())) {
            self.returned += 1;
            let at = self.stage.clock.now();
            self.stage.scribe.record(Event::Returned { message: key, at }).await;
        }
    }

    /// With confirms off lapin keeps returned messages until it is asked for them.
    async fn hear_returns(&mut self) {
        if let Ok(returned) = self.channel.wait_for_confirms().await {
            for message in returned {
                self.returned_one(&message).await;
            }
        }
    }

    /// Counts publishes or answers; the actions that are due.
    fn count(&self, watch: &Watch, first: u32, count: u32) -> Vec<Action> {
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

    async fn fire(&mut self, actions: Vec<Action>) -> Result<(), Ending> {
        if actions.is_empty() {
            return Ok(());
        }
        let mut acts = tokio::spawn(acting::act_all(&self.stage, actions));
        loop {
            tokio::select! {
                biased;
                command = self.control.recv() => match command {
                    Some(command) => if let Some(ending) = self.obey(command) {
                        return Err(ending);
                    },
                    None => return Err(Ending::Finished),
                },
                _ = &mut acts => return Ok(()),
            }
        }
    }

    fn obey(&mut self, command: Command) -> Option<Ending> {
        match command {
            Command::Kill { how, done } => Some(Ending::Killed { how, done }),
            Command::Finish { .. } => Some(Ending::Finished),
            // Producers have no stop and no queue; whoever asks gets an end of the line.
            Command::Stop { .. } | Command::Ask { .. } | Command::Vacate { .. } => None,
        }
    }

    /// Nothing is left to publish. Late answers still count, so as long as one is missing the
    /// channel stays open.
    async fn linger(&mut self) -> Ending {
        while !self.late.is_empty() {
            self.stage.producers[self.id.index()].done.store(true, Ordering::SeqCst);
            let mut late: VecDeque<Waiting> = std::mem::take(&mut self.late).into();
            let heard = tokio::select! {
                biased;
                command = self.control.recv() => Err(command),
                answers = any_answers(&mut late) => Ok(answers),
            };
            self.late = late.into();
            match heard {
                Ok(answers) => {
                    if let Err(ending) = self.hear(answers).await {
                        return ending;
                    }
                }
                Err(Some(command)) => {
                    if let Some(ending) = self.obey(command) {
                        return ending;
                    }
                }
                Err(None) => return Ending::Finished,
            }
        }
        Ending::Done
    }

    async fn end(mut self, ending: Ending) {
        let plan = self.stage.plan.producers[self.id.index()].clone();
        let unanswered = self.waiting.len() + self.late.len();
        let unanswered = u32::try_from(unanswered).unwrap_or(u32::MAX);
        let (closed, done) = match ending {
            Ending::Done | Ending::Finished => (self.close_in_order(&plan.name).await, None),
            Ending::Killed { how, done } => {
                let closed = match how {
                    KillHow::Crash | KillHow::Cancel => {
                        self.link.cut();
                        false
                    }
                    KillHow::CloseConnection => self.close_connection().await,
                    KillHow::CloseChannel => self.close_channel().await,
                };
                (closed, Some(done))
            }
            Ending::Failed(error) => {
                let error = self.listener.reason(&error).await;
                lock(&self.stage.errors).push(trouble::fact(&plan.name, &error));
                (false, None)
            }
        };
        let published = self.next - self.first;
        let end =
            ProducerEnd { closed, published, answered: self.answered, returned: self.returned };
        let (producer, at) = (self.id, self.stage.clock.now());
        self.stage.scribe.record(Event::ProducerEnded { producer, end, at }).await;
        let slot = &self.stage.producers[self.id.index()];
        lock(&slot.control).take();
        // Before anybody hears of it: a restart says that there is more to come.
        slot.done.store(true, Ordering::SeqCst);
        if let Some(done) = done {
            let effect = Effect::Producer {
                published: self.next - 1,
                unanswered: if plan.confirms == Confirms::Off { 0 } else { unanswered },
                left: self.left(),
            };
            // The fault's task may have been cut off.
            let _ = done.send(effect);
        }
        let _ = self.close_connection().await;
    }

    /// With confirms off, close-ok says that the broker has read every publish; the returns
    /// that it sent come before it.
    ///
    /// A producer without confirms may learn only now that the broker refused its publishes.
    async fn close_in_order(&mut self, name: &str) -> bool {
        let closed = timeout(PATIENCE, self.channel.close(200, "OK".into())).await;
        if let Ok(Err(error)) = &closed {
            let error = self.listener.reason(error).await;
            lock(&self.stage.errors).push(trouble::fact(name, &error));
        }
        if self.plan().confirms == Confirms::Off {
            self.hear_returns().await;
        }
        matches!(closed, Ok(Ok(())))
    }

    async fn close_channel(&self) -> bool {
        let closed = timeout(PATIENCE, self.channel.close(200, "OK".into())).await;
        matches!(closed, Ok(Ok(())))
    }

    async fn close_connection(&self) -> bool {
        matches!(timeout(PATIENCE, self.link.close()).await, Ok(Ok(())))
    }
}

/// The next command that ends a producer in the middle of a write.
async fn next_ending(control: &mut mpsc::Receiver<Command>) -> Command {
    loop {
        match control.recv().await {
            Some(command @ (Command::Kill { .. } | Command::Finish { .. })) => return command,
            Some(_) => {}
            None => return Command::Finish { cut: true },
        }
    }
}

/// What came back on a channel.
#[derive(Default)]
struct Answers {
    spans: Vec<Answer>,
    returned: Vec<BasicReturnMessage>,
    error: Option<Error>,
}

impl Answers {
    fn add(&mut self, n: u32, confirmation: Result<Confirmation, Error>) {
        let (ack, returned) = match confirmation {
            Ok(Confirmation::Ack(returned)) => (true, returned),
            Ok(Confirmation::Nack(returned)) => (false, returned),
            Ok(Confirmation::NotRequested) => return,
            Err(error) => {
                self.error.get_or_insert(error);
                return;
            }
        };
        self.returned.extend(returned);
        match self.spans.last_mut() {
            Some(last) if last.ack == ack && last.first + last.count == n => last.count += 1,
            _ => self.spans.push(Answer { first: n, count: 1, ack }),
        }
    }

    fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.error.is_none()
    }
}

/// Waits for the oldest answer and takes every further one that is there in order.
async fn answers(waiting: &mut VecDeque<Waiting>) -> Answers {
    poll_fn(|context| {
        let mut found = Answers::default();
        while let Some(front) = waiting.front_mut() {
            match Pin::new(&mut front.confirm).poll(context) {
                Poll::Ready(confirmation) => {
                    found.add(front.n, confirmation);
                    waiting.pop_front();
                }
                Poll::Pending => break,
            }
        }
        if found.is_empty() { Poll::Pending } else { Poll::Ready(found) }
    })
    .await
}

/// Waits for any answer, in whatever order they come.
async fn any_answers(waiting: &mut VecDeque<Waiting>) -> Answers {
    poll_fn(|context| {
        let mut found = Answers::default();
        waiting.retain_mut(|one| match Pin::new(&mut one.confirm).poll(context) {
            Poll::Ready(confirmation) => {
                found.add(one.n, confirmation);
                false
            }
            Poll::Pending => true,
        });
        if found.is_empty() { Poll::Pending } else { Poll::Ready(found) }
    })
    .await
}

/// A scalar as AMQP sends it; null is not sent.
fn field(value: &Scalar) -> Option<AMQPValue> {
    match value {
        Scalar::Null => None,
        Scalar::Bool(value) => Some(AMQPValue::Boolean(*value)),
        Scalar::Int(value) => Some(AMQPValue::LongLongInt(*value)),
        Scalar::Float(value) => Some(AMQPValue::Double(*value)),
        Scalar::Text(value) => Some(AMQPValue::LongString(value.as_str().into())),
    }
}
