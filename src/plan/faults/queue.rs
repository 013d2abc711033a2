//! Faults that act on a queue: `purge` and `delete`.

use crate::plan::context::Context;
use crate::plan::faults::{Acts, moments};
use crate::plan::model::FaultAction;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::scalar::Name;
use crate::scenario::trigger::{Fault, Verb};

/// The one thing it does; all mistakes are recorded.
pub fn acts(
    entry: &Fault,
    verb: Verb,
    name: &Located<Name>,
    context: &Context,
    found: &mut Collector,
) -> Acts {
    let (word, text) = (verb.word(), &name.value.0);
    // A queue has no delivery in hand.
    let instead = format!("`after: {{ finished: N, of: {text} }}`");
    moments::none(entry, &format!("`{text}` is a queue"), &instead, found);
    let id = context.names.queue(name, &format!("a fault {word}s"), found)?;
    let written = &context.file.topology.queues[id.index()];
    if verb == Verb::Purge {
        return Some(vec![(format!("{word} {text}"), FaultAction::Purge(id))]);
    }
    if written.predeclared == Some(true) {
        let message = format!("queue `{text}` was there before the run");
        let mistake = Mistake::new(name.at, message).needs(Whole::Node(written.at));
        let help = "leave `predeclared` out to delete a queue of the run, or `purge` this one";
        found.push(mistake.note("it is `predeclared`", written.at).help(help));
        return None;
    }
    Some(vec![(format!("{word} {text}"), FaultAction::Delete(id))])
}
