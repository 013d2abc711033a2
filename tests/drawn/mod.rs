//! Scenario files drawn from a seed: valid ones, of every form that can be run, about a second
//! long each. Beside the text stands what is known of the outcome before anything runs.

mod faults;
mod producers;
mod queues;
mod sketch;
mod topology;
mod workers;

use crate::dice::Dice;
use sketch::{Exchange, Producer, Queue, Sketch, Worker};

/// A file and what must come of it.
#[derive(Debug)]
pub struct Drawn {
    pub seed: u64,
    pub yaml: String,
    /// When the run is cut, in milliseconds.
    pub deadline: u64,
    /// Nothing may be lost: what is acked was worked on, what is published is confirmed, and
    /// no queue goes or is purged.
    pub is_safe: bool,
    /// Nobody dies or stops, no queue goes, and no program is refused anything.
    pub is_calm: bool,
    /// No program can meet an AMQP error.
    pub is_sound: bool,
    /// What is in a queue is finished: no worker gets stuck below its prefetch, each queue has
    /// a worker from the start, and there is no other way out.
    pub flows: bool,
    /// A message stays in its queue until it is finished: nothing is requeued or dead-lettered.
    pub comes_once: bool,
    /// How many messages the producers publish, where nothing can keep them from it.
    pub published: Option<u64>,
    /// Outcomes of copies that need a reason in the file.
    pub ways: Vec<Way>,
    /// Producers that ask for answers.
    pub askers: Vec<String>,
    /// Names of streams.
    pub streams: Vec<String>,
}

/// How copies may leave one queue.
#[derive(Debug)]
pub struct Way {
    /// The name of the queue, or of the group whose temporary queues these are.
    pub queue: String,
    pub outcomes: Vec<&'static str>,
}

/// The file of a seed.
pub fn draw(seed: u64) -> Drawn {
    let mut dice = Dice::new(seed, "a file");
    let (is_rich, has_streams) = (dice.percent(75), dice.percent(35));
    let mut sketch = Sketch { is_rich, has_streams, ..Sketch::default() };
    sketch.lines.push(format!("scenario: drawn-{seed}"));
    sketch.lines.push(format!("seed: {}", dice.below(1000)));
    topology::draw(&mut dice, &mut sketch);
    producers::name(&mut dice, &mut sketch);
    workers::name(&mut dice, &mut sketch);
    producers::draw(&mut dice, &mut sketch);
    workers::draw(&mut dice, &mut sketch);
    faults::draw(&mut dice, &mut sketch);
    let is_short = sketch.is_endless() || dice.percent(4);
    let deadline = if is_short { 100 + dice.below(700) } else { 20_000 };
    // A fault that could only come behind the deadline is a mistake of the file.
    let deadline = deadline.max(faults::latest(&sketch) + 1);
    let idle = 100 + dice.below(400);
    let least = if dice.percent(10) { dice.below(600) } else { 0 };
    sketch.lines.push(format!(
        "settle: {{ idle: {idle}ms, at_least: {}ms, deadline: {deadline}ms }}",
        least.min(deadline - 1)
    ));
    if sketch.keeps_order() && dice.percent(30) {
        sketch.lines.push("expect: { order: fifo }".to_owned());
    }
    sketch.finish(seed, deadline as u64)
}
