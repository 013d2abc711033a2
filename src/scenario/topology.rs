//! Exchanges, queues and bindings as they are written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::scenario::decode::Located;
use crate::scenario::scalar::{Name, Scalar, Time, Whole};

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
    pub exclusive: Option<bool>,
    pub predeclared: Option<Located<bool>>,
    pub message_ttl: Option<Located<Time>>,
    pub expires: Option<Located<Time>>,
    pub max_length: Option<Located<u64>>,
    pub max_length_bytes: Option<Located<u64>>,
    pub overflow: Option<Located<Overflow>>,
    pub dead_letter: Option<Located<DeadLetter>>,
    pub delivery_limit: Option<Located<u64>>,
    pub max_priority: Option<Located<Whole<1, 255>>>,
    pub single_active_consumer: Option<Located<bool>>,
    pub node: Option<Located<Whole<1, 64>>>,
    pub arguments: Option<Located<Table>>,
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
    pub exchange: String,
    pub routing_key: Option<String>,
    pub strategy: Option<Strategy>,
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
    pub predeclared: Option<Located<bool>>,
    pub arguments: Option<Located<Table>>,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    All,
    Any,
}

/// Values by name, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Table(pub Vec<(String, Scalar)>);

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TableVisitor;
        impl<'de> Visitor<'de> for TableVisitor {
            type Value = Table;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of names and values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }
        deserializer.deserialize_any(TableVisitor)
    }
}
