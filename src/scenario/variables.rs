//! Variables, filled in on the tree: a scalar that is exactly `$name` becomes their value.

use crate::scenario::collect::Collector;
use crate::scenario::mistake::{Mistake, Whole, list, meant};
use crate::scenario::node::{At, Node, Value};

/// Names that the body of a message has of its own.
pub const RESERVED: [&str; 3] = ["n", "dots", "producer"];

/// A variable and its value.
#[derive(Debug, Clone)]
pub struct Variable {
    pub name: String,
    pub value: Node,
}

/// The variables of one variant, in the order of `vars`.
#[derive(Debug, Default)]
pub struct Variables {
    pub list: Vec<Variable>,
    /// Whether others may be declared elsewhere, so that a use of one is no mistake.
    pub open: bool,
}

impl Variables {
    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|variable| variable.name.as_str())
    }

    /// The tree with every variable filled in. A use of a variable that does not exist is
    /// recorded and left out.
    pub fn fill(&self, tree: &Node, found: &mut Collector) -> Node {
        let mut filling = Filling { variables: self, found };
        filling.node(tree).unwrap_or(Node { at: tree.at, value: Value::Null })
    }

    fn get(&self, name: &str) -> Option<&Variable> {
        self.list.iter().find(|variable| variable.name == name)
    }

    /// The mistake of naming a variable that does not exist.
    pub fn unknown(&self, at: At, name: &str) -> Mistake {
        let mistake = Mistake::new(at, format!("variable `${name}` is not declared"))
            .needs(Whole::Names(&["vars"]));
        match meant(name, self.names()) {
            Some(meant) => mistake.help(format!("did you mean `${meant}`?")),
            None if self.list.is_empty() => mistake.help(format!(
                "declare it with `vars: {{ {name}: … }}`, or write `$${name}` for the text"
            )),
            None => mistake.help(format!(
                "the variables are {}; write `$${name}` for the text",
                list(self.names(), "and")
            )),
        }
    }
}

/// A walk over a tree that fills in variables.
struct Filling<'v, 'c> {
    variables: &'v Variables,
    found: &'c mut Collector,
}

impl Filling<'_, '_> {
    /// `None` where a variable does not exist.
    fn node(&mut self, node: &Node) -> Option<Node> {
        let value = match &node.value {
            Value::Text(text) => return self.text(node, text),
            Value::List(items) => Value::List(self.items(node.at, items)),
            Value::Map(entries) => Value::Map(self.entries(node.at, entries)),
            other => other.clone(),
        };
        Some(Node { at: node.at, value })
    }

    fn items(&mut self, container: At, items: &[Node]) -> Vec<Node> {
        let mut filled = Vec::with_capacity(items.len());
        for item in items {
            match self.node(item) {
                Some(item) => filled.push(item),
                None => self.found.removed(container, item.at, None),
            }
        }
        filled
    }

    fn entries(&mut self, container: At, entries: &[(Node, Node)]) -> Vec<(Node, Node)> {
        let mut filled = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match self.node(value) {
                Some(new) => filled.push((key.clone(), new)),
                None => self.found.removed(container, value.at, key.text().map(str::to_owned)),
            }
        }
        filled
    }

    fn text(&mut self, node: &Node, text: &str) -> Option<Node> {
        if let Some(escaped) = escaped(text) {
            return Some(Node { at: node.at, value: Value::Text(escaped.to_owned()) });
        }
        let Some(name) = reference(text) else { return Some(node.clone()) };
        let Some(variable) = self.variables.get(name) else {
            if !self.variables.open {
                self.found.push(self.variables.unknown(node.at, name));
            }
            return None;
        };
        let at = At { node: variable.value.at.node, used: Some(node.at.node) };
        Some(Node { at, value: variable.value.value.clone() })
    }
}

/// The name in a text that is exactly `$name`.
pub fn reference(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
    (1..=64).contains(&name.len()).then_some(name).filter(|name| name.bytes().all(allowed))
}

/// The text `$x` that `$$x` stands for, with any number of further `$` in front.
fn escaped(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches('$');
    let signs = text.len() - rest.len();
    (signs >= 2 && reference(&text[signs - 1..]).is_some()).then(|| &text[1..])
}

/// The value of a variable as a text: `$$x` stands for `$x` here too.
pub fn unescaped(node: &Node) -> Node {
    let value = match node.text().and_then(escaped) {
        Some(text) => Value::Text(text.to_owned()),
        None => node.value.clone(),
    };
    Node { at: node.at, value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_text_is_a_variable_and_a_second_sign_makes_it_text() {
        assert_eq!(reference("$ack"), Some("ack"));
        assert_eq!(reference("$ack "), None);
        assert_eq!(reference("$"), None);
        assert_eq!(reference("$$ack"), None);
        assert_eq!(escaped("$$ack"), Some("$ack"));
        assert_eq!(escaped("$$$ack"), Some("$$ack"));
        assert_eq!(escaped("$ack"), None);
        assert_eq!(escaped("$$ 5"), None);
    }
}
