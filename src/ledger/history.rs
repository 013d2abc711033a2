//! What happened to single messages, for those who want to read it: a bounded sample.
//!
//! The first messages of each producer keep all their events. Counts never come from here. Who wants
//! all of them listens.

use crate::ledger::event::{Event, LifeId, MessageKey, Micros};
use crate::plan::model::QueueId;

/// Of how many messages of each producer a history is kept.
const MESSAGES: u32 = 1000;
/// How many steps are kept in all; then none is added.
const STEPS: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    Published,
    Republished,
    Confirmed,
    Refused,
    Returned,
    Read { life: LifeId, redelivered: bool },
    Begun(LifeId),
    Finished(LifeId),
    Acked(LifeId),
    Rejected { life: LifeId, requeue: bool },
    Replied,
    Found(QueueId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub message: MessageKey,
    pub at: Micros,
    pub kind: StepKind,
}

/// Hears of everything that the ledger takes in, in that order.
pub trait Listener: Send {
    /// Something happened to a message.
    fn step(&mut self, step: &Step);

    /// An event came; what it says of messages follows as steps.
    fn event(&mut self, event: &Event);
}

/// The sampled steps, in the order in which they were recorded.
#[derive(Default)]
pub struct History {
    steps: Vec<Step>,
    /// A step was not kept.
    cut: bool,
    pub(super) listener: Option<Box<dyn Listener>>,
}

impl History {
    /// Keeps a step if its message is in the sample.
    pub fn add(&mut self, message: MessageKey, at: Micros, kind: StepKind) {
        let step = Step { message, at, kind };
        if let Some(listener) = &mut self.listener {
            listener.step(&step);
        }
        if message.n <= MESSAGES && self.steps.len() < STEPS {
            self.steps.push(step);
        } else {
            self.cut = true;
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter()
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The steps of one message, earliest first. Recording order keeps cause and effect;
    /// times settle the rest.
    pub fn of(&self, message: MessageKey) -> Vec<Step> {
        let mut steps: Vec<Step> =
            self.steps.iter().filter(|step| step.message == message).copied().collect();
        steps.sort_by_key(|step| step.at);
        steps
    }
}
