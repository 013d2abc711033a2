//! By what a broker's nodes are reached from outside of AMQP. Knows single acts on single nodes,
//! and nothing of what they are for.

use std::time::Duration;

use super::ProcessId;
use crate::broker::node::{Act, Hand};
use crate::plan::model::StopHow;

/// How long a signal may take to be sent.
const AT_ONCE: Duration = Duration::from_secs(30);
/// The keeper gives a node 60 s to end.
const GRACEFUL: Duration = Duration::from_secs(90);

/// The end of a sentence: why something was not done.
pub(super) type Why = String;

/// What does as it is told. Nodes are counted from 0.
#[derive(Debug)]
pub(super) enum Means {
    /// The keeper of nodes of our own.
    Keeper(Hand),
}

impl Means {
    /// Ends a node's process and waits until it is gone: the process that was.
    pub async fn stop(&self, node: usize, how: StopHow) -> Result<ProcessId, Why> {
        let Self::Keeper(hand) = self;
        let act = Act::Stop { kill: how == StopHow::Sigkill };
        hand.ask(node, act, GRACEFUL).await.map(ProcessId)
    }

    /// Starts a node that does not run; whether it answers is not waited for.
    pub async fn start(&self, node: usize) -> Result<(), Why> {
        let Self::Keeper(hand) = self;
        hand.ask(node, Act::Start, AT_ONCE).await.map(drop)
    }

    /// The process that is.
    pub async fn who(&self, node: usize) -> Result<ProcessId, Why> {
        let Self::Keeper(hand) = self;
        hand.ask(node, Act::Who, AT_ONCE).await.map(ProcessId)
    }

    pub async fn pause(&self, node: usize) -> Result<(), Why> {
        let Self::Keeper(hand) = self;
        hand.ask(node, Act::Pause, AT_ONCE).await.map(drop)
    }

    pub async fn resume(&self, node: usize) -> Result<(), Why> {
        let Self::Keeper(hand) = self;
        hand.ask(node, Act::Resume, AT_ONCE).await.map(drop)
    }

    /// What an Erlang expression comes to on a node; it ends with a full stop.
    pub async fn evaluate(&self, node: usize, expression: String) -> Result<String, Why> {
        let Self::Keeper(hand) = self;
        hand.ask(node, Act::Evaluate(expression), GRACEFUL).await
    }

    /// Waits until a node ends that nobody has told to: the last words of its log.
    pub async fn falls(&self, node: usize) -> Vec<String> {
        let Self::Keeper(hand) = self;
        hand.falls(node).await.log
    }

    /// The last node that ended without having been told to, and the last words of its log.
    pub fn fallen(&self) -> Option<(usize, Vec<String>)> {
        let Self::Keeper(hand) = self;
        hand.fallen().map(|exit| (exit.node, exit.log))
    }
}
