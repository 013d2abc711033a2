//! Probes as meant: one operation each, its moment, and what is expected of the answer.

use crate::plan::context::Context;
use crate::plan::model::{
    AckMode, Expectation, Expected, ExpectedError, Operation, Probe, Queue, QueueKind, Topology,
};
use crate::plan::topology::{exchanges, queues};
use crate::plan::{errors, triggers};
use crate::scenario::actors::Ack;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::node::At;
use crate::scenario::probe::{self as written, Probe as Written};
use crate::scenario::scalar::{Name, Whole as WrittenNumber};

const OPERATIONS: &str = "write one of `declare_queue`, `declare_exchange`, `publish`, `consume`, \
                          `get`, `ack_unknown_tag` and `qos`";

/// A probe that consumes is sent one message at most, so that workers miss little.
const PREFETCH: u16 = 1;

/// The probes of the file, in its order, and what is expected of them; all mistakes are recorded.
pub fn plan(
    context: &Context,
    topology: &Topology,
    out: &mut Vec<Expectation>,
    found: &mut Collector,
) -> Vec<Probe> {
    let mut probes = Vec::new();
    for entry in context.file.probes.iter().filter(|entry| entry.condition != Some(false)) {
        let expected = expected(entry, found);
        let planner = Planner { entry, context, topology };
        let Some((operation, about)) = planner.operation(found) else { continue };
        let when = entry.when.as_ref().map(|when| {
            let meant = triggers::plain(&when.value, when.at, context, found);
            // Without a meaning there is a mistake, and no run.
            meant.unwrap_or(crate::plan::model::Trigger::At(std::time::Duration::ZERO))
        });
        if let Some((key, error, at)) = expected {
            let text = error.as_ref().map_or("true".to_owned(), |error| errors::text(error, None));
            out.push(Expectation {
                path: format!("probes.{}.{key}", probes.len() + 1),
                expected: text,
                what: Expected::Told { probe: probes.len(), error },
                at,
            });
        }
        probes.push(Probe { operation, about, when, at: entry.at });
    }
    probes
}

