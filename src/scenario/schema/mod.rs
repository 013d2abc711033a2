//! The JSON Schema of scenario files, made from the structs that read them.
//!
//! A struct derives its part, and the doc comments of its fields are what an editor shows. A
//! value with a shape of its own says it in one flat schema, without branches: the keywords of
//! JSON Schema are about one type each, so `minimum` and `pattern` can stand beside each other,
//! and hover shows one sentence instead of a list of alternatives. [`rules`] then adds what holds
//! for the whole file: variables, and keys that are null.
//!
//! The schema refuses nothing that is read. It lets pass what no schema can tell: references,
//! what a variable holds, which keys go together.

pub mod meaning;
pub mod reference;
mod rules;

use schemars::generate::SchemaSettings;
use schemars::{Schema, json_schema};
use serde_json::{Map, Value, json};

use crate::scenario::file::File;
use crate::scenario::part;

/// Under this key a schema lists the texts that it takes, as regular expressions; without it a
/// text may be any.
pub const TEXTS: &str = "x-texts";

/// Under this key a schema says whether variables are left alone here and below; `false` ends
/// that.
pub const LITERAL: &str = "x-literal";

/// What a name looks like, as a regular expression.
pub const NAME: &str = "[A-Za-z0-9_.-]{1,64}";

/// The schema as the text of a file.
///
/// It is of draft 7, the newest that the usual editors all read.
pub fn text() -> String {
    let text = serde_json::to_string_pretty(&whole()).expect("a schema is JSON");
    text + "\n"
}

/// The schema of a whole file.
fn whole() -> Schema {
    let settings = SchemaSettings::draft07().with(|settings| {
        // Each place says all about itself: a reference would hide what stands beside it.
        settings.inline_subschemas = true;
        settings.transforms.clear();
    });
    let mut schema = settings.into_generator().into_root_schema_for::<File>();
    rules::complete(schema.ensure_object());
    kinds(schema.ensure_object());
    schema
}

/// Tells scenarios from parts, which have fewer keys.
fn kinds(schema: &mut Map<String, Value>) {
    let required = schema.remove("required").unwrap_or_default();
    let part =
        json!({ "required": ["part"], "properties": { "part": { "not": { "type": "null" } } } });
    schema.insert("if".into(), part);
    schema.insert("then".into(), json!({ "propertyNames": { "enum": part::KEYS } }));
    schema.insert("else".into(), json!({ "required": required }));
}

/// The schema of a value that is a text of one of these shapes.
pub fn texts(title: &str, shapes: &[&str]) -> Schema {
    json_schema!({ "type": "string", "title": title, TEXTS: shapes })
}

/// The schema of a map with names as its keys.
pub fn by_name(values: Schema) -> Schema {
    json_schema!({
        "type": "object",
        "title": "a map by names",
        "propertyNames": texts("a name", &[NAME]),
        "additionalProperties": values
    })
}

/// The schema of a map with any keys.
pub fn table(values: Schema) -> Schema {
    json_schema!({
        "type": "object",
        "title": "a map of names and values",
        "additionalProperties": values
    })
}

/// The schema of a value that is one of several, which have no type in common but text.
pub fn either(title: &str, parts: impl IntoIterator<Item = Schema>) -> Schema {
    let mut all = Map::new();
    let (mut types, mut shapes, mut any_text) = (Vec::new(), Vec::new(), false);
    for mut part in parts {
        let part = std::mem::take(part.ensure_object());
        let part_types = types_of(&part);
        match part.get(TEXTS) {
            Some(Value::Array(more)) => shapes.extend(more.iter().cloned()),
            _ => any_text |= part_types.iter().any(|kind| kind == "string"),
        }
        types.extend(part_types);
        part.into_iter().for_each(|(key, value)| lay(&mut all, key, value));
    }
    let mut seen = Vec::new();
    types.retain(|kind| {
        !seen.contains(kind) && {
            seen.push(kind.clone());
            true
        }
    });
    all.insert("title".into(), title.into());
    all.insert("type".into(), types.into());
    all.remove(TEXTS);
    if !any_text && !shapes.is_empty() {
        all.insert(TEXTS.into(), shapes.into());
    }
    all.into()
}

/// Lays one keyword beside the others; the properties of two maps are put together.
fn lay(all: &mut Map<String, Value>, key: String, value: Value) {
    match (all.get_mut(&key), value) {
        (Some(Value::Object(properties)), Value::Object(more)) if key == "properties" => {
            properties.extend(more);
        }
        (Some(_), _) => {}
        (None, value) => {
            all.insert(key, value);
        }
    }
}

/// The types that a schema names, in its order.
fn types_of(schema: &Map<String, Value>) -> Vec<Value> {
    match schema.get("type") {
        Some(Value::Array(types)) => types.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// Makes one list of words of the alternatives that an enum has derived, and keeps what is said
/// of each.
pub fn choice(schema: &mut Schema) {
    let Some(Value::Array(variants)) = schema.remove("oneOf") else { return };
    let part = |name: &str| -> Vec<Value> {
        variants.iter().map(|variant| variant.get(name).cloned().unwrap_or_default()).collect()
    };
    let (words, meanings) = (part("const"), part("description"));
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), words.into());
    schema.insert("markdownEnumDescriptions".into(), meanings.into());
}
