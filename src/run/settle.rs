//! When a run is over: everything is done, nothing happens any more, and the broker, asked
//! freshly, holds nothing that can still move.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, sleep_until};

use crate::ledger::event::Micros;
use crate::ledger::facts::Cut;
use crate::ledger::progress::Progress;
use crate::plan::model::{Instance, ProducerId, QueueId, QueueKind, Trigger, WorkerId};
use crate::run::network::Network;
use crate::run::scribe::Pulse;
use crate::run::stage::{Command, Numbers, Planned, Stage, lock};
use crate::run::tally::Action;
use crate::run::{acting, stranded};

/// How often the run is looked at.
const STEP: Duration = Duration::from_millis(5);
/// Looking for finality takes time in proportion to the copies: at most a tenth of all time.
const SHARE: u32 = 10;

/// A message expires a little later than it should. (Measured: 5 to 45 ms.)
const LATE: Micros = 250_000;

/// Why the run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Settled,
    Cut(Cut),
    /// The world failed; the stage knows how.
    Failed,
}

/// Waits until the run is over. `interrupted` turns true when somebody wants it to end.
pub async fn settle(
    stage: &Arc<Stage>,
    mut interrupted: watch::Receiver<bool>,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Over {
    let began = stage.clock.began().unwrap_or_else(Instant::now);
    let deadline = began + stage.plan.settle.deadline;
    // Whatever is being asked when the time is up stays unanswered.
    tokio::select! {
        biased;
        () = stage.alarm.notified() => Over::Failed,
        // A sender that is gone will never interrupt.
        Ok(_) = interrupted.wait_for(|stop| *stop) => Over::Cut(Cut::Interrupted),
        () = sleep_until(deadline.into()) => Over::Cut(Cut::Deadline),
        over = watch(stage, progress) => over,
    }
}

async fn watch(stage: &Arc<Stage>, progress: &mut (dyn FnMut(Progress) + Send)) -> Over {
    let mut watcher = Watcher::default();
    loop {
        sleep(STEP).await;
        let Some(pulse) = stage.scribe.pulse().await else { return Over::Failed };
        progress(Progress { elapsed: stage.clock.elapsed(), ..pulse.progress });
        if watcher.is_over(stage, &pulse).await {
            return Over::Settled;
        }
    }
}

/// What was asked before need not be asked again while nothing happens.
#[derive(Default)]
struct Watcher {
    /// The activity at which finality was denied.
    denied: Option<u64>,
    /// No further look before this.
    not_before: Option<Instant>,
}

impl Watcher {
    async fn is_over(&mut self, stage: &Arc<Stage>, pulse: &Pulse) -> bool {
        let waiting = waiting(stage);
        if !producers_are_done(stage)
            || stage.coming.load(Ordering::SeqCst) > 0
            || waiting == Waiting::Certain
            || stage.clock.elapsed() < stage.plan.settle.at_least
        {
            return false;
        }
        // An answer on its way is no copy of anything, and counts as well.
        let asks = stage.producers.iter().any(|slot| slot.asks.load(Ordering::SeqCst));
        if waiting == Waiting::Nothing && !asks && self.is_final(stage, pulse).await {
            return true;
        }
        // A long work makes no event for a while, and yet it goes on.
        let idle = stage.plan.settle.idle;
        let is_idle = pulse.progress.in_hand == 0
            && pulse.last_activity.elapsed() >= idle
            && stage.clock.elapsed() >= idle;
        // Of a broker that is gone for good nothing can be asked, and nothing moves.
        let gone = stage.nodes.all_gone();
        is_idle && (gone || is_quiet(stage, pulse).await) && {
            // Asking took a moment: did anything happen in it? And somebody frozen may have gone
            // on since the first look, whose work makes no event for a while.
            let now = stage.scribe.pulse().await;
            now.is_some_and(|now| now.activity == pulse.activity && now.progress.in_hand == 0)
                && stage.coming.load(Ordering::SeqCst) == 0
        }
    }

    async fn is_final(&mut self, stage: &Arc<Stage>, pulse: &Pulse) -> bool {
        let too_soon = self.not_before.is_some_and(|moment| Instant::now() < moment);
        // What somebody writes whom a fault has cut off may never arrive.
        let mut networks = stage.workers.iter().map(|slot| &slot.network);
        let mut others = stage.producers.iter().map(|slot| &slot.network);
        let silent = networks.any(Network::is_silent) || others.any(Network::is_silent);
        let unsure = silent || !stage.nodes.all_up();
        if unsure || pulse.progress.in_hand > 0 || self.denied == Some(pulse.activity) || too_soon {
            return false;
        }
        let asked = Instant::now();
        let is_final = stage.scribe.is_final().await;
        self.not_before = Some(Instant::now() + asked.elapsed() * SHARE);
        self.denied = (!is_final).then_some(pulse.activity);
        is_final && stage.coming.load(Ordering::SeqCst) == 0
    }
}

/// What of the file has not happened yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Waiting {
    Nothing,
    /// Something waits for a count that may never come.
    Uncertain,
    /// Something will happen by itself.
    Certain,
}

