//! Triggers as meant.

use crate::plan::context::Context;
use crate::plan::model::{CountEvent, FaultId, Scope, Trigger};
use crate::plan::names::{Kind, MAX_INSTANCES, Thing};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::node::At;
use crate::scenario::scalar::{Name, Positive};
use crate::scenario::trigger::{After, Fault, Trigger as Written};

const FORMS: &str = "write one of `at: 1s`, `after: { finished: 10 }`, `after: { fault: NAME }`";

/// The trigger of a start, a stop or an observation: no moment within a delivery.
pub fn plain(
    trigger: &Written,
    at: At,
    context: &Context,
    found: &mut Collector,
) -> Option<Trigger> {
    for (moment, word) in [(trigger.during, "during"), (trigger.before_ack, "before_ack")] {
        if let Some(moment) = moment {
            let text = format!("`{word}` is a trigger of faults alone");
            found.push(Mistake::new(moment.at, text).help(FORMS));
            return None;
        }
    }
    meaning(trigger, at, context, found)
}

/// A trigger as meant; what it must not be here was looked at before.
pub fn meaning(
    trigger: &Written,
    at: At,
    context: &Context,
    found: &mut Collector,
) -> Option<Trigger> {
    let Written { at: time, after, during, before_ack } = trigger;
    match (time, after, during, before_ack) {
        (Some(time), None, None, None) => Some(Trigger::At(time.value.0)),
        (None, Some(after), None, None) => self::after(after, context, found),
        (None, None, Some(n), None) => Some(Trigger::During(n.value.0)),
        (None, None, None, Some(n)) => Some(Trigger::BeforeAck(n.value.0)),
        (None, None, None, None) => {
            let mistake = Mistake::new(at, "here is no trigger that says when");
            found.push(mistake.needs(Whole::Node(at)).help(FORMS));
            None
        }
        _ => {
            let second = second(trigger).unwrap_or(at);
            found.push(Mistake::new(second, "this is a second trigger").help("keep one of them"));
            None
        }
    }
}

/// The place of the second of several forms.
fn second(trigger: &Written) -> Option<At> {
    let forms = [
        trigger.at.map(|form| form.at),
        trigger.after.as_ref().map(|form| form.at),
        trigger.during.map(|form| form.at),
        trigger.before_ack.map(|form| form.at),
    ];
    let mut places: Vec<At> = forms.into_iter().flatten().collect();
    places.sort_by_key(|at| at.position());
    places.get(1).copied()
}

fn events(after: &After) -> Vec<(&'static str, CountEvent, Located<Positive>)> {
    [
        ("published", CountEvent::Published, after.published),
        ("confirmed", CountEvent::Confirmed, after.confirmed),
        ("finished", CountEvent::Finished, after.finished),
        ("acked", CountEvent::Acked, after.acked),
        ("consuming", CountEvent::Consuming, after.consuming),
    ]
    .into_iter()
    .filter_map(|(word, event, n)| Some((word, event, n?)))
    .collect()
}

fn after(after: &Located<After>, context: &Context, found: &mut Collector) -> Option<Trigger> {
    match (events(after).as_slice(), &after.fault) {
        ([(word, event, n)], None) => {
            let of = match &after.of {
                Some(of) => scope(of, word, *event, context, found)?,
                None => Scope::All,
            };
            Some(Trigger::Count { event: *event, n: n.value.0, of })
        }
        ([], Some(fault)) => {
            if let Some(of) = &after.of {
                found.push(
                    Mistake::new(of.at, "`of` says whose events are counted, and a fault is none")
                        .help("leave `of` out"),
                );
            }
            fault_ids(fault, context, found).map(Trigger::AfterFaults)
        }
        ([], None) => {
            let text = "`after` needs an event: `published`, `confirmed`, `finished`, `acked`, `consuming` or `fault`";
            found.push(
                Mistake::new(after.at, text)
                    .needs(Whole::Node(after.at))
                    .help("write `after: { finished: 10 }` or `after: { fault: NAME }`"),
            );
            None
        }
        _ => {
            found.push(
                Mistake::new(after.at, "`after` has more than one event").help("keep one of them"),
            );
            None
        }
    }
}

