//! Taking events in: each changes the state of messages, copies and lives, and is checked
//! against what can be.

use crate::ledger::Ledger;
use crate::ledger::event::{
    Answer, Event, LifeEnd, LifeId, LifeTotals, MessageKey, Micros, ProducerEnd, Stamped, WorkEvent,
};
use crate::ledger::history::StepKind;
use crate::ledger::lives::{CopyPlace, Held, HeldState, Life};
use crate::ledger::messages::{Copy, NOBODY, again, copy_flag, message_flag};
use crate::plan::model::{AckMode, ProducerId, QueueId, WorkerId};

/// How many acked copies of each life that came again are kept as examples.
const SUSPECTS: usize = 5;
/// How many breaches of order are kept as examples.
const DISORDER: usize = 5;

impl Ledger {
    /// Takes one event in.
    pub fn record(&mut self, event: Event) {
        match event {
            Event::ProducerStarted { producer, .. } => self.producer_started(producer),
            Event::Published { producer, first, count, at } => {
                self.published(producer, first, count, at);
            }
            Event::Answered { producer, answers, at } => {
                for answer in answers {
                    self.answered(producer, answer, at);
                }
            }
            Event::Returned { message, at } => self.returned(message, at),
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
            Event::ChangeEnded { change, .. } => self.change_ended(change),
            Event::Drained { queue, messages } => self.drained(queue, messages),
            Event::Excused { deliveries } => {
                self.foreign = self.foreign.saturating_sub(deliveries);
            }
            Event::DrainEnded { queue, complete, total } => {
                self.queues[queue.index()].drain = Some(complete);
                let seen = self.queues[queue.index()].drained;
                if seen != total {
                    let what = format!("the drain counted {total}, its events say {seen}");
                    self.violation(None, what);
                }
            }
        }
    }

    fn producer_started(&mut self, producer: ProducerId) {
        let book = &mut self.producers[producer.index()];
        let was_up = std::mem::replace(&mut book.up, true);
        book.channel_from = book.messages.len() + 1;
        book.channels.push(book.channel_from);
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
        for n in due..due + count {
            let index = self.changing.route(producer, &book.content, n, &mut self.routes);
            let route = self.routes.get(index);
            book.messages.push(index, route, flags);
            for (queue, optional) in route {
                if !optional {
                    self.queues[queue.index()].last[producer.index()] = n;
                    self.live.expected += 1;
                }
            }
            self.history.add(MessageKey { producer, n }, at, StepKind::Published);
        }
        self.live.published += u64::from(count);
        if !possible {
            let message = Some(MessageKey { producer, n: first });
            self.violation(message, format!("message {first} was published where {due} was due"));
        }
    }

    fn answered(&mut self, producer: ProducerId, answer: Answer, at: Micros) {
        let flag = if answer.ack { message_flag::ACKED } else { message_flag::NACKED };
        let step = if answer.ack { StepKind::Confirmed } else { StepKind::Refused };
        for n in answer.first..answer.first.saturating_add(answer.count) {
            let message = MessageKey { producer, n };
            let book = &mut self.producers[producer.index()];
            let known = n >= book.channel_from && n <= book.messages.len();
            let again =
                known && book.messages.flags(n) & (message_flag::ACKED | message_flag::NACKED) != 0;
            if !known || again || !book.confirms {
                let why = if again { "twice" } else { "though nothing of it asked for one" };
                self.violation(Some(message), format!("message {n} was answered {why}"));
                continue;
            }
            book.messages.add_flags(n, flag);
            book.channel_answered += 1;
            self.live.confirmed += u64::from(answer.ack);
            self.history.add(message, at, step);
        }
        self.close_up(producer);
    }

    fn returned(&mut self, message: MessageKey, at: Micros) {
        let mandatory = self.plan.producers[message.producer.index()].mandatory;
        let book = &mut self.producers[message.producer.index()];
        let known = message.n > 0 && message.n <= book.messages.len();
        if !known || !mandatory || book.messages.flags(message.n) & message_flag::RETURNED != 0 {
            let what = format!("message {} was returned, which cannot be", message.n);
            return self.violation(Some(message), what);
        }
        book.messages.add_flags(message.n, message_flag::RETURNED);
        book.channel_returned += 1;
        self.history.add(message, at, StepKind::Returned);
    }

