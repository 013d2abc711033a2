//! Producers and workers as they are written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::scenario::decode::{Located, UNION};
use crate::scenario::lint::Allowed;
use crate::scenario::pattern::Pattern;
use crate::scenario::scalar::{Name, Percent, Positive, Rate, Scalar, Size, Time, Whole};
use crate::scenario::topology::{Match, Table};
use crate::scenario::trigger::Trigger;

/// How many instances one entry may have.
pub type Count = Whole<1, 10_000>;
/// How many dots a body may have.
pub type Dots = Whole<0, 1_048_576>;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a producer")]
pub struct Producer {
    pub name: Located<Name>,
    pub count: Option<Located<Count>>,
    pub to: Located<To>,
    pub messages: Located<Positive>,
    pub rate: Option<Rate>,
    pub start: Option<Located<Trigger>>,
    pub persistent: Option<bool>,
    pub confirms: Option<Confirms>,
    pub mandatory: Option<bool>,
    pub body: Option<Located<String>>,
    pub dots: Option<Located<Pattern<Dots>>>,
    pub size: Option<Located<Pattern<Size>>>,
    pub priority: Option<Located<Pattern<Whole<0, 255>>>>,
    pub ttl: Option<Located<Pattern<Time>>>,
    pub headers: Option<Headers>,
    pub rpc: Option<Located<Rpc>>,
    pub node: Option<Located<Whole<1, 64>>>,
    pub reconnect: Option<Reconnect>,
    #[serde(rename = "if")]
    pub condition: Option<bool>,
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`to`")]
pub struct To {
    pub queue: Option<Located<Name>>,
    pub exchange: Option<Located<String>>,
    pub routing_key: Option<Located<Pattern<String>>>,
    pub missing: Option<bool>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`rpc`")]
pub struct Rpc {
    pub timeout: Option<Time>,
}

/// Headers by name, a pattern each.
#[derive(Debug, Clone)]
pub struct Headers(pub Vec<(String, Located<Pattern<Scalar>>)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeadersVisitor;
        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = Headers;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of headers and their values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Headers, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Headers(entries))
            }
        }
        deserializer.deserialize_any(HeadersVisitor)
    }
}

#[derive(Debug, Clone)]
pub enum Confirms {
    Switch(bool),
    Settings(ConfirmSettings),
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`confirms`")]
pub struct ConfirmSettings {
    pub in_flight: Option<Located<Positive>>,
    pub batch: Option<Located<Positive>>,
    pub timeout: Option<Time>,
}

impl<'de> Deserialize<'de> for Confirms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConfirmsVisitor;
        impl<'de> Visitor<'de> for ConfirmsVisitor {
            type Value = Confirms;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("`true`, `false`, `{ in_flight: 100 }` or `{ batch: 100 }`")
            }
            fn visit_bool<E: Error>(self, on: bool) -> Result<Confirms, E> {
                Ok(Confirms::Switch(on))
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                map: D,
            ) -> Result<Confirms, D::Error> {
                ConfirmSettings::deserialize(map).map(Confirms::Settings)
            }
        }
        deserializer.deserialize_newtype_struct(UNION, ConfirmsVisitor)
    }
}

