//! One subscription of one worker: what it was sent, what it did, and that no step of it is
//! impossible.

use std::collections::{HashMap, VecDeque};

use crate::ledger::deliveries::may_be_given_up;
use crate::ledger::event::{Hindrance, LifeEnd, LifeId, LifeTotals, MessageKey, Micros};
use crate::ledger::paths::PathId;
use crate::plan::model::{AckMode, ProducerId, QueueId, WorkerId};

/// Where the copy of a delivery is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyPlace {
    /// Among the copies of its producer.
    Routed(u32),
    /// Among those that a change of the topology made possible.
    Extra,
    /// Among those that came as dead letters.
    Later(u32),
    /// It should not exist.
    Unexpected,
}

/// A delivery that is not yet done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub message: Option<MessageKey>,
    /// The way it came by.
    pub path: PathId,
    pub place: CopyPlace,
    pub state: HeldState,
    pub acked: bool,
    /// Which delivery of its copy it is, from 1; 0 where a newer one had been read before.
    pub turn: u16,
    /// Or perhaps it is older than the one that was read before.
    pub doubtful: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldState {
    Read,
    Begun,
    Finished,
    Rejected,
}

/// How a life ended and what it left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    pub how: LifeEnd,
    pub at: Micros,
    /// Read and not finished.
    pub unworked: u64,
    /// Read and not acked, where acks are asked for.
    pub unacked: u64,
    /// The delivery in work, counted over this life.
    pub in_work: Option<MessageKey>,
    /// What each producer had published by then.
    pub published: Vec<u32>,
    /// How many dead letters had come to its queue by then.
    pub arrived: u64,
}

/// What a life did, counted from its events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LifeCounts {
    pub read: u64,
    pub begun: u64,
    pub finished: u64,
    /// Deliveries refused.
    pub rejected: u64,
    pub redelivered: u64,
    pub repeats: u64,
    /// Copies covered by acks.
    pub acked: u64,
    /// Acks written, each frame once.
    pub acks: u64,
}

/// One subscription.
#[derive(Debug, Clone)]
pub struct Life {
    pub id: LifeId,
    pub worker: WorkerId,
    pub queue: QueueId,
    pub ack: AckMode,
    pub started: Micros,
    pub counts: LifeCounts,
    /// Time spent at work, unfinished work included.
    pub busy: Micros,
    /// For each producer, by the first number of each of its channels, the highest number that
    /// came without the redelivered flag. Only a channel keeps its order: what a restarted
    /// producer publishes can overtake what is left of its earlier life.
    highest: Vec<Vec<(u32, u32)>>,
    /// For each producer the highest number that had come to its worker before.
    earlier: Vec<u32>,
    pub end: Option<End>,
    /// By whose delivery it had been, the highest number of each producer that came here
    /// when that life was over.
    pub taken_over: HashMap<(LifeId, ProducerId), u32>,
    /// The broker was seen to have read everything that was written.
    pub read_by_broker: bool,
    /// When the broker was first seen to have given it up.
    pub noticed: Option<Micros>,
    /// What each producer had published when the broker cannot have sent anything more;
    /// `None` as long as it can.
    pub sent_until: Option<Vec<u32>>,
    /// A fault keeps it from being sent anything.
    pub hindered: Option<Hindrance>,
    /// When something first befell it, or its broker, by which the broker may have given it up
    /// before it learned of that.
    pub shaken: Option<Micros>,
    /// And whether that may still be so: nobody has heard since that it was not.
    pub unsure: bool,
    /// How often the broker, or a node of it, had been ended when it began.
    pub outages_before: usize,
    /// The broker that held its channel is gone.
    pub dropped: bool,
    next_tag: u64,
    /// Deliveries from tag `next_tag - held.len()` on.
    held: VecDeque<Held>,
    work: Option<(u64, Micros)>,
    next_begin: u64,
    /// Where looking for finished, unacked deliveries begins.
    unacked_from: u64,
}

impl Life {
    pub fn new(
        id: LifeId,
        worker: WorkerId,
        queue: QueueId,
        ack: AckMode,
        started: Micros,
        earlier: Vec<u32>,
        outages_before: usize,
    ) -> Self {
        Self {
            id,
            worker,
            queue,
            ack,
            started,
            counts: LifeCounts::default(),
            busy: 0,
            highest: vec![Vec::new(); earlier.len()],
            earlier,
            end: None,
            taken_over: HashMap::new(),
            read_by_broker: false,
            noticed: None,
            sent_until: None,
            hindered: None,
            shaken: None,
            unsure: false,
            outages_before,
            dropped: false,
            next_tag: 1,
            held: VecDeque::new(),
            work: None,
            next_begin: 1,
            unacked_from: 1,
        }
    }

