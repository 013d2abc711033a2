//! Faults that befall a queue: it loses what is in it, or goes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lapin::Channel;
use lapin::options::{QueueDeleteOptions, QueuePurgeOptions};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::broker::{BrokerError, Link};
use crate::ledger::event::{ChangeKind, Event};
use crate::ledger::facts::Effect;
use crate::plan::model::QueueId;
use crate::run::stage::{Command, Stage, lock};
use crate::run::trouble::{self, Listener};

/// No answer of a broker that works takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes all ready messages out of a queue.
pub async fn purge(stage: &Arc<Stage>, label: &str, queue: QueueId) -> Effect {
    befall(stage, label, queue, ChangeKind::Purged).await
}

/// Deletes a queue with all that is in it.
pub async fn delete(stage: &Arc<Stage>, label: &str, queue: QueueId) -> Effect {
    befall(stage, label, queue, ChangeKind::Goes).await
}

async fn befall(stage: &Arc<Stage>, label: &str, queue: QueueId, kind: ChangeKind) -> Effect {
    let Some(real) = stage.real_name(queue) else { return Effect::Nothing };
    let hands = match Hands::reach(stage, queue).await {
        Ok(Some(hands)) => hands,
        Ok(None) => return Effect::Nothing,
        Err(error) => {
            stage.blame(error);
            return Effect::Nothing;
        }
    };
    // What consumers hold is a part of it; without a management API nobody knows how many.
    let unacked = stage.space.unacked(&real).await.map_or(0, |unacked| unacked.count);
    let slot = &stage.queues[queue.index()];
    if kind == ChangeKind::Goes {
        slot.taken.store(true, Ordering::SeqCst);
        slot.gone.store(true, Ordering::SeqCst);
    }
    let change = stage.next_change();
    let at = stage.clock.now();
    stage.scribe.record(Event::ChangeBegun { change, queue, kind, at }).await;
    let result = hands.act(&real, kind).await;
    let at = stage.clock.now();
    match result {
        Ok(ready) => {
            if kind == ChangeKind::Goes {
                lock(&slot.real).take();
                lock(&stage.standing).remove(&stage.plan.topology, queue);
            }
            stage.scribe.record(Event::ChangeEnded { change, at }).await;
            hands.leave().await;
            Effect::Queue { ready, unacked }
        }
        Err(error) => {
            stage.scribe.record(Event::ChangeDropped { change, at }).await;
            let error = hands.reason(&error).await;
            stage.note_error(trouble::fact(label, &error));
            Effect::Nothing
        }
    }
}

/// A connection of the fault's own, because some queues answer with its end; or a channel on the
/// connection of the queue's owner.
struct Hands {
    channel: Channel,
    own: Option<(Link, Listener)>,
}

impl Hands {
    /// `None` when the queue's owner does not answer.
    async fn reach(stage: &Stage, queue: QueueId) -> Result<Option<Self>, BrokerError> {
        if let Some(owner) = stage.plan.topology.queues[queue.index()].owner {
            let Some(control) = stage.worker_control(owner) else { return Ok(None) };
            let (reply, lent) = oneshot::channel();
            // One that ended meanwhile drops the sender.
            let _ = control.send(Command::Lend { reply }).await;
            return Ok(lent.await.ok().map(|channel| Self { channel, own: None }));
        }
        let link = stage.space.connect("rmq-scenario fault", None).await?;
        let channel = link.open_channel("opening a channel").await?;
        let listener = Listener::new(&link.connection, || {});
        Ok(Some(Self { channel, own: Some((link, listener)) }))
    }

    /// How many ready messages went.
    async fn act(&self, real: &str, kind: ChangeKind) -> lapin::Result<u64> {
        let name = real.into();
        let count = match kind {
            ChangeKind::Purged => {
                self.channel.queue_purge(name, QueuePurgeOptions::default()).await?
            }
            _ => self.channel.queue_delete(name, QueueDeleteOptions::default()).await?,
        };
        Ok(u64::from(count))
    }

    async fn reason(mut self, error: &lapin::Error) -> lapin::Error {
        let reason = match &mut self.own {
            Some((_, listener)) => listener.reason(error).await,
            None => error.clone(),
        };
        self.leave().await;
        reason
    }

    async fn leave(self) {
        // It has done what it came for.
        let _ = match self.own {
            Some((link, _)) => timeout(PATIENCE, link.close()).await,
            None => timeout(PATIENCE, self.channel.close(200, "OK".into())).await,
        };
    }
}
