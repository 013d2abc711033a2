//! Queues that go when nobody has used them for a while.
//!
//! Nobody tells when such a queue goes, and to ask the queue itself would be to use it: the
//! management API is asked, from shortly before it can go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::ledger::event::{ChangeKind, Event};
use crate::plan::model::QueueId;
use crate::run::stage::{Stage, lock};

/// How often it is looked at.
const STEP: Duration = Duration::from_millis(5);
/// The broker's clock may be a little ahead of ours.
const EARLY: Duration = Duration::from_millis(50);

/// Watches every queue that expires, until the run ends.
pub fn watch_all(stage: &Arc<Stage>) {
    for (index, queue) in stage.plan.topology.queues.iter().enumerate() {
        if let Some(expires) = queue.expires {
            let id = QueueId::from_index(index);
            let watch = watch(Arc::clone(stage), id, expires);
            lock(&stage.errands).push(tokio::spawn(watch));
        }
    }
}

async fn watch(stage: Arc<Stage>, queue: QueueId, expires: Duration) {
    let slot = &stage.queues[queue.index()];
    let mut unused_since = Instant::now();
    loop {
        let used = slot.consumers.load(Ordering::SeqCst) > 0 || lock(&slot.real).is_none();
        // What a broker is away for does not count.
        if used || !stage.nodes.all_up() {
            unused_since = Instant::now();
        } else if Instant::now() + EARLY >= unused_since + expires {
            depart(&stage, queue).await;
            unused_since = Instant::now();
        }
        if !stage.until(Instant::now() + STEP).await {
            return;
        }
    }
}

/// It may go at any moment now.
async fn depart(stage: &Arc<Stage>, queue: QueueId) {
    let slot = &stage.queues[queue.index()];
    let Some(real) = stage.real_name(queue) else { return };
    let hold = stage.hold();
    let change = stage.next_change();
    let (kind, at) = (ChangeKind::Goes, stage.clock.now());
    stage.scribe.record(Event::ChangeBegun { change, queue, kind, at }).await;
    let gone = loop {
        match stage.space.has_queue(&real).await {
            Ok(true) => {}
            Ok(false) => break true,
            // It is looked at again when the broker is back.
            Err(_) if !stage.nodes.all_up() => break false,
            Err(error) => {
                stage.fail(error);
                break false;
            }
        }
        let used = slot.consumers.load(Ordering::SeqCst) > 0 || lock(&slot.real).is_none();
        if used || stage.is_closing() {
            break false;
        }
        sleep(STEP).await;
    };
    let at = stage.clock.now();
    if gone {
        slot.gone.store(true, Ordering::SeqCst);
        lock(&slot.real).take();
        lock(&stage.standing).remove(&stage.plan.topology, queue);
        stage.scribe.record(Event::ChangeEnded { change, at }).await;
    } else {
        stage.scribe.record(Event::ChangeDropped { change, at }).await;
    }
    drop(hold);
}
