//! The files that lie about: right ones, and one for every mistake.

use std::fs;
use std::path::Path;

use crate::classes::{Class, DIFFERING, EXAMPLES};
use crate::verdicts::{ask, ask_in};

/// The files of a folder and their texts, in the order of their names; those that are no text
/// are left out.
fn files(folder: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries =
        fs::read_dir(path).expect("the folder is there").map(|entry| entry.unwrap().path());
    let named = entries.filter_map(|path| {
        let name = path.file_stem()?.to_str()?.to_owned();
        let yaml = path.extension().is_some_and(|extension| extension == "yaml");
        yaml.then(|| fs::read_to_string(&path).ok()).flatten().map(|text| (name, text))
    });
    let mut files: Vec<(String, String)> = named.collect();
    files.sort();
    files
}

/// The files that are read without a mistake.
pub fn right() -> Vec<(String, String)> {
    ["tests/schema/right", "scenarios", "tests/warnings"].into_iter().flat_map(files).collect()
}

#[test]
fn every_file_that_is_read_is_valid() {
    let files = right();
    assert!(files.len() > 55, "{} files", files.len());
    for (name, text) in files {
        let verdicts = ask(&text);
        assert!(verdicts.mistakes.is_empty(), "{name} is wrong");
        assert!(verdicts.passes(), "{name}: {:?}", verdicts.hurt);
    }
}

#[test]
fn every_file_that_is_refused_is_invalid_unless_it_is_listed() {
    let mut complaints = Vec::new();
    let folder = "tests/diagnostics";
    let files = files(folder);
    for (name, text) in &files {
        let listed = DIFFERING.iter().find(|(known, _)| known == name).map(|(_, class)| *class);
        let verdicts = ask_in(folder, text);
        let differs = verdicts.passes() || verdicts.hurt.is_none();
        match (listed, verdicts.classes(text)) {
            (_, Err(complaint)) => complaints.push(format!("{name}: {complaint}")),
            (None, Ok(classes)) if differs => {
                let class = classes.first().unwrap_or(&Class::CommandLine);
                complaints.push(format!("(\"{name}\", {class:?}),"));
            }
            (Some(_), _) if !differs => {
                complaints.push(format!("{name} is listed, and the schema refuses it now"));
            }
            (Some(class), Ok(classes)) if !classes.is_empty() && !classes.contains(&class) => {
                complaints.push(format!("{name} is of {classes:?}, not of {class:?}"));
            }
            _ => {}
        }
    }
    let gone = DIFFERING.iter().filter(|(known, _)| !files.iter().any(|(name, _)| name == known));
    complaints.extend(gone.map(|(name, _)| format!("{name} is listed, and not there")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_class_that_no_file_shows_has_an_example() {
    for (class, text) in EXAMPLES {
        let verdicts = ask(text);
        assert!(!verdicts.mistakes.is_empty(), "{class:?} is no mistake:\n{text}");
        assert!(verdicts.passes(), "{class:?} is seen by the schema:\n{text}");
    }
}
