//! The documentation says what the program does: its examples are read, its names are those of
//! the code, its links lead somewhere, and the outputs it shows are those of a real run.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use pages::{page, pages, quoted, root, words};
use rmq_scenario::diagnostic::Severity;
use rmq_scenario::plan::Options;
use rmq_scenario::plan::count::{ALL, Count};
use rmq_scenario::scenario::expect::{Counted, InCauses};
use rmq_scenario::scenario::{Source, schema, yaml};
use rmq_scenario::verdict::model::Verdict;
use serde_json::Value;
use shelf::look_in;
use tempfile::TempDir;

mod pages;
mod shelf;

const VERDICTS: [Verdict; 6] = [
    Verdict::Skipped,
    Verdict::Pass,
    Verdict::Inconclusive,
    Verdict::Fail,
    Verdict::Error,
    Verdict::Unbalanced,
];

/// Whether a scope knows a count.
type Knows = fn(Count) -> bool;

/// Fails with what is wrong with a file in a folder, as the user sees it.
fn mistakes(folder: &Path, place: &str, text: &str) -> Vec<String> {
    let found = look_in(folder, Source::new(place, text), &Options::default());
    let wrong = found.iter().filter(|found| found.severity == Severity::Error);
    wrong.map(|mistake| mistake.render(false)).collect()
}

fn assert_right(folder: &Path, place: &str, text: &str) {
    let wrong = mistakes(folder, place, text);
    assert!(wrong.is_empty(), "{place}\n{}\n{text}", wrong.join("\n"));
}

/// The parts that the pages show, where they say in their first lines: beside the page.
fn parts() -> TempDir {
    let folder = tempfile::tempdir().expect("there is room");
    for page in pages() {
        for block in page.blocks().into_iter().filter(|block| block.kind == "yaml part") {
            let first = block.text.lines().next().and_then(|line| line.strip_prefix("# "));
            let name = first.unwrap_or_else(|| panic!("{}: where is this part?", block.place));
            let beside = page.path.parent().expect("a page lies in a folder");
            let path = folder.path().join(beside).join(name);
            fs::create_dir_all(path.parent().expect("it has a folder")).expect("there is room");
            fs::write(path, block.text).expect("there is room");
        }
    }
    folder
}

#[test]
fn every_example_is_read_as_it_says() {
    let mut seen: Vec<String> = Vec::new();
    let parts = parts();
    let assert_right = |place: &str, text: &str| assert_right(parts.path(), place, text);
    for block in pages().iter().flat_map(|page| page.blocks()) {
        let (place, text) = (block.place.as_str(), block.text.as_str());
        match block.kind.as_str() {
            "yaml" | "yaml part" => assert_right(place, text),
            "yaml fragment" => assert_right(place, &pages::completed(text)),
            // Not ours to run; `tests/pipelines.rs` knows more of them than that they are YAML.
            "yaml github" | "yaml gitlab" | "yaml compose" | "yaml pre-commit" => {
                let read = yaml::read(&Source::new(place, text));
                assert!(read.is_ok(), "{}", read.unwrap_err().render(false));
            }
            "yaml mistaken" => {
                assert!(!mistakes(parts.path(), place, text).is_empty(), "{place} is right");
            }
            "json" | "console" | "sh" | "" => {}
            other => panic!("{place}: what is a block of `{other}`?"),
        }
        seen.push(block.kind);
    }
    let count = |kind: &str| seen.iter().filter(|seen| *seen == kind).count();
    assert!(count("yaml") >= 3 && count("yaml fragment") >= 5, "examples are missing: {seen:?}");
    assert!(count("yaml part") >= 1, "no part is shown: {seen:?}");
}

fn sorted(names: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().map(Into::into).collect();
    names.sort();
    names
}

#[test]
fn every_count_is_explained_once_and_in_its_scopes() {
    let accounting = page("docs/accounting.md");
    assert_eq!(sorted(accounting.names("count")), sorted(ALL.map(Count::name)));
    let rows = accounting.rows("scope");
    let scopes: [(&str, Knows); 4] = [
        ("the whole run", |_| true),
        ("queues", Count::in_queues),
        ("producers", Count::in_producers),
        ("workers", Count::in_workers),
    ];
    assert_eq!(rows.len(), scopes.len());
    for (row, (scope, knows)) in rows.iter().zip(scopes) {
        assert_eq!(row[0], scope);
        let known = ALL.into_iter().filter(|count| knows(*count)).map(Count::name);
        assert_eq!(sorted(quoted(&row[1])), sorted(known), "{scope}");
    }
}

