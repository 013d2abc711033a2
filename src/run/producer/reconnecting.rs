//! A producer whose connection was lost connects again, and perhaps publishes again what it does
//! not know about.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::ledger::event::Event;
use crate::ledger::facts::Effect;
use crate::plan::model::{Confirms, ProducerId, Unconfirmed};
use crate::run::network::Silence;
use crate::run::producer::answers::Waiting;
use crate::run::producer::{Ending, Life, Schedule, prepare};
use crate::run::stage::{Command, Stage, lock};
use crate::run::worker::PATIENCE;

/// Nobody tries more often than this.
const LEAST: Duration = Duration::from_millis(5);

/// What a producer leaves behind when its connection is lost.
pub struct Lost {
    /// So long it waits before it connects again.
    pub after: Duration,
    /// Where it is told what befalls it meanwhile, and how it stood.
    pub control: mpsc::Receiver<Command>,
    pub standing: Effect,
    pub unanswered: Vec<u32>,
    /// Goes on meanwhile: what comes due is overdue when it is back.
    pub(super) schedule: Option<Schedule>,
}

/// Connects again, as often as it takes. `None` when the run is over before it succeeds.
pub async fn again(stage: &Arc<Stage>, id: ProducerId, mut lost: Lost) -> Option<Life> {
    // Until the deadline, the run waits for it.
    let mut hold = Some(stage.hold());
    let network = &stage.producers[id.index()].network;
    let began = Instant::now();
    loop {
        if !pause(stage, &mut lost).await {
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
        let mut life = match prepared {
            Ok(life) => life,
            Err(error) => {
                let excused = stage.nodes.is_disturbed() || network.is_silent();
                if began.elapsed() > PATIENCE && !excused {
                    // Nobody's fault in the file: a broker that is away for so long does not come
                    // back.
                    stage.fail(error);
                    break;
                }
                // Whoever cannot be reached now may be reached later.
                continue;
            }
        };
        let plan = life.plan();
        let wants = plan.confirms != Confirms::Off && plan.unconfirmed == Unconfirmed::Republish;
        life.again = if wants { lost.unanswered } else { Vec::new() };
        life.schedule = lost.schedule;
        drop(hold);
        return Some(life);
    }
    let slot = &stage.producers[id.index()];
    lock(&slot.control).take();
    slot.done.store(true, Ordering::SeqCst);
    None
}

/// Waits, and hears what it is told meanwhile. `false` when it is to end.
async fn pause(stage: &Stage, lost: &mut Lost) -> bool {
    let due = Instant::now() + lost.after.max(LEAST);
    loop {
        let command = tokio::select! {
            biased;
            Some(command) = lost.control.recv() => command,
            went_on = stage.until(due) => return went_on,
        };
        match command {
            Command::Kill { done, .. } => {
                // The fault's task may have been cut off.
                let _ = done.send(lost.standing.clone());
                return false;
            }
            Command::Strike { done, .. } => drop(done.send(Effect::Nothing)),
            Command::Finish { .. } => return false,
            _ => {}
        }
    }
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
