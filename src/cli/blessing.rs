//! `run --bless`: the files of a run are made to expect what happened.

use std::io::{Error, ErrorKind};

use similar::TextDiff;

use crate::bless::{Blessed, bless};
use crate::cli::WORLD;
use crate::cli::args::Bless;
use crate::cli::loading::counted;
use crate::cli::run::Console;
use crate::diagnostic::Diagnostic;
use crate::plan::model::Scenario;
use crate::report::Report;
use crate::report::sinks::Place;
use crate::verdict::model::Verdict;

/// Blesses each file by what happened to it. The exit code: 0 where every file now expects what
/// happened, that of the run where something is left, 3 where a file could not be written.
pub fn files(how: Bless, scenarios: &[Scenario], report: &Report, console: &mut Console) -> u8 {
    let mut left = Verdict::Skipped;
    let mut unwritten = false;
    for (scenario, reported) in scenarios.iter().zip(&report.scenarios) {
        let whole = match bless(scenario, &reported.variants) {
            Ok(blessed) => {
                let told = tell(how, scenario, &blessed);
                console.say(&told);
                let written = match how {
                    Bless::Write => write(scenario, &blessed.text),
                    Bless::Diff => Ok(()),
                };
                if let Err(error) = &written {
                    unwritten = true;
                    console.complain(error);
                }
                how == Bless::Write && blessed.left.is_empty()
            }
            Err(refused) => {
                console.complain(&refused);
                false
            }
        };
        if !whole {
            left = left.max(reported.verdict);
        }
        // Something is left although nothing failed: a pipeline must not take that for done.
        if !whole && how == Bless::Write && reported.verdict <= Verdict::Pass {
            left = left.max(Verdict::Fail);
        }
    }
    if unwritten { WORLD } else { left.exit_code() }
}

/// What changed, and what did not.
fn tell(how: Bless, scenario: &Scenario, blessed: &Blessed) -> String {
    let path = &scenario.source.path;
    let mut text = String::from("\n");
    match how {
        Bless::Diff => {
            let diff = TextDiff::from_lines(&scenario.source.text, &blessed.text);
            text.push_str(&diff.unified_diff().header(path, path).to_string());
        }
        Bless::Write if blessed.changes.is_empty() => {
            text.push_str(&format!("{path} stays as it is\n"));
        }
        Bless::Write => {
            text.push_str(&format!("{path}: {}\n", counted(blessed.changes.len(), "new value")));
            for change in &blessed.changes {
                let was = change.was.as_ref().map(|was| format!(", was {was}")).unwrap_or_default();
                text.push_str(&format!("  {}: {}{was} ({})\n", change.path, change.is, change.of));
            }
        }
    }
    for left in &blessed.left {
        let of = match left.variant.as_str() {
            "" => String::new(),
            name => format!(" (variant \"{name}\")"),
        };
        text.push_str(&format!("  {}{of} is left to you: {}\n", left.path, left.why));
    }
    text
}

/// Puts the text in the place of the file's, all of it or nothing.
fn write(scenario: &Scenario, text: &str) -> Result<(), Diagnostic> {
    let path = &scenario.source.path;
    if *text == scenario.source.text {
        return Ok(());
    }
    replace(path, &scenario.source.text, text).map_err(|error| {
        Diagnostic::error(format!("writing {path} failed: {error}"))
            .help("`--bless=diff` prints what would change")
    })
}

fn replace(path: &str, old: &str, new: &str) -> Result<(), Error> {
    let present = std::fs::read_to_string(path)?;
    let mark = if present.starts_with('\u{feff}') { "\u{feff}" } else { "" };
    if present[mark.len()..] != *old {
        return Err(Error::new(ErrorKind::InvalidData, "it has changed since it was read"));
    }
    // As a report: a link stays a link, the file keeps its owner, its rights and its other names, and
    // who may not write to it does not.
    Place::open(path)?.write(&format!("{mark}{new}"))
}
