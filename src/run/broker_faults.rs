//! Faults that befall the broker, or single nodes of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::broker::{BrokerError, Control, ProcessId};
use crate::ledger::event::{ChangeId, ChangeKind, Event, Micros};
use crate::ledger::facts::{BrokerEffect, Effect};
use crate::plan::model::{
    Alarm, BrokerAct, FaultId, NodeId, QueueId, QueueKind, StopHow, WorkerId,
};
use crate::run::acting;
use crate::run::asking::Answer;
use crate::run::nodes::State;
use crate::run::stage::{Hold, Stage, lock};

/// Queues that are younger than this die more easily. (Measured.)
const YOUNG: Duration = Duration::from_secs(1);

/// Does what the fault does, and sees to it that it ends.
pub async fn befall(stage: &Arc<Stage>, id: FaultId, act: BrokerAct, node: Option<NodeId>) {
    let at = stage.clock.now();
    let Some(control) = stage.space.control() else {
        stage.fail(BrokerError::uncontrolled(&stage.plan.faults[id.index()].label));
        return acting::acted(stage, id, at, Effect::Nothing).await;
    };
    // The only node is the whole broker.
    let node = node.filter(|_| stage.nodes.count() > 1);
    let fault = Fault { stage: Arc::clone(stage), id, control, node, at };
    if !stage.nodes.are_up(&fault.nodes()) {
        return fault.misses().await;
    }
    let done = match act {
        BrokerAct::Restart { how, down_for } => fault.restart(how, down_for).await,
        BrokerAct::Stop { how } => fault.stop(how).await,
        BrokerAct::Pause { lasts } => fault.pause(lasts).await,
        BrokerAct::Block { alarm, lasts } => fault.block(alarm, lasts).await,
        BrokerAct::Partition { lasts } => fault.partition(lasts).await,
    };
    if let Err(error) = done {
        acting::acted(stage, id, at, Effect::Nothing).await;
        stage.nodes.give_up();
        stage.fail(error);
    }
}

/// One fault at work.
#[derive(Clone)]
struct Fault {
    stage: Arc<Stage>,
    id: FaultId,
    control: Control,
    node: Option<NodeId>,
    at: Micros,
}

type Done = Result<(), BrokerError>;

impl Fault {
    fn nodes(&self) -> Vec<NodeId> {
        self.stage.nodes.meant(self.node)
    }

    async fn tell(&self, effect: BrokerEffect) {
        acting::acted(&self.stage, self.id, self.at, Effect::Broker(effect)).await;
    }

    /// What is known of the fault from now on.
    fn learn(&self, change: impl FnOnce(&mut BrokerEffect)) {
        if let Effect::Broker(effect) = &mut lock(&self.stage.faults[self.id.index()].fact).effect {
            change(effect);
        }
    }

    /// Another fault has put out of work what it was to befall.
    async fn misses(&self) {
        acting::acted(&self.stage, self.id, self.at, Effect::Nothing).await;
        acting::over(&self.stage, self.id);
    }

    fn over(&self) {
        lock(&self.stage.faults[self.id.index()].fact).restarted = Some(self.stage.clock.now());
        acting::over(&self.stage, self.id);
    }

