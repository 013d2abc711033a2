//! For each lesson a change that breaks it, and the expectation that must notice.

use rmq_scenario::plan::version_matches;

use crate::lessons::outcome::Outcome;
use crate::lessons::{Lesson, named};

/// A lesson with one text in place of another.
pub struct Altered {
    pub lesson: &'static str,
    find: &'static str,
    put: &'static str,
    /// The path of an expectation that no longer holds.
    breaks: &'static str,
    /// The versions of RabbitMQ on which it makes a difference.
    on: &'static str,
    /// The variant that runs, where the others are only long; else all of them.
    only: Option<&'static str>,
}

/// Every alteration that makes a difference on this version.
pub fn on(version: &str) -> Vec<&'static Altered> {
    let wanted =
        |altered: &&Altered| version_matches(&altered.on.parse().expect("a range"), version);
    ALTERED.iter().filter(wanted).collect()
}

impl Altered {
    const fn on(mut self, on: &'static str) -> Self {
        self.on = on;
        self
    }

    const fn only(mut self, variant: &'static str) -> Self {
        self.only = Some(variant);
        self
    }

    /// The file as it is altered.
    pub fn lesson(&self) -> Lesson {
        let Lesson { name, text } = named(self.lesson);
        assert_eq!(text.matches(self.find).count(), 1, "{name}: `{}` is not unique", self.find);
        let text = text.replace(self.find, self.put);
        let text = self.only.map_or(text.clone(), |variant| with_one_variant(&text, variant));
        Lesson { name, text }
    }

    /// What is wrong with how it failed, or that it did not.
    pub fn complaint(&self, outcome: &Outcome) -> Option<String> {
        let noticed = outcome.broken().any(|row| row["path"] == self.breaks);
        if outcome.verdict() == "fail" && noticed {
            return None;
        }
        Some(format!("`{}` instead of `{}`\n{outcome}", self.put, self.find))
    }
}

/// The file without its other variants.
fn with_one_variant(text: &str, variant: &str) -> String {
    let (mut among, mut wanted, mut found) = (false, true, false);
    let mut kept = String::new();
    for line in text.lines() {
        if !line.starts_with([' ', '#']) && !line.is_empty() {
            (among, wanted) = (line == "variants:", true);
        } else if let Some(name) = line.strip_prefix("  - name: ").filter(|_| among) {
            wanted = name == variant;
            found |= wanted;
        }
        if wanted {
            kept += line;
            kept.push('\n');
        }
    }
    assert!(found, "there is no variant `{variant}`");
    kept
}

const fn altered(
    lesson: &'static str,
    find: &'static str,
    put: &'static str,
    breaks: &'static str,
) -> Altered {
    Altered { lesson, find, put, breaks, on: "*", only: None }
}

