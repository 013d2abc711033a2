//! Exchanges, queues and bindings as they are written.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::scenario::decode::Located;
use crate::scenario::lint::Allowed;
use crate::scenario::pattern::Number;
use crate::scenario::scalar::{self, Name, Scalar, Time, Whole};

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`topology`")]
pub struct Topology {
    #[serde(default)]
    pub exchanges: Vec<Located<Exchange>>,
    #[serde(default)]
    pub queues: Vec<Located<Queue>>,
    #[serde(default)]
    pub bindings: Vec<Located<Binding>>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a queue")]
pub struct Queue {
    pub name: Located<Name>,
    #[serde(rename = "type")]
    pub kind: Option<Located<QueueKind>>,
    pub durable: Option<bool>,
    pub auto_delete: Option<bool>,
    pub exclusive: Option<Located<bool>>,
    pub predeclared: Option<bool>,
    pub message_ttl: Option<Located<Time>>,
    pub expires: Option<Located<Time>>,
    pub max_length: Option<Located<Number>>,
    pub max_length_bytes: Option<Located<Bytes>>,
    pub overflow: Option<Located<Overflow>>,
    pub dead_letter: Option<Located<DeadLetter>>,
    pub delivery_limit: Option<Located<Limit>>,
    pub max_priority: Option<Located<Whole<1, 255>>>,
    pub single_active_consumer: Option<Located<bool>>,
    pub node: Option<Located<Whole<1, 64>>>,
    pub arguments: Option<Arguments>,
    /// Of probes alone: it is only looked for.
    pub passive: Option<Located<bool>>,
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueKind {
    Classic,
    Quorum,
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overflow {
    DropHead,
    RejectPublish,
    RejectPublishDlx,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`dead_letter`")]
pub struct DeadLetter {
    pub exchange: Located<String>,
    pub routing_key: Option<Located<String>>,
    pub strategy: Option<Located<Strategy>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    AtMostOnce,
    AtLeastOnce,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "an exchange")]
pub struct Exchange {
    pub name: Located<Name>,
    #[serde(rename = "type")]
    pub kind: ExchangeKind,
    pub durable: Option<bool>,
    pub auto_delete: Option<bool>,
    pub internal: Option<bool>,
    pub alternate_exchange: Option<Located<String>>,
    pub predeclared: Option<bool>,
    pub arguments: Option<Arguments>,
    /// Of probes alone: it is only looked for.
    pub passive: Option<Located<bool>>,
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExchangeKind {
    Direct,
    Fanout,
    Topic,
    Headers,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a binding")]
pub struct Binding {
    pub from: Located<String>,
    pub to: Option<Located<Name>>,
    pub to_exchange: Option<Located<Name>>,
    pub routing_key: Option<String>,
    pub headers: Option<Table>,
    #[serde(rename = "match")]
    pub matching: Option<Located<Match>>,
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    All,
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

struct LimitVisitor;

impl Visitor<'_> for LimitVisitor {
    type Value = Limit;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a whole number, at least 0, or -1 for no limit")
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

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BytesVisitor;
        impl Visitor<'_> for BytesVisitor {
            type Value = Bytes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a size such as 4KiB, or a number of bytes")
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
