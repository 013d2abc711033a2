//! Whole documents, held against the rules of those who read them.

use super::*;
use crate::report::fixture;

#[path = "../../../tests/junit_rules/mod.rs"]
mod rules;

const MIXED: &str = include_str!("mixed.xml");

#[test]
fn every_verdict_has_its_element() {
    let text = render(&fixture::mixed());
    assert_eq!(text, MIXED, "\n{text}");
}

#[test]
fn servers_accept_it() {
    let mut twice = fixture::mixed();
    twice.scenarios.push(twice.scenarios[0].clone());
    let none = fixture::report(Vec::new());
    for report in [fixture::full(), fixture::mixed(), twice, none] {
        let found = rules::complaints(&render(&report));
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn no_character_breaks_it() {
    let every: String = ('\0'..='\u{2ff}').chain(['\u{fffe}', '\u{ffff}', '\u{10ffff}']).collect();
    let mut report = fixture::mixed();
    report.scenarios[0].scenario = every.clone();
    report.scenarios[0].file = every.clone();
    report.broker.version = every.clone();
    for variant in &mut report.scenarios[0].variants {
        variant.name = every.clone();
        variant.reason = Some(every.clone());
        variant.notes.push(every.clone());
        for found in &mut variant.diagnostics {
            found.message = every.clone();
        }
        variant.expectations.truncate(2);
    }
    let found = rules::complaints(&render(&report));
    assert!(found.is_empty(), "{found:?}");
}

/// The outcomes of a run and of its expectations, as the names of their elements.
fn outcomes(change: impl FnOnce(&mut crate::verdict::model::VariantReport)) -> Vec<String> {
    let mut report = fixture::mixed();
    report.scenarios[0].variants.truncate(1);
    change(&mut report.scenarios[0].variants[0]);
    let text = render(&report);
    let document = roxmltree::Document::parse(&text).expect("XML");
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let outcome = |case: roxmltree::Node| {
        let mut inside = case.children().filter(roxmltree::Node::is_element);
        inside.next().map_or("", |it| it.tag_name().name()).to_owned()
    };
    cases.map(outcome).collect()
}

#[test]
fn a_failed_expectation_is_one_failure_and_what_nobody_expected_another() {
    use crate::diagnostic::Diagnostic;
    let plain = outcomes(|_| {});
    assert_eq!(plain, ["system-out", "failure", "", "", "skipped"]);
    let more = outcomes(|it| it.diagnostics.push(Diagnostic::error("3 copies, unexplained")));
    assert_eq!(more, ["failure", "failure", "", "", "skipped"]);
    // A fault that did not bite as well changes nothing about what failed.
    let warned = outcomes(|it| it.diagnostics.push(Diagnostic::warning("it never fired")));
    assert_eq!(warned, plain);
    let alone = outcomes(|it| it.expectations.clear());
    assert_eq!(alone, ["failure"], "a variant that failed is never without one");
}
