//! A plausible variant for each seed: a few queues of every kind, producers, workers.

use std::time::Duration;

use rmq_scenario::plan::model::{
    AckMode, Confirms, DeadLetter, ExchangeId, ExchangeKind, ExchangeRef, Offset, Overflow,
    QueueId, QueueKind, Unconfirmed, Variant,
};

use crate::build::{Draft, WINDOW};
use crate::dice::Dice;

const SHARED: [&str; 2] = ["shared-1", "shared-2"];
const OWNED: [&str; 2] = ["owned-1", "owned-2"];

/// The exchanges that every run has.
struct Exchanges {
    fanout: ExchangeId,
    direct: ExchangeId,
    /// For dead letters: to all of them, and by the keys of the messages.
    dead: ExchangeId,
    sorted: ExchangeId,
}

/// Half of all runs keep what they have; in the others queues give messages up.
pub fn draw(dice: &mut Dice, rough: bool) -> Variant {
    let mut draft = Draft::new();
    let exchanges = Exchanges {
        fanout: draft.exchange("fanout", ExchangeKind::Fanout),
        direct: draft.exchange("direct", ExchangeKind::Direct),
        dead: draft.exchange("dead", ExchangeKind::Fanout),
        sorted: draft.exchange("sorted", ExchangeKind::Direct),
    };
    let leaving = dice.percent(60);
    let mut named = Vec::new();
    // Which of two queues in a round was declared first must not matter.
    let retry_first = dice.percent(50);
    if leaving && retry_first {
        named.push(retry(&mut draft, dice));
    }
    let shared = 1 + dice.below(2);
    for name in &SHARED[..shared] {
        let queue = if dice.percent(25) { draft.auto_delete(name) } else { draft.queue(name) };
        bind(&mut draft, dice, queue, &exchanges);
        named.push(queue);
        if leaving {
            gives_up(&mut draft, dice, queue, &exchanges);
        }
    }
    if leaving && !retry_first {
        named.push(retry(&mut draft, dice));
    }
    if leaving {
        named.extend(graves(&mut draft, dice, &exchanges));
    }
    let count = dice.below(4) + if leaving { dice.below(3) } else { 0 };
    for name in ["w-1", "w-2", "w-3", "w-4", "w-5"].iter().take(count) {
        worker(&mut draft, dice, name, &named);
    }
    for name in OWNED.iter().take(dice.below(3)) {
        let queue = draft.owned(name, dice.percent(60));
        bind(&mut draft, dice, queue, &exchanges);
        if leaving && dice.percent(40) {
            gives_up(&mut draft, dice, queue, &exchanges);
        }
        let ack = ack(dice);
        let worker = draft.worker(&format!("{name}-worker"), queue, ack);
        draft.0.workers[worker.index()].prefetch = dice.pick(&[0, 0, 1, 2]);
    }
    for name in ["p-1", "p-2"].iter().take(1 + dice.below(2)) {
        producer(&mut draft, dice, name, &exchanges);
    }
    if rough {
        roughen(&mut draft.0, dice);
    }
    draft.0
}

/// Some of it is not durable, and producers publish again what they do not know about.
fn roughen(plan: &mut Variant, dice: &mut Dice) {
    for queue in &mut plan.topology.queues {
        let classic = queue.kind == QueueKind::Classic;
        if classic && queue.owner.is_none() && !queue.auto_delete && dice.percent(25) {
            queue.kind = QueueKind::Quorum;
        } else if classic && dice.percent(25) {
            queue.durable = false;
        }
    }
    for exchange in &mut plan.topology.exchanges {
        let plain = matches!(exchange.name.as_str(), "fanout" | "direct");
        exchange.durable = !(plain && dice.percent(15));
    }
    for producer in &mut plan.producers {
        producer.persistent = dice.percent(65);
        producer.messages += dice.below(10) as u64;
        if dice.percent(60) {
            producer.unconfirmed = Unconfirmed::Republish;
        }
    }
}

fn dead_letter(exchange: ExchangeId, key: Option<&str>) -> DeadLetter {
    DeadLetter {
        exchange: ExchangeRef::Declared(exchange),
        routing_key: key.map(str::to_owned),
        at_least_once: false,
    }
}

/// Where messages wait before they come back.
fn retry(draft: &mut Draft, dice: &mut Dice) -> QueueId {
    let queue = draft.queue("retry");
    let entry = &mut draft.0.topology.queues[queue.index()];
    entry.message_ttl = Some(Duration::from_micros(dice.pick(&[0, 300, 2000])));
    entry.dead_letter = Some(dead_letter(ExchangeId(0), Some("shared-1")));
    queue
}

