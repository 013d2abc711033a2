//! Which queues a publish must reach: RabbitMQ's routing as a pure function.
//!
//! Sources: the AMQP 0-9-1 model, RabbitMQ's `rabbit_exchange_type_*` modules, and
//! measurements on 3.10, 4.0 and 4.3 (`#` matches the empty key, an empty word is a word,
//! a queue reached on two paths gets one copy, header values compare with their types, and numbers
//! as the version does).

mod headers;

use crate::plan::model::{
    Binding, BoundTo, ExchangeId, ExchangeKind, ExchangeRef, QueueId, Topology,
};
use crate::plan::pattern::Scalar;
use crate::plan::routing::headers::Numbers;

/// What of a topology exists at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    queues: Vec<bool>,
    bindings: Vec<bool>,
    exchanges: Vec<bool>,
    numbers: Numbers,
}

impl Standing {
    /// What stands once the topology is declared: all but the queues that a worker owns.
    pub fn declared(topology: &Topology) -> Self {
        let unowned = |end: BoundTo| match end {
            BoundTo::Queue(id) => topology.queues[id.index()].owner.is_none(),
            BoundTo::Exchange(_) => true,
        };
        Self {
            queues: topology.queues.iter().map(|queue| queue.owner.is_none()).collect(),
            bindings: topology.bindings.iter().map(|binding| unowned(binding.to)).collect(),
            exchanges: vec![true; topology.exchanges.len()],
            numbers: Numbers::ByType,
        }
    }

    /// Everything is there again, on the same broker.
    pub fn filled(&self) -> Self {
        Self {
            queues: vec![true; self.queues.len()],
            bindings: vec![true; self.bindings.len()],
            exchanges: vec![true; self.exchanges.len()],
            numbers: self.numbers,
        }
    }

    /// The same on a broker of this version, such as `3.10.8`; without it, on one of today.
    pub fn on(self, version: &str) -> Self {
        Self { numbers: Numbers::of(version), ..self }
    }

    /// All of it, whoever owns what.
    pub fn whole(topology: &Topology) -> Self {
        Self {
            queues: vec![true; topology.queues.len()],
            bindings: vec![true; topology.bindings.len()],
            exchanges: vec![true; topology.exchanges.len()],
            numbers: Numbers::ByType,
        }
    }

    /// Whether the queue exists.
    pub fn has(&self, queue: QueueId) -> bool {
        self.queues[queue.index()]
    }

    /// Whether an exchange has gone with its last binding.
    pub fn lost_exchange(&self) -> bool {
        self.exchanges.contains(&false)
    }

    /// The queue and its bindings are there.
    pub fn add(&mut self, topology: &Topology, queue: QueueId) {
        self.queues[queue.index()] = true;
        for (standing, binding) in self.bindings.iter_mut().zip(&topology.bindings) {
            let mine = binding.to == BoundTo::Queue(queue);
            *standing |= mine && self.exchanges[binding.from.index()];
        }
    }

    /// The queue is gone and took its bindings along; an auto-delete exchange goes with its
    /// last binding, and the bindings that lead to it go with it.
    pub fn remove(&mut self, topology: &Topology, queue: QueueId) {
        self.queues[queue.index()] = false;
        let mut gone = vec![BoundTo::Queue(queue)];
        while let Some(end) = gone.pop() {
            for exchange in self.unbind(topology, end) {
                let bound = self.bindings_of(topology, exchange).next().is_some();
                let standing = &mut self.exchanges[exchange.index()];
                if *standing && topology.exchanges[exchange.index()].auto_delete && !bound {
                    *standing = false;
                    gone.push(BoundTo::Exchange(exchange));
                }
            }
        }
    }

