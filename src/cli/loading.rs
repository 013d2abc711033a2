//! Scenario files as the command line names them, and what is said about how many.

use std::path::{Path, PathBuf};

use crate::cli::args::{RunArgs, Setting};
use crate::cli::including::Folder;
use crate::cli::{files, selection};
use crate::diagnostic::Diagnostic;
use crate::plan::model::Scenario;
use crate::plan::{self, Options};
use crate::scenario::Source;
use crate::scenario::lint::PAGE;

/// What the command line says about every file.
pub fn options(settings: &[Setting], seed: Option<u64>) -> Options {
    let sets = settings.iter().map(|set| (set.name.clone(), set.value.clone()));
    Options { sets: sets.collect(), seed }
}

/// What the command line of `run` names.
pub struct Loaded {
    /// Those that it chooses, or all mistakes.
    pub scenarios: Result<Vec<Scenario>, Vec<Diagnostic>>,
    /// Every file that they depend on.
    pub watched: Vec<PathBuf>,
    /// How many files there are.
    pub files: usize,
}

/// Everything that is to be run.
pub fn all(args: &RunArgs) -> Loaded {
    let options = options(&args.settings, args.seed);
    let (files, mut mistakes) = files::scenarios(&args.files);
    let (mut scenarios, mut watched) = (Vec::new(), Vec::new());
    for file in &files {
        let (loaded, asked) = load_watched(file, &options);
        watched.extend(asked);
        match loaded {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => mistakes.extend(found),
        }
    }
    let scenarios = if mistakes.is_empty() {
        selection::select(scenarios, args).map_err(|error| vec![error])
    } else {
        Err(mistakes)
    };
    Loaded { scenarios, watched, files: files.len() }
}

/// What a file means.
///
/// # Errors
/// All mistakes of the file, in its order, or that it cannot be read.
pub fn load(file: &Path, options: &Options) -> Result<Scenario, Vec<Diagnostic>> {
    load_watched(file, options).0
}

/// The same, and every file that it depends on: its own, and all that it includes or would include
/// if they were there.
fn load_watched(
    file: &Path,
    options: &Options,
) -> (Result<Scenario, Vec<Diagnostic>>, Vec<PathBuf>) {
    let mut folder = Folder::of(file);
    let loaded = Source::read(file)
        .map_err(|mistake| vec![mistake])
        .and_then(|source| folder.lend(|shelf| plan::load_with(source, options, shelf)));
    (loaded, folder.asked())
}

/// Everything that can be said of a file, be it a scenario or a part.
pub fn look(file: &Path, options: &Options) -> Vec<Diagnostic> {
    match Source::read(file) {
        Ok(source) => Folder::of(file).lend(|shelf| plan::look(source, options, shelf)),
        Err(mistake) => vec![mistake],
    }
}

/// What to do about warnings with a name, said once for all of them.
pub fn about_lints<'d>(found: impl IntoIterator<Item = &'d Diagnostic>) -> Option<String> {
    let named = found.into_iter().any(|found| found.lint.is_some());
    let text = format!(
        "{PAGE} has a chapter for each lint; `allow: [NAME]`, in the entry or at the\n\
         top of the file, silences one that is meant"
    );
    named.then_some(text)
}

/// `1 mistake`, `2 mistakes`.
pub fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}
