//! Whether anything can still change: what lets a run end at once.

use crate::ledger::Ledger;
use crate::ledger::event::MessageKey;
use crate::ledger::messages::{Copy, NOBODY, copy_flag, message_flag};
use crate::plan::model::{AckMode, ProducerId, QueueId};

impl Ledger {
    /// Whether no outcome can change any more as long as nothing new is published and nobody
    /// new subscribes: every answer is in, no live worker has anything in hand, and every copy
    /// is finished for good, gone for good, or in a queue that nobody consumes from.
    ///
    /// It may say `false` where an all-knowing observer would say `true` (then the run waits
    /// until nothing happens any more), never the other way round. Takes time in proportion
    /// to the copies, unless a worker is still at work.
    pub fn is_final(&self) -> bool {
        let busy = self.lives.iter().any(|life| life.is_live() && life.in_hand() > 0);
        if busy || self.changing.is_unsettled() {
            return false;
        }
        let mut consumed = vec![false; self.queues.len()];
        for life in self.lives.iter().filter(|life| life.is_live()) {
            consumed[life.queue.index()] = true;
        }
        (0..self.producers.len()).map(ProducerId::from_index).all(|producer| {
            let book = &self.producers[producer.index()];
            let answered = !book.up || !book.confirms || book.open_from > book.messages.len();
            let windows = self.windows.iter().filter(|window| window.producer == producer);
            let uncertain = windows.into_iter().any(|window| consumed[window.queue.index()]);
            answered
                && !uncertain
                && book.messages.each(&self.routes).all(|(n, queue, copy)| {
                    let message = MessageKey { producer, n };
                    self.is_copy_final(message, queue, copy, consumed[queue.index()])
                })
        })
    }

    /// For each queue, whether some live worker can be sent another message: it has no limit,
    /// or holds fewer unacked ones than its prefetch.
    pub fn able(&self) -> Vec<bool> {
        let mut able = vec![false; self.queues.len()];
        for life in self.lives.iter().filter(|life| life.is_live()) {
            let prefetch = u64::from(self.plan.workers[life.worker.index()].prefetch);
            let unacked = life.counts.read - life.counts.acked;
            let limited = prefetch > 0 && life.ack != AckMode::Auto;
            able[life.queue.index()] |= !limited || unacked < prefetch;
        }
        able
    }

    fn is_copy_final(
        &self,
        message: MessageKey,
        queue: QueueId,
        copy: Copy,
        consumed: bool,
    ) -> bool {
        if copy.holder == NOBODY {
            return self.is_unseen_final(message, queue, copy, consumed);
        }
        let holder = &self.lives[usize::from(copy.holder)];
        let settled = match holder.ack {
            AckMode::Auto => true,
            _ => copy.has(copy_flag::ACKED),
        };
        // What a live worker still has in hand was ruled out before. What it holds finished
        // and unacked stays with it as long as it lives; what a dead one held goes back to
        // the queue, unless its channel stays open.
        settled || holder.is_live() || holder.holds_on() || !consumed
    }

    /// A copy that nobody has read: it may be in its queue, on its way, or lost on its way to
    /// a dead consumer.
    fn is_unseen_final(
        &self,
        message: MessageKey,
        queue: QueueId,
        copy: Copy,
        consumed: bool,
    ) -> bool {
        let flags = self.producers[message.producer.index()].messages.flags(message.n);
        if flags & message_flag::NACKED != 0 {
            return true;
        }
        let arrived = flags & (message_flag::ACKED | message_flag::READ) != 0;
        let gone = !self.changing.has(queue);
        (gone || arrived && !consumed) && !copy.has(copy_flag::OPTIONAL)
    }
}
