//! The topology as it stands and changes during a run, and what that decides about copies.
//!
//! While a change is under way nobody can say on which side of it a publish was routed: a
//! copy that only one side makes is *optional*.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ledger::event::{ChangeId, ChangeKind};
use crate::ledger::messages::{Route, Routes};
use crate::plan::content::Content;
use crate::plan::model::{ExchangeRef, ProducerId, QueueId, Variant};
use crate::plan::routing::{Envelope, Standing, route};

#[derive(Debug, Clone, Copy)]
struct Change {
    id: ChangeId,
    queue: QueueId,
    kind: ChangeKind,
    /// Which it is in the order of beginnings, from 1.
    begun: u64,
}

/// Routes publishes through the topology of the moment.
#[derive(Debug)]
pub struct Changing {
    plan: Arc<Variant>,
    /// With every change that has ended.
    standing: Standing,
    /// Under way, in the order of their beginnings.
    pending: Vec<Change>,
    /// How many changes began.
    begun: u64,
    /// The broker is being ended: exchanges that are not durable go.
    falling: bool,
    /// For each queue that ever changed, the ended change that began last.
    newest_ended: HashMap<QueueId, u64>,
    /// Routes of the present moment, by producer and by what decides them.
    known: HashMap<(ProducerId, String), u32>,
    uniform: Vec<Option<u32>>,
}

impl Changing {
    /// On a broker of this version, such as `4.3.6`.
    pub fn new(plan: Arc<Variant>, version: &str) -> Self {
        Self {
            standing: Standing::declared(&plan.topology).on(version),
            pending: Vec::new(),
            begun: 0,
            falling: false,
            newest_ended: HashMap::new(),
            known: HashMap::new(),
            uniform: vec![None; plan.producers.len()],
            plan,
        }
    }

    /// All of the topology, whatever has gone.
    pub fn whole(&self) -> Standing {
        self.standing.filled()
    }

    /// Whether a change is under way.
    pub fn is_unsettled(&self) -> bool {
        !self.pending.is_empty() || self.falling
    }

    /// Whether the queue exists and is not about to go.
    pub fn has(&self, queue: QueueId) -> bool {
        self.standing.has(queue) && !self.pending.iter().any(|change| change.queue == queue)
    }

    pub fn begin(&mut self, id: ChangeId, queue: QueueId, kind: ChangeKind) {
        self.begun += 1;
        self.pending.push(Change { id, queue, kind, begun: self.begun });
        self.forget_routes();
    }

    /// The queue and the kind of the change, unless it never began.
    pub fn end(&mut self, id: ChangeId) -> Option<(QueueId, ChangeKind)> {
        let position = self.pending.iter().position(|change| change.id == id)?;
        let change = self.pending.remove(position);
        // A temporary queue may be there again before its last one is verified gone: of two
        // changes the one that began later decides what stands.
        let newest = self.newest_ended.entry(change.queue).or_default();
        if change.begun > *newest && change.kind != ChangeKind::Purged {
            *newest = change.begun;
            apply(&mut self.standing, &self.plan, change);
        }
        self.forget_routes();
        Some((change.queue, change.kind))
    }

    /// The change did not happen after all. Whether it had begun.
    pub fn drop_pending(&mut self, id: ChangeId) -> bool {
        let before = self.pending.len();
        self.pending.retain(|change| change.id != id);
        self.forget_routes();
        self.pending.len() < before
    }

    /// The broker is about to be ended, and takes along what of exchanges is not durable.
    pub fn fall(&mut self) {
        self.falling = true;
        self.forget_routes();
    }

    /// Whether exchanges are about to go.
    pub fn falls(&self) -> bool {
        let mut exchanges = self.plan.topology.exchanges.iter();
        self.falling && exchanges.any(|exchange| !exchange.durable && !exchange.name.is_empty())
    }

    /// It has ended.
    pub fn fallen(&mut self) {
        self.falling = false;
        self.standing.lose_exchanges(&self.plan.topology);
        self.forget_routes();
    }

    fn forget_routes(&mut self) {
        self.known.clear();
        self.uniform.fill(None);
    }

    /// The route of message `n` of a producer, if it is published now.
    pub fn route(
        &mut self,
        producer: ProducerId,
        content: &Content,
        n: u32,
        routes: &mut Routes,
    ) -> u32 {
        let uniform = content.is_uniform();
        if let Some(index) = self.uniform[producer.index()] {
            return index;
        }
        let key = content.routing_key(u64::from(n));
        let headers = content.headers(u64::from(n));
        // The headers first: their text ends where it says, whatever a routing key looks like.
        let decides =
            if headers.is_empty() { format!("[]{key}") } else { format!("{headers:?}{key}") };
        if let Some(index) = self.known.get(&(producer, decides.clone())) {
            return *index;
        }
        let index = match self.plan.producers[producer.index()].to.exchange {
            ExchangeRef::Missing(_) => routes.intern(Route::new()),
            ExchangeRef::Declared(exchange) => {
                let envelope = Envelope { exchange, routing_key: &key, headers: &headers };
                routes.intern(self.compute(envelope))
            }
        };
        if uniform {
            self.uniform[producer.index()] = Some(index);
        } else if self.known.len() < 100_000 {
            self.known.insert((producer, decides), index);
        }
        index
    }

    /// What stands, and this queue.
    pub fn with(&self, queue: QueueId) -> Standing {
        let mut standing = self.standing.clone();
        standing.add(&self.plan.topology, queue);
        standing
    }

    /// Whether the bindings of `queue` let message `n` of a producer through where this stands.
    pub fn could_reach(
        &self,
        (producer, n): (ProducerId, u32),
        content: &Content,
        queue: QueueId,
        standing: &Standing,
    ) -> bool {
        let ExchangeRef::Declared(exchange) = self.plan.producers[producer.index()].to.exchange
        else {
            return false;
        };
        let key = content.routing_key(u64::from(n));
        let headers = content.headers(u64::from(n));
        let envelope = Envelope { exchange, routing_key: &key, headers: &headers };
        route(&self.plan.topology, standing, envelope).contains(&queue)
    }

    /// What every stage of the pending changes agrees on is required: a queue may go and come
    /// again in between, or be purged after the message came.
    fn compute(&self, envelope: Envelope<'_>) -> Route {
        let topology = &self.plan.topology;
        let mut standing = self.standing.clone();
        let mut stages = vec![route(topology, &standing, envelope)];
        for change in &self.pending {
            apply(&mut standing, &self.plan, *change);
            stages.push(route(topology, &standing, envelope));
        }
        if self.falling {
            standing.lose_exchanges(topology);
            stages.push(route(topology, &standing, envelope));
        }
        let mut all: Vec<QueueId> = stages.concat();
        all.sort_unstable();
        all.dedup();
        let purged = |queue: &QueueId| {
            let mut pending = self.pending.iter();
            pending.any(|change| change.queue == *queue && change.kind == ChangeKind::Purged)
        };
        let agreed =
            |queue: &QueueId| !purged(queue) && stages.iter().all(|stage| stage.contains(queue));
        all.into_iter().map(|queue| (queue, !agreed(&queue))).collect()
    }
}

fn apply(standing: &mut Standing, plan: &Variant, change: Change) {
    match change.kind {
        ChangeKind::Comes => standing.add(&plan.topology, change.queue),
        ChangeKind::Goes | ChangeKind::Perishes => standing.remove(&plan.topology, change.queue),
        ChangeKind::Purged => {}
    }
}
