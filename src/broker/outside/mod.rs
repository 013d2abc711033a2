//! Hands on the nodes of somebody else's broker, by the tools that its owner has for them.
//!
//! Knows single acts on single nodes, and nothing of what they are for or how they are undone.
//! Nodes are counted from 0. What one act has begun on a node is finished before the next one
//! begins, also when nobody waits for it any more: a tool that is broken off half-way leaves
//! nobody knows what.

mod erlang;
mod hands;
mod machine;
mod node;
mod running;
#[cfg(test)]
mod tests;
mod tool;

use std::sync::Arc;

use tokio::sync::Mutex;

use super::control::ProcessId;
use crate::plan::model::{Alarm, StopHow};
use node::Node;

pub use hands::Hands;

/// The end of a sentence: why something was not done.
pub(super) type Why = String;

/// What is done with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Its process ends, or what stands for it; gone when it is done.
    Stop(StopHow),
    /// It starts again, if it was stopped; whether it answers is not waited for.
    Start,
    /// What tells this life of its process from the next.
    Who,
    Pause,
    Resume,
    /// Raised, or cleared.
    Alarm(Alarm, bool),
    /// It hears its peers no more.
    Part,
    /// And can hear them again.
    Heal,
    /// Whether that has left it with a history of its own.
    IsSplit,
    /// It gives that up.
    Rejoin,
}

/// The hands on each node.
#[derive(Debug)]
pub(super) struct Outside(Vec<Arc<Mutex<Node>>>);

impl Outside {
    /// Does it, and says what the tool said: of [`Act::Stop`] and [`Act::Who`] the process that
    /// was, or is.
    pub async fn act(&self, node: usize, act: Act) -> Result<ProcessId, Why> {
        let node = Arc::clone(&self.0[node]);
        let doing = tokio::spawn(async move { node.lock().await.act(act).await });
        let done = doing.await.unwrap_or_else(|error| Err(error.to_string()));
        done.map(ProcessId)
    }
}
