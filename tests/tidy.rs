//! The rules of the house, held by a test: sizes, names, the arrows between stages, the homes of
//! packages, the purity of the stages that decide.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use scanner::File;

mod scanner;

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 70;

/// Which stages a stage may name besides itself; the flow of the crate, and nothing else.
const ARROWS: [(&str, &[&str]); 11] = [
    (
        "cli",
        &[
            "scenario",
            "plan",
            "broker",
            "run",
            "ledger",
            "verdict",
            "compare",
            "report",
            "bless",
            "diagnostic",
        ],
    ),
    ("diagnostic", &[]),
    ("scenario", &["diagnostic"]),
    ("plan", &["scenario", "diagnostic"]),
    ("broker", &["plan", "diagnostic"]),
    ("run", &["plan", "broker", "ledger", "diagnostic"]),
    ("ledger", &["plan"]),
    ("verdict", &["plan", "ledger", "diagnostic"]),
    ("compare", &["plan", "diagnostic"]),
    ("report", &["plan", "ledger", "verdict", "compare", "diagnostic"]),
    ("bless", &["scenario", "plan", "verdict", "diagnostic"]),
];

/// The stages in which a package may be named.
const HOMES: [(&str, &[&str]); 8] = [
    ("clap", &["cli"]),
    ("serde_yaml", &["scenario"]),
    ("saphyr_parser", &["bless"]),
    ("schemars", &["scenario"]),
    ("reqwest", &["broker"]),
    ("lapin", &["broker", "run"]),
    ("indicatif", &["report"]),
    ("comfy_table", &["report"]),
];

/// The stages that see no clock, no network and no task.
const PURE: [&str; 7] = ["diagnostic", "scenario", "plan", "ledger", "verdict", "compare", "bless"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["util", "utils", "common", "helpers", "helper", "types", "prelude", "imp"];

type Rule = fn(&[File]) -> Vec<String>;

const RULES: [Rule; 11] = [
    files_are_short,
    functions_are_short,
    modules_begin_with_their_purpose,
    names_say_something,
    no_file_beside_its_folder,
    stages_follow_the_arrows,
    packages_stay_at_home,
    pure_stages_are_pure,
    one_file_reads_scenarios,
    printing_has_its_place,
    nothing_is_left_undone,
];

#[test]
fn the_house_is_tidy() {
    let files = sources();
    assert!(files.iter().any(|file| file.path == "src/lib.rs"), "the sources were not found");
    let found: Vec<_> = RULES.iter().flat_map(|rule| rule(&files)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// Every Rust file of the package.
fn sources() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        collect(root, &root.join(folder), &mut files);
    }
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder of the package can be read").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).expect("it lies below the root");
            let name = name.to_str().expect("names are text").replace('\\', "/");
            files.push(File::new(&name, &fs::read_to_string(&path).expect("it is text")));
        }
    }
}

/// A message for each finding of `find` in each file.
fn each(files: &[File], find: impl Fn(&File) -> Vec<(usize, String)>) -> Vec<String> {
    let found = files.iter().map(|file| (file, find(file)));
    found
        .flat_map(|(file, list)| {
            list.into_iter().map(move |(line, text)| format!("{}:{line}: {text}", file.path))
        })
        .collect()
}

fn files_are_short(files: &[File]) -> Vec<String> {
    each(files, |file| {
        let lines = file.text.lines().count();
        let message = format!("{lines} lines, and {FILE_LINES} are the limit: split the file");
        if lines > FILE_LINES { vec![(FILE_LINES + 1, message)] } else { Vec::new() }
    })
}

fn functions_are_short(files: &[File]) -> Vec<String> {
    each(files, |file| {
        let functions = file.functions().into_iter();
        let long = functions.filter(|function| function.lines > FUNCTION_LINES);
        long.map(|function| {
            let scanner::Function { name, line, lines } = function;
            let limit = format!("{FUNCTION_LINES} are the limit");
            (line, format!("`{name}` has {lines} lines, and {limit}: move steps into functions"))
        })
        .collect()
    })
}

