//! Faults that act on the broker, or on one of its nodes.

use std::time::Duration;

use crate::plan::context::Context;
use crate::plan::faults::{Acts, lasts, moments};
use crate::plan::model::{Alarm, BrokerAct, FaultAction, NodeId, StopHow};
use crate::plan::names::Thing;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::scalar::Name;
use crate::scenario::trigger::{self as written, Fault, How, Verb};

/// What a file calls the broker.
pub const WORD: &str = "broker";
/// How long a restarted broker is down.
pub const DOWN_FOR: Duration = Duration::from_millis(500);

/// The one thing it does; all mistakes are recorded.
pub fn acts(
    entry: &Located<Fault>,
    verb: Verb,
    name: &Located<Name>,
    context: &Context,
    found: &mut Collector,
) -> Acts {
    moments::none(entry, "the broker is none", "`after: { finished: 10 }`", found);
    if !is_broker(verb, name, context, found) {
        return None;
    }
    let node = node(entry, verb, context, found);
    let act = act(entry, verb, found);
    let label = match node {
        Ok(Some(node)) => format!("{} broker node {}", verb.word(), node.index() + 1),
        _ => format!("{} broker", verb.word()),
    };
    let action = FaultAction::Broker { act: act?, node: node.ok()? };
    Some(vec![(label, action)])
}

/// Whoever means a program or a queue is shown the words for that.
fn is_broker(verb: Verb, name: &Located<Name>, context: &Context, found: &mut Collector) -> bool {
    if &*name.value == WORD {
        return true;
    }
    let (word, text) = (verb.word(), &name.value.0);
    let what = context.names.get(&name.value);
    let is = what.map_or("is none".to_owned(), |thing| format!("is {}", thing.words()));
    let program = matches!(what, Some(Thing::Producers(_) | Thing::Workers(_)));
    let help = match verb {
        Verb::Restart if program => format!("write `kill: {text}` with `restart_after: 1s`"),
        Verb::Stop if program => format!("write `kill: {text}`"),
        Verb::Pause if program => format!("write `freeze: {text}`"),
        Verb::Block if program => "publishers are blocked by an alarm: `block: broker`".to_owned(),
        Verb::Partition if program => format!("write `cut: {text}`"),
        _ => format!("write `{word}: broker`; of a cluster, `node: 2` names one node"),
    };
    let text = format!("`{word}` acts on the broker, and `{text}` {is}");
    found.push(Mistake::new(name.at, text).help(help));
    false
}

/// The node it befalls; `Err` when what the file says cannot be.
fn node(
    entry: &Located<Fault>,
    verb: Verb,
    context: &Context,
    found: &mut Collector,
) -> Result<Option<NodeId>, ()> {
    if verb == Verb::Block {
        return Ok(None);
    }
    if verb == Verb::Partition && context.nodes.count == 1 {
        let text = "a `partition` parts a node from the others, and there is one node";
        let at = entry.partition.as_ref().map_or(entry.at, |name| name.at);
        let mistake = context.nodes.note(Mistake::new(at, text));
        let help = "write `broker: { nodes: 3 }`; to part a program from the broker, `cut` it";
        found.push(mistake.help(help));
        return Err(());
    }
    if verb == Verb::Partition && entry.node.is_none() {
        let text = "`partition` needs the key `node`";
        let mistake = Mistake::new(entry.at, text).needs(Whole::Node(entry.at));
        found.push(mistake.help("write which one is parted from the others: `node: 2`"));
        return Err(());
    }
    let who = format!("`{}: broker` acts on", verb.word());
    match (&entry.node, context.nodes.id(&entry.node, &who, found)) {
        (Some(_), None) => Err(()),
        (_, node) => Ok(node),
    }
}

fn act(entry: &Fault, verb: Verb, found: &mut Collector) -> Option<BrokerAct> {
    let down_for = entry.down_for.map_or(DOWN_FOR, |time| time.value.0);
    match verb {
        Verb::Restart => Some(BrokerAct::Restart { how: how(entry, found)?, down_for }),
        Verb::Stop => Some(BrokerAct::Stop { how: how(entry, found)? }),
        Verb::Pause => Some(BrokerAct::Pause { lasts: lasts(entry, found) }),
        Verb::Block => Some(BrokerAct::Block { alarm: alarm(entry), lasts: lasts(entry, found) }),
        _ => Some(BrokerAct::Partition { lasts: lasts(entry, found) }),
    }
}

fn how(entry: &Fault, found: &mut Collector) -> Option<StopHow> {
    let Some(how) = entry.how else { return Some(StopHow::Graceful) };
    match how.value {
        How::Graceful => Some(StopHow::Graceful),
        How::Sigkill => Some(StopHow::Sigkill),
        How::Crash | How::CloseConnection | How::CloseChannel | How::Cancel => {
            let text = "this is a way to kill a program, not to end a broker";
            found.push(Mistake::new(how.at, text).help("use `graceful` or `sigkill`"));
            None
        }
    }
}

fn alarm(entry: &Fault) -> Alarm {
    match entry.alarm.map(|alarm| alarm.value) {
        None | Some(written::Alarm::Memory) => Alarm::Memory,
        Some(written::Alarm::Disk) => Alarm::Disk,
    }
}
