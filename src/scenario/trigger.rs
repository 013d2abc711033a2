//! Moments, faults and observations as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::scenario::decode::Located;
use crate::scenario::expect::ByName;
use crate::scenario::lint::Allowed;
use crate::scenario::matcher::Matcher;
use crate::scenario::scalar::{Name, Positive, Time, Whole};
use crate::scenario::schema::choice;

/// When something happens; a file has exactly one of the forms.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a trigger")]
#[schemars(title = "a moment")]
pub struct Trigger {
    /// So long after the run began.
    #[schemars(extend("examples" = ["1s"]))]
    pub at: Option<Located<Time>>,
    /// When an event has happened so often, such as `{ published: 10 }`, or a fault is over: `{
    /// fault: name }`.
    pub after: Option<Located<After>>,
    /// Once the worker has begun its N-th delivery, before that work ends.
    #[schemars(extend("examples" = [4]))]
    pub during: Option<Located<Positive>>,
    /// After the N-th work of the worker, before the ack that covers it is written.
    #[schemars(extend("examples" = [4]))]
    pub before_ack: Option<Located<Positive>>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`after`")]
#[schemars(title = "after an event")]
pub struct After {
    /// When the N-th publish was handed to the socket.
    #[schemars(extend("examples" = [10]))]
    pub published: Option<Located<Positive>>,
    /// When the N-th confirm was read.
    #[schemars(extend("examples" = [10]))]
    pub confirmed: Option<Located<Positive>>,
    /// When the N-th work was finished.
    #[schemars(extend("examples" = [10]))]
    pub finished: Option<Located<Positive>>,
    /// When the ack that covers the N-th message was written.
    #[schemars(extend("examples" = [10]))]
    pub acked: Option<Located<Positive>>,
    /// When the N-th subscription was confirmed.
    #[schemars(extend("examples" = [2]))]
    pub consuming: Option<Located<Positive>>,
    /// Whose events are counted: an instance, a group or a queue; without it, all.
    pub of: Option<Located<Name>>,
    /// When this fault is over: what it ended is back, or its `for` has passed.
    pub fault: Option<Located<Name>>,
}

/// One action, one trigger, and options.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a fault")]
#[schemars(title = "a fault")]
pub struct Fault {
    /// The name of the fault, for `after: { fault: … }`.
    pub name: Option<Located<Name>>,
    /// A worker or producer stops at once; what is unfinished stays unfinished.
    pub kill: Option<Located<Name>>,
    /// A worker or producer neither reads, works, acknowledges nor publishes; its connection lives.
    pub freeze: Option<Located<Name>>,
    /// The network of a worker or producer is silent in both directions; nothing is closed.
    pub cut: Option<Located<Name>>,
    /// All that a worker or producer sends and is sent comes later, by `latency`.
    pub slow: Option<Located<Name>>,
    /// The broker closes the connection of a worker or producer.
    pub disconnect: Option<Located<Name>>,
    /// The broker ends, and comes back with its data.
    #[schemars(extend("examples" = ["broker"]))]
    pub restart: Option<Located<Name>>,
    /// The broker ends for good.
    #[schemars(extend("examples" = ["broker"]))]
    pub stop: Option<Located<Name>>,
    /// The broker stands still (SIGSTOP), and goes on (SIGCONT).
    #[schemars(extend("examples" = ["broker"]))]
    pub pause: Option<Located<Name>>,
    /// A resource alarm: the broker reads nothing more from whoever publishes.
    #[schemars(extend("examples" = ["broker"]))]
    pub block: Option<Located<Name>>,
    /// One `node` of the broker and the others do not hear each other.
    #[schemars(extend("examples" = ["broker"]))]
    pub partition: Option<Located<Name>>,
    /// A queue loses what is ready in it.
    pub purge: Option<Located<Name>>,
    /// A queue goes.
    pub delete: Option<Located<Name>>,
    /// So long after the run began.
    #[schemars(extend("examples" = ["1s"]))]
    pub at: Option<Located<Time>>,
    /// When an event has happened so often, such as `{ published: 10 }`, or a fault is over: `{
    /// fault: name }`.
    pub after: Option<Located<After>>,
    /// Once the worker has begun its N-th delivery, before that work ends.
    #[schemars(extend("examples" = [4]))]
    pub during: Option<Located<Positive>>,
    /// After the N-th work of the worker, before the ack that covers it is written.
    #[schemars(extend("examples" = [4]))]
    pub before_ack: Option<Located<Positive>>,
    /// How it ends: `crash` and the next three of `kill`, `graceful` and `sigkill` of `restart` and
    /// `stop`.
    pub how: Option<Located<How>>,
    /// Of `kill`: it comes back after so long.
    #[schemars(extend("examples" = ["1s"]))]
    pub restart_after: Option<Located<Time>>,
    /// How long it lasts; without it, to the end.
    #[serde(rename = "for")]
    #[schemars(extend("examples" = ["1s"]))]
    pub lasts: Option<Located<Time>>,
    /// Of `slow`: by how much everything comes later.
    #[schemars(extend("examples" = ["50ms"]))]
    pub latency: Option<Located<Time>>,
    /// Of `restart`: how long the broker is down before it boots.
    #[schemars(extend("default" = "500ms"))]
    pub down_for: Option<Located<Time>>,
    /// Of `block`: what the broker runs out of.
    #[schemars(extend("default" = "memory"))]
    pub alarm: Option<Located<Alarm>>,
    /// Of a cluster: the node that it befalls, counted from 1; without it, all.
    #[schemars(extend("examples" = [2]))]
    pub node: Option<Located<Whole<1, 64>>>,
    /// Whether the fault may change nothing. Otherwise a run that it did not touch is inconclusive.
    #[schemars(extend("default" = false))]
    pub may_miss: Option<bool>,
    /// With `false` it is as if this entry were not there; made for a variable: `if: $flag`.
    #[serde(rename = "if")]
    #[schemars(extend("default" = true))]
    pub condition: Option<bool>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

impl Fault {
    /// The four forms of its trigger.
    pub fn trigger(&self) -> Trigger {
        let Self { at, after, during, before_ack, .. } = self;
        Trigger { at: *at, after: after.clone(), during: *during, before_ack: *before_ack }
    }

