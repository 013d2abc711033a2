//! The copies of a run by what took or doubled them.

use std::collections::{BTreeMap, BTreeSet};

use crate::ledger::books::{Books, CopyView};
use crate::ledger::event::{LifeId, MessageKey};
use crate::ledger::fates::Cause;
use crate::plan::count::Count;
use crate::plan::model::{ProducerId, QueueId};

/// How many messages of a group are kept as examples.
const EXAMPLES: usize = 5;

/// The copies of one outcome that share a set of causes, with who was involved.
#[derive(Debug, Clone, Default)]
pub struct Group {
    pub count: u64,
    pub lives: BTreeSet<LifeId>,
    pub queues: BTreeSet<QueueId>,
    pub producers: BTreeSet<ProducerId>,
    pub examples: Vec<MessageKey>,
}

/// Every outcome that wants a cause, and `duplicates`, by their causes.
#[derive(Debug, Clone, Default)]
pub struct Causes {
    pub groups: BTreeMap<(Count, Vec<Cause>), Group>,
}

impl Causes {
    /// Looks at every copy.
    pub fn find(books: &Books) -> Self {
        let mut causes = Self::default();
        each(books, |view, outcome, found, lives| causes.add(outcome, found, lives, view));
        causes
    }

    /// How many copies have the cause of that name.
    pub fn count(&self, name: &str) -> u64 {
        let with = self
            .groups
            .iter()
            .filter(|((_, causes), _)| causes.iter().any(|cause| cause.name() == name));
        with.map(|(_, group)| group.count).sum()
    }

    fn add(&mut self, outcome: Count, causes: Vec<Cause>, lives: Vec<LifeId>, view: &CopyView) {
        let group = self.groups.entry((outcome, causes)).or_default();
        group.count += 1;
        group.lives.extend(lives);
        group.queues.insert(view.queue);
        group.producers.insert(view.message.producer);
        if group.examples.len() < EXAMPLES {
            group.examples.push(view.message);
        }
    }
}

/// Tells of every copy whose outcome wants a cause, or that was finished twice: which, why, and
/// by whose end.
pub fn each(books: &Books, mut tell: impl FnMut(&CopyView, Count, Vec<Cause>, Vec<LifeId>)) {
    for view in books.copies() {
        let (found, lives) = books.causes(&view);
        if !found.is_empty() {
            tell(&view, view.outcome, found, lives);
        }
        if view.copy.finished() > 1 {
            tell(&view, Count::Duplicates, books.why_doubled(&view), Vec::new());
        }
    }
}
