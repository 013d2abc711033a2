//! What the broker said: errors that producers and workers met, and answers to probes, against
//! what the file expects of them.

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::ledger::facts::{ErrorFact, Facts, ProbeFact, Said};
use crate::plan::model::{Expectation, Expected, ExpectedError, Probe, Variant};
use crate::verdict::expect::Finding;
use crate::verdict::model::ProbeRow;

/// How many errors a message quotes.
const QUOTED: usize = 5;
const NEVER: &str = "never asked: its moment did not come";

/// `worker-1 met a channel error 406: PRECONDITION_FAILED …`.
pub fn error_text(error: &ErrorFact) -> String {
    match error.code {
        0 => format!("{} met a {} error: {}", error.who, error.scope, error.text),
        code => format!("{} met a {} error {code}: {}", error.who, error.scope, error.text),
    }
}

/// Errors that make the run fail by themselves: neither a fault nor the file accounts for them.
pub fn unexplained<'f>(variant: &Variant, facts: &'f Facts) -> Vec<&'f ErrorFact> {
    let unexplained = || facts.errors.iter().filter(|error| !error.explained);
    match listed(variant) {
        // Whatever is not in the list fails with the list, at its place in the file.
        Some(_) if facts.cut.is_none() => Vec::new(),
        Some(list) => unexplained().filter(|error| !is_any_of(list, error)).collect(),
        None => unexplained().collect(),
    }
}

/// The errors that the file lists, if it lists errors.
fn listed(variant: &Variant) -> Option<&[ExpectedError]> {
    variant.expectations.iter().find_map(|expectation| match &expectation.what {
        Expected::NoOtherErrors(list) => Some(list.as_slice()),
        _ => None,
    })
}

fn is_any_of(list: &[ExpectedError], error: &ErrorFact) -> bool {
    list.iter().any(|expected| is_like(expected, error))
}

fn is_like(expected: &ExpectedError, error: &ErrorFact) -> bool {
    let ExpectedError { who, scope, .. } = expected;
    who.as_ref().is_none_or(|names| names.contains(&error.who))
        && scope.is_none_or(|scope| scope == error.scope)
        && says(expected, error.code, &error.text)
}

fn says(expected: &ExpectedError, code: u16, text: &str) -> bool {
    expected.code.is_none_or(|wanted| wanted == code)
        && expected.text.as_ref().is_none_or(|part| text.contains(part.as_str()))
}

/// What was found of errors and answers; `None` when a probe never asked.
pub fn find(facts: &Facts, expected: &Expected) -> Option<Finding> {
    match expected {
        Expected::Error(like) => {
            let met = facts.errors.iter().filter(|error| is_like(like, error)).count();
            Some(Finding { actual: met.into(), held: met > 0 })
        }
        Expected::NoOtherErrors(list) => {
            let others = others(list, facts).count();
            Some(Finding { actual: others.into(), held: others == 0 })
        }
        Expected::Told { probe, error } => {
            let said = &told(facts, *probe)?.said;
            let held = match (error, said) {
                (None, Said::Done(_)) => true,
                (Some(error), Said::Refused { code, text, .. }) => says(error, *code, text),
                (None, Said::Refused { .. }) | (Some(_), Said::Done(_)) => false,
            };
            Some(Finding { actual: Value::String(said_text(said)), held })
        }
        _ => None,
    }
}

fn others<'f>(list: &[ExpectedError], facts: &'f Facts) -> impl Iterator<Item = &'f ErrorFact> {
    facts.errors.iter().filter(move |error| !is_any_of(list, error))
}

fn told(facts: &Facts, probe: usize) -> Option<&ProbeFact> {
    facts.probes.iter().find(|fact| fact.probe == probe)
}

fn said_text(said: &Said) -> String {
    match said {
        Said::Done(came) if came.is_empty() => "ok".to_owned(),
        Said::Done(came) => format!("ok, {came}"),
        Said::Refused { code: 0, text, .. } => text.clone(),
        Said::Refused { code, text, .. } => format!("{code} {text}"),
    }
}

/// The message for an expectation of errors or answers that did not hold, without its place;
/// `None` for any other expectation.
pub fn complaint(
    variant: &Variant,
    facts: &Facts,
    expectation: &Expectation,
) -> Option<Diagnostic> {
    match &expectation.what {
        Expected::Error(like) => Some(missed(facts, expectation, like)),
        Expected::NoOtherErrors(list) => Some(surplus(facts, list)),
        Expected::Told { probe, error } => {
            let said = &told(facts, *probe)?.said;
            Some(differed(&variant.probes[*probe], expectation, error.as_ref(), said))
        }
        _ => None,
    }
}