    /// The broker ends: exchanges that are not durable go, with every binding from and to them.
    pub fn lose_exchanges(&mut self, topology: &Topology) {
        for (index, exchange) in topology.exchanges.iter().enumerate() {
            if exchange.durable || exchange.name.is_empty() {
                continue;
            }
            self.exchanges[index] = false;
            let id = ExchangeId::from_index(index);
            for (standing, binding) in self.bindings.iter_mut().zip(&topology.bindings) {
                *standing &= binding.from != id && binding.to != BoundTo::Exchange(id);
            }
        }
    }

    /// Removes every binding that leads to `end`: where they began.
    fn unbind(&mut self, topology: &Topology, end: BoundTo) -> Vec<ExchangeId> {
        let mut unbound = Vec::new();
        for (standing, binding) in self.bindings.iter_mut().zip(&topology.bindings) {
            if *standing && binding.to == end {
                *standing = false;
                unbound.push(binding.from);
            }
        }
        unbound
    }

    fn bindings_of<'a>(
        &'a self,
        topology: &'a Topology,
        exchange: ExchangeId,
    ) -> impl Iterator<Item = &'a Binding> {
        let standing = topology.bindings.iter().zip(&self.bindings);
        standing
            .filter(move |(binding, standing)| **standing && binding.from == exchange)
            .map(|(binding, _)| binding)
    }
}

/// What of a publish decides where it goes.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    pub exchange: ExchangeId,
    pub routing_key: &'a str,
    pub headers: &'a [(String, Scalar)],
}

/// The queues that get a copy, each once, in the order of their ids.
///
/// A message goes from exchange to exchange, through each once. What an exchange has no binding
/// for goes to its alternate exchange, if that exists; a binding to an exchange that leads
/// nowhere counts as one.
pub fn route(topology: &Topology, standing: &Standing, envelope: Envelope<'_>) -> Vec<QueueId> {
    let mut queues = Vec::new();
    let mut passed = vec![false; topology.exchanges.len()];
    let mut next = vec![envelope.exchange];
    while let Some(id) = next.pop() {
        if std::mem::replace(&mut passed[id.index()], true) || !standing.exchanges[id.index()] {
            continue;
        }
        if id == ExchangeId(0) {
            // Its bindings are only looked up for what is published to it: as an alternate it
            // leads nowhere.
            if envelope.exchange == id {
                queues.extend(named(topology, standing, envelope.routing_key));
            }
            continue;
        }
        let exchange = &topology.exchanges[id.index()];
        let matching = standing.bindings_of(topology, id);
        let mut found = false;
        for binding in matching.filter(|it| standing.matches(exchange.kind, it, envelope)) {
            found = true;
            match binding.to {
                BoundTo::Queue(queue) => queues.push(queue),
                BoundTo::Exchange(exchange) => next.push(exchange),
            }
        }
        match exchange.alternate {
            Some(ExchangeRef::Declared(alternate)) if !found => next.push(alternate),
            _ => {}
        }
    }
    queues.sort_unstable();
    queues.dedup();
    queues
}

/// The default exchange: every queue is bound to it with its name. A server-named queue has
/// a name that no file can know.
fn named(topology: &Topology, standing: &Standing, key: &str) -> Vec<QueueId> {
    let found = topology.queues.iter().position(|queue| !queue.temporary && queue.name == key);
    found.map(QueueId::from_index).filter(|&queue| standing.has(queue)).into_iter().collect()
}

impl Standing {
    fn matches(&self, kind: ExchangeKind, binding: &Binding, envelope: Envelope<'_>) -> bool {
        match kind {
            ExchangeKind::Fanout => true,
            ExchangeKind::Direct => binding.routing_key == envelope.routing_key,
            ExchangeKind::Topic => topic_matches(&binding.routing_key, envelope.routing_key),
            ExchangeKind::Headers => headers::matches(binding, envelope.headers, self.numbers),
        }
    }
}

/// `*` is one word, `#` any number of words, none included.
pub fn topic_matches(pattern: &str, key: &str) -> bool {
    words_match(&words(pattern), &words(key))
}

