//! The JSON Schema and the reader of files agree: what is read is valid, and what is refused is
//! invalid unless its mistake is of a class that no schema can express. And whatever is done to a
//! file, the reader answers, with a place for each mistake.

mod classes;
mod golden;
mod included;
mod mutation;
mod reading;
mod reports;
#[path = "../shelf/mod.rs"]
mod shelf;
mod verdicts;

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use rmq_scenario::scenario::{part, schema};
use serde_json::Value;

const COMMITTED: &str = "schema/scenario.schema.json";

#[test]
fn the_committed_schema_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    let committed = fs::read_to_string(path).unwrap_or_default();
    // Not assert_eq, which would print both.
    assert!(
        committed == schema::text(),
        "{COMMITTED} is not current; write it anew: cargo run -- schema > {COMMITTED}"
    );
    let mut program = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    program.arg("schema").assert().code(0).stdout(committed).stderr("");
}

#[test]
fn the_schema_is_one() {
    let schema: Value = serde_json::from_str(&schema::text()).expect("it is JSON");
    assert!(jsonschema::draft7::meta::is_valid(&schema));
    assert!(!schema::text().contains("\"x-"), "a mark of the making is left in the schema");
}

/// Calls `see` for every part of a schema, with where it is.
fn walk(schema: &Value, place: &str, see: &mut impl FnMut(&Value, &str)) {
    see(schema, place);
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        walk(value, &format!("{place}.{key}"), see);
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            walk(&schema[keyword], &format!("{place}.*"), see);
        }
    }
    for branch in schema["allOf"].as_array().into_iter().flatten() {
        walk(branch, place, see);
    }
}

#[test]
fn every_key_is_explained() {
    let schema: Value = serde_json::from_str(&schema::text()).expect("it is JSON");
    let mut keys = 0;
    walk(&schema, "", &mut |part, place| {
        for (key, value) in part["properties"].as_object().into_iter().flatten() {
            let said = value["description"].as_str().unwrap_or_default();
            assert!(said.ends_with(['.', ']', ')', '`']), "{place}.{key}: {said:?} is no sentence");
            assert!(value["title"].is_string(), "{place}.{key} does not say what it takes");
            assert!(!said.contains('\n'), "{place}.{key}: {said:?}");
            let is = |text: &str| value["title"].as_str().is_some_and(|it| it.contains(text));
            let kinds = value["type"].as_array().map_or(&[][..], Vec::as_slice);
            let listed = value["type"] == "array" || kinds.contains(&"array".into());
            assert!(listed || !is("a list"), "{place}.{key} takes no list, and says it does");
            keys += 1;
        }
    });
    assert!(keys > 300, "{keys} keys were found");
}

/// Every key of the top is one of a scenario, of a part, or of both.
#[test]
fn the_keys_of_a_part_are_told_from_those_of_a_scenario() {
    let schema: Value = serde_json::from_str(&schema::text()).expect("it is JSON");
    let both = ["include", "vars", "topology", "producers", "workers"];
    let known = |key: &str| part::KEYS.contains(&key) != part::FOREIGN.contains(&key);
    let keys = schema["properties"].as_object().expect("there are some").keys();
    let unknown: Vec<&String> = keys.filter(|key| !known(key)).collect();
    assert!(unknown.is_empty(), "{unknown:?} stand in a part or do not: say so");
    assert!(both.iter().all(|key| part::KEYS.contains(key)));
}

#[test]
fn every_default_and_every_example_is_valid() {
    let schema: Value = serde_json::from_str(&schema::text()).expect("it is JSON");
    let mut seen = 0;
    walk(&schema, "", &mut |part, place| {
        let validator = jsonschema::draft7::new(part).expect("a part of a schema is one");
        for value in part["examples"].as_array().into_iter().flatten().chain(part.get("default")) {
            assert!(validator.is_valid(value), "{place}: {value}");
            seen += 1;
        }
    });
    assert!(seen > 80, "{seen} were found");
}
