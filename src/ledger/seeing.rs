//! Seeing messages: in the hands of workers, and in the queues at the end.

use std::collections::BTreeMap;

use crate::ledger::deliveries::{LATE, may_be_given_up};
use crate::ledger::event::{LifeEnd, LifeId, MessageKey, Micros, Sighting};
use crate::ledger::history::StepKind;
use crate::ledger::lives::{CopyPlace, Held, HeldState};
use crate::ledger::messages::{Copy, NOBODY, copy_flag, message_flag};
use crate::ledger::paths::{PathId, Step};
use crate::ledger::recording::Broken;
use crate::ledger::{Ledger, Move};
use crate::plan::model::{AckMode, QueueId, QueueKind};

/// How many copies of each life that came again are kept as examples.
const EXAMPLES: usize = 5;
/// How many breaches of order are kept as examples.
const DISORDER: usize = 5;

const STILL_HELD: &str = "it came again while another consumer holds it";

/// A basic.deliver.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    pub tag: u64,
    pub redelivered: bool,
    pub at: Micros,
}

impl Ledger {
    pub(super) fn read(
        &mut self,
        id: LifeId,
        queue: QueueId,
        seen: Option<Sighting>,
        delivery: Delivery,
    ) -> Result<(), Broken> {
        let Delivery { tag, redelivered, at } = delivery;
        let told = seen.map(|seen| self.told(seen));
        let place = match told {
            Some((seen, last)) => self.place(seen, queue, last)?,
            None => CopyPlace::Unexpected,
        };
        let seen = told.map(|(seen, _)| seen);
        let message = seen.map(|seen| seen.message);
        let path = seen.map_or(PathId::NONE, |seen| seen.path);
        let (turn, doubtful) = match seen.filter(|_| place != CopyPlace::Unexpected) {
            Some(seen) => self.turn(id, seen, self.copy(seen.message, queue, place), delivery),
            None => (LATE, false),
        };
        let life = &mut self.lives[id.index()];
        let state = HeldState::Read;
        let held = Held { message, path, place, state, acked: false, turn, doubtful };
        life.read(tag, held).map_err(|what| (message, what))?;
        life.counts.redelivered += u64::from(redelivered);
        let acks = life.ack != AckMode::Auto;
        self.went_out(queue);
        // Of a dead letter nobody knew that it was there.
        let known = match place {
            CopyPlace::Later(_) => turn != 1,
            CopyPlace::Routed(_) | CopyPlace::Extra | CopyPlace::Unexpected => true,
        };
        // A stream keeps what it delivers.
        let leaves = self.kind(queue) != QueueKind::Stream;
        self.series.read(queue, acks && leaves, known && leaves, at);
        let Some(seen) = seen else {
            self.foreign += 1;
            return Ok(());
        };
        self.history.add(seen.message, at, StepKind::Read { life: id, redelivered });
        self.check_order(id, seen, redelivered);
        self.note_seen(seen.message);
        if place == CopyPlace::Unexpected {
            *self.unexpected.entry((seen.message, queue)).or_default() += 1;
            return Ok(());
        }
        let before = self.copy(seen.message, queue, place);
        if self.kind(queue) == QueueKind::Stream {
            self.read_of_stream(id, seen);
        } else if turn == LATE {
            self.lives[id.index()].counts.repeats += 1;
            return Ok(());
        } else {
            self.note_move(id, seen, redelivered, before);
            if before.has(copy_flag::SEEN) {
                self.lives[id.index()].counts.repeats += 1;
                self.check_repeat(before, seen, redelivered, Some(id))?;
            }
            self.came_again(seen.message, queue, place, before);
        }
        let bits = self.why_again(id, seen, before, redelivered);
        let copy = self.copy_mut(seen.message, queue, place);
        copy.add_again(bits);
        copy.holder = id.0;
        copy.deliveries = turn;
        copy.flags &= !copy_flag::OF_A_DELIVERY;
        copy.flags |= copy_flag::SEEN;
        Ok(())
    }

    /// Which delivery of its copy it is, and whether that is in doubt.
    fn turn(&self, id: LifeId, seen: Sighting, before: Copy, delivery: Delivery) -> (u16, bool) {
        let life = &self.lives[id.index()];
        let stream = self.kind(life.queue) == QueueKind::Stream;
        match !stream && self.comes_late(id, seen, before, delivery) {
            true => (LATE, false),
            false => {
                let doubtful = !stream && self.may_come_late(life, before);
                (before.deliveries.saturating_add(1), doubtful)
            }
        }
    }

    /// The copy that was seen, and what it said was the last that befell it.
    fn told(&self, seen: Sighting) -> (Sighting, Option<Step>) {
        if seen.path == PathId::NONE {
            return (seen, None);
        }
        let (path, last) = self.paths.told(seen.path);
        (Sighting { path, ..seen }, last)
    }

    fn note_seen(&mut self, message: MessageKey) {
        self.producers[message.producer.index()].messages.add_flags(message.n, message_flag::SEEN);
    }

    /// From whom to whom a redelivered copy went.
    fn note_move(&mut self, id: LifeId, seen: Sighting, redelivered: bool, before: Copy) {
        if !redelivered {
            return;
        }
        let from = (before.holder != NOBODY).then_some(LifeId(before.holder));
        let given_back = before.has(copy_flag::RETURNED);
        // A message that just came as a dead letter may bear the flag: nobody had it here.
        if from.is_none() && seen.path != PathId::NONE {
            return;
        }
        let worker = self.lives[id.index()].worker;
        *self.moves.entry(Move { from, given_back, to: worker }).or_default() += 1;
        if let Some(from) = from.filter(|_| !given_back && seen.path == PathId::NONE) {
            let taken = self.lives[id.index()].taken_over.entry((from, seen.message.producer));
            let highest = taken.or_default();
            *highest = seen.message.n.max(*highest);
        }
    }

