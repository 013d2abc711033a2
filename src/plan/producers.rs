//! Producers as meant: one for each instance.

use std::time::Duration;

use crate::plan::body::{self, Lengths};
use crate::plan::context::{Context, group};
use crate::plan::meaning;
use crate::plan::model::{
    Confirms, Destination, ExchangeId, ExchangeRef, Group, Producer, ProducerId, Trigger,
    Unconfirmed,
};
use crate::plan::names::{count, instances};
use crate::plan::pattern::{Pattern, Scalar};
use crate::plan::template::Template;
use crate::plan::triggers;
use crate::scenario::actors::{self as written, ConfirmSettings, Reconnect, To};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::node::At;

const IN_FLIGHT: u64 = 100;
const CONFIRM_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an rpc producer waits for an answer.
const RPC_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an instance waits before it connects again.
pub const RECONNECT_AFTER: Duration = Duration::from_millis(200);

/// All instances, and the groups they form.
pub fn plan(context: &Context, found: &mut Collector) -> (Vec<Producer>, Vec<Group<ProducerId>>) {
    let mut all = Vec::new();
    let mut groups = Vec::new();
    let there = context.file.producers.iter().filter(|entry| entry.condition != Some(false));
    for entry in there {
        let Some(first) = producer(entry, context, found) else { continue };
        let names = instances(&entry.name.value, count(&entry.count));
        let ids = (all.len()..all.len() + names.len()).map(ProducerId::from_index).collect();
        if let Some(longest) = names.last() {
            let (dots, size) = (first.dots.as_ref(), first.size.as_ref());
            let lengths = Lengths::new(&first.body, longest, dots, size);
            body::check_length(entry, &lengths, found);
        }
        groups.push(group(&entry.name.value, ids));
        all.extend(names.into_iter().map(|name| Producer { name, ..first.clone() }));
    }
    (all, groups)
}

fn producer(
    entry: &Located<written::Producer>,
    context: &Context,
    found: &mut Collector,
) -> Option<Producer> {
    let to = destination(entry, context, found);
    let start = start(&entry.start, context, found);
    let confirms = confirms(&entry.confirms, found);
    let body: Option<Template> = body::of_producer(entry, context, found);
    let ttl = entry.ttl.as_ref().map(|ttl| meaning::times(&ttl.value));
    if let (Some(ttl), Some(written)) = (&ttl, &entry.ttl) {
        whole_milliseconds(ttl, written.at, found);
    }
    let dots = entry.dots.as_ref().map(|dots| meaning::numbers(&dots.value));
    let size = entry.size.as_ref().map(|size| meaning::sizes(&size.value));
    let (reconnect, unconfirmed) = reconnect(entry, confirms, found);
    let who = format!("producer `{}` connects to", entry.name.value.0);
    let node = context.nodes.id(&entry.node, &who, found);
    Some(Producer {
        name: entry.name.value.0.clone(),
        to: to?,
        messages: entry.messages.value.0,
        rate: entry.rate.map(|rate| rate.0),
        start: start?,
        persistent: entry.persistent.unwrap_or(true),
        confirms: confirms?,
        mandatory: entry.mandatory.unwrap_or(false),
        body: body?,
        dots,
        size,
        priority: entry.priority.as_ref().map(|priority| meaning::numbers(&priority.value)),
        ttl,
        headers: headers(entry),
        rpc: entry.rpc.as_ref().map(|rpc| rpc.timeout.map_or(RPC_TIMEOUT, |time| time.0)),
        node,
        reconnect,
        unconfirmed,
    })
}

/// The trigger of a start or stop; `Some(None)` when there is none.
pub fn start(
    trigger: &Option<Located<crate::scenario::trigger::Trigger>>,
    context: &Context,
    found: &mut Collector,
) -> Option<Option<Trigger>> {
    match trigger {
        None => Some(None),
        Some(trigger) => triggers::plain(&trigger.value, trigger.at, context, found).map(Some),
    }
}

/// AMQP counts how long a message lives in milliseconds.
fn whole_milliseconds(ttl: &Pattern<Duration>, at: At, found: &mut Collector) {
    let values = match ttl {
        Pattern::Range(low, high) => vec![*low, *high],
        ttl => ttl.values().unwrap_or_default(),
    };
    if values.iter().any(|time| !time.subsec_nanos().is_multiple_of(1_000_000)) {
        let text = "`ttl` must be whole milliseconds";
        found.push(Mistake::new(at, text).help("write it like 250ms or 1.5s"));
    }
}

fn headers(entry: &written::Producer) -> Vec<(String, Pattern<Scalar>)> {
    let headers = entry.headers.iter().flat_map(|headers| &headers.0);
    headers.map(|(name, pattern)| (name.clone(), meaning::scalars(&pattern.value))).collect()
}

