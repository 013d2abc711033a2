//! The closed books: what became of every publish and every copy, and that it adds up.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use hdrhistogram::Histogram;

use crate::ledger::counts::Counts;
use crate::ledger::dead_letters::Later;
use crate::ledger::event::{ChangeKind, LifeId, MessageKey, Micros};
use crate::ledger::fates::{Cause, Fates, Found, doubled};
use crate::ledger::history::Step;
use crate::ledger::lives::Life;
use crate::ledger::messages::{Copy, Routes, message_flag};
use crate::ledger::outages::Outage;
use crate::ledger::paths::{PathId, Reason};
use crate::ledger::series::Series;
use crate::ledger::{Ledger, Move, ProducerBook, Violation};
use crate::plan::count::{COPY_OUTCOMES, Count, PUBLISH_OUTCOMES};
use crate::plan::model::{ProducerId, QueueId, QueueKind, Variant, WorkerId};

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
    pub moves: HashMap<Move, u64>,
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
    fates: Fates,
    pub(super) ledger: Ledger,
}

/// A copy with what became of it.
#[derive(Debug, Clone, Copy)]
pub struct CopyView {
    pub message: MessageKey,
    pub queue: QueueId,
    /// The way it came by.
    pub path: PathId,
    pub copy: Copy,
    pub outcome: Count,
    /// Flags of its message.
    pub message_flags: u8,
}

impl Ledger {
    /// Decides what became of everything and checks that it adds up.
    pub fn close(mut self) -> Books {
        self.history.listener = None;
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
            fates: Fates::of(&self),
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
        if self.outages.iter().any(Outage::is_under_way) {
            self.violation(None, "a broker was ended and never seen to have ended");
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
            if !life.read_by_broker || self.may_be_forgotten_since(life) {
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

/// All in one; `None` when nothing was measured.
fn together<'a>(all: impl Iterator<Item = &'a Histogram<u64>>) -> Option<Histogram<u64>> {
    let all = all.cloned().reduce(|mut all, one| {
        all.add(one).expect("all have the same digits, and grow");
        all
    });
    all.filter(|all| !all.is_empty())
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
            each.map(move |(n, queue, copy)| {
                let message = MessageKey { producer, n };
                Later { message, queue, path: PathId::NONE, keyed: None, copy }
            })
        });
        let extras = ledger.extras.iter().map(|(&(message, queue), &copy)| Later {
            message,
            queue,
            path: PathId::NONE,
            keyed: None,
            copy,
        });
        let all = routed.chain(extras).chain(ledger.laters.each().copied());
        all.filter(|later| later.copy.is_expected()).map(|later| self.view(later))
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

    /// What is known of the ways of all messages in the sample, in the order of its recording.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.ledger.history.all()
    }

    /// Whether something happened that is not in the sample.
    pub fn has_more_steps(&self) -> bool {
        self.ledger.history.is_cut()
    }

