//! Triggers, faults and observations of a drawn file.

use super::Sketch;
use crate::dice::Dice;

pub fn draw(dice: &mut Dice, sketch: &mut Sketch) {
    let faults = if dice.percent(25) { 0 } else { 1 + dice.below(4) };
    if faults > 0 {
        sketch.is_hurt = true;
        sketch.lines.push("faults:".to_owned());
    }
    for _ in 0..faults {
        let line = fault(dice, sketch);
        sketch.lines.push(format!("  - {{ {line} }}"));
    }
    if dice.percent(25) {
        sketch.lines.push("observe:".to_owned());
        for n in 0..1 + dice.below(2) {
            let trigger = trigger(dice, sketch);
            sketch.lines.push(format!("  - {{ name: look{n}, when: {{ {trigger} }} }}"));
        }
    }
}

/// The last moment that a fault is sure to come only after, in milliseconds: the last one that is
/// a time, and behind it all that must be over before others come.
pub fn latest(sketch: &Sketch) -> usize {
    let times = |key: &'static str| {
        let lines = sketch.lines.iter().filter_map(move |line| line.split_once(key));
        let times = lines.filter_map(|(_, rest)| rest.split_once("ms"));
        times.filter_map(|(time, _)| time.parse::<usize>().ok())
    };
    times(", at: ").max().unwrap_or(0) + times("restart_after: ").sum::<usize>()
}

fn fault(dice: &mut Dice, sketch: &mut Sketch) -> String {
    let mut line = match sketch.is_rich && dice.percent(20) {
        true => befall(dice, sketch),
        false => kill(dice, sketch),
    };
    if dice.percent(40) {
        line += ", may_miss: true";
    }
    sketch.faults += 1;
    line + &format!(", name: f{}", sketch.faults)
}

fn kill(dice: &mut Dice, sketch: &mut Sketch) -> String {
    let worker = !sketch.workers.is_empty() && dice.percent(75);
    let mut line = if worker { kill_worker(dice, sketch) } else { kill_producer(dice, sketch) };
    if dice.percent(45) {
        line += &format!(", restart_after: {}ms", dice.below(200));
    }
    line
}

/// What happens to a queue.
fn befall(dice: &mut Dice, sketch: &mut Sketch) -> String {
    let queue = dice.below(sketch.queues.len());
    let word = dice.pick(&["purge", "purge", "delete"]);
    let trigger = trigger(dice, sketch);
    let queue = &mut sketch.queues[queue];
    // Nothing can be purged from a stream.
    if queue.kind == "stream" && word == "purge" {
        if !dice.percent(15) {
            return kill(dice, sketch);
        }
        sketch.is_refused = true;
    }
    queue.is_hit = true;
    format!("{word}: {}, {trigger}", queue.name)
}

fn kill_worker(dice: &mut Dice, sketch: &Sketch) -> String {
    let names = sketch.worker_names();
    let name = &names[dice.below(names.len())];
    let group = name.split('-').next();
    let manual = sketch.workers.iter().any(|it| Some(&*it.name) == group && it.ack == "manual");
    let n = if dice.percent(70) { 1 + dice.below(12) } else { 1 + dice.below(100) };
    let trigger = match dice.below(6) {
        0 | 1 => format!("during: {n}"),
        2 | 3 if manual => format!("before_ack: {n}"),
        _ => trigger(dice, sketch),
    };
    let how = dice.pick(&["", "crash", "close_connection", "close_channel", "cancel"]);
    let how = if how.is_empty() { String::new() } else { format!(", how: {how}") };
    format!("kill: {name}, {trigger}{how}")
}

fn kill_producer(dice: &mut Dice, sketch: &mut Sketch) -> String {
    sketch.hurts_producers = true;
    let names = sketch.producer_names();
    let name = &names[dice.below(names.len())];
    let how = dice.pick(&["", ", how: crash", ", how: close_connection", ", how: close_channel"]);
    format!("kill: {name}, {}{how}", trigger(dice, sketch))
}

/// Any trigger that is not a moment of a delivery.
pub fn trigger(dice: &mut Dice, sketch: &Sketch) -> String {
    if dice.percent(35) {
        return format!("at: {}ms", dice.below(400));
    }
    if sketch.faults > 0 && dice.percent(20) {
        return format!("after: {{ fault: f{} }}", 1 + dice.below(sketch.faults));
    }
    let n = if dice.percent(75) { 1 + dice.below(10) } else { 1 + dice.below(150) };
    let event = dice.pick(&["published", "confirmed", "finished", "acked", "consuming"]);
    let n = if event == "consuming" { 1 + dice.below(2) } else { n };
    let names = match event {
        "published" | "confirmed" => sketch.producer_names(),
        _ => sketch.worker_names(),
    };
    let queues = sketch.queues.iter().map(|queue| queue.name.clone()).collect();
    let names = if dice.percent(25) { queues } else { names };
    if names.is_empty() || dice.percent(30) {
        return format!("after: {{ {event}: {n} }}");
    }
    format!("after: {{ {event}: {n}, of: {} }}", names[dice.below(names.len())])
}
