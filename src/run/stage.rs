//! What all parts of a run share: the plan, the broker's space, the clock, the ledger, and a
//! place for each instance and queue.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lapin::Channel;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::broker::{BrokerError, Link, Space};
use crate::ledger::event::{ChangeId, LifeId};
use crate::ledger::facts::{Declared, Effect, ErrorFact, FaultFact, ObservationFact, ProbeFact};
use crate::ledger::paths::Paths;
use crate::plan::model::{
    FaultId, Instance, KillHow, NodeId, ProducerId, QueueId, Trigger, Variant, WorkerId,
};
use crate::plan::routing::Standing;
use crate::run::asking::Asker;
use crate::run::clock::Clock;
use crate::run::network::Network;
use crate::run::nodes::Nodes;
use crate::run::scribe::Scribe;
use crate::run::tally::{Action, Tallies, actions};
use crate::run::trouble::Listener;
use crate::run::worker::refusing::Refusals;

/// CONNECTION_FORCED: the broker's goodbye to everybody, or to one whom an administrator sends
/// away.
pub const FORCED: u16 = 320;
/// INTERNAL_ERROR: the broker could not do what it should.
pub const INTERNAL: u16 = 541;

/// What an instance is told while it runs.
pub enum Command {
    /// A fault acts upon it.
    Kill { how: KillHow, done: oneshot::Sender<Effect> },
    /// A fault acts upon it that it lives through.
    Strike { fault: FaultId, blow: Blow, done: oneshot::Sender<Effect> },
    /// What that did is over: a frozen one goes on, a cut network carries again. `done` is told
    /// when the ledger knows.
    Recover { blow: Blow, done: oneshot::Sender<()> },
    /// Its `stop`.
    Stop { done: oneshot::Sender<()> },
    /// To one that only holds its connection: it gives up the queue that it owns.
    Vacate { done: oneshot::Sender<()> },
    /// Everything that the broker has sent so far shall be read.
    Catch { up: oneshot::Sender<()> },
    /// The numbers of the queue that it owns.
    Ask { reply: oneshot::Sender<Option<Numbers>> },
    /// A further channel on its connection, which alone may touch the queue that it owns.
    Lend { reply: oneshot::Sender<Channel> },
    /// The run is over, or is cut: then what is in hand is not finished. `left` is told when
    /// nothing more can come to it.
    Finish { cut: bool, left: oneshot::Sender<()> },
}

/// What a fault does to a program that lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    Freeze,
    /// Its network falls silent when it has answered.
    Cut,
    /// Its network becomes slow when it has answered.
    Slow,
    /// The broker closes its connection.
    Disconnect,
}

/// What a passive declare says of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    pub ready: u64,
    pub consumers: u64,
}

