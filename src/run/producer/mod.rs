//! One producer instance on one connection: publishes what the plan says, at the rate and
//! within the window it says, and hears every answer.
//!
//! Publishes go out in chunks that are polled together, so that they share writes; a chunk
//! ends where a trigger counts. Each is recorded before it is written.

mod answers;
mod asking;
mod end;
mod publish;
mod reconnecting;
mod struck;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lapin::message::BasicReturnMessage;
use lapin::options::ConfirmSelectOptions;
use lapin::types::ShortString;
use lapin::{Channel, Error};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::broker::{BrokerError, Link, Space};
use crate::ledger::event::{Answer, Event};
use crate::ledger::facts::Effect;
use crate::plan::content::Content;
use crate::plan::model::{
    Confirms, CountEvent, ExchangeId, ExchangeRef, Instance, KillHow, Producer, ProducerId,
    TOGETHER,
};
use crate::run::producer::answers::{Answers, Waiting, answers};
use crate::run::producer::asking::{Requests, reply};
use crate::run::producer::reconnecting::Lost;
use crate::run::stage::{Blow, Command, Stage, lock, surface};
use crate::run::tally::{Action, Watch};
use crate::run::trouble::Listener;
use crate::run::worker::PATIENCE;
use crate::run::{acting, identity};

/// How many commands may wait.
const COMMANDS: usize = 64;
/// How soon a first connection is tried again that a fault made fail.
const AGAIN: Duration = Duration::from_millis(50);

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

/// When a rate began to count, and with which number.
#[derive(Debug, Clone, Copy)]
struct Schedule {
    began: Instant,
    first: u32,
}

struct Life {
    stage: Arc<Stage>,
    id: ProducerId,
    link: Arc<Link>,
    channel: Channel,
    listener: Listener,
    control: mpsc::Receiver<Command>,
    content: Content,
    exchange: ShortString,
    published: Watch,
    confirmed: Watch,
    next: u32,
    first: u32,
    /// From its first connection on; whoever connects again has not begun anew.
    schedule: Option<Schedule>,
    waiting: VecDeque<Waiting>,
    /// No longer waited for; their answers still count.
    late: Vec<Waiting>,
    in_batch: u64,
    /// Messages whose answer will never come, because the connection was lost before it.
    orphans: Vec<u32>,
    /// Numbers to publish again before anything else.
    again: Vec<u32>,
    /// Of one that asks: whose answers it waits for.
    requests: Option<Requests>,
    republished: u32,
    answered: u32,
    returned: u32,
    bodies: Vec<Vec<u8>>,
    /// A write was broken off. lapin writes the close of a channel before publishes that it
    /// still has in its queue, so what the broker answers to it proves nothing about them.
    torn: bool,
    /// It shall stand still, or does.
    frozen: bool,
}

/// Connects a producer and lets it publish.
pub async fn start(stage: &Arc<Stage>, id: ProducerId) {
    match prepare(stage, id).await {
        Ok(life) => launch(life),
        Err(_) if is_excused(stage, id) => try_on(stage, id),
        Err(error) => {
            stage.producers[id.index()].done.store(true, Ordering::SeqCst);
            stage.fail(error);
        }
    }
}

/// Whether a fault keeps the broker from answering this producer: it may answer later.
fn is_excused(stage: &Stage, id: ProducerId) -> bool {
    stage.nodes.is_disturbed() || stage.producers[id.index()].network.is_touched()
}

/// Goes on trying to begin, in a task of its own.
fn try_on(stage: &Arc<Stage>, id: ProducerId) {
    let trying = Arc::clone(stage);
    let (sender, control) = mpsc::channel(COMMANDS);
    *lock(&stage.producers[id.index()].control) = Some(sender);
    let task = tokio::spawn(async move {
        let standing = Effect::Nothing;
        let unanswered = Vec::new();
        let nothing = Lost { after: AGAIN, control, standing, unanswered, schedule: None };
        if let Some(life) = reconnecting::again(&trying, id, nothing).await {
            run(life).await;
        }
    });
    lock(&stage.producers[id.index()].task).push(task);
}

