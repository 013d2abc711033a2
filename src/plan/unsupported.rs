//! What the format knows and this version does not do yet: refused with its place.
//!
//! Types are checked before; a value that asks for what is done anyway is no mistake.

use crate::scenario::actors::{Producer, Worker};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::file::File;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;
use crate::scenario::topology::Queue;

const ONE_NODE: &str = "leave it out; there is one node";

/// Records everything in a file that is not supported yet.
pub fn refuse(file: &File, found: &mut Collector) {
    let mut refusal = Refusal(found);
    let nodes = file.broker.as_ref().and_then(|broker| broker.nodes);
    if let Some(nodes) = nodes.filter(|nodes| nodes.value.0 > 1) {
        let instead = "use `nodes: 1`; a private broker has one node";
        refusal.say(nodes.at, "nodes", instead);
    }
    file.topology.queues.iter().for_each(|queue| refusal.queue(queue));
    let there = |condition: Option<bool>| condition != Some(false);
    for producer in file.producers.iter().filter(|producer| there(producer.condition)) {
        refusal.producer(producer);
    }
    for worker in file.workers.iter().filter(|worker| there(worker.condition)) {
        refusal.worker(worker);
    }
}

/// The refusal of one key or value.
pub fn mistake(at: At, what: &str, instead: &str) -> Mistake {
    Mistake::new(at, format!("`{what}` is not supported yet by this version")).help(instead)
}

struct Refusal<'c>(&'c mut Collector);

impl Refusal<'_> {
    fn say(&mut self, at: At, what: &str, instead: &str) {
        self.0.push(mistake(at, what, instead));
    }

    fn key<T>(&mut self, what: &str, value: &Option<Located<T>>, instead: &str) {
        if let Some(value) = value {
            self.say(value.at, what, instead);
        }
    }

    fn queue(&mut self, queue: &Queue) {
        self.key("node", &queue.node, ONE_NODE);
    }

    fn producer(&mut self, producer: &Producer) {
        self.key("node", &producer.node, ONE_NODE);
    }

    fn worker(&mut self, worker: &Worker) {
        self.key("node", &worker.node, ONE_NODE);
    }
}
