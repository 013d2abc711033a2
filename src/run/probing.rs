//! Probes: one AMQP operation each, on a connection of its own, and what the broker says to it.
//!
//! Nothing of a probe is in the ledger. What it takes from a queue goes back when its channel
//! closes, and what it publishes bears an id by which it is known to be no producer's.

use std::sync::Arc;
use std::time::Duration;

use lapin::message::BasicReturnMessage;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions, QueueDeleteOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation};
use tokio::time::timeout;

use crate::broker::{BrokerError, Link};
use crate::ledger::facts::{ProbeFact, Said};
use crate::plan::model::{AckMode, Operation, QueueId};
use crate::run::identity;
use crate::run::stage::{Stage, lock};
use crate::run::trouble::{self, Listener};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bodies above this go in larger frames.
const LARGE: u64 = 1 << 20;
const LARGE_FRAME: u32 = 128 << 10;

/// Asks what the probe asks, and notes the answer.
pub async fn probe(stage: &Arc<Stage>, index: usize) {
    let at = stage.clock.now();
    let said = match ask(stage, index).await {
        Said::Done(came) => Said::Done(came),
        Said::Refused { scope, code, text } => {
            Said::Refused { scope, code, text: stage.space.as_the_file_says(&text) }
        }
    };
    lock(&stage.probes).push(ProbeFact { probe: index, at, said });
}

async fn ask(stage: &Arc<Stage>, index: usize) -> Said {
    let frame_max = match stage.plan.probes[index].operation {
        Operation::Publish { size, .. } if size > LARGE => Some(LARGE_FRAME),
        _ => None,
    };
    let link = match stage.space.connect(&format!("probe-{}", index + 1), frame_max).await {
        Ok(link) => link,
        Err(error) => return unconnected(error),
    };
    let mut listener = Listener::new(&link.connection, || {});
    let said = match timeout(PATIENCE, operate(stage, index, &link)).await {
        Ok(Ok(said)) => said,
        Ok(Err(error)) => {
            let error = listener.reason(&error).await;
            let fact = trouble::fact("", &error);
            Said::Refused { scope: fact.scope, code: fact.code, text: fact.text }
        }
        Err(_) => {
            let text = format!("no answer in {} s", PATIENCE.as_secs());
            Said::Refused { scope: "none", code: 0, text }
        }
    };
    // What it holds goes back with its connection, however that ends.
    if !matches!(timeout(PATIENCE, link.close()).await, Ok(Ok(()))) {
        link.cut();
    }
    said
}

/// A broker that lets nobody in answers, too.
fn unconnected(error: BrokerError) -> Said {
    let (code, text) = error.said.unwrap_or((0, error.message));
    Said::Refused { scope: "connection", code, text }
}

async fn operate(stage: &Arc<Stage>, index: usize, link: &Link) -> lapin::Result<Said> {
    let channel = link.connection.create_channel().await?;
    match &stage.plan.probes[index].operation {
        Operation::DeclareQueue { queue, passive } => {
            let topology = &stage.plan.topology;
            let there = stage.space.probe_queue(&channel, topology, queue, *passive).await?;
            if !passive && is_gone(stage, &queue.name) {
                let options = QueueDeleteOptions::default();
                channel.queue_delete(there.name().clone(), options).await?;
            }
            let (ready, consumers) = (there.message_count(), there.consumer_count());
            Ok(Said::Done(format!("ready {ready}, consumers {consumers}")))
        }
        Operation::DeclareExchange { exchange, passive } => {
            let topology = &stage.plan.topology;
            stage.space.probe_exchange(&channel, topology, exchange, *passive).await?;
            Ok(Said::Done(String::new()))
        }
        Operation::Publish { exchange, routing_key, mandatory, size } => {
            let to = (exchange.as_str(), routing_key.as_str());
            publish(stage, index, &channel, to, (*mandatory, *size)).await
        }
        Operation::Consume { queue, ack, exclusive, prefetch } => {
            if *prefetch > 0 {
                channel.basic_qos(*prefetch, BasicQosOptions::default()).await?;
            }
            subscribe(stage, &channel, queue, *ack, *exclusive).await
        }
        Operation::Get { queue, ack } => get(stage, &channel, queue, *ack).await,
        Operation::AckUnknownTag(tag) => {
            channel.basic_ack(*tag, BasicAckOptions { multiple: false }).await?;
            // An ack has no answer; whatever is asked next on the channel has.
            channel.basic_qos(0, BasicQosOptions::default()).await?;
            Ok(Said::Done(String::new()))
        }
        Operation::Qos { prefetch, global, queue } => {
            channel.basic_qos(*prefetch, BasicQosOptions { global: *global }).await?;
            match queue {
                Some(queue) => subscribe(stage, &channel, queue, AckMode::Never, false).await,
                None => Ok(Said::Done(String::new())),
            }
        }
    }
}

