//! What is on its way in one direction of a slow connection: bytes in their order, each with the
//! moment at which it may arrive, and the end of them.
//!
//! The bytes stand in one row, and the moments apart, one for all that was sent within a
//! millisecond: however small the pieces are, memory is bounded by the number of bytes.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How many bytes there may be.
const LIMIT: usize = 16 * 1024 * 1024;
/// The resolution of the runtime's clock: moments that are closer together are the same.
const TICK: Duration = Duration::from_millis(1);

/// They do not arrive out of order, whatever becomes of the latency meanwhile.
#[derive(Debug, Default)]
pub struct Line {
    bytes: VecDeque<u8>,
    batches: VecDeque<Batch>,
    /// Nothing comes after these bytes any more.
    end: Option<Instant>,
}

#[derive(Debug)]
struct Batch {
    count: usize,
    /// Of its first byte, and of its last, which is when it arrives.
    first: Instant,
    due: Instant,
}

impl Line {
    /// Whether more may be sent.
    pub fn has_room(&self) -> bool {
        self.end.is_none() && self.bytes.len() < LIMIT
    }

    /// Sends bytes, to arrive at `due`.
    pub fn push(&mut self, bytes: &[u8], due: Instant) {
        self.bytes.extend(bytes);
        let due = self.not_before_others(due);
        match self.batches.back_mut() {
            Some(last) if due - last.first < TICK => {
                last.count += bytes.len();
                last.due = due;
            }
            _ => self.batches.push_back(Batch { count: bytes.len(), first: due, due }),
        }
    }

    /// Nothing more will be sent; the other end learns that at `due`.
    pub fn end(&mut self, due: Instant) {
        self.end = Some(self.not_before_others(due));
    }

    fn not_before_others(&self, due: Instant) -> Instant {
        self.batches.back().map_or(due, |last| last.due.max(due))
    }

    /// When the next bytes, or the end, arrive.
    pub fn due(&self) -> Option<Instant> {
        self.batches.front().map(|batch| batch.due).or(self.end)
    }

    /// Those of the next bytes that arrive together and lie together. Empty when none are left.
    pub fn next(&self) -> &[u8] {
        let (front, _) = self.bytes.as_slices();
        let count = self.batches.front().map_or(0, |batch| batch.count);
        &front[..count.min(front.len())]
    }

    /// So many of the next bytes have arrived.
    pub fn arrived(&mut self, count: usize) {
        self.bytes.drain(..count);
        if let Some(batch) = self.batches.front_mut() {
            batch.count -= count;
            if batch.count == 0 {
                self.batches.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATENCY: Duration = Duration::from_millis(50);

    #[test]
    fn what_is_sent_within_a_tick_arrives_together_and_in_order() {
        let (mut line, start) = (Line::default(), Instant::now());
        let micros = |count| start + Duration::from_micros(count) + LATENCY;
        line.push(b"ab", micros(0));
        line.push(b"c", micros(600));
        line.push(b"d", micros(1200));
        assert_eq!((line.next(), line.due()), (&b"abc"[..], Some(micros(600))));
        line.arrived(2);
        assert_eq!((line.next(), line.due()), (&b"c"[..], Some(micros(600))));
        line.arrived(1);
        assert_eq!((line.next(), line.due()), (&b"d"[..], Some(micros(1200))));
        line.end(micros(1300));
        assert!(!line.has_room());
        line.arrived(1);
        assert_eq!((line.next(), line.due()), (&b""[..], Some(micros(1300))));
    }

    #[test]
    fn a_latency_that_sinks_lets_nothing_overtake() {
        let (mut line, start) = (Line::default(), Instant::now());
        line.push(b"a", start + LATENCY);
        line.push(b"b", start);
        line.end(start);
        assert_eq!((line.next(), line.due()), (&b"ab"[..], Some(start + LATENCY)));
        line.arrived(2);
        assert_eq!(line.due(), Some(start + LATENCY));
    }

    #[test]
    fn it_is_bounded_in_bytes_and_in_pieces() {
        let (mut line, start) = (Line::default(), Instant::now());
        let mut sent = 0;
        while line.has_room() {
            line.push(&[sent as u8], start + Duration::from_nanos(sent * 100));
            sent += 1;
        }
        assert_eq!(sent as usize, LIMIT);
        // 1.7 s worth of single bytes.
        assert!(line.batches.len() < 1700, "{}", line.batches.len());
        for expected in 0..sent {
            assert_eq!(line.next()[0], expected as u8);
            line.arrived(1);
        }
        assert_eq!((line.next(), line.due()), (&b""[..], None));
    }
}
