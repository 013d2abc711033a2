//! Faults as meant: one for each instance that an entry of the file names.
//!
//! What one entry says is looked at here and in the modules of its kind; what two of them say of
//! each other, in [`waiting`], [`collisions`], [`overlaps`] and [`doubts`].

mod options;
mod program;
mod moments;
mod broker;
mod queue;
mod waiting;
mod timeline;
mod beside;
mod down;
mod collisions;
mod overlaps;
mod doubts;

use std::collections::HashMap;

use crate::plan::context::Context;
use crate::plan::faults::down::Downs;
use crate::plan::faults::timeline::Timeline;
use crate::plan::model::{Fault, FaultAction};
use crate::plan::triggers;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::node::At;
use crate::scenario::scalar::{Name, Time};
use crate::scenario::trigger::{Fault as Written, Verb};

/// The faults of the file, in the order of their ids; all mistakes are recorded.
pub fn plan(context: &Context, found: &mut Collector) -> Vec<Fault> {
    let entries = triggers::faults(context);
    unique(&entries, found);
    let next = waiting::next(&entries);
    waiting::cycles(&entries, &next, found);
    let timeline = Timeline::of(&entries, &next, context);
    let downs = Downs::of(&timeline);
    collisions::check(&timeline, &downs, context, found);
    overlaps::check(&timeline, context, found);
    doubts::warn(&timeline, &downs, context, found);
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

/// What the faults of an entry do, each with what reports call it.
type Acts = Option<Vec<(String, FaultAction)>>;

fn faults(entry: &Located<Written>, context: &Context, found: &mut Collector) -> Vec<Fault> {
    let trigger = entry.trigger();
    let meant = triggers::meaning(&trigger, entry.at, context, found);
    let acts = acts(entry, context, found);
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

fn acts(entry: &Located<Written>, context: &Context, found: &mut Collector) -> Acts {
    let (verb, target) = one(entry, found)?;
    options::check(entry, verb, found);
    match verb {
        Verb::Kill | Verb::Freeze | Verb::Cut | Verb::Slow | Verb::Disconnect => {
            program::acts(entry, verb, target, context, found)
        }
        Verb::Restart | Verb::Stop | Verb::Pause | Verb::Block | Verb::Partition => {
            broker::acts(entry, verb, target, context, found)
        }
        Verb::Purge | Verb::Delete => queue::acts(entry, verb, target, context, found),
    }
}

/// The one action of an entry, and what it acts upon.
fn one<'f>(
    entry: &'f Located<Written>,
    found: &mut Collector,
) -> Option<(Verb, &'f Located<Name>)> {
    match entry.actions().as_slice() {
        [] => {
            found.push(
                Mistake::new(entry.at, "a fault needs an action")
                    .needs(Whole::Node(entry.at))
                    .help("write what it does to whom: `kill: worker-1`"),
            );
            None
        }
        [only] => Some(*only),
        [_, (verb, name), ..] => {
            let text = format!("a fault has one action, and `{}` is a second one", verb.word());
            found.push(Mistake::new(name.at, text).help("make it an entry of its own"));
            None
        }
    }
}

/// How long a fault lasts; without `for` to the end.
fn lasts(entry: &Written, found: &mut Collector) -> Option<std::time::Duration> {
    let lasts: Located<Time> = entry.lasts?;
    if lasts.value.0.is_zero() {
        let help = "write how long, such as `for: 3s`; without `for` it lasts to the end";
        found.push(Mistake::new(lasts.at, "with `for: 0s` it is over at once").help(help));
    }
    Some(lasts.value.0)
}
