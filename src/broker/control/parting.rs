//! Partitions: nodes that run and do not hear one another, and how they find together again.
//!
//! What the nodes know of one another is asked of their management APIs; where none answers,
//! nobody can say that they are apart, and they are believed to be together.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use super::means::Why;
use super::{BOOT_DEADLINE, Control, STEP};
use crate::broker::error::BrokerError;
use crate::plan::model::NodeId;

/// How long the others may take to report a node down. (Measured: 0.4 s.)
const DEADLINE: Duration = Duration::from_secs(15);

const HEALING: &str = "healing";

impl Control {
    /// This node and the others do not hear each other any more. Returns when another one was
    /// seen to report it down; whether one was.
    ///
    /// # Errors
    /// When the node does not obey, or is the only one.
    pub async fn part(&self, node: NodeId) -> Result<bool, BrokerError> {
        let failed = |why| self.failed("parting", node, why);
        if self.nodes() == 1 {
            return Err(failed("there is no other node".to_owned()));
        }
        let before = self.running(&self.together(&[])).await;
        self.note(node, |done| done.parted = true);
        self.obeys(node).map_err(failed)?;
        let parted = self.0.means.part(node.index(), &self.peers(node)).await;
        parted.map_err(failed)?;
        if self.together(&[]).is_empty() {
            return Ok(false);
        }
        let reported = async {
            while !self.is_reported(node, &before).await {
                sleep(STEP).await;
            }
        };
        Ok(timeout(DEADLINE, reported).await.is_ok())
    }

    /// They hear each other again; returns when all report all others running.
    ///
    /// # Errors
    /// When the node does not obey, or the others do not agree.
    pub async fn heal(&self, node: NodeId) -> Result<(), BrokerError> {
        self.join(node).await?;
        self.reunite(&[node]).await
    }

    /// It can hear the others again; whether they agree is not waited for.
    pub(super) async fn join(&self, node: NodeId) -> Result<(), BrokerError> {
        let failed = |why| self.failed(HEALING, node, why);
        self.obeys(node).map_err(failed)?;
        self.0.means.join(node.index(), &self.peers(node)).await.map_err(failed)
    }

    /// Waits until all nodes that run report all of those running, and with them these, which were
    /// apart and can hear the others again. Where a split is left they are restarted within their
    /// processes, once.
    pub(super) async fn reunite(&self, apart: &[NodeId]) -> Result<(), BrokerError> {
        let united = async {
            let mut doubtful = apart.to_vec();
            while !self.is_whole(apart).await {
                for node in std::mem::take(&mut doubtful) {
                    if self.0.means.is_split(node.index()).await {
                        let rejoined = self.0.means.rejoin(node.index()).await;
                        rejoined.map_err(|why| self.failed(HEALING, node, why))?;
                    } else {
                        doubtful.push(node);
                    }
                }
                sleep(STEP).await;
            }
            Ok(())
        };
        let late = || {
            let first = apart.first().copied().unwrap_or(NodeId(0));
            let seconds = BOOT_DEADLINE.as_secs();
            let why = format!("not all nodes report all others running after {seconds} s");
            Err(self.failed(HEALING, first, why))
        };
        timeout(BOOT_DEADLINE, united).await.unwrap_or_else(|_| late())?;
        for node in apart {
            self.note(*node, |done| done.parted = false);
        }
        Ok(())
    }

    /// Whether all nodes that can hear one another report all of those running.
    async fn is_whole(&self, apart: &[NodeId]) -> bool {
        let nodes = self.together(apart);
        let seen = self.running(&nodes).await;
        // A node whose name nobody knows counts all the same.
        let all = |running: &BTreeSet<String>| {
            let named = nodes.iter().filter_map(|node| self.place(*node).name.as_ref());
            running.len() >= nodes.len() && named.into_iter().all(|name| running.contains(name))
        };
        seen.iter().zip(&nodes).all(|(seen, node)| match seen {
            Some(running) => all(running),
            None => self.place(*node).management.is_none(),
        })
    }

    /// Whether one of the others misses it, of those that it heard before.
    async fn is_reported(&self, node: NodeId, before: &[Option<BTreeSet<String>>]) -> bool {
        let others = self.together(&[]);
        let seen = self.running(&others).await;
        let most = before.iter().flatten().map(BTreeSet::len).max().unwrap_or_default();
        seen.iter().flatten().any(|running| match &self.place(node).name {
            Some(name) => !running.contains(name),
            None => running.len() < most,
        })
    }

    /// Which nodes each of these reports to run, where it answers.
    async fn running(&self, nodes: &[NodeId]) -> Vec<Option<BTreeSet<String>>> {
        join_all(nodes.iter().map(|node| async {
            let management = self.place(*node).management.as_ref()?;
            management.running().await.ok().map(BTreeSet::from_iter)
        }))
        .await
    }

    /// The nodes that run and that nothing keeps from the others; of those that are apart, these.
    fn together(&self, apart: &[NodeId]) -> Vec<NodeId> {
        let running = self.those(|done| !done.stopped && !done.paused);
        let parted = self.those(|done| done.parted);
        running.into_iter().filter(|it| apart.contains(it) || !parted.contains(it)).collect()
    }

    fn peers(&self, node: NodeId) -> Vec<&str> {
        let others = self.0.nodes.iter().enumerate().filter(|(index, _)| *index != node.index());
        others.filter_map(|(_, place)| place.name.as_deref()).collect()
    }

    /// Why nothing can be asked of it, as the end of a sentence.
    pub(super) fn obeys(&self, node: NodeId) -> Result<(), Why> {
        match self.done(node) {
            done if done.stopped => Err("it does not run".to_owned()),
            done if done.paused => Err("it is paused".to_owned()),
            _ => Ok(()),
        }
    }
}
