//! The rules of the verdict: what fails, what is inconclusive, what outweighs what.

use rmq_scenario::ledger::event::{Event, LifeEnd, LifeId};
use rmq_scenario::ledger::facts::{Cut, Effect, ErrorFact, Facts, FaultFact};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::matcher::{Matcher, Op};
use rmq_scenario::plan::model::{
    AckMode, ExchangeId, Expected, Fault, FaultAction, Instance, KillHow, QueueId, Scope, Trigger,
    WorkerId,
};
use rmq_scenario::verdict::model::{VariantReport, Verdict};

use crate::build::{Draft, NOWHERE, WINDOW};
use crate::script::{CRASH, P, Script};

const MANUAL: AckMode = AckMode::Manual { every: 1 };
const Q: QueueId = QueueId(0);

fn draft(ack: AckMode) -> Draft {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 4, WINDOW);
    draft.worker("w", queue, ack);
    draft
}

fn count(count: Count, matcher: Matcher) -> Expected {
    Expected::Count { scope: Scope::All, count, matcher }
}

fn cause(cause: &str, matcher: Matcher) -> Expected {
    Expected::Cause { cause: cause.to_owned(), matcher }
}

/// Four messages, of which the worker finishes `finished`; it is killed holding the rest, or
/// stops.
fn worked(draft: &Draft, finished: u32, how: LifeEnd) -> (Script, LifeId) {
    let mut script = Script::new(draft);
    let life = script.subscribe(WorkerId(0));
    script.publish_all(P, 4, true);
    (1..=finished).for_each(|n| script.read(life, n));
    (1..=finished).for_each(|_| script.complete(life));
    script.end_life(life, how);
    (script, life)
}

fn judged(draft: &Draft, finished: u32, facts: &Facts) -> VariantReport {
    worked(draft, finished, LifeEnd::Stopped).0.report(facts)
}

fn with(expectations: Vec<Expected>) -> Draft {
    let mut draft = draft(MANUAL);
    for what in expectations {
        draft.expect("path", "matcher", what);
    }
    draft
}

#[test]
fn an_expectation_holds_or_fails() {
    for (matcher, verdict) in
        [(Matcher::Exactly(4), Verdict::Pass), (Matcher::Exactly(3), Verdict::Fail)]
    {
        let draft = with(vec![count(Count::Delivered, matcher)]);
        let report = judged(&draft, 4, &Facts::default());
        assert_eq!(report.verdict, verdict, "{matcher:?}");
        assert_eq!(report.expectations[0].held, Some(verdict == Verdict::Pass));
        assert_eq!(report.expectations[0].actual, 4);
        assert_eq!(report.reason.is_some(), verdict == Verdict::Fail);
    }
}

#[test]
fn what_is_unexplained_fails_unless_the_file_expects_it() {
    let deadline = Facts { cut: Some(Cut::Deadline), ..Facts::default() };
    let over = Facts::default();
    for (facts, expectations, verdict) in [
        (&over, vec![], Verdict::Fail),
        (&over, vec![cause("unexplained", Matcher::Exactly(1))], Verdict::Pass),
        (&over, vec![cause("unexplained", Matcher::Exactly(0))], Verdict::Fail),
        (&over, vec![cause("unexplained", Matcher::Any)], Verdict::Fail),
        (&over, vec![count(Count::Lost, Matcher::Exactly(1))], Verdict::Fail),
        (&over, vec![cause("auto_ack", Matcher::Exactly(0))], Verdict::Fail),
        (&deadline, vec![cause("unexplained", Matcher::Exactly(1))], Verdict::Inconclusive),
        (&deadline, vec![cause("unexplained", Matcher::Exactly(0))], Verdict::Fail),
    ] {
        let report = judged(&with(expectations.clone()), 3, facts);
        assert_eq!(report.verdict, verdict, "{expectations:?}");
        assert_eq!(report.causes[0].causes, ["unexplained"]);
    }
}

#[test]
fn causes_are_counted_in_copies() {
    let mut draft = draft(AckMode::Auto);
    draft.expect("causes.auto_ack", "3", cause("auto_ack", Matcher::Exactly(3)));
    draft.expect("causes.early_ack", "0", cause("early_ack", Matcher::Exactly(0)));
    let report = worked(&draft, 1, CRASH).0.report(&Facts::default());
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.reason);
}

