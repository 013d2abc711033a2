//! A producer whose connection was lost connects again, and perhaps publishes again what it does
//! not know about.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::event::Event;
use crate::plan::model::{Confirms, ProducerId, Unconfirmed};
use crate::run::network::Silence;
use crate::run::producer::answers::Waiting;
use crate::run::producer::{Ending, Life, prepare};
use crate::run::stage::Stage;

/// Nobody tries more often than this.
const LEAST: Duration = Duration::from_millis(5);

/// What a producer leaves behind when its connection is lost.
pub struct Lost {
    /// So long it waits before it connects again.
    pub after: Duration,
    pub unanswered: Vec<u32>,
}

/// Connects again, as often as it takes. `None` when the run is over before it succeeds.
pub async fn again(stage: &Arc<Stage>, id: ProducerId, lost: Lost) -> Option<Life> {
    // Until the deadline, the run waits for it.
    let mut hold = Some(stage.hold());
    let network = &stage.producers[id.index()].network;
    loop {
        if !stage.until(Instant::now() + lost.after.max(LEAST)).await {
            break;
        }
        if stage.nodes.all_gone() || network.silence() == Silence::ToTheEnd {
            // Nothing more comes of it, and nobody waits for it.
            stage.producers[id.index()].done.store(true, Ordering::SeqCst);
            hold = None;
            continue;
        }
        let Some(entry) = stage.enter() else { break };
        let prepared = tokio::select! {
            biased;
            () = stage.closes() => break,
            prepared = prepare(stage, id) => prepared,
        };
        drop(entry);
        // Whoever cannot be reached now may be reached later.
        if let Ok(mut life) = prepared {
            let plan = life.plan();
            let wants =
                plan.confirms != Confirms::Off && plan.unconfirmed == Unconfirmed::Republish;
            life.again = if wants { lost.unanswered } else { Vec::new() };
            drop(hold);
            return Some(life);
        }
    }
    stage.producers[id.index()].done.store(true, Ordering::SeqCst);
    None
}

impl Life {
    /// Publishes again what the last connection left unanswered, with the same ids, before
    /// anything else.
    pub async fn republish(&mut self) -> Result<(), Ending> {
        let Some(patience) = self.patience() else { return Ok(()) };
        let numbers = std::mem::take(&mut self.again);
        if numbers.is_empty() {
            return Ok(());
        }
        let (producer, at) = (self.id, self.stage.clock.now());
        let told = Event::Republished { producer, numbers: numbers.clone(), at };
        self.stage.scribe.record(told).await;
        self.republished = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let mut left = numbers.into_iter();
        while let Some(n) = left.next() {
            let mut body = Vec::new();
            self.content.body(u64::from(n), &mut body);
            let (exchange, key, options, properties) = self.envelope(n);
            match self.channel.basic_publish(exchange, key, options, &body, properties).await {
                Ok(confirm) => {
                    self.waiting.push_back(Waiting {
                        n,
                        until: Instant::now() + patience,
                        confirm,
                    });
                }
                Err(error) => {
                    // What is still to go goes again with the next connection.
                    self.again = std::iter::once(n).chain(left).collect();
                    return Err(Ending::Failed(error));
                }
            }
        }
        Ok(())
    }
}
