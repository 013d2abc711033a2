//! A scenario as meant: variants expanded, names resolved to ids, defaults filled in.
//!
//! Nothing here knows YAML or the network. Every id is an index into the vector of the
//! [`Variant`] that holds it. Durations are [`std::time::Duration`], sizes are bytes.

use std::sync::Arc;
use std::time::Duration;

use crate::plan::count::Count;
use crate::plan::matcher::{DurationMatcher, Matcher, Share};
use crate::plan::pattern::{Pattern, Scalar};
use crate::plan::template::Template;
use crate::scenario::{At, Source};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u16);
        impl $name {
            /// The id as an index into the vector it numbers.
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
            /// The id of the entry at `index`.
            ///
            /// # Panics
            /// When there are more than 65535 entries; the plan refuses such a file first.
            pub fn from_index(index: usize) -> Self {
                Self(u16::try_from(index).expect("the plan limits entries to 65535"))
            }
        }
    };
}

id!(/** A queue of [`Topology::queues`]. */ QueueId);
id!(/** An exchange of [`Topology::exchanges`]; 0 is the default exchange. */ ExchangeId);
id!(/** A producer instance of [`Variant::producers`]. */ ProducerId);
id!(/** A worker instance of [`Variant::workers`]. */ WorkerId);
id!(/** A fault, one per target instance, of [`Variant::faults`]. */ FaultId);

/// A scenario file, expanded into the variants to run.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The text it came from, for places in messages.
    pub source: Arc<Source>,
    pub name: String,
    pub description: Option<String>,
    pub tags: Vec<String>,
    /// Where all randomness of a run comes from.
    pub seed: u64,
    /// In the order of the file; at least one.
    pub variants: Vec<Variant>,
}

/// One run of the scenario.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Empty when the file names no variants.
    pub name: String,
    pub vars: Vec<(String, Scalar)>,
    pub seed: u64,
    pub requires: Requires,
    pub topology: Topology,
    pub producers: Vec<Producer>,
    pub producer_groups: Vec<Group<ProducerId>>,
    pub workers: Vec<Worker>,
    pub worker_groups: Vec<Group<WorkerId>>,
    /// In the order of the file; a fault on a group is one entry for each instance.
    pub faults: Vec<Fault>,
    pub observations: Vec<Observation>,
    pub settle: Settle,
    pub expectations: Vec<Expectation>,
}

/// A named entry of the file and the instances that its `count` makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<Id> {
    pub name: String,
    pub members: Vec<Id>,
}

/// What the world must offer; unmet, the variant is skipped.
#[derive(Debug, Clone, Default)]
pub struct Requires {
    pub rabbitmq: Option<semver::VersionReq>,
    pub nodes: Option<u64>,
    pub management: bool,
}

#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// Entry 0 is the default exchange, which exists and is never declared.
    pub exchanges: Vec<Exchange>,
    /// The file's queues, then one for each worker instance with a temporary queue.
    pub queues: Vec<Queue>,
    /// The file's bindings, then those of temporary queues.
    pub bindings: Vec<Binding>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub name: String,
    pub kind: ExchangeKind,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeKind {
    Direct,
    Fanout,
    Topic,
    Headers,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Queue {
    /// As the file says; a temporary queue bears its worker's name.
    pub name: String,
    pub durable: bool,
    pub auto_delete: bool,
    pub exclusive: bool,
    /// The server names it when its owner declares it.
    pub temporary: bool,
    /// The worker instance that declares it (and its bindings) on its own connection:
    /// set for exclusive and for temporary queues.
    pub owner: Option<WorkerId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    pub from: ExchangeId,
    pub to: QueueId,
    pub routing_key: String,
    /// Arguments that a headers exchange compares, besides `x-match`.
    pub headers: Vec<(String, Scalar)>,
    pub match_any: bool,
}

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
    pub headers: Vec<(String, Pattern<Scalar>)>,
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
    pub work: Work,
    pub start: Option<Trigger>,
    pub stop: Option<Trigger>,
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

/// The moment something happens. `During` and `BeforeAck` count over all lives of the
/// instance that the fault names.
#[derive(Debug, Clone, PartialEq)]
pub enum Trigger {
    /// Since the run began.
    At(Duration),
    Count {
        event: CountEvent,
        n: u64,
        of: Scope,
    },
    /// All faults of one entry of the file have acted, and what they stopped works again.
    AfterFaults(Vec<FaultId>),
    During(u64),
    BeforeAck(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CountEvent {
    Published,
    Confirmed,
    Finished,
    Acked,
    Consuming,
}

/// Whose events or counts are meant. The name is as in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    All,
    Queue(QueueId),
    /// The temporary queues of a group of workers, by the group's name.
    Queues(Vec<QueueId>),
    Producers(Vec<ProducerId>),
    Workers(Vec<WorkerId>),
}

#[derive(Debug, Clone)]
pub struct Fault {
    /// The file's `name`, if it gives one.
    pub name: Option<String>,
    /// What reports call it: `kill worker-1`.
    pub label: String,
    pub target: Instance,
    pub how: KillHow,
    pub restart_after: Option<Duration>,
    pub trigger: Trigger,
    /// The trigger as the file says it: `during: 4`.
    pub trigger_text: String,
    pub may_miss: bool,
    pub at: At,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Instance {
    Producer(ProducerId),
    Worker(WorkerId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KillHow {
    /// The socket dies without a word of AMQP, as under SIGKILL.
    Crash,
    CloseConnection,
    CloseChannel,
    /// The subscription ends; channel and connection stay open and silent.
    Cancel,
}

#[derive(Debug, Clone)]
pub struct Observation {
    pub name: String,
    pub when: Trigger,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settle {
    pub idle: Duration,
    pub at_least: Duration,
    pub deadline: Duration,
}

/// One thing that must hold at the end.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Joined by dots: `queues.task_queue.lost`.
    pub path: String,
    /// The matcher as the file says it.
    pub expected: String,
    pub what: Expected,
    pub at: At,
}

#[derive(Debug, Clone)]
pub enum Expected {
    Count {
        scope: Scope,
        count: Count,
        matcher: Matcher,
    },
    Cause {
        cause: String,
        matcher: Matcher,
    },
    /// No instance of the group has more of the group's time at work.
    Fairness {
        workers: Vec<WorkerId>,
        max_share: Share,
    },
    /// Per producer, queue and worker the numbers rise.
    Fifo,
    Duration(DurationMatcher),
    Observed {
        observation: usize,
        queue: QueueId,
        number: ObservedNumber,
        matcher: Matcher,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedNumber {
    Ready,
    Unacked,
    Consumers,
}
