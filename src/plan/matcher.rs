//! What a number must be.

use std::time::Duration;

/// A comparison of the file: `"> 0"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

impl Op {
    /// Whether `left op right`.
    pub fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Op::Less => left < right,
            Op::LessOrEqual => left <= right,
            Op::Greater => left > right,
            Op::GreaterOrEqual => left >= right,
            Op::Equal => left == right,
        }
    }
}

/// What a count must be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Matcher {
    Exactly(u64),
    Compare(Op, u64),
    /// Both ends included.
    Between(u64, u64),
    /// Of the count's base, [`crate::plan::count::Count::base`], in the same scope.
    Percent(Op, Share),
    /// Takes an expectation back: nothing is judged.
    Any,
}

/// A part of a whole, in hundredths of a percent, so that it compares exactly: 0 to 10 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(pub u64);

impl Share {
    /// Compares `part` of `whole` with this share, without rounding.
    pub fn compare(self, op: Op, part: u64, whole: u64) -> bool {
        let left = u128::from(part) * 10_000;
        let right = u128::from(self.0) * u128::from(whole);
        op.holds(&left, &right)
    }
}

impl Matcher {
    /// Whether `actual` is what was expected; `base` is what a percentage refers to.
    pub fn holds(&self, actual: u64, base: u64) -> bool {
        match *self {
            Matcher::Exactly(n) => actual == n,
            Matcher::Compare(op, n) => op.holds(&actual, &n),
            Matcher::Between(low, high) => (low..=high).contains(&actual),
            Matcher::Percent(op, share) => share.compare(op, actual, base),
            Matcher::Any => true,
        }
    }
}

/// What a duration must be: `"< 5s"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationMatcher {
    pub op: Op,
    pub bound: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_holds_where_it_should() {
        for (matcher, actual, base, held) in [
            (Matcher::Exactly(3), 3, 0, true),
            (Matcher::Exactly(3), 4, 0, false),
            (Matcher::Compare(Op::Greater, 0), 0, 0, false),
            (Matcher::Compare(Op::LessOrEqual, 5), 5, 0, true),
            (Matcher::Between(3, 7), 3, 0, true),
            (Matcher::Between(3, 7), 7, 0, true),
            (Matcher::Between(3, 7), 8, 0, false),
            (Matcher::Percent(Op::GreaterOrEqual, Share(9000)), 18, 20, true),
            (Matcher::Percent(Op::GreaterOrEqual, Share(9000)), 17, 20, false),
            (Matcher::Percent(Op::Less, Share(3333)), 1, 3, false),
            (Matcher::Any, 99, 0, true),
        ] {
            assert_eq!(matcher.holds(actual, base), held, "{matcher:?} {actual} of {base}");
        }
    }
}
