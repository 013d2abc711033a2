//! The plan for machines, in the layout `rmq-scenario.plan/1`.

use serde_json::{Map, Value, json};

use crate::plan::guarantees::{guarantees, reach};
use crate::plan::model::{Scenario, Variant};
use crate::plan::pattern::Scalar;
use crate::report::plan::graph::{Graph, Way};
use crate::report::plan::timeline;

/// All scenarios as one document, with a line end.
pub fn render(scenarios: &[Scenario]) -> String {
    let all: Vec<Value> = scenarios.iter().map(scenario).collect();
    let document = json!({ "format": "rmq-scenario.plan/1", "scenarios": all });
    let text = serde_json::to_string_pretty(&document);
    text.expect("a plan has only text keys and numbers that JSON can say") + "\n"
}

fn scenario(scenario: &Scenario) -> Value {
    let variants: Vec<Value> = scenario.variants.iter().map(variant).collect();
    json!({
        "scenario": scenario.name,
        "file": scenario.source.path,
        "seed": scenario.seed,
        "variants": variants,
    })
}

fn variant(variant: &Variant) -> Value {
    let vars: Map<String, Value> =
        variant.vars.iter().map(|(name, value)| (name.clone(), value_of(value))).collect();
    let graph = Graph::of(variant);
    let nodes = graph.nodes.iter().map(
        |node| json!({ "kind": node.kind.word(), "name": node.name, "details": node.details }),
    );
    let edges = graph.edges.iter().map(|edge| {
        let way = match edge.way {
            Way::Usual => "usual",
            Way::Alternate => "alternate",
            Way::DeadLetters => "dead_letters",
        };
        json!({ "from": edge.from, "to": edge.to, "way": way, "label": edge.label })
    });
    let reaches = reach(variant).into_iter().flat_map(|reach| {
        let producer = variant.producers[reach.producer.index()].name.clone();
        reach.queues.into_iter().map(move |(queue, copies)| {
            let queue = &variant.topology.queues[queue.index()].name;
            json!({
                "producer": producer, "queue": queue, "low": copies.low, "high": copies.high,
            })
        })
    });
    let events = timeline::timeline(variant).into_iter().map(|event| {
        let at = event.at.and_then(|at| u64::try_from(at.as_millis()).ok());
        json!({ "what": event.what, "when": event.when, "at_ms": at })
    });
    let guarantees = guarantees(variant).into_iter().map(|guarantee| {
        json!({
            "count": guarantee.count.name(),
            "low": guarantee.range.low,
            "high": guarantee.range.high,
            "rule": guarantee.rule.name(),
            "why": guarantee.rule.says(),
            "source": guarantee.rule.source(),
        })
    });
    json!({
        "name": variant.name,
        "vars": vars,
        "topology": {
            "nodes": nodes.collect::<Vec<_>>(), "edges": edges.collect::<Vec<_>>(),
        },
        "reaches": reaches.collect::<Vec<_>>(),
        "timeline": events.collect::<Vec<_>>(),
        "guarantees": guarantees.collect::<Vec<_>>(),
    })
}

fn value_of(scalar: &Scalar) -> Value {
    match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => (*value).into(),
        Scalar::Int(value) => (*value).into(),
        Scalar::Float(value) => (*value).into(),
        Scalar::Text(value) => value.clone().into(),
    }
}
