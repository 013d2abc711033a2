//! Producers and workers of a drawn file.

use super::topology::{KEYS, binding};
use super::{Producer, Sketch, Worker, faults};
use crate::dice::Dice;

pub fn draw(dice: &mut Dice, sketch: &mut Sketch) {
    // Names first: starts and stops speak of anybody.
    let producers = 1 + dice.below(3);
    for n in 1..=producers {
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
        });
    }
    groups(dice, sketch);
    sketch.lines.push("producers:".to_owned());
    (0..producers).for_each(|index| producer(dice, sketch, index));
    if !sketch.workers.is_empty() {
        sketch.lines.push("workers:".to_owned());
    }
    (0..sketch.workers.len()).for_each(|index| worker(dice, sketch, index));
}

/// Who works where: an exclusive queue has one worker, any other up to two groups.
fn groups(dice: &mut Dice, sketch: &mut Sketch) {
    let mut places: Vec<Option<usize>> = Vec::new();
    for (index, queue) in sketch.queues.iter().enumerate() {
        if queue.exclusive || dice.percent(85) {
            places.push(Some(index));
        }
        if !queue.exclusive && dice.percent(25) {
            places.push(Some(index));
        }
    }
    if !sketch.exchanges.is_empty() && dice.percent(30) {
        places.push(None);
    }
    for (n, queue) in places.into_iter().enumerate() {
        let single = queue.is_some_and(|queue| sketch.queues[queue].exclusive);
        sketch.workers.push(Worker {
            name: format!("w{}", n + 1),
            count: if single { 1 } else { 1 + dice.below(3) },
            queue,
            ack: dice.pick(&["manual", "manual", "auto", "early", "never"]),
            stands_alone: !single && dice.percent(3),
            starts_at_once: true,
            flows: true,
        });
    }
}

fn producer(dice: &mut Dice, sketch: &mut Sketch, index: usize) {
    let mut line = format!("name: p{}", index + 1);
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
        line += ", persistent: false";
    }
    line += ", body: \"{n} {producer} {dots}\"";
    line += dice.pick(&[", dots: 2", ", dots: [1, 2, 3]", ", dots: { range: [0, 4] }"]);
    line += dice.pick(&["", "", ", size: 64B", ", size: { range: [64B, 4KiB] }"]);
    if dice.percent(60) {
        line += &format!(", headers: {}", headers(dice));
    }
    if dice.percent(20) {
        line += dice.pick(&[", reconnect: false", ", reconnect: { after: 20ms }"]);
    }
    if dice.percent(20) {
        let trigger = faults::trigger(dice, sketch);
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
    let mut key = || format!("\"{}\"", dice.pick(&KEYS));
    let (one, two) = (key(), key());
    // Nothing stands twice in a map.
    let key = match dice.below(4) {
        0 => one,
        3 if one != two => format!("{{ weighted: {{ {one}: 3, {two}: 1 }} }}"),
        1 => format!("[{one}, {two}]"),
        _ => format!("{{ random: [{one}, {two}, a.b] }}"),
    };
    sketch.producers[index].is_sound = !exchange.goes;
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

fn worker(dice: &mut Dice, sketch: &mut Sketch, index: usize) {
    let Worker { name, count, queue, ack, stands_alone, .. } = &sketch.workers[index];
    let (mut line, ack) = (format!("name: {name}, ack: {ack}"), *ack);
    if *count > 1 {
        line += &format!(", count: {count}");
    }
    if *stands_alone {
        line += ", exclusive: true";
    }
    line += &match queue {
        Some(queue) => format!(", queue: {}", sketch.queues[*queue].name),
        None => temporary(dice, sketch),
    };
    let prefetch = if dice.percent(50) { dice.below(11) } else { 0 };
    if prefetch > 0 {
        line += &format!(", prefetch: {prefetch}");
    }
    let every = if ack == "manual" && dice.percent(35) { 1 + dice.below(8) } else { 1 };
    if every > 1 {
        line += &format!(", ack_every: {every}");
    }
    let stuck = prefetch > 0 && (every > prefetch || ack == "never");
    line += &work(dice, most_work(sketch, index));
    line += dice.pick(&["", "", "", ", reconnect: false", ", reconnect: { after: 20ms }"]);
    if dice.percent(20) {
        line += &format!(", start: {{ {} }}", faults::trigger(dice, sketch));
        sketch.workers[index].starts_at_once = false;
    }
    if dice.percent(12) {
        line += &format!(", stop: {{ {} }}", faults::trigger(dice, sketch));
        sketch.is_hurt = true;
    }
    sketch.workers[index].flows = !stuck;
    sketch.lines.push(format!("  - {{ {line} }}"));
}

fn temporary(dice: &mut Dice, sketch: &Sketch) -> String {
    let bindings: Vec<String> = (0..1 + dice.below(2))
        .map(|_| {
            let from = dice.below(sketch.exchanges.len());
            format!("{{ {} }}", binding(dice, sketch, from, None))
        })
        .collect();
    format!(", temporary_queue: {{ bindings: [{}] }}", bindings.join(", "))
}

/// The longest work, in milliseconds, with which a group is done in a second or so.
fn most_work(sketch: &Sketch, index: usize) -> usize {
    let messages: usize = sketch.producers.iter().map(|it| it.messages * it.count).sum();
    (1500 * sketch.workers[index].count / messages).min(15)
}

fn work(dice: &mut Dice, most: usize) -> String {
    if most == 0 {
        return String::new();
    }
    let (one, two) = (dice.below(most + 1), 1 + dice.below(most));
    let (low, high) = (one.min(two), one.max(two));
    match dice.below(8) {
        0 | 1 => String::new(),
        2 => format!(", work: {one}ms"),
        3 => format!(", work: [{one}ms, {two}ms]"),
        4 => format!(", work: {{ random: [{one}ms, {two}ms, 0ms] }}"),
        5 => format!(", work: {{ weighted: {{ {low}ms: 9, {}ms: 1 }} }}", high + 1),
        6 => format!(", work: {{ range: [{low}ms, {high}ms] }}"),
        _ => format!(", work: {{ per_dot: {}ms }}", two.div_ceil(2)),
    }
}