/// The empty key has no word; any other has one more than it has dots.
fn words(key: &str) -> Vec<&str> {
    if key.is_empty() { Vec::new() } else { key.split('.').collect() }
}

/// The classic greedy wildcard match: on a mismatch the last `#` takes one word more. Linear
/// in pattern times key, whatever the pattern.
fn words_match(pattern: &[&str], key: &[&str]) -> bool {
    let (mut p, mut k) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while k < key.len() {
        if p < pattern.len() && pattern[p] == "#" {
            retry = Some((p, k));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == "*" || pattern[p] == key[k]) {
            p += 1;
            k += 1;
        } else if let Some((hash, taken)) = retry {
            retry = Some((hash, taken + 1));
            p = hash + 1;
            k = taken + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|word| *word == "#")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::{Exchange, Queue, WorkerId};

    #[test]
    fn topic_patterns_match_word_by_word() {
        for (pattern, key, expected) in [
            ("#", "", true),
            ("#", "a.b.c", true),
            ("", "", true),
            ("", "a", false),
            ("*", "", false),
            ("*", "a", true),
            ("*", "a.b", false),
            ("a.*.c", "a.b.c", true),
            ("a.*.c", "a..c", true),
            ("a.*.c", "a.c", false),
            ("a.#", "a", true),
            ("a.#", "a.b.c", true),
            ("a.#", "b", false),
            ("#.c", "c", true),
            ("#.c", "a.b.c", true),
            ("#.c", "a.c.b", false),
            ("a.#.c", "a.c", true),
            ("a.#.c", "a.x.y.c", true),
            ("a.#.b.#.c", "a.b.b.c", true),
            ("a.#.b.#.c", "a.x.c", false),
            ("*.orange.*", "quick.orange.rabbit", true),
            ("*.*.rabbit", "quick.orange.rabbit", true),
            ("lazy.#", "lazy.orange.new.rabbit", true),
            ("*.orange.*", "orange", false),
            ("#.#", "", true),
            ("*.#", "a", true),
            ("*.#", "", false),
            ("#.*", "a.b", true),
            (".", ".", true),
            ("*.*", ".", true),
            ("a", "A", false),
        ] {
            assert_eq!(topic_matches(pattern, key), expected, "{pattern:?} against {key:?}");
        }
    }

    #[test]
    fn a_pattern_of_many_hashes_does_not_explode() {
        let pattern = ["#", "a"].repeat(200).join(".");
        assert!(!topic_matches(&pattern, &["a"; 199].join(".")));
    }

    fn queue(name: &str, owner: Option<WorkerId>) -> Queue {
        let owned = owner.is_some();
        Queue { exclusive: owned, temporary: owned, owner, ..Queue::named(name) }
    }

    fn exchange(name: &str, kind: ExchangeKind, auto_delete: bool) -> Exchange {
        Exchange { auto_delete, ..Exchange::named(name, kind) }
    }

    fn bind(from: u16, to: u16, key: &str) -> Binding {
        Binding {
            from: ExchangeId(from),
            to: BoundTo::Queue(QueueId(to)),
            routing_key: key.to_owned(),
            headers: Vec::new(),
            match_any: false,
        }
    }

    fn topology() -> Topology {
        Topology {
            exchanges: vec![
                exchange("", ExchangeKind::Direct, false),
                exchange("direct", ExchangeKind::Direct, false),
                exchange("fanout", ExchangeKind::Fanout, true),
                exchange("topic", ExchangeKind::Topic, false),
            ],
            queues: vec![queue("a", None), queue("b", None), queue("w", Some(WorkerId(0)))],
            bindings: vec![
                bind(1, 0, "k"),
                bind(1, 0, "k"),
                bind(1, 1, "other"),
                bind(2, 2, ""),
                bind(3, 0, "x.*"),
                bind(3, 0, "#"),
                bind(3, 1, "x.y"),
            ],
        }
    }

    #[test]
    fn each_exchange_routes_as_its_type_says() {
        let topology = topology();
        let mut standing = Standing::declared(&topology);
        standing.add(&topology, QueueId(2));
        for (from, key, expected) in [
            (0, "a", vec![0]),
            (0, "b", vec![1]),
            (0, "nobody", vec![]),
            (0, "w", vec![]),
            (1, "k", vec![0]),
            (1, "other", vec![1]),
            (1, "neither", vec![]),
            (2, "whatever", vec![2]),
            (3, "x.y", vec![0, 1]),
            (3, "z", vec![0]),
        ] {
            let envelope = Envelope { exchange: ExchangeId(from), routing_key: key, headers: &[] };
            let ids: Vec<u16> =
                route(&topology, &standing, envelope).into_iter().map(|q| q.0).collect();
            assert_eq!(ids, expected, "exchange {from}, key {key:?}");
        }
    }

    #[test]
    fn owned_queues_come_and_go_and_take_an_auto_delete_exchange_along() {
        let topology = topology();
        let mut standing = Standing::declared(&topology);
        let fanout = Envelope { exchange: ExchangeId(2), routing_key: "", headers: &[] };
        assert!(route(&topology, &standing, fanout).is_empty());
        standing.add(&topology, QueueId(2));
        assert_eq!(route(&topology, &standing, fanout), [QueueId(2)]);
        standing.remove(&topology, QueueId(2));
        assert!(!standing.has(QueueId(2)) && !standing.exchanges[2]);
        standing.add(&topology, QueueId(2));
        assert!(route(&topology, &standing, fanout).is_empty(), "the exchange is gone");
    }

    #[test]
    fn exchanges_lead_to_each_other_and_to_their_alternates() {
        let mut topology = topology();
        let declared = |id: u16| Some(ExchangeRef::Declared(ExchangeId(id)));
        let between = |from: u16, to: u16, key: &str| Binding {
            to: BoundTo::Exchange(ExchangeId(to)),
            ..bind(from, 0, key)
        };
        // direct -> topic for "t.x", and round again; what direct has nothing for goes to the
        // default exchange, which as an alternate leads nowhere.
        topology.bindings.push(between(1, 3, "t.x"));
        topology.bindings.push(between(3, 1, "#"));
        topology.exchanges[1].alternate = declared(0);
        topology.exchanges.push(exchange("nowhere", ExchangeKind::Direct, false));
        topology.bindings.push(between(1, 4, "n"));
        topology.exchanges[4].alternate = Some(ExchangeRef::Missing("gone".to_owned()));
        let standing = Standing::declared(&topology);
        for (from, key, expected) in [
            (1, "t.x", vec![0]),
            (3, "other", vec![0, 1]),
            (1, "b", vec![]),
            (1, "n", vec![]),
            (4, "b", vec![]),
        ] {
            let envelope = Envelope { exchange: ExchangeId(from), routing_key: key, headers: &[] };
            let ids: Vec<u16> =
                route(&topology, &standing, envelope).into_iter().map(|q| q.0).collect();
            assert_eq!(ids, expected, "exchange {from}, key {key:?}");
        }
    }

    #[test]
    fn an_exchange_that_goes_takes_those_along_that_only_led_to_it() {
        let mut topology = topology();
        topology.exchanges.push(exchange("first", ExchangeKind::Fanout, true));
        let to = BoundTo::Exchange(ExchangeId(2));
        topology.bindings.push(Binding { to, ..bind(4, 0, "") });
        let mut standing = Standing::declared(&topology);
        standing.add(&topology, QueueId(2));
        let first = Envelope { exchange: ExchangeId(4), routing_key: "", headers: &[] };
        assert_eq!(route(&topology, &standing, first), [QueueId(2)]);
        standing.remove(&topology, QueueId(2));
        assert!(!standing.exchanges[2] && !standing.exchanges[4]);
    }
}
