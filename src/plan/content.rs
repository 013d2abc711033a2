//! What a producer publishes and how long a worker works on it, message by message.
//!
//! Pure functions of the plan, the seed and the message's number: the engine publishes what
//! they say, and the ledger computes from them where each message must arrive.

use std::borrow::Cow;
use std::time::Duration;

use crate::plan::model::{Producer, Variant, Work, Worker, WorkerId};
use crate::plan::pattern::{Pattern, PatternValue, Scalar};
use crate::plan::random::Stream;

/// The messages of one producer instance.
#[derive(Debug, Clone)]
pub struct Content {
    producer: Producer,
    routing_key: Stream,
    dots: Stream,
    size: Stream,
    ttl: Stream,
    headers: Vec<Stream>,
}

impl Content {
    /// The content of `producer` under `seed`.
    pub fn new(producer: &Producer, seed: u64) -> Self {
        let stream = |field: &str| Stream::new(seed, &format!("{}/{field}", producer.name));
        let header = |name: &String| stream(&format!("headers/{name}"));
        Self {
            routing_key: stream("routing_key"),
            dots: stream("dots"),
            size: stream("size"),
            ttl: stream("ttl"),
            headers: producer.headers.iter().map(|(name, _)| header(name)).collect(),
            producer: producer.clone(),
        }
    }

    /// Whether every message goes to the same place whatever its number.
    pub fn is_uniform(&self) -> bool {
        let same = matches!(self.producer.to.routing_key, Pattern::Always(_));
        same && self.producer.headers.iter().all(|(_, p)| matches!(p, Pattern::Always(_)))
    }

    /// The routing key of message `n`.
    pub fn routing_key(&self, n: u64) -> Cow<'_, str> {
        match &self.producer.to.routing_key {
            Pattern::Always(key) => Cow::Borrowed(key),
            pattern => Cow::Owned(pattern.at(self.routing_key, n)),
        }
    }

    /// The headers of message `n`; a null one is not sent and not listed.
    pub fn headers(&self, n: u64) -> Vec<(String, Scalar)> {
        let fields = self.producer.headers.iter().zip(&self.headers);
        fields
            .map(|((name, pattern), stream)| (name.clone(), pattern.at(*stream, n)))
            .filter(|(_, value)| *value != Scalar::Null)
            .collect()
    }

    /// How long message `n` may wait in its first queue.
    pub fn ttl(&self, n: u64) -> Option<Duration> {
        value(self.producer.ttl.as_ref(), self.ttl, n)
    }

    /// Writes the body of message `n` over `out`.
    pub fn body(&self, n: u64, out: &mut Vec<u8>) {
        let dots = value(self.producer.dots.as_ref(), self.dots, n).unwrap_or(0);
        let size = value(self.producer.size.as_ref(), self.size, n);
        self.producer.body.render(n, dots, &self.producer.name, size, out);
    }
}

fn value<T: PatternValue>(pattern: Option<&Pattern<T>>, stream: Stream, n: u64) -> Option<T> {
    pattern.map(|pattern| pattern.at(stream, n))
}

/// How long a worker works on each message.
#[derive(Debug, Clone)]
pub struct WorkTime {
    work: Work,
    stream: Stream,
}

impl WorkTime {
    /// The instances of a group share one stream: a message takes as long whoever works on it.
    pub fn new(variant: &Variant, id: WorkerId) -> Self {
        let worker: &Worker = &variant.workers[id.index()];
        let group = variant.worker_groups.iter().find(|group| group.members.contains(&id));
        let name = group.map_or(&worker.name, |group| &group.name);
        Self {
            work: worker.work.clone(),
            stream: Stream::new(variant.seed, &format!("{name}/work")),
        }
    }

    /// The time for message `n`, whose body has `dots` dots.
    pub fn of(&self, n: u64, dots: u32) -> Duration {
        match &self.work {
            Work::PerDot(each) => *each * dots,
            Work::Pattern(pattern) => pattern.at(self.stream, n),
        }
    }

    /// Whether the body must be read for its dots.
    pub fn counts_dots(&self) -> bool {
        matches!(self.work, Work::PerDot(_))
    }
}
