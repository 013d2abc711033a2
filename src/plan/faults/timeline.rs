//! The faults of a file on the line of time, as far as the file alone tells.
//!
//! Of a fault with `at` the moment is known. One behind another is known to come not before that
//! one is over. What waits for a count may come at any time. How long a broker needs to stop, to
//! boot or to notice anything is not known here.

use std::collections::HashMap;
use std::time::Duration;

use crate::plan::context::Context;
use crate::plan::faults::{broker, waiting};
use crate::plan::nodes::MOST;
use crate::scenario::decode::Located;
use crate::scenario::node::At;
use crate::scenario::scalar::{Name, Time};
use crate::scenario::trigger::{Fault, How, Trigger, Verb};

/// A set of nodes, a bit for each.
pub type Set = u64;

/// One fault on the line of time.
pub struct Event<'f> {
    pub entry: &'f Located<Fault>,
    pub verb: Verb,
    pub target: &'f Located<Name>,
    pub when: When,
    /// Where the file says when.
    pub place: At,
    /// How long what it does lasts; `None` is for good, or to the end of the run.
    pub lasts: Option<Duration>,
    /// The nodes that it acts upon.
    pub nodes: Set,
}

/// What a file tells of a moment.
#[derive(Debug, Clone, Copy, Default)]
pub struct When {
    /// The moment, where it is known.
    pub exact: Option<Duration>,
    /// It is not before.
    pub earliest: Duration,
    /// The fault that it waits for.
    pub behind: Option<usize>,
    /// Nodes that faults before it have put out of work for good.
    gone: Set,
}

/// All faults of a variant, by their entries; those that cannot be are left out.
pub struct Timeline<'f> {
    pub events: Vec<Option<Event<'f>>>,
    names: HashMap<&'f str, usize>,
    /// All nodes there are.
    pub all: Set,
    /// The indexes of those whose moment is known, in the order they come.
    pub exact: Vec<usize>,
    /// For each node, the first to put it out of work for good at a known moment.
    gone: Vec<Option<(Duration, usize)>>,
}

impl When {
    /// A moment that is known.
    pub fn at(moment: Duration) -> Self {
        Self { exact: Some(moment), earliest: moment, behind: None, gone: 0 }
    }
}

impl Event<'_> {
    /// Whether its nodes do not work again.
    pub fn is_for_good(&self) -> bool {
        matches!(self.verb, Verb::Stop | Verb::Pause) && self.lasts.is_none()
    }

    /// Whether it acts upon the broker itself.
    pub fn is_of_broker(&self) -> bool {
        is_of_broker(self.verb)
    }

    /// Whether somebody must ask the broker for it.
    pub fn asks(&self) -> bool {
        matches!(self.verb, Verb::Disconnect | Verb::Purge | Verb::Delete)
    }
}

impl<'f> Timeline<'f> {
    /// The faults `entries`, each behind the one in `next`.
    pub fn of(entries: &[&'f Located<Fault>], next: &[Option<usize>], context: &Context) -> Self {
        let count = context.nodes.count.min(MOST);
        let all = if count == MOST { Set::MAX } else { (1 << count) - 1 };
        let events = entries.iter().map(|entry| event(entry, all)).collect();
        let gone = vec![None; usize::try_from(count).expect("a file names few nodes")];
        let names = waiting::named(entries);
        let mut timeline = Self { events, names, all, exact: Vec::new(), gone };
        for index in waiting::order(next) {
            let when = next[index].map_or(When::default(), |waited| timeline.behind(waited));
            timeline.place(index, when);
        }
        let Self { events, exact, .. } = &mut timeline;
        exact.sort_by_key(|index| {
            (events[*index].as_ref().map(|event| event.when.earliest), *index)
        });
        timeline
    }

    /// The moment a fault is over.
    fn behind(&self, waited: usize) -> When {
        let Some(event) = &self.events[waited] else { return When::default() };
        let gone = if event.is_for_good() { event.nodes } else { 0 };
        When {
            exact: None,
            earliest: event.when.earliest + event.lasts.unwrap_or_default(),
            behind: Some(waited),
            gone: event.when.gone | gone,
        }
    }

    /// Puts an event where it belongs: at its moment, or behind another one.
    fn place(&mut self, index: usize, behind: When) {
        let Some(event) = &mut self.events[index] else { return };
        event.when = moment(event.entry.value.at, behind);
        let Some(exact) = event.when.exact else { return };
        self.exact.push(index);
        if event.is_for_good() {
            for node in nodes(event.nodes) {
                let first = self.gone[node].get_or_insert((exact, index));
                *first = (*first).min((exact, index));
            }
        }
    }

    /// The event of an entry, if its action is clear.
    pub fn event(&self, index: usize) -> Option<&Event<'f>> {
        self.events[index].as_ref()
    }

