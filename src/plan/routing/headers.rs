//! How a headers exchange compares what a binding wants with what a message brings.

use crate::plan::model::Binding;
use crate::plan::pattern::Scalar;

/// How a headers exchange compares a whole number with another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// 1 and 1.0 are the same: RabbitMQ up to 3.12.
    ByValue,
    /// They are not: since messages are kept as maps.
    ByType,
}

impl Numbers {
    /// Those of a version, such as `3.10.8`; of one that cannot be read, those of today.
    pub fn of(version: &str) -> Self {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) if (major, minor) < (3, 13) => Numbers::ByValue,
            _ => Numbers::ByType,
        }
    }
}

/// Arguments that begin with `x-` are not compared. Without any other, `all` matches
/// everything and `any` nothing.
pub fn matches(binding: &Binding, headers: &[(String, Scalar)], numbers: Numbers) -> bool {
    let sent = |name: &str, value: &Scalar| {
        headers.iter().any(|(n, v)| n == name && v != &Scalar::Null && equal(v, value, numbers))
    };
    let mut wanted = binding.headers.iter().filter(|(name, _)| !name.starts_with("x-"));
    if binding.match_any {
        wanted.any(|(name, value)| sent(name, value))
    } else {
        wanted.all(|(name, value)| sent(name, value))
    }
}

/// Nothing equals a value of another type, but perhaps a number.
fn equal(sent: &Scalar, wanted: &Scalar, numbers: Numbers) -> bool {
    match (sent, wanted) {
        (Scalar::Int(whole), Scalar::Float(float)) | (Scalar::Float(float), Scalar::Int(whole)) => {
            numbers == Numbers::ByValue && same_number(*whole, *float)
        }
        (sent, wanted) => sent == wanted,
    }
}

/// Exactly, as Erlang compares them: without rounding the whole number to a float.
fn same_number(whole: i64, float: f64) -> bool {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let fits = float.fract() == 0.0 && (-LIMIT..LIMIT).contains(&float);
    fits && float as i64 == whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::{BoundTo, ExchangeId, QueueId};

    fn headers(pairs: &[(&str, Scalar)]) -> Vec<(String, Scalar)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn headers_compare_with_their_types() {
        let text = |t: &str| Scalar::Text(t.to_owned());
        for (wanted, any, sent, expected) in [
            (vec![("a", Scalar::Int(1))], false, vec![("a", Scalar::Int(1))], true),
            (vec![("a", Scalar::Int(1))], false, vec![("a", text("1"))], false),
            (vec![("a", Scalar::Int(1))], false, vec![("a", Scalar::Float(1.0))], false),
            (vec![("a", Scalar::Int(1))], false, vec![("a", Scalar::Bool(true))], false),
            (vec![("a", Scalar::Bool(true))], true, vec![("a", Scalar::Bool(true))], true),
            (vec![], false, vec![("a", Scalar::Int(1))], true),
            (vec![], true, vec![("a", Scalar::Int(1))], false),
            (vec![("x-a", Scalar::Int(1))], false, vec![], true),
            (vec![("x-a", Scalar::Int(1))], true, vec![("x-a", Scalar::Int(1))], false),
            (vec![("a", text("1")), ("b", text("2"))], false, vec![("a", text("1"))], false),
            (vec![("a", text("1")), ("b", text("2"))], true, vec![("b", text("2"))], true),
            (vec![("a", text("1"))], false, vec![("a", Scalar::Null)], false),
        ] {
            let binding = Binding {
                from: ExchangeId(1),
                to: BoundTo::Queue(QueueId(0)),
                routing_key: String::new(),
                headers: headers(&wanted),
                match_any: any,
            };
            let matched = matches(&binding, &headers(&sent), Numbers::ByType);
            assert_eq!(matched, expected, "{wanted:?} any={any} against {sent:?}");
        }
    }

    #[test]
    fn old_versions_take_equal_numbers_for_the_same_header() {
        let int = Scalar::Int;
        let float = Scalar::Float;
        for (sent, wanted, by_value) in [
            (int(1), float(1.0), true),
            (float(1.0), int(1), true),
            (float(-0.0), int(0), true),
            (float(1.5), int(1), false),
            (int(i64::MAX), float(9.3e18), false),
            (int(i64::MAX), float(9_223_372_036_854_775_808.0), false),
            (int(1), Scalar::Bool(true), false),
            (int(1), Scalar::Text("1".to_owned()), false),
        ] {
            assert_eq!(equal(&sent, &wanted, Numbers::ByValue), by_value, "{sent:?} {wanted:?}");
            assert!(!equal(&sent, &wanted, Numbers::ByType), "{sent:?} {wanted:?}");
        }
        for (version, numbers) in [
            ("3.10.8", Numbers::ByValue),
            ("3.12.14+1", Numbers::ByValue),
            ("3.13.0-rc.1", Numbers::ByType),
            ("4.3.6", Numbers::ByType),
            ("unheard of", Numbers::ByType),
        ] {
            assert_eq!(Numbers::of(version), numbers, "{version}");
        }
    }
}
