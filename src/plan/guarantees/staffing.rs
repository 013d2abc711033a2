//! Who consumes from a queue, what befalls them, and what that can do to what they hold.

use crate::plan::guarantees::range::Range;
use crate::plan::guarantees::threats::{Begins, Blow, Threat, Threats, Weather, takes_all};
use crate::plan::model::{AckMode, CountEvent, QueueId, Scope, Trigger, Worker, WorkerId};

/// Beyond so many unsent messages a queue passes a consumer over; below, it serves one after the
/// other in turn. (RabbitMQ's `UNSENT_MESSAGE_LIMIT`.)
const IN_TURN: u64 = 200;

/// One worker on a queue.
pub struct Hand<'v> {
    pub id: WorkerId,
    pub worker: &'v Worker,
    pub begins: Begins,
    pub threats: Vec<Threat<'v>>,
    /// How often it is parted from the broker because that restarts.
    pub restarts: u64,
}

/// All workers on a queue.
pub struct Staff<'v> {
    pub hands: Vec<Hand<'v>>,
    pub single_active: bool,
    /// The broker is killed.
    killed: bool,
    /// How often the broker restarts, whoever is there.
    broker: u64,
}

/// What deaths and partings may do.
#[derive(Debug, Clone, Copy)]
pub struct Damage {
    /// Copies that are gone.
    pub auto: Range,
    pub early: Range,
    /// Deliveries that the broker makes again.
    pub returned: Range,
    /// Of these, ones that the program had read before.
    pub repeated: Range,
    /// Works that are done again.
    pub doubled: Range,
    /// Works that were begun and never finished.
    pub broken: Range,
    /// Copies that stay with somebody who stands still.
    pub held: Range,
}

impl<'v> Staff<'v> {
    pub fn of(threats: &Threats<'v>, id: QueueId) -> Self {
        let (times, killed) = match threats.weather {
            Weather::Restarts { times, killed } => (times, killed),
            Weather::Nodes(losses) => (losses.times, true),
            Weather::Calm | Weather::Ends => (0, false),
        };
        let leader = Threats::home(&threats.variant.topology.queues[id.index()]);
        // Who is on another node than the one that ends, as the queue's leader is.
        let elsewhere = |worker: &Worker| match threats.weather {
            Weather::Nodes(losses) if !losses.is_more() => {
                !losses.strikes(worker.node) && !losses.strikes(leader)
            }
            _ => false,
        };
        // Whoever would begin on a node that is gone.
        let homeless = |worker: &Worker| match threats.weather {
            Weather::Nodes(losses) => {
                worker.start.is_some()
                    && losses.gone.is_some_and(|gone| worker.node.is_none_or(|it| it == gone))
            }
            _ => false,
        };
        let spared =
            |worker: &Worker| threats.is_after_all(worker.start.as_ref()) || elsewhere(worker);
        let hand = |(id, worker): (_, &'v Worker)| Hand {
            id,
            worker,
            begins: match homeless(worker) {
                true => Begins::Perhaps,
                false => threats.begins(worker.start.as_ref()),
            },
            threats: threats.of_worker(id),
            restarts: if spared(worker) { 0 } else { times },
        };
        Self {
            hands: threats.workers_of(id).map(hand).collect(),
            single_active: threats.variant.topology.queues[id.index()].single_active_consumer,
            killed,
            broker: times,
        }
    }

    /// How often some of them are parted from the broker because that restarts.
    pub fn restarts(&self) -> u64 {
        self.hands.iter().map(|hand| hand.restarts).max().unwrap_or(0)
    }

    pub fn is_empty(&self) -> bool {
        self.hands.is_empty()
    }

    /// Nothing befalls any of them.
    pub fn is_calm(&self) -> bool {
        self.hands.iter().all(|hand| hand.restarts == 0 && hand.threats.is_empty())
    }

    /// Somebody is there to the end, for certain, and takes whatever comes.
    pub fn is_sure(&self) -> bool {
        let frozen = |hand: &Hand| hand.threats.iter().any(|it| it.blow == Blow::Freezes);
        let stuck = self.single_active && self.hands.iter().any(frozen);
        !stuck && self.hands.iter().any(|hand| hand.is_sure())
    }

