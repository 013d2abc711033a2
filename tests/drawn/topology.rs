//! Queues, exchanges and bindings of a drawn file.

use super::{Exchange, Queue, Sketch};
use crate::dice::Dice;

/// Keys to publish with: some fit several bindings, some fit none.
pub const KEYS: [&str; 7] = ["a", "a.b", "a.b.c", "b.a", "b", "x.b.y", ""];
const BINDING_KEYS: [&str; 10] =
    ["a", "a.b", "a.*", "#", "*.b.#", "#.b", "*", "b", "x.#.y", "a.b.c"];
const HEADERS: [&str; 6] = [
    "{ kind: red }",
    "{ kind: red, size: 1 }",
    "{ size: 2, ok: true }",
    "{ ok: false }",
    "{ ratio: 0.5, kind: blue }",
    "{ size: \"1\" }",
];

pub fn draw(dice: &mut Dice, sketch: &mut Sketch) {
    sketch.lines.push("topology:".to_owned());
    sketch.lines.push("  queues:".to_owned());
    for n in 1..=1 + dice.below(3) {
        queue(dice, sketch, n);
    }
    let exchanges = dice.below(3);
    if exchanges == 0 {
        return;
    }
    sketch.lines.push("  exchanges:".to_owned());
    for n in 1..=exchanges {
        exchange(dice, sketch, n);
    }
    sketch.lines.push("  bindings:".to_owned());
    for from in 0..exchanges {
        for _ in 0..1 + dice.below(3) {
            let to = dice.below(sketch.queues.len());
            let line = binding(dice, sketch, from, Some(to));
            sketch.lines.push(format!("    - {{ {line} }}"));
        }
    }
}

fn queue(dice: &mut Dice, sketch: &mut Sketch, n: usize) {
    let mut line = format!("name: q{n}");
    if dice.percent(30) {
        line += ", durable: false";
    }
    let auto_delete = dice.percent(15);
    let exclusive = dice.percent(10);
    if auto_delete {
        line += ", auto_delete: true";
    }
    if exclusive {
        line += ", exclusive: true";
    }
    sketch.lines.push(format!("    - {{ {line} }}"));
    sketch.queues.push(Queue { name: format!("q{n}"), auto_delete, exclusive });
}

fn exchange(dice: &mut Dice, sketch: &mut Sketch, n: usize) {
    let kind = dice.pick(&["direct", "fanout", "topic", "topic", "headers"]);
    let goes = dice.percent(10);
    let mut line = format!("name: e{n}, type: {kind}");
    if goes {
        line += ", auto_delete: true";
    }
    if dice.percent(20) {
        line += ", durable: false";
    }
    sketch.lines.push(format!("    - {{ {line} }}"));
    sketch.exchanges.push(Exchange { name: format!("e{n}"), kind, goes });
}

/// The keys of a binding from an exchange; without a queue, that of a temporary one.
pub fn binding(dice: &mut Dice, sketch: &Sketch, from: usize, to: Option<usize>) -> String {
    let exchange = &sketch.exchanges[from];
    let mut line = match to {
        Some(queue) => format!("from: {}, to: {}", exchange.name, sketch.queues[queue].name),
        None => format!("exchange: {}", exchange.name),
    };
    match exchange.kind {
        "headers" => {
            line += &format!(", headers: {}", dice.pick(&HEADERS));
            line += dice.pick(&["", ", match: all", ", match: any"]);
        }
        "fanout" => {}
        "direct" => line += &format!(", routing_key: \"{}\"", dice.pick(&KEYS)),
        _ => line += &format!(", routing_key: \"{}\"", dice.pick(&BINDING_KEYS)),
    }
    line
}