    /// The highest number of a producer's channel that came for the first time; 0 is none.
    pub fn highest_of_channel(&self, producer: ProducerId, first: u32) -> u32 {
        let channels = self.highest[producer.index()].iter();
        channels.filter(|(known, _)| *known == first).map(|(_, highest)| *highest).sum()
    }

    /// The same over all its channels, and what had come to its worker before.
    pub fn highest(&self, producer: ProducerId) -> u32 {
        let channels = self.highest[producer.index()].iter().map(|(_, highest)| *highest);
        channels.fold(self.earlier[producer.index()], u32::max)
    }

    /// A number of that channel came for the first time.
    pub fn came_first(&mut self, producer: ProducerId, first: u32, n: u32) {
        let channels = &mut self.highest[producer.index()];
        match channels.iter_mut().find(|(known, _)| *known == first) {
            Some((_, highest)) => *highest = n.max(*highest),
            None => channels.push((first, n)),
        }
    }

    /// Whether it is subscribed.
    pub fn is_live(&self) -> bool {
        self.end.is_none()
    }

    /// Whether it stands still for now.
    pub fn is_frozen(&self) -> bool {
        self.hindered == Some(Hindrance::Frozen)
    }

    /// Whether what it holds unacked is with a channel that stays open to the end.
    pub fn holds_on(&self) -> bool {
        use crate::plan::model::KillHow::Cancel;
        !self.dropped && self.end.as_ref().is_some_and(|end| end.how == LifeEnd::Killed(Cancel))
    }

    /// And whether the broker cannot have taken that back.
    pub fn surely_holds_on(&self) -> bool {
        self.holds_on() && self.shaken.is_none()
    }

    /// Whether it is over, and the broker was seen to know that before `at`.
    pub fn is_noticed(&self, at: Micros) -> bool {
        self.noticed.is_some_and(|noticed| at > noticed)
    }

    /// Something befell it by which the broker may give it up.
    pub fn shake(&mut self, at: Micros) {
        self.shaken.get_or_insert(at);
        self.unsure = true;
    }

    /// A fault keeps it from being sent anything, or does so no more. A network that carries again
    /// was asked whether the broker had given the life up; who was frozen asks nothing.
    pub fn hinder(&mut self, by: Option<Hindrance>) {
        let before = std::mem::replace(&mut self.hindered, by);
        match (before, by) {
            (Some(Hindrance::CutOff), None) => self.unsure = self.dropped,
            (_, Some(_)) => self.shake(self.started),
            _ => {}
        }
    }

    /// The earliest moment at which the broker may have taken back what it held.
    pub fn gave_back(&self) -> Micros {
        let Some(end) = &self.end else { return self.shaken.unwrap_or(Micros::MAX) };
        let known = !may_be_given_up(end.how);
        self.shaken.unwrap_or(if known { end.at } else { self.started }).min(end.at)
    }

    /// Deliveries read and not finished.
    pub fn in_hand(&self) -> u64 {
        self.counts.read - self.counts.finished - self.counts.rejected
    }

    /// Deliveries that were neither acked nor refused.
    pub fn unsettled(&self) -> u64 {
        self.counts.read - self.counts.acked - self.counts.rejected
    }

    fn first_tag(&self) -> u64 {
        self.next_tag - self.held.len() as u64
    }

    fn held_mut(&mut self, tag: u64) -> Option<&mut Held> {
        let index = tag.checked_sub(self.first_tag())?;
        self.held.get_mut(usize::try_from(index).ok()?)
    }

    /// A delivery came. Tags count from 1 without a gap.
    pub fn read(&mut self, tag: u64, held: Held) -> Result<(), String> {
        if tag != self.next_tag {
            return Err(format!("delivery tag {tag} came where {} was due", self.next_tag));
        }
        self.next_tag += 1;
        self.counts.read += 1;
        self.held.push_back(held);
        Ok(())
    }

    /// Work began. Deliveries are worked on in the order of their arrival, one at a time.
    pub fn begin(&mut self, tag: u64, at: Micros) -> Result<Held, String> {
        if let Some((other, _)) = self.work {
            return Err(format!("work on tag {tag} began while tag {other} was in work"));
        }
        if tag != self.next_begin {
            return Err(format!("work on tag {tag} began where {} was due", self.next_begin));
        }
        let Some(held) = self.held_mut(tag).filter(|held| held.state == HeldState::Read) else {
            return Err(format!("work on tag {tag} began, which is not waiting for work"));
        };
        held.state = HeldState::Begun;
        let held = *held;
        self.next_begin += 1;
        self.work = Some((tag, at));
        self.counts.begun += 1;
        Ok(held)
    }

