//! What an expectation is measured on: scopes, the bases of percentages, fairness, order,
//! duration, observations.

use std::time::Duration;

use rmq_scenario::ledger::event::LifeEnd;
use rmq_scenario::ledger::facts::{Facts, ObservationFact, QueueNumbers};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::matcher::{DurationMatcher, Matcher, Op, Share};
use rmq_scenario::plan::model::{
    AckMode, ExchangeId, ExchangeKind, Expected, Observation, ObservedNumber, ProducerId, QueueId,
    Scope, Trigger, WorkerId,
};
use rmq_scenario::verdict::model::{ExpectationRow, Verdict};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script, message};

const MANUAL: AckMode = AckMode::Manual { every: 1 };

/// A fanout to `a` and `b`, each with a worker; two producers of four and two messages.
/// Worker `w-1` finishes three of the first producer's four, `w-2` one of the second's.
fn spread(expected: Expected) -> ExpectationRow {
    let mut draft = Draft::new();
    let fanout = draft.exchange("x", ExchangeKind::Fanout);
    for name in ["a", "b"] {
        let queue = draft.queue(name);
        draft.bind(fanout, queue, "");
    }
    draft.producer("p-1", fanout, &[""], 4, WINDOW);
    draft.producer("p-2", fanout, &[""], 2, WINDOW);
    draft.worker("w-1", QueueId(0), MANUAL);
    draft.worker("w-2", QueueId(1), MANUAL);
    draft.expect("path", "matcher", expected);
    let mut script = Script::new(&draft);
    let lives = [0, 1].map(|n| script.subscribe(WorkerId(n)));
    script.publish_all(P, 4, true);
    script.publish_all(ProducerId(1), 2, true);
    for n in 1..=4 {
        script.read(lives[0], n);
    }
    (0..3).for_each(|_| script.complete(lives[0]));
    let other = rmq_scenario::ledger::event::MessageKey { producer: ProducerId(1), n: 1 };
    script.read_from(lives[1], Some(other), false);
    script.complete(lives[1]);
    for life in lives {
        script.end_life(life, LifeEnd::Stopped);
        script.life_read(life);
    }
    script.report(&Facts::default()).expectations.remove(0)
}

fn of(scope: Scope, count: Count, matcher: Matcher) -> Expected {
    Expected::Count { scope, count, matcher }
}

#[test]
fn a_scope_has_its_own_numbers_and_a_group_their_sum() {
    let both = vec![ProducerId(0), ProducerId(1)];
    let workers = vec![WorkerId(0), WorkerId(1)];
    for (scope, count, actual) in [
        (Scope::All, Count::Expected, 12),
        (Scope::All, Count::Delivered, 4),
        (Scope::Queue(QueueId(0)), Count::Expected, 6),
        (Scope::Queue(QueueId(0)), Count::Delivered, 3),
        (Scope::Queue(QueueId(1)), Count::Lost, 5),
        (Scope::Producers(vec![ProducerId(0)]), Count::Published, 4),
        (Scope::Producers(vec![ProducerId(0)]), Count::Delivered, 3),
        (Scope::Producers(both.clone()), Count::Lost, 8),
        (Scope::Producers(both), Count::Confirmed, 6),
        (Scope::Workers(vec![WorkerId(0)]), Count::Deliveries, 4),
        (Scope::Workers(workers.clone()), Count::Finished, 4),
        (Scope::Workers(workers), Count::Acked, 4),
    ] {
        let row = spread(of(scope.clone(), count, Matcher::Exactly(actual)));
        assert_eq!((row.held, row.actual), (Some(true), actual.into()), "{scope:?} {count:?}");
    }
}

#[test]
fn percentages_are_of_the_same_scope() {
    let producer = |n: u16| Scope::Producers(vec![ProducerId(n)]);
    // Each is exactly this many hundredths of a percent of its base, rounded down.
    for (scope, count, share) in [
        (Scope::All, Count::Delivered, 3333),
        (Scope::Queue(QueueId(0)), Count::Delivered, 5000),
        (Scope::Queue(QueueId(1)), Count::Delivered, 1666),
        (producer(0), Count::Delivered, 3750),
        (producer(1), Count::Lost, 7500),
        (producer(1), Count::Confirmed, 10_000),
        (Scope::All, Count::Confirmed, 10_000),
        (Scope::All, Count::Finished, 8000),
        (Scope::Queue(QueueId(0)), Count::Begun, 7500),
        (Scope::Workers(vec![WorkerId(0)]), Count::Acked, 7500),
        (Scope::Workers(vec![WorkerId(0)]), Count::Rejected, 0),
    ] {
        let at_least = |share| {
            let matcher = Matcher::Percent(Op::GreaterOrEqual, Share(share));
            spread(of(scope.clone(), count, matcher)).held
        };
        assert_eq!(at_least(share), Some(true), "{scope:?} {count:?}");
        assert_eq!(at_least(share + 1), Some(false), "{scope:?} {count:?}");
    }
}

