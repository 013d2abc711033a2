//! The report for machines: the [`Report`] as it is, in the layout `rmq-scenario.report/1`.

use crate::report::Report;

/// Pretty JSON with a line end. Names keep their order; every name of the layout is present.
pub fn render(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report)
        .expect("a report has only text keys and numbers that JSON can say");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::count::{ALL, COPY_OUTCOMES, PUBLISH_OUTCOMES};
    use crate::report::fixture;

    fn rendered() -> Value {
        serde_json::from_str(&render(&fixture::full())).expect("it is JSON")
    }

    fn names(value: &Value) -> Vec<&str> {
        value.as_object().expect("a map").keys().map(String::as_str).collect()
    }

    fn sorted<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_top_says_what_it_is() {
        let mut report = rendered();
        report["scenarios"] = json!([]);
        assert_eq!(
            report,
            json!({
                "format": "rmq-scenario.report/1", "tool": "0.1.0", "verdict": "fail",
                "broker": { "version": "4.3.6", "kind": "private" }, "seed": 1, "scenarios": [],
            })
        );
    }

    #[test]
    fn every_name_of_a_variant_is_there_with_its_value() {
        let mut report = rendered();
        let scenario = &mut report["scenarios"][0];
        assert_eq!(names(scenario), ["file", "scenario", "variants", "verdict"]);
        let variant = &mut scenario["variants"][0];
        for scope in ["counts", "queues", "producers"] {
            variant[scope].take();
        }
        assert_eq!(
            *variant,
            json!({
                "name": "auto ack", "verdict": "fail", "reason": null, "duration_ms": 812,
                "vars": { "ack": "auto", "durable": false, "n": 3, "nothing": null },
                "counts": null, "queues": null, "producers": null,
                "workers": [{ "name": "worker-1", "deliveries": 10, "begun": 4, "finished": 3,
                    "redelivered": 0, "repeats": 0, "acked": 0, "rejected": 0, "died": true }],
                "faults": [{ "fault": "kill worker-1", "fired": true, "at_ms": 163,
                    "effect": "held 7", "bit": true, "recovered_ms": 45 }],
                "causes": [{ "outcome": "lost", "count": 7, "causes": ["auto_ack"],
                    "text": "worker-1 was killed in its 4th work" }],
                "errors": [{ "who": "worker-1", "scope": "channel", "code": 406,
                    "text": "PRECONDITION_FAILED", "explained": true }],
                "observations": [{ "name": "mid", "at_ms": 500, "queues": [
                    { "name": "task_queue", "ready": 0, "unacked": 8, "consumers": 2,
                      "unacked_age_ms": 100 }] }],
                "probes": [{ "probe": "declare_queue", "about": "task_queue", "ok": false,
                    "code": 406, "text": "PRECONDITION_FAILED - inequivalent arg 'durable'" }],
                "expectations": [{ "path": "lost", "expected": "0", "actual": 7, "held": false,
                    "line": 38 }],
                "guarantees": [{ "count": "lost", "low": 0, "high": 7, "rule": "auto-ack-death",
                    "actual": 7, "held": true }],
                "timings": {
                    "latency_ms": { "p50": 1.5, "p90": 2.25, "p99": 3.0, "p999": 3.0, "max": 3.125 },
                    "confirm_ms": null, "published_per_s": 9000.0, "finished_per_s": 24.5,
                    "longest_gap_ms": { "task_queue": 41.5 },
                },
                "tolerances": [{ "of": "redelivered", "by": 5, "unit": "number" },
                    { "of": "duration", "by": null, "unit": "any" }],
                "notes": ["worker-2 got the rest"],
            })
        );
    }

    #[test]
    fn zeros_are_written_and_each_scope_has_exactly_its_names() {
        let report = rendered();
        let variant = &report["scenarios"][0]["variants"][0];
        let all = ALL.map(|count| count.name());
        assert_eq!(names(&variant["counts"]), sorted(all));
        assert_eq!(variant["counts"]["lost"], 7);
        assert_eq!(variant["counts"]["over_limit"], 0);
        let copies = COPY_OUTCOMES.map(|count| count.name());
        let queue = sorted(copies.into_iter().chain([
            "name",
            "expected",
            "still_queued",
            "deliveries",
            "begun",
            "finished",
            "redelivered",
            "repeats",
            "duplicates",
        ]));
        assert_eq!(names(&variant["queues"][0]), queue);
        let publishes = PUBLISH_OUTCOMES.map(|count| count.name());
        let producer = sorted(copies.into_iter().chain(publishes).chain([
            "name",
            "published",
            "republished",
            "returned",
            "unroutable",
            "replied",
            "unanswered",
        ]));
        assert_eq!(names(&variant["producers"][0]), producer);
    }

    #[test]
    fn numbers_are_exact_and_text_is_escaped() {
        let mut report = fixture::full();
        report.seed = u64::MAX;
        report.scenarios[0].file = "a\x1b\"b".to_owned();
        let text = render(&report);
        assert!(text.contains("\"seed\": 18446744073709551615"));
        assert!(text.contains(r#""a\u001b\"b""#));
        assert!(text.ends_with("}\n"));
    }
}