#[test]
fn what_is_unexpected_fails_whatever_the_file_says() {
    let draft = with(vec![count(Count::Unexpected, Matcher::Exactly(1))]);
    let (mut script, _) = worked(&draft, 4, LifeEnd::Stopped);
    script.events.push(Event::Drained { queue: Q, messages: vec![None] });
    script.events.push(Event::DrainEnded { queue: Q, complete: true, total: 1, at: 0 });
    let report = script.report(&Facts::default());
    assert_eq!((report.verdict, report.expectations[0].held), (Verdict::Fail, Some(true)));
}

#[test]
fn an_error_fails_unless_a_fault_explains_it() {
    for (explained, verdict) in [(true, Verdict::Pass), (false, Verdict::Fail)] {
        let text = "unknown delivery tag 9".to_owned();
        let error = ErrorFact { who: "w".to_owned(), scope: "channel", code: 406, text, explained };
        let facts = Facts { errors: vec![error], ..Facts::default() };
        let report = judged(&draft(MANUAL), 4, &facts);
        assert_eq!((report.verdict, report.errors[0].explained), (verdict, explained));
        let said = "w met a channel error 406: unknown delivery tag 9";
        assert_eq!(report.reason.is_some_and(|reason| reason.starts_with(said)), !explained);
    }
}

#[test]
fn a_cut_run_is_not_judged() {
    let draft = with(vec![count(Count::Delivered, Matcher::Exactly(99))]);
    for cut in [Cut::Deadline, Cut::Interrupted] {
        let facts = Facts { cut: Some(cut), ..Facts::default() };
        let report = judged(&draft, 4, &facts);
        assert_eq!((report.verdict, report.expectations[0].held), (Verdict::Inconclusive, None));
        assert_eq!(report.expectations[0].actual, 4, "it is shown all the same");
    }
}

#[test]
fn a_cut_run_fails_if_something_decides_worse() {
    let facts = Facts { cut: Some(Cut::Deadline), ..Facts::default() };
    assert_eq!(judged(&draft(MANUAL), 3, &facts).verdict, Verdict::Fail);
}

#[test]
fn a_queue_that_was_not_drained_leaves_doubt_unless_that_is_expected() {
    for (expectations, verdict) in [
        (vec![], Verdict::Inconclusive),
        (vec![count(Count::InDoubt, Matcher::Exactly(1))], Verdict::Pass),
        (vec![count(Count::InDoubt, Matcher::Exactly(0))], Verdict::Fail),
        (vec![count(Count::InDoubt, Matcher::Any)], Verdict::Inconclusive),
    ] {
        let (mut script, _) = worked(&with(expectations.clone()), 3, LifeEnd::Stopped);
        script.events.push(Event::DrainEnded { queue: Q, complete: false, total: 0, at: 0 });
        let report = script.report(&Facts::default());
        assert_eq!(report.verdict, verdict, "{expectations:?}");
        let outcomes = [Count::Delivered, Count::InDoubt, Count::Lost];
        assert_eq!(outcomes.map(|count| report.counts[count]), [3, 1, 0]);
    }
}

#[test]
fn what_is_unconfirmed_and_unseen_is_in_doubt_and_no_reason_to_worry() {
    let mut script = Script::new(&draft(MANUAL));
    script.start(P);
    script.publish(P, 1, 4);
    script.answer(P, 1, 2, true);
    script.answer(P, 3, 1, false);
    script.end(P, false);
    script.drain(Q, &[1, 2]);
    let report = script.report(&Facts::default());
    assert_eq!(report.verdict, Verdict::Pass);
    let outcomes = [Count::Confirmed, Count::Refused, Count::Unconfirmed];
    assert_eq!(outcomes.map(|count| report.counts[count]), [2, 1, 1]);
    let outcomes = [Count::Remaining, Count::TurnedAway, Count::InDoubt];
    assert_eq!(outcomes.map(|count| report.counts[count]), [2, 1, 1]);
}

fn kill(target: Instance, may_miss: bool) -> Fault {
    Fault {
        name: None,
        label: "kill it".to_owned(),
        action: FaultAction::Kill { target, how: KillHow::Crash, restart_after: None },
        trigger: Trigger::During(4),
        trigger_text: "during: 4".to_owned(),
        may_miss,
        at: NOWHERE,
    }
}