#[test]
fn every_cause_and_every_verdict_is_explained() {
    let accounting = page("docs/accounting.md");
    assert_eq!(sorted(accounting.names("cause")), sorted(InCauses::NAMES.iter().copied()));
    let mut verdicts = sorted(VERDICTS.map(Verdict::name));
    verdicts.dedup();
    assert_eq!(sorted(accounting.names("verdict")), verdicts);
}

#[test]
fn every_cause_has_a_chapter_that_says_how_it_comes_about_and_what_prevents_it() {
    let causes = page("docs/causes.md");
    let chapters = causes.text.split("\n##").skip(1).filter_map(|chapter| {
        let (name, text) =
            chapter.trim_start_matches([' ', '#']).strip_prefix('`')?.split_once('`')?;
        Some((name.to_owned(), text.to_owned()))
    });
    let chapters: Vec<(String, String)> = chapters.collect();
    let told = chapters.iter().map(|(name, _)| name);
    assert_eq!(sorted(told), sorted(InCauses::NAMES.iter().copied()));
    for (name, text) in chapters.iter().filter(|(name, _)| name != "unexplained") {
        let prevents =
            text.contains("What prevents it: ") || text.contains("What makes it rarer: ");
        assert!(prevents, "nothing is said against {name}");
        assert!(text.contains("Lesson") || name == "young_queue", "no lesson shows {name}");
    }
}

#[test]
fn the_page_of_every_key_is_that_of_the_program() {
    const WRITE: &str = "cargo run -- schema --format markdown > docs/reference.md";
    let made = help(&["schema", "--format", "markdown"]);
    assert!(made == schema::reference::text());
    assert!(made == page("docs/reference.md").text, "it is not current; write it anew: {WRITE}");
}

/// The README has the shorter table; what it says of a version is said on the page as well.
#[test]
fn the_table_of_versions_in_the_readme_is_a_part_of_the_page() {
    let page_rows = page("docs/versions.md").text.replace("](../scenarios/", "](scenarios/");
    for row in page("README.md").rows("") {
        let row = format!("| {} |", row.join(" | "));
        assert!(page_rows.lines().any(|line| line == row), "docs/versions.md has no row {row}");
    }
}

#[test]
fn the_book_has_every_page_once() {
    let contents = page(pages::CONTENTS);
    let folder = Path::new("docs");
    let flat = |link: String| match link.strip_prefix("../") {
        Some(outside) => outside.to_owned(),
        None => folder.join(link).display().to_string(),
    };
    let listed = contents.links().into_iter().map(flat);
    let known = pages().into_iter().map(|page| page.path.display().to_string());
    assert_eq!(sorted(listed), sorted(known));
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_rmq-scenario"))
}

fn help(words: &[&str]) -> String {
    let output = program().args(words).output().expect("the program runs");
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let help = help(&["--help"]);
    let (_, list) = help.split_once("Exit codes:\n").expect("the help has exit codes");
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let codes: Vec<String> = list.lines().filter_map(first).collect();
    for path in ["README.md", "docs/accounting.md"] {
        let told: Vec<String> =
            page(path).rows("exit code").into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(told, codes, "{path}");
    }
    for verdict in VERDICTS {
        assert!(codes.contains(&verdict.exit_code().to_string()), "{verdict:?}");
    }
}

#[test]
fn the_options_are_those_of_the_program() {
    let help = help(&["run", "--help"]);
    let word = |line: &str| {
        let option = line.trim_start();
        let short = option.starts_with('-') && option.get(2..4) == Some(", ");
        let option = if short { &option[4..] } else { option };
        let name = option.strip_prefix("--")?.split([' ', '.', '[']).next()?;
        Some(format!("--{name}"))
    };
    let told = page("README.md").names("option").into_iter().filter_map(|option| word(&option));
    assert_eq!(sorted(told), sorted(help.lines().filter_map(word)));
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let links = page.links();
        assert!(!links.is_empty(), "{} has no links", page.path.display());
        for link in links.iter().filter(|link| !link.starts_with("https://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.path.parent().expect("a page lies in a folder");
            let target = if file.is_empty() { page.path.clone() } else { folder.join(file) };
            let place = format!("{}: {link}", page.path.display());
            assert!(root().join(&target).exists(), "{place} leads nowhere");
            if !anchor.is_empty() {
                let anchors = pages::page(target.to_str().expect("names are text")).anchors();
                assert!(anchors.iter().any(|known| known == anchor), "{place}: no such heading");
            }
        }
    }
}

#[test]
fn no_page_speaks_of_one_machine() {
    for page in pages() {
        for trace in ["/home/", "/root", "/tmp", "/Users/", "/work/", "/var/", "/mnt/"] {
            let lines = (1..).zip(page.text.lines());
            let found: Vec<_> = lines.filter(|(_, line)| line.contains(trace)).collect();
            assert!(found.is_empty(), "{}: {found:?}", page.path.display());
        }
    }
}

