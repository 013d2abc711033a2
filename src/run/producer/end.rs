//! Every way in which a producer ends.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use lapin::options::BasicQosOptions;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::ledger::event::{Event, ProducerEnd};
use crate::ledger::facts::ErrorFact;
use crate::plan::model::{Confirms, KillHow};
use crate::run::producer::answers::{Answers, answers};
use crate::run::producer::reconnecting::Lost;
use crate::run::producer::{Ending, Life};
use crate::run::stage::lock;
use crate::run::trouble;
use crate::run::worker::PATIENCE;

impl Life {
    /// Ends it. What it leaves unanswered, if it is to connect again.
    pub async fn end(mut self, ending: Ending) -> Option<Lost> {
        let plan = self.stage.plan.producers[self.id.index()].clone();
        let standing = self.standing(0);
        let mut lost = None;
        let (closed, done) = match ending {
            Ending::Done | Ending::Finished if self.is_silent_for_good().await => {
                // Nobody would hear a goodbye.
                self.link.cut();
                (false, None)
            }
            Ending::Done | Ending::Finished => (self.close_in_order(&plan.name).await, None),
            Ending::Killed { how, done } => {
                let closed = match how {
                    KillHow::Crash | KillHow::Cancel => {
                        self.link.cut();
                        false
                    }
                    KillHow::CloseConnection => self.close_connection().await,
                    KillHow::CloseChannel => self.close_channel().await,
                };
                (closed, Some(done))
            }
            Ending::Failed(error) => {
                self.hear_last_answers().await;
                let error = self.listener.reason(&error).await;
                let gone = !self.link.connection.status().connected();
                self.note_error(trouble::fact(&plan.name, &error));
                if self.stage.is_loss(&error) && gone {
                    self.stage.producers[self.id.index()].network.learn(self.stage.clock.now());
                    lost = plan.reconnect.map(|after| self.lost(after));
                }
                (false, None)
            }
        };
        let (published, closed) = (self.next - self.first, closed && !self.torn);
        let end = ProducerEnd {
            closed,
            published,
            republished: self.republished,
            answered: self.answered,
            returned: self.returned,
        };
        let (producer, at) = (self.id, self.stage.clock.now());
        self.stage.scribe.record(Event::ProducerEnded { producer, end, at }).await;
        let slot = &self.stage.producers[self.id.index()];
        if lost.is_none() {
            lock(&slot.control).take();
        }
        slot.asks.store(false, Ordering::SeqCst);
        slot.unanswered.store(0, Ordering::SeqCst);
        // Before anybody hears of it: a restart says that there is more to come.
        slot.done.store(lost.is_none(), Ordering::SeqCst);
        if let Some(done) = done {
            // The fault's task may have been cut off.
            let _ = done.send(standing);
        }
        if !self.is_silent() {
            let _ = self.close_connection().await;
        }
        lost
    }

    /// Whether its network stays silent. What will carry again is waited for, as long as there is
    /// time.
    async fn is_silent_for_good(&self) -> bool {
        let network = &self.stage.producers[self.id.index()].network;
        tokio::select! {
            () = network.settles() => {}
            () = self.stage.closes() => {}
        }
        network.is_silent()
    }

    fn is_silent(&self) -> bool {
        self.stage.producers[self.id.index()].network.is_silent()
    }

    /// What it met, and whether a fault accounts for it.
    fn note_error(&self, fact: ErrorFact) {
        let network = &self.stage.producers[self.id.index()].network;
        let explained = self.stage.explains(network, None, &fact);
        self.stage.note_error(ErrorFact { explained, ..fact });
    }

    /// What is unanswered when its connection is lost.
    fn lost(&mut self, after: Duration) -> Lost {
        let waiting = self.waiting.iter().chain(&self.late).map(|waiting| waiting.n);
        // What was still to go again has no answer, either.
        let others = self.orphans.iter().chain(&self.again).copied();
        let mut unanswered: Vec<u32> = waiting.chain(others).collect();
        unanswered.sort_unstable();
        // Until it is back, whoever has something to tell it still reaches it.
        let control = std::mem::replace(&mut self.control, mpsc::channel(1).1);
        let standing = self.standing(0);
        Lost { after, control, standing, unanswered, schedule: self.schedule }
    }

    /// What the broker had answered before it closed the channel was read before the close was.
    async fn hear_last_answers(&mut self) {
        if let Some(answers) = answers(&mut self.waiting, &mut self.late).now_or_never() {
            // Nothing that they set off can end it a second time.
            let _ = self.hear(Answers { error: None, ..answers }).await;
        }
    }

    /// With confirms off, close-ok says that the broker has read every publish; the returns
    /// that it sent come before it.
    ///
    /// A producer without confirms may learn only now that the broker refused its publishes.
    async fn close_in_order(&mut self, name: &str) -> bool {
        self.hear_last_replies().await;
        let unchecked = self.plan().confirms == Confirms::Off;
        let closed = async {
            if unchecked {
                // Our close and the broker's may cross, and then ours seems to go well. A
                // question that comes before it fails for sure.
                self.channel.basic_qos(0, BasicQosOptions::default()).await?;
            }
            self.channel.close(200, "OK".into()).await
        };
        let closed = timeout(PATIENCE, closed).await;
        if let Ok(Err(error)) = &closed {
            let error = self.listener.reason(error).await;
            self.note_error(trouble::fact(name, &error));
        }
        if unchecked {
            self.hear_returns().await;
        }
        matches!(closed, Ok(Ok(())))
    }

    async fn close_channel(&self) -> bool {
        let closed = timeout(PATIENCE, self.channel.close(200, "OK".into())).await;
        matches!(closed, Ok(Ok(())))
    }

    async fn close_connection(&self) -> bool {
        matches!(timeout(PATIENCE, self.link.close()).await, Ok(Ok(())))
    }
}
