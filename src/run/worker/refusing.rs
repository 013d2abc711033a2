//! Works that end in a refusal instead of a finish.

use std::collections::HashMap;
use std::sync::Mutex;

use lapin::options::{BasicNackOptions, BasicRejectOptions};

use crate::ledger::event::{MessageKey, WorkEvent};
use crate::plan::model::{QueueId, Refusal, Reject, Variant};
use crate::run::stage::lock;
use crate::run::worker::{Ending, Item, Life};

/// How often each message was refused in each queue, over all workers and stays; kept only
/// where a rule has `times`.
pub struct Refusals {
    counted: Vec<bool>,
    counts: Mutex<HashMap<(QueueId, MessageKey), u64>>,
}

impl Refusals {
    pub fn new(plan: &Variant) -> Self {
        let mut counted = vec![false; plan.topology.queues.len()];
        for worker in &plan.workers {
            counted[worker.queue.index()] |= worker.rejects.iter().any(|it| it.times.is_some());
        }
        Self { counted, counts: Mutex::default() }
    }

    /// Lets `decide` say, given how often it happened before, whether the message is refused,
    /// and counts it if so: two workers never share one refusal.
    fn decide<T>(
        &self,
        queue: QueueId,
        message: MessageKey,
        decide: impl FnOnce(u64) -> Option<T>,
    ) -> Option<T> {
        if !self.counted[queue.index()] {
            return decide(0);
        }
        let mut counts = lock(&self.counts);
        let before = counts.get(&(queue, message)).copied().unwrap_or(0);
        let decided = decide(before)?;
        counts.insert((queue, message), before + 1);
        Some(decided)
    }
}

impl Life {
    /// Whether some rule names this message.
    pub(super) fn may_refuse(&self, item: &Item) -> bool {
        let rejections = self.rejections.as_ref().zip(item.message);
        rejections.is_some_and(|(rules, it)| rules.concern(it.producer, u64::from(it.n)))
    }

    /// How this work is refused now, if it is.
    pub(super) fn refusal(&self, item: &Item) -> Option<(Refusal, bool)> {
        let (rules, message) = self.rejections.as_ref().zip(item.message)?;
        let queue = self.stage.plan.workers[self.worker.index()].queue;
        let rule = |before| rules.rule(message.producer, u64::from(message.n), before);
        let Reject { using, requeue, .. } = self.stage.refusals.decide(queue, message, rule)?;
        Some((*using, *requeue))
    }

    /// Gives one delivery back, or lets it go.
    pub(super) async fn refuse(
        &mut self,
        tag: u64,
        (using, requeue): (Refusal, bool),
    ) -> Result<(), Ending> {
        self.note(WorkEvent::Rejected { tag, requeue });
        self.totals.rejected += 1;
        // Recorded before it is written: what it sets off may be read elsewhere at once.
        self.flush().await;
        let written = match using {
            Refusal::Nack => {
                let options = BasicNackOptions { multiple: false, requeue };
                self.channel.basic_nack(tag, options).await
            }
            Refusal::Reject => self.channel.basic_reject(tag, BasicRejectOptions { requeue }).await,
        };
        written.map_err(Ending::Failed)
    }
}
