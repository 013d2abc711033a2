//! Patterns and matchers as meant.

use std::time::Duration;

use crate::plan::matcher::{DurationMatcher, Matcher, Op, Share};
use crate::plan::pattern::{Pattern, Scalar};
use crate::scenario::matcher::{Form, Operator, TimeMatcher};
use crate::scenario::pattern::{Element, Number, Pattern as Written};
use crate::scenario::scalar::{Scalar as WrittenScalar, Size, Time, Whole};

/// A pattern with each value and each end of a range as meant.
fn pattern<T: Element, U>(
    written: &Written<T>,
    value: impl Fn(&T) -> U,
    bound: impl Fn(T::Bound) -> U,
) -> Pattern<U> {
    match written {
        Written::Always(one) => Pattern::Always(value(one)),
        Written::Cycle(values) => Pattern::Cycle(values.iter().map(value).collect()),
        Written::Random(values) => Pattern::Random(values.iter().map(value).collect()),
        Written::Weighted(values) => {
            Pattern::Weighted(values.iter().map(|(one, weight)| (value(one), *weight)).collect())
        }
        Written::Range(low, high) => Pattern::Range(bound(*low), bound(*high)),
        Written::Index => Pattern::Index,
    }
}

pub fn numbers<const MIN: u64, const MAX: u64>(written: &Written<Whole<MIN, MAX>>) -> Pattern<u64> {
    pattern(written, |whole| whole.0, |whole| whole.0)
}

pub fn sizes(written: &Written<Size>) -> Pattern<u64> {
    pattern(written, |size| size.0, |size| size.0)
}

pub fn times(written: &Written<Time>) -> Pattern<Duration> {
    pattern(written, |time| time.0, |time| time.0)
}

pub fn texts(written: &Written<String>) -> Pattern<String> {
    pattern(written, Clone::clone, |number: Number| number.0.to_string())
}

pub fn scalars(written: &Written<WrittenScalar>) -> Pattern<Scalar> {
    let number = |number: Number| i64::try_from(number.0).expect("a number of a file fits");
    pattern(written, scalar, |bound| Scalar::Int(number(bound)))
}

/// A scalar with its YAML type.
pub fn scalar(written: &WrittenScalar) -> Scalar {
    match written {
        WrittenScalar::Null => Scalar::Null,
        WrittenScalar::Bool(value) => Scalar::Bool(*value),
        WrittenScalar::Int(value) => Scalar::Int(*value),
        WrittenScalar::Float(value) => Scalar::Float(*value),
        WrittenScalar::Text(value) => Scalar::Text(value.clone()),
    }
}

pub fn matcher(form: Form) -> Matcher {
    match form {
        Form::Exactly(n) => Matcher::Exactly(n),
        Form::Compare(operator, n) => Matcher::Compare(op(operator), n),
        Form::Between(low, high) => Matcher::Between(low, high),
        Form::Percent(operator, percent) => Matcher::Percent(op(operator), Share(percent.0)),
        Form::Any => Matcher::Any,
    }
}

/// `None` for `any`: nothing is judged.
pub fn duration_matcher(written: &TimeMatcher) -> Option<DurationMatcher> {
    written.form.map(|(operator, bound)| DurationMatcher { op: op(operator), bound })
}

fn op(operator: Operator) -> Op {
    match operator {
        Operator::Less => Op::Less,
        Operator::LessOrEqual => Op::LessOrEqual,
        Operator::Greater => Op::Greater,
        Operator::GreaterOrEqual => Op::GreaterOrEqual,
        Operator::Equal => Op::Equal,
    }
}
