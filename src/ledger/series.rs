//! How a run went over time, for pictures and rates: what was published, how full queues were,
//! who worked when.
//!
//! Time is cut into slots of equal width. When a run outgrows them, two become one: however long
//! it takes, there are at most [`SLOTS`] of them. What a queue holds is what the programs know of
//! it: what was routed there and not yet read is ready, what was read and not settled is unacked.
//! What the broker does unseen (what expires, what is dropped) shows when its effects are seen.
//! Counts never come from here.

use crate::ledger::event::Micros;
use crate::plan::model::{FaultId, ProducerId, QueueId, WorkerId};

/// How many slots there are at most.
pub const SLOTS: usize = 480;
/// The first width of a slot, in microseconds.
const FINEST: Micros = 1_000;

/// How often something happened in each slot, as far as there is something to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track(Vec<u32>);

impl Track {
    /// For so many slots.
    pub fn numbers(&self, slots: usize) -> Vec<u32> {
        let mut numbers = self.0.clone();
        numbers.resize(slots, 0);
        numbers
    }

    /// How often in all.
    pub fn sum(&self) -> u64 {
        self.0.iter().map(|count| u64::from(*count)).sum()
    }

    fn add(&mut self, slot: usize, count: u32) {
        self.reach(slot, 0);
        self.0[slot] = self.0[slot].saturating_add(count);
    }

    fn reach(&mut self, slot: usize, filler: u32) {
        if self.0.len() <= slot {
            self.0.resize(slot + 1, filler);
        }
    }

    fn fold(&mut self, join: fn(u32, u32) -> u32) {
        let pairs = self.0.chunks(2);
        self.0 = pairs.map(|pair| pair[1..].iter().fold(pair[0], |a, b| join(a, *b))).collect();
    }
}

/// What is in a queue: of each slot what was there when that was the most.
#[derive(Debug, Clone, Default)]
struct Depth {
    /// The most that may be ready.
    limit: Option<u32>,
    ready: u32,
    unacked: u32,
    track: Vec<(u32, u32)>,
}

impl Depth {
    fn change(&mut self, slot: usize, ready: i64, unacked: i64) {
        // What comes late counts for the slot that is on.
        let slot = slot.max(self.track.len().saturating_sub(1));
        if self.track.len() <= slot {
            self.track.resize(slot + 1, (self.ready, self.unacked));
        }
        self.ready = changed(self.ready, ready).min(self.limit.unwrap_or(u32::MAX));
        self.unacked = changed(self.unacked, unacked);
        self.track[slot] = fuller(self.track[slot], (self.ready, self.unacked));
    }

    fn fold(&mut self) {
        let pairs = self.track.chunks(2);
        self.track = pairs.map(|pair| pair.iter().copied().fold(pair[0], fuller)).collect();
    }

    fn numbers(&self, slots: usize, which: fn((u32, u32)) -> u32) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.track.iter().copied().map(which).collect();
        numbers.resize(slots, which((self.ready, self.unacked)));
        numbers
    }
}

fn changed(now: u32, change: i64) -> u32 {
    u32::try_from((i64::from(now) + change).max(0)).unwrap_or(u32::MAX)
}

/// The later one, unless there was more before.
fn fuller(before: (u32, u32), now: (u32, u32)) -> (u32, u32) {
    let sum = |(ready, unacked): (u32, u32)| u64::from(ready) + u64::from(unacked);
    if sum(now) >= sum(before) { now } else { before }
}

/// A producer instance over time.
#[derive(Debug, Clone, Default)]
pub struct OfProducer {
    pub published: Track,
    pub confirmed: Track,
}

/// A worker instance over time.
#[derive(Debug, Clone, Default)]
pub struct OfWorker {
    pub finished: Track,
}

/// A queue over time.
#[derive(Debug, Clone, Default)]
pub struct OfQueue {
    depth: Depth,
    pub delivered: Track,
    last_delivery: Option<Micros>,
    gap: Option<Gap>,
}

/// A time in which nothing was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    pub from: Micros,
    pub to: Micros,
}

impl Gap {
    /// How long it was.
    pub fn length(self) -> Micros {
        self.to.saturating_sub(self.from)
    }
}

impl OfQueue {
    /// What was ready when the queue was fullest, for so many slots.
    pub fn ready(&self, slots: usize) -> Vec<u32> {
        self.depth.numbers(slots, |(ready, _)| ready)
    }

    /// What had been read and was not settled then.
    pub fn unacked(&self, slots: usize) -> Vec<u32> {
        self.depth.numbers(slots, |(_, unacked)| unacked)
    }

    /// The longest time between two deliveries; `None` where there were fewer than two.
    pub fn longest_gap(&self) -> Option<Gap> {
        self.gap
    }
}

/// How often something happened, when first and when last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub count: u64,
    pub from: Micros,
    pub to: Micros,
}

