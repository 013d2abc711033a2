//! A plausible variant for each seed: a few queues of every kind, producers, workers.

use rmq_scenario::plan::model::{AckMode, Confirms, ExchangeId, ExchangeKind, QueueId, Variant};

use crate::build::{Draft, WINDOW};
use crate::dice::Dice;

const SHARED: [&str; 2] = ["shared-1", "shared-2"];
const OWNED: [&str; 2] = ["owned-1", "owned-2"];

pub fn draw(dice: &mut Dice) -> Variant {
    let mut draft = Draft::new();
    let fanout = draft.exchange("fanout", ExchangeKind::Fanout);
    let direct = draft.exchange("direct", ExchangeKind::Direct);
    let shared = 1 + dice.below(2);
    for name in &SHARED[..shared] {
        let queue = if dice.percent(25) { draft.auto_delete(name) } else { draft.queue(name) };
        bind(&mut draft, dice, queue, fanout, direct);
    }
    for name in ["w-1", "w-2", "w-3"].iter().take(dice.below(4)) {
        let queue = QueueId::from_index(dice.below(shared));
        let ack = ack(dice);
        let worker = draft.worker(name, queue, ack);
        draft.0.workers[worker.index()].prefetch = dice.pick(&[0, 0, 1, 2, 3]);
    }
    for name in OWNED.iter().take(dice.below(3)) {
        let queue = draft.owned(name, dice.percent(60));
        bind(&mut draft, dice, queue, fanout, direct);
        let ack = ack(dice);
        let worker = draft.worker(&format!("{name}-worker"), queue, ack);
        draft.0.workers[worker.index()].prefetch = dice.pick(&[0, 0, 1, 2]);
    }
    for name in ["p-1", "p-2"].iter().take(1 + dice.below(2)) {
        producer(&mut draft, dice, name, fanout, direct);
    }
    draft.0
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

fn bind(
    draft: &mut Draft,
    dice: &mut Dice,
    queue: QueueId,
    fanout: ExchangeId,
    direct: ExchangeId,
) {
    if dice.percent(60) {
        draft.bind(fanout, queue, "");
    }
    for key in ["a", "b"] {
        if dice.percent(40) {
            draft.bind(direct, queue, key);
        }
    }
}

fn producer(
    draft: &mut Draft,
    dice: &mut Dice,
    name: &str,
    fanout: ExchangeId,
    direct: ExchangeId,
) {
    let messages = 1 + dice.below(14) as u64;
    let confirms = if dice.percent(50) { WINDOW } else { Confirms::Off };
    let id = match dice.below(4) {
        0 => draft.producer(name, ExchangeId(0), &["shared-1"], messages, confirms),
        1 => {
            let keys = ["shared-1", "owned-1", "shared-2", "nobody"];
            draft.producer(name, ExchangeId(0), &keys, messages, confirms)
        }
        2 => draft.producer(name, direct, &["a", "b", "c"], messages, confirms),
        _ => draft.producer(name, fanout, &[""], messages, confirms),
    };
    draft.0.producers[id.index()].mandatory = dice.percent(40);
}