/// A producer that has published nothing yet: it is connected, unless a fault has kept it from
/// that already.
pub struct Ready(ProducerId, Option<Box<Life>>);

/// Connects one; many may do so at the same time.
pub async fn connect(stage: &Arc<Stage>, id: ProducerId) -> Result<Ready, BrokerError> {
    match prepare(stage, id).await {
        Ok(life) => Ok(Ready(id, Some(Box::new(life)))),
        Err(_) if is_excused(stage, id) => Ok(Ready(id, None)),
        Err(error) => Err(error),
    }
}

/// Lets it go.
pub fn release(stage: &Arc<Stage>, ready: Ready) {
    match ready {
        Ready(_, Some(life)) => launch(*life),
        Ready(id, None) => try_on(stage, id),
    }
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
    let plan = &stage.plan.producers[id.index()];
    let way = slot.network.way(plan.node, id.index(), stage);
    let link = stage.space.connect_by(&way, &plan.name, frame_max(plan)).await?;
    let channel = link.open_channel(&format!("opening a channel for {}", plan.name)).await?;
    if plan.confirms != Confirms::Off {
        let doing = format!("asking for confirms for {}", plan.name);
        let selected = timeout(PATIENCE, channel.confirm_select(ConfirmSelectOptions::default()));
        let selected = selected.await.map_err(|_| BrokerError::silent(&doing))?;
        selected.map_err(|error| BrokerError::amqp(&doing, &error))?;
    }
    let requests = match plan.rpc {
        Some(patience) => Some(Requests::open(&channel, &plan.name, patience).await?),
        None => None,
    };
    *lock(&slot.control) = Some(sender);
    let who = Instance::Producer(id);
    let first = slot.published.load(Ordering::SeqCst) + 1;
    Ok(Life {
        listener: stage.listen(&plan.name, &link),
        content: Content::new(plan, stage.plan.seed),
        exchange: exchange_name(&stage.space, stage, plan),
        published: stage.tallies.watch(CountEvent::Published, who, None),
        confirmed: stage.tallies.watch(CountEvent::Confirmed, who, None),
        stage: Arc::clone(stage),
        id,
        link: Arc::new(link),
        channel,
        control,
        next: first,
        first,
        schedule: None,
        waiting: VecDeque::new(),
        late: Vec::new(),
        in_batch: 0,
        orphans: Vec::new(),
        again: Vec::new(),
        requests,
        republished: 0,
        answered: 0,
        returned: 0,
        bodies: vec![Vec::new(); usize::try_from(TOGETHER).expect("it is small")],
        torn: false,
        frozen: false,
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
    loop {
        let (producer, at) = (life.id, life.stage.clock.now());
        let reconnected = life.schedule.is_some();
        let started = Event::ProducerStarted { producer, reconnected, at };
        life.stage.scribe.record(started).await;
        life.schedule.get_or_insert_with(|| Schedule { began: Instant::now(), first: life.first });
        let ending = match life.republish().await {
            Ok(()) => life.live().await,
            Err(ending) => ending,
        };
        let (stage, id) = (Arc::clone(&life.stage), life.id);
        let Some(lost) = life.end(ending).await else { return };
        match reconnecting::again(&stage, id, lost).await {
            Some(next) => life = next,
            None => return,
        }
    }
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
            } else if self.left() == 0 && self.waiting.is_empty() && !self.awaits_reply() {
                return self.linger().await;
            } else {
                self.wait().await
            };
            if let Err(ending) = result {
                return ending;
            }
            self.tell_unanswered();
            if let Ok(command) = self.control.try_recv()
                && let Some(ending) = self.obey(command).await
            {
                return ending;
            }
            if let Some(ending) = self.stand_still().await {
                return ending;
            }
        }
    }

    /// How many messages may go out now.
    fn room(&mut self) -> u64 {
        let outstanding = self.waiting.len() as u64;
        let window = match self.plan().confirms {
            Confirms::Off => TOGETHER,
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
        let requests = match &self.requests {
            Some(requests) => u64::from(!requests.is_waiting()),
            None => u64::MAX,
        };
        window.min(self.left()).min(self.due()).min(TOGETHER).min(trigger).min(requests)
    }

    /// How many the schedule says should be out by now. The schedule is absolute: what a
    /// pause held up goes out at once.
    fn due(&self) -> u64 {
        let (Some(rate), Some(schedule)) = (self.plan().rate, self.schedule) else {
            return u64::MAX;
        };
        let sent = f64::from(self.next - schedule.first);
        let due = schedule.began.elapsed().as_secs_f64() * rate + 1.0 - sent;
        if due > 0.0 { due as u64 } else { 0 }
    }

    fn next_due(&self) -> Option<Instant> {
        let rate = self.plan().rate.filter(|_| self.left() > 0)?;
        let schedule = self.schedule?;
        let offset = f64::from(self.next - schedule.first) / rate;
        Some(schedule.began + Duration::from_secs_f64(offset))
    }

    /// Waits for an answer, for the next moment of the schedule, or for a command.
    async fn wait(&mut self) -> Result<(), Ending> {
        let confirm = self.waiting.front().map(|waiting| waiting.until);
        let request = self.requests.as_ref().and_then(Requests::until);
        // In a batch, in a full window and after a request nothing but answers helps.
        let blocked = self.is_window_full() || request.is_some();
        let due = self.next_due().filter(|_| !blocked);
        let wake = [due, confirm, request].into_iter().flatten().min();
        let wake = wake.unwrap_or_else(|| Instant::now() + PATIENCE);
        let answers = tokio::select! {
            biased;
            command = self.control.recv() => match command {
                Some(command) => return self.obey(command).await.map_or(Ok(()), Err),
                None => return Err(Ending::Finished),
            },
            // A program learns of the loss of its connection when that is lost, not when it next
            // has something to say.
            error = self.listener.error() => return Err(Ending::Failed(error)),
            answers = answers(&mut self.waiting, &mut self.late) => answers,
            came = reply(&mut self.requests) => return self.hear_reply(came).await,
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
        if let Some(requests) = &mut self.requests {
            requests.give_up_waiting(now);
        }
    }

    async fn hear(&mut self, answers: Answers) -> Result<(), Ending> {
        let producer = self.id;
        self.orphans.extend(answers.orphans);
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

    async fn fire(&mut self, actions: Vec<Action>) -> Result<(), Ending> {
        if actions.is_empty() {
            return Ok(());
        }
        let mut acts = tokio::spawn(acting::act_all(&self.stage, actions));
        loop {
            tokio::select! {
                biased;
                command = self.control.recv() => match command {
                    Some(command) => if let Some(ending) = self.obey(command).await {
                        return Err(ending);
                    },
                    None => return Err(Ending::Finished),
                },
                acted = &mut acts => {
                    surface(acted);
                    return Ok(());
                }
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Option<Ending> {
        match command {
            Command::Kill { how, done } => Some(Ending::Killed { how, done }),
            Command::Finish { .. } => Some(Ending::Finished),
            Command::Strike { blow, done, .. } => {
                self.struck(blow, done).await;
                None
            }
            Command::Recover { blow, done } => {
                self.frozen &= blow != Blow::Freeze;
                let _ = done.send(());
                None
            }
            // Producers have no stop and no queue; whoever asks gets an end of the line.
            Command::Stop { .. }
            | Command::Ask { .. }
            | Command::Lend { .. }
            | Command::Catch { .. }
            | Command::Vacate { .. } => None,
        }
    }

    /// Nothing is left to publish. Late answers still count, so as long as one is missing the
    /// channel stays open.
    async fn linger(&mut self) -> Ending {
        while !self.late.is_empty() || self.requests.as_ref().is_some_and(Requests::lack_some) {
            self.stage.producers[self.id.index()].done.store(true, Ordering::SeqCst);
            let heard = tokio::select! {
                biased;
                command = self.control.recv() => match command {
                    Some(command) => self.obey(command).await.map_or(Ok(()), Err),
                    None => Err(Ending::Finished),
                },
                error = self.listener.error() => Err(Ending::Failed(error)),
                answers = answers(&mut self.waiting, &mut self.late) => self.hear(answers).await,
                came = reply(&mut self.requests) => self.hear_reply(came).await,
            };
            if let Err(ending) = heard {
                return ending;
            }
        }
        Ending::Done
    }
}
