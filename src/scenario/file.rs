//! The top level of a scenario file, as it is written.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use crate::scenario::actors::{Producer, Worker};
use crate::scenario::decode::Located;
use crate::scenario::expect::Expect;
use crate::scenario::lint::Allowed;
use crate::scenario::part::Includes;
use crate::scenario::probe::Probe;
use crate::scenario::scalar::{Name, Positive, Scalar, Time, Title, Whole};
use crate::scenario::schema;
use crate::scenario::tolerance::Tolerance;
use crate::scenario::topology::{Table, Topology};
use crate::scenario::trigger::{Fault, Observation};
use crate::scenario::variables::RESERVED;

/// A whole file. Variables are filled in; `vars`, `variants` and `matrix` have done their work.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a scenario")]
#[schemars(
    title = "RabbitMQ scenario",
    description = "A topology, who publishes, who works, what breaks, and what must be true at the end."
)]
pub struct File {
    /// The name of the scenario, as reports show it.
    // The plan asks for it, so that the rest of a file without it is checked too.
    #[schemars(required)]
    pub scenario: Option<Name>,
    /// Instead of `scenario`: the name of a part, which scenarios include. It has a topology,
    /// producers, workers and variables, and nothing else.
    // It and `include` are read before.
    #[schemars(with = "Option<Name>", extend("x-literal" = true))]
    pub part: Option<IgnoredAny>,
    /// Other files, whose topology, producers, workers and variables stand before those of this
    /// one: paths from the folder of this file.
    #[schemars(with = "Option<Includes>", extend("x-literal" = true, "examples" = ["parts/orders.yaml"]))]
    pub include: Option<IgnoredAny>,
    /// The format of this file.
    #[schemars(title = "1", range(min = 1, max = 1), extend("default" = 1))]
    pub format: Option<Located<u64>>,
    /// What the scenario shows, in a sentence or two.
    pub description: Option<String>,
    /// Words to find the scenario by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
    /// What the broker must offer. Where it does not, the run is skipped, with the reason.
    pub requires: Option<Requires>,
    /// Where all randomness flows from; `--seed` goes before it.
    #[schemars(extend("default" = 1))]
    pub seed: Option<u64>,
    /// Variables and their values. A value that is exactly `$name` becomes the variable, and a
    /// `body` uses it as `{name}`.
    #[schemars(default, schema_with = "vars", extend("x-literal" = true))]
    pub vars: Option<IgnoredAny>,
    /// One run for each entry, in order; `expect`, `requires` and `tolerance` of an entry are laid
    /// over those of the file.
    #[schemars(with = "Option<Vec<Variant>>", extend("x-literal" = true))]
    pub variants: Option<IgnoredAny>,
    /// One run for each combination of these values of variables: `{ ack: [auto, manual], durable:
    /// [true, false] }`.
    #[schemars(default, schema_with = "matrix", extend("x-literal" = true))]
    pub matrix: Option<IgnoredAny>,
    /// How a private broker is set up.
    pub broker: Option<Broker>,
    /// Exchanges, queues and bindings, declared before the run begins.
    #[serde(default)]
    pub topology: Topology,
    /// Who publishes.
    #[serde(default)]
    pub producers: Vec<Located<Producer>>,
    /// Who consumes.
    #[serde(default)]
    pub workers: Vec<Located<Worker>>,
    /// What breaks, and when.
    #[serde(default)]
    pub faults: Vec<Located<Fault>>,
    /// Looks at queues at a moment; what they hold is printed.
    #[serde(default)]
    pub observe: Vec<Located<Observation>>,
    /// Single AMQP operations, to show what the broker answers.
    #[serde(default)]
    pub probes: Vec<Located<Probe>>,
    /// When the run is over.
    pub settle: Option<Settle>,
    /// What must hold at the end. An expectation that does not hold makes the run fail.
    #[serde(default)]
    pub expect: Expect,
    /// How far numbers may be from those of an earlier run before `compare` calls it a regression.
    #[serde(default)]
    pub tolerance: Tolerance,
}

/// The schema of the value of a variable, which is not another variable.
fn constant(generator: &mut SchemaGenerator) -> Schema {
    let mut scalar = generator.subschema_for::<Scalar>();
    let variable = format!(r"^\${}$", schema::NAME);
    scalar.insert("not".into(), serde_json::json!({ "type": "string", "pattern": variable }));
    scalar
}

/// The schema of variables and their values.
fn vars(generator: &mut SchemaGenerator) -> Schema {
    let mut map = schema::by_name(constant(generator));
    map.insert("type".into(), serde_json::json!(["object", "null"]));
    if let Some(name) = map.get_mut("propertyNames") {
        name["not"] = serde_json::json!({ "enum": RESERVED });
    }
    map
}

/// The schema of the axes of a matrix.
fn matrix(generator: &mut SchemaGenerator) -> Schema {
    let mut map = schema::by_name(json_schema!({
        "type": "array", "items": constant(generator), "minItems": 1, "uniqueItems": true
    }));
    map.insert("type".into(), serde_json::json!(["object", "null"]));
    map
}

