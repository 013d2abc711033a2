//! Faults that a worker lives through.

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ledger::event::{Event, Hindrance};
use crate::ledger::facts::Effect;
use crate::plan::model::FaultId;
use crate::run::departure::Departure;
use crate::run::stage::{Blow, Command};
use crate::run::worker::{Ending, Life};
use crate::run::{acting, staff};

impl Life {
    /// Whether it is frozen.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Whether nothing that it says would be heard, or it says nothing.
    pub fn is_out_of_reach(&self) -> bool {
        self.frozen || self.stage.workers[self.worker.index()].network.is_silent()
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
        self.stage.workers[self.worker.index()].network.strike();
        match blow {
            Blow::Slow => {}
            Blow::Cut => self.cut_off().await,
            Blow::Disconnect => {
                if let Err(error) = self.stage.space.disconnect(&self.link).await {
                    self.stage.blame(error);
                }
                self.feel().await;
            }
            Blow::Freeze => {
                self.hinder(Some(Hindrance::Frozen)).await;
                // The fault's task may have been cut off.
                let _ = done.send(Effect::Struck(self.id));
                return self.stand_still().await;
            }
        }
        let _ = done.send(Effect::Struck(self.id));
        None
    }

    /// Its network is about to fall silent: the broker may give it up at any moment, and its queue
    /// with it.
    async fn cut_off(&mut self) {
        self.hinder(Some(Hindrance::CutOff)).await;
        self.leave(true).await;
    }

    /// Its network carries again. If the broker had given it up, it learns that now.
    pub(super) async fn recover(&mut self) {
        if self.lost.is_some() {
            return;
        }
        if self.question(&self.channel).await.is_ok() {
            self.hinder(None).await;
            self.left = false;
            let departure = self.departure.take();
            Departure::revoke(&self.stage, self.worker, departure).await;
        } else {
            // The stream of deliveries, or the next ack, tells why.
            self.read_ready();
        }
    }

    async fn hinder(&self, by: Option<Hindrance>) {
        let life = self.id;
        self.stage.scribe.record(Event::Hindered { life, by }).await;
    }

    /// It does nothing at all until it is told to go on. What ends it meanwhile.
    async fn stand_still(&mut self) -> Option<Ending> {
        self.frozen = true;
        let began = Instant::now();
        let (mut stop, mut recovered) = (None, None);
        let ending = loop {
            let Some(command) = self.control.recv().await else { break Some(Ending::forsaken()) };
            match command {
                Command::Recover { done } => {
                    recovered = Some(done);
                    break None;
                }
                Command::Kill { how, done } => break Some(Ending::Killed { how, done }),
                Command::Finish { cut, left } => return Some(Ending::Finished { cut, left }),
                // It hears of it when it goes on.
                Command::Stop { done } => stop = Some(done),
                Command::Catch { up } => drop(up.send(())),
                Command::Strike { blow, done, .. } => {
                    if blow == Blow::Cut {
                        self.leave(true).await;
                    }
                    // What it holds was told when it froze.
                    let _ = done.send(Effect::Nothing);
                }
                Command::Vacate { .. } => {}
                Command::Lend { reply } => staff::lend(&self.link, reply).await,
                Command::Ask { reply } => {
                    let numbers = acting::own_numbers(&self.stage, &self.link, self.worker).await;
                    let _ = reply.send(numbers);
                }
            }
        };
        self.frozen = false;
        self.stood_still += began.elapsed();
        self.hinder(None).await;
        // Whoever waits for it may not any more.
        let _ = recovered.map(|done| done.send(()));
        match (ending, stop) {
            (None, Some(done)) => Some(Ending::Stopped { done }),
            (ending, _) => ending,
        }
    }
}
