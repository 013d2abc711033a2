//! Exchanges and bindings of a drawn file, and how many of what there are.

use super::queues;
use super::sketch::{Exchange, Sketch};
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
    sketch.queue_count = 1 + dice.below(if sketch.is_rich { 4 } else { 3 });
    sketch.exchange_count = dice.below(if sketch.is_rich { 4 } else { 3 });
    sketch.lines.push("topology:".to_owned());
    sketch.lines.push("  queues:".to_owned());
    for n in 1..=sketch.queue_count {
        queues::draw(dice, sketch, n);
    }
    let exchanges = sketch.exchange_count;
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
            let to = match sketch.is_rich && dice.percent(25) {
                true => format!("to_exchange: e{}", 1 + dice.below(exchanges)),
                false => format!("to: q{}", 1 + dice.below(sketch.queue_count)),
            };
            let line = binding(dice, sketch, from, Some(to));
            sketch.lines.push(format!("    - {{ {line} }}"));
        }
    }
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
    let internal = sketch.is_rich && dice.percent(10);
    if internal {
        line += ", internal: true";
    }
    if sketch.is_rich && dice.percent(20) {
        let alternate = match dice.percent(10) {
            true => "nowhere".to_owned(),
            false => format!("e{}", 1 + dice.below(sketch.exchange_count)),
        };
        line += &format!(", alternate_exchange: {alternate}");
    }
    sketch.lines.push(format!("    - {{ {line} }}"));
    sketch.exchanges.push(Exchange { name: format!("e{n}"), kind, goes, internal });
}

/// The keys of a binding from an exchange; without a far end, that of a temporary queue.
pub fn binding(dice: &mut Dice, sketch: &Sketch, from: usize, to: Option<String>) -> String {
    let exchange = &sketch.exchanges[from];
    let mut line = match to {
        Some(to) => format!("from: {}, {to}", exchange.name),
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
