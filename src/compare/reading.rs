//! A JSON report read back: what a comparison needs of it, and nothing else.
//!
//! It knows no files: a text comes in, with what it is called. Names that it does not know are left
//! alone, as the format allows further ones; those that later versions of the format brought may be
//! missing. What is no whole report of this format is refused, with what to do instead.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::diagnostic::Diagnostic;

/// What all versions of the format begin with.
const FAMILY: &str = "rmq-scenario.report/";
/// The version that is read.
const VERSION: &str = "1";

/// A report, and what it is called.
#[derive(Debug, Clone)]
pub struct Reading {
    /// As the user named it.
    pub path: String,
    pub report: Written,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Written {
    pub tool: String,
    pub verdict: Word,
    pub broker: Broker,
    pub seed: u64,
    pub scenarios: Vec<Scenario>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Broker {
    /// Empty when there was none.
    pub version: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Scenario {
    pub scenario: String,
    pub file: String,
    pub variants: Vec<Variant>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Variant {
    pub name: String,
    pub vars: Map<String, Value>,
    pub verdict: Word,
    pub reason: Option<String>,
    pub duration_ms: f64,
    pub counts: BTreeMap<String, u64>,
    pub queues: Vec<Map<String, Value>>,
    pub producers: Vec<Map<String, Value>>,
    pub workers: Vec<Map<String, Value>>,
    pub causes: Vec<Cause>,
    pub errors: Vec<Met>,
    pub expectations: Vec<Expectation>,
    pub guarantees: Vec<Guarantee>,
    #[serde(default)]
    pub tolerances: Vec<Tolerance>,
    /// Times and rates in any depth; what they are is said by their names.
    #[serde(default)]
    pub timings: Value,
}

/// A verdict, the better ones first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    Pass,
    Skipped,
    Inconclusive,
    Fail,
    Error,
}

impl Word {
    /// The word of the report.
    pub fn name(self) -> &'static str {
        match self {
            Word::Pass => "pass",
            Word::Skipped => "skipped",
            Word::Inconclusive => "inconclusive",
            Word::Fail => "fail",
            Word::Error => "error",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Cause {
    pub outcome: String,
    pub count: u64,
    pub causes: Vec<String>,
}

/// An AMQP error that somebody met.
#[derive(Debug, Clone, Deserialize)]
pub struct Met {
    pub who: String,
    pub code: u16,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Expectation {
    pub path: String,
    pub expected: String,
    pub actual: Value,
    pub held: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Guarantee {
    pub count: String,
    pub low: u64,
    pub high: Option<u64>,
    pub held: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Tolerance {
    pub of: String,
    /// `None` is as far as it likes.
    pub by: Option<f64>,
    pub unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Number,
    Percent,
    Ms,
    Any,
}

impl Variant {
    /// Whether anything was counted: of what was skipped or could not run, zeros say nothing.
    pub fn is_measured(&self) -> bool {
        let nothing = self.counts.values().all(|count| *count == 0)
            && [&self.queues, &self.producers, &self.workers].iter().all(|rows| rows.is_empty());
        !matches!(self.verdict, Word::Skipped | Word::Error) && !nothing
    }
}

/// Reads a report that is called so.
///
/// # Errors
/// What the text is instead, and what to do.
pub fn read(path: &str, text: &str) -> Result<Reading, Diagnostic> {
    // Some shells write a mark before what they redirect.
    let text = text.trim_start_matches('\u{feff}');
    let refused = |words: String, help: String| Err(Diagnostic::error(words).help(help));
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return Err(no_json(path, text, &error)),
    };
    let format = match value.get("format").and_then(Value::as_str) {
        Some(format) => format.to_owned(),
        None => {
            return refused(
                format!("`{path}` is JSON, but not a report of `run`"),
                write_one(path),
            );
        }
    };
    match format.strip_prefix(FAMILY) {
        Some(VERSION) => {}
        Some(other) => {
            let words = format!(
                "`{path}` is a report of version {other} of the format, and this program reads \
                 version {VERSION}"
            );
            return refused(words, format!("{}, with this program", write_one(path)));
        }
        None => {
            let words = format!("`{path}` is no report of `run`: its format is `{format}`");
            return refused(words, write_one(path));
        }
    }
    // From the text once more: only so an error has a place.
    match serde_json::from_str::<Written>(text) {
        Err(error) => refused(format!("`{path}` is not a whole report: {error}"), write_one(path)),
        Ok(report) if report.scenarios.iter().all(|scenario| scenario.variants.is_empty()) => {
            refused(
                format!("`{path}` is a report of nothing: no scenario was run"),
                write_one(path),
            )
        }
        Ok(report) => Ok(Reading { path: path.to_owned(), report }),
    }
}

/// What is wrong with a text that is no JSON.
fn no_json(path: &str, text: &str, error: &serde_json::Error) -> Diagnostic {
    let says = |key: &str| text.lines().any(|line| line.starts_with(key));
    let begins = |mark: char| text.trim_start().starts_with(mark);
    let words = if text.trim().is_empty() {
        format!("`{path}` is empty")
    } else if !begins('{') && (says("scenario:") || says("part:")) {
        format!("`{path}` is a scenario file, not a report")
    } else if begins('<') {
        format!("`{path}` is XML, and a comparison needs the report in JSON")
    } else if begins('{') && error.is_eof() {
        format!(
            "`{path}` is cut off: it ends in line {}, in the middle of the report",
            error.line()
        )
    } else {
        format!("`{path}` is not JSON: {error}")
    };
    Diagnostic::error(words).help(write_one(path))
}

fn write_one(path: &str) -> String {
    let path = if path.ends_with(".json") { path } else { "report.json" };
    format!("`rmq-scenario run FILE --report json={path}` writes one")
}
