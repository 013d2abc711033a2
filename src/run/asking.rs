//! Asking the broker about queues on a connection of our own, without disturbing anybody.
//!
//! A passive declare says how many messages are ready and how many consumers there are,
//! exactly and at once, for classic queues. Asking for a queue that is not there, or that
//! belongs to another connection, costs the channel, so channels are opened as needed.

use std::sync::Arc;
use std::time::Duration;

use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, ErrorKind};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::broker::{BrokerError, Link, Space, Way};
use crate::run::nodes::Nodes;
use crate::run::stage::Numbers;
use crate::run::trouble;

/// What the broker's operator sees it as.
const NAME: &str = "rmq-scenario";
/// No answer to one question takes longer on a broker that works.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a queue that should go is asked for again: each time twice as late as before,
/// because every answer that it is still there and locked costs a channel.
const STEP: Duration = Duration::from_millis(3);
const LONGEST_STEP: Duration = Duration::from_millis(50);

/// A quorum queue answers 0 and 0 when its leader takes longer than 250 ms. A machine under load
/// may answer a true 0 as late, so it is asked only so often.
const SLOW: Duration = Duration::from_millis(200);
const TIMES: u32 = 5;

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    There(Numbers),
    /// It exists and belongs to another connection.
    Locked,
    /// It exists, and the node that it is on cannot be reached.
    Away,
    Missing,
}

/// A connection for questions, opened again when the broker has been away.
pub struct Asker {
    space: Space,
    nodes: Arc<Nodes>,
    link: Mutex<Option<Arc<Link>>>,
    channel: Mutex<Option<Channel>>,
}

impl Asker {
    /// # Errors
    /// When the broker does not answer, or does not let us in.
    pub async fn connect(space: Space, nodes: Arc<Nodes>) -> Result<Self, BrokerError> {
        let link = space.connect(NAME, None).await?;
        let link = Mutex::new(Some(Arc::new(link)));
        Ok(Self { space, nodes, link, channel: Mutex::new(None) })
    }

    /// A channel of its own, for declaring and draining.
    pub async fn open(&self) -> Result<Channel, BrokerError> {
        self.link().await?.open_channel("opening a channel").await
    }

    async fn link(&self) -> Result<Arc<Link>, BrokerError> {
        let mut slot = self.link.lock().await;
        let usable = |link: &&Arc<Link>| link.connection.status().connected() && !self.strays(link);
        if let Some(link) = slot.as_ref().filter(usable) {
            return Ok(Arc::clone(link));
        }
        // Nobody answers before the broker is back; whoever brings it back has a bound.
        self.nodes.reachable().await;
        let way = Way { node: self.nodes.informed(), ..Way::default() };
        let link = Arc::new(self.space.connect_by(&way, NAME, None).await?);
        *slot = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Whether it leads to a node that knows less than another one.
    fn strays(&self, link: &Link) -> bool {
        self.nodes.is_parted(link.node) && self.nodes.informed().is_some()
    }

    /// What the broker says of a queue. A question that was lost with the broker is asked again
    /// when that is back.
    pub async fn ask(&self, queue: &str) -> Result<Answer, BrokerError> {
        let mut slot = self.channel.lock().await;
        if self.link.lock().await.as_ref().is_some_and(|link| self.strays(link)) {
            *slot = None;
        }
        let mut asked = 0;
        loop {
            let epoch = self.nodes.epoch();
            let answer = self.ask_once(&mut slot, queue).await;
            asked += 1;
            let lost = epoch != self.nodes.epoch() || !self.nodes.can_be_reached();
            // What was lost with a node that went just before is asked of another.
            let again = lost || (self.nodes.is_disturbed() && asked < TIMES);
            if answer.is_ok() || !again || self.nodes.all_gone() {
                return answer;
            }
        }
    }

    async fn ask_once(
        &self,
        slot: &mut Option<Channel>,
        queue: &str,
    ) -> Result<Answer, BrokerError> {
        let channel = match slot.take() {
            Some(channel) if channel.status().connected() => channel,
            _ => self.open().await?,
        };
        let answer = ask_on(&channel, queue).await?;
        if matches!(answer, Answer::There(_)) {
            *slot = Some(channel);
        }
        Ok(answer)
    }

    /// Waits until the queue is gone. `false` when it is still there after `at_most`, when it is
    /// on a node that is gone for good, and when its broker ended and came back meanwhile; time in which something holds it up does not count.
    pub async fn await_gone(
        &self,
        queue: &str,
        at_most: Duration,
        is_held_up: impl Fn() -> bool,
    ) -> Result<bool, BrokerError> {
        let mut deadline = Instant::now() + at_most;
        let mut step = STEP;
        let epoch = self.nodes.epoch();
        loop {
            match self.ask(queue).await? {
                // Whoever used it went with the broker, and it came back with that.
                Answer::There(Numbers { consumers: 0, .. })
                    if self.nodes.epoch() != epoch && self.nodes.all_up() =>
                {
                    return Ok(false);
                }
                Answer::Missing => return Ok(true),
                Answer::Away if !self.nodes.some_away() => return Ok(false),
                Answer::Away => deadline = Instant::now() + at_most,
                Answer::There(_) | Answer::Locked => {}
            }
            if is_held_up() {
                deadline = Instant::now() + at_most;
            } else if Instant::now() > deadline {
                return Ok(false);
            }
            sleep(step).await;
            step = LONGEST_STEP.min(step * 2);
        }
    }

    /// Ends the connection.
    pub async fn close(&self) {
        // Whether the broker still answers matters to nobody now.
        if let Some(link) = self.link.lock().await.take() {
            let _ = timeout(PATIENCE, link.close()).await;
        }
    }
}

/// Asks on a connection of its own, whatever is known of the broker.
pub async fn look(space: &Space, queue: &str) -> Result<Answer, BrokerError> {
    let link = space.connect(NAME, None).await?;
    let channel = link.open_channel("opening a channel").await?;
    let answer = ask_on(&channel, queue).await;
    // The answer is known; how the goodbye goes is of no importance.
    let _ = timeout(PATIENCE, link.close()).await;
    answer
}

/// Asks on a given channel; unless the queue is there, the channel is lost. An answer of
/// nothing that took long is asked for again: it may be what a quorum queue says when its
/// leader does not answer in time.
pub async fn ask_on(channel: &Channel, queue: &str) -> Result<Answer, BrokerError> {
    const NOTHING: Answer = Answer::There(Numbers { ready: 0, consumers: 0 });
    let mut asked = 0;
    loop {
        let began = Instant::now();
        let answer = ask_once(channel, queue).await?;
        asked += 1;
        if answer != NOTHING || began.elapsed() < SLOW || asked == TIMES {
            return Ok(answer);
        }
    }
}

async fn ask_once(channel: &Channel, queue: &str) -> Result<Answer, BrokerError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(queue.into(), options, FieldTable::default());
    let doing = "asking for the numbers of a queue";
    let answer = timeout(PATIENCE, asked).await.map_err(|_| BrokerError::silent(doing))?;
    match answer {
        Ok(found) => Ok(Answer::There(Numbers {
            ready: u64::from(found.message_count()),
            consumers: u64::from(found.consumer_count()),
        })),
        Err(error) => match error.kind() {
            _ if trouble::is_away(&error) => Ok(Answer::Away),
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == 404 => Ok(Answer::Missing),
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == 405 => Ok(Answer::Locked),
            _ => Err(BrokerError::amqp(doing, &error)),
        },
    }
}
