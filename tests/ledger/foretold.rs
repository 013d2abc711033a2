//! What a report says when a run is not what its plan foretold.

use rmq_scenario::ledger::event::LifeEnd;
use rmq_scenario::ledger::facts::{Cut, Facts};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{AckMode, ExchangeId, Expected, WorkerId};
use rmq_scenario::verdict::model::{VariantReport, Verdict};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script};

/// Three messages, and a worker under automatic acks that dies in the first, though nothing in the
/// plan kills it: or that works on all of them.
fn report(dies: bool, expects: bool, cut: Option<Cut>) -> VariantReport {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 3, WINDOW);
    draft.worker("w", queue, AckMode::Auto);
    if expects {
        draft.expect("guarantees", "true", Expected::Guarantees);
    }
    let mut script = Script::new(&draft);
    let life = script.subscribe(WorkerId(0));
    script.publish_all(P, 3, true);
    (1..=3).for_each(|n| script.read(life, n));
    if dies {
        script.begin(life);
        script.end_life(life, CRASH);
    } else {
        (1..=3).for_each(|_| script.complete(life));
        script.end_life(life, LifeEnd::Stopped);
    }
    script.life_read(life);
    script.drain(queue, &[]);
    script.report(&Facts { cut, ..Facts::default() })
}

fn held(report: &VariantReport, count: Count) -> Option<bool> {
    report.guarantees.iter().find(|row| row.count == count.name()).unwrap().held
}

#[test]
fn a_broken_guarantee_is_said_loudly() {
    let report = report(true, false, None);
    assert_eq!(report.verdict, Verdict::Pass, "nothing was expected: {:?}", report.reason);
    assert_eq!(held(&report, Count::Lost), Some(false));
    assert_eq!(held(&report, Count::Published), Some(true));
    let said = &report.diagnostics[0];
    let names = "delivered, lost, begun, finished";
    assert_eq!(said.message, format!("{names} are not what the plan of this variant guarantees"));
    let why = "lost: 3, not 0, by the rule never: nothing in the file makes it happen";
    assert!(said.notes.iter().any(|note| note == why), "{:?}", said.notes);
}

#[test]
fn whoever_expects_the_guarantees_fails_without_them() {
    let broken = report(true, true, None);
    assert_eq!(broken.verdict, Verdict::Fail);
    let row = &broken.expectations[0];
    assert_eq!((row.held, &row.actual), (Some(false), &4.into()));
    assert_eq!(broken.diagnostics.len(), 1, "once is enough: {:?}", broken.diagnostics);
    let whole = report(false, true, None);
    assert_eq!((whole.verdict, whole.expectations[0].held), (Verdict::Pass, Some(true)));
    assert_eq!(whole.diagnostics.len(), 0);
}

#[test]
fn a_run_that_was_cut_is_held_to_nothing() {
    let report = report(true, true, Some(Cut::Deadline));
    assert!(report.guarantees.iter().all(|row| row.held.is_none()));
    assert_eq!(report.expectations[0].held, None);
}
