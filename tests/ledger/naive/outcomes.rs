//! What became of each publish and of each copy, once all events were taken in.

use std::collections::BTreeSet;

use rmq_scenario::ledger::event::MessageKey;
use rmq_scenario::plan::count::{COPY_OUTCOMES, Count};
use rmq_scenario::plan::model::{QueueId, QueueKind};

use crate::naive::{Counting, add};
use crate::simulated::broker::{CopyKey, first_stay};

impl Counting<'_> {
    pub(super) fn publishes(&mut self) {
        for &message in self.line.published.keys() {
            let confirms = self.confirms(message);
            let outcome = match self.line.answered.get(&message) {
                _ if !confirms => Count::Unchecked,
                Some((_, true)) => Count::Confirmed,
                Some((_, false)) => Count::Refused,
                None => Count::Unconfirmed,
            };
            let returned = self.line.returned.contains(&message);
            let unroutable = self.is_unroutable(message);
            let numbers = &mut self.naive.producers[message.producer.index()];
            add(numbers, Count::Published);
            add(numbers, outcome);
            for count in [(returned, Count::Returned), (unroutable, Count::Unroutable)] {
                if count.0 {
                    add(numbers, count.1);
                }
            }
        }
    }

    /// No queue could be found for it when it was published, or none was, since it came back;
    /// and none has it.
    fn is_unroutable(&self, message: MessageKey) -> bool {
        let at = self.line.published[&message];
        let returned = self.line.returned.contains(&message);
        self.queues().all(|queue| {
            let there = self.stood(queue, at) || self.comes(queue, at);
            let (goes, gone) = self.exchange(message, at);
            let possible = self.binds(message, queue) && there && !gone;
            let sure = possible && !goes && !self.changes(queue, self.on_its_way(message));
            !sure && !self.is_seen(&first_stay(message, queue)) && (!possible || returned)
        })
    }

    fn queues(&self) -> impl Iterator<Item = QueueId> + use<> {
        (0..self.plan.topology.queues.len()).map(QueueId::from_index)
    }

    fn is_seen(&self, copy: &CopyKey) -> bool {
        let line = &self.line;
        line.seen.contains(copy) || line.drained.contains(copy) || self.left.contains(copy)
    }

    /// Whoever was seen as a dead letter has left where it was before, and so on.
    pub(super) fn trace(&mut self) -> BTreeSet<CopyKey> {
        let seen = self.line.seen.iter().chain(&self.line.drained);
        let mut later: BTreeSet<CopyKey> =
            seen.filter(|copy| !copy.2.is_empty()).cloned().collect();
        let mut next: Vec<CopyKey> = later.iter().cloned().collect();
        while let Some(copy) = next.pop() {
            let parent = self.run.parents[&copy].clone();
            if !parent.2.is_empty() && later.insert(parent.clone()) {
                next.push(parent.clone());
            }
            self.left.insert(parent);
        }
        later
    }

    pub(super) fn copies(&mut self, later: BTreeSet<CopyKey>) {
        let messages: Vec<MessageKey> = self.line.published.keys().copied().collect();
        for message in messages {
            for queue in self.queues() {
                self.copy(first_stay(message, queue));
            }
        }
        for copy in later {
            self.expected(copy);
        }
        for (worker, plan) in self.plan.workers.iter().enumerate() {
            let by = self.line.finished_by.iter();
            let twice = by.filter(|((who, _), times)| who.index() == worker && **times > 1);
            if self.run.kind(plan.queue) == QueueKind::Stream {
                let doubled = twice.count() as u64;
                *self.naive.queues[plan.queue.index()].entry(Count::Duplicates).or_default() +=
                    doubled;
            }
        }
    }

    fn copy(&mut self, copy: CopyKey) {
        let (message, queue, _) = copy;
        let span = self.on_its_way(message);
        let (goes, gone) = self.exchange(message, span.0);
        let optional = goes || self.changes(queue, span);
        let expected = self.binds(message, queue)
            && !gone
            && if optional { self.is_seen(&copy) } else { self.stands(queue, span.0) };
        if !expected {
            if self.is_seen(&copy) {
                add(&mut self.naive.totals, Count::Unexpected);
            }
            return;
        }
        self.expected(copy);
    }

    fn expected(&mut self, copy: CopyKey) {
        let (message, queue) = (copy.0, copy.1);
        let outcome = self.outcome(&copy);
        self.naive.outcomes.insert(copy.clone(), outcome);
        let numbers = &mut self.naive.queues[queue.index()];
        add(numbers, Count::Expected);
        add(numbers, outcome);
        if self.line.drained.contains(&copy) {
            add(numbers, Count::StillQueued);
        }
        let twice = self.line.finished.get(&copy).is_some_and(|&times| times > 1);
        if twice && self.run.kind(queue) != QueueKind::Stream {
            add(numbers, Count::Duplicates);
        }
        add(&mut self.naive.producers[message.producer.index()], outcome);
    }

    /// Refused for good by the worker that had it last. Where there may be two of it that nothing
    /// tells apart, either may have been the last.
    fn is_rejected(&self, copy: &CopyKey) -> bool {
        let last = self.line.last.get(copy).copied().unwrap_or_default();
        let mut refusals = self.line.rejected.iter().filter(|(refused, _)| refused == copy);
        match self.run.truth.may_be_two(copy) {
            true => refusals.next().is_some() && self.told.get(copy) == Some(&Count::Rejected),
            false => refusals.any(|(_, order)| *order == last),
        }
    }

    fn outcome(&self, copy: &CopyKey) -> Count {
        let answer = self.line.answered.get(&copy.0).map(|(_, ack)| *ack);
        let seen = self.is_seen(copy);
        let unsure = answer.is_none() && self.confirms(copy.0) && !seen;
        let undrained = !self.line.complete.get(&copy.1).copied().unwrap_or(false);
        if self.line.finished.contains_key(copy) {
            Count::Delivered
        } else if self.left.contains(copy) {
            Count::DeadLettered
        } else if self.is_rejected(copy) {
            Count::Rejected
        } else if self.line.drained.contains(copy) {
            Count::Remaining
        } else if answer == Some(false) && !seen {
            Count::TurnedAway
        } else if unsure || undrained {
            Count::InDoubt
        } else {
            match self.told.get(copy) {
                Some(rule @ (Count::Expired | Count::Dropped | Count::OverLimit)) => *rule,
                _ => Count::Lost,
            }
        }
    }

    pub(super) fn sum_up(&mut self) {
        for queue in &self.naive.queues {
            for (count, n) in queue {
                *self.naive.totals.entry(*count).or_default() += n;
            }
        }
        for producer in &self.naive.producers {
            for (count, n) in producer.iter().filter(|(count, _)| !COPY_OUTCOMES.contains(count)) {
                *self.naive.totals.entry(*count).or_default() += n;
            }
        }
        // As an outcome of copies `rejected` was summed up above.
        for worker in &self.naive.workers {
            let acked = worker.get(&Count::Acked).copied().unwrap_or(0);
            *self.naive.totals.entry(Count::Acked).or_default() += acked;
        }
    }
}