fn missed(facts: &Facts, expectation: &Expectation, like: &ExpectedError) -> Diagnostic {
    let message = format!("expected the error {}, but it did not come", expectation.expected);
    let mut diagnostic = Diagnostic::error(message);
    for error in facts.errors.iter().take(QUOTED) {
        diagnostic = diagnostic.note(format!("instead: {}", error_text(error)));
    }
    let near = facts.errors.iter().any(|error| like.code.is_none_or(|code| code == error.code));
    let help = match (facts.errors.is_empty(), near) {
        (true, _) => "nobody met an error; leave the entry out, or see what no longer happens",
        (false, true) => {
            "`text` is a part of what the broker says, the same in every version that is to pass"
        }
        (false, false) => "write what came, or leave the entry out",
    };
    diagnostic.help(help)
}

fn surplus(facts: &Facts, list: &[ExpectedError]) -> Diagnostic {
    let others: Vec<&ErrorFact> = others(list, facts).collect();
    let first = others.first().map_or_else(String::new, |error| error_text(error));
    let what = if list.is_empty() { "no errors" } else { "no other errors" };
    let mut diagnostic = Diagnostic::error(format!("expected {what}, but {first}"));
    diagnostic.label = format!("{} came beside", others.len());
    for error in others.iter().skip(1).take(QUOTED) {
        diagnostic = diagnostic.note(format!("and {}", error_text(error)));
    }
    let code = others.first().map_or(0, |error| error.code);
    diagnostic.help(format!("if it is meant, add it to `errors`: {{ code: {code}, text: … }}"))
}

fn differed(
    probe: &Probe,
    expectation: &Expectation,
    error: Option<&ExpectedError>,
    said: &Said,
) -> Diagnostic {
    let what = named(probe);
    let (said, wanted) = (said_text(said), &expectation.expected);
    let diagnostic = Diagnostic::error(match error {
        Some(_) => format!("expected the probe {what} to be told {wanted}, but it was told {said}"),
        None => format!("expected the probe {what} to be answered with ok, but it was told {said}"),
    });
    match error {
        Some(error) if error.text.is_some() => diagnostic.help(
            "`text` is a part of what the broker says, the same in every version that is to pass",
        ),
        Some(_) => diagnostic.help("write what came: `expect_ok: true`, or the code of the error"),
        None => diagnostic.help("if the error is the lesson, write `expect_error: { code: … }`"),
    }
}

/// `declare_queue task_queue`.
fn named(probe: &Probe) -> String {
    format!("{} {}", probe.operation.word(), probe.about).trim_end().to_owned()
}

/// Errors that probes were told and that the file says nothing about, by the probes' indexes.
pub fn refusals(variant: &Variant, facts: &Facts) -> Vec<(usize, Diagnostic)> {
    let spoken_of = |probe: usize| {
        variant.expectations.iter().any(|expectation| {
            matches!(&expectation.what, Expected::Told { probe: known, .. } if *known == probe)
        })
    };
    let refused = facts.probes.iter().filter(|fact| matches!(fact.said, Said::Refused { .. }));
    let silent = refused.filter(|fact| !spoken_of(fact.probe));
    let diagnostic = |fact: &ProbeFact| {
        let probe = &variant.probes[fact.probe];
        let text = format!("the probe {} was told {}", named(probe), said_text(&fact.said));
        let help = "if the error is the lesson, expect it: `expect_error: { code: …, text: … }`";
        (fact.probe, Diagnostic::error(text).help(help))
    };
    silent.map(diagnostic).collect()
}

/// A row for each probe of the file, in its order.
pub fn rows(variant: &Variant, facts: &Facts) -> Vec<ProbeRow> {
    let row = |(index, probe): (usize, &Probe)| {
        let (ok, code, text) = match told(facts, index).map(|fact| &fact.said) {
            None => (None, None, NEVER.to_owned()),
            Some(Said::Done(came)) => (Some(true), None, came.clone()),
            Some(Said::Refused { code, text, .. }) => {
                (Some(false), (*code > 0).then_some(*code), text.clone())
            }
        };
        ProbeRow { probe: probe.operation.word(), about: probe.about.clone(), ok, code, text }
    };
    variant.probes.iter().enumerate().map(row).collect()
}

/// What stood when the run began, in lines.
pub fn declared(facts: &Facts) -> Vec<String> {
    const PLANNED: &str =
        "by the file, because the management API that would know does not answer:";
    let Some(declared) = &facts.declared else { return Vec::new() };
    let head = (!declared.asked && !declared.lines.is_empty()).then(|| PLANNED.to_owned());
    head.into_iter().chain(declared.lines.iter().cloned()).collect()
}
