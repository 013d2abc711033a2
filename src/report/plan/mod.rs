//! What a scenario will do and what it guarantees, told before it runs.

mod dot;
mod drawing;
mod graph;
mod json;
mod timeline;

use std::collections::BTreeSet;

use crate::plan::guarantees::range::Range;
use crate::plan::guarantees::rules::{ALL, Rule};
use crate::plan::guarantees::{Guarantee, Reach, guarantees, reach};
use crate::plan::model::{Scenario, Variant};
use crate::report::plan::graph::Graph;
use crate::report::style::Style;
use crate::report::text::{counted, paragraph, visible};

pub use json::render as json;

/// The digraph of each variant, for `dot`.
pub fn graphviz(scenario: &Scenario) -> String {
    each(scenario, dot::graphviz)
}

/// The flowchart of each variant, for Mermaid.
pub fn mermaid(scenario: &Scenario) -> String {
    each(scenario, dot::mermaid)
}

/// The tree of one variant, at most so many columns wide.
pub fn tree(variant: &Variant, width: usize) -> String {
    drawing::draw(&Graph::of(variant), width)
}

/// Variants that look the same are drawn once.
fn each(scenario: &Scenario, draw: impl Fn(&str, &Graph) -> String) -> String {
    let mut seen: Vec<Graph> = Vec::new();
    let mut text = String::new();
    for variant in &scenario.variants {
        let graph = Graph::of(variant);
        if !seen.contains(&graph) {
            text += &draw(title(scenario, variant).trim(), &graph);
            seen.push(graph);
        }
    }
    text
}

fn title(scenario: &Scenario, variant: &Variant) -> String {
    format!("{} {}", scenario.name, variant.name)
}

/// For people: each variant with its drawing, what happens when, and its guarantees; at the end the
/// rules that these follow from.
pub fn text(scenario: &Scenario, style: Style) -> String {
    let mut text = head(scenario, style);
    let mut rules = BTreeSet::new();
    let mut drawn: Vec<(String, &str)> = Vec::new();
    for variant in &scenario.variants {
        text += "\n";
        if scenario.variants.len() > 1 || !variant.name.is_empty() {
            text += &format!("{}{}\n", style.bold(&visible(&variant.name)), needs(variant));
        }
        let what = body(variant, style);
        match drawn.iter().find(|(other, _)| *other == what) {
            Some((_, name)) => text += &format!("  as {}\n", visible(name)),
            None => text += &what,
        }
        drawn.push((what, &variant.name));
        text += &foretold(variant, &mut rules);
    }
    text + &explained(&rules, style)
}

fn head(scenario: &Scenario, style: Style) -> String {
    let mut text = format!("{}\n", style.bold(&visible(&scenario.name)));
    if let Some(description) = &scenario.description {
        text += &paragraph(description.trim(), style.width, 2, 2);
    }
    let count = scenario.variants.len();
    text + &format!("  {} · seed {}\n", counted(count, "variant"), scenario.seed)
}

/// What the world must offer for it to run.
fn needs(variant: &Variant) -> String {
    let rabbitmq = variant.requires.rabbitmq.as_ref().map(|it| format!("RabbitMQ {it}"));
    let nodes = variant.requires.nodes.or(variant.broker.nodes).filter(|nodes| *nodes > 1);
    let nodes = nodes.map(|nodes| counted(usize::try_from(nodes).unwrap_or(usize::MAX), "node"));
    let needs: Vec<String> = rabbitmq.into_iter().chain(nodes).collect();
    if needs.is_empty() { String::new() } else { format!(" · needs {}", needs.join(", ")) }
}

/// The drawing, where messages go, and what happens when.
fn body(variant: &Variant, style: Style) -> String {
    let mut text = String::new();
    for line in drawing::draw(&Graph::of(variant), style.width.saturating_sub(2)).lines() {
        text += &format!("  {line}\n");
    }
    text += &reached(variant, style);
    for event in timeline::timeline(variant) {
        let line = format!("! {}: {}", event.what, event.when);
        text += &paragraph(&line, style.width, 2, 6);
    }
    text
}

/// How many copies each queue gets from whom, and what no queue gets.
fn reached(variant: &Variant, style: Style) -> String {
    let mut text = String::new();
    for Reach { producer, queues, unroutable } in reach(variant) {
        let name = &variant.producers[producer.index()].name;
        let copies = queues.iter().map(|(queue, copies)| {
            let queue = &variant.topology.queues[queue.index()].name;
            format!("{queue} {copies}")
        });
        let lost = (unroutable != Range::ZERO).then(|| format!("no queue {unroutable}"));
        let all: Vec<String> = copies.chain(lost).collect();
        text += &paragraph(&format!("{name} reaches: {}", all.join(", ")), style.width, 2, 6);
    }
    text
}

/// Each count that can be anything but 0.
fn foretold(variant: &Variant, rules: &mut BTreeSet<usize>) -> String {
    let mut text = String::from("  guaranteed, once it comes to rest:\n");
    for Guarantee { count, range, rule } in guarantees(variant) {
        if range == Range::ZERO {
            continue;
        }
        rules.extend(ALL.iter().position(|it| *it == rule));
        let range = if range.high.is_none() && range.low == 0 {
            "any".to_owned()
        } else {
            range.to_string()
        };
        text += &format!("    {:<14} {range:<12} {}\n", count.name(), rule.name());
    }
    text + "    all others     0\n"
}

/// What the rules say that were used.
fn explained(rules: &BTreeSet<usize>, style: Style) -> String {
    let used: Vec<Rule> = rules.iter().map(|index| ALL[*index]).collect();
    let mut text = String::from("\nrules\n");
    for rule in used {
        let line = format!("{}: {} ({})", rule.name(), rule.says(), rule.source());
        text += &paragraph(&line, style.width, 2, 6);
    }
    text
}
