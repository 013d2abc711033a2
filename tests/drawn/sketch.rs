//! What is known while a file is being drawn, and what of it can be said of the run.

use super::{Drawn, Way};

#[derive(Default)]
pub struct Sketch {
    /// Every type of queue, and every way out of one.
    pub is_rich: bool,
    pub queue_count: usize,
    pub exchange_count: usize,
    pub exchanges: Vec<Exchange>,
    pub queues: Vec<Queue>,
    pub producers: Vec<Producer>,
    pub workers: Vec<Worker>,
    pub lines: Vec<String>,
    /// How many faults have a name that others may wait for.
    pub faults: usize,
    /// Somebody dies or stops.
    pub is_hurt: bool,
    pub hurts_producers: bool,
    /// The broker refuses a fault.
    pub is_refused: bool,
}

pub struct Exchange {
    pub name: String,
    pub kind: &'static str,
    /// Goes with its last binding.
    pub goes: bool,
    /// Nobody may publish to it.
    pub internal: bool,
}

#[derive(Default)]
pub struct Queue {
    pub name: String,
    pub kind: &'static str,
    pub auto_delete: bool,
    pub exclusive: bool,
    /// Its messages expire.
    pub ttl: bool,
    /// It goes when nobody uses it.
    pub expires: bool,
    pub bounded: bool,
    pub overflow: &'static str,
    /// It dead-letters.
    pub letters: bool,
    /// It has a delivery limit.
    pub limited: bool,
    pub single: bool,
    /// A fault deletes or purges it.
    pub is_hit: bool,
}

#[derive(Default)]
pub struct Producer {
    pub name: String,
    pub count: usize,
    pub messages: usize,
    pub confirms: bool,
    /// Its exchange exists and stays.
    pub is_sound: bool,
    /// Its start is sure to come.
    pub starts: bool,
    /// It waits for answers.
    pub asks: bool,
    /// Its messages have priorities.
    pub ranks: bool,
    /// Its messages expire.
    pub ttl: bool,
}

#[derive(Default, Clone)]
pub struct Worker {
    pub name: String,
    pub count: usize,
    /// By position; `None` has temporary queues.
    pub queue: Option<usize>,
    pub ack: &'static str,
    pub stands_alone: bool,
    pub starts_at_once: bool,
    /// What it may hold is enough to reach its next ack.
    pub flows: bool,
    /// The broker refuses nothing that it does.
    pub is_sound: bool,
    pub rejects: bool,
    pub requeues: bool,
    /// What it requeues comes back for ever.
    pub is_endless: bool,
}

impl Sketch {
    pub fn finish(self, seed: u64, deadline: u64) -> Drawn {
        let stays = self.queues_stay();
        let acks = self.workers.iter().all(|worker| ["manual", "never"].contains(&worker.ack));
        let confirms = self.producers.iter().all(|producer| producer.confirms);
        let is_sound = self.is_sound();
        let starts = self.producers.iter().all(|producer| producer.starts);
        let sum = self.producers.iter().map(|it| (it.count * it.messages) as u64).sum();
        let asks = self.producers.iter().filter(|producer| producer.asks);
        let streams = self.queues.iter().filter(|queue| queue.kind == "stream");
        Drawn {
            seed,
            deadline,
            is_safe: stays && acks && confirms,
            is_calm: !self.is_hurt && is_sound && !self.queues.iter().any(|queue| queue.expires),
            is_sound,
            flows: self.flows(),
            comes_once: !self.queues.iter().any(|queue| queue.letters)
                && !self.workers.iter().any(|worker| worker.requeues),
            published: (starts && is_sound && !self.hurts_producers).then_some(sum),
            ways: self.ways(),
            askers: asks.map(|producer| producer.name.clone()).collect(),
            streams: streams.map(|queue| queue.name.clone()).collect(),
            yaml: self.lines.join("\n") + "\n",
        }
    }

    /// No queue goes, and none is purged.
    fn queues_stay(&self) -> bool {
        let goes =
            |queue: &Queue| queue.auto_delete || queue.exclusive || queue.expires || queue.is_hit;
        !self.queues.iter().any(goes) && self.workers.iter().all(|worker| worker.queue.is_some())
    }

