//! Options of one action mean nothing beside another.

use crate::scenario::collect::Collector;
use crate::scenario::mistake::{Mistake, list};
use crate::scenario::node::At;
use crate::scenario::trigger::Fault;

/// Records every option that is not one of this `action`.
pub fn check(entry: &Fault, action: &str, own: &[&str], found: &mut Collector) {
    let foreign = given(entry).into_iter().filter(|(word, _)| !own.contains(word));
    for (word, at) in foreign {
        let help = match own {
            [] => format!("leave it out; `{action}` has no options"),
            own => {
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
