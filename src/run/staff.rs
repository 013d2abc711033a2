//! Workers come: connecting, and subscribing in order.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Consumer, Error};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::broker::{BrokerError, Link};
use crate::ledger::event::Event;
use crate::ledger::facts::ErrorFact;
use crate::plan::model::{AckMode, CountEvent, Instance, Offset, Worker, WorkerId};
use crate::run::departure::{Departure, arrive};
use crate::run::stage::{Command, Stage, lock};
use crate::run::trouble::{self, Listener};
use crate::run::worker::{Life, PATIENCE, Parts};
use crate::run::{acting, asking, parting, rejoining};

/// How many commands may wait for a worker; nobody sends many.
const COMMANDS: usize = 64;

/// A worker that is connected and not yet subscribed.
pub struct Ready {
    worker: WorkerId,
    link: Link,
    channel: Channel,
    acks_on: Option<Channel>,
    listener: Listener,
    /// Nobody is told of it before somebody listens: whoever acts upon a worker waits for it.
    sender: mpsc::Sender<Command>,
    control: mpsc::Receiver<Command>,
}

/// Connects a worker; many may do so at the same time.
pub async fn connect(stage: &Arc<Stage>, worker: WorkerId) -> Result<Ready, BrokerError> {
    let plan = &stage.plan.workers[worker.index()];
    let (sender, control) = mpsc::channel(COMMANDS);
    let network = &stage.workers[worker.index()].network;
    let way = network.way(plan.node, worker.index(), stage);
    let link = stage.space.connect_by(&way, &plan.name, None).await?;
    let channel = open(&link, &plan.name).await?;
    let acks_on = if plan.acks_elsewhere { Some(open(&link, &plan.name).await?) } else { None };
    if plan.prefetch > 0 {
        let qos = channel.basic_qos(plan.prefetch, BasicQosOptions::default());
        let doing = format!("setting the prefetch of {}", plan.name);
        let set = timeout(PATIENCE, qos).await.map_err(|_| BrokerError::silent(&doing))?;
        set.map_err(|error| BrokerError::amqp(&doing, &error))?;
    }
    let listener = stage.listen(&plan.name, &link);
    Ok(Ready { worker, link, channel, acks_on, listener, sender, control })
}

async fn open(link: &Link, name: &str) -> Result<Channel, BrokerError> {
    link.open_channel(&format!("opening a channel for {name}")).await
}

/// Subscribes. When this returns the worker is consuming (`true`), or it was refused and has
/// ended.
pub async fn subscribe(stage: &Arc<Stage>, mut ready: Ready) -> Result<bool, BrokerError> {
    let worker = ready.worker;
    let plan = &stage.plan.workers[worker.index()];
    let queue = &stage.plan.topology.queues[plan.queue.index()];
    let real = if queue.owner == Some(worker) {
        match arrive(stage, &ready.channel, plan.queue).await {
            Ok(real) => real,
            Err((error, departure)) => {
                let Some((code, text)) = error.said.clone() else {
                    ready.link.cut();
                    departure.complete(stage).await;
                    return Err(error);
                };
                let who = plan.name.clone();
                let fact = ErrorFact { who, scope: "channel", code, text, explained: false };
                refuse(stage, ready, fact).await;
                departure.complete(stage).await;
                return Ok(false);
            }
        }
    } else {
        stage.space.queue_name(queue)
    };
    let doing = format!("subscribing {}", plan.name);
    match consume(stage, &ready, &real).await {
        Ok(Ok(consumer)) => begin(stage, ready, consumer).await,
        Err(error) => {
            gave_up(stage, ready).await;
            return Err(error);
        }
        Ok(Err(error)) => {
            let error = ready.listener.reason(&error).await;
            let lost = stage.is_loss(&error) && !ready.link.connection.status().connected();
            if lost || stage.is_coming_back(plan.queue, &error) {
                gave_up(stage, ready).await;
                return Err(BrokerError::amqp(&doing, &error));
            }
            refuse(stage, ready, trouble::fact(&plan.name, &error)).await;
            return Ok(false);
        }
    }
    let watch =
        stage.tallies.watch(CountEvent::Consuming, Instance::Worker(worker), Some(plan.queue));
    let due = stage.tallies.count(&watch, 1, |_| true);
    acting::act_all(stage, due).await;
    Ok(true)
}

/// Its connection was lost, or given up, before it was consuming: what it had declared goes with
/// that.
async fn gave_up(stage: &Arc<Stage>, ready: Ready) {
    let departure = Departure::vacate(stage, ready.worker).await;
    ready.link.cut();
    if let Some(departure) = departure {
        departure.complete(stage).await;
    }
}

