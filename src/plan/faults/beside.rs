//! What else of a file has its moment: starts, stops, observations and probes.

use crate::plan::context::Context;
use crate::scenario::decode::Located;
use crate::scenario::node::At;
use crate::scenario::trigger::Trigger;

/// Something that happens beside the faults.
pub struct Beside<'f> {
    /// What it is, in words.
    pub what: &'static str,
    pub trigger: &'f Trigger,
    /// Where the file says when.
    pub place: At,
    /// Whether the broker must be there for it.
    pub asks: bool,
}

/// All of them.
pub fn all<'f>(context: &Context<'f>) -> Vec<Beside<'f>> {
    let file = context.file;
    let there = |condition: Option<bool>| condition != Some(false);
    let mut all = Vec::new();
    for entry in file.producers.iter().filter(|entry| there(entry.condition)) {
        all.extend(entry.start.as_ref().map(|start| beside("the start of a producer", start)));
    }
    for entry in file.workers.iter().filter(|entry| there(entry.condition)) {
        all.extend(entry.start.as_ref().map(|start| beside("the start of a worker", start)));
        let stop = entry.stop.as_ref().map(|stop| beside("the stop of a worker", stop));
        all.extend(stop.map(|stop| Beside { asks: false, ..stop }));
    }
    for entry in file.observe.iter().filter(|entry| there(entry.condition)) {
        all.push(beside("an observation", &entry.when));
    }
    for entry in file.probes.iter().filter(|entry| there(entry.condition)) {
        // Whoever expects an error may want to see that nobody is there.
        let asks = entry.expect_error.is_none();
        let when = entry.when.as_ref().map(|when| beside("a probe", when));
        all.extend(when.map(|probe| Beside { asks, ..probe }));
    }
    all
}

fn beside<'f>(what: &'static str, when: &'f Located<Trigger>) -> Beside<'f> {
    let place = when.value.at.map_or(when.at, |time| time.at);
    Beside { what, trigger: &when.value, place, asks: true }
}
