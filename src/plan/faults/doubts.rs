//! Warnings about faults that are allowed and probably show nothing.
//!
//! What is said here is what the file alone tells. How long RabbitMQ takes to boot, and how young
//! a queue must be to lose what was confirmed, was measured on 3.10, 4.0 and 4.3.

use std::time::Duration;

use crate::plan::context::Context;
use crate::plan::faults::beside;
use crate::plan::faults::collisions::note_deadline;
use crate::plan::faults::down::{Down, Downs};
use crate::plan::faults::timeline::{Event, Timeline, nodes};
use crate::scenario::collect::Collector;
use crate::scenario::expect::OrAny;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::scalar::Time;
use crate::scenario::trigger::{How, Verb};

/// What is younger may be lost with a killed broker, though it was confirmed.
const YOUNG: Duration = Duration::from_secs(1);
/// No version boots in less.
const BOOT: Duration = Duration::from_secs(2);
/// What RabbitMQ agrees upon with a client that asks for nothing else.
const HEARTBEAT: Duration = Duration::from_secs(60);

/// Records every doubt.
pub fn warn(timeline: &Timeline, downs: &Downs, context: &Context, found: &mut Collector) {
    for (index, event) in timeline.events.iter().enumerate() {
        let Some(event) = event else { continue };
        let doubts = [
            endless(event, context),
            outlasts(event, context),
            young(event, context),
            unnoticed(event, context),
            booting(event, index, timeline, downs, context),
        ];
        doubts.into_iter().flatten().for_each(|(lint, words)| found.warn(lint, words));
    }
    for one in beside::all(context) {
        let earliest = timeline.when(one.trigger).earliest;
        if earliest >= context.settle.deadline {
            let (at, cut) = (Time(earliest), deadline(context));
            let text = format!("{} waits until {at}, and the run is cut at {cut}", one.what);
            let mistake = note_deadline(Mistake::new(one.place, text), context);
            let help = "let it come sooner, or make the `deadline` of `settle` longer";
            found.warn(Lint::AfterTheDeadline, mistake.help(help));
        }
    }
}

/// What is doubtful, and in which words.
type Doubt = Option<(Lint, Mistake)>;

/// A broker that answers nobody until the deadline cuts the run.
fn endless(event: &Event, context: &Context) -> Doubt {
    let text = match event.verb {
        Verb::Pause => "without `for` nobody is answered until the run is cut",
        Verb::Block => "without `for` publishers wait until the run is cut",
        _ => return None,
    };
    if event.lasts.is_some() {
        return None;
    }
    let mistake = Mistake::new(event.target.at, format!("{text} at {}", deadline(context)));
    let help = "write how long it lasts: `for: 3s`";
    Some((Lint::EndlessFault, note_deadline(mistake, context).help(help)))
}

fn deadline(context: &Context) -> Time {
    Time(context.settle.deadline)
}

/// A run waits for every fault to be over, but not beyond its deadline.
fn outlasts(event: &Event, context: &Context) -> Doubt {
    let (from, lasts) = (event.when.earliest, event.lasts?);
    let end = from + lasts;
    if lasts.is_zero() || from >= context.settle.deadline || end < context.settle.deadline {
        return None;
    }
    let entry = event.entry;
    let places = [entry.lasts, entry.down_for, entry.restart_after];
    let place = places.into_iter().flatten().next().map_or(event.place, |time| time.at);
    let soonest = if event.when.exact.is_some() { "" } else { " at the soonest" };
    let (end, cut) = (Time(end), deadline(context));
    let text = format!("this is over at {end}{soonest}, and the run is cut at {cut}");
    let mistake = note_deadline(Mistake::new(place, text), context);
    let help = "make it shorter, or the `deadline` of `settle` longer";
    Some((Lint::AfterTheDeadline, mistake.help(help)))
}

/// A killed broker may lose what is in a young queue; fine where the file expects just that.
fn young(event: &Event, context: &Context) -> Doubt {
    let ends = matches!(event.verb, Verb::Restart | Verb::Stop);
    let killed = event.entry.how.is_some_and(|how| how.value == How::Sigkill);
    let meant = expects(context, &["young_queue", "unflushed"]);
    if !ends || !killed || meant || event.when.exact? >= YOUNG {
        return None;
    }
    let text = "the queues are less than a second old when the broker is killed";
    let help = "RabbitMQ may then lose what it has confirmed; write `at: 1s` or later, or expect \
                the cause `young_queue` or `unflushed`";
    Some((Lint::YoungQueue, Mistake::new(event.place, text).help(help)))
}

fn expects(context: &Context, causes: &[&str]) -> bool {
    let expected = context.file.expect.causes.iter().filter_map(OrAny::some);
    let mut words = expected.flat_map(|counts| &counts.entries).map(|(cause, _)| *cause);
    words.any(|cause| causes.contains(&cause))
}

/// A silent network is noticed by missing heartbeats, of which two in a row must be missing.
fn unnoticed(event: &Event, context: &Context) -> Doubt {
    if event.verb != Verb::Cut {
        return None;
    }
    let written = context.file.broker.as_ref().and_then(|broker| broker.heartbeat);
    let heartbeat = written.map_or(HEARTBEAT, |time| time.value.0);
    let two = heartbeat * 2;
    let place = event.entry.lasts.map_or(event.target.at, |time| time.at);
    let (take, cut) = (Time(two), deadline(context));
    let why = format!("two heartbeats of {} take {take}", Time(heartbeat));
    let text = match event.lasts {
        _ if heartbeat.is_zero() => "nobody notices a cut, as heartbeats are off".to_owned(),
        Some(lasts) if lasts < two => {
            format!("a cut of {} is over before anybody notices: {why}", Time(lasts))
        }
        None if event.when.earliest + two >= context.settle.deadline => {
            format!("nobody notices this before the run is cut at {cut}: {why}")
        }
        _ => return None,
    };
    let mistake = Mistake::new(place, text);
    let mistake = match written {
        Some(heartbeat) => mistake.note("`heartbeat` says so", heartbeat.at),
        None => mistake,
    };
    let help = "write `broker: { heartbeat: 1s }`, and cut for at least 3s";
    Some((Lint::UnnoticedCut, mistake.help(help)))
}

/// A node that was just started again is not there yet.
fn booting(
    event: &Event,
    index: usize,
    timeline: &Timeline,
    downs: &Downs,
    context: &Context,
) -> Doubt {
    let moment = event.when.exact?;
    let boots = |node| {
        let down: Down = downs.last(node, moment, index)?;
        let is_booting = moment >= down.to && moment < down.to + BOOT;
        is_booting.then_some((node, down))
    };
    let (who, down) = if event.is_of_broker() {
        let (node, down) = nodes(event.nodes).find_map(boots)?;
        (context.nodes.name(node), down)
    } else if event.asks() {
        // Any node can be asked.
        let all: Option<Vec<_>> = nodes(timeline.all).map(boots).collect();
        ("the broker".to_owned(), all?.first()?.1)
    } else {
        return None;
    };
    let by = timeline.event(down.by).filter(|by| by.verb == Verb::Restart)?;
    let text = format!("`{}` comes when {who} is booting", event.verb.word());
    let mistake = Mistake::new(event.place, text);
    let note =
        format!("it is started again at {}, and needs {} or more", Time(down.to), Time(BOOT));
    let help = "let it wait for the restart with `after: { fault: NAME }`";
    Some((Lint::BootingBroker, mistake.note(note, by.place).help(help)))
}
