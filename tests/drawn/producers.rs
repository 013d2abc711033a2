//! Producers of a drawn file.

use super::sketch::{Producer, Sketch};
use super::topology::KEYS;
use super::triggers;
use crate::dice::Dice;

const REPUBLISHES: &str = ", reconnect: { after: 20ms, unconfirmed: republish }";

/// Names first: starts and stops speak of anybody.
pub fn name(dice: &mut Dice, sketch: &mut Sketch) {
    for n in 1..=1 + dice.below(3) {
        let messages = match dice.below(4) {
            0 => 1 + dice.below(5),
            1 => 1 + dice.below(40),
            2 => 40 + dice.below(110),
            _ => 1 + dice.below(400),
        };
        sketch.producers.push(Producer {
            name: format!("p{n}"),
            count: if dice.percent(20) { 2 } else { 1 },
            messages,
            confirms: !dice.percent(30),
            is_sound: true,
            starts: true,
            ..Producer::default()
        });
    }
}

pub fn draw(dice: &mut Dice, sketch: &mut Sketch) {
    sketch.lines.push("producers:".to_owned());
    (0..sketch.producers.len()).for_each(|index| producer(dice, sketch, index));
}

fn producer(dice: &mut Dice, sketch: &mut Sketch, index: usize) {
    let mut line = format!("name: p{}", index + 1);
    sketch.producers[index].asks = sketch.is_rich && dice.percent(8);
    if sketch.producers[index].asks {
        // One after the other, and some wait in vain.
        sketch.producers[index].messages = 1 + dice.below(8);
        line += &format!(", rpc: {{ timeout: {}ms }}", 50 + dice.below(300));
    }
    let messages = sketch.producers[index].messages;
    line += &format!(", messages: {messages}");
    if sketch.producers[index].count > 1 {
        line += &format!(", count: {}", sketch.producers[index].count);
    }
    line += &format!(", to: {}", destination(dice, sketch, index));
    if dice.percent(40) {
        line += &format!(", rate: {}/s", messages * (1 + dice.below(5)));
    }
    line += &confirms(dice, sketch.producers[index].confirms);
    if dice.percent(25) {
        line += ", mandatory: true";
    }
    if dice.percent(25) {
        sketch.producers[index].transient = true;
        line += ", persistent: false";
    }
    line += ", body: \"{n} {producer} {dots}\"";
    line += dice.pick(&[", dots: 2", ", dots: [1, 2, 3]", ", dots: { range: [0, 4] }"]);
    line += dice.pick(&["", "", ", size: 64B", ", size: { range: [64B, 4KiB] }"]);
    if dice.percent(60) {
        line += &format!(", headers: {}", headers(dice));
    }
    if sketch.is_rich {
        line += &extras(dice, &mut sketch.producers[index]);
    }
    if dice.percent(20) {
        // Without confirms nobody knows what to publish again.
        let confirms = sketch.producers[index].confirms;
        let last = if confirms { REPUBLISHES } else { "" };
        let reconnect = dice.pick(&[", reconnect: false", ", reconnect: { after: 20ms }", last]);
        sketch.producers[index].reconnect = reconnect;
        line += reconnect;
    }
    if dice.percent(20) {
        let trigger = triggers::draw(dice, sketch);
        sketch.producers[index].starts = trigger.starts_with("at:");
        line += &format!(", start: {{ {trigger} }}");
    }
    sketch.lines.push(format!("  - {{ {line} }}"));
}

fn destination(dice: &mut Dice, sketch: &mut Sketch, index: usize) -> String {
    if dice.percent(2) {
        sketch.producers[index].is_sound = false;
        return "{ exchange: nowhere, missing: true, routing_key: a }".to_owned();
    }
    if sketch.exchanges.is_empty() || dice.percent(45) {
        let queue = dice.below(sketch.queues.len());
        return format!("{{ queue: {} }}", sketch.queues[queue].name);
    }
    let exchange = &sketch.exchanges[dice.below(sketch.exchanges.len())];
    if exchange.internal && !dice.percent(5) {
        return format!("{{ queue: {} }}", sketch.queues[0].name);
    }
    let mut key = || format!("\"{}\"", dice.pick(&KEYS));
    let (one, two) = (key(), key());
    // Nothing stands twice in a map.
    let key = match dice.below(4) {
        0 => one,
        3 if one != two => format!("{{ weighted: {{ {one}: 3, {two}: 1 }} }}"),
        1 => format!("[{one}, {two}]"),
        _ => format!("{{ random: [{one}, {two}, a.b] }}"),
    };
    sketch.producers[index].is_sound = !exchange.goes && !exchange.internal;
    format!("{{ exchange: {}, routing_key: {key} }}", exchange.name)
}

fn headers(dice: &mut Dice) -> String {
    let kind = dice.pick(&["red", "[red, blue, null]", "{ random: [red, blue] }"]);
    let size = dice.pick(&["1", "index", "{ range: [1, 2] }", "\"1\"", "[1, \"1\"]"]);
    let rest = dice.pick(&["", ", ok: [true, false]", ", ratio: 0.5", ", ok: { random: [true] }"]);
    format!("{{ kind: {kind}, size: {size}{rest} }}")
}

fn confirms(dice: &mut Dice, on: bool) -> String {
    if !on {
        return ", confirms: false".to_owned();
    }
    let n = 1 + dice.below(20);
    match dice.below(4) {
        0 => String::new(),
        1 => ", confirms: true".to_owned(),
        2 => format!(", confirms: {{ in_flight: {n} }}"),
        _ => format!(", confirms: {{ batch: {n}, timeout: 2s }}"),
    }
}

/// What changes the way of a message through its queues.
fn extras(dice: &mut Dice, producer: &mut Producer) -> String {
    let mut line = String::new();
    if dice.percent(15) {
        producer.ranks = true;
        line += dice.pick(&[
            ", priority: { range: [0, 9] }",
            ", priority: [0, 9, 5]",
            ", priority: { random: [1, 7, 255] }",
            ", priority: 3",
        ]);
    }
    if dice.percent(12) {
        producer.ttl = true;
        line += dice.pick(&[
            ", ttl: 100ms",
            ", ttl: [20ms, 500ms]",
            ", ttl: { range: [0ms, 300ms] }",
            ", ttl: { random: [0ms, 1ms, 400ms] }",
        ]);
    }
    line
}
