//! Errors and answers against what is expected of them, and what probes leave in the books.

use rmq_scenario::ledger::event::{Event, LifeEnd};
use rmq_scenario::ledger::facts::{Cut, ErrorFact, Facts, ProbeFact, Said};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{
    AckMode, ExchangeId, Expected, ExpectedError, Operation, Probe, WorkerId,
};
use rmq_scenario::scenario::At;
use rmq_scenario::verdict::model::{VariantReport, Verdict};

use crate::build::{Draft, WINDOW};
use crate::script::{P, Script};

fn error(who: &str, code: u16, explained: bool) -> ErrorFact {
    let text = format!("these are the words of {code}");
    ErrorFact { who: who.to_owned(), scope: "channel", code, text, explained }
}

fn like(code: Option<u16>, text: Option<&str>, who: &[&str]) -> ExpectedError {
    let names: Vec<String> = who.iter().map(|&name| name.to_owned()).collect();
    let who = (!names.is_empty()).then_some(names);
    ExpectedError { who, scope: None, code, text: text.map(str::to_owned) }
}

/// The verdict on a file with this list of errors in a run with those.
fn listed(list: &[ExpectedError], met: &[ErrorFact], cut: Option<Cut>) -> VariantReport {
    let mut draft = Draft::new();
    for error in list {
        draft.expect("errors.n", "", Expected::Error(error.clone()));
    }
    draft.expect("errors", "", Expected::NoOtherErrors(list.to_vec()));
    let facts = Facts { errors: met.to_vec(), cut, ..Facts::default() };
    Script::new(&draft).report(&facts)
}

#[test]
fn each_listed_error_comes_at_least_once_and_no_other_does() {
    let (w, v) = (|code| error("w", code, false), |code| error("v", code, true));
    let (any, of_406) = (like(None, None, &[]), like(Some(406), None, &[]));
    let of_w = like(Some(406), Some("words of 406"), &["w", "x"]);
    let words = like(None, Some("other words"), &[]);
    for (list, met, held) in [
        (vec![], vec![], true),
        (vec![], vec![w(406)], false),
        // By the letter: one that a fault explains is another one, too.
        (vec![], vec![v(406)], false),
        (vec![any.clone()], vec![], false),
        (vec![any], vec![w(406), v(404)], true),
        (vec![of_406.clone()], vec![w(406), w(406)], true),
        (vec![of_406.clone()], vec![w(406), w(404)], false),
        (vec![of_406.clone(), of_w.clone()], vec![w(406)], true),
        (vec![of_w.clone()], vec![w(406), v(406)], false),
        (vec![of_w], vec![v(406)], false),
        (vec![words], vec![w(406)], false),
    ] {
        let report = listed(&list, &met, None);
        let all = report.expectations.iter().all(|row| row.held == Some(true));
        let verdict = if held { Verdict::Pass } else { Verdict::Fail };
        assert_eq!((all, report.verdict), (held, verdict), "{list:?} {met:?}");
    }
    // What is not judged excuses only what it says.
    let cut = Some(Cut::Deadline);
    let report = listed(std::slice::from_ref(&of_406), &[w(406)], cut);
    assert_eq!(report.verdict, Verdict::Inconclusive);
    assert_eq!(listed(&[of_406], &[w(404)], cut).verdict, Verdict::Fail);
}

/// A file with one probe, and perhaps something expected of it.
fn told(expected: Option<Option<ExpectedError>>, said: Option<Said>) -> VariantReport {
    let mut draft = Draft::new();
    let operation = Operation::AckUnknownTag(9);
    draft.0.probes = vec![Probe { operation, about: "9".to_owned(), when: None, at: At::node(0) }];
    if let Some(error) = expected {
        draft.expect("probes.1.x", "", Expected::Told { probe: 0, error });
    }
    let fact = said.map(|said| ProbeFact { probe: 0, at: 1_000, said });
    Script::new(&draft).report(&Facts { probes: Vec::from_iter(fact), ..Facts::default() })
}

#[test]
fn a_probe_is_told_what_is_expected_or_fails() {
    let done = || Some(Said::Done("empty".to_owned()));
    let refused = || {
        let text = "unknown delivery tag 9".to_owned();
        Some(Said::Refused { scope: "channel", code: 406, text })
    };
    let error = |code, text| Some(Some(like(Some(code), Some(text), &[])));
    for (expected, said, verdict) in [
        (None, done(), Verdict::Pass),
        (None, refused(), Verdict::Fail),
        (None, None, Verdict::Pass),
        (Some(None), done(), Verdict::Pass),
        (Some(None), refused(), Verdict::Fail),
        (Some(None), None, Verdict::Inconclusive),
        (error(406, "delivery tag"), refused(), Verdict::Pass),
        (error(406, "inequivalent"), refused(), Verdict::Fail),
        (error(404, "delivery tag"), refused(), Verdict::Fail),
        (error(406, "delivery tag"), done(), Verdict::Fail),
        (error(406, "delivery tag"), None, Verdict::Inconclusive),
    ] {
        let report = told(expected.clone(), said.clone());
        assert_eq!(report.verdict, verdict, "{expected:?} {said:?}");
        let row = &report.probes[0];
        let ok = said.as_ref().map(|said| matches!(said, Said::Done(_)));
        let code = matches!(said, Some(Said::Refused { .. })).then_some(406);
        assert_eq!((row.probe, row.ok, row.code), ("ack_unknown_tag", ok, code));
    }
}

/// A worker reads five messages, and one of them nobody of this run has published.
fn with_a_stranger(excused: u64) -> VariantReport {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 4, WINDOW);
    draft.worker("w", queue, AckMode::Manual { every: 1 });
    let mut script = Script::new(&draft);
    let life = script.subscribe(WorkerId(0));
    script.publish_all(P, 4, true);
    script.read_from(life, None, false);
    (1..=4).for_each(|n| script.read(life, n));
    (0..5).for_each(|_| script.complete(life));
    script.end_life(life, LifeEnd::Stopped);
    script.events.push(Event::Excused { deliveries: excused });
    script.report(&Facts::default())
}

#[test]
fn what_a_probe_published_is_not_unexpected() {
    for (excused, unexpected, verdict) in [(1, 0, Verdict::Pass), (0, 1, Verdict::Fail)] {
        let report = with_a_stranger(excused);
        assert_eq!((report.counts[Count::Unexpected], report.verdict), (unexpected, verdict));
        assert_eq!((report.counts[Count::Expected], report.workers[0].finished), (4, 5));
    }
}
