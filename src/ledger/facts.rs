//! What the engine observed beside messages: faults, errors, observations, how the run ended.

use crate::ledger::event::{LifeId, Micros};
use crate::plan::model::{QueueId, WorkerId};

/// Everything a run tells beside its ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// By the fault's id.
    pub faults: Vec<FaultFact>,
    pub errors: Vec<ErrorFact>,
    /// Workers whose subscription was refused.
    pub refused: Vec<WorkerId>,
    pub observations: Vec<ObservationFact>,
    pub probes: Vec<ProbeFact>,
    /// What stood when the run began, if somebody wanted to know.
    pub declared: Option<Declared>,
    /// Starts and stops whose moment never came, as sentences.
    pub unfired: Vec<String>,
    /// From the beginning of the run to its last event.
    pub duration: Micros,
    pub cut: Option<Cut>,
}

/// Why a run was ended before it was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Deadline,
    Interrupted,
    /// The world failed.
    Failed,
}

/// What one fault did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultFact {
    /// When it acted; `None` if its trigger never came.
    pub at: Option<Micros>,
    pub effect: Effect,
    /// When what it stopped worked again, or its time had passed.
    pub restarted: Option<Micros>,
    /// When the program that it struck learned of the loss of its connection.
    pub learned: Option<Micros>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Effect {
    /// There was nobody to act upon: not started, ended already, or the trigger never came.
    #[default]
    Nothing,
    /// This subscription ended.
    Worker(LifeId),
    /// This subscription was struck and lived on; the ledger knows how it stood.
    Struck(LifeId),
    /// A queue lost so many, or went with them.
    Queue {
        ready: u64,
        /// With consumers at that moment, as far as that is known.
        unacked: u64,
    },
    /// The producer ended.
    Producer {
        published: u32,
        /// Published and not answered, where confirms were asked for.
        unanswered: u32,
        /// Not yet published.
        left: u64,
    },
    Broker(BrokerEffect),
}

/// What befell a broker, or some of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BrokerEffect {
    /// The processes that ended, by their ids.
    pub ended: Vec<String>,
    /// Those that came instead.
    pub began: Vec<String>,
    /// Programs that were connected to it.
    pub clients: u64,
    /// Copies that it had been given by then.
    pub copies: u64,
    /// How long it took to end, or to be reported down.
    pub ending: Micros,
    /// Somebody waited for an answer of a broker that stood still.
    pub waited: bool,
    /// Who was told that the broker takes nothing more from them.
    pub blocked: Vec<String>,
    /// Another node reported it down.
    pub reported: bool,
}

/// An AMQP error that a producer or a worker saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorFact {
    /// The instance's name.
    pub who: String,
    /// `consumer`, `channel` or `connection`.
    pub scope: &'static str,
    /// The reply code; 0 for a cancel and for a connection that just ended.
    pub code: u16,
    pub text: String,
    /// A fault of the file accounts for it.
    pub explained: bool,
}

/// The numbers of queues at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservationFact {
    /// An index into the plan's observations.
    pub observation: usize,
    pub at: Micros,
    pub queues: Vec<QueueNumbers>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueNumbers {
    pub queue: QueueId,
    pub ready: u64,
    pub unacked: u64,
    pub consumers: u64,
    /// How old the broker's number of unacked messages may have been.
    pub unacked_age_ms: u64,
}

/// Exchanges, queues and bindings, each in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The broker said so; else it is what the plan says.
    pub asked: bool,
    pub lines: Vec<String>,
}

/// What one probe was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFact {
    /// An index into the plan's probes.
    pub probe: usize,
    pub at: Micros,
    pub said: Said,
}

/// An answer to an AMQP operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It was done, and this came with the answer; empty when nothing did.
    Done(String),
    /// It was not.
    Refused {
        /// `channel` or `connection` is what the broker closed; `message` is what it returned or
        /// refused; `none` when no answer came.
        scope: &'static str,
        /// The reply code; 0 where there is none.
        code: u16,
        text: String,
    },
}