/// What an instance does after its connection was lost; `None` when it does nothing.
#[derive(Debug, Clone)]
pub struct Reconnect(pub Option<ReconnectSettings>);

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`reconnect`")]
pub struct ReconnectSettings {
    pub after: Option<Time>,
    pub unconfirmed: Option<Located<Unconfirmed>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unconfirmed {
    Drop,
    Republish,
}

impl<'de> Deserialize<'de> for Reconnect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReconnectVisitor;
        impl<'de> Visitor<'de> for ReconnectVisitor {
            type Value = Reconnect;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("`false` or `{ after: 200ms }`")
            }
            fn visit_bool<E: Error>(self, on: bool) -> Result<Reconnect, E> {
                match on {
                    false => Ok(Reconnect(None)),
                    true => Err(E::invalid_value(serde::de::Unexpected::Bool(on), &self)),
                }
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                map: D,
            ) -> Result<Reconnect, D::Error> {
                ReconnectSettings::deserialize(map).map(|settings| Reconnect(Some(settings)))
            }
        }
        deserializer.deserialize_newtype_struct(UNION, ReconnectVisitor)
    }
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a worker")]
pub struct Worker {
    pub name: Located<Name>,
    pub count: Option<Located<Count>>,
    pub queue: Option<Located<Name>>,
    pub temporary_queue: Option<Located<TemporaryQueue>>,
    pub ack: Option<Located<Ack>>,
    pub ack_every: Option<Located<Positive>>,
    pub ack_on: Option<Located<AckOn>>,
    pub prefetch: Option<Whole<0, 65_535>>,
    pub work: Option<Work>,
    pub reject: Option<Located<Vec<Located<Reject>>>>,
    pub reply: Option<Located<String>>,
    pub start: Option<Located<Trigger>>,
    pub stop: Option<Located<Trigger>>,
    pub priority: Option<Located<i32>>,
    pub exclusive: Option<bool>,
    pub offset: Option<Located<Offset>>,
    pub node: Option<Located<Whole<1, 64>>>,
    pub reconnect: Option<Reconnect>,
    #[serde(rename = "if")]
    pub condition: Option<bool>,
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`temporary_queue`")]
pub struct TemporaryQueue {
    #[serde(default)]
    pub bindings: Vec<TemporaryBinding>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a binding of a temporary queue")]
pub struct TemporaryBinding {
    pub exchange: Located<String>,
    pub routing_key: Option<String>,
    pub headers: Option<Table>,
    #[serde(rename = "match")]
    pub matching: Option<Located<Match>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ack {
    Auto,
    Manual,
    Early,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckOn {
    OwnChannel,
    AnotherChannel,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "an entry of `reject`")]
pub struct Reject {
    pub messages: Option<Located<Vec<Positive>>>,
    pub every: Option<Located<Positive>>,
    pub share: Option<Located<Percent>>,
    pub requeue: Option<bool>,
    pub using: Option<Using>,
    pub times: Option<Positive>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Using {
    Nack,
    Reject,
}

/// Where in a stream to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offset {
    First,
    Last,
    Next,
    At(u64),
}

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OffsetVisitor;
        impl Visitor<'_> for OffsetVisitor {
            type Value = Offset;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("`first`, `last`, `next` or a number")
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Offset, E> {
                match i64::try_from(n) {
                    Ok(_) => Ok(Offset::At(n)),
                    Err(_) => Err(E::invalid_value(serde::de::Unexpected::Unsigned(n), &self)),
                }
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Offset, E> {
                match text {
                    "first" => Ok(Offset::First),
                    "last" => Ok(Offset::Last),
                    "next" => Ok(Offset::Next),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(OffsetVisitor)
    }
}

#[derive(Debug, Clone)]
pub enum Work {
    PerDot(Time),
    Pattern(Pattern<Time>),
}

impl<'de> Deserialize<'de> for Work {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(UNION, WorkVisitor)
    }
}

struct WorkVisitor;

/// The forms of `work` that are maps; those of a pattern are listed again, because a map can
/// only be read once.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`work`")]
struct WorkForm {
    per_dot: Option<Time>,
    random: Option<Vec<Time>>,
    weighted: Option<crate::scenario::pattern::Weights<Time>>,
    range: Option<Located<Vec<Time>>>,
}

impl<'de> Visitor<'de> for WorkVisitor {
    type Value = Work;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a duration such as 100ms, `{ per_dot: 100ms }`, or a pattern of durations")
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Work, E> {
        Time::deserialize(serde::de::value::U64Deserializer::new(n))
            .map(|time| Work::Pattern(Pattern::Always(time)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Work, E> {
        Pattern::deserialize(serde::de::value::StrDeserializer::new(text)).map(Work::Pattern)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Work, A::Error> {
        let list = serde::de::value::SeqAccessDeserializer::new(list);
        Pattern::deserialize(list).map(Work::Pattern)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, map: D) -> Result<Work, D::Error> {
        let form = WorkForm::deserialize(map)?;
        let WorkForm { per_dot, random, weighted, range } = form;
        let pattern = [random.is_some(), weighted.is_some(), range.is_some()].contains(&true);
        match per_dot {
            Some(_) if pattern => Err(D::Error::custom("`work` is either `per_dot` or a pattern")),
            Some(per_dot) => Ok(Work::PerDot(per_dot)),
            None => crate::scenario::pattern::Form { random, weighted, range }
                .pattern()
                .map(Work::Pattern)
                .map_err(D::Error::custom),
        }
    }
}
