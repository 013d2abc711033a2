//! Lints about moments that never come, and faults that cannot change anything.

use crate::plan::lints::looked::{Looked, about};
use crate::plan::model::{
    AckMode, BrokerAct, Confirms, CountEvent, Fault, FaultAction, Instance, ProducerId, QueueId,
    Scope, Trigger, Unconfirmed, WorkerId,
};
use crate::scenario::collect::Warning;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;

/// No more moments of a file are looked at than these.
const MOST_TOLD: usize = 200;

/// A moment of the file: whose, when, and where it stands.
struct Moment<'a> {
    what: String,
    trigger: &'a Trigger,
    /// The entry, and the place of its trigger.
    entry: At,
    place: At,
    /// The instance whose deliveries are counted.
    target: Option<Instance>,
}

/// Counts that are higher than what there is to count.
pub fn never_fires(looked: &Looked, out: &mut Vec<Warning>) {
    for moment in moments(looked).into_iter().take(MOST_TOLD) {
        let Some((wanted, most, events)) = wanted(looked, &moment) else { continue };
        let Some(most) = most.filter(|most| *most < wanted) else { continue };
        let there = match most {
            0 => format!("there are no {events}"),
            most => format!("there are at most {most} {events}"),
        };
        let text = format!("{} never comes: it waits for {wanted}, and {there}", moment.what);
        let help = "wait for fewer, or let more be published";
        let words = Mistake::new(moment.place, text).help(help);
        out.push(about(Lint::NeverFires, moment.entry, words));
    }
}

fn moments<'a>(looked: &Looked<'a, '_>) -> Vec<Moment<'a>> {
    let mut all = Vec::new();
    let variant = looked.variant;
    for fault in variant.faults.iter().filter(|fault| !fault.may_miss) {
        let place = ["during", "before_ack", "after"].map(|key| looked.key(fault.at, key));
        let place = place.into_iter().find(|place| *place != fault.at).unwrap_or(fault.at);
        let (what, target) = (format!("`{}`", fault.label), fault.action.target());
        all.push(Moment { what, trigger: &fault.trigger, entry: fault.at, place, target });
    }
    let mut other = |what: String, trigger: &'a Option<Trigger>, entry: At, key: &str| {
        let place = looked.key(entry, key);
        let moment = |trigger| Moment { what, trigger, entry, place, target: None };
        all.extend(trigger.as_ref().map(moment));
    };
    for (entry, producer) in looked.producers() {
        other(format!("the start of `{}`", entry.name.value.0), &producer.start, entry.at, "start");
    }
    for (entry, worker) in looked.workers() {
        other(format!("the start of `{}`", entry.name.value.0), &worker.start, entry.at, "start");
        other(format!("the stop of `{}`", entry.name.value.0), &worker.stop, entry.at, "stop");
    }
    for probe in &variant.probes {
        other(format!("the probe `{}`", probe.operation.word()), &probe.when, probe.at, "when");
    }
    let there = looked.context.file.observe.iter().filter(|it| it.condition != Some(false));
    for (entry, observation) in there.zip(&variant.observations) {
        let what = format!("the observation `{}`", observation.name);
        let (trigger, place) = (&observation.when, looked.key(entry.at, "when"));
        all.push(Moment { what, trigger, entry: entry.at, place, target: None });
    }
    all
}

/// How many of what a moment waits for, and how many there are at most.
fn wanted(looked: &Looked, moment: &Moment) -> Option<(u64, Option<u64>, &'static str)> {
    let most = Most { looked, but: Some(moment.entry) };
    match moment.trigger {
        Trigger::Count { event, n, of } => {
            let (most, events) = match event {
                CountEvent::Published => (most.published(of, false), "publishes"),
                CountEvent::Confirmed => (most.published(of, true), "confirms"),
                CountEvent::Finished => (most.finished(of, false), "deliveries"),
                CountEvent::Acked => (most.finished(of, true), "acks"),
                CountEvent::Consuming => (most.consuming(of), "subscriptions"),
            };
            Some((*n, most, events))
        }
        Trigger::During(n) | Trigger::BeforeAck(n) => {
            let Some(Instance::Worker(id)) = moment.target else { return None };
            Some((*n, most.finished(&Scope::Workers(vec![id]), false), "deliveries"))
        }
        Trigger::At(_) | Trigger::AfterFaults(_) => None,
    }
}

/// The most there can be of an event before the entry `but` acts; `None` is not known.
struct Most<'l, 'a, 'f> {
    looked: &'l Looked<'a, 'f>,
    but: Option<At>,
}