    /// Does something later, or at the end of the run. What it does may fail the run.
    fn later<F: Future<Output = Done> + Send + 'static>(
        &self,
        lasts: Option<Duration>,
        then: impl FnOnce(Self) -> F + Send + 'static,
    ) {
        if lasts.is_none() {
            // To the end: others wait for no more than that it has acted.
            acting::over(&self.stage, self.id);
        }
        let hold: Option<Hold> = lasts.map(|_| self.stage.hold());
        let (fault, due) = (self.clone(), lasts.map(|lasts| Instant::now() + lasts));
        let errand = async move {
            match due {
                Some(due) => drop(fault.stage.until(due).await),
                None => fault.stage.closes().await,
            }
            let stage = Arc::clone(&fault.stage);
            if let Err(error) = then(fault).await {
                stage.nodes.give_up();
                stage.fail(error);
            }
            drop(hold);
        };
        lock(&self.stage.errands).push(tokio::spawn(errand));
    }

    async fn restart(self, how: StopHow, down_for: Duration) -> Done {
        if !self.end(how, State::Away).await? {
            return Ok(());
        }
        self.later(Some(down_for), |fault| async move {
            if fault.stage.is_interrupted() {
                fault.stage.nodes.set(&fault.nodes(), State::Gone);
                return Ok(());
            }
            let started = join_all(fault.nodes().into_iter().map(|it| fault.control.start(it)));
            let began: Vec<ProcessId> = started.await.into_iter().collect::<Result<_, _>>()?;
            fault.learn(|effect| effect.began = began.into_iter().map(|id| id.0).collect());
            fault.rose().await;
            fault.over();
            Ok(())
        });
        Ok(())
    }

    async fn stop(self, how: StopHow) -> Done {
        if self.end(how, State::Gone).await? {
            acting::over(&self.stage, self.id);
        }
        Ok(())
    }

    /// Ends the processes, between the two moments that the ledger must know. `false` when
    /// another fault came first.
    async fn end(&self, how: StopHow, after: State) -> Result<bool, BrokerError> {
        let (stage, nodes) = (&self.stage, self.nodes());
        let turn = stage.nodes.ending.lock().await;
        if !stage.nodes.are_up(&nodes) {
            self.misses().await;
            return Ok(false);
        }
        let mut effect = BrokerEffect {
            clients: stage.clients(self.node),
            copies: stage.scribe.pulse().await.map_or(0, |pulse| pulse.progress.expected),
            ..BrokerEffect::default()
        };
        let changes = self.take_along().await;
        let (node, young, at) = (self.node, young(stage), stage.clock.now());
        // Told first: whatever anybody meets from now on comes after it.
        stage.nodes.set(&nodes, after);
        if how == StopHow::Sigkill {
            stage.nodes.kill();
        }
        stage.scribe.record(Event::BrokerFell { how, node, young, at }).await;
        let ended = join_all(nodes.iter().map(|node| self.control.stop(*node, how))).await;
        let at = stage.clock.now();
        stage.scribe.record(Event::BrokerDown { at }).await;
        self.taken(changes).await;
        drop(turn);
        let ended: Vec<ProcessId> = ended.into_iter().collect::<Result<_, _>>()?;
        effect.ended = ended.into_iter().map(|id| id.0).collect();
        effect.ending = at.saturating_sub(self.at);
        self.tell(effect).await;
        Ok(true)
    }

    /// Queues that go with what ends. Of those that perhaps go because nobody uses them any more
    /// nobody can say before it is back.
    async fn take_along(&self) -> Vec<(QueueId, ChangeId)> {
        let mut changes = Vec::new();
        for (index, queue) in self.stage.plan.topology.queues.iter().enumerate() {
            let id = QueueId::from_index(index);
            let here = self.node.is_none_or(|node| queue.node.unwrap_or(NodeId(0)) == node);
            let perishes = !queue.durable && queue.owner.is_none() && here;
            // What a worker owns goes with its connection.
            let owned = queue.owner.is_some_and(|owner| {
                self.node.is_none_or(|node| self.stage.workers[owner.index()].is_at(node))
            });
            let used = self.stage.queues[index].consumers.load(Ordering::SeqCst) > 0;
            let unused = queue.auto_delete && queue.owner.is_none() && used && here;
            if !(perishes || owned || unused) || self.stage.real_name(id).is_none() {
                continue;
            }
            let kind = if perishes { ChangeKind::Perishes } else { ChangeKind::Goes };
            let change = self.stage.next_change();
            let at = self.stage.clock.now();
            let begun = Event::ChangeBegun { change, queue: id, kind, at };
            self.stage.scribe.record(begun).await;
            if perishes || owned {
                changes.push((id, change));
            } else {
                lock(&self.stage.queues[index].uncertain).push(change);
            }
        }
        changes
    }

    /// With their broker gone, queues that do not outlive it are gone.
    async fn taken(&self, changes: Vec<(QueueId, ChangeId)>) {
        let stage = &self.stage;
        if self.node.is_none() {
            for slot in &stage.queues {
                slot.holding.store(0, Ordering::SeqCst);
            }
            lock(&stage.standing).lose_exchanges(&stage.plan.topology);
        }
        for (queue, change) in changes {
            self.gone(queue, change).await;
        }
    }

    async fn gone(&self, queue: QueueId, change: ChangeId) {
        let stage = &self.stage;
        let slot = &stage.queues[queue.index()];
        slot.gone.store(true, Ordering::SeqCst);
        slot.taken.store(true, Ordering::SeqCst);
        lock(&slot.real).take();
        lock(&stage.standing).remove(&stage.plan.topology, queue);
        let at = stage.clock.now();
        stage.scribe.record(Event::ChangeEnded { change, at }).await;
    }

    /// It answers again: what was uncertain is looked at, and everybody may come back.
    async fn rose(&self) {
        let (stage, node, at) = (&self.stage, self.node, self.stage.clock.now());
        stage.scribe.record(Event::BrokerRose { node, at }).await;
        let nodes = self.nodes();
        self.look_for_unused().await;
        stage.nodes.set(&nodes, State::Up);
    }

    /// Queues that perhaps went because nobody used them any more.
    async fn look_for_unused(&self) {
        let stage = &self.stage;
        for index in 0..stage.queues.len() {
            let uncertain = std::mem::take(&mut *lock(&stage.queues[index].uncertain));
            for change in uncertain {
                self.look_for(QueueId::from_index(index), change).await;
            }
        }
    }

    async fn look_for(&self, queue: QueueId, change: ChangeId) {
        let stage = &self.stage;
        let there = match stage.real_name(queue) {
            Some(real) => match crate::run::asking::look(&stage.space, &real).await {
                Ok(Answer::Missing) => false,
                Ok(_) => true,
                Err(error) => {
                    stage.fail(error);
                    true
                }
            },
            None => false,
        };
        if there {
            let at = stage.clock.now();
            stage.scribe.record(Event::ChangeDropped { change, at }).await;
        } else {
            self.gone(queue, change).await;
        }
    }

    async fn pause(self, lasts: Option<Duration>) -> Done {
        let nodes = self.nodes();
        let turn = self.stage.nodes.ending.lock().await;
        if !self.stage.nodes.are_up(&nodes) {
            self.misses().await;
            return Ok(());
        }
        let clients = self.stage.clients(self.node);
        self.stage.nodes.set(&nodes, State::Paused);
        for node in &nodes {
            self.control.pause(*node).await?;
        }
        drop(turn);
        let waited = self.stage.somebody_waits();
        self.tell(BrokerEffect { clients, waited, ..BrokerEffect::default() }).await;
        self.later(lasts, |fault| async move {
            let waited = fault.stage.somebody_waits();
            fault.learn(|effect| effect.waited |= waited);
            for node in fault.nodes() {
                fault.control.resume(node).await?;
            }
            fault.stage.nodes.set(&fault.nodes(), State::Up);
            fault.over();
            Ok(())
        });
        Ok(())
    }

    async fn block(self, alarm: Alarm, lasts: Option<Duration>) -> Done {
        let turn = self.stage.nodes.ending.lock().await;
        if !self.stage.nodes.are_up(&self.nodes()) {
            self.misses().await;
            return Ok(());
        }
        let clients = self.stage.clients(self.node);
        lock(&self.stage.blocked).clear();
        for node in self.nodes() {
            self.control.alarm(node, alarm, true).await?;
        }
        drop(turn);
        self.tell(BrokerEffect { clients, ..BrokerEffect::default() }).await;
        self.later(lasts, move |fault| async move {
            // One that has ended since took its alarm along; one that stands still hears nothing.
            if fault.stage.nodes.come_up(&fault.nodes()).await {
                for node in fault.nodes() {
                    fault.control.alarm(node, alarm, false).await?;
                }
            }
            let mut blocked = std::mem::take(&mut *lock(&fault.stage.blocked));
            blocked.sort_unstable();
            blocked.dedup();
            fault.learn(|effect| effect.blocked = blocked);
            fault.over();
            Ok(())
        });
        Ok(())
    }

    async fn partition(self, lasts: Option<Duration>) -> Done {
        let Some(node) = self.node else {
            return Err(BrokerError::uncontrolled("parting a node from itself"));
        };
        let clients = self.stage.clients(self.node);
        self.stage.nodes.set(&[node], State::Parted);
        // Told first: what consumers hold may come to others as soon as the nodes part.
        let at = self.stage.clock.now();
        self.stage.scribe.record(Event::Parted { node, at }).await;
        let reported = self.control.part(node).await?;
        let ending = self.stage.clock.now().saturating_sub(self.at);
        self.tell(BrokerEffect { clients, reported, ending, ..BrokerEffect::default() }).await;
        self.later(lasts, move |fault| async move {
            let mut others = fault.stage.nodes.meant(None);
            others.retain(|it| *it != node);
            if fault.stage.nodes.come_up(&others).await {
                // Up to 4.0 the node may be restarted for that, and takes along what is not durable.
                let changes = fault.take_along().await;
                fault.control.heal(node).await?;
                let at = fault.stage.clock.now();
                fault.stage.scribe.record(Event::Rejoined { node, at }).await;
                for (queue, change) in changes {
                    fault.look_for(queue, change).await;
                }
                fault.look_for_unused().await;
                fault.stage.nodes.set(&[node], State::Up);
            }
            fault.over();
            Ok(())
        });
        Ok(())
    }
}

