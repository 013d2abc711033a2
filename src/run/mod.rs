//! Doing it: the plan against a real broker, every fact to the ledger.
//!
//! [`run`] is the whole story of one variant. Producers and workers are tasks of their own
//! with connections of their own; whatever they see goes to the one owner of the ledger
//! through [`scribe`]. Nothing here decides what anything means.

mod acting;
mod asking;
mod broker_faults;
mod clock;
mod declared;
mod departure;
mod drain;
mod expiry;
mod identity;
mod network;
mod nodes;
mod observing;
mod parting;
mod probing;
mod producer;
mod queue_faults;
mod rejoining;
mod roster;
mod scribe;
mod settle;
mod staff;
mod stage;
mod stranded;
mod striking;
mod tally;
mod trouble;
mod watches;
mod worker;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};

use crate::broker::{BrokerError, Space};
use crate::ledger::Ledger;
use crate::ledger::books::Books;
use crate::ledger::event::Event;
use crate::ledger::facts::{Cut, Facts};
use crate::ledger::history::Listener;
use crate::ledger::paths::Paths;
use crate::ledger::progress::Progress;
use crate::plan::model::{Instance, ProducerId, Queue, QueueId, Trigger, Variant, WorkerId};
use crate::run::asking::Asker;
use crate::run::drain::{Drain, drain_all};
use crate::run::nodes::Nodes;
use crate::run::scribe::{Scribe, Written};
use crate::run::settle::{Over, settle};
use crate::run::stage::{Command, Planned, Stage, lock, surface};
use crate::run::tally::{Action, actions};

/// How many connections are opened at the same time.
const CONNECTING: usize = 32;
/// How long an instance may take to end when it is told to.
const PATIENCE: Duration = Duration::from_secs(30);
/// And a node to come back.
const BOOT: Duration = Duration::from_secs(120);

/// Who watches a run, and who may end it.
pub struct Audience<'a> {
    /// Turns true when the run shall end.
    pub interrupted: watch::Receiver<bool>,
    pub progress: &'a mut (dyn FnMut(Progress) + Send),
    /// Sentences about faults as they act.
    pub notices: mpsc::UnboundedSender<String>,
    /// Whether what stands at the beginning shall be told.
    pub inspects: bool,
    /// Hears of all that happens.
    pub listener: Option<Box<dyn Listener>>,
}

/// What a run came to.
pub struct Played {
    pub books: Books,
    pub facts: Facts,
    /// The world failed on the way: the books say what was known until then.
    pub failure: Option<BrokerError>,
}

/// Runs one variant in an empty space of a broker. `id` tells this run's messages from all
/// others; letters and digits. `None` when it was interrupted before it began.
///
/// # Errors
/// When the world fails before the run begins: the broker refuses the topology or a
/// connection. What was declared stays in the space, which is the caller's to close.
///
/// # Panics
/// When a task of ours did.
pub async fn run(
    plan: Arc<Variant>,
    id: String,
    space: Space,
    audience: Audience<'_>,
) -> Result<Option<Played>, BrokerError> {
    let paths = Arc::new(Paths::default());
    let ledger = Ledger::new(Arc::clone(&plan), Arc::clone(&paths), space.version());
    let (scribe, ledger) = Scribe::start(ledger.with_listener(audience.listener));
    let nodes = Arc::new(Nodes::new(space.nodes()));
    let asker = Asker::connect(space.clone(), Arc::clone(&nodes)).await?;
    let (notices, interrupts) = (audience.notices, audience.interrupted.clone());
    let stage = Stage::new(plan, id, space, scribe, (asker, nodes), paths, notices, interrupts);
    let stage = Arc::new(stage);
    let mut interrupted = audience.interrupted.clone();
    let opened = tokio::select! {
        biased;
        Ok(_) = interrupted.wait_for(|stop| *stop) => None,
        opened = open(&stage, audience.inspects) => Some(opened),
    };
    let over = match &opened {
        Some(Ok(_)) => settle(&stage, audience.interrupted, audience.progress).await,
        Some(Err(_)) => Over::Failed,
        None => Over::Cut(Cut::Interrupted),
    };
    close(&stage, over).await;
    stage.asker.close().await;
    match opened {
        None => Ok(None),
        Some(Err(error)) => Err(error),
        Some(Ok(mut timers)) => {
            timers.abort_all();
            while let Some(ended) = timers.join_next().await {
                surface(ended);
            }
            Ok(Some(conclude(stage, over, ledger).await))
        }
    }
}