    /// What the file tells of the moment of something that is no fault.
    pub fn when(&self, trigger: &Trigger) -> When {
        let fault = trigger.after.as_ref().and_then(|after| after.fault.as_ref());
        let waited = fault.and_then(|fault| self.names.get(&*fault.value.0));
        moment(trigger.at, waited.map_or(When::default(), |waited| self.behind(*waited)))
    }

    /// The nodes that are out of work for good when something happens; of what happens at one
    /// moment, faults before the `index`-th come first.
    pub fn gone(&self, when: When, index: usize) -> Set {
        let before = |first: &Option<(Duration, usize)>| {
            first.is_some_and(|first| first < (when.earliest, index))
        };
        let known = self.gone.iter().enumerate().filter(|(_, first)| before(first));
        known.fold(when.gone, |gone, (node, _)| gone | 1 << node)
    }

    /// The fault that has put a node out of work for good before that.
    pub fn who_ended(&self, node: usize, when: When, index: usize) -> Option<&Event<'f>> {
        let mut waited = when.behind;
        while let Some(event) = waited.and_then(|waited| self.events[waited].as_ref()) {
            if event.is_for_good() && event.nodes & 1 << node != 0 {
                return Some(event);
            }
            waited = event.when.behind;
        }
        let first = self.gone[node].filter(|first| *first < (when.earliest, index))?;
        self.events[first.1].as_ref()
    }
}

fn is_of_broker(verb: Verb) -> bool {
    use Verb::{Block, Partition, Pause, Restart, Stop};
    matches!(verb, Restart | Stop | Pause | Block | Partition)
}

/// The moment of something with this `at`, or else behind another fault.
fn moment(at: Option<Located<Time>>, behind: When) -> When {
    at.map_or(behind, |time| When::at(time.value.0))
}

/// The numbers of the nodes in a set, from 0.
pub fn nodes(set: Set) -> impl Iterator<Item = usize> {
    (0..64).filter(move |node| set & 1 << node != 0)
}

/// An entry with one action, at no moment yet.
fn event<'f>(entry: &'f Located<Fault>, all: Set) -> Option<Event<'f>> {
    let [(verb, target)] = entry.actions()[..] else { return None };
    let wrong = is_of_broker(verb) && &*target.value != broker::WORD;
    if wrong || (verb == Verb::Partition && all == 1) {
        return None;
    }
    let nodes = match (verb, entry.node) {
        (Verb::Block, _) | (_, None) => all,
        (_, Some(number)) => all & 1 << (number.value.0 - 1),
    };
    let trigger = entry.trigger();
    let place = trigger.at.map(|at| at.at).or(trigger.after.map(|after| after.at));
    let place = place.unwrap_or(entry.at);
    Some(Event {
        entry,
        verb,
        target,
        when: When::default(),
        place,
        lasts: lasts(entry, verb),
        nodes,
    })
}

fn lasts(entry: &Fault, verb: Verb) -> Option<Duration> {
    let given = |time: Option<Located<Time>>| time.map(|time| time.value.0);
    match verb {
        Verb::Kill if entry.how.is_some_and(|how| how.value == How::Cancel) => {
            Some(given(entry.restart_after).unwrap_or_default())
        }
        Verb::Kill => given(entry.restart_after),
        Verb::Freeze | Verb::Cut | Verb::Slow | Verb::Pause | Verb::Block | Verb::Partition => {
            given(entry.lasts)
        }
        Verb::Restart => Some(given(entry.down_for).unwrap_or(broker::DOWN_FOR)),
        Verb::Stop => None,
        Verb::Disconnect | Verb::Purge | Verb::Delete => Some(Duration::ZERO),
    }
}