/// Of a broker that is gone for good nobody can say which of the queues that were perhaps unused
/// it took along.
pub async fn forgo(stage: &Stage) {
    for slot in &stage.queues {
        let uncertain = std::mem::take(&mut *lock(&slot.uncertain));
        for change in uncertain {
            let at = stage.clock.now();
            stage.scribe.record(Event::ChangeDropped { change, at }).await;
        }
    }
}

/// Queues that were declared a moment ago.
fn young(stage: &Stage) -> Vec<QueueId> {
    let declared = stage.nodes.declared.get();
    let young = declared.is_some_and(|declared| declared.elapsed() < YOUNG);
    let queues = stage.plan.topology.queues.iter().enumerate();
    let quorum = queues.filter(|(_, queue)| young && queue.kind == QueueKind::Quorum);
    quorum.map(|(index, _)| QueueId::from_index(index)).collect()
}

impl Stage {
    /// How many programs are connected to the node, or to any.
    fn clients(&self, node: Option<NodeId>) -> u64 {
        let workers = (0..self.workers.len()).filter(|&index| {
            let plan = &self.plan.workers[index];
            let home = plan.node.unwrap_or_else(|| self.usual_node(index));
            self.worker_control(WorkerId::from_index(index)).is_some()
                && node.is_none_or(|node| node == home)
        });
        let producers = self.producers.iter().enumerate().filter(|(index, slot)| {
            let home = self.plan.producers[*index].node.unwrap_or_else(|| self.usual_node(*index));
            lock(&slot.control).is_some() && node.is_none_or(|node| node == home)
        });
        (workers.count() + producers.count()) as u64
    }

    fn usual_node(&self, index: usize) -> NodeId {
        NodeId::from_index(index % self.nodes.count())
    }

    /// Whether some program waits for an answer.
    fn somebody_waits(&self) -> bool {
        self.producers.iter().any(|slot| {
            slot.unanswered.load(Ordering::SeqCst) > 0 || slot.asks.load(Ordering::SeqCst)
        })
    }
}