/// Exchanges, queues that nobody owns, bindings.
async fn declare(stage: &Arc<Stage>) -> Result<(), BrokerError> {
    let channel = stage.asker.open().await?;
    let declared = stage.space.declare(&channel, &stage.plan.topology);
    let silent = |_| BrokerError::silent("declaring the topology");
    let declared = timeout(PATIENCE, declared).await.map_err(silent)?;
    // Measured from when the last of them was there, at the latest.
    stage.nodes.declared.get_or_init(std::time::Instant::now);
    declared.map_err(|error| BrokerError {
        message: stage.space.as_the_file_says(&error.message),
        help: error.help.or(Some("the broker refuses what the file's `topology` says".to_owned())),
        ..error
    })?;
    for (index, queue) in stage.plan.topology.queues.iter().enumerate() {
        if queue.owner.is_none() {
            stage.name_queue(QueueId::from_index(index), stage.space.queue_name(queue));
        }
    }
    Ok(())
}

/// Workers subscribe one after another, the run begins, and producers are let go together.
async fn open(stage: &Arc<Stage>, inspects: bool) -> Result<JoinSet<()>, BrokerError> {
    declare(stage).await?;
    expiry::watch_all(stage);
    let workers = stage.plan.workers.iter().enumerate();
    let at_once = workers.filter(|(_, worker)| worker.start.is_none());
    let connections = at_once.map(|(index, _)| async move {
        let worker = WorkerId::from_index(index);
        (worker, staff::connect(stage, worker).await)
    });
    let mut connections = stream::iter(connections).buffered(CONNECTING);
    while let Some((worker, ready)) = connections.next().await {
        staff::enter(stage, worker, ready).await?;
    }
    drop(connections);
    let producers = stage.plan.producers.iter().enumerate();
    let at_once = producers.filter(|(_, producer)| producer.start.is_none());
    let connections =
        at_once.map(|(index, _)| producer::connect(stage, ProducerId::from_index(index)));
    let connections: Vec<_> = stream::iter(connections).buffered(CONNECTING).collect().await;
    let ready: Vec<producer::Ready> = connections.into_iter().collect::<Result<_, _>>()?;
    if inspects {
        declared::inspect(stage).await;
    }
    let began = stage.clock.begin();
    let timers = timers(stage, began.into());
    ready.into_iter().for_each(|ready| producer::release(stage, ready));
    Ok(timers)
}

/// A task for each moment of the clock and for each fault that something waits for. Actions
/// of one moment happen in the order of the file; probes, which wait for answers, hold up
/// nothing but each other.
fn timers(stage: &Arc<Stage>, began: Instant) -> JoinSet<()> {
    let mut timers = JoinSet::new();
    let mut moments: Vec<((Duration, bool), Vec<Action>)> = Vec::new();
    for (action, trigger) in actions(&stage.plan) {
        match trigger {
            Trigger::At(moment) => {
                let key = (*moment, matches!(action, Action::Probe(_)));
                match moments.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, due)) => due.push(action),
                    None => moments.push((key, vec![action])),
                }
            }
            Trigger::AfterFaults(ids) => {
                let (stage, ids) = (Arc::clone(stage), ids.clone());
                timers.spawn(async move {
                    for id in ids {
                        let mut over = stage.faults[id.index()].over.subscribe();
                        // The sender lives as long as the stage.
                        let _ = over.wait_for(|over| *over).await;
                    }
                    acting::act_all(&stage, vec![action]).await;
                });
            }
            _ => {}
        }
    }
    for ((moment, _), due) in moments {
        let stage = Arc::clone(stage);
        timers.spawn(async move {
            if stage.until(began + moment).await {
                acting::act_all(&stage, due).await;
            }
        });
    }
    timers
}

