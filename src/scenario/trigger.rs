//! Moments, faults and observations as they are written.

use serde::Deserialize;

use crate::scenario::decode::Located;
use crate::scenario::expect::ByName;
use crate::scenario::lint::Allowed;
use crate::scenario::matcher::Matcher;
use crate::scenario::scalar::{Name, Positive, Time, Whole};

/// When something happens; a file has exactly one of the forms.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "a trigger")]
pub struct Trigger {
    pub at: Option<Located<Time>>,
    pub after: Option<Located<After>>,
    pub during: Option<Located<Positive>>,
    pub before_ack: Option<Located<Positive>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "`after`")]
pub struct After {
    pub published: Option<Located<Positive>>,
    pub confirmed: Option<Located<Positive>>,
    pub finished: Option<Located<Positive>>,
    pub acked: Option<Located<Positive>>,
    pub consuming: Option<Located<Positive>>,
    pub of: Option<Located<Name>>,
    pub fault: Option<Located<Name>>,
}

/// One action, one trigger, and options.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "a fault")]
pub struct Fault {
    pub name: Option<Located<Name>>,
    pub kill: Option<Located<Name>>,
    pub freeze: Option<Located<Name>>,
    pub cut: Option<Located<Name>>,
    pub slow: Option<Located<Name>>,
    pub disconnect: Option<Located<Name>>,
    pub restart: Option<Located<Name>>,
    pub stop: Option<Located<Name>>,
    pub pause: Option<Located<Name>>,
    pub block: Option<Located<Name>>,
    pub partition: Option<Located<Name>>,
    pub purge: Option<Located<Name>>,
    pub delete: Option<Located<Name>>,
    pub at: Option<Located<Time>>,
    pub after: Option<Located<After>>,
    pub during: Option<Located<Positive>>,
    pub before_ack: Option<Located<Positive>>,
    pub how: Option<Located<How>>,
    pub restart_after: Option<Located<Time>>,
    #[serde(rename = "for")]
    pub lasts: Option<Located<Time>>,
    pub latency: Option<Located<Time>>,
    pub down_for: Option<Located<Time>>,
    pub alarm: Option<Located<Alarm>>,
    pub node: Option<Located<Whole<1, 64>>>,
    pub may_miss: Option<bool>,
    #[serde(rename = "if")]
    pub condition: Option<bool>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Crash,
    CloseConnection,
    CloseChannel,
    Cancel,
    Graceful,
    Sigkill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    Memory,
    Disk,
}

/// The true numbers of queues at a moment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "an observation")]
pub struct Observation {
    pub name: Located<Name>,
    pub when: Located<Trigger>,
    pub expect: Option<ByName<Observed>>,
    #[serde(rename = "if")]
    pub condition: Option<bool>,
    pub allow: Option<Allowed>,
}

/// What a queue must hold.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "what is expected of a queue here")]
pub struct Observed {
    pub ready: Option<Located<Matcher>>,
    pub unacked: Option<Located<Matcher>>,
    pub consumers: Option<Located<Matcher>>,
}
