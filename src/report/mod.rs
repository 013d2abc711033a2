//! Telling: every printer formats the one [`Report`] and decides nothing.
//!
//! [`table`] is what people read at the end, or [`brief`], [`progress`] while it runs, [`sinks`] are
//! the files that machines read, [`plan`] tells of what has not run yet, and [`mod@compare`] of several
//! runs. [`json`], [`junit`], [`csv`], [`page`],
//! [`markdown`] and [`annotations`] make a text of a report and know nothing of files. What goes to
//! a stream goes through [`output`], which survives a reader that leaves.

use serde::Serialize;

use crate::verdict::model::{VariantReport, Verdict};

pub mod annotations;
pub mod brief;
pub mod compare;
pub mod csv;
pub mod events;
#[cfg(test)]
mod fixture;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod output;
pub mod page;
pub mod plan;
pub mod progress;
pub mod schema;
pub mod sinks;
pub mod style;
pub mod table;
pub mod text;
mod times;

/// The version of the report's layout.
pub const FORMAT: &str = "rmq-scenario.report/1";

/// Everything one call of the program found out.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub format: &'static str,
    /// The version of this program.
    pub tool: &'static str,
    pub verdict: Verdict,
    pub broker: BrokerInfo,
    pub seed: u64,
    pub scenarios: Vec<ScenarioReport>,
}

#[derive(Debug, Clone, Serialize)]
pub struct BrokerInfo {
    pub version: String,
    /// `private` or `external`.
    pub kind: &'static str,
}

#[derive(Debug, Clone, Serialize)]
pub struct ScenarioReport {
    pub scenario: String,
    /// As the user named it.
    pub file: String,
    pub verdict: Verdict,
    pub variants: Vec<VariantReport>,
}

/// A value of the report inside a sentence: text without its quotes.
fn json_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
