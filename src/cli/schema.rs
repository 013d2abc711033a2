//! `rmq-scenario schema`: what a scenario file may say, for editors and for people.

use std::process::ExitCode;

use crate::cli::args::{SchemaArgs, SchemaFormat};
use crate::cli::telling::print;
use crate::report::style::ColorChoice;
use crate::scenario::schema;

/// Prints the JSON Schema of scenario files, or the page of every key that is made from it.
pub fn main(args: &SchemaArgs) -> ExitCode {
    let text = match args.format {
        SchemaFormat::Json => schema::text(),
        SchemaFormat::Markdown => schema::reference::text(),
    };
    print(&text, ColorChoice::Auto)
}
