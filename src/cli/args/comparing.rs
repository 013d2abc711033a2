//! The arguments of `compare`.

use clap::{Args, ValueEnum};

use crate::cli::args::Color;

/// The arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The report that the others are compared with: `run --report json=BASE` wrote it
    #[arg(value_name = "BASE")]
    pub base: String,

    /// The reports to compare with it, a column for each
    #[arg(value_name = "NEW", required = true)]
    pub others: Vec<String>,

    /// For people, or for machines
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = CompareFormat::Text)]
    pub format: CompareFormat,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    /// A table of what changed
    Text,
    /// The same for a comment on a pull request
    Markdown,
    /// Every change as one document
    Json,
}
