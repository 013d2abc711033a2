//! Tree to structs: a serde format whose errors know the node they are about.
//!
//! A key whose value is null is as if it were left out, unless its struct does not know it. Who
//! wants to see every null, because it means something there, asks for a map.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::scenario::mistake::{list, shortened};
use crate::scenario::node::{At, Node, Value};

/// The name by which [`Located`] asks for the place of a value.
const LOCATED: &str = "$located";

/// The name by which an expectation asks whether it is the word `any`: a unit if it is.
pub const OR_ANY: &str = "$or_any";

/// The name by which a value that may be a map or something else asks for the map as it is, so
/// that its struct is named in mistakes.
pub const UNION: &str = "$union";

/// A value and the node it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located<T> {
    pub at: At,
    pub value: T,
}

impl<T> std::ops::Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Parts<T> {
            type Value = Located<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a value with its place")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Located<T>, A::Error> {
                let missing = || de::Error::custom("a place has three parts");
                let node = parts.next_element()?.ok_or_else(missing)?;
                let used = parts.next_element()?.ok_or_else(missing)?;
                let value = parts.next_element()?.ok_or_else(missing)?;
                Ok(Located { at: At { node, used }, value })
            }
        }
        deserializer.deserialize_newtype_struct(LOCATED, Parts(std::marker::PhantomData))
    }
}

/// In the schema a value has no place.
impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// What is wrong with a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    UnknownKey {
        found: String,
        known: &'static [&'static str],
    },
    MissingKey(&'static str),
    Choice {
        found: String,
        known: &'static [&'static str],
    },
    Type {
        found: String,
        expected: String,
    },
    /// A sentence, and behind a line break what to do.
    Other(String),
}

/// A node that is not what it must be, and what it stands in.
#[derive(Debug, Clone, PartialEq)]
pub struct Wrong(Box<Inner>);

#[derive(Debug, Clone, PartialEq)]
pub struct Inner {
    pub kind: Kind,
    pub at: Option<At>,
    /// The key whose value it is.
    pub key: Option<String>,
    /// What it is of that value.
    pub part: Part,
    /// What the map is that it belongs to: `a worker`.
    pub owner: Option<&'static str>,
}

/// What a node is of the value that it is a part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    /// An entry of a list.
    Entry,
    /// A key of a map.
    Key,
}

impl Wrong {
    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { kind, at: None, key: None, part: Part::Whole, owner: None }))
    }

    /// What is known about it.
    pub fn into_inner(self) -> Inner {
        *self.0
    }

    fn at(mut self, at: At) -> Self {
        self.0.at.get_or_insert(at);
        self
    }

    fn under(mut self, key: Option<&str>) -> Self {
        if self.0.key.is_none() {
            self.0.key = key.map(str::to_owned);
        }
        self
    }

    fn owned_by(mut self, owner: &'static str) -> Self {
        self.0.owner.get_or_insert(owner);
        self
    }

    fn part(mut self, part: Part) -> Self {
        if self.0.key.is_none() && self.0.part == Part::Whole {
            self.0.part = part;
        }
        self
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Other(message.to_string()))
    }
    fn invalid_type(found: Unexpected, expected: &dyn de::Expected) -> Self {
        Self::new(Kind::Type { found: found_words(found), expected: plain(expected.to_string()) })
    }
    fn invalid_value(found: Unexpected, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }
    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Choice { found: shortened(found), known })
    }
    fn unknown_field(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::UnknownKey { found: shortened(found), known })
    }
    fn missing_field(field: &'static str) -> Self {
        Self::new(Kind::MissingKey(field))
    }
}

fn found_words(found: Unexpected) -> String {
    match found {
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("the number {value}"),
        Unexpected::Signed(value) => format!("the number {value}"),
        Unexpected::Float(value) => format!("the number {value}"),
        Unexpected::Str(value) => format!("the text \"{}\"", shortened(value)),
        Unexpected::Unit | Unexpected::Option => "null".into(),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a map".into(),
        Unexpected::Other(words) if words.starts_with("integer") => "so large a number".into(),
        other => other.to_string(),
    }
}

/// The words of the derived visitors in the words of the documentation.
fn plain(expected: String) -> String {
    match expected.as_str() {
        "a string" => "text",
        "a boolean" => "`true` or `false`",
        "a sequence" => "a list",
        "u64" | "u16" => "a whole number, at least 0",
        "i32" => "a whole number",
        _ => return expected,
    }
    .to_owned()
}

/// Decodes one node.
#[derive(Clone, Copy)]
pub struct Decoder<'n>(pub &'n Node);

