//! What a scenario guarantees before it runs: for each count the numbers that the file allows.
//!
//! A guarantee holds for a run that comes to rest: one that is cut at its deadline is not judged.
//! It holds on every version of RabbitMQ that the variant may run on. Where the file leaves
//! something to chance, the range is wide; it is never narrower than what can happen.

mod copies;
mod joint;
mod outcomes;
mod publishing;
pub mod range;
mod refusals;
mod requests;
mod retries;
pub mod rules;
mod sheet;
mod staffing;
mod threats;

use std::ops::Add as _;

use crate::plan::count::{ALL, Count};
use crate::plan::guarantees::copies::{DeadRoute, dead_route};
use crate::plan::guarantees::joint::join;
use crate::plan::guarantees::outcomes::{Arrivals, Outcome, Round, outcome};
use crate::plan::guarantees::publishing::{Sent, sent};
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::retries::retries;
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::sheet::Sheet;
use crate::plan::guarantees::threats::Threats;
use crate::plan::model::{ProducerId, QueueId, Scope, Variant};

/// What one count can come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guarantee {
    pub count: Count,
    pub range: Range,
    pub rule: Rule,
}

/// What each count of a variant can come to, in the order of [`ALL`].
pub fn guarantees(variant: &Variant) -> Vec<Guarantee> {
    let threats = Threats::of(variant);
    let producers = (0..variant.producers.len()).map(ProducerId::from_index);
    let sent: Vec<Sent> = producers.map(|id| sent(&threats, id)).collect();
    let mut all = Sheet::default();
    sent.iter().for_each(|sent| all.add(&sent.sheet));
    let routes = routes(&threats);
    let mut outcomes = outcomes(&threats, &sent, &routes);
    join(&threats, &sent, &routes, &mut outcomes);
    outcomes.iter().for_each(|outcome| all.add(&outcome.sheet));
    let guarantee = |count| {
        let Bound { range, rule } = all.get(count);
        Guarantee { count, range, rule }
    };
    ALL.into_iter().map(guarantee).collect()
}

/// What one count of a part of a variant can come to; [`Range::ANY`] where the whole says nothing
/// of its parts.
pub fn of_scope(variant: &Variant, scope: &Scope, count: Count) -> Range {
    let threats = Threats::of(variant);
    let ids = (0..variant.producers.len()).map(ProducerId::from_index);
    let sent: Vec<Sent> = ids.map(|id| sent(&threats, id)).collect();
    let of_queues = outcomes(&threats, &sent, &routes(&threats));
    let of_queue = |id: &QueueId| of_queues[id.index()].sheet.range(count);
    let of_producer = |id: &ProducerId| sent[id.index()].sheet.range(count);
    let whole = || {
        let queues = of_queues.iter().map(|outcome| outcome.sheet.range(count));
        queues.chain(sent.iter().map(|sent| sent.sheet.range(count))).fold(Range::ZERO, Range::add)
    };
    match scope {
        Scope::All => whole(),
        Scope::Queue(id) => of_queue(id),
        Scope::Queues(ids) => ids.iter().map(of_queue).fold(Range::ZERO, Range::add),
        // What concerns a publish, a producer knows by itself.
        Scope::Producers(ids) if count.base() == Count::Published => {
            ids.iter().map(of_producer).fold(Range::ZERO, Range::add)
        }
        Scope::Producers(ids) if ids.len() == variant.producers.len() => whole(),
        // What a worker rejects is not what becomes of a copy.
        Scope::Workers(_) if count == Count::Rejected => Range::ANY,
        Scope::Workers(ids) if ids.len() == variant.workers.len() => whole(),
        Scope::Producers(_) | Scope::Workers(_) => whole().or_none(),
    }
}

/// Where the messages of one producer go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    pub producer: ProducerId,
    /// The queues that get any, and how many copies.
    pub queues: Vec<(QueueId, Range)>,
    /// Messages that no queue gets.
    pub unroutable: Range,
}

