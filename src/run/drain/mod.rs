//! What is still in the queues at the end: every message is taken out and told apart by its id.
//!
//! A consumer without acks takes everything; a passive declare says when nothing is ready and
//! nobody else consumes; the answer to basic.cancel comes after the last delivery on the same
//! channel. So an empty queue is seen to be empty, not supposed to be. All queues are drained
//! together, because a dead letter may still be on its way from one to another.

mod streams;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicGetOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Consumer};
use tokio::time::{Instant, sleep, timeout};

use crate::ledger::event::{Event, Sighting};
use crate::plan::model::{QueueId, QueueKind};
use crate::run::asking::{Answer, ask_on};
use crate::run::stage::Stage;
use crate::run::{identity, stranded};

/// A drain that gets nothing for so long gives up.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited for what must come and perhaps never will: a dead letter on its way, or
/// what was published without a confirm. (Measured: quorum queues, and on 4.3 classic ones too,
/// take some milliseconds more than the channel that it was published on.)
const GRACE: Duration = Duration::from_millis(300);
const STEP: Duration = Duration::from_millis(2);
/// How many messages go to the ledger at a time.
const BATCH: usize = 1024;

/// A drain under way; it keeps an auto-delete queue alive.
pub struct Drain {
    queue: QueueId,
    real: String,
    channel: Channel,
    consumer: Option<Consumer>,
    /// Others may have messages there: only those of this run are taken.
    shared: bool,
    batch: Vec<Option<Sighting>>,
    total: u64,
    /// When it took the last of them.
    last: std::time::Instant,
    /// Nothing was ready when it was looked at last, and nothing was wrong.
    seen_empty: bool,
}

impl Drain {
    /// Starts taking messages. A queue that cannot be consumed from is not complete in the end.
    pub async fn start(stage: &Stage, queue: QueueId, real: String, channel: Channel) -> Self {
        let plan = &stage.plan.topology.queues[queue.index()];
        let shared = plan.predeclared;
        let mut drain = Self {
            queue,
            real,
            channel,
            consumer: None,
            shared,
            batch: Vec::new(),
            total: 0,
            last: std::time::Instant::now(),
            seen_empty: false,
        };
        if plan.kind != QueueKind::Stream {
            let options = BasicConsumeOptions { no_ack: !shared, ..BasicConsumeOptions::default() };
            drain.consumer = drain.consume(options, FieldTable::default()).await;
        }
        drain
    }

    async fn consume(&self, options: BasicConsumeOptions, table: FieldTable) -> Option<Consumer> {
        let (queue, tag) = (self.real.as_str().into(), "rmq-scenario-drain".into());
        let asked = self.channel.basic_consume(queue, tag, options, table);
        timeout(PATIENCE, asked).await.ok().and_then(Result::ok)
    }