/// Lines longer than usual, so that each is one row of a table.
#[rustfmt::skip]
const ALTERED: &[Altered] = &[
    // A patience that nobody tries.
    altered("ack_timeout", "consumer_timeout: 1000", "consumer_timeout: 60000", "redelivered"),
    // The acks of "manual" are not waited for: the seven are lost.
    altered("acknowledgements", "vars: { ack: manual }", "vars: { ack: auto }", "lost"),
    // Acks are written down before a broker ends in good order.
    altered("acks_resurrected", "how: sigkill, at_once", "how: graceful, at_once", "duplicates").only("killed at once"),
    // Nobody is blocked.
    altered("blocked_publishers", "vars: { alarm: disk }", "vars: { raised: false }", "duration").only("disk"),
    // Answered after all.
    altered("broker_crash", "vars: { confirms: false, unconfirmed: drop }", "vars: {}", "unchecked").only("classic, without confirms"),
    // Written down.
    altered("broker_restart", "vars: { persistent: false }", "vars: {}", "lost").only("transient messages"),
    // On one node alone.
    altered("classic_vs_quorum", "    vars: { type: quorum }", "    vars: {}", "delivered").only("quorum"),
    // The rejected ones have nowhere to go.
    altered("dead_letters", "orders, dead_letter: { exchange: graveyard }", "orders", "dead_lettered"),
    // Killed in the work instead of behind it.
    altered("duplicates", "before_ack: 3", "during: 3", "duplicates"),
    // A classic queue asks whether a message is persistent.
    altered("durability", "vars: { type: quorum, persistent: false }", "vars: { persistent: false }", "lost").only("quorum, transient messages"),
    // Nobody takes what cannot be placed.
    altered("exchanges_discard", "alternate_exchange: lost_property", "durable: true", "unroutable"),
    altered("exchanges_discard", "vars: { mandatory: true }", "vars: {}", "returned"),
    // A queue for everybody.
    altered("exclusive", "name: diary, exclusive: true", "name: diary", "probes.1.expect_error"),
    // So many that there is no limit.
    altered("fair_dispatch", "vars: { prefetch: 1 }", "vars: { prefetch: 20 }", "workers.slow.finished"),
    // Acked after all.
    altered("forgotten_ack", "ack: never, held: 10", "ack: manual, held: 10", "still_queued"),
    // Sent ahead.
    altered("frozen_worker", "vars: { prefetch: 1 }", "vars: {}", "workers.worker-1.finished").only("prefetch 1"),
    // A classic queue knows the global prefetch on every version.
    altered("global_qos", "refused: false, accepted: true", "refused: true, accepted: false", "probes.2.expect_error"),
    // What goes into the silence comes back when nobody acks it.
    altered("half_open_worker", "vars: { ack: auto, rate: 10/s }", "vars: { rate: 10/s }", "lost").only("automatic acks"),
    altered("headers", "match: any }", "match: all }", "queues.pdf_or_2026.delivered"),
    // The text is made a number, and fits.
    altered("headers", "year: \"2026\"", "year: 2026", "queues.text_2026.expected"),
    // Nobody receives.
    altered("hello_world", "early: true", "early: false", "delivered"),
    // What the other versions do.
    altered("large_messages", "\">=4.0\"", "\">=3.0\"", "confirmed").on("<4.0"),
    altered("large_messages", "\"<4.0\"", "\">=4.0\"", "confirmed").on(">=4.0"),
    // The majority comes back.
    altered("majority_lost", "vars: { back: false, gone: true, patience: 2s }", "vars: {}", "unconfirmed").only("they do not"),
    altered("max_length", "overflow: drop-head", "overflow: reject-publish", "dropped"),
    // An exchange that exists, and has no use for the message.
    altered("missing_exchange", "exchange: lgos, missing: true", "exchange: \"\", routing_key: nobody", "errors.1"),
    // Both are with the majority.
    altered("partition", "    node: 3\n    confirms", "    node: 2\n    confirms", "latency.max"),
    // Forgiving.
    altered("poison_message", "delivery_limit: 3", "delivery_limit: 30", "queues.jobs.deliveries"),
    // A queue that knows no priorities.
    altered("priorities", "max_priority: 10", "durable: true", "producers.urgent.delivered"),
    altered("publisher_confirms", "overflow: reject-publish", "overflow: drop-head", "refused"),
    // Asks for answers, and knows which are missing.
    altered("publisher_crash", "vars: { dies: true, confirms: false }", "vars: { dies: true }", "unchecked"),
    // Nobody comes late.
    altered("pubsub", "    start: { after: { confirmed: 10, of: emit_log } }\n", "", "queues.latecomer.expected"),
    // On one node alone.
    altered("quorum_node_loss", "type: quorum", "type: classic", "delivered").only("the leader"),
    // Declared again as it is.
    altered("redeclare_conflict", "durable: false", "durable: true", "probes.2.expect_error"),
    // Rejected ones are gone instead of on their way to the second queue.
    altered("redelivered_flag", "routing_key: second }", "routing_key: third }", "delivered"),
    // What waits for ever never comes back.
    altered("retry_with_ttl", "message_ttl: 200ms", "durable: true", "delivered"),
    // Nobody connects again.
    altered("rolling_restart", "reconnect: { unconfirmed: republish }", "reconnect: false", "published"),
    // Worker 1 holds one at a time, and whoever comes late finds work.
    altered(
        "round_robin",
        "    work: [5ms, $even]\n  - name: worker-2",
        "    prefetch: 1\n    work: [5ms, $even]\n  - name: worker-2",
        "workers.latecomer.finished",
    ),
    altered("routing", "routing_key: Error", "routing_key: error", "queues.misspelt.expected"),
    // The request dies with its server.
    altered("rpc", "vars: { kill: true }", "vars: { kill: true, ack: auto, timeout: 300ms }", "unanswered"),
    // Both are active.
    altered("single_active_consumer", "single_active_consumer: true", "single_active_consumer: false", "workers.worker-1.finished"),
    altered("streams", "offset: first", "offset: next", "workers.from_the_first.finished"),
    // A queue takes the message back.
    altered("streams_reject", "name: events, type: stream", "name: events, type: quorum", "delivered"),
    // The queue that stays is not used.
    altered("temporary_queues", "vars: { temporary: false, named: true, exchange: kept_logs, reader: archive }", "vars: {}", "lost"),
    altered("topics", "routing_key: \"lazy.#\"", "routing_key: \"lazy.*\"", "queues.rabbits_and_lazy.delivered"),
    // Asks for no answers.
    altered("unconfirmed_publishes", "vars: { unconfirmed: republish }", "vars: { asks: false }", "confirmed").only("sent again"),
    altered("work_queue", "ack: manual", "ack: auto", "lost"),
    // More patience than it takes.
    altered("worker_crash_loop", "delivery_limit: 3", "delivery_limit: 30", "dead_lettered"),
    altered("wrong_channel_ack", "channel: another_channel", "channel: own_channel", "still_queued"),
];
