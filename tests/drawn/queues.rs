//! Queues of a drawn file: types, and the settings by which messages leave them.

use super::sketch::{Queue, Sketch};
use crate::dice::Dice;

/// Draws the queue with this number. The others and the exchanges are known by number alone:
/// dead letters may go to what is drawn later.
pub fn draw(dice: &mut Dice, sketch: &mut Sketch, n: usize) {
    let kind = match sketch.is_rich {
        true if sketch.has_streams => dice.pick(&["classic", "quorum", "stream"]),
        true => dice.pick(&["classic", "classic", "quorum"]),
        false => "classic",
    };
    let mut queue = Queue { name: format!("q{n}"), kind, ..Queue::default() };
    let mut line = format!("name: q{n}");
    if kind != "classic" || dice.percent(10) {
        line += &format!(", type: {kind}");
    }
    if kind == "classic" {
        line += &lasting(dice, &mut queue);
    }
    if sketch.is_rich && kind != "stream" {
        line += &settings(dice, sketch, &mut queue);
    }
    sketch.lines.push(format!("    - {{ {line} }}"));
    sketch.queues.push(queue);
}

/// How long a classic queue lasts.
fn lasting(dice: &mut Dice, queue: &mut Queue) -> String {
    let mut line = String::new();
    if dice.percent(30) {
        queue.perishes = true;
        line += ", durable: false";
    }
    if dice.percent(12) {
        queue.auto_delete = true;
        line += ", auto_delete: true";
    }
    if dice.percent(10) {
        queue.exclusive = true;
        line += ", exclusive: true";
    }
    line
}

fn settings(dice: &mut Dice, sketch: &Sketch, queue: &mut Queue) -> String {
    let quorum = queue.kind == "quorum";
    let mut line = String::new();
    if dice.percent(25) {
        queue.ttl = true;
        let ttl = if dice.percent(5) { 0 } else { 20 + dice.below(280) };
        line += &format!(", message_ttl: {ttl}ms");
    }
    line += &length(dice, queue);
    // On 3.10 nothing tells a stream by which way a dead letter came.
    if !sketch.has_streams && dice.percent(60) {
        queue.letters = true;
        line += &letters(dice, sketch, queue);
    }
    if quorum && dice.percent(40) {
        queue.limited = true;
        line += &format!(", delivery_limit: {}", dice.pick(&[0, 1, 1, 2, 3]));
    }
    if !quorum && dice.percent(12) {
        line += &format!(", max_priority: {}", 1 + dice.below(9));
    }
    if !queue.exclusive && dice.percent(12) {
        queue.single = true;
        line += ", single_active_consumer: true";
    }
    // A quorum queue goes seconds later than it should.
    if dice.percent(if quorum { 1 } else { 5 }) {
        queue.expires = true;
        line += &format!(", expires: {}ms", 200 + dice.below(600));
    }
    line
}

/// How much it takes, and what it does with more.
fn length(dice: &mut Dice, queue: &mut Queue) -> String {
    let mut line = String::new();
    if dice.percent(15) {
        queue.bounded = true;
        line += &format!(", max_length: {}", dice.below(30));
    }
    if dice.percent(5) {
        queue.bounded = true;
        line += &format!(", max_length_bytes: {}", 10 + dice.below(1000));
    }
    // Also where nothing is bounded, and it says nothing.
    if dice.percent(if queue.bounded { 70 } else { 3 }) {
        let overflow = dice.pick(&["drop-head", "reject-publish", "reject-publish-dlx"]);
        queue.overflow = overflow;
        line += &format!(", overflow: {overflow}");
    }
    line
}

/// Where dead letters go: straight to a queue, through an exchange, or nowhere.
fn letters(dice: &mut Dice, sketch: &Sketch, queue: &Queue) -> String {
    let target = format!("q{}", 1 + dice.below(sketch.queue_count));
    let through = sketch.exchange_count > 0 && dice.percent(35);
    let exchange = match through {
        true => format!("e{}", 1 + dice.below(sketch.exchange_count)),
        false if dice.percent(5) => "nowhere".to_owned(),
        false => String::new(),
    };
    let key = match dice.percent(50) && !exchange.is_empty() {
        true if dice.percent(50) => String::new(),
        true => format!(", routing_key: {}", dice.pick(&["a", "a.b", "x.b.y"])),
        false => format!(", routing_key: {target}"),
    };
    // What has nowhere to go would stay inside the queue, where nobody sees it.
    let surely = queue.kind == "quorum" && queue.overflow == "reject-publish";
    let strategy = match surely && exchange.is_empty() && dice.percent(70) {
        true => ", strategy: at-least-once",
        false => "",
    };
    format!(", dead_letter: {{ exchange: \"{exchange}\"{key}{strategy} }}")
}
