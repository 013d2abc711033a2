//! What of a drawn file can be said of its run before it runs. Simple on purpose, and apart from
//! everything in the program that decides the same.

use super::blows::{Blow, Whom};
use super::sketch::{Producer, Queue, Sketch, Worker};
use super::{Drawn, Way};

/// A queue that is younger than this loses more when its broker is killed, in milliseconds.
const YOUNG: usize = 1_700;

impl Sketch {
    pub fn finish(self, seed: u64, deadline: u64) -> Drawn {
        let is_sound = self.is_sound();
        let starts = self.producers.iter().all(|producer| producer.starts);
        let sum = self.producers.iter().map(|it| (it.count * it.messages) as u64).sum();
        let whole = (0..self.producers.len()).all(|index| !self.falls_short(index));
        let asks = self.producers.iter().filter(|producer| producer.asks);
        let streams = self.queues.iter().filter(|queue| queue.kind == "stream");
        let kept = self.queues.iter().enumerate();
        let kept = kept.filter(|(index, _)| self.keeps(*index, deadline));
        Drawn {
            seed,
            deadline,
            kept: kept.map(|(_, queue)| queue.name.clone()).collect(),
            is_calm: !self.is_hurt() && is_sound && !self.queues.iter().any(|it| it.expires),
            is_sound,
            loses_connections: self.blows.iter().any(|blow| blow.parts(self.heartbeat)),
            flows: self.flows(),
            comes_once: !self.queues.iter().any(|queue| queue.letters)
                && !self.workers.iter().any(|worker| worker.requeues),
            published: (starts && is_sound && whole).then_some(sum),
            is_answered: is_sound && self.is_answered(),
            is_reachable: self.is_reachable(),
            ways: self.ways(),
            causes: self.causes(deadline),
            askers: asks.map(|producer| producer.name.clone()).collect(),
            streams: streams.map(|queue| queue.name.clone()).collect(),
            yaml: self.lines.join("\n") + "\n",
        }
    }

    /// Somebody dies or stops, or loses its connection, or what it holds.
    fn is_hurt(&self) -> bool {
        self.stops || self.blows.iter().any(|blow| blow.hurts(self.heartbeat))
    }

    /// No queue goes, and none is purged.
    fn queues_stay(&self) -> bool {
        self.queues.iter().all(|queue| !self.goes(queue))
            && self.workers.iter().all(|worker| worker.queue.is_some())
    }

    fn goes(&self, queue: &Queue) -> bool {
        let perishes = queue.perishes && self.ends_broker("");
        queue.auto_delete || queue.exclusive || queue.expires || queue.is_hit || perishes
    }

    /// No program can meet an AMQP error.
    fn is_sound(&self) -> bool {
        let late = self.workers.iter().any(|worker| !worker.starts_at_once);
        let expires = self.queues.iter().any(|queue| queue.expires);
        let goes = expires && late || self.is_hurt() && !self.queues_stay();
        let refused = self.is_refused
            || self.workers.iter().any(|worker| worker.stands_alone || !worker.is_sound)
            || self.producers.iter().any(|producer| !producer.is_sound);
        !goes && !refused
    }

    /// The broker's process ends, in this way if one is named.
    fn ends_broker(&self, how: &str) -> bool {
        let ends = |blow: &&Blow| ["restart", "stop"].contains(&blow.word);
        self.blows.iter().filter(ends).any(|blow| blow.option.contains(how))
    }

    /// A broker that is killed may take along what it had confirmed.
    fn dies_young(&self) -> bool {
        let kills = |blow: &&Blow| blow.option.contains("sigkill");
        let early = |blow: &Blow| blow.at.is_none_or(|at| at < YOUNG);
        self.blows.iter().filter(kills).any(early)
            && self.queues.iter().any(|queue| queue.kind == "quorum")
    }

    /// What the file lets befall these workers takes from them what they hold.
    fn interrupts_worker(&self, index: usize) -> bool {
        let worker = &self.workers[index];
        let takes = |blow: &Blow| blow.meets(Whom::Workers(index)) && blow.hurts(self.heartbeat);
        worker.stops || !worker.is_sound || worker.stands_alone || self.blows.iter().any(takes)
    }

    /// What befalls these producers may make them lose a publish or an answer.
    fn interrupts_producer(&self, index: usize) -> bool {
        let takes = |blow: &Blow| blow.meets(Whom::Producers(index)) && blow.hurts(self.heartbeat);
        !self.producers[index].is_sound || self.blows.iter().any(takes)
    }

    /// They may end before they have published everything.
    fn falls_short(&self, index: usize) -> bool {
        let producer = &self.producers[index];
        let ends = |blow: &Blow| {
            let for_good = blow.lasts.is_none() && blow.word != "slow";
            let never_back = blow.parts(self.heartbeat) && producer.reconnect.contains("false");
            blow.meets(Whom::Producers(index)) && (for_good || never_back)
        };
        self.blows.iter().any(ends)
    }

