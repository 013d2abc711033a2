//! A file as a schema sees it: the same tree, as JSON.

use rmq_scenario::scenario::Source;
use rmq_scenario::scenario::node::{Node, Value};
use rmq_scenario::scenario::yaml;
use serde_json::{Map, Number, Value as Json};

/// The tree of a text; `None` when it is not YAML, so that no schema is asked.
pub fn tree(text: &str) -> Option<Node> {
    yaml::read(&Source::new("f.yaml", text)).ok()
}

/// A tree as JSON. What JSON cannot say, as editors' YAML readers say it: keys are texts, and a
/// number that is too large or none is some number.
pub fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
            (Ok(value), _) => value.into(),
            (_, Ok(value)) => value.into(),
            _ => Number::from_f64(*value as f64).map_or(Json::Null, Json::Number),
        },
        Value::Float(value) => Number::from_f64(*value).unwrap_or_else(odd).into(),
        Value::Text(text) => Json::String(text.clone()),
        Value::List(items) => items.iter().map(json).collect(),
        Value::Map(entries) => {
            let entries = entries.iter().map(|(key, value)| (key_text(key), json(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
    }
}

fn odd() -> Number {
    Number::from_f64(1.5).expect("it is finite")
}

fn key_text(key: &Node) -> String {
    match json(key) {
        Json::String(text) => text,
        other => other.to_string(),
    }
}