/// The key that says what is expected, the error unless all shall be well, and the place.
type Wanted = (&'static str, Option<ExpectedError>, At);

fn expected(entry: &Written, found: &mut Collector) -> Option<Wanted> {
    match (&entry.expect_error, entry.expect_ok) {
        (Some(_), Some(ok)) => {
            let text = "a probe is answered with an error or with ok, not with both";
            let help = "keep one of `expect_error` and `expect_ok`";
            found.push(Mistake::new(ok.at, text).help(help));
            None
        }
        (None, Some(ok)) if !ok.value => {
            let text = "`expect_ok: false` does not say what is expected";
            let help = "write `expect_error: {}` for any error, or leave it out";
            found.push(Mistake::new(ok.at, text).help(help));
            None
        }
        (None, Some(ok)) => Some(("expect_ok", None, ok.at)),
        (Some(error), None) => {
            let code = errors::code(error.code, found)?;
            let text = error.text.clone();
            let like = ExpectedError { who: None, scope: None, code, text };
            Some(("expect_error", Some(like), error.at))
        }
        (None, None) => None,
    }
}

struct Planner<'a, 'f> {
    entry: &'a Located<Written>,
    context: &'a Context<'f>,
    topology: &'a Topology,
}

impl Planner<'_, '_> {
    /// The one operation, and what it is about.
    fn operation(&self, found: &mut Collector) -> Option<(Operation, String)> {
        self.one(found)?;
        let Written { declare_queue, declare_exchange, publish, .. } = &self.entry.value;
        let Written { consume, get, ack_unknown_tag, qos, .. } = &self.entry.value;
        if let Some(queue) = declare_queue {
            return Some(self.declare_queue(queue, found));
        }
        if let Some(exchange) = declare_exchange {
            return Some(self.declare_exchange(exchange, found));
        }
        if let Some(publish) = publish {
            return Some(self.publish(publish));
        }
        if let Some(consume) = consume {
            return self.consume(consume, found);
        }
        if let Some(get) = get {
            return self.get(get, found);
        }
        if let Some(tag) = ack_unknown_tag {
            return Some((Operation::AckUnknownTag(tag.value), tag.value.to_string()));
        }
        qos.as_ref().map(|qos| self.qos(qos))
    }

    /// Exactly one operation is there.
    fn one(&self, found: &mut Collector) -> Option<()> {
        let mut there = places(self.entry);
        there.sort_by_key(|(_, at)| at.position());
        match there.as_slice() {
            [_] => Some(()),
            [] => {
                let at = self.entry.at;
                let mistake = Mistake::new(at, "a probe needs an operation");
                found.push(mistake.needs(Whole::Node(at)).help(OPERATIONS));
                None
            }
            [_, (word, at), ..] => {
                let text = format!("a probe has one operation, and `{word}` is a second one");
                found.push(Mistake::new(*at, text).help("make it an entry of its own"));
                None
            }
        }
    }

    fn declare_queue(
        &self,
        entry: &Located<crate::scenario::topology::Queue>,
        found: &mut Collector,
    ) -> (Operation, String) {
        not_predeclared(entry.predeclared, entry.at, found);
        let queue = Box::new(queues::of_probe(entry, self.context, found));
        let passive = entry.passive.is_some_and(|passive| passive.value);
        let about = queue.name.clone();
        (Operation::DeclareQueue { queue, passive }, about)
    }

    fn declare_exchange(
        &self,
        entry: &Located<crate::scenario::topology::Exchange>,
        found: &mut Collector,
    ) -> (Operation, String) {
        not_predeclared(entry.predeclared, entry.at, found);
        let exchange = Box::new(exchanges::plan(entry, self.context, found));
        let passive = entry.passive.is_some_and(|passive| passive.value);
        let about = exchange.name.clone();
        (Operation::DeclareExchange { exchange, passive }, about)
    }

    fn publish(&self, publish: &written::Publish) -> (Operation, String) {
        let exchange = publish.exchange.clone().unwrap_or_default();
        let routing_key = publish.routing_key.clone().unwrap_or_default();
        let about = match exchange.as_str() {
            "" => format!("to {routing_key}"),
            _ => format!("to {exchange} {routing_key}").trim_end().to_owned(),
        };
        let mandatory = publish.mandatory.unwrap_or(false);
        let size = publish.size.map_or(0, |size| size.0);
        (Operation::Publish { exchange, routing_key, mandatory, size }, about)
    }

    fn consume(
        &self,
        consume: &written::Consume,
        found: &mut Collector,
    ) -> Option<(Operation, String)> {
        let ack = self.ack(&consume.queue, consume.ack, found)?;
        self.keeps_alive(&consume.queue, found);
        let queue = consume.queue.value.0.clone();
        let exclusive = consume.exclusive.unwrap_or(false);
        let prefetch = consume.prefetch.map_or(PREFETCH, prefetch);
        Some((Operation::Consume { queue: queue.clone(), ack, exclusive, prefetch }, queue))
    }

    fn get(&self, get: &written::Get, found: &mut Collector) -> Option<(Operation, String)> {
        if let Some(exclusive) = get.exclusive.filter(|exclusive| exclusive.value) {
            let text = "`exclusive` is asked for with a subscription, and `get` makes none";
            found.push(Mistake::new(exclusive.at, text).help("use `consume`, or leave it out"));
        }
        let ack = self.ack(&get.queue, get.ack, found)?;
        let queue = get.queue.value.0.clone();
        Some((Operation::Get { queue: queue.clone(), ack }, queue))
    }

    fn qos(&self, qos: &written::Qos) -> (Operation, String) {
        let prefetch = qos.prefetch.map_or(0, prefetch);
        let global = qos.global.unwrap_or(false);
        let queue = qos.queue.as_ref().map(|queue| queue.value.0.clone());
        let mut about = format!("prefetch {prefetch}");
        if global {
            about.push_str(" global");
        }
        if let Some(queue) = &queue {
            about.push_str(&format!(" on {queue}"));
        }
        (Operation::Qos { prefetch, global, queue }, about)
    }

    /// A probe puts back what it takes. Under automatic acks it would take messages away that the
    /// books would miss, unless the broker refuses or has nothing to lose.
    fn ack(
        &self,
        queue: &Located<Name>,
        ack: Option<Located<Ack>>,
        found: &mut Collector,
    ) -> Option<AckMode> {
        let Some(ack) = ack else { return Some(AckMode::Never) };
        match ack.value {
            Ack::Manual | Ack::Never => Some(AckMode::Never),
            Ack::Auto if self.may_take(queue) => {
                let text = format!(
                    "this probe would take messages away from `{}`, and they would be missed",
                    queue.value.0
                );
                let mistake = Mistake::new(ack.at, text);
                found.push(mistake.help(
                    "leave `ack` out: a probe puts back what it takes; beside `expect_error` it may stay",
                ));
                None
            }
            Ack::Auto => Some(AckMode::Auto),
            Ack::Early => {
                let text = "a probe does no work that it could ack early";
                found.push(Mistake::new(ack.at, text).help("write `auto` or `manual`"));
                None
            }
        }
    }

    fn may_take(&self, name: &Located<Name>) -> bool {
        let filled = self.context.file.producers.iter().any(|it| it.condition != Some(false));
        let queue = self.queue(name);
        filled
            && self.entry.expect_error.is_none()
            && queue.is_some_and(|queue| queue.kind != QueueKind::Stream)
    }

    /// A subscription that ends may take its queue along.
    fn keeps_alive(&self, name: &Located<Name>, found: &mut Collector) {
        let goes = self.queue(name).is_some_and(|queue| queue.auto_delete);
        if goes && self.entry.expect_error.is_none() {
            let text = format!(
                "`{}` goes with its last consumer, and this probe may be that",
                name.value.0
            );
            let help = "use `get`, or leave `auto_delete` out; beside `expect_error` it may stay";
            found.push(Mistake::new(name.at, text).help(help));
        }
    }

    fn queue(&self, name: &Located<Name>) -> Option<&Queue> {
        self.topology.queues.iter().find(|queue| queue.name == name.value.0)
    }
}

fn prefetch(written: WrittenNumber<0, 65_535>) -> u16 {
    u16::try_from(written.0).expect("a prefetch has 16 bits")
}

/// Every operation of an entry: its word and place.
fn places(entry: &Written) -> Vec<(&'static str, At)> {
    let Written { declare_queue, declare_exchange, publish, .. } = entry;
    let Written { consume, get, ack_unknown_tag, qos, .. } = entry;
    [
        ("declare_queue", declare_queue.as_ref().map(|it| it.at)),
        ("declare_exchange", declare_exchange.as_ref().map(|it| it.at)),
        ("publish", publish.as_ref().map(|it| it.at)),
        ("consume", consume.as_ref().map(|it| it.at)),
        ("get", get.as_ref().map(|it| it.at)),
        ("ack_unknown_tag", ack_unknown_tag.map(|it| it.at)),
        ("qos", qos.as_ref().map(|it| it.at)),
    ]
    .into_iter()
    .filter_map(|(word, at)| Some((word, at?)))
    .collect()
}

/// A probe that only looks says so with a word of its own.
fn not_predeclared(predeclared: Option<bool>, at: At, found: &mut Collector) {
    if predeclared == Some(true) {
        let text = "`predeclared` is said in the topology, not in a probe";
        found.push(Mistake::new(at, text).help("write `passive: true` to look for it only"));
    }
}
