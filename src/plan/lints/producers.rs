//! Lints about what producers publish, and what becomes of it.

use std::time::Duration;

use crate::plan::count::Count;
use crate::plan::lints::looked::{Looked, about};
use crate::plan::lints::topology::expects_unroutable;
use crate::plan::matcher::Matcher;
use crate::plan::model::{
    Binding, BoundTo, BrokerAct, Confirms, CountEvent, ExchangeKind, ExchangeRef, Fault,
    FaultAction, Instance, Producer, ProducerId, QueueKind, Scope, Trigger,
};
use crate::plan::pattern::Pattern;
use crate::scenario::collect::Warning;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::{Mistake, list, shortened};
use crate::scenario::node::{At, Value};

/// So long after a publish it has been written, and RabbitMQ has what it is about.
/// (Measured on 3.10, 4.0 and 4.3: nothing was lost with a broker killed two seconds later.)
const WRITTEN: Duration = Duration::from_secs(2);

/// Keys that lead to no queue.
pub fn unroutable(looked: &Looked, out: &mut Vec<Warning>) {
    let topology = &looked.variant.topology;
    if expects_unroutable(looked) {
        return;
    }
    for ((entry, producer), sent) in looked.producers().zip(&looked.flow.sent) {
        let ExchangeRef::Declared(exchange) = producer.to.exchange else { continue };
        let bound = topology.bindings.iter().any(|binding| binding.from == exchange);
        let exchange = &topology.exchanges[exchange.index()];
        // An exchange without bindings is a lint of its own.
        let open = exchange.name.is_empty() || (bound && !exchange.predeclared);
        // Whoever publishes mandatory messages is told.
        if sent.nowhere.is_empty() || !open || producer.mandatory {
            continue;
        }
        let (name, to) = (&entry.name.value.0, &exchange.name);
        let keys = keys(&sent.nowhere);
        let (text, at) = match exchange.kind {
            // Of messages with headers nobody is expected to want all.
            ExchangeKind::Headers if !sent.copies.is_empty() => continue,
            ExchangeKind::Headers => {
                let text = format!("no binding of `{to}` takes any message of `{name}`");
                (text, looked.key(entry.at, "headers"))
            }
            _ if exchange.name.is_empty() => {
                let text = format!("no queue is called {keys}, as `{name}` publishes");
                (text, place_of_key(looked, entry.at, &sent.nowhere[0]))
            }
            _ => {
                let text = format!("no binding of `{to}` takes {keys}, as `{name}` publishes");
                (text, place_of_key(looked, entry.at, &sent.nowhere[0]))
            }
        };
        let mut words = Mistake::new(at, text);
        words.remark("what no queue takes is dropped, though it is confirmed");
        let help = "mend the key or a binding, or expect it: `expect: { unroutable: … }`";
        out.push(about(Lint::UnroutableMessages, entry.at, words.help(help)));
    }
}

/// Where a producer names a key: its entry of the list, or all of its keys.
fn place_of_key(looked: &Looked, producer: At, key: &str) -> At {
    let to = looked.map(looked.key(producer, "to"));
    let Some(keys) = to.and_then(|to| to.get("routing_key")) else { return producer };
    let listed = match &keys.value {
        Value::List(listed) => listed.as_slice(),
        _ => &[],
    };
    listed.iter().find(|item| item.text() == Some(key)).map_or(keys.at, |item| item.at)
}

fn keys(keys: &[String]) -> String {
    let shown: Vec<String> = keys.iter().take(3).map(|key| shortened(key)).collect();
    if keys.len() > shown.len() {
        let shown: Vec<String> = shown.iter().map(|key| format!("`{key}`")).collect();
        return shown.join(", ") + " and others";
    }
    list(shown.iter().map(String::as_str), "and")
}

/// Transient messages to queues that keep everything.
pub fn ignored_delivery_mode(looked: &Looked, out: &mut Vec<Warning>) {
    let queues = &looked.variant.topology.queues;
    for ((entry, producer), sent) in looked.producers().zip(&looked.flow.sent) {
        let mut reached = sent.copies.keys().map(|queue| &queues[queue.index()]).peekable();
        if producer.persistent || !sent.whole || reached.peek().is_none() {
            continue;
        }
        if !reached.all(|queue| queue.kind != QueueKind::Classic) {
            continue;
        }
        let name = &entry.name.value.0;
        let text =
            format!("`{name}` publishes transient messages, which its queues keep all the same");
        let words = Mistake::new(looked.key(entry.at, "persistent"), text);
        let help = "quorum queues and streams write every message; leave `persistent` out";
        out.push(about(Lint::IgnoredDeliveryMode, entry.at, words.help(help)));
    }
}

/// A priority that no queue of the messages looks at.
pub fn ignored_priority(looked: &Looked, out: &mut Vec<Warning>) {
    let queues = &looked.variant.topology.queues;
    for ((entry, producer), sent) in looked.producers().zip(&looked.flow.sent) {
        let mut reached = sent.copies.keys().map(|queue| &queues[queue.index()]).peekable();
        if producer.priority.is_none() || !sent.whole || reached.peek().is_none() {
            continue;
        }
        // Quorum queues look at it since 4.0.
        let blind = |kind, most: Option<u8>| kind == QueueKind::Stream || most.is_none();
        if !reached.all(|it| it.kind != QueueKind::Quorum && blind(it.kind, it.max_priority)) {
            continue;
        }
        let name = &entry.name.value.0;
        let text = format!("no queue that `{name}` publishes to looks at priorities");
        let words = Mistake::new(looked.key(entry.at, "priority"), text);
        let help = "give the queue a `max_priority`, or leave `priority` out";
        out.push(about(Lint::IgnoredPriority, entry.at, words.help(help)));
    }
}

