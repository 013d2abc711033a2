//! The lessons in `scenarios`: each holds on the broker under test, the tables of their README
//! show what really happens, and each fails when its lesson is broken.

mod lessons;
mod pages;
mod scenes;
mod support;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use lessons::altered::{self, Altered};
use lessons::outcome::{Outcome, run};
use lessons::{Lesson, all, table};
use pages::page;
use support::{block_on, node};

/// The alterations that must fail on the broker under test.
fn alterations() -> Vec<&'static Altered> {
    altered::on(block_on(node()).version())
}

/// What became of every lesson that can share a node; run once.
fn outcomes() -> &'static [Outcome] {
    static OUTCOMES: OnceLock<Vec<Outcome>> = OnceLock::new();
    OUTCOMES.get_or_init(|| {
        let shared: Vec<Lesson> = all().into_iter().filter(|it| !it.wants_own_broker()).collect();
        run(&shared)
    })
}

/// What becomes of the lessons that set up a broker of their own.
fn on_their_own() -> &'static [Outcome] {
    static OUTCOMES: OnceLock<Vec<Outcome>> = OnceLock::new();
    OUTCOMES.get_or_init(|| {
        let own: Vec<Lesson> = all().into_iter().filter(Lesson::wants_own_broker).collect();
        run(&own)
    })
}

/// Fails with everything that is wrong, where anything is.
#[track_caller]
fn assert_none(complaints: impl Iterator<Item = String>) {
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn every_lesson_says_what_it_teaches() {
    for lesson in all() {
        let lines: Vec<&str> = lesson.text.lines().collect();
        let said = lines.iter().take_while(|line| line.starts_with("# ")).count();
        assert_eq!(said, 3, "{}: three lines of comment come first", lesson.name);
        assert!(lines[0].starts_with("# Teaches "), "{}: {}", lesson.name, lines[0]);
        assert!(lines[2].contains("utorial"), "{}: {}", lesson.name, lines[2]);
        let scenario = format!("scenario: {}", lesson.name.replace('_', "-"));
        assert_eq!(lines[3], scenario, "{}", lesson.name);
        let has = |key: &str| lines.iter().any(|line| line.starts_with(key));
        assert!(has("description: ") && has("tags: [tutorial-"), "{}", lesson.name);
        assert!(has("expect:") || has("variants:") || has("probes:"), "{}", lesson.name);
    }
}

#[test]
fn every_lesson_holds() {
    // Each has a variant for every version.
    let failed = outcomes().iter().filter(|outcome| outcome.verdict() != "pass");
    assert_none(failed.map(ToString::to_string));
}

#[test]
fn every_lesson_with_a_broker_of_its_own_holds() {
    let failed = on_their_own().iter().filter(|outcome| outcome.verdict() != "pass");
    assert_none(failed.map(ToString::to_string));
}

#[test]
fn every_table_shows_what_happens() {
    let outcomes = outcomes().iter().chain(on_their_own());
    let told = table::sections();
    let lessons: Vec<String> = all().into_iter().map(|lesson| lesson.name).collect();
    let mut names: Vec<&String> = told.iter().map(|section| &section.lesson).collect();
    names.sort();
    assert_eq!(names, lessons.iter().collect::<Vec<_>>(), "scenarios/README.md lists each once");
    assert_none(outcomes.flat_map(|outcome| {
        let section = told.iter().find(|section| section.lesson == outcome.lesson);
        section.expect("each is listed").complaints(outcome)
    }));
}

#[test]
fn every_lesson_can_be_broken() {
    let broken: BTreeSet<&str> = alterations().iter().map(|altered| altered.lesson).collect();
    let lessons = all();
    let lessons: BTreeSet<&str> = lessons.iter().map(|lesson| lesson.name.as_str()).collect();
    assert_eq!(broken, lessons, "each lesson has an altered copy that fails");
}

#[test]
fn a_broken_lesson_fails() {
    let shared = |altered: &&Altered| !altered.lesson().wants_own_broker();
    let altered: Vec<&Altered> = alterations().into_iter().filter(shared).collect();
    let lessons: Vec<Lesson> = altered.iter().map(|altered| altered.lesson()).collect();
    let outcomes = run(&lessons);
    let pairs = altered.iter().zip(&outcomes);
    assert_none(pairs.filter_map(|(altered, outcome)| altered.complaint(outcome)));
}

#[test]
fn a_broken_lesson_with_a_broker_of_its_own_fails() {
    // Not while the others boot brokers, too.
    on_their_own();
    let own = |altered: &&Altered| altered.lesson().wants_own_broker();
    let altered: Vec<&Altered> = alterations().into_iter().filter(own).collect();
    let lessons: Vec<Lesson> = altered.iter().map(|altered| altered.lesson()).collect();
    let outcomes = run(&lessons);
    let pairs = altered.iter().zip(&outcomes);
    assert_none(pairs.filter_map(|(altered, outcome)| altered.complaint(outcome)));
}

#[test]
fn what_differs_by_version_is_shown_by_lessons() {
    let rows = page("README.md").rows("");
    let differing = |row: &Vec<String>| {
        assert!(row[1] != row[2] || row[2] != row[3], "{row:?} differs nowhere");
        let (_, link) = row[4].rsplit_once("](scenarios/").expect("a row links to its lesson");
        link.trim_end_matches(".yaml)").to_owned()
    };
    let told: BTreeSet<String> = rows.iter().map(differing).collect();
    let depends = |lesson: &Lesson| lesson.text.contains("requires: { rabbitmq: ");
    let depending = all().into_iter().filter(depends).map(|lesson| lesson.name);
    assert_eq!(told, depending.collect(), "the README tells of each lesson with versions");
}
