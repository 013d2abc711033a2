//! What a producer publishes and how long a worker works on it, message by message.
//!
//! Pure functions of the plan, the seed and the message's number: the engine publishes what
//! they say, and the ledger computes from them where each message must arrive.

use std::borrow::Cow;
use std::time::Duration;

use crate::plan::model::{Producer, ProducerId, Reject, Variant, Which, Work, Worker, WorkerId};
use crate::plan::pattern::{Pattern, PatternValue, Scalar};
use crate::plan::random::Stream;
use crate::plan::template::Template;

/// The messages of one producer instance.
#[derive(Debug, Clone)]
pub struct Content {
    producer: Producer,
    routing_key: Stream,
    dots: Stream,
    size: Stream,
    priority: Stream,
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
            priority: stream("priority"),
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

    /// The priority of message `n`, if it has one.
    ///
    /// # Panics
    /// When it is above 255; the plan refuses such a file.
    pub fn priority(&self, n: u64) -> Option<u8> {
        let priority = value(self.producer.priority.as_ref(), self.priority, n)?;
        Some(u8::try_from(priority).expect("a priority is at most 255"))
    }

    /// How long message `n` may wait in its first queue. The protocol counts in milliseconds:
    /// anything finer is rounded down.
    pub fn ttl(&self, n: u64) -> Option<Duration> {
        value(self.producer.ttl.as_ref(), self.ttl, n)
    }

    /// How many dots message `n` has where its body says so; 0 without `dots`.
    pub fn dots(&self, n: u64) -> u64 {
        value(self.producer.dots.as_ref(), self.dots, n).unwrap_or(0)
    }

    /// Writes the body of message `n` over `out`.
    pub fn body(&self, n: u64, out: &mut Vec<u8>) {
        let size = value(self.producer.size.as_ref(), self.size, n);
        self.producer.body.render(n, self.dots(n), &self.producer.name, size, out);
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

/// Which messages a worker refuses after its work.
#[derive(Debug, Clone)]
pub struct Rejections {
    /// In the order of the file. Lists of numbers are sorted.
    rules: Vec<Reject>,
    /// For the messages of each producer. They belong to no worker and to no rule, so that a
    /// message is drawn or not drawn whoever works on it.
    chances: Vec<Stream>,
}

impl Rejections {
    /// What the worker refuses; `None` when it refuses nothing.
    pub fn new(variant: &Variant, id: WorkerId) -> Option<Self> {
        let mut rules = variant.workers[id.index()].rejects.clone();
        for rule in &mut rules {
            if let Which::Messages(numbers) = &mut rule.which {
                numbers.sort_unstable();
            }
        }
        let chance = |p: &Producer| Stream::new(variant.seed, &format!("{}/reject", p.name));
        let chances = variant.producers.iter().map(chance).collect();
        (!rules.is_empty()).then_some(Self { rules, chances })
    }

    /// Whether message `n` is refused as long as nobody has done so before.
    pub fn concern(&self, producer: ProducerId, n: u64) -> bool {
        self.rules.iter().any(|rule| self.is_meant(rule, producer, n))
    }

    /// The first rule by which message `n`, which was refused `before` times in this queue, is
    /// refused now.
    pub fn rule(&self, producer: ProducerId, n: u64, before: u64) -> Option<&Reject> {
        let due = |rule: &&Reject| rule.times.is_none_or(|times| before < times);
        self.rules.iter().filter(due).find(|rule| self.is_meant(rule, producer, n))
    }

    fn is_meant(&self, rule: &Reject, producer: ProducerId, n: u64) -> bool {
        match &rule.which {
            Which::Messages(numbers) => numbers.binary_search(&n).is_ok(),
            Which::Every(every) => n.is_multiple_of(*every),
            Which::Share(share) => self.chances[producer.index()].below(n, 10_000) < share.0,
        }
    }
}

/// What a worker answers to requests.
#[derive(Debug, Clone)]
pub struct Replies {
    template: Template,
    /// What the template's names mean depends on who asks.
    askers: Vec<Content>,
}

impl Replies {
    /// What the worker answers; `None` when it answers nothing.
    pub fn new(variant: &Variant, id: WorkerId) -> Option<Self> {
        let template = variant.workers[id.index()].reply.clone()?;
        let askers = variant.producers.iter().map(|p| Content::new(p, variant.seed)).collect();
        Some(Self { template, askers })
    }

    /// Writes the answer to message `n` of `producer` over `out`.
    pub fn body(&self, producer: ProducerId, n: u64, out: &mut Vec<u8>) {
        let asker = &self.askers[producer.index()];
        self.template.render(n, asker.dots(n), &asker.producer.name, None, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::matcher::Share;
    use crate::plan::model::Refusal;

    fn rule(which: Which, times: Option<u64>) -> Reject {
        Reject { which, requeue: times.is_some(), using: Refusal::Nack, times }
    }

    fn rejections(rules: Vec<Reject>) -> Rejections {
        let chances = ["p", "q"].map(|name| Stream::new(1, &format!("{name}/reject")));
        Rejections { rules, chances: chances.to_vec() }
    }

    const P: ProducerId = ProducerId(0);

    #[test]
    fn the_first_rule_that_applies_now_decides() {
        let first = rule(Which::Messages(vec![2, 5]), Some(2));
        let then = rule(Which::Every(5), None);
        let rejections = rejections(vec![first.clone(), then.clone()]);
        for (n, before, wanted) in [
            (2, 0, Some(&first)),
            (2, 1, Some(&first)),
            (2, 2, None),
            (5, 1, Some(&first)),
            (5, 2, Some(&then)),
            (10, 0, Some(&then)),
            (3, 0, None),
        ] {
            assert_eq!(rejections.rule(P, n, before), wanted, "{n} after {before}");
        }
        let concerned: Vec<u64> = (1..=10).filter(|n| rejections.concern(P, *n)).collect();
        assert_eq!(concerned, [2, 5, 10]);
    }

    #[test]
    fn a_share_is_its_part_of_the_messages_of_each_producer() {
        let drawn = |share: u64, producer: u16| {
            let rejections = rejections(vec![rule(Which::Share(Share(share)), None)]);
            let producer = ProducerId(producer);
            (1..=10_000).filter(|n| rejections.concern(producer, *n)).collect::<Vec<u64>>()
        };
        assert_eq!((drawn(0, 0).len(), drawn(10_000, 0).len()), (0, 10_000));
        let tenth = drawn(1000, 0);
        assert!((900..1100).contains(&tenth.len()), "{}", tenth.len());
        assert_ne!(tenth, drawn(1000, 1), "each producer's messages are drawn for themselves");
        let fifth = drawn(2000, 0);
        assert!(tenth.iter().all(|n| fifth.contains(n)), "a larger share takes in the smaller");
    }
}
