//! What a difference between two reports means, and what is told of it.
//! `UPDATE_GOLDEN=1 cargo test --test compare told` writes anew what is told.

use std::fs;
use std::path::Path;

use rmq_scenario::compare::judging::Grade;
use rmq_scenario::compare::reading::{Reading, read};
use rmq_scenario::compare::{Change, Comparison, compare};
use rmq_scenario::report::compare as drawing;
use rmq_scenario::report::style::Style;
use serde_json::{Value, json};

const BASE: &str = include_str!("compare/base.json");
/// The variants of the base.
const AUTO: usize = 0;
const MANUAL: usize = 1;

fn base() -> Value {
    serde_json::from_str(BASE).expect("it is JSON")
}

/// The base with other values at these places of a variant.
fn changed(variant: usize, changes: &[(&str, Value)]) -> Value {
    let mut report = base();
    let it = &mut report["scenarios"][0]["variants"][variant];
    for (path, value) in changes {
        *it.pointer_mut(path).unwrap_or_else(|| panic!("there is no {path}")) = value.clone();
    }
    report
}

/// Sets a count of the whole run and of its one queue.
fn count(report: &mut Value, variant: usize, name: &str, number: u64) {
    let it = &mut report["scenarios"][0]["variants"][variant];
    it["counts"][name] = number.into();
    if it["queues"][0].get(name).is_some() {
        it["queues"][0][name] = number.into();
    }
}

fn reading(path: &str, report: &Value) -> Reading {
    read(path, &report.to_string()).unwrap_or_else(|error| panic!("{}", error.render(false)))
}

fn against_base(new: &Value) -> Comparison {
    compare(&[reading("base.json", &base()), reading("new.json", new)]).expect("comparable")
}

/// The change at this path of a variant.
fn change<'c>(comparison: &'c Comparison, variant: usize, path: &str) -> Option<&'c Change> {
    comparison.variants[variant].changes.iter().find(|change| change.path == path)
}

/// The grade of a path of a variant.
fn grade(new: &Value, variant: usize, path: &str) -> Grade {
    change(&against_base(new), variant, path).map_or(Grade::Same, |change| change.grade)
}

#[test]
fn a_report_is_as_itself() {
    let comparison = against_base(&base());
    assert!(comparison.variants.iter().all(|variant| variant.changes.is_empty()));
    assert!(comparison.only.is_empty() && comparison.remarks.is_empty());
    assert!(!comparison.is_regression());
}

#[test]
fn a_number_is_judged_by_what_more_of_it_means() {
    for (variant, name, number, expected) in [
        // Exact ones of which more is worse, and of which less is.
        (MANUAL, "lost", 1, Grade::Regression),
        (MANUAL, "duplicates", 1, Grade::Regression),
        (MANUAL, "in_doubt", 1, Grade::Regression),
        (MANUAL, "unexpected", 1, Grade::Regression),
        (MANUAL, "delivered", 19, Grade::Regression),
        (MANUAL, "confirmed", 19, Grade::Regression),
        // What the plan lets be in a range, and what leaves it.
        (MANUAL, "redelivered", 9, Grade::Allowed),
        (MANUAL, "redelivered", 21, Grade::Differs),
        (AUTO, "lost", 3, Grade::Allowed),
        (AUTO, "lost", 8, Grade::Regression),
        (AUTO, "lost", 0, Grade::Better),
        // It depends.
        (MANUAL, "published", 21, Grade::Differs),
        (MANUAL, "begun", 22, Grade::Differs),
        (MANUAL, "dead_lettered", 1, Grade::Differs),
        (MANUAL, "remaining", 1, Grade::Differs),
    ] {
        let mut new = base();
        count(&mut new, variant, name, number);
        assert_eq!(grade(&new, variant, name), expected, "{variant} {name} {number}");
    }
}

#[test]
fn a_tolerance_decides_before_the_plan_does() {
    let tolerated = |variant: usize, name: &str, number: u64, by: Value, unit: &str| {
        let row = json!([{ "of": name, "by": by, "unit": unit }]);
        let mut new = changed(variant, &[("/tolerances", row)]);
        count(&mut new, variant, name, number);
        grade(&new, variant, name)
    };
    for (variant, name, number, by, unit, expected) in [
        (MANUAL, "lost", 2, json!(2), "number", Grade::Allowed),
        (MANUAL, "lost", 3, json!(2), "number", Grade::Regression),
        (MANUAL, "lost", 300, json!(null), "any", Grade::Allowed),
        (MANUAL, "redelivered", 9, json!(1), "number", Grade::Regression),
        (MANUAL, "redelivered", 5, json!(1), "number", Grade::Regression),
        (AUTO, "lost", 1, json!(2), "number", Grade::Better),
        (MANUAL, "begun", 23, json!(10), "percent", Grade::Allowed),
        (MANUAL, "begun", 24, json!(10), "percent", Grade::Regression),
        (MANUAL, "begun", 22, json!(0.5), "percent", Grade::Regression),
    ] {
        let found = tolerated(variant, name, number, by.clone(), unit);
        assert_eq!(found, expected, "{name} {number} ±{by} {unit}");
    }
}