impl Decoder<'_> {
    fn wrong_type(self, expected: String) -> Wrong {
        let found = match &self.0.value {
            Value::Null => Unexpected::Unit,
            Value::Bool(value) => Unexpected::Bool(*value),
            Value::Int(value) => match i64::try_from(*value) {
                Ok(value) => Unexpected::Signed(value),
                Err(_) => Unexpected::Other("integer"),
            },
            Value::Float(value) => Unexpected::Float(*value),
            Value::Text(value) => Unexpected::Str(value),
            Value::List(_) => Unexpected::Seq,
            Value::Map(_) => Unexpected::Map,
        };
        Wrong::new(Kind::Type { found: found_words(found), expected }).at(self.0.at)
    }
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => visitor.visit_u64(value),
                (_, Ok(value)) => visitor.visit_i64(value),
                _ => visitor.visit_i128(*value),
            },
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries::new(entries, Nulls::LeftOut)),
        }
        .map_err(|wrong: Wrong| wrong.at(self.0.at))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Map(entries) => visitor
                .visit_map(Entries::new(entries, Nulls::Seen))
                .map_err(|wrong: Wrong| wrong.at(self.0.at)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        if name == LOCATED {
            return visitor.visit_seq(Parts { node: self.0, step: 0 });
        }
        if name == UNION && !matches!(self.0.value, Value::Map(_)) {
            return self.deserialize_any(visitor);
        }
        if name == OR_ANY && self.0.text() == Some("any") {
            return visitor.visit_unit();
        }
        visitor.visit_newtype_struct(self).map_err(|wrong| wrong.at(self.0.at))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let result = match &self.0.value {
            Value::Map(entries) => visitor.visit_map(Entries::new(entries, Nulls::Unknown(fields))),
            _ => Err(self.wrong_type(map_of(fields))),
        };
        result.map_err(|wrong| wrong.at(self.0.at).owned_by(name))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match &self.0.value {
            Value::Text(text) => {
                let text: StrDeserializer<'_, Wrong> = text.as_str().into_deserializer();
                visitor.visit_enum(text).map_err(|wrong| wrong.at(self.0.at))
            }
            _ => Err(self.wrong_type(list(variants.iter().copied(), "or"))),
        }
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.0.value {
            // A derived visitor would take a number for the position of a field.
            Value::Text(text) => {
                visitor.visit_str(text).map_err(|wrong: Wrong| wrong.at(self.0.at))
            }
            _ => {
                let wrong = self.wrong_type(String::new()).into_inner();
                let found = match wrong.kind {
                    Kind::Type { found, .. } => found,
                    _ => unreachable!("a wrong type is one"),
                };
                Err(Wrong::new(Kind::Other(format!("a key is text, not {found}"))).at(self.0.at))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct
    }
}

fn map_of(fields: &[&str]) -> String {
    let shown = fields.len().min(5);
    let more = if shown < fields.len() { " and more" } else { "" };
    let keys: Vec<String> = fields[..shown].iter().map(|field| format!("`{field}`")).collect();
    format!("a map of keys ({}{more})", keys.join(", "))
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Wrong;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        let Some(node) = self.0.next() else { return Ok(None) };
        seed.deserialize(Decoder(node))
            .map(Some)
            .map_err(|wrong| wrong.at(node.at).part(Part::Entry))
    }
}

/// Which entries are seen whose value is null.
#[derive(Clone, Copy)]
enum Nulls {
    Seen,
    LeftOut,
    /// Those whose key is none of these.
    Unknown(&'static [&'static str]),
}

/// The entries of a map on their way into a struct.
pub struct Entries<'n> {
    rest: std::slice::Iter<'n, (Node, Node)>,
    current: Option<&'n (Node, Node)>,
    nulls: Nulls,
}

impl<'n> Entries<'n> {
    fn new(entries: &'n [(Node, Node)], nulls: Nulls) -> Self {
        Self { rest: entries.iter(), current: None, nulls }
    }

    fn sees(&self, (key, value): &(Node, Node)) -> bool {
        value.value != Value::Null
            || match self.nulls {
                Nulls::Seen => true,
                Nulls::LeftOut => false,
                Nulls::Unknown(known) => !key.text().is_some_and(|key| known.contains(&key)),
            }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Wrong;
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Wrong> {
        self.current = loop {
            match self.rest.next() {
                Some(entry) if !self.sees(entry) => {}
                entry => break entry,
            }
        };
        let Some((key, _)) = self.current else { return Ok(None) };
        seed.deserialize(Decoder(key)).map(Some).map_err(|wrong| wrong.at(key.at).part(Part::Key))
    }
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let (key, value) = self.current.expect("a value is asked for after its key");
        seed.deserialize(Decoder(value)).map_err(|wrong| wrong.at(value.at).under(key.text()))
    }
}

/// The three parts of a [`Located`]: the number of the node, that of its use, the value.
struct Parts<'n> {
    node: &'n Node,
    step: u8,
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Wrong;
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Wrong> {
        self.step += 1;
        let at = self.node.at;
        match (self.step, at.used) {
            (1, _) => seed.deserialize(at.node.into_deserializer()).map(Some),
            (2, used) => seed.deserialize(Used(used)).map(Some),
            _ => seed.deserialize(Decoder(self.node)).map(Some),
        }
    }
}

struct Used(Option<u32>);

impl<'de> Deserializer<'de> for Used {
    type Error = Wrong;
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.0 {
            Some(used) => visitor.visit_some(used.into_deserializer()),
            None => visitor.visit_none(),
        }
    }
    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}
