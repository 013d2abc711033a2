//! What befalls the broker itself, as a whole and node by node.
//!
//! It does not know of the programs but where they are connected. What is not understood is the
//! worst that there is.

use std::time::Duration;

use crate::plan::guarantees::threats::{HEARTBEAT, SLACK, Threats, is_for_good};
use crate::plan::model::{
    BrokerAct, Confirms, CountEvent, FaultAction, NodeId, ProducerId, Queue, QueueKind, Scope,
    StopHow, Trigger, Variant,
};
use crate::plan::pattern::Pattern;

/// What befalls the broker itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    Calm,
    /// All of a single node ends, so often, and comes back; `killed`: without a word, at least once.
    Restarts {
        times: u64,
        killed: bool,
    },
    /// Nodes of three or more: quorum queues have what they have confirmed.
    Nodes(Losses),
    /// Anything worse.
    Ends,
}

/// Nodes that end or are parted from the others. All but one of them at most come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Losses {
    /// A bit for each node that is befallen.
    struck: u64,
    /// How often any is.
    pub times: u64,
    /// The one that does not come back.
    pub gone: Option<NodeId>,
    /// The one that and the others do not hear each other for a time.
    pub parted: Option<NodeId>,
    /// More than one may be away at the same time.
    together: bool,
    /// The only thing that befalls any of them is a death without a word.
    pub killed: bool,
}

impl Losses {
    /// All that befalls a cluster, if nothing else does.
    fn of(variant: &Variant, nodes: u64) -> Option<Self> {
        let mut losses =
            Self { struck: 0, times: 0, gone: None, parted: None, together: false, killed: false };
        let mut before = None;
        for (index, fault) in variant.faults.iter().enumerate() {
            let FaultAction::Broker { act, node } = fault.action else { continue };
            let node = node.filter(|node| node.index() < 64)?;
            match act {
                BrokerAct::Restart { how, .. } => losses.killed = how == StopHow::Sigkill,
                BrokerAct::Stop { .. } if losses.gone.is_none() => losses.gone = Some(node),
                BrokerAct::Partition { .. } if !is_for_good(act) => losses.parted = Some(node),
                _ => return None,
            }
            let waits = |before: usize| match &fault.trigger {
                Trigger::AfterFaults(ids) => ids.iter().any(|id| id.index() == before),
                _ => false,
            };
            losses.together |= losses.gone.is_some() || before.is_some_and(|it| !waits(it));
            losses.struck |= 1 << node.index();
            losses.times += 1;
            before = Some(index);
        }
        losses.together &= losses.times > 1;
        losses.killed &= losses.times == 1;
        let alone = losses.parted.is_none() || losses.times == 1;
        // Somebody is there at any time who knows what the others are to be told.
        let somebody = !losses.together || u64::from(losses.struck.count_ones()) < nodes;
        (alone && somebody && nodes > 2 && losses.times > 0).then_some(losses)
    }

    /// Whether any of it befalls this node; where it is not known which, it may.
    pub fn strikes(&self, node: Option<NodeId>) -> bool {
        node.is_none_or(|node| node.index() >= 64 || self.struck >> node.index() & 1 == 1)
    }

    /// Whether it is more than the end of one node.
    pub fn is_more(&self) -> bool {
        self.times > 1 || self.parted.is_some()
    }

    /// Whether somebody on this node may wait for an answer as long as a node is away.
    pub fn silences(&self, node: Option<NodeId>) -> bool {
        match self.parted {
            Some(parted) => node.is_none_or(|node| node == parted),
            None => self.times > 1,
        }
    }
}

impl Weather {
    pub fn of(variant: &Variant, has_settings: bool) -> Self {
        let silence = variant.broker.heartbeat.unwrap_or(HEARTBEAT) * 2;
        let mut weather = Weather::Calm;
        for fault in &variant.faults {
            let FaultAction::Broker { act, .. } = fault.action else { continue };
            weather = weather.and(act, silence);
        }
        let nodes = variant.broker.nodes.or(variant.requires.nodes).unwrap_or(1);
        if weather == Weather::Calm || nodes < 2 {
            return weather;
        }
        // Who heals a partition, and how, may be set.
        let losses =
            Losses::of(variant, nodes).filter(|losses| !has_settings || losses.parted.is_none());
        losses.map_or(Weather::Ends, Weather::Nodes)
    }

