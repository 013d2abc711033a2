//! `during` and `before_ack`: moments of a worker's delivery, which only some faults can hit.

use crate::plan::context::Context;
use crate::plan::faults::program::Target;
use crate::plan::model::{Instance, WorkerId};
use crate::plan::names::count;
use crate::scenario::actors::Ack;
use crate::scenario::collect::Collector;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::node::At;
use crate::scenario::trigger::{Fault, Verb};

/// The moments that an entry gives, with their words and places.
fn given(entry: &Fault) -> Vec<(&'static str, At)> {
    let moments = [("during", entry.during), ("before_ack", entry.before_ack)];
    moments.into_iter().filter_map(|(word, n)| Some((word, n?.at))).collect()
}

/// What has no deliveries has none of their moments; `what` it is, and when to act instead.
pub fn none(entry: &Fault, what: &str, instead: &str, found: &mut Collector) {
    for (word, at) in given(entry) {
        let text = format!("`{word}` is a moment of a worker, and {what}");
        found.push(Mistake::new(at, text).help(format!("write {instead} or `at: 1s`")));
    }
}

/// Of a worker, and for `before_ack` of one that acks after its work.
pub fn of_programs(
    entry: &Fault,
    verb: Verb,
    targets: &[Target],
    context: &Context,
    found: &mut Collector,
) {
    let named = entry.actions();
    let name = named.first().map_or("", |(_, name)| &name.value);
    let producer = targets.iter().any(|(_, target)| matches!(target, Instance::Producer(_)));
    if producer {
        let what = format!("`{name}` is a producer");
        none(entry, &what, "`after: { published: N, of: NAME }`", found);
    } else if verb == Verb::Slow {
        let instead = format!("`after: {{ finished: N, of: {name} }}`");
        none(entry, "`slow` lasts longer than one delivery", &instead, found);
    }
    let manual = |target: &Instance| match target {
        Instance::Producer(_) => true,
        Instance::Worker(id) => acks_manually(*id, context),
    };
    if let Some(moment) = entry.before_ack
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
