//! Which nodes of the broker can be reached, as far as faults of ours decide that. Whoever meets
//! an error asks here whether a fault explains it, and whoever waits for the broker waits here.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, watch};
use tokio::time::timeout;

use crate::plan::model::NodeId;

/// A run is cut before a node takes longer to come back.
const RETURN: Duration = Duration::from_secs(600);

/// How a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Up,
    /// It runs and can be reached, and does not hear the others.
    Parted,
    /// It stands still, and will go on.
    Paused,
    /// It has ended, and will come back.
    Away,
    /// It has ended for good.
    Gone,
}

impl State {
    fn can_be_reached(self) -> bool {
        matches!(self, Self::Up | Self::Parted)
    }
}

/// All nodes of a run's broker.
pub struct Nodes {
    states: watch::Sender<Vec<State>>,
    /// How often that changed.
    epoch: AtomicU64,
    /// Some fault has acted upon the broker.
    disturbed: AtomicBool,
    /// Some node has been killed: what it had declared last it may have forgotten.
    killed: AtomicBool,
    /// Some node has been parted from the others.
    parted: AtomicBool,
    /// One end at a time: the ledger tells them apart by their order. Whatever else acts upon a
    /// node does so in between.
    pub ending: Mutex<()>,
    /// When the topology was declared: what is younger than a second dies more easily.
    pub declared: std::sync::OnceLock<Instant>,
}

