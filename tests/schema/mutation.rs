//! Valid files, changed at one place or at several: every key dropped, renamed, and given every
//! kind of value. The reader never panics and names a place, and the schema agrees with it.

use std::collections::{BTreeSet, HashSet};

use rmq_scenario::diagnostic::Diagnostic;
use rmq_scenario::plan::random::Stream;
use rmq_scenario::scenario::node::{At, Node, Value};
use rmq_scenario::scenario::schema::{self, meaning};

use crate::golden::right;
use crate::reading;
use crate::verdicts::{Verdicts, ask};
use crate::walk;

/// A change to one entry of a map or of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    Drop,
    Rename(&'static str),
    /// Gives it the key that stands before it.
    Repeat,
    Value(&'static str),
}

/// What every value is replaced with, as YAML. The variables are those of [`variables`].
const VALUES: [&str; 28] = [
    "null",
    "0",
    "7",
    "-1",
    "1.5",
    "99999999999999999999999",
    "18446744073709551615",
    ".inf",
    "true",
    "text",
    "\"\"",
    "\"two words\"",
    "any",
    "index",
    "250ms",
    "4KiB",
    "50/s",
    "50%",
    "\"> 0\"",
    "\"3..7\"",
    "\"= 0ms\"",
    "[]",
    "[1]",
    "{}",
    "{ a: 1 }",
    "$zz_none",
    "$zz_number",
    "$zz_missing",
];

/// The variables that are put into each file, so that they can be used in any place.
const VARIABLES: [(&str, Value); 2] = [("zz_none", Value::Null), ("zz_number", Value::Int(5))];

/// What is done to the files of the library, beside those that have every key.
const FEW: [Change; 5] = [
    Change::Drop,
    Change::Rename("zzunknown"),
    Change::Value("null"),
    Change::Value("7"),
    Change::Value("text"),
];

/// All of them, in order.
pub fn changes() -> impl Iterator<Item = Change> {
    let keys = [Change::Drop, Change::Rename("zzunknown"), Change::Rename("7"), Change::Repeat];
    keys.into_iter().chain(VALUES.into_iter().map(Change::Value))
}

fn node(value: Value) -> Node {
    Node { at: At::node(0), value }
}

fn value(text: &str) -> Value {
    let tree = reading::tree(&format!("v: {text}")).expect("it is YAML");
    tree.get("v").expect("it is there").value.clone()
}

/// A file with more variables.
fn variables(mut tree: Node) -> Node {
    let Value::Map(entries) = &mut tree.value else { unreachable!("a file is a map") };
    let vars = entries.iter().position(|(key, _)| key.text() == Some("vars"));
    let at = vars.unwrap_or_else(|| {
        entries.push((node(Value::Text("vars".into())), node(Value::Map(Vec::new()))));
        entries.len() - 1
    });
    if let Value::Map(vars) = &mut entries[at].1.value {
        let more = VARIABLES.map(|(name, value)| (node(Value::Text(name.into())), node(value)));
        vars.extend(more);
    }
    tree
}

/// The way to an entry: the positions in the maps and lists that hold it.
type Way = Vec<usize>;

/// Every entry of a tree: the way to it, and its name without the positions in lists.
pub fn ways(tree: &Node) -> Vec<(Way, String)> {
    let mut found = Vec::new();
    gather(tree, &mut Vec::new(), "", &mut found);
    found
}

fn gather(tree: &Node, way: &mut Way, name: &str, found: &mut Vec<(Way, String)>) {
    let children: Vec<(String, &Node)> = match &tree.value {
        Value::List(items) => items.iter().map(|item| (format!("{name}.*"), item)).collect(),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| (format!("{name}.{}", key.text().unwrap_or("…")), value))
            .collect(),
        _ => return,
    };
    for (position, (name, child)) in children.into_iter().enumerate() {
        way.push(position);
        found.push((way.clone(), name.clone()));
        gather(child, way, &name, found);
        way.pop();
    }
}

/// The tree with a change at the end of a way.
pub fn changed(mut tree: Node, way: &[usize], change: &Change) -> Node {
    let [position, rest @ ..] = way else { unreachable!("a way has a step") };
    if !rest.is_empty() {
        let child = match &mut tree.value {
            Value::List(items) => &mut items[*position],
            Value::Map(entries) => &mut entries[*position].1,
            _ => unreachable!("a way leads through maps and lists"),
        };
        *child = changed(child.clone(), rest, change);
        return tree;
    }
    match (&mut tree.value, change) {
        (Value::List(items), Change::Drop) => drop(items.remove(*position)),
        (Value::List(items), Change::Value(text)) => items[*position].value = value(text),
        (Value::List(_), Change::Rename(_) | Change::Repeat) => {}
        (Value::Map(entries), Change::Drop) => drop(entries.remove(*position)),
        (Value::Map(entries), Change::Rename(key)) => entries[*position].0.value = value(key),
        (Value::Map(entries), Change::Repeat) => {
            entries[*position].0 = entries[position.saturating_sub(1)].0.clone();
        }
        (Value::Map(entries), Change::Value(text)) => entries[*position].1.value = value(text),
        _ => unreachable!("a way ends in a map or a list"),
    }
    tree
}

