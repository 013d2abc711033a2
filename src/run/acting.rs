//! Doing what triggers set off: faults, observations, late starts and stops.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::broker::Link;
use crate::ledger::facts::{Effect, FaultFact};
use crate::plan::model::{FaultAction, FaultId, Instance, QueueId, WorkerId};
use crate::run::asking::Answer;
use crate::run::stage::{Command, Numbers, Stage, lock};
use crate::run::tally::Action;
use crate::run::{observing, probing, producer, queue_faults, staff};

/// Does them one after another. The future is boxed because a start may set off further
/// actions.
pub fn act_all(
    stage: &Arc<Stage>,
    due: Vec<Action>,
) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
    let stage = Arc::clone(stage);
    Box::pin(async move {
        for action in due {
            act(&stage, action).await;
        }
    })
}

/// Does one, once.
async fn act(stage: &Arc<Stage>, action: Action) {
    let Some(entry) = stage.enter() else { return };
    // Held before it counts as fired: in between the run would look like one that is over.
    let hold = stage.hold();
    let planned = stage.actions.iter().find(|planned| planned.action == action);
    if planned.is_none_or(|planned| planned.fired.swap(true, Ordering::SeqCst)) {
        return;
    }
    match action {
        Action::Fault(id) => kill(stage, id).await,
        Action::Observe(index) => observing::observe(stage, index).await,
        Action::Probe(index) => probing::probe(stage, index).await,
        Action::Start(Instance::Worker(id)) => drop(staff::start(stage, id).await),
        Action::Start(Instance::Producer(id)) => producer::start(stage, id).await,
        Action::Stop(id) => stop(stage, id).await,
    }
    drop((hold, entry));
}

/// Kills, and sees to the restart.
async fn kill(stage: &Arc<Stage>, id: FaultId) {
    let fault = &stage.plan.faults[id.index()];
    let (target, how, restart_after) = match fault.action {
        FaultAction::Kill { target, how, restart_after } => (target, how, restart_after),
        FaultAction::Purge(queue) => {
            let effect = queue_faults::purge(stage, &fault.label, queue).await;
            return acted(stage, id, effect);
        }
        FaultAction::Delete(queue) => {
            let effect = queue_faults::delete(stage, &fault.label, queue).await;
            return acted(stage, id, effect);
        }
        _ => return acted(stage, id, Effect::Nothing),
    };
    let control = match target {
        Instance::Worker(worker) => stage.worker_control(worker),
        Instance::Producer(producer) => stage.producer_control(producer),
    };
    let (done, acted) = oneshot::channel();
    let at = stage.clock.now();
    let effect = match control {
        Some(control) if control.send(Command::Kill { how, done }).await.is_ok() => {
            // Without an answer the instance ended by itself in that moment.
            acted.await.unwrap_or_default()
        }
        _ => Effect::Nothing,
    };
    *lock(&stage.faults[id.index()].fact) = FaultFact { at: Some(at), effect, restarted: None };
    stage.notice(format!("{} at {} ms", fault.label, at / 1000));
    match restart_after {
        Some(after) if effect != Effect::Nothing => {
            let stage = Arc::clone(stage);
            let hold = stage.hold();
            let errands = Arc::clone(&stage);
            let errand = tokio::spawn(async move {
                if stage.until(Instant::now() + after).await
                    && let Some(entry) = stage.enter()
                {
                    restart(&stage, id, target).await;
                    drop(entry);
                }
                drop(hold);
            });
            lock(&errands.errands).push(errand);
        }
        _ => over(stage, id),
    }
}

async fn restart(stage: &Arc<Stage>, id: FaultId, target: Instance) {
    let works = match target {
        Instance::Worker(worker) => {
            await_departure(stage, stage.plan.workers[worker.index()].queue, worker).await;
            staff::start(stage, worker).await
        }
        Instance::Producer(producer) => {
            producer::start(stage, producer).await;
            true
        }
    };
    if works {
        lock(&stage.faults[id.index()].fact).restarted = Some(stage.clock.now());
    }
    over(stage, id);
}

/// A fault that is over as soon as it has acted.
fn acted(stage: &Arc<Stage>, id: FaultId, effect: Effect) {
    let at = stage.clock.now();
    *lock(&stage.faults[id.index()].fact) = FaultFact { at: Some(at), effect, restarted: None };
    stage.notice(format!("{} at {} ms", stage.plan.faults[id.index()].label, at / 1000));
    over(stage, id);
}

/// A worker's own queue must be gone before it can be declared again.
async fn await_departure(stage: &Arc<Stage>, queue: QueueId, worker: WorkerId) {
    if stage.plan.topology.queues[queue.index()].owner == Some(worker) {
        if let Some(control) = stage.worker_control(worker) {
            let (done, vacated) = oneshot::channel();
            // A life that has ended needs no telling, and drops the sender.
            if control.send(Command::Vacate { done }).await.is_ok() {
                let _ = vacated.await;
            }
        }
        let tasks: Vec<_> = lock(&stage.workers[worker.index()].task).drain(..).collect();
        for task in tasks {
            // A task that panicked is over, too.
            let _ = task.await;
        }
    }
}

fn over(stage: &Arc<Stage>, id: FaultId) {
    stage.faults[id.index()].over.send_replace(true);
}

/// The worker finishes what it has in hand by itself; the run waits for that, nobody else does.
/// One that does not run yet, or not now, stops when it begins.
pub async fn stop(stage: &Arc<Stage>, id: WorkerId) {
    let slot = &stage.workers[id.index()];
    let control = {
        let control = lock(&slot.control);
        slot.stop_due.store(control.is_none(), Ordering::SeqCst);
        control.clone()
    };
    let Some(control) = control else { return };
    let (done, stopped) = oneshot::channel();
    if control.send(Command::Stop { done }).await.is_ok() {
        let hold = stage.hold();
        tokio::spawn(async move {
            let _ = stopped.await;
            drop(hold);
        });
    }
}

/// What a queue says of itself; `None` when it does not exist.
pub async fn numbers(stage: &Arc<Stage>, queue: QueueId) -> Option<Numbers> {
    let real = stage.real_name(queue)?;
    let owner = stage.plan.topology.queues[queue.index()].owner;
    if let Some(owner) = owner {
        let (reply, answer) = oneshot::channel();
        let control = stage.worker_control(owner)?;
        control.send(Command::Ask { reply }).await.ok()?;
        return answer.await.ok().flatten();
    }
    match stage.asker.ask(&real).await {
        Ok(Answer::There(numbers)) => Some(numbers),
        Ok(_) => None,
        Err(error) => {
            stage.fail(error);
            None
        }
    }
}

/// The numbers of a worker's own queue, asked on its own connection.
pub async fn own_numbers(stage: &Arc<Stage>, link: &Link, worker: WorkerId) -> Option<Numbers> {
    let real = stage.real_name(stage.plan.workers[worker.index()].queue)?;
    match staff::numbers_on(link, &real).await? {
        Answer::There(numbers) => Some(numbers),
        _ => None,
    }
}