/// A key at an exchange that looks at none, where no other exchange or dead letter does.
pub fn ignored_routing_key(looked: &Looked, out: &mut Vec<Warning>) {
    let topology = &looked.variant.topology;
    for ((entry, producer), sent) in looked.producers().zip(&looked.flow.sent) {
        let ExchangeRef::Declared(id) = producer.to.exchange else { continue };
        let exchange = &topology.exchanges[id.index()];
        let kind = match exchange.kind {
            ExchangeKind::Fanout => "fanout",
            ExchangeKind::Headers => "headers",
            ExchangeKind::Direct | ExchangeKind::Topic => continue,
        };
        let on = |binding: &Binding| matches!(binding.to, BoundTo::Exchange(_));
        let mut bindings = topology.bindings.iter().filter(|binding| binding.from == id);
        let goes_on = exchange.alternate.is_some() || bindings.any(on);
        let reached = sent.copies.keys().map(|queue| &topology.queues[queue.index()]);
        let mut letters = reached.filter_map(|queue| queue.dead_letter.as_ref());
        let keyless = producer.to.routing_key == Pattern::Always(String::new());
        if keyless || goes_on || letters.any(|letter| letter.routing_key.is_none()) {
            continue;
        }
        let (name, to) = (&entry.name.value.0, &exchange.name);
        let text =
            format!("the {kind} exchange `{to}` does not look at the key that `{name}` gives");
        let words = Mistake::new(place_of_key(looked, entry.at, ""), text);
        let help = "leave `routing_key` out, or make the exchange `type: direct` or `type: topic`";
        out.push(about(Lint::IgnoredRoutingKey, entry.at, words.help(help)));
    }
}

/// Nothing may be lost, nobody asks for confirms, and a fault can lose what is on its way.
pub fn unconfirmed_and_lost(looked: &Looked, out: &mut Vec<Warning>) {
    for (group, (entry, producer)) in looked.producers().enumerate() {
        if producer.confirms != Confirms::Off {
            continue;
        }
        let ids = &looked.variant.producer_groups[group].members;
        let sent = &looked.flow.sent[group];
        let concerns = |scope: &Scope| match scope {
            Scope::All => true,
            Scope::Producers(named) => named.iter().any(|id| ids.contains(id)),
            Scope::Queue(queue) => sent.copies.contains_key(queue),
            Scope::Queues(queues) => queues.iter().any(|it| sent.copies.contains_key(it)),
            Scope::Workers(_) => false,
        };
        let nothing = looked.counts().any(|(scope, count, matcher)| {
            count == Count::Lost && *matcher == Matcher::Exactly(0) && concerns(scope)
        });
        let mut faults = looked.variant.faults.iter().enumerate();
        let fault = faults
            .find(|(index, fault)| !waits_for(producer, *index) && can_lose(fault, producer, ids));
        let fault = fault.map(|(_, fault)| fault);
        let (true, Some(fault)) = (nothing, fault) else { continue };
        let name = &entry.name.value.0;
        let text = format!(
            "`{name}` asks for no confirms, and nothing may be lost when `{}` acts",
            fault.label
        );
        let words = Mistake::new(looked.key(entry.at, "confirms"), text);
        let mut words = words.note("the fault", fault.at);
        words.remark("what is on its way then is lost, and nobody knows");
        let help =
            "use `confirms: true` with `reconnect: { unconfirmed: republish }`, or expect a loss";
        out.push(about(Lint::LostWithoutConfirms, entry.at, words.help(help)));
    }
}

/// Whether the producer begins only when a fault is over.
fn waits_for(producer: &Producer, fault: usize) -> bool {
    match &producer.start {
        Some(Trigger::AfterFaults(ids)) => ids.iter().any(|id| id.index() == fault),
        _ => false,
    }
}

/// Whether a fault can take along what the producer has on its way.
fn can_lose(fault: &Fault, producer: &Producer, ids: &[ProducerId]) -> bool {
    let own = |target: Instance| matches!(target, Instance::Producer(id) if ids.contains(&id));
    let takes = match fault.action {
        FaultAction::Kill { target, .. }
        | FaultAction::Cut { target, .. }
        | FaultAction::Disconnect { target } => own(target),
        FaultAction::Broker { act, .. } => {
            matches!(act, BrokerAct::Restart { .. } | BrokerAct::Stop { .. })
        }
        _ => false,
    };
    let unanswered = match &fault.trigger {
        // It has no confirms to count, so whoever waits for one waits for another producer.
        Trigger::Count { event: CountEvent::Confirmed, .. } => false,
        Trigger::At(at) => span(producer)
            .is_none_or(|(start, end)| (start..end.saturating_add(WRITTEN)).contains(at)),
        _ => true,
    };
    takes && unanswered
}

/// When the first and the last message are due, if the file tells.
fn span(producer: &Producer) -> Option<(Duration, Duration)> {
    let start = match &producer.start {
        None => Duration::ZERO,
        Some(Trigger::At(at)) => *at,
        Some(_) => return None,
    };
    // Without a rate a hundred thousand small messages take about a second.
    let fast = Duration::from_micros(producer.messages.saturating_mul(10));
    #[expect(clippy::cast_precision_loss, reason = "it is an estimate")]
    let paced = producer.rate.map(|rate| producer.messages as f64 / rate);
    let paced = paced.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Some((start, start.checked_add(paced.unwrap_or(fast))?))
}
