//! Which cases a report has, and how each came out. Knows nothing of XML.
//!
//! A case is told from all others of the document by its class and its name together: servers
//! follow it from one run to the next by them, and GitLab keeps one of two that share them.
//! So what an expectation expects is not in its name, and who comes second is numbered.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Severity};
use crate::report::{Report, ScenarioReport, json_text, times};
use crate::verdict::model::{ExpectationRow, VariantReport, Verdict};

/// One file.
pub struct Suite {
    pub name: String,
    pub file: String,
    pub ms: u64,
    pub cases: Vec<Case>,
}

/// One run, or one expectation of it.
pub struct Case {
    pub class: String,
    pub name: String,
    pub ms: u64,
    pub outcome: Outcome,
    /// What else is known, such as why lines; may be empty.
    pub told: String,
}

pub enum Outcome {
    Held,
    Skipped { why: String },
    Failure { kind: &'static str, message: String, body: String },
    Error { kind: &'static str, message: String, body: String },
}

impl Suite {
    pub fn failures(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Failure { .. }))
    }

    pub fn errors(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Error { .. }))
    }

    pub fn skipped(&self) -> usize {
        self.count(|outcome| matches!(outcome, Outcome::Skipped { .. }))
    }

    fn count(&self, is: impl Fn(&Outcome) -> bool) -> usize {
        self.cases.iter().filter(|case| is(&case.outcome)).count()
    }
}

/// All suites, in the order of the files.
pub fn suites(report: &Report) -> Vec<Suite> {
    let mut suites: Vec<Suite> = report.scenarios.iter().map(suite).collect();
    let mut seen: HashMap<(String, String), usize> = HashMap::new();
    for case in suites.iter_mut().flat_map(|suite| &mut suite.cases) {
        let times = seen.entry((case.class.clone(), case.name.clone())).or_default();
        *times += 1;
        if *times > 1 {
            case.name += &format!(" ({times})");
        }
    }
    suites
}

fn suite(scenario: &ScenarioReport) -> Suite {
    Suite {
        name: scenario.scenario.clone(),
        file: scenario.file.clone(),
        ms: scenario.variants.iter().map(|variant| variant.duration_ms).sum(),
        cases: scenario.variants.iter().flat_map(|it| cases(scenario, it)).collect(),
    }
}

fn cases(scenario: &ScenarioReport, variant: &VariantReport) -> Vec<Case> {
    // The last dot divides; others would divide at the wrong place.
    let part = |name: &str| name.replace('.', "_");
    let class = match variant.name.as_str() {
        "" => part(&scenario.scenario),
        name => format!("{}.{}", part(&scenario.scenario), part(name)),
    };
    let (outcome, aside) = of_run(variant);
    let aside = aside.filter(|text| !text.is_empty());
    let told: Vec<String> = told(variant).into_iter().chain(aside).collect();
    let run = Case {
        class: class.clone(),
        name: "run".to_owned(),
        ms: variant.duration_ms,
        outcome,
        told: told.join("\n"),
    };
    let expectations = variant.expectations.iter().map(|row| Case {
        class: class.clone(),
        name: format!("expect {}", row.path),
        ms: 0,
        outcome: of_expectation(row, variant),
        told: String::new(),
    });
    std::iter::once(run).chain(expectations).collect()
}

/// What became of the run, apart from its expectations; and where that was nothing, what else was
/// complained of: warnings, say.
fn of_run(variant: &VariantReport) -> (Outcome, Option<String>) {
    let complaints: Vec<usize> =
        variant.expectations.iter().filter_map(|row| row.complaint).collect();
    let own = variant.diagnostics.iter().enumerate();
    let own: Vec<&Diagnostic> =
        own.filter(|(index, _)| !complaints.contains(index)).map(|(_, found)| found).collect();
    let body = own.iter().map(|found| found.render(false)).collect::<Vec<_>>().join("\n");
    let reason = variant.reason.clone();
    let message = reason.unwrap_or_else(|| variant.verdict.name().to_owned());
    let expected = variant.expectations.iter().any(|row| row.held == Some(false));
    let kind = match variant.verdict {
        Verdict::Skipped => return (Outcome::Skipped { why: message }, None),
        Verdict::Inconclusive => "inconclusive",
        Verdict::Error => "world",
        Verdict::Unbalanced => "unbalanced",
        Verdict::Fail => {
            let unexpected = own.iter().find(|found| found.severity == Severity::Error);
            let message = match unexpected {
                Some(found) => found.message.clone(),
                // The cases of the expectations say it.
                None if expected => return (Outcome::Held, Some(body)),
                None => message,
            };
            return (Outcome::Failure { kind: "unexpected", message, body }, None);
        }
        Verdict::Pass => return (Outcome::Held, Some(body)),
    };
    (Outcome::Error { kind, message, body }, None)
}

fn of_expectation(row: &ExpectationRow, variant: &VariantReport) -> Outcome {
    let complaint = row.complaint.and_then(|index| variant.diagnostics.get(index));
    match row.held {
        Some(true) => Outcome::Held,
        None => Outcome::Skipped {
            why: complaint.map_or("not judged".to_owned(), |found| found.message.clone()),
        },
        Some(false) => {
            let actual = json_text(&row.actual);
            let plain = || format!("expected {}: {}, and it was {actual}", row.path, row.expected);
            Outcome::Failure {
                kind: "expectation",
                message: complaint.map_or_else(plain, |found| found.message.clone()),
                body: complaint.map_or_else(plain, |found| found.render(false)),
            }
        }
    }
}

/// The why lines of a run, whatever came of it.
fn told(variant: &VariantReport) -> Vec<String> {
    let causes = variant.causes.iter();
    let causes = causes.map(|row| {
        format!("{} {} by {}: {}", row.count, row.outcome, row.causes.join(" and "), row.text)
    });
    causes
        .chain(variant.notes.iter().cloned())
        .chain(variant.timings.iter().flat_map(times::lines))
        .collect()
}
