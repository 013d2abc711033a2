//! Every rule about files has a file that breaks it, `tests/diagnostics/*.yaml`, and beside it
//! what is said about it. `UPDATE_GOLDEN=1 cargo test --test diagnostics` writes the latter anew.

use std::fs;
use std::path::{Path, PathBuf};

use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// The files of the folder with this extension, without it.
fn stems(extension: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(folder()).expect("the folder is there").map(|entry| entry.unwrap().path());
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

/// Everything that is said about a file.
fn said(path: &Path) -> String {
    let name = path.file_name().unwrap().to_str().unwrap();
    let bytes = fs::read(path).unwrap();
    let diagnostics = match String::from_utf8(bytes) {
        Ok(text) => {
            let options = options(&text);
            load(Source::new(name, text), &options).err().unwrap_or_default()
        }
        Err(_) => Vec::from_iter(Source::read(path).err()),
    };
    let rendered: Vec<String> =
        diagnostics.iter().map(|diagnostic| diagnostic.render(false)).collect();
    rendered.join("\n").replace(folder().to_str().unwrap(), "…")
}

#[test]
fn every_broken_file_is_explained_as_expected() {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for stem in stems("yaml") {
        let said = said(&stem.with_extension("yaml"));
        let golden = stem.with_extension("expected");
        if said.is_empty() {
            wrong.push(format!("{} is no error", stem.display()));
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
    let (files, expectations) = (stems("yaml"), stems("expected"));
    let alone: Vec<&PathBuf> = expectations.iter().filter(|stem| !files.contains(stem)).collect();
    assert!(alone.is_empty(), "nothing says this any more: {alone:?}");
    assert!(files.len() >= 100, "rules lost their files: {} are left", files.len());
}
