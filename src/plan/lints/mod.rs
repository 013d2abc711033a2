//! Warnings about what is allowed and probably not meant, one small pure function for each.
//!
//! They look at the plan of a variant, and at the file only for the place of what they found. A
//! good file is more than its parts: where a lesson shows just what a lint is about, the file says
//! so by what it expects, or by what it varies, and the lint knows these signs.

mod looked;
mod flow;
mod topology;
mod producers;
mod workers;
mod faults;
mod bounds;
mod expectations;
mod versions;
mod names;
mod tally;

use crate::plan::context::Context;
use crate::plan::lints::looked::Looked;
use crate::plan::model::Variant;
use crate::scenario::collect::{Collector, Warning};
use crate::scenario::node::At;

pub use names::unused_variables;
pub use tally::Tally;

/// Adds what it has to say about one variant.
type Rule = fn(&Looked, &mut Vec<Warning>);

/// All that look at one variant. Some lints are not here: `faults` and `rounds` of the plan find
/// theirs on their own way.
const RULES: [Rule; 25] = [
    topology::transient_queue,
    topology::refused_queue,
    topology::ignored_binding_key,
    topology::exchange_without_bindings,
    topology::dead_letter_to_nowhere,
    topology::idle_queue,
    producers::unroutable,
    producers::ignored_delivery_mode,
    producers::ignored_priority,
    producers::ignored_routing_key,
    producers::unconfirmed_and_lost,
    workers::prefetch_with_auto_ack,
    workers::prefetch_below_ack_every,
    workers::refused,
    faults::never_fires,
    faults::cannot_bite,
    expectations::never_fails,
    expectations::never_holds,
    expectations::never_holds_together,
    versions::queues,
    versions::rejects,
    versions::priorities,
    versions::broker,
    versions::sizes,
    names::shadowed,
];

/// Records every doubt about a variant without mistakes.
pub fn warn(context: &Context, variant: &Variant, found: &mut Collector) {
    let looked = Looked::new(context, variant);
    let mut out = Vec::new();
    RULES.iter().for_each(|rule| rule(&looked, &mut out));
    out.into_iter().for_each(|warning| found.doubt(warning));
}

/// The entries that a variant has: those that no `if` leaves out, and what it expects.
pub fn standing(context: &Context, variant: &Variant) -> Vec<At> {
    let file = context.file;
    let there = |condition: Option<bool>| condition != Some(false);
    let mut all: Vec<At> = file.topology.exchanges.iter().map(|entry| entry.at).collect();
    all.extend(file.topology.queues.iter().map(|entry| entry.at));
    all.extend(file.topology.bindings.iter().map(|entry| entry.at));
    all.extend(file.producers.iter().filter(|it| there(it.condition)).map(|it| it.at));
    all.extend(file.workers.iter().filter(|it| there(it.condition)).map(|it| it.at));
    all.extend(file.faults.iter().filter(|it| there(it.condition)).map(|it| it.at));
    all.extend(file.observe.iter().filter(|it| there(it.condition)).map(|it| it.at));
    all.extend(file.probes.iter().filter(|it| there(it.condition)).map(|it| it.at));
    all.extend(variant.expectations.iter().map(|it| it.at));
    all
}
