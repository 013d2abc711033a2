//! The closed books: what became of every publish and every copy, and that it adds up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::ledger::counts::Counts;
use crate::ledger::event::{LifeId, MessageKey, Micros};
use crate::ledger::history::Step;
use crate::ledger::lives::Life;
use crate::ledger::messages::{Copy, Routes, message_flag};
use crate::ledger::{Ledger, ProducerBook, Violation};
use crate::plan::count::{COPY_OUTCOMES, Count, PUBLISH_OUTCOMES};
use crate::plan::model::{ProducerId, QueueId, Variant, WorkerId};

/// What one run comes to.
pub struct Books {
    pub plan: Arc<Variant>,
    pub totals: Counts,
    pub queues: Vec<Counts>,
    pub producers: Vec<Counts>,
    pub workers: Vec<Counts>,
    /// Time at work, by worker instance.
    pub busy: Vec<Micros>,
    /// From whom (who may never have looked at it) to whom redelivered copies went.
    pub moves: HashMap<(Option<LifeId>, WorkerId), u64>,
    /// Deliveries that broke the order of a producer's numbers: examples, and how many.
    pub disorder: Vec<(MessageKey, WorkerId)>,
    pub disorder_count: u64,
    /// Where messages were that must not be there: examples.
    pub strays: Vec<(MessageKey, QueueId)>,
    pub foreign: u64,
    pub violations: Vec<Violation>,
    pub violation_count: u64,
    /// Queues whose drain did not see them empty.
    pub undrained: Vec<QueueId>,
    ledger: Ledger,
}

/// A copy with what became of it.
#[derive(Debug, Clone, Copy)]
pub struct CopyView {
    pub message: MessageKey,
    pub queue: QueueId,
    pub copy: Copy,
    pub outcome: Count,
    /// Flags of its message.
    pub message_flags: u8,
}

impl Ledger {
    /// Decides what became of everything and checks that it adds up.
    pub fn close(mut self) -> Books {
        self.check_ends();
        self.check_suspects();
        let mut books = Books {
            plan: Arc::clone(&self.plan),
            totals: Counts::default(),
            queues: vec![Counts::default(); self.queues.len()],
            producers: vec![Counts::default(); self.producers.len()],
            workers: vec![Counts::default(); self.plan.workers.len()],
            busy: vec![0; self.plan.workers.len()],
            moves: std::mem::take(&mut self.moves),
            disorder: std::mem::take(&mut self.disorder),
            disorder_count: self.disorder_count,
            strays: self.unexpected.keys().copied().take(5).collect(),
            foreign: self.foreign,
            violations: Vec::new(),
            violation_count: 0,
            undrained: undrained(&self),
            ledger: self,
        };
        books.count_publishes();
        books.count_copies();
        books.count_work();
        books.sum_up();
        books.check_balance();
        books.violation_count = books.ledger.violation_count;
        books.violations = std::mem::take(&mut books.ledger.violations);
        books
    }

    /// At the end nobody is subscribed, no channel is open and no change is under way.
    fn check_ends(&mut self) {
        if self.lives.iter().any(Life::is_live) {
            self.violation(None, "a worker was still subscribed at the end");
        }
        if self.producers.iter().any(|book| book.up) {
            self.violation(None, "a producer's channel was still open at the end");
        }
        if self.changing.is_unsettled() {
            self.violation(None, "a change of the topology never ended");
        }
        if self.queues.iter().any(|queue| queue.drain.is_none()) {
            self.violation(None, "a queue was never drained");
        }
    }

    /// A copy that was acked came again. That is possible only if the broker never read the
    /// ack: not where it was seen to have read it.
    fn check_suspects(&mut self) {
        for (id, (examples, count)) in std::mem::take(&mut self.suspects) {
            let life = &self.lives[id.index()];
            if !life.read_by_broker {
                continue;
            }
            let name = &self.plan.workers[life.worker.index()].name;
            let what = format!("it came again after the broker had read {name}'s ack of it");
            self.violation_count += count - examples.len() as u64;
            for message in examples {
                self.violation(Some(message), what.clone());
            }
        }
    }
}

fn undrained(ledger: &Ledger) -> Vec<QueueId> {
    let queues = ledger.queues.iter().enumerate();
    let open = queues.filter(|(_, queue)| queue.drain == Some(false));
    open.map(|(index, _)| QueueId::from_index(index)).collect()
}

