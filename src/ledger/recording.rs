//! Taking events in: each changes the state of messages, copies and lives, and is checked
//! against what can be.

use crate::ledger::deliveries::may_be_given_up;
use crate::ledger::event::{
    Answer, Event, LifeEnd, LifeId, LifeTotals, MessageKey, Micros, ProducerEnd, Stamped, WorkEvent,
};
use crate::ledger::history::StepKind;
use crate::ledger::lives::{CopyPlace, Life};
use crate::ledger::messages::{copy_flag, message_flag};
use crate::ledger::outages::Outage;
use crate::ledger::seeing::Delivery;
use crate::ledger::{Ledger, Resend};
use crate::plan::model::{AckMode, KillHow, ProducerId, QueueKind, WorkerId};

impl Ledger {
    /// Takes one event in.
    pub fn record(&mut self, event: Event) {
        self.events += 1;
        if let Some(listener) = &mut self.history.listener {
            listener.event(&event);
        }
        match event {
            Event::ProducerStarted { producer, reconnected, at } => {
                self.producer_started(producer, reconnected, at);
            }
            Event::Published { producer, first, count, at } => {
                self.published(producer, first, count, at);
            }
            Event::Republished { producer, numbers, at } => {
                self.republished(producer, &numbers, at);
            }
            Event::Answered { producer, answers, at } => {
                for answer in answers {
                    self.answered(producer, answer, at);
                }
            }
            Event::Returned { message, at } => self.returned(message, at),
            Event::Replied { message, at } => self.replied(message, at),
            Event::ProducerEnded { producer, end, .. } => self.producer_ended(producer, end),
            Event::LifeStarted { life, worker, at } => self.life_started(life, worker, at),
            Event::Worked { life, events } => {
                for event in events {
                    self.worked(life, event);
                }
            }
            Event::LifeEnded { life, how, totals, at } => self.life_ended(life, how, totals, at),
            Event::LifeRead { life, at } => self.life_noticed(life, at, true),
            Event::LifeNoticed { life, at } => self.life_noticed(life, at, false),
            Event::ChangeBegun { change, queue, kind, .. } => {
                self.change_begun(change, queue, kind);
            }
            Event::ChangeEnded { change, at } => self.change_ended(change, at),
            Event::Excused { deliveries } => {
                self.foreign = self.foreign.saturating_sub(deliveries);
            }
            Event::ChangeDropped { change, .. } => {
                if !self.changing.drop_pending(change) {
                    self.violation(None, "a change of the topology was dropped that never began");
                }
            }
            Event::Struck { fault, life, at } => self.struck(fault, life, at),
            Event::Acted { fault, at, done } => self.series.acted(fault, at, done),
            Event::LifeDropped { life, at } => self.dropped(life, at),
            Event::Hindered { life, by } => self.hindered(life, by),
            Event::BrokerFell { how, node, young, at } => self.broker_fell(how, node, young, at),
            Event::BrokerDown { at } => self.broker_down(at),
            Event::BrokerRose { node, at } => self.broker_rose(node, at),
            Event::Parted { node, at } => self.parted(node, at),
            Event::Rejoined { node, at } => self.rejoined(node, at),
            Event::Drained { queue, messages } => self.drained(queue, messages),
            Event::DrainEnded { queue, complete, total, at } => {
                self.drain_ended(queue, complete, total, at);
            }
        }
    }

    fn producer_started(&mut self, producer: ProducerId, reconnected: bool, at: Micros) {
        let book = &mut self.producers[producer.index()];
        let was_up = std::mem::replace(&mut book.up, true);
        book.channel_from = book.messages.len() + 1;
        book.channels.push(book.channel_from);
        if !reconnected {
            book.schedule.start(book.channel_from, at);
        }
        book.again.clear();
        book.returned_again.clear();
        book.channel_answered = 0;
        book.channel_returned = 0;
        if was_up {
            self.violation(None, "a producer started while its channel was open");
        }
    }

