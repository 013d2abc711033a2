//! Whether each fault fired, what it did, and whether it bit.

use crate::diagnostic::Diagnostic;
use crate::ledger::books::Books;
use crate::ledger::event::LifeId;
use crate::ledger::facts::{Effect, FaultFact};
use crate::plan::model::{
    AckMode, BrokerAct, Fault, FaultAction, FaultId, Instance, KillHow, ProducerId, QueueId,
    Trigger,
};
use crate::verdict::model::FaultRow;
use crate::verdict::words::{millis, number, plural};
use crate::verdict::{broker, struck};

/// The row of one fault.
pub fn row(books: &Books, (id, fault): (FaultId, &Fault), fact: &FaultFact) -> FaultRow {
    let (effect, bit) = match (fact.at, &fact.effect) {
        (None, _) => (format!("never fired: {}", short_of(books, fault)), false),
        (Some(_), Effect::Nothing) => (idle(books, fault), false),
        (Some(_), Effect::Worker(life)) => worker(books, *life),
        (Some(at), Effect::Struck(_)) => struck::worker(books, id, fault, (at, fact)),
        (Some(at), Effect::Producer { published, unanswered, left }) => {
            let (text, bit) = producer(*published, *unanswered, *left);
            (text + &struck::learned(fault, (at, fact)), bit)
        }
        (Some(_), Effect::Queue { ready, unacked }) => {
            (format!("it held {ready} ready and {unacked} unacked"), ready + unacked > 0)
        }
        (Some(_), Effect::Broker(effect)) => broker::effect(fault, effect),
    };
    let restarted = fact.restarted.map(|at| format!("; {} {}", back(fault), millis(at)));
    FaultRow {
        fault: fault.label.clone(),
        fired: fact.at.is_some(),
        at_ms: fact.at.map(|at| at / 1000),
        effect: effect + &restarted.unwrap_or_default(),
        bit,
        recovered_ms: books.series().recovery(id).map(|took| took / 1000),
    }
}

/// What to say of a fault that proved nothing, or `None` when it bit or may miss.
pub fn complaint(fault: &Fault, row: &FaultRow) -> Option<Diagnostic> {
    if row.bit || fault.may_miss {
        return None;
    }
    let trigger = &fault.trigger_text;
    let message = if row.fired {
        format!("{} ({trigger}) did not bite: {}", fault.label, row.effect)
    } else {
        format!("{} ({trigger}) {}", fault.label, row.effect)
    };
    Some(Diagnostic::warning(message).help(remedy(fault, row.fired)))
}

/// What it is when that which a fault stopped works again.
fn back(fault: &Fault) -> &'static str {
    match fault.action {
        FaultAction::Kill { .. }
        | FaultAction::Broker { act: BrokerAct::Restart { .. } | BrokerAct::Stop { .. }, .. } => {
            "back at"
        }
        _ => "over at",
    }
}

fn remedy(fault: &Fault, fired: bool) -> String {
    let change = match (&fault.trigger, fired) {
        (_, true) if matches!(fault.action, FaultAction::Broker { .. }) => {
            return broker::remedy(fault);
        }
        (Trigger::At(_), true) => "an earlier moment",
        (_, false) => "a smaller number",
        (_, true) if matches!(fault.action.target(), Some(Instance::Producer(_))) => {
            "a smaller number, so that it still has something to publish"
        }
        (_, true) => "a smaller number, or more messages",
    };
    format!("{change}, or `may_miss: true` if this is meant")
}

/// It held an unacked or unworked delivery, or its queue got another copy afterwards.
fn worker(books: &Books, id: LifeId) -> (String, bool) {
    let life = books.life(id);
    let Some(end) = &life.end else { return ("it went on".to_owned(), false) };
    let later = (0..books.plan.producers.len())
        .map(ProducerId::from_index)
        .any(|producer| books.last_for(life.queue, producer) > end.published[producer.index()])
        || books.arrived(life.queue) > end.arrived;
    let mut parts = vec![format!("had read {}", life.counts.read)];
    parts.push(format!("finished {}", life.counts.finished));
    if end.unworked > 0 {
        parts.push(format!("{} unworked", end.unworked));
    }
    if life.ack != AckMode::Auto {
        parts.push(format!("held {} unacked", end.unacked));
    }
    if later {
        parts.push("its queue got more afterwards".to_owned());
    }
    (parts.join(", "), end.unworked > 0 || end.unacked > 0 || later)
}

/// It had messages left, or unanswered.
fn producer(published: u32, unanswered: u32, left: u64) -> (String, bool) {
    let text = format!(
        "had published {published}, {unanswered} without an answer, {left} {} left",
        plural(left, "message", "messages")
    );
    (text, unanswered > 0 || left > 0)
}

fn target(books: &Books, fault: &Fault) -> String {
    let queue = |id: QueueId| format!("queue {}", books.plan.topology.queues[id.index()].name);
    match (fault.action.target(), fault.action) {
        (Some(Instance::Worker(id)), _) => books.plan.workers[id.index()].name.clone(),
        (Some(Instance::Producer(id)), _) => books.plan.producers[id.index()].name.clone(),
        (None, FaultAction::Purge(id) | FaultAction::Delete(id)) => queue(id),
        (None, _) => "the broker".to_owned(),
    }
}

/// Why it found nothing to act upon.
fn idle(books: &Books, fault: &Fault) -> String {
    let what = match fault.action {
        FaultAction::Purge(_) | FaultAction::Delete(_) => "was not there, or was refused",
        _ => "was not running",
    };
    format!("{} {what}", target(books, fault))
}

/// How far the count that it waited for had come.
fn short_of(books: &Books, fault: &Fault) -> String {
    use crate::plan::count::Count::{Begun, Finished};
    let (Some(Instance::Worker(id)), Trigger::During(_) | Trigger::BeforeAck(_)) =
        (fault.action.target(), &fault.trigger)
    else {
        return "its moment did not come".to_owned();
    };
    let counts = &books.workers[id.index()];
    match fault.trigger {
        Trigger::During(_) => {
            let begun = counts[Begun];
            format!("it began {begun} {}", plural(begun, "delivery", "deliveries"))
        }
        _ => format!("it finished {}", counts[Finished]),
    }
}

/// How a killed worker met its end, for a sentence: `was killed in its 4th (160 ms)`.
pub fn death(books: &Books, id: LifeId) -> String {
    use crate::ledger::event::LifeEnd;
    let life = books.life(id);
    let Some(end) = &life.end else { return "goes on".to_owned() };
    let earlier = books.lives()[..id.index()].iter().filter(|other| other.worker == life.worker);
    let begun = life.counts.begun + earlier.map(|other| other.counts.begun).sum::<u64>();
    let how = match end.how {
        LifeEnd::Killed(KillHow::Crash | KillHow::CloseConnection) => "was killed",
        LifeEnd::Killed(KillHow::CloseChannel) => "lost its channel",
        LifeEnd::Killed(KillHow::Cancel) => "lost its subscription",
        LifeEnd::Failed => "was ended by an error",
        LifeEnd::Lost => "lost its connection",
        LifeEnd::Frozen => "was frozen to the end",
        LifeEnd::Stopped => "stopped",
        LifeEnd::Cut => "was cut off",
    };
    match end.in_work {
        Some(_) => format!("{how} in its {} ({})", number(begun), millis(end.at)),
        None => format!("{how} at {}", millis(end.at)),
    }
}
