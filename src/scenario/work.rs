//! How long a worker works on a message, as it is written.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

use crate::scenario::decode::{Located, UNION};
use crate::scenario::pattern::{Form, Pattern, Weights};
use crate::scenario::scalar::Time;
use crate::scenario::schema::either;

#[derive(Debug, Clone)]
pub enum Work {
    PerDot(Time),
    Pattern(Pattern<Time>),
}

impl JsonSchema for Work {
    fn schema_name() -> Cow<'static, str> {
        "Work".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let form = generator.subschema_for::<WorkForm>();
        let forms = Pattern::<Time>::forms(generator).into_iter().chain([form]);
        either("a duration such as 100ms, a pattern of them, or one for each dot", forms)
    }
}

const WORK_EXPECTED: &str =
    "a duration such as 100ms, `{ per_dot: 100ms }`, or a pattern of durations";

impl<'de> Deserialize<'de> for Work {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(UNION, WorkVisitor)
    }
}

struct WorkVisitor;

/// The forms of `work` that are maps; those of a pattern are listed again, because a map can
/// only be read once.
#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`work`")]
#[schemars(extend("minProperties" = 1))]
struct WorkForm {
    /// How long it works for each dot of the body.
    per_dot: Option<Time>,
    /// One of these durations for each message, each as likely.
    #[schemars(extend("minItems" = 1))]
    random: Option<Vec<Time>>,
    /// One of these durations for each message, as likely as its weight: `{ 5ms: 9, 100ms: 1 }`.
    weighted: Option<Weights<Time>>,
    /// Uniform between the two, both included: `[10ms, 50ms]`.
    #[schemars(extend("minItems" = 2, "maxItems" = 2))]
    range: Option<Located<Vec<Time>>>,
}

impl<'de> Visitor<'de> for WorkVisitor {
    type Value = Work;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(WORK_EXPECTED)
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
            None => Form { random, weighted, range }
                .pattern()
                .map(Work::Pattern)
                .map_err(D::Error::custom),
        }
    }
}