    fn published(&mut self, producer: ProducerId, first: u32, count: u32, at: Micros) {
        let book = &mut self.producers[producer.index()];
        let due = book.messages.len() + 1;
        let possible = first == due && book.up;
        let unsettled = self.changing.is_unsettled();
        let flags = if unsettled { message_flag::UNCERTAIN } else { 0 };
        book.schedule.published(due, at);
        for n in due..due + count {
            let index = self.changing.route(producer, &book.content, n, &mut self.routes);
            let route = self.routes.get(index);
            book.messages.push(index, route, flags);
            for (queue, optional) in route {
                self.series.came(*queue, 1, at);
                let queue = &mut self.queues[queue.index()];
                queue.routed[producer.index()] += 1;
                if !optional {
                    queue.last[producer.index()] = n;
                    self.live.expected += 1;
                }
            }
            self.history.add(MessageKey { producer, n }, at, StepKind::Published);
        }
        self.live.published += u64::from(count);
        self.series.published(producer, count, at);
        self.crowd(producer, &(due..due + count).collect::<Vec<_>>());
        if !possible {
            let message = Some(MessageKey { producer, n: first });
            self.violation(message, format!("message {first} was published where {due} was due"));
        }
    }

    /// Only what was never answered is published again.
    fn republished(&mut self, producer: ProducerId, numbers: &[u32], at: Micros) {
        let event = self.events;
        let book = &mut self.producers[producer.index()];
        let mut wrong = None;
        for &n in numbers {
            let open = n > 0
                && n < book.channel_from
                && book.messages.flags(n) & NOT_ANSWERED == 0
                && book.up
                && book.again.insert(n);
            if !open {
                wrong = wrong.or(Some(n));
                continue;
            }
            book.messages.add_flags(n, message_flag::REPUBLISHED);
            book.republished += 1;
            let route = self.changing.route(producer, &book.content, n, &mut self.routes);
            book.last_sends.insert(n, Resend { at, event, route });
            self.history.add(MessageKey { producer, n }, at, StepKind::Republished);
        }
        self.crowd(producer, numbers);
        if let Some(n) = wrong {
            let what = format!("message {n} was published again, which cannot be");
            self.violation(Some(MessageKey { producer, n }), what);
        }
    }

    fn answered(&mut self, producer: ProducerId, answer: Answer, at: Micros) {
        let flag = if answer.ack { message_flag::ACKED } else { message_flag::NACKED };
        let step = if answer.ack { StepKind::Confirmed } else { StepKind::Refused };
        for n in answer.first..answer.first.saturating_add(answer.count) {
            let message = MessageKey { producer, n };
            let book = &mut self.producers[producer.index()];
            let mine = n >= book.channel_from || book.again.contains(&n);
            let known = mine && n <= book.messages.len();
            let again =
                known && book.messages.flags(n) & (message_flag::ACKED | message_flag::NACKED) != 0;
            if !known || again || !book.confirms {
                let why = if again { "twice" } else { "though nothing of it asked for one" };
                self.violation(Some(message), format!("message {n} was answered {why}"));
                continue;
            }
            book.messages.add_flags(n, flag);
            book.channel_answered += 1;
            if answer.ack {
                self.live.confirmed += 1;
                book.schedule.confirmed(n, at);
                self.series.confirmed(producer, at);
            } else {
                // It came nowhere.
                for (queue, _) in self.routes.get(book.messages.route(n)) {
                    self.series.left(*queue, at);
                }
            }
            self.history.add(message, at, step);
        }
        self.close_up(producer);
    }

    fn returned(&mut self, message: MessageKey, at: Micros) {
        let mandatory = self.plan.producers[message.producer.index()].mandatory;
        let book = &mut self.producers[message.producer.index()];
        let known = message.n > 0 && message.n <= book.messages.len();
        let again = book.again.contains(&message.n);
        // Once for each time that it was published; what an earlier channel says is not heard.
        let first = known && book.messages.flags(message.n) & message_flag::RETURNED == 0;
        let possible = match again {
            true => book.returned_again.insert(message.n),
            false => first && message.n >= book.channel_from,
        };
        if !known || !mandatory || !possible {
            let what = format!("message {} was returned, which cannot be", message.n);
            return self.violation(Some(message), what);
        }
        book.messages.add_flags(message.n, message_flag::RETURNED);
        book.channel_returned += 1;
        self.history.add(message, at, StepKind::Returned);
    }

    fn replied(&mut self, message: MessageKey, at: Micros) {
        let rpc = self.plan.producers[message.producer.index()].rpc.is_some();
        let book = &mut self.producers[message.producer.index()];
        let known = message.n > 0 && message.n <= book.messages.len();
        if !known || !rpc || book.messages.flags(message.n) & message_flag::REPLIED != 0 {
            let what = format!("request {} was answered, which cannot be", message.n);
            return self.violation(Some(message), what);
        }
        book.messages.add_flags(message.n, message_flag::REPLIED);
        self.history.add(message, at, StepKind::Replied);
    }

