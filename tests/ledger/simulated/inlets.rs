//! The broker's side of producers' channels: what it reads of them, and what it answers.

use rmq_scenario::ledger::event::MessageKey;
use rmq_scenario::plan::model::{Confirms, ExchangeRef, ProducerId, QueueId};

use crate::dice::Dice;
use crate::simulated::broker::{Broker, Letter, Reply, first_stay};

impl Broker<'_> {
    /// The broker reads one publish: routes it, returns it, prepares its answer.
    pub fn take_publish(&mut self, producer: ProducerId, dice: &mut Dice) {
        let plan = &self.plan.producers[producer.index()];
        let Some(n) = self.inlets[producer.index()].wire.pop_front() else { return };
        let message = MessageKey { producer, n };
        if self.misses(plan.to.exchange.clone()) {
            self.inlets[producer.index()].refused = true;
            return self.sever_inlet(producer.index(), 0, dice);
        }
        let confirms = plan.confirms != Confirms::Off;
        let piles: Vec<usize> =
            (0..self.piles.len()).filter(|&pile| self.reaches(message, pile)).collect();
        let mut refused = confirms && !piles.is_empty() && dice.percent(self.refusals);
        for &pile in &piles {
            // A refused message may have reached another queue than the one that refused it.
            let takes = !refused || (piles.len() > 1 && dice.percent(30));
            if takes && !self.enqueue(message, pile) {
                refused = confirms;
            }
        }
        let inlet = &mut self.inlets[producer.index()];
        if piles.is_empty() && plan.mandatory {
            inlet.replies.push_back(Reply::Return(n));
        }
        let stuck = piles.iter().any(|&pile| self.piles[pile].stuck);
        if confirms && !stuck && !dice.percent(self.silence) {
            inlet.unanswered.insert(n, !refused);
        }
    }

    fn misses(&self, exchange: ExchangeRef) -> bool {
        let ExchangeRef::Declared(exchange) = exchange else { return true };
        let exchange = &self.plan.topology.exchanges[exchange.index()];
        self.lost_exchanges && !exchange.durable && !exchange.name.is_empty()
    }

    /// A publish comes to a queue. Whether that takes it.
    fn enqueue(&mut self, message: MessageKey, pile: usize) -> bool {
        let letter = Letter {
            message,
            place: 0,
            redelivered: false,
            origins: Vec::new(),
            written: false,
            way: Vec::new(),
            key: None,
            returns: 0,
            due: None,
        };
        self.arrive(letter, pile)
    }

    /// The broker answers some of what it has routed, in any order.
    pub fn answer(&mut self, producer: ProducerId, dice: &mut Dice) {
        let inlet = &mut self.inlets[producer.index()];
        let waiting: Vec<u32> = inlet.unanswered.keys().copied().collect();
        if waiting.is_empty() {
            return;
        }
        let upto = dice.pick(&waiting);
        let one = dice.percent(30);
        for n in waiting.into_iter().filter(|&n| if one { n == upto } else { n <= upto }) {
            let inlet = &mut self.inlets[producer.index()];
            let ack = inlet.unanswered.remove(&n).expect("it was waiting");
            inlet.replies.push_back(Reply::Answer { n, ack });
            if ack {
                self.write(MessageKey { producer, n });
            }
        }
    }

    pub fn owes_answers(&self, producer: ProducerId) -> bool {
        !self.inlets[producer.index()].unanswered.is_empty()
    }

    /// The socket is dead: what the broker had not read never arrives.
    pub fn lose_inlet(&mut self, producer: ProducerId) {
        let inlet = std::mem::take(&mut self.inlets[producer.index()]);
        inlet.wire.into_iter().for_each(|n| self.never_arrives(producer, n));
    }

    /// What is published on a connection that the broker has closed.
    pub fn never_arrives(&mut self, producer: ProducerId, n: u32) {
        let confirms = self.plan.producers[producer.index()].confirms;
        if confirms == Confirms::Off {
            let message = MessageKey { producer, n };
            for index in 0..self.plan.topology.queues.len() {
                self.vanish(first_stay(message, QueueId::from_index(index)), "not_sent");
            }
        }
    }

    /// The broker closes a producer's connection, having read so much more of it; what it said
    /// before that is still read.
    pub fn sever_inlet(&mut self, index: usize, read: usize, dice: &mut Dice) {
        let producer = ProducerId::from_index(index);
        for _ in 0..read {
            self.take_publish(producer, dice);
        }
        let inlet = &mut self.inlets[index];
        inlet.closed = true;
        inlet.unanswered.clear();
        let wire = std::mem::take(&mut inlet.wire);
        wire.into_iter().for_each(|n| self.never_arrives(producer, n));
    }
}