impl Books {
    /// Every copy that counts, in the order of producers and their publishes.
    pub fn copies(&self) -> impl Iterator<Item = CopyView> + '_ {
        let ledger = &self.ledger;
        let routed = ledger.producers.iter().enumerate().flat_map(move |(index, book)| {
            let producer = ProducerId::from_index(index);
            let each = book.messages.each(&ledger.routes);
            each.map(move |(n, queue, copy)| (MessageKey { producer, n }, queue, copy))
        });
        let extras = ledger.extras.iter().map(|(&(message, queue), &copy)| (message, queue, copy));
        routed
            .chain(extras)
            .filter(|(_, _, copy)| copy.is_expected())
            .map(|(message, queue, copy)| self.view(message, queue, copy))
    }

    /// The subscriptions, in the order of their beginnings.
    pub fn lives(&self) -> &[Life] {
        &self.ledger.lives
    }

    /// One of them.
    pub fn life(&self, id: LifeId) -> &Life {
        &self.ledger.lives[id.index()]
    }

    /// What is known of one message's way; empty when it is not in the sample.
    pub fn history(&self, message: MessageKey) -> Vec<Step> {
        self.ledger.history.of(message)
    }

    /// What had been published each time the queue was verified gone.
    pub fn gone(&self, queue: QueueId) -> &[Vec<u32>] {
        &self.ledger.queues[queue.index()].gone
    }

    /// Channels of the producer that died with publishes on the way: first and last number.
    pub fn broken(&self, producer: ProducerId) -> &[(u32, u32)] {
        &self.ledger.producers[producer.index()].broken
    }

    /// The last number of the producer with a copy for the queue; 0 is none.
    pub fn last_for(&self, queue: QueueId, producer: ProducerId) -> u32 {
        self.ledger.queues[queue.index()].last[producer.index()]
    }

    /// How many messages the producer published.
    pub fn published(&self, producer: ProducerId) -> u32 {
        self.ledger.producers[producer.index()].messages.len()
    }

    /// The first number of the channel that published the message.
    pub fn channel_of(&self, message: MessageKey) -> u32 {
        self.ledger.producers[message.producer.index()].channel_of(message.n)
    }

    /// The highest number between the two whose message the broker was seen to have: answered,
    /// returned, or seen by a worker or the drain. 0 is none.
    pub fn highest_arrived(&self, producer: ProducerId, first: u32, last: u32) -> u32 {
        use message_flag::{ACKED, NACKED, RETURNED, SEEN};
        let messages = &self.ledger.producers[producer.index()].messages;
        let arrived = |n: &u32| messages.flags(*n) & (ACKED | NACKED | RETURNED | SEEN) != 0;
        (first..=last).rev().find(arrived).unwrap_or(0)
    }

    fn view(&self, message: MessageKey, queue: QueueId, copy: Copy) -> CopyView {
        let book = &self.ledger.producers[message.producer.index()];
        let message_flags = book.messages.flags(message.n);
        let drained = self.ledger.queues[queue.index()].drain == Some(true);
        let outcome = outcome(copy, message_flags, book.confirms, drained);
        CopyView { message, queue, copy, outcome, message_flags }
    }

    fn count_publishes(&mut self) {
        let arrived: HashSet<MessageKey> =
            self.ledger.extras.keys().map(|(message, _)| *message).collect();
        for (index, book) in self.ledger.producers.iter().enumerate() {
            let counts = &mut self.producers[index];
            counts[Count::Published] = u64::from(book.messages.len());
            for n in 1..=book.messages.len() {
                let flags = book.messages.flags(n);
                counts[publish_outcome(flags, book.confirms)] += 1;
                counts[Count::Returned] += u64::from(flags & message_flag::RETURNED != 0);
                let key = MessageKey { producer: ProducerId::from_index(index), n };
                let nowhere = book.found_no_queue(n, &self.ledger.routes);
                counts[Count::Unroutable] += u64::from(nowhere && !arrived.contains(&key));
            }
        }
        self.check_returns();
    }

    /// A mandatory message without a queue is returned before it is confirmed.
    fn check_returns(&mut self) {
        use message_flag::{ACKED, RETURNED, UNCERTAIN};
        let mut unreturned = Vec::new();
        for (index, book) in self.ledger.producers.iter().enumerate() {
            if !self.plan.producers[index].mandatory {
                continue;
            }
            for n in 1..=book.messages.len() {
                let empty = self.ledger.routes.get(book.messages.route(n)).is_empty();
                let flags = book.messages.flags(n) & (ACKED | RETURNED | UNCERTAIN);
                if empty && flags == ACKED {
                    unreturned.push(MessageKey { producer: ProducerId::from_index(index), n });
                }
            }
        }
        for message in unreturned {
            let what = "it was mandatory and unroutable, and confirmed without being returned";
            self.ledger.violation(Some(message), what);
        }
    }

    fn count_copies(&mut self) {
        let mut queues = std::mem::take(&mut self.queues);
        let mut producers = std::mem::take(&mut self.producers);
        for view in self.copies() {
            let queue = &mut queues[view.queue.index()];
            queue[Count::Expected] += 1;
            queue[view.outcome] += 1;
            let drained = view.copy.has(crate::ledger::messages::copy_flag::DRAINED);
            queue[Count::StillQueued] += u64::from(drained);
            queue[Count::Duplicates] += u64::from(view.copy.finished() > 1);
            let producer = &mut producers[view.message.producer.index()];
            producer[Count::Expected] += 1;
            producer[view.outcome] += 1;
        }
        self.queues = queues;
        self.producers = producers;
    }

    fn count_work(&mut self) {
        for life in &self.ledger.lives {
            let mut counts = Counts::default();
            counts[Count::Deliveries] = life.counts.read;
            counts[Count::Begun] = life.counts.begun;
            counts[Count::Finished] = life.counts.finished;
            counts[Count::Redelivered] = life.counts.redelivered;
            counts[Count::Repeats] = life.counts.repeats;
            self.queues[life.queue.index()].add(&counts);
            counts[Count::Acked] = life.counts.acked;
            self.workers[life.worker.index()].add(&counts);
            self.busy[life.worker.index()] += life.busy;
        }
    }

    fn sum_up(&mut self) {
        for queue in &self.queues {
            self.totals.add(queue);
        }
        for count in PUBLISH_OUTCOMES {
            self.totals[count] = self.producers.iter().map(|p| p[count]).sum();
        }
        for count in [Count::Published, Count::Returned, Count::Unroutable] {
            self.totals[count] = self.producers.iter().map(|p| p[count]).sum();
        }
        self.totals[Count::Acked] = self.workers.iter().map(|w| w[Count::Acked]).sum();
        let strays: u64 = self.ledger.unexpected.values().sum();
        self.totals[Count::Unexpected] = strays + self.ledger.foreign;
    }

    /// Sums that come from different sources must agree.
    fn check_balance(&mut self) {
        let mut wrong = Vec::new();
        for (queue, counts) in self.plan.topology.queues.iter().zip(&self.queues) {
            let outcomes = counts.sum(&COPY_OUTCOMES);
            if counts[Count::Expected] != outcomes {
                wrong.push(format!(
                    "queue {}: {} copies were expected, {outcomes} have an outcome",
                    queue.name,
                    counts[Count::Expected]
                ));
            }
        }
        for (producer, counts) in self.plan.producers.iter().zip(&self.producers) {
            let outcomes = counts.sum(&PUBLISH_OUTCOMES);
            if counts[Count::Published] != outcomes {
                wrong.push(format!(
                    "producer {}: {} were published, {outcomes} have an outcome",
                    producer.name,
                    counts[Count::Published]
                ));
            }
        }
        let by_producer: u64 = self.producers.iter().map(|p| p.sum(&COPY_OUTCOMES)).sum();
        let live = self.ledger.live;
        for (what, left, right) in [
            ("copies by queue and by producer", self.totals[Count::Expected], by_producer),
            ("publishes", self.totals[Count::Published], live.published),
            ("confirms", self.totals[Count::Confirmed], live.confirmed),
            ("delivered copies", self.totals[Count::Delivered], live.delivered),
        ] {
            if left != right {
                wrong.push(format!("{what} do not agree: {left} and {right}"));
            }
        }
        for what in wrong {
            self.ledger.violation(None, what);
        }
    }
}

