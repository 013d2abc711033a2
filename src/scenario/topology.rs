//! Exchanges, queues and bindings as they are written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::scenario::decode::Located;
use crate::scenario::lint::Allowed;
use crate::scenario::pattern::Number;
use crate::scenario::scalar::{self, Name, Scalar, Time, Whole};
use crate::scenario::schema::{choice, either, table, texts};

#[derive(Debug, Clone, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`topology`")]
#[schemars(title = "a topology")]
pub struct Topology {
    /// The exchanges to declare. The default exchange `""` is there.
    #[serde(default)]
    pub exchanges: Vec<Located<Exchange>>,
    /// The queues to declare.
    #[serde(default)]
    pub queues: Vec<Located<Queue>>,
    /// Which exchange passes messages on to what.
    #[serde(default)]
    pub bindings: Vec<Located<Binding>>,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a queue")]
#[schemars(title = "a queue")]
pub struct Queue {
    /// The name of the queue.
    pub name: Located<Name>,
    /// The type of the queue.
    #[serde(rename = "type")]
    #[schemars(extend("default" = "classic"))]
    pub kind: Option<Located<QueueKind>>,
    /// Whether the queue outlives a restart of the broker.
    #[schemars(extend("default" = true))]
    pub durable: Option<bool>,
    /// Whether the queue goes with its last consumer.
    #[schemars(extend("default" = false))]
    pub auto_delete: Option<bool>,
    /// Whether the queue belongs to one connection, and goes with it: that of the one worker that
    /// consumes from it.
    #[schemars(extend("default" = false))]
    pub exclusive: Option<Located<bool>>,
    /// Whether the queue is there before the run and is only looked at; it must be empty.
    #[schemars(extend("default" = false))]
    pub predeclared: Option<bool>,
    /// How long a message stays at most, in whole milliseconds.
    pub message_ttl: Option<Located<Time>>,
    /// How long the queue stays without being used.
    pub expires: Option<Located<Time>>,
    /// How many messages the queue holds at most.
    pub max_length: Option<Located<Number>>,
    /// How many bytes the queue holds at most.
    pub max_length_bytes: Option<Located<Bytes>>,
    /// What a full queue does.
    #[schemars(extend("default" = "drop-head"))]
    pub overflow: Option<Located<Overflow>>,
    /// Where the queue sends what is rejected, expired or too much.
    pub dead_letter: Option<Located<DeadLetter>>,
    /// Of quorum queues: how often a message may come back; -1 is no limit, from RabbitMQ 4.0 on.
    pub delivery_limit: Option<Located<Limit>>,
    /// Of classic queues: the highest priority of a message.
    pub max_priority: Option<Located<Whole<1, 255>>>,
    /// Whether one consumer at a time gets the messages.
    #[schemars(extend("default" = false))]
    pub single_active_consumer: Option<Located<bool>>,
    /// Of a cluster: the node that the leader of the queue is on, counted from 1.
    #[schemars(extend("examples" = [2]))]
    pub node: Option<Located<Whole<1, 64>>>,
    /// Further arguments of the declaration, sent as they are.
    pub arguments: Option<Arguments>,
    /// Of probes alone: the queue is only looked for.
    pub passive: Option<Located<bool>>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum QueueKind {
    /// On one node.
    Classic,
    /// On a majority of nodes, with a delivery limit; it ignores the delivery mode.
    Quorum,
    /// A log: reading takes nothing out.
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = choice)]
pub enum Overflow {
    /// It drops the oldest message.
    DropHead,
    /// It refuses the new one.
    RejectPublish,
    /// It refuses the new one, and dead-letters it.
    RejectPublishDlx,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`dead_letter`")]
#[schemars(title = "dead-lettering")]
pub struct DeadLetter {
    /// The exchange that gets them; `""` is the default one, for which `routing_key` is the name of
    /// a queue.
    pub exchange: Located<String>,
    /// With which routing key; without it a message keeps the one that it came with.
    pub routing_key: Option<Located<String>>,
    /// How surely. `at-least-once` needs a quorum queue with `overflow: reject-publish`.
    #[schemars(extend("default" = "at-most-once"))]
    pub strategy: Option<Located<Strategy>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(transform = choice)]
pub enum Strategy {
    /// A message may be lost on its way.
    AtMostOnce,
    /// No message is lost on its way.
    AtLeastOnce,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "an exchange")]
#[schemars(title = "an exchange")]
pub struct Exchange {
    /// The name of the exchange.
    pub name: Located<Name>,
    /// The type of the exchange, which says how it picks queues.
    #[serde(rename = "type")]
    pub kind: ExchangeKind,
    /// Whether the exchange outlives a restart of the broker.
    #[schemars(extend("default" = true))]
    pub durable: Option<bool>,
    /// Whether the exchange goes with its last binding.
    #[schemars(extend("default" = false))]
    pub auto_delete: Option<bool>,
    /// Whether only other exchanges may send to it.
    #[schemars(extend("default" = false))]
    pub internal: Option<bool>,
    /// The exchange that gets what this one has no binding for.
    pub alternate_exchange: Option<Located<String>>,
    /// Whether the exchange is there before the run and is only looked at.
    #[schemars(extend("default" = false))]
    pub predeclared: Option<bool>,
    /// Further arguments of the declaration, sent as they are.
    pub arguments: Option<Arguments>,
    /// Of probes alone: the exchange is only looked for.
    pub passive: Option<Located<bool>>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum ExchangeKind {
    /// The queues whose binding has the same routing key.
    Direct,
    /// All queues that are bound.
    Fanout,
    /// The queues whose binding fits the words of the routing key.
    Topic,
    /// The queues whose binding fits the headers.
    Headers,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a binding")]
#[schemars(title = "a binding")]
pub struct Binding {
    /// The exchange that messages come from.
    pub from: Located<String>,
    /// The queue that they go to; this or `to_exchange`.
    pub to: Option<Located<Name>>,
    /// The exchange that they go to; this or `to`.
    pub to_exchange: Option<Located<Name>>,
    /// Which messages: their routing key, in which `*` is a word and `#` any number of words on a
    /// topic exchange.
    #[schemars(extend("default" = ""))]
    pub routing_key: Option<String>,
    /// Of a headers exchange: the headers that are compared. Types count: 1 is not "1".
    pub headers: Option<Table>,
    /// Beside `headers`: how many of them must be alike.
    #[serde(rename = "match")]
    #[schemars(extend("default" = "all"))]
    pub matching: Option<Located<Match>>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum Match {
    /// All of them.
    All,
    /// One of them.
    Any,
}

/// How often something may happen: a number, or -1 for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub i64);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LimitVisitor)
    }
}

impl JsonSchema for Limit {
    fn schema_name() -> Cow<'static, str> {
        "Limit".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "title": LIMIT_EXPECTED, "minimum": -1 })
    }
}