/// The output that the README shows for a command, without what goes to the standard error.
fn shown(command: &str) -> String {
    let mut blocks = page("README.md").blocks().into_iter();
    let first = format!("$ {command}\n");
    let block = blocks.find(|block| block.kind == "console" && block.text.starts_with(&first));
    let text = block.unwrap_or_else(|| panic!("the README shows no `{command}`")).text;
    let told = |line: &&str| !line.starts_with("$ ") && !line.starts_with("private RabbitMQ");
    text.lines().filter(told).collect::<Vec<_>>().join("\n")
}

/// The exit code and the standard output of a run on a private node.
fn run(folder: &Path, words: &[&str]) -> (Option<i32>, String) {
    let mut program = program();
    for variable in [
        "RMQ_SCENARIO_BROKER",
        "RMQ_SCENARIO_MANAGEMENT",
        "NO_COLOR",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
    ] {
        program.env_remove(variable);
    }
    // Whoever runs the tests may keep a broker warm.
    program.env("XDG_RUNTIME_DIR", folder);
    let output = program.arg("run").args(words).current_dir(folder).output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.stdout.is_empty(), "{errors}");
    (output.status.code(), String::from_utf8(output.stdout).expect("it is text"))
}

#[test]
fn the_first_output_of_the_readme_is_real() {
    let (code, output) = run(root(), &["scenarios/work_queue.yaml"]);
    assert_eq!(code, Some(0), "{output}");
    let shown = shown("rmq-scenario run scenarios/work_queue.yaml");
    assert_eq!(words(&output), words(&shown), "{output}");
}

#[test]
fn the_first_file_of_a_reader_passes_and_fails_as_the_readme_says() {
    let mut blocks = page("README.md").blocks().into_iter();
    let file = blocks.find(|block| block.kind == "yaml").expect("there is one").text;
    assert!(file.lines().count() <= 15, "it shall be short");
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("first.yaml"), &file).expect("there is room");
    let (code, output) = run(folder.path(), &["first.yaml"]);
    assert_eq!((code, words(&output)), (Some(0), words(&shown("rmq-scenario run first.yaml"))));
    let changed = file.replace("ack: manual", "ack: auto");
    assert_ne!(changed, file);
    fs::write(folder.path().join("first.yaml"), changed).expect("there is room");
    let (code, output) = run(folder.path(), &["first.yaml"]);
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("FAIL") && output.contains("   41 lost: "), "{output}");
}

/// The report that the page shows has the names and types of a real one, and its numbers but
/// times; texts but for times.
fn assert_alike(path: &str, shown: &Value, real: &Value) {
    match (shown, real) {
        (Value::Object(shown), Value::Object(real)) => {
            assert_eq!(sorted(shown.keys()), sorted(real.keys()), "{path}");
            shown
                .iter()
                .for_each(|(key, value)| assert_alike(&format!("{path}.{key}"), value, &real[key]));
        }
        // The page shows one of thirty.
        (Value::Array(shown), Value::Array(real)) if path.ends_with(".guarantees") => {
            assert!(shown.iter().all(|row| real.contains(row)), "{path}: {real:?}");
        }
        (Value::Array(shown), Value::Array(real)) => {
            assert_eq!(shown.len(), real.len(), "{path}");
            shown.iter().zip(real).for_each(|(shown, real)| assert_alike(path, shown, real));
        }
        (Value::Number(_), Value::Number(_))
            if path.ends_with("_ms") || path.contains(".timings.") => {}
        (Value::String(_), Value::String(_)) if path.ends_with(".version") => {}
        (Value::String(shown), Value::String(real)) => {
            assert_eq!(words(shown), words(real), "{path}");
        }
        _ => assert_eq!(shown, real, "{path}"),
    }
}

#[test]
fn the_report_that_is_shown_is_real() {
    let blocks = page("docs/accounting.md").blocks();
    let only = |kind: &str| {
        let mut found = blocks.iter().filter(|block| block.kind == kind);
        let block = found.next().unwrap_or_else(|| panic!("there is no block of {kind}"));
        assert!(found.next().is_none(), "there are several blocks of {kind}");
        &block.text
    };
    let folder = tempfile::tempdir().expect("there is room");
    fs::write(folder.path().join("shop.yaml"), only("yaml")).expect("there is room");
    let (code, output) = run(folder.path(), &["shop.yaml", "--report", "json=report.json"]);
    assert_eq!(code, Some(1), "{output}");
    let real = fs::read_to_string(folder.path().join("report.json")).expect("it was written");
    let read = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
    assert_alike("report", &read(only("json")), &read(&real));
}
