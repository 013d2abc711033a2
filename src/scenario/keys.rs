//! Rules for keys that hold in every map: none twice, and no merge key.

use std::collections::HashMap;

use crate::scenario::collect::Collector;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::{At, Node, Value};

/// The tree without the entries that break the rules; each is recorded.
pub fn check(node: Node, found: &mut Collector) -> Node {
    let value = match node.value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| check(item, found)).collect())
        }
        Value::Map(entries) => Value::Map(unique(node.at, entries, found)),
        other => other,
    };
    Node { at: node.at, value }
}

fn unique(map: At, entries: Vec<(Node, Node)>, found: &mut Collector) -> Vec<(Node, Node)> {
    let mut seen: HashMap<String, At> = HashMap::new();
    let mut kept = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let text = written(&key);
        if text == "<<" {
            found.push(
                Mistake::new(key.at, "`<<` does not merge maps here")
                    .help("write the keys out; an alias `*name` may stand for a whole value"),
            );
            continue;
        }
        if let Some(first) = seen.get(&text) {
            let mistake = Mistake::new(key.at, format!("the key `{text}` is here a second time"));
            found
                .push(mistake.note("it stands first in this map", *first).help("keep one of them"));
            found.removed(map, key.at, Some(text));
            continue;
        }
        seen.insert(text, key.at);
        kept.push((key, check(value, found)));
    }
    kept
}

/// A key as text; keys that are equal once written in a report are alike.
fn written(key: &Node) -> String {
    match &key.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Text(text) => text.clone(),
        // What is wrong with such a key is said where it is read.
        Value::List(_) | Value::Map(_) => format!("#{}", key.at.node),
    }
}