#[test]
fn a_time_is_a_regression_only_with_a_tolerance() {
    let timed = |ms: u64, tolerance: Value| {
        let new = changed(MANUAL, &[("/duration_ms", ms.into()), ("/tolerances", tolerance)]);
        grade(&new, MANUAL, "duration_ms")
    };
    let by = |by: u64, unit: &str| json!([{ "of": "duration", "by": by, "unit": unit }]);
    assert_eq!(timed(727_000, json!([])), Grade::Differs);
    assert_eq!(timed(800, json!([])), Grade::Same, "nobody wants to read of it");
    assert_eq!(timed(100, json!([])), Grade::Better);
    assert_eq!(timed(727_000, by(50, "percent")), Grade::Regression);
    assert_eq!(timed(1000, by(50, "percent")), Grade::Same);
    assert_eq!(timed(828, by(100, "ms")), Grade::Regression);
    assert_eq!(timed(10, by(100, "ms")), Grade::Better);
}

#[test]
fn other_timings_are_found_by_their_names() {
    let with = |p99: u64, rate: u64, tolerances: Value| {
        let mut report = changed(MANUAL, &[("/tolerances", tolerances)]);
        report["scenarios"][0]["variants"][MANUAL]["timings"] = json!({
            "latency_ms": { "p99": p99 },
            "throughput": [{ "name": "orders", "per_second": rate }],
        });
        report
    };
    let base = reading("base.json", &with(200, 1000, json!([])));
    let graded = |new: Value, path: &str| {
        let comparison = compare(&[base.clone(), reading("new.json", &new)]).expect("comparable");
        change(&comparison, MANUAL, path).map_or(Grade::Same, |change| change.grade)
    };
    let (latency, rate) = ("timings.latency_ms.p99", "timings.throughput.orders.per_second");
    assert_eq!(graded(with(900, 1000, json!([])), latency), Grade::Differs);
    assert_eq!(graded(with(200, 100, json!([])), rate), Grade::Differs);
    assert_eq!(graded(with(200, 9000, json!([])), rate), Grade::Better);
    let tolerance = json!([{ "of": "latency", "by": 10, "unit": "percent" }]);
    assert_eq!(graded(with(221, 1000, tolerance), latency), Grade::Regression);
}

#[test]
fn verdicts_expectations_guarantees_and_causes_are_judged() {
    let verdict =
        |word: &str| grade(&changed(MANUAL, &[("/verdict", word.into())]), MANUAL, "verdict");
    assert_eq!(verdict("fail"), Grade::Regression);
    assert_eq!(verdict("inconclusive"), Grade::Regression);
    assert_eq!(verdict("skipped"), Grade::Regression, "it says nothing any more");
    let held = |held: Value| {
        let new = changed(MANUAL, &[("/expectations/1/held", held)]);
        grade(&new, MANUAL, "expect lost")
    };
    assert_eq!(held(json!(false)), Grade::Regression);
    assert_eq!(held(json!(null)), Grade::Differs);
    let other = changed(MANUAL, &[("/expectations/1/expected", "<= 3".into())]);
    assert_eq!(grade(&other, MANUAL, "expect lost"), Grade::Differs);
    let mut more = base();
    let list = &mut more["scenarios"][0]["variants"][MANUAL]["expectations"];
    let list = list.as_array_mut().expect("a list");
    list.push(json!({ "path": "lost", "expected": "3", "actual": 0, "held": false, "line": 1 }));
    assert_eq!(grade(&more, MANUAL, "expect lost (2)"), Grade::Regression);
    let broken = changed(MANUAL, &[("/guarantees/2/held", json!(false))]);
    assert_eq!(grade(&broken, MANUAL, "guarantees.lost"), Grade::Regression);
    let wider = changed(MANUAL, &[("/guarantees/2/high", json!(7))]);
    assert_eq!(grade(&wider, MANUAL, "guarantees.lost"), Grade::Differs);
    let caused = |names: Value, high: u64, path: &str| {
        let promise = [("/guarantees/2/low", json!(7)), ("/guarantees/2/high", json!(high))];
        let mut new = changed(AUTO, &promise);
        let base = reading("base.json", &new);
        new["scenarios"][0]["variants"][AUTO]["causes"][0]["causes"] = names;
        let comparison = compare(&[base, reading("new.json", &new)]).expect("comparable");
        change(&comparison, AUTO, path).map_or(Grade::Same, |change| change.grade)
    };
    let (two, path) = (json!(["auto_ack", "transient"]), "causes.lost.transient");
    assert_eq!(caused(two.clone(), 7, path), Grade::Regression);
    assert_eq!(caused(two, 9, path), Grade::Allowed);
    let unexplained = caused(json!(["unexplained"]), 9, "causes.lost.unexplained");
    assert_eq!(unexplained, Grade::Regression);
}

