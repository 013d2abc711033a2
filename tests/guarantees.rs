//! What the plan foretells of the lessons, beside what many runs of them were.
//!
//! The record is `tests/guarantees/observed.json`: for each variant the least and the most that each
//! count came to. `scripts/observe` makes it anew, on the RabbitMQ that is installed. Ranges that
//! are wider than what was observed are listed in `tests/guarantees/loose.txt`, each with the rule
//! that makes it so; `UPDATE_GOLDEN=1 cargo test --test guarantees` writes that list.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Once;

use rmq_scenario::plan::guarantees::guarantees;
use rmq_scenario::plan::model::Scenario;
use rmq_scenario::plan::{self, Options, version_matches};
use rmq_scenario::scenario::Source;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Of a hundred ranges so many are exactly what was observed.
const TIGHT: f64 = 90.0;

type Counts = BTreeMap<String, (u64, u64)>;

/// Many runs of all lessons.
#[derive(Default, Serialize, Deserialize)]
struct Record {
    runs: u64,
    rabbitmq: BTreeSet<String>,
    /// By file and name of the variant; a count that is not there was always 0.
    variants: BTreeMap<String, BTreeMap<String, Counts>>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn record_path() -> PathBuf {
    root().join("tests/guarantees/observed.json")
}

fn lesson(file: &str) -> Scenario {
    let source = Source::read(&root().join(file)).unwrap();
    plan::load(source, &Options::default()).unwrap()
}

fn lessons() -> Vec<String> {
    let entries = fs::read_dir(root().join("scenarios")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".yaml")).collect();
    names.sort();
    names.into_iter().map(|name| format!("scenarios/{name}")).collect()
}

/// One count of one variant that was observed.
struct Compared {
    place: String,
    range: rmq_scenario::plan::guarantees::range::Range,
    rule: &'static str,
    seen: (u64, u64),
}

fn compared() -> Vec<Compared> {
    let mut all = Vec::new();
    for (file, variants) in record().variants {
        let scenario = lesson(&file);
        for (name, counts) in variants {
            let variant = scenario.variants.iter().find(|variant| variant.name == name);
            let variant = variant.unwrap_or_else(|| panic!("{file} has no variant {name}: {MEND}"));
            all.extend(guarantees(variant).into_iter().map(|it| Compared {
                place: format!("{file} [{name}] {}", it.count.name()),
                range: it.range,
                rule: it.rule.name(),
                seen: counts.get(it.count.name()).copied().unwrap_or_default(),
            }));
        }
    }
    all
}

const MEND: &str = "make the record anew with `scripts/observe`";

#[test]
fn every_lesson_that_could_run_was_observed() {
    let record = record();
    let versions: Vec<&str> = record.rabbitmq.iter().map(String::as_str).collect();
    for file in lessons() {
        for variant in lesson(&file).variants {
            let wanted = variant.requires.rabbitmq.as_ref();
            let ran = versions
                .iter()
                .any(|version| wanted.is_none_or(|wanted| version_matches(wanted, version)));
            let seen = record.variants.get(&file).is_some_and(|it| it.contains_key(&variant.name));
            assert_eq!(ran, seen, "{file} [{}]: {MEND}", variant.name);
        }
    }
}

#[test]
fn what_was_observed_is_what_the_plan_allows() {
    let wrong = |it: &Compared| !it.range.contains(it.seen.0) || !it.range.contains(it.seen.1);
    let wrong: Vec<String> = compared().into_iter().filter(wrong).map(|it| line(&it)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn line(it: &Compared) -> String {
    let (low, high) = it.seen;
    let seen = if low == high { low.to_string() } else { format!("{low}..{high}") };
    format!("{}: {} by {}, was {seen}", it.place, it.range, it.rule)
}

#[test]
fn what_the_plan_allows_is_hardly_more_than_what_was_observed() {
    let all = compared();
    let loose = |it: &&Compared| (it.range.low, it.range.high) != (it.seen.0, Some(it.seen.1));
    let lines: Vec<String> = all.iter().filter(loose).map(line).collect();
    let share = (all.len() - lines.len()) as f64 * 100.0 / all.len() as f64;
    assert!(share >= TIGHT, "only {share:.1} % of {} ranges are exact", all.len());
    let path = root().join("tests/guarantees/loose.txt");
    let text = lines.join("\n") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let listed = fs::read_to_string(&path).unwrap();
    assert_eq!(listed, text, "UPDATE_GOLDEN=1 cargo test --test guarantees writes the list");
}

/// The record; made anew first where `RMQ_SCENARIO_REPORTS` names the paths of reports, one in a
/// line.
fn record() -> Record {
    static MADE: Once = Once::new();
    MADE.call_once(|| {
        let paths = std::env::var("RMQ_SCENARIO_REPORTS").unwrap_or_default();
        if paths.is_empty() {
            return;
        }
        let mut record = Record::default();
        paths.lines().for_each(|path| add(&mut record, Path::new(path)));
        let text = serde_json::to_string_pretty(&record).unwrap() + "\n";
        fs::write(record_path(), text).unwrap();
    });
    serde_json::from_str(&fs::read_to_string(record_path()).unwrap()).unwrap()
}

fn add(record: &mut Record, path: &Path) {
    let report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    record.runs += 1;
    record.rabbitmq.insert(report["broker"]["version"].as_str().unwrap().to_owned());
    for scenario in report["scenarios"].as_array().unwrap() {
        let variants = record.variants.entry(scenario["file"].as_str().unwrap().to_owned());
        let variants = variants.or_default();
        for variant in scenario["variants"].as_array().unwrap() {
            // What did not run to its end says nothing.
            if !["pass", "fail"].contains(&variant["verdict"].as_str().unwrap()) {
                continue;
            }
            let first = !variants.contains_key(variant["name"].as_str().unwrap());
            let counts = variants.entry(variant["name"].as_str().unwrap().to_owned()).or_default();
            for (count, n) in variant["counts"].as_object().unwrap() {
                let n = n.as_u64().unwrap();
                // What was always 0 until now is not there.
                let ends =
                    counts.entry(count.clone()).or_insert(if first { (n, n) } else { (0, 0) });
                *ends = (ends.0.min(n), ends.1.max(n));
            }
        }
        variants.values_mut().for_each(|counts| counts.retain(|_, ends| *ends != (0, 0)));
    }
}
