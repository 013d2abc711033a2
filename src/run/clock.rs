//! The time of a run: microseconds since it began.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::ledger::event::Micros;

/// Started once, when every worker is consuming; before that it shows 0.
#[derive(Debug, Default)]
pub struct Clock(OnceLock<Instant>);

impl Clock {
    /// The run begins now.
    pub fn begin(&self) -> Instant {
        *self.0.get_or_init(Instant::now)
    }

    /// When the run began, if it has.
    pub fn began(&self) -> Option<Instant> {
        self.0.get().copied()
    }

    /// How long the run has been going on.
    pub fn elapsed(&self) -> Duration {
        self.began().map_or(Duration::ZERO, |began| began.elapsed())
    }

    /// The same in the unit of the ledger.
    pub fn now(&self) -> Micros {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
