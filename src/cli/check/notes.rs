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

/// One finding as GitHub's runners show it beside the line.
/// (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>)
pub fn github(found: &Diagnostic) -> String {
    let mut properties = Vec::new();
    if let Some(it) = &found.place {
        let (file, line, column) = (property(&it.file), it.line, it.column);
        let end = it.column + it.width.max(1) - 1;
        properties.push(format!("file={file},line={line},col={column},endColumn={end}"));
    }
    properties.extend(found.lint.map(|lint| format!("title={lint}")));
    let space = if properties.is_empty() { "" } else { " " };
    let properties = properties.join(",");
    let mut message = found.message.clone();
    let further = found.notes.iter().cloned();
    let help = found.help.iter().map(|help| format!("help: {help}"));
    for line in further.chain(help) {
        message.push('\n');
        message += &line;
    }
    format!("::{}{space}{properties}::{}\n", severity(found), data(&message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Place;

    #[test]
    fn an_annotation_keeps_to_one_line() {
        let place = Place {
            file: "a,b:c.yaml".to_owned(),
            line: 3,
            column: 5,
            width: 4,
            text: String::new(),
        };
        let found = Diagnostic::error("100% wrong").at(Some(place)).note("why: so").help("mend it");
        assert_eq!(
            github(&found),
            "::error file=a%2Cb%3Ac.yaml,line=3,col=5,endColumn=8::100%25 wrong%0Awhy: so%0Ahelp: mend it\n"
        );
    }

    #[test]
    fn one_without_a_place_has_none() {
        assert_eq!(github(&Diagnostic::warning("odd")), "::warning::odd\n");
        let named = Diagnostic { lint: Some("oddity"), ..Diagnostic::warning("odd") };
        assert_eq!(github(&named), "::warning title=oddity::odd\n");
    }
}
