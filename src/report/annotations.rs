//! Findings as the runners of GitHub show them beside a line of a file.
//!
//! A line of output that begins with `::` is a command to the runner, so nothing of a file may get
//! into one unescaped.
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>)

use crate::diagnostic::{Diagnostic, Severity};
use crate::report::Report;

/// One finding, with the name of its lint as the title; ends with a line break.
pub fn github(found: &Diagnostic) -> String {
    annotation(found, found.lint)
}

/// What failed or did not bite in each variant, under the names of scenario and variant. What the
/// verdict alone tells is told by it.
pub fn of_report(report: &Report) -> String {
    let mut text = String::new();
    for scenario in &report.scenarios {
        for variant in &scenario.variants {
            let title = match variant.name.as_str() {
                "" => scenario.scenario.clone(),
                name => format!("{}: {name}", scenario.scenario),
            };
            let told = variant.diagnostics.iter().map(|found| annotation(found, Some(&title)));
            text.extend(told);
        }
    }
    text
}

fn annotation(found: &Diagnostic, title: Option<&str>) -> String {
    let mut properties = Vec::new();
    if let Some(it) = &found.place {
        let (file, line, column) = (property(&it.file), it.line, it.column);
        let end = it.column + it.width.max(1) - 1;
        properties.push(format!("file={file},line={line},col={column},endColumn={end}"));
    }
    properties.extend(title.map(|title| format!("title={}", property(title))));
    let space = if properties.is_empty() { "" } else { " " };
    let properties = properties.join(",");
    let mut message = found.message.clone();
    let further = found.notes.iter().cloned();
    let help = found.help.iter().map(|help| format!("help: {help}"));
    for line in further.chain(help) {
        message.push('\n');
        message += &line;
    }
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    format!("::{severity}{space}{properties}::{}\n", data(&message))
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
    use crate::report::fixture;

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

    #[test]
    fn a_report_is_annotated_where_something_failed() {
        let text = of_report(&fixture::mixed());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "::error file=scenarios/work_queue.yaml,line=41,col=21,endColumn=21,\
                 title=work-queue%3A auto%2C \"a|b\" <x> & `y`::expected lost: 0, but 7 copies \
                 were lost%0Awhy: auto_ack: \u{1b}[31m ]]> </failure>%0Ahelp: with `ack: manual` \
                 they would be redelivered",
                "::warning file=scenarios/work_queue.yaml,line=41,col=21,endColumn=21,\
                 title=work-queue::kill worker-1 never fired: it began 3",
                "::error title=work-queue%3A gone::connecting to 127.0.0.1:5672 failed",
            ]
        );
    }
}