/// Everything that the tasks of one run share.
pub struct Stage {
    pub plan: Arc<Variant>,
    /// Which run this is: the first part of every message id.
    pub run: String,
    pub space: Space,
    pub clock: Clock,
    pub scribe: Scribe,
    pub tallies: Tallies,
    pub asker: Asker,
    /// Which of the broker's nodes can be reached.
    pub nodes: Arc<Nodes>,
    pub workers: Vec<WorkerSlot>,
    pub producers: Vec<ProducerSlot>,
    pub queues: Vec<QueueSlot>,
    /// Every name that a queue has, or had, on the broker.
    names: Mutex<HashMap<String, QueueId>>,
    /// The ways of dead letters, as messages tell them.
    pub paths: Arc<Paths>,
    /// What stands, for triggers on the publishes of one queue.
    pub standing: Mutex<Standing>,
    pub faults: Vec<FaultSlot>,
    pub errors: Mutex<Vec<ErrorFact>>,
    pub refused: Mutex<Vec<WorkerId>>,
    pub refusals: Refusals,
    pub observations: Mutex<Vec<ObservationFact>>,
    pub probes: Mutex<Vec<ProbeFact>>,
    /// Who was told that the broker takes nothing more from them.
    pub blocked: Mutex<Vec<String>>,
    /// Somebody wants the program to end.
    interrupted: watch::Receiver<bool>,
    pub declared: Mutex<Option<Declared>>,
    /// Deliveries to workers of what probes published.
    pub excused: AtomicU64,
    /// Actions that will happen by themselves: timers not yet due, acts under way, restarts.
    pub coming: AtomicUsize,
    /// Everything that triggers set off, in the order of the file.
    pub actions: Vec<Planned>,
    /// Restarts under way.
    pub errands: Mutex<Vec<JoinHandle<()>>>,
    /// Sentences for whoever watches: faults as they act.
    pub notices: mpsc::UnboundedSender<String>,
    /// The world failed: the first error, and a bell.
    pub failure: Mutex<Option<BrokerError>>,
    pub alarm: Notify,
    /// The run is over: nothing new begins.
    closing: watch::Sender<bool>,
    /// Acts under way; the end waits for them.
    entries: AtomicUsize,
    /// Nobody is subscribed any more: channels may close, and what they held comes to nobody.
    pub retired: watch::Sender<bool>,
    /// All workers have left: those that only held their connections leave, too.
    pub curtain: watch::Sender<bool>,
    pub lingering: Mutex<Vec<JoinHandle<()>>>,
    lives: AtomicU32,
    changes: AtomicU32,
}

/// An action, what sets it off, and whether it has begun.
pub struct Planned {
    pub action: Action,
    pub trigger: Trigger,
    pub fired: AtomicBool,
}

fn planned(plan: &Variant) -> Vec<Planned> {
    let each = actions(plan).into_iter().map(|(action, trigger)| Planned {
        action,
        trigger: trigger.clone(),
        fired: AtomicBool::new(false),
    });
    each.collect()
}

/// One worker instance.
#[derive(Default)]
pub struct WorkerSlot {
    /// To the subscription that runs now.
    pub control: Mutex<Option<mpsc::Sender<Command>>>,
    /// Its `stop` came while nothing of it ran: should it begin, it stops at once. Looked at
    /// and changed under the lock of `control`.
    pub stop_due: AtomicBool,
    pub task: Mutex<Vec<JoinHandle<()>>>,
    pub network: Network,
    /// The node that its connection leads to, counted from 1; 0 is none.
    pub node: AtomicUsize,
    /// It stands still.
    pub frozen: AtomicBool,
    /// Its subscription counts among those of its queue.
    pub counted: AtomicBool,
    /// Works begun and finished over all lives.
    pub begun: AtomicU64,
    pub finished: AtomicU64,
}

impl WorkerSlot {
    /// Whether its connection leads to this node.
    pub fn is_at(&self, node: NodeId) -> bool {
        self.node.load(Ordering::SeqCst) == node.index() + 1
    }
}

/// One producer instance.
#[derive(Default)]
pub struct ProducerSlot {
    pub control: Mutex<Option<mpsc::Sender<Command>>>,
    pub task: Mutex<Vec<JoinHandle<()>>>,
    pub network: Network,
    /// How many of its publishes have no answer.
    pub unanswered: AtomicU32,
    /// How many it has published over all lives.
    pub published: AtomicU32,
    /// Nothing more will come from it as things stand.
    pub done: AtomicBool,
    /// It has asked for something and may still be answered.
    pub asks: AtomicBool,
}

/// One queue.
#[derive(Default)]
pub struct QueueSlot {
    /// Its name on the broker while it exists.
    pub real: Mutex<Option<String>>,
    /// Subscriptions that live.
    pub consumers: AtomicU64,
    /// Subscriptions that were cancelled and hold deliveries on a channel that stays open.
    pub holding: AtomicU64,
    /// The nodes of subscriptions that were lost, perhaps with their node.
    pub stranded: Mutex<Vec<NodeId>>,
    /// Who read from it last, by position and counted from 1. Kept where one consumer at a time
    /// is sent anything.
    pub reader: AtomicUsize,
    /// It went during the run because its connection or its last consumer did.
    pub gone: AtomicBool,
    /// And a fault was behind that.
    pub taken: AtomicBool,
    /// Changes that began with an end of the broker, and whose outcome shows when it is back.
    pub uncertain: Mutex<Vec<ChangeId>>,
    /// Its drain has told the ledger how it ended.
    pub drained: AtomicBool,
}

