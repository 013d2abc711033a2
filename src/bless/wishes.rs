//! What each variant should expect, by what happened to it and by what its plan guarantees.

use crate::bless::layout::{Layout, Path, Spot, Step, keys};
use crate::bless::{Left, untouched};
use crate::diagnostic::Diagnostic;
use crate::plan::count::{ALL, COPY_OUTCOMES, Count};
use crate::plan::guarantees::of_scope;
use crate::plan::guarantees::range::Range;
use crate::plan::model::{Expectation, Expected, Scenario, Scope, Variant};
use crate::scenario::At;
use crate::verdict::model::{VariantReport, Verdict};

/// A matcher that a variant should have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub variant: usize,
    /// Below `expect`.
    pub path: Path,
    /// What the file says now.
    pub was: Option<String>,
    /// The matcher as YAML.
    pub is: String,
    /// Where the present one stands.
    pub origin: Option<At>,
}

impl Wish {
    /// The matcher as reports show it.
    pub fn matcher(&self) -> &str {
        self.is.trim_matches('"')
    }
}

/// Refuses results from which nothing follows.
pub fn demand_clean(scenario: &Scenario, reports: &[VariantReport]) -> Result<(), Diagnostic> {
    if reports.len() != scenario.variants.len() {
        return Err(untouched(scenario, "not every variant was run"));
    }
    let unclean = reports.iter().find_map(|report| Some((report, trouble(report)?)));
    let Some((report, why)) = unclean else { return Ok(()) };
    let why = match report.name.as_str() {
        "" => why,
        name => format!("variant \"{name}\": {why}"),
    };
    Err(untouched(scenario, &why))
}

/// Why a result is none to be expected from now on.
fn trouble(report: &VariantReport) -> Option<String> {
    if !matches!(report.verdict, Verdict::Pass | Verdict::Fail) {
        let reason = report.reason.as_deref().unwrap_or_default();
        return Some(format!("{}: {reason}", report.verdict.name()));
    }
    if let Some(row) = report.guarantees.iter().find(|row| row.held != Some(true)) {
        return Some(format!("{} is not what the plan guarantees", row.count));
    }
    // Each expectation that did not hold complains once; whatever else does is no result.
    let failed = report.expectations.iter().filter(|row| row.held == Some(false)).count();
    let more = report.diagnostics.len() > failed;
    more.then(|| "more is wrong with it than its expectations, as is said above".to_owned())
}

/// What all variants should expect and do not, and what cannot be had.
pub fn wishes(
    scenario: &Scenario,
    reports: &[VariantReport],
    layout: &Layout,
) -> (Vec<Wish>, Vec<Left>) {
    let (mut wishes, mut left) = (Vec::new(), blanks_of_parts(scenario, layout));
    let asked = !left.is_empty();
    for (index, (variant, report)) in scenario.variants.iter().zip(reports).enumerate() {
        let rows = variant.expectations.iter().zip(&report.expectations);
        for (expectation, _) in rows.filter(|(_, row)| row.held == Some(false)) {
            match correction(variant, report, expectation) {
                Ok((path, is)) => wishes.push(Wish {
                    variant: index,
                    path,
                    was: Some(expectation.expected.clone()),
                    is,
                    origin: Some(expectation.at),
                }),
                Err(why) => left.push(Left {
                    path: expectation.path.clone(),
                    variant: variant.name.clone(),
                    why,
                    wish: None,
                }),
            }
        }
        for (path, is) in additions(variant, report, &blanks(layout, index), asked) {
            wishes.push(Wish { variant: index, path, was: None, is, origin: None });
        }
    }
    (wishes, left)
}

/// What an expectation that did not hold should be.
fn correction(
    variant: &Variant,
    report: &VariantReport,
    expectation: &Expectation,
) -> Result<(Path, String), &'static str> {
    let Expected::Count { scope, count, .. } = &expectation.what else {
        return Err("only counts are blessed");
    };
    if expectation.at.used.is_some() {
        return Err("its value comes from a variable");
    }
    let path = path(&expectation.path, scope, *count);
    let range = of_scope(variant, scope, *count);
    let is = matcher(range, actual(report, *count)).ok_or("the plan guarantees nothing of it")?;
    Ok((path, is))
}

/// The keys below `expect`; only the name of a part may have dots in it.
fn path(written: &str, scope: &Scope, count: Count) -> Path {
    if *scope == Scope::All {
        return keys([count.name()]);
    }
    let name = written.strip_suffix(count.name()).and_then(|rest| rest.strip_suffix('.'));
    let (part, name) = name.and_then(|rest| rest.split_once('.')).unwrap_or_default();
    keys([part, name, count.name()])
}

