//! `rmq-scenario schema`: what a scenario file may say, for editors and for people, and what a
//! report says, for programs.

use std::process::ExitCode;

use crate::cli::args::{SchemaArgs, SchemaFormat};
use crate::cli::telling::print;
use crate::report;
use crate::report::style::ColorChoice;
use crate::scenario::schema;

/// Prints the JSON Schema of scenario files, or the page of every key that is made from it; or the
/// JSON Schema of reports.
pub fn main(args: &SchemaArgs) -> ExitCode {
    let text = match args.format {
        _ if args.report => report::schema::text(),
        SchemaFormat::Json => schema::text(),
        SchemaFormat::Markdown => schema::reference::text(),
    };
    print(&text, ColorChoice::Auto)
}
