//! By what a broker's nodes are reached from outside of AMQP. Knows single acts on single nodes,
//! and nothing of what they are for.

use std::future::pending;
use std::time::Duration;

use super::{ProcessId, erlang};
use crate::broker::node::{Act, Hand};
use crate::broker::outside::{self, Outside};
use crate::plan::model::{Alarm, StopHow};

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
    /// Tools of whoever has the broker.
    Outside(Outside),
}

impl Means {
    /// Ends a node's process and waits until it is gone: the process that was.
    pub async fn stop(&self, node: usize, how: StopHow) -> Result<ProcessId, Why> {
        match self {
            Self::Keeper(hand) => {
                let act = Act::Stop { kill: how == StopHow::Sigkill };
                hand.ask(node, act, GRACEFUL).await.map(ProcessId)
            }
            Self::Outside(outside) => outside.act(node, outside::Act::Stop(how)).await,
        }
    }

    /// Starts a node that does not run; whether it answers is not waited for.
    pub async fn start(&self, node: usize) -> Result<(), Why> {
        self.simply(node, Act::Start, outside::Act::Start).await.map(drop)
    }

    /// The process that is.
    pub async fn who(&self, node: usize) -> Result<ProcessId, Why> {
        self.simply(node, Act::Who, outside::Act::Who).await
    }

    pub async fn pause(&self, node: usize) -> Result<(), Why> {
        self.simply(node, Act::Pause, outside::Act::Pause).await.map(drop)
    }

    pub async fn resume(&self, node: usize) -> Result<(), Why> {
        self.simply(node, Act::Resume, outside::Act::Resume).await.map(drop)
    }

    async fn simply(&self, node: usize, ours: Act, theirs: outside::Act) -> Result<ProcessId, Why> {
        match self {
            Self::Keeper(hand) => hand.ask(node, ours, AT_ONCE).await.map(ProcessId),
            Self::Outside(outside) => outside.act(node, theirs).await,
        }
    }

    /// Raises or clears an alarm.
    pub async fn alarm(&self, node: usize, alarm: Alarm, on: bool) -> Result<(), Why> {
        match self {
            Self::Keeper(hand) => have(hand, node, erlang::alarm(alarm, on)).await,
            Self::Outside(outside) => {
                outside.act(node, outside::Act::Alarm(alarm, on)).await.map(drop)
            }
        }
    }

    /// The node and its peers do not hear each other any more.
    pub async fn part(&self, node: usize, peers: &[&str]) -> Result<(), Why> {
        match self {
            Self::Keeper(hand) => have(hand, node, erlang::part(peers)).await,
            Self::Outside(outside) => outside.act(node, outside::Act::Part).await.map(drop),
        }
    }

    /// And can hear each other again.
    pub async fn join(&self, node: usize, peers: &[&str]) -> Result<(), Why> {
        match self {
            Self::Keeper(hand) => have(hand, node, erlang::join(peers)).await,
            Self::Outside(outside) => outside.act(node, outside::Act::Heal).await.map(drop),
        }
    }

    /// Whether a partition has left the node with a history of its own that it will not give up
    /// by itself.
    pub async fn is_split(&self, node: usize) -> bool {
        let said = match self {
            Self::Keeper(hand) => {
                let act = Act::Evaluate(erlang::is_split());
                hand.ask(node, act, GRACEFUL).await.map(ProcessId)
            }
            Self::Outside(outside) => outside.act(node, outside::Act::IsSplit).await,
        };
        said.is_ok_and(|said| said.0 == erlang::SPLIT)
    }

    /// Has it give that up.
    pub async fn rejoin(&self, node: usize) -> Result<(), Why> {
        match self {
            Self::Keeper(hand) => have(hand, node, erlang::restart()).await,
            Self::Outside(outside) => outside.act(node, outside::Act::Rejoin).await.map(drop),
        }
    }

    /// Waits until a node ends that nobody has told to: the last words of its log. Of somebody
    /// else's nodes nobody tells us.
    pub async fn falls(&self, node: usize) -> Vec<String> {
        match self {
            Self::Keeper(hand) => hand.falls(node).await.log,
            Self::Outside(_) => pending().await,
        }
    }

    /// The last node that ended without having been told to, and the last words of its log.
    pub fn fallen(&self) -> Option<(usize, Vec<String>)> {
        match self {
            Self::Keeper(hand) => hand.fallen().map(|exit| (exit.node, exit.log)),
            Self::Outside(_) => None,
        }
    }
}

/// Has a node of our own do something whose answer is `ok`.
async fn have(hand: &Hand, node: usize, what: String) -> Result<(), Why> {
    match hand.ask(node, Act::Evaluate(what), GRACEFUL).await? {
        said if said == "ok" => Ok(()),
        said => Err(format!("it says {said}")),
    }
}
