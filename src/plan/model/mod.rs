//! A scenario as meant: variants expanded, names resolved to ids, defaults filled in.
//!
//! Nothing here knows YAML or the network. Every id is an index into the vector of the
//! [`Variant`] that holds it. Durations are [`std::time::Duration`], sizes are bytes.

mod topology;
mod actors;
mod expect;

use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::Diagnostic;
use crate::plan::pattern::Scalar;
use crate::plan::tolerance::Tolerance;
use crate::scenario::{At, Source};

pub use actors::*;
pub use expect::*;
pub use topology::*;

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
id!(/** A node of the broker; the file counts from 1, this from 0. */ NodeId);

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
    /// What is allowed and probably not meant, in the order of the file.
    pub warnings: Vec<Diagnostic>,
}

/// One run of the scenario.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Empty when the file names no variants.
    pub name: String,
    pub vars: Vec<(String, Scalar)>,
    pub seed: u64,
    pub requires: Requires,
    pub broker: Wishes,
    pub topology: Topology,
    pub producers: Vec<Producer>,
    pub producer_groups: Vec<Group<ProducerId>>,
    pub workers: Vec<Worker>,
    pub worker_groups: Vec<Group<WorkerId>>,
    /// In the order of the file; a fault on a group is one entry for each instance.
    pub faults: Vec<Fault>,
    pub observations: Vec<Observation>,
    pub probes: Vec<Probe>,
    pub settle: Settle,
    pub expectations: Vec<Expectation>,
    /// How far numbers may be from those of an earlier run; in the order of the file.
    pub tolerances: Vec<Tolerance>,
}

impl Variant {
    /// Whether some fault befalls the broker itself.
    pub fn befalls_broker(&self) -> bool {
        self.faults.iter().any(|fault| matches!(fault.action, FaultAction::Broker { .. }))
    }

    /// Whether some fault parts the broker's nodes.
    pub fn parts_broker(&self) -> bool {
        let parts =
            |action| matches!(action, FaultAction::Broker { act: BrokerAct::Partition { .. }, .. });
        self.faults.iter().any(|fault| parts(fault.action))
    }
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

/// How a private broker shall be set up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wishes {
    /// How many nodes the file asks for, if it does.
    pub nodes: Option<u64>,
    pub heartbeat: Option<Duration>,
    /// Keys of `rabbitmq.conf` with their values.
    pub config: Vec<(String, Scalar)>,
    /// Entries of `advanced.config`.
    pub advanced: Vec<(String, Tree)>,
}

/// A value with others in it, as the file writes it.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    Scalar(Scalar),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
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
    pub action: FaultAction,
    pub trigger: Trigger,
    /// The trigger as the file says it: `during: 4`.
    pub trigger_text: String,
    pub may_miss: bool,
    pub at: At,
}

/// What a fault does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAction {
    Kill {
        target: Instance,
        how: KillHow,
        restart_after: Option<Duration>,
    },
    /// It neither reads, works, acks nor publishes; its connection lives. Without `lasts` to the
    /// end, as below.
    Freeze {
        target: Instance,
        lasts: Option<Duration>,
    },
    /// Its network is silent in both directions; nothing is closed.
    Cut {
        target: Instance,
        lasts: Option<Duration>,
    },
    /// Whatever it sends or is sent comes so much later.
    Slow {
        target: Instance,
        latency: Duration,
        lasts: Option<Duration>,
    },
    /// The broker closes its connection.
    Disconnect {
        target: Instance,
    },
    /// The queue loses what is ready in it.
    Purge(QueueId),
    /// The queue goes.
    Delete(QueueId),
    /// It befalls one node of the broker, or without `node` all of them.
    Broker {
        act: BrokerAct,
        node: Option<NodeId>,
    },
}

/// What befalls a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerAct {
    /// It stops, and comes back with its data.
    Restart { how: StopHow, down_for: Duration },
    /// It stops for good.
    Stop { how: StopHow },
    /// It stands still, and goes on.
    Pause { lasts: Option<Duration> },
    /// A resource alarm: it reads nothing more from whoever publishes.
    Block { alarm: Alarm, lasts: Option<Duration> },
    /// This node and the others do not hear each other.
    Partition { lasts: Option<Duration> },
}

/// How a broker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StopHow {
    /// SIGTERM: it closes its connections and writes what it has.
    Graceful,
    /// SIGKILL.
    Sigkill,
}

/// What a broker runs out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alarm {
    Memory,
    Disk,
}

impl FaultAction {
    /// The instance that it acts upon.
    pub fn target(&self) -> Option<Instance> {
        match self {
            FaultAction::Kill { target, .. }
            | FaultAction::Freeze { target, .. }
            | FaultAction::Cut { target, .. }
            | FaultAction::Slow { target, .. }
            | FaultAction::Disconnect { target } => Some(*target),
            FaultAction::Purge(_) | FaultAction::Delete(_) | FaultAction::Broker { .. } => None,
        }
    }
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

/// One AMQP operation on a connection of its own, to show the answer.
#[derive(Debug, Clone)]
pub struct Probe {
    pub operation: Operation,
    /// What it is about, in the words of the file; may be empty.
    pub about: String,
    /// `None` is when the run begins.
    pub when: Option<Trigger>,
    pub at: At,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    DeclareQueue {
        queue: Box<Queue>,
        passive: bool,
    },
    DeclareExchange {
        exchange: Box<Exchange>,
        passive: bool,
    },
    Publish {
        exchange: String,
        routing_key: String,
        mandatory: bool,
        size: u64,
    },
    Consume {
        queue: String,
        ack: AckMode,
        exclusive: bool,
        prefetch: u16,
    },
    Get {
        queue: String,
        ack: AckMode,
    },
    AckUnknownTag(u64),
    /// With a queue, it is consumed from under that prefetch.
    Qos {
        prefetch: u16,
        global: bool,
        queue: Option<String>,
    },
}

impl Operation {
    /// The key of the file.
    pub fn word(&self) -> &'static str {
        match self {
            Operation::DeclareQueue { .. } => "declare_queue",
            Operation::DeclareExchange { .. } => "declare_exchange",
            Operation::Publish { .. } => "publish",
            Operation::Consume { .. } => "consume",
            Operation::Get { .. } => "get",
            Operation::AckUnknownTag(_) => "ack_unknown_tag",
            Operation::Qos { .. } => "qos",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settle {
    pub idle: Duration,
    pub at_least: Duration,
    pub deadline: Duration,
}