/// One fault.
pub struct FaultSlot {
    pub fact: Mutex<FaultFact>,
    /// It has acted and what it stopped works again.
    pub over: watch::Sender<bool>,
}

impl Stage {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        plan: Arc<Variant>,
        run: String,
        space: Space,
        scribe: Scribe,
        (asker, nodes): (Asker, Arc<Nodes>),
        paths: Arc<Paths>,
        notices: mpsc::UnboundedSender<String>,
        interrupted: watch::Receiver<bool>,
    ) -> Self {
        let standing = Standing::declared(&plan.topology).on(space.version());
        let fault = || FaultSlot { fact: Mutex::default(), over: watch::Sender::new(false) };
        Self {
            run,
            space,
            clock: Clock::default(),
            scribe,
            tallies: Tallies::new(&plan),
            asker,
            nodes,
            workers: (0..plan.workers.len()).map(|index| worker_slot(&plan, index)).collect(),
            producers: (0..plan.producers.len()).map(|index| producer_slot(&plan, index)).collect(),
            queues: plan.topology.queues.iter().map(|_| QueueSlot::default()).collect(),
            names: Mutex::default(),
            paths,
            standing: Mutex::new(standing),
            faults: plan.faults.iter().map(|_| fault()).collect(),
            errors: Mutex::default(),
            refused: Mutex::default(),
            refusals: Refusals::new(&plan),
            observations: Mutex::default(),
            probes: Mutex::default(),
            blocked: Mutex::default(),
            interrupted,
            declared: Mutex::default(),
            excused: AtomicU64::new(0),
            coming: AtomicUsize::new(0),
            actions: planned(&plan),
            errands: Mutex::default(),
            notices,
            failure: Mutex::default(),
            alarm: Notify::new(),
            closing: watch::Sender::new(false),
            entries: AtomicUsize::new(0),
            retired: watch::Sender::new(false),
            curtain: watch::Sender::new(false),
            lingering: Mutex::default(),
            lives: AtomicU32::new(0),
            changes: AtomicU32::new(0),
            plan,
        }
    }

    /// The id of the next subscription.
    ///
    /// # Panics
    /// After 65534 subscriptions; the plan allows far fewer.
    pub fn next_life(&self) -> LifeId {
        let id = self.lives.fetch_add(1, Ordering::SeqCst);
        LifeId(u16::try_from(id).expect("a run has fewer than 65535 subscriptions"))
    }

    /// The id of the next change of the topology.
    pub fn next_change(&self) -> ChangeId {
        ChangeId(self.changes.fetch_add(1, Ordering::SeqCst))
    }

    /// The world failed: the run ends. Only the first error counts.
    pub fn fail(&self, error: BrokerError) {
        lock(&self.failure).get_or_insert(error);
        self.alarm.notify_one();
    }

    /// The same, unless a fault of the file explains what was met: then nobody knows more.
    pub fn blame(&self, error: BrokerError) {
        if !self.nodes.is_disturbed() {
            self.fail(error);
        }
    }

    /// Listens to the connection of `name`, and notes if the broker takes nothing more from it.
    pub fn listen(self: &Arc<Self>, name: &str, link: &Link) -> Listener {
        let (stage, name) = (Arc::downgrade(self), name.to_owned());
        Listener::new(&link.connection, move || {
            if let Some(stage) = stage.upgrade() {
                lock(&stage.blocked).push(name.clone());
            }
        })
    }

    /// Somebody met an error.
    pub fn note_error(&self, fact: ErrorFact) {
        let text = self.space.as_the_file_says(&fact.text);
        lock(&self.errors).push(ErrorFact { text, ..fact });
    }

    /// Tells whoever watches.
    pub fn notice(&self, text: String) {
        // Nobody may be watching any more.
        let _ = self.notices.send(text);
    }

    /// The queue's name on the broker, if it exists.
    pub fn real_name(&self, queue: QueueId) -> Option<String> {
        lock(&self.queues[queue.index()].real).clone()
    }

    /// The queue is there, by this name on the broker.
    pub fn name_queue(&self, queue: QueueId, real: String) {
        lock(&self.names).insert(real.clone(), queue);
        *lock(&self.queues[queue.index()].real) = Some(real);
    }

    /// The queue that has, or had, this name on the broker.
    pub fn queue_called(&self, real: &str) -> Option<QueueId> {
        lock(&self.names).get(real).copied()
    }

    /// Holds the run open until it is dropped.
    pub fn hold(self: &Arc<Self>) -> Hold {
        self.coming.fetch_add(1, Ordering::SeqCst);
        Hold(Arc::clone(self))
    }

    /// For whoever is about to start, end or ask something: the run does not close before the
    /// entry is dropped. `None` when it is closing already.
    pub fn enter(self: &Arc<Self>) -> Option<Entry> {
        // Counted before it looks, while the end looks after it has closed: one sees the other.
        self.entries.fetch_add(1, Ordering::SeqCst);
        let entry = Entry(Arc::clone(self));
        (!*self.closing.borrow()).then_some(entry)
    }

    /// Lets nothing new begin and waits for what has. `false` when that does not end.
    pub async fn shut(&self, patience: Duration) -> bool {
        self.closing.send_replace(true);
        let deadline = Instant::now() + patience;
        while self.entries.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(1)).await;
        }
        self.entries.load(Ordering::SeqCst) == 0
    }

    /// Whether somebody wants the program to end.
    pub fn is_interrupted(&self) -> bool {
        *self.interrupted.borrow()
    }

    /// Whether the run is over, for whoever waits for something.
    pub fn is_closing(&self) -> bool {
        *self.closing.borrow()
    }

    /// Returns when the run closes.
    pub async fn closes(&self) {
        // The sender lives as long as the stage.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Waits for a moment. `false` when the run is closing before it comes.
    pub async fn until(&self, moment: Instant) -> bool {
        let mut closing = self.closing.subscribe();
        tokio::select! {
            biased;
            // The sender lives as long as the stage.
            _ = closing.wait_for(|closing| *closing) => false,
            () = sleep_until(moment) => true,
        }
    }

    /// Who is told what about a worker; `None` when nothing of it runs.
    pub fn worker_control(&self, id: WorkerId) -> Option<mpsc::Sender<Command>> {
        lock(&self.workers[id.index()].control).clone()
    }

    /// The same of a producer.
    pub fn producer_control(&self, id: ProducerId) -> Option<mpsc::Sender<Command>> {
        lock(&self.producers[id.index()].control).clone()
    }
}

fn worker_slot(plan: &Variant, index: usize) -> WorkerSlot {
    let who = Instance::Worker(WorkerId::from_index(index));
    WorkerSlot { network: Network::of(plan, who), ..WorkerSlot::default() }
}

fn producer_slot(plan: &Variant, index: usize) -> ProducerSlot {
    let who = Instance::Producer(ProducerId::from_index(index));
    ProducerSlot { network: Network::of(plan, who), ..ProducerSlot::default() }
}

/// As long as it lives, the run is not over.
pub struct Hold(Arc<Stage>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.coming.fetch_sub(1, Ordering::SeqCst);
    }
}

/// As long as it lives, the run does not close.
pub struct Entry(Arc<Stage>);

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.entries.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A panic of a task of ours goes on in whoever waited for it: it is a bug, and must not look
/// like anything else.
pub fn surface(joined: Result<(), tokio::task::JoinError>) {
    if let Err(error) = joined
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// Locks; what a panicking task left behind is still true.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
