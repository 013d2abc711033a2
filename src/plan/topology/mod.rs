//! Exchanges, queues and bindings as meant, and who owns an exclusive queue.

pub mod exchanges;
pub mod queues;
mod arguments;
mod kinds;

use std::collections::HashSet;

use crate::plan::context::Context;
use crate::plan::meaning;
use crate::plan::model::{Binding, BoundTo, Exchange, ExchangeId, ExchangeKind, Topology};
use crate::plan::pattern::Scalar;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::topology::{self as written, Match, Table};

/// The topology of the file; temporary queues come with their workers.
pub fn plan(context: &Context, found: &mut Collector) -> Topology {
    let written = &context.file.topology;
    let queues = written.queues.iter().filter_map(|queue| queue.passive);
    let all = queues.chain(written.exchanges.iter().filter_map(|it| it.passive));
    for passive in all.filter(|passive| passive.value) {
        let text = "`passive` is a word of probes";
        let help = "write `predeclared: true` for what exists before the run";
        found.push(Mistake::new(passive.at, text).help(help));
    }
    let mut exchanges = vec![Exchange::named("", ExchangeKind::Direct)];
    let declared = written.exchanges.iter();
    exchanges.extend(declared.map(|entry| exchanges::plan(entry, context, found)));
    let queues = written.queues.iter().map(|entry| queues::plan(entry, context, found)).collect();
    let bindings =
        written.bindings.iter().filter_map(|entry| binding(entry, context, found)).collect();
    Topology { exchanges, queues, bindings }
}

fn binding(
    binding: &Located<written::Binding>,
    context: &Context,
    found: &mut Collector,
) -> Option<Binding> {
    let from = source(&binding.from, context, found);
    let to = far_end(binding, context, found);
    let arguments = arguments(&binding.headers, binding.matching, found);
    let routing_key = binding.routing_key.clone().unwrap_or_default();
    Some(Binding {
        from: from?,
        to: to?,
        routing_key,
        headers: arguments.0,
        match_any: arguments.1,
    })
}

fn far_end(
    binding: &Located<written::Binding>,
    context: &Context,
    found: &mut Collector,
) -> Option<BoundTo> {
    const WHO: &str = "a binding leads to";
    match (&binding.to, &binding.to_exchange) {
        (Some(queue), None) => context.names.queue(queue, WHO, found).map(BoundTo::Queue),
        (None, Some(exchange)) => {
            let name = Located { at: exchange.at, value: exchange.value.0.clone() };
            context.names.exchange(&name, WHO, found).map(BoundTo::Exchange)
        }
        (Some(_), Some(exchange)) => {
            let text = "a binding has both `to` and `to_exchange`";
            let help = "keep one of them; a second binding can lead to the other";
            found.push(Mistake::new(exchange.at, text).help(help));
            None
        }
        (None, None) => {
            let text = "a binding needs the key `to`, the queue it leads to";
            let help = "write `to: QUEUE`, or `to_exchange: EXCHANGE`";
            let mistake = Mistake::new(binding.at, text).needs(Whole::Node(binding.at));
            found.push(mistake.help(help));
            None
        }
    }
}

/// The exchange of a binding; the default one has all its bindings by itself.
pub fn source(
    name: &Located<String>,
    context: &Context,
    found: &mut Collector,
) -> Option<ExchangeId> {
    if name.value.is_empty() {
        found.push(
            Mistake::new(name.at, "nothing can be bound to the default exchange")
                .help("it leads to every queue by the queue's name; leave this binding out"),
        );
        return None;
    }
    context.names.exchange(name, "a binding begins at", found)
}

/// The headers of a binding, and whether any of them is enough.
pub fn arguments(
    headers: &Option<Table>,
    matching: Option<Located<Match>>,
    found: &mut Collector,
) -> (Vec<(String, Scalar)>, bool) {
    if let (None, Some(matching)) = (headers, matching) {
        found.push(
            Mistake::new(
                matching.at,
                "`match` says how `headers` are compared, and there are none",
            )
            .help("add `headers: { … }`, or leave `match` out"),
        );
    }
    let entries = headers.iter().flat_map(|table| &table.0);
    let entries = entries.map(|(name, value)| (name.clone(), meaning::scalar(value))).collect();
    (entries, matching.is_some_and(|matching| matching.value == Match::Any))
}

/// An exclusive queue belongs to the one worker instance that consumes from it.
pub fn check_exclusive(context: &Context, topology: &Topology, found: &mut Collector) {
    let consumed = consumed(context);
    for (queue, written) in topology.queues.iter().zip(&context.file.topology.queues) {
        let name = &written.name.value.0;
        if !queue.exclusive || consumed.contains(name.as_str()) {
            continue;
        }
        let text = format!("no worker consumes from the exclusive queue `{name}`");
        let mistake = Mistake::new(written.name.at, text).needs(Whole::All(&["workers"]));
        found.push(mistake.help(
            "it is declared by the one worker that consumes from it; add that worker, or leave `exclusive` out",
        ));
    }
}

/// The names of the queues that workers consume from.
fn consumed<'f>(context: &Context<'f>) -> HashSet<&'f str> {
    let workers = context.file.workers.iter().filter(|worker| worker.condition != Some(false));
    workers.filter_map(|worker| worker.queue.as_ref()).map(|name| &*name.value.0).collect()
}
