//! What a number must be, as it is written: `3`, `"> 0"`, `"3..7"`, `">= 90%"`, `any`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::scenario::mistake::shortened;
use crate::scenario::scalar::{Percent, Time};
use crate::scenario::schema::{either, texts};

const OPERATORS: [(&str, Operator); 6] = [
    ("<=", Operator::LessOrEqual),
    (">=", Operator::GreaterOrEqual),
    ("==", Operator::Equal),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=", Operator::Equal),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

/// What a count must be, and the text of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matcher {
    pub text: String,
    pub form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Exactly(u64),
    Compare(Operator, u64),
    Between(u64, u64),
    Percent(Operator, Percent),
    Any,
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MatcherVisitor)
    }
}

/// What stands in front of what is compared, as a regular expression.
const SIGN: &str = r"(<=|>=|==|<|>|=)\s*";

impl JsonSchema for Matcher {
    fn schema_name() -> Cow<'static, str> {
        "Matcher".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let comparison = format!(r"{SIGN}([0-9]+|{})\s*", Percent::TEXT);
        let forms = ["any", &comparison, r"\s*[0-9]+\s*\.\.\s*[0-9]+\s*"];
        let number = json_schema!({ "type": "integer", "minimum": 0 });
        either(EXPECTED, [number, texts(EXPECTED, &forms)])
    }
}

const EXPECTED: &str = "a number or a comparison such as \"> 0\", \"3..7\", \">= 90%\" or any";

struct MatcherVisitor;

impl Visitor<'_> for MatcherVisitor {
    type Value = Matcher;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(EXPECTED)
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Matcher, E> {
        Ok(Matcher { text: n.to_string(), form: Form::Exactly(n) })
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Matcher, E> {
        let form = form(text).map_err(E::custom)?;
        Ok(Matcher { text: text.to_owned(), form })
    }
}

const FORMS: &str = "write a number, or a comparison such as \"> 0\", \"3..7\", \">= 90%\" or any";

fn form(text: &str) -> Result<Form, String> {
    if text.len() > 64 {
        return Err(format!("\"{}\" is not a comparison\n{FORMS}", shortened(text)));
    }
    if text == "any" {
        return Ok(Form::Any);
    }
    if let Some((operator, operand)) = operator(text) {
        if operand.ends_with('%') {
            return Ok(Form::Percent(operator, Percent::of(operand)?));
        }
        let number = number(operand)
            .ok_or_else(|| format!("`{operand}` in \"{text}\" is not a whole number\n{FORMS}"))?;
        return Ok(Form::Compare(operator, number));
    }
    if let Some((low, high)) = text.split_once("..") {
        return match (number(low.trim()), number(high.trim())) {
            (Some(low), Some(high)) if low <= high => Ok(Form::Between(low, high)),
            (Some(_), Some(_)) => Err(format!(
                "nothing lies between the ends of \"{text}\"\nwrite the smaller number first"
            )),
            _ => Err(format!("the ends of \"{text}\" are not whole numbers\n{FORMS}")),
        };
    }
    if text.ends_with('%') {
        return Err(format!(
            "a percentage needs an operator\nwrite \">= {text}\" or \"<= {text}\""
        ));
    }
    if number(text).is_some() {
        return Err(format!("\"{text}\" is text, not a number\nwrite {text} without quotes"));
    }
    Err(format!("\"{text}\" is not a comparison\n{FORMS}"))
}

fn operator(text: &str) -> Option<(Operator, &str)> {
    let (sign, operator) = OPERATORS.into_iter().find(|(sign, _)| text.starts_with(sign))?;
    Some((operator, text[sign.len()..].trim()))
}

fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// What a duration must be, and the text of the file; `form` is `None` for `any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeMatcher {
    pub text: String,
    pub form: Option<(Operator, Duration)>,
}

impl<'de> Deserialize<'de> for TimeMatcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeMatcherVisitor)
    }
}

impl JsonSchema for TimeMatcher {
    fn schema_name() -> Cow<'static, str> {
        "TimeMatcher".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        texts(TIME_EXPECTED, &["any", &format!(r"{SIGN}{}\s*", Time::TEXT)])
    }
}

const TIME_EXPECTED: &str = "a comparison with a duration, such as \"< 5s\"";

struct TimeMatcherVisitor;

impl Visitor<'_> for TimeMatcherVisitor {
    type Value = TimeMatcher;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(TIME_EXPECTED)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<TimeMatcher, E> {
        let form = match (text, operator(text)) {
            ("any", _) => None,
            (_, Some((operator, operand))) => {
                Some((operator, Time::of(operand).map_err(E::custom)?.0))
            }
            _ => {
                return Err(E::custom(format!(
                    "\"{}\" has no operator\nwrite a comparison with a duration, such as \"< 5s\"",
                    shortened(text)
                )));
            }
        };
        Ok(TimeMatcher { text: text.to_owned(), form })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read_and_everything_else_is_refused_with_a_remedy() {
        for (text, expected) in [
            ("any", Form::Any),
            ("> 0", Form::Compare(Operator::Greater, 0)),
            (">=5", Form::Compare(Operator::GreaterOrEqual, 5)),
            ("= 5", Form::Compare(Operator::Equal, 5)),
            ("3..7", Form::Between(3, 7)),
            ("<= 90%", Form::Percent(Operator::LessOrEqual, Percent(9000))),
        ] {
            assert_eq!(form(text), Ok(expected), "{text}");
        }
        for (text, words) in [
            ("90%", "needs an operator"),
            ("7..3", "smaller number first"),
            ("a..3", "not whole numbers"),
            ("3", "without quotes"),
            ("> x", "`x`"),
            (">= 101%", "more than 100%"),
            ("many", "not a comparison"),
            ("> -1", "not a whole number"),
        ] {
            let message = form(text).unwrap_err();
            assert!(message.contains(words), "{text}: {message}");
        }
    }
}
