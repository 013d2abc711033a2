//! Lints about exchanges, queues and bindings.

use crate::plan::count::Count;
use crate::plan::lints::flow::{behind, graves};
use crate::plan::lints::looked::{Looked, about};
use crate::plan::matcher::Matcher;
use crate::plan::model::{
    ExchangeId, ExchangeKind, ExchangeRef, Operation, QueueId, QueueKind, Scope,
};
use crate::plan::routing::Standing;
use crate::scenario::collect::Warning;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::{Mistake, shortened};
use crate::scenario::node::At;
use crate::scenario::topology::Table;

/// Persistent messages in a queue that does not outlive the broker.
pub fn transient_queue(looked: &Looked, out: &mut Vec<Warning>) {
    for (id, entry, queue) in looked.queues() {
        let kept = queue.durable || queue.exclusive || queue.auto_delete || queue.predeclared;
        if kept || queue.kind != QueueKind::Classic {
            continue;
        }
        let groups = looked.producers().zip(&looked.flow.sent);
        let sends = |sent: &crate::plan::lints::flow::Sent| sent.copies.contains_key(&id);
        let mut persistent =
            groups.filter(|((_, producer), sent)| producer.persistent && sends(sent));
        let Some(((producer, _), _)) = persistent.next() else { continue };
        let text = format!(
            "queue `{}` does not outlive a restart, and gets persistent messages",
            entry.name.value.0
        );
        let words = Mistake::new(looked.key(entry.at, "durable"), text)
            .note(format!("producer `{}` sends them", producer.name.value.0), producer.at)
            .help("leave `durable` out to keep both, or write `persistent: false` to keep neither");
        out.push(about(Lint::PersistentInTransientQueue, entry.at, words));
    }
}

/// A queue that RabbitMQ does not declare. (Measured on 3.10, 4.0 and 4.3: 406, invalid property.)
pub fn refused_queue(looked: &Looked, out: &mut Vec<Warning>) {
    for (_, entry, queue) in looked.queues() {
        let kind = match queue.kind {
            QueueKind::Classic => continue,
            QueueKind::Quorum => "a quorum queue",
            QueueKind::Stream => "a stream",
        };
        let all = [
            (!queue.durable, "durable", "always durable"),
            (queue.auto_delete, "auto_delete", "never deleted by itself"),
            (queue.exclusive, "exclusive", "never exclusive"),
        ];
        let wrong = all.into_iter().filter(|(wrong, ..)| *wrong && !queue.predeclared);
        for (_, key, is) in wrong {
            let name = &entry.name.value.0;
            let text = format!("RabbitMQ refuses `{name}`: {kind} is {is}");
            let words = Mistake::new(looked.key(entry.at, key), text);
            let help = format!("leave `{key}` out, or use `type: classic`");
            out.push(about(Lint::RefusedByBroker, entry.at, words.help(help)));
        }
    }
}

/// A binding that says what its exchange does not look at.
pub fn ignored_binding_key(looked: &Looked, out: &mut Vec<Warning>) {
    let kind = |exchange: ExchangeId| looked.variant.topology.exchanges[exchange.index()].kind;
    let bindings = looked.context.file.topology.bindings.iter();
    for (entry, binding) in bindings.zip(&looked.variant.topology.bindings) {
        let key = entry.routing_key.as_deref();
        let from = entry.from.value.as_str();
        let words = ignored(kind(binding.from), from, key, entry.headers.as_ref(), |key| {
            looked.key(entry.at, key)
        });
        out.extend(words.map(|words| about(Lint::IgnoredBindingKey, entry.at, words)));
    }
    for (entry, _) in looked.workers() {
        let Some(queue) = &entry.temporary_queue else { continue };
        for (index, binding) in queue.bindings.iter().enumerate() {
            let exchanges = looked.variant.topology.exchanges.iter();
            let Some(exchange) = exchanges.into_iter().find(|it| it.name == *binding.exchange)
            else {
                continue;
            };
            let key = binding.routing_key.as_deref();
            let place = |key: &str| place_in_temporary(looked, entry.at, index, key);
            let words =
                ignored(exchange.kind, &exchange.name, key, binding.headers.as_ref(), place);
            out.extend(words.map(|words| about(Lint::IgnoredBindingKey, entry.at, words)));
        }
    }
}