/// Everybody goes home, and what is left in the queues is taken out.
async fn close(stage: &Arc<Stage>, over: Over) {
    let cut = over != Over::Settled;
    // A start or a restart half-way would leave somebody behind whom nobody tells to go.
    if !stage.shut(PATIENCE).await {
        stage.fail(BrokerError::silent("ending what was under way"));
    }
    // Whoever brings back a broker that was stopped takes as long as a boot does.
    let errands = std::mem::take(&mut *lock(&stage.errands));
    wait_for(stage, errands, "a restart", BOOT).await;
    stage.nodes.give_up();
    for index in 0..stage.producers.len() {
        if let Some(control) = stage.producer_control(ProducerId::from_index(index)) {
            // One that ended meanwhile needs no telling.
            let _ = control.send(Command::Finish { cut, left: oneshot::channel().0 }).await;
        }
    }
    for slot in &stage.producers {
        let tasks = std::mem::take(&mut *lock(&slot.task));
        wait_for(stage, tasks, "a producer", PATIENCE).await;
    }
    // What a drain takes out of a queue lets others behind it come to the head, expire and go to
    // other queues: there nobody may be at work any more.
    let workers = (0..stage.workers.len()).map(WorkerId::from_index);
    let (shared, keepers): (Vec<_>, Vec<_>) = workers.partition(|id| !keeps_queue(stage, *id));
    send_home(stage, shared, cut).await;
    let mut kept = keep(stage, cut, |queue| queue.auto_delete).await;
    send_home(stage, keepers, cut).await;
    // What those said who are dead, behind a network that is silent, must reach the broker now.
    stage.workers.iter().for_each(|slot| slot.network.mend());
    // What is unused goes: until everybody's connection is closed may be too long.
    kept.extend(keep(stage, cut, |queue| queue.expires.is_some() && !queue.auto_delete).await);
    stage.retired.send_replace(true);
    for slot in &stage.workers {
        let tasks = std::mem::take(&mut *lock(&slot.task));
        wait_for(stage, tasks, "a worker", PATIENCE).await;
    }
    stage.curtain.send_replace(true);
    let lingering = std::mem::take(&mut *lock(&stage.lingering));
    wait_for(stage, lingering, "a worker", PATIENCE).await;
    let errands = std::mem::take(&mut *lock(&stage.errands));
    wait_for(stage, errands, "what was under way", PATIENCE).await;
    broker_faults::forgo(stage).await;
    drain_rest(stage, kept).await;
}

/// Whether the queue of a worker may go with its subscription.
fn keeps_queue(stage: &Stage, worker: WorkerId) -> bool {
    let queue = &stage.plan.topology.queues[stage.plan.workers[worker.index()].queue.index()];
    queue.auto_delete
}

/// Whether it is the one of several consumers that its queue sends to.
fn is_active(stage: &Stage, worker: WorkerId) -> bool {
    let queue = stage.plan.workers[worker.index()].queue;
    let reader = stage.queues[queue.index()].reader.load(Ordering::SeqCst);
    reader == worker.index() + 1
}

/// Tells workers to leave, and waits until they have. Behind a single active consumer another
/// one becomes active: those that wait leave first, or they would be sent something now.
async fn send_home(stage: &Arc<Stage>, workers: Vec<WorkerId>, cut: bool) {
    let (active, others) = workers.into_iter().partition(|id| is_active(stage, *id));
    for wave in [others, active] as [Vec<WorkerId>; 2] {
        let mut leaving = Vec::new();
        for worker in wave {
            if let Some(control) = stage.worker_control(worker) {
                let (left, told) = oneshot::channel();
                let _ = control.send(Command::Finish { cut, left }).await;
                leaving.push(told);
            }
        }
        // One that cannot leave is dealt with later.
        let _ = timeout(PATIENCE, join_all(leaving)).await;
    }
}

/// Subscribes the drain to queues that would go for want of a consumer: to an auto-delete queue
/// before its last one leaves.
async fn keep(stage: &Arc<Stage>, cut: bool, goes: fn(&Queue) -> bool) -> Vec<Drain> {
    let mut kept = Vec::new();
    for (index, queue) in stage.plan.topology.queues.iter().enumerate() {
        if goes(queue) && queue.owner.is_none() {
            let Some(mut drain) = start_drain(stage, QueueId::from_index(index)).await else {
                continue;
            };
            // In a run that is cut, what that consumer has in hand goes with the queue unseen.
            if drain.is_refused()
                && !cut
                && let Ok(channel) = stage.asker.open().await
            {
                drain.take_now(stage, &channel).await;
            }
            kept.push(drain);
        }
    }
    kept
}

