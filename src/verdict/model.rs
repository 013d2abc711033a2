//! What a run proved: the value that every printer formats.

use std::sync::Arc;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::diagnostic::Diagnostic;
use crate::ledger::counts::Counts;
use crate::plan::count::{ALL, Count};
use crate::plan::model::Variant;
use crate::plan::pattern::Scalar;
use crate::plan::tolerance::{Slack, Tolerance};
use crate::verdict::picture::Picture;
use crate::verdict::timings::Timings;

/// The answer, from the least to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// The world does not offer what the file requires.
    Skipped,
    Pass,
    /// Nothing failed, but a fault did not bite or the run was cut.
    Inconclusive,
    /// An expectation did not hold, or something unexpected or unexplained was seen.
    Fail,
    /// The world failed.
    Error,
    /// The books do not balance: this program, or the broker, is wrong.
    Unbalanced,
}

impl Verdict {
    /// The word in the JSON report.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Skipped => "skipped",
            Verdict::Pass => "pass",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Fail => "fail",
            Verdict::Error | Verdict::Unbalanced => "error",
        }
    }

    /// The exit code of the program.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Skipped | Verdict::Pass => 0,
            Verdict::Fail => 1,
            Verdict::Error => 3,
            Verdict::Inconclusive => 4,
            Verdict::Unbalanced => 70,
        }
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One variant, run and judged.
#[derive(Debug, Clone, Serialize)]
pub struct VariantReport {
    pub name: String,
    #[serde(serialize_with = "vars")]
    pub vars: Vec<(String, Scalar)>,
    pub verdict: Verdict,
    /// Why it was skipped, failed without an expectation, or is inconclusive; one sentence.
    pub reason: Option<String>,
    /// From the beginning of the run to the last event of a producer, worker or fault.
    pub duration_ms: u64,
    pub counts: Counts,
    pub queues: Vec<Row>,
    pub producers: Vec<Row>,
    pub workers: Vec<WorkerRow>,
    pub faults: Vec<FaultRow>,
    pub causes: Vec<CauseRow>,
    pub errors: Vec<ErrorRow>,
    pub observations: Vec<ObservationRow>,
    pub probes: Vec<ProbeRow>,
    pub expectations: Vec<ExpectationRow>,
    /// Each count beside what the plan foretold; empty of a variant that did not run.
    pub guarantees: Vec<GuaranteeRow>,
    /// `null` of a variant that did not run.
    pub timings: Option<Timings>,
    /// How far numbers may be from those of an earlier run, as the file says it.
    pub tolerances: Vec<ToleranceRow>,
    /// Sentences that explain what needs no cause: what was redelivered, and to whom.
    pub notes: Vec<String>,
    /// What failed or did not bite, with its place in the file; printed, not serialized.
    #[serde(skip)]
    pub diagnostics: Vec<Diagnostic>,
    /// What stood when the run began, for `-v`: a line for each exchange, queue and binding.
    #[serde(skip)]
    pub declared: Vec<String>,
    /// Messages that were not plainly delivered, for `-vv`: a line for each.
    #[serde(skip)]
    pub histories: Vec<String>,
    /// What a page draws of it, where one is wanted; not serialized.
    #[serde(skip)]
    pub picture: Option<Arc<Picture>>,
}

/// The counts of one queue or of one producer.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub counts: Counts,
    /// Which counts have a meaning here: [`Count::in_queues`] or [`Count::in_producers`].
    pub knows: fn(Count) -> bool,
}