/// What the whole run had; the most that says something of one of its counts.
fn actual(report: &VariantReport, count: Count) -> u64 {
    report.counts[count.base()].max(report.counts[count])
}

/// A range as a matcher. None where it lets everything be that there is; `most` is that.
fn matcher(range: Range, most: u64) -> Option<String> {
    match (range.low, range.high) {
        (low, Some(high)) if low == high => Some(low.to_string()),
        (0, Some(high)) if high < most => Some(format!("\"<= {high}\"")),
        (0, _) => None,
        (low, Some(high)) => Some(format!("{low}..{high}")),
        (low, None) => Some(format!("\">= {low}\"")),
    }
}

/// Keys of counts without a value, which are there to be filled in.
fn blanks(layout: &Layout, variant: usize) -> Vec<Path> {
    let own = own(variant);
    let listed = layout.at(&keys(["matrix"])).is_none();
    let spots = [layout.at(&keys(["expect"])), layout.at(&own).filter(|_| listed)];
    let null = |(key, value): &(Spot, Spot)| {
        let count = key.text().and_then(Count::from_name);
        count.filter(|_| value.is_null()).map(|count| keys([count.name()]))
    };
    spots.into_iter().flatten().flat_map(Spot::entries).filter_map(null).collect()
}

/// Keys without a value below single queues, producers and workers: in which of their numbers the
/// instances of a group share, nobody but the author knows.
fn blanks_of_parts(scenario: &Scenario, layout: &Layout) -> Vec<Left> {
    let mut left = Vec::new();
    let mut look = |expect: Option<&Spot>, variant: &str| {
        for part in ["queues", "producers", "workers"] {
            let names = expect.and_then(|expect| expect.below(&Step::Key(part.to_owned())));
            for (name, counts) in names.into_iter().flat_map(Spot::entries) {
                let blank = |(key, value): &&(Spot, Spot)| {
                    value.is_null() && key.text().and_then(Count::from_name).is_some()
                };
                left.extend(counts.entries().iter().filter(blank).map(|(key, _)| Left {
                    path: format!(
                        "{part}.{}.{}",
                        name.text().unwrap_or_default(),
                        key.text().unwrap_or_default()
                    ),
                    variant: variant.to_owned(),
                    why: "it has no value, and only counts of the whole run are filled in",
                    wish: None,
                }));
            }
        }
    };
    look(layout.at(&keys(["expect"])), "");
    for (index, variant) in scenario.variants.iter().enumerate() {
        look(layout.at(&own(index)), &variant.name);
    }
    left
}

/// The `expect` of an entry of `variants`.
pub fn own(variant: usize) -> Path {
    vec![Step::Key("variants".into()), Step::Item(variant), Step::Key("expect".into())]
}

/// What a variant should expect beside what it does: what was left blank, or if it expects no count
/// of the whole run, the counts by which one tells it from others.
///
/// Where something was `asked` for elsewhere, nothing is added unasked.
fn additions(
    variant: &Variant,
    report: &VariantReport,
    blanks: &[Path],
    asked: bool,
) -> Vec<(Path, String)> {
    let has = |count: Count| {
        variant.expectations.iter().any(|expectation| {
            matches!(&expectation.what, Expected::Count { scope: Scope::All, count: it, .. } if *it == count)
        })
    };
    let chosen: Vec<Count> = if blanks.is_empty() {
        let silent = !asked && !ALL.into_iter().any(has);
        ALL.into_iter().filter(|count| silent && tells(*count, report)).collect()
    } else {
        let blank = |count: &Count| blanks.contains(&keys([count.name()])) && !has(*count);
        ALL.into_iter().filter(blank).collect()
    };
    let addition = |count: Count| {
        let range = of_scope(variant, &Scope::All, count);
        Some((keys([count.name()]), matcher(range, actual(report, count))?))
    };
    chosen.into_iter().filter_map(addition).collect()
}

/// Delivered, lost and redelivered, and whatever else became of messages.
fn tells(count: Count, report: &VariantReport) -> bool {
    let happened = COPY_OUTCOMES.contains(&count)
        || matches!(count, Count::Unroutable | Count::Refused | Count::Duplicates);
    matches!(count, Count::Delivered | Count::Lost | Count::Redelivered)
        || (happened && report.counts[count] > 0)
}
