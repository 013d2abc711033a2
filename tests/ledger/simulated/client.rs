//! The simulated programs: what a worker does with its deliveries, and what it writes down.

use rmq_scenario::ledger::event::{
    ChangeId, Event, LifeId, LifeTotals, Micros, Stamped, WorkEvent,
};
use rmq_scenario::plan::model::AckMode;

use crate::dice::Dice;
use crate::simulated::broker::{Broker, Frame, Letter};
use crate::simulated::truth::Finish;

/// One subscription, seen from the program. Its id is the consumer's id at the broker.
pub struct Client {
    pub life: LifeId,
    pub consumer: usize,
    ack: AckMode,
    read: Vec<Letter>,
    begun: u64,
    /// Tags up to this one are finished or refused.
    done: u64,
    finished: u64,
    rejected: u64,
    /// Of a hundred it refuses so many.
    refusals: usize,
    /// Finished and not acked.
    waiting: Vec<u64>,
    acks: u64,
    in_work: bool,
    /// An ack that is due before anything else begins.
    owed: Option<(u64, bool)>,
    /// Seen and done, not yet told to the ledger.
    untold: Vec<Stamped>,
    /// Its network is silent, or it does nothing.
    pub cut: Option<Silence>,
    pub frozen: Option<Silence>,
    /// It knows that its connection is lost, and that there was no time for an early ack.
    pub lost: bool,
    unacked: bool,
    /// Its queue goes with its connection, which may have been given up.
    pub goes: Option<(ChangeId, usize)>,
}

/// How long something lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    ForNow,
    ToTheEnd,
}

impl Client {
    pub fn new(life: LifeId, consumer: usize, ack: AckMode, refusals: usize) -> Self {
        Self {
            life,
            consumer,
            ack,
            read: Vec::new(),
            begun: 0,
            done: 0,
            finished: 0,
            rejected: 0,
            refusals,
            waiting: Vec::new(),
            acks: 0,
            in_work: false,
            owed: None,
            untold: Vec::new(),
            cut: None,
            frozen: None,
            lost: false,
            unacked: false,
            goes: None,
        }
    }

    fn note(&mut self, at: Micros, what: WorkEvent) {
        self.untold.push(Stamped { at, what });
    }

    /// Reads one delivery from its socket.
    pub fn read(&mut self, broker: &mut Broker, at: Micros) {
        let Some((tag, letter)) = broker.consumers[self.consumer].wire.pop_front() else { return };
        broker.note_read(self.consumer, tag, &letter);
        let message = Some(broker.sighting(&letter));
        self.note(at, WorkEvent::Read { tag, message, redelivered: letter.redelivered });
        self.read.push(letter);
    }

    pub fn is_hindered(&self) -> bool {
        self.cut.is_some() || self.frozen.is_some()
    }

    /// Whether anything that is sent to it is read.
    pub fn reads(&self) -> bool {
        !self.is_hindered() && !self.lost
    }

    /// It learns that its connection is lost. What it had only read it forgets.
    pub fn lose(&mut self) {
        self.lost = true;
        self.unacked |= self.owed.take().is_some();
    }

    pub fn has_work(&self) -> bool {
        if self.frozen.is_some() || self.lost {
            return self.lost && self.in_work;
        }
        self.in_work || self.owed.is_some() || self.begun < self.read.len() as u64
    }

    /// In the middle of a message: it cannot stop in good order.
    pub fn is_busy(&self) -> bool {
        self.in_work || self.owed.is_some()
    }

