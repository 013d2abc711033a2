//! What files mean, one small file for each rule.

mod actors;
mod expectations;
mod faults;
mod probes;
mod queues;
mod tolerances;
mod variants;

use std::fmt::Debug;

use rmq_scenario::plan::model::{Producer, Scenario, Variant, Worker};
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

pub fn plan_with(text: &str, sets: &[(&str, &str)]) -> Scenario {
    let sets = sets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let options = Options { sets, seed: None };
    load(Source::new("f.yaml", text), &options).unwrap_or_else(|diagnostics| {
        let all: Vec<String> = diagnostics.iter().map(|it| it.render(false)).collect();
        panic!("{}\n{text}", all.join("\n"))
    })
}

pub fn plan(text: &str) -> Scenario {
    plan_with(text, &[])
}

/// A file that is right, and `more` at its end.
pub fn with(more: &str) -> String {
    format!(
        "scenario: t
topology: {{ queues: [{{ name: q }}], exchanges: [{{ name: e, type: topic }}] }}
{more}
"
    )
}

pub fn producer(keys: &str) -> Producer {
    let text = with(&format!(
        "vars: {{ color: red, truth: true, nothing: null, num: 3, text: $$x, list: one }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 5, {keys} }}]"
    ));
    plan(&text).variants[0].producers[0].clone()
}

pub fn worker(keys: &str) -> Worker {
    let text = with(&format!("workers: [{{ name: w, queue: q, {keys} }}]"));
    plan(&text).variants[0].workers[0].clone()
}

/// A variant of a file with a producer `p`, a worker `w` of two instances, and `more`.
pub fn variant(more: &str) -> Variant {
    let text = with(&format!(
        "producers: [{{ name: p, to: {{ queue: q }}, messages: 5 }}]
workers: [{{ name: w, count: 2, queue: q }}]
{more}"
    ));
    plan(&text).variants.remove(0)
}

/// Compares what a short input means, as Rust shows it, with what is expected.
pub fn check(input: &str, meant: impl Debug, expected: &str) {
    assert_eq!(format!("{meant:?}"), expected, "{input}");
}
