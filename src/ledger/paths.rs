//! The ways that dead letters took: what tells two stays of one message in one queue apart.
//!
//! The broker writes down in `x-death` which queues gave a message up, for which reason and how
//! often. (Measured on 3.10.8, 4.0.5 and 4.3.6: one entry for each queue and reason, the most
//! recent first, the others in no reliable order.) So a way is the set of its entries, and its
//! last step is known where it was read from a message.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::model::QueueId;

/// A way, by its number. Every message begins with [`PathId::NONE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PathId(pub u32);

impl PathId {
    /// It was published, and no queue gave it up.
    pub const NONE: Self = Self(0);
    /// A queue gave it up that is none of the plan's.
    pub const STRANGE: Self = Self(u32::MAX);
}

/// Why a queue gave a message up, in the broker's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    Rejected,
    Expired,
    MaxLength,
    DeliveryLimit,
}

impl Reason {
    /// As in `x-death`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Rejected => "rejected",
            Reason::Expired => "expired",
            Reason::MaxLength => "maxlen",
            Reason::DeliveryLimit => "delivery_limit",
        }
    }

    /// What `x-death` calls so.
    pub fn of(name: &str) -> Option<Self> {
        let all = [Reason::Rejected, Reason::Expired, Reason::MaxLength, Reason::DeliveryLimit];
        all.into_iter().find(|reason| reason.name() == name)
    }
}

/// An entry of `x-death`: a queue gave the message up so often for this reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Death {
    pub queue: QueueId,
    pub reason: Reason,
    pub count: u32,
}

/// Every way that was seen, each once. Shared by all who read messages.
#[derive(Debug, Default)]
pub struct Paths(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<Vec<Death>, PathId>,
    paths: Vec<Path>,
}

#[derive(Debug, Clone)]
struct Path {
    /// In the order of queues and reasons.
    deaths: Vec<Death>,
    /// The most recent one, if a message said so.
    last: Option<(QueueId, Reason)>,
}

impl Paths {
    /// The way that a message says it took: its deaths, the most recent first.
    pub fn read(&self, deaths: &[Death]) -> PathId {
        let last = deaths.first().map(|death| (death.queue, death.reason));
        self.lock().intern(deaths.to_vec(), last)
    }

    /// What happened last on this way, and the way before it. Where no message told, it is the
    /// last step that `leads` to where the message came then.
    pub fn before(
        &self,
        path: PathId,
        leads: impl Fn(QueueId) -> bool,
    ) -> Option<(QueueId, Reason, PathId)> {
        let mut known = self.lock();
        let path = known.paths.get((path.0 as usize).checked_sub(1)?)?.clone();
        let fits = |death: &&Death| leads(death.queue);
        let guess = || path.deaths.iter().find(fits).map(|death| (death.queue, death.reason));
        let (queue, reason) = path.last.or_else(guess)?;
        let mut deaths = path.deaths;
        let one = deaths.iter_mut().find(|d| (d.queue, d.reason) == (queue, reason))?;
        one.count -= 1;
        deaths.retain(|death| death.count > 0);
        Some((queue, reason, known.intern(deaths, None)))
    }

    /// How often, over the whole way, a queue gave the message up.
    pub fn deaths(&self, path: PathId) -> Vec<Death> {
        let known = self.lock();
        let path = (path.0 as usize).checked_sub(1).and_then(|index| known.paths.get(index));
        path.map(|path| path.deaths.clone()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn intern(&mut self, mut deaths: Vec<Death>, last: Option<(QueueId, Reason)>) -> PathId {
        deaths.retain(|death| death.count > 0);
        if deaths.is_empty() {
            return PathId::NONE;
        }
        deaths.sort_unstable();
        if let Some(&id) = self.ids.get(&deaths) {
            let path = &mut self.paths[id.0 as usize - 1];
            path.last = path.last.or(last);
            return id;
        }
        let id = PathId(u32::try_from(self.paths.len() + 1).expect("a run has few ways"));
        self.paths.push(Path { deaths: deaths.clone(), last });
        self.ids.insert(deaths, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORK: QueueId = QueueId(0);
    const RETRY: QueueId = QueueId(1);

    fn death(queue: QueueId, reason: Reason, count: u32) -> Death {
        Death { queue, reason, count }
    }

    #[test]
    fn the_order_of_older_deaths_tells_nothing_apart() {
        let paths = Paths::default();
        let last = death(RETRY, Reason::Expired, 2);
        let (a, b) = (death(WORK, Reason::Rejected, 1), death(WORK, Reason::Expired, 1));
        assert_eq!(paths.read(&[last, a, b]), paths.read(&[last, b, a]));
        assert_ne!(paths.read(&[last, a]), paths.read(&[last, b]));
        assert_eq!(paths.read(&[]), PathId::NONE);
    }

    #[test]
    fn a_round_is_gone_back_step_by_step() {
        let paths = Paths::default();
        let two = paths.read(&[death(RETRY, Reason::Expired, 2), death(WORK, Reason::Rejected, 2)]);
        let (queue, reason, path) = paths.before(two, |_| false).unwrap();
        assert_eq!((queue, reason), (RETRY, Reason::Expired));
        // Nobody saw it in `retry`: what led there decides.
        let (queue, reason, path) = paths.before(path, |queue| queue == WORK).unwrap();
        assert_eq!((queue, reason), (WORK, Reason::Rejected));
        let one = paths.read(&[death(RETRY, Reason::Expired, 1), death(WORK, Reason::Rejected, 1)]);
        assert_eq!(path, one);
        let (_, _, path) = paths.before(path, |_| false).unwrap();
        let (_, _, path) = paths.before(path, |_| true).unwrap();
        assert_eq!(path, PathId::NONE);
        assert_eq!(paths.before(PathId::NONE, |_| true), None);
        assert_eq!(paths.before(PathId::STRANGE, |_| true), None);
    }
}