/// Whether the file declares the queue and it went meanwhile: back in a probe's hands it would
/// take messages that nobody looks for.
fn is_gone(stage: &Stage, name: &str) -> bool {
    let queues = stage.plan.topology.queues.iter();
    let known = queues.enumerate().find(|(_, queue)| queue.name == name);
    known.is_some_and(|(index, _)| stage.real_name(QueueId::from_index(index)).is_none())
}

/// What the broker calls a queue; a worker's name is that of its temporary queue.
fn real_name(stage: &Stage, name: &str) -> String {
    let queues = stage.plan.topology.queues.iter();
    let own = queues.enumerate().find(|(_, queue)| queue.name == name && queue.temporary);
    own.and_then(|(index, _)| stage.real_name(QueueId::from_index(index)))
        .unwrap_or_else(|| stage.space.queue_called(&stage.plan.topology, name))
}

async fn publish(
    stage: &Stage,
    index: usize,
    channel: &Channel,
    (exchange, key): (&str, &str),
    (mandatory, size): (bool, u64),
) -> lapin::Result<Said> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (real, key) = match exchange {
        "" => (String::new(), real_name(stage, key)),
        _ => (stage.space.exchange_called(&stage.plan.topology, exchange), key.to_owned()),
    };
    let body = vec![b'.'; usize::try_from(size).unwrap_or(usize::MAX)];
    let id = identity::of_probe(&stage.run, index);
    let properties = BasicProperties::default().with_message_id(id);
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    let published = channel.basic_publish(
        real.as_str().into(),
        key.as_str().into(),
        options,
        &body,
        properties,
    );
    Ok(match published.await?.await? {
        Confirmation::Ack(None) => Said::Done("confirmed".to_owned()),
        Confirmation::Ack(Some(returned)) | Confirmation::Nack(Some(returned)) => back(&returned),
        Confirmation::Nack(None) => {
            let text = "refused with basic.nack".to_owned();
            Said::Refused { scope: "message", code: 0, text }
        }
        Confirmation::NotRequested => unreachable!("confirms were asked for"),
    })
}

/// A mandatory message that no queue took.
fn back(returned: &BasicReturnMessage) -> Said {
    Said::Refused {
        scope: "message",
        code: returned.reply_code,
        text: format!("returned: {}", returned.reply_text),
    }
}

async fn subscribe(
    stage: &Stage,
    channel: &Channel,
    queue: &str,
    ack: AckMode,
    exclusive: bool,
) -> lapin::Result<Said> {
    let no_ack = ack == AckMode::Auto;
    let options = BasicConsumeOptions { no_ack, exclusive, ..BasicConsumeOptions::default() };
    let real = real_name(stage, queue);
    let asked =
        channel.basic_consume(real.as_str().into(), "".into(), options, FieldTable::default());
    let consumer = asked.await?;
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await?;
    Ok(Said::Done("subscribed".to_owned()))
}

async fn get(stage: &Stage, channel: &Channel, queue: &str, ack: AckMode) -> lapin::Result<Said> {
    let no_ack = ack == AckMode::Auto;
    let real = real_name(stage, queue);
    let got = channel.basic_get(real.as_str().into(), BasicGetOptions { no_ack }).await?;
    let Some(got) = got else { return Ok(Said::Done("empty".to_owned())) };
    if !no_ack {
        let options = BasicNackOptions { multiple: false, requeue: true };
        channel.basic_nack(got.delivery.delivery_tag, options).await?;
    }
    Ok(Said::Done(format!("a message, and {} more", got.message_count)))
}
