//! Faults and observations of a drawn file.

use super::blows::{self, SUBJECTS, Subject};
use super::sketch::Sketch;
use super::triggers;
use crate::dice::Dice;

/// The faults of a file that is about nothing in particular, on a broker that others use as well.
pub fn draw(dice: &mut Dice, sketch: &mut Sketch) {
    let faults = if dice.percent(25) { 0 } else { 1 + dice.below(4) };
    let subjects: Vec<Subject> = (0..faults).map(|_| any(dice, sketch)).collect();
    write(dice, sketch, &subjects);
    observations(dice, sketch);
}

/// The faults of a file about this one: it, and perhaps others before or after it.
pub fn about(dice: &mut Dice, sketch: &mut Sketch, subject: Subject) {
    let mut subjects = vec![subject];
    for _ in 0..dice.pick(&[0, 0, 1, 1, 2]) {
        let other = if dice.percent(30) { dice.pick(&SUBJECTS) } else { any(dice, sketch) };
        let at = dice.below(subjects.len() + 1);
        // What befalls a worker needs one.
        if other.whom != "worker" || !sketch.workers.is_empty() {
            subjects.insert(at, other);
        }
    }
    write(dice, sketch, &subjects);
    observations(dice, sketch);
}

/// One that others do not feel.
fn any(dice: &mut Dice, sketch: &Sketch) -> Subject {
    if sketch.is_rich && dice.percent(20) {
        let word = dice.pick(&["purge", "purge", "delete"]);
        return Subject { word, whom: "queue", option: "" };
    }
    if dice.percent(50) {
        return blows::of_programs(dice, sketch);
    }
    let worker = !sketch.workers.is_empty() && dice.percent(75);
    Subject { word: "kill", whom: if worker { "worker" } else { "producer" }, option: "" }
}

fn write(dice: &mut Dice, sketch: &mut Sketch, subjects: &[Subject]) {
    if subjects.is_empty() {
        return;
    }
    sketch.lines.push("faults:".to_owned());
    for subject in subjects {
        let mut line = blows::draw(dice, sketch, *subject);
        if dice.percent(40) {
            line += ", may_miss: true";
        }
        sketch.faults += 1;
        line += &format!(", name: f{}", sketch.faults);
        sketch.lines.push(format!("  - {{ {line} }}"));
    }
    if let Some(heartbeat) = sketch.heartbeat {
        sketch.lines.push(format!("broker: {{ heartbeat: {heartbeat}s }}"));
    }
}

fn observations(dice: &mut Dice, sketch: &mut Sketch) {
    if !dice.percent(25) {
        return;
    }
    sketch.lines.push("observe:".to_owned());
    for n in 0..1 + dice.below(2) {
        let trigger = triggers::draw(dice, sketch);
        sketch.lines.push(format!("  - {{ name: look{n}, when: {{ {trigger} }} }}"));
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
    let spans: usize = ["restart_after: ", "for: "].into_iter().flat_map(times).sum();
    times(", at: ").max().unwrap_or(0) + spans
}
