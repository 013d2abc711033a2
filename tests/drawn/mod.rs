//! Scenario files drawn from a seed: valid ones, of every form that can be run, about a second
//! long each. Beside the text stands what is known of the outcome before anything runs.

// Each test program uses a part of this.
#![allow(dead_code)]

pub mod blows;
mod faults;
mod outcome;
mod plain;
mod producers;
mod queues;
mod sketch;
mod topology;
mod triggers;
mod workers;

use blows::Subject;
use rmq_scenario::plan::{self, Options};
use rmq_scenario::scenario::Source;
use sketch::Sketch;

use crate::dice::Dice;

/// When the run of a file is cut that is not about its deadline, in milliseconds.
const PATIENCE: usize = 60_000;

/// A file and what must come of it.
#[derive(Debug)]
pub struct Drawn {
    pub seed: u64,
    pub yaml: String,
    /// When the run is cut, in milliseconds.
    pub deadline: u64,
    /// Queues that lose nothing: what is acked was worked on, what is published is confirmed or
    /// arrives, and no queue goes or is purged, or dies with its broker.
    pub kept: Vec<String>,
    /// Nobody dies or stops, no queue goes, and no program is refused anything.
    pub is_calm: bool,
    /// No program can meet an AMQP error, but that of a connection that a fault ends.
    pub is_sound: bool,
    /// A fault may end a connection.
    pub loses_connections: bool,
    /// What is in a queue is finished: no worker gets stuck below its prefetch, each queue has
    /// a worker from the start, and there is no other way out.
    pub flows: bool,
    /// A message stays in its queue until it is finished: nothing is requeued or dead-lettered.
    pub comes_once: bool,
    /// How many messages the producers publish, where nothing can keep them from it.
    pub published: Option<u64>,
    /// Every publish is answered in the end.
    pub is_answered: bool,
    /// Every queue can be looked into at the end.
    pub is_reachable: bool,
    /// Outcomes of copies that need a reason in the file.
    pub ways: Vec<Way>,
    /// Causes that the file has a reason for.
    pub causes: Vec<&'static str>,
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

/// The file of a seed, for a broker that others use as well.
pub fn draw(seed: u64) -> Drawn {
    let mut dice = Dice::new(seed, "a file");
    let (is_rich, has_streams) = (dice.percent(75), dice.percent(35));
    let mut sketch = Sketch { is_rich, has_streams, ..Sketch::default() };
    sketch.lines.push(format!("scenario: drawn-{seed}"));
    sketch.lines.push(format!("seed: {}", dice.below(1000)));
    wide(&mut dice, &mut sketch);
    faults::draw(&mut dice, &mut sketch);
    settle(&mut dice, sketch, seed, 20_000)
}

/// The file of a seed about one fault, for a broker of its own.
pub fn draw_about(subject: Subject, seed: u64) -> Drawn {
    // What a draw says of faults may contradict itself: the first that does not is taken.
    let drawn = (0..50).map(|attempt| about(subject, seed, attempt));
    drawn.into_iter().find(is_valid).expect("one in fifty is valid")
}

fn about(subject: Subject, seed: u64, attempt: usize) -> Drawn {
    let mut dice = Dice::new(seed, &format!("{subject} {attempt}"));
    let is_plain = dice.percent(75);
    let (is_rich, has_streams) = (!is_plain && dice.percent(75), dice.percent(35));
    // A broker that has just come back drops what is published to a stream that is not back yet, on
    // 3.10 for as long as the channel lasts, and nothing explains that.
    let has_streams = has_streams && subject.whom != "broker";
    let mut sketch = Sketch { is_rich, has_streams, is_slow: true, ..Sketch::default() };
    sketch.lines.push(format!("scenario: {}-{seed}", subject.to_string().replace(' ', "-")));
    sketch.lines.push(format!("seed: {}", dice.below(1000)));
    if is_plain {
        plain::name(&mut dice, &mut sketch);
        plain::draw(&mut dice, &mut sketch);
    } else {
        wide(&mut dice, &mut sketch);
    }
    faults::about(&mut dice, &mut sketch, subject);
    settle(&mut dice, sketch, seed, PATIENCE)
}

fn is_valid(drawn: &Drawn) -> bool {
    plan::load(Source::new("drawn.yaml", &*drawn.yaml), &Options::default()).is_ok()
}

fn wide(dice: &mut Dice, sketch: &mut Sketch) {
    topology::draw(dice, sketch);
    producers::name(dice, sketch);
    workers::name(dice, sketch);
    producers::draw(dice, sketch);
    workers::draw(dice, sketch);
}

/// When it is over, and what must have held by then.
fn settle(dice: &mut Dice, mut sketch: Sketch, seed: u64, patience: usize) -> Drawn {
    let is_short = sketch.is_endless() || dice.percent(4);
    let deadline = if is_short { 100 + dice.below(700) } else { patience };
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