/// A queue with rules, and somewhere to send what it gives up.
fn gives_up(draft: &mut Draft, dice: &mut Dice, queue: QueueId, exchanges: &Exchanges) {
    let entry = &mut draft.0.topology.queues[queue.index()];
    if dice.percent(40) {
        entry.kind = QueueKind::Quorum;
        entry.delivery_limit = dice.pick(&[None, Some(0), Some(1), Some(2)]);
    }
    entry.message_ttl = dice.pick(&[None, None, Some(500), Some(4000)]).map(Duration::from_micros);
    entry.max_length = dice.pick(&[None, None, Some(1), Some(3), Some(6)]);
    entry.overflow = dice.pick(&[
        Overflow::DropHead,
        Overflow::DropHead,
        Overflow::RejectPublish,
        Overflow::RejectPublishDlx,
    ]);
    entry.dead_letter = match dice.below(6) {
        0 => None,
        1 => Some(dead_letter(exchanges.dead, dice.pick(&[None, Some("b")]))),
        2 => Some(dead_letter(exchanges.sorted, dice.pick(&[None, None, Some("a")]))),
        3 => Some(dead_letter(ExchangeId(0), dice.pick(&[None, Some("dead-1")]))),
        _ => Some(dead_letter(ExchangeId(0), Some("retry"))),
    };
}

/// Where dead letters end, perhaps by way of each other.
fn graves(draft: &mut Draft, dice: &mut Dice, exchanges: &Exchanges) -> Vec<QueueId> {
    let (first, second) = (draft.queue("dead-1"), draft.queue("dead-2"));
    for (queue, key) in [(first, "a"), (second, "b"), (second, "shared-1")] {
        draft.bind(exchanges.sorted, queue, key);
    }
    draft.bind(exchanges.dead, first, "");
    if dice.percent(60) {
        draft.bind(exchanges.dead, second, "");
    }
    let queues = &mut draft.0.topology.queues;
    if dice.percent(40) {
        queues[first.index()].message_ttl = Some(Duration::from_micros(400));
        queues[first.index()].dead_letter = Some(match dice.percent(50) {
            true => dead_letter(ExchangeId(0), Some("dead-2")),
            false => dead_letter(exchanges.sorted, None),
        });
    }
    if dice.percent(40) {
        queues[second.index()].kind = QueueKind::Stream;
        draft.bind(exchanges.fanout, second, "");
    }
    vec![first, second]
}

fn worker(draft: &mut Draft, dice: &mut Dice, name: &str, named: &[QueueId]) {
    let queue = dice.pick(named);
    let stream = draft.0.topology.queues[queue.index()].kind == QueueKind::Stream;
    let ack = match stream {
        true => dice.pick(&[AckMode::Manual { every: 1 }, AckMode::Early, AckMode::Never]),
        false => ack(dice),
    };
    let id = draft.worker(name, queue, ack);
    let entry = &mut draft.0.workers[id.index()];
    entry.prefetch = dice.pick(&[0, 0, 1, 2, 3]);
    if stream {
        entry.prefetch = dice.pick(&[3, 30]);
        entry.offset = Some(dice.pick(&[Offset::First, Offset::First, Offset::Next]));
    }
}

fn ack(dice: &mut Dice) -> AckMode {
    dice.pick(&[
        AckMode::Auto,
        AckMode::Auto,
        AckMode::Manual { every: 1 },
        AckMode::Manual { every: 1 },
        AckMode::Manual { every: 3 },
        AckMode::Early,
        AckMode::Never,
    ])
}

fn bind(draft: &mut Draft, dice: &mut Dice, queue: QueueId, exchanges: &Exchanges) {
    if dice.percent(60) {
        draft.bind(exchanges.fanout, queue, "");
    }
    for key in ["a", "b"] {
        if dice.percent(40) {
            draft.bind(exchanges.direct, queue, key);
        }
    }
}

fn producer(draft: &mut Draft, dice: &mut Dice, name: &str, exchanges: &Exchanges) {
    let messages = 1 + dice.below(14) as u64;
    let confirms = if dice.percent(50) { WINDOW } else { Confirms::Off };
    let id = match dice.below(5) {
        0 => draft.producer(name, ExchangeId(0), &["shared-1"], messages, confirms),
        1 => {
            let keys = ["shared-1", "owned-1", "shared-2", "nobody"];
            draft.producer(name, ExchangeId(0), &keys, messages, confirms)
        }
        2 => draft.producer(name, exchanges.direct, &["a", "b", "c"], messages, confirms),
        3 => {
            let keys = ["retry", "dead-1", "shared-1"];
            draft.producer(name, ExchangeId(0), &keys, messages, confirms)
        }
        _ => draft.producer(name, exchanges.fanout, &[""], messages, confirms),
    };
    draft.0.producers[id.index()].mandatory = dice.percent(40);
}
