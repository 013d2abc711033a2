//! What becomes of the publishes of one producer.

use crate::plan::content::Content;
use crate::plan::count::Count;
use crate::plan::guarantees::copies::{Destinations, destinations, letters_stay_away};
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::requests::all_answered;
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::guarantees::threats::{Begins, Blow, Threat, Threats, Weather};
use crate::plan::model::{
    Confirms, CountEvent, ExchangeRef, Overflow, Producer, ProducerId, QueueId, QueueKind, Scope,
    TOGETHER, Trigger, Unconfirmed, Variant,
};

/// Of messages that are no larger, in bytes, as many as go together are not too much together.
const SMALL: usize = 8 << 10;

/// One producer's part of everything.
pub struct Sent {
    pub sheet: Sheet,
    pub destinations: Destinations,
    /// How many publishes may be without an answer, though one was asked for.
    pub unanswered: Range,
    /// How many publishes nobody asked about may get lost on their way.
    pub unsent: Range,
    /// How many sends beyond the first of a message there may be.
    pub again: Range,
}

/// What one producer publishes, and what it is told.
pub fn sent(threats: &Threats<'_>, id: ProducerId) -> Sent {
    let producer = &threats.variant.producers[id.index()];
    let mut sheet = Sheet::default();
    let published = published(threats, id);
    let all = published.range;
    let destinations = destinations(threats, id, all);
    sheet.set(Count::Published, published);
    let cuts = cuts(threats, id);
    let confirms = producer.confirms != Confirms::Off;
    let republishes = producer.unconfirmed == Unconfirmed::Republish;
    let again = match republishes && cuts != Some(0) {
        true => Range { low: 0, high: cuts.map(|cuts| cuts.saturating_mul(in_flight(producer))) },
        false => Range::ZERO,
    };
    let unanswered = unanswered(threats, id, cuts).at_most(all.high);
    let unsent = if cuts == Some(0) { Range::ZERO } else { all.or_none() };
    if confirms {
        answers(threats, id, &mut sheet, (all, unanswered, &destinations));
    } else {
        sheet.set(Count::Unchecked, Bound::new(all, Rule::Unchecked));
    }
    sheet.set(Count::Republished, Bound::new(again, Rule::Republished).or_never());
    let unroutable = Bound::new(destinations.unroutable, Rule::Routing).or_never();
    sheet.set(Count::Unroutable, unroutable);
    let returned = match (producer.mandatory, cuts) {
        (false, _) => Range::ZERO,
        (true, Some(0)) => destinations.unroutable,
        (true, _) => destinations.unroutable.or_none(),
    };
    sheet.set(Count::Returned, Bound::new(returned, Rule::Returned).or_never());
    if producer.rpc.is_some() {
        if all_answered(threats, id, &destinations) {
            sheet.set(Count::Replied, Bound::new(all, Rule::Answered));
        } else {
            for count in [Count::Replied, Count::Unanswered] {
                sheet.set(count, Bound::new(all.or_none(), Rule::Replied));
            }
        }
    }
    let lost = if confirms { Range::ZERO } else { unsent };
    Sent {
        sheet,
        destinations,
        unanswered: if confirms { unanswered } else { Range::ZERO },
        unsent: lost,
        again,
    }
}

