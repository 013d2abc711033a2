//! What a run hands over to machines: the reports that were asked for and, in a job of GitHub
//! Actions, its summary and its annotations, which nobody has to ask for.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::cli::run::Console;
use crate::cli::{USAGE, WORLD};
use crate::diagnostic::Diagnostic;
use crate::report::sinks::{self, ReportArg, Sinks};
use crate::report::{Report, annotations, markdown};

/// Names the file to which a step of a job appends what its page shall show.
/// (<https://docs.github.com/actions/reference/variables-reference>)
const SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// Opens the reports of a run that reads these files.
///
/// # Errors
/// With the exit code: the paths contradict each other, or one cannot be written.
pub fn open(reports: &[ReportArg], files: &[PathBuf]) -> Result<Sinks, (Diagnostic, u8)> {
    sinks::distinct(reports, files).map_err(|error| (error, USAGE))?;
    Sinks::open(reports).map_err(|error| (error, WORLD))
}

/// Whether this is a job of GitHub Actions.
pub fn on_github() -> bool {
    std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Hands over the last word on a run. The exit code: 3 when a report that was asked for could not
/// be written. A summary that could not is a warning: nobody asked for it, and the run is none the
/// worse.
pub fn hand_over(report: &Report, sinks: &mut Sinks, console: &mut Console) -> u8 {
    let mut code = 0;
    for error in sinks.write(report) {
        console.complain(&error);
        code = WORLD;
    }
    // Who asks for this very file has written it just now.
    if summary().is_some_and(|path| !sinks.go_to(&path)) {
        add_to_summary(&markdown::render(report), console);
    }
    if on_github() {
        console.annotate(&annotations::of_report(report));
    }
    code
}

/// Where the page of a job is written, if somebody asks for it.
fn summary() -> Option<String> {
    std::env::var(SUMMARY).ok().filter(|path| !path.is_empty())
}

/// Shows a text on the page of the job, where there is one.
pub fn add_to_summary(text: &str, console: &mut Console) {
    if let Some(path) = summary()
        && let Err(error) = append(&path, text)
    {
        let message = format!("cannot append to `{path}`, which {SUMMARY} names: {error}");
        console.complain(&Diagnostic::warning(message));
    }
}

/// Other steps, and other runs of this one, have written there as well.
fn append(path: &str, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(format!("{text}\n").as_bytes())
}