/// The first worker works for 30 ms and is killed in it; the second finishes 10 ms.
fn fairness(max_share: u64) -> ExpectationRow {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 2, WINDOW);
    let workers = ["w-1", "w-2"].map(|name| draft.worker(name, queue, MANUAL));
    let max_share = Share(max_share);
    draft.expect("fairness", "", Expected::Fairness { workers: workers.to_vec(), max_share });
    let mut script = Script::new(&draft);
    let lives = workers.map(|worker| script.subscribe(worker));
    script.publish_all(P, 2, true);
    script.read(lives[0], 1);
    script.read(lives[1], 2);
    script.begin(lives[0]);
    script.begin(lives[1]);
    script.wait(10_000);
    script.finish(lives[1]);
    script.ack(lives[1]);
    script.wait(20_000);
    script.end_life(lives[0], CRASH);
    script.end_life(lives[1], LifeEnd::Stopped);
    script.drain(queue, &[1]);
    let report = script.report(&Facts::default());
    assert_eq!(report.notes, ["1 remaining: still in queue q at the end"]);
    report.expectations[0].clone()
}

#[test]
fn unfinished_work_counts_for_fairness() {
    let fair = fairness(7500);
    assert_eq!((fair.held, fair.actual), (Some(true), "75.0%".into()));
    assert_eq!(fairness(7499).held, Some(false));
}

/// A worker reads these; a negative number is redelivered.
fn fifo(lives: &[&[i64]]) -> (Option<bool>, serde_json::Value) {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 9, WINDOW);
    draft.worker("w", queue, MANUAL);
    draft.expect("order", "fifo", Expected::Fifo);
    let mut script = Script::new(&draft);
    script.publish_all(P, 9, true);
    for numbers in lives {
        let life = script.subscribe(WorkerId(0));
        for n in *numbers {
            let key = message(u32::try_from(n.abs()).expect("a small number"));
            script.read_from(life, Some(key), *n < 0);
        }
        script.end_life(life, CRASH);
    }
    let row = script.report(&Facts::default()).expectations.remove(0);
    (row.held, row.actual)
}

#[test]
fn numbers_rise_except_for_redelivered_ones() {
    for (lives, breaches) in [
        (vec![&[1, 2, 5][..]], 0),
        (vec![&[1, 3, 2, 4]], 1),
        (vec![&[3, 2, 1]], 2),
        (vec![&[5, -1, -2, 6]], 0),
        (vec![&[1, -9, 2]], 0),
        (vec![&[4, 5], &[-4, -5, 6]], 0),
        (vec![&[4, 5], &[3, 6]], 1),
    ] {
        assert_eq!(fifo(&lives), (Some(breaches == 0), breaches.into()), "{lives:?}");
    }
}

#[test]
fn a_duration_is_measured_to_the_last_event() {
    for (micros, held) in [(4_999_999, true), (5_000_000, false)] {
        let mut draft = Draft::new();
        let matcher = DurationMatcher { op: Op::Less, bound: Duration::from_secs(5) };
        draft.expect("duration", "< 5s", Expected::Duration(matcher));
        let facts = Facts { duration: micros, ..Facts::default() };
        let report = Script::new(&draft).report(&facts);
        assert_eq!((report.expectations[0].held, report.duration_ms), (Some(held), micros / 1000));
    }
}

#[test]
fn an_observation_has_its_numbers_or_leaves_doubt() {
    let numbers =
        QueueNumbers { queue: QueueId(0), ready: 1, unacked: 2, consumers: 3, unacked_age_ms: 0 };
    let fact = ObservationFact { observation: 0, at: 5_000, queues: vec![numbers] };
    let seen = Facts { observations: vec![fact], ..Facts::default() };
    for (which, wanted, facts, verdict) in [
        (ObservedNumber::Ready, 1, &seen, Verdict::Pass),
        (ObservedNumber::Unacked, 2, &seen, Verdict::Pass),
        (ObservedNumber::Consumers, 3, &seen, Verdict::Pass),
        (ObservedNumber::Ready, 2, &seen, Verdict::Fail),
        (ObservedNumber::Ready, 1, &Facts::default(), Verdict::Inconclusive),
    ] {
        let mut draft = Draft::new();
        let queue = draft.queue("q");
        let when = Trigger::At(Duration::ZERO);
        draft.0.observations = vec![Observation { name: "mid".to_owned(), when }];
        let matcher = Matcher::Exactly(wanted);
        let what = Expected::Observed { observation: 0, queue, number: which, matcher };
        draft.expect("observe.mid.q", "", what);
        let report = Script::new(&draft).report(facts);
        assert_eq!(report.verdict, verdict, "{which:?}");
        let measured = verdict != Verdict::Inconclusive;
        assert_eq!(report.expectations[0].held.is_some(), measured, "{which:?}");
    }
}