    /// One step: writes an ack that is due, ends the work in hand, or begins the next.
    pub fn step(&mut self, broker: &mut Broker, dice: &mut Dice, at: Micros) {
        if let Some((tag, multiple)) = self.owed.take() {
            self.write_ack(broker, tag, multiple, at);
        } else if self.in_work {
            self.in_work = false;
            self.done += 1;
            let may = matches!(self.ack, AckMode::Manual { .. } | AckMode::Never);
            match may && dice.percent(self.refusals) {
                // What would be refused now cannot be.
                true if self.lost => self.done -= 1,
                true => self.refuse(broker, dice.percent(40), at),
                false => self.finish(broker, at),
            }
        } else {
            self.begun += 1;
            self.in_work = true;
            let tag = self.begun;
            self.note(at, WorkEvent::Begun { tag });
            if self.ack == AckMode::Early {
                self.owed = Some((tag, false));
            }
        }
    }

    fn finish(&mut self, broker: &mut Broker, at: Micros) {
        self.finished += 1;
        let tag = self.done;
        self.note(at, WorkEvent::Finished { tag });
        let finish = match self.ack {
            AckMode::Never => Finish::Forgotten,
            AckMode::Early if self.unacked => Finish::Unacked,
            AckMode::Early | AckMode::Auto => Finish::AckWritten,
            AckMode::Manual { .. } => Finish::Unacked,
        };
        broker.note_finish(self.consumer, tag, &self.read[tag as usize - 1], finish);
        if let AckMode::Manual { every } = self.ack {
            self.waiting.push(tag);
            if !self.lost && self.waiting.len() as u64 >= every {
                self.owed = Some((tag, every > 1));
            }
        }
    }

    fn refuse(&mut self, broker: &mut Broker, requeue: bool, at: Micros) {
        self.rejected += 1;
        let tag = self.done;
        if !requeue {
            broker.note_refusal(self.consumer, &self.read[tag as usize - 1]);
        }
        self.note(at, WorkEvent::Rejected { tag, requeue });
        broker.consumers[self.consumer].acks.push_back(Frame::Nack { tag, requeue });
    }

    fn write_ack(&mut self, broker: &mut Broker, tag: u64, multiple: bool, at: Micros) {
        self.note(at, WorkEvent::Acked { tag, multiple });
        for covered in std::mem::take(&mut self.waiting) {
            broker.truth.ack((self.consumer, covered));
        }
        self.acks += 1;
        broker.consumers[self.consumer].acks.push_back(Frame::Ack { tag, multiple });
    }

    /// A stop in good order acks all that is finished.
    pub fn ack_rest(&mut self, broker: &mut Broker, at: Micros) {
        if let Some(&last) = self.waiting.last() {
            self.write_ack(broker, last, true, at);
        }
    }

    /// Tells the ledger up to `count` of what was not told yet.
    pub fn tell(&mut self, count: usize) -> Option<Event> {
        let count = count.min(self.untold.len());
        if count == 0 {
            return None;
        }
        let events = self.untold.drain(..count).collect();
        Some(Event::Worked { life: self.life, events })
    }

    /// A refusal is told before the broker can read it, and all that came before it.
    pub fn tell_refusals(&mut self) -> Option<Event> {
        let refused = |event: &Stamped| matches!(event.what, WorkEvent::Rejected { .. });
        let last = self.untold.iter().rposition(refused)?;
        self.tell(last + 1)
    }

    pub fn untold(&self) -> usize {
        self.untold.len()
    }

    pub fn totals(&self) -> LifeTotals {
        let read = self.read.len() as u64;
        LifeTotals {
            read,
            begun: self.begun,
            finished: self.finished,
            rejected: self.rejected,
            acks: self.acks,
        }
    }

    /// Once the broker has read the last ack that it will ever read: what this program had
    /// and did not finish is lost where the broker has forgotten it.
    pub fn bury(&self, broker: &mut Broker) {
        for tag in self.done + 1..=self.read.len() as u64 {
            if broker.truth.is_back((self.consumer, tag)) {
                continue;
            }
            let letter = &self.read[tag as usize - 1];
            if self.ack == AckMode::Auto {
                broker.vanish_held(self.consumer, letter, "auto_ack");
            } else if broker.consumers[self.consumer].acked.contains(&tag) {
                broker.vanish_held(self.consumer, letter, "early_ack");
            }
        }
    }
}
