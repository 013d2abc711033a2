//! What people read when a run is over: the answer first, the reason next, details on request.
//!
//! Everything is text of at most the style's width, except what a diagnostic quotes from a file.

use std::time::Duration;

use crate::plan::count::Count;
use crate::report::style::Style;
use crate::report::text::{counted, duration, fact, paragraph, visible, width};
use crate::report::{Report, ScenarioReport};
use crate::verdict::model::{CauseRow, VariantReport, Verdict};

pub mod columns;
mod details;
pub mod grid;
#[cfg(test)]
mod tests;

/// Columns before what is said of a variant.
const INDENT: usize = 3;

/// Everything about one scenario, ready to be printed when its last variant has ended.
pub fn scenario(report: &ScenarioReport, style: Style) -> String {
    let columns::Choice { grid, also } = columns::choose(&report.variants, style);
    let blocks = blocks(&report.variants, &also, style);
    let complaints = diagnostics(&report.variants, style);
    let parts = [header(report, style), grid.draw(style), blocks, complaints];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("\n{}", parts.join("\n"))
}

/// The last line: how many variants came to which end, in how long, with which seed.
pub fn summary(report: &Report, elapsed: Duration, interrupted: bool, style: Style) -> String {
    let variants = report.scenarios.iter().flat_map(|scenario| &scenario.variants);
    let verdicts: Vec<_> = variants.map(|variant| variant.verdict).collect();
    let cut = if interrupted { "interrupted; " } else { "" };
    let time = duration(elapsed);
    let line = format!("{cut}{} in {time} · {}", tally(&verdicts), fact("seed", report.seed));
    format!("\n{}", paragraph(&line, style.width, 0, 0))
}

/// The scenario's name at the left, its file at the right.
fn header(report: &ScenarioReport, style: Style) -> String {
    let (name, file) = (visible(&report.scenario), visible(&report.file));
    let taken = width(&name) + width(&file);
    match style.width.checked_sub(taken + 2) {
        Some(gap) => format!("{}{}{file}\n", style.bold(&name), " ".repeat(gap + 2)),
        None => paragraph(&name, style.width, 0, 0) + &paragraph(&file, style.width, 2, 2),
    }
}

/// What is said about each variant, with blank lines between when there are tables among it.
fn blocks(variants: &[VariantReport], also: &[Count], style: Style) -> String {
    let blocks = variants.iter().map(|variant| block(variant, also, style));
    let blocks: Vec<_> = blocks.filter(|block| !block.is_empty()).collect();
    let roomy = style.verbosity > 0 || variants.iter().any(|v| !v.observations.is_empty());
    blocks.join(if roomy { "\n" } else { "" })
}

/// What is said about one variant below the table; nothing for most that pass plainly.
fn block(variant: &VariantReport, also: &[Count], style: Style) -> String {
    let sentences = sentences(variant, also, style);
    let sentences = sentences.iter().map(|s| paragraph(s, style.width, INDENT, INDENT + 2));
    let body = sentences.collect::<String>() + &details::render(variant, style);
    if body.is_empty() || variant.name.is_empty() {
        return body;
    }
    paragraph(&variant.name, style.width, 1, 1) + &body
}

/// What is said of a variant in sentences: why, and what needs no cause.
pub fn sentences(variant: &VariantReport, also: &[Count], style: Style) -> Vec<String> {
    let mut all = Vec::new();
    all.extend(reason(variant));
    all.extend(variant.causes.iter().map(|cause| why(cause, style)));
    all.extend(variant.notes.iter().cloned());
    all.extend(also_line(variant, also, style));
    all
}

/// The one sentence of the verdict, unless a diagnostic says it at its place.
fn reason(variant: &VariantReport) -> Option<String> {
    let reason = variant.reason.as_ref()?;
    let said = variant.diagnostics.iter().any(|d| d.message.contains(reason.as_str()));
    (!said).then(|| format!("{}: {reason}", columns::word(variant.verdict)))
}

fn why(cause: &CauseRow, style: Style) -> String {
    let CauseRow { outcome, count, causes, text } = cause;
    // The one outcome that is a plural.
    let outcome = if *count == 1 { outcome.trim_end_matches('s') } else { outcome };
    if style.verbosity > 0 {
        format!("{count} {outcome} by {}: {text}", causes.join(" and "))
    } else {
        format!("{count} {outcome}: {text}")
    }
}

/// The counts that found no room in the table, by name.
fn also_line(variant: &VariantReport, also: &[Count], style: Style) -> Option<String> {
    let told = also.iter().filter(|&&count| columns::is_told(count, &variant.counts, style));
    let told: Vec<_> = told.map(|&count| fact(count.name(), variant.counts[count])).collect();
    (!told.is_empty()).then(|| format!("also: {}", told.join(", ")))
}

/// What failed or did not bite, with its place; under the variant's name where there are several.
fn diagnostics(variants: &[VariantReport], style: Style) -> String {
    let mut parts = Vec::new();
    for variant in variants {
        let rendered = variant.diagnostics.iter().map(|d| d.render(style.color));
        let mut rendered: Vec<_> = rendered.map(|text| format!("{}\n", text.trim_end())).collect();
        if let (Some(first), true) = (rendered.first_mut(), variants.len() > 1) {
            *first = paragraph(&format!("In {}:", variant.name), style.width, 0, 2) + first;
        }
        parts.extend(rendered);
    }
    parts.join("\n")
}

/// `2 variants passed`, or `1 failed and 3 passed of 4 variants`, the worst first.
pub fn tally(verdicts: &[Verdict]) -> String {
    use Verdict::{Error, Fail, Inconclusive, Pass, Skipped, Unbalanced};
    let all = counted(verdicts.len(), "variant");
    let mut parts = Vec::new();
    for (kind, word) in [
        (Unbalanced, "with books that do not balance"),
        (Error, "could not run"),
        (Fail, "failed"),
        (Inconclusive, "inconclusive"),
        (Skipped, "skipped"),
        (Pass, "passed"),
    ] {
        match verdicts.iter().filter(|&&verdict| verdict == kind).count() {
            0 => {}
            n if n == verdicts.len() && kind == Skipped => {
                return format!("NOTHING WAS RUN: {all} skipped");
            }
            n if n == verdicts.len() => return format!("{all} {word}"),
            n => parts.push(format!("{n} {word}")),
        }
    }
    if parts.is_empty() {
        "nothing was run".to_owned()
    } else {
        format!("{} of {all}", parts.join(", "))
    }
}
