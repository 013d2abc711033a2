//! `rmq-scenario check`: everything that can be said of files without a broker.

mod notes;

use std::collections::HashSet;
use std::process::ExitCode;

use crate::cli::USAGE;
use crate::cli::args::{CheckArgs, Format};
use crate::cli::files;
use crate::cli::loading::{self, counted};
use crate::cli::telling::print;
use crate::diagnostic::{Diagnostic, Severity};
use crate::report::annotations;
use crate::report::output::Target;
use crate::report::style::{ColorChoice, use_color};

/// What was found in all files, in the order of their names, and in each by its place.
struct Findings {
    files: usize,
    /// How many files something was found in.
    touched: usize,
    all: Vec<Diagnostic>,
}

/// Looks at the files and says what is wrong with them.
pub fn main(args: &CheckArgs) -> ExitCode {
    let findings = look(args);
    let github = std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    let text = match args.format {
        Format::Text => findings.text(args, github),
        Format::Json => notes::json(&findings) + "\n",
    };
    let written = print(&text, ColorChoice::from(args.color));
    if written != ExitCode::SUCCESS {
        return written;
    }
    ExitCode::from(if findings.is_clean(args.denies_warnings()) { 0 } else { USAGE })
}

fn look(args: &CheckArgs) -> Findings {
    let (files, mut all) = files::expand(&args.paths);
    let mut touched = 0;
    let mut told = HashSet::new();
    let options = loading::options(&args.settings, None);
    for file in &files {
        let mut found = loading::look(file, &options);
        // What is wrong with a part is found with everything that includes it.
        found.retain(|found| found.place.is_none() || !told.contains(found));
        touched += usize::from(!found.is_empty());
        told.extend(found.iter().cloned());
        all.extend(found);
    }
    Findings { files: files.len(), touched, all }
}

impl Findings {
    fn count(&self, severity: Severity) -> usize {
        self.all.iter().filter(|found| found.severity == severity).count()
    }

    fn is_clean(&self, warnings_denied: bool) -> bool {
        self.count(Severity::Error) == 0 && (!warnings_denied || self.all.is_empty())
    }

    fn text(&self, args: &CheckArgs, github: bool) -> String {
        let color = use_color(Target::Stdout, ColorChoice::from(args.color));
        let mut text = String::new();
        for found in &self.all {
            text += found.render(color).trim_end();
            text += "\n\n";
        }
        text.extend(loading::about_lints(&self.all).map(|about| about + "\n\n"));
        if github {
            self.all.iter().for_each(|found| text += &annotations::github(found));
        }
        text + &self.summary() + "\n"
    }

    fn summary(&self) -> String {
        let files = counted(self.files, "file");
        let (mistakes, warnings) = (self.count(Severity::Error), self.count(Severity::Warning));
        let found = match (mistakes, warnings) {
            (0, 0) => return format!("{files} checked, nothing wrong"),
            (_, 0) => counted(mistakes, "mistake"),
            (0, _) => counted(warnings, "warning"),
            _ => format!("{} and {}", counted(mistakes, "mistake"), counted(warnings, "warning")),
        };
        match (self.files, self.touched) {
            (0, _) => format!("{found}; nothing was checked"),
            (1, _) => format!("{found} in 1 file"),
            (_, touched) => format!("{found} in {touched} of {files}"),
        }
    }
}
