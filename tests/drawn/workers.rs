//! Workers of a drawn file.

use super::sketch::{Sketch, Worker};
use super::topology::binding;
use super::triggers;
use crate::dice::Dice;

/// Who works where: an exclusive queue has one worker, any other up to two groups.
pub fn name(dice: &mut Dice, sketch: &mut Sketch) {
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
        let of = queue.map(|queue| &sketch.queues[queue]);
        let single = of.is_some_and(|queue| queue.exclusive);
        let stream = of.is_some_and(|queue| queue.kind == "stream");
        let refused = stream || of.is_some_and(|queue| queue.single);
        let ack = dice.pick(&["manual", "manual", "auto", "early", "never"]);
        sketch.workers.push(Worker {
            name: format!("w{}", n + 1),
            count: if single { 1 } else { 1 + dice.below(3) },
            queue,
            // A stream refuses automatic acks.
            ack: if stream && ack == "auto" && !dice.percent(10) { "manual" } else { ack },
            stands_alone: !single && !refused && dice.percent(3),
            starts_at_once: true,
            flows: true,
            is_sound: true,
            ..Worker::default()
        });
    }
}

pub fn draw(dice: &mut Dice, sketch: &mut Sketch) {
    if !sketch.workers.is_empty() {
        sketch.lines.push("workers:".to_owned());
    }
    (0..sketch.workers.len()).for_each(|index| worker(dice, sketch, index));
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
    let of = queue.map(|queue| &sketch.queues[queue]);
    let stream = of.is_some_and(|queue| queue.kind == "stream");
    line += &match of {
        Some(queue) => format!(", queue: {}", queue.name),
        None => temporary(dice, sketch),
    };
    let letters = of.is_some_and(|queue| queue.letters);
    let prefetch = if stream || dice.percent(50) { dice.below(11) } else { 0 };
    // A stream gives nothing without one.
    let prefetch = if stream && !dice.percent(3) { prefetch.max(1) } else { prefetch };
    let mut drawn = sketch.workers[index].clone();
    if prefetch > 0 {
        line += &format!(", prefetch: {prefetch}");
    }
    let every = if ack == "manual" && dice.percent(35) { 1 + dice.below(8) } else { 1 };
    if every > 1 {
        line += &format!(", ack_every: {every}");
    }
    drawn.flows = prefetch == 0 || every <= prefetch && ack != "never";
    line += &work(dice, most_work(sketch, index));
    line += dice.pick(&["", "", "", ", reconnect: false", ", reconnect: { after: 20ms }"]);
    if stream {
        drawn.is_sound = ack != "auto" && prefetch > 0;
        line += &offset(dice, &mut drawn);
    }
    if sketch.is_rich {
        line += &extras(dice, &mut drawn, stream, letters);
    }
    if dice.percent(20) {
        line += &format!(", start: {{ {} }}", triggers::draw(dice, sketch));
        drawn.starts_at_once = false;
    }
    if dice.percent(12) {
        line += &format!(", stop: {{ {} }}", triggers::draw(dice, sketch));
        sketch.stops = true;
        drawn.stops = true;
    }
    sketch.workers[index] = drawn;
    sketch.lines.push(format!("  - {{ {line} }}"));
}

/// Where in a stream it begins.
fn offset(dice: &mut Dice, worker: &mut Worker) -> String {
    let offset = dice.pick(&["first", "first", "first", "last", "next", "3", "1000", ""]);
    worker.flows &= offset == "first";
    if offset.is_empty() { String::new() } else { format!(", offset: {offset}") }
}

/// What workers do but finish and ack.
fn extras(dice: &mut Dice, worker: &mut Worker, stream: bool, letters: bool) -> String {
    let mut line = String::new();
    let leaves = ["manual", "never"].contains(&worker.ack);
    if leaves && dice.percent(if stream { 4 } else { 35 }) {
        // Versions differ in what a stream makes of that; some end the connection.
        worker.is_sound &= !stream;
        line += &rejects(dice, worker, letters);
    }
    if !stream && dice.percent(10) {
        line += &format!(", priority: {}", dice.pick(&["-1", "1", "10"]));
    }
    if dice.percent(10) {
        line += ", reply: \"{n} is answered\"";
    }
    if ["manual", "early"].contains(&worker.ack) && dice.percent(2) {
        worker.is_sound = false;
        line += ", ack_on: another_channel";
    }
    line
}

/// Rules by which it refuses messages. What is dead-lettered may come back, so that nearly every
/// rule comes to an end: with `times`, or because what it refuses is gone.
fn rejects(dice: &mut Dice, worker: &mut Worker, letters: bool) -> String {
    let mut rules = Vec::new();
    for _ in 0..1 + dice.below(2) {
        let requeue = dice.percent(45);
        let which = match dice.below(3) {
            0 => format!("messages: [{}, {}]", 1 + dice.below(6), 7 + dice.below(30)),
            1 => format!("every: {}", 1 + dice.below(6)),
            _ => format!("share: {}%", 1 + dice.below(100)),
        };
        let mut rule = which;
        if requeue {
            worker.requeues = true;
            rule += ", requeue: true";
        } else {
            worker.rejects = true;
        }
        rule += dice.pick(&["", ", using: nack", ", using: reject", ", using: reject"]);
        // For ever, until the deadline.
        let endless = requeue && dice.percent(4);
        worker.is_endless |= endless;
        if !endless && (requeue || letters || dice.percent(30)) {
            rule += &format!(", times: {}", 1 + dice.below(3));
        }
        rules.push(format!("{{ {rule} }}"));
    }
    format!(", reject: [{}]", rules.join(", "))
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
