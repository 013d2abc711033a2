//! What two queues come to together, where one is all that the other's dead letters go to.
//!
//! How many letters there are may depend on the moment. But a copy that is not done in the first
//! queue is done in the second, so what is done in both is known.

use crate::plan::count::{COPY_OUTCOMES, Count};
use crate::plan::guarantees::copies::{DeadRoute, letters_to};
use crate::plan::guarantees::outcomes::Outcome;
use crate::plan::guarantees::publishing::Sent;
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::staffing::Staff;
use crate::plan::guarantees::threats::Threats;
use crate::plan::model::{AckMode, QueueId, QueueKind};

/// Puts the sums of such queues into the sheets of the first of them, and nothing into the others'.
pub fn join(threats: &Threats<'_>, sent: &[Sent], routes: &[DeadRoute], outcomes: &mut [Outcome]) {
    for first in 0..outcomes.len() {
        let Some((second, copies)) = pair(threats, sent, (routes, outcomes), first) else {
            continue;
        };
        let all = Bound::new(copies, Rule::DeadLetters);
        let acks = acks_all(threats, first) && acks_all(threats, second);
        let counts = [Count::Delivered, Count::Finished, Count::Acked];
        for count in counts.into_iter().filter(|count| acks || *count != Count::Acked) {
            outcomes[first].sheet.set(count, all);
            outcomes[second].sheet.set(count, Bound::never());
        }
    }
}

/// The queue that this one's dead letters go to, and how many copies are done in either.
fn pair(
    threats: &Threats<'_>,
    sent: &[Sent],
    (routes, outcomes): (&[DeadRoute], &[Outcome]),
    first: usize,
) -> Option<(usize, Range)> {
    let [second] = letters_to(&routes[first])? else { return None };
    let second = second.index();
    let ours = |route: &DeadRoute| match route {
        DeadRoute::Nowhere => false,
        DeadRoute::To(queues) | DeadRoute::Varies(queues) => {
            queues.contains(&QueueId::from_index(second))
        }
    };
    let alone = first != second
        && routes.iter().enumerate().all(|(from, route)| from == first || !ours(route));
    let own = |queue: usize| {
        let copies = sent.iter().map(|sent| sent.destinations.copies[queue]);
        copies.reduce(|one, other| one + other)?.exact()
    };
    let lasts = |queue: usize, ways: &[Count]| {
        let sheet = &outcomes[queue].sheet;
        let others = COPY_OUTCOMES.into_iter().filter(|count| !ways.contains(count));
        let once = sheet.range(Count::Duplicates).is_zero();
        let stream = threats.variant.topology.queues[queue].kind == QueueKind::Stream;
        once && !stream && others.into_iter().all(|count| sheet.range(count).is_zero())
    };
    let certain = alone
        && !outcomes[first].sheet.range(Count::DeadLettered).is_zero()
        && outcomes[first].sheet.range(Count::Expected).exact() == own(first)
        && lasts(first, &[Count::Delivered, Count::DeadLettered])
        && lasts(second, &[Count::Delivered]);
    let copies = own(first)?.checked_add(own(second)?)?;
    certain.then_some((second, Range::exactly(copies)))
}

/// Whether everybody there acks whatever he finishes, before anything can end him.
fn acks_all(threats: &Threats<'_>, index: usize) -> bool {
    let staff = Staff::of(threats, QueueId::from_index(index));
    staff.is_sure() && staff.only_die() && staff.all(|mode| mode == AckMode::Manual { every: 1 })
}