    pub fn queue(&self) -> QueueId {
        self.queue
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
                Ok(Ok(Some(message))) => self.count(stage, &message.delivery.properties).await,
                Ok(Ok(None)) => break true,
                _ => break false,
            }
        };
    }

    /// Takes everything that has arrived. Whether that was anything.
    async fn take_ready(&mut self, stage: &Stage) -> bool {
        let before = self.total;
        let Some(mut consumer) = self.consumer.take() else { return false };
        while let Some(Some(Ok(delivery))) = consumer.next().now_or_never() {
            self.take(stage, &delivery).await;
        }
        self.consumer = Some(consumer);
        self.total > before
    }

    async fn take(&mut self, stage: &Stage, delivery: &Delivery) {
        let seen = identity::sighting(stage, &delivery.properties);
        if self.shared {
            // What is not ours goes back when the channel ends.
            if seen.is_none() && !identity::is_of_probe(&stage.run, &delivery.properties) {
                return;
            }
            // A channel that is broken tells so by itself.
            let ack = BasicAckOptions { multiple: false };
            let _ = self.channel.basic_ack(delivery.delivery_tag, ack).await;
        }
        self.count(stage, &delivery.properties).await;
    }

    /// What a probe published is in nobody's books.
    async fn count(&mut self, stage: &Stage, properties: &BasicProperties) {
        if !identity::is_of_probe(&stage.run, properties) {
            self.keep(stage, identity::sighting(stage, properties)).await;
        }
    }

    async fn keep(&mut self, stage: &Stage, seen: Option<Sighting>) {
        self.batch.push(seen);
        self.total += 1;
        self.last = std::time::Instant::now();
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

    /// Whether it is empty; `None` when that is not to be known.
    async fn is_empty(&self, stage: &Stage) -> Option<bool> {
        let Ok(Answer::There(numbers)) = ask_on(&self.channel, &self.real).await else {
            return None;
        };
        // One consumer is this drain; another is a dead one that the broker still believes in,
        // and what it holds will come back.
        let stranded = stranded::count(stage, self.queue);
        let none_left = numbers.ready == 0 && numbers.consumers <= 1 + stranded;
        let waits = stranded > 0 && stranded::hold_something(stage, self.queue, 0, self.last).await;
        Some(none_left && !waits)
    }

    /// Takes the last, and tells the ledger whether the queue was seen empty.
    async fn end(mut self, stage: &Stage) {
        if let Some(consumer) = &self.consumer {
            let cancel = self.channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
            let cancelled = timeout(PATIENCE, cancel).await;
            self.seen_empty &= matches!(cancelled, Ok(Ok(())));
            self.take_ready(stage).await;
        }
        self.write(stage).await;
        if self.shared {
            // What is not ours goes back; that it does not is the broker's affair.
            let _ = timeout(PATIENCE, self.channel.close(200, "OK".into())).await;
        }
        let (queue, complete, total) = (self.queue, self.seen_empty, self.total);
        stage.queues[queue.index()].drained.store(true, Ordering::SeqCst);
        let at = stage.clock.now();
        stage.scribe.record(Event::DrainEnded { queue, complete, total, at }).await;
    }
}

/// Takes what is left in these queues and tells the ledger whether each was seen empty.
pub async fn drain_all(stage: &Arc<Stage>, drains: Vec<Drain>) {
    let is_stream =
        |drain: &Drain| stage.plan.topology.queues[drain.queue.index()].kind == QueueKind::Stream;
    let (streams, mut drains): (Vec<_>, Vec<_>) = drains.into_iter().partition(is_stream);
    empty(stage, &mut drains).await;
    for drain in drains {
        drain.end(stage).await;
    }
    // Last, because a dead letter may come to a stream.
    for mut drain in streams {
        drain.read_to_the_end(stage).await;
        drain.end(stage).await;
    }
}

/// Takes everything until nothing is ready anywhere and nothing more is expected.
async fn empty(stage: &Stage, drains: &mut [Drain]) {
    let mut last_news = Instant::now();
    loop {
        let mut news = false;
        let mut all_empty = true;
        for drain in drains.iter_mut().filter(|drain| !drain.is_refused()) {
            news |= drain.take_ready(stage).await;
            match drain.is_empty(stage).await {
                Some(empty) => {
                    drain.seen_empty = empty;
                    all_empty &= empty;
                }
                None => {
                    drain.seen_empty = false;
                    drain.consumer = None;
                }
            }
            news |= drain.take_ready(stage).await;
        }
        if news {
            last_news = Instant::now();
            continue;
        }
        let waited = last_news.elapsed();
        if all_empty && (waited > GRACE || !is_outstanding(stage, drains).await) {
            return;
        }
        if waited > PATIENCE {
            return;
        }
        sleep(if all_empty { STEP * 10 } else { STEP }).await;
    }
}

/// Whether something must still come, by what the ledger knows.
async fn is_outstanding(stage: &Stage, drains: &mut [Drain]) -> bool {
    for drain in drains.iter_mut() {
        drain.write(stage).await;
    }
    stage.scribe.is_outstanding().await
}
