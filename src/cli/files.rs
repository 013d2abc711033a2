//! Which files are meant: each path is a file, a directory or a pattern.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::scenario::{Source, part, yaml};

const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// The files that the paths name, each once, in the order of the paths and below that of their
/// names; and what is wrong with the paths.
pub fn expand(paths: &[String]) -> (Vec<PathBuf>, Vec<Diagnostic>) {
    let (mut files, mistakes) = all(paths);
    let mut seen = BTreeSet::new();
    files.retain(|file| seen.insert(file.clone()));
    (files, mistakes)
}

/// The same for whoever runs them: what is named by itself is run as often as it is named, and a part
/// that a directory or a pattern holds is not, since it is run with what includes it.
pub fn scenarios(paths: &[String]) -> (Vec<PathBuf>, Vec<Diagnostic>) {
    let (mut files, mistakes) = all(paths);
    let mut seen = BTreeSet::new();
    let named = |file: &PathBuf| paths.iter().any(|path| Path::new(path) == file);
    files.retain(|file| named(file) || (seen.insert(file.clone()) && !is_part(file)));
    (files, mistakes)
}

fn all(paths: &[String]) -> (Vec<PathBuf>, Vec<Diagnostic>) {
    let (mut files, mut mistakes) = (Vec::new(), Vec::new());
    for path in paths {
        match expand_one(path) {
            Ok(found) => files.extend(found),
            Err(mistake) => mistakes.push(mistake),
        }
    }
    (files, mistakes)
}

/// What cannot be read is no part; why is told by whoever reads it.
fn is_part(file: &Path) -> bool {
    let root = Source::read(file).and_then(|source| yaml::read(&source));
    root.is_ok_and(|root| part::is_part(&root))
}

fn expand_one(path: &str) -> Result<Vec<PathBuf>, Diagnostic> {
    let direct = Path::new(path);
    if direct.is_dir() {
        let mut found = below(direct)?;
        // As people would name them.
        for file in &mut found {
            if let Ok(plain) = file.strip_prefix(".") {
                *file = plain.to_owned();
            }
        }
        if found.is_empty() {
            return Err(Diagnostic::error(format!("no scenario files in {path}"))
                .help("scenario files end in .yaml or .yml"));
        }
        return Ok(found);
    }
    // A file may have any name, also one that looks like a pattern.
    if direct.exists() || !path.contains(['*', '?', '[']) {
        return Ok(vec![direct.to_owned()]);
    }
    let pattern = glob::glob(path).map_err(|error| {
        Diagnostic::error(format!("the pattern {path} is wrong: {}", error.msg))
    })?;
    let mut found = Vec::new();
    for entry in pattern {
        let entry = entry.map_err(|error| unreadable(error.path(), error.error()))?;
        if entry.is_file() {
            found.push(entry);
        }
    }
    if found.is_empty() {
        return Err(Diagnostic::error(format!("no file is like {path}")));
    }
    found.sort();
    Ok(found)
}

/// All scenario files in a directory and those below it, but for hidden ones.
fn below(directory: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(directory).map_err(|error| unreadable(directory, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(directory, &error))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            // A link may lead back to where it is.
            if !path.is_symlink() {
                found.extend(below(&path)?);
            }
        } else if path.extension().is_some_and(|end| ENDINGS.iter().any(|known| end == *known)) {
            found.push(path);
        }
    }
    Ok(found)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(format!("reading {} failed: {error}", path.display()))
}