/// Whose events are counted.
fn scope(
    of: &Located<Name>,
    word: &str,
    event: CountEvent,
    context: &Context,
    found: &mut Collector,
) -> Option<Scope> {
    let producers = matches!(event, CountEvent::Published | CountEvent::Confirmed);
    let queues = context.names.temporary(&of.value);
    match (context.names.get(&of.value), queues) {
        (Some(Thing::Queue(queue)), _) => Some(Scope::Queue(*queue)),
        (Some(Thing::Producers(ids)), _) if producers => Some(Scope::Producers(ids.clone())),
        (Some(Thing::Workers(ids)), _) if !producers => Some(Scope::Workers(ids.clone())),
        (Some(Thing::Workers(_)), Some([queue])) => Some(Scope::Queue(*queue)),
        (Some(Thing::Workers(_)), Some(queues)) => Some(Scope::Queues(queues.to_vec())),
        _ => {
            let kind = if producers { Kind::ProducerOrQueue } else { Kind::WorkerOrQueue };
            let who = format!("`{word}` counts events of");
            found.push(context.names.unknown(&of.value, of.at, &who, kind));
            None
        }
    }
}

/// The ids of all instances of a fault, by its name.
fn fault_ids(
    name: &Located<Name>,
    context: &Context,
    found: &mut Collector,
) -> Option<Vec<FaultId>> {
    if let Some(ids) = context.fault_ids.get(&*name.value.0) {
        return Some(ids.clone().map(FaultId::from_index).collect());
    }
    let (entries, left_out) = (faults(context), context.file.faults.iter());
    let text = &name.value.0;
    let mistake = Mistake::new(name.at, format!("fault `{text}` is not declared"))
        .needs(Whole::Names(&["faults"]));
    let out =
        left_out.filter_map(|fault| fault.name.as_ref()).find(|known| known.value == name.value);
    let names = entries.iter().filter_map(|fault| fault.name.as_ref());
    let near =
        crate::scenario::mistake::meant(text, names.clone().map(|name| name.value.0.as_str()));
    let near = near.and_then(|near| names.clone().find(|name| name.value.0 == near));
    found.push(match (out, near) {
        (Some(out), _) => mistake.note("its `if` leaves it out here", out.at),
        (_, Some(near)) => mistake.did_you_mean(&near.value.0, near.at),
        _ => mistake.help("give the fault that comes first a `name`"),
    });
    None
}

/// The faults that are there in this variant, in the order of their ids.
pub fn faults<'f>(context: &Context<'f>) -> Vec<&'f Located<Fault>> {
    context.file.faults.iter().filter(|fault| fault.condition != Some(false)).collect()
}

/// Numbers the faults; a fault counts once for each of its instances. Whether there are no more
/// of them than ids.
pub fn number(context: &mut Context, found: &mut Collector) -> bool {
    let mut next = 0;
    for fault in faults(context) {
        let first = next;
        next += targets(fault, context).max(1);
        if next > MAX_INSTANCES {
            let text = format!("the faults act on more than {MAX_INSTANCES} instances in all");
            found.push(Mistake::new(fault.at, text).help("name fewer groups, or smaller ones"));
            return false;
        }
        if let Some(name) = &fault.name {
            context.fault_ids.entry(&*name.value.0).or_insert(first..next);
        }
    }
    true
}

/// How many instances a fault acts on; the broker and a queue are one.
fn targets(fault: &Fault, context: &Context) -> usize {
    let Fault { kill, freeze, cut, slow, disconnect, .. } = fault;
    let target = [kill, freeze, cut, slow, disconnect].into_iter().flatten().next();
    match target.and_then(|name| context.names.get(&name.value)) {
        Some(Thing::Producers(ids)) => ids.len(),
        Some(Thing::Workers(ids)) => ids.len(),
        _ => 1,
    }
}

/// The trigger as the file says it.
pub fn text(trigger: &Written) -> String {
    if let Some(time) = trigger.at {
        return format!("at: {}", time.value);
    }
    if let Some(n) = trigger.during {
        return format!("during: {}", n.value.0);
    }
    if let Some(n) = trigger.before_ack {
        return format!("before_ack: {}", n.value.0);
    }
    let Some(after) = &trigger.after else { return String::new() };
    let mut parts: Vec<String> =
        events(after).iter().map(|(word, _, n)| format!("{word}: {}", n.value.0)).collect();
    parts.extend(after.of.as_ref().map(|of| format!("of: {}", of.value.0)));
    parts.extend(after.fault.as_ref().map(|fault| format!("fault: {}", fault.value.0)));
    format!("after: {{ {} }}", parts.join(", "))
}