/// How many messages it publishes.
fn published(threats: &Threats<'_>, id: ProducerId) -> Bound {
    let producer = &threats.variant.producers[id.index()];
    let blows = threats.of_producer(id);
    let sure = threats.begins(producer.start.as_ref()) != Begins::Perhaps;
    let back = blows.iter().all(|threat| threat.blow.comes_back());
    let weather = match threats.weather {
        Weather::Calm => true,
        Weather::Restarts { .. } | Weather::Nodes(_) => {
            producer.reconnect.is_some() || threats.is_through(id)
        }
        Weather::Ends => threats.is_through(id),
    };
    if sure && back && weather && !threats.may_be_refused(id) {
        return Bound::new(Range::exactly(producer.messages), Rule::Published);
    }
    // A fault at a count of its own publishes stops it there.
    let own = |trigger: &Trigger| match trigger {
        Trigger::Count { event: CountEvent::Published, n, of: Scope::Producers(ids) } => {
            (*ids == [id] && *n <= producer.messages).then_some(*n)
        }
        _ => None,
    };
    let alone = threats.weather == Weather::Calm && sure && !threats.may_be_refused(id);
    let range = match &blows[..] {
        [] if sure && is_missing(producer) => {
            let least = at_least(threats.variant, producer);
            Some(Range::between(least, producer.messages))
        }
        [only] if alone && only.blow == (Blow::Dies { back: false }) => {
            own(only.trigger).map(Range::exactly)
        }
        _ => None,
    };
    let rule = if range.is_some_and(|range| blows.is_empty() && range.low > 0) {
        Rule::Together
    } else if blows.is_empty() && threats.weather == Weather::Calm && !sure {
        Rule::Perhaps
    } else if threats.may_be_refused(id) {
        Rule::Errors
    } else {
        Rule::PublisherDies
    };
    Bound::new(range.unwrap_or(Range::up_to(producer.messages)), rule)
}

/// Whether it publishes to an exchange that is not there: each publish ends its channel.
fn is_missing(producer: &Producer) -> bool {
    matches!(producer.to.exchange, ExchangeRef::Missing(_))
}

/// So many it hands over together at first, before it can hear anything: of a producer without a
/// rate, whose messages are small, where nothing else happens in the file that could come between.
fn at_least(variant: &Variant, producer: &Producer) -> u64 {
    let counted = |trigger: &Option<Trigger>| trigger.is_some();
    let quiet = variant.faults.is_empty()
        && variant.probes.is_empty()
        && variant.observations.is_empty()
        && !variant.producers.iter().any(|it| counted(&it.start))
        && !variant.workers.iter().any(|it| counted(&it.start) || counted(&it.stop));
    let plain = producer.rate.is_none() && producer.rpc.is_none() && producer.size.is_none();
    if !quiet || !plain {
        return 0;
    }
    let window = match producer.confirms {
        Confirms::Off => TOGETHER,
        Confirms::Window { in_flight, .. } => in_flight,
        Confirms::Batch { size, .. } => size,
    };
    let first = producer.messages.min(window).min(TOGETHER);
    let content = Content::new(producer, variant.seed);
    let mut body = Vec::new();
    let small = (1..=first).all(|n| {
        content.body(n, &mut body);
        body.len() <= SMALL
    });
    if small { first } else { 0 }
}

/// How often its connection may be lost with publishes on the way; `None` is nobody knows.
fn cuts(threats: &Threats<'_>, id: ProducerId) -> Option<u64> {
    let producer = &threats.variant.producers[id.index()];
    if threats.may_be_refused(id) {
        return None;
    }
    let blows = u64::try_from(threats.of_producer(id).len()).ok()?;
    match threats.weather {
        Weather::Calm => Some(blows),
        _ if threats.is_through(id) => Some(0),
        Weather::Restarts { times, .. } => Some(blows + times),
        // A channel that asks for a queue that nobody leads may fail, as often as it is opened.
        Weather::Nodes(losses) if losses.is_more() && threats.may_be_turned_away(id) => None,
        Weather::Nodes(losses) if !losses.strikes(producer.node) => Some(blows),
        Weather::Nodes(losses) if losses.is_more() => None,
        Weather::Nodes(losses) => Some(blows + losses.times),
        Weather::Ends => None,
    }
}

/// At most so many publishes are on their way.
fn in_flight(producer: &Producer) -> u64 {
    match producer.confirms {
        Confirms::Off => producer.messages,
        Confirms::Window { in_flight, .. } => in_flight,
        Confirms::Batch { size, .. } => size,
    }
}

