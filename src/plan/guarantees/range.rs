//! What a count can come to, and why.

use std::ops::{Add, Sub};

use crate::plan::guarantees::rules::Rule;

/// The numbers from `low` to `high`, both included; without `high` there is no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub low: u64,
    pub high: Option<u64>,
}

impl Range {
    pub const ZERO: Range = Range::exactly(0);
    pub const ANY: Range = Range { low: 0, high: None };

    pub const fn exactly(n: u64) -> Self {
        Self { low: n, high: Some(n) }
    }

    pub const fn up_to(high: u64) -> Self {
        Self { low: 0, high: Some(high) }
    }

    pub const fn between(low: u64, high: u64) -> Self {
        Self { low, high: Some(high) }
    }

    /// Whether `n` is one of them.
    pub fn contains(self, n: u64) -> bool {
        self.low <= n && self.high.is_none_or(|high| n <= high)
    }

    /// The only number there is, if there is only one.
    pub fn exact(self) -> Option<u64> {
        self.high.filter(|high| *high == self.low)
    }

    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// As many as these, or none.
    pub fn or_none(self) -> Self {
        Self { low: 0, ..self }
    }

    /// No more than these.
    pub fn at_most(self, most: Option<u64>) -> Self {
        let high = match (self.high, most) {
            (Some(high), Some(most)) => Some(high.min(most)),
            (high, most) => high.or(most),
        };
        Self { low: high.map_or(self.low, |high| self.low.min(high)), high }
    }

    /// What is one of these or one of those.
    pub fn hull(self, other: Self) -> Self {
        let high = self.high.zip(other.high).map(|(one, other)| one.max(other));
        Self { low: self.low.min(other.low), high }
    }

    pub fn times(self, n: u64) -> Self {
        let high = if n == 0 { Some(0) } else { self.high.map(|high| high.saturating_mul(n)) };
        Self { low: self.low.saturating_mul(n), high }
    }

    fn width(self) -> u64 {
        self.high.map_or(u64::MAX, |high| high - self.low)
    }
}

impl Add for Range {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let high = self.high.zip(other.high).map(|(one, other)| one.saturating_add(other));
        Self { low: self.low.saturating_add(other.low), high }
    }
}

/// What is left of these when those are gone; never less than nothing.
impl Sub for Range {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            low: other.high.map_or(0, |high| self.low.saturating_sub(high)),
            high: self.high.map(|high| high.saturating_sub(other.low)),
        }
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = match (self.low, self.high) {
            (low, Some(high)) if low == high => low.to_string(),
            (low, Some(high)) => format!("{low}..{high}"),
            (low, None) => format!(">= {low}"),
        };
        f.pad(&text)
    }
}

/// A range, and the rule that gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub range: Range,
    pub rule: Rule,
}

impl Bound {
    pub const fn new(range: Range, rule: Rule) -> Self {
        Self { range, rule }
    }

    /// What nothing in the file lets happen.
    pub const fn never() -> Self {
        Self::new(Range::ZERO, Rule::Never)
    }
}

/// Two numbers together; the rule is that of the less certain one, or of the one that counts.
impl Add for Bound {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let key = |bound: Self| (bound.range.width(), bound.range.low);
        let rule = if key(other) > key(self) { other.rule } else { self.rule };
        Self { range: self.range + other.range, rule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_add_and_subtract_at_both_ends() {
        let (a, b) = (Range::between(3, 7), Range::between(1, 2));
        assert_eq!(a + b, Range::between(4, 9));
        assert_eq!(a - b, Range::between(1, 6));
        assert_eq!(b - a, Range::ZERO);
        assert_eq!(a - Range::ANY, Range::up_to(7));
        assert_eq!(Range::ANY + a, Range { low: 3, high: None });
        assert_eq!(a.times(0), Range::ZERO);
        assert_eq!(a.at_most(Some(2)), Range::exactly(2));
        assert_eq!((a.to_string(), Range::ANY.to_string()), ("3..7".into(), ">= 0".into()));
    }
}
