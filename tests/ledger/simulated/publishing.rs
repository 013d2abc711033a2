//! The simulated producers.

use std::collections::BTreeSet;

use rmq_scenario::ledger::event::{Answer, Event, MessageKey, ProducerEnd};
use rmq_scenario::plan::model::{Confirms, ProducerId, Unconfirmed};

use crate::simulated::broker::Reply;
use crate::simulated::{Action, Sim};

/// One producer instance, seen from the program.
#[derive(Default)]
pub struct Source {
    state: State,
    published: u32,
    channel_from: u32,
    republished: u32,
    answered: u32,
    returned: u32,
    /// What it has no answer to, and publishes again if it may.
    unanswered: BTreeSet<u32>,
    again: Vec<u32>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Down,
    Up,
    Done,
}

impl Source {
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn ending(&self, closed: bool) -> ProducerEnd {
        let published = self.published + 1 - self.channel_from;
        let Self { republished, answered, returned, .. } = *self;
        ProducerEnd { closed, published, republished, answered, returned }
    }
}

impl Sim<'_> {
    pub(super) fn publishing_actions(&self, id: ProducerId, actions: &mut Vec<Action>) {
        let source = &self.sources[id.index()];
        let inlet = &self.broker.inlets[id.index()];
        let left = u64::from(source.published) < self.plan.producers[id.index()].messages;
        match source.state {
            State::Down if !self.is_up() => {}
            State::Down => actions.push(Action::StartProducer(id)),
            State::Up if inlet.closed => actions.push(Action::LearnLoss(id)),
            _ => {}
        }
        match source.state {
            State::Up if left => actions.push(Action::Publish(id)),
            State::Up if inlet.closed || !self.is_up() => {}
            State::Up => actions.push(Action::EndProducer(id)),
            State::Down | State::Done => {}
        }
        if !inlet.wire.is_empty() && self.serves() {
            actions.extend([Action::TakePublish(id); 2]);
        }
        if self.broker.owes_answers(id) && self.serves() {
            actions.extend([Action::Answer(id); 2]);
        }
        if !inlet.replies.is_empty() {
            actions.extend([Action::ReadReply(id); 2]);
        }
    }

    pub(super) fn start_producer(&mut self, producer: ProducerId) {
        let at = self.now();
        let source = &mut self.sources[producer.index()];
        source.state = State::Up;
        source.channel_from = source.published + 1;
        (source.answered, source.returned) = (0, 0);
        source.republished = source.again.len() as u32;
        let numbers = std::mem::take(&mut source.again);
        self.broker.lose_inlet(producer);
        self.events.push(Event::ProducerStarted { producer, reconnected: false, at });
        if !numbers.is_empty() {
            let sent = numbers.iter().map(|&n| MessageKey { producer, n });
            self.broker.truth.republished.extend(sent);
            self.broker.inlets[producer.index()].wire.extend(&numbers);
            let at = self.now();
            self.events.push(Event::Republished { producer, numbers, at });
        }
    }

    pub(super) fn publish(&mut self, producer: ProducerId) {
        let at = self.now();
        let left = self.plan.producers[producer.index()].messages
            - u64::from(self.sources[producer.index()].published);
        let count = (1 + self.dice.below(4) as u32).min(left as u32);
        let source = &mut self.sources[producer.index()];
        let first = source.published + 1;
        source.published += count;
        self.events.push(Event::Published { producer, first, count, at });
        let source = &mut self.sources[producer.index()];
        if self.plan.producers[producer.index()].confirms != Confirms::Off {
            source.unanswered.extend(first..first + count);
        }
        match self.broker.inlets[producer.index()].closed {
            true => (first..first + count).for_each(|n| self.broker.never_arrives(producer, n)),
            false => self.broker.inlets[producer.index()].wire.extend(first..first + count),
        }
    }

    /// Reads some of what came back; a run of equal answers is one span.
    pub(super) fn read_replies(&mut self, producer: ProducerId) {
        let count = 1 + self.dice.below(6);
        for _ in 0..count {
            match self.broker.inlets[producer.index()].replies.front() {
                None => return,
                Some(Reply::Return(n)) => {
                    let message = MessageKey { producer, n: *n };
                    self.broker.inlets[producer.index()].replies.pop_front();
                    self.sources[producer.index()].returned += 1;
                    let at = self.now();
                    self.events.push(Event::Returned { message, at });
                }
                Some(Reply::Answer { .. }) => self.read_answers(producer),
            }
        }
    }

    fn read_answers(&mut self, producer: ProducerId) {
        let mut answers: Vec<Answer> = Vec::new();
        let replies = &mut self.broker.inlets[producer.index()].replies;
        while let Some(Reply::Answer { n, ack }) = replies.front().copied() {
            replies.pop_front();
            self.sources[producer.index()].answered += 1;
            self.sources[producer.index()].unanswered.remove(&n);
            match answers.last_mut() {
                Some(last) if last.first + last.count == n && last.ack == ack => last.count += 1,
                _ => answers.push(Answer { first: n, count: 1, ack }),
            }
            if self.dice.percent(30) {
                break;
            }
        }
        let at = self.now();
        self.events.push(Event::Answered { producer, answers, at });
    }

    /// Closes in good order: the broker reads everything, and what it says is read till then.
    pub(super) fn end_producer(&mut self, producer: ProducerId) {
        let confirms = self.plan.producers[producer.index()].confirms != Confirms::Off;
        if confirms && self.dice.percent(50) && self.broker.owes_answers(producer) {
            return;
        }
        while !self.broker.inlets[producer.index()].wire.is_empty() {
            self.broker.take_publish(producer, &mut self.dice);
        }
        while !self.broker.inlets[producer.index()].replies.is_empty() {
            self.read_replies(producer);
        }
        self.record_end(producer, true);
        self.sources[producer.index()].state = State::Done;
        self.broker.lose_inlet(producer);
    }

    fn record_end(&mut self, producer: ProducerId, closed: bool) {
        let at = self.now();
        let end = self.sources[producer.index()].ending(closed);
        self.events.push(Event::ProducerEnded { producer, end, at });
    }

    /// The program learns that its connection is lost.
    pub(super) fn learn_loss(&mut self, producer: ProducerId) {
        self.record_end(producer, false);
        let refused = self.broker.inlets[producer.index()].refused;
        self.broker.lose_inlet(producer);
        let again = self.plan.producers[producer.index()].unconfirmed == Unconfirmed::Republish;
        let back = !refused && self.dice.percent(90);
        let source = &mut self.sources[producer.index()];
        let unanswered = std::mem::take(&mut source.unanswered);
        if again {
            source.unanswered.clone_from(&unanswered);
            source.again = unanswered.into_iter().collect();
        }
        source.state = if back { State::Down } else { State::Done };
    }

    /// Its socket dies: the broker reads some of what was written and no more.
    pub(super) fn crash_producer(&mut self, producer: ProducerId) {
        self.record_end(producer, false);
        let written = self.broker.inlets[producer.index()].wire.len();
        for _ in 0..self.dice.below(written + 1) {
            self.broker.take_publish(producer, &mut self.dice);
        }
        self.broker.lose_inlet(producer);
        let back = self.dice.percent(60);
        // A program that begins anew knows nothing of an earlier one.
        self.sources[producer.index()].unanswered.clear();
        self.sources[producer.index()].state = if back { State::Down } else { State::Done };
    }
}
