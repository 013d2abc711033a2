//! What a command says that only says something: its text on the standard output.

use std::process::ExitCode;

use crate::cli::WORLD;
use crate::report::output::{Output, Target};
use crate::report::style::{ColorChoice, use_color};

/// Writes the text; where that fails, says so on the standard error. A reader that has left has read
/// enough.
pub fn print(text: &str, choice: ColorChoice) -> ExitCode {
    let Err(error) = Output::new(Target::Stdout).write(text) else { return ExitCode::SUCCESS };
    let color = use_color(Target::Stderr, choice);
    let _ = Output::new(Target::Stderr).write(&error.render(color));
    ExitCode::from(WORLD)
}