    /// Whether the queue was purged.
    pub fn was_purged(&self, queue: QueueId) -> bool {
        self.ledger.queues[queue.index()].gone.iter().any(|gone| gone.how == ChangeKind::Purged)
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

    /// Copies that may have been and were never seen: a queue came or went under their publish.
    pub fn uncertain(&self) -> u64 {
        let books = self.ledger.producers.iter();
        let each = books.flat_map(|book| book.messages.each(&self.ledger.routes));
        each.filter(|(_, _, copy)| !copy.is_expected()).count() as u64
    }

    /// How many dead letters came to the queue in all.
    pub fn arrived(&self, queue: QueueId) -> u64 {
        self.ledger.queues[queue.index()].arrived
    }

    /// How many copies queues gave up as dead letters, by queue and reason.
    pub fn deaths(&self) -> BTreeMap<(QueueId, Reason), u64> {
        self.ledger.laters.deaths().iter().map(|(&key, &count)| (key, count)).collect()
    }

    /// How long it took from the scheduled publish to the finish, in microseconds; `None` where
    /// nothing was finished.
    pub fn latency(&self) -> Option<Histogram<u64>> {
        together(self.ledger.producers.iter().map(|book| book.schedule.latency()))
    }

    /// And from there to the broker's confirm.
    pub fn confirming(&self) -> Option<Histogram<u64>> {
        together(self.ledger.producers.iter().map(|book| book.schedule.confirming()))
    }

    /// How it went over time.
    pub fn series(&self) -> &Series {
        &self.ledger.series
    }

    /// Why the copy has its outcome, and by whose end; nothing where that wants no cause.
    pub fn causes(&self, view: &CopyView) -> Found {
        self.ledger.causes(&self.fates, view)
    }

    /// Why the copy was finished more than once.
    pub fn why_doubled(&self, view: &CopyView) -> Vec<Cause> {
        doubled(view)
    }

    fn view(&self, later: Later) -> CopyView {
        let Later { message, queue, path, copy, .. } = later;
        let book = &self.ledger.producers[message.producer.index()];
        let message_flags = book.messages.flags(message.n);
        let mut view = CopyView { message, queue, path, copy, outcome: Count::Lost, message_flags };
        let drained = self.ledger.queues[queue.index()].drain == Some(true);
        let known = outcome(copy, message_flags, book.confirms, drained);
        view.outcome = known.unwrap_or_else(|| self.ledger.fate(&self.fates, &view));
        view
    }

    fn count_publishes(&mut self) {
        let arrived: HashSet<MessageKey> =
            self.ledger.extras.keys().map(|(message, _)| *message).collect();
        for (index, book) in self.ledger.producers.iter().enumerate() {
            let counts = &mut self.producers[index];
            counts[Count::Published] = u64::from(book.messages.len());
            counts[Count::Republished] = book.republished;
            for n in 1..=book.messages.len() {
                let flags = book.messages.flags(n);
                counts[publish_outcome(flags, book.confirms)] += 1;
                counts[Count::Returned] += u64::from(flags & message_flag::RETURNED != 0);
                if self.plan.producers[index].rpc.is_some() {
                    let replied = flags & message_flag::REPLIED != 0;
                    let count = if replied { Count::Replied } else { Count::Unanswered };
                    counts[count] += 1;
                }
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
            if self.plan.topology.queues[view.queue.index()].kind != QueueKind::Stream {
                queue[Count::Duplicates] += u64::from(view.copy.finished() > 1);
            }
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
            counts[Count::Rejected] = life.counts.rejected;
            self.workers[life.worker.index()].add(&counts);
            self.busy[life.worker.index()] += life.busy;
        }
        for (index, worker) in self.plan.workers.iter().enumerate() {
            let doubled = self.ledger.readers.doubled(WorkerId::from_index(index));
            self.queues[worker.queue.index()][Count::Duplicates] += doubled;
        }
    }

    fn sum_up(&mut self) {
        for queue in &self.queues {
            self.totals.add(queue);
        }
        for count in PUBLISH_OUTCOMES {
            self.totals[count] = self.producers.iter().map(|p| p[count]).sum();
        }
        let beside = [
            Count::Republished,
            Count::Returned,
            Count::Unroutable,
            Count::Replied,
            Count::Unanswered,
        ];
        for count in [Count::Published].into_iter().chain(beside) {
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

/// The first that applies; each needs its own evidence. `None` is a copy that is gone though its
/// publisher may believe it safe.
fn outcome(copy: Copy, message_flags: u8, confirms: bool, queue_drained: bool) -> Option<Count> {
    use crate::ledger::messages::copy_flag::{DRAINED, LEFT, REJECTED};
    let unseen = !copy.was_seen();
    let unanswered = confirms && message_flags & message_flag::ACKED == 0;
    Some(if copy.finished() > 0 {
        Count::Delivered
    } else if copy.has(LEFT) {
        Count::DeadLettered
    } else if copy.has(REJECTED) {
        Count::Rejected
    } else if copy.has(DRAINED) {
        Count::Remaining
    } else if unseen && message_flags & message_flag::NACKED != 0 {
        Count::TurnedAway
    } else if (unseen && unanswered) || !queue_drained {
        Count::InDoubt
    } else {
        return None;
    })
}
