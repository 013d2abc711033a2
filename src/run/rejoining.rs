//! A worker whose connection was lost connects again and consumes again, as often as it takes.
//!
//! It declares nothing again but the queue that is its own: what else was lost stays lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::ledger::event::{LifeEnd, LifeId};
use crate::ledger::facts::{Effect, ErrorFact};
use crate::plan::model::WorkerId;
use crate::run::network::Silence;
use crate::run::stage::{Command, Stage, lock};
use crate::run::worker::{Life, PATIENCE};
use crate::run::{parting, staff, stranded};

/// Nobody tries more often than this.
const LEAST: Duration = Duration::from_millis(5);
/// How soon a first connection is tried again that a fault made fail.
const AGAIN: Duration = Duration::from_millis(50);
const COMMANDS: usize = 64;

/// Its connection is lost: this life is over, and the next begins as soon as it can.
pub async fn lost(mut life: Life, fact: ErrorFact) {
    let (stage, worker) = (Arc::clone(&life.stage), life.worker);
    parting::note_error(&life, fact);
    life.leave(true).await;
    parting::end(&mut life, LifeEnd::Lost).await;
    stage.workers[worker.index()].network.learn(stage.clock.now());
    life.link.cut();
    stranded::note(&stage, worker, &life.link);
    let after = stage.plan.workers[worker.index()].reconnect;
    if after.is_none() {
        parting::unreachable_from_now(&life);
    }
    let departure = life.departure.take();
    let owned = stage.plan.topology.queues[stage.plan.workers[worker.index()].queue.index()].owner
        == Some(worker);
    let id = life.id;
    let parting = {
        let stage = Arc::clone(&stage);
        // What the broker still believes in can move: the run is not over before it knows.
        let hold = stage.hold();
        async move {
            if let Some(departure) = departure {
                departure.complete(&stage).await;
            }
            if !stage.nodes.all_gone() {
                parting::await_noticed(&stage, worker, id).await;
            }
            drop(hold);
        }
    };
    // Its own queue must be gone before it can be declared again.
    if owned {
        parting.await;
    } else {
        lock(&stage.errands).push(tokio::spawn(parting));
    }
    if let Some(stopped) = life.stopping.take() {
        parting::unreachable_from_now(&life);
        // Whoever stopped it may not wait.
        let _ = stopped.send(());
        return;
    }
    if let Some(after) = after {
        again(&stage, (worker, Some(id)), life.control, after).await;
    }
}

/// Whether a fault keeps the broker from answering this worker, for now or for good.
pub fn is_excused(stage: &Stage, worker: WorkerId) -> bool {
    stage.nodes.is_disturbed() || stage.workers[worker.index()].network.is_touched()
}

/// Goes on trying to begin, in a task of its own.
pub fn try_on(stage: &Arc<Stage>, worker: WorkerId) {
    let (sender, control) = mpsc::channel(COMMANDS);
    *lock(&stage.workers[worker.index()].control) = Some(sender);
    let trying = Arc::clone(stage);
    let task = tokio::spawn(async move { again(&trying, (worker, None), control, AGAIN).await });
    lock(&stage.workers[worker.index()].task).push(task);
}

/// Tries until it consumes again, is refused, or is told to end.
async fn again(
    stage: &Arc<Stage>,
    (worker, last): (WorkerId, Option<LifeId>),
    mut control: mpsc::Receiver<Command>,
    after: Duration,
) {
    // Until the deadline the run waits for it, unless it cannot succeed.
    let mut hold = Some(stage.hold());
    let began = Instant::now();
    let over = loop {
        let due = Instant::now() + after.max(LEAST);
        if !pause(stage, due, last, &mut control).await {
            break true;
        }
        let hopeless = stage.nodes.all_gone()
            || stage.workers[worker.index()].network.silence() == Silence::ToTheEnd;
        if hopeless {
            hold = None;
            continue;
        }
        let Some(entry) = stage.enter() else { break true };
        // Nothing depends on a connection that is not there yet; from then on every step counts.
        let connected = tokio::select! {
            biased;
            () = stage.closes() => break true,
            connected = staff::connect(stage, worker) => connected,
        };
        let joined = match connected {
            Ok(ready) => staff::begin_life(stage, ready).await,
            Err(error) => Err(error),
        };
        drop(entry);
        match joined {
            Ok(consuming) => {
                if consuming {
                    forward(stage, worker, &mut control).await;
                }
                break !consuming;
            }
            // Nobody's fault in the file: a broker that is away for so long does not come back.
            Err(error) if began.elapsed() > PATIENCE && !is_excused(stage, worker) => {
                stage.fail(error);
                break true;
            }
            // Whoever cannot be reached now may be reached later.
            Err(_) => {}
        }
    };
    drop(hold);
    if over {
        lock(&stage.workers[worker.index()].control).take();
    }
}

/// What it was told while it began holds for the life that has begun.
async fn forward(stage: &Stage, worker: WorkerId, control: &mut mpsc::Receiver<Command>) {
    while let (Ok(command), Some(next)) = (control.try_recv(), stage.worker_control(worker)) {
        // One that has ended again needs no telling.
        let _ = next.send(command).await;
    }
}

/// Waits, and hears what it is told meanwhile. `false` when it is to end.
async fn pause(
    stage: &Stage,
    due: Instant,
    last: Option<LifeId>,
    control: &mut mpsc::Receiver<Command>,
) -> bool {
    loop {
        let command = tokio::select! {
            biased;
            command = control.recv() => command,
            went_on = stage.until(due) => return went_on,
        };
        match command {
            Some(Command::Kill { done, .. }) => {
                // What it had left was told when its last life ended.
                let _ = done.send(last.map_or(Effect::Nothing, Effect::Worker));
                return false;
            }
            // It holds nothing that could be taken from it.
            Some(Command::Strike { done, .. }) => drop(done.send(Effect::Nothing)),
            Some(Command::Catch { up }) => drop(up.send(())),
            Some(Command::Recover { .. } | Command::Vacate { .. } | Command::Lend { .. }) => {}
            Some(Command::Ask { .. }) => {}
            Some(Command::Stop { done }) => {
                let _ = done.send(());
                return false;
            }
            Some(Command::Finish { .. }) | None => return false,
        }
    }
}
