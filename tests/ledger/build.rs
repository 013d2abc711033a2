//! Variants by hand: what the plan would make of a file, without the file.

use std::sync::Arc;
use std::time::Duration;

use rmq_scenario::plan::model::{
    AckMode, Binding, BoundTo, Confirms, Destination, Exchange, ExchangeId, ExchangeKind,
    ExchangeRef, Expectation, Expected, Producer, ProducerId, Queue, QueueId, Requires, Scenario,
    Settle, Topology, Unconfirmed, Variant, Wishes, Work, Worker, WorkerId,
};
use rmq_scenario::plan::pattern::Pattern;
use rmq_scenario::plan::template::Template;
use rmq_scenario::scenario::{At, Source};

pub const WINDOW: Confirms = Confirms::Window { in_flight: 100, timeout: Duration::from_secs(5) };

/// Where nothing stands: expectations and faults made here have no place in a file.
pub const NOWHERE: At = At { node: 0, used: None };

/// A scenario around one variant. The only place that knows how a source is made.
pub fn scenario(variant: Variant) -> Scenario {
    let source = Source::new("by_hand.yaml", "");
    Scenario {
        source: Arc::new(source),
        name: "by-hand".to_owned(),
        description: None,
        tags: Vec::new(),
        seed: variant.seed,
        variants: vec![variant],
        warnings: Vec::new(),
    }
}

/// A variant in the making.
pub struct Draft(pub Variant);

impl Draft {
    /// Nothing but the default exchange.
    pub fn new() -> Self {
        let topology = Topology {
            exchanges: vec![Exchange::named("", ExchangeKind::Direct)],
            queues: Vec::new(),
            bindings: Vec::new(),
        };
        let settle = Settle {
            idle: Duration::from_millis(500),
            at_least: Duration::ZERO,
            deadline: Duration::from_secs(60),
        };
        Self(Variant {
            name: String::new(),
            vars: Vec::new(),
            seed: 1,
            requires: Requires::default(),
            broker: Wishes::default(),
            topology,
            producers: Vec::new(),
            producer_groups: Vec::new(),
            workers: Vec::new(),
            worker_groups: Vec::new(),
            faults: Vec::new(),
            observations: Vec::new(),
            probes: Vec::new(),
            settle,
            expectations: Vec::new(),
            tolerances: Vec::new(),
        })
    }

    pub fn exchange(&mut self, name: &str, kind: ExchangeKind) -> ExchangeId {
        self.0.topology.exchanges.push(Exchange::named(name, kind));
        ExchangeId::from_index(self.0.topology.exchanges.len() - 1)
    }

    pub fn queue(&mut self, name: &str) -> QueueId {
        self.0.topology.queues.push(Queue::named(name));
        QueueId::from_index(self.0.topology.queues.len() - 1)
    }

    pub fn auto_delete(&mut self, name: &str) -> QueueId {
        let queue = self.queue(name);
        self.0.topology.queues[queue.index()].auto_delete = true;
        queue
    }

    /// An exclusive queue of the next worker to be added; with `temporary` server-named.
    pub fn owned(&mut self, name: &str, temporary: bool) -> QueueId {
        let owner = WorkerId::from_index(self.0.workers.len());
        let queue = self.queue(name);
        let entry = &mut self.0.topology.queues[queue.index()];
        (entry.exclusive, entry.temporary, entry.owner) = (true, temporary, Some(owner));
        queue
    }

    pub fn bind(&mut self, from: ExchangeId, to: QueueId, key: &str) {
        self.0.topology.bindings.push(Binding {
            from,
            to: BoundTo::Queue(to),
            routing_key: key.to_owned(),
            headers: Vec::new(),
            match_any: false,
        });
    }

    /// A producer of `messages` through an exchange; the keys are cycled.
    pub fn producer(
        &mut self,
        name: &str,
        exchange: ExchangeId,
        keys: &[&str],
        messages: u64,
        confirms: Confirms,
    ) -> ProducerId {
        let routing_key = match keys {
            [one] => Pattern::Always((*one).to_owned()),
            _ => Pattern::Cycle(keys.iter().map(|key| (*key).to_owned()).collect()),
        };
        self.0.producers.push(Producer {
            name: name.to_owned(),
            to: Destination { exchange: ExchangeRef::Declared(exchange), routing_key },
            messages,
            rate: None,
            start: None,
            persistent: true,
            confirms,
            mandatory: false,
            body: Template::default(),
            dots: None,
            size: None,
            priority: None,
            ttl: None,
            headers: Vec::new(),
            rpc: None,
            node: None,
            reconnect: None,
            unconfirmed: Unconfirmed::Drop,
        });
        ProducerId::from_index(self.0.producers.len() - 1)
    }

    pub fn worker(&mut self, name: &str, queue: QueueId, ack: AckMode) -> WorkerId {
        self.0.workers.push(Worker {
            name: name.to_owned(),
            queue,
            ack,
            prefetch: 0,
            exclusive: false,
            priority: None,
            offset: None,
            acks_elsewhere: false,
            rejects: Vec::new(),
            reply: None,
            work: Work::Pattern(Pattern::Always(Duration::ZERO)),
            start: None,
            stop: None,
            node: None,
            reconnect: None,
        });
        WorkerId::from_index(self.0.workers.len() - 1)
    }

    pub fn expect(&mut self, path: &str, expected: &str, what: Expected) {
        self.0.expectations.push(Expectation {
            path: path.to_owned(),
            expected: expected.to_owned(),
            what,
            at: NOWHERE,
        });
    }

    pub fn arc(&self) -> Arc<Variant> {
        Arc::new(self.0.clone())
    }
}
