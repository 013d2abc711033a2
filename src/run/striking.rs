//! Faults that a program lives through: it is frozen, its network is cut or slow, its connection
//! is closed by the broker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::ledger::event::{Event, LifeId};
use crate::ledger::facts::{Effect, FaultFact};
use crate::plan::model::{FaultAction, FaultId, Instance, WorkerId};
use crate::run::acting;
use crate::run::asking::Answer;
use crate::run::network::{Network, Silence};
use crate::run::stage::{Blow, Command, Stage, lock};
use crate::run::worker::PATIENCE;

/// How often the broker is asked whether it has given up who is cut off.
const STEP: Duration = Duration::from_millis(20);

/// Strikes one instance, and sees to its recovery. Without `lasts` that never comes.
pub async fn strike(
    stage: &Arc<Stage>,
    id: FaultId,
    target: Instance,
    blow: Blow,
    lasts: Option<Duration>,
) {
    let network = network(stage, target);
    if blow != Blow::Slow {
        network.strike();
    }
    let at = stage.clock.now();
    let effect =
        acting::tell(stage, target, |done| Command::Strike { fault: id, blow, done }).await;
    if blow == Blow::Cut {
        network.set_silence(lasts.map_or(Silence::ToTheEnd, |_| Silence::ForNow));
    }
    match (&network.wire, stage.plan.faults[id.index()].action) {
        (Some(wire), FaultAction::Cut { .. }) => wire.cut(),
        (Some(wire), FaultAction::Slow { latency, .. }) => wire.slow(latency),
        _ => {}
    }
    if let (Blow::Cut, Effect::Struck(life), Instance::Worker(worker)) = (blow, &effect, target) {
        let watch = watch_noticing(Arc::clone(stage), worker, *life);
        lock(&stage.errands).push(tokio::spawn(watch));
    }
    if let (Instance::Producer(producer), None, Blow::Freeze | Blow::Cut) = (target, lasts, blow) {
        // Nothing more will come of it as things stand.
        stage.producers[producer.index()].done.store(true, Ordering::SeqCst);
    }
    acting::acted(stage, id, at, effect).await;
    match lasts {
        Some(Duration::ZERO) => acting::over(stage, id),
        Some(lasts) => recover_after(stage, id, target, blow, lasts),
        // To the end: others wait for no more than that it has acted.
        None => acting::over(stage, id),
    }
}

fn network(stage: &Stage, target: Instance) -> &Network {
    match target {
        Instance::Worker(worker) => &stage.workers[worker.index()].network,
        Instance::Producer(producer) => &stage.producers[producer.index()].network,
    }
}

/// Undoes it when its time has passed.
fn recover_after(stage: &Arc<Stage>, id: FaultId, target: Instance, blow: Blow, lasts: Duration) {
    let hold = stage.hold();
    let due = Instant::now() + lasts;
    let errand = {
        let stage = Arc::clone(stage);
        async move {
            // A run that is cut before ends whoever is still frozen or cut off.
            if stage.until(due).await {
                recover(&stage, target, blow).await;
                lock(&stage.faults[id.index()].fact).restarted = Some(stage.clock.now());
                acting::over(&stage, id);
            }
            drop(hold);
        }
    };
    lock(&stage.errands).push(tokio::spawn(errand));
}

async fn recover(stage: &Stage, target: Instance, blow: Blow) {
    let network = network(stage, target);
    match (blow, &network.wire) {
        (Blow::Cut, Some(wire)) => {
            wire.mend();
            network.set_silence(Silence::None);
        }
        (Blow::Slow, Some(wire)) => wire.slow(Duration::ZERO),
        _ => {}
    }
    if matches!(blow, Blow::Slow | Blow::Disconnect) {
        return;
    }
    let control = match target {
        Instance::Worker(worker) => stage.worker_control(worker),
        Instance::Producer(producer) => stage.producer_control(producer),
    };
    if let Some(control) = control {
        let (done, recovered) = oneshot::channel();
        // One that ended meanwhile has nothing to recover.
        if control.send(Command::Recover { blow, done }).await.is_ok() {
            let _ = timeout(PATIENCE, recovered).await;
        }
    }
}

/// Notes when the broker gives up who is cut off: it counts one consumer less, or the queue that
/// went with it is gone.
async fn watch_noticing(stage: Arc<Stage>, worker: WorkerId, life: LifeId) {
    let queue = stage.plan.workers[worker.index()].queue;
    let network = &stage.workers[worker.index()].network;
    if !stage.shows_waiting(queue) {
        return;
    }
    while network.is_silent() && !stage.is_closing() && !stage.nodes.all_gone() {
        let Some(real) = stage.real_name(queue) else { return };
        let shown = stage.consumers_shown(queue);
        let given_up = match stage.asker.ask(&real).await {
            _ if stage.is_away(queue) => true,
            Ok(Answer::There(numbers)) => numbers.consumers <= shown,
            Ok(Answer::Missing | Answer::Away) => true,
            Ok(Answer::Locked) | Err(_) => false,
        };
        // It may carry again since, and then nobody was given up.
        if given_up && network.is_silent() {
            let at = stage.clock.now();
            stage.scribe.record(Event::LifeNoticed { life, at }).await;
            return;
        }
        sleep(STEP).await;
    }
}

/// What each fault did, with when those that lost their connection by it learned of that.
pub fn facts(stage: &Stage) -> Vec<FaultFact> {
    let each = stage.plan.faults.iter().zip(&stage.faults);
    each.map(|(fault, slot)| {
        let fact = lock(&slot.fact).clone();
        let learned = fault.action.target().and_then(|target| network(stage, target).learned());
        FaultFact {
            learned: learned.filter(|learned| fact.at.is_some_and(|at| *learned >= at)),
            ..fact
        }
    })
    .collect()
}