    /// Nothing befalls them but death, after what they have written.
    pub fn only_die(&self) -> bool {
        let dies = |threat: &Threat<'_>| matches!(threat.blow, Blow::Dies { .. } | Blow::Leaves);
        self.hands.iter().all(|hand| hand.restarts == 0 && hand.threats.iter().all(dies))
    }

    /// How many have this way of acknowledging.
    pub fn count(&self, mode: fn(AckMode) -> bool) -> usize {
        self.hands.iter().filter(|hand| mode(hand.worker.ack)).count()
    }

    /// All of them acknowledge like this.
    pub fn all(&self, mode: fn(AckMode) -> bool) -> bool {
        self.count(mode) == self.hands.len()
    }

    /// All of them begin when everything that befalls the broker is over, and nothing else befalls
    /// them.
    pub fn comes_after(&self) -> bool {
        self.broker > 0 && self.is_calm() && self.is_sure()
    }

    /// Of one alone who leaves at a number of its own works: that number.
    pub fn quits(&self, copies: Range) -> Option<u64> {
        let [hand] = &self.hands[..] else { return None };
        let [Threat { blow: Blow::Leaves, trigger }] = hand.threats[..] else { return None };
        let own = matches!(trigger, Trigger::Count { event: CountEvent::Finished, of: Scope::Workers(ids), .. } if *ids == [hand.id]);
        match trigger {
            Trigger::Count { n, .. }
                if own
                    && hand.restarts == 0
                    && hand.begins != Begins::Perhaps
                    && matches!(hand.worker.ack, AckMode::Manual { .. })
                    && *n <= copies.low =>
            {
                Some(*n)
            }
            _ => None,
        }
    }

    /// Whether anybody is there to whom something may be delivered again.
    fn has_others(&self) -> bool {
        let back = |hand: &Hand| hand.threats.iter().any(|it| it.blow.comes_back());
        self.hands.len() > 1 || self.hands.iter().any(|hand| hand.restarts > 0 || back(hand))
    }

    /// What may come of all that befalls them, when so many copies come to the queue.
    pub fn damage(&self, copies: Range, classic: bool) -> Damage {
        let mut damage = Damage::NONE;
        for (index, hand) in self.hands.iter().enumerate() {
            for threat in &hand.threats {
                let n = self.certain(index, threat, copies);
                damage.add(hand.damage(threat, n, self.held(index, copies), copies));
            }
            // Also acks that it had written long before, where the broker is killed.
            let held = if self.killed { copies.or_none() } else { self.held(index, copies) };
            for _ in 0..hand.restarts {
                damage.add(hand.parted(held, copies));
            }
        }
        if !self.has_others() {
            damage = Damage {
                returned: Range::ZERO,
                repeated: Range::ZERO,
                doubled: Range::ZERO,
                ..damage
            };
        }
        // A classic queue flags all that has survived a kill.
        if self.killed && classic {
            damage.returned = damage.returned + copies.or_none().times(self.broker);
        }
        damage
    }

    /// What one of them holds at most at one moment.
    fn held(&self, index: usize, copies: Range) -> Range {
        let hand = &self.hands[index];
        let prefetch = Some(u64::from(hand.worker.prefetch)).filter(|prefetch| *prefetch > 0);
        match hand.worker.ack {
            // A prefetch means nothing then.
            AckMode::Auto => Range::up_to(self.share(copies)).at_most(copies.high),
            _ => copies.or_none().at_most(prefetch),
        }
    }

    /// How many copies one of several is sent at most by turns; all, where there are no turns.
    fn share(&self, copies: Range) -> u64 {
        let most = copies.high.unwrap_or(u64::MAX);
        let count = self.hands.len() as u64;
        let turns = self.takes_turns(copies) && self.hands.iter().all(|it| it.threats.len() < 2);
        let struck = self.hands.iter().filter(|hand| !hand.threats.is_empty()).count();
        if turns && struck <= 1 && self.restarts() == 0 { most.div_ceil(count) } else { most }
    }

