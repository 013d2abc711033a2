//! Who publishes and who works.

use std::time::Duration;

use crate::plan::matcher::Share;
use crate::plan::model::{ExchangeId, NodeId, QueueId, Trigger};
use crate::plan::pattern::{Pattern, Scalar};
use crate::plan::template::Template;

/// A producer without a rate hands so many publishes to the socket together, as far as its window
/// and what waits for their number let it.
pub const TOGETHER: u64 = 64;

#[derive(Debug, Clone)]
pub struct Producer {
    pub name: String,
    pub to: Destination,
    /// How many messages this instance publishes, at least 1.
    pub messages: u64,
    /// Messages per second.
    pub rate: Option<f64>,
    pub start: Option<Trigger>,
    pub persistent: bool,
    pub confirms: Confirms,
    pub mandatory: bool,
    pub body: Template,
    pub dots: Option<Pattern<u64>>,
    /// The body is padded to this many bytes.
    pub size: Option<Pattern<u64>>,
    pub priority: Option<Pattern<u64>>,
    /// Each message expires so long after it came to its queue.
    pub ttl: Option<Pattern<Duration>>,
    pub headers: Vec<(String, Pattern<Scalar>)>,
    /// Each message is a request, whose answer is waited for so long.
    pub rpc: Option<Duration>,
    /// Of a cluster, the node that it connects to; `None` is one after another.
    pub node: Option<NodeId>,
    pub reconnect: Option<Duration>,
    /// What a reconnected producer does with what was unanswered.
    pub unconfirmed: Unconfirmed,
}

/// What becomes of publishes that were unanswered when their connection was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unconfirmed {
    /// They stay unanswered.
    Drop,
    /// They are published again, with the same id.
    Republish,
}

/// Where a producer publishes to.
#[derive(Debug, Clone)]
pub struct Destination {
    pub exchange: ExchangeRef,
    pub routing_key: Pattern<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExchangeRef {
    Declared(ExchangeId),
    /// One that does not exist, to show what happens.
    Missing(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirms {
    Off,
    /// At most `in_flight` unanswered; each is waited for at most `timeout`.
    Window {
        in_flight: u64,
        timeout: Duration,
    },
    /// Publish `size`, wait for all answers at most `timeout`, go on.
    Batch {
        size: u64,
        timeout: Duration,
    },
}

#[derive(Debug, Clone)]
pub struct Worker {
    pub name: String,
    /// The queue it consumes from; its own when that queue is temporary.
    pub queue: QueueId,
    pub ack: AckMode,
    /// 0 is unlimited.
    pub prefetch: u16,
    /// Asks to be the queue's only consumer.
    pub exclusive: bool,
    /// Of consumers: higher ones are served first.
    pub priority: Option<i32>,
    /// Where reading a stream begins.
    pub offset: Option<Offset>,
    /// It acknowledges on a channel that the deliveries did not come on.
    pub acks_elsewhere: bool,
    pub work: Work,
    pub rejects: Vec<Reject>,
    /// Answers a request when its work is done.
    pub reply: Option<Template>,
    pub start: Option<Trigger>,
    pub stop: Option<Trigger>,
    /// Of a cluster, the node that it connects to; `None` is one after another.
    pub node: Option<NodeId>,
    pub reconnect: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckMode {
    /// None asked for: the broker forgets what it has sent.
    Auto,
    /// After the work, each `every`-th with `multiple`.
    Manual { every: u64 },
    /// When the work begins.
    Early,
    /// Asked for and forgotten.
    Never,
}

#[derive(Debug, Clone)]
pub enum Work {
    /// This long for each `.` byte of the body.
    PerDot(Duration),
    /// By the message's number.
    Pattern(Pattern<Duration>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    First,
    Last,
    Next,
    At(u64),
}

/// Messages that a worker refuses after its work.
#[derive(Debug, Clone, PartialEq)]
pub struct Reject {
    pub which: Which,
    pub requeue: bool,
    pub using: Refusal,
    /// How often one message is rejected from the queue, by whomever; `None` is every time.
    pub times: Option<u64>,
}

/// Messages by their numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    Messages(Vec<u64>),
    /// Every so-many-th number.
    Every(u64),
    /// Drawn by chance.
    Share(Share),
}

/// The AMQP method that refuses a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    Nack,
    Reject,
}