async fn start_drain(stage: &Arc<Stage>, queue: QueueId) -> Option<Drain> {
    let real = stage.real_name(queue)?;
    let channel = stage.asker.open().await.ok()?;
    Some(Drain::start(stage, queue, real, channel).await)
}

/// What is not drained by now: queues that nobody owns, and those that are gone.
async fn drain_rest(stage: &Arc<Stage>, kept: Vec<Drain>) {
    let mut drains = kept;
    for index in 0..stage.queues.len() {
        let queue = QueueId::from_index(index);
        let begun = drains.iter().any(|drain| drain.queue() == queue);
        if begun || stage.queues[index].drained.load(Ordering::SeqCst) {
            continue;
        }
        let unowned = stage.plan.topology.queues[index].owner.is_none();
        match start_drain(stage, queue).await {
            Some(drain) if unowned => drains.push(drain),
            _ => {
                // Gone or never there is as good as empty; there and out of reach is not.
                let complete = stage.real_name(queue).is_none();
                let at = stage.clock.now();
                let ended = Event::DrainEnded { queue, complete, total: 0, at };
                stage.scribe.record(ended).await;
            }
        }
    }
    drain_all(stage, drains).await;
}

async fn wait_for(stage: &Arc<Stage>, tasks: Vec<JoinHandle<()>>, who: &str, bound: Duration) {
    for task in tasks {
        let abort = task.abort_handle();
        match timeout(bound, task).await {
            Ok(ended) => surface(ended),
            Err(_) => {
                abort.abort();
                stage.fail(BrokerError::silent(&format!("ending {who}")));
            }
        }
    }
}

/// Starts and stops that waited for something that never came.
fn unfired(stage: &Stage) -> Vec<String> {
    let open = stage.actions.iter().filter(|planned| !planned.fired.load(Ordering::SeqCst));
    let plan = &stage.plan;
    let worker = |id: WorkerId| &plan.workers[id.index()].name;
    let tell = |planned: &Planned| match planned.action {
        Action::Start(Instance::Worker(id)) => Some(format!("worker {} never started", worker(id))),
        Action::Start(Instance::Producer(id)) => {
            Some(format!("producer {} never started", plan.producers[id.index()].name))
        }
        Action::Stop(id) => Some(format!("the stop of worker {} never came", worker(id))),
        _ => None,
    };
    open.filter_map(tell).collect()
}

/// Closes the ledger and gathers what else was observed.
async fn conclude(stage: Arc<Stage>, over: Over, ledger: JoinHandle<Written>) -> Played {
    let failure = lock(&stage.failure).take();
    let cut = match over {
        _ if failure.is_some() => Some(Cut::Failed),
        Over::Cut(cut) => Some(cut),
        Over::Failed => Some(Cut::Failed),
        Over::Settled => None,
    };
    let mut facts = Facts {
        faults: striking::facts(&stage),
        errors: std::mem::take(&mut *lock(&stage.errors)),
        refused: std::mem::take(&mut *lock(&stage.refused)),
        observations: std::mem::take(&mut *lock(&stage.observations)),
        probes: std::mem::take(&mut *lock(&stage.probes)),
        declared: lock(&stage.declared).take(),
        unfired: unfired(&stage),
        duration: 0,
        cut,
    };
    facts.observations.sort_by_key(|fact| fact.observation);
    facts.probes.sort_by_key(|fact| fact.probe);
    let deliveries = stage.excused.load(Ordering::SeqCst);
    stage.scribe.record(Event::Excused { deliveries }).await;
    // A publish to an exchange that went with a queue can be refused before the queue is seen
    // gone; only now is it known what a fault took along.
    let taken = stage.queues.iter().any(|slot| slot.taken.load(Ordering::SeqCst));
    let missing = (taken || stage.nodes.is_disturbed()) && lock(&stage.standing).lost_exchange();
    for error in facts.errors.iter_mut().filter(|error| error.code == 404) {
        error.explained |= missing;
    }
    // The owner of the ledger ends when the last way to it is gone.
    drop(stage);
    let written = match ledger.await {
        Ok(written) => written,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    let last_fault = facts.faults.iter().filter_map(|fact| fact.at.max(fact.restarted)).max();
    facts.duration = written.last_event.max(last_fault.unwrap_or(0));
    Played { books: written.ledger.close(), facts, failure }
}