    /// No publish is left without an answer.
    fn is_answered(&self) -> bool {
        let asks = |(index, producer): (usize, &Producer)| {
            let killed = |blow: &Blow| blow.word == "kill" && blow.meets(Whom::Producers(index));
            let again = producer.republishes() && !self.blows.iter().any(killed);
            !self.falls_short(index) && (again || !self.interrupts_producer(index))
        };
        !self.dies_young() && self.producers.iter().enumerate().all(asks)
    }

    /// Every queue can be looked into at the end.
    fn is_reachable(&self) -> bool {
        let away = |blow: &Blow| blow.whom == Whom::Broker && blow.lasts.is_none();
        !self.dies_young() && !self.blows.iter().any(away)
    }

    /// Nothing that is confirmed is lost from a queue, and nothing that was sent without asking.
    fn keeps(&self, index: usize, deadline: u64) -> bool {
        let queue = &self.queues[index];
        let acks = |(at, worker): (usize, &Worker)| {
            // At the deadline nobody finishes what is in hand.
            let lasts = deadline >= 20_000 && !self.interrupts_worker(at);
            worker.queue != Some(index) || ["manual", "never"].contains(&worker.ack) || lasts
        };
        let sent = |(at, it): (usize, &Producer)| it.confirms || !self.interrupts_producer(at);
        !self.goes(queue)
            && self.workers.iter().enumerate().all(acks)
            && self.producers.iter().enumerate().all(sent)
            && (!self.ends_broker("") || self.endures(queue))
    }

    /// It outlives a broker, with everything that is in it.
    fn endures(&self, queue: &Queue) -> bool {
        let transient = self.producers.iter().any(|producer| producer.transient);
        let letters = self.queues.iter().any(|queue| queue.letters);
        (queue.kind != "classic" || !transient)
            && (queue.kind != "quorum" || !self.dies_young())
            // What is on its way from one queue to the other is on nobody's disk.
            && !letters
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
        !(0..self.producers.len()).any(|index| self.interrupts_producer(index))
            && !self.producers.iter().any(|producer| producer.ranks)
            && !self.queues.iter().any(|queue| queue.letters || queue.kind == "stream")
            && !self.workers.iter().any(|worker| worker.requeues)
    }

    fn ways(&self) -> Vec<Way> {
        let ttl = self.producers.iter().any(|producer| producer.ttl);
        // A publish is refused by one queue for all that it was to reach.
        let refuses = self.queues.iter().any(|queue| queue.overflow.starts_with("reject"));
        // A queue that goes refuses what it has not got yet.
        let hit = self.queues.iter().any(|queue| queue.is_hit) || self.ends_broker("");
        // From 4.0 on every quorum queue has a limit.
        let endless = self.is_endless();
        // Who dies gives back what it held.
        let returns = self.is_hurt() || !self.is_sound();
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

    /// Causes that the file has a reason for.
    fn causes(&self, deadline: u64) -> Vec<&'static str> {
        let interrupted = |ack: &str| {
            let of = self.workers.iter().enumerate();
            let mut of = of.filter(|(_, worker)| ack.is_empty() || worker.ack == ack);
            of.any(|(index, _)| self.interrupts_worker(index)) || !self.is_sound()
        };
        let mut publishes = self.producers.iter().enumerate();
        let cut_short = publishes.any(|(at, it)| !it.confirms && self.interrupts_producer(at));
        let hurt = self.is_hurt() || !self.is_sound();
        let transient = self.producers.iter().any(|producer| producer.transient);
        let perishes = self.queues.iter().any(|queue| queue.perishes);
        let ttl = self.producers.iter().any(|it| it.ttl) || self.queues.iter().any(|it| it.ttl);
        // What is given back too often is refused for good by its queue.
        let rejects = self.workers.iter().any(|worker| worker.rejects || worker.requeues);
        let again = self.producers.iter().any(Producer::republishes);
        let never = self.workers.iter().any(|worker| worker.ack == "never");
        let stay = self.queues_stay();
        let bounded = self.queues.iter().any(|queue| queue.bounded);
        let limited = self.queues.iter().any(|queue| queue.kind == "quorum");
        // At the deadline nobody finishes what is in hand.
        let cut = deadline < 20_000;
        let causes = [
            ("auto_ack", cut || interrupted("auto")),
            ("early_ack", cut || interrupted("early")),
            ("transient", self.ends_broker("") && (transient || perishes || !stay)),
            ("unflushed", self.ends_broker("sigkill")),
            ("young_queue", self.dies_young()),
            ("queue_gone", !stay),
            ("not_sent", cut_short || !self.is_sound()),
            ("ttl", ttl),
            ("max_length", bounded),
            ("delivery_limit", limited),
            ("worker_rejected", rejects),
            ("forgotten_ack", never),
            ("requeued", hurt && (interrupted("") || !stay)),
            ("ack_lost", hurt && (interrupted("") || !stay)),
            ("reread", hurt && self.queues.iter().any(|queue| queue.kind == "stream")),
            ("republished", again && hurt),
        ];
        causes.into_iter().filter(|(_, may)| *may).map(|(name, _)| name).collect()
    }
}