/// The plan of a file that was changed for the worse foretells the worse.
#[test]
fn a_range_counts_only_where_the_base_has_it() {
    let wider = changed(
        MANUAL,
        &[("/guarantees/2/high", json!(7)), ("/counts/lost", json!(3)), ("/causes", json!([]))],
    );
    let comparison = against_base(&wider);
    let lost = change(&comparison, MANUAL, "lost").expect("it differs");
    assert_eq!(lost.grade, Grade::Regression);
    let why = "more of them; the plan foretold 0 and now foretells 0..7";
    assert_eq!(lost.why.as_deref(), Some(why));
}

#[test]
fn between_versions_only_what_the_file_asks_for_is_a_regression() {
    let on = |mut report: Value, version: &str| {
        report["broker"]["version"] = version.into();
        report
    };
    let mut worse = base();
    count(&mut worse, MANUAL, "lost", 1);
    assert_eq!(grade(&on(worse.clone(), "3.10.25"), MANUAL, "lost"), Grade::Regression);
    assert_eq!(grade(&on(worse.clone(), "4.0.5"), MANUAL, "lost"), Grade::Differs);
    assert_eq!(grade(&on(worse, "3.1.0"), MANUAL, "lost"), Grade::Differs);
    let skipped = changed(MANUAL, &[("/verdict", "skipped".into())]);
    assert_eq!(grade(&on(skipped, "4.0.5"), MANUAL, "verdict"), Grade::Differs);
    let failed = changed(MANUAL, &[("/verdict", "fail".into())]);
    assert_eq!(grade(&on(failed, "4.0.5"), MANUAL, "verdict"), Grade::Regression);
    let mut bounded =
        changed(MANUAL, &[("/tolerances", json!([{ "of": "begun", "by": 1, "unit": "number" }]))]);
    count(&mut bounded, MANUAL, "begun", 29);
    assert_eq!(grade(&on(bounded, "4.0.5"), MANUAL, "begun"), Grade::Regression);
}

/// What is dealt out among programs in another way is a difference; a queue can lose on its own.
#[test]
fn parts_are_judged_where_somebody_promises_something_of_them() {
    let new =
        changed(MANUAL, &[("/workers/1/deliveries", json!(18)), ("/queues/0/lost", json!(1))]);
    assert_eq!(grade(&new, MANUAL, "workers.worker-2.deliveries"), Grade::Differs);
    assert_eq!(grade(&new, MANUAL, "queues.task_queue.lost"), Grade::Regression);
    let other = changed(MANUAL, &[("/queues/0/name", "jobs".into())]);
    let comparison = against_base(&other);
    let told: Vec<&str> =
        comparison.variants[MANUAL].told().map(|change| change.path.as_str()).collect();
    assert_eq!(told, ["queues.task_queue", "queues.jobs"], "and nothing of what is in them");
}

#[test]
fn scenarios_and_variants_find_each_other_or_are_said_to_be_alone() {
    let mut moved = base();
    moved["scenarios"][0]["file"] = "/elsewhere/work_queue.yaml".into();
    assert!(against_base(&moved).variants.iter().all(|variant| variant.changes.is_empty()));
    let mut renamed = base();
    renamed["scenarios"][0]["scenario"] = "queue-of-work".into();
    let comparison = against_base(&renamed);
    assert_eq!(comparison.variants.len(), 2);
    assert!(comparison.remarks[0].contains("was called work-queue and is queue-of-work now"));
    let twice = |mut report: Value| {
        let again = report["scenarios"][0].clone();
        report["scenarios"].as_array_mut().expect("a list").push(again);
        report
    };
    let (base_twice, mut new) = (twice(base()), twice(base()));
    new["scenarios"][1]["variants"][MANUAL]["counts"]["begun"] = 22.into();
    let both = [reading("a", &base_twice), reading("b", &new)];
    let changes: Vec<usize> =
        compare(&both).expect("comparable").variants.iter().map(|it| it.changes.len()).collect();
    assert_eq!(changes, [0, 0, 0, 1], "a file that was run twice is compared in its order");
    let mut strange = base();
    strange["scenarios"][0]["scenario"] = "other".into();
    strange["scenarios"][0]["file"] = "other.yaml".into();
    let error = compare(&[reading("a", &base()), reading("b", &strange)]).expect_err("refused");
    assert_eq!(error.message, "`b` has none of the scenarios of `a`");
}

