//! Findings as machines read them.

use serde::Serialize;

use super::Findings;
use crate::diagnostic::{Diagnostic, Severity};

/// The version of the JSON below.
const FORMAT: u32 = 1;

#[derive(Serialize)]
struct All<'f> {
    format: u32,
    files: usize,
    diagnostics: Vec<Note<'f>>,
}

/// Lines and columns count from 1, columns and width in characters.
#[derive(Serialize)]
struct Note<'f> {
    severity: &'static str,
    /// The name of a warning.
    lint: Option<&'static str>,
    message: &'f str,
    file: Option<&'f str>,
    line: Option<usize>,
    column: Option<usize>,
    width: Option<usize>,
    label: &'f str,
    notes: &'f [String],
    help: Option<&'f str>,
}

fn severity(of: &Diagnostic) -> &'static str {
    match of.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// One document for all findings.
pub fn json(findings: &Findings) -> String {
    let diagnostics = findings.all.iter().map(|found| {
        let place = found.place.as_ref();
        Note {
            severity: severity(found),
            lint: found.lint,
            message: &found.message,
            file: place.map(|place| &*place.file),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            width: place.map(|place| place.width),
            label: &found.label,
            notes: &found.notes,
            help: found.help.as_deref(),
        }
    });
    let all = All { format: FORMAT, files: findings.files, diagnostics: diagnostics.collect() };
    serde_json::to_string_pretty(&all).expect("texts and numbers can be written")
}
