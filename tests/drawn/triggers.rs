//! Moments of a drawn file: when a fault acts, a program starts or stops, or somebody looks.

use super::sketch::Sketch;
use crate::dice::Dice;

/// When most of what has a moment of the clock comes, in milliseconds after the beginning.
const SOON: usize = 400;
/// Some wait until the queues are older than a second.
const LATE: usize = 2_400;

/// Any trigger that is not a moment of a delivery.
pub fn draw(dice: &mut Dice, sketch: &Sketch) -> String {
    if dice.percent(35) {
        return at(dice, sketch);
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

/// One that comes nearly always, while there is something to do.
pub fn likely(dice: &mut Dice, sketch: &Sketch) -> String {
    if dice.percent(55) {
        return at(dice, sketch);
    }
    let producer = &sketch.producers[dice.below(sketch.producers.len())];
    let n = 1 + dice.below(producer.messages);
    match dice.below(4) {
        0 if producer.confirms => format!("after: {{ confirmed: {n}, of: {} }}", producer.name),
        1 => format!("after: {{ finished: {} }}", 1 + dice.below(6)),
        2 if dice.percent(30) => "after: { consuming: 1 }".to_owned(),
        _ => format!("after: {{ published: {n}, of: {} }}", producer.name),
    }
}

fn at(dice: &mut Dice, sketch: &Sketch) -> String {
    let within = if sketch.is_slow && dice.percent(50) { LATE } else { SOON };
    format!("at: {}ms", dice.below(within))
}