impl Span {
    fn add(known: &mut Option<Self>, count: u64, at: Micros) {
        let span = known.get_or_insert(Self { count: 0, from: at, to: at });
        span.count += count;
        span.from = span.from.min(at);
        span.to = span.to.max(at);
    }
}

/// A fault that has acted, and the first delivery after that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Struck {
    fault: FaultId,
    at: Micros,
    done: Micros,
    recovered: Option<Micros>,
}

/// All of it.
#[derive(Debug)]
pub struct Series {
    width: Micros,
    last: Micros,
    pub producers: Vec<OfProducer>,
    pub queues: Vec<OfQueue>,
    pub workers: Vec<OfWorker>,
    /// From the scheduled publish to the finish: sums in microseconds and how many.
    latency: (Vec<u64>, Track),
    struck: Vec<Struck>,
    publishing: Option<Span>,
    finishing: Option<Span>,
}

impl Series {
    /// For so many producers and workers, and queues that drop or refuse what goes beyond their
    /// limits.
    pub fn new(producers: usize, queues: &[Option<u64>], workers: usize) -> Self {
        let queue = |limit: &Option<u64>| {
            let limit = limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
            OfQueue { depth: Depth { limit, ..Depth::default() }, ..OfQueue::default() }
        };
        Self {
            width: FINEST,
            last: 0,
            producers: vec![OfProducer::default(); producers],
            queues: queues.iter().map(queue).collect(),
            workers: vec![OfWorker::default(); workers],
            latency: (Vec::new(), Track::default()),
            struck: Vec::new(),
            publishing: None,
            finishing: None,
        }
    }

    /// All publishes.
    pub fn publishing(&self) -> Option<Span> {
        self.publishing
    }

    /// All ends of works.
    pub fn finishing(&self) -> Option<Span> {
        self.finishing
    }

    /// How long a slot is, in microseconds.
    pub fn width(&self) -> Micros {
        self.width
    }

    /// The time of the latest thing that is in it.
    pub fn last(&self) -> Micros {
        self.last
    }

    /// How many slots that takes.
    pub fn slots(&self) -> usize {
        usize::try_from(self.last / self.width).unwrap_or(SLOTS) + 1
    }

    /// The mean latency of each slot, in microseconds; `None` where nothing was finished.
    pub fn latency(&self) -> Vec<Option<u64>> {
        let (sums, counts) = &self.latency;
        let counts = counts.0.iter().map(|count| u64::from(*count));
        sums.iter().zip(counts).map(|(sum, count)| sum.checked_div(count)).collect()
    }

    /// From when a fault acted to the first delivery after it had; `None` where none came.
    pub fn recovery(&self, fault: FaultId) -> Option<Micros> {
        let struck = self.struck.iter().rev().find(|struck| struck.fault == fault)?;
        struck.recovered.map(|at| at.saturating_sub(struck.at))
    }

    pub(super) fn published(&mut self, producer: ProducerId, count: u32, at: Micros) {
        let slot = self.slot(at);
        self.producers[producer.index()].published.add(slot, count);
        Span::add(&mut self.publishing, u64::from(count), at);
    }

    pub(super) fn confirmed(&mut self, producer: ProducerId, at: Micros) {
        let slot = self.slot(at);
        self.producers[producer.index()].confirmed.add(slot, 1);
    }

    /// So many more are ready in a queue.
    pub(super) fn came(&mut self, queue: QueueId, count: u64, at: Micros) {
        let slot = self.slot(at);
        self.queues[queue.index()].depth.change(slot, signed(count), 0);
    }

    /// One that was ready is not there any more, by what the broker did.
    pub(super) fn left(&mut self, queue: QueueId, at: Micros) {
        let slot = self.slot(at);
        self.queues[queue.index()].depth.change(slot, -1, 0);
    }

    /// A delivery was read; it `stays` in the queue until it is settled, unless acks are automatic.
    /// One that had not been known to be there was not counted as ready before.
    pub(super) fn read(&mut self, queue: QueueId, stays: bool, known: bool, at: Micros) {
        let slot = self.slot(at);
        let book = &mut self.queues[queue.index()];
        book.depth.change(slot, -i64::from(known), i64::from(stays));
        book.delivered.add(slot, 1);
        let gap = Gap { from: book.last_delivery.unwrap_or(at), to: at };
        if book.last_delivery.is_some() && book.gap.is_none_or(|it| gap.length() > it.length()) {
            book.gap = Some(gap);
        }
        book.last_delivery = Some(at.max(gap.from));
        let waits = |it: &&mut Struck| it.recovered.is_none() && at > it.done;
        self.struck.iter_mut().filter(waits).for_each(|it| it.recovered = Some(at));
    }

    /// So many were acked, or refused for good.
    pub(super) fn settled(&mut self, queue: QueueId, count: u64, at: Micros) {
        let slot = self.slot(at);
        self.queues[queue.index()].depth.change(slot, 0, -signed(count));
    }

