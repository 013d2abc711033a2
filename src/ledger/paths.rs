//! The ways that dead letters took: what tells two stays of one message in one queue apart.
//!
//! The broker writes down in `x-death` which queues gave a message up, for which reason and how
//! often. (Measured on 3.10.8, 4.0.5 and 4.3.6: one entry for each queue and reason, the most
//! recent first, the others in no reliable order.) So a way is the set of its entries; in which
//! order it was gone follows from where each queue sends what it gives up, and from what a message
//! says was last.

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

/// A queue gave a message up for this reason.
pub type Step = (QueueId, Reason);

/// Every way that was seen, each once. Shared by all who read messages.
#[derive(Debug, Default)]
pub struct Paths(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<(Vec<Death>, Option<Step>), PathId>,
    paths: Vec<Path>,
}

#[derive(Debug, Clone)]
struct Path {
    /// In the order of queues and reasons.
    deaths: Vec<Death>,
    /// The most recent one, if a message said so.
    last: Option<Step>,
    /// The way as such, whatever was last.
    whole: PathId,
}

impl Paths {
    /// The way that a message says it took, with what was last: its deaths, the most recent first.
    pub fn read(&self, deaths: &[Death]) -> PathId {
        let last = deaths.first().map(|death| (death.queue, death.reason));
        self.lock().intern(deaths.to_vec(), last)
    }

    /// The way as such, and what a message said was last: another one can have gone the same way
    /// in another order.
    pub fn told(&self, path: PathId) -> (PathId, Option<Step>) {
        let known = self.lock();
        known.get(path).map_or((path, None), |path| (path.whole, path.last))
    }

    /// Everything that can have happened last on this way, with the way before it.
    pub fn steps(&self, path: PathId) -> Vec<(QueueId, Reason, PathId)> {
        let mut known = self.lock();
        let Some(path) = known.get(path).cloned() else { return Vec::new() };
        let last: Vec<_> = path.deaths.iter().map(|d| (d.queue, d.reason)).collect();
        let mut without = |step| {
            let mut deaths = path.deaths.clone();
            deaths.iter_mut().filter(|d| (d.queue, d.reason) == step).for_each(|d| d.count -= 1);
            known.intern(deaths, None)
        };
        last.into_iter().map(|step| (step.0, step.1, without(step))).collect()
    }

    /// How often, over the whole way, a queue gave the message up.
    pub fn deaths(&self, path: PathId) -> Vec<Death> {
        self.lock().get(path).map(|path| path.deaths.clone()).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn get(&self, path: PathId) -> Option<&Path> {
        self.paths.get((path.0 as usize).checked_sub(1)?)
    }

    fn intern(&mut self, mut deaths: Vec<Death>, last: Option<Step>) -> PathId {
        deaths.retain(|death| death.count > 0);
        if deaths.is_empty() {
            return PathId::NONE;
        }
        deaths.sort_unstable();
        // Of a single one everybody knows that it was the last.
        let last = last.filter(|_| deaths.len() > 1);
        let key = (deaths, last);
        if let Some(&id) = self.ids.get(&key) {
            return id;
        }
        let whole = last.map(|_| self.intern(key.0.clone(), None));
        let id = PathId(u32::try_from(self.paths.len() + 1).expect("a run has few ways"));
        self.paths.push(Path { deaths: key.0.clone(), last, whole: whole.unwrap_or(id) });
        self.ids.insert(key, id);
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
    fn what_was_last_is_said_of_a_message_and_not_of_its_way() {
        let paths = Paths::default();
        let (a, b) = (death(WORK, Reason::Rejected, 1), death(RETRY, Reason::Expired, 1));
        let (one, other) = (paths.told(paths.read(&[a, b])), paths.told(paths.read(&[b, a])));
        assert_eq!(one.0, other.0);
        assert_eq!([one.1, other.1], [Some((WORK, a.reason)), Some((RETRY, b.reason))]);
        assert_eq!(paths.told(one.0), (one.0, None));
        assert_eq!(paths.told(PathId::NONE), (PathId::NONE, None));
        assert_eq!(paths.told(PathId::STRANGE), (PathId::STRANGE, None));
        assert_eq!(paths.deaths(one.0), paths.deaths(paths.read(&[a, b])));
    }

    #[test]
    fn a_round_is_gone_back_step_by_step() {
        let paths = Paths::default();
        let two = paths.read(&[death(RETRY, Reason::Expired, 2), death(WORK, Reason::Rejected, 2)]);
        let steps = paths.steps(two);
        assert_eq!(steps[0].0, WORK);
        let (queue, reason, before) = steps[1];
        assert_eq!((queue, reason), (RETRY, Reason::Expired));
        let either = paths.steps(before);
        assert_eq!([either[0].0, either[1].0], [WORK, RETRY]);
        let one = paths.read(&[death(RETRY, Reason::Expired, 1), death(WORK, Reason::Rejected, 1)]);
        assert_eq!(either[0].2, paths.told(one).0);
        let first = paths.steps(one)[1].2;
        assert_eq!(paths.steps(first), [(WORK, Reason::Rejected, PathId::NONE)]);
        assert_eq!(paths.steps(PathId::NONE), []);
        assert_eq!(paths.steps(PathId::STRANGE), []);
    }
}
