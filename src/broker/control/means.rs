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
            Self::Keeper(hand) => {
                let act = Act::Evaluate(erlang::alarm(alarm, on));
                match hand.ask(node, act, GRACEFUL).await? {
                    said if said == "ok" => Ok(()),
                    said => Err(format!("it says {said}")),
                }
            }
            Self::Outside(outside) => {
                outside.act(node, outside::Act::Alarm(alarm, on)).await.map(drop)
            }
        }
    }

    /// What only tools can do; `None` where there are none.
    pub async fn by_tool(&self, node: usize, act: outside::Act) -> Option<Result<ProcessId, Why>> {
        match self {
            Self::Keeper(_) => None,
            Self::Outside(outside) => Some(outside.act(node, act).await),
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
