//! What happens when: who starts and stops, what breaks, and who looks.

use std::time::Duration;

use crate::plan::model::{CountEvent, Fault, Scope, Trigger, Variant};

/// One thing that happens, and when, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub when: String,
    pub what: String,
    /// What of the clock is known of it.
    pub at: Option<Duration>,
}

/// Everything that waits for a moment: first what waits for one of the clock, in its order, then
/// the rest in the order of the file.
pub fn timeline(variant: &Variant) -> Vec<Event> {
    let mut events = Vec::new();
    let mut add = |trigger: &Trigger, what: String| {
        let at = match trigger {
            Trigger::At(at) => Some(*at),
            _ => None,
        };
        let event = Event { when: when(variant, trigger), what, at };
        // The instances of a group have one moment and one line.
        if !events.contains(&event) {
            events.push(event);
        }
    };
    for group in &variant.producer_groups {
        let producer = &variant.producers[group.members[0].index()];
        if let Some(start) = &producer.start {
            add(start, format!("{} begins to publish", group.name));
        }
    }
    for group in &variant.worker_groups {
        let worker = &variant.workers[group.members[0].index()];
        if let Some(start) = &worker.start {
            add(start, format!("{} begins to consume", group.name));
        }
        if let Some(stop) = &worker.stop {
            add(stop, format!("{} stops", group.name));
        }
    }
    for fault in &variant.faults {
        add(&fault.trigger, fault.label.clone());
    }
    for observation in &variant.observations {
        add(&observation.when, format!("look at the queues: {}", observation.name));
    }
    for probe in variant.probes.iter() {
        if let Some(when) = &probe.when {
            let what = format!("probe {} {}", probe.operation.word(), probe.about);
            add(when, what.trim_end().to_owned());
        }
    }
    events.sort_by_key(|event| event.at.unwrap_or(Duration::MAX));
    events
}

/// A moment in words.
fn when(variant: &Variant, trigger: &Trigger) -> String {
    match trigger {
        Trigger::At(at) => format!("at {at:?}"),
        Trigger::During(n) => format!("during its work number {n}"),
        Trigger::BeforeAck(n) => format!("before its ack for work number {n}"),
        Trigger::AfterFaults(ids) => {
            let name = |fault: &Fault| fault.name.clone().unwrap_or_else(|| fault.label.clone());
            let faults = ids.iter().map(|id| name(&variant.faults[id.index()]));
            let mut faults: Vec<String> = faults.collect();
            faults.dedup();
            format!("after {}", faults.join(" and "))
        }
        Trigger::Count { event, n, of } => {
            let of = scope(variant, of);
            match event {
                CountEvent::Published => format!("after {n} published{of}"),
                CountEvent::Confirmed => format!("after {n} confirmed{of}"),
                CountEvent::Finished => format!("after {n} finished{of}"),
                CountEvent::Acked => format!("after {n} acked{of}"),
                CountEvent::Consuming => format!("when {n} consume{of}"),
            }
        }
    }
}

/// Of whom, where not of all.
fn scope(variant: &Variant, of: &Scope) -> String {
    let names: Vec<&str> = match of {
        Scope::All => return String::new(),
        Scope::Queue(queue) => vec![&variant.topology.queues[queue.index()].name],
        Scope::Queues(queues) => {
            queues.iter().map(|id| &*variant.topology.queues[id.index()].name).collect()
        }
        Scope::Producers(ids) => {
            ids.iter().map(|id| &*variant.producers[id.index()].name).collect()
        }
        Scope::Workers(ids) => ids.iter().map(|id| &*variant.workers[id.index()].name).collect(),
    };
    match names[..] {
        [only] => format!(" of {only}"),
        [first, .., last] => format!(" of {first} … {last}"),
        [] => String::new(),
    }
}
