//! Faults of a drawn file that befall programs, the broker or queues: their words, and what each
//! of them can do to whom.

use super::sketch::Sketch;
use super::triggers;
use crate::dice::Dice;

/// What there is between two heartbeats unless a file says otherwise, in seconds.
const HEARTBEAT: usize = 10;
/// How much later than it should anything may happen on a busy machine, in milliseconds.
const SLACK: usize = 1_500;

/// Whom a fault befalls: a group by its position, and all its instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    Workers(usize),
    Producers(usize),
    Queue(usize),
    Broker,
}

/// One fault, as far as it decides what may come of it.
#[derive(Debug, Clone)]
pub struct Blow {
    pub word: &'static str,
    pub whom: Whom,
    /// What else the file says of it: how a broker or a program ends.
    pub option: &'static str,
    /// How long it lasts, in milliseconds; `None` is to the end.
    pub lasts: Option<usize>,
    /// When it comes, where that is a moment of the clock, in milliseconds.
    pub at: Option<usize>,
}

impl Blow {
    /// Whether it can be felt by these; what befalls the broker is felt by all.
    pub fn meets(&self, whom: Whom) -> bool {
        self.whom == whom || self.whom == Whom::Broker
    }

    /// Whether anybody can lose the connection by it.
    pub fn parts(&self, heartbeat: Option<usize>) -> bool {
        let silence = heartbeat.unwrap_or(HEARTBEAT) * 2000;
        match self.word {
            "disconnect" | "restart" | "stop" => true,
            "cut" | "pause" | "block" => self.lasts.is_none_or(|lasts| lasts + SLACK >= silence),
            _ => false,
        }
    }

    /// Whether anything can be lost or come again by it.
    pub fn hurts(&self, heartbeat: Option<usize>) -> bool {
        match self.word {
            "slow" => false,
            "freeze" => self.lasts.is_none(),
            "cut" | "pause" | "block" => self.parts(heartbeat),
            _ => true,
        }
    }
}

/// What a file can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    pub word: &'static str,
    /// `worker`, `producer`, `broker` or `queue`.
    pub whom: &'static str,
    pub option: &'static str,
}

const fn subject(word: &'static str, whom: &'static str, option: &'static str) -> Subject {
    Subject { word, whom, option }
}

/// Every fault that there is, on every kind of target.
pub const SUBJECTS: [Subject; 19] = [
    subject("kill", "worker", ""),
    subject("kill", "producer", ""),
    subject("freeze", "worker", ""),
    subject("freeze", "producer", ""),
    subject("cut", "worker", ""),
    subject("cut", "producer", ""),
    subject("slow", "worker", ""),
    subject("slow", "producer", ""),
    subject("disconnect", "worker", ""),
    subject("disconnect", "producer", ""),
    subject("restart", "broker", ""),
    subject("restart", "broker", ", how: sigkill"),
    subject("stop", "broker", ""),
    subject("stop", "broker", ", how: sigkill"),
    subject("pause", "broker", ""),
    subject("block", "broker", ", alarm: memory"),
    subject("block", "broker", ", alarm: disk"),
    subject("purge", "queue", ""),
    subject("delete", "queue", ""),
];

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let option = self.option.rsplit(' ').next().unwrap_or_default();
        let text = format!("{} {} {option}", self.word, self.whom);
        f.pad(text.trim_end())
    }
}

/// One of those that befall programs.
pub fn of_programs(dice: &mut Dice, sketch: &Sketch) -> Subject {
    let programs = SUBJECTS.iter().filter(|subject| subject.whom.ends_with("er"));
    let programs = programs.filter(|subject| subject.whom != "broker" && subject.word != "kill");
    let there = |subject: &&Subject| subject.whom != "worker" || !sketch.workers.is_empty();
    let programs: Vec<Subject> = programs.filter(there).copied().collect();
    dice.pick(&programs)
}