/// The verdict, and whether the fault fired and bit.
fn fault(draft: &Draft, read: u32, finished: u32, fact: FaultFact) -> (Verdict, bool, bool) {
    let mut script = Script::new(draft);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 2);
    script.answer(P, 1, 2, true);
    (1..=read).for_each(|n| script.read(life, n));
    (1..=finished).for_each(|_| script.complete(life));
    script.end_life(life, CRASH);
    script.end(P, true);
    let left: Vec<u32> = (finished + 1..=2).collect();
    script.drain(Q, &left);
    let facts = Facts { faults: vec![fact], ..Facts::default() };
    let report = script.report(&facts);
    (report.verdict, report.faults[0].fired, report.faults[0].bit)
}

#[test]
fn a_fault_on_a_worker_bites_if_it_held_something() {
    let mut draft = draft(MANUAL);
    draft.0.faults = vec![kill(Instance::Worker(WorkerId(0)), false)];
    let effect = Effect::Worker(LifeId(0));
    let fired = FaultFact { at: Some(1), effect, ..FaultFact::default() };
    let missed = FaultFact::default();
    let nobody = FaultFact { at: Some(1), ..FaultFact::default() };
    assert_eq!(fault(&draft, 1, 0, fired.clone()), (Verdict::Pass, true, true));
    assert_eq!(fault(&draft, 2, 2, fired.clone()), (Verdict::Inconclusive, true, false));
    assert_eq!(fault(&draft, 2, 2, missed.clone()), (Verdict::Inconclusive, false, false));
    assert_eq!(fault(&draft, 2, 2, nobody), (Verdict::Inconclusive, true, false));
    draft.0.faults[0].may_miss = true;
    assert_eq!(fault(&draft, 2, 2, fired), (Verdict::Pass, true, false));
    assert_eq!(fault(&draft, 2, 2, missed), (Verdict::Pass, false, false));
}

#[test]
fn a_fault_on_a_worker_bites_if_its_queue_got_more_afterwards() {
    let mut draft = draft(MANUAL);
    draft.0.faults = vec![kill(Instance::Worker(WorkerId(0)), false)];
    let mut script = Script::new(&draft);
    let life = script.subscribe(WorkerId(0));
    script.end_life(life, CRASH);
    script.publish_all(P, 1, true);
    script.drain(Q, &[1]);
    let fact = FaultFact { at: Some(1), effect: Effect::Worker(life), ..FaultFact::default() };
    let report = script.report(&Facts { faults: vec![fact], ..Facts::default() });
    assert_eq!((report.verdict, report.faults[0].bit), (Verdict::Pass, true));
}

#[test]
fn a_fault_on_a_producer_bites_if_it_had_messages_left_or_unanswered() {
    let mut draft = draft(MANUAL);
    draft.0.faults = vec![kill(Instance::Producer(P), false)];
    for (unanswered, left, verdict) in
        [(0, 2, Verdict::Pass), (1, 0, Verdict::Pass), (0, 0, Verdict::Inconclusive)]
    {
        let effect = Effect::Producer { published: 2, unanswered, left };
        let fired = FaultFact { at: Some(1), effect, ..FaultFact::default() };
        let found = fault(&draft, 2, 2, fired);
        assert_eq!(found, (verdict, true, verdict == Verdict::Pass), "{unanswered} {left}");
    }
}

#[test]
fn the_worst_finding_decides() {
    let mut draft = with(vec![count(Count::Delivered, Matcher::Compare(Op::Less, 2))]);
    draft.0.faults = vec![kill(Instance::Worker(WorkerId(0)), false)];
    let missed = Facts { faults: vec![FaultFact::default()], ..Facts::default() };
    let (mut script, life) = worked(&draft, 4, LifeEnd::Stopped);
    let report = script.report(&missed);
    assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::Fail, 1));
    assert_eq!(report.diagnostics.len(), 2, "the fault that missed is told as well");
    script.end_life(life, LifeEnd::Stopped);
    assert_eq!(script.report(&missed).verdict, Verdict::Unbalanced);
    assert!(Verdict::Unbalanced > Verdict::Error && Verdict::Error > Verdict::Fail);
    assert!(Verdict::Fail > Verdict::Inconclusive && Verdict::Inconclusive > Verdict::Pass);
}