    fn producer_ended(&mut self, producer: ProducerId, end: ProducerEnd) {
        let book = &mut self.producers[producer.index()];
        let (first, last) = (book.channel_from, book.messages.len());
        let was_up = std::mem::replace(&mut book.up, false);
        let seen = ProducerEnd {
            closed: end.closed,
            published: last + 1 - first,
            answered: book.channel_answered,
            returned: book.channel_returned,
        };
        if end.closed {
            for n in first..=last {
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
        let producers = self.producers.len();
        self.lives.push(Life::new(id, worker, plan.queue, plan.ack, at, producers));
    }

    fn life_ended(&mut self, id: LifeId, how: LifeEnd, totals: LifeTotals, at: Micros) {
        let published = self.published_so_far();
        let Some(life) = self.lives.get_mut(id.index()).filter(|life| life.is_live()) else {
            return self.violation(None, "a worker ended that was not subscribed");
        };
        if let Err(what) = life.finish_life(how, totals, at, published) {
            self.violation(None, what);
        }
    }

    /// From here on the broker sends nothing more to a life that is over.
    fn life_noticed(&mut self, id: LifeId, at: Micros, read: bool) {
        let published = self.published_so_far();
        let Some(life) = self.lives.get_mut(id.index()).filter(|life| !life.is_live()) else {
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
                self.read(id, queue, tag, message, redelivered, event.at)
            }
            WorkEvent::Begun { tag } => self.begun(id, tag, event.at),
            WorkEvent::Finished { tag } => self.finished(id, tag, event.at),
            WorkEvent::Acked { tag, multiple } => self.acked(id, tag, multiple, event.at),
        };
        if let Err((message, what)) = result {
            self.violation(message, what);
        }
    }

    fn read(
        &mut self,
        id: LifeId,
        queue: QueueId,
        tag: u64,
        message: Option<MessageKey>,
        redelivered: bool,
        at: Micros,
    ) -> Result<(), Broken> {
        let place = match message {
            Some(message) => self.place(message, queue)?,
            None => CopyPlace::Unexpected,
        };
        let life = &mut self.lives[id.index()];
        let held = Held { message, place, state: HeldState::Read, acked: false };
        life.read(tag, held).map_err(|what| (message, what))?;
        life.counts.redelivered += u64::from(redelivered);
        let Some(message) = message else {
            self.foreign += 1;
            return Ok(());
        };
        self.history.add(message, at, StepKind::Read { life: id, redelivered });
        self.check_order(id, message, redelivered);
        self.producers[message.producer.index()].messages.add_flags(message.n, message_flag::SEEN);
        if place == CopyPlace::Unexpected {
            *self.unexpected.entry((message, queue)).or_default() += 1;
            return Ok(());
        }
        let before = self.copy(message, queue, place);
        if redelivered {
            let from = (before.holder != NOBODY).then_some(LifeId(before.holder));
            let worker = self.lives[id.index()].worker;
            *self.moves.entry((from, worker)).or_default() += 1;
            if let Some(from) = from {
                let taken = self.lives[id.index()].taken_over.entry((from, message.producer));
                let highest = taken.or_default();
                *highest = message.n.max(*highest);
            }
        }
        if before.has(copy_flag::SEEN) {
            self.lives[id.index()].counts.repeats += 1;
            self.check_repeat(before, message, redelivered, false)?;
        }
        let bits = self.why_again(before);
        let copy = self.copy_mut(message, queue, place);
        copy.add_again(bits);
        copy.holder = id.0;
        copy.tag = tag as u32;
        copy.flags &= !(copy_flag::BEGUN | copy_flag::FINISHED | copy_flag::ACKED);
        copy.flags |= copy_flag::SEEN;
        Ok(())
    }

    /// What a finished copy that is read again says about its earlier finish.
    fn why_again(&self, before: Copy) -> u8 {
        if !before.has(copy_flag::FINISHED) || before.holder == NOBODY {
            return 0;
        }
        match self.lives[usize::from(before.holder)].ack {
            AckMode::Never => again::FORGOTTEN,
            _ if before.has(copy_flag::ACKED) => again::ACK_LOST,
            _ => again::REQUEUED,
        }
    }

    /// A copy that was read before may come again, but not in every way.
    fn check_repeat(
        &mut self,
        before: Copy,
        message: MessageKey,
        redelivered: bool,
        draining: bool,
    ) -> Result<(), Broken> {
        let holder = &self.lives[usize::from(before.holder)];
        let (id, auto) = (holder.id, holder.ack == AckMode::Auto);
        if !redelivered {
            return Err((Some(message), "it came again without the redelivered flag".to_owned()));
        }
        if auto {
            let what = "it came again though it had been sent under automatic acknowledgement";
            return Err((Some(message), what.to_owned()));
        }
        if holder.is_live() || (holder.holds_on() && !draining) {
            let what = "it came again while another consumer holds it";
            return Err((Some(message), what.to_owned()));
        }
        if before.has(copy_flag::ACKED) {
            let (examples, count) = self.suspects.entry(id).or_default();
            *count += 1;
            if examples.len() < SUSPECTS {
                examples.push(message);
            }
        }
        Ok(())
    }

    fn check_order(&mut self, id: LifeId, message: MessageKey, redelivered: bool) {
        if redelivered {
            return;
        }
        let MessageKey { producer, n } = message;
        let worker = self.lives[id.index()].worker;
        let mut highest = self.lives[id.index()].highest(producer);
        if highest == 0 {
            let earlier = self.lives[..id.index()].iter().filter(|life| life.worker == worker);
            highest = earlier.map(|life| life.highest(producer)).max().unwrap_or(0);
        }
        if n <= highest {
            self.disorder_count += 1;
            if self.disorder.len() < DISORDER {
                self.disorder.push((message, worker));
            }
        }
        let first = self.producers[producer.index()].channel_of(n);
        self.lives[id.index()].came_first(producer, first, n);
    }

    fn begun(&mut self, id: LifeId, tag: u64, at: Micros) -> Result<(), Broken> {
        let life = &mut self.lives[id.index()];
        let queue = life.queue;
        let held = life.begin(tag, at).map_err(|what| (None, what))?;
        if let Some(message) = held.message {
            self.history.add(message, at, StepKind::Begun(id));
            self.mark(message, queue, held.place, copy_flag::BEGUN);
        }
        Ok(())
    }

    fn finished(&mut self, id: LifeId, tag: u64, at: Micros) -> Result<(), Broken> {
        let life = &mut self.lives[id.index()];
        let queue = life.queue;
        let held = life.finish(tag, at).map_err(|what| (None, what))?;
        let Some(message) = held.message else { return Ok(()) };
        self.history.add(message, at, StepKind::Finished(id));
        self.mark(message, queue, held.place, copy_flag::FINISHED);
        if held.place != CopyPlace::Unexpected {
            let copy = self.copy_mut(message, queue, held.place);
            copy.count_finish();
            let first = copy.finished() == 1;
            self.live.delivered += u64::from(first);
        }
        Ok(())
    }

    fn acked(&mut self, id: LifeId, tag: u64, multiple: bool, at: Micros) -> Result<(), Broken> {
        let life = &mut self.lives[id.index()];
        let queue = life.queue;
        for held in life.ack(tag, multiple).map_err(|what| (None, what))? {
            if let Some(message) = held.message {
                self.history.add(message, at, StepKind::Acked(id));
                self.mark(message, queue, held.place, copy_flag::ACKED);
            }
        }
        Ok(())
    }

    fn drained(&mut self, queue: QueueId, messages: Vec<Option<MessageKey>>) {
        for message in messages {
            self.queues[queue.index()].drained += 1;
            let result = match message {
                Some(message) => self.found(message, queue),
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

    fn found(&mut self, message: MessageKey, queue: QueueId) -> Result<(), Broken> {
        let place = self.place(message, queue)?;
        self.history.add(message, Micros::MAX, StepKind::Found(queue));
        self.producers[message.producer.index()].messages.add_flags(message.n, message_flag::SEEN);
        if place == CopyPlace::Unexpected {
            *self.unexpected.entry((message, queue)).or_default() += 1;
            return Ok(());
        }
        let before = self.copy(message, queue, place);
        if before.has(copy_flag::DRAINED) {
            return Err((Some(message), "it was found twice in its queue".to_owned()));
        }
        if before.has(copy_flag::SEEN) {
            self.check_repeat(before, message, true, true)?;
        }
        self.copy_mut(message, queue, place).flags |= copy_flag::DRAINED;
        Ok(())
    }
}

/// What cannot be, and the message that it happened to.
pub(super) type Broken = (Option<MessageKey>, String);

/// Flags that end a message's way to the broker, with confirms on.
pub(super) const NOT_ANSWERED: u8 = message_flag::ACKED | message_flag::NACKED;
/// The same with confirms off.
pub(super) const NOT_READ: u8 = message_flag::READ | message_flag::SEEN;
