//! What differs between reports, told to people and to programs.
//!
//! The text in the terminal, the page and the document have the same rows, words and sentences; they
//! decide nothing.

mod json;
mod markdown;
mod text;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compare::judging::Grade;
use crate::compare::{Change, Comparison, Head, Only};
use crate::report::json_text;
use crate::report::style::Tone;
use crate::report::text::counted;

pub use json::render as json;
pub use markdown::render as markdown;
pub use text::render as text;

/// What the columns are called: by the version of RabbitMQ where that tells the reports apart, else
/// by what they are.
fn labels(reports: &[Head]) -> Vec<String> {
    let distinct = |names: &[String]| {
        let set: BTreeSet<&String> = names.iter().collect();
        set.len() == names.len() && names.iter().all(|name| !name.is_empty())
    };
    let versions: Vec<String> = reports.iter().map(|report| report.version.clone()).collect();
    if distinct(&versions) {
        return versions;
    }
    if reports.len() == 2 {
        return vec!["base".to_owned(), "new".to_owned()];
    }
    let stem = |head: &Head| {
        let name = head.path.rsplit('/').next().unwrap_or_default();
        name.trim_end_matches(".json").to_owned()
    };
    let stems: Vec<String> = reports.iter().map(stem).collect();
    if distinct(&stems) {
        return stems;
    }
    (0..reports.len()).map(|at| if at == 0 { "base".into() } else { format!("new {at}") }).collect()
}

/// Where a column comes from.
fn origin(head: &Head) -> String {
    let version = match head.version.as_str() {
        "" => "no broker".to_owned(),
        version => format!("RabbitMQ {version}"),
    };
    format!("{version} · seed {} · {}", head.seed, head.verdict)
}

/// The word behind a row; of what is let differ, by what.
fn word(change: &Change) -> &str {
    match change.grade {
        Grade::Same => "",
        Grade::Better => "better",
        Grade::Allowed => change.why.as_deref().unwrap_or("allowed"),
        Grade::Differs => "differs",
        Grade::Regression => "REGRESSION",
    }
}

fn tone(grade: Grade) -> Tone {
    match grade {
        Grade::Same | Grade::Allowed => Tone::Plain,
        Grade::Better => Tone::Good,
        Grade::Differs => Tone::Odd,
        Grade::Regression => Tone::Bad,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        other => json_text(other),
    }
}

/// `lost: more of them`: what is to say of a change besides its values.
fn sentence(change: &Change) -> Option<String> {
    let why = change.why.as_ref().filter(|_| change.grade != Grade::Allowed)?;
    Some(format!("{}: {why}", change.path))
}

/// Which reports have something that others have not.
fn only(it: &Only, reports: &[Head]) -> String {
    let names = |there: bool| {
        let having = reports.iter().zip(&it.there).filter(|(_, has)| **has == there);
        having.map(|(report, _)| report.path.as_str()).collect::<Vec<_>>().join(", ")
    };
    let what = match it.variant.as_deref() {
        None => format!("scenario {}", it.scenario),
        Some("") => format!("{}, the variant without a name", it.scenario),
        Some(variant) => format!("{} · {variant}", it.scenario),
    };
    let perhaps = it.perhaps.as_ref().map(|name| format!("; perhaps it is `{name}` now"));
    format!("only in {}: {what}{}", names(true), perhaps.unwrap_or_default())
}

/// `2 regressions, 1 other difference; 3 variants are as they were`.
fn summary(comparison: &Comparison) -> String {
    let regressions = match comparison.count(Grade::Regression) {
        0 => "no regression".to_owned(),
        n => counted(n, "regression"),
    };
    let others = [Grade::Differs, Grade::Better, Grade::Allowed];
    let others: usize = others.iter().map(|grade| comparison.count(*grade)).sum();
    let differences = counted(others, "other difference");
    let same = comparison.variants.iter().filter(|it| it.told().next().is_none()).count();
    let same = match same {
        0 => String::new(),
        1 => "; 1 variant is as it was".to_owned(),
        n => format!("; {n} variants are as they were"),
    };
    format!("{regressions}, {differences}{same}")
}
