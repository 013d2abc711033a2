//! Options of one action mean nothing beside another.

use crate::scenario::collect::Collector;
use crate::scenario::mistake::{Mistake, list};
use crate::scenario::node::At;
use crate::scenario::trigger::{Fault, Verb};

/// The options of an action.
fn of(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::Kill => &["how", "restart_after"],
        Verb::Freeze | Verb::Cut => &["for"],
        Verb::Slow => &["latency", "for"],
        Verb::Restart => &["how", "node", "down_for"],
        Verb::Stop => &["how", "node"],
        Verb::Pause | Verb::Partition => &["node", "for"],
        Verb::Block => &["alarm", "for"],
        Verb::Disconnect | Verb::Purge | Verb::Delete => &[],
    }
}

/// What somebody probably wants who gives an option to an action that has none of the name.
fn instead(verb: Verb, option: &str) -> Option<&'static str> {
    match (verb, option) {
        (Verb::Kill, "for" | "down_for") => Some("`restart_after` says when it comes back"),
        (Verb::Restart, "for" | "restart_after") => Some("`down_for` says how long it is down"),
        (Verb::Stop, "for" | "down_for" | "restart_after") => {
            Some("a stopped broker does not come back; `restart: broker` does, after `down_for`")
        }
        (Verb::Pause, "down_for" | "restart_after") => Some("`for` says how long it is paused"),
        (Verb::Disconnect, "restart_after") => {
            Some("its own `reconnect` says when it connects again")
        }
        (Verb::Cut | Verb::Freeze, "latency") => Some("`slow` is the fault with a `latency`"),
        (Verb::Block, "node") => Some("an alarm on one node blocks publishers on all of them"),
        _ => None,
    }
}

/// Records every option that is not one of this action.
pub fn check(entry: &Fault, verb: Verb, found: &mut Collector) {
    let (own, action) = (of(verb), verb.word());
    for (word, at) in given(entry).into_iter().filter(|(word, _)| !own.contains(word)) {
        let help = match (instead(verb, word), own) {
            (Some(instead), _) => format!("leave it out; {instead}"),
            (None, []) => format!("leave it out; `{action}` has no options"),
            (None, [only]) => format!("leave it out; the only option of `{action}` is `{only}`"),
            (None, own) => {
                let own = list(own.iter().copied(), "and");
                format!("leave it out; the options of `{action}` are {own}")
            }
        };
        found.push(Mistake::new(at, format!("`{word}` is no option of `{action}`")).help(help));
    }
}

/// The options that an entry gives.
fn given(entry: &Fault) -> Vec<(&'static str, At)> {
    let options = [
        ("how", entry.how.map(|option| option.at)),
        ("restart_after", entry.restart_after.map(|option| option.at)),
        ("for", entry.lasts.map(|option| option.at)),
        ("latency", entry.latency.map(|option| option.at)),
        ("down_for", entry.down_for.map(|option| option.at)),
        ("alarm", entry.alarm.map(|option| option.at)),
        ("node", entry.node.map(|option| option.at)),
    ];
    options.into_iter().filter_map(|(word, at)| Some((word, at?))).collect()
}
