//! Lints about expectations that say nothing, or that nothing can meet.

use std::time::Duration;

use crate::plan::count::{COPY_OUTCOMES, Count, PUBLISH_OUTCOMES};
use crate::plan::lints::bounds::{self, Bounds};
use crate::plan::lints::looked::{Looked, about};
use crate::plan::matcher::{DurationMatcher, Matcher, Op, Share};
use crate::plan::model::{Expectation, Expected, Scope};
use crate::scenario::collect::Warning;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::{Mistake, list};

/// The outcomes of no more scopes than these are added up.
const MOST_SCOPES: usize = 100;

/// What every run meets.
pub fn never_fails(looked: &Looked, out: &mut Vec<Warning>) {
    for expectation in &looked.variant.expectations {
        let always = match &expectation.what {
            Expected::Count { count, matcher, .. } => holds_always(*count, matcher),
            Expected::Cause { matcher, .. } | Expected::Observed { matcher, .. } => {
                *matcher == Matcher::Compare(Op::GreaterOrEqual, 0)
            }
            Expected::Throughput { matcher, .. } => {
                *matcher == Matcher::Compare(Op::GreaterOrEqual, 0)
            }
            Expected::Duration(matcher)
            | Expected::LongestGap(matcher)
            | Expected::Recovery(matcher)
            | Expected::Latency { matcher, .. } => {
                *matcher == DurationMatcher { op: Op::GreaterOrEqual, bound: Duration::ZERO }
            }
            _ => false,
        };
        if always {
            let Expectation { path, expected, at, .. } = expectation;
            let text = format!("every run has `{path}` {expected}");
            let help = "write what would be wrong otherwise, or leave it out";
            out.push(about(Lint::NeverFails, *at, Mistake::new(*at, text).help(help)));
        }
    }
}

fn holds_always(count: Count, matcher: &Matcher) -> bool {
    let part = COPY_OUTCOMES.contains(&count) || PUBLISH_OUTCOMES.contains(&count);
    match *matcher {
        Matcher::Compare(Op::GreaterOrEqual, 0) => true,
        Matcher::Percent(Op::GreaterOrEqual, Share(0)) => true,
        Matcher::Percent(Op::LessOrEqual, Share(10_000)) => part,
        _ => false,
    }
}

/// What no run can meet.
pub fn never_holds(looked: &Looked, out: &mut Vec<Warning>) {
    for expectation in &looked.variant.expectations {
        let Expected::Count { scope, count, matcher } = &expectation.what else { continue };
        let bounds = bounds::of(looked, scope, *count);
        if can_hold(matcher, bounds) {
            continue;
        }
        let Expectation { path, expected, at, .. } = expectation;
        let there = match bounds {
            Bounds { least, most: Some(most) } if least == most => format!("it is {most}"),
            Bounds { most: Some(0), .. } => "it is 0".to_owned(),
            Bounds { least: 0, most: Some(most) } => format!("it is at most {most}"),
            Bounds { least, most: Some(most) } => format!("it is {least} to {most}"),
            Bounds { least, most: None } => format!("it is at least {least}"),
        };
        let text = format!("`{path}` cannot be {expected}: {there}");
        let help = "mend the expectation, or what it is about";
        out.push(about(Lint::NeverHolds, *at, Mistake::new(*at, text).help(help)));
    }
}

