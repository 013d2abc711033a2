//! Hands on a broker's nodes from outside of AMQP: ending, starting, holding and parting them.
//!
//! Whatever was done is undone by [`Control::mend`]. Nodes count from 0.

use super::error::{BrokerError, Kind};
use crate::plan::model::{Alarm, NodeId, StopHow};

/// A handle to the nodes of one broker; clones reach the same.
#[derive(Debug, Clone)]
pub struct Control {}

/// What tells one life of a node's process from the next: its process id where that is seen,
/// else whatever the tool in between says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessId(pub String);

fn cannot(doing: &str) -> BrokerError {
    BrokerError::new(Kind::Protocol, format!("{doing} failed: this broker cannot be controlled"))
}

impl Control {
    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        1
    }

    /// Ends a node's process and waits until it is gone. The process that was.
    ///
    /// # Errors
    /// When it does not end.
    pub async fn stop(&self, _node: NodeId, _how: StopHow) -> Result<ProcessId, BrokerError> {
        Err(cannot("stopping a node"))
    }

    /// Starts a node that was stopped, with its data, and waits until it answers AMQP. The process
    /// that is.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(&self, _node: NodeId) -> Result<ProcessId, BrokerError> {
        Err(cannot("starting a node"))
    }

    /// The node's process stands still.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn pause(&self, _node: NodeId) -> Result<(), BrokerError> {
        Err(cannot("pausing a node"))
    }

    /// And goes on.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn resume(&self, _node: NodeId) -> Result<(), BrokerError> {
        Err(cannot("resuming a node"))
    }

    /// Raises (`on`) or clears a resource alarm.
    ///
    /// # Errors
    /// When the node does not obey.
    pub async fn alarm(&self, _node: NodeId, _alarm: Alarm, _on: bool) -> Result<(), BrokerError> {
        Err(cannot("raising an alarm"))
    }

    /// This node and the others do not hear each other any more. Returns when another one was
    /// seen to report it down; whether one was.
    ///
    /// # Errors
    /// When the node does not obey.
    pub async fn part(&self, _node: NodeId) -> Result<bool, BrokerError> {
        Err(cannot("parting a node from the others"))
    }

    /// They hear each other again; returns when all report all others running.
    ///
    /// # Errors
    /// When the node does not obey.
    pub async fn heal(&self, _node: NodeId) -> Result<(), BrokerError> {
        Err(cannot("healing a partition"))
    }

    /// Brings back all that was stopped, paused, alarmed or parted. Does nothing where nothing
    /// was.
    ///
    /// # Errors
    /// The first that does not come back.
    pub async fn mend(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}
