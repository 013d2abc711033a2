//! Faults as meant: one for each instance that an entry of the file names.

mod options;
mod queue;

use std::collections::HashMap;

use crate::plan::context::Context;
use crate::plan::faults::queue::QueueAction;
use crate::plan::model::{Fault, FaultAction, Instance, KillHow, WorkerId};
use crate::plan::names::{Kind, Thing, count};
use crate::plan::{triggers, unsupported};
use crate::scenario::actors::Ack;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::node::At;
use crate::scenario::scalar::Name;
use crate::scenario::trigger::{Fault as Written, How, Trigger};

/// The faults of the file, in the order of their ids; all mistakes are recorded.
pub fn plan(context: &Context, found: &mut Collector) -> Vec<Fault> {
    let entries = triggers::faults(context);
    unique(&entries, found);
    cycles(&entries, found);
    entries.iter().flat_map(|entry| faults(entry, context, found)).collect()
}

fn unique(entries: &[&Located<Written>], found: &mut Collector) {
    let mut seen: HashMap<&str, At> = HashMap::new();
    for name in entries.iter().filter_map(|entry| entry.name.as_ref()) {
        if let Some(first) = seen.get(&*name.value) {
            let text = format!("two faults have the name `{}`", &*name.value);
            found.push(Mistake::new(name.at, text).note("the first one", *first));
        }
        seen.entry(&name.value).or_insert(name.at);
    }
}

/// Faults that wait for each other never act.
fn cycles(entries: &[&Located<Written>], found: &mut Collector) {
    let wanted = |entry: &Written| entry.after.as_ref().and_then(|after| after.fault.clone());
    let named = |name: &Located<Name>| {
        entries
            .iter()
            .position(|entry| entry.name.as_ref().is_some_and(|known| known.value == name.value))
    };
    let next: Vec<Option<usize>> =
        entries.iter().map(|entry| wanted(entry).as_ref().and_then(named)).collect();
    for start in 0..entries.len() {
        let mut chain = vec![start];
        while let Some(after) = next[*chain.last().unwrap_or(&start)] {
            if after == start {
                report_cycle(entries, &chain, found);
                break;
            }
            if chain.contains(&after) {
                break;
            }
            chain.push(after);
        }
    }
}

/// A cycle is told once, at the first of its faults.
fn report_cycle(entries: &[&Located<Written>], chain: &[usize], found: &mut Collector) {
    if chain.iter().any(|entry| *entry < chain[0]) {
        return;
    }
    let name = |entry: &usize| entries[*entry].name.as_ref().map_or("…", |name| &name.value);
    let at = entries[chain[0]].after.as_ref().and_then(|after| after.fault.as_ref());
    let at = at.map_or(entries[chain[0]].at, |fault| fault.at);
    let text = format!("fault `{}` waits for itself, so it never acts", name(&chain[0]));
    let around: Vec<String> =
        chain.iter().chain(&chain[..1]).map(|entry| format!("`{}`", name(entry))).collect();
    let help = format!("give one of them another trigger: {}", around.join(" waits for "));
    found.push(Mistake::new(at, text).help(help));
}

fn faults(entry: &Located<Written>, context: &Context, found: &mut Collector) -> Vec<Fault> {
    let trigger = entry.trigger();
    let meant = triggers::meaning(&trigger, entry.at, context, found);
    let acts = match action(entry, found) {
        None => return Vec::new(),
        Some(Action::Kill(target)) => kill(entry, target, &trigger, context, found),
        Some(Action::Queue(queue)) => queue.acts(entry, &trigger, context, found),
    };
    let (Some(meant), Some(acts)) = (meant, acts) else { return Vec::new() };
    let fault = |(label, action): (String, FaultAction)| Fault {
        name: entry.name.as_ref().map(|name| name.value.0.clone()),
        label,
        action,
        trigger: meant.clone(),
        trigger_text: triggers::text(&trigger),
        may_miss: entry.may_miss.unwrap_or(false),
        at: entry.at,
    };
    acts.into_iter().map(fault).collect()
}

/// What the faults of an entry do, each with what reports call it.
type Acts = Option<Vec<(String, FaultAction)>>;

fn kill(
    entry: &Located<Written>,
    target: &Located<Name>,
    trigger: &Trigger,
    context: &Context,
    found: &mut Collector,
) -> Acts {
    options::check(entry, "kill", &["how", "restart_after"], found);
    let targets = targets(target, context, found)?;
    moments(entry, trigger, &targets, context, found);
    let how = how(entry, &targets, found)?;
    let restart_after = entry.restart_after.map(|time| time.value.0);
    let act =
        |(name, target)| (format!("kill {name}"), FaultAction::Kill { target, how, restart_after });
    Some(targets.into_iter().map(act).collect())
}

