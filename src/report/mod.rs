//! Telling: every printer formats the one [`Report`] and decides nothing.

use serde::Serialize;

use crate::verdict::model::{VariantReport, Verdict};

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