/// What no run can meet at once: each message, or copy, has one outcome.
pub fn never_holds_together(looked: &Looked, out: &mut Vec<Warning>) {
    let kinds = [
        (&COPY_OUTCOMES[..], Count::Expected, "copies"),
        (&PUBLISH_OUTCOMES[..], Count::Published, "messages"),
    ];
    let mut scopes: Vec<&Scope> = Vec::new();
    for (scope, ..) in looked.counts() {
        if scopes.len() < MOST_SCOPES && !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    for scope in scopes {
        for (outcomes, whole, what) in kinds {
            let Some(most) = bounds::of(looked, scope, whole).most else { continue };
            let parts = parts(looked, scope, outcomes);
            let all = parts.iter().fold(0_u64, |sum, (least, _)| sum.saturating_add(*least));
            // What cannot be by itself is told already.
            let alone = parts.iter().any(|(_, part)| !can_be(looked, part));
            let (Some((_, last)), true) = (parts.last(), all > most && !alone) else { continue };
            let names: Vec<&str> = parts.iter().map(|(_, part)| part.path.as_str()).collect();
            let names = list(names, "and");
            let text = format!("{names} together are {all} or more, and there are {most} {what}");
            let help = "each of them has one outcome alone; mend one of the numbers";
            out.push(about(Lint::NeverHolds, last.at, Mistake::new(last.at, text).help(help)));
        }
    }
}

fn can_be(looked: &Looked, expectation: &Expectation) -> bool {
    match &expectation.what {
        Expected::Count { scope, count, matcher } => {
            can_hold(matcher, bounds::of(looked, scope, *count))
        }
        _ => true,
    }
}

/// The outcomes of a scope that are expected to be some, each with the least it must be.
fn parts<'a>(
    looked: &Looked<'a, '_>,
    scope: &Scope,
    outcomes: &[Count],
) -> Vec<(u64, &'a Expectation)> {
    let least = |matcher: &Matcher| match *matcher {
        Matcher::Exactly(n) | Matcher::Between(n, _) => n,
        Matcher::Compare(Op::Equal | Op::GreaterOrEqual, n) => n,
        Matcher::Compare(Op::Greater, n) => n.saturating_add(1),
        _ => 0,
    };
    let parts = looked.variant.expectations.iter().filter_map(|it| match &it.what {
        Expected::Count { scope: of, count, matcher }
            if of == scope && outcomes.contains(count) =>
        {
            Some((least(matcher), it))
        }
        _ => None,
    });
    let mut parts: Vec<_> = parts.filter(|(least, _)| *least > 0).collect();
    parts.sort_by_key(|(_, part)| part.at.position());
    parts
}

/// Whether a number between the bounds fits.
fn can_hold(matcher: &Matcher, bounds: Bounds) -> bool {
    let Bounds { least, most } = bounds;
    let reaches = |n: u64| most.is_none_or(|most| n <= most);
    match *matcher {
        Matcher::Exactly(n) | Matcher::Compare(Op::Equal, n) => least <= n && reaches(n),
        Matcher::Compare(Op::Less, n) => least < n,
        Matcher::Compare(Op::LessOrEqual, n) => least <= n,
        Matcher::Compare(Op::Greater, n) => n.checked_add(1).is_some_and(reaches),
        Matcher::Compare(Op::GreaterOrEqual, n) => reaches(n),
        Matcher::Between(low, high) => least <= high && reaches(low),
        Matcher::Percent(Op::Less, Share(0)) => false,
        Matcher::Percent(..) | Matcher::Any => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_can_hold_if_one_number_between_the_bounds_fits() {
        let to = |least, most| Bounds { least, most };
        for (matcher, bounds, expected) in [
            (Matcher::Exactly(20), to(0, Some(20)), true),
            (Matcher::Exactly(21), to(0, Some(20)), false),
            (Matcher::Exactly(19), to(20, Some(20)), false),
            (Matcher::Exactly(21), to(0, None), true),
            (Matcher::Compare(Op::Greater, 19), to(0, Some(20)), true),
            (Matcher::Compare(Op::Greater, 20), to(0, Some(20)), false),
            (Matcher::Compare(Op::Greater, u64::MAX), to(0, None), false),
            (Matcher::Compare(Op::GreaterOrEqual, 20), to(0, Some(20)), true),
            (Matcher::Compare(Op::Less, 0), to(0, None), false),
            (Matcher::Compare(Op::Less, 20), to(20, Some(20)), false),
            (Matcher::Compare(Op::LessOrEqual, 20), to(20, Some(20)), true),
            (Matcher::Between(21, 30), to(0, Some(20)), false),
            (Matcher::Between(20, 30), to(0, Some(20)), true),
            (Matcher::Between(0, 19), to(20, None), false),
            (Matcher::Percent(Op::Less, Share(0)), to(0, None), false),
            (Matcher::Any, to(5, Some(5)), true),
        ] {
            assert_eq!(can_hold(&matcher, bounds), expected, "{matcher:?} {bounds:?}");
        }
    }
}