fn destination(
    entry: &Located<written::Producer>,
    context: &Context,
    found: &mut Collector,
) -> Option<Destination> {
    let to = &entry.to;
    let who = format!("producer `{}` publishes to", entry.name.value.0);
    match (&to.queue, &to.exchange) {
        (Some(queue), None) => {
            beside_a_queue(to, found);
            context.names.queue(queue, &who, found)?;
            Some(Destination {
                exchange: ExchangeRef::Declared(ExchangeId(0)),
                routing_key: Pattern::Always(queue.value.0.clone()),
            })
        }
        (None, Some(exchange)) => {
            let exchange = match to.missing {
                Some(true) => context.names.missing(exchange, found),
                _ => context.names.exchange(exchange, &who, found).map(ExchangeRef::Declared),
            };
            let key = to.routing_key.as_ref().map(|key| meaning::texts(&key.value));
            let routing_key = key.unwrap_or(Pattern::Always(String::new()));
            Some(Destination { exchange: exchange?, routing_key })
        }
        (Some(_), Some(exchange)) => {
            found.push(
                Mistake::new(exchange.at, "`to` has both a `queue` and an `exchange`")
                    .help("keep one: `{ queue: q }` or `{ exchange: e, routing_key: k }`"),
            );
            None
        }
        (None, None) => {
            found.push(
                Mistake::new(to.at, "`to` needs a `queue` or an `exchange`")
                    .needs(Whole::Node(to.at))
                    .help("write `{ queue: q }` or `{ exchange: e, routing_key: k }`"),
            );
            None
        }
    }
}

fn beside_a_queue(to: &To, found: &mut Collector) {
    if let Some(key) = &to.routing_key {
        found.push(
            Mistake::new(key.at, "`to` a queue has no `routing_key`: it is the queue's name")
                .help("leave it out, or publish to an exchange: `{ exchange: e, routing_key: k }`"),
        );
    }
    if let (Some(true), Some(queue)) = (to.missing, &to.queue) {
        found.push(
            Mistake::new(queue.at, "`missing` is for an exchange that does not exist")
                .help("name an exchange instead of a queue: `{ exchange: e, missing: true }`"),
        );
    }
}

fn confirms(confirms: &Option<written::Confirms>, found: &mut Collector) -> Option<Confirms> {
    let settings = match confirms {
        Some(written::Confirms::Switch(false)) => return Some(Confirms::Off),
        None | Some(written::Confirms::Switch(true)) => {
            &ConfirmSettings { in_flight: None, batch: None, timeout: None }
        }
        Some(written::Confirms::Settings(settings)) => settings,
    };
    let timeout = settings.timeout.map_or(CONFIRM_TIMEOUT, |time| time.0);
    match (settings.in_flight, settings.batch) {
        (Some(_), Some(batch)) => {
            found.push(
                Mistake::new(batch.at, "`confirms` has both `in_flight` and `batch`")
                    .help("keep one: a moving window (`in_flight`) or one batch after the other"),
            );
            None
        }
        (None, Some(batch)) => Some(Confirms::Batch { size: batch.value.0, timeout }),
        (in_flight, None) => {
            let in_flight = in_flight.map_or(IN_FLIGHT, |window| window.value.0);
            Some(Confirms::Window { in_flight, timeout })
        }
    }
}

/// How long it waits before it connects again, if it does, and what it does with what was
/// unanswered.
fn reconnect(
    entry: &Located<written::Producer>,
    confirms: Option<Confirms>,
    found: &mut Collector,
) -> (Option<Duration>, Unconfirmed) {
    let settings = match &entry.reconnect {
        None => return (Some(RECONNECT_AFTER), Unconfirmed::Drop),
        Some(Reconnect(None)) => return (None, Unconfirmed::Drop),
        Some(Reconnect(Some(settings))) => settings,
    };
    let unconfirmed = match settings.unconfirmed {
        Some(Located { at, value: written::Unconfirmed::Republish }) => {
            needs_answers(entry, confirms, at, found);
            Unconfirmed::Republish
        }
        _ => Unconfirmed::Drop,
    };
    (Some(settings.after.map_or(RECONNECT_AFTER, |after| after.0)), unconfirmed)
}

/// Whoever is never answered does not know what to publish again.
fn needs_answers(
    entry: &Located<written::Producer>,
    confirms: Option<Confirms>,
    at: At,
    found: &mut Collector,
) {
    if confirms == Some(Confirms::Off) {
        let text = "with `confirms: false` nobody knows what has no answer, to `republish` it";
        let mistake = Mistake::new(at, text).needs(Whole::Node(entry.at));
        found.push(mistake.help("leave `confirms` out, or `unconfirmed`"));
    }
}
