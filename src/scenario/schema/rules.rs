//! What holds in the whole file, added to every part of the schema: a scalar may be a variable, a
//! key may be null, and every value has a title.

use serde_json::{Map, Value, json};

use crate::scenario::schema::{LITERAL, NAME, TEXTS, types_of};

/// What stands in the place of a value.
#[derive(Clone, Copy)]
struct Place {
    /// Variables are filled in here.
    filled: bool,
    /// The key may be left out, so that its value may be null.
    optional: bool,
}

/// Completes the schema of a whole file.
pub fn complete(schema: &mut Map<String, Value>) {
    part(schema, Place { filled: true, optional: false });
}

fn part(schema: &mut Map<String, Value>, mut place: Place) {
    if let Some(literal) = schema.remove(LITERAL) {
        let filled = literal == json!(false);
        place = Place { filled, optional: filled };
    }
    below(schema, place);
    // A format such as `uint64` says no more than the bounds, and editors do not know it.
    schema.remove("format");
    widen(schema, place);
    set_apart(schema);
    describe(schema);
    choose(schema, place);
}

/// The parts of a schema: what stands at its keys, in its list, and behind any other key.
fn below(schema: &mut Map<String, Value>, place: Place) {
    let required: Vec<Value> = match schema.get("required") {
        Some(Value::Array(keys)) => keys.clone(),
        _ => Vec::new(),
    };
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (key, value) in properties {
            let optional = !required.iter().any(|required| required == key);
            part(object(value), Place { optional, ..place });
        }
    }
    for (keyword, place) in [
        ("items", Place { optional: false, ..place }),
        ("additionalProperties", Place { optional: place.filled, ..place }),
        ("propertyNames", Place { filled: false, optional: false }),
    ] {
        if let Some(value @ Value::Object(_)) = schema.get_mut(keyword) {
            part(object(value), place);
        }
    }
    if let Some(Value::Array(branches)) = schema.get_mut("allOf") {
        branches.iter_mut().for_each(|branch| part(object(branch), place));
    }
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if value == &json!(true) {
        *value = json!({});
    }
    value.as_object_mut().expect("a schema is an object, or true")
}

/// Takes variables where they are filled in, and null where a key may be left out.
fn widen(schema: &mut Map<String, Value>, place: Place) {
    let mut types = types_of(schema);
    let mut shapes = match schema.remove(TEXTS) {
        Some(Value::Array(shapes)) => shapes,
        _ => Vec::new(),
    };
    let has = |types: &[Value], kind: &str| types.iter().any(|known| known == kind);
    let any_text = has(&types, "string") && shapes.is_empty() && !schema.contains_key("enum");
    if types.is_empty() || any_text && !place.optional {
        return;
    }
    let scalar = ["boolean", "integer", "number", "string"].iter().any(|kind| has(&types, kind));
    // Where no variable is filled in, only null can stand for what is left out.
    let variable = place.filled && (place.optional || scalar) && !any_text;
    if variable {
        shapes.push(format!("\\${NAME}").into());
    }
    if variable && !has(&types, "string") {
        types.push("string".into());
    }
    if place.optional && !has(&types, "null") {
        types.push("null".into());
    }
    if schema.contains_key("default") {
        // An editor that writes a whole map for its author puts in all that has a default, unless
        // it is null in the first place.
        types.sort_by_key(|kind| kind != "null");
    }
    schema.insert("type".into(), if types.len() == 1 { types.remove(0) } else { types.into() });
    if !shapes.is_empty() {
        let shapes: Vec<&str> = shapes.iter().filter_map(Value::as_str).collect();
        schema.insert("pattern".into(), format!("^({})$", shapes.join("|")).into());
    }
}

/// Whether a value is a map or a list in the first place.
fn is_container(schema: &Map<String, Value>) -> bool {
    let first = types_of(schema).into_iter().find(|kind| kind != "null");
    first.is_none_or(|first| first == "object" || first == "array")
}

/// What a value is as a map or as a list, apart from what it usually is: editors would begin a map
/// where a scalar is meant.
fn set_apart(schema: &mut Map<String, Value>) {
    const MAP: [&str; 3] = ["properties", "additionalProperties", "minProperties"];
    const LIST: [&str; 2] = ["items", "minItems"];
    if is_container(schema) {
        return;
    }
    let mut branches = Vec::new();
    for keywords in [&MAP[..], &LIST[..]] {
        let of = |key: &&str| Some(((*key).to_owned(), schema.remove(*key)?));
        let branch: Map<String, Value> = keywords.iter().filter_map(of).collect();
        branches.extend((!branch.is_empty()).then_some(branch));
    }
    if !branches.is_empty() {
        schema.insert("allOf".into(), branches.into());
    }
}

/// Gives a title to what has none, and the words that an editor shows.
fn describe(schema: &mut Map<String, Value>) {
    if !schema.contains_key("title")
        && let Some(title) = title(schema)
    {
        schema.insert("title".into(), title.into());
    }
    if let Some(Value::String(title)) = schema.get("title") {
        // A variable holds one value: in the place of a list or a map it can only be null.
        let pattern = schema.get("pattern").and_then(Value::as_str).unwrap_or_default();
        let holds = pattern.contains("\\$") && !is_container(schema);
        let variable = if holds { ", or a variable such as $name" } else { "" };
        let message = format!("This must be {title}{variable}.");
        // Where there are keys, it would be said of an unknown one as well.
        let keyword = match schema.contains_key("properties") {
            true => "patternErrorMessage",
            false => "errorMessage",
        };
        schema.insert(keyword.into(), message.into());
    }
    if let Some(Value::String(text)) = schema.get("description") {
        let text = text.replace('\n', " ");
        if text.contains(['`', '*']) {
            schema.insert("markdownDescription".into(), text.clone().into());
        }
        schema.insert("description".into(), text.into());
    }
    if schema.get("default") == Some(&json!([])) {
        schema.remove("default");
    }
}

/// What a value must be, from its type.
fn title(schema: &Map<String, Value>) -> Option<String> {
    if let Some(Value::Array(words)) = schema.get("enum") {
        let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
        let (last, others) = words.split_last()?;
        return Some(format!("{} or {last}", others.join(", ")));
    }
    let types = types_of(schema);
    let kind = types.iter().filter_map(Value::as_str).find(|kind| *kind != "null")?;
    let words = match (kind, schema.get("minimum")) {
        ("boolean", _) => "true or false".to_owned(),
        ("string", _) => "text".to_owned(),
        ("array", _) => "a list".to_owned(),
        ("integer", Some(least)) => format!("a whole number, at least {least}"),
        ("integer", _) => "a whole number".to_owned(),
        _ => return None,
    };
    Some(words)
}

/// A word out of a list, or a variable: two branches, because the list would refuse the variable.
fn choose(schema: &mut Map<String, Value>, place: Place) {
    if !place.filled {
        return;
    }
    let Some(Value::Array(mut words)) = schema.remove("enum") else { return };
    words.retain(|word| !word.is_null());
    // With titles of their own, editors do not take the two for one.
    let title = schema.get("title").cloned().unwrap_or_default();
    let mut word = json!({ "type": "string", "title": title, "enum": words });
    if let Some(meanings) = schema.remove("markdownEnumDescriptions") {
        word["markdownEnumDescriptions"] = meanings;
    }
    let mut other = Map::from_iter([("title".to_owned(), json!("a variable"))]);
    for key in ["type", "pattern", "errorMessage"] {
        other.extend(schema.remove(key).map(|value| (key.to_owned(), value)));
    }
    schema.insert("anyOf".into(), json!([word, other]));
}
