//! Producers and workers as they are written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::scenario::decode::{Located, UNION};
use crate::scenario::lint::Allowed;
use crate::scenario::pattern::Pattern;
use crate::scenario::scalar::{Name, Percent, Positive, Rate, Scalar, Size, Time, Whole};
use crate::scenario::schema::{choice, either, table, texts};
use crate::scenario::topology::{Match, Table};
use crate::scenario::trigger::Trigger;
use crate::scenario::work::Work;

/// How many instances one entry may have.
pub type Count = Whole<1, 10_000>;
/// How many dots a body may have.
pub type Dots = Whole<0, 1_048_576>;

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a producer")]
#[schemars(title = "a producer")]
pub struct Producer {
    /// The name of the producer. With a `count` its instances are `name-1`, `name-2` and so on.
    pub name: Located<Name>,
    /// How many instances of it there are.
    #[schemars(extend("default" = 1))]
    pub count: Option<Located<Count>>,
    /// Where it publishes: `{ queue: q }`, or `{ exchange: e, routing_key: k }`.
    pub to: Located<To>,
    /// How many messages each instance publishes.
    #[schemars(extend("examples" = [20]))]
    pub messages: Located<Positive>,
    /// How fast each instance publishes; without it, as fast as it can.
    #[schemars(extend("examples" = ["50/s"]))]
    pub rate: Option<Rate>,
    /// When it begins; without it, with the run.
    pub start: Option<Located<Trigger>>,
    /// Whether its messages outlive a restart of the broker in a durable queue (delivery mode 2).
    #[schemars(extend("default" = true))]
    pub persistent: Option<bool>,
    /// Whether it asks the broker to confirm: `false`, `true`, at most so many without an answer
    /// (`{ in_flight: 100 }`), or so many and then all answers (`{ batch: 100 }`).
    #[schemars(extend("default" = true))]
    pub confirms: Option<Confirms>,
    /// Whether a message that no queue takes is returned.
    #[schemars(extend("default" = false))]
    pub mandatory: Option<bool>,
    /// The text of each message: `{n}` is its number from 1, `{dots}` its dots, `{producer}` its
    /// producer, `{name}` a variable; `{{` and `}}` are braces.
    #[schemars(extend("default" = ""))]
    pub body: Option<Located<String>>,
    /// How many dots `{dots}` is in the body of each message.
    pub dots: Option<Located<Pattern<Dots>>>,
    /// How long the body of each message is; it is padded to that.
    pub size: Option<Located<Pattern<Size>>>,
    /// The priority of each message; it counts on a queue with `max_priority`.
    pub priority: Option<Located<Pattern<Whole<0, 255>>>>,
    /// How long each message stays in its queue at most, in whole milliseconds.
    pub ttl: Option<Located<Pattern<Time>>>,
    /// The headers of each message; one that is null is not sent.
    pub headers: Option<Headers>,
    /// Makes each message a request, whose answer is waited for before the next.
    pub rpc: Option<Located<Rpc>>,
    /// Of a cluster: the node that it connects to, counted from 1.
    #[schemars(extend("examples" = [2]))]
    pub node: Option<Located<Whole<1, 64>>>,
    /// What it does after its connection was lost: `false` is nothing.
    pub reconnect: Option<Reconnect>,
    /// With `false` it is as if this entry were not there; made for a variable: `if: $flag`.
    #[serde(rename = "if")]
    #[schemars(extend("default" = true))]
    pub condition: Option<bool>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`to`")]
#[schemars(title = "where it publishes")]
pub struct To {
    /// The queue that it publishes to, through the default exchange.
    pub queue: Option<Located<Name>>,
    /// The exchange that it publishes to.
    pub exchange: Option<Located<String>>,
    /// Beside `exchange`: the routing key of each message.
    pub routing_key: Option<Located<Pattern<String>>>,
    /// Says that the exchange does not exist, to show what happens.
    #[schemars(extend("default" = false))]
    pub missing: Option<bool>,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`rpc`")]
#[schemars(title = "requests")]
pub struct Rpc {
    /// How long an answer is waited for.
    #[schemars(extend("default" = "5s"))]
    pub timeout: Option<Time>,
}

/// Headers by name, a pattern each.
#[derive(Debug, Clone)]
pub struct Headers(pub Vec<(String, Located<Pattern<Scalar>>)>);

impl JsonSchema for Headers {
    fn schema_name() -> Cow<'static, str> {
        "Headers".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        table(generator.subschema_for::<Pattern<Scalar>>())
    }
}

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
        // A header that is null is one that is not sent.
        deserializer.deserialize_map(HeadersVisitor)
    }
}

