//! A queue as meant: its keys, and its arguments that mean the same.

use crate::plan::context::Context;
use crate::plan::model::{DeadLetter, ExchangeId, ExchangeRef, NodeId, Overflow, Queue, QueueKind};
use crate::plan::names::{Other, Thing};
use crate::plan::topology::arguments::{Setting, Settings};
use crate::plan::topology::kinds;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::scalar::Time;
use crate::scenario::topology::{self as written, Strategy};

/// The argument by which RabbitMQ chooses the node of a queue's leader.
const LEADER: &str = "x-queue-leader-locator";

/// The queue of one entry; all mistakes are recorded.
pub fn plan(entry: &Located<written::Queue>, context: &Context, found: &mut Collector) -> Queue {
    let (queue, settings) = read(entry, context, found);
    kinds::check(&queue, &settings, found);
    not_both(entry, found);
    queue
}

/// The queue that a probe declares: what its type does not know is the broker's to refuse, which
/// may be just what the probe shows.
pub fn of_probe(
    entry: &Located<written::Queue>,
    context: &Context,
    found: &mut Collector,
) -> Queue {
    read(entry, context, found).0
}

fn read(
    entry: &Located<written::Queue>,
    context: &Context,
    found: &mut Collector,
) -> (Queue, Settings) {
    let mut settings = Settings::default();
    keys(entry, &mut settings, found);
    for (name, value) in entry.arguments.iter().flat_map(|table| &table.0) {
        settings.argument(name, value, found);
    }
    let queue = Queue {
        kind: kind(entry),
        durable: entry.durable.unwrap_or(true),
        auto_delete: entry.auto_delete.unwrap_or(false),
        exclusive: entry.exclusive.is_some_and(|exclusive| exclusive.value),
        predeclared: entry.predeclared.unwrap_or(false),
        message_ttl: settings.message_ttl,
        expires: settings.expires,
        max_length: settings.max_length,
        max_length_bytes: settings.max_length_bytes,
        overflow: settings.overflow.unwrap_or(Overflow::DropHead),
        dead_letter: dead_letter(entry, &settings, context, found),
        delivery_limit: settings.delivery_limit,
        max_priority: settings.max_priority,
        single_active_consumer: settings.single_active_consumer,
        node: node(entry, context, found),
        arguments: std::mem::take(&mut settings.others),
        ..Queue::named(&entry.name.value.0)
    };
    (queue, settings)
}

/// The type that the file says.
fn kind(entry: &written::Queue) -> QueueKind {
    match entry.kind.map(|kind| kind.value) {
        None | Some(written::QueueKind::Classic) => QueueKind::Classic,
        Some(written::QueueKind::Quorum) => QueueKind::Quorum,
        Some(written::QueueKind::Stream) => QueueKind::Stream,
    }
}

/// What the keys of an entry say.
fn keys(entry: &written::Queue, settings: &mut Settings, found: &mut Collector) {
    let mut time = |setting: Setting, time: &Option<Located<Time>>| {
        let time = time.as_ref()?;
        whole_milliseconds(setting, time, found).then_some(())?;
        settings.said.push((setting, time.at, setting.key()));
        Some(time.value.0)
    };
    let message_ttl = time(Setting::MessageTtl, &entry.message_ttl);
    let expires = time(Setting::Expires, &entry.expires);
    settings.message_ttl = message_ttl;
    settings.expires = expires;
    if let Some(expires) = entry.expires.filter(|expires| expires.value.0.is_zero()) {
        let text = "`expires` must be more than 0";
        found.push(Mistake::new(expires.at, text).help("write how long the queue may be unused"));
    }
    settings.max_length = settings.say(Setting::MaxLength, &entry.max_length, |n| n.0);
    settings.max_length_bytes =
        settings.say(Setting::MaxLengthBytes, &entry.max_length_bytes, |n| n.0);
    settings.overflow =
        settings.say(Setting::Overflow, &entry.overflow, |overflow| match overflow {
            written::Overflow::DropHead => Overflow::DropHead,
            written::Overflow::RejectPublish => Overflow::RejectPublish,
            written::Overflow::RejectPublishDlx => Overflow::RejectPublishDlx,
        });
    settings.delivery_limit =
        settings.say(Setting::DeliveryLimit, &entry.delivery_limit, |limit| limit.0);
    settings.max_priority = settings.say(Setting::MaxPriority, &entry.max_priority, |most| {
        u8::try_from(most.0).expect("a priority has 8 bits")
    });
    // What is `false` asks for nothing.
    let single = entry.single_active_consumer.filter(|single| single.value);
    settings.single_active_consumer =
        settings.say(Setting::SingleActiveConsumer, &single, |single| *single).unwrap_or(false);
    let Some(dead_letter) = &entry.dead_letter else { return };
    settings.said.push((Setting::DeadLetter, dead_letter.at, Setting::DeadLetter.key()));
    settings.dead_letter = Some(dead_letter.exchange.clone());
    settings.dead_letter_key =
        settings.say(Setting::DeadLetterKey, &dead_letter.routing_key, String::clone);
    let strategy = settings.say(Setting::Strategy, &dead_letter.strategy, |strategy| {
        *strategy == Strategy::AtLeastOnce
    });
    settings.at_least_once = strategy.unwrap_or(false);
}