    /// A copy that was read before may come again, but not in every way. `reader` is a life, or
    /// the drain.
    fn check_repeat(
        &mut self,
        before: Copy,
        seen: Sighting,
        redelivered: bool,
        reader: Option<LifeId>,
    ) -> Result<(), Broken> {
        let message = seen.message;
        let unsure = |id: LifeId| self.lives[id.index()].unsure;
        // It may be the other of two, or have been sent before others gave it back.
        if self.may_be_two(seen) || reader.is_some_and(unsure) {
            return Ok(());
        }
        let holder = &self.lives[usize::from(before.holder)];
        let (id, auto) = (holder.id, holder.ack == AckMode::Auto);
        if !redelivered && self.may_have_met(seen) {
            return Ok(());
        }
        if !redelivered {
            return Err((Some(message), "it came again without the redelivered flag".to_owned()));
        }
        if auto && !self.may_be_forgotten_since(&self.lives[id.index()]) {
            let what = "it came again though it had been sent under automatic acknowledgement";
            return Err((Some(message), what.to_owned()));
        }
        let holder = &self.lives[id.index()];
        let other = reader.is_some_and(|reader| reader != id);
        let live = holder.is_live();
        if !before.has(copy_flag::RETURNED) && holder.shaken.is_none() {
            if live && other {
                keep_example(&mut self.early, id, message);
            } else if live || (holder.holds_on() && reader.is_some()) {
                return Err((Some(message), STILL_HELD.to_owned()));
            }
        }
        if before.has(copy_flag::ACKED | copy_flag::REJECTED) {
            keep_example(&mut self.suspects, id, message);
        }
        Ok(())
    }

    /// The broker ends a subscription and gives what it held to others in one go, and nothing
    /// orders what the two read. Whoever ended in any other way held it to that moment.
    pub(super) fn check_early(&mut self, id: LifeId, how: LifeEnd) {
        let Some((examples, count)) = self.early.remove(&id) else { return };
        if may_be_given_up(how) {
            return;
        }
        self.violation_count += count - examples.len() as u64;
        for message in examples {
            self.violation(Some(message), STILL_HELD);
        }
    }

    /// Per producer, queue and worker the numbers rise, but for what is redelivered. What came
    /// as a dead letter says nothing about the order of a channel.
    fn check_order(&mut self, id: LifeId, seen: Sighting, redelivered: bool) {
        if redelivered {
            return;
        }
        let MessageKey { producer, n } = seen.message;
        let worker = self.lives[id.index()].worker;
        if n <= self.lives[id.index()].highest(producer) {
            self.disorder_count += 1;
            if self.disorder.len() < DISORDER {
                self.disorder.push((seen.message, worker));
            }
        }
        let first = match seen.path {
            PathId::NONE => self.producers[producer.index()].channel_of(n),
            _ => 0,
        };
        self.lives[id.index()].came_first(producer, first, n);
    }

    pub(super) fn drained(&mut self, queue: QueueId, messages: Vec<Option<Sighting>>) {
        for seen in messages {
            self.queues[queue.index()].drained += 1;
            let result = match seen {
                Some(seen) => self.found(seen, queue),
                None => {
                    self.foreign += 1;
                    Ok(())
                }
            };
            if let Err((message, what)) = result {
                self.violation(message, what);
            }
        }
    }

    fn found(&mut self, seen: Sighting, queue: QueueId) -> Result<(), Broken> {
        let (seen, last) = self.told(seen);
        let place = self.place(seen, queue, last)?;
        let message = seen.message;
        self.history.add(message, Micros::MAX, StepKind::Found(queue));
        self.note_seen(message);
        if place == CopyPlace::Unexpected {
            *self.unexpected.entry((message, queue)).or_default() += 1;
            return Ok(());
        }
        let before = self.copy(message, queue, place);
        if before.has(copy_flag::DRAINED) && !self.may_be_two(seen) && !self.may_have_met(seen) {
            return Err((Some(message), "it was found twice in its queue".to_owned()));
        }
        if self.kind(queue) != QueueKind::Stream {
            if before.has(copy_flag::SEEN) {
                self.check_repeat(before, seen, true, None)?;
            }
            self.came_again(message, queue, place, before);
        }
        self.copy_mut(message, queue, place).flags |= copy_flag::DRAINED;
        Ok(())
    }

    pub(super) fn drain_ended(&mut self, queue: QueueId, complete: bool, total: u64, at: Micros) {
        let book = &mut self.queues[queue.index()];
        book.drain = Some(complete);
        book.drained_at = at;
        let seen = book.drained;
        if seen != total {
            let what = format!("the drain counted {total}, its events say {seen}");
            self.violation(None, what);
        }
    }

    pub(super) fn kind(&self, queue: QueueId) -> QueueKind {
        self.plan.topology.queues[queue.index()].kind
    }
}

type Examples = BTreeMap<LifeId, (Vec<MessageKey>, u64)>;

fn keep_example(kept: &mut Examples, life: LifeId, message: MessageKey) {
    let (examples, count) = kept.entry(life).or_default();
    *count += 1;
    if examples.len() < EXAMPLES {
        examples.push(message);
    }
}
