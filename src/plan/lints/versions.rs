//! Lints about settings that some version of RabbitMQ takes for something else, ignores or refuses.
//!
//! Only versions count that the variant's `requires` lets it run on. All of it was measured on the
//! versions below, but for the largest message, which is in the release notes of 4.0.

use semver::VersionReq;

use crate::plan::lints::looked::{Looked, about};
use crate::plan::model::{
    ExchangeRef, Overflow, Queue, QueueId, QueueKind, Refusal, Reject, Worker,
};
use crate::plan::pattern::Pattern;
use crate::plan::version_matches;
use crate::scenario::collect::Warning;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::Node;

/// One version of each line that differs from the others.
const VERSIONS: [&str; 3] = ["3.10.8", "4.0.5", "4.3.6"];
/// The largest message that 4.0 and later take unless they are told otherwise, in bytes.
const LARGEST: u64 = 16 << 20;

/// The key that is meant, what is said of it, and what to do.
type Finding = (&'static str, String, &'static str);

/// Settings of queues.
pub fn queues(looked: &Looked, out: &mut Vec<Warning>) {
    for (_, entry, queue) in looked.queues().filter(|(_, _, queue)| !queue.predeclared) {
        let all = [full(queue), limit(queue, looked), patience(queue, looked)];
        for (key, text, help) in all.into_iter().flatten() {
            let at = match key.strip_prefix("x-") {
                Some(_) => looked.key(looked.key(entry.at, "arguments"), key),
                None => looked.key(entry.at, key),
            };
            let words = Mistake::new(at, text).help(help);
            out.push(about(Lint::VersionDependent, entry.at, words));
        }
    }
}