/// The broker counts in milliseconds.
pub fn whole_milliseconds(setting: Setting, time: &Located<Time>, found: &mut Collector) -> bool {
    let whole = time.value.0.subsec_nanos().is_multiple_of(1_000_000);
    if !whole {
        let text = format!("`{}` must be whole milliseconds", setting.key());
        found.push(Mistake::new(time.at, text).help("write it like 250ms or 1.5s"));
    }
    whole
}

fn dead_letter(
    entry: &written::Queue,
    settings: &Settings,
    context: &Context,
    found: &mut Collector,
) -> Option<DeadLetter> {
    let routing_key = settings.dead_letter_key.clone();
    let Some(name) = &settings.dead_letter else {
        for setting in [Setting::DeadLetterKey, Setting::Strategy] {
            if let Some((at, word)) = settings.place(setting) {
                let text = format!("`{word}` needs an exchange to dead-letter to");
                let help =
                    "write `dead_letter: { exchange: NAME }`, `\"\"` for the default exchange";
                found.push(Mistake::new(at, text).help(help));
            }
        }
        return None;
    };
    let who = format!("queue `{}` dead-letters to the", entry.name.value.0);
    let help =
        format!("to reach a queue write `{{ exchange: \"\", routing_key: {} }}`", name.value);
    let other = Other { who: &who, reach_a_queue: &help, lint: Lint::DeadLetterToNowhere };
    let exchange = context.names.exchange_or_missing(name, other, found);
    if exchange == ExchangeRef::Declared(ExchangeId(0))
        && let (Some(key), Some((at, _))) = (&routing_key, settings.place(Setting::DeadLetterKey))
        && !matches!(context.names.get(key), Some(Thing::Queue(_)))
    {
        let text = format!("{who} default exchange, which knows no queue `{key}`");
        let help = "the key of a dead letter there is the name of a queue of this file";
        found.warn(Lint::DeadLetterToNowhere, Mistake::new(at, text).help(help));
    }
    Some(DeadLetter { exchange, routing_key, at_least_once: settings.at_least_once })
}

/// The node that the queue's leader is on.
fn node(entry: &written::Queue, context: &Context, found: &mut Collector) -> Option<NodeId> {
    let number = entry.node.as_ref()?;
    let name = &entry.name.value.0;
    if entry.exclusive.is_some_and(|exclusive| exclusive.value) {
        let text = format!("the exclusive queue `{name}` is where its worker is connected");
        let help = format!("say `node: {}` of that worker instead", number.value.0);
        found.push(Mistake::new(number.at, text).help(help));
    }
    let mut arguments = entry.arguments.iter().flat_map(|table| &table.0);
    if let Some((word, value)) = arguments.find(|(word, _)| word == LEADER) {
        let text = format!("`{word}` says what `node` says already");
        found.push(Mistake::new(value.at, text).help("keep one of them"));
    }
    context.nodes.id(&entry.node, &format!("queue `{name}` is on"), found)
}

/// What is there before the run belongs to no connection of it.
fn not_both(entry: &written::Queue, found: &mut Collector) {
    let exclusive = entry.exclusive.filter(|exclusive| exclusive.value);
    if let (Some(exclusive), Some(true)) = (exclusive, entry.predeclared) {
        let text =
            format!("queue `{}` cannot be both `predeclared` and `exclusive`", entry.name.value.0);
        let help = "an exclusive queue belongs to the connection that declares it; leave one of the two out";
        found.push(Mistake::new(exclusive.at, text).help(help));
    }
}
