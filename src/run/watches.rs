//! What waits for the steps of one worker: triggers on counts, and faults in the middle of
//! its own works.

use crate::plan::model::{CountEvent, FaultId, Instance, Trigger, WorkerId};
use crate::run::stage::Stage;
use crate::run::tally::{Action, Watch};

/// What triggers of counts and of this worker's own steps wait for.
pub struct Watches {
    pub finished: Watch,
    pub acked: Watch,
    /// Begun deliveries over all lives, and the fault.
    pub during: Vec<(u64, Action)>,
    pub before_ack: Vec<(u64, Action)>,
}

impl Watches {
    pub fn new(stage: &Stage, id: WorkerId) -> Self {
        let who = Instance::Worker(id);
        let queue = Some(stage.plan.workers[id.index()].queue);
        let own = |pick: fn(&Trigger) -> Option<u64>| {
            let faults = stage.plan.faults.iter().enumerate();
            let mine = faults.filter(|(_, fault)| fault.action.target() == Some(who));
            let id = FaultId::from_index;
            mine.filter_map(|(i, fault)| Some((pick(&fault.trigger)?, Action::Fault(id(i)))))
                .collect()
        };
        Self {
            finished: stage.tallies.watch(CountEvent::Finished, who, queue),
            acked: stage.tallies.watch(CountEvent::Acked, who, queue),
            during: own(|trigger| match trigger {
                Trigger::During(n) => Some(*n),
                _ => None,
            }),
            before_ack: own(|trigger| match trigger {
                Trigger::BeforeAck(n) => Some(*n),
                _ => None,
            }),
        }
    }

    /// Whether nothing waits for this worker.
    pub fn is_idle(&self) -> bool {
        self.finished.is_idle()
            && self.acked.is_idle()
            && self.during.is_empty()
            && self.before_ack.is_empty()
    }
}

/// The actions whose number has come.
pub fn due(watched: &[(u64, Action)], count: u64) -> Vec<Action> {
    watched.iter().filter(|(n, _)| *n == count).map(|(_, action)| *action).collect()
}

/// Faults in the order of the file, the others after them.
pub fn in_order(mut actions: Vec<Action>) -> Vec<Action> {
    actions.sort_by_key(|action| match action {
        Action::Fault(id) => (0, id.0),
        _ => (1, 0),
    });
    actions
}