/// Draws one about this, and says it as the file does.
pub fn draw(dice: &mut Dice, sketch: &mut Sketch, subject: Subject) -> String {
    let (name, whom) = target(dice, sketch, subject);
    let lasts = lasts(dice, sketch, subject);
    let mut line = format!("{}: {name}", subject.word);
    let mut option = subject.option;
    if subject.word == "kill" {
        let ways = ["", ", how: crash", ", how: close_connection", ", how: close_channel"];
        option = dice.pick(&ways);
        if subject.whom == "worker" && dice.percent(20) {
            option = ", how: cancel";
        }
    }
    let trigger = trigger(dice, sketch, subject, whom);
    line += &format!(", {trigger}{option}");
    if subject.word == "slow" {
        line += &format!(", latency: {}ms", 1 + dice.below(60));
    }
    if let Some(lasts) = lasts {
        line += &format!(", {}: {lasts}ms", span(subject.word));
    }
    let at = trigger.strip_prefix("at: ").and_then(|it| it.strip_suffix("ms"));
    let at = at.and_then(|moment| moment.parse().ok());
    // A closed connection lasts no time.
    let lasts = if subject.word == "disconnect" { Some(0) } else { lasts };
    sketch.blows.push(Blow { word: subject.word, whom, option, lasts, at });
    line
}

/// What says how long it lasts.
fn span(word: &str) -> &'static str {
    match word {
        "kill" => "restart_after",
        "restart" => "down_for",
        _ => "for",
    }
}

fn target(dice: &mut Dice, sketch: &mut Sketch, subject: Subject) -> (String, Whom) {
    let group = |name: &str, all: Vec<String>| {
        let group = name.split('-').next().expect("a part");
        all.iter().position(|it| it == group).expect("a name of the file")
    };
    match subject.whom {
        "worker" => {
            let names = sketch.worker_names();
            let name = names[dice.below(names.len())].clone();
            let all = sketch.workers.iter().map(|it| it.name.clone()).collect();
            let index = group(&name, all);
            (name, Whom::Workers(index))
        }
        "producer" => {
            let names = sketch.producer_names();
            let name = names[dice.below(names.len())].clone();
            let all = sketch.producers.iter().map(|it| it.name.clone()).collect();
            let index = group(&name, all);
            (name, Whom::Producers(index))
        }
        "queue" => {
            let index = dice.below(sketch.queues.len());
            // Nothing can be purged from a stream.
            sketch.is_refused |= subject.word == "purge" && sketch.queues[index].kind == "stream";
            sketch.queues[index].is_hit = true;
            (sketch.queues[index].name.clone(), Whom::Queue(index))
        }
        _ => ("broker".to_owned(), Whom::Broker),
    }
}

fn lasts(dice: &mut Dice, sketch: &mut Sketch, subject: Subject) -> Option<usize> {
    match subject.word {
        "kill" => dice.percent(50).then(|| dice.below(300)),
        "freeze" => dice.percent(75).then(|| 20 + dice.below(900)),
        "slow" => dice.percent(70).then(|| 20 + dice.below(900)),
        "restart" => Some(dice.below(1200)),
        "pause" => Some(20 + dice.below(2500)),
        "block" => dice.percent(85).then(|| 50 + dice.below(2500)),
        "cut" => {
            // Else half a minute passes before anybody notices.
            let is_long = dice.percent(60);
            if is_long {
                sketch.heartbeat = Some(sketch.heartbeat.unwrap_or(1 + dice.below(2)));
            }
            match is_long && dice.percent(40) {
                true => None,
                false => Some(20 + dice.below(if is_long { 6000 } else { 1200 })),
            }
        }
        _ => None,
    }
}

fn trigger(dice: &mut Dice, sketch: &Sketch, subject: Subject, whom: Whom) -> String {
    let manual = |index: usize| sketch.workers[index].ack == "manual";
    let likely = sketch.is_slow && dice.percent(75);
    let n = if dice.percent(70) { 1 + dice.below(12) } else { 1 + dice.below(100) };
    let n = if likely { 1 + n % 6 } else { n };
    match whom {
        Whom::Workers(_) if subject.word != "slow" && dice.percent(30) => format!("during: {n}"),
        Whom::Workers(index) if subject.word != "slow" && manual(index) && dice.percent(40) => {
            format!("before_ack: {n}")
        }
        _ if likely => triggers::likely(dice, sketch),
        _ => triggers::draw(dice, sketch),
    }
}
