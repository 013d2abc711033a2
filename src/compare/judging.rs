//! Whether what is new is worse than what was.
//!
//! Between two reports of one version of RabbitMQ every exact number counts. Between two versions
//! numbers may differ because RabbitMQ does: only what the file itself asks for counts there. What the
//! plan of the base lets be anything in a range is no regression anywhere.

use crate::compare::facts::{Direction, Fact, Scope, direction, guarantee};
use crate::compare::reading::{Cause, Expectation, Guarantee, Tolerance, Unit, Variant, Word};

/// How much a difference matters, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    Same,
    Better,
    /// The file or the plan lets the number be so.
    Allowed,
    /// It is another one, and nobody can say that it is worse.
    Differs,
    Regression,
}

/// A grade, and why, where there is more to say than the two values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    pub grade: Grade,
    pub why: Option<String>,
}

impl Judgement {
    fn plain(grade: Grade) -> Self {
        Self { grade, why: None }
    }

    fn of(grade: Grade, why: impl Into<String>) -> Self {
        Self { grade, why: Some(why.into()) }
    }
}

/// Two runs of one variant.
pub struct Pair<'v> {
    pub base: &'v Variant,
    pub new: &'v Variant,
    /// Both on one version of RabbitMQ, but for its last number.
    pub same_version: bool,
}

impl Pair<'_> {
    /// Judges one fact of both; at least one of them is there.
    pub fn judge(&self, base: Option<&Fact>, new: Option<&Fact>) -> Judgement {
        match (base, new) {
            (None, None) => Judgement::plain(Grade::Same),
            (Some(base), Some(new)) => self.both(base, new),
            (None, Some(Fact::Expectation(it))) if it.held == Some(false) => {
                Judgement::of(Grade::Regression, "it is new, and does not hold")
            }
            (None, Some(_)) => Judgement::of(Grade::Differs, "it is new"),
            _ => Judgement::of(Grade::Differs, "it is no longer there"),
        }
    }

    fn both(&self, base: &Fact, new: &Fact) -> Judgement {
        match (base, new) {
            (Fact::Verdict { word: was, .. }, Fact::Verdict { word, reason }) => {
                let judged = self.verdict(*was, *word);
                let said = reason.clone().filter(|_| judged.why.is_none() && was != word);
                Judgement { why: judged.why.or(said), grade: judged.grade }
            }
            (Fact::Expectation(was), Fact::Expectation(it)) => expectation(was, it),
            (Fact::PartOfCount { scope, count, number: was }, Fact::PartOfCount { number, .. }) => {
                self.part(*scope, count, *was, *number)
            }
            (Fact::Cause { outcome, cause, number: was }, Fact::Cause { number, .. }) => {
                self.cause(outcome, cause, *was, *number)
            }
            (Fact::Guarantee(was), Fact::Guarantee(it)) => promise(was, it),
            (Fact::Errors(was), Fact::Errors(number)) if was != number => {
                Judgement::plain(Grade::Differs)
            }
            _ => Judgement::plain(Grade::Same),
        }
    }

    fn verdict(&self, was: Word, is: Word) -> Judgement {
        match (was, is) {
            _ if was == is => Judgement::plain(Grade::Same),
            (Word::Pass, Word::Skipped) if !self.same_version => Judgement::plain(Grade::Differs),
            (Word::Pass | Word::Skipped, _) if is > was => Judgement::plain(Grade::Regression),
            // What is not run any more has not become right.
            (_, Word::Skipped) => Judgement::plain(Grade::Differs),
            _ if is > was => Judgement::plain(Grade::Regression),
            _ => Judgement::plain(Grade::Better),
        }
    }

    /// Judges a count of the whole run.
    pub fn count(&self, name: &str, was: u64, is: u64) -> Judgement {
        if was == is {
            return Judgement::plain(Grade::Same);
        }
        let better = better(name, was, is);
        if let Some(tolerance) = self.tolerance(name) {
            return match (within(tolerance, was as f64, is as f64), better) {
                (true, _) => Judgement::of(Grade::Allowed, within_words(tolerance)),
                (false, true) => Judgement::plain(Grade::Better),
                (false, false) => Judgement::of(
                    Grade::Regression,
                    format!("the tolerance is {}", said(tolerance)),
                ),
            };
        }
        let foretold = self.foretold(name);
        match self.range(name).filter(|range| contains(range, is)) {
            Some(range) => Judgement::of(Grade::Allowed, format!("in {}", bare(range))),
            None if better => Judgement { grade: Grade::Better, why: foretold },
            None if direction(name) == Direction::Plain || !self.same_version => {
                Judgement { grade: Grade::Differs, why: foretold }
            }
            None => {
                let word = if is > was { "more" } else { "fewer" };
                let why = foretold.map_or(String::new(), |why| format!("; {why}"));
                Judgement::of(Grade::Regression, format!("{word} of them{why}"))
            }
        }
    }

    /// Only a queue can have lost something that the whole run has not: how it is dealt out among
    /// producers and workers is nobody's promise.
    fn part(&self, scope: Scope, name: &str, was: u64, is: u64) -> Judgement {
        let judged = self.count(name, was, is);
        match judged.grade {
            Grade::Regression if scope != Scope::Queue || direction(name) == Direction::Plain => {
                Judgement::plain(Grade::Differs)
            }
            Grade::Allowed if scope != Scope::Queue => Judgement::plain(Grade::Differs),
            grade => Judgement::plain(grade),
        }
    }

    fn cause(&self, outcome: &str, cause: &str, was: u64, is: u64) -> Judgement {
        let any_before = |it: &&Cause| it.outcome == outcome && it.count > 0;
        let other_causes = self.base.causes.iter().find(any_before).is_some();
        let total = self.new.counts.get(outcome).copied().unwrap_or_default();
        let varies = self.range(outcome).is_some_and(|range| contains(range, total));
        if was == is {
            Judgement::plain(Grade::Same)
        } else if cause == "unexplained" && is > was {
            Judgement::of(Grade::Regression, "nothing that was observed explains it")
        } else if varies {
            Judgement::of(Grade::Allowed, "in a range")
        } else if was == 0 && other_causes && self.same_version {
            Judgement::of(Grade::Regression, "a cause that was not there before")
        } else {
            Judgement::plain(Grade::Differs)
        }
    }

    /// Judges a time or a rate. One that nobody set a bound to is told where it is far from what it
    /// was, and never a regression.
    pub fn timing(&self, path: &str, was: f64, is: f64) -> Judgement {
        /// Busy machines differ by less than this.
        const FAR: f64 = 0.5;
        /// So many ms are nothing to speak of.
        const LITTLE: f64 = 100.0;
        let name = path.strip_prefix("timings.").unwrap_or(path).split('.').next();
        let name = name.map(|name| name.trim_end_matches("_ms")).unwrap_or_default();
        let rate = path.contains("per_s") || path.contains("rate") || path.contains("throughput");
        let better = (is < was) != rate;
        match self.tolerance(name) {
            Some(tolerance) if within(tolerance, was, is) => Judgement::plain(Grade::Same),
            Some(_) if better => Judgement::plain(Grade::Better),
            Some(tolerance) => {
                Judgement::of(Grade::Regression, format!("the tolerance is {}", said(tolerance)))
            }
            None if (is - was).abs() <= was * FAR => Judgement::plain(Grade::Same),
            None if !rate && (is - was).abs() < LITTLE => Judgement::plain(Grade::Same),
            None if better => Judgement::plain(Grade::Better),
            None => Judgement::plain(Grade::Differs),
        }
    }

    /// What the file of the new run lets differ.
    fn tolerance(&self, name: &str) -> Option<&Tolerance> {
        self.new.tolerances.iter().find(|tolerance| tolerance.of == name)
    }

    /// The range that the plan of the base lets a count be in, if it is one. That of the new run
    /// proves nothing: a file that was changed for the worse foretells the worse.
    fn range(&self, name: &str) -> Option<&Guarantee> {
        let first = of(self.base, name).or_else(|| of(self.new, name));
        first.filter(|it| it.high != Some(it.low))
    }

    /// That the plan is another one, if it is.
    fn foretold(&self, name: &str) -> Option<String> {
        let (was, now) = (of(self.base, name)?, of(self.new, name)?);
        let differs = (was.low, was.high) != (now.low, now.high);
        differs.then(|| format!("the plan foretold {} and now foretells {}", bare(was), bare(now)))
    }
}