impl Most<'_, '_, '_> {
    fn published(&self, of: &Scope, confirmed: bool) -> Option<u64> {
        let variant = self.looked.variant;
        let again = |it: &&crate::plan::model::Producer| it.unconfirmed == Unconfirmed::Republish;
        if variant.producers.iter().any(|it| again(&it)) && !variant.faults.is_empty() {
            return None;
        }
        let counts = |id: &ProducerId| {
            let producer = &variant.producers[id.index()];
            let counted = !confirmed || producer.confirms != Confirms::Off;
            if counted { producer.messages } else { 0 }
        };
        let all = || (0..variant.producers.len()).map(ProducerId::from_index);
        match of {
            Scope::All => Some(all().map(|id| counts(&id)).fold(0, u64::saturating_add)),
            Scope::Producers(ids) => Some(ids.iter().map(counts).fold(0, u64::saturating_add)),
            Scope::Queue(_) | Scope::Queues(_) | Scope::Workers(_) => None,
        }
    }

    fn finished(&self, of: &Scope, acked: bool) -> Option<u64> {
        let variant = self.looked.variant;
        let mut workers: Vec<WorkerId> = match of {
            Scope::Workers(ids) => ids.clone(),
            _ => (0..variant.workers.len()).map(WorkerId::from_index).collect(),
        };
        if acked {
            let acks = |id: &WorkerId| {
                !matches!(variant.workers[id.index()].ack, AckMode::Auto | AckMode::Never)
            };
            workers.retain(acks);
        }
        let queue = |id: &WorkerId| variant.workers[id.index()].queue;
        let mut queues: Vec<QueueId> = workers.iter().map(queue).collect();
        match of {
            Scope::Queue(id) => queues.retain(|queue| queue == id),
            Scope::Queues(ids) => queues.retain(|queue| ids.contains(queue)),
            _ => {}
        }
        queues.sort_unstable();
        queues.dedup();
        // What comes twice counts twice.
        let most = self.looked.flow.most_of(queues.iter().copied());
        let again = self.looked.redelivers(self.but);
        most.filter(|most| *most == 0 || !again)
    }

    fn consuming(&self, of: &Scope) -> Option<u64> {
        let variant = self.looked.variant;
        if variant.faults.iter().any(|fault| Some(fault.at) != self.but) {
            return None;
        }
        let counts = |index: usize| match of {
            Scope::All => true,
            Scope::Workers(ids) => ids.contains(&WorkerId::from_index(index)),
            Scope::Queue(queue) => variant.workers[index].queue == *queue,
            Scope::Queues(queues) => queues.contains(&variant.workers[index].queue),
            Scope::Producers(_) => false,
        };
        let count = (0..variant.workers.len()).filter(|index| counts(*index)).count();
        u64::try_from(count).ok()
    }
}

/// Faults that act on what nobody could miss.
pub fn cannot_bite(looked: &Looked, out: &mut Vec<Warning>) {
    for fault in looked.variant.faults.iter().filter(|fault| !fault.may_miss) {
        let Some(why) = toothless(looked, fault) else { continue };
        let text = format!("`{}` cannot change anything: {why}", fault.label);
        // What reports call it begins with the key of the file.
        let verb = fault.label.split(' ').next().unwrap_or_default();
        let mut words = Mistake::new(looked.key(fault.at, verb), text);
        words.remark("a fault that changes nothing makes the run inconclusive");
        let help = "let it act on something else, or earlier, or say `may_miss: true`";
        out.push(about(Lint::CannotBite, fault.at, words.help(help)));
    }
}

/// Why a fault changes nothing, if that is certain.
fn toothless(looked: &Looked, fault: &Fault) -> Option<String> {
    let variant = looked.variant;
    let empty = |id: QueueId| !looked.flow.filled[id.index()];
    let name = |id: QueueId| &variant.topology.queues[id.index()].name;
    match fault.action {
        FaultAction::Purge(id) | FaultAction::Delete(id) if empty(id) => {
            Some(format!("no message can come to `{}`", name(id)))
        }
        FaultAction::Broker { act: BrokerAct::Block { .. }, .. }
            if variant.producers.is_empty() =>
        {
            Some("no producer is there to be blocked".to_owned())
        }
        _ => match fault.action.target()? {
            // A count of its deliveries is looked at by itself.
            Instance::Worker(id) => {
                let worker = &variant.workers[id.index()];
                let counted = matches!(fault.trigger, Trigger::During(_) | Trigger::BeforeAck(_));
                (empty(worker.queue) && !counted)
                    .then(|| format!("no message can come to its queue `{}`", name(worker.queue)))
            }
            Instance::Producer(id) => {
                let producer = &variant.producers[id.index()];
                let Trigger::Count { event: CountEvent::Published, n, of } = &fault.trigger else {
                    return None;
                };
                let alone = matches!(of, Scope::Producers(ids) if *ids == [id]);
                let over = alone && *n == producer.messages && producer.confirms == Confirms::Off;
                over.then(|| {
                    format!("`{}` has published all by then, and waits for nothing", producer.name)
                })
            }
        },
    }
}