/// What this version can do to whom.
enum Action<'f> {
    Kill(&'f Located<Name>),
    Queue(QueueAction<'f>),
}

/// Every action of an entry: its word and place.
fn actions(entry: &Written) -> Vec<(&'static str, At)> {
    let Written { kill, freeze, cut, slow, disconnect, purge, delete, .. } = entry;
    let Written { restart, stop, pause, block, partition, .. } = entry;
    let named = [
        ("kill", kill),
        ("freeze", freeze),
        ("cut", cut),
        ("slow", slow),
        ("disconnect", disconnect),
        ("purge", purge),
        ("delete", delete),
    ];
    let broker = [
        ("restart", restart),
        ("stop", stop),
        ("pause", pause),
        ("block", block),
        ("partition", partition),
    ];
    let named = named.into_iter().filter_map(|(word, name)| Some((word, name.as_ref()?.at)));
    let broker = broker.into_iter().filter_map(|(word, it)| Some((word, it.as_ref()?.at)));
    let mut actions: Vec<(&'static str, At)> = named.chain(broker).collect();
    actions.sort_by_key(|(_, at)| at.position());
    actions
}

/// The one action of an entry.
fn action<'f>(entry: &'f Located<Written>, found: &mut Collector) -> Option<Action<'f>> {
    match actions(entry).as_slice() {
        [] => {
            found.push(
                Mistake::new(entry.at, "a fault needs an action")
                    .needs(Whole::Node(entry.at))
                    .help("write what it does to whom: `kill: worker-1`"),
            );
            None
        }
        [(word, at)] => match (&entry.kill, QueueAction::of(entry)) {
            (Some(target), _) => Some(Action::Kill(target)),
            (None, Some(queue)) => Some(Action::Queue(queue)),
            (None, None) => {
                let instead = "`kill` a worker or a producer instead: `kill: NAME`";
                found.push(unsupported::mistake(*at, word, instead));
                None
            }
        },
        [_, (word, at), ..] => {
            let text = format!("a fault has one action, and `{word}` is a second one");
            found.push(Mistake::new(*at, text).help("make it an entry of its own"));
            None
        }
    }
}

/// The instances that a kill names, each with its name.
fn targets(
    target: &Located<Name>,
    context: &Context,
    found: &mut Collector,
) -> Option<Vec<(String, Instance)>> {
    let instances: Vec<Instance> = match context.names.get(&target.value) {
        Some(Thing::Producers(ids)) => ids.iter().map(|id| Instance::Producer(*id)).collect(),
        Some(Thing::Workers(ids)) => ids.iter().map(|id| Instance::Worker(*id)).collect(),
        _ => {
            let mistake =
                context.names.unknown(&target.value, target.at, "a fault kills", Kind::Program);
            found.push(mistake);
            return None;
        }
    };
    let names = crate::plan::names::instances(&target.value, instances.len());
    Some(names.into_iter().zip(instances).collect())
}

/// `during` and `before_ack` are moments of a worker's delivery.
fn moments(
    entry: &Written,
    trigger: &Trigger,
    targets: &[(String, Instance)],
    context: &Context,
    found: &mut Collector,
) {
    let name = entry.kill.as_ref().map_or("", |name| &name.value);
    let producer = targets.iter().any(|(_, target)| matches!(target, Instance::Producer(_)));
    for (moment, word) in [(trigger.during, "during"), (trigger.before_ack, "before_ack")] {
        if let Some(moment) = moment.filter(|_| producer) {
            let text = format!("`{word}` is a moment of a worker, and `{name}` is a producer");
            let help = "write `after: { published: N, of: NAME }` or `at: 1s`";
            found.push(Mistake::new(moment.at, text).help(help));
        }
    }
    let manual = |target: &Instance| match target {
        Instance::Producer(_) => true,
        Instance::Worker(id) => acks_manually(*id, context),
    };
    if let Some(moment) = trigger.before_ack
        && !targets.iter().all(|(_, target)| manual(target))
    {
        let text = format!(
            "`before_ack` needs a worker with `ack: manual`, and `{name}` has another mode"
        );
        found.push(
            Mistake::new(moment.at, text)
                .needs(Whole::Names(&["workers"]))
                .help("use `ack: manual` there, or `during` here"),
        );
    }
}

/// Whether a worker acks after its work, by what the file says of its group.
fn acks_manually(id: WorkerId, context: &Context) -> bool {
    let there = context.file.workers.iter().filter(|worker| worker.condition != Some(false));
    let mut next = 0;
    for worker in there {
        next += count(&worker.count);
        if id.index() < next {
            return worker.ack.is_none_or(|ack| ack.value == Ack::Manual);
        }
    }
    unreachable!("a name stands for a worker of the file")
}

fn how(entry: &Written, targets: &[(String, Instance)], found: &mut Collector) -> Option<KillHow> {
    let Some(how) = entry.how else { return Some(KillHow::Crash) };
    let producer = targets.iter().any(|(_, target)| matches!(target, Instance::Producer(_)));
    match how.value {
        How::Crash => Some(KillHow::Crash),
        How::CloseConnection => Some(KillHow::CloseConnection),
        How::CloseChannel => Some(KillHow::CloseChannel),
        How::Cancel if producer => {
            found.push(
                Mistake::new(how.at, "a producer has no subscription to `cancel`")
                    .help("use `crash`, `close_connection` or `close_channel`"),
            );
            None
        }
        How::Cancel => Some(KillHow::Cancel),
        How::Graceful | How::Sigkill => {
            found.push(
                Mistake::new(how.at, "this is a way to restart a broker, not to kill a program")
                    .help("use `crash`, `close_connection`, `close_channel` or `cancel`"),
            );
            None
        }
    }
}