    fn producer_ended(&mut self, producer: ProducerId, end: ProducerEnd) {
        let book = &mut self.producers[producer.index()];
        let (first, last) = (book.channel_from, book.messages.len());
        let was_up = std::mem::replace(&mut book.up, false);
        let seen = ProducerEnd {
            closed: end.closed,
            published: last + 1 - first,
            republished: u32::try_from(book.again.len()).expect("fewer than were published"),
            answered: book.channel_answered,
            returned: book.channel_returned,
        };
        if end.closed {
            for n in book.again.iter().copied().chain(first..=last) {
                book.messages.add_flags(n, message_flag::READ);
            }
        } else {
            book.broken.push((first, last));
        }
        if seen != end || !was_up {
            let what = format!("a producer counted {end:?}, its events say {seen:?}");
            self.violation(None, what);
        }
        self.close_up(producer);
    }

    /// Moves the mark below which nothing is on its way any more.
    fn close_up(&mut self, producer: ProducerId) {
        let book = &mut self.producers[producer.index()];
        let open = if book.confirms { NOT_ANSWERED } else { NOT_READ };
        while book.open_from <= book.messages.len()
            && book.messages.flags(book.open_from) & open != 0
        {
            book.open_from += 1;
        }
    }

    fn life_started(&mut self, id: LifeId, worker: WorkerId, at: Micros) {
        let possible = id.index() == self.lives.len()
            && !self.lives.iter().any(|life| life.worker == worker && life.is_live());
        if !possible {
            return self.violation(None, "a worker subscribed while it was subscribed");
        }
        let plan = &self.plan.workers[worker.index()];
        // A worker that begins a stream again reads on from wherever it is told to.
        let reread = self.kind(plan.queue) == QueueKind::Stream;
        let earlier = self.lives.iter().filter(|life| life.worker == worker && !reread);
        let earlier: Vec<&Life> = earlier.collect();
        let producers = (0..self.producers.len()).map(ProducerId::from_index);
        let highest =
            producers.map(|id| earlier.iter().map(|life| life.highest(id)).max().unwrap_or(0));
        let highest = highest.collect();
        let outages = self.outages.len();
        let mut life = Life::new(id, worker, plan.queue, plan.ack, at, highest, outages);
        if self.outages.iter().any(Outage::is_on) {
            life.shake(at);
        }
        self.lives.push(life);
    }

    fn life_ended(&mut self, id: LifeId, how: LifeEnd, totals: LifeTotals, at: Micros) {
        let published = self.published_so_far();
        if !self.lives.get(id.index()).is_some_and(Life::is_live) {
            return self.violation(None, "a worker ended that was not subscribed");
        }
        self.never_acked(id);
        let life = &mut self.lives[id.index()];
        let arrived = self.queues[life.queue.index()].arrived;
        let ended = life.finish_life(how, totals, at, published, arrived);
        // Of the acks on a connection that died the broker may have read none.
        let unread = life.ack != AckMode::Auto
            && matches!(how, LifeEnd::Failed | LifeEnd::Lost | LifeEnd::Killed(KillHow::Crash));
        let unacked = life.end.as_ref().map_or(0, |end| end.unacked);
        let (queue, back) = (life.queue, if unread { life.counts.read } else { unacked });
        if let Err(what) = ended {
            self.violation(None, what);
        }
        self.came_back(queue, back);
        if how != LifeEnd::Killed(KillHow::Cancel) {
            self.series.went_back(queue, unacked, at);
        }
        if may_be_given_up(how) || self.lives[id.index()].shaken.is_some() {
            self.was_perhaps_full(queue);
        }
        self.check_early(id, how);
    }

    /// From here on the broker sends nothing more to a life that is over, or cut off.
    fn life_noticed(&mut self, id: LifeId, at: Micros, read: bool) {
        let published = self.published_so_far();
        let lost = |life: &&mut Life| !life.is_live() || life.unsure;
        let Some(life) = self.lives.get_mut(id.index()).filter(lost) else {
            return self.violation(None, "the broker gave up a life that was not over");
        };
        life.read_by_broker |= read;
        life.noticed.get_or_insert(at);
        life.sent_until.get_or_insert(published);
    }