fn modules_begin_with_their_purpose(files: &[File]) -> Vec<String> {
    each(files, |file| {
        let is_module = file.path.starts_with("src/") && file.path != "src/main.rs";
        let remedy = "a module begins with `//!`: say what it is and what it does not know";
        if is_module && !file.text.starts_with("//!") {
            vec![(1, remedy.to_owned())]
        } else {
            Vec::new()
        }
    })
}

fn names_say_something(files: &[File]) -> Vec<String> {
    let remedy = |name: &str| format!("the name `{name}` says nothing: name what is inside");
    each(files, |file| {
        let parts = file.path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part));
        let paths = parts.filter(|part| EMPTY_NAMES.contains(part)).map(|part| (1, remedy(part)));
        let inline = EMPTY_NAMES.iter().flat_map(|name| {
            let lines = file.lines_with(&format!("mod {name}"));
            lines.into_iter().map(move |line| (line, remedy(name)))
        });
        paths.chain(inline).collect()
    })
}

fn no_file_beside_its_folder(files: &[File]) -> Vec<String> {
    let folders: BTreeSet<_> =
        files.iter().filter_map(|file| Some(file.path.rsplit_once('/')?.0)).collect();
    each(files, |file| {
        let folder = file.path.trim_end_matches(".rs");
        let message = format!("`{folder}/` is beside it: move it to `{folder}/mod.rs`");
        if folders.contains(folder) { vec![(1, message)] } else { Vec::new() }
    })
}

fn stages_follow_the_arrows(files: &[File]) -> Vec<String> {
    each(files, |file| {
        let Some(stage) = file.stage() else { return Vec::new() };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == stage) else {
            return vec![(1, format!("`{stage}` is no stage: add it to ARROWS, or move it"))];
        };
        let is_stage = |name: &str| ARROWS.iter().any(|(stage, _)| *stage == name);
        let named = file.named_below("crate").into_iter();
        let wrong = named.filter(|(_, name)| is_stage(name) && name != stage);
        let wrong = wrong.filter(|(_, name)| !allowed.contains(&name.as_str()));
        let wrong = wrong.map(|(line, name)| {
            let may = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
            (line, format!("{stage} must not know {name}; it may use {may}: move what is shared"))
        });
        let hidden = file.lines_with("super::super").into_iter();
        let hidden = hidden.map(|line| (line, "write the path from `crate`".to_owned()));
        wrong.chain(hidden).collect()
    })
}

fn packages_stay_at_home(files: &[File]) -> Vec<String> {
    let sources = |file: &File| file.path.starts_with("src/");
    each(files, |file| {
        let away = |homes: &[&str]| !file.stage().is_some_and(|stage| homes.contains(&stage));
        let guests = HOMES.iter().filter(|(_, homes)| sources(file) && away(homes));
        guests
            .flat_map(|(package, homes)| {
                let message = format!("{package} lives in {}: keep it there", homes.join(" and "));
                file.lines_with(package).into_iter().map(move |line| (line, message.clone()))
            })
            .collect()
    })
}

fn pure_stages_are_pure(files: &[File]) -> Vec<String> {
    each(files, |file| {
        let Some(stage) = file.stage().filter(|stage| PURE.contains(stage)) else {
            return Vec::new();
        };
        let words = ["Instant", "SystemTime", "tokio", "async"].iter().flat_map(|word| {
            file.lines_with(word).into_iter().map(|line| (line, (*word).to_owned()))
        });
        let modules = file.named_below("std").into_iter().filter(|(_, name)| {
            matches!(name.as_str(), "net" | "process" | "thread")
                || (name == "fs" && stage != "scenario")
        });
        let modules = modules.map(|(line, name)| (line, format!("std::{name}")));
        let found = words.chain(modules);
        found
            .map(|(line, what)| {
                (line, format!("{stage} is pure, without {what}: pass the value in"))
            })
            .collect()
    })
}

