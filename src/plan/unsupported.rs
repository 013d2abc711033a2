//! What the format knows and this version does not do yet: refused with its place.
//!
//! Types are checked before; a value that asks for what is done anyway is no mistake.

use crate::scenario::actors::{AckOn, Producer, Worker};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::expect::Expect;
use crate::scenario::file::File;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;
use crate::scenario::topology::{Binding, Exchange, Queue, QueueKind};

/// Records everything in a file that is not supported yet.
pub fn refuse(file: &File, found: &mut Collector) {
    let mut refusal = Refusal(found);
    if let Some(broker) = file.broker.as_ref().filter(|broker| !broker.is_empty()) {
        refusal.say(
            broker.at,
            "broker",
            "leave it out; a private broker of one node is started, or use `--broker URL`",
        );
    }
    if let Some(probes) = file.probes.as_ref().filter(|probes| !probes.is_empty()) {
        refusal.say(
            probes.at,
            "probes",
            "leave them out; what workers and producers do is reported without them",
        );
    }
    file.topology.queues.iter().for_each(|queue| refusal.queue(queue));
    file.topology.exchanges.iter().for_each(|exchange| refusal.exchange(exchange));
    file.topology.bindings.iter().for_each(|binding| refusal.binding(binding));
    let there = |condition: Option<bool>| condition != Some(false);
    for producer in file.producers.iter().filter(|producer| there(producer.condition)) {
        refusal.producer(producer);
    }
    for worker in file.workers.iter().filter(|worker| there(worker.condition)) {
        refusal.worker(worker);
    }
    refusal.expect(&file.expect);
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

    fn flag(&mut self, what: &str, value: &Option<Located<bool>>, instead: &str) {
        self.key(what, &value.filter(|value| value.value), instead);
    }

    fn queue(&mut self, queue: &Queue) {
        const LIMIT: &str = "leave it out; queues have no limits";
        if let Some(kind) = queue.kind.filter(|kind| kind.value != QueueKind::Classic) {
            let name = if kind.value == QueueKind::Quorum { "quorum" } else { "stream" };
            self.say(kind.at, &format!("type: {name}"), "use `type: classic`, the default");
        }
        self.flag(
            "predeclared",
            &queue.predeclared,
            "leave it out; the queue is declared for the run",
        );
        self.key("message_ttl", &queue.message_ttl, LIMIT);
        self.key("expires", &queue.expires, LIMIT);
        self.key("max_length", &queue.max_length, LIMIT);
        self.key("max_length_bytes", &queue.max_length_bytes, LIMIT);
        self.key("overflow", &queue.overflow, LIMIT);
        self.key(
            "dead_letter",
            &queue.dead_letter,
            "leave it out; rejected messages are not moved",
        );
        self.key("delivery_limit", &queue.delivery_limit, LIMIT);
        self.key("max_priority", &queue.max_priority, "leave it out; messages come in their order");
        let single = &queue.single_active_consumer;
        self.flag(
            "single_active_consumer",
            single,
            "use one worker, or several that share the queue",
        );
        self.key("node", &queue.node, "leave it out; there is one node");
        let table = queue.arguments.as_ref().filter(|table| !table.0.is_empty());
        if let Some(table) = table {
            self.say(
                table.at,
                "arguments",
                "leave them out; a queue is declared with its type alone",
            );
        }
    }

    fn exchange(&mut self, exchange: &Exchange) {
        let alternate = &exchange.alternate_exchange;
        self.key(
            "alternate_exchange",
            alternate,
            "leave it out, or bind a queue for everything else",
        );
        self.flag(
            "predeclared",
            &exchange.predeclared,
            "leave it out; the exchange is declared for the run",
        );
        let table = exchange.arguments.as_ref().filter(|table| !table.0.is_empty());
        if let Some(table) = table {
            self.say(table.at, "arguments", "leave them out");
        }
    }

    fn binding(&mut self, binding: &Binding) {
        self.key("to_exchange", &binding.to_exchange, "bind the queues to this exchange directly");
    }

    fn producer(&mut self, producer: &Producer) {
        self.key("priority", &producer.priority, "leave it out; messages come in their order");
        self.key("ttl", &producer.ttl, "leave it out; messages do not expire");
        self.key("rpc", &producer.rpc, "leave it out; nothing is answered");
        self.key("node", &producer.node, "leave it out; there is one node");
    }

    fn worker(&mut self, worker: &Worker) {
        let other = worker.ack_on.filter(|on| on.value == AckOn::AnotherChannel);
        self.key("ack_on: another_channel", &other, "use `ack_on: own_channel`, the default");
        let reject = worker.reject.as_ref().filter(|reject| !reject.is_empty());
        if let Some(reject) = reject {
            self.say(reject.at, "reject", "leave it out; `ack: never` leaves messages unacked");
        }
        self.key("reply", &worker.reply, "leave it out; nothing is answered");
        self.key("priority", &worker.priority, "leave it out; workers take turns");
        self.key("offset", &worker.offset, "leave it out; it is for streams");
        self.key("node", &worker.node, "leave it out; there is one node");
    }

    fn expect(&mut self, expect: &Expect) {
        if let Some(errors) = expect.errors.as_ref().filter(|errors| errors.some().is_some()) {
            self.say(errors.at, "errors", "leave it out; errors are listed in the report");
        }
        if let Some(latency) = expect.latency.as_ref().filter(|latency| latency.some().is_some()) {
            self.say(latency.at, "latency", "leave it out; `duration` bounds the whole run");
        }
    }
}
