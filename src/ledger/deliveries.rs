//! Which delivery of a copy is the one that counts. A broker that gives up a consumer hands what
//! that one held to another, while the first, who does not know yet, works on.
//!
//! A copy's flags speak of its *current* delivery: the one that the broker made last. What is done
//! with an older one still counts as work, and says why the copy was handed out again; it says
//! nothing about the newer one. A delivery that was held up in a silent network or by a frozen
//! worker may be read when a newer one has been read elsewhere.

use crate::ledger::Ledger;
use crate::ledger::event::{LifeEnd, LifeId, MessageKey, Sighting};
use crate::ledger::lives::{CopyPlace, End, Held, HeldState, Life};
use crate::ledger::messages::{Copy, NOBODY, again, copy_flag, message_flag};
use crate::ledger::paths::PathId;
use crate::ledger::seeing::Delivery;
use crate::plan::model::{AckMode, QueueId, QueueKind};

/// That of a delivery which was not the last of its copy when it was read.
pub const LATE: u16 = 0;

impl Ledger {
    /// Whether this delivery, held by that life, is the last that was made of its copy.
    pub(super) fn is_current(&self, id: LifeId, held: &Held) -> bool {
        let queue = self.lives[id.index()].queue;
        let Some(message) = held.message.filter(|_| held.place != CopyPlace::Unexpected) else {
            return false;
        };
        // Every worker of a stream has a delivery of its own.
        let copy = self.copy(message, queue, held.place);
        self.kind(queue) == QueueKind::Stream
            || (copy.holder == id.0 && copy.deliveries == held.turn)
    }

    /// Whether a copy that was read elsewhere was sent to this life before that: something keeps,
    /// or kept, what the broker sends it from being read. That is so if it bears no flag, or if
    /// whoever has it did not give it back. Where that one is gone either may be older.
    pub(super) fn comes_late(
        &self,
        id: LifeId,
        seen: Sighting,
        before: Copy,
        delivery: Delivery,
    ) -> bool {
        let life = &self.lives[id.index()];
        if !self.may_come_late(life, before) || self.may_be_two(seen) {
            return false;
        }
        let holder = &self.lives[usize::from(before.holder)];
        let holds = holder.is_live() && !holder.unsure && !before.has(copy_flag::RETURNED);
        let heard = before.has(copy_flag::ACKED | copy_flag::REJECTED) && holder.read_by_broker;
        let settled = heard || holder.ack == AckMode::Auto;
        !delivery.redelivered
            || (life.dropped && !holder.dropped)
            || holds
            || (settled && !self.may_be_forgotten_since(holder))
    }

    /// Whether a copy may have been sent to this life before it was sent to whoever read it last:
    /// something keeps, or kept, it from reading, and it had begun before that one was over.
    pub(super) fn may_come_late(&self, life: &Life, before: Copy) -> bool {
        let holder = self.lives.get(usize::from(before.holder)).filter(|it| it.id != life.id);
        let over = |end: &End| end.at < life.started;
        life.unsure && holder.is_some_and(|it| !it.end.as_ref().is_some_and(over))
    }

    /// What a copy that is read again, and had been finished, says about the return.
    pub(super) fn why_again(
        &self,
        id: LifeId,
        seen: Sighting,
        before: Copy,
        redelivered: bool,
    ) -> u8 {
        if before.holder == NOBODY {
            return 0;
        }
        let life = &self.lives[usize::from(before.holder)];
        if self.kind(life.queue) == QueueKind::Stream {
            return self.why_in_a_stream(id, seen);
        }
        let finished = before.has(copy_flag::FINISHED);
        let acked = before.has(copy_flag::ACKED);
        // Whoever lives may still write an ack, in vain.
        let open = life.is_live() && matches!(life.ack, AckMode::Manual { .. }) && !acked;
        let bits = if finished && !open { why_back(life.ack, acked) } else { 0 };
        if !self.may_be_two(seen) {
            return bits;
        }
        let third = before.deliveries > 1;
        let earlier = if third { again::confirmed(before.again()) } else { 0 };
        // A queue that forgot that it had given a copy up does so again.
        let republished = self.is_republished(seen.message);
        let other = self.keeps(life, acked) || (!republished && !redelivered);
        let now = if other { again::perhaps(bits) } else { bits };
        earlier | now | if republished { again::REPUBLISHED } else { again::ACK_LOST }
    }

