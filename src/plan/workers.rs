//! Workers as meant: one for each instance, and the queues that belong to them.

use std::time::Duration;

use crate::plan::context::{Context, group};
use crate::plan::meaning;
use crate::plan::model::{
    AckMode, Binding, BoundTo, Group, Offset, Queue, QueueId, QueueKind, Topology, Work, Worker,
    WorkerId,
};
use crate::plan::names::{count, instances};
use crate::plan::pattern::Pattern;
use crate::plan::producers::{RECONNECT_AFTER, start};
use crate::plan::{body, rejects, topology};
use crate::scenario::actors::{self as written, Ack, AckOn, Reconnect, TemporaryQueue};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::{Mistake, Whole};
use crate::scenario::work::Work as WrittenWork;

/// All instances, and the groups they form. Temporary queues are added to the topology, and
/// exclusive ones get their owner.
pub fn plan(
    context: &Context,
    topology: &mut Topology,
    found: &mut Collector,
) -> (Vec<Worker>, Vec<Group<WorkerId>>) {
    let mut all = Vec::new();
    let mut groups = Vec::new();
    let there = context.file.workers.iter().filter(|entry| entry.condition != Some(false));
    for entry in there {
        let names = instances(&entry.name.value, count(&entry.count));
        let ids: Vec<WorkerId> =
            (all.len()..all.len() + names.len()).map(WorkerId::from_index).collect();
        let queues = queues(entry, &names, &ids, context, topology, found);
        let Some(first) = worker(entry, context, found) else { continue };
        let Some(queues) = queues else { continue };
        only_of_streams(entry, &topology.queues[queues[0].index()], found);
        groups.push(group(&entry.name.value, ids));
        let instances = names.into_iter().zip(queues);
        all.extend(instances.map(|(name, queue)| Worker { name, queue, ..first.clone() }));
    }
    (all, groups)
}

/// The queue of each instance.
fn queues(
    entry: &Located<written::Worker>,
    names: &[String],
    ids: &[WorkerId],
    context: &Context,
    topology: &mut Topology,
    found: &mut Collector,
) -> Option<Vec<QueueId>> {
    let name = &entry.name.value.0;
    match (&entry.queue, &entry.temporary_queue) {
        (Some(queue), None) => {
            let who = format!("worker `{name}` consumes from");
            let id = context.names.queue(queue, &who, found)?;
            own(entry, ids, &mut topology.queues[id.index()], found);
            Some(vec![id; names.len()])
        }
        (None, Some(temporary)) => {
            temporary_queues(temporary, names, ids, context, topology, found)
        }
        (Some(_), Some(temporary)) => {
            let text = format!("worker `{name}` has both a `queue` and a `temporary_queue`");
            found.push(Mistake::new(temporary.at, text).help("keep one of them"));
            None
        }
        (None, None) => {
            found.push(
                Mistake::new(entry.at, format!("worker `{name}` needs a `queue` to consume from"))
                    .needs(Whole::Node(entry.at))
                    .help("add `queue: …`, or `temporary_queue` with its bindings"),
            );
            None
        }
    }
}

/// An exclusive queue gets its owner, the one instance that consumes from it.
fn own(
    entry: &Located<written::Worker>,
    ids: &[WorkerId],
    queue: &mut Queue,
    found: &mut Collector,
) {
    if !queue.exclusive {
        return;
    }
    let at = entry.queue.as_ref().map_or(entry.at, |name| name.at);
    let (worker, name) = (&entry.name.value.0, &queue.name);
    match (queue.owner, ids) {
        (None, [only]) => queue.owner = Some(*only),
        (None, _) => {
            queue.owner = ids.first().copied();
            let text = format!(
                "worker `{worker}` has {} instances, and the queue `{name}` is exclusive",
                ids.len()
            );
            found.push(
                Mistake::new(at, text).help(
                    "an exclusive queue has one worker; use `count: 1` or a `temporary_queue`",
                ),
            );
        }
        (Some(_), _) => {
            let text = format!("worker `{worker}` is the second on the exclusive queue `{name}`");
            found.push(Mistake::new(at, text).help(
                "an exclusive queue has one worker; leave `exclusive` out, or use another queue",
            ));
        }
    }
}

fn temporary_queues(
    temporary: &Located<TemporaryQueue>,
    names: &[String],
    ids: &[WorkerId],
    context: &Context,
    topology: &mut Topology,
    found: &mut Collector,
) -> Option<Vec<QueueId>> {
    let mut bindings = Vec::new();
    for binding in &temporary.bindings {
        let from = topology::source(&binding.exchange, context, found);
        let (headers, match_any) = topology::arguments(&binding.headers, binding.matching, found);
        let routing_key = binding.routing_key.clone().unwrap_or_default();
        let to = BoundTo::Queue(QueueId(0));
        bindings.extend(from.map(|from| Binding { from, to, routing_key, headers, match_any }));
    }
    let mut queues = Vec::new();
    for (name, owner) in names.iter().zip(ids) {
        let id = QueueId::from_index(topology.queues.len());
        topology.queues.push(Queue {
            durable: false,
            exclusive: true,
            temporary: true,
            owner: Some(*owner),
            ..Queue::named(name)
        });
        topology.bindings.extend(
            bindings.iter().map(|binding| Binding { to: BoundTo::Queue(id), ..binding.clone() }),
        );
        queues.push(id);
    }
    Some(queues)
}

