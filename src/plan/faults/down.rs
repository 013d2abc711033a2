//! When nodes are known to be away for a while: paused, or between their end and their start.

use std::time::Duration;

use crate::plan::faults::timeline::{Set, Timeline, nodes};
use crate::scenario::trigger::Verb;

/// A while in which a node does nothing.
#[derive(Debug, Clone, Copy)]
pub struct Down {
    pub from: Duration,
    /// From then on it works again, or begins to boot.
    pub to: Duration,
    /// The fault that does it.
    pub by: usize,
}

/// Of each node, in the order they come; no two of a node overlap.
pub struct Downs(Vec<Vec<Down>>);

impl Downs {
    /// Those that the file alone makes certain. Of two that overlap the first counts.
    pub fn of(timeline: &Timeline) -> Self {
        let mut downs = Self(vec![Vec::new(); 64]);
        for by in &timeline.exact {
            let Some(event) = &timeline.events[*by] else { continue };
            let (from, Some(lasts)) = (event.when.earliest, event.lasts) else { continue };
            if !matches!(event.verb, Verb::Restart | Verb::Pause) {
                continue;
            }
            for node in nodes(event.nodes) {
                if downs.at(node, from, *by).is_none() {
                    downs.0[node].push(Down { from, to: from + lasts, by: *by });
                }
            }
        }
        downs
    }

    /// Why a node is away at a moment; of what happens at one moment, faults before the
    /// `index`-th come first.
    pub fn at(&self, node: usize, moment: Duration, index: usize) -> Option<Down> {
        let last = self.last(node, moment, index)?;
        (moment < last.to || moment == last.from).then_some(last)
    }

    /// Why a node of these is away then.
    pub fn any(&self, set: Set, moment: Duration, index: usize) -> Option<(usize, Down)> {
        nodes(set).find_map(|node| Some((node, self.at(node, moment, index)?)))
    }

    /// Why all nodes of these are away then.
    pub fn all(&self, set: Set, moment: Duration, index: usize) -> Option<Down> {
        let downs: Option<Vec<Down>> =
            nodes(set).map(|node| self.at(node, moment, index)).collect();
        downs?.first().copied()
    }

    /// The last time a node went away before that.
    pub fn last(&self, node: usize, moment: Duration, index: usize) -> Option<Down> {
        let before = self.0[node].partition_point(|down| (down.from, down.by) < (moment, index));
        before.checked_sub(1).map(|last| self.0[node][last])
    }
}