    /// Work ended.
    pub fn finish(&mut self, tag: u64, at: Micros) -> Result<Held, String> {
        let held = self.end_work(tag, at, HeldState::Finished)?;
        self.counts.finished += 1;
        Ok(held)
    }

    /// Work ended, and the delivery was refused.
    pub fn reject(&mut self, tag: u64, at: Micros) -> Result<Held, String> {
        if !matches!(self.ack, AckMode::Manual { .. } | AckMode::Never) {
            return Err(format!("tag {tag} was rejected by a worker that had nothing to reject"));
        }
        let held = self.end_work(tag, at, HeldState::Rejected)?;
        self.counts.rejected += 1;
        Ok(held)
    }

    fn end_work(&mut self, tag: u64, at: Micros, state: HeldState) -> Result<Held, String> {
        let Some((_, began)) = self.work.filter(|(in_work, _)| *in_work == tag) else {
            return Err(format!("work on tag {tag} ended, which was not in work"));
        };
        self.work = None;
        self.busy += at.saturating_sub(began);
        let held = self.held_mut(tag).ok_or("work ended that is not held")?;
        held.state = state;
        let held = *held;
        self.drop_done();
        Ok(held)
    }

    /// An ack was written; the deliveries it covers for the first time.
    pub fn ack(&mut self, tag: u64, multiple: bool) -> Result<Vec<Held>, String> {
        let from = if multiple { self.unacked_from.max(self.first_tag()) } else { tag };
        let needs = match self.ack {
            AckMode::Manual { .. } => HeldState::Finished,
            AckMode::Early => HeldState::Begun,
            AckMode::Auto | AckMode::Never => {
                return Err(format!("tag {tag} was acked by a worker that never acks"));
            }
        };
        let mut covered = Vec::new();
        for tag in from..=tag {
            let Some(held) = self.held_mut(tag) else {
                return Err(format!("tag {tag} was acked, which was not held"));
            };
            if multiple && held.state == HeldState::Rejected {
                continue;
            }
            if held.acked || held.state != needs {
                return Err(format!("tag {tag} was acked out of order"));
            }
            held.acked = true;
            covered.push(*held);
        }
        if covered.is_empty() {
            return Err(format!("an ack of tag {tag} covers nothing"));
        }
        self.unacked_from = tag + 1;
        self.counts.acked += covered.len() as u64;
        self.counts.acks += 1;
        self.drop_done();
        Ok(covered)
    }

    /// What it has finished and not acked.
    pub fn finished_unacked(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| held.state == HeldState::Finished && !held.acked)
    }

    /// Forgets what can never be spoken of again.
    fn drop_done(&mut self) {
        let no_acks = matches!(self.ack, AckMode::Auto | AckMode::Never);
        let done = |held: &Held| {
            held.state == HeldState::Rejected
                || held.state == HeldState::Finished && (held.acked || no_acks)
        };
        while self.held.front().is_some_and(done) {
            self.held.pop_front();
        }
    }

    /// The life ended. What the worker counted must be what was recorded.
    pub fn finish_life(
        &mut self,
        how: LifeEnd,
        totals: LifeTotals,
        at: Micros,
        published: Vec<u32>,
        arrived: u64,
    ) -> Result<(), String> {
        let in_work = self.work.take();
        if let Some((_, began)) = in_work {
            self.busy += at.saturating_sub(began);
        }
        let in_work = in_work.and_then(|(tag, _)| self.held_mut(tag)).and_then(|held| held.message);
        let acks_due = !matches!(self.ack, AckMode::Auto);
        self.end = Some(End {
            how,
            at,
            unworked: self.in_hand(),
            unacked: if acks_due { self.unsettled() } else { 0 },
            in_work,
            published,
            arrived,
        });
        self.held = VecDeque::new();
        let seen = LifeTotals {
            read: self.counts.read,
            begun: self.counts.begun,
            finished: self.counts.finished,
            rejected: self.counts.rejected,
            acks: self.counts.acks,
        };
        if seen != totals {
            return Err(format!("the worker counted {totals:?}, its events say {seen:?}"));
        }
        let stopped = how == LifeEnd::Stopped;
        if stopped && self.end.as_ref().is_some_and(|end| end.in_work.is_some()) {
            return Err("it stopped in good order with work in hand".to_owned());
        }
        Ok(())
    }
}
