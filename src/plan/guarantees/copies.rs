//! Where the messages of each producer go: how many copies each queue gets, and how many
//! messages none.

use crate::plan::content::Content;
use crate::plan::guarantees::range::Range;
use crate::plan::guarantees::threats::{Threats, Weather};
use crate::plan::model::{
    BoundTo, ExchangeId, ExchangeKind, ExchangeRef, Producer, ProducerId, QueueId, QueueKind,
    Topology, Variant, Worker,
};
use crate::plan::pattern::Pattern;
use crate::plan::routing::{Envelope, Standing, route};

/// More messages with keys or headers that change are not followed one by one.
pub const FOLLOWED: u64 = 1_000_000;
/// Versions that route differently: by the types of header values.
const VERSIONS: [&str; 2] = ["3.10.0", "4.3.0"];

/// Of one producer's messages.
#[derive(Debug, Clone)]
pub struct Destinations {
    /// By queue.
    pub copies: Vec<Range>,
    /// Those that no queue gets.
    pub unroutable: Range,
}

/// Where the first messages of a producer go, if it publishes as many as this.
pub fn destinations(threats: &Threats<'_>, id: ProducerId, published: Range) -> Destinations {
    let variant = threats.variant;
    let producer = &variant.producers[id.index()];
    let queues = variant.topology.queues.len();
    let ExchangeRef::Declared(exchange) = producer.to.exchange else {
        return Destinations { copies: vec![Range::ZERO; queues], unroutable: published };
    };
    let content = Content::new(producer, variant.seed);
    let most = published.high.unwrap_or(producer.messages);
    if most > FOLLOWED && !content.is_uniform() {
        let any = Range::up_to(most);
        return Destinations { copies: vec![any; queues], unroutable: any };
    }
    let versions = if no_headers(&variant.topology) { &VERSIONS[..1] } else { &VERSIONS };
    let steady = steady(threats, threats.is_through(id));
    let counts = versions.iter().map(|version| {
        let standing = Standing::whole(&variant.topology).on(version);
        let way = Way { topology: &variant.topology, standing, exchange, steady: &steady };
        count(&way, &content, (published.low, most))
    });
    let counts: Vec<_> = counts.collect();
    let range = |get: &dyn Fn(&Vec<u64>) -> u64| {
        let ends = counts.iter().map(|(low, high)| Range::between(get(low), get(high)));
        ends.reduce(Range::hull).expect("there are versions")
    };
    // What an alternate exchange gets depends on what is not there.
    let shifts = steady.contains(&false)
        && variant.topology.exchanges.iter().any(|exchange| exchange.alternate.is_some());
    let copies = (0..queues).map(|queue| match (steady[queue], shifts) {
        (true, false) => range(&|counts| counts[queue]),
        (false, false) => range(&|counts| counts[queue]).or_none(),
        (_, true) => Range::up_to(most),
    });
    let copies = copies.collect();
    let none = range(&|counts| counts[queues]);
    // What goes to a queue that is always there has come to a queue.
    let missed = range(&|counts| counts[queues + 1]).high.filter(|_| !shifts).unwrap_or(most);
    let unroutable = match steady.contains(&false) {
        true => Range::between(none.low.min(published.low), missed),
        false => none,
    };
    Destinations { copies, unroutable }
}

/// Which queues are there whenever somebody publishes, with the bindings that lead to them.
fn steady(threats: &Threats<'_>, through: bool) -> Vec<bool> {
    let topology = &threats.variant.topology;
    let calm = through || threats.weather == Weather::Calm;
    let exchanges_stay = calm
        || topology.exchanges.iter().all(|exchange| exchange.durable || exchange.name.is_empty());
    let all = topology.queues.iter().enumerate();
    all.map(|(index, queue)| {
        let durable = calm || queue.durable;
        let id = QueueId::from_index(index);
        exchanges_stay && durable && threats.comes_first(id) && threats.stays(id)
    })
    .collect()
}

/// By what a message comes to its queues.
struct Way<'a> {
    topology: &'a Topology,
    standing: Standing,
    exchange: ExchangeId,
    /// By queue: whether it is always there.
    steady: &'a [bool],
}

/// How many messages each queue gets, and behind the queues how many none does, and how many none
/// that is always there: of the first `low` and of the first `most`.
fn count(way: &Way<'_>, content: &Content, (low, most): (u64, u64)) -> (Vec<u64>, Vec<u64>) {
    let none = way.topology.queues.len();
    let add = |counts: &mut [u64], n: u64, weight: u64| {
        let (key, headers) = (content.routing_key(n), content.headers(n));
        let envelope = Envelope { exchange: way.exchange, routing_key: &key, headers: &headers };
        let queues = route(way.topology, &way.standing, envelope);
        if queues.is_empty() {
            counts[none] += weight;
        }
        if queues.iter().all(|queue| !way.steady[queue.index()]) {
            counts[none + 1] += weight;
        }
        for queue in queues {
            counts[queue.index()] += weight;
        }
    };
    let follow = |counts: &mut [u64], from: u64, to: u64| match content.is_uniform() {
        true => add(counts, 1, to - from),
        false => (from + 1..=to).for_each(|n| add(counts, n, 1)),
    };
    let mut counts = vec![0; none + 2];
    follow(&mut counts, 0, low);
    let first = counts.clone();
    follow(&mut counts, low, most);
    (first, counts)
}

/// Where a queue's dead letters go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadRoute {
    /// It sends none.
    Nowhere,
    /// All of them to each of these; to none where nothing is behind its exchange.
    To(Vec<QueueId>),
    /// To some of these: that differs from message to message.
    Varies(Vec<QueueId>),
}

