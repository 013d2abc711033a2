//! Retries by way of a queue where nobody takes anything: what is refused waits there until its time
//! is up, and comes back.
//!
//! It knows such a circle only where everything about it is certain: every message is refused so
//! often and then done, and nothing else leads in or out.

use crate::plan::content::Rejections;
use crate::plan::count::Count;
use crate::plan::guarantees::copies::{DeadRoute, FOLLOWED, letters_to};
use crate::plan::guarantees::publishing::Sent;
use crate::plan::guarantees::refusals::each_arriving;
use crate::plan::guarantees::staffing::Staff;
use crate::plan::guarantees::threats::{Threats, Weather};
use crate::plan::model::{AckMode, ProducerId, Queue, QueueId, QueueKind, Refusal, Worker};

/// How many refusals send something round, if this is the queue of such a circle that is worked on.
pub fn retries(
    threats: &Threats<'_>,
    sent: &[Sent],
    routes: &[DeadRoute],
    work: usize,
) -> Option<u64> {
    let [wait] = letters_to(&routes[work])? else { return None };
    let wait = wait.index();
    let back = letters_to(&routes[wait])? == [QueueId::from_index(work)];
    let ours = |queue: usize| queue == work || queue == wait;
    let apart = routes.iter().enumerate().all(|(from, route)| ours(from) || !enters(route, ours));
    let certain = back
        && work != wait
        && apart
        && arrives_whole(threats, sent, (work, wait))
        && is_plain(threats, work)
        && is_plain(threats, wait)
        && is_worked_on(threats, work)
        && is_waited_in(threats, wait);
    if certain { refused(threats, QueueId::from_index(work)) } else { None }
}

fn enters(route: &DeadRoute, ours: impl Fn(usize) -> bool) -> bool {
    match route {
        DeadRoute::Nowhere => false,
        DeadRoute::To(queues) | DeadRoute::Varies(queues) => {
            queues.iter().any(|id| ours(id.index()))
        }
    }
}

/// Whether every producer publishes all that it has, and nothing of it straight to where it waits.
fn arrives_whole(threats: &Threats<'_>, sent: &[Sent], (work, wait): (usize, usize)) -> bool {
    let lives = (0..sent.len()).all(|index| {
        let id = ProducerId::from_index(index);
        threats.of_producer(id).is_empty() && !threats.may_be_refused(id)
    });
    let messages = threats.variant.producers.iter().map(|producer| producer.messages);
    let whole = sent.iter().zip(messages).all(|(sent, messages)| {
        let published = sent.sheet.range(Count::Published);
        published.exact() == Some(messages)
            && sent.destinations.copies[work].exact().is_some()
            && sent.destinations.copies[wait].is_zero()
            && sent.again.is_zero()
            && sent.unsent.is_zero()
            && sent.unanswered.is_zero()
    });
    threats.weather == Weather::Calm && lives && whole
}

/// Whether it is a queue that nothing but its workers and its time to live takes anything from.
fn is_plain(threats: &Threats<'_>, index: usize) -> bool {
    let queue: &Queue = &threats.variant.topology.queues[index];
    queue.kind == QueueKind::Classic
        && queue.owner.is_none()
        && queue.arguments.is_empty()
        && !queue.is_bounded()
        && !threats.is_probed(queue)
        && !threats.has_settings()
        && threats.stays(QueueId::from_index(index))
}

/// Whether somebody works there to the end on whatever comes, and all refuse alike.
fn is_worked_on(threats: &Threats<'_>, index: usize) -> bool {
    let id = QueueId::from_index(index);
    let staff = Staff::of(threats, id);
    let lasts = threats.variant.topology.queues[index].message_ttl.is_none()
        && threats.variant.producers.iter().all(|producer| producer.ttl.is_none());
    let first = |worker: &Worker| staff.hands[0].worker.rejects == worker.rejects;
    lasts
        && staff.is_sure()
        && staff.is_calm()
        && staff.all(|mode| matches!(mode, AckMode::Manual { .. }))
        && threats.workers_of(id).all(|(id, worker)| first(worker) && !threats.may_err(id))
}

/// Whether nobody takes anything there, and its time comes.
fn is_waited_in(threats: &Threats<'_>, index: usize) -> bool {
    threats.variant.topology.queues[index].message_ttl.is_some()
        && threats.workers_of(QueueId::from_index(index)).next().is_none()
}

/// How often all messages together are refused before the last of them is done; `None` where one
/// is refused for ever, or comes back by itself.
fn refused(threats: &Threats<'_>, id: QueueId) -> Option<u64> {
    let variant = threats.variant;
    let (first, worker) = threats.workers_of(id).next()?;
    // What is refused by basic.reject comes flagged, from 4.3 on.
    let plain = worker.rejects.iter().all(|rule| rule.using == Refusal::Nack && !rule.requeue);
    let rejections = Rejections::new(variant, first).filter(|_| plain)?;
    let mut all: u64 = 0;
    each_arriving(variant, id, |producer, n| {
        let mut before = 0;
        while let Some(rule) = rejections.rule(producer, n, before) {
            let known = rule.times.is_some() && all < FOLLOWED;
            known.then_some(())?;
            before += 1;
            all += 1;
        }
        Some(())
    })?;
    Some(all)
}