impl Nodes {
    pub fn new(count: usize) -> Self {
        Self {
            states: watch::Sender::new(vec![State::Up; count.max(1)]),
            epoch: AtomicU64::new(0),
            disturbed: AtomicBool::new(false),
            killed: AtomicBool::new(false),
            parted: AtomicBool::new(false),
            ending: Mutex::new(()),
            declared: std::sync::OnceLock::new(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.states.borrow().len()
    }

    /// The nodes that a fault means.
    pub fn meant(&self, node: Option<NodeId>) -> Vec<NodeId> {
        match node {
            Some(node) => vec![node],
            None => (0..self.count()).map(NodeId::from_index).collect(),
        }
    }

    /// What befalls them is about to change, or has changed.
    pub fn set(&self, nodes: &[NodeId], state: State) {
        self.disturb();
        self.parted.fetch_or(state == State::Parted, Ordering::SeqCst);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.states.send_modify(|states| {
            for node in nodes {
                if let Some(known) = states.get_mut(node.index()) {
                    *known = state;
                }
            }
        });
    }

    /// Whoever was to come back does not any more.
    pub fn give_up(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.states.send_modify(|states| {
            let lost = states.iter_mut().filter(|state| **state != State::Up);
            lost.for_each(|state| *state = State::Gone);
        });
    }

    /// A fault acts upon the broker: what breaks from now on is explained.
    pub fn disturb(&self) {
        self.disturbed.store(true, Ordering::SeqCst);
    }

    /// Whether a fault has killed a node, which may have forgotten a queue by that. (Seen on 3.10.8
    /// and 4.0.5, of queues that were up to 1.3 s old.)
    pub fn may_forget(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// A node is killed.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
    }

    /// Whether a fault has acted upon the broker.
    pub fn is_disturbed(&self) -> bool {
        self.disturbed.load(Ordering::SeqCst)
    }

    /// Changes whenever a node comes or goes.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Whether some node can be reached.
    pub fn can_be_reached(&self) -> bool {
        self.states.borrow().iter().any(|state| state.can_be_reached())
    }

    /// A node whose answers hold for all: one that hears the others, as far as one does.
    pub fn informed(&self) -> Option<NodeId> {
        let states = self.states.borrow();
        states.iter().position(|state| *state == State::Up).map(NodeId::from_index)
    }

    /// Whether the node does not hear the others.
    pub fn is_parted(&self, node: NodeId) -> bool {
        self.states.borrow().get(node.index()) == Some(&State::Parted)
    }

    /// Whether some node has ended.
    pub fn some_ended(&self) -> bool {
        self.states.borrow().iter().any(|state| matches!(state, State::Away | State::Gone))
    }

    /// Whether this one has ended.
    pub fn is_missing(&self, node: NodeId) -> bool {
        matches!(self.states.borrow().get(node.index()), Some(State::Away | State::Gone))
    }

    /// Whether this one has ended for good.
    pub fn is_gone(&self, node: NodeId) -> bool {
        self.states.borrow().get(node.index()) == Some(&State::Gone)
    }

    /// Whether some node has ended and will be back.
    pub fn some_away(&self) -> bool {
        self.states.borrow().contains(&State::Away)
    }

    /// Whether some node is out of the sight of others: it has ended, or is parted. What a
    /// partition has done is seen after it is over, too.
    pub fn some_missing(&self) -> bool {
        self.some_ended() || self.parted.load(Ordering::SeqCst)
    }

    /// Whether every node can be, and hears the others.
    pub fn all_up(&self) -> bool {
        self.states.borrow().iter().all(|state| *state == State::Up)
    }

    /// Whether none will ever be reached again.
    pub fn all_gone(&self) -> bool {
        self.states.borrow().iter().all(|state| *state == State::Gone)
    }

    /// Whether all of these can be.
    pub fn are_up(&self, nodes: &[NodeId]) -> bool {
        let states = self.states.borrow();
        nodes.iter().all(|node| states.get(node.index()) == Some(&State::Up))
    }

    /// Waits until all of these can be reached. `false` when one of them never will.
    pub async fn come_up(&self, nodes: &[NodeId]) -> bool {
        let mut states = self.states.subscribe();
        let settled = |states: &Vec<State>| {
            let mut of = nodes.iter().map(|node| states.get(node.index()));
            of.clone().all(|state| state == Some(&State::Up))
                || of.any(|state| state == Some(&State::Gone))
        };
        // The sender lives as long as this value. Nobody brings a node back later than that.
        let _ = timeout(RETURN, states.wait_for(settled)).await;
        self.are_up(nodes)
    }

    /// Waits until a node can be reached. `false` when none ever will.
    pub async fn reachable(&self) -> bool {
        let mut states = self.states.subscribe();
        let settled = |states: &Vec<State>| {
            states.iter().any(|state| state.can_be_reached())
                || states.iter().all(|state| *state == State::Gone)
        };
        // The sender lives as long as this value. Nobody brings a node back later than that.
        let _ = timeout(RETURN, states.wait_for(settled)).await;
        self.can_be_reached()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_gone_when_its_last_node_is() {
        let nodes = Nodes::new(2);
        assert!(nodes.all_up() && !nodes.is_disturbed());
        nodes.set(&[NodeId(0)], State::Gone);
        assert!(nodes.can_be_reached() && !nodes.all_up() && !nodes.all_gone());
        nodes.set(&[NodeId(1)], State::Away);
        assert!(!nodes.can_be_reached() && !nodes.all_gone());
        nodes.set(&nodes.meant(None), State::Gone);
        assert!(nodes.all_gone() && nodes.is_disturbed() && nodes.epoch() == 3);
    }

    #[test]
    fn a_parted_node_can_be_reached_and_is_not_asked_about_others() {
        let nodes = Nodes::new(3);
        assert!(nodes.informed() == Some(NodeId(0)) && !nodes.some_missing());
        nodes.set(&[NodeId(0)], State::Parted);
        assert!(nodes.can_be_reached() && !nodes.all_up() && !nodes.some_ended());
        assert!(nodes.informed() == Some(NodeId(1)) && nodes.is_parted(NodeId(0)));
        nodes.set(&[NodeId(1), NodeId(2)], State::Gone);
        assert!(nodes.can_be_reached() && nodes.informed().is_none());
        nodes.set(&nodes.meant(None), State::Up);
        assert!(nodes.all_up() && nodes.some_missing(), "what it did may be seen later");
    }
}
