//! The nodes of one broker as ways in: whoever wants one node and does not find it goes to the
//! next, as a client does that knows them all.

use std::time::Duration;

use tokio::time::timeout;

use super::error::{BrokerError, Kind};
use super::link::{self, Link, Way};
use super::route::Route;
use crate::plan::model::NodeId;

/// How long a node may be silent while another one is left to try; one that is not there refuses
/// at once. The last one has the time that connecting may take at all.
const OTHERS_PATIENCE: Duration = Duration::from_secs(3);

/// A route to each node, at least one, in the order of their numbers.
#[derive(Debug, Clone)]
pub(crate) struct Entrances(Vec<Route>);

impl Entrances {
    /// # Panics
    /// Without any.
    pub fn new(routes: Vec<Route>) -> Self {
        assert!(!routes.is_empty(), "a broker has a node");
        Self(routes)
    }

    /// To the first node: they are alike but for their addresses.
    pub fn first(&self) -> &Route {
        &self.0[0]
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The same ways, changed.
    pub fn map(&self, change: impl Fn(&Route) -> Route) -> Self {
        Self(self.0.iter().map(change).collect())
    }

    /// Connects to the node that is wanted, else to the first of the others that answers.
    ///
    /// # Errors
    /// What the first of them said; but why somebody was not let in goes before that nobody
    /// answered.
    pub async fn connect(
        &self,
        way: &Way,
        name: &str,
        frame_max: Option<u32>,
    ) -> Result<Link, BrokerError> {
        let nodes = self.order(way.node);
        let last = nodes.len() - 1;
        let mut failed: Option<BrokerError> = None;
        for (tried, node) in nodes.into_iter().enumerate() {
            let connecting = link::connect(&self.0[node], way.wire.as_ref(), name, frame_max);
            let connected = if tried == last {
                connecting.await
            } else {
                let slow = way.wire.as_ref().map_or(Duration::ZERO, link::delay);
                timeout(OTHERS_PATIENCE + slow, connecting).await.unwrap_or_else(|_| {
                    let error = std::io::Error::from(std::io::ErrorKind::TimedOut);
                    Err(self.0[node].unreachable(&error))
                })
            };
            let error = match connected {
                Ok(mut link) => {
                    link.node = NodeId::from_index(node);
                    return Ok(link);
                }
                Err(error) => error,
            };
            let silent = |error: &BrokerError| error.kind == Kind::Unreachable;
            if failed.as_ref().is_none_or(|first| silent(first) && !silent(&error)) {
                failed = Some(error);
            }
        }
        Err(failed.expect("there was a node to try"))
    }

    /// All of them, the wanted one first.
    fn order(&self, wanted: Option<NodeId>) -> Vec<usize> {
        let wanted = wanted.map(NodeId::index).filter(|node| *node < self.count());
        let others = (0..self.count()).filter(|node| Some(*node) != wanted);
        wanted.into_iter().chain(others).collect()
    }
}
