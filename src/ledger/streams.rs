//! Reading a stream: nothing leaves it, and every worker reads all of it by itself.

use std::collections::HashMap;

use crate::ledger::Ledger;
use crate::ledger::event::{LifeId, MessageKey, Sighting};
use crate::ledger::paths::PathId;
use crate::plan::model::{Offset, ProducerId, QueueId, QueueKind, WorkerId};

/// Which messages were read and finished, over all lives of a worker.
#[derive(Debug, Default)]
pub struct Readers {
    read: HashMap<(WorkerId, Source), Numbers>,
    finished: HashMap<(WorkerId, Source), Numbers>,
    /// By any worker of a stream.
    finished_by_any: HashMap<(QueueId, Source), Numbers>,
    /// Finished by the same worker more than once.
    doubled: HashMap<(WorkerId, Source), Numbers>,
}

/// Who published a message, and by which way it came to the stream.
type Source = (ProducerId, PathId);

/// A set of message numbers.
#[derive(Debug, Default)]
struct Numbers {
    bits: Vec<u64>,
    count: u64,
}

impl Numbers {
    /// Adds a number. Whether it was new.
    fn add(&mut self, n: u32) -> bool {
        let (word, bit) = (n as usize / 64, 1_u64 << (n % 64));
        if word >= self.bits.len() {
            self.bits.resize(word + 1, 0);
        }
        let new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        self.count += u64::from(new);
        new
    }
}

impl Readers {
    /// How many messages the worker has finished more than once.
    pub fn doubled(&self, worker: WorkerId) -> u64 {
        let of = self.doubled.iter().filter(|((who, _), _)| *who == worker);
        of.map(|(_, numbers)| numbers.count).sum()
    }

    fn has_read(&self, worker: WorkerId, producer: ProducerId) -> u64 {
        self.read.get(&(worker, (producer, PathId::NONE))).map_or(0, |numbers| numbers.count)
    }

    /// How many dead letters the worker has read.
    fn has_read_later(&self, worker: WorkerId) -> u64 {
        let later = |&(who, (_, path)): &(WorkerId, Source)| who == worker && path != PathId::NONE;
        self.read.iter().filter(|(key, _)| later(key)).map(|(_, numbers)| numbers.count).sum()
    }
}

impl Ledger {
    /// A worker read a message of a stream.
    pub(super) fn read_of_stream(&mut self, life: LifeId, seen: Sighting) {
        let worker = self.lives[life.index()].worker;
        let source = (seen.message.producer, seen.path);
        let read = self.readers.read.entry((worker, source)).or_default();
        if !read.add(seen.message.n) {
            self.lives[life.index()].counts.repeats += 1;
        }
    }

    /// Whether a finish is one that the copy counts: of a stream, the first of all workers and
    /// those that a worker did once more.
    pub(super) fn counts_finish(
        &mut self,
        worker: WorkerId,
        message: MessageKey,
        path: PathId,
    ) -> bool {
        let queue = self.plan.workers[worker.index()].queue;
        if self.kind(queue) != QueueKind::Stream {
            return true;
        }
        let source = (message.producer, path);
        let key = (worker, source);
        let by_any = self.readers.finished_by_any.entry((queue, source)).or_default();
        let first = by_any.add(message.n);
        if self.readers.finished.entry(key).or_default().add(message.n) {
            return first;
        }
        self.readers.doubled.entry(key).or_default().add(message.n)
    }

    /// Whether every live worker of a stream has read all that will come to it. It may say
    /// `false` where that is not known.
    pub(super) fn is_read(&self, queue: QueueId) -> bool {
        let lives = self.lives.iter().filter(|life| life.is_live() && life.queue == queue);
        let mut lives = lives.map(|life| (life.worker, life.id));
        lives.all(|(worker, life)| {
            let first_life = !self.lives[..life.index()].iter().any(|life| life.worker == worker);
            let from_first = self.plan.workers[worker.index()].offset == Some(Offset::First);
            let early = first_life && self.lives[life.index()].started == 0;
            let all = (0..self.producers.len()).map(ProducerId::from_index).all(|producer| {
                let expected = u64::from(self.queues[queue.index()].routed[producer.index()]);
                self.readers.has_read(worker, producer) >= expected
            });
            let later = self.readers.has_read_later(worker) >= self.queues[queue.index()].arrived;
            (from_first && first_life || early) && all && later
        })
    }
}
