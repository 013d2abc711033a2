//! A worker's ways out of its subscription, and what it does before: reading all that was sent
//! to it, acking what it has finished.

use futures_util::{FutureExt, StreamExt};
use lapin::options::{BasicCancelOptions, BasicQosOptions};
use lapin::{Channel, Error};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::plan::model::AckMode;
use crate::run::departure::Departure;
use crate::run::tally::Action;
use crate::run::worker::{Life, PATIENCE};

impl Life {
    /// The stop came in the middle of a work: no more deliveries, and the work goes on.
    pub(super) async fn stop_reading(&mut self, done: oneshot::Sender<()>) {
        self.stopping = Some(done);
        self.leave(false).await;
        self.cancel().await;
    }

    /// Before the subscription ends, and with `hangs_up` the connection: tells the ledger if
    /// that takes the queue along.
    pub async fn leave(&mut self, hangs_up: bool) {
        if !std::mem::replace(&mut self.left, true) {
            self.flush().await;
            self.departure = Departure::begin(&self.stage, self.worker, hangs_up).await;
        } else if hangs_up && self.departure.is_none() {
            // It left only its subscription before.
            self.flush().await;
            self.departure = Departure::vacate(&self.stage, self.worker).await;
        }
    }

    /// Ends the subscription; what had arrived by then was read.
    pub async fn cancel(&mut self) {
        if !self.would_be_heard() {
            return;
        }
        let tag = self.consumer.tag();
        let cancelled = self.channel.basic_cancel(tag, BasicCancelOptions::default());
        // A channel that is broken has no subscription any more.
        let _ = timeout(PATIENCE, cancelled).await;
        self.read_all();
    }

    /// Whether it has left already, in the middle of its last work.
    pub fn has_left(&self) -> bool {
        self.left
    }

    /// Ends the subscription of a worker that is dead: nothing more is read. Whether the broker
    /// answered: then it sends nothing more.
    pub async fn cancel_silently(&mut self) -> bool {
        let tag = self.consumer.tag();
        let cancelled = self.channel.basic_cancel(tag, BasicCancelOptions::default());
        matches!(timeout(PATIENCE, cancelled).await, Ok(Ok(())))
    }

    /// Whether the broker waits for an ack of this worker, whose subscription is over. What
    /// came unread counts: it came before the answer to the cancel.
    pub fn holds_something(&mut self) -> bool {
        if self.ack == AckMode::Auto {
            return false;
        }
        let unread = matches!(self.consumer.next().now_or_never(), Some(Some(Ok(_))));
        let acked = match self.ack {
            AckMode::Manual { .. } => self.totals.finished - self.unacked,
            AckMode::Early => self.totals.acks,
            AckMode::Auto | AckMode::Never => 0,
        };
        unread || self.totals.read > acked + self.totals.rejected
    }

    /// At a stop and at the end all that is finished is acked.
    /// Says what that sets off.
    pub async fn ack_rest(&mut self) -> Vec<Action> {
        if !matches!(self.ack, AckMode::Manual { .. }) || self.unacked == 0 {
            return Vec::new();
        }
        let covered = std::mem::take(&mut self.unacked);
        match self.write_ack(self.last_finished).await {
            Ok(()) => self.stage.tallies.count(&self.watches.acked, covered, |_| true),
            // A channel that is broken keeps its deliveries unacked; the events say so.
            Err(_) => Vec::new(),
        }
    }

    /// What the broker holds against what was written on the channel of the acks, if it has not
    /// said so before: a question behind that is not answered then.
    pub async fn complaint(&self) -> Option<Error> {
        let channel = self.acks_on.as_ref().unwrap_or(&self.channel);
        self.question(channel).await.err()
    }

    /// The prefetch, set again to what it is, is a question that changes nothing. An error only
    /// if the broker gave one.
    pub(super) async fn question(&self, channel: &Channel) -> Result<(), Error> {
        let prefetch = self.stage.plan.workers[self.worker.index()].prefetch;
        let asked = channel.basic_qos(prefetch, BasicQosOptions::default());
        timeout(PATIENCE, asked).await.unwrap_or(Ok(()))
    }

    /// The answer to a question on this channel comes behind every delivery that was sent before
    /// it.
    pub(super) async fn catch_up(&mut self) {
        if self.would_be_heard() {
            // A channel that is broken tells so by itself.
            let _ = self.question(&self.channel).await;
        }
        self.read_ready();
        self.flush().await;
    }
}
