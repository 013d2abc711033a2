//! Requests and their answers, as a client makes them that can do one thing at a time: it
//! publishes a request, waits for the answer, and goes on with the next.
//!
//! Answers come through the broker's direct reply-to: a subscription to a queue that does not
//! exist, on the channel of the requests. It must be there before the first of them.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer, Error};
use tokio::time::{Instant, timeout};

use crate::broker::BrokerError;
use crate::ledger::event::{Event, MessageKey};
use crate::run::identity;
use crate::run::producer::{Ending, Life};
use crate::run::worker::PATIENCE;

/// Where answers are wanted.
pub const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// The requests of one channel.
pub struct Requests {
    replies: Consumer,
    patience: Duration,
    /// The one whose answer is waited for, and until when.
    waiting: Option<(u32, Instant)>,
    /// Those without an answer. Late ones still count while the channel is open.
    open: BTreeSet<u32>,
}

/// An answer, or what ended the subscription.
pub type Came = Option<Result<Delivery, Error>>;

/// Waits for the next answer; for ever when there are no requests.
pub async fn reply(requests: &mut Option<Requests>) -> Came {
    match requests {
        Some(requests) => requests.replies.next().await,
        None => std::future::pending().await,
    }
}

impl Requests {
    /// Subscribes to answers on the channel that the requests are going to use.
    pub async fn open(
        channel: &Channel,
        name: &str,
        patience: Duration,
    ) -> Result<Self, BrokerError> {
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let asked =
            channel.basic_consume(REPLY_TO.into(), "".into(), options, FieldTable::default());
        let doing = format!("subscribing {name} to its replies");
        let replies = timeout(PATIENCE, asked).await.map_err(|_| BrokerError::silent(&doing))?;
        let replies = replies.map_err(|error| BrokerError::amqp(&doing, &error))?;
        Ok(Self { replies, patience, waiting: None, open: BTreeSet::new() })
    }

    /// A request was written.
    pub fn asked(&mut self, n: u32) {
        self.waiting = Some((n, Instant::now() + self.patience));
        self.open.insert(n);
    }

    /// Whether the next request has to wait for an answer.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Until when the answer is waited for.
    pub fn until(&self) -> Option<Instant> {
        self.waiting.map(|(_, until)| until)
    }

    /// What has waited long enough is late from now on.
    pub fn give_up_waiting(&mut self, now: Instant) {
        self.waiting = self.waiting.filter(|(_, until)| *until > now);
    }

    /// Whether some request has no answer yet.
    pub fn lack_some(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether this is the first answer to a request of this channel.
    fn is_first(&mut self, n: u32) -> bool {
        self.waiting = self.waiting.filter(|(waiting, _)| *waiting != n);
        self.open.remove(&n)
    }
}

impl Life {
    /// Whether an answer is waited for.
    pub fn awaits_reply(&self) -> bool {
        self.requests.as_ref().is_some_and(Requests::is_waiting)
    }

    /// A request is about to be written.
    pub fn ask(&mut self, n: u32) {
        if let Some(requests) = &mut self.requests {
            requests.asked(n);
            let slot = &self.stage.producers[self.id.index()];
            slot.asks.store(true, Ordering::SeqCst);
        }
    }

    /// Takes what came on the subscription to answers.
    pub async fn hear_reply(&mut self, came: Came) -> Result<(), Ending> {
        match came {
            Some(Ok(delivery)) => {
                self.replied(&delivery).await;
                Ok(())
            }
            Some(Err(error)) => Err(Ending::Failed(error)),
            // The broker ends no such subscription by itself; the channel tells its own end.
            None => {
                self.requests = None;
                Ok(())
            }
        }
    }

    async fn replied(&mut self, delivery: &Delivery) {
        let id = delivery.properties.correlation_id().as_ref();
        let key = id.and_then(|id| identity::read(&self.stage.run, id.as_str()));
        let Some(key) = key.filter(|key| key.producer == self.id) else { return };
        let Some(requests) = self.requests.as_mut() else { return };
        if requests.is_first(key.n) {
            let none_left = !requests.lack_some();
            let message = MessageKey { producer: self.id, n: key.n };
            let at = self.stage.clock.now();
            self.stage.scribe.record(Event::Replied { message, at }).await;
            // Recorded first: whoever sees that nothing is asked for any more finds it written.
            if none_left {
                self.stage.producers[self.id.index()].asks.store(false, Ordering::SeqCst);
            }
        }
    }

    /// Before the channel is closed: what the broker has sent until now shall be read. The
    /// answer to a question comes behind it.
    pub async fn hear_last_replies(&mut self) {
        if self.requests.as_ref().is_none_or(|requests| !requests.lack_some()) {
            return;
        }
        let asked = self.channel.basic_qos(0, BasicQosOptions::default());
        // A channel that is broken tells so by itself.
        let _ = timeout(PATIENCE, asked).await;
        while let Some(Some(came)) =
            self.requests.as_mut().and_then(|requests| requests.replies.next().now_or_never())
        {
            let Ok(delivery) = came else { return };
            self.replied(&delivery).await;
        }
    }
}