    /// No program can meet an AMQP error.
    fn is_sound(&self) -> bool {
        let late = self.workers.iter().any(|worker| !worker.starts_at_once);
        let expires = self.queues.iter().any(|queue| queue.expires);
        let goes = expires && late || self.is_hurt && !self.queues_stay();
        let refused = self.is_refused
            || self.workers.iter().any(|worker| worker.stands_alone || !worker.is_sound)
            || self.producers.iter().any(|producer| !producer.is_sound);
        !goes && !refused
    }

    /// Something goes on until the deadline.
    pub fn is_endless(&self) -> bool {
        self.workers.iter().any(|worker| worker.is_endless)
    }

    fn flows(&self) -> bool {
        let served = |index| {
            self.workers.iter().any(|worker| worker.queue == Some(index) && worker.starts_at_once)
        };
        let kept = |queue: &Queue| !queue.ttl && !queue.bounded;
        self.workers.iter().all(|worker| worker.flows && !worker.rejects)
            && (0..self.queues.len()).all(served)
            && self.queues.iter().all(kept)
            && !self.producers.iter().any(|producer| producer.ttl)
            // What is requeued may reach the limit.
            && !(self.workers.iter().any(|worker| worker.requeues)
                && self.queues.iter().any(|queue| queue.limited))
    }

    /// What of one producer leaves a queue in the order in which it came.
    pub fn keeps_order(&self) -> bool {
        !self.hurts_producers
            && !self.producers.iter().any(|producer| producer.ranks)
            && !self.queues.iter().any(|queue| queue.letters || queue.kind == "stream")
            && !self.workers.iter().any(|worker| worker.requeues)
    }

    fn ways(&self) -> Vec<Way> {
        let ttl = self.producers.iter().any(|producer| producer.ttl);
        // A publish is refused by one queue for all that it was to reach.
        let refuses = self.queues.iter().any(|queue| queue.overflow.starts_with("reject"));
        let hit = self.queues.iter().any(|queue| queue.is_hit);
        // From 4.0 on every quorum queue has a limit.
        let endless = self.is_endless();
        // Who dies gives back what it held.
        let returns = self.is_hurt || !self.is_sound();
        let way = |name: &str, queue: &Queue, rejects: bool, requeues: bool| {
            let quorum = queue.kind == "quorum";
            let outcomes = [
                ("dead_lettered", queue.letters),
                ("rejected", rejects),
                ("over_limit", quorum && (endless || queue.limited && (requeues || returns))),
                ("expired", (queue.ttl || ttl) && queue.kind != "stream"),
                ("dropped", queue.bounded),
                ("turned_away", refuses || hit),
            ];
            let outcomes = outcomes.into_iter().filter(|(_, may)| *may).map(|(name, _)| name);
            Way { queue: name.to_owned(), outcomes: outcomes.collect() }
        };
        let mut ways: Vec<Way> = Vec::new();
        for (index, queue) in self.queues.iter().enumerate() {
            let mut of = self.workers.iter().filter(|worker| worker.queue == Some(index));
            let rejects = of.clone().any(|worker| worker.rejects);
            ways.push(way(&queue.name, queue, rejects, of.any(|worker| worker.requeues)));
        }
        let temporary = self.workers.iter().filter(|worker| worker.queue.is_none());
        let own = Queue { kind: "classic", ..Queue::default() };
        ways.extend(temporary.map(|it| way(&it.name, &own, it.rejects, it.requeues)));
        ways
    }

    /// The names of the instances and groups of all workers or producers.
    fn names(all: impl Iterator<Item = (String, usize)>) -> Vec<String> {
        let each = |(name, count): (String, usize)| {
            let instances = (1..=count).map(|n| format!("{name}-{n}")).collect::<Vec<_>>();
            if count > 1 { [vec![name], instances].concat() } else { vec![name] }
        };
        all.flat_map(each).collect()
    }

    pub fn producer_names(&self) -> Vec<String> {
        Self::names(self.producers.iter().map(|it| (it.name.clone(), it.count)))
    }

    pub fn worker_names(&self) -> Vec<String> {
        Self::names(self.workers.iter().map(|it| (it.name.clone(), it.count)))
    }
}
