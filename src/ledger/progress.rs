//! How far a run is: what the progress display draws.

use std::time::Duration;

/// A moment of a run, counted by the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Since the run began.
    pub elapsed: Duration,
    /// Messages that all producers together will publish.
    pub messages: u64,
    pub published: u64,
    /// Answered by the broker; stays 0 where no producer asks for confirms.
    pub confirmed: u64,
    /// Whether any producer asks for confirms.
    pub confirms: bool,
    /// Copies that the publishes so far must make.
    pub expected: u64,
    /// Copies on which a worker has finished.
    pub delivered: u64,
    /// Read by a worker that lives, and not yet finished.
    pub in_hand: u64,
}
