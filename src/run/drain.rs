//! What is still in a queue at the end: every message is taken out and told apart by its id.
//!
//! A consumer without acks takes everything; a passive declare says when nothing is ready and
//! nobody else consumes; the answer to basic.cancel comes after the last delivery on the same
//! channel. So an empty queue is seen to be empty, not supposed to be.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicGetOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Consumer};
use tokio::time::{Instant, sleep, timeout};

use crate::ledger::event::{Event, Sighting};
use crate::plan::model::QueueId;
use crate::run::asking::{Answer, ask_on};
use crate::run::identity;
use crate::run::stage::Stage;

/// A drain that gets nothing for so long gives up.
const PATIENCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(2);
/// How many messages go to the ledger at a time.
const BATCH: usize = 1024;

/// A drain under way; it keeps an auto-delete queue alive.
pub struct Drain {
    queue: QueueId,
    real: String,
    channel: Channel,
    consumer: Option<Consumer>,
    batch: Vec<Option<Sighting>>,
    total: u64,
    /// Without a subscription: nothing was ready when it was looked at last.
    seen_empty: bool,
}

impl Drain {
    /// Starts taking messages. A queue that cannot be consumed from is not complete in the end.
    pub async fn start(queue: QueueId, real: String, channel: Channel) -> Self {
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let asked = channel.basic_consume(
            real.as_str().into(),
            "rmq-scenario-drain".into(),
            options,
            FieldTable::default(),
        );
        let consumer = timeout(PATIENCE, asked).await.ok().and_then(Result::ok);
        Self { queue, real, channel, consumer, batch: Vec::new(), total: 0, seen_empty: false }
    }

    /// Whether somebody else's exclusive subscription keeps it out, or the queue is gone.
    pub fn is_refused(&self) -> bool {
        self.consumer.is_none()
    }

    /// Takes what is ready now, one by one, where it cannot subscribe. An auto-delete queue
    /// goes when the exclusive consumer leaves, so this is the last look at it.
    pub async fn take_now(&mut self, stage: &Stage, channel: &Channel) {
        let options = BasicGetOptions { no_ack: true };
        self.seen_empty = loop {
            let got = channel.basic_get(self.real.as_str().into(), options);
            match timeout(PATIENCE, got).await {
                Ok(Ok(Some(message))) => self.keep(stage, &message.delivery.properties).await,
                Ok(Ok(None)) => break true,
                _ => break false,
            }
        };
    }

    /// Takes what is left and tells the ledger whether the queue was seen empty.
    pub async fn complete(mut self, stage: &Stage) {
        let complete = match self.consumer.take() {
            Some(consumer) => self.empty(stage, consumer).await,
            None => self.seen_empty,
        };
        self.write(stage).await;
        let (queue, total) = (self.queue, self.total);
        stage.queues[queue.index()].drained.store(true, Ordering::SeqCst);
        let at = stage.clock.now();
        stage.scribe.record(Event::DrainEnded { queue, complete, total, at }).await;
    }

    async fn empty(&mut self, stage: &Stage, mut consumer: Consumer) -> bool {
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            let before = self.total;
            self.take_ready(stage, &mut consumer).await;
            if self.total > before {
                deadline = Instant::now() + PATIENCE;
            }
            match ask_on(&self.channel, &self.real).await {
                // One consumer is this drain; another is a dead one that the broker still
                // believes in, and what it holds will come back.
                Ok(Answer::There(numbers)) if numbers.ready == 0 && numbers.consumers <= 1 => break,
                Ok(Answer::There(_)) if Instant::now() < deadline => sleep(STEP).await,
                _ => return false,
            }
        }
        let cancel = self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
        let cancelled = timeout(PATIENCE, cancel).await;
        self.take_ready(stage, &mut consumer).await;
        matches!(cancelled, Ok(Ok(())))
    }

    async fn take_ready(&mut self, stage: &Stage, consumer: &mut Consumer) {
        while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
            self.keep(stage, &delivery.properties).await;
        }
    }

    async fn keep(&mut self, stage: &Stage, properties: &BasicProperties) {
        self.batch.push(identity::sighting(stage, properties));
        self.total += 1;
        if self.batch.len() >= BATCH {
            self.write(stage).await;
        }
    }

    async fn write(&mut self, stage: &Stage) {
        let messages = std::mem::take(&mut self.batch);
        if !messages.is_empty() {
            stage.scribe.record(Event::Drained { queue: self.queue, messages }).await;
        }
    }
}
