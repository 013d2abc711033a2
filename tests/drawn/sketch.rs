//! What is known while a file is being drawn.

use super::blows::Blow;

#[derive(Default)]
pub struct Sketch {
    /// Every type of queue, and every way out of one.
    pub is_rich: bool,
    /// Its faults may come after a second or two.
    pub is_slow: bool,
    /// Some queues are streams, and none dead-letters.
    pub has_streams: bool,
    pub queue_count: usize,
    pub exchange_count: usize,
    pub exchanges: Vec<Exchange>,
    pub queues: Vec<Queue>,
    pub producers: Vec<Producer>,
    pub workers: Vec<Worker>,
    pub lines: Vec<String>,
    /// How many faults have a name that others may wait for.
    pub faults: usize,
    pub blows: Vec<Blow>,
    /// Some worker stops before the end.
    pub stops: bool,
    /// How many seconds lie between two heartbeats, where the file says.
    pub heartbeat: Option<usize>,
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
    /// It does not outlive the broker.
    pub perishes: bool,
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
    pub transient: bool,
    /// What it does after its connection was lost; empty where the file does not say.
    pub reconnect: &'static str,
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

impl Producer {
    pub fn republishes(&self) -> bool {
        self.reconnect.contains("republish")
    }
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
    pub stops: bool,
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
    /// Something goes on until the deadline.
    pub fn is_endless(&self) -> bool {
        self.workers.iter().any(|worker| worker.is_endless)
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
