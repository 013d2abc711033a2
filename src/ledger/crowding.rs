//! Queues with a maximal length: whether one was ever so full that it had to drop something.
//!
//! What is ready in a queue is known only from above: what was published there, less what was
//! read. That is enough: a queue that was never full by this number dropped nothing. When copies
//! came back that a broker took from somebody who did not know it yet, nobody can say: then there
//! may have been as many as ever came.

use crate::ledger::{Ledger, QueueBook};
use crate::plan::model::{ExchangeRef, ProducerId, QueueId, Topology};

/// How full a queue was at most.
#[derive(Debug)]
pub struct Crowd {
    limit: Option<u64>,
    limit_bytes: Option<u64>,
    /// At most so many are ready.
    ready: u64,
    /// At most so many bytes: what is read is not taken off.
    bytes: u64,
    /// What had been published when it was last too full.
    full: Option<Vec<u32>>,
    /// How many came in all, and what had been published when that was last too many.
    ever: u64,
    ever_full: Option<Vec<u32>>,
    /// Dead letters come at moments that nobody sees.
    always: bool,
}

impl Crowd {
    /// `None` for a queue without a maximal length.
    pub fn of(topology: &Topology, id: QueueId) -> Option<Self> {
        let queue = &topology.queues[id.index()];
        if !queue.is_bounded() {
            return None;
        }
        // Any dead letter may come to any queue, as far as this is concerned.
        let declared = |exchange: &ExchangeRef| matches!(exchange, ExchangeRef::Declared(_));
        let mut letters = topology.queues.iter().filter_map(|queue| queue.dead_letter.as_ref());
        Some(Self {
            limit: queue.max_length,
            limit_bytes: queue.max_length_bytes,
            ready: 0,
            bytes: 0,
            full: None,
            ever: 0,
            ever_full: None,
            always: letters.any(|dead| declared(&dead.exchange)),
        })
    }

    /// It would be too full if everything that ever came were in it.
    fn is_ever_full(&self) -> bool {
        self.is_full() || self.limit.is_some_and(|limit| self.ever > limit)
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.ready > limit)
            || self.limit_bytes.is_some_and(|limit| self.bytes > limit)
    }
}

impl Ledger {
    /// Messages were published.
    pub(super) fn crowd(&mut self, producer: ProducerId, numbers: &[u32]) {
        if self.queues.iter().all(|queue| queue.crowd.is_none()) {
            return;
        }
        let by_size =
            |book: &QueueBook| book.crowd.as_ref().is_some_and(|crowd| crowd.limit_bytes.is_some());
        let by_size = self.queues.iter().any(by_size);
        let mut body = Vec::new();
        for &n in numbers {
            let book = &self.producers[producer.index()];
            if n == 0 || n > book.messages.len() {
                continue;
            }
            let route = self.routes.get(book.messages.route(n)).clone();
            if by_size {
                book.content.body(u64::from(n), &mut body);
            }
            for (queue, _) in route {
                if let Some(crowd) = &mut self.queues[queue.index()].crowd {
                    crowd.ready += 1;
                    crowd.ever += 1;
                    crowd.bytes += body.len() as u64;
                }
            }
        }
        // Nothing is read in between: they are fullest at the end.
        self.note_full();
    }

    /// A message was read: it is ready no more.
    pub(super) fn went_out(&mut self, queue: QueueId) {
        if let Some(crowd) = &mut self.queues[queue.index()].crowd {
            crowd.ready = crowd.ready.saturating_sub(1);
        }
    }

    /// So many came back to their queue.
    pub(super) fn came_back(&mut self, queue: QueueId, count: u64) {
        if let Some(crowd) = &mut self.queues[queue.index()].crowd {
            crowd.ready += count;
            self.note_full();
        }
    }

    /// What was read from the queue may have been in it again for some time.
    pub(super) fn was_perhaps_full(&mut self, queue: QueueId) {
        if let Some(crowd) = &mut self.queues[queue.index()].crowd
            && crowd.ever_full.is_some()
        {
            crowd.full = crowd.ever_full.clone();
        }
    }

    /// Everything that was ever in a queue may be in it again.
    pub(super) fn all_came_back(&mut self) {
        for crowd in self.queues.iter_mut().filter_map(|queue| queue.crowd.as_mut()) {
            crowd.ready = crowd.ever;
        }
        self.note_full();
    }

    fn note_full(&mut self) {
        let full = |queue: &QueueBook| queue.crowd.as_ref().is_some_and(Crowd::is_ever_full);
        if !self.queues.iter().any(full) {
            return;
        }
        let published = self.published_so_far();
        for crowd in self.queues.iter_mut().filter_map(|queue| queue.crowd.as_mut()) {
            if crowd.is_full() {
                crowd.full = Some(published.clone());
            }
            if crowd.is_ever_full() {
                crowd.ever_full = Some(published.clone());
            }
        }
    }

    /// Whether the queue may have been too full when or after this message was published.
    pub(super) fn was_crowded(&self, queue: QueueId, producer: ProducerId, n: u32) -> bool {
        self.queues[queue.index()].crowd.as_ref().is_some_and(|crowd| {
            let full = crowd.full.as_ref();
            crowd.always || full.is_some_and(|published| n <= published[producer.index()])
        })
    }
}
