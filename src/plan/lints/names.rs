//! Lints about names: variables that nothing uses, and words that mean something else already.

use std::collections::HashSet;

use crate::plan::lints::looked::{Looked, about};
use crate::scenario::collect::Warning;
use crate::scenario::decode::Located;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::{At, Node, Value};
use crate::scenario::scalar::Name;
use crate::scenario::variables::reference;

/// Variables of the file that no value and no body uses.
pub fn unused_variables(tree: &Node) -> Vec<Warning> {
    let Some(vars) = tree.get("vars") else { return Vec::new() };
    let mut used = HashSet::new();
    for (key, value) in tree.entries() {
        if key.text() != Some("vars") {
            uses(value, &mut used);
        }
    }
    let unused = vars.entries().iter().filter_map(|(key, _)| {
        let name = key.text().filter(|name| !used.contains(*name))?;
        let text = format!("nothing uses the variable `{name}`");
        let help = format!("write `${name}` where its value is meant, or leave it out");
        Some(about(Lint::UnusedVariable, vars.at, Mistake::new(key.at, text).help(help)))
    });
    unused.collect()
}

/// The names in `$name`, and between the braces of templates.
fn uses<'n>(node: &'n Node, used: &mut HashSet<&'n str>) {
    match &node.value {
        Value::Text(text) => match reference(text) {
            Some(name) => {
                used.insert(name);
            }
            None => used.extend(text.split('{').skip(1).filter_map(|part| {
                let (name, _) = part.split_once('}')?;
                Some(name)
            })),
        },
        Value::List(items) => items.iter().for_each(|item| uses(item, used)),
        Value::Map(entries) => entries.iter().for_each(|(_, value)| uses(value, used)),
        _ => {}
    }
}

/// Something called `broker`, which in a fault is the broker itself.
pub fn shadowed(looked: &Looked, out: &mut Vec<Warning>) {
    const WORD: &str = "broker";
    let file = looked.context.file;
    let mut names: Vec<(&Located<Name>, At)> = Vec::new();
    names.extend(file.topology.queues.iter().map(|entry| (&entry.name, entry.at)));
    names.extend(looked.producers().map(|(entry, _)| (&entry.name, entry.at)));
    names.extend(looked.workers().map(|(entry, _)| (&entry.name, entry.at)));
    for (name, entry) in names.into_iter().filter(|(name, _)| &*name.value == WORD) {
        let text = "this is called `broker`, the word that faults have for the broker itself";
        let help = "give it another name";
        out.push(about(Lint::ShadowedName, entry, Mistake::new(name.at, text).help(help)));
    }
}
