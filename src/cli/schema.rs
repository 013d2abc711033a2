//! `rmq-scenario schema`: what a scenario file may say, for editors.

use std::process::ExitCode;

use crate::cli::WORLD;
use crate::report::output::{Output, Target};
use crate::report::style::{ColorChoice, use_color};
use crate::scenario::schema;

/// Prints the JSON Schema of scenario files.
pub fn main() -> ExitCode {
    match Output::new(Target::Stdout).write(&schema::text()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let color = use_color(Target::Stderr, ColorChoice::Auto);
            let _ = Output::new(Target::Stderr).write(&error.render(color));
            ExitCode::from(WORLD)
        }
    }
}
