//! The files in `scenarios`, as they are and altered.

pub mod altered;
pub mod outcome;
pub mod table;

use std::fs;

use crate::pages::root;

/// One file of the library.
#[derive(Clone)]
pub struct Lesson {
    /// The name of its file, without the ending.
    pub name: String,
    pub text: String,
}

impl Lesson {
    /// Whether its broker needs settings that the shared node does not have, or breaks.
    pub fn wants_own_broker(&self) -> bool {
        const BREAKS: [&str; 5] = ["restart", "stop", "pause", "block", "partition"];
        let breaks =
            |line: &str| BREAKS.iter().any(|verb| line.contains(&format!("{verb}: broker")));
        self.text.lines().any(|line| line.starts_with("broker:") || breaks(line))
    }
}

/// Every file of the library, in the order of their names.
pub fn all() -> Vec<Lesson> {
    let folder = fs::read_dir(root().join("scenarios")).expect("there is a library");
    let mut lessons: Vec<Lesson> = folder
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .map(|path| Lesson {
            name: path.file_stem().expect("it has a name").to_str().expect("text").to_owned(),
            text: fs::read_to_string(&path).expect("it is text"),
        })
        .collect();
    lessons.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(lessons.len() >= 46, "lessons are missing");
    lessons
}

/// The lesson of that name.
pub fn named(name: &str) -> Lesson {
    let found = all().into_iter().find(|lesson| lesson.name == name);
    found.unwrap_or_else(|| panic!("there is no scenarios/{name}.yaml"))
}