    pub(super) fn published_so_far(&self) -> Vec<u32> {
        self.producers.iter().map(|book| book.messages.len()).collect()
    }

    fn worked(&mut self, id: LifeId, event: Stamped) {
        let Some(life) = self.lives.get(id.index()).filter(|life| life.is_live()) else {
            return self.violation(None, format!("{event:?} came from a worker that is no more"));
        };
        let result = match event.what {
            WorkEvent::Read { tag, message, redelivered } => {
                let queue = life.queue;
                let delivery = Delivery { tag, redelivered, at: event.at };
                self.read(id, queue, message, delivery)
            }
            WorkEvent::Begun { tag } => self.begun(id, tag, event.at),
            WorkEvent::Finished { tag } => self.finished(id, tag, event.at),
            WorkEvent::Rejected { tag, requeue } => self.rejected(id, tag, requeue, event.at),
            WorkEvent::Acked { tag, multiple } => self.acked(id, tag, multiple, event.at),
        };
        if let Err((message, what)) = result {
            self.violation(message, what);
        }
    }

    fn begun(&mut self, id: LifeId, tag: u64, at: Micros) -> Result<(), Broken> {
        let life = &mut self.lives[id.index()];
        let queue = life.queue;
        let held = life.begin(tag, at).map_err(|what| (None, what))?;
        if let Some(message) = held.message {
            self.history.add(message, at, StepKind::Begun(id));
            self.mark_current(id, message, queue, &held, copy_flag::BEGUN);
        }
        Ok(())
    }

    fn finished(&mut self, id: LifeId, tag: u64, at: Micros) -> Result<(), Broken> {
        let life = &mut self.lives[id.index()];
        let (queue, worker) = (life.queue, life.worker);
        let held = life.finish(tag, at).map_err(|what| (None, what))?;
        let Some(message) = held.message else { return Ok(()) };
        self.history.add(message, at, StepKind::Finished(id));
        if !self.mark_current(id, message, queue, &held, copy_flag::FINISHED) || held.doubtful {
            self.finished_late(id, message, &held);
        }
        let took = self.producers[message.producer.index()].schedule.finished(message.n, at);
        self.series.finished(worker, took, at);
        if held.place == CopyPlace::Unexpected || !self.counts_finish(worker, message, held.path) {
            return Ok(());
        }
        let copy = self.copy_mut(message, queue, held.place);
        copy.count_finish();
        let first = copy.finished() == 1;
        self.live.delivered += u64::from(first);
        Ok(())
    }

    fn rejected(&mut self, id: LifeId, tag: u64, requeue: bool, at: Micros) -> Result<(), Broken> {
        let life = &mut self.lives[id.index()];
        let queue = life.queue;
        let held = life.reject(tag, at).map_err(|what| (None, what))?;
        let Some(message) = held.message else { return Ok(()) };
        self.history.add(message, at, StepKind::Rejected { life: id, requeue });
        match requeue {
            true => self.series.went_back(queue, 1, at),
            false => self.series.settled(queue, 1, at),
        }
        let flag = if requeue { copy_flag::RETURNED } else { copy_flag::REJECTED };
        if !self.mark_current(id, message, queue, &held, flag | copy_flag::REFUSED) {
            // The broker hears nothing of it.
            return Ok(());
        }
        match requeue {
            true => self.came_back(queue, 1),
            false => self.await_successor(message, queue, held.place),
        }
        Ok(())
    }

    fn acked(&mut self, id: LifeId, tag: u64, multiple: bool, at: Micros) -> Result<(), Broken> {
        let life = &mut self.lives[id.index()];
        let queue = life.queue;
        let covered = life.ack(tag, multiple).map_err(|what| (None, what))?;
        self.series.settled(queue, covered.len() as u64, at);
        for held in covered {
            if let Some(message) = held.message {
                self.history.add(message, at, StepKind::Acked(id));
                if !self.mark_current(id, message, queue, &held, copy_flag::ACKED) || held.doubtful
                {
                    self.acked_late(id, message, &held);
                }
            }
        }
        Ok(())
    }
}

/// What cannot be, and the message that it happened to.
pub(super) type Broken = (Option<MessageKey>, String);

/// Flags that end a message's way to the broker, with confirms on.
pub(super) const NOT_ANSWERED: u8 = message_flag::ACKED | message_flag::NACKED;
/// The same with confirms off.
pub(super) const NOT_READ: u8 = message_flag::READ | message_flag::SEEN;
