//! Faults that cannot be done, and whatever else needs a broker that is not there: after the end
//! of the run, or while another fault has put the broker or its node out of work.
//!
//! Only what the file alone makes certain is a mistake.

use std::time::Duration;

use crate::plan::context::Context;
use crate::plan::faults::beside;
use crate::plan::faults::down::{Down, Downs};
use crate::plan::faults::timeline::{Event, Timeline, When, nodes};
use crate::scenario::collect::Collector;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;
use crate::scenario::scalar::Time;
use crate::scenario::trigger::Verb;

/// No more collisions of faults are told than these.
const MOST_TOLD: usize = 100;

/// Records them all.
pub fn check(timeline: &Timeline, downs: &Downs, context: &Context, found: &mut Collector) {
    let meeting = Meeting { timeline, downs, context };
    let events = timeline.events.iter().enumerate();
    let events = events.filter_map(|(index, event)| Some((index, event.as_ref()?)));
    let mistakes = events.filter_map(|(index, event)| meeting.mistake(event, index));
    mistakes.take(MOST_TOLD).for_each(|mistake| found.push(mistake));
    meeting.beside(found);
}

struct Meeting<'a, 'f> {
    timeline: &'a Timeline<'f>,
    downs: &'a Downs,
    context: &'a Context<'f>,
}

impl Meeting<'_, '_> {
    fn mistake(&self, event: &Event, index: usize) -> Option<Mistake> {
        let behind = self.behind_the_end(event);
        if event.is_of_broker() {
            return behind
                .or_else(|| self.ended(event, index))
                .or_else(|| self.away(event, index))
                .or_else(|| self.cannot_end(event, index));
        }
        let what = format!("`{}`", event.verb.word());
        let asking = || self.nobody_there(&what, event.place, event.when, index);
        behind.or_else(|| event.asks().then(asking).flatten())
    }

    fn behind_the_end(&self, event: &Event) -> Option<Mistake> {
        let deadline = self.context.settle.deadline;
        let When { exact, earliest, .. } = event.when;
        if earliest < deadline {
            return None;
        }
        let soonest = if exact.is_some() { "" } else { " at the soonest" };
        let (at, cut) = (Time(earliest), Time(deadline));
        let text = format!("this fault acts at {at}{soonest}, and the run is cut at {cut}");
        let mistake = note_deadline(Mistake::new(event.place, text), self.context);
        Some(mistake.help("let it act sooner, or make the `deadline` of `settle` longer"))
    }

    /// A fault on a node that does not work again.
    fn ended(&self, event: &Event, index: usize) -> Option<Mistake> {
        let gone = self.timeline.gone(event.when, index) & event.nodes;
        let node = nodes(gone).next()?;
        let by = self.timeline.who_ended(node, event.when, index)?;
        let (what, who) = (event.verb.word(), self.context.nodes.name(node));
        let text = format!("`{what}: broker` comes when {who} is {} for good", state(by.verb));
        Some(explained(Mistake::new(event.place, text), by))
    }

    /// A fault on a node that is away.
    fn away(&self, event: &Event, index: usize) -> Option<Mistake> {
        let moment = event.when.exact?;
        let (node, down) = self.downs.any(event.nodes, moment, index)?;
        let (what, who) = (event.verb.word(), self.context.nodes.name(node));
        let by = self.timeline.event(down.by)?;
        let text = format!("`{what}: broker` comes when {who} is {}", state(by.verb));
        Some(later(Mistake::new(event.place, text), by, down))
    }

    /// An alarm or a partition that is over when its node is not there to be told.
    fn cannot_end(&self, event: &Event, index: usize) -> Option<Mistake> {
        if !matches!(event.verb, Verb::Block | Verb::Partition) {
            return None;
        }
        let (what, from) = (event.verb.word(), event.when.exact?);
        let end = from + event.lasts?;
        let (at, place) = (Time(end), event.place);
        let then = When::at(end);
        let told = |node, by: &Event| {
            let (who, state) = (self.context.nodes.name(node), state(by.verb));
            let text = format!("this `{what}` ends at {at}, when {who} is {state}");
            let mistake = Mistake::new(place, text).note("that is done here", by.place);
            mistake.help("let it end sooner, or the other come later")
        };
        if let Some(node) = nodes(self.timeline.gone(then, index) & event.nodes).next() {
            return Some(told(node, self.timeline.who_ended(node, then, index)?));
        }
        let (node, down) = self.downs.any(event.nodes, end, index)?;
        Some(told(node, self.timeline.event(down.by)?))
    }

    /// Something that asks the broker when no node of it works.
    fn nobody_there(&self, what: &str, place: At, when: When, index: usize) -> Option<Mistake> {
        let all = self.timeline.all;
        if self.timeline.gone(when, index) == all {
            let by = self.timeline.who_ended(0, when, index)?;
            let text = format!("{what} needs the broker, which is {} for good", state(by.verb));
            return Some(explained(Mistake::new(place, text), by));
        }
        let down = self.downs.all(all, when.exact?, index)?;
        let by = self.timeline.event(down.by)?;
        let text = format!("{what} needs the broker, which is {}", state(by.verb));
        Some(later(Mistake::new(place, text), by, down))
    }

    /// Whatever else asks the broker.
    fn beside(&self, found: &mut Collector) {
        for one in beside::all(self.context).into_iter().filter(|one| one.asks) {
            let when = self.timeline.when(one.trigger);
            // What is no fault does not come first at a moment.
            let mistake = self.nobody_there(one.what, one.place, when, 0);
            mistake.into_iter().for_each(|mistake| found.push(mistake));
        }
    }
}

/// Says where the deadline comes from.
pub fn note_deadline(mistake: Mistake, context: &Context) -> Mistake {
    let deadline = context.file.settle.as_ref().and_then(|settle| settle.deadline);
    match deadline {
        Some(deadline) => mistake.note("`deadline` says so", deadline.at),
        None => mistake,
    }
}

/// What a fault makes of a node.
fn state(verb: Verb) -> &'static str {
    match verb {
        Verb::Pause => "paused",
        Verb::Stop => "stopped",
        _ => "down",
    }
}

/// Why a node does not work again, and what to do about it.
fn explained(mistake: Mistake, by: &Event) -> Mistake {
    if by.verb == Verb::Pause {
        let mistake = mistake.note("`pause` without `for` lasts to the end", by.place);
        return mistake.help("say there how long with `for: 3s`");
    }
    let mistake = mistake.note("`stop` does not bring it back", by.place);
    mistake.help("use `restart` there, or leave one of the two out")
}

/// Until when a node is away, and what to do about it.
fn later(mistake: Mistake, by: &Event, down: Down) -> Mistake {
    let (word, from, to): (_, Duration, Duration) = (by.verb.word(), down.from, down.to);
    let span = format!("`{word}` lasts from {} to {}", Time(from), Time(to));
    let name = by.entry.name.as_ref().map_or("NAME", |name| &name.value.0);
    let help = format!("let it wait for that: `after: {{ fault: {name} }}`");
    mistake.note(span, by.place).help(match by.entry.name {
        Some(_) => help,
        None => help + ", with a `name` for the other",
    })
}
