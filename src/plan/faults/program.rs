//! Faults that act on a producer or a worker: its end, its stillness, its network.

use std::time::Duration;

use crate::plan::context::Context;
use crate::plan::faults::{Acts, lasts, moments};
use crate::plan::model::{FaultAction, Instance, KillHow};
use crate::plan::names::{Kind, Thing, instances};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::scalar::Name;
use crate::scenario::trigger::{Fault, How, Verb};

/// An instance with its name.
pub type Target = (String, Instance);

/// What it does to each instance; all mistakes are recorded.
pub fn acts(
    entry: &Located<Fault>,
    verb: Verb,
    name: &Located<Name>,
    context: &Context,
    found: &mut Collector,
) -> Acts {
    let lasts = if verb == Verb::Kill { None } else { lasts(entry, found) };
    let latency = if verb == Verb::Slow { latency(entry, found) } else { Some(Duration::ZERO) };
    let targets = targets(verb, name, context, found)?;
    moments::of_programs(entry, verb, &targets, context, found);
    let how = if verb == Verb::Kill { how(entry, &targets, found) } else { Some(KillHow::Crash) };
    let (how, latency) = (how?, latency?);
    let restart_after = entry.restart_after.map(|time| time.value.0);
    let action = |target| match verb {
        Verb::Freeze => FaultAction::Freeze { target, lasts },
        Verb::Cut => FaultAction::Cut { target, lasts },
        Verb::Slow => FaultAction::Slow { target, latency, lasts },
        Verb::Disconnect => FaultAction::Disconnect { target },
        _ => FaultAction::Kill { target, how, restart_after },
    };
    let act = |(name, target)| (format!("{} {name}", verb.word()), action(target));
    Some(targets.into_iter().map(act).collect())
}

/// The instances that an action names.
fn targets(
    verb: Verb,
    name: &Located<Name>,
    context: &Context,
    found: &mut Collector,
) -> Option<Vec<Target>> {
    let Some(instances) = named(name, context) else {
        found.push(unknown(verb, name, context));
        return None;
    };
    let names = self::instances(&name.value, instances.len());
    Some(names.into_iter().zip(instances).collect())
}

/// The instances that a name stands for, if it is one of producers or workers.
pub fn named(name: &Located<Name>, context: &Context) -> Option<Vec<Instance>> {
    match context.names.get(&name.value) {
        Some(Thing::Producers(ids)) => Some(ids.iter().map(|id| Instance::Producer(*id)).collect()),
        Some(Thing::Workers(ids)) => Some(ids.iter().map(|id| Instance::Worker(*id)).collect()),
        _ => None,
    }
}

/// Somebody who is no producer and no worker; who means the broker is shown the words for that.
fn unknown(verb: Verb, name: &Located<Name>, context: &Context) -> Mistake {
    let word = match verb {
        Verb::Cut => "cuts",
        Verb::Slow => "slows",
        Verb::Disconnect => "disconnects",
        Verb::Freeze => "freezes",
        _ => "kills",
    };
    let who = format!("a fault {word}");
    let mistake = context.names.unknown(&name.value, name.at, &who, Kind::Program);
    if &*name.value != super::broker::WORD || context.names.get(&name.value).is_some() {
        return mistake;
    }
    let help = match verb {
        Verb::Kill => {
            "to kill the broker write `restart: broker` or `stop: broker`, with `how: sigkill`"
        }
        Verb::Freeze => "to freeze the broker write `pause: broker`",
        _ => "name the producers and workers whose network it is; between nodes it is `partition`",
    };
    mistake.help(help)
}

fn how(entry: &Fault, targets: &[Target], found: &mut Collector) -> Option<KillHow> {
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

/// By how much everything comes later.
fn latency(entry: &Located<Fault>, found: &mut Collector) -> Option<Duration> {
    let Some(latency) = entry.latency else {
        let mistake = Mistake::new(entry.at, "`slow` needs the key `latency`");
        let help = "write by how much all that it sends or is sent comes later: `latency: 50ms`";
        found.push(mistake.needs(Whole::Node(entry.at)).help(help));
        return None;
    };
    if latency.value.0.is_zero() {
        let text = "a network with no latency is not slow";
        let help = "write by how much everything comes later, such as `latency: 50ms`";
        found.push(Mistake::new(latency.at, text).help(help));
        return None;
    }
    Some(latency.value.0)
}
