//! The top level of a scenario file, as it is written.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};

use crate::scenario::actors::{Producer, Worker};
use crate::scenario::decode::Located;
use crate::scenario::expect::Expect;
use crate::scenario::lint::Allowed;
use crate::scenario::probe::Probe;
use crate::scenario::scalar::{Name, Positive, Scalar, Time, Title, Whole};
use crate::scenario::topology::{Table, Topology};
use crate::scenario::trigger::{Fault, Observation};

/// A whole file. Variables are filled in; `vars`, `variants` and `matrix` have done their work.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a scenario")]
pub struct File {
    /// Required; the plan asks for it, so that the rest of a file without it is checked too.
    pub scenario: Option<Name>,
    pub format: Option<Located<u64>>,
    pub description: Option<String>,
    #[serde(default)]
    pub tags: Vec<String>,
    pub allow: Option<Allowed>,
    pub requires: Option<Requires>,
    pub seed: Option<u64>,
    pub vars: Option<IgnoredAny>,
    pub variants: Option<IgnoredAny>,
    pub matrix: Option<IgnoredAny>,
    pub broker: Option<Broker>,
    #[serde(default)]
    pub topology: Topology,
    #[serde(default)]
    pub producers: Vec<Located<Producer>>,
    #[serde(default)]
    pub workers: Vec<Located<Worker>>,
    #[serde(default)]
    pub faults: Vec<Located<Fault>>,
    #[serde(default)]
    pub observe: Vec<Located<Observation>>,
    #[serde(default)]
    pub probes: Vec<Located<Probe>>,
    pub settle: Option<Settle>,
    #[serde(default)]
    pub expect: Expect,
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

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a variant")]
pub struct Variant {
    pub name: Option<Located<Title>>,
    pub when: Option<Located<Named<Located<Scalar>>>>,
    #[serde(default)]
    pub vars: Named<Located<Scalar>>,
    pub allow: Option<Allowed>,
    pub requires: Option<Located<IgnoredAny>>,
    pub expect: Option<Located<IgnoredAny>>,
}

/// The expectations of one layer alone.
#[derive(Debug, serde::Deserialize)]
pub struct ExpectOnly {
    pub expect: Option<Expect>,
}

/// Values by name, in the order of the file.
#[derive(Debug)]
pub struct Named<T>(pub Vec<(Located<Name>, T)>);

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
        deserializer.deserialize_any(NamedVisitor(PhantomData))
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`requires`")]
pub struct Requires {
    pub rabbitmq: Option<Located<String>>,
    pub nodes: Option<Located<Positive>>,
    pub management: Option<bool>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`broker`")]
pub struct Broker {
    pub nodes: Option<Located<Whole<1, 64>>>,
    pub heartbeat: Option<Located<Time>>,
    pub config: Option<Table<Located<Scalar>>>,
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

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`settle`")]
pub struct Settle {
    pub idle: Option<Time>,
    pub at_least: Option<Time>,
    pub deadline: Option<Located<Time>>,
}