async fn consume(
    stage: &Arc<Stage>,
    ready: &Ready,
    real: &str,
) -> Result<Result<Consumer, Error>, BrokerError> {
    let plan = &stage.plan.workers[ready.worker.index()];
    let options = BasicConsumeOptions {
        no_ack: plan.ack == AckMode::Auto,
        exclusive: plan.exclusive,
        ..BasicConsumeOptions::default()
    };
    let asked = ready.channel.basic_consume(real.into(), "".into(), options, arguments(plan));
    let doing = format!("subscribing {}", plan.name);
    timeout(PATIENCE, asked).await.map_err(|_| BrokerError::silent(&doing))
}

/// What a subscription asks for beside its options.
fn arguments(plan: &Worker) -> FieldTable {
    let mut table = FieldTable::default();
    if let Some(priority) = plan.priority {
        table.insert("x-priority".into(), AMQPValue::LongInt(priority));
    }
    if let Some(offset) = plan.offset {
        let offset = match offset {
            Offset::First => AMQPValue::LongString("first".into()),
            Offset::Last => AMQPValue::LongString("last".into()),
            Offset::Next => AMQPValue::LongString("next".into()),
            // The protocol has only signed ones; no stream comes near the end of them.
            Offset::At(n) => AMQPValue::LongLongInt(i64::try_from(n).unwrap_or(i64::MAX)),
        };
        table.insert("x-stream-offset".into(), offset);
    }
    table
}

async fn begin(stage: &Arc<Stage>, ready: Ready, consumer: Consumer) {
    let Ready { worker, link, channel, acks_on, listener, sender, control } = ready;
    let id = stage.next_life();
    stage.count_in(worker);
    stage.workers[worker.index()].node.store(link.node.index() + 1, Ordering::SeqCst);
    let at = stage.clock.now();
    stage.scribe.record(Event::LifeStarted { life: id, worker, at }).await;
    let parts = Parts {
        stage: Arc::clone(stage),
        worker,
        id,
        link,
        channel,
        listener,
        control,
        consumer,
        acks_on,
    };
    let task = tokio::spawn(parting::run(Life::new(parts)));
    let slot = &stage.workers[worker.index()];
    lock(&slot.task).push(task);
    let stops = {
        let mut control = lock(&slot.control);
        *control = Some(sender);
        slot.stop_due.swap(false, Ordering::SeqCst)
    };
    if stops {
        acting::stop(stage, worker).await;
    }
}

/// A refused subscription ends the program for good.
async fn refuse(stage: &Arc<Stage>, ready: Ready, fact: ErrorFact) {
    let plan = &stage.plan.workers[ready.worker.index()];
    let network = &stage.workers[ready.worker.index()].network;
    let explained = stage.explains(network, Some(plan.queue), &fact);
    stage.note_error(ErrorFact { explained, ..fact });
    lock(&stage.refused).push(ready.worker);
    // It may be the connection itself that was refused.
    let _ = timeout(PATIENCE, ready.link.close()).await;
}

/// The same as [`subscribe`]. The future is boxed because what begins here may, having lost its
/// connection, begin again.
pub fn begin_life(
    stage: &Arc<Stage>,
    ready: Ready,
) -> Pin<Box<dyn Future<Output = Result<bool, BrokerError>> + Send + '_>> {
    Box::pin(subscribe(stage, ready))
}

/// A late start or a restart. Whether it is consuming then. One that meets a broker, or a network,
/// that a fault keeps from answering tries on.
pub async fn start(stage: &Arc<Stage>, worker: WorkerId) -> bool {
    let ready = connect(stage, worker).await;
    match enter(stage, worker, ready).await {
        Ok(consuming) => consuming,
        Err(error) => {
            stage.fail(error);
            false
        }
    }
}

/// Begins with what connecting came to. Whether it is consuming then.
pub async fn enter(
    stage: &Arc<Stage>,
    worker: WorkerId,
    ready: Result<Ready, BrokerError>,
) -> Result<bool, BrokerError> {
    let begun = match ready {
        Ok(ready) => begin_life(stage, ready).await,
        Err(error) => Err(error),
    };
    match begun {
        Err(_) if rejoining::is_excused(stage, worker) => {
            rejoining::try_on(stage, worker);
            Ok(false)
        }
        begun => begun,
    }
}

/// Opens a further channel on a worker's connection, for whoever must act as its owner.
pub async fn lend(link: &Link, reply: oneshot::Sender<Channel>) {
    if let Ok(channel) = link.open_channel("opening a channel").await {
        // Whoever asked may have been cut off.
        let _ = reply.send(channel);
    }
}

/// The numbers of a queue that no other connection may ask for.
pub async fn numbers_on(link: &Link, real: &str) -> Option<asking::Answer> {
    let channel = link.open_channel("opening a channel").await.ok()?;
    let answer = asking::ask_on(&channel, real).await.ok()?;
    parting::close_channel(&channel).await;
    Some(answer)
}
