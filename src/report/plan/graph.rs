//! A variant as a graph: who publishes, through which exchanges to which queues, and who consumes.

use crate::plan::model::{
    AckMode, BoundTo, Confirms, Exchange, ExchangeId, ExchangeKind, ExchangeRef, Producer, Queue,
    QueueId, QueueKind, Variant, Worker,
};
use crate::plan::pattern::{Pattern, Scalar};
use crate::report::text::counted;

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Producer,
    Exchange,
    Queue,
    Worker,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Producer => "producer",
            Kind::Exchange => "exchange",
            Kind::Queue => "queue",
            Kind::Worker => "worker",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub kind: Kind,
    pub name: String,
    /// What is said of it: `classic, durable`.
    pub details: String,
}

/// How messages go from one node to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Published, bound or consumed.
    Usual,
    /// What an exchange has no binding for.
    Alternate,
    DeadLetters,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub way: Way,
    /// A key or a condition; may be empty.
    pub label: String,
}

/// Nodes in the order of producers, exchanges, queues and workers. The default exchange has none:
/// whoever publishes to it publishes to queues.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
}

impl Graph {
    pub fn of(variant: &Variant) -> Self {
        let mut graph = Self::default();
        let producers =
            groups(variant.producer_groups.iter().map(|it| (&it.name, it.members.len())));
        for (group, (name, count)) in variant.producer_groups.iter().zip(producers) {
            let producer = &variant.producers[group.members[0].index()];
            graph.add(Kind::Producer, name, producer_details(producer, count));
        }
        let exchanges = graph.nodes.len();
        for exchange in &variant.topology.exchanges[1..] {
            graph.add(Kind::Exchange, exchange.name.clone(), exchange_details(exchange));
        }
        let queues = graph.nodes.len();
        for queue in &variant.topology.queues {
            let name = if queue.temporary {
                format!("queue of {}", queue.name)
            } else {
                queue.name.clone()
            };
            graph.add(Kind::Queue, name, queue_details(queue));
        }
        let places = Places { variant, exchanges, queues };
        graph.publishes(&places);
        graph.bindings(&places);
        graph.letters(&places);
        graph.consumers(&places);
        graph
    }

    fn add(&mut self, kind: Kind, name: String, details: String) -> usize {
        self.nodes.push(Node { kind, name, details });
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, way: Way, label: impl Into<String>) {
        self.edges.push(Edge { from, to, way, label: label.into() });
    }

    fn publishes(&mut self, places: &Places<'_>) {
        for (node, group) in places.variant.producer_groups.iter().enumerate() {
            let producer = &places.variant.producers[group.members[0].index()];
            let keys = keys(&producer.to.routing_key);
            let exchange = match &producer.to.exchange {
                ExchangeRef::Declared(ExchangeId(0)) => {
                    let named = values(&producer.to.routing_key);
                    let queues = places.variant.topology.queues.iter().enumerate();
                    for (queue, _) in queues.filter(|(_, queue)| named.contains(&queue.name)) {
                        self.edge(node, places.queues + queue, Way::Usual, "");
                    }
                    continue;
                }
                ExchangeRef::Declared(id) => places.exchange(*id),
                ExchangeRef::Missing(name) => {
                    self.add(Kind::Exchange, name.clone(), "does not exist".to_owned())
                }
            };
            self.edge(node, exchange, Way::Usual, keys);
        }
    }

    fn bindings(&mut self, places: &Places<'_>) {
        let topology = &places.variant.topology;
        for binding in &topology.bindings {
            let exchange = &topology.exchanges[binding.from.index()];
            let label = match exchange.kind {
                ExchangeKind::Fanout => String::new(),
                ExchangeKind::Direct | ExchangeKind::Topic => quoted(&binding.routing_key),
                ExchangeKind::Headers => {
                    let all = binding
                        .headers
                        .iter()
                        .map(|(name, value)| format!("{name}: {}", scalar(value)));
                    let joint = if binding.match_any { " or " } else { " and " };
                    all.collect::<Vec<_>>().join(joint)
                }
            };
            let to = match binding.to {
                BoundTo::Queue(queue) => places.queue(queue),
                BoundTo::Exchange(exchange) => places.exchange(exchange),
            };
            self.edge(places.exchange(binding.from), to, Way::Usual, label);
        }
        for (index, exchange) in topology.exchanges.iter().enumerate() {
            if let Some(ExchangeRef::Declared(alternate)) = &exchange.alternate
                && *alternate != ExchangeId(0)
            {
                let from = places.exchange(ExchangeId::from_index(index));
                self.edge(from, places.exchange(*alternate), Way::Alternate, "");
            }
        }
    }

    fn letters(&mut self, places: &Places<'_>) {
        let topology = &places.variant.topology;
        for (index, queue) in topology.queues.iter().enumerate() {
            let Some(letter) = &queue.dead_letter else { continue };
            let from = places.queue(QueueId::from_index(index));
            let key = letter.routing_key.as_deref();
            match &letter.exchange {
                ExchangeRef::Declared(ExchangeId(0)) => {
                    let to = topology.queues.iter().position(|it| Some(&*it.name) == key);
                    if let Some(to) = to {
                        self.edge(from, places.queues + to, Way::DeadLetters, "");
                    }
                }
                ExchangeRef::Declared(exchange) => {
                    let label = key.map(quoted).unwrap_or_default();
                    self.edge(from, places.exchange(*exchange), Way::DeadLetters, label);
                }
                ExchangeRef::Missing(name) => {
                    let to = self.add(Kind::Exchange, name.clone(), "does not exist".to_owned());
                    self.edge(from, to, Way::DeadLetters, "");
                }
            }
        }
    }

