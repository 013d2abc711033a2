//! Files about one fault with little around it, so that much can be said of what must come of it:
//! a queue or two of any type, publishers that know it, workers that do their work.

use super::sketch::{Producer, Queue, Sketch, Worker};
use super::triggers;
use crate::dice::Dice;

pub fn name(dice: &mut Dice, sketch: &mut Sketch) {
    sketch.lines.push("topology:".to_owned());
    sketch.lines.push("  queues:".to_owned());
    for n in 1..=dice.pick(&[1, 1, 2]) {
        queue(dice, sketch, n);
    }
    for n in 1..=dice.pick(&[1, 1, 2]) {
        sketch.producers.push(Producer {
            name: format!("p{n}"),
            count: dice.pick(&[1, 1, 1, 2]),
            messages: dice.pick(&[5, 20, 40, 100, 200]) + dice.below(20),
            confirms: !dice.percent(25),
            is_sound: true,
            starts: true,
            ..Producer::default()
        });
    }
    for index in 0..sketch.queues.len() {
        let ack = dice.pick(&["manual", "manual", "manual", "auto", "auto", "early", "never"]);
        let stream = sketch.queues[index].kind == "stream";
        sketch.workers.push(Worker {
            name: format!("w{}", index + 1),
            count: 1 + dice.below(3),
            queue: Some(index),
            ack: if stream && ack == "auto" { "manual" } else { ack },
            starts_at_once: true,
            flows: true,
            is_sound: true,
            ..Worker::default()
        });
    }
}

fn queue(dice: &mut Dice, sketch: &mut Sketch, n: usize) {
    let kind = match sketch.has_streams {
        true => dice.pick(&["classic", "quorum", "stream"]),
        false => dice.pick(&["classic", "classic", "classic", "quorum", "quorum"]),
    };
    let perishes = kind == "classic" && dice.percent(20);
    let durable = if perishes { ", durable: false" } else { "" };
    sketch.lines.push(format!("    - {{ name: q{n}, type: {kind}{durable} }}"));
    sketch.queues.push(Queue { name: format!("q{n}"), kind, perishes, ..Queue::default() });
}

pub fn draw(dice: &mut Dice, sketch: &mut Sketch) {
    sketch.lines.push("producers:".to_owned());
    (0..sketch.producers.len()).for_each(|index| producer(dice, sketch, index));
    sketch.lines.push("workers:".to_owned());
    (0..sketch.workers.len()).for_each(|index| worker(dice, sketch, index));
}

fn producer(dice: &mut Dice, sketch: &mut Sketch, index: usize) {
    let queue = sketch.queues[dice.below(sketch.queues.len())].name.clone();
    let Producer { name, count, messages, confirms, .. } = &mut sketch.producers[index];
    let mut line = format!("name: {name}, messages: {messages}, to: {{ queue: {queue} }}");
    if *count > 1 {
        line += &format!(", count: {count}");
    }
    if !dice.percent(20) {
        // For half a second, up to three.
        line += &format!(", rate: {}/s", (*messages * 10).div_ceil(5 + dice.below(25)));
    }
    line += match confirms {
        false => ", confirms: false",
        true => dice.pick(&[
            "",
            ", confirms: { in_flight: 1, timeout: 2s }",
            ", confirms: { in_flight: 7 }",
            ", confirms: { batch: 10, timeout: 1s }",
        ]),
    };
    let again = ", reconnect: { after: 50ms, unconfirmed: republish }";
    let known = if *confirms { again } else { ", reconnect: { after: 20ms }" };
    let reconnect = dice.pick(&["", ", reconnect: { after: 100ms }", known, known]);
    let producer = &mut sketch.producers[index];
    producer.reconnect = if dice.percent(5) { ", reconnect: false" } else { reconnect };
    line += producer.reconnect;
    producer.transient = dice.percent(25);
    if producer.transient {
        line += ", persistent: false";
    }
    line += dice.pick(&["", "", ", size: 200B", ", size: 20KiB", ", mandatory: true"]);
    sketch.lines.push(format!("  - {{ {line} }}"));
}

fn worker(dice: &mut Dice, sketch: &mut Sketch, index: usize) {
    let stream = sketch.queues[index].kind == "stream";
    let Worker { name, count, ack, .. } = &sketch.workers[index];
    let mut line = format!("name: {name}, queue: q{}, ack: {ack}", index + 1);
    if *count > 1 {
        line += &format!(", count: {count}");
    }
    let prefetch = if dice.percent(60) { dice.pick(&[1, 3, 10, 50]) } else { 0 };
    // A stream gives nothing without one.
    let prefetch = if stream { prefetch.max(10) } else { prefetch };
    if prefetch > 0 {
        line += &format!(", prefetch: {prefetch}");
    }
    if stream {
        line += ", offset: first";
    }
    let every = if *ack == "manual" && dice.percent(20) { 1 + dice.below(5) } else { 1 };
    if every > 1 {
        line += &format!(", ack_every: {every}");
    }
    line += dice.pick(&["", ", reconnect: { after: 20ms }", ", reconnect: { after: 500ms }"]);
    let work = most_work(sketch, index);
    line += &match dice.below(4) {
        0 => String::new(),
        1 => format!(", work: {work}ms"),
        _ => format!(", work: {{ range: [0ms, {}ms] }}", work + 1),
    };
    let flows = prefetch == 0 || every <= prefetch && *ack != "never";
    sketch.workers[index].flows = flows;
    if dice.percent(10) {
        line += &format!(", start: {{ {} }}", triggers::draw(dice, sketch));
        sketch.workers[index].starts_at_once = false;
    }
    if dice.percent(7) {
        line += &format!(", stop: {{ {} }}", triggers::draw(dice, sketch));
        sketch.stops = true;
        sketch.workers[index].stops = true;
    }
    sketch.lines.push(format!("  - {{ {line} }}"));
}

/// The longest work, in milliseconds, with which a group is done in two seconds or so.
fn most_work(sketch: &Sketch, index: usize) -> usize {
    let messages: usize = sketch.producers.iter().map(|it| it.messages * it.count).sum();
    let stream = sketch.queues[index].kind == "stream";
    // On a stream everybody reads everything.
    let count = if stream { 1 } else { sketch.workers[index].count };
    (2000 * count / messages).min(60)
}
