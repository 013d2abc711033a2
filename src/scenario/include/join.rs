//! Joining files: as if the entries of the included ones stood before those of the file itself.
//!
//! Lists are put one behind the other. A variable has the value that the file itself gives it,
//! else that of the part. Names that clash are found where names are looked at.

use crate::scenario::collect::Collector;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::{Node, Value};
use crate::scenario::part::no_variable;
use crate::scenario::variables::reference;

/// The lists of a topology.
const LISTS: [&str; 3] = ["exchanges", "queues", "bindings"];

/// A file that others were joined to.
pub struct Joined {
    pub tree: Node,
    /// Whether everything of the others is in it.
    pub complete: bool,
}

/// A file with the parts that it includes; `below` tells whether the first of two files includes
/// the second, by whatever way.
pub fn join(
    root: Node,
    parts: Vec<Node>,
    below: &dyn Fn(usize, usize) -> bool,
    found: &mut Collector,
) -> Joined {
    let mut joining = Joining { below, found, complete: true };
    let tree = if parts.is_empty() { root } else { joining.root(root, &parts) };
    Joined { tree, complete: joining.complete }
}

struct Joining<'b, 'c> {
    below: &'b dyn Fn(usize, usize) -> bool,
    found: &'c mut Collector,
    complete: bool,
}

impl Joining<'_, '_> {
    fn root(&mut self, mut root: Node, parts: &[Node]) -> Node {
        self.vars(&mut root, parts);
        for list in ["producers", "workers"] {
            self.list(&mut root, list, parts);
        }
        let topologies: Vec<(Node, Node)> =
            parts.iter().filter_map(|part| entry(part, "topology").cloned()).collect();
        let Some((key, first)) = topologies.first() else { return root };
        let empty = Node { at: first.at, value: Value::Map(Vec::new()) };
        let Some(own) = self.own(&mut root, key, empty, is_map) else { return root };
        let lists: Vec<Node> = topologies.iter().map(|(_, topology)| topology.clone()).collect();
        for list in LISTS {
            self.list(own, list, &lists);
        }
        root
    }

    /// Puts the entries of a list before those of the file itself.
    fn list(&mut self, map: &mut Node, name: &str, parts: &[Node]) {
        let lists: Vec<&(Node, Node)> = parts.iter().filter_map(|part| entry(part, name)).collect();
        let Some((key, first)) = lists.first() else { return };
        let empty = Node { at: first.at, value: Value::List(Vec::new()) };
        let Some(own) = self.own(map, key, empty, is_list) else { return };
        let mut all: Vec<Node> = Vec::new();
        for (_, list) in lists {
            if let Value::List(items) = &list.value {
                all.extend(items.iter().cloned());
            }
        }
        if let Value::List(items) = &mut own.value {
            all.append(items);
            own.value = Value::List(all);
        }
    }

    /// Gives the file the variables that it does not declare itself.
    fn vars(&mut self, root: &mut Node, parts: &[Node]) {
        let all: Vec<&(Node, Node)> = parts.iter().filter_map(|part| entry(part, "vars")).collect();
        let Some((key, first)) = all.first() else { return };
        let empty = Node { at: first.at, value: Value::Map(Vec::new()) };
        let own_names: Vec<String> = match root.get("vars") {
            Some(vars) => vars.entries().iter().filter_map(|(key, _)| name(key)).collect(),
            None => Vec::new(),
        };
        let mut inherited: Vec<(Node, Node)> = Vec::new();
        for (key, value) in all.iter().flat_map(|(_, vars)| vars.entries()) {
            let same = inherited.iter_mut().find(|(known, _)| known.value == key.value);
            match same {
                None => inherited.push((key.clone(), value.clone())),
                Some(known) => {
                    let declared = name(key).is_some_and(|name| own_names.contains(&name));
                    self.choose(known, (key, value), declared);
                }
            }
        }
        let Some(own) = self.own(root, key, empty, is_map) else { return };
        let Value::Map(entries) = &mut own.value else { return };
        for (key, value) in std::mem::take(entries) {
            // A key that stands here twice stays so, to be found.
            let replaced = inherited
                .iter_mut()
                .find(|(known, _)| known.value == key.value && known.at.file() != key.at.file());
            match replaced {
                Some(known) => *known = (key, value),
                None => inherited.push((key, value)),
            }
        }
        *entries = inherited;
    }

    /// Which of two values a variable has that two parts declare: that of the part which includes
    /// the other. Else it must be said.
    fn choose(&mut self, known: &mut (Node, Node), new: (&Node, &Node), declared: bool) {
        let (first, second) = (known.0.at.file(), new.0.at.file());
        if (self.below)(second, first) {
            *known = (new.0.clone(), new.1.clone());
        } else if first != second && !(self.below)(first, second) && !declared {
            let name = new.0.text().unwrap_or_default();
            let text = format!("two parts give the variable `{name}` a value");
            let help = format!("declare `{name}` in the `vars` of the file that includes both");
            self.found
                .push(Mistake::new(new.0.at, text).note("the first one", known.0.at).help(help));
        }
    }

    /// The value of a key of the file itself, to be added to; an empty one if there is none. What
    /// cannot be added to stays as it is, and what is wrong with it is said where it is read.
    fn own<'n>(
        &mut self,
        map: &'n mut Node,
        key: &Node,
        empty: Node,
        fits: fn(&Value) -> bool,
    ) -> Option<&'n mut Node> {
        let Value::Map(entries) = &mut map.value else { return None };
        let position = entries.iter().position(|(own, _)| own.value == key.value);
        let position = position.unwrap_or_else(|| {
            entries.push((key.clone(), empty.clone()));
            entries.len() - 1
        });
        let own = &mut entries[position].1;
        if own.value == Value::Null {
            own.value = empty.value;
        }
        if fits(&own.value) {
            return Some(own);
        }
        self.complete = false;
        if own.text().and_then(reference).is_some() {
            self.found.push(no_variable(key, own.at));
        }
        None
    }
}

fn entry<'n>(map: &'n Node, key: &str) -> Option<&'n (Node, Node)> {
    let mut entries = map.entries().iter();
    entries.find(|(name, value)| name.text() == Some(key) && value.value != Value::Null)
}

fn name(key: &Node) -> Option<String> {
    key.text().map(str::to_owned)
}

fn is_map(value: &Value) -> bool {
    matches!(value, Value::Map(_))
}

fn is_list(value: &Value) -> bool {
    matches!(value, Value::List(_))
}