/// What stands above the variants: read before the variables are filled in.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a scenario")]
pub struct Head {
    #[serde(default)]
    pub vars: Named<Located<Scalar>>,
    #[serde(default)]
    pub variants: Vec<Located<Variant>>,
    #[serde(default)]
    pub matrix: Named<Located<Vec<Located<Scalar>>>>,
}

#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "a variant")]
#[schemars(title = "a variant")]
pub struct Variant {
    /// What is special about this run, in a line. Beside a `matrix` an entry has `when` instead.
    pub name: Option<Located<Title>>,
    /// Beside a `matrix`: which combinations this entry is about, such as `{ ack: auto }`.
    pub when: Option<Located<Named<Located<Scalar>>>>,
    /// Other values for variables of the file, in this run.
    #[serde(default)]
    #[schemars(schema_with = "vars")]
    pub vars: Named<Located<Scalar>>,
    /// Lints that are meant to be so in what stands here.
    pub allow: Option<Allowed>,
    /// What the broker must offer for this run, besides what the file requires.
    #[schemars(with = "Option<Requires>", extend("x-literal" = false))]
    pub requires: Option<Located<IgnoredAny>>,
    /// What must hold in this run, laid over what the file expects; `any` takes an expectation
    /// back.
    #[schemars(with = "Option<Expect>", extend("x-literal" = false))]
    pub expect: Option<Located<IgnoredAny>>,
    /// How far numbers of this run may be from those of an earlier one, laid over what the file
    /// says.
    #[schemars(with = "Option<Tolerance>", extend("x-literal" = false))]
    pub tolerance: Option<Located<IgnoredAny>>,
}

/// The expectations of one layer alone.
#[derive(Debug, serde::Deserialize)]
pub struct ExpectOnly {
    pub expect: Option<Expect>,
}

/// Values by name, in the order of the file.
#[derive(Debug)]
pub struct Named<T>(pub Vec<(Located<Name>, T)>);

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema::by_name(generator.subschema_for::<T>())
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NamedVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for NamedVisitor<T> {
            type Value = Named<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a map of variables and their values")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Named(entries))
            }
        }
        // A variable may be null.
        deserializer.deserialize_map(NamedVisitor(PhantomData))
    }
}

#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`requires`")]
#[schemars(title = "what the broker must offer")]
pub struct Requires {
    /// A range of versions of RabbitMQ.
    #[schemars(extend("examples" = [">=4.0"]))]
    pub rabbitmq: Option<Located<String>>,
    /// How many nodes the broker must have at least.
    pub nodes: Option<Located<Positive>>,
    /// Whether the management API must be there.
    pub management: Option<bool>,
}

#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`broker`")]
#[schemars(title = "a private broker")]
pub struct Broker {
    /// How many nodes the broker has. More than one are a cluster on this machine, each of about
    /// 150 MB.
    #[schemars(extend("default" = 1))]
    pub nodes: Option<Located<Whole<1, 64>>>,
    /// How often either side of a connection says that it is alive, in whole seconds; two that are
    /// missing end it. `0s` is never.
    #[schemars(extend("default" = "10s"))]
    pub heartbeat: Option<Located<Time>>,
    /// Keys of `rabbitmq.conf` and their values, such as `{ consumer_timeout: 5000 }`.
    pub config: Option<Table<Located<Scalar>>>,
    /// Entries of `advanced.config`, such as `{ rabbit: { channel_tick_interval: 1000 } }`.
    pub advanced: Option<Table<Tree>>,
}

/// A value with others in it.
#[derive(Debug, Clone)]
pub enum Tree {
    Scalar(Scalar),
    List(Vec<Tree>),
    Map(Table<Tree>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

/// What stands in it is not looked at: a schema without references cannot describe a tree.
impl JsonSchema for Tree {
    fn schema_name() -> Cow<'static, str> {
        "Tree".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

struct TreeVisitor;

/// Hands a scalar on to the visitor of scalars, which knows what is wrong with it.
macro_rules! scalars {
    ($($visit:ident: $type:ty),*) => {$(
        fn $visit<E: Error>(self, value: $type) -> Result<Tree, E> {
            Scalar::deserialize(value.into_deserializer()).map(Tree::Scalar)
        }
    )*};
}

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;
    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value, a list or a map")
    }
    scalars! { visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str }
    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Scalar(Scalar::Null))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Tree, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Tree::List)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tree, A::Error> {
        Table::deserialize(MapAccessDeserializer::new(map)).map(Tree::Map)
    }
}

/// A map that is not looked into.
#[derive(Debug)]
pub struct AnyMap;

impl<'de> Deserialize<'de> for AnyMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Named::<IgnoredAny>::deserialize(deserializer).map(|_| AnyMap)
    }
}

#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename = "`settle`")]
#[schemars(title = "the end of the run")]
pub struct Settle {
    /// How long nothing must happen, where it cannot be known that nothing can.
    #[schemars(extend("default" = "500ms"))]
    pub idle: Option<Time>,
    /// The run is never over before, counted from its beginning.
    #[schemars(extend("default" = "0s"))]
    pub at_least: Option<Time>,
    /// The run is cut after so long, counted from its beginning, and is inconclusive then.
    #[schemars(extend("default" = "60s"))]
    pub deadline: Option<Located<Time>>,
}