/// A change for the worse, one for the better, one in its range; a variant that is gone, and one
/// that perhaps is it.
fn new_report() -> Value {
    let mut new = changed(
        MANUAL,
        &[
            ("/verdict", "fail".into()),
            ("/reason", "expected lost: 0, but 7 copies were lost".into()),
            ("/expectations/1/held", json!(false)),
            ("/expectations/1/actual", json!(7)),
            (
                "/causes",
                json!([{ "outcome": "lost", "count": 7, "causes": ["auto_ack"], "text": "" }]),
            ),
            ("/guarantees/2/high", json!(7)),
            ("/guarantees/2/low", json!(1)),
            ("/producers/0/delivered", json!(13)),
            ("/workers/1/deliveries", json!(10)),
        ],
    );
    for (name, number) in [("delivered", 13), ("lost", 8), ("redelivered", 2), ("begun", 14)] {
        count(&mut new, MANUAL, name, number);
    }
    count(&mut new, AUTO, "in_doubt", 1);
    let variants = new["scenarios"][0]["variants"].as_array_mut().expect("a list");
    variants[AUTO]["name"] = "auto | <acks>".into();
    new["verdict"] = "fail".into();
    new["seed"] = 7.into();
    new
}

/// The base with the same number changed on two versions, and one that all share.
fn versions() -> Vec<Reading> {
    let on = |version: &str, redelivered: u64, delivered: u64| {
        let mut report = base();
        report["broker"]["version"] = version.into();
        count(&mut report, MANUAL, "redelivered", redelivered);
        count(&mut report, AUTO, "delivered", delivered);
        count(&mut report, AUTO, "acked", delivered);
        reading(&format!("{version}.json"), &report)
    };
    vec![on("3.10.8", 7, 13), on("4.0.5", 7, 12), on("4.3.6", 9, 12)]
}

fn golden(name: &str, told: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compare").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, told).expect("it can be written");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(told, golden, "{} (UPDATE_GOLDEN=1 writes it anew)", path.display());
}

#[test]
fn what_changed_is_told_in_every_format() {
    let comparison = against_base(&new_report());
    golden("new.txt", &drawing::text(&comparison, Style::plain(80, 0)));
    golden("new.md", &drawing::markdown(&comparison));
    golden("new.out.json", &drawing::json(&comparison));
    let versions = compare(&versions()).expect("comparable");
    golden("versions.txt", &drawing::text(&versions, Style::plain(80, 0)));
    golden("versions.md", &drawing::markdown(&versions));
    golden("same.txt", &drawing::text(&against_base(&base()), Style::plain(80, 0)));
}

#[test]
fn no_line_that_is_told_is_wider_than_the_terminal() {
    for columns in 30..100 {
        for comparison in [against_base(&new_report()), compare(&versions()).expect("comparable")] {
            let text = drawing::text(&comparison, Style::plain(columns, 0));
            for line in text.lines() {
                assert!(line.chars().count() <= columns, "{columns}: {line}\n{text}");
            }
        }
    }
}

/// A comment on GitHub has at most 65 536 characters.
#[test]
fn a_page_of_many_variants_is_bounded_and_shows_regressions_first() {
    let many = |changed: bool| {
        let mut report = base();
        let variants = report["scenarios"][0]["variants"].as_array_mut().expect("a list");
        let one = variants[MANUAL].clone();
        *variants = (0..2000)
            .map(|number| {
                let mut it = one.clone();
                it["name"] = format!("variant {number}").into();
                if changed {
                    it["counts"]["begun"] = 30.into();
                    it["counts"]["lost"] = u64::from(number == 1999).into();
                }
                it
            })
            .collect();
        reading("many.json", &report)
    };
    let comparison = compare(&[many(false), many(true)]).expect("comparable");
    let page = drawing::markdown(&comparison);
    assert!(page.len() < 65_536, "{}", page.len());
    assert!(page.contains("variant 1999") && page.contains("variants had no room here."));
}