fn one_file_reads_scenarios(files: &[File]) -> Vec<String> {
    let reads = |file: &File| file.named_below("std").into_iter().find(|(_, name)| name == "fs");
    let stage = files.iter().filter(|file| file.stage() == Some("scenario"));
    let readers: Vec<_> = stage.filter_map(|file| Some((file, reads(file)?.0))).collect();
    let more = readers.iter().skip(1);
    more.map(|(file, line)| {
        let first = &readers[0].0.path;
        format!("{}:{line}: files are read in {first} already: read them only there", file.path)
    })
    .collect()
}

fn printing_has_its_place(files: &[File]) -> Vec<String> {
    each(files, |file| {
        let free = matches!(file.stage(), Some("report" | "cli")) || !file.path.starts_with("src/");
        let macros = ["println!", "print!", "eprintln!", "eprint!"].iter();
        let lines = macros
            .filter(|_| !free)
            .flat_map(|name| file.lines_with(name).into_iter().map(move |line| (line, name)));
        lines
            .map(|(line, name)| (line, format!("{name} prints: give the text to `report`")))
            .collect()
    })
}

fn nothing_is_left_undone(files: &[File]) -> Vec<String> {
    let remedies = [
        ("todo!", "do it"),
        ("unimplemented!", "do it, or refuse it with a diagnostic"),
        ("dbg!", "take it out"),
        ("#[ignore", "a test that does not run proves nothing: make it run"),
    ];
    each(files, |file| {
        let found = remedies.iter().flat_map(|(what, remedy)| {
            let lines = file.lines_with(what).into_iter();
            lines.map(move |line| (line, format!("{what} is left: {remedy}")))
        });
        found.collect()
    })
}

mod rules {
    use super::*;

    /// What a rule says about one file.
    fn said(rule: Rule, path: &str, text: &str) -> Vec<String> {
        rule(&[File::new(path, text)])
    }

    #[test]
    fn a_long_file_is_found() {
        let text = "\n".repeat(501);
        let expected = "src/x.rs:501: 501 lines, and 500 are the limit: split the file";
        assert_eq!(said(files_are_short, "src/x.rs", &text), [expected]);
        assert!(said(files_are_short, "src/x.rs", &"\n".repeat(500)).is_empty());
    }

    #[test]
    fn a_long_function_is_found() {
        let long = |lines: usize| format!("\nfn long() {{{}}}\n", "\n".repeat(lines - 1));
        assert_eq!(
            said(functions_are_short, "tests/x.rs", &long(71)),
            ["tests/x.rs:2: `long` has 71 lines, and 70 are the limit: move steps into functions"]
        );
        assert!(said(functions_are_short, "tests/x.rs", &long(70)).is_empty());
    }

