//! Expectations as they are written.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use crate::scenario::decode::{Located, OR_ANY};
use crate::scenario::lint::Allowed;
use crate::scenario::matcher::{Matcher, TimeMatcher};
use crate::scenario::scalar::{Name, Percent};

/// `any` in the place of something: takes an expectation back.
#[derive(Debug, Clone)]
pub enum OrAny<T> {
    Any,
    Some(T),
}

impl<T> OrAny<T> {
    /// What is expected, unless it was taken back.
    pub fn some(&self) -> Option<&T> {
        match self {
            OrAny::Any => None,
            OrAny::Some(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrAny<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(OR_ANY, OrAnyVisitor(PhantomData))
    }
}

struct OrAnyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OrAnyVisitor<T> {
    type Value = OrAny<T>;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an expectation or `any`")
    }
    fn visit_unit<E: Error>(self) -> Result<OrAny<T>, E> {
        Ok(OrAny::Any)
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, value: D) -> Result<OrAny<T>, D::Error> {
        T::deserialize(value).map(OrAny::Some)
    }
}

/// Entries by the names of queues, producers or workers, in the order of the file.
#[derive(Debug, Clone)]
pub struct ByName<T>(pub Vec<(Located<Name>, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ByName<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ByNameVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ByNameVisitor<T> {
            type Value = ByName<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map by names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ByName<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(ByName(entries))
            }
        }
        deserializer.deserialize_any(ByNameVisitor(PhantomData))
    }
}

/// Which counts have a meaning in a scope.
pub trait Counted {
    const WHERE: &'static str;
    const NAMES: &'static [&'static str];
}

macro_rules! scope {
    ($name:ident, $place:literal, [$($count:literal),* $(,)?]) => {
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl Counted for $name {
            const WHERE: &'static str = $place;
            const NAMES: &'static [&'static str] = &[$($count),*];
        }
    };
}

scope!(
    InQueue,
    "what is expected of a queue",
    [
        "expected",
        "delivered",
        "dead_lettered",
        "rejected",
        "over_limit",
        "expired",
        "dropped",
        "remaining",
        "turned_away",
        "in_doubt",
        "lost",
        "still_queued",
        "deliveries",
        "begun",
        "finished",
        "redelivered",
        "repeats",
        "duplicates",
    ]
);
scope!(
    InProducer,
    "what is expected of a producer",
    [
        "published",
        "confirmed",
        "refused",
        "unconfirmed",
        "unchecked",
        "republished",
        "returned",
        "unroutable",
        "replied",
        "unanswered",
        "delivered",
        "dead_lettered",
        "rejected",
        "over_limit",
        "expired",
        "dropped",
        "remaining",
        "turned_away",
        "in_doubt",
        "lost",
    ]
);
scope!(
    InWorker,
    "what is expected of a worker",
    ["deliveries", "begun", "finished", "redelivered", "repeats", "acked", "rejected",]
);
scope!(
    InCauses,
    "`causes`",
    [
        "auto_ack",
        "early_ack",
        "transient",
        "unflushed",
        "young_queue",
        "queue_gone",
        "not_sent",
        "ttl",
        "max_length",
        "worker_rejected",
        "delivery_limit",
        "forgotten_ack",
        "requeued",
        "ack_lost",
        "republished",
        "reread",
        "unexplained",
    ]
);

/// Matchers by the names of counts that a scope knows, in the order of the file.
#[derive(Debug, Clone)]
pub struct Counts<S> {
    pub entries: Vec<(&'static str, Located<Matcher>)>,
    scope: PhantomData<S>,
}

/// A key that is one of some known words.
struct Known(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Known {
    type Value = &'static str;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Known {
    type Value = &'static str;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name of a count")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<&'static str, E> {
        let known = self.0.iter().find(|known| **known == text);
        known.copied().ok_or_else(|| E::unknown_field(text, self.0))
    }
}

impl<'de, S: Counted> Deserialize<'de> for Counts<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountsVisitor<S>(PhantomData<S>);
        impl<'de, S: Counted> Visitor<'de> for CountsVisitor<S> {
            type Value = Counts<S>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of counts, such as { lost: 0 }")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Counts<S>, A::Error> {
                let mut entries = Vec::new();
                while let Some(count) = map.next_key_seed(Known(S::NAMES))? {
                    entries.push((count, map.next_value()?));
                }
                Ok(Counts { entries, scope: PhantomData })
            }
        }
        deserializer.deserialize_struct(S::WHERE, S::NAMES, CountsVisitor(PhantomData))
    }
}

