//! Expectations as they are written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use crate::scenario::decode::{Located, OR_ANY};
use crate::scenario::lint::Allowed;
use crate::scenario::matcher::{Matcher, TimeMatcher};
use crate::scenario::scalar::{Name, Percent};
use crate::scenario::schema::{by_name, choice, either, meaning, texts};

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

impl<T: JsonSchema> JsonSchema for OrAny<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}_or_any", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        let title = value.get("title").and_then(serde_json::Value::as_str);
        let is_switch = value.get("type").is_some_and(|kind| kind == "boolean");
        let title = title.unwrap_or(if is_switch { "true, false" } else { "a list" });
        either(&format!("{title}, or any"), [value, texts("", &["any"])])
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

impl<T: JsonSchema> JsonSchema for ByName<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}_by_name", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        by_name(generator.subschema_for::<T>())
    }
}

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
    /// The sentence that says what one of them means.
    fn meaning(name: &str) -> Option<&'static str>;
}

macro_rules! scope {
    ($name:ident, $place:literal, $meaning:path, [$($count:literal),* $(,)?]) => {
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl Counted for $name {
            const WHERE: &'static str = $place;
            const NAMES: &'static [&'static str] = &[$($count),*];
            fn meaning(name: &str) -> Option<&'static str> {
                $meaning(name)
            }
        }
    };
}

scope!(
    InQueue,
    "what is expected of a queue",
    meaning::of_count,
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
    meaning::of_count,
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
    meaning::of_count,
    ["deliveries", "begun", "finished", "redelivered", "repeats", "acked", "rejected",]
);
scope!(
    InCauses,
    "`causes`",
    meaning::of_cause,
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

impl<S: Counted> JsonSchema for Counts<S> {
    fn schema_name() -> Cow<'static, str> {
        S::WHERE.into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let count = |name: &&'static str| {
            let mut matcher = generator.subschema_for::<Matcher>();
            matcher.insert("description".into(), S::meaning(name).into());
            ((*name).to_owned(), matcher.into())
        };
        let counts: serde_json::Map<_, serde_json::Value> = S::NAMES.iter().map(count).collect();
        json_schema!({
            "type": "object",
            "title": S::WHERE,
            "properties": counts,
            "additionalProperties": false
        })
    }
}

/// A key that is one of some known words.
pub struct Known(pub &'static [&'static str]);

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
#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`expect`")]
#[schemars(title = "expectations", transform = meaning::describe)]
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
    /// Counts of single queues: `{ task_queue: { lost: 0 } }`.
    pub queues: Option<OrAny<ByName<OrAny<Counts<InQueue>>>>>,
    /// Counts of single producers; the name of a group is the sum of its instances.
    pub producers: Option<OrAny<ByName<OrAny<Counts<InProducer>>>>>,
    /// Counts of single workers; the name of a group is the sum of its instances.
    pub workers: Option<OrAny<ByName<OrAny<Counts<InWorker>>>>>,
    /// How many copies have a cause: `{ auto_ack: 7, unexplained: 0 }`.
    pub causes: Option<OrAny<Counts<InCauses>>>,
    /// No instance of a group has more than a share of the time at work.
    pub fairness: Option<Located<OrAny<Fairness>>>,
    /// For each producer, queue and worker the numbers rise; a redelivered message may jump back.
    pub order: Option<Located<Order>>,
    /// The AMQP errors that programs meet: each entry must come, and no other may. `[]` allows
    /// none.
    pub errors: Option<Located<OrAny<Vec<Located<ExpectedError>>>>>,
    /// How long the run takes, from its beginning to its last event.
    pub duration: Option<Located<TimeMatcher>>,
    /// How long a message takes, from its scheduled publish to the end of its work.
    pub latency: Option<Located<OrAny<Latency>>>,
    /// How long the broker takes to confirm a message, from its scheduled publish.
    pub confirm_latency: Option<Located<OrAny<Latency>>>,
    /// How many messages there are in a second, from the first to the last.
    pub throughput: Option<Located<OrAny<Throughput>>>,
    /// The longest time between two deliveries of one queue.
    pub longest_gap: Option<Located<TimeMatcher>>,
    /// How long it takes from a fault to the first delivery after it; the slowest counts.
    pub recovery: Option<Located<TimeMatcher>>,
    /// Every count is what the plan foretells.
    pub guarantees: Option<Located<OrAny<bool>>>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`fairness`")]
#[schemars(title = "fairness")]
pub struct Fairness {
    /// The group of workers.
    pub workers: Located<Name>,
    /// The most that one instance may have of the time at work.
    pub max_share: Located<Percent>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum Order {
    /// The numbers rise.
    Fifo,
    /// Takes the expectation back.
    Any,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "an expected error")]
#[schemars(title = "an expected error")]
pub struct ExpectedError {
    /// The code of AMQP.
    #[schemars(extend("examples" = [406]))]
    pub code: Option<Located<u64>>,
    /// A part of what the broker says.
    pub text: Option<String>,
    /// The instance or group that meets it.
    pub who: Option<Located<Name>>,
    /// What the error ended.
    pub scope: Option<ErrorScope>,
}

/// What an error ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum ErrorScope {
    /// A subscription.
    Consumer,
    /// A channel.
    Channel,
    /// A connection.
    Connection,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`throughput`")]
#[schemars(title = "throughput")]
pub struct Throughput {
    /// Messages published in a second.
    pub published: Option<Located<Matcher>>,
    /// Works finished in a second.
    pub finished: Option<Located<Matcher>>,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`latency`")]
#[schemars(title = "latencies")]
pub struct Latency {
    /// Half of the messages take no longer.
    pub p50: Option<Located<TimeMatcher>>,
    /// 90 of 100 messages take no longer.
    pub p90: Option<Located<TimeMatcher>>,
    /// 95 of 100 messages take no longer.
    pub p95: Option<Located<TimeMatcher>>,
    /// 99 of 100 messages take no longer.
    pub p99: Option<Located<TimeMatcher>>,
    /// 999 of 1000 messages take no longer.
    pub p999: Option<Located<TimeMatcher>>,
    /// The slowest message.
    pub max: Option<Located<TimeMatcher>>,
}