fn place_in_temporary(looked: &Looked, worker: At, index: usize, key: &str) -> At {
    use crate::scenario::node::Value;
    let node = looked.map(worker);
    let bindings = node.and_then(|node| node.get("temporary_queue")?.get("bindings"));
    let Some(Value::List(bindings)) = bindings.map(|node| &node.value) else { return worker };
    bindings.get(index).and_then(|binding| binding.get(key)).map_or(worker, |value| value.at)
}

fn ignored(
    kind: ExchangeKind,
    from: &str,
    key: Option<&str>,
    headers: Option<&Table>,
    place: impl Fn(&str) -> At,
) -> Option<Mistake> {
    let is = match kind {
        ExchangeKind::Direct => "direct",
        ExchangeKind::Fanout => "fanout",
        ExchangeKind::Topic => "topic",
        ExchangeKind::Headers => "headers",
    };
    let keyless = matches!(kind, ExchangeKind::Fanout | ExchangeKind::Headers);
    if keyless && key.is_some_and(|key| !key.is_empty()) {
        let text = format!("the {is} exchange `{from}` does not look at the keys of its bindings");
        let help = "leave `routing_key` out, or make the exchange `type: direct` or `type: topic`";
        return Some(Mistake::new(place("routing_key"), text).help(help));
    }
    if kind != ExchangeKind::Headers && headers.is_some_and(|headers| !headers.0.is_empty()) {
        let text = format!("the {is} exchange `{from}` does not look at headers");
        let help = "leave `headers` out, or make the exchange `type: headers`";
        return Some(Mistake::new(place("headers"), text).help(help));
    }
    None
}

/// An exchange that producers publish to and that leads nowhere.
pub fn exchange_without_bindings(looked: &Looked, out: &mut Vec<Warning>) {
    let topology = &looked.variant.topology;
    for (index, entry) in looked.context.file.topology.exchanges.iter().enumerate() {
        let id = ExchangeId::from_index(index + 1);
        let exchange = &topology.exchanges[id.index()];
        let led = topology.bindings.iter().any(|binding| binding.from == id);
        let probed = looked.variant.probes.iter().any(|probe| match &probe.operation {
            Operation::DeclareExchange { exchange: probed, .. } => probed.name == exchange.name,
            Operation::Publish { exchange: probed, .. } => *probed == exchange.name,
            _ => false,
        });
        if led || probed || exchange.alternate.is_some() || exchange.predeclared {
            continue;
        }
        if expects_unroutable(looked) || is_only_a_grave(looked, id) {
            continue;
        }
        let name = &entry.name;
        let text = format!("nothing is bound to the exchange `{}`", name.value.0);
        let mut words = Mistake::new(name.at, text);
        words.remark("what is published to it is dropped, though it is confirmed");
        let help = "bind a queue to it in `bindings`, or a `temporary_queue` of a worker";
        out.push(about(Lint::ExchangeWithoutBindings, entry.at, words.help(help)));
    }
}

/// Whether all that comes to an exchange is dead letters, which is a lint of its own.
fn is_only_a_grave(looked: &Looked, id: ExchangeId) -> bool {
    let here = ExchangeRef::Declared(id);
    let mut queues = looked.variant.topology.queues.iter();
    let buries =
        queues.any(|queue| queue.dead_letter.as_ref().is_some_and(|to| to.exchange == here));
    buries && looked.variant.producers.iter().all(|producer| producer.to.exchange != here)
}

/// Whether the file expects messages that no queue gets.
pub fn expects_unroutable(looked: &Looked) -> bool {
    looked.expects_some(&[Count::Unroutable, Count::Returned])
}