    /// So many that had been read are ready again.
    pub(super) fn went_back(&mut self, queue: QueueId, count: u64, at: Micros) {
        let slot = self.slot(at);
        self.queues[queue.index()].depth.change(slot, signed(count), -signed(count));
    }

    /// Nothing is ready any more.
    pub(super) fn emptied(&mut self, queue: QueueId, at: Micros) {
        let slot = self.slot(at);
        let depth = &mut self.queues[queue.index()].depth;
        depth.change(slot, -i64::from(depth.ready), 0);
    }

    pub(super) fn finished(&mut self, worker: WorkerId, took: Micros, at: Micros) {
        let slot = self.slot(at);
        self.workers[worker.index()].finished.add(slot, 1);
        Span::add(&mut self.finishing, 1, at);
        let (sums, counts) = &mut self.latency;
        counts.add(slot, 1);
        sums.resize(counts.0.len(), 0);
        sums[slot] += took;
    }

    pub(super) fn acted(&mut self, fault: FaultId, at: Micros, done: Micros) {
        self.struck.push(Struck { fault, at, done, recovered: None });
    }

    /// Where this moment is; makes room for it.
    fn slot(&mut self, at: Micros) -> usize {
        self.last = self.last.max(at);
        loop {
            match usize::try_from(at / self.width) {
                Ok(slot) if slot < SLOTS => return slot,
                _ => self.widen(),
            }
        }
    }

    fn widen(&mut self) {
        self.width *= 2;
        for book in &mut self.producers {
            book.published.fold(u32::saturating_add);
            book.confirmed.fold(u32::saturating_add);
        }
        for book in &mut self.queues {
            book.delivered.fold(u32::saturating_add);
            book.depth.fold();
        }
        for book in &mut self.workers {
            book.finished.fold(u32::saturating_add);
        }
        let (sums, counts) = &mut self.latency;
        counts.fold(u32::saturating_add);
        *sums = sums.chunks(2).map(|pair| pair.iter().sum()).collect();
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q: QueueId = QueueId(0);
    const P: ProducerId = ProducerId(0);
    const W: WorkerId = WorkerId(0);

    #[test]
    fn however_long_it_takes_nothing_is_lost_from_the_sums() {
        let mut series = Series::new(1, &[None], 1);
        for n in 0..10_000 {
            let at = n * 7_919;
            series.published(P, 2, at);
            series.came(Q, 2, at);
            series.confirmed(P, at + 5);
            series.finished(W, 40, at + 9);
        }
        let slots = series.slots();
        assert!(slots <= SLOTS && slots > SLOTS / 2, "{slots} of {} µs", series.width());
        assert_eq!(series.producers[0].published.sum(), 20_000);
        assert_eq!(series.producers[0].confirmed.sum(), 10_000);
        assert_eq!(series.workers[0].finished.sum(), 10_000);
        assert_eq!(series.latency().into_iter().flatten().collect::<Vec<_>>(), vec![40; slots]);
        let ready = series.queues[0].ready(slots);
        assert!(ready.is_sorted() && ready.last() == Some(&20_000), "{ready:?}");
    }

    #[test]
    fn a_slot_shows_what_a_queue_held_when_it_was_fullest() {
        let mut series = Series::new(1, &[None], 1);
        series.came(Q, 20, 100);
        for at in 200..205 {
            series.read(Q, true, true, at);
        }
        series.settled(Q, 3, 1_500);
        series.went_back(Q, 2, 3_000);
        series.emptied(Q, 4_000);
        let (ready, unacked) = (series.queues[0].ready(6), series.queues[0].unacked(6));
        assert_eq!(ready, [15, 15, 15, 17, 17, 0]);
        // As slot 1 and 4 began, before what was settled then and what went.
        assert_eq!(unacked, [5, 5, 2, 0, 0, 0]);
    }

    #[test]
    fn gaps_and_recoveries_are_measured_between_deliveries() {
        let mut series = Series::new(1, &[None], 1);
        assert_eq!(series.queues[0].longest_gap(), None);
        series.read(Q, false, true, 1_000);
        assert_eq!(series.queues[0].longest_gap(), None);
        series.acted(FaultId(0), 2_000, 5_000);
        // On its way when the fault was still at it.
        series.read(Q, false, true, 4_000);
        assert_eq!(series.recovery(FaultId(0)), None);
        series.read(Q, false, true, 9_500);
        series.read(Q, false, true, 9_900);
        assert_eq!(series.recovery(FaultId(0)), Some(7_500));
        assert_eq!(series.recovery(FaultId(1)), None);
        let gap = series.queues[0].longest_gap().unwrap();
        assert_eq!((gap.from, gap.to, gap.length()), (4_000, 9_500, 5_500));
    }
}
