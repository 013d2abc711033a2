//! What every lint looks at: one variant, its file, where its messages go, what it expects.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use crate::plan::context::Context;
use crate::plan::count::Count;
use crate::plan::lints::flow::Flow;
use crate::plan::matcher::Matcher;
use crate::plan::model::{
    AckMode, Expected, FaultAction, Operation, Producer, Queue, QueueId, QueueKind, Scope, Variant,
    Worker,
};
use crate::scenario::actors;
use crate::scenario::collect::Warning;
use crate::scenario::decode::Located;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::{At, Node, Value};
use crate::scenario::topology as written;

/// One variant on its way through all lints.
pub struct Looked<'a, 'f> {
    pub context: &'a Context<'f>,
    pub variant: &'a Variant,
    pub flow: Flow,
    /// Whether a worker consumes from a queue, by its id.
    read: Vec<bool>,
    /// The maps of the file by their numbers.
    maps: OnceCell<HashMap<u32, &'f Node>>,
    /// Whether the file asks about a queue by its name.
    asked: OnceCell<Vec<bool>>,
}

/// A warning about an entry, at a place in it.
pub fn about(lint: Lint, entry: At, words: Mistake) -> Warning {
    Warning { lint, about: Some(entry), words }
}

impl<'a, 'f> Looked<'a, 'f> {
    pub fn new(context: &'a Context<'f>, variant: &'a Variant) -> Self {
        let mut read = vec![false; variant.topology.queues.len()];
        variant.workers.iter().for_each(|worker| read[worker.queue.index()] = true);
        let (maps, asked) = (OnceCell::new(), OnceCell::new());
        Self { context, variant, flow: Flow::of(variant), read, maps, asked }
    }

    /// Where the value of a key of an entry stands, or the entry if it has none.
    pub fn key(&self, entry: At, key: &str) -> At {
        let node = self.map(entry);
        node.and_then(|node| node.get(key)).map_or(entry, |value| value.at)
    }

    /// The map that stands there.
    pub fn map(&self, at: At) -> Option<&'f Node> {
        let maps = self.maps.get_or_init(|| {
            let mut maps = HashMap::new();
            index(self.context.tree, &mut maps);
            maps
        });
        maps.get(&at.node).copied()
    }

    /// The groups of producers that are there: as written, and their first instance.
    pub fn producers(&self) -> impl Iterator<Item = (&'f Located<actors::Producer>, &'a Producer)> {
        let there = self.context.file.producers.iter().filter(|it| it.condition != Some(false));
        let variant = self.variant;
        let first = variant.producer_groups.iter().map(|group| group.members[0].index());
        there.zip(first.map(|index| &variant.producers[index]))
    }

    /// The groups of workers that are there: as written, and their first instance.
    pub fn workers(&self) -> impl Iterator<Item = (&'f Located<actors::Worker>, &'a Worker)> {
        let there = self.context.file.workers.iter().filter(|it| it.condition != Some(false));
        let variant = self.variant;
        let first = variant.worker_groups.iter().map(|group| group.members[0].index());
        there.zip(first.map(|index| &variant.workers[index]))
    }

    /// The queues that the file declares.
    pub fn queues(
        &self,
    ) -> impl Iterator<Item = (QueueId, &'f Located<written::Queue>, &'a Queue)> {
        let written = self.context.file.topology.queues.iter();
        let both = written.zip(&self.variant.topology.queues).enumerate();
        both.map(|(index, (entry, queue))| (QueueId::from_index(index), entry, queue))
    }

    /// Whether a worker consumes from the queue.
    pub fn is_read(&self, queue: QueueId) -> bool {
        self.read[queue.index()]
    }

    /// What is expected of counts.
    pub fn counts(&self) -> impl Iterator<Item = (&'a Scope, Count, &'a Matcher)> {
        self.variant.expectations.iter().filter_map(|it| match &it.what {
            Expected::Count { scope, count, matcher } => Some((scope, *count, matcher)),
            _ => None,
        })
    }

    /// Whether any of these counts is expected to be more than nothing.
    pub fn expects_some(&self, counts: &[Count]) -> bool {
        self.counts().any(|(_, count, matcher)| {
            counts.contains(&count) && *matcher != Matcher::Any && !matcher.holds(0, 0)
        })
    }

    /// Whether somebody expects an error.
    pub fn expects_errors(&self) -> bool {
        let error = |it: &Expected| matches!(it, Expected::Error(_));
        self.variant.expectations.iter().any(|it| error(&it.what))
    }

    /// Whether the file asks about this queue by its name: expectations, observations, probes,
    /// faults. Whoever does that knows how it stands with it.
    pub fn asks_about(&self, queue: QueueId) -> bool {
        self.asked.get_or_init(|| self.asked())[queue.index()]
    }

    fn asked(&self) -> Vec<bool> {
        let mut asked = vec![false; self.variant.topology.queues.len()];
        for expectation in &self.variant.expectations {
            match &expectation.what {
                Expected::Count { scope: Scope::Queue(id), .. } => asked[id.index()] = true,
                Expected::Count { scope: Scope::Queues(ids), .. } => {
                    ids.iter().for_each(|id| asked[id.index()] = true);
                }
                Expected::Observed { queue, .. } => asked[queue.index()] = true,
                _ => {}
            }
        }
        for fault in &self.variant.faults {
            if let FaultAction::Purge(id) | FaultAction::Delete(id) = fault.action {
                asked[id.index()] = true;
            }
        }
        let probed = self.variant.probes.iter().filter_map(|probe| queue_of(&probe.operation));
        let probed: HashSet<&String> = probed.collect();
        for (asked, queue) in asked.iter_mut().zip(&self.variant.topology.queues) {
            *asked |= probed.contains(&queue.name);
        }
        asked
    }

    /// Whether a message can be delivered a second time, before or apart from what the entry `but`
    /// does.
    pub fn redelivers(&self, but: Option<At>) -> bool {
        let worker = |entry: At, worker: &Worker| {
            (worker.stop.is_some() && Some(entry) != but)
                || worker.acks_elsewhere
                || worker.ack == AckMode::Never
                || worker.rejects.iter().any(|rule| rule.requeue)
        };
        let stream = |queue: &Queue| queue.kind == QueueKind::Stream;
        let config = &self.variant.broker;
        self.variant.faults.iter().any(|fault| Some(fault.at) != but)
            || self.workers().any(|(entry, it)| worker(entry.at, it))
            || self.variant.topology.queues.iter().any(stream)
            || !config.config.is_empty()
            || !config.advanced.is_empty()
    }
}

fn index<'f>(node: &'f Node, maps: &mut HashMap<u32, &'f Node>) {
    match &node.value {
        Value::List(items) => items.iter().for_each(|item| index(item, maps)),
        Value::Map(entries) => {
            maps.insert(node.at.node, node);
            entries.iter().for_each(|(_, value)| index(value, maps));
        }
        _ => {}
    }
}

/// The queue that a probe names.
fn queue_of(operation: &Operation) -> Option<&String> {
    match operation {
        Operation::DeclareQueue { queue, .. } => Some(&queue.name),
        Operation::Publish { exchange, routing_key, .. } => {
            exchange.is_empty().then_some(routing_key)
        }
        Operation::Consume { queue, .. } | Operation::Get { queue, .. } => Some(queue),
        Operation::Qos { queue, .. } => queue.as_ref(),
        Operation::DeclareExchange { .. } | Operation::AckUnknownTag(_) => None,
    }
}
