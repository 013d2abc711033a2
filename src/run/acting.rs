//! Doing what triggers set off: faults, observations, late starts and stops.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::broker::Link;
use crate::ledger::event::{Event, Micros};
use crate::ledger::facts::{Effect, FaultFact};
use crate::plan::model::{FaultAction, FaultId, Instance, KillHow, QueueId, WorkerId};
use crate::run::asking::Answer;
use crate::run::stage::{Blow, Command, Numbers, Stage, lock};
use crate::run::tally::Action;
use crate::run::{broker_faults, observing, probing, producer, queue_faults, staff, striking};

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
        Action::Fault(id) => befall(stage, id).await,
        Action::Observe(index) => observing::observe(stage, index).await,
        Action::Probe(index) => probing::probe(stage, index).await,
        Action::Start(Instance::Worker(id)) => drop(staff::start(stage, id).await),
        Action::Start(Instance::Producer(id)) => producer::start(stage, id).await,
        Action::Stop(id) => stop(stage, id).await,
    }
    drop((hold, entry));
}

/// Does what the fault does.
async fn befall(stage: &Arc<Stage>, id: FaultId) {
    let fault = &stage.plan.faults[id.index()];
    match fault.action {
        FaultAction::Kill { target, how, restart_after } => {
            kill(stage, id, (target, how), restart_after).await;
        }
        FaultAction::Purge(queue) => {
            let at = stage.clock.now();
            let effect = queue_faults::purge(stage, &fault.label, queue).await;
            acted(stage, id, at, effect).await;
            over(stage, id);
        }
        FaultAction::Delete(queue) => {
            let at = stage.clock.now();
            let effect = queue_faults::delete(stage, &fault.label, queue).await;
            acted(stage, id, at, effect).await;
            over(stage, id);
        }
        FaultAction::Freeze { target, lasts } => {
            striking::strike(stage, id, target, Blow::Freeze, lasts).await;
        }
        FaultAction::Cut { target, lasts } => {
            striking::strike(stage, id, target, Blow::Cut, lasts).await;
        }
        FaultAction::Slow { target, lasts, .. } => {
            striking::strike(stage, id, target, Blow::Slow, lasts).await;
        }
        FaultAction::Disconnect { target } => {
            striking::strike(stage, id, target, Blow::Disconnect, Some(Duration::ZERO)).await;
        }
        FaultAction::Broker { act, node } => broker_faults::befall(stage, id, act, node).await,
    }
}

/// Tells an instance of a fault, and hears what that came to.
pub async fn tell(
    stage: &Stage,
    target: Instance,
    command: impl FnOnce(oneshot::Sender<Effect>) -> Command,
) -> Effect {
    let control = match target {
        Instance::Worker(worker) => stage.worker_control(worker),
        Instance::Producer(producer) => stage.producer_control(producer),
    };
    let (done, told) = oneshot::channel();
    match control {
        Some(control) if control.send(command(done)).await.is_ok() => {
            // Without an answer the instance ended by itself in that moment.
            told.await.unwrap_or_default()
        }
        _ => Effect::Nothing,
    }
}

/// Kills, and sees to the restart.
async fn kill(
    stage: &Arc<Stage>,
    id: FaultId,
    (target, how): (Instance, KillHow),
    restart_after: Option<Duration>,
) {
    let at = stage.clock.now();
    let effect = tell(stage, target, |done| Command::Kill { how, done }).await;
    let found = effect != Effect::Nothing;
    acted(stage, id, at, effect).await;
    match restart_after {
        Some(after) if found => {
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

/// A fault has acted.
pub async fn acted(stage: &Stage, id: FaultId, at: Micros, effect: Effect) {
    let bit = effect != Effect::Nothing;
    *lock(&stage.faults[id.index()].fact) =
        FaultFact { at: Some(at), effect, ..FaultFact::default() };
    if bit {
        let done = stage.clock.now();
        stage.scribe.record(Event::Acted { fault: id, at, done }).await;
    }
    stage.notice(format!("{} at {} ms", stage.plan.faults[id.index()].label, at / 1000));
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

/// What it stopped works again, or its time has passed.
pub fn over(stage: &Stage, id: FaultId) {
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
    let real = stage.real_name(queue).filter(|_| !stage.is_away(queue))?;
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
            stage.blame(error);
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
