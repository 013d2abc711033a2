//! `run --baseline`: what a run is compared with when it is over.

use crate::cli::args::RunArgs;
use crate::cli::run::Console;
use crate::cli::{REGRESSION, compare as comparing, pipeline};
use crate::compare::compare;
use crate::compare::reading::{self, Reading};
use crate::diagnostic::Diagnostic;
use crate::plan::model::Scenario;
use crate::report::compare as drawing;
use crate::report::{Report, json};

/// What the run is called beside its baseline.
const THIS: &str = "this run";

/// Reads the baseline of a run of these scenarios, before anything is started.
///
/// # Errors
/// When it is no report, or one of other scenarios.
pub fn read(args: &RunArgs, scenarios: &[Scenario]) -> Result<Option<Reading>, Diagnostic> {
    let Some(path) = &args.baseline else { return Ok(None) };
    let baseline = comparing::read(path)?;
    let known = |scenario: &Scenario| {
        let mut all = baseline.report.scenarios.iter();
        all.any(|it| it.scenario == scenario.name || it.file == scenario.source.path)
    };
    if scenarios.iter().any(known) {
        return Ok(Some(baseline));
    }
    let names: Vec<&str> =
        baseline.report.scenarios.iter().take(5).map(|it| it.scenario.as_str()).collect();
    let error = Diagnostic::error(format!("the baseline `{path}` has none of these scenarios"));
    Err(error
        .note(format!("it has {}", names.join(", ")))
        .help("name a report of the same files; nothing was run"))
}

/// Tells what differs from the baseline. The exit code: 1 when something is worse.
pub fn tell(baseline: &Reading, report: &Report, args: &RunArgs, console: &mut Console) -> u8 {
    let compared = reading::read(THIS, &json::render(report))
        .and_then(|run| compare(&[baseline.clone(), run]));
    let mut comparison = match compared {
        Ok(comparison) => comparison,
        Err(error) => {
            console.complain(&error);
            return REGRESSION;
        }
    };
    // Who chooses some of the variants knows that the others are not run.
    if chooses(args) {
        comparison.only.retain(|only| !only.there[0]);
    }
    let text = drawing::text(&comparison, console.style());
    console.say(&format!("\n{text}"));
    pipeline::add_to_summary(&drawing::markdown(&comparison), console);
    if comparison.is_regression() { REGRESSION } else { 0 }
}

fn chooses(args: &RunArgs) -> bool {
    [&args.tags, &args.skipped_tags, &args.filters, &args.variants].iter().any(|it| !it.is_empty())
}
