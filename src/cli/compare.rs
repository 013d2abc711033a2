//! `rmq-scenario compare`: reports in, what differs out, and an exit code that says whether anything
//! is worse than it was.

use std::fs::File;
use std::io::Read as _;
use std::process::ExitCode;

use crate::cli::args::{CompareArgs, CompareFormat};
use crate::cli::telling::print;
use crate::cli::{REGRESSION, USAGE};
use crate::compare::reading::{self, Reading};
use crate::compare::{Comparison, compare};
use crate::diagnostic::Diagnostic;
use crate::report::compare as drawing;
use crate::report::output::{Output, Target};
use crate::report::style::{ColorChoice, Style, use_color};

/// The most that a report may be; that of a million messages is far below.
const MOST: u64 = 256 * 1024 * 1024;

/// Compares the reports with the first one.
pub fn main(args: &CompareArgs) -> ExitCode {
    let choice = ColorChoice::from(args.color);
    let paths = std::iter::once(&args.base).chain(&args.others);
    let (mut readings, mut refused) = (Vec::new(), Vec::new());
    for path in paths {
        match read(path) {
            Ok(reading) => readings.push(reading),
            Err(error) => refused.push(error),
        }
    }
    let comparison = match refused.is_empty().then(|| compare(&readings)) {
        Some(Ok(comparison)) => comparison,
        Some(Err(error)) => return stop(&[error], choice),
        None => return stop(&refused, choice),
    };
    let printed = print(&drawn(&comparison, args.format, choice), choice);
    if printed == ExitCode::SUCCESS && comparison.is_regression() {
        return ExitCode::from(REGRESSION);
    }
    printed
}

/// Reads a report.
///
/// # Errors
/// When it cannot be read or is none, with what to do.
pub fn read(path: &str) -> Result<Reading, Diagnostic> {
    let failed = |error: String| {
        Diagnostic::error(format!("cannot read the report `{path}`: {error}"))
            .help("`rmq-scenario run FILE --report json=report.json` writes one")
    };
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MOST {
        return Err(failed("it has more than 256 MiB".to_owned()));
    }
    let text = String::from_utf8(bytes).map_err(|_| failed("it is not text".to_owned()))?;
    reading::read(path, &text)
}

fn drawn(comparison: &Comparison, format: CompareFormat, choice: ColorChoice) -> String {
    match format {
        CompareFormat::Text => drawing::text(comparison, Style::detect(Target::Stdout, choice, 0)),
        CompareFormat::Markdown => drawing::markdown(comparison),
        CompareFormat::Json => drawing::json(comparison),
    }
}

fn stop(errors: &[Diagnostic], choice: ColorChoice) -> ExitCode {
    let color = use_color(Target::Stderr, choice);
    let text: Vec<String> = errors.iter().map(|error| error.render(color)).collect();
    let _ = Output::new(Target::Stderr).write(&text.join("\n"));
    ExitCode::from(USAGE)
}