    /// Its actions, each with what it acts upon, in the order of the file; one, if all is well.
    pub fn actions(&self) -> Vec<(Verb, &Located<Name>)> {
        let all = [
            (Verb::Kill, &self.kill),
            (Verb::Freeze, &self.freeze),
            (Verb::Cut, &self.cut),
            (Verb::Slow, &self.slow),
            (Verb::Disconnect, &self.disconnect),
            (Verb::Restart, &self.restart),
            (Verb::Stop, &self.stop),
            (Verb::Pause, &self.pause),
            (Verb::Block, &self.block),
            (Verb::Partition, &self.partition),
            (Verb::Purge, &self.purge),
            (Verb::Delete, &self.delete),
        ];
        let there = all.into_iter().filter_map(|(verb, name)| Some((verb, name.as_ref()?)));
        let mut there: Vec<_> = there.collect();
        there.sort_by_key(|(_, name)| name.at.position());
        there
    }
}

/// The word of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Kill,
    Freeze,
    Cut,
    Slow,
    Disconnect,
    Restart,
    Stop,
    Pause,
    Block,
    Partition,
    Purge,
    Delete,
}

impl Verb {
    /// The key of the file.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Kill => "kill",
            Verb::Freeze => "freeze",
            Verb::Cut => "cut",
            Verb::Slow => "slow",
            Verb::Disconnect => "disconnect",
            Verb::Restart => "restart",
            Verb::Stop => "stop",
            Verb::Pause => "pause",
            Verb::Block => "block",
            Verb::Partition => "partition",
            Verb::Purge => "purge",
            Verb::Delete => "delete",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum How {
    /// Of `kill`: its socket dies without a word of AMQP, as under SIGKILL.
    Crash,
    /// Of `kill`: it closes its connection in good order.
    CloseConnection,
    /// Of `kill`: it closes its channel in good order.
    CloseChannel,
    /// Of `kill` of a worker: its subscription ends; channel and connection stay open and silent.
    Cancel,
    /// Of `restart` and `stop`: SIGTERM; the broker writes what it has.
    Graceful,
    /// Of `restart` and `stop`: SIGKILL.
    Sigkill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum Alarm {
    /// Memory.
    Memory,
    /// Room on the disk.
    Disk,
}

/// The true numbers of queues at a moment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "an observation")]
#[schemars(title = "an observation")]
pub struct Observation {
    /// The name of the observation, as reports show it.
    pub name: Located<Name>,
    /// The moment at which queues are looked at.
    pub when: Located<Trigger>,
    /// What queues must hold at that moment: `{ task_queue: { ready: 0 } }`.
    pub expect: Option<ByName<Observed>>,
    /// With `false` it is as if this entry were not there; made for a variable: `if: $flag`.
    #[serde(rename = "if")]
    #[schemars(extend("default" = true))]
    pub condition: Option<bool>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

/// What a queue must hold.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "what is expected of a queue here")]
#[schemars(title = "what a queue must hold")]
pub struct Observed {
    /// Messages that wait in the queue.
    pub ready: Option<Located<Matcher>>,
    /// Messages that consumers hold and have not acknowledged.
    pub unacked: Option<Located<Matcher>>,
    /// Consumers of the queue.
    pub consumers: Option<Located<Matcher>>,
}
