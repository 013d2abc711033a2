//! Lints about workers, and what the broker refuses them.

use crate::plan::count::Count;
use crate::plan::lints::looked::{Looked, about};
use crate::plan::model::{AckMode, Queue, QueueKind, Worker};
use crate::scenario::collect::Warning;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;

/// A limit to what is unacked, where nothing ever is.
pub fn prefetch_with_auto_ack(looked: &Looked, out: &mut Vec<Warning>) {
    for (entry, worker) in looked.workers() {
        // A stream wants both to be said, and is another lint.
        let stream = looked.variant.topology.queues[worker.queue.index()].kind == QueueKind::Stream;
        if worker.ack != AckMode::Auto || worker.prefetch == 0 || stream {
            continue;
        }
        let name = &entry.name.value.0;
        let text = format!("the prefetch of `{name}` means nothing under automatic acks");
        let words = Mistake::new(looked.key(entry.at, "prefetch"), text)
            .note("nothing is ever unacked with `ack: auto`", looked.key(entry.at, "ack"))
            .help("use `ack: manual`, or leave `prefetch` out");
        out.push(about(Lint::PrefetchWithAutoAck, entry.at, words));
    }
}

/// One that waits for more messages than it may hold before it acks any. At the end it acks what it
/// has: where no more than that come, it does not stand still.
pub fn prefetch_below_ack_every(looked: &Looked, out: &mut Vec<Warning>) {
    let left = looked.expects_some(&[Count::Remaining, Count::StillQueued]);
    let sent: u64 = looked.variant.producers.iter().map(|it| it.messages).sum();
    for (entry, worker) in looked.workers() {
        let AckMode::Manual { every } = worker.ack else { continue };
        let prefetch = u64::from(worker.prefetch);
        if left || prefetch == 0 || every <= prefetch || sent <= prefetch {
            continue;
        }
        let name = &entry.name.value.0;
        let text = format!("`{name}` stands still: it may hold {prefetch} and acks each {every}");
        let words = Mistake::new(looked.key(entry.at, "ack_every"), text)
            .note("RabbitMQ sends no more until it acks", looked.key(entry.at, "prefetch"))
            .help(format!("a `prefetch` of {every} or more, or acks for fewer at a time"));
        out.push(about(Lint::PrefetchBelowAckEvery, entry.at, words));
    }
}

/// What RabbitMQ refuses every time; fine where the file expects an error.
pub fn refused(looked: &Looked, out: &mut Vec<Warning>) {
    if looked.expects_errors() {
        return;
    }
    let mut at_once = vec![0_usize; looked.variant.topology.queues.len()];
    for worker in looked.variant.workers.iter().filter(|it| it.start.is_none()) {
        at_once[worker.queue.index()] += 1;
    }
    for (index, (entry, worker)) in looked.workers().enumerate() {
        let queue = &looked.variant.topology.queues[worker.queue.index()];
        let name = &entry.name.value.0;
        let group = &looked.variant.worker_groups[index].members;
        let on_queue = at_once[worker.queue.index()];
        let Some((key, text, help)) =
            of_stream(worker, queue).or_else(|| of_exclusive(worker, on_queue, group.len()))
        else {
            continue;
        };
        let text = format!("RabbitMQ refuses `{name}`: {text}");
        let help = format!("{help}; if that is what you show, expect it in `errors`");
        let words = Mistake::new(looked.key(entry.at, key), text).help(help);
        out.push(about(Lint::RefusedByBroker, entry.at, words));
    }
}

type Refused = Option<(&'static str, &'static str, &'static str)>;

/// Measured on 3.10, 4.0 and 4.3: 540 and 406.
fn of_stream(worker: &Worker, queue: &Queue) -> Refused {
    if queue.kind != QueueKind::Stream {
        return None;
    }
    if worker.ack == AckMode::Auto {
        let text = "a stream cannot be read with automatic acks";
        return Some(("ack", text, "use `ack: manual`"));
    }
    (worker.prefetch == 0).then_some((
        "queue",
        "a stream cannot be read without a prefetch",
        "give it `prefetch: 100`",
    ))
}

/// Measured on all three: 403.
fn of_exclusive(worker: &Worker, on_queue: usize, instances: usize) -> Refused {
    if !worker.exclusive || worker.start.is_some() || worker.stop.is_some() {
        return None;
    }
    let text = match (instances, on_queue) {
        (2.., _) => "only one of its instances can be the queue's only consumer",
        (_, 2..) => "it is not the only consumer of its queue",
        _ => return None,
    };
    Some(("exclusive", text, "leave `exclusive` out, or let the others use another queue"))
}
