//! Every rule about files has a file that breaks it, `tests/diagnostics/*.yaml`, and beside it
//! what is said about it. Files that are right and probably not meant lie in `tests/warnings`: one
//! with the name of each lint, and some more.
//! `UPDATE_GOLDEN=1 cargo test --test diagnostics` writes what is said anew.

use std::fs;
use std::path::{Path, PathBuf};

use rmq_scenario::diagnostic::{Diagnostic, Severity};
use rmq_scenario::plan::Options;
use rmq_scenario::scenario::Source;
use rmq_scenario::scenario::lint::ALL;
use shelf::{load_in, look_in};

mod shelf;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The files of the folder with this extension, without it.
fn stems(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder).expect("the folder is there").map(|entry| entry.unwrap().path());
    let fitting = entries.filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut stems: Vec<PathBuf> = fitting.map(|path| path.with_extension("")).collect();
    stems.sort();
    stems
}

/// The lines `# --set a=b` at the head of a file are its command line.
fn options(text: &str) -> Options {
    let sets = text.lines().filter_map(|line| line.strip_prefix("# --set "));
    let pair =
        |set: &str| set.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    Options { sets: sets.filter_map(pair).collect(), seed: None }
}

/// What is said about a file with its command line.
fn said(path: &Path) -> Vec<Diagnostic> {
    let name = path.file_name().unwrap().to_str().unwrap();
    match String::from_utf8(fs::read(path).unwrap()) {
        Ok(text) => {
            let options = options(&text);
            look_in(path.parent().unwrap(), Source::new(name, text), &options)
        }
        Err(_) => Vec::from_iter(Source::read(path).err()),
    }
}

/// Everything that is said about a file that is wrong.
fn mistakes(path: &Path) -> Vec<Diagnostic> {
    let mut said = said(path);
    said.retain(|said| said.severity == Severity::Error);
    said
}

/// Everything that is said about a file that is right.
fn warnings(path: &Path) -> Vec<Diagnostic> {
    let said = said(path);
    let right = said.iter().all(|said| said.severity == Severity::Warning);
    if right { said } else { Vec::new() }
}

/// Compares what is said about every file of a folder with what lies beside it.
fn compare(folder: &Path, said: fn(&Path) -> Vec<Diagnostic>, least: usize) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for stem in stems(folder, "yaml") {
        let said = said(&stem.with_extension("yaml"));
        let rendered: Vec<String> =
            said.iter().map(|diagnostic| diagnostic.render(false)).collect();
        let said = rendered.join("\n").replace(folder.to_str().unwrap(), "…");
        let golden = stem.with_extension("expected");
        if said.is_empty() {
            wrong.push(format!("nothing is said about {}", stem.display()));
            continue;
        }
        if update {
            fs::write(&golden, &said).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- said\n{said}", stem.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let (files, expectations) = (stems(folder, "yaml"), stems(folder, "expected"));
    let alone: Vec<&PathBuf> = expectations.iter().filter(|stem| !files.contains(stem)).collect();
    assert!(alone.is_empty(), "nothing says this any more: {alone:?}");
    assert!(files.len() >= least, "rules lost their files: {} are left", files.len());
}

#[test]
fn every_broken_file_is_explained_as_expected() {
    compare(&folder("diagnostics"), mistakes, 110);
}

#[test]
fn every_file_that_is_probably_not_meant_is_warned_about_as_expected() {
    compare(&folder("warnings"), warnings, 38);
}

#[test]
fn every_lint_has_a_file_of_its_name() {
    for lint in ALL {
        let name = lint.name();
        let path = folder("warnings").join(name).with_extension("yaml");
        let found = warnings(&path);
        let given = found.iter().any(|warning| warning.lint == Some(name));
        assert!(given, "{} does not give rise to `{name}`", path.display());
    }
}

/// `allow` at the top of a file silences every lint that the file gives rise to, and each of these
/// is then of use.
#[test]
fn what_is_allowed_at_the_top_is_silent() {
    for stem in stems(&folder("warnings"), "yaml") {
        let path = stem.with_extension("yaml");
        let found = warnings(&path);
        let mut names: Vec<&str> = found.iter().filter_map(|warning| warning.lint).collect();
        names.sort_unstable();
        names.dedup();
        assert!(found.iter().all(|warning| warning.lint.is_some()), "{}", path.display());
        let text = fs::read_to_string(&path).unwrap();
        if text.lines().any(|line| line.starts_with("allow:")) {
            continue;
        }
        let text = format!("{text}\nallow: [{}]\n", names.join(", "));
        let source = Source::new("f.yaml", &*text);
        let left = load_in(&folder("warnings"), source, &options(&text)).unwrap().warnings;
        let left: Vec<String> = left.iter().map(|warning| warning.render(false)).collect();
        assert!(left.is_empty(), "{}\n{}", path.display(), left.join("\n"));
    }
}
