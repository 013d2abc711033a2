//! A file that expects what happened: the text of a scenario with other values in its `expect`.
//!
//! Pure: text and reports in, text out. Nothing but values under `expect` changes, and what comes
//! out is read again before anybody gets it. A number is written only where the plan guarantees
//! just that number, a range where it guarantees a range: one run shows what can happen, not what
//! must.

mod layout;
mod edits;
mod places;
mod proof;
mod wishes;

use crate::bless::layout::Layout;
use crate::bless::wishes::Wish;
use crate::diagnostic::Diagnostic;
use crate::plan::model::Scenario;
use crate::verdict::model::VariantReport;

/// A scenario file as it should be.
#[derive(Debug)]
pub struct Blessed {
    /// The whole text, without a byte order mark.
    pub text: String,
    /// In the order in which they were made.
    pub changes: Vec<Change>,
    pub left: Vec<Left>,
}

/// A value that is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Joined by dots: `queues.task_queue.lost`.
    pub path: String,
    /// The matcher that stood there, if one did.
    pub was: Option<String>,
    pub is: String,
    /// Whom it is for, in words: `the file`, `variant "auto ack"`.
    pub of: String,
}

/// An expectation that did not hold, and stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    pub path: String,
    /// Empty where the file has no variants.
    pub variant: String,
    pub why: &'static str,
    /// What it should be, where only the place for it is missing.
    wish: Option<Wish>,
}

/// What the file would expect if it expected what happened; `reports` has one for each variant.
///
/// # Errors
/// When a variant has no clean result, and when the text cannot be changed without a risk.
pub fn bless(scenario: &Scenario, reports: &[VariantReport]) -> Result<Blessed, Diagnostic> {
    wishes::demand_clean(scenario, reports)?;
    let text = &scenario.source.text;
    let layout = Layout::read(text).map_err(|why| untouched(scenario, &why))?;
    let (mut wishes, mut left) = wishes::wishes(scenario, reports, &layout);
    let (edits, changes, more) = places::places(scenario, &layout, wishes.clone());
    wishes.retain(|wish| !more.iter().any(|left| left.wish.as_ref() == Some(wish)));
    left.extend(more);
    let blessed = edits.iter().try_fold(text.clone(), |text, edit| edit.apply(&text));
    let text = blessed.map_err(|why| untouched(scenario, &why))?;
    proof::check(scenario, &text, &wishes).map_err(|why| untouched(scenario, &why))?;
    Ok(Blessed { text, changes, left })
}

fn untouched(scenario: &Scenario, why: &str) -> Diagnostic {
    let path = &scenario.source.path;
    Diagnostic::error(format!("{path} stays as it is: {why}"))
        .help("change it by hand; the table shows what happened")
}