/// What the plan of a variant foretells of a count.
fn of<'v>(variant: &'v Variant, name: &str) -> Option<&'v Guarantee> {
    variant.guarantees.iter().find(|it| it.count == name)
}

fn bare(it: &Guarantee) -> String {
    guarantee(&Guarantee { held: None, ..it.clone() })
}

fn better(name: &str, was: u64, is: u64) -> bool {
    match direction(name) {
        Direction::Bad => is < was,
        Direction::Good => is > was,
        Direction::Plain => false,
    }
}

fn contains(it: &Guarantee, number: u64) -> bool {
    it.low <= number && it.high.is_none_or(|high| number <= high)
}

fn within(tolerance: &Tolerance, was: f64, is: f64) -> bool {
    let far = (is - was).abs();
    match (tolerance.unit, tolerance.by) {
        (Unit::Number | Unit::Ms, Some(by)) => far <= by,
        (Unit::Percent, Some(by)) => far * 100.0 <= was * by,
        _ => true,
    }
}

fn within_words(tolerance: &Tolerance) -> String {
    match tolerance.unit {
        Unit::Any => "may be any".to_owned(),
        _ => format!("within {}", said(tolerance)),
    }
}

/// `±5`, `±10 %`, `±200 ms`.
fn said(tolerance: &Tolerance) -> String {
    let by = tolerance.by.unwrap_or_default();
    match tolerance.unit {
        Unit::Number => format!("±{by}"),
        Unit::Percent => format!("±{by} %"),
        Unit::Ms => format!("±{by} ms"),
        Unit::Any => "any".to_owned(),
    }
}

fn expectation(was: &Expectation, is: &Expectation) -> Judgement {
    match (was.held, is.held) {
        (Some(true), Some(false)) => Judgement::of(Grade::Regression, "it held before"),
        (None, Some(false)) => Judgement::plain(Grade::Regression),
        (Some(false) | None, Some(true)) => Judgement::plain(Grade::Better),
        (Some(_), None) => Judgement::of(Grade::Differs, "it was not judged this time"),
        _ if was.expected != is.expected => {
            Judgement::of(Grade::Differs, "it expects another number")
        }
        _ => Judgement::plain(Grade::Same),
    }
}

fn promise(was: &Guarantee, is: &Guarantee) -> Judgement {
    match (was.held, is.held) {
        (Some(true) | None, Some(false)) => {
            Judgement::of(Grade::Regression, "the plan promises what did not come true")
        }
        (Some(false), Some(true)) => Judgement::plain(Grade::Better),
        _ if (was.low, was.high) != (is.low, is.high) => {
            Judgement::of(Grade::Differs, "the file means something else now")
        }
        _ => Judgement::plain(Grade::Same),
    }
}
