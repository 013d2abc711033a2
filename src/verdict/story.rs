//! The way of single messages, in words.

use crate::ledger::books::{Books, CopyView};
use crate::ledger::event::MessageKey;
use crate::ledger::history::{Step, StepKind};
use crate::ledger::messages::copy_flag;
use crate::plan::count::Count;
use crate::verdict::words::millis;

/// How many messages are told of at most.
const STORIES: usize = 200;

/// The message as people name it: `message 9`, with its producer where there are several.
pub fn name(books: &Books, message: MessageKey) -> String {
    match books.plan.producers.len() {
        1 => format!("message {}", message.n),
        _ => {
            let producer = &books.plan.producers[message.producer.index()].name;
            format!("message {} of {producer}", message.n)
        }
    }
}

/// `message 9: published 2.1 ms, confirmed 3.0 ms, delivered to worker-1 3.2 ms, never begun`.
pub fn tell(books: &Books, message: MessageKey) -> String {
    let steps = books.history(message);
    if steps.is_empty() {
        return format!("{}: too far down the run for a history", name(books, message));
    }
    let mut parts: Vec<String> = steps.iter().map(|step| part(books, step)).collect();
    match steps.iter().rev().find(|step| is_work(step.kind)).map(|step| step.kind) {
        Some(StepKind::Read { .. }) => parts.push("never begun".to_owned()),
        Some(StepKind::Begun(_)) => parts.push("never finished".to_owned()),
        Some(_) => {}
        None => parts.push("never delivered".to_owned()),
    }
    format!("{}: {}", name(books, message), parts.join(", "))
}

fn is_work(kind: StepKind) -> bool {
    use StepKind::{Begun, Finished, Read, Rejected};
    matches!(kind, Read { .. } | Begun(_) | Finished(_) | Rejected { .. })
}

fn part(books: &Books, step: &Step) -> String {
    let who = |life: &crate::ledger::event::LifeId| {
        let worker = books.life(*life).worker;
        books.plan.workers[worker.index()].name.clone()
    };
    let what = match &step.kind {
        StepKind::Published => "published".to_owned(),
        StepKind::Republished => "published again".to_owned(),
        StepKind::Confirmed => "confirmed".to_owned(),
        StepKind::Refused => "refused".to_owned(),
        StepKind::Returned => "returned".to_owned(),
        StepKind::Read { life, redelivered: false } => format!("delivered to {}", who(life)),
        StepKind::Read { life, redelivered: true } => format!("redelivered to {}", who(life)),
        StepKind::Begun(life) => format!("begun by {}", who(life)),
        StepKind::Finished(life) => format!("finished by {}", who(life)),
        StepKind::Acked(life) => format!("acked by {}", who(life)),
        StepKind::Rejected { life, requeue: false } => format!("rejected by {}", who(life)),
        StepKind::Rejected { life, requeue: true } => format!("given back by {}", who(life)),
        StepKind::Replied => "answered".to_owned(),
        StepKind::Found(queue) => {
            let queue = &books.plan.topology.queues[queue.index()].name;
            return format!("found in {queue} at the end");
        }
    };
    format!("{what} {}", millis(step.at))
}

/// A line for each message that is not plainly delivered, up to a limit that is told.
pub fn all(books: &Books) -> Vec<String> {
    let odd = |view: &CopyView| {
        view.outcome != Count::Delivered
            || view.copy.finished() > 1
            || view.copy.has(copy_flag::DRAINED)
    };
    let mut messages: Vec<MessageKey> = books.copies().filter(odd).map(|v| v.message).collect();
    // Dead letters come last, and are of messages that may have been told of.
    messages.sort_unstable();
    messages.dedup();
    let more = messages.len().saturating_sub(STORIES);
    let mut lines: Vec<String> =
        messages.iter().take(STORIES).map(|message| tell(books, *message)).collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
