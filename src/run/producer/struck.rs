//! Faults that a producer lives through.

use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use crate::ledger::facts::Effect;
use crate::plan::model::Confirms;
use crate::run::producer::{Ending, Life};
use crate::run::stage::Blow;

impl Life {
    /// How it stands, with so many under its pen.
    pub(super) fn standing(&self, writing: u32) -> Effect {
        let unanswered = match self.plan().confirms {
            Confirms::Off => 0,
            _ => self.unanswered() + writing,
        };
        Effect::Producer {
            published: self.next - 1 + writing,
            unanswered,
            left: self.left().saturating_sub(u64::from(writing)),
        }
    }

    fn unanswered(&self) -> u32 {
        u32::try_from(self.waiting.len() + self.late.len()).unwrap_or(u32::MAX)
    }

    /// Lets others know how many answers it waits for.
    pub(super) fn tell_unanswered(&self) {
        let slot = &self.stage.producers[self.id.index()];
        slot.unanswered.store(self.unanswered(), Ordering::SeqCst);
    }

    /// Tells how it stands, and lets the fault act.
    pub(super) async fn struck(&mut self, blow: Blow, done: oneshot::Sender<Effect>) {
        let standing = self.standing(0);
        self.frozen |= blow == Blow::Freeze;
        if blow == Blow::Disconnect
            && let Err(error) = self.stage.space.disconnect(&self.link).await
        {
            self.stage.blame(error);
        }
        // The fault's task may have been cut off.
        let _ = done.send(standing);
    }

    /// Frozen, it neither publishes nor reads until it is told to go on. What ends it meanwhile.
    pub(super) async fn stand_still(&mut self) -> Option<Ending> {
        while self.frozen {
            match self.control.recv().await {
                Some(command) => {
                    if let Some(ending) = Box::pin(self.obey(command)).await {
                        return Some(ending);
                    }
                }
                None => return Some(Ending::Finished),
            }
        }
        None
    }
}
