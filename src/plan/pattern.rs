//! Values that change from message to message, decided by the message's number alone.

use std::time::Duration;

use crate::plan::random::Stream;

/// A scalar of the file, with its YAML type.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

/// One value per message.
#[derive(Debug, Clone, PartialEq)]
pub enum Pattern<T> {
    /// The same for all.
    Always(T),
    /// The first value for message 1, the second for 2, and again from the first.
    Cycle(Vec<T>),
    /// One of these, each as likely.
    Random(Vec<T>),
    /// One of these, as likely as its weight says. The weights sum to more than 0.
    Weighted(Vec<(T, u64)>),
    /// Uniform between the two, both included.
    Range(T, T),
    /// The message's number.
    Index,
}

/// What a pattern can produce.
pub trait PatternValue: Clone {
    /// The value of a message's number under `index`.
    fn from_number(n: u64) -> Self;
    /// The value that `draw`, a number of `stream`, picks between `low` and `high`.
    fn between(low: &Self, high: &Self, stream: Stream, n: u64) -> Self;
}

impl<T: PatternValue> Pattern<T> {
    /// The value for message `n`, which counts from 1.
    pub fn at(&self, stream: Stream, n: u64) -> T {
        match self {
            Pattern::Always(value) => value.clone(),
            Pattern::Cycle(values) => values[position(n - 1, values.len())].clone(),
            Pattern::Random(values) => {
                let len = u64::try_from(values.len()).expect("a list of the file is short");
                values[position(stream.below(n, len), values.len())].clone()
            }
            Pattern::Weighted(values) => weighted(values, stream, n).clone(),
            Pattern::Range(low, high) => T::between(low, high, stream, n),
            Pattern::Index => T::from_number(n),
        }
    }

    /// Whether chance decides: then every producer draws for itself.
    pub fn is_drawn(&self) -> bool {
        matches!(self, Pattern::Random(_) | Pattern::Weighted(_) | Pattern::Range(..))
    }

    /// The values that this pattern can take, or `None` when they are too many to list.
    pub fn values(&self) -> Option<Vec<T>> {
        match self {
            Pattern::Always(value) => Some(vec![value.clone()]),
            Pattern::Cycle(values) | Pattern::Random(values) => Some(values.clone()),
            Pattern::Weighted(values) => Some(values.iter().map(|(v, _)| v.clone()).collect()),
            Pattern::Range(..) | Pattern::Index => None,
        }
    }
}

fn position(n: u64, len: usize) -> usize {
    usize::try_from(n % u64::try_from(len).expect("a list fits in 64 bits")).expect("it is < len")
}

fn weighted<T>(values: &[(T, u64)], stream: Stream, n: u64) -> &T {
    let total = values.iter().map(|(_, weight)| weight).sum();
    let mut left = stream.below(n, total);
    for (value, weight) in values {
        if left < *weight {
            return value;
        }
        left -= weight;
    }
    unreachable!("a draw is below the sum of the weights")
}

fn uniform(low: u64, high: u64, stream: Stream, n: u64) -> u64 {
    match (high - low).checked_add(1) {
        Some(span) => low + stream.below(n, span),
        None => stream.draw(n),
    }
}

impl PatternValue for u64 {
    fn from_number(n: u64) -> Self {
        n
    }
    fn between(low: &Self, high: &Self, stream: Stream, n: u64) -> Self {
        uniform(*low, *high, stream, n)
    }
}

impl PatternValue for Duration {
    /// The plan refuses `index` for durations: a number without a unit is none.
    fn from_number(_: u64) -> Self {
        unreachable!("a duration is never the message's number")
    }
    fn between(low: &Self, high: &Self, stream: Stream, n: u64) -> Self {
        let nanos = |d: &Duration| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(uniform(nanos(low), nanos(high), stream, n))
    }
}

impl PatternValue for String {
    fn from_number(n: u64) -> Self {
        n.to_string()
    }
    /// The bounds are whole numbers; the plan checks that.
    fn between(low: &Self, high: &Self, stream: Stream, n: u64) -> Self {
        let bound = |text: &String| text.parse().expect("the plan checked the range");
        uniform(bound(low), bound(high), stream, n).to_string()
    }
}

impl PatternValue for Scalar {
    fn from_number(n: u64) -> Self {
        Scalar::Int(i64::try_from(n).unwrap_or(i64::MAX))
    }
    /// The bounds are whole numbers, not negative; the plan checks that.
    fn between(low: &Self, high: &Self, stream: Stream, n: u64) -> Self {
        let bound = |scalar: &Scalar| match scalar {
            Scalar::Int(n) => u64::try_from(*n).expect("the plan checked the range"),
            _ => unreachable!("the plan checked the range"),
        };
        Self::from_number(uniform(bound(low), bound(high), stream, n))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first<T: PatternValue>(pattern: &Pattern<T>, count: u64) -> Vec<T> {
        (1..=count).map(|n| pattern.at(Stream::new(1, "test"), n)).collect()
    }

    #[test]
    fn each_form_gives_its_values() {
        assert_eq!(first(&Pattern::Always(4_u64), 3), [4, 4, 4]);
        assert_eq!(first(&Pattern::Cycle(vec![1_u64, 2, 3]), 5), [1, 2, 3, 1, 2]);
        assert_eq!(first::<u64>(&Pattern::Index, 3), [1, 2, 3]);
        let drawn = first(&Pattern::Range(2_u64, 4), 300);
        assert!(
            (2..=4).all(|value| drawn.contains(&value))
                && drawn.iter().all(|v| (2..=4).contains(v))
        );
        let drawn = first(&Pattern::Random(vec![7_u64, 9]), 100);
        assert!(drawn.contains(&7) && drawn.contains(&9));
    }

    #[test]
    fn weights_decide_how_often_a_value_comes() {
        let drawn = first(&Pattern::Weighted(vec![(1_u64, 9), (2, 1), (3, 0)]), 1000);
        let ones = drawn.iter().filter(|&&v| v == 1).count();
        assert!((850..950).contains(&ones), "{ones}");
        assert!(!drawn.contains(&3));
    }
}