fn waiting(stage: &Stage) -> Waiting {
    let open = stage.actions.iter().filter(|planned| !planned.fired.load(Ordering::SeqCst));
    let kind = |planned: &Planned| match &planned.trigger {
        Trigger::At(_) => Waiting::Certain,
        Trigger::AfterFaults(ids) => {
            let over = ids.iter().all(|id| *stage.faults[id.index()].over.borrow());
            if over { Waiting::Certain } else { Waiting::Uncertain }
        }
        Trigger::Count { .. } | Trigger::During(_) | Trigger::BeforeAck(_) => Waiting::Uncertain,
    };
    open.map(kind).max().unwrap_or(Waiting::Nothing)
}

/// Done, dead for good, or waiting for a start that is counted among what has not happened.
fn producers_are_done(stage: &Stage) -> bool {
    stage.producers.iter().enumerate().all(|(index, slot)| {
        let unstarted = || {
            stage.actions.iter().any(|planned| {
                let start = Action::Start(Instance::Producer(ProducerId::from_index(index)));
                planned.action == start && !planned.fired.load(Ordering::SeqCst)
            })
        };
        slot.done.load(Ordering::SeqCst) || unstarted()
    })
}

/// No queue has a ready copy for an able worker, and the broker has given up every consumer
/// that is dead: with it goes what it held.
async fn is_quiet(stage: &Arc<Stage>, pulse: &Pulse) -> bool {
    if !stage.nodes.can_be_reached() {
        return false;
    }
    let mortal = stage.plan.producers.iter().any(|producer| producer.ttl.is_some());
    let last_expiry = if mortal { stage.scribe.last_expiry().await + LATE } else { 0 };
    let expiring = stage.clock.now() < last_expiry;
    for (index, slot) in stage.queues.iter().enumerate() {
        let plan = &stage.plan.topology.queues[index];
        // Nothing leaves a stream, and its numbers lag.
        if lock(&slot.real).is_none() || plan.kind == QueueKind::Stream {
            continue;
        }
        // It will go by itself; to ask it would be to use it.
        if plan.expires.is_some() && slot.consumers.load(Ordering::SeqCst) == 0 {
            return false;
        }
        let Some(numbers) = acting::numbers(stage, QueueId::from_index(index)).await else {
            continue;
        };
        let expires = expiring || plan.message_ttl.is_some();
        let moving = numbers.ready > 0 && (pulse.able[index] || expires);
        let shown = stage.consumers_shown(QueueId::from_index(index));
        // Whom the broker gave up while it stood still still counts here, and may count there.
        let frozen = stage.frozen_on(QueueId::from_index(index));
        let stranded = stranded::count(stage, QueueId::from_index(index));
        let known = shown.saturating_sub(frozen)..=shown + stranded;
        // A queue that has lost its majority for good says nothing of anything.
        let mute = stage.nodes.some_missing()
            && plan.kind == QueueKind::Quorum
            && numbers == (Numbers { ready: 0, consumers: 0 });
        if moving || !(known.contains(&numbers.consumers) || mute) {
            return false;
        }
        let (queue, others) = (QueueId::from_index(index), pulse.held[index]);
        let quiet = pulse.last_activity;
        if stranded > 0 && !mute && stranded::hold_something(stage, queue, others, quiet).await {
            return false;
        }
    }
    catch_up(stage).await;
    true
}

/// What the broker has sent may lie unread in a busy worker's socket. When this returns it is
/// read, and shows as activity.
async fn catch_up(stage: &Arc<Stage>) {
    let asked = (0..stage.workers.len()).map(|index| async move {
        let control = stage.worker_control(WorkerId::from_index(index))?;
        let (up, done) = oneshot::channel();
        control.send(Command::Catch { up }).await.ok()?;
        done.await.ok()
    });
    join_all(asked).await;
}
