//! What outlives the end of the simulated broker, by type of queue, persistence, confirms and way
//! of ending; and what a killed one remembers that it had given up.

use std::collections::BTreeMap;

use rmq_scenario::ledger::event::MessageKey;
use rmq_scenario::plan::model::StopHow::{Graceful, Sigkill};
use rmq_scenario::plan::model::{AckMode, QueueId, QueueKind, StopHow};

use crate::dice::Dice;
use crate::simulated::broker::{Broker, Letter};
use crate::simulated::truth::Delivered;

/// By pile, what consumers held when their broker ended.
type Held = BTreeMap<usize, Vec<(Delivered, Letter)>>;

impl Broker<'_> {
    /// What is in a queue is where a kill does not reach, and so is what is not there any more.
    pub fn flush(&mut self, pile: usize) {
        self.piles[pile].settled.clear();
        self.piles[pile].ready.values_mut().for_each(|letter| letter.written = true);
        for consumer in self.consumers.iter_mut().filter(|consumer| consumer.pile == pile) {
            consumer.unacked.values_mut().for_each(|letter| letter.written = true);
        }
    }

    /// The broker is about to confirm a publish: wherever it came to, it is written.
    pub(super) fn write(&mut self, message: MessageKey) {
        let ready = self.piles.iter_mut().flat_map(|pile| pile.ready.values_mut());
        let held = self.consumers.iter_mut().flat_map(|it| it.unacked.values_mut());
        for letter in ready.chain(held) {
            letter.written |= letter.message == message && letter.way.is_empty();
        }
    }

    /// A queue gave a letter up, and may not have written that yet.
    pub(super) fn settle(&mut self, pile: usize, letter: Letter, by: Option<Delivered>) {
        // What a queue refused was never there.
        if letter.place > 0 {
            self.piles[pile].settled.push((letter, by));
        }
    }

    /// The broker ends. `young` queues had just been declared.
    pub fn end(&mut self, how: StopHow, young: &[QueueId], dice: &mut Dice) {
        let mut held = Held::new();
        for id in 0..self.consumers.len() {
            if !self.consumers[id].open {
                continue;
            }
            let heard = how == Graceful && !self.consumers[id].cut;
            let acks = if heard { self.consumers[id].acks.len() } else { 0 };
            for _ in 0..dice.below(acks + 1) {
                self.take_ack(id);
            }
            self.hang_up(id, &mut held);
        }
        for inlet in 0..self.inlets.len() {
            self.sever_inlet(inlet, 0, dice);
        }
        for pile in 0..self.piles.len() {
            let held = held.remove(&pile).unwrap_or_default();
            if !self.piles[pile].gone {
                let young = young.contains(&self.piles[pile].queue);
                self.survive(pile, (how, young), held, dice);
            }
        }
        self.lost_exchanges = true;
    }

    fn hang_up(&mut self, id: usize, held: &mut Held) {
        let consumer = &mut self.consumers[id];
        (consumer.open, consumer.subscribed) = (false, false);
        consumer.acks.clear();
        let pile = consumer.pile;
        let unacked = std::mem::take(&mut consumer.unacked);
        let sent: Vec<Letter> = consumer.wire.iter().map(|(_, letter)| letter.clone()).collect();
        if consumer.ack == AckMode::Auto {
            let queue = self.piles[pile].queue;
            sent.iter().for_each(|letter| self.vanish(letter.stay(queue), "auto_ack"));
        }
        if self.is_stream(pile) {
            return;
        }
        let unacked = unacked.into_iter().map(|(tag, letter)| ((id, tag), letter));
        if self.piles[pile].gone {
            let queue = self.piles[pile].queue;
            unacked.for_each(|(_, letter)| self.vanish(letter.stay(queue), "queue_gone"));
        } else {
            held.entry(pile).or_default().extend(unacked);
        }
    }

    fn survive(
        &mut self,
        pile: usize,
        (how, young): (StopHow, bool),
        held: Vec<(Delivered, Letter)>,
        dice: &mut Dice,
    ) {
        let queue = self.queue(pile).clone();
        let ready = std::mem::take(&mut self.piles[pile].ready);
        let mut all: Vec<(Option<Delivered>, Letter)> =
            ready.into_values().map(|letter| (None, letter)).collect();
        all.extend(held.into_iter().map(|(by, letter)| (Some(by), letter)));
        all.sort_by_key(|(_, letter)| letter.place);
        if !queue.durable || queue.owner.is_some() {
            let why = if queue.owner.is_some() { "queue_gone" } else { "transient" };
            self.piles[pile].gone = true;
            return self.lose(pile, all, why);
        }
        if queue.kind == QueueKind::Classic {
            let transient = |(_, letter): &(Option<Delivered>, Letter)| !self.persists(letter);
            let (lost, rest) = all.into_iter().partition(transient);
            self.lose(pile, lost, "transient");
            all = rest;
        }
        if how == Sigkill {
            all = self.outlive_a_kill(pile, young, all, dice);
        }
        self.piles[pile].settled.clear();
        for (by, mut letter) in all {
            if let Some(by) = by {
                letter.origins.push(by);
                self.truth.take_back(by);
                self.come_back(letter, pile, true);
            } else {
                self.piles[pile].ready.insert(letter.place, letter);
            }
        }
        self.shorten(pile);
    }

    fn lose(&mut self, pile: usize, lost: Vec<(Option<Delivered>, Letter)>, why: &'static str) {
        let queue = self.piles[pile].queue;
        lost.into_iter().for_each(|(_, letter)| self.vanish(letter.stay(queue), why));
    }

    fn persists(&self, letter: &Letter) -> bool {
        self.plan().producers[letter.message.producer.index()].persistent
    }

    fn outlive_a_kill(
        &mut self,
        pile: usize,
        young: bool,
        all: Vec<(Option<Delivered>, Letter)>,
        dice: &mut Dice,
    ) -> Vec<(Option<Delivered>, Letter)> {
        let classic = self.queue(pile).kind == QueueKind::Classic;
        if young && dice.percent(60) {
            if dice.percent(50) {
                self.lose(pile, all, "young_queue");
                return Vec::new();
            }
            self.piles[pile].stuck = true;
        }
        // A log loses its end; a classic queue loses whatever was not written yet.
        let unwritten = all.iter().filter(|(_, letter)| !letter.written).count();
        let prefix = dice.below(unwritten + 1);
        let mut passed = 0;
        let mut kept = Vec::new();
        let mut lost = Vec::new();
        for (by, letter) in all {
            passed += usize::from(!letter.written);
            let stays = if classic { dice.percent(50) } else { passed <= prefix };
            match letter.written || stays {
                true => kept.push((by, letter)),
                false => lost.push((by, letter)),
            }
        }
        self.lose(pile, lost, "unflushed");
        self.resurrect(pile, &mut kept, dice);
        for (_, letter) in &mut kept {
            letter.redelivered |= classic;
            letter.written = true;
        }
        kept
    }

    /// What was given up and is not known to be: acks that were read, too.
    fn resurrect(
        &mut self,
        pile: usize,
        kept: &mut Vec<(Option<Delivered>, Letter)>,
        dice: &mut Dice,
    ) {
        let (queue, classic) =
            (self.piles[pile].queue, self.queue(pile).kind == QueueKind::Classic);
        let settled = std::mem::take(&mut self.piles[pile].settled);
        let known = if classic { 0 } else { dice.below(settled.len() + 1) };
        for (mut letter, by) in settled.into_iter().skip(known) {
            let keeps = !classic || (self.persists(&letter) && dice.percent(60));
            if keeps && (letter.written || dice.percent(40)) {
                self.truth.resurrect(&letter.stay(queue), by);
                letter.origins.extend(by);
                letter.redelivered = true;
                kept.push((None, letter));
            }
        }
        kept.sort_by_key(|(_, letter)| letter.place);
    }
}
