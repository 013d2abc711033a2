//! Exchanges, queues and bindings.

use std::time::Duration;

use crate::plan::model::{ExchangeId, ExchangeRef, NodeId, QueueId, WorkerId};
use crate::plan::pattern::Scalar;

#[derive(Debug, Clone, Default)]
pub struct Topology {
    /// Entry 0 is the default exchange, which exists and is never declared.
    pub exchanges: Vec<Exchange>,
    /// The file's queues, then one for each worker instance with a temporary queue.
    pub queues: Vec<Queue>,
    /// The file's bindings, then those of temporary queues.
    pub bindings: Vec<Binding>,
}

impl Topology {
    /// Whether a part of it exists before the run.
    pub fn has_predeclared(&self) -> bool {
        self.queues.iter().any(|queue| queue.predeclared)
            || self.exchanges.iter().any(|exchange| exchange.predeclared)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    pub name: String,
    pub kind: ExchangeKind,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    /// Gets what this one finds no queue for.
    pub alternate: Option<ExchangeRef>,
    /// It exists already and is only looked at.
    pub predeclared: bool,
    /// Further arguments of its declaration.
    pub arguments: Vec<(String, Scalar)>,
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
    pub kind: QueueKind,
    pub durable: bool,
    pub auto_delete: bool,
    pub exclusive: bool,
    /// It exists already and is only looked at; what is said of it here is what it is.
    pub predeclared: bool,
    /// The server names it when its owner declares it.
    pub temporary: bool,
    /// The worker instance that declares it (and its bindings) on its own connection:
    /// set for exclusive and for temporary queues.
    pub owner: Option<WorkerId>,
    pub message_ttl: Option<Duration>,
    /// How long it lives without being used.
    pub expires: Option<Duration>,
    pub max_length: Option<u64>,
    pub max_length_bytes: Option<u64>,
    pub overflow: Overflow,
    pub dead_letter: Option<DeadLetter>,
    /// How often a message may come back; negative is for ever.
    pub delivery_limit: Option<i64>,
    pub max_priority: Option<u8>,
    pub single_active_consumer: bool,
    /// Of a cluster, the node that its leader is on; `None` is the first.
    pub node: Option<NodeId>,
    /// Arguments of its declaration beside those above.
    pub arguments: Vec<(String, Scalar)>,
}

impl Queue {
    /// Whether it holds only so much.
    pub fn is_bounded(&self) -> bool {
        self.max_length.is_some() || self.max_length_bytes.is_some()
    }

    /// A durable classic queue without limits.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: QueueKind::Classic,
            durable: true,
            auto_delete: false,
            exclusive: false,
            predeclared: false,
            temporary: false,
            owner: None,
            message_ttl: None,
            expires: None,
            max_length: None,
            max_length_bytes: None,
            overflow: Overflow::DropHead,
            dead_letter: None,
            delivery_limit: None,
            max_priority: None,
            single_active_consumer: false,
            node: None,
            arguments: Vec::new(),
        }
    }
}

impl Exchange {
    /// A durable exchange without anything special.
    pub fn named(name: &str, kind: ExchangeKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            durable: true,
            auto_delete: false,
            internal: false,
            alternate: None,
            predeclared: false,
            arguments: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueKind {
    Classic,
    Quorum,
    Stream,
}

/// What a full queue does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overflow {
    DropHead,
    RejectPublish,
    RejectPublishDlx,
}

/// Where a queue sends what it gives up.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// One that does not exist takes everything with it.
    pub exchange: ExchangeRef,
    /// Instead of the key that the message came with.
    pub routing_key: Option<String>,
    pub at_least_once: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    pub from: ExchangeId,
    pub to: BoundTo,
    pub routing_key: String,
    /// Arguments that a headers exchange compares, besides `x-match`.
    pub headers: Vec<(String, Scalar)>,
    pub match_any: bool,
}

/// The far end of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundTo {
    Queue(QueueId),
    Exchange(ExchangeId),
}