const LIMIT_EXPECTED: &str = "a whole number, at least 0, or -1 for no limit";

struct LimitVisitor;

impl Visitor<'_> for LimitVisitor {
    type Value = Limit;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(LIMIT_EXPECTED)
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Limit, E> {
        let limit = i64::try_from(n).map(Limit);
        limit.map_err(|_| E::invalid_value(serde::de::Unexpected::Unsigned(n), &self))
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<Limit, E> {
        let limit = Some(Limit(n)).filter(|limit| limit.0 >= -1);
        limit.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Signed(n), &self))
    }
}

/// Values by name, in the order of the file.
#[derive(Debug, Clone)]
pub struct Table<V = Scalar>(pub Vec<(String, V)>);

/// Further arguments of a declaration, each with its place.
pub type Arguments = Table<Located<Scalar>>;

impl<V: JsonSchema> JsonSchema for Table<V> {
    fn schema_name() -> Cow<'static, str> {
        format!("Table_of_{}", V::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        table(generator.subschema_for::<V>())
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Table<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableVisitor<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for TableVisitor<V> {
            type Value = Table<V>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of names and values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table<V>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }
        deserializer.deserialize_any(TableVisitor(PhantomData))
    }
}

/// The bytes that a queue may hold: a size, or a bare number as RabbitMQ's own argument has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({ "type": "integer", "minimum": 0 });
        either(BYTES_EXPECTED, [number, texts(BYTES_EXPECTED, &[scalar::BYTES])])
    }
}

const BYTES_EXPECTED: &str = "a size such as 4KiB, or a number of bytes";

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(BYTES_EXPECTED)
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Bytes, E> {
                let most = i64::MAX.unsigned_abs();
                let too_many =
                    || E::custom(format!("`{n}` bytes are more than RabbitMQ can count"));
                (n <= most).then_some(Bytes(n)).ok_or_else(too_many)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                scalar::bytes(text).map(Bytes).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(BytesVisitor)
    }
}
