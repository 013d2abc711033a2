//! The broker's side of consumers: what they are sent, and what they say to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rmq_scenario::plan::model::{AckMode, Offset, WorkerId};

use crate::dice::Dice;
use crate::simulated::broker::{Broker, Consumer, Frame, Letter};
use crate::simulated::truth::Finish;

impl Broker<'_> {
    pub fn subscribe(&mut self, worker: WorkerId, pile: usize, offset: Option<Offset>) -> usize {
        let plan = &self.plan.workers[worker.index()];
        let (ack, prefetch) = (plan.ack, usize::from(plan.prefetch));
        let from_next = offset == Some(Offset::Next);
        let last = self.piles[pile].ready.last_key_value().map_or(0, |(place, _)| *place);
        self.consumers.push(Consumer {
            worker,
            pile,
            ack,
            prefetch,
            subscribed: true,
            open: true,
            cut: false,
            parted: false,
            next_tag: 1,
            wire: VecDeque::new(),
            unacked: BTreeMap::new(),
            acks: VecDeque::new(),
            offset: if from_next { last } else { 0 },
            acked: BTreeSet::new(),
        });
        self.consumers.len() - 1
    }

    fn able(&self, consumer: &Consumer) -> bool {
        let limited = consumer.prefetch > 0 && consumer.ack != AckMode::Auto;
        let hears = consumer.subscribed && !consumer.parted;
        hears && (!limited || consumer.unacked.len() < consumer.prefetch)
    }

    /// Consumers that can be sent what is at the head, or behind what they were sent.
    fn able_on(&self, pile: usize) -> Vec<usize> {
        let (ready, stream) = (&self.piles[pile].ready, self.is_stream(pile));
        let more = |c: &Consumer| match stream {
            true => ready.range(c.offset + 1..).next().is_some(),
            false => !ready.is_empty(),
        };
        let all = self.consumers.iter().enumerate();
        all.filter(|(_, c)| c.pile == pile && self.able(c) && more(c)).map(|(id, _)| id).collect()
    }

    pub fn can_dispatch(&self, pile: usize) -> bool {
        !self.piles[pile].gone && !self.piles[pile].stuck && !self.able_on(pile).is_empty()
    }

    /// The head of the queue goes to some able consumer.
    pub fn dispatch(&mut self, pile: usize, dice: &mut Dice) {
        let able = self.able_on(pile);
        let stream = self.is_stream(pile);
        let id = dice.pick(&able);
        let consumer = &mut self.consumers[id];
        let ready = &mut self.piles[pile].ready;
        let letter = if stream {
            let (place, letter) = ready.range(consumer.offset + 1..).next().expect("it is able");
            consumer.offset = *place;
            letter.clone()
        } else {
            ready.pop_first().expect("something is ready").1
        };
        let tag = consumer.next_tag;
        consumer.next_tag += 1;
        consumer.wire.push_back((tag, letter.clone()));
        self.truth.send((id, tag));
        match consumer.ack {
            AckMode::Auto if !stream => self.settle(pile, letter, Some((id, tag))),
            AckMode::Auto => {}
            _ => drop(consumer.unacked.insert(tag, letter)),
        }
    }

    /// The broker reads one ack.
    pub fn take_ack(&mut self, id: usize) {
        let consumer = &mut self.consumers[id];
        let (tag, multiple) = match consumer.acks.pop_front() {
            Some(Frame::Ack { tag, multiple }) => (tag, multiple),
            Some(Frame::Nack { tag, requeue }) => return self.take_nack(id, tag, requeue),
            None => return,
        };
        let from = if multiple { 0 } else { tag };
        let covered: Vec<u64> = consumer.unacked.range(from..=tag).map(|(tag, _)| *tag).collect();
        for tag in covered {
            let consumer = &mut self.consumers[id];
            consumer.acked.insert(tag);
            let pile = consumer.pile;
            if let Some(letter) = consumer.unacked.remove(&tag).filter(|_| !self.is_stream(pile)) {
                self.settle(pile, letter, Some((id, tag)));
            }
        }
    }

    /// The channel is no more: what it held goes back, in its place.
    pub fn close(&mut self, id: usize) {
        let consumer = &mut self.consumers[id];
        (consumer.open, consumer.subscribed) = (false, false);
        consumer.acks.clear();
        let unacked = std::mem::take(&mut consumer.unacked);
        let (pile, auto) = (consumer.pile, consumer.ack == AckMode::Auto);
        // Whoever lives on may still read what was sent.
        let wire = consumer.wire.clone();
        let queue = self.piles[pile].queue;
        for (tag, letter) in wire.into_iter().filter(|_| auto) {
            if !self.truth.is_back((id, tag)) {
                self.vanish(letter.stay(queue), "auto_ack");
            }
        }
        let stream = self.is_stream(pile);
        for (tag, mut letter) in unacked.into_iter().filter(|_| !stream) {
            letter.origins.push((id, tag));
            self.truth.take_back((id, tag));
            self.come_back(letter, pile, true);
        }
        self.shorten(pile);
    }

    /// The client read a delivery.
    pub fn note_read(&mut self, id: usize, tag: u64, letter: &Letter) {
        if let Some(held) = self.consumers[id].unacked.get_mut(&tag) {
            held.origins.clear();
        }
        let queue = self.piles[self.consumers[id].pile].queue;
        self.truth.read_again(letter.stay(queue), &letter.origins);
    }

    /// The client finished a delivery.
    pub fn note_finish(&mut self, id: usize, tag: u64, letter: &Letter, finish: Finish) {
        let pile = self.consumers[id].pile;
        let stay = letter.stay(self.piles[pile].queue);
        match self.is_stream(pile) {
            true => self.truth.finish_entry(self.consumers[id].worker, stay, letter.place),
            false => self.truth.finish((id, tag), stay, letter.place, finish),
        }
    }

    pub fn vanish_held(&mut self, id: usize, letter: &Letter, why: &'static str) {
        let pile = self.consumers[id].pile;
        if !self.is_stream(pile) {
            self.vanish(letter.stay(self.piles[pile].queue), why);
        }
    }
}
