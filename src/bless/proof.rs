//! That a changed text means what it should, and that nothing else of it changed.

use std::collections::BTreeMap;

use crate::bless::edits::shown;
use crate::bless::wishes::Wish;
use crate::plan::model::{Scenario, Variant};
use crate::plan::{self, Options};
use crate::scenario::node::{Node, Value};
use crate::scenario::{Source, yaml};

/// Reads the text again; `wishes` are those that were to come true.
///
/// # Errors
/// What is wrong with it, for whoever looks for the mistake in here.
pub fn check(scenario: &Scenario, text: &str, wishes: &[Wish]) -> Result<(), String> {
    let source = Source::new(scenario.source.path.clone(), text);
    let (old, new) = (yaml::read(&scenario.source), yaml::read(&source));
    let (Ok(old), Ok(new)) = (old, new) else { return Err(unsafe_to("would be no YAML")) };
    if bare(&old, true) != bare(&new, true) {
        return Err(unsafe_to("would mean something else outside `expect`"));
    }
    let again = plan::load_again(&scenario.source, text, &Options::default())
        .map_err(|_| unsafe_to("would have mistakes in it"))?;
    if again.variants.len() != scenario.variants.len() {
        return Err(unsafe_to("would have other variants"));
    }
    for (index, (before, after)) in scenario.variants.iter().zip(&again.variants).enumerate() {
        kept(before, after, wishes.iter().filter(|wish| wish.variant == index))?;
    }
    Ok(())
}

fn unsafe_to(what: &str) -> String {
    format!("it {what}")
}

/// Whether a variant expects what it did, but for what was wished for it.
fn kept<'w>(
    before: &Variant,
    after: &Variant,
    wishes: impl Iterator<Item = &'w Wish>,
) -> Result<(), String> {
    let expected = |variant: &Variant| -> BTreeMap<String, String> {
        let all = variant.expectations.iter().map(|it| (it.path.clone(), it.expected.clone()));
        all.collect()
    };
    let mut wanted = expected(before);
    wanted.extend(wishes.map(|wish| (shown(&wish.path), wish.matcher().to_owned())));
    let got = expected(after);
    let differs = |path: &&String| wanted.get(*path) != got.get(*path);
    match wanted.keys().chain(got.keys()).find(differs) {
        Some(path) => Err(unsafe_to(&format!("would expect something else of {path}"))),
        None => Ok(()),
    }
}

/// The tree without positions, and at the top without what is expected.
fn bare(node: &Node, top: bool) -> serde_json::Value {
    match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => value.to_string().into(),
        Value::Float(value) => value.to_string().into(),
        Value::Text(text) => format!("\"{text}").into(),
        Value::List(items) => items.iter().map(|item| bare(item, false)).collect(),
        Value::Map(entries) => {
            let kept = entries.iter().filter_map(|(key, value)| entry(key, value, top));
            serde_json::Value::Array(kept.collect())
        }
    }
}

/// One entry of a map, unless it is only about what is expected.
fn entry(key: &Node, value: &Node, top: bool) -> Option<serde_json::Value> {
    let bare_value = match (top, key.text()) {
        (true, Some("expect")) => return None,
        (true, Some("variants")) => {
            let Value::List(items) = &value.value else { return None };
            let items: Vec<serde_json::Value> = items.iter().filter_map(variant).collect();
            if items.is_empty() {
                return None;
            }
            items.into()
        }
        _ => bare(value, false),
    };
    Some(serde_json::json!([bare(key, false), bare_value]))
}

/// An entry of `variants` without its `expect`; none if nothing but `when` is left.
fn variant(item: &Node) -> Option<serde_json::Value> {
    let rest = item.entries().iter().filter(|(key, _)| key.text() != Some("expect"));
    let rest: Vec<_> = rest.collect();
    let only_when = rest.iter().all(|(key, _)| key.text() == Some("when"));
    let bare =
        |(key, value): &(Node, Node)| serde_json::json!([bare(key, false), bare(value, false)]);
    (!only_when).then(|| rest.into_iter().map(bare).collect())
}
