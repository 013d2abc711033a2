//! One value per message, as it is written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{
    Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use crate::scenario::decode::{Located, UNION};
use crate::scenario::scalar::{Scalar, Size, Time, Whole};
use crate::scenario::schema::{self, TEXTS, either, texts};

/// The word that stands for the message's number.
const INDEX: &str = "index";

#[derive(Debug, Clone)]
pub enum Pattern<T: Element> {
    Always(T),
    Cycle(Vec<T>),
    Random(Vec<T>),
    Weighted(Vec<(T, u64)>),
    Range(T::Bound, T::Bound),
    Index,
}

/// What a pattern can be of.
pub trait Element: for<'de> Deserialize<'de> + JsonSchema {
    /// What the two ends of a range are.
    type Bound: for<'de> Deserialize<'de> + JsonSchema + PartialOrd + Copy + fmt::Debug + Clone;
    /// Whether the message's number can be such a value.
    const INDEX: bool;
}

/// A number that a file may give: for ranges of texts and headers, too.
pub type Number = Whole<0, { i64::MAX as u64 }>;

impl<const MIN: u64, const MAX: u64> Element for Whole<MIN, MAX> {
    type Bound = Self;
    const INDEX: bool = true;
}
impl Element for Size {
    type Bound = Self;
    const INDEX: bool = true;
}
impl Element for Time {
    type Bound = Self;
    const INDEX: bool = false;
}
impl Element for String {
    type Bound = Number;
    const INDEX: bool = true;
}
impl Element for Scalar {
    type Bound = Number;
    const INDEX: bool = true;
}

impl<'de, T: Element> Deserialize<'de> for Pattern<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(UNION, PatternVisitor(PhantomData))
    }
}

impl<T: Element> JsonSchema for Pattern<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Pattern_of_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        let what = one.get("title").and_then(serde_json::Value::as_str).unwrap_or("text");
        either(&format!("{what}, or a pattern of them"), Self::forms(generator))
    }
}

impl<T: Element> Pattern<T> {
    /// The schema of each form.
    pub fn forms(generator: &mut SchemaGenerator) -> Vec<Schema> {
        let one = generator.subschema_for::<T>();
        let cycle = json_schema!({ "type": "array", "items": one, "minItems": 1 });
        let index = T::INDEX.then(|| texts("", &[INDEX]));
        let form = generator.subschema_for::<Form<T>>();
        [one, cycle, form].into_iter().chain(index).collect()
    }
}

struct PatternVisitor<T>(PhantomData<T>);

/// Hands a scalar on to the element's own visitor, which knows what is wrong with it.
macro_rules! scalars {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E: Error>(self, value: $type) -> Result<Self::Value, E> {
            T::deserialize(value.into_deserializer()).map(Pattern::Always)
        }
    )*};
}

impl<'de, T: Element> Visitor<'de> for PatternVisitor<T> {
    type Value = Pattern<T>;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value, a list of values, or a map with `random`, `weighted` or `range`")
    }
    scalars! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64 }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        T::deserialize(().into_deserializer()).map(Pattern::Always)
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        match value {
            INDEX if T::INDEX => Ok(Pattern::Index),
            INDEX => Err(E::custom("`index` is a number without a unit, and a duration has one")),
            _ => T::deserialize(value.into_deserializer()).map(Pattern::Always),
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        let values = Vec::deserialize(SeqAccessDeserializer::new(list))?;
        if values.is_empty() {
            return Err(A::Error::custom("a pattern needs at least one value\nwrite `[a, b]`"));
        }
        Ok(Pattern::Cycle(values))
    }
    fn visit_newtype_struct<D: Deserializer<'de>>(self, map: D) -> Result<Self::Value, D::Error> {
        let form = Form::<T>::deserialize(map)?;
        form.pattern().map_err(D::Error::custom)
    }
}

/// The forms of a pattern that are maps; a file has exactly one of them.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a pattern", bound = "")]
#[schemars(bound = "", extend("minProperties" = 1))]
pub struct Form<T: Element> {
    /// One of these values for each message, each as likely.
    #[schemars(extend("minItems" = 1))]
    pub random: Option<Vec<T>>,
    /// One of these values for each message, as likely as its weight: `{ a: 9, b: 1 }`.
    pub weighted: Option<Weights<T>>,
    /// Uniform between the two, both included: `[1, 5]`.
    #[schemars(extend("minItems" = 2, "maxItems" = 2))]
    pub range: Option<Located<Vec<T::Bound>>>,
}

impl<T: Element> Form<T> {
    pub fn pattern(self) -> Result<Pattern<T>, &'static str> {
        match (self.random, self.weighted, self.range) {
            (Some(values), None, None) if values.is_empty() => {
                Err("`random` needs at least one value\nwrite `{ random: [a, b] }`")
            }
            (Some(values), None, None) => Ok(Pattern::Random(values)),
            (None, Some(weights), None) => weights.pattern(),
            (None, None, Some(range)) => match range.value[..] {
                [low, high] if low <= high => Ok(Pattern::Range(low, high)),
                [_, _] => Err(
                    "the first number of a `range` is above the second\nwrite the smaller one first",
                ),
                _ => Err(
                    "a `range` has two numbers, the least and the greatest\nwrite `{ range: [1, 5] }`",
                ),
            },
            _ => Err(
                "a pattern is exactly one of `random`, `weighted` and `range`\nkeep one of them",
            ),
        }
    }
}

/// Values and how likely each is, in the order of the file.
pub struct Weights<T>(Vec<(T, u64)>);

impl<T: Element> JsonSchema for Weights<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Weights_of_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut map = schema::table(generator.subschema_for::<Whole<0, 0xffff_ffff>>());
        map.insert("title".into(), "a map of values and their weights".into());
        map.insert("minProperties".into(), 1.into());
        // A key is text for a schema, so that only what is always text can be told from others.
        let value = generator.subschema_for::<T>();
        if value.get(TEXTS).is_some() {
            map.insert("propertyNames".into(), value.into());
        }
        map
    }
}

impl<T: Element> Weights<T> {
    pub fn pattern(self) -> Result<Pattern<T>, &'static str> {
        let sum = self.0.iter().try_fold(0_u64, |sum, (_, weight)| sum.checked_add(*weight));
        match sum {
            Some(0) => Err(
                "`weighted` needs a value with a weight above 0\nwrite `{ weighted: { a: 9, b: 1 } }`",
            ),
            Some(_) => Ok(Pattern::Weighted(self.0)),
            None => Err("the weights of `weighted` are too large"),
        }
    }
}

impl<'de, T: Element> Deserialize<'de> for Weights<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WeightsVisitor<T>(PhantomData<T>);
        impl<'de, T: Element> Visitor<'de> for WeightsVisitor<T> {
            type Value = Weights<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of values and their weights, such as { a: 9, b: 1 }")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Weights<T>, A::Error> {
                let mut weights = Vec::new();
                while let Some(value) = map.next_key_seed(PhantomData::<T>)? {
                    let weight: Whole<0, 0xffff_ffff> = map.next_value()?;
                    weights.push((value, weight.0));
                }
                Ok(Weights(weights))
            }
        }
        deserializer.deserialize_any(WeightsVisitor(PhantomData))
    }
}