/// Where the dead letters of this queue go.
pub fn dead_route(threats: &Threats<'_>, id: QueueId) -> DeadRoute {
    let variant = threats.variant;
    let Some(letter) = &variant.topology.queues[id.index()].dead_letter else {
        return DeadRoute::Nowhere;
    };
    if sends_no_letters(threats, id) {
        return DeadRoute::Nowhere;
    }
    let ExchangeRef::Declared(exchange) = letter.exchange else {
        return DeadRoute::To(Vec::new());
    };
    let standing = Standing::whole(&variant.topology);
    let to = |key: &str, headers: &[_]| {
        route(&variant.topology, &standing, Envelope { exchange, routing_key: key, headers })
    };
    let plain = |it: &Producer| it.headers.is_empty() || no_headers(&variant.topology);
    let headless = variant.producers.iter().all(plain);
    let all = &variant.topology.exchanges;
    if all[exchange.index()].kind == ExchangeKind::Fanout && is_last(&variant.topology, exchange) {
        return DeadRoute::To(to("", &[]));
    }
    match &letter.routing_key {
        Some(key) if headless => DeadRoute::To(to(key, &[])),
        // The key that a message came with may be another queue's.
        None if headless && !feeds(variant, id) => {
            let keys = variant.producers.iter().map(|producer| match &producer.to.routing_key {
                Pattern::Always(key) => Some(to(key, &[])),
                _ => None,
            });
            let mut keys = keys.collect::<Option<Vec<_>>>().unwrap_or_default();
            keys.dedup();
            match <[_; 1]>::try_from(keys) {
                Ok([only]) => DeadRoute::To(only),
                Err(_) => DeadRoute::Varies(reachable(&variant.topology, exchange)),
            }
        }
        _ => DeadRoute::Varies(reachable(&variant.topology, exchange)),
    }
}

/// Where all dead letters go that take this way; `None` where it differs from letter to letter, or
/// there are none.
pub fn letters_to(route: &DeadRoute) -> Option<&[QueueId]> {
    match route {
        DeadRoute::To(queues) => Some(queues),
        DeadRoute::Nowhere | DeadRoute::Varies(_) => None,
    }
}

/// Whether no dead letter of this queue comes back to it, through whatever other queues.
pub fn letters_stay_away(threats: &Threats<'_>, id: QueueId) -> bool {
    let last = |to: &QueueId| {
        *to != id && threats.variant.topology.queues[to.index()].dead_letter.is_none()
    };
    match dead_route(threats, id) {
        DeadRoute::Nowhere => true,
        DeadRoute::To(queues) => queues.iter().all(last),
        DeadRoute::Varies(_) => false,
    }
}

/// Whether nothing makes a dead letter in this queue: no time to live, no length, no refusal for
/// good, and no limit of returns, which only quorum queues have.
fn sends_no_letters(threats: &Threats<'_>, id: QueueId) -> bool {
    let queue = &threats.variant.topology.queues[id.index()];
    let lasts = queue.message_ttl.is_none()
        && threats.variant.producers.iter().all(|producer| producer.ttl.is_none());
    let kept = |worker: &Worker| worker.rejects.iter().all(|rule| rule.requeue);
    queue.kind == QueueKind::Classic
        && lasts
        && !queue.is_bounded()
        && queue.arguments.is_empty()
        && !threats.is_probed(queue)
        && threats.workers_of(id).all(|(_, worker)| kept(worker))
}

/// The queues that something published to this exchange may come to, with any key.
fn reachable(topology: &Topology, exchange: ExchangeId) -> Vec<QueueId> {
    let mut queues = Vec::new();
    let mut seen = vec![exchange];
    let mut next = 0;
    while let Some(id) = seen.get(next).copied() {
        next += 1;
        if id == ExchangeId(0) {
            queues.extend((0..topology.queues.len()).map(QueueId::from_index));
        }
        let from = topology.bindings.iter().filter(|binding| binding.from == id);
        let mut exchanges: Vec<ExchangeId> = Vec::new();
        for binding in from {
            match binding.to {
                BoundTo::Queue(queue) => queues.push(queue),
                BoundTo::Exchange(exchange) => exchanges.push(exchange),
            }
        }
        if let Some(ExchangeRef::Declared(alternate)) = &topology.exchanges[id.index()].alternate {
            exchanges.push(*alternate);
        }
        exchanges.retain(|exchange| !seen.contains(exchange));
        seen.extend(exchanges);
    }
    queues.sort_unstable();
    queues.dedup();
    queues
}

/// Whether headers decide nothing.
fn no_headers(topology: &Topology) -> bool {
    topology.exchanges.iter().all(|exchange| exchange.kind != ExchangeKind::Headers)
}

/// Whether its bindings all lead to queues, at once.
fn is_last(topology: &Topology, exchange: ExchangeId) -> bool {
    let mut bindings = topology.bindings.iter().filter(|binding| binding.from == exchange);
    bindings.all(|binding| matches!(binding.to, BoundTo::Queue(_)))
}

/// Whether other queues' dead letters with a key of their own may come to this one.
fn feeds(variant: &Variant, id: QueueId) -> bool {
    let letters = variant.topology.queues.iter().enumerate();
    letters
        .filter(|(index, _)| QueueId::from_index(*index) != id)
        .any(|(_, queue)| queue.dead_letter.as_ref().is_some_and(|it| it.routing_key.is_some()))
}
