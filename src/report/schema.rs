//! The JSON Schema of the JSON report, for programs that read it.
//!
//! Every name is required, as the report promises, and further ones are allowed: more may come while
//! the format keeps its version. The counts are those of [`crate::plan::count`].

use serde_json::{Map, Value, json};

use crate::plan::count::{ALL, Count};
use crate::report::FORMAT;

/// The schema as the text of a file; of draft 7, as that of scenario files.
pub fn text() -> String {
    serde_json::to_string_pretty(&whole()).expect("a schema is JSON") + "\n"
}

fn whole() -> Value {
    let mut schema = object(&[
        ("format", json!({ "const": FORMAT })),
        ("tool", text_of("the version of the program")),
        ("verdict", verdict("the worst of all scenarios")),
        (
            "broker",
            object(&[
                ("version", text_of("of RabbitMQ; empty when no broker could be had")),
                ("kind", json!({ "enum": ["private", "external"] })),
            ]),
        ),
        ("seed", number("of the first file")),
        ("scenarios", list(scenario())),
    ]);
    let head = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A report of rmq-scenario",
    });
    for (key, value) in head.as_object().into_iter().flatten() {
        schema[key] = value.clone();
    }
    schema
}

fn scenario() -> Value {
    object(&[
        ("scenario", text_of("its name")),
        ("file", text_of("as it was named on the command line")),
        ("verdict", verdict("the worst of its variants")),
        ("variants", list(variant())),
    ])
}

fn variant() -> Value {
    let scalars = json!({ "type": ["null", "boolean", "number", "string"] });
    object(&[
        ("name", text_of("empty when the file names no variant")),
        (
            "vars",
            json!({ "type": "object", "additionalProperties": scalars, "description": "the variables of the variant" }),
        ),
        ("verdict", verdict("of this variant")),
        ("reason", nullable("string", "why it did not pass, in one sentence")),
        ("duration_ms", number("from the beginning of the run to the last event")),
        ("counts", counts(None, |_| true)),
        ("queues", list(counts(Some("name"), Count::in_queues))),
        ("producers", list(counts(Some("name"), Count::in_producers))),
        ("workers", list(worker())),
        ("faults", list(fault())),
        ("causes", list(cause())),
        ("errors", list(error())),
        ("observations", list(observation())),
        ("probes", list(probe())),
        ("expectations", list(expectation())),
        ("guarantees", list(guarantee())),
        ("timings", timings()),
        ("tolerances", list(tolerance())),
        ("notes", list(text_of("a sentence on what needs no cause"))),
    ])
}

fn timings() -> Value {
    let parts =
        ["p50", "p90", "p99", "p999", "max"].map(|name| (name, json!({ "type": "number" })));
    let quantiles = |about: &str| {
        let mut quantiles = object(&parts);
        quantiles["type"] = json!(["object", "null"]);
        quantiles["description"] =
            json!(format!("{about}, in milliseconds; null when nothing was"));
        quantiles
    };
    let gaps = json!({
        "type": "object", "additionalProperties": { "type": "number" },
        "description": "the longest time between two deliveries, in milliseconds, by queue",
    });
    let mut timings = object(&[
        ("latency_ms", quantiles("from the scheduled publish to the end of the work")),
        ("confirm_ms", quantiles("from the scheduled publish to the confirm")),
        (
            "published_per_s",
            nullable("number", "messages in a second, from the first publish to the last"),
        ),
        (
            "finished_per_s",
            nullable("number", "works finished in a second, from the first to the last"),
        ),
        ("longest_gap_ms", gaps),
    ]);
    timings["type"] = json!(["object", "null"]);
    timings
}

/// The numbers that a scope knows, behind its name if it has one.
fn counts(name: Option<&str>, knows: fn(Count) -> bool) -> Value {
    let known = ALL.into_iter().filter(|&count| knows(count));
    let numbers = known.map(|count| (count.name(), json!({ "type": "integer", "minimum": 0 })));
    let name = name.map(|name| (name, text_of("as the file names it")));
    object(&name.into_iter().chain(numbers).collect::<Vec<_>>())
}

fn worker() -> Value {
    let mut worker = counts(Some("name"), Count::in_workers);
    worker["properties"]["died"] = truth("killed, or ended by an error, and not back at the end");
    worker["required"].as_array_mut().expect("it is a list").push("died".into());
    worker
}

fn fault() -> Value {
    object(&[
        ("fault", text_of("what was done, and to whom")),
        ("fired", truth("whether its moment came")),
        ("at_ms", nullable("integer", "since the run began; null when it never fired")),
        ("effect", text_of("what it did")),
        ("bit", truth("whether that changed anything")),
        (
            "recovered_ms",
            nullable(
                "integer",
                "from when it acted to the first delivery after what it does was done; null when none came",
            ),
        ),
    ])
}

fn cause() -> Value {
    object(&[
        ("outcome", text_of("the outcome's name, or `duplicates`")),
        ("count", number("of the copies with this outcome and these causes")),
        ("causes", list(text_of("the name of a cause"))),
        ("text", text_of("one sentence with its evidence")),
    ])
}

fn error() -> Value {
    object(&[
        ("who", text_of("the producer or worker that met it")),
        ("scope", json!({ "enum": ["consumer", "channel", "connection"] })),
        ("code", number("of AMQP; 0 where the broker gave none")),
        ("text", text_of("in the broker's words")),
        ("explained", truth("whether a fault of the file accounts for it")),
    ])
}

