//! How far a number may be from that of an earlier run, as it is written: `5`, `10%`, `200ms`, `any`.
//!
//! It is about the comparison of two reports alone. What one run must be is said by `expect`.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::scenario::expect::Known;
use crate::scenario::mistake::shortened;
use crate::scenario::scalar::{Percent, Time};
use crate::scenario::schema::{either, meaning, texts};

/// How far a count may be from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slack {
    Number(u64),
    /// Of what it was.
    Percent(Percent),
    Any,
}

/// How far a time may be from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSlack {
    Time(Duration),
    /// Of what it was.
    Percent(Percent),
    Any,
}

/// Which numbers may differ, and how far.
#[derive(Debug, Clone, Default)]
pub struct Tolerance {
    /// Counts of the whole run by their names, in the order of the file.
    pub counts: Vec<(&'static str, Slack)>,
    pub duration: Option<TimeSlack>,
}

/// A layer of a variant alone.
#[derive(Debug, serde::Deserialize)]
pub struct ToleranceOnly {
    #[allow(dead_code)]
    pub tolerance: Option<Tolerance>,
}

const WHERE: &str = "`tolerance`";
const DURATION: &str = "duration";

/// The keys: every count of the whole run, and the times.
pub const NAMES: [&str; meaning::COUNTS.len() + 1] = {
    let mut names = [DURATION; meaning::COUNTS.len() + 1];
    let mut index = 0;
    while index < meaning::COUNTS.len() {
        names[index] = meaning::COUNTS[index].0;
        index += 1;
    }
    names
};

impl<'de> Deserialize<'de> for Tolerance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(WHERE, &NAMES, ToleranceVisitor)
    }
}

struct ToleranceVisitor;

impl<'de> Visitor<'de> for ToleranceVisitor {
    type Value = Tolerance;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a map of numbers that may differ, such as { redelivered: 5, duration: 50% }")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tolerance, A::Error> {
        let mut tolerance = Tolerance::default();
        while let Some(name) = map.next_key_seed(Known(&NAMES))? {
            match name {
                DURATION => tolerance.duration = map.next_value()?,
                count => {
                    let slack: Option<Slack> = map.next_value()?;
                    tolerance.counts.extend(slack.map(|slack| (count, slack)));
                }
            }
        }
        Ok(tolerance)
    }
}

impl JsonSchema for Tolerance {
    fn schema_name() -> Cow<'static, str> {
        "Tolerance".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let property = |name: &str| {
            let (mut slack, sentence) = match meaning::of_count(name) {
                Some(sentence) => (generator.subschema_for::<Slack>(), sentence),
                None => (generator.subschema_for::<TimeSlack>(), "How long the run takes."),
            };
            slack.insert("description".into(), sentence.into());
            (name.to_owned(), slack.into())
        };
        let properties: serde_json::Map<_, serde_json::Value> =
            NAMES.into_iter().map(property).collect();
        json_schema!({
            "type": "object",
            "title": "tolerance",
            "properties": properties,
            "additionalProperties": false
        })
    }
}

const NUMBER: &str = "a number, a percentage such as 10%, or any";
const TIME: &str = "a duration such as 200ms, a percentage such as 50%, or any";

impl<'de> Deserialize<'de> for Slack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SlackVisitor)
    }
}

impl JsonSchema for Slack {
    fn schema_name() -> Cow<'static, str> {
        "Slack".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": 0 });
        either(NUMBER, [number, texts(NUMBER, &["any", Percent::TEXT])])
    }
}

struct SlackVisitor;

impl Visitor<'_> for SlackVisitor {
    type Value = Slack;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(NUMBER)
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Slack, E> {
        Ok(Slack::Number(number))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Slack, E> {
        match text {
            "any" => Ok(Slack::Any),
            _ if text.ends_with('%') => Percent::of(text).map(Slack::Percent).map_err(E::custom),
            _ => Err(E::custom(refusal(text, NUMBER))),
        }
    }
}

impl<'de> Deserialize<'de> for TimeSlack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeSlackVisitor)
    }
}

impl JsonSchema for TimeSlack {
    fn schema_name() -> Cow<'static, str> {
        "TimeSlack".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        texts(TIME, &["any", Percent::TEXT, Time::TEXT])
    }
}

struct TimeSlackVisitor;

impl Visitor<'_> for TimeSlackVisitor {
    type Value = TimeSlack;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(TIME)
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<TimeSlack, E> {
        let slack = match text {
            "any" => Ok(TimeSlack::Any),
            _ if text.ends_with('%') => Percent::of(text).map(TimeSlack::Percent),
            _ if text.starts_with(|c: char| c.is_ascii_digit()) => {
                Time::of(text).map(|time| TimeSlack::Time(time.0))
            }
            _ => Err(refusal(text, TIME)),
        };
        slack.map_err(E::custom)
    }
}

fn refusal(text: &str, forms: &str) -> String {
    format!(
        "\"{}\" does not say how far a number may be from what it was\nwrite {forms}",
        shortened(text)
    )
}
