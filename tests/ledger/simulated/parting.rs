//! A node of the simulated broker does not hear the others for a while. What its consumers hold is
//! taken back without their knowing, what was on its way to them never comes, and what they say
//! reaches nobody who cares.

use rmq_scenario::ledger::event::Event;
use rmq_scenario::plan::model::{AckMode, NodeId};

use crate::dice::Dice;
use crate::simulated::Sim;
use crate::simulated::broker::Broker;

const PARTED: NodeId = NodeId(1);

impl Sim<'_> {
    pub(super) fn part(&mut self) {
        let at = self.now();
        self.events.push(Event::Parted { node: PARTED, at });
        self.parted = true;
        // The queue before another one may not have heard what that took.
        self.broker.truth.may_forget = true;
        for id in 0..self.broker.consumers.len() {
            if self.broker.consumers[id].open && self.dice.percent(40) {
                self.broker.part(id, &mut self.dice);
            }
        }
    }

    pub(super) fn rejoin(&mut self) {
        self.parted = false;
        self.broker.consumers.iter_mut().for_each(|consumer| consumer.parted = false);
        let at = self.now();
        self.events.push(Event::Rejoined { node: PARTED, at });
    }
}

impl Broker<'_> {
    /// The consumer's node is parted from that of the queue.
    fn part(&mut self, id: usize, dice: &mut Dice) {
        let pile = self.consumers[id].pile;
        if self.is_stream(pile) || self.piles[pile].gone {
            return;
        }
        self.consumers[id].parted = true;
        self.lose_tail(id, dice);
        let unacked = std::mem::take(&mut self.consumers[id].unacked);
        for (tag, mut letter) in unacked {
            // A tag that never came may be another's later on.
            if tag < self.consumers[id].next_tag {
                letter.origins.push((id, tag));
                self.truth.take_back((id, tag));
            }
            self.come_back(letter, pile, true);
        }
        self.shorten(pile);
    }

    /// What was on its way between the nodes is lost: the consumer's node counts the tags.
    fn lose_tail(&mut self, id: usize, dice: &mut Dice) {
        let consumer = &mut self.consumers[id];
        let lost = dice.below(consumer.wire.len() + 1);
        let tail = consumer.wire.split_off(consumer.wire.len() - lost);
        consumer.next_tag -= lost as u64;
        let (queue, auto) = (self.piles[consumer.pile].queue, consumer.ack == AckMode::Auto);
        for (_, letter) in tail.into_iter().filter(|_| auto) {
            self.vanish(letter.stay(queue), "auto_ack");
        }
    }
}
