//! Triggers on counts: an atomic counter at the source, and what its N-th event sets off.
//!
//! Whoever makes the N-th event happen learns it from its own call and acts at once, before
//! it does anything else; nobody is asked and nobody polls.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::plan::model::{
    CountEvent, FaultId, Instance, ProducerId, QueueId, Scope, Trigger, Variant, WorkerId,
};

/// Something that a trigger sets off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Fault(FaultId),
    Observe(usize),
    Probe(usize),
    Start(Instance),
    Stop(WorkerId),
}

/// When the run begins.
static AT_ONCE: Trigger = Trigger::At(Duration::ZERO);

/// Every action of a plan with its trigger, in the order of the file.
pub fn actions(plan: &Variant) -> Vec<(Action, &Trigger)> {
    let faults = plan.faults.iter().enumerate();
    let faults = faults.map(|(i, fault)| (Action::Fault(FaultId::from_index(i)), &fault.trigger));
    let observe = plan.observations.iter().enumerate();
    let observe = observe.map(|(i, observation)| (Action::Observe(i), &observation.when));
    let producers = plan.producers.iter().enumerate().filter_map(|(i, producer)| {
        let instance = Instance::Producer(ProducerId::from_index(i));
        producer.start.as_ref().map(|trigger| (Action::Start(instance), trigger))
    });
    let workers = plan.workers.iter().enumerate().flat_map(|(i, worker)| {
        let id = WorkerId::from_index(i);
        let start = worker.start.as_ref().map(|t| (Action::Start(Instance::Worker(id)), t));
        let stop = worker.stop.as_ref().map(|t| (Action::Stop(id), t));
        start.into_iter().chain(stop)
    });
    let probes = plan.probes.iter().enumerate();
    let probes =
        probes.map(|(i, probe)| (Action::Probe(i), probe.when.as_ref().unwrap_or(&AT_ONCE)));
    faults.chain(observe).chain(probes).chain(producers).chain(workers).collect()
}

/// One counter and what its N-th event sets off.
#[derive(Debug)]
struct Tally {
    event: CountEvent,
    of: Scope,
    n: u64,
    /// How many instances add to it.
    sources: u64,
    count: AtomicU64,
    /// With their places in the file.
    actions: Vec<(usize, Action)>,
}

/// All counters of a run.
#[derive(Debug)]
pub struct Tallies(Vec<Tally>);

/// The counters that one kind of event of one instance adds to; mostly none.
#[derive(Debug, Clone, Default)]
pub struct Watch(Vec<usize>);

impl Watch {
    /// Whether nothing waits for this event.
    pub fn is_idle(&self) -> bool {
        self.0.is_empty()
    }
}

impl Tallies {
    /// The counters that the plan's triggers need, one for each distinct trigger.
    pub fn new(plan: &Variant) -> Self {
        let mut tallies: Vec<Tally> = Vec::new();
        for (place, (action, trigger)) in actions(plan).into_iter().enumerate() {
            let Trigger::Count { event, n, of } = trigger else { continue };
            let same =
                |tally: &&mut Tally| tally.event == *event && tally.n == *n && tally.of == *of;
            match tallies.iter_mut().find(same) {
                Some(tally) => tally.actions.push((place, action)),
                None => tallies.push(Tally {
                    event: *event,
                    of: of.clone(),
                    n: *n,
                    sources: sources(plan, *event, of),
                    count: AtomicU64::new(0),
                    actions: vec![(place, action)],
                }),
            }
        }
        Self(tallies)
    }

    /// The counters for an event of an instance; `queue` is the one it consumes from.
    pub fn watch(&self, event: CountEvent, who: Instance, queue: Option<QueueId>) -> Watch {
        let concerns = |tally: &Tally| {
            tally.event == event
                && match (&tally.of, who) {
                    (Scope::All, _) => true,
                    (Scope::Queue(wanted), Instance::Worker(_)) => queue == Some(*wanted),
                    // Which of its messages go there is known message by message.
                    (Scope::Queue(_) | Scope::Queues(_), Instance::Producer(_)) => true,
                    (Scope::Queues(ids), Instance::Worker(_)) => {
                        queue.is_some_and(|queue| ids.contains(&queue))
                    }
                    (Scope::Producers(ids), Instance::Producer(id)) => ids.contains(&id),
                    (Scope::Workers(ids), Instance::Worker(id)) => ids.contains(&id),
                    (Scope::Producers(_), Instance::Worker(_))
                    | (Scope::Workers(_), Instance::Producer(_)) => false,
                }
        };
        Watch((0..self.0.len()).filter(|&index| concerns(&self.0[index])).collect())
    }

    /// Counts `by` events; `reaches` says whether they concern a queue. The actions that are
    /// due now, in the order of the file.
    pub fn count(&self, watch: &Watch, by: u64, reaches: impl Fn(QueueId) -> bool) -> Vec<Action> {
        let mut due = Vec::new();
        for tally in watch.0.iter().map(|&index| &self.0[index]) {
            let concerned = match &tally.of {
                Scope::Queue(queue) => reaches(*queue),
                Scope::Queues(queues) => queues.iter().any(|queue| reaches(*queue)),
                _ => true,
            };
            if !concerned {
                continue;
            }
            let before = tally.count.fetch_add(by, Ordering::SeqCst);
            if before < tally.n && before + by >= tally.n {
                due.extend(&tally.actions);
            }
        }
        // One event may be the N-th of several counters.
        due.sort_unstable_by_key(|(place, _)| *place);
        due.into_iter().map(|(_, action)| action).collect()
    }

    /// How many events an instance may make in one go without running past a trigger, even
    /// if all others that add to the same counters do the same at the same time.
    pub fn room(&self, watch: &Watch) -> u64 {
        let left = watch.0.iter().filter_map(|&index| {
            let tally = &self.0[index];
            let left = tally.n.saturating_sub(tally.count.load(Ordering::SeqCst));
            let by_queue = matches!(tally.of, Scope::Queue(_) | Scope::Queues(_));
            match (left, by_queue) {
                (0, _) => None,
                (_, true) => Some(1),
                (left, false) => Some((left / tally.sources).max(1)),
            }
        });
        left.min().unwrap_or(u64::MAX)
    }
}

fn sources(plan: &Variant, event: CountEvent, of: &Scope) -> u64 {
    let count = match (of, event) {
        (Scope::Producers(ids), _) => ids.len(),
        (Scope::Workers(ids), _) => ids.len(),
        (_, CountEvent::Published | CountEvent::Confirmed) => plan.producers.len(),
        _ => plan.workers.len(),
    };
    count.max(1) as u64
}
