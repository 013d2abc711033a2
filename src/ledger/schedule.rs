//! When each message of a producer was due and was published, and how long it took from there
//! to its confirm and to its finish.

use hdrhistogram::Histogram;

use crate::ledger::event::Micros;

/// Digits that a latency keeps.
const DIGITS: u8 = 3;

/// The times of one producer instance.
#[derive(Debug)]
pub struct Schedule {
    /// Messages per second.
    rate: Option<f64>,
    /// The first number of each channel, and when it began.
    channels: Vec<(u32, Micros)>,
    /// The first number of each chunk, and when it was handed over.
    chunks: Vec<(u32, Micros)>,
    /// From the scheduled publish to the finish, in microseconds.
    latency: Histogram<u64>,
    /// And to the broker's confirm.
    confirming: Histogram<u64>,
}

impl Schedule {
    /// Of one that publishes so many messages per second, or as fast as it can.
    pub fn new(rate: Option<f64>) -> Self {
        let empty = || Histogram::new(DIGITS).expect("three digits are within the bounds");
        Self {
            rate,
            channels: Vec::new(),
            chunks: Vec::new(),
            latency: empty(),
            confirming: empty(),
        }
    }

    /// A channel began with this number.
    pub fn start(&mut self, first: u32, at: Micros) {
        self.channels.push((first, at));
    }

    /// A chunk from this number on is handed over.
    pub fn published(&mut self, first: u32, at: Micros) {
        self.chunks.push((first, at));
    }

    /// When a message was handed over; the beginning of the run if it was not.
    pub fn published_at(&self, n: u32) -> Micros {
        last_from(&self.chunks, n).map_or(0, |(_, at)| at)
    }

    /// When a message was due: by the rate, or when it was handed over.
    fn due(&self, n: u32) -> Micros {
        match (self.rate, last_from(&self.channels, n)) {
            (Some(rate), Some((first, at))) => {
                at + (f64::from(n - first) * 1_000_000.0 / rate) as Micros
            }
            _ => self.published_at(n),
        }
    }

    /// A copy of a message was finished: how long that took.
    pub fn finished(&mut self, n: u32, at: Micros) -> Micros {
        let took = at.saturating_sub(self.due(n));
        // It grows by itself; nothing can go wrong below 2^63 microseconds.
        let _ = self.latency.record(took);
        took
    }

    /// The broker confirmed a message.
    pub fn confirmed(&mut self, n: u32, at: Micros) {
        let _ = self.confirming.record(at.saturating_sub(self.due(n)));
    }

    /// All latencies to the finish.
    pub fn latency(&self) -> &Histogram<u64> {
        &self.latency
    }

    /// And to the confirm.
    pub fn confirming(&self) -> &Histogram<u64> {
        &self.confirming
    }
}

/// The last entry that begins at or before `n`.
fn last_from(entries: &[(u32, Micros)], n: u32) -> Option<(u32, Micros)> {
    let after = entries.partition_point(|(first, _)| *first <= n);
    entries.get(after.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_counts_from_the_schedule_of_the_channel() {
        let mut schedule = Schedule::new(Some(10.0));
        schedule.start(1, 1_000_000);
        schedule.published(1, 1_000_000);
        // Late by a pause: it was due at 1.2 s.
        schedule.published(3, 1_900_000);
        schedule.finished(3, 2_000_000);
        schedule.start(4, 5_000_000);
        schedule.published(4, 5_000_000);
        schedule.finished(4, 5_100_000);
        let latency = schedule.latency();
        assert!(latency.max().abs_diff(800_000) < 1_000, "{}", latency.max());
        assert!(latency.min().abs_diff(100_000) < 1_000, "{}", latency.min());
    }

    #[test]
    fn without_a_rate_a_message_is_due_when_it_is_handed_over() {
        let mut schedule = Schedule::new(None);
        schedule.start(1, 0);
        schedule.published(1, 10);
        schedule.published(65, 20);
        assert_eq!((schedule.published_at(64), schedule.published_at(65)), (10, 20));
        schedule.confirmed(65, 23);
        assert_eq!((schedule.confirming().len(), schedule.confirming().max()), (1, 3));
    }
}
