//! Included files of a test: those below a folder, by the names that messages shall have.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::path::Path;

use rmq_scenario::diagnostic::Diagnostic;
use rmq_scenario::plan::model::Scenario;
use rmq_scenario::plan::{Options, load_with, look};
use rmq_scenario::scenario::Source;
use rmq_scenario::scenario::include::{Found, Shelf, Trouble};

/// The file that a path leads to from another one of the folder.
fn found(folder: &Path, path: &str, from: &str) -> Result<Found, Trouble> {
    let name = Path::new(from).parent().expect("a file has a folder").join(path);
    let whole = folder.join(&name);
    let identity = whole.canonicalize().unwrap_or_default().display().to_string();
    match Source::read_part(&whole, name.display().to_string()) {
        Ok(Ok(source)) => Ok(Found { source, identity }),
        Ok(Err(diagnostic)) => Err(Trouble::NoText(diagnostic)),
        Err(why) => Err(Trouble::Unreadable(why, "look into the folder".to_owned())),
    }
}

/// Calls `load` with the files of a folder, for the one of them that is called `name`.
fn lend<T>(folder: &Path, name: &str, load: impl FnOnce(Shelf) -> T) -> T {
    let mut read = |path: &str, from: &str| found(folder, path, from);
    let real = folder.join(name).canonicalize();
    let identity = real.map(|path| path.display().to_string()).unwrap_or_default();
    load(Shelf { identity, read: &mut read })
}

/// What a text means that stands in a folder.
pub fn load_in(
    folder: &Path,
    source: Source,
    options: &Options,
) -> Result<Scenario, Vec<Diagnostic>> {
    let name = source.path.clone();
    lend(folder, &name, |shelf| load_with(source, options, shelf))
}

/// All that is said about a text, be it a scenario or a part, that stands in a folder.
pub fn look_in(folder: &Path, source: Source, options: &Options) -> Vec<Diagnostic> {
    let name = source.path.clone();
    lend(folder, &name, |shelf| look(source, options, shelf))
}
