//! Losing the connection: what is in hand is finished all the same, and never acked.

use crate::run::worker::{Ending, Life};

impl Life {
    /// In the middle of a work: a lost connection lets it end, every other ending does not.
    pub(super) async fn work_on(&mut self, ending: Ending) -> Option<Ending> {
        match ending {
            Ending::Failed(error) if self.has_lost(&error) => {
                self.loses(error).await;
                None
            }
            other => Some(other),
        }
    }

    /// Whether an error means that the connection is lost, rather than that the broker closed the
    /// channel for a mistake.
    pub fn has_lost(&self, error: &lapin::Error) -> bool {
        self.stage.is_loss(error) && !self.link.connection.status().connected()
    }

    /// A fault ended the broker that this worker may be connected to: whether it is shows in a
    /// question.
    pub(super) async fn feel(&mut self) {
        if let Err(error) = self.question(&self.channel).await
            && self.has_lost(&error)
        {
            self.loses(error).await;
        }
    }

    /// From now on the broker may take its queue away.
    async fn loses(&mut self, error: lapin::Error) {
        self.leave(true).await;
        self.lost = Some(error);
    }
}
