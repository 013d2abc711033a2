//! Laying one layer of a file over another.

use crate::scenario::node::{Node, Value};

/// Maps key by key, all else replaced. A key that is null in the upper layer is not in it.
pub fn merge(under: Node, over: Node) -> Node {
    match (under.value, over.value) {
        (Value::Map(mut entries), Value::Map(new)) => {
            for (key, value) in new {
                let same = entries.iter().position(|(old, _)| old.value == key.value);
                match same {
                    Some(_) if value.value == Value::Null => {}
                    Some(position) => {
                        let (_, old) = entries.remove(position);
                        entries.insert(position, (key, merge(old, value)));
                    }
                    None => entries.push((key, value)),
                }
            }
            Node { at: under.at, value: Value::Map(entries) }
        }
        (_, value) => Node { at: over.at, value },
    }
}
