//! For each lesson a change that breaks it, and the expectation that must notice.

use crate::lessons::outcome::Outcome;
use crate::lessons::{Lesson, named};

/// A lesson with one text in place of another.
pub struct Altered {
    pub lesson: &'static str,
    find: &'static str,
    put: &'static str,
    /// The path of an expectation that no longer holds.
    breaks: &'static str,
}

impl Altered {
    /// The file as it is altered.
    pub fn lesson(&self) -> Lesson {
        let Lesson { name, text } = named(self.lesson);
        assert_eq!(text.matches(self.find).count(), 1, "{name}: `{}` is not unique", self.find);
        Lesson { name, text: text.replace(self.find, self.put) }
    }

    #[track_caller]
    pub fn assert_fails(&self, outcome: &Outcome) {
        let change = format!("{} instead of {}", self.put, self.find);
        assert_eq!(outcome.verdict(), "fail", "{change}: {outcome}");
        let rows = outcome.variants().iter().flat_map(|variant| {
            variant["expectations"].as_array().map_or(&[][..], Vec::as_slice)
        });
        let broken: Vec<&str> = rows
            .filter(|row| row["held"] == false)
            .map(|row| row["path"].as_str().expect("a path is text"))
            .collect();
        assert!(broken.contains(&self.breaks), "{change} broke {broken:?}: {outcome}");
    }
}

const fn altered(
    lesson: &'static str,
    find: &'static str,
    put: &'static str,
    breaks: &'static str,
) -> Altered {
    Altered { lesson, find, put, breaks }
}

#[rustfmt::skip]
pub const ALTERED: &[Altered] = &[
    // The acks of "manual" are not asked for: the seven are lost.
    altered("acknowledgements", "vars: { ack: manual }", "vars: { ack: auto }", "lost"),
    // The consumer timeout is far longer than the work.
    altered("ack_timeout", "consumer_timeout: 1000", "consumer_timeout: 60000", "redelivered"),
    altered("dead_letters", "orders, dead_letter: { exchange: graveyard }", "orders", "dead_lettered"),
    // Killed in the work instead of behind it.
    altered("duplicates", "before_ack: 3", "during: 3", "duplicates"),
    altered("exchanges_discard", "alternate_exchange: lost_property", "durable: true", "unroutable"),
    altered("exchanges_discard", "vars: { mandatory: true }", "vars: {}", "returned"),
    altered("fair_dispatch", "vars: { prefetch: 1 }", "vars: { prefetch: 10 }", "workers.slow.finished"),
    altered("forgotten_ack", "vars: { ack: never, held: 10 }", "vars: { ack: early, held: 10 }", "still_queued"),
    altered("headers", "match: any", "match: all", "queues.pdf_or_2026.delivered"),
    // The text is made a number, and matches.
    altered("headers", "year: \"2026\"", "year: 2026", "queues.text_2026.expected"),
    altered("hello_world", "early: true", "early: false", "delivered"),
    altered("large_messages", "17MiB", "15MiB", "confirmed"),
    altered("max_length", "overflow: drop-head", "overflow: reject-publish", "dropped"),
    altered("missing_exchange", "exchange: lgos, missing: true", "exchange: amq.fanout", "errors"),
    altered("poison_message", "delivery_limit: 3", "delivery_limit: 30", "queues.jobs.deliveries"),
    altered("priorities", "max_priority: 10", "durable: true", "producers.urgent.delivered"),
    altered("publisher_confirms", "overflow: reject-publish", "overflow: drop-head", "refused"),
    altered("pubsub", "type: fanout", "type: direct", "delivered"),
    altered("redeclare_conflict", "durable: false", "durable: true", "probes"),
    altered("retry_with_ttl", "message_ttl: 200ms", "durable: true", "delivered"),
    altered("round_robin", "    work: [5ms, $even]\n  - name: worker-2", "    prefetch: 1\n    work: [5ms, $even]\n  - name: worker-2", "workers.latecomer.finished"),
    altered("routing", "routing_key: Error", "routing_key: error", "queues.misspelt.expected"),
    altered("rpc", "    reply: ", "    body: ", "replied"),
    altered("single_active_consumer", "single_active_consumer: true", "single_active_consumer: false", "workers.worker-1.finished"),
    altered("streams", "type: stream", "type: classic", "workers.early.finished"),
    altered("temporary_queues", "      - { from: kept_logs, to: log_file }", "      []", "lost"),
    altered("topics", "lazy.#", "lazy.*", "queues.rabbits_and_lazy.delivered"),
    altered("work_queue", "ack: manual", "ack: auto", "lost"),
    altered("wrong_channel_ack", "ack_on: $channel", "ack_on: own_channel", "delivered"),
];