    /// This, and one more thing; `silence` is how long nothing must be heard for a connection to
    /// be given up.
    fn and(self, act: BrokerAct, silence: Duration) -> Self {
        let short = |lasts: Option<Duration>| {
            lasts.is_some_and(|lasts| silence.is_zero() || lasts + SLACK < silence)
        };
        match (act, self) {
            (BrokerAct::Pause { lasts } | BrokerAct::Block { lasts, .. }, so_far)
                if short(lasts) =>
            {
                so_far
            }
            (_, Weather::Ends) => Weather::Ends,
            (BrokerAct::Restart { how, .. }, so_far) => {
                let (times, killed) = match so_far {
                    Weather::Restarts { times, killed } => (times, killed),
                    _ => (0, false),
                };
                let killed = killed || how == StopHow::Sigkill;
                Weather::Restarts { times: times + 1, killed }
            }
            _ => Weather::Ends,
        }
    }
}

impl Threats<'_> {
    /// The node that a queue is led on, or is on, when nothing has befallen it yet.
    pub fn home(queue: &Queue) -> Option<NodeId> {
        let placed = queue.owner.is_none() && !queue.predeclared;
        placed.then_some(queue.node.unwrap_or(NodeId(0)))
    }

    /// Of three nodes, how many end for good, where nothing else befalls any.
    pub fn gone(&self) -> Option<usize> {
        let nodes = self.variant.broker.nodes.or(self.variant.requires.nodes);
        let mut gone = Vec::new();
        for fault in self.variant.faults.iter().filter(|fault| super::is_of_broker(fault)) {
            match fault.action {
                FaultAction::Broker { act: BrokerAct::Stop { .. }, node: Some(node) } => {
                    gone.push(node.index());
                }
                _ => return None,
            }
        }
        gone.sort_unstable();
        gone.dedup();
        (nodes == Some(3)).then_some(gone.len())
    }

    /// Whether a quorum queue may refuse what a producer publishes because a node is lost. A
    /// channel makes itself known with its first publish to a queue, and asks the node that has
    /// led it; while that is away, or nobody leads it, all its publishes are refused. (Seen on
    /// 3.10.8, thousands of them, of producers that came from the node that had led the queue.)
    pub fn may_be_turned_away(&self, id: ProducerId) -> bool {
        let Weather::Nodes(losses) = self.weather else { return self.weather == Weather::Ends };
        if self.is_through(id) || self.is_known_before(id) {
            return false;
        }
        let queues = self.variant.topology.queues.iter();
        let mut quorum = queues.filter(|queue| queue.kind == QueueKind::Quorum);
        let leads = quorum.any(|queue| losses.strikes(Self::home(queue)));
        let moves = losses.times > 1;
        // From the side of a parted node that leads nothing, whoever is known stays known; and
        // whoever comes back when all is over finds everybody.
        let waits = losses.parted.is_some() && !self.begins_before(id);
        leads || moves || waits
    }

    /// Whether a producer has published before anything befalls the broker, on a connection that
    /// stays.
    fn is_known_before(&self, id: ProducerId) -> bool {
        let Weather::Nodes(losses) = self.weather else { return false };
        !losses.strikes(self.variant.producers[id.index()].node) && self.begins_before(id)
    }

    /// Whether a producer has published something before anything befalls the broker, and is not
    /// parted from it otherwise.
    fn begins_before(&self, id: ProducerId) -> bool {
        let mut faults = self.variant.faults.iter().filter(|fault| super::is_of_broker(fault));
        let producer = &self.variant.producers[id.index()];
        let steady = matches!(producer.to.routing_key, Pattern::Always(_));
        steady
            && producer.headers.is_empty()
            && self.of_producer(id).is_empty()
            && !self.may_be_refused(id)
            && faults.all(|fault| self.has_begun(id, &fault.trigger, 0))
    }

    fn has_begun(&self, id: ProducerId, moment: &Trigger, depth: usize) -> bool {
        let producer = &self.variant.producers[id.index()];
        match moment {
            Trigger::At(at) => {
                let begins = match producer.start {
                    None => Duration::ZERO,
                    Some(Trigger::At(start)) => start,
                    Some(_) => return false,
                };
                begins + SLACK <= *at
            }
            Trigger::Count { event: CountEvent::Confirmed, of, .. } => match of {
                Scope::Producers(ids) => *ids == [id],
                Scope::All => self.variant.producers.len() == 1,
                _ => false,
            },
            Trigger::AfterFaults(ids) if depth < self.variant.faults.len() => ids
                .iter()
                .any(|it| self.has_begun(id, &self.variant.faults[it.index()].trigger, depth + 1)),
            _ => false,
        }
    }

    /// Whether a producer waits for its answers until whatever it waits for is back, or the run is
    /// cut.
    pub fn is_patient(&self, id: ProducerId) -> bool {
        match self.variant.producers[id.index()].confirms {
            Confirms::Off => false,
            Confirms::Window { timeout, .. } | Confirms::Batch { timeout, .. } => {
                timeout >= self.variant.settle.deadline
            }
        }
    }
}