fn observation() -> Value {
    let queue = object(&[
        ("name", text_of("as the file names it")),
        ("ready", number("messages that wait")),
        ("unacked", number("messages that are handed out")),
        ("consumers", number("subscriptions")),
        ("unacked_age_ms", number("how far from that moment `unacked` may be")),
    ]);
    object(&[
        ("name", text_of("as the file names it")),
        ("at_ms", number("since the run began")),
        ("queues", list(queue)),
    ])
}

fn probe() -> Value {
    object(&[
        ("probe", text_of("the operation")),
        ("about", text_of("what it is about")),
        ("ok", nullable("boolean", "null when it never asked")),
        ("code", nullable("integer", "the reply code; null where there is none")),
        ("text", text_of("what the broker said")),
    ])
}

fn expectation() -> Value {
    let actual = "a number, or text such as `219 ms`; null when nothing was measured";
    object(&[
        ("path", text_of("joined by dots")),
        ("expected", text_of("as the file says it")),
        ("actual", json!({ "description": actual })),
        ("held", nullable("boolean", "null where nothing was judged")),
        ("line", number("of the file, from 1")),
    ])
}

fn guarantee() -> Value {
    object(&[
        ("count", json!({ "enum": ALL.map(Count::name) })),
        ("low", number("no run has less")),
        ("high", nullable("integer", "no run has more; null is no bound")),
        ("rule", text_of("the name of the rule that says so")),
        ("actual", number("what it was")),
        ("held", nullable("boolean", "null where nothing was judged")),
    ])
}

fn tolerance() -> Value {
    let units = json!({ "enum": ["number", "percent", "ms", "any"] });
    object(&[
        ("of", text_of("the name of a count of the whole run, or `duration`")),
        ("by", nullable("number", "how far it may be from what it was; null for any")),
        ("unit", units),
    ])
}

/// An object in which all of these are required.
fn object(properties: &[(&str, Value)]) -> Value {
    let required: Vec<&str> = properties.iter().map(|(name, _)| *name).collect();
    let named = properties.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone()));
    let properties: Map<String, Value> = named.collect();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn list(items: Value) -> Value {
    json!({ "type": "array", "items": items })
}

fn text_of(what: &str) -> Value {
    json!({ "type": "string", "description": what })
}

fn truth(what: &str) -> Value {
    json!({ "type": "boolean", "description": what })
}

fn number(what: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": what })
}

fn nullable(kind: &str, what: &str) -> Value {
    json!({ "type": [kind, "null"], "description": what })
}

fn verdict(what: &str) -> Value {
    let words = ["skipped", "pass", "inconclusive", "fail", "error"];
    json!({ "enum": words, "description": what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Report, fixture, json as report_json};
    use crate::verdict::model::Verdict;

    /// The schema as one that allows no further names: what a report has, it tells of.
    fn strict(schema: &mut Value) {
        if let Some(properties) = schema.get_mut("properties") {
            properties.as_object_mut().expect("a map").values_mut().for_each(strict);
            schema["additionalProperties"] = json!(false);
        }
        if let Some(items) = schema.get_mut("items") {
            strict(items);
        }
    }

    fn complaints(report: &Value) -> Vec<String> {
        let mut schema = whole();
        strict(&mut schema);
        let validator = jsonschema::draft7::new(&schema).expect("a schema");
        validator.iter_errors(report).map(|error| error.to_string()).collect()
    }

    fn rendered(report: &Report) -> Value {
        serde_json::from_str(&report_json::render(report)).expect("it is JSON")
    }

    #[test]
    fn the_schema_is_one_and_every_report_is_as_it_says() {
        assert!(jsonschema::draft7::meta::is_valid(&whole()));
        let mut unbalanced = fixture::full();
        unbalanced.scenarios[0].variants[0].verdict = Verdict::Unbalanced;
        let none = fixture::report(Vec::new());
        for report in [fixture::full(), fixture::mixed(), unbalanced, none] {
            let found = complaints(&rendered(&report));
            assert!(found.is_empty(), "{found:?}");
        }
    }

    /// Every place of the report, as a path of JSON Pointer, and what stands there.
    fn places(value: &Value, at: &str, all: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                all.push(format!("{at}/{key}"));
                places(value, &format!("{at}/{key}"), all);
            }),
            Value::Array(list) => list
                .iter()
                .enumerate()
                .for_each(|(index, value)| places(value, &format!("{at}/{index}"), all)),
            _ => {}
        }
    }

    #[test]
    fn a_report_that_lacks_a_name_or_has_another_value_there_is_invalid() {
        let report = rendered(&fixture::full());
        let mut all = Vec::new();
        places(&report, "", &mut all);
        // What variables may be called and hold, and how queues are called, is up to the file.
        all.retain(|path| !path.contains("/vars/") && !path.contains("/longest_gap_ms/"));
        assert!(all.len() > 100, "{all:?}");
        for path in all {
            let (parent, name) = path.rsplit_once('/').expect("a path");
            let mut less = report.clone();
            let map = less.pointer_mut(parent).and_then(Value::as_object_mut).expect("a map");
            map.remove(name).expect("it was there");
            assert!(!complaints(&less).is_empty(), "{path} may be missing");
            if name != "actual" || path.contains("guarantees") {
                let mut other = report.clone();
                *other.pointer_mut(&path).expect("it is there") = json!([[]]);
                assert!(!complaints(&other).is_empty(), "{path} may be anything");
            }
        }
    }
}
