//! `rmq-scenario schema`: what a scenario file may say, for editors.

use std::process::ExitCode;

use crate::cli::telling::print;
use crate::report::style::ColorChoice;
use crate::scenario::schema;

/// Prints the JSON Schema of scenario files.
pub fn main() -> ExitCode {
    print(&schema::text(), ColorChoice::Auto)
}