    /// Whether all are served in turn from the first copy to the last.
    fn takes_turns(&self, copies: Range) -> bool {
        let free = |hand: &Hand| hand.worker.prefetch == 0 || hand.worker.ack == AckMode::Auto;
        !self.single_active
            && copies.high.is_some_and(|copies| copies <= IN_TURN)
            && self.hands.iter().all(|hand| {
                free(hand) && hand.begins == Begins::AtOnce && hand.worker.priority.is_none()
            })
    }

    /// Whether this is the one that a queue with a single active consumer serves first.
    fn is_first(&self, index: usize) -> bool {
        let plain = |hand: &Hand| hand.begins == Begins::AtOnce && hand.worker.priority.is_none();
        self.single_active && index == 0 && self.hands.iter().all(plain)
    }

    /// How many deliveries one alone begins at least, over all its lives, if the death at this
    /// number comes: it dies at several, and each death gives back what it had in hand.
    fn least_of_many(&self, hand: &Hand<'_>, n: u64, copies: Range) -> u64 {
        let number = |threat: &Threat<'_>| match (threat.blow, threat.trigger) {
            (Blow::Dies { back: true }, Trigger::During(n)) => Some(*n),
            _ => None,
        };
        let numbers = hand.threats.iter().map(number).collect::<Option<Vec<u64>>>();
        let Some(mut numbers) = numbers.filter(|_| self.hands.len() == 1) else { return 0 };
        if hand.worker.ack != (AckMode::Manual { every: 1 }) {
            return 0;
        }
        numbers.sort_unstable();
        let steps = numbers.iter().enumerate().zip(copies.low..);
        for ((index, number), least) in steps {
            let twice = numbers.get(index + 1) == Some(number);
            if twice || *number > least {
                return 0;
            }
            if *number == n {
                return least;
            }
        }
        0
    }

    /// The number of the delivery that the fault waits for, if that comes for certain.
    fn certain(&self, index: usize, threat: &Threat<'_>, copies: Range) -> Option<u64> {
        let n = match threat.trigger {
            Trigger::During(n) | Trigger::BeforeAck(n) => *n,
            _ => return None,
        };
        let hand = &self.hands[index];
        let count = self.hands.len() as u64;
        let prefetch = u64::from(hand.worker.prefetch);
        let all = self.hands.iter().map(|hand| u64::from(hand.worker.prefetch)).sum::<u64>();
        let limited = self.hands.iter().all(|hand| {
            hand.worker.prefetch > 0
                && hand.begins == Begins::AtOnce
                && hand.worker.priority.is_none()
        });
        let all_take = self.hands.iter().all(|hand| takes_all(hand.worker));
        let least = if !all_take || hand.restarts > 0 || hand.begins == Begins::Perhaps {
            0
        } else if hand.threats.len() > 1 {
            self.least_of_many(hand, n, copies)
        } else if count == 1 || self.is_first(index) {
            copies.low
        } else if self.takes_turns(copies) {
            copies.low / count
        } else if limited && !self.single_active && copies.low >= all {
            prefetch
        } else {
            0
        };
        (n <= least).then_some(n)
    }
}

