//! Faults that a worker lives through.

use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ledger::event::{Event, Hindrance};
use crate::ledger::facts::Effect;
use crate::plan::model::FaultId;
use crate::run::departure::Departure;
use crate::run::stage::{Blow, Command};
use crate::run::worker::{Ending, Life};

impl Life {
    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Whether nothing that it says would be heard, or it says nothing.
    pub fn is_out_of_reach(&self) -> bool {
        self.frozen || self.stage.workers[self.worker.index()].network.is_silent()
    }

    /// Whether somebody would answer what it says.
    pub(super) fn would_be_heard(&self) -> bool {
        let network = &self.stage.workers[self.worker.index()].network;
        !network.is_silent() && self.stage.nodes.can_be_reached()
    }

    /// Tells the ledger how it stands, and lets the fault act. What ends the worker meanwhile.
    pub(super) async fn struck(
        &mut self,
        fault: FaultId,
        blow: Blow,
        done: oneshot::Sender<Effect>,
    ) -> Option<Ending> {
        self.flush().await;
        let (life, at) = (self.id, self.stage.clock.now());
        self.stage.scribe.record(Event::Struck { fault, life, at }).await;
        match blow {
            Blow::Slow => {}
            Blow::Cut => {
                self.cut_off = true;
                self.hinder().await;
                // The broker may give it up at any moment, and its queue with it.
                self.leave(true).await;
            }
            Blow::Disconnect => self.sent_away().await,
            Blow::Freeze => {
                self.set_frozen(true).await;
                // The fault's task may have been cut off.
                let _ = done.send(Effect::Struck(self.id));
                return Box::pin(self.stand_still()).await;
            }
        }
        let _ = done.send(Effect::Struck(self.id));
        None
    }

    /// The broker closes its connection.
    async fn sent_away(&mut self) {
        self.leave(true).await;
        match self.stage.space.disconnect(&self.link).await {
            Ok(()) => {
                self.hold = Some(self.stage.hold());
                self.feel().await;
            }
            Err(error) => {
                self.come_back().await;
                self.stage.blame(error);
            }
        }
    }

    /// A fault is over. If the broker had given it up meanwhile, it learns that now.
    pub(super) async fn recover(&mut self, blow: Blow) {
        if blow != Blow::Cut || !std::mem::take(&mut self.cut_off) || self.lost.is_some() {
            return;
        }
        if self.question(&self.channel).await.is_ok() {
            self.hinder().await;
            self.come_back().await;
        } else {
            // The stream of deliveries, or the next ack, tells why.
            self.read_ready();
        }
    }

    /// It did not leave after all.
    async fn come_back(&mut self) {
        self.left = false;
        let departure = self.departure.take();
        Departure::revoke(&self.stage, self.worker, departure).await;
    }

    /// Tells the ledger what keeps it from being sent anything.
    async fn hinder(&self) {
        let by = match (self.frozen, self.cut_off) {
            (true, _) => Some(Hindrance::Frozen),
            (false, true) => Some(Hindrance::CutOff),
            (false, false) => None,
        };
        self.stage.scribe.record(Event::Hindered { life: self.id, by }).await;
    }

    async fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
        let slot = &self.stage.workers[self.worker.index()];
        slot.frozen.store(frozen, Ordering::SeqCst);
        self.hinder().await;
    }

    /// It does nothing at all until it is told to go on. What ends it meanwhile.
    async fn stand_still(&mut self) -> Option<Ending> {
        let began = Instant::now();
        let (mut stop, mut recovered) = (None, None);
        let ending = loop {
            let Some(command) = self.control.recv().await else { break Some(Ending::forsaken()) };
            match command {
                Command::Recover { blow: Blow::Freeze, done } => {
                    recovered = Some(done);
                    break None;
                }
                Command::Kill { how, done } => break Some(Ending::Killed { how, done }),
                Command::Finish { cut, left } => return Some(Ending::Finished { cut, left }),
                // It hears of it when it goes on.
                Command::Stop { done } => stop = Some(done),
                Command::Catch { up } => drop(up.send(())),
                // It is frozen already.
                Command::Strike { blow: Blow::Freeze, done, .. } => {
                    let _ = done.send(Effect::Struck(self.id));
                }
                other => {
                    if let Some(ending) = Box::pin(self.obey(other)).await {
                        break Some(ending);
                    }
                }
            }
        };
        self.stood_still += began.elapsed();
        self.set_frozen(false).await;
        // Whoever waits for it may not any more.
        let _ = recovered.map(|done| done.send(()));
        match (ending, stop) {
            (None, Some(done)) => Some(Ending::Stopped { done }),
            (ending, _) => ending,
        }
    }
}
