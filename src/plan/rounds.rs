//! Warnings about messages that never come to rest: they are dead-lettered or requeued for ever.
//!
//! A warning says what can happen, and only where nothing in the file ends it. RabbitMQ itself
//! ends one kind of round: a dead-lettered message that comes back to a queue without having been
//! rejected on the way is dropped.

use std::collections::HashSet;

use crate::plan::content::Content;
use crate::plan::context::Context;
use crate::plan::model::{ExchangeId, ExchangeRef, Queue, QueueId, QueueKind, Variant, Worker};
use crate::plan::pattern::Scalar;
use crate::plan::routing::{Envelope, Standing, route};
use crate::scenario::actors::Worker as Written;
use crate::scenario::collect::Collector;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::At;

/// So many messages of a producer are followed: more only repeat their keys and headers.
const FOLLOWED: u64 = 200;
/// So many places of messages are looked at in all.
const MAX_STATES: usize = 2000;

/// Records a warning for every kind of round that is found.
pub fn warn(context: &Context, variant: &Variant, found: &mut Collector) {
    for entry in context.file.workers.iter().filter(|entry| entry.condition != Some(false)) {
        requeued(entry, variant, found);
    }
    let moves: Vec<Option<Move>> = moves(variant);
    if moves.iter().all(Option::is_none) {
        return;
    }
    let mut walk = Walk::new(variant, moves);
    walk.all_messages();
    for round in &walk.rounds {
        let (lint, words) = dead_lettered(round, &walk.moves, context, variant);
        found.warn(lint, words);
    }
}

/// A worker that requeues every time, alone on a classic queue from which nothing else leaves.
fn requeued(entry: &Written, variant: &Variant, found: &mut Collector) {
    let group = variant.worker_groups.iter().find(|group| group.name == *entry.name.value.0);
    let Some(group) = group else { return };
    let worker = &variant.workers[group.members[0].index()];
    let queue = &variant.topology.queues[worker.queue.index()];
    let elsewhere = |(index, other): (usize, &Worker)| {
        other.queue == worker.queue && !group.members.iter().any(|id| id.index() == index)
    };
    let shared = variant.workers.iter().enumerate().any(elsewhere);
    let expires = queue.message_ttl.is_some()
        || variant.producers.iter().any(|producer| producer.ttl.is_some());
    if queue.kind != QueueKind::Classic || shared || expires || worker.stop.is_some() {
        return;
    }
    let rules = worker.rejects.iter().zip(entry.reject.iter().flat_map(|rules| &rules.value));
    for (_, written) in rules.filter(|(rule, _)| rule.requeue && rule.times.is_none()) {
        let text = format!("what `{}` requeues here comes back to it for ever", group.name);
        let help = "say how often with `times: 3`, let messages expire, or `stop` the worker";
        found.warn(Lint::EndlessRequeue, Mistake::new(written.at, text).help(help));
    }
}

/// Why a queue dead-letters all that it gets, or some of it again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Move {
    /// Every worker on it rejects, each time.
    Rejected,
    /// Time runs out, or the delivery limit is reached.
    Unasked,
}

fn moves(variant: &Variant) -> Vec<Option<Move>> {
    let mut on_queue: Vec<Vec<&Worker>> = vec![Vec::new(); variant.topology.queues.len()];
    for worker in &variant.workers {
        on_queue[worker.queue.index()].push(worker);
    }
    let queues = variant.topology.queues.iter().zip(on_queue);
    queues.map(|(queue, workers)| a_move(queue, &workers)).collect()
}

/// `None` where messages have a way out: a worker that finishes them, or that rejects them only
/// so many times.
fn a_move(queue: &Queue, workers: &[&Worker]) -> Option<Move> {
    queue.dead_letter.as_ref()?;
    if workers.is_empty() {
        return queue.message_ttl.map(|_| Move::Unasked);
    }
    let always = |requeue: bool| {
        workers.iter().all(|worker| {
            let mut rules = worker.rejects.iter();
            let rule = rules.any(|rule| rule.requeue == requeue && rule.times.is_none());
            rule && worker.stop.is_none()
        })
    };
    let limit = queue.delivery_limit.is_some_and(|limit| limit >= 0);
    if always(false) {
        Some(Move::Rejected)
    } else {
        (limit && always(true)).then_some(Move::Unasked)
    }
}

/// A message in a queue, with the key that it came with.
type State = (QueueId, String);

