//! A part of scenarios, as it is written: a file that others include, and the key `include`.
//!
//! Only the top of a part is read here. What stands in it is read where it has been joined to the
//! file that includes it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, SeqAccess, Visitor};

use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::file::AnyMap;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::{At, Node, Value};
use crate::scenario::scalar::Name;
use crate::scenario::schema::{NAME, either};
use crate::scenario::variables::reference;

/// The keys of a part.
pub const KEYS: [&str; 6] = ["part", "include", "vars", "topology", "producers", "workers"];

/// What a scenario has and a part has not.
pub const FOREIGN: [&str; 16] = [
    "scenario",
    "format",
    "description",
    "tags",
    "allow",
    "requires",
    "seed",
    "variants",
    "matrix",
    "broker",
    "faults",
    "observe",
    "probes",
    "settle",
    "expect",
    "tolerance",
];

/// The top of a part: its keys, and whether maps and lists are such.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "a part")]
pub struct Part {
    pub part: Option<Located<Name>>,
    /// Read before.
    #[allow(dead_code)]
    include: Option<IgnoredAny>,
    #[allow(dead_code)]
    vars: Option<AnyMap>,
    #[allow(dead_code)]
    topology: Option<Lists>,
    #[allow(dead_code)]
    producers: Option<Vec<IgnoredAny>>,
    #[allow(dead_code)]
    workers: Option<Vec<IgnoredAny>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields, rename = "`topology`")]
struct Lists {
    #[allow(dead_code)]
    exchanges: Option<Vec<IgnoredAny>>,
    #[allow(dead_code)]
    queues: Option<Vec<IgnoredAny>>,
    #[allow(dead_code)]
    bindings: Option<Vec<IgnoredAny>>,
}

/// Whether a file says that it is a part.
pub fn is_part(root: &Node) -> bool {
    says(root, "part") && !says(root, "scenario")
}

/// Whether a key is there, and not null.
pub fn says(root: &Node, key: &str) -> bool {
    root.get(key).is_some_and(|value| value.value != Value::Null)
}

/// Whether there is anything in a part, be it wrong.
pub fn brings_something(root: &Node) -> bool {
    let mut keys = root.entries().iter().filter_map(|(key, _)| key.text());
    keys.any(|key| key != "part" && (says(root, key) || !KEYS.contains(&key)))
}

/// Takes out of a part what cannot stand there; each is recorded.
pub fn check(root: &mut Node, found: &mut Collector) {
    let Value::Map(entries) = &mut root.value else { return };
    entries.retain(|(key, _)| {
        let foreign = FOREIGN.into_iter().find(|known| key.text() == Some(*known));
        found_foreign(foreign, key.at, found);
        foreign.is_none()
    });
    written_out(root, found);
    let topology = match &mut root.value {
        Value::Map(entries) => entries.iter_mut().find(|(key, _)| key.text() == Some("topology")),
        _ => None,
    };
    topology.into_iter().for_each(|(_, topology)| written_out(topology, found));
    let _ = found.decode::<Part>(root);
}

/// Takes variables out that stand for whole lists and maps: these are joined before variables have
/// values.
fn written_out(map: &mut Node, found: &mut Collector) {
    let (at, Value::Map(entries)) = (map.at, &mut map.value) else { return };
    entries.retain(|(key, value)| {
        let whole = !matches!(key.text(), Some("part" | "include"));
        let variable = whole && value.text().and_then(reference).is_some();
        if variable {
            found.push(no_variable(key, value.at));
            found.removed(at, value.at, key.text().map(str::to_owned));
        }
        !variable
    });
}

/// The mistake of a variable that stands for a whole list or map.
pub fn no_variable(key: &Node, at: At) -> Mistake {
    let name = key.text().unwrap_or_default();
    Mistake::new(at, format!("`{name}` is no variable where files are joined"))
        .help("write it out; a single entry may have `if: $flag`")
}

fn found_foreign(name: Option<&str>, at: At, found: &mut Collector) {
    let Some(name) = name else { return };
    let mistake = match name {
        "scenario" => both(at),
        _ => Mistake::new(at, format!("a part has no `{name}`; it belongs to the scenario")).help(
            "a part has `topology`, `producers`, `workers`, `vars` and `include`; move this to the \
             scenarios that include it",
        ),
    };
    found.push(mistake);
}

/// The mistake of being a scenario and a part.
pub fn both(at: At) -> Mistake {
    Mistake::new(at, "a file is a scenario or a part, and this one says both")
        .help("leave `part` out, or `scenario` and what only a scenario has")
}

/// The files that another one includes: one, or a list of them.
#[derive(Debug)]
pub enum Includes {
    One(Path),
    List(Vec<Located<Path>>),
}

/// Where a file is, from the folder of the one that includes it.
#[derive(Debug, Clone)]
pub struct Path(pub String);

/// The key `include` alone.
#[derive(Debug, serde::Deserialize)]
pub struct Including {
    pub include: Option<Located<Includes>>,
}

impl<'de> Deserialize<'de> for Includes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IncludesVisitor;
        impl<'de> Visitor<'de> for IncludesVisitor {
            type Value = Includes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the path of a file, or a list of paths")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Includes, E> {
                path(text).map(Includes::One)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Includes, A::Error> {
                let list: Vec<_> = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                match list.is_empty() {
                    true => Err(A::Error::custom("`include` names no file\nleave it out")),
                    false => Ok(Includes::List(list)),
                }
            }
        }
        deserializer.deserialize_any(IncludesVisitor)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PathVisitor;
        impl Visitor<'_> for PathVisitor {
            type Value = Path;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the path of a file")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Path, E> {
                path(text)
            }
        }
        deserializer.deserialize_any(PathVisitor)
    }
}

/// A path as it may be written.
fn path<E: Error>(text: &str) -> Result<Path, E> {
    const HELP: &str = "write where the part is, from the folder of this file: `parts/logs.yaml`";
    let wrong = |what: &str| Err(E::custom(format!("{what}\n{HELP}")));
    if text.trim().is_empty() {
        return wrong("this path is empty");
    }
    if reference(text).is_some() {
        return wrong("an include is no variable: files are read before variables have values");
    }
    if text.contains("://") {
        return wrong("only files of this machine are included");
    }
    // A drive's letter, as Windows has it, is no relative path either.
    let drive =
        text.chars().next().is_some_and(|c| c.is_ascii_alphabetic()) && text[1..].starts_with(':');
    if text.starts_with(['/', '\\', '~']) || drive {
        return wrong("the path of an include is relative, so that it holds on every machine");
    }
    if text.chars().any(char::is_control) {
        return wrong("a path is text of one line");
    }
    Ok(Path(text.to_owned()))
}

impl JsonSchema for Path {
    fn schema_name() -> Cow<'static, str> {
        "Path".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "title": "the path of a file",
            "minLength": 1,
            "not": { "type": "string", "pattern": format!(r"^(\${NAME}$|[/\\~]|[A-Za-z]:|\s*$)") }
        })
    }
}

impl JsonSchema for Includes {
    fn schema_name() -> Cow<'static, str> {
        "Includes".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<Path>();
        let many = json_schema!({
            "type": "array", "items": one.clone(), "minItems": 1, "uniqueItems": true
        });
        either("the path of a file, or a list of paths", [one, many])
    }
}