impl ProducerBook {
    /// The routing function found no queue for the message; or it found only queues that were
    /// coming or going, none of which got it, and the broker returned it.
    fn found_no_queue(&self, n: u32, routes: &Routes) -> bool {
        let route = routes.get(self.messages.route(n));
        if route.is_empty() || self.messages.flags(n) & message_flag::RETURNED == 0 {
            return route.is_empty();
        }
        let first = self.messages.first_copy(n, routes);
        (first..first + route.len()).all(|index| !self.messages.copy(index).is_expected())
    }
}

fn publish_outcome(flags: u8, confirms: bool) -> Count {
    if !confirms {
        Count::Unchecked
    } else if flags & message_flag::ACKED != 0 {
        Count::Confirmed
    } else if flags & message_flag::NACKED != 0 {
        Count::Refused
    } else {
        Count::Unconfirmed
    }
}

/// The first that applies. Each needs its own evidence; `lost` is what is left for a copy
/// that its publisher may believe safe.
fn outcome(copy: Copy, message_flags: u8, confirms: bool, queue_drained: bool) -> Count {
    use crate::ledger::messages::copy_flag::DRAINED;
    let unseen = !copy.was_seen();
    let unanswered = confirms && message_flags & message_flag::ACKED == 0;
    if copy.finished() > 0 {
        Count::Delivered
    } else if copy.has(DRAINED) {
        Count::Remaining
    } else if unseen && message_flags & message_flag::NACKED != 0 {
        Count::TurnedAway
    } else if (unseen && unanswered) || !queue_drained {
        Count::InDoubt
    } else {
        Count::Lost
    }
}