/// A dead letter exchange with no queue behind it.
pub fn dead_letter_to_nowhere(looked: &Looked, out: &mut Vec<Warning>) {
    let topology = &looked.variant.topology;
    for (_, entry, queue) in looked.queues() {
        let Some(dead_letter) = &queue.dead_letter else { continue };
        // What is missing, and keys at the default exchange, are looked at where they are read.
        let ExchangeRef::Declared(exchange) = dead_letter.exchange else { continue };
        if exchange == ExchangeId(0) {
            continue;
        }
        if !graves(topology, &Standing::whole(topology), dead_letter).is_empty() {
            continue;
        }
        let (name, to) = (&entry.name.value.0, &topology.exchanges[exchange.index()].name);
        let key = dead_letter.routing_key.as_deref().unwrap_or_default();
        let keyed = !behind(topology, exchange).is_empty();
        let text = if keyed {
            let key = shortened(key);
            format!("queue `{name}` dead-letters to `{to}`, which leads `{key}` to no queue")
        } else {
            format!("queue `{name}` dead-letters to `{to}`, and there is no queue behind it")
        };
        let mut words = Mistake::new(looked.key(entry.at, "dead_letter"), text);
        words.remark("what goes there is dropped");
        let help = match keyed {
            true => "bind a queue with that key, or leave `routing_key` out of `dead_letter`",
            false => "bind a queue to it in `bindings`",
        };
        out.push(about(Lint::DeadLetterToNowhere, entry.at, words.help(help)));
    }
}

/// Queues that are filled and not read, read and not filled, or neither.
pub fn idle_queue(looked: &Looked, out: &mut Vec<Warning>) {
    if looked.variant.producers.is_empty() {
        return;
    }
    for (id, entry, queue) in looked.queues() {
        let index = id.index();
        if queue.predeclared || looked.asks_about(id) {
            continue;
        }
        let name = &entry.name.value.0;
        let (filled, read) = (looked.flow.filled[index], looked.is_read(id));
        let found = match (filled, read) {
            (true, false) if direct(looked, id) && !is_meant_to_wait(looked, id) => (
                Lint::UnreadQueue,
                format!("no worker consumes from queue `{name}`, which gets messages"),
                "add a worker, or say what is left: `expect: { remaining: … }`",
            ),
            (false, true) => (
                Lint::UnfilledQueue,
                format!("no message can come to queue `{name}`, which a worker consumes from"),
                "publish to it or bind it, or say so: `expect: { queues: { NAME: { expected: 0 } } }`",
            ),
            (false, false) => (
                Lint::UnusedQueue,
                format!("queue `{name}` is never used: no message can come, and nobody reads it"),
                "leave it out, or publish to it or bind it",
            ),
            _ => continue,
        };
        let (lint, text, help) = found;
        let help = help.replace("NAME", name);
        out.push(about(lint, entry.at, Mistake::new(entry.name.at, text).help(help)));
    }
}

/// Whether a producer's own messages come to the queue, not only dead letters.
fn direct(looked: &Looked, id: QueueId) -> bool {
    looked.flow.sent.iter().any(|sent| sent.copies.contains_key(&id))
}

/// Whether messages are meant to stay in the queue, or to leave it by themselves.
fn is_meant_to_wait(looked: &Looked, id: QueueId) -> bool {
    let queue = &looked.variant.topology.queues[id.index()];
    let leaves = queue.message_ttl.is_some()
        || queue.expires.is_some()
        || queue.is_bounded()
        || looked.variant.producers.iter().any(|producer| producer.ttl.is_some());
    let stays = looked.expects_some(&[Count::Remaining, Count::StillQueued]);
    let nothing = looked.counts().any(|(scope, count, matcher)| {
        *scope == Scope::All && count == Count::Delivered && *matcher == Matcher::Exactly(0)
    });
    leaves || stays || nothing
}