    fn consumers(&mut self, places: &Places<'_>) {
        let groups_of = &places.variant.worker_groups;
        let names = groups(groups_of.iter().map(|it| (&it.name, it.members.len())));
        for (group, (name, count)) in groups_of.iter().zip(names) {
            let worker = &places.variant.workers[group.members[0].index()];
            let own = places.variant.topology.queues[worker.queue.index()].temporary;
            if !own {
                let node = self.add(Kind::Worker, name, worker_details(worker, count));
                self.edge(places.queue(worker.queue), node, Way::Usual, "");
                continue;
            }
            for id in &group.members {
                let worker = &places.variant.workers[id.index()];
                let details = worker_details(worker, 1);
                let node = self.add(Kind::Worker, worker.name.clone(), details);
                self.edge(places.queue(worker.queue), node, Way::Usual, "");
            }
        }
    }
}

/// Where the nodes of exchanges and queues begin.
struct Places<'v> {
    variant: &'v Variant,
    exchanges: usize,
    queues: usize,
}

impl Places<'_> {
    /// The default exchange has no node.
    fn exchange(&self, id: ExchangeId) -> usize {
        self.exchanges + id.index() - 1
    }

    fn queue(&self, id: QueueId) -> usize {
        self.queues + id.index()
    }
}

/// `worker`, or `worker-1 … worker-3` of a group of three.
fn groups<'g>(
    all: impl Iterator<Item = (&'g String, usize)>,
) -> impl Iterator<Item = (String, usize)> {
    all.map(|(name, count)| match count {
        1 => (name.clone(), 1),
        _ => (format!("{name}-1 … {name}-{count}"), count),
    })
}

fn listed(words: impl IntoIterator<Item = Option<String>>) -> String {
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn when(flag: bool, word: &str) -> Option<String> {
    flag.then(|| word.to_owned())
}

fn producer_details(producer: &Producer, count: usize) -> String {
    let messages = counted(usize::try_from(producer.messages).unwrap_or(usize::MAX), "message");
    let each = if count > 1 { format!("{messages} each") } else { messages };
    let confirms = if producer.confirms == Confirms::Off { "no confirms" } else { "confirms" };
    listed([
        Some(each),
        producer.rate.map(|rate| format!("{rate} per second")),
        when(!producer.persistent, "transient"),
        Some(confirms.to_owned()),
        when(producer.mandatory, "mandatory"),
        when(producer.rpc.is_some(), "requests"),
    ])
}

fn exchange_details(exchange: &Exchange) -> String {
    let kind = match exchange.kind {
        ExchangeKind::Direct => "direct",
        ExchangeKind::Fanout => "fanout",
        ExchangeKind::Topic => "topic",
        ExchangeKind::Headers => "headers",
    };
    listed([
        Some(format!("{kind} exchange")),
        when(!exchange.durable, "not durable"),
        when(exchange.auto_delete, "auto-delete"),
        when(exchange.internal, "internal"),
    ])
}

fn queue_details(queue: &Queue) -> String {
    let kind = match queue.kind {
        QueueKind::Classic => "classic queue",
        QueueKind::Quorum => "quorum queue",
        QueueKind::Stream => "stream",
    };
    listed([
        Some(kind.to_owned()),
        when(!queue.durable && !queue.exclusive, "not durable"),
        when(queue.exclusive, "exclusive"),
        when(queue.auto_delete, "auto-delete"),
        queue.message_ttl.map(|ttl| format!("messages live {ttl:?}")),
        queue.expires.map(|after| format!("goes after {after:?} unused")),
        queue.max_length.map(|most| format!("at most {most}")),
        queue.max_length_bytes.map(|most| format!("at most {most} bytes")),
        queue.delivery_limit.map(|limit| format!("delivery limit {limit}")),
        when(queue.single_active_consumer, "single active consumer"),
    ])
}

fn worker_details(worker: &Worker, count: usize) -> String {
    let ack = match worker.ack {
        AckMode::Auto => "automatic acks".to_owned(),
        AckMode::Manual { every: 1 } => "manual acks".to_owned(),
        AckMode::Manual { every } => format!("manual acks, one for {every}"),
        AckMode::Early => "acks before the work".to_owned(),
        AckMode::Never => "never acks".to_owned(),
    };
    listed([
        when(count > 1, &format!("{count} workers")),
        Some(ack),
        Some(worker.prefetch).filter(|it| *it > 0).map(|it| format!("prefetch {it}")),
        when(worker.exclusive, "exclusive"),
        worker.priority.map(|it| format!("priority {it}")),
        when(!worker.rejects.is_empty(), "refuses some"),
        when(worker.reply.is_some(), "answers"),
    ])
}

/// The keys that a producer uses, or what is known of them.
fn keys(pattern: &Pattern<String>) -> String {
    match pattern {
        Pattern::Always(key) if key.is_empty() => String::new(),
        Pattern::Range(low, high) => format!("{low} to {high}"),
        Pattern::Index => "its number".to_owned(),
        pattern => {
            let keys: Vec<String> = values(pattern).iter().map(|key| quoted(key)).collect();
            keys.join(", ")
        }
    }
}

fn values(pattern: &Pattern<String>) -> Vec<String> {
    let mut values = pattern.values().unwrap_or_default();
    let mut seen = std::collections::HashSet::new();
    values.retain(|value| seen.insert(value.clone()));
    values
}

/// An empty key must be seen as one.
fn quoted(key: &str) -> String {
    if key.is_empty() { "\"\"".to_owned() } else { key.to_owned() }
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Null => "null".to_owned(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => value.to_string(),
        Scalar::Text(value) => value.clone(),
    }
}