/// A tree as YAML, with a line for each entry.
pub fn written(tree: &Node) -> String {
    let joined = |open: &str, parts: Vec<String>, close: &str| {
        if parts.is_empty() {
            return format!("{open}{close}");
        }
        format!("{open}\n{}\n{close}", parts.join(",\n"))
    };
    match &tree.value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Float(value) if value.is_infinite() => ".inf".into(),
        Value::Float(value) => format!("{value:?}"),
        Value::Text(text) => serde_json::to_string(text).expect("text is JSON"),
        Value::List(items) => joined("[", items.iter().map(written).collect(), "]"),
        Value::Map(entries) => {
            let entry =
                |(key, value): &(Node, Node)| format!("{}: {}", written(key), written(value));
            joined("{", entries.iter().map(entry).collect(), "}")
        }
    }
}

/// Every mistake has a place, and the place is in the text.
fn misplaced(verdicts: &Verdicts, text: &str) -> Option<String> {
    misplaced_in(&verdicts.mistakes, text)
}

/// The same, of mistakes that are all in one text.
pub fn misplaced_in(mistakes: &[Diagnostic], text: &str) -> Option<String> {
    let lines: Vec<&str> = text.split('\n').collect();
    let wrong = mistakes.iter().find(|mistake| {
        let Some(place) = &mistake.place else { return true };
        let room = place.text.chars().count() + 1;
        lines.get(place.line - 1) != Some(&place.text.as_str())
            || place.column + place.width > room + 1
    })?;
    Some(format!("it is not said where: {}", wrong.render(false)))
}

fn complaint(text: &str) -> Option<String> {
    let verdicts = ask(text);
    misplaced(&verdicts, text).or_else(|| verdicts.classes(text).err())
}

/// The files that are changed: their names and their trees.
fn originals() -> Vec<(String, Node)> {
    let tree = |text: &str| variables(reading::tree(text).expect("it is YAML"));
    right().into_iter().map(|(name, text)| (name, tree(&text))).collect()
}

#[test]
fn a_file_that_is_written_anew_is_still_right() {
    for (name, tree) in originals() {
        let text = written(&tree);
        let verdicts = ask(&text);
        assert!(verdicts.mistakes.is_empty() && verdicts.passes(), "{name}\n{text}");
    }
}

#[test]
fn every_change_at_one_place_is_judged_alike_and_has_a_place() {
    // What lies at the same keys in several places is changed in the first.
    let mut seen: HashSet<String> = HashSet::new();
    let (mut count, mut complaints) = (0, Vec::new());
    for (number, (file, tree)) in originals().into_iter().enumerate() {
        for (way, name) in ways(&tree) {
            if !seen.insert(name.clone()) {
                continue;
            }
            // The first three files have every key.
            let changes = changes().filter(|change| number < 3 || FEW.contains(change));
            for change in changes {
                let text = written(&changed(tree.clone(), &way, &change));
                count += 1;
                complaints
                    .extend(complaint(&text).map(|it| format!("{file}{name}, {change:?}: {it}")));
            }
        }
    }
    println!("{count} changes");
    assert!(count > 8_000, "{count} changes");
    assert!(complaints.is_empty(), "{} of {count}:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn several_changes_at_a_time_are_judged_alike_and_have_places() {
    let seed = 1;
    let stream = Stream::new(seed, "several changes");
    let originals = originals();
    let all: Vec<Change> = changes().collect();
    let mut drawn = 0;
    let mut below = |bound: usize| {
        drawn += 1;
        usize::try_from(stream.below(drawn, bound as u64)).expect("it is small")
    };
    for round in 0..1500 {
        let (file, tree) = &originals[below(originals.len())];
        let mut tree = tree.clone();
        for _ in 0..2 + below(4) {
            let ways = ways(&tree);
            let (way, _) = &ways[below(ways.len())];
            tree = changed(tree, way, &all[below(all.len())]);
        }
        let text = written(&tree);
        if let Some(complaint) = complaint(&text) {
            panic!("seed {seed}, round {round}, {file}: {complaint}\n{text}");
        }
    }
}

#[test]
fn the_first_three_files_have_every_key_of_the_format() {
    let mut used = HashSet::new();
    for (_, tree) in originals().iter().take(3) {
        used.extend(ways(tree).into_iter().filter_map(|(_, name)| {
            let (_, key) = name.rsplit_once('.')?;
            Some(key.to_owned())
        }));
    }
    let schema = serde_json::from_str(&schema::text()).expect("it is JSON");
    let mut missing = BTreeSet::new();
    walk(&schema, "", &mut |part, _| {
        let keys = part["properties"].as_object().into_iter().flatten();
        missing.extend(keys.filter(|(key, _)| !used.contains(*key)).map(|(key, _)| key.clone()));
    });
    // A count is a count: one stands for all.
    missing.retain(|key| meaning::of_count(key).is_none() && meaning::of_cause(key).is_none());
    assert!(missing.is_empty(), "no file in tests/schema/right uses {missing:?}");
}