impl Hand<'_> {
    /// It is there to the end, for certain, and takes whatever comes.
    pub fn is_sure(&self) -> bool {
        self.begins != Begins::Perhaps
            && takes_all(self.worker)
            && self.threats.iter().all(|threat| threat.blow.comes_back())
            && (self.restarts == 0 || self.worker.reconnect.is_some())
    }

    /// What one thing does that befalls it; `n` is the delivery at which it does for certain.
    fn damage(&self, threat: &Threat<'_>, n: Option<u64>, held: Range, copies: Range) -> Damage {
        match threat.blow {
            Blow::Dies { .. } => self.dies(threat.trigger, n, held, copies),
            Blow::Parts { .. } => self.parted(held, copies),
            Blow::Leaves => self.leaves(held),
            Blow::Freezes => self.freezes(held),
        }
    }

    /// What it has written by then has its effect.
    fn dies(&self, trigger: &Trigger, n: Option<u64>, held: Range, copies: Range) -> Damage {
        let in_hand = u64::from(n.is_some());
        let broken = match trigger {
            Trigger::BeforeAck(_) => Range::ZERO,
            _ => Range { low: in_hand, high: Some(1) },
        };
        let done = n.map_or(0, |n| n - 1);
        let back = Range { low: in_hand.min(held.high.unwrap_or(1)), ..held };
        match self.worker.ack {
            AckMode::Auto => {
                let lost = (held - Range::exactly(done)).at_most(copies.high);
                Damage { auto: Range { low: in_hand, ..lost }, broken, ..Damage::NONE }
            }
            AckMode::Early => {
                let early = Range { low: in_hand, high: Some(1) };
                Damage { early, returned: held, repeated: held, broken, ..Damage::NONE }
            }
            AckMode::Manual { every } => {
                // The number of an ack is that of a work only in the first life, and where all that
                // is finished is acked.
                let counted =
                    self.threats.len() == 1 && self.restarts == 0 && self.worker.rejects.is_empty();
                let doubled = match counted || every == 1 {
                    true => unacked(trigger, n, every, held),
                    false => Range::up_to(every).at_most(held.high),
                };
                Damage { returned: back, repeated: back, doubled, broken, ..Damage::NONE }
            }
            AckMode::Never => {
                let doubled = Range { low: done, ..held };
                Damage { returned: back, repeated: back, doubled, broken, ..Damage::NONE }
            }
        }
    }

    /// It finishes what it has in hand; acks that were on their way have no effect.
    fn parted(&self, held: Range, copies: Range) -> Damage {
        match self.worker.ack {
            AckMode::Auto => Damage { auto: copies.or_none(), ..Damage::NONE },
            _ => Damage { returned: held, repeated: held, doubled: held, ..Damage::NONE },
        }
    }

    /// It finishes what it has in hand, and acks what it has finished.
    fn leaves(&self, held: Range) -> Damage {
        let returned = Damage { returned: held, repeated: held, ..Damage::NONE };
        match self.worker.ack {
            AckMode::Auto => Damage { auto: held, ..Damage::NONE },
            AckMode::Never => Damage { doubled: held, ..returned },
            _ => returned,
        }
    }

    fn freezes(&self, held: Range) -> Damage {
        let broken = Range::up_to(1);
        match self.worker.ack {
            AckMode::Auto => Damage { auto: held, broken, ..Damage::NONE },
            AckMode::Early => Damage { early: Range::up_to(1), held, broken, ..Damage::NONE },
            _ => Damage { held, broken, ..Damage::NONE },
        }
    }
}

/// What somebody who is killed had finished and not acked.
fn unacked(trigger: &Trigger, n: Option<u64>, every: u64, held: Range) -> Range {
    match trigger {
        Trigger::BeforeAck(number) => {
            let open = (number - 1) % every + 1;
            Range { low: if n.is_some() { open } else { 0 }, high: Some(open) }
        }
        Trigger::During(number) => {
            let open = (number - 1) % every;
            Range { low: if n.is_some() { open } else { 0 }, high: Some(open) }
        }
        _ => Range::up_to(every).at_most(held.high),
    }
}

impl Damage {
    const NONE: Self = Self {
        auto: Range::ZERO,
        early: Range::ZERO,
        returned: Range::ZERO,
        repeated: Range::ZERO,
        doubled: Range::ZERO,
        broken: Range::ZERO,
        held: Range::ZERO,
    };

    fn add(&mut self, other: Damage) {
        self.auto = self.auto + other.auto;
        self.early = self.early + other.early;
        self.returned = self.returned + other.returned;
        self.repeated = self.repeated + other.repeated;
        self.doubled = self.doubled + other.doubled;
        self.broken = self.broken + other.broken;
        self.held = self.held + other.held;
    }
}
