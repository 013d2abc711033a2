//! Which queues the messages of a variant can come to, and how many copies each can get at most.
//!
//! Everything is judged for the whole topology at once: a queue that comes late or goes early is
//! taken to be there. So what is said of a queue that gets nothing is certain; a number is the
//! most there can be, not what there will be.

use std::collections::{BTreeMap, HashMap};

use crate::plan::content::Content;
use crate::plan::model::{
    BoundTo, DeadLetter, ExchangeId, ExchangeKind, ExchangeRef, Operation, Producer, QueueId,
    Topology, Variant,
};
use crate::plan::routing::{Envelope, Standing, route};

/// So many messages of a producer are followed one by one.
const FOLLOWED: u64 = 1000;
/// So many bindings and queues are looked at in all for a variant; then what is left is not known.
const LOOKED_AT: usize = 200_000;

/// What one instance of a group of producers sends where.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many of its messages each queue gets.
    pub copies: BTreeMap<QueueId, u64>,
    /// The keys of messages that no queue gets, the first of them only.
    pub nowhere: Vec<String>,
    /// Whether every message was followed; if not, `copies` are only some.
    pub whole: bool,
}

/// Where everything goes.
pub struct Flow {
    /// One for each group of producers.
    pub sent: Vec<Sent>,
    /// Whether anything can come to a queue, by its id.
    pub filled: Vec<bool>,
    /// How many copies a queue gets at most; `None` is not known.
    pub most: Vec<Option<u64>>,
    /// Whether something can come to a queue as a dead letter.
    pub buried: Vec<bool>,
}

impl Flow {
    pub fn of(variant: &Variant) -> Self {
        let count = variant.topology.queues.len();
        let (filled, buried) = (vec![false; count], vec![false; count]);
        let mut flow = Self { sent: Vec::new(), filled, most: vec![Some(0); count], buried };
        let standing = Standing::whole(&variant.topology);
        let mut left = LOOKED_AT;
        for group in &variant.producer_groups {
            let first = group.members[0].index();
            let mut sent = sent(variant, first, &standing, &mut left);
            // Each instance draws for itself; only the first was followed.
            sent.whole &= group.members.len() == 1 || !is_drawn(&variant.producers[first]);
            flow.arrive(variant, first, &sent, group.members.len());
            flow.sent.push(sent);
        }
        flow.probes(variant);
        flow.dead_letters(&variant.topology, &standing);
        flow
    }

    fn arrive(&mut self, variant: &Variant, first: usize, sent: &Sent, instances: usize) {
        let instances = u64::try_from(instances).unwrap_or(u64::MAX);
        for (queue, copies) in &sent.copies {
            self.filled[queue.index()] = true;
            let all = copies.saturating_mul(instances);
            self.most[queue.index()] =
                self.most[queue.index()].map(|most| most.saturating_add(all));
        }
        let ExchangeRef::Declared(exchange) = variant.producers[first].to.exchange else { return };
        if !sent.whole {
            self.unknown(&variant.topology, exchange);
        }
    }

    /// Any number may come to whatever an exchange leads to.
    fn unknown(&mut self, topology: &Topology, exchange: ExchangeId) {
        for queue in behind(topology, exchange) {
            self.filled[queue.index()] = true;
            self.most[queue.index()] = None;
        }
    }

    /// What probes publish is in no count, but it fills a queue.
    fn probes(&mut self, variant: &Variant) {
        let topology = &variant.topology;
        for probe in &variant.probes {
            let Operation::Publish { exchange, routing_key, .. } = &probe.operation else {
                continue;
            };
            let named = topology.exchanges.iter().position(|known| known.name == *exchange);
            let queues = match named {
                Some(0) => named_queue(topology, routing_key).into_iter().collect(),
                Some(index) => behind(topology, ExchangeId::from_index(index)),
                None => Vec::new(),
            };
            for queue in queues {
                self.filled[queue.index()] = true;
                self.most[queue.index()] = None;
            }
        }
    }

    /// What is dead-lettered comes on from queue to queue.
    fn dead_letters(&mut self, topology: &Topology, standing: &Standing) {
        let filled = self.filled.iter().enumerate().filter(|(_, filled)| **filled);
        let mut next: Vec<usize> = filled.map(|(index, _)| index).collect();
        let mut passed = vec![false; topology.queues.len()];
        while let Some(index) = next.pop() {
            if std::mem::replace(&mut passed[index], true) {
                continue;
            }
            let Some(dead_letter) = &topology.queues[index].dead_letter else { continue };
            for queue in graves(topology, standing, dead_letter) {
                self.filled[queue.index()] = true;
                self.buried[queue.index()] = true;
                self.most[queue.index()] = None;
                next.push(queue.index());
            }
        }
    }