    #[test]
    fn a_module_without_a_purpose_is_found() {
        let found = said(modules_begin_with_their_purpose, "src/plan/x.rs", "use std::fmt;\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("src/plan/x.rs:1: a module begins with `//!`"), "{found:?}");
        assert!(said(modules_begin_with_their_purpose, "src/plan/x.rs", "//! X.\n").is_empty());
    }

    #[test]
    fn an_empty_name_is_found() {
        for (path, text) in [
            ("src/plan/utils.rs", ""),
            ("src/common/mod.rs", ""),
            ("src/plan/mod.rs", "mod helpers {}"),
        ] {
            assert_eq!(said(names_say_something, path, text).len(), 1, "{path} {text}");
        }
        assert!(said(names_say_something, "src/plan/commonly.rs", "mod types_of;").is_empty());
    }

    #[test]
    fn a_file_beside_its_folder_is_found() {
        let files = [File::new("src/plan.rs", ""), File::new("src/plan/model.rs", "")];
        let expected = "src/plan.rs:1: `src/plan/` is beside it: move it to `src/plan/mod.rs`";
        assert_eq!(no_file_beside_its_folder(&files), [expected]);
        assert!(no_file_beside_its_folder(&files[1..]).is_empty());
    }

    #[test]
    fn a_wrong_arrow_is_found() {
        for (path, text) in [
            ("src/ledger/x.rs", "use crate::verdict::model::Verdict;"),
            ("src/plan/x.rs", "use crate::{plan::model::Queue, run::go};"),
            ("src/diagnostic.rs", "fn f() -> crate::plan::X { todo() }"),
            ("src/report/x/y.rs", "use super::super::super::run;"),
            ("src/strange/mod.rs", ""),
        ] {
            assert_eq!(said(stages_follow_the_arrows, path, text).len(), 1, "{path} {text}");
        }
        for (path, text) in [
            ("src/ledger/x.rs", "use crate::{ledger::counts, plan::{self, run}};"),
            ("src/ledger/x.rs", "// crate::verdict\nconst X: &str = \"crate::verdict::y\";"),
            ("src/cli/x.rs", "use crate::run::go;"),
            ("src/lib.rs", "pub mod plan;"),
            ("tests/x.rs", "use crate::verdict;"),
        ] {
            let found = said(stages_follow_the_arrows, path, text);
            assert!(found.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn a_package_away_from_home_is_found() {
        for (path, text) in [
            ("src/run/mod.rs", "use reqwest::Client;"),
            ("src/main.rs", "use clap::Parser;"),
            ("src/report/x.rs", "fn f(e: lapin::Error) {}"),
        ] {
            assert_eq!(said(packages_stay_at_home, path, text).len(), 1, "{path} {text}");
        }
        assert!(said(packages_stay_at_home, "src/run/x.rs", "use lapin::Channel;").is_empty());
        assert!(said(packages_stay_at_home, "tests/x.rs", "use lapin::Channel;").is_empty());
    }

    #[test]
    fn an_impure_stage_is_found() {
        for (path, text) in [
            ("src/plan/x.rs", "use std::time::{Duration, Instant};"),
            ("src/ledger/x.rs", "async fn f() {}"),
            ("src/verdict/x.rs", "use tokio::sync::mpsc;"),
            ("src/scenario/x.rs", "use std::{net::TcpStream, fmt};"),
            ("src/plan/x.rs", "use std::fs;"),
        ] {
            assert_eq!(said(pure_stages_are_pure, path, text).len(), 1, "{path} {text}");
        }
        assert!(said(pure_stages_are_pure, "src/run/x.rs", "async fn f() {}").is_empty());
        assert!(said(pure_stages_are_pure, "src/scenario/read.rs", "use std::fs;").is_empty());
    }

    #[test]
    fn a_second_reader_of_files_is_found() {
        let files = ["src/scenario/a.rs", "src/scenario/b.rs"];
        let files = files.map(|path| File::new(path, "use std::fs::File;"));
        let expected = "src/scenario/b.rs:1: files are read in src/scenario/a.rs already: read them only there";
        assert_eq!(one_file_reads_scenarios(&files), [expected]);
    }

    #[test]
    fn printing_elsewhere_is_found() {
        let text = "fn f() {\n    eprintln!(\"x\");\n}";
        let expected = "src/run/x.rs:2: eprintln! prints: give the text to `report`";
        assert_eq!(said(printing_has_its_place, "src/run/x.rs", text), [expected]);
        assert!(said(printing_has_its_place, "src/cli/x.rs", text).is_empty());
        assert!(said(printing_has_its_place, "src/run/x.rs", "// println!(1)").is_empty());
    }

    #[test]
    fn work_left_undone_is_found() {
        for text in ["todo!()", "unimplemented!(\"x\")", "dbg!(1)", "#[ignore = \"slow\"]"] {
            assert_eq!(said(nothing_is_left_undone, "tests/x.rs", text).len(), 1, "{text}");
        }
        assert!(said(nothing_is_left_undone, "src/x.rs", "/* todo!() */ \"dbg!(1)\"").is_empty());
    }
}