/// Follows messages from queue to queue.
struct Walk<'v> {
    variant: &'v Variant,
    moves: Vec<Option<Move>>,
    standing: Standing,
    /// Where messages with the headers of the moment have been.
    seen: HashSet<State>,
    /// The way to where it is, for each queue on it.
    path: Vec<State>,
    looked_at: usize,
    /// Queues in the order of each round, from the first of the file.
    rounds: Vec<Vec<QueueId>>,
}

impl<'v> Walk<'v> {
    fn new(variant: &'v Variant, moves: Vec<Option<Move>>) -> Self {
        let topology = &variant.topology;
        let standing = Standing::whole(topology);
        let (seen, path, rounds) = (HashSet::new(), Vec::new(), Vec::new());
        Self { variant, moves, standing, seen, path, looked_at: 0, rounds }
    }

    /// One producer of each group is enough: its instances publish alike.
    fn all_messages(&mut self) {
        let variant = self.variant;
        for group in &variant.producer_groups {
            let producer = &variant.producers[group.members[0].index()];
            let ExchangeRef::Declared(exchange) = producer.to.exchange else { continue };
            let content = Content::new(producer, variant.seed);
            let last = if content.is_uniform() { 1 } else { producer.messages.min(FOLLOWED) };
            for n in 1..=last {
                self.seen.clear();
                self.from(exchange, &content.routing_key(n), &content.headers(n));
            }
        }
    }

    /// Follows what an exchange gets to every queue and on.
    fn from(&mut self, exchange: ExchangeId, key: &str, headers: &[(String, Scalar)]) {
        let envelope = Envelope { exchange, routing_key: key, headers };
        for queue in route(&self.variant.topology, &self.standing, envelope) {
            self.arrive((queue, key.to_owned()), headers);
        }
    }

    fn arrive(&mut self, state: State, headers: &[(String, Scalar)]) {
        if let Some(start) = self.path.iter().position(|passed| *passed == state) {
            let round: Vec<QueueId> = self.path[start..].iter().map(|(queue, _)| *queue).collect();
            self.round(round);
            return;
        }
        let queue = &self.variant.topology.queues[state.0.index()];
        let Some(dead_letter) = queue.dead_letter.as_ref() else { return };
        let ExchangeRef::Declared(exchange) = dead_letter.exchange else { return };
        let stays = self.moves[state.0.index()].is_none();
        if stays || self.looked_at >= MAX_STATES || !self.seen.insert(state.clone()) {
            return;
        }
        self.looked_at += 1;
        let key = dead_letter.routing_key.clone().unwrap_or_else(|| state.1.clone());
        self.path.push(state);
        self.from(exchange, &key, headers);
        self.path.pop();
    }

    /// Keeps a round, turned so that it begins with the first of its queues.
    fn round(&mut self, mut round: Vec<QueueId>) {
        let first = round.iter().min().copied();
        let start = round.iter().position(|queue| Some(*queue) == first).unwrap_or(0);
        round.rotate_left(start);
        if !self.rounds.contains(&round) {
            self.rounds.push(round);
        }
    }
}

fn dead_lettered(
    round: &[QueueId],
    moves: &[Option<Move>],
    context: &Context,
    variant: &Variant,
) -> (Lint, Mistake) {
    let name = |queue: &QueueId| format!("`{}`", variant.topology.queues[queue.index()].name);
    let way: Vec<String> = round.iter().chain(&round[..1]).map(name).collect();
    let way = way.join(" to ");
    let rejected = round.iter().any(|queue| moves[queue.index()] == Some(Move::Rejected));
    let (lint, text, help) = if rejected {
        (
            Lint::EndlessDeadLetters,
            format!("a message can be dead-lettered round and round for ever: {way}"),
            "say with `times: 3` how often a worker rejects it, or lead one of the queues elsewhere",
        )
    } else {
        (
            Lint::DroppedInACircle,
            format!("RabbitMQ drops what is dead-lettered round in a circle: {way}"),
            "a message that comes back without having been rejected is gone after one round; lead one of the queues elsewhere",
        )
    };
    let mut warning = Mistake::new(place(round[0], context), text);
    for queue in &round[1..] {
        warning = warning.note(format!("{} leads on", name(queue)), place(*queue, context));
    }
    (lint, warning.help(help))
}

/// Where the file says that a queue dead-letters.
fn place(queue: QueueId, context: &Context) -> At {
    let entry = &context.file.topology.queues[queue.index()];
    let arguments = entry.arguments.iter().flat_map(|table| &table.0);
    let mut argument = arguments.filter(|(name, _)| name == "x-dead-letter-exchange");
    let key = entry.dead_letter.as_ref().map(|dead_letter| dead_letter.at);
    key.or_else(|| argument.next().map(|(_, value)| value.at)).unwrap_or(entry.at)
}
