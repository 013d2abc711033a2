//! What is meant: variants expanded, names resolved, defaults filled in.
//!
//! [`load`] is the way in, and [`load_with`] where the file may include others. They find all
//! mistakes of a file at once; without any, nothing of the result can be wrong in itself, and the
//! engine checks nothing again. A part is looked at by itself with [`look`].

mod variants;
mod overlay;
mod parts;
mod context;
mod names;
mod nodes;
mod requires;
mod wishes;
mod topology;
mod meaning;
mod body;
mod producers;
mod workers;
mod rejects;
mod triggers;
mod faults;
mod expectations;
mod errors;
mod probes;
mod counts;
mod rounds;
mod lints;
pub mod model;
pub mod count;
pub mod matcher;
pub mod pattern;
pub mod random;
pub mod routing;
pub mod template;
pub mod content;
pub mod guarantees;
pub mod tolerance;

use std::sync::Arc;

use crate::diagnostic::Diagnostic;
use crate::plan::lints::Tally;
use crate::plan::model::Scenario;
use crate::plan::parts::Unread;
use crate::plan::variants::Cell;
use crate::scenario::collect::Collector;
use crate::scenario::file::{ExpectOnly, File};
use crate::scenario::include::Shelf;
use crate::scenario::mistake::{self, Mistake};
use crate::scenario::node::{At, Node, Value};
use crate::scenario::part::is_part;
use crate::scenario::tolerance::ToleranceOnly;
use crate::scenario::{Source, keys, yaml};

/// What the command line says about a file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Variables and their values, each the text of a YAML scalar; the last of a name counts.
    pub sets: Vec<(String, String)>,
    /// Instead of the file's seed.
    pub seed: Option<u64>,
}

/// What a file means that includes no others: there is nowhere to look for them.
///
/// # Errors
/// All mistakes of the file, in its order.
pub fn load(source: Source, options: &Options) -> Result<Scenario, Vec<Diagnostic>> {
    parts::without_shelf(|shelf| load_with(source, options, shelf))
}

/// What a file means, with those that it includes.
///
/// # Errors
/// All mistakes of the file, in its order, then those of the parts that it includes; or that it
/// is a part itself.
pub fn load_with(
    source: Source,
    options: &Options,
    shelf: Shelf,
) -> Result<Scenario, Vec<Diagnostic>> {
    let root = yaml::read(&source).map_err(|diagnostic| vec![diagnostic])?;
    if is_part(&root) {
        return Err(vec![parts::not_run(&source, &root)]);
    }
    scenario_of(root, source, options, shelf)
}

/// What another text of a scenario means, with the parts that the scenario had.
///
/// # Errors
/// As for [`load_with`]; no other part is there.
pub fn load_again(
    before: &Source,
    text: &str,
    options: &Options,
) -> Result<Scenario, Vec<Diagnostic>> {
    let source = Source::new(&*before.path, text);
    parts::with_parts_of(before, |shelf| load_with(source, options, shelf))
}

/// Everything that can be said of a file, be it a scenario or a part.
pub fn look(source: Source, options: &Options, shelf: Shelf) -> Vec<Diagnostic> {
    let root = match yaml::read(&source) {
        Ok(root) => root,
        Err(diagnostic) => return vec![diagnostic],
    };
    if is_part(&root) {
        return parts::look(root, source, shelf);
    }
    match scenario_of(root, source, options, shelf) {
        Ok(scenario) => scenario.warnings,
        Err(mistakes) => mistakes,
    }
}

fn scenario_of(
    root: Node,
    source: Source,
    options: &Options,
    shelf: Shelf,
) -> Result<Scenario, Vec<Diagnostic>> {
    let mut found = Collector::new(source.text.len());
    parts::check_kind(&root, &mut found);
    let (root, source, unread) = parts::gathered(root, source, shelf, &mut found);
    let tree = keys::check(root.clone(), &mut found);
    let source = Arc::new(source);
    let mut tally = Tally::new(&tree);
    let scenario = scenario(&source, &tree, options, &mut found, &mut tally);
    match scenario {
        Some(scenario) if found.is_empty() && unread.is_empty() => {
            tally.whole(lints::unused_variables(&tree));
            let warnings = tally.finish(found.limit(), options.sets.is_empty());
            let warning =
                |(lint, words)| mistake::warning(lint, words, &source, |at| set(options, at));
            let warnings = warnings.into_iter().map(warning).collect();
            Ok(Scenario { warnings, ..scenario })
        }
        _ => {
            let mistakes = diagnostics(&source, (&root, unread), options, found);
            assert!(!mistakes.is_empty(), "a file that is refused has a mistake");
            Err(mistakes)
        }
    }
}

