//! Works: begun, spent, finished or refused, and acked.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::BasicAckOptions;
use tokio::time::{Instant, sleep_until};

use crate::ledger::event::{Micros, Stamped, WorkEvent};
use crate::plan::model::AckMode;
use crate::run::watches::{due, in_order};
use crate::run::worker::{Ending, Item, Life};

/// How many works without duration are done before anybody else is listened to.
const CHUNK: usize = 256;

impl Life {
    /// One work, or a chunk of works that take no time.
    pub(super) async fn turn(&mut self, item: Item) -> Result<(), Ending> {
        if self.is_plain(&item) && self.watches.is_idle() && self.stopping.is_none() {
            return self.chunk(item).await;
        }
        self.work(item).await
    }

    fn duration(&self, item: &Item) -> Duration {
        let n = item.message.map_or(1, |message| u64::from(message.n));
        self.time.of(n, item.dots)
    }

    /// Works that take no time and that nothing waits for: one ack covers them all, written
    /// before anything else can happen to this worker.
    async fn chunk(&mut self, first: Item) -> Result<(), Ending> {
        let at = self.stage.clock.now();
        let mut next = Some(first);
        let mut done = 0;
        let (mut due, mut covers) = (None, 0);
        while let Some(item) = next {
            self.push(at, WorkEvent::Begun { tag: item.tag });
            if self.ack == AckMode::Early {
                self.early_ack(item.tag).await?;
            }
            self.push(at, WorkEvent::Finished { tag: item.tag });
            self.count_work(item.tag);
            if let AckMode::Manual { every } = self.ack
                && self.unacked - covers >= every
            {
                (due, covers) = (Some(item.tag), self.unacked);
            }
            done += 1;
            let more = done < CHUNK && self.backlog.front().is_some_and(|it| self.is_plain(it));
            next = if more { self.backlog.pop_front() } else { None };
        }
        if let Some(tag) = due {
            self.write_ack(tag).await?;
            self.unacked -= covers;
        }
        Ok(())
    }

    /// Whether work on it takes no time and does nothing but finish. An ack on a channel that
    /// does not know it is never put together with others: the broker names the first of them.
    fn is_plain(&self, item: &Item) -> bool {
        self.acks_on.is_none()
            && item.request.is_none()
            && self.duration(item).is_zero()
            && !self.may_refuse(item)
    }

    fn push(&mut self, at: Micros, what: WorkEvent) {
        self.events.push(Stamped { at, what });
    }

    fn count_work(&mut self, tag: u64) {
        self.totals.begun += 1;
        self.totals.finished += 1;
        self.unacked += 1;
        self.last_finished = tag;
        let slot = &self.stage.workers[self.worker.index()];
        slot.begun.fetch_add(1, Ordering::Relaxed);
        slot.finished.fetch_add(1, Ordering::Relaxed);
    }

    /// One work with everything that may happen in it.
    async fn work(&mut self, item: Item) -> Result<(), Ending> {
        let duration = self.duration(&item);
        self.begin(item.tag).await?;
        if !duration.is_zero() {
            self.flush().await;
            self.spend(duration).await?;
        }
        if self.may_refuse(&item)
            && let Some(error) = self.lost.take()
        {
            // What would be refused now cannot be.
            return Err(Ending::Failed(error));
        }
        match self.refusal(&item) {
            Some(refusal) => self.refuse(item.tag, refusal).await?,
            None => self.finish(&item).await?,
        }
        match self.stopping.take() {
            Some(done) => Err(Ending::Stopped { done }),
            None => Ok(()),
        }
    }

    async fn begin(&mut self, tag: u64) -> Result<(), Ending> {
        self.note(WorkEvent::Begun { tag });
        self.totals.begun += 1;
        let slot = &self.stage.workers[self.worker.index()];
        let begun = slot.begun.fetch_add(1, Ordering::Relaxed) + 1;
        if self.ack == AckMode::Early {
            self.early_ack(tag).await?;
        }
        let due = due(&self.watches.during, begun);
        self.fire(due).await
    }

    async fn finish(&mut self, item: &Item) -> Result<(), Ending> {
        self.note(WorkEvent::Finished { tag: item.tag });
        self.totals.finished += 1;
        self.unacked += 1;
        self.last_finished = item.tag;
        self.answer(item).await?;
        let slot = &self.stage.workers[self.worker.index()];
        let finished = slot.finished.fetch_add(1, Ordering::Relaxed) + 1;
        let mut actions = self.stage.tallies.count(&self.watches.finished, 1, |_| true);
        actions.extend(due(&self.watches.before_ack, finished));
        self.fire(in_order(actions)).await?;
        if let Some(error) = self.lost.take() {
            return Err(Ending::Failed(error));
        }
        if let AckMode::Manual { every } = self.ack
            && self.unacked >= every
        {
            self.write_ack(item.tag).await?;
            let covered = std::mem::take(&mut self.unacked);
            let due = self.stage.tallies.count(&self.watches.acked, covered, |_| true);
            self.fire(due).await?;
        }
        Ok(())
    }

    async fn early_ack(&mut self, tag: u64) -> Result<(), Ending> {
        let options = BasicAckOptions { multiple: false };
        let written = self.ack_channel().basic_ack(tag, options).await;
        written.map_err(Ending::Failed)?;
        self.note(WorkEvent::Acked { tag, multiple: false });
        self.totals.acks += 1;
        let due = self.stage.tallies.count(&self.watches.acked, 1, |_| true);
        self.fire(due).await
    }

    /// Acks everything finished up to the tag. What was refused in between is settled already,
    /// and the tag itself is that of a finished one: the broker must know it.
    pub(super) async fn write_ack(&mut self, tag: u64) -> Result<(), Ending> {
        let options = BasicAckOptions { multiple: true };
        self.ack_channel().basic_ack(tag, options).await.map_err(Ending::Failed)?;
        self.note(WorkEvent::Acked { tag, multiple: true });
        self.totals.acks += 1;
        Ok(())
    }

    /// Works for a while, reading what arrives meanwhile.
    async fn spend(&mut self, duration: Duration) -> Result<(), Ending> {
        let mut until = Instant::now() + duration;
        self.stood_still = Duration::ZERO;
        loop {
            let whole = self.lost.is_none();
            let reading = whole && self.ended.is_none() && self.stopping.is_none();
            tokio::select! {
                biased;
                command = self.control.recv() => {
                    self.heed(command).await?;
                    until += std::mem::take(&mut self.stood_still);
                }
                () = sleep_until(until) => return Ok(()),
                error = self.listener.error(), if whole && self.acks_on.is_some() => {
                    self.ended = Some(Ending::Failed(error));
                }
                next = self.consumer.next(), if reading => {
                    self.take(next);
                    self.read_ready();
                    self.flush().await;
                }
            }
            if let Some(ending) = self.broken_off()
                && let Some(ending) = self.work_on(ending).await
            {
                return Err(ending);
            }
        }
    }
}