/// How many may stay without an answer for good.
fn unanswered(threats: &Threats<'_>, id: ProducerId, cuts: Option<u64>) -> Range {
    let producer = &threats.variant.producers[id.index()];
    let republishes = producer.unconfirmed == Unconfirmed::Republish;
    let dies = |threat: &Threat<'_>| matches!(threat.blow, Blow::Dies { .. });
    let lives = !threats.of_producer(id).iter().any(dies);
    let outlasts = match threats.weather {
        Weather::Nodes(losses) => threats.is_patient(id) || !losses.silences(producer.node),
        _ => true,
    };
    match cuts {
        _ if !outlasts && !threats.is_through(id) => Range::up_to(producer.messages),
        Some(0) => Range::ZERO,
        _ if threats.weather == Weather::Ends => Range::up_to(producer.messages),
        _ if threats.may_be_refused(id) => Range::up_to(producer.messages),
        _ if republishes && lives && producer.reconnect.is_some() => Range::ZERO,
        Some(cuts) => Range::up_to(cuts.saturating_mul(in_flight(producer))),
        None => Range::up_to(producer.messages),
    }
}

/// Confirmed, refused or neither.
fn answers(
    threats: &Threats<'_>,
    id: ProducerId,
    sheet: &mut Sheet,
    (all, unanswered, destinations): (Range, Range, &Destinations),
) {
    let refused = refused(threats, id, destinations).at_most(all.high);
    let leaderless = matches!(threats.weather, Weather::Nodes(_)) && threats.may_be_turned_away(id);
    let full = if leaderless { Rule::Leaderless } else { Rule::FullQueue };
    sheet.set(Count::Refused, Bound::new(refused, full).or_never());
    sheet.set(Count::Unconfirmed, Bound::new(unanswered, Rule::Unanswered).or_never());
    let confirmed = (all - refused - unanswered).at_most(all.high);
    let rule = if refused.is_zero() { Rule::Confirmed } else { full };
    let rule = if unanswered.is_zero() { rule } else { Rule::Unanswered };
    // Of what goes to an exchange that is missing nothing is confirmed.
    if is_missing(&threats.variant.producers[id.index()]) {
        sheet.set(Count::Unconfirmed, Bound::new(all, Rule::Unanswered).or_never());
        sheet.set(Count::Confirmed, Bound::new(Range::ZERO, rule));
        return;
    }
    sheet.set(Count::Confirmed, Bound::new(confirmed, rule));
}

/// How many publishes the broker may refuse: those beyond what a queue takes that refuses more;
/// and anything, in bad weather or of a queue that is about to go.
fn refused(threats: &Threats<'_>, id: ProducerId, destinations: &Destinations) -> Range {
    let topology = &threats.variant.topology;
    let classic = topology.queues.iter().any(|queue| queue.kind != QueueKind::Quorum);
    let refuses =
        threats.may_be_turned_away(id) || matches!(threats.weather, Weather::Nodes(_)) && classic;
    if refuses && !threats.is_through(id) {
        return Range::up_to(threats.variant.producers[id.index()].messages);
    }
    let mut sum = Range::ZERO;
    for (index, queue) in topology.queues.iter().enumerate() {
        let copies = destinations.copies[index];
        // One that goes may refuse what is on its way to it. (Seen on 4.3.6, of a temporary queue.)
        let goes = !threats.stays(QueueId::from_index(index));
        if copies.high == Some(0) {
            continue;
        }
        if goes || (queue.is_bounded() && queue.overflow != Overflow::DropHead) {
            sum = sum + overflow(threats, QueueId::from_index(index), copies, goes);
        }
    }
    sum
}

/// What one queue refuses of one producer's messages.
fn overflow(threats: &Threats<'_>, id: QueueId, copies: Range, goes: bool) -> Range {
    let queue = &threats.variant.topology.queues[id.index()];
    let Some(most) = queue.max_length.filter(|_| queue.max_length_bytes.is_none()) else {
        return copies.or_none();
    };
    // Where it is the only one that publishes there, all that fits is taken; and where nobody takes
    // anything out of a classic queue, not more.
    let alone = threats.variant.producers.len() == 1 && letters_stay_away(threats, id);
    let beyond = (copies - Range::exactly(most)).at_most(copies.high);
    let lasts = queue.message_ttl.is_none()
        && threats.variant.producers.iter().all(|producer| producer.ttl.is_none());
    let still = lasts
        && threats.workers_of(id).next().is_none()
        && !threats.is_probed(queue)
        && queue.kind == QueueKind::Classic;
    let low = if alone && still && !goes { beyond.low } else { 0 };
    Range { low, high: if alone && !goes { beyond.high } else { copies.high } }
}
