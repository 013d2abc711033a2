//! Consumers of quorum queues whose node has ended.
//!
//! The queue lives on, on other nodes, and shows such a consumer among the others until its node
//! is back. What it held returns at once before 4.3; since then only after
//! `consumer_disconnected_timeout`, a minute unless a broker is told otherwise. (Measured on
//! 3.10.8, 4.0.5 and 4.3.6.)

use std::time::Instant;

use crate::broker::Link;
use crate::plan::model::{QueueId, QueueKind, WorkerId};
use crate::run::stage::{Stage, lock};

/// The connection of this worker is lost, perhaps with its node.
pub fn note(stage: &Stage, worker: WorkerId, link: &Link) {
    let queue = stage.plan.workers[worker.index()].queue;
    if stage.plan.topology.queues[queue.index()].kind == QueueKind::Quorum {
        lock(&stage.queues[queue.index()].stranded).push(link.node);
    }
}

/// How many the broker may show of a queue.
pub fn count(stage: &Stage, queue: QueueId) -> u64 {
    let mut stranded = lock(&stage.queues[queue.index()].stranded);
    stranded.retain(|node| stage.nodes.is_missing(*node));
    stranded.len() as u64
}

/// Whether they may hold something, beyond what `others` hold. What the broker says of a quorum
/// queue is as old as its last tick, so nothing may have happened since.
pub async fn hold_something(stage: &Stage, queue: QueueId, others: u64, quiet: Instant) -> bool {
    let Some(real) = stage.real_name(queue) else { return false };
    if stage.space.tick().is_ok_and(|tick| quiet.elapsed() < tick * 2) {
        return true;
    }
    match stage.space.all_unacked().await {
        Ok(all) => {
            let own = all.into_iter().find(|(name, _)| *name == real);
            own.is_none_or(|(_, unacked)| unacked.count > others)
        }
        // Nobody can tell.
        Err(_) => true,
    }
}

/// Whether a subscription of this queue counts although it is dead, and will go on doing so.
pub fn for_good(stage: &Stage, queue: QueueId) -> bool {
    count(stage, queue) > 0 && !stage.nodes.some_away()
}
