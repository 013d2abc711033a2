//! Scenario files drawn from a seed: valid ones, of every form that can be run, about a second
//! long each. Beside the text stands what is known of the outcome before anything runs.

mod actors;
mod faults;
mod topology;

use crate::dice::Dice;

/// A file and what must come of it.
pub struct Drawn {
    pub seed: u64,
    pub yaml: String,
    /// When the run is cut, in milliseconds.
    pub deadline: u64,
    /// Nothing may be lost: what is acked was worked on, what is published is confirmed, and
    /// no queue goes.
    pub is_safe: bool,
    /// Nobody dies or stops, and no program is refused anything.
    pub is_calm: bool,
    /// No program can meet an AMQP error.
    pub is_sound: bool,
    /// No worker gets stuck below its prefetch, and each queue has a worker from the start.
    pub flows: bool,
    /// How many messages the producers publish, where nothing can keep them from it.
    pub published: Option<u64>,
}

/// What is known while a file is being drawn.
#[derive(Default)]
pub struct Sketch {
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
}

pub struct Exchange {
    pub name: String,
    pub kind: &'static str,
    /// Goes with its last binding.
    pub goes: bool,
}

pub struct Queue {
    pub name: String,
    pub auto_delete: bool,
    pub exclusive: bool,
}

pub struct Producer {
    pub name: String,
    pub count: usize,
    pub messages: usize,
    pub confirms: bool,
    /// Its exchange exists and stays.
    pub is_sound: bool,
    /// Its start is sure to come.
    pub starts: bool,
}

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
}

/// The file of a seed.
pub fn draw(seed: u64) -> Drawn {
    let mut dice = Dice::new(seed, "a file");
    let mut sketch = Sketch::default();
    sketch.lines.push(format!("scenario: drawn-{seed}"));
    sketch.lines.push(format!("seed: {}", dice.below(1000)));
    topology::draw(&mut dice, &mut sketch);
    actors::draw(&mut dice, &mut sketch);
    faults::draw(&mut dice, &mut sketch);
    let deadline = if dice.percent(4) { 100 + dice.below(700) } else { 20_000 };
    let idle = 100 + dice.below(400);
    let least = if dice.percent(10) { dice.below(600) } else { 0 };
    sketch.lines.push(format!(
        "settle: {{ idle: {idle}ms, at_least: {}ms, deadline: {deadline}ms }}",
        least.min(deadline - 1)
    ));
    if !sketch.hurts_producers && dice.percent(30) {
        sketch.lines.push("expect: { order: fifo }".to_owned());
    }
    sketch.finish(seed, deadline as u64)
}

impl Sketch {
    fn finish(self, seed: u64, deadline: u64) -> Drawn {
        let queue_goes = |worker: &Worker| match worker.queue {
            Some(queue) => self.queues[queue].auto_delete || self.queues[queue].exclusive,
            None => true,
        };
        let stays = self.queues.iter().all(|queue| !queue.auto_delete && !queue.exclusive)
            && !self.workers.iter().any(queue_goes);
        let acks = self.workers.iter().all(|worker| ["manual", "never"].contains(&worker.ack));
        let confirms = self.producers.iter().all(|producer| producer.confirms);
        let alone = self.workers.iter().any(|worker| worker.stands_alone);
        let is_sound = !alone
            && self.producers.iter().all(|producer| producer.is_sound)
            && (stays || !self.is_hurt);
        let starts = self.producers.iter().all(|producer| producer.starts);
        let sum = self.producers.iter().map(|it| (it.count * it.messages) as u64).sum();
        let served = |index| {
            self.workers.iter().any(|worker| worker.queue == Some(index) && worker.starts_at_once)
        };
        Drawn {
            seed,
            deadline,
            is_safe: stays && acks && confirms,
            is_calm: !self.is_hurt && is_sound,
            is_sound,
            flows: self.workers.iter().all(|worker| worker.flows)
                && (0..self.queues.len()).all(served),
            published: (starts && is_sound && !self.hurts_producers).then_some(sum),
            yaml: self.lines.join("\n") + "\n",
        }
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