    /// Why a worker may read a message of a stream once more: it began again, or there are two.
    fn why_in_a_stream(&self, id: LifeId, seen: Sighting) -> u8 {
        let worker = self.lives[id.index()].worker;
        let again = self.lives[..id.index()].iter().any(|life| life.worker == worker);
        let reread = if again { again::REREAD } else { 0 };
        reread
            | match self.may_be_two(seen) {
                true if self.is_republished(seen.message) => again::REPUBLISHED,
                true => again::ACK_LOST,
                false => 0,
            }
    }

    /// Whether the broker cannot have taken back what the life holds, or held: then what is read
    /// elsewhere is another one of two.
    fn keeps(&self, life: &Life, acked: bool) -> bool {
        let holds = life.is_live() || life.holds_on();
        let settled = life.ack == AckMode::Auto || (acked && life.read_by_broker);
        (holds && life.shaken.is_none()) || (settled && !self.may_be_forgotten_since(life))
    }

    /// A work ended whose copy had been handed to somebody else by then.
    pub(super) fn finished_late(&mut self, id: LifeId, message: MessageKey, held: &Held) {
        let life = &self.lives[id.index()];
        // What becomes of a manual ack is not known before it is written or the life is over.
        if !matches!(life.ack, AckMode::Manual { .. }) {
            let bits = why_back(life.ack, held.acked);
            self.add_again(id, message, held.place, bits);
        }
    }

    /// An ack was written for a copy that had been handed to somebody else by then.
    pub(super) fn acked_late(&mut self, id: LifeId, message: MessageKey, held: &Held) {
        if held.state == HeldState::Finished {
            self.add_again(id, message, held.place, again::ACK_LOST);
        }
    }

    /// A life is about to end: what it finished and never acked went back.
    pub(super) fn never_acked(&mut self, id: LifeId) {
        let life = &self.lives[id.index()];
        if !matches!(life.ack, AckMode::Manual { .. }) {
            return;
        }
        let finished: Vec<Held> = life.finished_unacked().copied().collect();
        for held in finished {
            if let Some(message) = held.message
                && held.place != CopyPlace::Unexpected
                && (held.doubtful || !self.is_current(id, &held))
            {
                self.add_again(id, message, held.place, again::REQUEUED);
            }
        }
    }

    /// Of a message that was published twice the newer delivery may as well be that of the other,
    /// unless the broker may have given up the life, or it was seen a third time.
    fn add_again(&mut self, id: LifeId, message: MessageKey, place: CopyPlace, bits: u8) {
        let life = &self.lives[id.index()];
        let queue = life.queue;
        if self.kind(queue) == QueueKind::Stream || place == CopyPlace::Unexpected {
            return;
        }
        let (unsure, twice) = (life.unsure, self.is_republished(message));
        let copy = self.copy_mut(message, queue, place);
        copy.add_again(match twice {
            true if !unsure && copy.deliveries < 3 => again::perhaps(bits) | again::REPUBLISHED,
            true => bits | again::REPUBLISHED,
            false => bits,
        });
    }

    /// Whether there may be two of it that nothing tells apart: it was published twice, or a queue
    /// forgot that it had given up the one before it, and did so again.
    pub(super) fn may_be_two(&self, seen: Sighting) -> bool {
        self.is_republished(seen.message)
            || (seen.path != PathId::NONE && self.may_repeat_dead_letters())
    }

    pub(super) fn is_republished(&self, message: MessageKey) -> bool {
        let messages = &self.producers[message.producer.index()].messages;
        messages.flags(message.n) & message_flag::REPUBLISHED != 0
    }

    /// Adds a flag to a copy if this delivery is the one that counts.
    pub(super) fn mark_current(
        &mut self,
        id: LifeId,
        message: MessageKey,
        queue: QueueId,
        held: &Held,
        flag: u16,
    ) -> bool {
        let current = self.is_current(id, held);
        if current {
            self.mark(message, queue, held.place, flag);
        }
        current
    }
}

/// Why a copy that was finished came again: an ack was written in vain, or none was. Under
/// automatic acks the broker writes it itself.
fn why_back(ack: AckMode, acked: bool) -> u8 {
    match ack {
        AckMode::Never => again::FORGOTTEN,
        AckMode::Auto => again::ACK_LOST,
        _ if acked => again::ACK_LOST,
        _ => again::REQUEUED,
    }
}

/// Whether a life that ended so may have been given up by the broker before.
pub(super) fn may_be_given_up(how: LifeEnd) -> bool {
    matches!(how, LifeEnd::Failed | LifeEnd::Lost | LifeEnd::Frozen)
}
