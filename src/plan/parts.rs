//! Files that include others, and parts by themselves.
//!
//! A scenario and its parts become one tree, and everything else of the plan sees only that. A part
//! alone says too little to be planned: its keys and values are looked at, and its names.

use crate::diagnostic::Diagnostic;
use crate::plan::Options;
use crate::plan::names::Names;
use crate::plan::variants;
use crate::scenario::collect::Collector;
use crate::scenario::file::File;
use crate::scenario::include::{self, Found, Shelf, Trouble};
use crate::scenario::mistake::Mistake;
use crate::scenario::node::{At, Node, Value};
use crate::scenario::part::{self, says};
use crate::scenario::variables::Variables;
use crate::scenario::{Source, keys};

/// What is wrong with a text that could not be read, and where it stands among mistakes.
pub type Unread = (At, Diagnostic);

/// Calls `load` with a shelf that has nothing.
pub fn without_shelf<T>(load: impl FnOnce(Shelf) -> T) -> T {
    let mut read = |_: &str, _: &str| {
        let why = "nothing is included here".to_owned();
        Err(Trouble::Unreadable(why, "write its entries into this file".to_owned()))
    };
    load(Shelf { identity: String::new(), read: &mut read })
}

/// Calls `load` with a shelf that has the parts which a scenario had.
pub fn with_parts_of<T>(scenario: &Source, load: impl FnOnce(Shelf) -> T) -> T {
    let mut read = |path: &str, from: &str| match scenario.part(path, from) {
        Some(part) => {
            let source = Source::new(&*part.path, &*part.text);
            Ok(Found { source, identity: part.path.clone() })
        }
        None => Err(Trouble::Unreadable("it was not included before".to_owned(), String::new())),
    };
    load(Shelf { identity: scenario.path.clone(), read: &mut read })
}

/// A file and all that it includes, as one tree; and the source with its parts.
pub fn gathered(
    root: Node,
    mut source: Source,
    shelf: Shelf,
    found: &mut Collector,
) -> (Node, Source, Vec<Unread>) {
    let whole = include::gather(root, &source, shelf, found);
    source.parts = whole.parts;
    source.links = whole.links;
    source.parts.iter().for_each(|part| found.also(part.text.len()));
    (whole.tree, source, whole.unread)
}

/// A file is a scenario or a part.
pub fn check_kind(root: &Node, found: &mut Collector) {
    if says(root, "part") && says(root, "scenario") {
        let key = root.entries().iter().find(|(key, _)| key.text() == Some("part"));
        let at = key.map_or(root.at, |(key, _)| key.at);
        found.push(part::both(at));
    }
}

/// Why a part is not run.
pub fn not_run(source: &Source, root: &Node) -> Diagnostic {
    let at = root.get("part").map_or(root.at, |name| name.at);
    let name = source.path.rsplit('/').next().unwrap_or(&source.path);
    Diagnostic::error("this is a part of scenarios, and not run by itself")
        .at(source.place(at))
        .help(format!("run a scenario that includes it; such a file says `include: {name}`"))
}

/// What can be said of a part without a scenario: its keys, its values, and names that it has
/// twice. Which variables there are is known to the scenario.
pub fn look(root: Node, source: Source, shelf: Shelf) -> Vec<Diagnostic> {
    let mut found = Collector::new(source.text.len());
    let mut root = keys::check(root, &mut found);
    if !part::brings_something(&root) {
        let mistake = Mistake::new(root.at, "this part brings nothing");
        found.push(mistake.help("give it a `topology`, `producers` or `workers`"));
    }
    part::check(&mut root, &mut found);
    let (root, source, unread) = gathered(root, source, shelf, &mut found);
    let options = Options::default();
    for cell in variants::cells(&root, &options, &mut found) {
        values(&root, cell.variables, &mut found);
    }
    // A name may be special to the scenario.
    found.take_warnings();
    crate::plan::diagnostics(&source, (&root, unread), &options, found)
}

/// Looks at the values of a part with its own variables.
fn values(root: &Node, variables: Variables, found: &mut Collector) {
    const HEAD: [&str; 3] = ["part", "include", "vars"];
    let body = root.entries().iter();
    let body = body.filter(|(key, _)| !key.text().is_some_and(|key| HEAD.contains(&key)));
    let body = Node { at: root.at, value: Value::Map(body.cloned().collect()) };
    // What a scenario declares may be anything, also whether an entry is there.
    let mut undeclared = Collector::new(0);
    variables.fill(&body, &mut undeclared);
    let variables = Variables { open: true, ..variables };
    let mut body = variables.fill(&body, found);
    let Some(file) = found.decode::<File>(&mut body) else { return };
    let mut conditions = file.producers.iter().map(|it| it.condition);
    let sure = conditions.all(|it| it.is_none())
        && file.workers.iter().all(|it| it.condition.is_none())
        && undeclared.is_empty();
    if sure {
        Names::of(&file, found);
    }
}
