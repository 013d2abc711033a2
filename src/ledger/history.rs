//! What happened to single messages, for those who want to read it: a bounded sample.
//!
//! The first messages of each producer keep all their events. Counts never come from here.

use crate::ledger::event::{LifeId, MessageKey, Micros};
use crate::plan::model::QueueId;

/// Of how many messages of each producer a history is kept.
const MESSAGES: u32 = 1000;
/// How many steps are kept in all; then none is added.
const STEPS: usize = 200_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    Published,
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

/// The sampled steps, in the order in which they were recorded.
#[derive(Debug, Default)]
pub struct History(Vec<Step>);

impl History {
    /// Keeps a step if its message is in the sample.
    pub fn add(&mut self, message: MessageKey, at: Micros, kind: StepKind) {
        if message.n <= MESSAGES && self.0.len() < STEPS {
            self.0.push(Step { message, at, kind });
        }
    }

    /// The steps of one message, earliest first. Recording order keeps cause and effect;
    /// times settle the rest.
    pub fn of(&self, message: MessageKey) -> Vec<Step> {
        let mut steps: Vec<Step> =
            self.0.iter().filter(|step| step.message == message).copied().collect();
        steps.sort_by_key(|step| step.at);
        steps
    }
}