impl Serialize for Row {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        for count in ALL.into_iter().filter(|&count| (self.knows)(count)) {
            map.serialize_entry(count.name(), &self.counts[count])?;
        }
        map.end()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WorkerRow {
    pub name: String,
    pub deliveries: u64,
    pub begun: u64,
    pub finished: u64,
    pub redelivered: u64,
    pub repeats: u64,
    pub acked: u64,
    pub rejected: u64,
    /// Killed, or ended by an error, and not back at the end.
    pub died: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultRow {
    /// `kill worker-1`
    pub fault: String,
    pub fired: bool,
    /// Since the run began; `null` when it never fired.
    pub at_ms: Option<u64>,
    /// What it did, one sentence.
    pub effect: String,
    pub bit: bool,
    /// From when it acted to the first delivery after what it does was done; `null` when none came.
    pub recovered_ms: Option<u64>,
}

/// Copies of one outcome that share one set of causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CauseRow {
    /// The outcome's name, or `duplicates`.
    pub outcome: String,
    pub count: u64,
    pub causes: Vec<String>,
    /// The why line: one sentence with its evidence, without the count in front.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorRow {
    pub who: String,
    /// `consumer`, `channel` or `connection`.
    pub scope: &'static str,
    pub code: u16,
    pub text: String,
    /// A fault of the file accounts for it.
    pub explained: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservationRow {
    pub name: String,
    pub at_ms: u64,
    pub queues: Vec<ObservedQueue>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObservedQueue {
    pub name: String,
    pub ready: u64,
    pub unacked: u64,
    pub consumers: u64,
    /// How far from that moment the number of unacked messages may be.
    pub unacked_age_ms: u64,
}

/// What the plan foretold of one count, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GuaranteeRow {
    pub count: &'static str,
    pub low: u64,
    /// `null` is no bound.
    pub high: Option<u64>,
    /// The name of the rule that says so.
    pub rule: &'static str,
    pub actual: u64,
    /// `null` where nothing was judged.
    pub held: Option<bool>,
}

/// How far one number may be from that of an earlier run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToleranceRow {
    /// The name of a count of the whole run, or `duration`.
    pub of: &'static str,
    /// A number, and what it is one of; `null` is as far as it likes.
    pub by: serde_json::Value,
    /// `number`, `percent` (of what it was), `ms` or `any`.
    pub unit: &'static str,
}

/// The tolerances of a variant.
pub fn tolerance_rows(variant: &Variant) -> Vec<ToleranceRow> {
    variant.tolerances.iter().map(tolerance_row).collect()
}

fn tolerance_row(tolerance: &Tolerance) -> ToleranceRow {
    let (by, unit) = match tolerance.slack {
        Slack::Number(number) => (number.into(), "number"),
        Slack::Share(share) => (parts(share.0, 100), "percent"),
        Slack::Time(time) => {
            (parts(u64::try_from(time.as_micros()).unwrap_or(u64::MAX), 1000), "ms")
        }
        Slack::Any => (serde_json::Value::Null, "any"),
    };
    ToleranceRow { of: tolerance.name, by, unit }
}

/// A number of so many parts of one; most are whole, and read better without a point.
fn parts(number: u64, of_one: u64) -> serde_json::Value {
    match number % of_one {
        0 => (number / of_one).into(),
        _ => (number as f64 / of_one as f64).into(),
    }
}

/// What a probe was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProbeRow {
    /// The operation: `declare_queue`.
    pub probe: &'static str,
    /// What it is about: the name of a queue, say.
    pub about: String,
    /// `null` when it never asked.
    pub ok: Option<bool>,
    /// The reply code; `null` where there is none.
    pub code: Option<u16>,
    /// What the broker said, or what came with its answer.
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExpectationRow {
    pub path: String,
    /// The matcher as the file says it.
    pub expected: String,
    /// A number, or text such as `812 ms`; `null` when nothing was measured.
    pub actual: serde_json::Value,
    /// `null` when nothing was judged.
    pub held: Option<bool>,
    /// Of the file, from 1.
    pub line: u64,
    /// Which of the variant's diagnostics is about it, if one is; not serialized.
    #[serde(skip)]
    pub complaint: Option<usize>,
}

/// A scalar as JSON.
pub fn json(scalar: &Scalar) -> serde_json::Value {
    match scalar {
        Scalar::Null => serde_json::Value::Null,
        Scalar::Bool(value) => (*value).into(),
        Scalar::Int(value) => (*value).into(),
        Scalar::Float(value) => (*value).into(),
        Scalar::Text(value) => value.clone().into(),
    }
}

fn vars<S: Serializer>(vars: &[(String, Scalar)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(vars.iter().map(|(name, value)| (name, json(value))))
}

impl VariantReport {
    /// A variant of which nothing is known: it was skipped, or the world failed.
    pub fn unknown(variant: &Variant, verdict: Verdict, reason: impl Into<String>) -> Self {
        Self {
            name: variant.name.clone(),
            vars: variant.vars.clone(),
            verdict,
            reason: Some(reason.into()),
            duration_ms: 0,
            counts: Counts::default(),
            queues: Vec::new(),
            producers: Vec::new(),
            workers: Vec::new(),
            faults: Vec::new(),
            causes: Vec::new(),
            errors: Vec::new(),
            observations: Vec::new(),
            probes: Vec::new(),
            expectations: Vec::new(),
            guarantees: Vec::new(),
            timings: None,
            tolerances: tolerance_rows(variant),
            notes: Vec::new(),
            diagnostics: Vec::new(),
            declared: Vec::new(),
            histories: Vec::new(),
            picture: None,
        }
    }
}
