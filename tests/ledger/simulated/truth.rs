//! What truly happened to copies, as only the simulated broker and its programs together know.

use std::collections::{BTreeMap, BTreeSet};

use rmq_scenario::ledger::event::MessageKey;
use rmq_scenario::plan::model::WorkerId;

use crate::simulated::broker::CopyKey;

/// A delivery: to which consumer, and under which tag.
pub type Delivered = (usize, u64);

/// How the last worker that finished it left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Forgotten,
    Unacked,
    /// By the worker, or by the broker itself under automatic acks.
    AckWritten,
}

#[derive(Debug, Default)]
pub struct Truth {
    /// Why copies vanished.
    pub vanished: BTreeMap<CopyKey, BTreeSet<&'static str>>,
    /// In which order deliveries were made.
    pub order: BTreeMap<Delivered, usize>,
    /// What became of deliveries that were finished.
    done: BTreeMap<Delivered, Finish>,
    /// Deliveries that the broker took back, and those of them whose copy was read again.
    back: BTreeSet<Delivered>,
    reread: BTreeMap<CopyKey, BTreeSet<Delivered>>,
    /// Which of several letters that nothing tells apart were finished, by their places.
    letters: BTreeMap<CopyKey, BTreeSet<u64>>,
    /// Of streams, by worker, and how often each was.
    entries: BTreeMap<(WorkerId, CopyKey), BTreeMap<u64, u64>>,
    pub republished: BTreeSet<MessageKey>,
    /// The broker was killed at some time, or a node of it did not hear the others.
    pub may_forget: bool,
}

impl Truth {
    /// Whether there may be two of it that nothing tells apart.
    pub fn may_be_two(&self, copy: &CopyKey) -> bool {
        self.republished.contains(&copy.0) || (self.may_forget && !copy.2.is_empty())
    }

    pub fn vanish(&mut self, copy: CopyKey, why: &'static str) {
        self.vanished.entry(copy).or_default().insert(why);
    }

    /// It is there again, whatever had taken it.
    pub fn resurrect(&mut self, copy: &CopyKey, by: Option<Delivered>) {
        self.vanished.remove(copy);
        self.back.extend(by);
    }

    pub fn send(&mut self, delivery: Delivered) {
        let next = self.order.len();
        self.order.insert(delivery, next);
    }

    pub fn take_back(&mut self, delivery: Delivered) {
        self.back.insert(delivery);
    }

    pub fn is_back(&self, delivery: Delivered) -> bool {
        self.back.contains(&delivery)
    }

    /// A copy was read that had come back from these deliveries.
    pub fn read_again(&mut self, copy: CopyKey, from: &[Delivered]) {
        if !from.is_empty() {
            self.reread.entry(copy).or_default().extend(from);
        }
    }

    pub fn finish(&mut self, delivery: Delivered, copy: CopyKey, place: u64, finish: Finish) {
        self.done.insert(delivery, finish);
        self.letters.entry(copy).or_default().insert(place);
    }

    pub fn finish_entry(&mut self, worker: WorkerId, copy: CopyKey, place: u64) {
        let entries = self.entries.entry((worker, copy)).or_default();
        *entries.entry(place).or_default() += 1;
    }

    pub fn ack(&mut self, delivery: Delivered) {
        self.done.insert(delivery, Finish::AckWritten);
    }

    /// Why finished copies were handed out again.
    pub fn returned(&self) -> BTreeMap<CopyKey, BTreeSet<&'static str>> {
        let mut returned: BTreeMap<CopyKey, BTreeSet<&'static str>> = BTreeMap::new();
        for (copy, from) in &self.reread {
            let done = from.iter().filter_map(|delivery| self.done.get(delivery));
            let why = done.map(|finish| match finish {
                Finish::Forgotten => "forgotten_ack",
                Finish::Unacked => "requeued",
                Finish::AckWritten => "ack_lost",
            });
            returned.entry(copy.clone()).or_default().extend(why);
        }
        for (copy, _) in self.letters.iter().filter(|(_, places)| places.len() > 1) {
            returned.entry(copy.clone()).or_default().insert(self.why_two(copy));
        }
        for ((_, copy), entries) in &self.entries {
            let why = returned.entry(copy.clone()).or_default();
            why.extend((entries.len() > 1).then(|| self.why_two(copy)));
            why.extend(entries.values().any(|&times| times > 1).then_some("reread"));
        }
        returned
    }

    /// Without having been published twice, a queue forgot that it had given it up.
    fn why_two(&self, copy: &CopyKey) -> &'static str {
        if self.republished.contains(&copy.0) { "republished" } else { "ack_lost" }
    }
}