#[derive(Debug, Clone)]
pub enum Confirms {
    Switch(bool),
    Settings(ConfirmSettings),
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`confirms`")]
pub struct ConfirmSettings {
    /// At most so many publishes have no answer at a time.
    #[schemars(extend("default" = 100))]
    pub in_flight: Option<Located<Positive>>,
    /// So many are published, then all answers are waited for.
    #[schemars(extend("examples" = [100]))]
    pub batch: Option<Located<Positive>>,
    /// How long an answer is waited for; one that comes later counts.
    #[schemars(extend("default" = "5s"))]
    pub timeout: Option<Time>,
}

impl JsonSchema for Confirms {
    fn schema_name() -> Cow<'static, str> {
        "Confirms".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let switch = json_schema!({ "type": "boolean" });
        either(CONFIRMS_EXPECTED, [switch, generator.subschema_for::<ConfirmSettings>()])
    }
}

const CONFIRMS_EXPECTED: &str = "`true`, `false`, `{ in_flight: 100 }` or `{ batch: 100 }`";

impl<'de> Deserialize<'de> for Confirms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ConfirmsVisitor;
        impl<'de> Visitor<'de> for ConfirmsVisitor {
            type Value = Confirms;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(CONFIRMS_EXPECTED)
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

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`reconnect`")]
pub struct ReconnectSettings {
    /// How long after the loss it connects again.
    #[schemars(extend("default" = "200ms"))]
    pub after: Option<Time>,
    /// Of producers: what becomes of publishes without an answer.
    #[schemars(extend("default" = "drop"))]
    pub unconfirmed: Option<Located<Unconfirmed>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum Unconfirmed {
    /// They stay as they are: nobody knows.
    Drop,
    /// They are published again with the same id, which may make duplicates.
    Republish,
}

impl JsonSchema for Reconnect {
    fn schema_name() -> Cow<'static, str> {
        "Reconnect".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let switch = json_schema!({ "type": "boolean", "not": { "const": true } });
        either(RECONNECT_EXPECTED, [switch, generator.subschema_for::<ReconnectSettings>()])
    }
}

const RECONNECT_EXPECTED: &str = "`false` or `{ after: 200ms }`";

impl<'de> Deserialize<'de> for Reconnect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReconnectVisitor;
        impl<'de> Visitor<'de> for ReconnectVisitor {
            type Value = Reconnect;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(RECONNECT_EXPECTED)
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

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a worker")]
#[schemars(title = "a worker")]
pub struct Worker {
    /// The name of the worker. With a `count` its instances are `name-1`, `name-2` and so on.
    pub name: Located<Name>,
    /// How many instances of it there are, each a program with a connection of its own.
    #[schemars(extend("default" = 1))]
    pub count: Option<Located<Count>>,
    /// The queue that it consumes from; this or `temporary_queue`.
    pub queue: Option<Located<Name>>,
    /// A queue of its own for each instance, which the server names and which goes with its
    /// connection; this or `queue`.
    pub temporary_queue: Option<Located<TemporaryQueue>>,
    /// When it acknowledges a message.
    #[schemars(extend("default" = "manual"))]
    pub ack: Option<Located<Ack>>,
    /// With `ack: manual`: acknowledge each N-th message, and all before it at once.
    #[schemars(extend("default" = 1))]
    pub ack_every: Option<Located<Positive>>,
    /// On which channel it acknowledges.
    #[schemars(extend("default" = "own_channel"))]
    pub ack_on: Option<Located<AckOn>>,
    /// How many messages it may hold without having acknowledged them; 0 is no limit. RabbitMQ
    /// ignores it under `ack: auto`.
    #[schemars(extend("default" = 0))]
    pub prefetch: Option<Whole<0, 65_535>>,
    /// How long it works on a message: `100ms`, for each dot of the body (`{ per_dot: 100ms }`), or
    /// a pattern by the number of the message.
    #[schemars(extend("default" = "0ms"))]
    pub work: Option<Work>,
    /// Which messages it refuses after its work.
    pub reject: Option<Located<Vec<Located<Reject>>>>,
    /// What it answers to a request, with `{n}`, `{dots}` and `{producer}` of the request and
    /// `{name}` of a variable.
    pub reply: Option<Located<String>>,
    /// When it subscribes; without it, before the run begins.
    pub start: Option<Located<Trigger>>,
    /// When it ends: it cancels, finishes what it has in hand, acknowledges and closes.
    pub stop: Option<Located<Trigger>>,
    /// The priority of its subscription: the highest that can take a message gets it.
    #[schemars(extend("default" = 0), range(min = -2147483648, max = 2147483647))]
    pub priority: Option<Located<i32>>,
    /// Whether it asks to be the only consumer of its queue.
    #[schemars(extend("default" = false))]
    pub exclusive: Option<bool>,
    /// Where it begins to read a stream: `first`, `last`, `next` or a number.
    #[schemars(extend("default" = "next"))]
    pub offset: Option<Located<Offset>>,
    /// Of a cluster: the node that it connects to, counted from 1.
    #[schemars(extend("examples" = [2]))]
    pub node: Option<Located<Whole<1, 64>>>,
    /// What it does after its connection was lost: `false` is nothing.
    pub reconnect: Option<Reconnect>,
    /// With `false` it is as if this entry were not there; made for a variable: `if: $flag`.
    #[serde(rename = "if")]
    #[schemars(extend("default" = true))]
    pub condition: Option<bool>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`temporary_queue`")]
#[schemars(title = "a temporary queue")]
pub struct TemporaryQueue {
    /// Which exchanges send to the queue.
    #[serde(default)]
    pub bindings: Vec<TemporaryBinding>,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a binding of a temporary queue")]
#[schemars(title = "a binding of a temporary queue")]
pub struct TemporaryBinding {
    /// The exchange that messages come from.
    pub exchange: Located<String>,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum Ack {
    /// Never: RabbitMQ forgets a message when it sends it.
    Auto,
    /// After the work.
    Manual,
    /// When the work begins.
    Early,
    /// Not at all: it is forgotten, as in a program with that bug.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum AckOn {
    /// On the channel that the message came on.
    OwnChannel,
    /// On another channel, to show what goes wrong.
    AnotherChannel,
}

#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "an entry of `reject`")]
#[schemars(title = "messages to refuse")]
pub struct Reject {
    /// These messages, by their numbers: `[3, 7]`.
    pub messages: Option<Located<Vec<Positive>>>,
    /// Each N-th message: with 5, the numbers 5, 10, 15 and so on.
    #[schemars(extend("examples" = [5]))]
    pub every: Option<Located<Positive>>,
    /// A part of the messages, drawn from the seed.
    #[schemars(extend("examples" = ["10%"]))]
    pub share: Option<Located<Percent>>,
    /// Whether they go back into the queue; otherwise they are dead-lettered or dropped.
    #[schemars(extend("default" = false))]
    pub requeue: Option<bool>,
    /// With which method of AMQP.
    #[schemars(extend("default" = "nack"))]
    pub using: Option<Using>,
    /// How often one message is refused from this queue, by whomever; without it, every time.
    #[schemars(extend("examples" = [2]))]
    pub times: Option<Positive>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(transform = choice)]
pub enum Using {
    /// `basic.nack`
    Nack,
    /// `basic.reject`; on RabbitMQ 4.3 only this counts towards a delivery limit.
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

impl JsonSchema for Offset {
    fn schema_name() -> Cow<'static, str> {
        "Offset".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let number = json_schema!({
            "type": "integer", "minimum": 0, "examples": ["first", "last", "next"]
        });
        either(OFFSET_EXPECTED, [number, texts("", &["first", "last", "next"])])
    }
}

const OFFSET_EXPECTED: &str = "`first`, `last`, `next` or a number";

impl<'de> Deserialize<'de> for Offset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OffsetVisitor;
        impl Visitor<'_> for OffsetVisitor {
            type Value = Offset;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(OFFSET_EXPECTED)
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
