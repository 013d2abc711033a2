//! What each count and each cause means, in a sentence for whoever hovers over its name.

use schemars::Schema;
use serde_json::Value;

/// In the order of reports.
pub const COUNTS: [(&str, &str); 30] = [
    ("published", "Messages published."),
    ("confirmed", "Messages that the broker answered with basic.ack, however late."),
    ("refused", "Messages that the broker answered with basic.nack."),
    ("unconfirmed", "Messages with confirms on and without an answer at the end: nobody knows."),
    ("unchecked", "Messages published with confirms off."),
    ("republished", "Extra sends of the same message, after a connection was lost."),
    ("returned", "Messages that came back: they were mandatory, and no queue took them."),
    ("unroutable", "Messages for which the topology has no queue."),
    ("replied", "Requests whose answer came."),
    ("unanswered", "Requests whose answer did not come."),
    ("expected", "The copies that there must be: the sum of what became of them."),
    ("delivered", "Copies that at least one worker finished its work on."),
    (
        "dead_lettered",
        "Copies that left through a dead-letter exchange and were seen in another queue.",
    ),
    (
        "rejected",
        "Copies that a worker refused for good, and of which nothing became; of a worker, its rejections.",
    ),
    ("over_limit", "Copies that the broker removed at the delivery limit."),
    ("expired", "Copies that the broker removed when their time to live ran out."),
    ("dropped", "Copies that the broker removed because their queue was full."),
    ("remaining", "Copies that are still in their queue, and that nobody finished."),
    ("turned_away", "Copies whose publish was refused, and that were never seen."),
    (
        "in_doubt",
        "Copies of which nobody knows: no answer and never seen, or their queue could not be drained.",
    ),
    ("lost", "Copies whose publisher could believe them safe, and that are nowhere."),
    ("still_queued", "Copies that the final drain found, whatever became of them before."),
    (
        "unexpected",
        "Messages where the topology allows none, or that nobody of this run published.",
    ),
    ("deliveries", "Every basic.deliver that reached a worker's program."),
    ("begun", "Deliveries whose work was begun."),
    ("finished", "Works finished, all of them."),
    (
        "redelivered",
        "Deliveries with the flag *redelivered*: the broker says that it handed this out before.",
    ),
    ("repeats", "Deliveries of a copy of which this run had read an earlier delivery."),
    ("duplicates", "Copies finished more than once."),
    ("acked", "Deliveries covered by acks written."),
];

const CAUSES: [(&str, &str); 17] = [
    (
        "auto_ack",
        "A consumer under automatic acks ended while it held the copy or was being sent it.",
    ),
    ("early_ack", "It was acked when its work began, and the worker died in that work."),
    ("queue_gone", "Its queue went away, or was purged."),
    ("not_sent", "Confirms were off, and the connection or channel ended under the publish."),
    (
        "transient",
        "The message was not persistent, or its queue not durable, and the broker ended.",
    ),
    (
        "unflushed",
        "The broker was killed before it had written the copy, and had not confirmed it.",
    ),
    ("young_queue", "The broker was killed when the quorum queue was less than a second old."),
    ("worker_rejected", "A worker refused it."),
    ("delivery_limit", "It came back as often as its quorum queue allows."),
    ("ttl", "Its time to live ran out."),
    ("max_length", "Its queue was full."),
    ("forgotten_ack", "It was finished under `ack: never`, and handed out again."),
    ("requeued", "The worker, or its connection, was gone between its work and its ack."),
    ("ack_lost", "The ack was written and took no effect."),
    ("reread", "The worker began a stream again from an earlier offset."),
    (
        "republished",
        "It was published again after a connection was lost, and had arrived the first time.",
    ),
    (
        "unexplained",
        "Nothing that was observed explains it; the run fails unless the file expects it.",
    ),
];

/// The sentence of a count.
pub fn of_count(name: &str) -> Option<&'static str> {
    sentence(&COUNTS, name)
}

/// The sentence of a cause.
pub fn of_cause(name: &str) -> Option<&'static str> {
    sentence(&CAUSES, name)
}

fn sentence(all: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    all.iter().find(|(known, _)| *known == name).map(|(_, sentence)| *sentence)
}

/// Says of every property that is a count what it means.
pub fn describe(schema: &mut Schema) {
    let Some(Value::Object(properties)) = schema.get_mut("properties") else { return };
    for (name, property) in properties {
        if let (Some(sentence), Value::Object(property)) = (of_count(name), property) {
            property.entry("description").or_insert(sentence.into());
        }
    }
}