    /// How many copies all of these queues get at most.
    pub fn most_of(&self, queues: impl IntoIterator<Item = QueueId>) -> Option<u64> {
        let most = queues.into_iter().map(|queue| self.most[queue.index()]);
        most.sum()
    }
}

/// Whether chance decides where a message goes.
fn is_drawn(producer: &Producer) -> bool {
    let headers = producer.headers.iter().any(|(_, pattern)| pattern.is_drawn());
    producer.to.routing_key.is_drawn() || headers
}

/// Follows the messages of one producer, as long as there is something `left` to look at.
fn sent(variant: &Variant, index: usize, standing: &Standing, left: &mut usize) -> Sent {
    let producer = &variant.producers[index];
    let ExchangeRef::Declared(exchange) = producer.to.exchange else {
        return Sent { whole: true, ..Sent::default() };
    };
    let topology = &variant.topology;
    let each_costs = topology.bindings.len() + topology.queues.len() + 1;
    let content = Content::new(producer, variant.seed);
    let uniform = content.is_uniform();
    let mut sent = Sent { whole: uniform || producer.messages <= FOLLOWED, ..Sent::default() };
    let (last, each) =
        if uniform { (1, producer.messages) } else { (producer.messages.min(FOLLOWED), 1) };
    let mut known: HashMap<String, Vec<QueueId>> = HashMap::new();
    for n in 1..=last {
        let (key, headers) = (content.routing_key(n), content.headers(n));
        // Headers differ in more than a name.
        let seen = known.get(&*key).filter(|_| producer.headers.is_empty());
        let queues = match seen {
            Some(queues) => queues,
            None if *left < each_costs => {
                sent.whole = false;
                break;
            }
            None => {
                *left -= each_costs;
                let envelope = Envelope { exchange, routing_key: &key, headers: &headers };
                known.entry(key.to_string()).insert_entry(route(topology, standing, envelope));
                &known[&*key]
            }
        };
        for queue in queues {
            *sent.copies.entry(*queue).or_default() += each;
        }
        if queues.is_empty() && sent.nowhere.len() < 8 && !sent.nowhere.iter().any(|it| *it == *key)
        {
            sent.nowhere.push(key.to_string());
        }
    }
    sent
}

/// The queues that a message can come to from an exchange, whatever its key and headers.
pub fn behind(topology: &Topology, exchange: ExchangeId) -> Vec<QueueId> {
    let mut passed = vec![false; topology.exchanges.len()];
    let (mut next, mut queues) = (vec![exchange], Vec::new());
    while let Some(id) = next.pop() {
        if std::mem::replace(&mut passed[id.index()], true) {
            continue;
        }
        if id == ExchangeId(0) && exchange == id {
            let named = topology.queues.iter().enumerate().filter(|(_, queue)| !queue.temporary);
            queues.extend(named.map(|(index, _)| QueueId::from_index(index)));
        }
        for binding in topology.bindings.iter().filter(|binding| binding.from == id) {
            match binding.to {
                BoundTo::Queue(queue) => queues.push(queue),
                BoundTo::Exchange(exchange) => next.push(exchange),
            }
        }
        if let Some(ExchangeRef::Declared(alternate)) = topology.exchanges[id.index()].alternate {
            next.push(alternate);
        }
    }
    queues.sort_unstable();
    queues.dedup();
    queues
}

/// The queues that can get what a queue dead-letters.
pub fn graves(topology: &Topology, standing: &Standing, dead_letter: &DeadLetter) -> Vec<QueueId> {
    let ExchangeRef::Declared(exchange) = dead_letter.exchange else { return Vec::new() };
    let by_key = topology.exchanges.iter().all(|it| it.kind != ExchangeKind::Headers);
    match &dead_letter.routing_key {
        Some(key) if by_key => {
            route(topology, standing, Envelope { exchange, routing_key: key, headers: &[] })
        }
        _ => behind(topology, exchange),
    }
}

fn named_queue(topology: &Topology, name: &str) -> Option<QueueId> {
    let found = topology.queues.iter().position(|queue| queue.name == name && !queue.temporary);
    found.map(QueueId::from_index)
}