/// The first of the versions that the variant may run on and that are so.
fn runs_on(looked: &Looked, wanted: &[&'static str]) -> Option<&'static str> {
    let requires: Option<&VersionReq> = looked.variant.requires.rabbitmq.as_ref();
    let allowed = |version: &&str| requires.is_none_or(|wanted| version_matches(wanted, version));
    let of = VERSIONS.into_iter().filter(|version| wanted.iter().any(|it| version.starts_with(it)));
    of.into_iter().find(allowed)
}

fn full(queue: &Queue) -> Option<Finding> {
    let dlx = queue.kind == QueueKind::Quorum && queue.overflow == Overflow::RejectPublishDlx;
    let text = "a quorum queue takes `reject-publish-dlx` for `drop-head`, on every version";
    dlx.then_some(("overflow", text.to_owned(), "write `reject-publish`, or use `type: classic`"))
}

fn limit(queue: &Queue, looked: &Looked) -> Option<Finding> {
    let limit = queue.delivery_limit.filter(|limit| *limit <= 0)?;
    let old = runs_on(looked, &["3."])?;
    let new = runs_on(looked, &["4."]).is_some();
    // Where only old versions are meant, 0 means what it says.
    (limit < 0 || new).then(|| {
        let text =
            format!("RabbitMQ {old} takes a `delivery_limit` of {limit} for a single delivery");
        (
            "delivery_limit",
            text,
            "write `requires: { rabbitmq: \">=4.0\" }`, or a limit of 1 or more",
        )
    })
}

fn patience(queue: &Queue, looked: &Looked) -> Option<Finding> {
    const NAME: &str = "x-consumer-timeout";
    queue.arguments.iter().find(|(name, _)| name == NAME)?;
    let help = "say with `requires` which versions are meant";
    if let Some(version) = runs_on(looked, &["3."]) {
        return Some((NAME, format!("RabbitMQ {version} ignores `{NAME}`"), help));
    }
    let version = runs_on(looked, &["4.3"]).filter(|_| queue.kind == QueueKind::Classic)?;
    Some((NAME, format!("RabbitMQ {version} refuses `{NAME}` for a classic queue"), help))
}

/// What workers refuse, and how often it comes back.
pub fn rejects(looked: &Looked, out: &mut Vec<Warning>) {
    for (group, (entry, worker)) in looked.workers().enumerate() {
        let queue = &looked.variant.topology.queues[worker.queue.index()];
        let stays = stays(looked, group, worker, queue);
        let written = entry.reject.iter().flat_map(|rules| &rules.value);
        let found = worker.rejects.iter().zip(written).find_map(|(rule, written)| {
            let (text, help) = match queue.kind {
                QueueKind::Classic => None,
                QueueKind::Stream => on_stream(looked),
                QueueKind::Quorum => stays.then(|| without_end(looked, queue, rule)).flatten(),
            }?;
            Some(Mistake::new(written.at, text).help(help))
        });
        out.extend(found.map(|words| about(Lint::VersionDependent, entry.at, words)));
    }
}

/// Whether what a worker requeues comes back to its group alone, as long as the run lasts.
fn stays(looked: &Looked, group: usize, worker: &Worker, queue: &Queue) -> bool {
    let own = looked.variant.worker_groups[group].members.len();
    let shared = || looked.variant.workers.iter().filter(|it| it.queue == worker.queue).count();
    let expires =
        || queue.message_ttl.is_some() || looked.producers().any(|(_, it)| it.ttl.is_some());
    !worker.rejects.is_empty() && worker.stop.is_none() && shared() == own && !expires()
}

fn on_stream(looked: &Looked) -> Option<(String, &'static str)> {
    let version = runs_on(looked, &["3."]).filter(|_| !looked.expects_errors())?;
    let text = format!("RabbitMQ {version} knows no basic.nack and no basic.reject on a stream");
    Some((text, "write `requires: { rabbitmq: \">=4.0\" }`, or expect the error"))
}

/// A quorum queue gives up what comes back too often, but not on every version.
fn without_end(looked: &Looked, queue: &Queue, rule: &Reject) -> Option<(String, &'static str)> {
    if !rule.requeue || rule.times.is_some() {
        return None;
    }
    if let Some(version) = runs_on(looked, &["4.3"]).filter(|_| rule.using == Refusal::Nack) {
        let text = format!("RabbitMQ {version} does not count basic.nack, and requeues for ever");
        return Some((text, "write `using: reject`, or say how often with `times: 3`"));
    }
    let version = runs_on(looked, &["3."]).filter(|_| queue.delivery_limit.is_none())?;
    let text =
        format!("RabbitMQ {version} has no delivery limit of its own, and requeues for ever");
    Some((text, "give the queue a `delivery_limit`, or say how often with `times: 3`"))
}

/// Priorities in quorum queues, which only some versions look at.
pub fn priorities(looked: &Looked, out: &mut Vec<Warning>) {
    let (Some(old), Some(_)) = (runs_on(looked, &["3."]), runs_on(looked, &["4."])) else { return };
    let queues = &looked.variant.topology.queues;
    for ((entry, producer), sent) in looked.producers().zip(&looked.flow.sent) {
        let quorum = |queue: &QueueId| queues[queue.index()].kind == QueueKind::Quorum;
        if producer.priority.is_none() || !sent.copies.keys().any(quorum) {
            continue;
        }
        let text = format!("RabbitMQ {old} does not look at priorities in a quorum queue");
        let words = Mistake::new(looked.key(entry.at, "priority"), text);
        let help = "write `requires: { rabbitmq: \">=4.0\" }`";
        out.push(about(Lint::VersionDependent, entry.at, words.help(help)));
    }
}

/// Settings with which some version does not start.
pub fn broker(looked: &Looked, out: &mut Vec<Warning>) {
    let Some(version) = runs_on(looked, &["3.10"]) else { return };
    let config = looked.context.tree.get("broker").and_then(|broker| broker.get("config"));
    for (key, _) in config.into_iter().flat_map(Node::entries) {
        let Some(name) = key.text().filter(|key| key.starts_with("deprecated_features.")) else {
            continue;
        };
        let text =
            format!("RabbitMQ {version} does not start with `{name}`, which it does not know");
        let help = "write `requires: { rabbitmq: \">=3.13\" }`, or leave it out";
        out.push(about(Lint::VersionDependent, key.at, Mistake::new(key.at, text).help(help)));
    }
}

/// Messages that are too large for some versions.
pub fn sizes(looked: &Looked, out: &mut Vec<Warning>) {
    let Some(version) = runs_on(looked, &["4."]).filter(|_| !looked.expects_errors()) else {
        return;
    };
    let config = &looked.variant.broker.config;
    if config.iter().any(|(key, _)| key == "max_message_size") {
        return;
    }
    for (entry, producer) in looked.producers() {
        if matches!(producer.to.exchange, ExchangeRef::Missing(_)) {
            continue;
        }
        let largest = match &producer.size {
            Some(Pattern::Range(_, high)) => Some(*high),
            Some(Pattern::Index) => Some(producer.messages),
            Some(pattern) => pattern.values().and_then(|values| values.into_iter().max()),
            None => None,
        };
        if largest.is_none_or(|largest| largest <= LARGEST) {
            continue;
        }
        let text = format!("RabbitMQ {version} refuses messages of more than 16 MiB");
        let words = Mistake::new(looked.key(entry.at, "size"), text);
        let help = "publish less, set `max_message_size` in `broker`, or expect the error";
        out.push(about(Lint::VersionDependent, entry.at, words.help(help)));
    }
}
