//! The same fault twice at a time, and faults on programs that are dead by then.
//!
//! Twice at a time is a mistake: which of the two ends it would depend on which is over first. A
//! fault on the dead is only doubtful, as it does no harm.

use std::collections::HashMap;
use std::time::Duration;

use crate::plan::context::Context;
use crate::plan::faults::program;
use crate::plan::faults::timeline::{Event, Timeline, nodes};
use crate::plan::model::Instance;
use crate::plan::names::instances;
use crate::scenario::collect::Collector;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::scalar::Time;
use crate::scenario::trigger::{Alarm, How, Verb};

/// What a lasting fault holds, so that no other can hold it as well.
#[derive(PartialEq, Eq, Hash)]
enum Held {
    Disk,
    Memory,
    Parted(usize),
    Program(&'static str, Instance),
}

/// A while in which something is so, and the fault that makes it so.
#[derive(Clone, Copy)]
struct While {
    from: Duration,
    /// `None` is the end of the run.
    to: Option<Duration>,
    by: usize,
}

impl While {
    fn has(&self, moment: Duration) -> bool {
        self.to.is_none_or(|to| moment < to || moment == self.from)
    }
}

/// Records every fault that comes upon another one of its kind, or upon the dead.
pub fn check(timeline: &Timeline, context: &Context, found: &mut Collector) {
    let mut holds: HashMap<Held, While> = HashMap::new();
    let mut deaths: HashMap<Instance, While> = HashMap::new();
    for by in timeline.exact.iter().copied() {
        let Some(event) = &timeline.events[by] else { continue };
        let from = event.when.earliest;
        let this = While { from, to: event.lasts.map(|lasts| from + lasts), by };
        let targets = program::named(event.target, context).unwrap_or_default();
        let held = held(event, &targets);
        let other = held.iter().find_map(|held| holds.get(held).filter(|it| it.has(from)));
        if let Some((other, first)) = other.and_then(|it| Some((it, timeline.event(it.by)?))) {
            found.push(twice(event, first, other));
        }
        let is_dead = |it: &Instance| deaths.get(it).filter(|death| death.has(from));
        let death = targets.iter().enumerate().find_map(|(n, it)| Some((n, is_dead(it)?.by)));
        if let Some((n, death)) = death.and_then(|(n, by)| Some((n, timeline.event(by)?))) {
            found.warn(Lint::FaultOnTheDead, dead(event, n, targets.len(), death));
        }
        if kills(event) {
            deaths.extend(targets.into_iter().map(|target| (target, this)));
        }
        holds.extend(held.into_iter().map(|held| (held, this)));
    }
    behind_deaths(timeline, context, found);
}

fn held(event: &Event, targets: &[Instance]) -> Vec<Held> {
    match event.verb {
        Verb::Block => match event.entry.alarm.map(|alarm| alarm.value) {
            Some(Alarm::Disk) => vec![Held::Disk],
            _ => vec![Held::Memory],
        },
        Verb::Partition => nodes(event.nodes).map(Held::Parted).collect(),
        Verb::Freeze | Verb::Cut | Verb::Slow => {
            let program = |target: &Instance| Held::Program(event.verb.word(), *target);
            targets.iter().map(program).collect()
        }
        _ => Vec::new(),
    }
}

fn twice(event: &Event, first: &Event, span: &While) -> Mistake {
    let (word, from) = (event.verb.word(), Time(span.from));
    let until = span.to.map_or("the end".to_owned(), |to| Time(to).to_string());
    let text = format!("this `{word}` comes upon another one that is not over");
    let note = format!("that one lasts from {from} to {until}");
    let help = "let it come later, or make one longer fault of both";
    Mistake::new(event.place, text).note(note, first.place).help(help)
}

/// Whether nothing more can befall its target; after `cancel` its channel and connection live.
fn kills(event: &Event) -> bool {
    let how = event.entry.how.map(|how| how.value);
    event.verb == Verb::Kill && how != Some(How::Cancel)
}

/// The warning that the `n`-th of so many targets is dead.
fn dead(event: &Event, n: usize, targets: usize, death: &Event) -> Mistake {
    let name = &instances(&event.target.value, targets)[n];
    let text = format!("`{}` comes when `{name}` is dead, and shows nothing", event.verb.word());
    let mistake = Mistake::new(event.place, text).note("it was killed here", death.place);
    mistake.help("let it act before that, or bring the dead back with `restart_after`")
}

/// Warns of faults that wait for a death without return, and are meant for the dead.
fn behind_deaths(timeline: &Timeline, context: &Context, found: &mut Collector) {
    for event in timeline.events.iter().flatten() {
        let waited = event.when.behind.and_then(|by| timeline.event(by));
        let Some(death) = waited.filter(|it| kills(it) && it.lasts.is_none()) else { continue };
        let dying = program::named(death.target, context).unwrap_or_default();
        let targets = program::named(event.target, context).unwrap_or_default();
        if let Some(n) = targets.iter().position(|target| dying.contains(target)) {
            found.warn(Lint::FaultOnTheDead, dead(event, n, targets.len(), death));
        }
    }
}