fn worker(
    entry: &Located<written::Worker>,
    context: &Context,
    found: &mut Collector,
) -> Option<Worker> {
    let ack = ack(entry, found);
    let rejects = rejects::plan(entry, found);
    let reply = body::of_reply(entry, context, found);
    let start_at = start(&entry.start, context, found);
    let stop = start(&entry.stop, context, found);
    let who = format!("worker `{}` connects to", entry.name.value.0);
    let node = context.nodes.id(&entry.node, &who, found);
    Some(Worker {
        name: entry.name.value.0.clone(),
        queue: QueueId(0),
        ack: ack?,
        prefetch: entry
            .prefetch
            .map_or(0, |prefetch| u16::try_from(prefetch.0).expect("a prefetch is at most 65535")),
        exclusive: entry.exclusive.unwrap_or(false),
        priority: entry.priority.map(|priority| priority.value),
        offset: entry.offset.map(|offset| meant(offset.value)),
        acks_elsewhere: acks_elsewhere(entry, found),
        work: work(&entry.work),
        rejects,
        reply: reply?,
        start: start_at?,
        stop: stop?,
        node,
        reconnect: reconnect(entry, found),
    })
}

fn ack(entry: &Located<written::Worker>, found: &mut Collector) -> Option<AckMode> {
    let mode = entry.ack.map_or(Ack::Manual, |ack| ack.value);
    if let Some(every) = entry.ack_every.filter(|_| mode != Ack::Manual) {
        let mistake = Mistake::new(every.at, "`ack_every` needs `ack: manual`");
        let whole = mistake.needs(Whole::Node(entry.at));
        found.push(whole.help("leave `ack_every` out, or use `ack: manual`, the default"));
        return None;
    }
    Some(match mode {
        Ack::Auto => AckMode::Auto,
        Ack::Manual => AckMode::Manual { every: entry.ack_every.map_or(1, |every| every.value.0) },
        Ack::Early => AckMode::Early,
        Ack::Never => AckMode::Never,
    })
}

/// Whether it acks where RabbitMQ does not know its deliveries.
fn acks_elsewhere(entry: &Located<written::Worker>, found: &mut Collector) -> bool {
    let Some(on) = entry.ack_on.filter(|on| on.value == AckOn::AnotherChannel) else {
        return false;
    };
    let mode = entry.ack.map_or(Ack::Manual, |ack| ack.value);
    if matches!(mode, Ack::Auto | Ack::Never) {
        let word = if mode == Ack::Auto { "auto" } else { "never" };
        let text = format!("with `ack: {word}` nothing is acknowledged on any channel");
        let mistake = Mistake::new(on.at, text).needs(Whole::Node(entry.at));
        found.push(mistake.help("use `ack: manual` or `ack: early`, or leave `ack_on` out"));
    }
    true
}

/// Only a stream has places to begin at.
fn only_of_streams(entry: &written::Worker, queue: &Queue, found: &mut Collector) {
    if let Some(offset) = entry.offset.filter(|_| queue.kind != QueueKind::Stream) {
        let (what, help) = match queue.temporary {
            true => ("a temporary queue".to_owned(), "consume from a queue with `type: stream`"),
            false => (format!("`{}`", queue.name), "give the queue `type: stream`"),
        };
        let text = format!("`offset` is a place in a stream, and {what} is none");
        let mistake = Mistake::new(offset.at, text).needs(Whole::All(&["topology", "queues"]));
        found.push(mistake.help(format!("{help}, or leave `offset` out")));
    }
}

fn meant(offset: written::Offset) -> Offset {
    match offset {
        written::Offset::First => Offset::First,
        written::Offset::Last => Offset::Last,
        written::Offset::Next => Offset::Next,
        written::Offset::At(place) => Offset::At(place),
    }
}

fn work(work: &Option<WrittenWork>) -> Work {
    match work {
        None => Work::Pattern(Pattern::Always(Duration::ZERO)),
        Some(WrittenWork::PerDot(time)) => Work::PerDot(time.0),
        Some(WrittenWork::Pattern(pattern)) => Work::Pattern(meaning::times(pattern)),
    }
}

fn reconnect(entry: &Located<written::Worker>, found: &mut Collector) -> Option<Duration> {
    let Some(Reconnect(settings)) = &entry.reconnect else { return Some(RECONNECT_AFTER) };
    let settings = settings.as_ref()?;
    if let Some(unconfirmed) = settings.unconfirmed {
        found.push(
            Mistake::new(unconfirmed.at, "a worker publishes nothing that could be `unconfirmed`")
                .help("leave it out; it is for producers"),
        );
    }
    Some(settings.after.map_or(RECONNECT_AFTER, |after| after.0))
}
