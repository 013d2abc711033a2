//! Which counts the table of variants shows, and which are named below it.

use std::cmp::Reverse;

use crate::ledger::counts::Counts;
use crate::plan::count::Count::*;
use crate::plan::count::{COPY_OUTCOMES, Count};
use crate::report::style::{Style, Tone};
use crate::report::table::grid::{Grid, Line};
use crate::verdict::model::{VariantReport, Verdict};

/// In every table, zero or not; but where nothing was redelivered, that column makes room for
/// what became of copies.
const CORE: [Count; 4] = [Published, Delivered, Lost, Redelivered];

/// In the table where they are not zero, in the order of who comes first: what became of a
/// copy, then what nobody expects, then what became of a publish.
const EXTRA: [Count; 26] = [
    DeadLettered,
    Rejected,
    OverLimit,
    Expired,
    Dropped,
    Remaining,
    TurnedAway,
    InDoubt,
    Unexpected,
    Duplicates,
    StillQueued,
    Expected,
    Refused,
    Unconfirmed,
    Returned,
    Unroutable,
    Republished,
    Replied,
    Unanswered,
    Confirmed,
    Unchecked,
    Repeats,
    Deliveries,
    Begun,
    Finished,
    Acked,
];

/// The table of a scenario's variants, and what had no room in it.
pub struct Choice {
    pub grid: Grid,
    /// For the line below the table.
    pub also: Vec<Count>,
}

/// Chooses the columns for `variants`.
pub fn choose(variants: &[VariantReport], style: Style) -> Choice {
    let all = choose_beside(&CORE, variants, style);
    let idle = variants.iter().all(|variant| variant.counts[Redelivered] == 0);
    if idle && all.also.iter().any(|count| COPY_OUTCOMES.contains(count)) {
        return choose_beside(&CORE[..3], variants, style);
    }
    all
}

/// What does not fit beside the others is told below: outcomes of copies come first, and of those
/// the ones that most variants have.
fn choose_beside(core: &[Count], variants: &[VariantReport], style: Style) -> Choice {
    let told = |count: &Count| {
        variants.iter().filter(|variant| is_told(*count, &variant.counts, style)).count()
    };
    let mut extras: Vec<Count> = EXTRA.into_iter().filter(|count| told(count) > 0).collect();
    extras.sort_by_key(|count| (!COPY_OUTCOMES.contains(count), Reverse(told(count))));
    let mut shown: Vec<Count> = Vec::new();
    let with = |shown: &[Count]| {
        let extras = EXTRA.into_iter().filter(|count| shown.contains(count));
        let counts: Vec<Count> = core.iter().copied().chain(extras).collect();
        grid(variants, &counts)
    };
    for extra in extras.into_iter().filter(|count| !routine(*count)) {
        shown.push(extra);
        if !with(&shown).fits(style.width) {
            shown.pop();
        }
    }
    let left = |count: &Count| told(count) > 0 && !shown.contains(count);
    Choice { grid: with(&shown), also: EXTRA.into_iter().filter(left).collect() }
}

/// Whether `count` says something about these counts that the core columns do not.
pub fn is_told(count: Count, counts: &Counts, style: Style) -> bool {
    counts[count] > 0 && (style.verbosity > 0 || !implied(count, counts))
}

/// Whether the table says it already: a number that repeats another in every plain run, and
/// what the programs did, which `-v` tells worker by worker.
fn implied(count: Count, counts: &Counts) -> bool {
    match count {
        Expected | Confirmed | Unchecked => counts[count] == counts[Published],
        Repeats => counts[Repeats] == counts[Redelivered],
        _ => routine(count),
    }
}

/// What every run has; it never takes a column from what only some have.
fn routine(count: Count) -> bool {
    matches!(count, Deliveries | Begun | Finished | Acked)
}

fn grid(variants: &[VariantReport], counts: &[Count]) -> Grid {
    Grid {
        title: "variant".to_owned(),
        heads: counts.iter().map(|count| count.name().to_owned()).collect(),
        rows: variants.iter().map(|variant| row(variant, counts)).collect(),
        indent: 0,
    }
}

fn row(variant: &VariantReport, counts: &[Count]) -> Line {
    // What was not run was not measured: a zero would say that nothing was lost.
    let ran = variant.verdict != Verdict::Skipped;
    Line {
        name: variant.name.clone(),
        numbers: counts.iter().map(|&count| ran.then_some(variant.counts[count])).collect(),
        word: word(variant.verdict).to_owned(),
        tone: tone(variant.verdict),
    }
}

/// The verdict as the table says it: what needs attention is in capitals.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Skipped => "skipped",
        Verdict::Pass => "pass",
        Verdict::Inconclusive => "INCONCLUSIVE",
        Verdict::Fail => "FAIL",
        Verdict::Error | Verdict::Unbalanced => "ERROR",
    }
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Skipped => Tone::Plain,
        Verdict::Pass => Tone::Good,
        Verdict::Inconclusive => Tone::Odd,
        Verdict::Fail | Verdict::Error | Verdict::Unbalanced => Tone::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::count::ALL;

    #[test]
    fn every_count_has_its_place() {
        for count in ALL {
            assert!(CORE.contains(&count) != EXTRA.contains(&count), "{}", count.name());
        }
    }
}