/// Which producers reach which queues.
pub fn reach(variant: &Variant) -> Vec<Reach> {
    let threats = Threats::of(variant);
    let producers = (0..variant.producers.len()).map(ProducerId::from_index);
    let reach = |producer| {
        let sent = sent(&threats, producer);
        let copies = sent.destinations.copies.iter().enumerate();
        let queues = copies
            .filter(|(_, copies)| **copies != Range::ZERO)
            .map(|(queue, copies)| (QueueId::from_index(queue), *copies));
        let unroutable = sent.destinations.unroutable;
        Reach { producer, queues: queues.collect(), unroutable }
    };
    producers.map(reach).collect()
}

/// Where each queue's dead letters go.
fn routes(threats: &Threats<'_>) -> Vec<DeadRoute> {
    let queues = 0..threats.variant.topology.queues.len();
    queues.map(|index| dead_route(threats, QueueId::from_index(index))).collect()
}

/// What becomes of every queue's copies: those first whose dead letters come to others.
fn outcomes(threats: &Threats<'_>, sent: &[Sent], routes: &[DeadRoute]) -> Vec<Outcome> {
    let queues = routes.len();
    let mut done: Vec<Option<Outcome>> = (0..queues).map(|_| None).collect();
    loop {
        let open = |queue: usize| done[queue].is_none();
        let ready = (0..queues).find(|queue| {
            open(*queue) && (0..queues).all(|from| !open(from) || !leads(&routes[from], *queue))
        });
        let retried = |queue| Some((queue, Round::Known(retries(threats, sent, routes, queue)?)));
        let next = ready.map(|queue| (queue, Round::Outside));
        let next = next.or_else(|| (0..queues).filter(|queue| open(*queue)).find_map(retried));
        let first = || (0..queues).find(|queue| open(*queue)).map(|queue| (queue, Round::Unknown));
        let Some((queue, round)) = next.or_else(first) else { break };
        let arrivals = arrivals(sent, (routes, &done), queue, round);
        done[queue] = Some(outcome(threats, QueueId::from_index(queue), &arrivals));
    }
    done.into_iter().flatten().collect()
}

/// Whether dead letters may go there.
fn leads(route: &DeadRoute, queue: usize) -> bool {
    match route {
        DeadRoute::Nowhere => false,
        DeadRoute::To(queues) | DeadRoute::Varies(queues) => {
            queues.iter().any(|id| id.index() == queue)
        }
    }
}

/// What comes to a queue: from producers, and from queues that are done.
fn arrivals(
    sent: &[Sent],
    (routes, done): (&[DeadRoute], &[Option<Outcome>]),
    queue: usize,
    round: Round,
) -> Arrivals {
    let none = Range::ZERO;
    let mut arrivals = Arrivals {
        copies: Bound::new(none, Rule::Routing),
        letters: false,
        unanswered: none,
        unsent: none,
        again: none,
        whole: true,
        round,
    };
    for sent in sent {
        let copies = sent.destinations.copies[queue];
        let published = sent.sheet.get(Count::Published);
        let rule = match (copies.exact(), published.range.exact()) {
            (None, Some(_)) => Rule::QueueComes,
            (None, None) => published.rule,
            (Some(_), _) => Rule::Routing,
        };
        arrivals.copies = arrivals.copies + Bound::new(copies, rule);
        arrivals.unanswered = arrivals.unanswered + sent.unanswered.at_most(copies.high).or_none();
        arrivals.unsent = arrivals.unsent + sent.unsent.at_most(copies.high).or_none();
        if copies != none {
            arrivals.again = arrivals.again + sent.again;
        }
        arrivals.whole &= published.range.exact().is_some() && copies.exact().is_some();
    }
    if let Round::Known(letters) = round {
        arrivals.letters |= letters > 0;
        arrivals.copies = arrivals.copies + Bound::new(Range::exactly(letters), Rule::Rounds);
        return arrivals;
    }
    for (route, from) in routes.iter().zip(done) {
        let letters = match (route, from) {
            (route, _) if !leads(route, queue) => continue,
            (DeadRoute::To(_), Some(outcome)) => outcome.dead,
            (_, Some(outcome)) => outcome.dead.or_none(),
            (_, None) => Range::ANY,
        };
        arrivals.letters |= !letters.is_zero();
        arrivals.copies = arrivals.copies + Bound::new(letters, Rule::DeadLetters).or_never();
    }
    arrivals
}
