//! Queues that come and go with a worker: the span in which nobody can say where a publish
//! was routed, from the request or the kill to the answer or the proof that it is gone.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lapin::Channel;
use tokio::time::timeout;

use crate::broker::BrokerError;
use crate::ledger::event::{ChangeId, ChangeKind, Event};
use crate::plan::model::{QueueId, WorkerId};
use crate::run::stage::{Hold, Stage, lock};
use crate::run::worker::PATIENCE;

/// A broker that works removes a queue in milliseconds.
const AT_MOST: Duration = Duration::from_secs(20);

/// A queue on its way out. The run is not over before it is gone.
pub struct Departure {
    change: ChangeId,
    queue: QueueId,
    _hold: Hold,
}

impl Departure {
    /// To be called before a worker's subscription ends. `None` when its queue stays.
    pub async fn begin(stage: &Arc<Stage>, worker: WorkerId, hangs_up: bool) -> Option<Self> {
        let queue = stage.plan.workers[worker.index()].queue;
        let last = stage.uncount(worker);
        let plan = &stage.plan.topology.queues[queue.index()];
        let goes = (hangs_up && plan.owner == Some(worker)) || (last && plan.auto_delete);
        // It may have gone already, with the broker; and whether it went with that, or stays, is
        // looked at when the broker is back.
        let uncertain = !lock(&stage.queues[queue.index()].uncertain).is_empty();
        if !goes || uncertain || stage.real_name(queue).is_none() {
            return None;
        }
        Some(Self::of(stage, queue).await)
    }

    /// The worker did not leave after all: it was cut off, and nobody gave it up. Its queue is
    /// what it was.
    pub async fn revoke(stage: &Arc<Stage>, worker: WorkerId, departure: Option<Self>) {
        stage.count_in(worker);
        if let Some(departure) = departure {
            let at = stage.clock.now();
            stage.scribe.record(Event::ChangeDropped { change: departure.change, at }).await;
        }
    }

    /// To be called before a connection ends whose worker has no subscription any more, and
    /// may still own its queue.
    pub async fn vacate(stage: &Arc<Stage>, worker: WorkerId) -> Option<Self> {
        let queue = stage.plan.workers[worker.index()].queue;
        let owned = stage.plan.topology.queues[queue.index()].owner == Some(worker);
        stage.real_name(queue).filter(|_| owned)?;
        Some(Self::of(stage, queue).await)
    }

    async fn of(stage: &Arc<Stage>, queue: QueueId) -> Self {
        let change = stage.next_change();
        let at = stage.clock.now();
        let kind = ChangeKind::Goes;
        stage.scribe.record(Event::ChangeBegun { change, queue, kind, at }).await;
        Self { change, queue, _hold: stage.hold() }
    }

    /// To be called when the subscription or the connection has ended: waits until the queue
    /// is verified gone. Whether it was.
    pub async fn complete(self, stage: &Arc<Stage>) -> bool {
        let mut gone = false;
        let slot = &stage.queues[self.queue.index()];
        slot.gone.store(true, Ordering::SeqCst);
        let name = lock(&slot.real).take();
        if let Some(name) = name {
            let is_held_up = || stage.is_held_up(self.queue);
            let went = match stage.is_gone(self.queue) {
                true => Ok(false),
                false => stage.asker.await_gone(&name, AT_MOST, is_held_up).await,
            };
            match went {
                Ok(true) => gone = true,
                // With the broker all that was on it is gone.
                _ if stage.nodes.all_gone() => gone = true,
                // The end of the broker came before that of its consumer, and nobody's leaving
                // takes along what nobody used any more.
                Ok(false) if stage.nodes.is_disturbed() => {
                    *lock(&slot.real) = Some(name);
                    slot.gone.store(false, Ordering::SeqCst);
                    let at = stage.clock.now();
                    stage.scribe.record(Event::ChangeDropped { change: self.change, at }).await;
                    return false;
                }
                Ok(false) => stage.fail(BrokerError::silent(&format!(
                    "waiting for queue {name} to go with its consumer"
                ))),
                Err(error) => stage.blame(error),
            }
        }
        lock(&stage.standing).remove(&stage.plan.topology, self.queue);
        let at = stage.clock.now();
        stage.scribe.record(Event::ChangeEnded { change: self.change, at }).await;
        gone
    }
}

/// Declares and binds the queue that a worker owns, on its own channel. What was made of a
/// queue that is refused half-way goes with the worker's connection: whoever closes that
/// completes the departure.
pub async fn arrive(
    stage: &Arc<Stage>,
    channel: &Channel,
    queue: QueueId,
) -> Result<String, (BrokerError, Departure)> {
    let change = stage.next_change();
    let kind = ChangeKind::Comes;
    let at = stage.clock.now();
    stage.scribe.record(Event::ChangeBegun { change, queue, kind, at }).await;
    let topology = &stage.plan.topology;
    let declaring = stage.space.declare_owned(channel, topology, queue);
    let silent = |_| Err(BrokerError::silent("declaring a worker's own queue"));
    let declared = match timeout(PATIENCE, declaring).await.unwrap_or_else(silent) {
        Ok(name) => {
            stage.name_queue(queue, name.clone());
            stage.queues[queue.index()].gone.store(false, Ordering::SeqCst);
            lock(&stage.standing).add(topology, queue);
            Ok(name)
        }
        Err(error) => {
            let name = stage.space.queue_name(&topology.queues[queue.index()]);
            *lock(&stage.queues[queue.index()].real) = Some(name).filter(|name| !name.is_empty());
            // Its way out begins before its way in is over.
            Err((error, Departure::of(stage, queue).await))
        }
    };
    let at = stage.clock.now();
    stage.scribe.record(Event::ChangeEnded { change, at }).await;
    declared
}