/// Everything that must hold at the end. The counts of the whole run stand beside the scopes.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`expect`")]
pub struct Expect {
    pub published: Option<Located<Matcher>>,
    pub confirmed: Option<Located<Matcher>>,
    pub refused: Option<Located<Matcher>>,
    pub unconfirmed: Option<Located<Matcher>>,
    pub unchecked: Option<Located<Matcher>>,
    pub republished: Option<Located<Matcher>>,
    pub returned: Option<Located<Matcher>>,
    pub unroutable: Option<Located<Matcher>>,
    pub replied: Option<Located<Matcher>>,
    pub unanswered: Option<Located<Matcher>>,
    pub expected: Option<Located<Matcher>>,
    pub delivered: Option<Located<Matcher>>,
    pub dead_lettered: Option<Located<Matcher>>,
    pub rejected: Option<Located<Matcher>>,
    pub over_limit: Option<Located<Matcher>>,
    pub expired: Option<Located<Matcher>>,
    pub dropped: Option<Located<Matcher>>,
    pub remaining: Option<Located<Matcher>>,
    pub turned_away: Option<Located<Matcher>>,
    pub in_doubt: Option<Located<Matcher>>,
    pub lost: Option<Located<Matcher>>,
    pub still_queued: Option<Located<Matcher>>,
    pub unexpected: Option<Located<Matcher>>,
    pub deliveries: Option<Located<Matcher>>,
    pub begun: Option<Located<Matcher>>,
    pub finished: Option<Located<Matcher>>,
    pub redelivered: Option<Located<Matcher>>,
    pub repeats: Option<Located<Matcher>>,
    pub duplicates: Option<Located<Matcher>>,
    pub acked: Option<Located<Matcher>>,
    pub queues: Option<OrAny<ByName<OrAny<Counts<InQueue>>>>>,
    pub producers: Option<OrAny<ByName<OrAny<Counts<InProducer>>>>>,
    pub workers: Option<OrAny<ByName<OrAny<Counts<InWorker>>>>>,
    pub causes: Option<OrAny<Counts<InCauses>>>,
    pub fairness: Option<Located<OrAny<Fairness>>>,
    pub order: Option<Located<Order>>,
    pub errors: Option<Located<OrAny<Vec<Located<ExpectedError>>>>>,
    pub duration: Option<Located<TimeMatcher>>,
    pub latency: Option<Located<OrAny<Latency>>>,
    /// Every count is what the plan foretells.
    pub guarantees: Option<Located<OrAny<bool>>>,
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`fairness`")]
pub struct Fairness {
    pub workers: Located<Name>,
    pub max_share: Located<Percent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Fifo,
    Any,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "an expected error")]
pub struct ExpectedError {
    pub code: Option<Located<u64>>,
    pub text: Option<String>,
    pub who: Option<Located<Name>>,
    pub scope: Option<ErrorScope>,
}

/// What an error ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorScope {
    Consumer,
    Channel,
    Connection,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`latency`")]
pub struct Latency {
    pub p50: Option<Located<TimeMatcher>>,
    pub p90: Option<Located<TimeMatcher>>,
    pub p95: Option<Located<TimeMatcher>>,
    pub p99: Option<Located<TimeMatcher>>,
    pub p999: Option<Located<TimeMatcher>>,
    pub max: Option<Located<TimeMatcher>>,
}