/// The argument of the command line that a node comes from.
fn set(options: &Options, at: At) -> Option<String> {
    let sets = options.sets.iter().enumerate();
    let mut of = sets.filter(|(index, _)| At::command_line(*index).node == at.node);
    of.next().map(|(_, (name, value))| format!("--set {name}={value}"))
}

fn diagnostics(
    source: &Source,
    (root, unread): (&Node, Vec<Unread>),
    options: &Options,
    found: Collector,
) -> Vec<Diagnostic> {
    let set = |at: At| set(options, at);
    let mistakes = found.finish(root);
    let known = mistakes.into_iter().map(|mistake| (mistake.at, mistake.diagnostic(source, set)));
    let mut all: Vec<(At, Diagnostic)> = known.chain(unread).collect();
    all.sort_by_key(|(at, _)| (!at.is_from_command_line(), at.node));
    all.into_iter().map(|(_, diagnostic)| diagnostic).collect()
}

fn scenario(
    source: &Arc<Source>,
    tree: &Node,
    options: &Options,
    found: &mut Collector,
    tally: &mut Tally,
) -> Option<Scenario> {
    let cells = variants::cells(tree, options, found);
    let mut variants = Vec::new();
    let mut first = None;
    for cell in cells {
        let Some((file, body)) = read(tree, &cell, found) else { continue };
        variants.extend(context::variant(&file, &body, &cell, options, found, tally));
        first.get_or_insert(file);
    }
    let file = first?;
    if !found.is_empty() || variants.is_empty() {
        return None;
    }
    Some(Scenario {
        source: Arc::clone(source),
        name: file.scenario?.0,
        description: file.description,
        tags: file.tags,
        seed: variants[0].seed,
        variants,
        warnings: Vec::new(),
    })
}

/// The file as it is for one variant: its variables filled in, its layers laid over; and the tree
/// that it was read from.
fn read(tree: &Node, cell: &Cell, found: &mut Collector) -> Option<(File, Node)> {
    const HEAD: [&str; 5] = ["part", "include", "vars", "variants", "matrix"];
    const LAYERED: [&str; 3] = ["requires", "expect", "tolerance"];
    let above = |key: &str| HEAD.contains(&key) || LAYERED.contains(&key);
    let body = tree.entries().iter();
    let body = body.filter(|(key, _)| !key.text().is_some_and(above));
    let body = Node { at: tree.at, value: Value::Map(body.cloned().collect()) };
    let mut body = cell.variables.fill(&body, found);
    for key in LAYERED {
        let layers = tree.entries().iter().filter(|(name, _)| name.text() == Some(key));
        let mut merged: Option<(Node, Node)> = None;
        for (name, value) in
            layers.chain(cell.layers.iter().filter(|(name, _)| name.text() == Some(key)))
        {
            let value = cell.variables.fill(value, found);
            let layer = checked(tree.at, name, value, found);
            merged = match (merged, layer) {
                (Some((name, under)), Some((_, over))) => Some((name, overlay::merge(under, over))),
                (under, over) => over.or(under),
            };
        }
        if let Value::Map(entries) = &mut body.value {
            entries.extend(merged);
        }
    }
    Some((found.decode(&mut body)?, body))
}

/// A layer without what is wrong in it; also what a later layer replaces is checked.
fn checked(at: At, name: &Node, value: Node, found: &mut Collector) -> Option<(Node, Node)> {
    if value.value == Value::Null {
        return None;
    }
    let mut layer = Node { at, value: Value::Map(vec![(name.clone(), value)]) };
    match name.text() {
        Some("expect") => drop(found.decode::<ExpectOnly>(&mut layer)?),
        Some("tolerance") => drop(found.decode::<ToleranceOnly>(&mut layer)?),
        _ => {}
    }
    match layer.value {
        Value::Map(mut entries) => entries.pop(),
        _ => None,
    }
}

/// A required key that is not there; said of the whole file.
fn missing_name(at: At) -> Mistake {
    Mistake::new(at, "a scenario needs the key `scenario`, its name")
        .help("begin with `scenario: my-first`")
}

/// Whether a broker's version is what a file requires. Anything behind the three numbers, as
/// in `4.1.0-rc.1` or `3.10.8+1`, does not count: a release candidate has the new behaviour.
pub fn version_matches(wanted: &semver::VersionReq, version: &str) -> bool {
    let numbers = version.split(['-', '+']).next().unwrap_or(version);
    semver::Version::parse(numbers).is_ok_and(|version| wanted.matches(&version))
}
