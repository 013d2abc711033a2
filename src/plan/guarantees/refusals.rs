//! What the workers on a queue refuse, message by message.

use crate::plan::content::{Content, Rejections};
use crate::plan::guarantees::copies::FOLLOWED;
use crate::plan::guarantees::range::Range;
use crate::plan::guarantees::threats::Threats;
use crate::plan::model::{ExchangeRef, ProducerId, QueueId, QueueKind, Variant};
use crate::plan::routing::{Envelope, Standing, route};

/// What is refused from one queue when everything in it is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusals {
    /// Copies that are refused for good.
    pub finals: Range,
    /// Refusals that give a copy back.
    pub returns: Range,
    /// How often one copy comes back at most; `None` is for ever.
    pub most: Option<u64>,
    /// Copies that come back for ever, or more often than their queue allows, where the others are
    /// known; they are in nothing else here.
    pub endless: Option<u64>,
}

impl Refusals {
    pub const NONE: Self =
        Self { finals: Range::ZERO, returns: Range::ZERO, most: Some(0), endless: None };
}

/// What the workers on a queue refuse of `copies`; `plain`: these are what the producers publish
/// there, all of it.
pub fn refusals(threats: &Threats<'_>, id: QueueId, copies: Range, plain: bool) -> Refusals {
    let variant = threats.variant;
    let mut workers = threats.workers_of(id);
    if workers.all(|(_, worker)| worker.rejects.is_empty()) {
        return Refusals::NONE;
    }
    let (first, worker) = threats.workers_of(id).next().expect("somebody refuses");
    let alike = threats.workers_of(id).all(|(_, other)| other.rejects == worker.rejects);
    let rejections = Rejections::new(variant, first).filter(|_| alike && plain);
    let stream = variant.topology.queues[id.index()].kind == QueueKind::Stream;
    match rejections.and_then(|rejections| followed(threats, id, &rejections)) {
        Some(known) if !stream => known,
        _ => unknown(threats, id, copies),
    }
}

/// Any of the copies may be refused, as often as the rules let it.
fn unknown(threats: &Threats<'_>, id: QueueId, copies: Range) -> Refusals {
    let rules = || threats.workers_of(id).flat_map(|(_, worker)| &worker.rejects);
    let finals = match rules().any(|rule| !rule.requeue) {
        true => copies.or_none(),
        false => Range::ZERO,
    };
    let times = rules().filter(|rule| rule.requeue).map(|rule| rule.times);
    let most = times.sum::<Option<u64>>();
    let high = most.zip(copies.high).map(|(most, copies)| most.saturating_mul(copies));
    Refusals { finals, returns: Range { low: 0, high }, most, endless: None }
}

/// Looks at each message that is published to this queue, by its producer and its number; `None`
/// where there are too many to follow, or `look` gives up.
pub fn each_arriving(
    variant: &Variant,
    id: QueueId,
    mut look: impl FnMut(ProducerId, u64) -> Option<()>,
) -> Option<()> {
    let sum: u64 = variant.producers.iter().map(|producer| producer.messages).sum();
    if sum > FOLLOWED {
        return None;
    }
    let standing = Standing::whole(&variant.topology);
    for (index, producer) in variant.producers.iter().enumerate() {
        let ExchangeRef::Declared(exchange) = producer.to.exchange else { continue };
        let content = Content::new(producer, variant.seed);
        for n in 1..=producer.messages {
            let (key, headers) = (content.routing_key(n), content.headers(n));
            let envelope = Envelope { exchange, routing_key: &key, headers: &headers };
            if route(&variant.topology, &standing, envelope).contains(&id) {
                look(ProducerId::from_index(index), n)?;
            }
        }
    }
    Some(())
}

/// What becomes of each message under these rules; `None` where that cannot be followed.
fn followed(threats: &Threats<'_>, id: QueueId, rejections: &Rejections) -> Option<Refusals> {
    let variant = threats.variant;
    let (mut finals, mut returns, mut most, mut endless) = (0, 0, 0, 0);
    let limit = variant.topology.queues[id.index()].delivery_limit;
    let limit = limit.and_then(|limit| u64::try_from(limit).ok());
    each_arriving(variant, id, |producer, n| {
        let mut before = 0;
        while let Some(rule) = rejections.rule(producer, n, before) {
            if !rule.requeue {
                finals += 1;
                break;
            }
            if rule.times.is_none() || limit == Some(before) {
                endless += 1;
                before = 0;
                break;
            }
            before += 1;
        }
        returns += before;
        most = most.max(before);
        Some(())
    })?;
    let (finals, returns) = (Range::exactly(finals), Range::exactly(returns));
    let most = (endless == 0).then_some(most);
    Some(Refusals { finals, returns, most, endless: Some(endless).filter(|n| *n > 0) })
}
