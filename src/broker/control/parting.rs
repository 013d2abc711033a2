//! Partitions: nodes that run and do not hear one another, and how they find together again.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::{BOOT_DEADLINE, Control, STEP, erlang};
use crate::broker::error::BrokerError;
use crate::plan::model::NodeId;

/// How long the others may take to report a node down. (Measured: 0.4 s.)
const DEADLINE: Duration = Duration::from_secs(15);

impl Control {
    /// This node and the others do not hear each other any more. Returns when another one was
    /// seen to report it down; whether one was.
    ///
    /// # Errors
    /// When the node does not obey, or is the only one.
    pub async fn part(&self, node: NodeId) -> Result<bool, BrokerError> {
        const DOING: &str = "parting";
        if self.nodes() == 1 {
            return Err(self.failed(DOING, node, "there is no other node".to_owned()));
        }
        self.note(node, |done| done.parted = true);
        self.have(node, DOING, erlang::part(&self.peers(node))).await?;
        let name = &self.place(node).name;
        let reported = async {
            loop {
                for other in self.together(&[]) {
                    let running = self.place(other).management.running().await;
                    if running.is_ok_and(|running| !running.contains(name)) {
                        return;
                    }
                }
                sleep(STEP).await;
            }
        };
        Ok(timeout(DEADLINE, reported).await.is_ok())
    }

    /// They hear each other again; returns when all report all others running.
    ///
    /// # Errors
    /// When the node does not obey.
    pub async fn heal(&self, node: NodeId) -> Result<(), BrokerError> {
        self.join(node).await?;
        self.reunite(&[node]).await
    }

    /// It hears the others again; whether they agree is not waited for.
    pub(super) async fn join(&self, node: NodeId) -> Result<(), BrokerError> {
        self.have(node, "healing", erlang::join(&self.peers(node))).await
    }

    /// Waits until all nodes that run report all of those running, and with them these, which were
    /// parted and hear the others again. Where a split is left, they are restarted within their
    /// processes, once.
    pub(super) async fn reunite(&self, parted: &[NodeId]) -> Result<(), BrokerError> {
        let united = async {
            let mut doubtful = parted.to_vec();
            while !self.is_whole(parted).await {
                for node in std::mem::take(&mut doubtful) {
                    if self.is_split(node).await {
                        self.have(node, "healing", erlang::restart()).await?;
                    } else {
                        doubtful.push(node);
                    }
                }
                sleep(STEP).await;
            }
            Ok(())
        };
        let late = || {
            let first = parted.first().copied().unwrap_or(NodeId(0));
            let seconds = BOOT_DEADLINE.as_secs();
            let why = format!("not all nodes report all others running after {seconds} s");
            Err(self.failed("healing", first, why))
        };
        timeout(BOOT_DEADLINE, united).await.unwrap_or_else(|_| late())?;
        for node in parted {
            self.note(*node, |done| done.parted = false);
        }
        Ok(())
    }

    async fn is_split(&self, node: NodeId) -> bool {
        let answer = self.0.means.evaluate(node.index(), erlang::is_split()).await;
        answer.is_ok_and(|answer| answer == "split")
    }

    /// Whether all nodes that can hear one another report all of those running.
    async fn is_whole(&self, parted: &[NodeId]) -> bool {
        let nodes = self.together(parted);
        for node in &nodes {
            let running = self.place(*node).management.running().await;
            let Ok(running) = running else { return false };
            if nodes.iter().any(|other| !running.contains(&self.place(*other).name)) {
                return false;
            }
        }
        true
    }

    /// The nodes that run and that nothing keeps from the others; of those that were parted, these.
    fn together(&self, parted: &[NodeId]) -> Vec<NodeId> {
        let running = self.those(|done| !done.stopped && !done.paused);
        let apart = self.those(|done| done.parted);
        running.into_iter().filter(|it| parted.contains(it) || !apart.contains(it)).collect()
    }

    fn peers(&self, node: NodeId) -> Vec<&str> {
        let others = self.0.nodes.iter().enumerate().filter(|(index, _)| *index != node.index());
        others.map(|(_, place)| &*place.name).collect()
    }
}
