//! Whole outputs, as people see them.

use super::*;
use crate::diagnostic::{Diagnostic, Place};
use crate::plan::count::Count;
use crate::report::fixture::{self, AUTO, ELAPSED};
use crate::verdict::model::Verdict;

fn check(report: &Report, style: Style, expected: &str) {
    let shown = shown(report, style);
    assert_eq!(shown, expected, "\n{shown}");
    assert_fits(&shown, style.width);
}

fn assert_fits(shown: &str, columns: usize) {
    for line in shown.lines() {
        assert!(width(line) <= columns, "wider than {columns}: {line}");
        assert!(!line.ends_with(' ') && !line.contains(char::is_control), "{line:?}");
    }
}

fn shown(report: &Report, style: Style) -> String {
    let scenarios = report.scenarios.iter().map(|s| scenario(s, style)).collect::<String>();
    scenarios + &summary(report, ELAPSED, false, style)
}

fn passing() -> Report {
    let mut auto = fixture::variant("auto ack, nothing durable", Verdict::Pass, &AUTO);
    auto.causes = vec![crate::verdict::model::CauseRow {
        outcome: "lost".into(),
        count: 7,
        causes: vec!["auto_ack".into()],
        text: "under automatic acks RabbitMQ forgets a message when it sends it; worker-1 had \
               been sent 10, finished 3, and was killed in its 4th (160 ms)"
            .into(),
    }];
    let manual = [
        (Count::Published, 20),
        (Count::Confirmed, 20),
        (Count::Expected, 20),
        (Count::Delivered, 20),
        (Count::Redelivered, 7),
        (Count::Repeats, 7),
        (Count::Deliveries, 27),
        (Count::Begun, 21),
        (Count::Finished, 20),
        (Count::Acked, 20),
    ];
    let mut manual = fixture::variant("manual ack, durable", Verdict::Pass, &manual);
    manual.notes =
        vec!["7 redelivered: worker-1 held 7 unacked when it was killed; worker-2 got them".into()];
    fixture::report(vec![auto, manual])
}

#[test]
fn a_run_that_passes() {
    check(
        &passing(),
        Style::plain(80, 0),
        "
work-queue                                             scenarios/work_queue.yaml

 variant                    published  delivered  lost  redelivered
 auto ack, nothing durable         20         13     7            0    pass
 manual ack, durable               20         20     0            7    pass

 auto ack, nothing durable
   7 lost: under automatic acks RabbitMQ forgets a message when it sends it;
     worker-1 had been sent 10, finished 3, and was killed in its 4th (160 ms)
 manual ack, durable
   7 redelivered: worker-1 held 7 unacked when it was killed; worker-2 got
     them

2 variants passed in 1.4 s · seed 1
",
    );
}

#[test]
fn a_run_that_passes_on_a_narrow_terminal() {
    check(
        &passing(),
        Style::plain(60, 0),
        "
work-queue                         scenarios/work_queue.yaml

 auto ack, nothing durable: pass, published 20,
   delivered 13, lost 7, redelivered 0
 manual ack, durable: pass, published 20, delivered 20,
   lost 0, redelivered 7

 auto ack, nothing durable
   7 lost: under automatic acks RabbitMQ forgets a message
     when it sends it; worker-1 had been sent 10, finished
     3, and was killed in its 4th (160 ms)
 manual ack, durable
   7 redelivered: worker-1 held 7 unacked when it was
     killed; worker-2 got them

2 variants passed in 1.4 s · seed 1
",
    );
}

/// The expectation that did not hold, at its place.
fn complaint() -> Diagnostic {
    let place = Place {
        file: "scenarios/work_queue.yaml".into(),
        line: 41,
        column: 21,
        width: 1,
        text: "    expect: { lost: 0 }".into(),
    };
    let mut complaint = Diagnostic::error("expected lost: 0, but 7 copies were lost")
        .at(Some(place))
        .note("why: auto_ack; worker-1 was killed in its 4th work")
        .help("with `ack: manual` they would be redelivered");
    complaint.label = "7: messages 7, 9, 11, 13, 15 and 2 more".into();
    complaint
}

#[test]
fn a_run_that_fails() {
    let mut report = passing();
    let scenario = &mut report.scenarios[0];
    scenario.variants[0].verdict = Verdict::Fail;
    scenario.variants[0].diagnostics = vec![complaint()];
    let complaint = complaint().render(false);
    check(
        &report,
        Style::plain(80, 0),
        &format!(
            "
work-queue                                             scenarios/work_queue.yaml

 variant                    published  delivered  lost  redelivered
 auto ack, nothing durable         20         13     7            0    FAIL
 manual ack, durable               20         20     0            7    pass

 auto ack, nothing durable
   7 lost: under automatic acks RabbitMQ forgets a message when it sends it;
     worker-1 had been sent 10, finished 3, and was killed in its 4th (160 ms)
 manual ack, durable
   7 redelivered: worker-1 held 7 unacked when it was killed; worker-2 got
     them

In auto ack, nothing durable:
{}

1 failed, 1 passed of 2 variants in 1.4 s · seed 1
",
            complaint.trim_end()
        ),
    );
}

#[test]
fn a_run_that_proves_nothing() {
    let numbers = [(Count::Published, 20), (Count::Delivered, 20), (Count::Expected, 20)];
    let mut variant = fixture::variant("", Verdict::Inconclusive, &numbers);
    let missed = "kill worker-1 (during: 40) never fired: it began 10 deliveries";
    variant.reason = Some(missed.into());
    variant.diagnostics = vec![
        Diagnostic::warning(missed).help("a smaller number, or `may_miss: true` if this is meant"),
    ];
    let warning = variant.diagnostics[0].render(false);
    check(
        &fixture::report(vec![variant]),
        Style::plain(80, 0),
        &format!(
            "
work-queue                                             scenarios/work_queue.yaml

 published  delivered  lost  redelivered
        20         20     0            0    INCONCLUSIVE

{}

1 variant inconclusive in 1.4 s · seed 1
",
            warning.trim_end()
        ),
    );
}

#[test]
fn a_reason_that_no_diagnostic_says_is_told() {
    let mut variant = fixture::variant("cut", Verdict::Inconclusive, &[]);
    variant.reason = Some("the deadline of 60 s cut the run".into());
    check(
        &fixture::report(vec![variant]),
        Style::plain(80, 0),
        "
work-queue                                             scenarios/work_queue.yaml

 variant  published  delivered  lost  redelivered
 cut              0          0     0            0    INCONCLUSIVE

 cut
   INCONCLUSIVE: the deadline of 60 s cut the run

1 variant inconclusive in 1.4 s · seed 1
",
    );
}

#[test]
fn a_run_that_was_skipped() {
    let mut variant = fixture::variant("on 4.x", Verdict::Skipped, &[]);
    variant.reason = Some("it requires RabbitMQ >=4.0, and this is 3.10.8".into());
    check(
        &fixture::report(vec![variant]),
        Style::plain(80, 0),
        "
work-queue                                             scenarios/work_queue.yaml

 variant  published  delivered  lost  redelivered
 on 4.x           -          -     -            -    skipped

 on 4.x
   skipped: it requires RabbitMQ >=4.0, and this is 3.10.8

NOTHING WAS RUN: 1 variant skipped in 1.4 s · seed 1
",
    );
}

#[test]
fn a_very_wide_run() {
    let all = crate::plan::count::ALL.map(|count| (count, 10_000_000 + count as u64));
    let name = "every count there is, under a name that does not know when to stop, and goes on";
    let wide = fixture::variant(name, Verdict::Pass, &all);
    let plain = fixture::variant("plain \x1b[2J", Verdict::Unbalanced, &AUTO);
    check(
        &fixture::report(vec![wide, plain]),
        Style::plain(80, 0),
        "
work-queue                                             scenarios/work_queue.yaml

 variant                 published  delivered      lost  redelivered
 every count there is,    10000000   10000011  10000020     10000026    pass
 under a name that does
 not know when to stop,
 and goes on
 plain ␛[2J                     20         13         7            0    ERROR

 every count there is, under a name that does not know when to stop, and goes on
   also: dead_lettered 10000012, rejected 10000013, over_limit 10000014,
     expired 10000015, dropped 10000016, remaining 10000017,
     turned_away 10000018, in_doubt 10000019, unexpected 10000022,
     duplicates 10000028, still_queued 10000021, expected 10000010,
     refused 10000002, unconfirmed 10000003, returned 10000006,
     unroutable 10000007, republished 10000005, replied 10000008,
     unanswered 10000009, confirmed 10000001, unchecked 10000004,
     repeats 10000027

1 with books that do not balance, 1 passed of 2 variants in 1.4 s · seed 1
",
    );
}

#[test]
fn what_is_not_zero_gets_a_column_while_there_is_room() {
    let counts = [(Count::Published, 9), (Count::Remaining, 4), (Count::Returned, 2)];
    let variant = fixture::variant("short", Verdict::Pass, &counts);
    let report = fixture::report(vec![variant]);
    check(
        &report,
        Style::plain(80, 0),
        "
work-queue                                             scenarios/work_queue.yaml

 variant  published  delivered  lost  redelivered  remaining  returned
 short            9          0     0            0          4         2    pass

1 variant passed in 1.4 s · seed 1
",
    );
    check(
        &report,
        Style::plain(70, 0),
        "
work-queue                                   scenarios/work_queue.yaml

 variant  published  delivered  lost  redelivered  remaining
 short            9          0     0            0          4    pass

 short
   also: returned 2

1 variant passed in 1.4 s · seed 1
",
    );
}

#[test]
fn one_v_adds_rows_and_proofs() {
    check(
        &fixture::full(),
        Style::plain(80, 1),
        "
work-queue                                             scenarios/work_queue.yaml

 variant   published  delivered  lost  redelivered  expected  confirmed
 auto ack         20         13     7            0        20         20    FAIL

 auto ack
   7 lost by auto_ack: worker-1 was killed in its 4th work
   worker-2 got the rest
   also: deliveries 20, finished 13

   observed mid at 500 ms:
   queue       ready  unacked  consumers
   task_queue      0        8          2
   (unacked: the broker's number within 100 ms of that moment)

   probe declare_queue task_queue: 406 PRECONDITION_FAILED - inequivalent arg
     'durable'

   queue task_queue: durable, x-queue-type classic

   worker    deliveries  begun  finished  redelivered  repeats  acked
   worker-1          10      4         3            0        0      0    died

   queue       expected  delivered  lost  deliveries  finished
   task_queue        20         13     7          20        13

   producer  published  confirmed  delivered  lost
   new_task         20         20         13     7

   vars: ack = \"auto\", durable = false, n = 3, nothing = null
   fault kill worker-1: fired at 163 ms, bit: held 7; first delivery after it
     45 ms later
   error of worker-1, channel: 406 PRECONDITION_FAILED (explained by a fault)
   expected lost: 0 NOT HELD, actual 7 (line 38)
   latency p50 1.5 ms, p90 2.25 ms, p99 3 ms, max 3.125 ms
   9000 published per second, 24.5 finished per second
   longest time without a delivery 41.5 ms, of task_queue

1 variant failed in 1.4 s · seed 1
",
    );
}

#[test]
fn two_v_add_histories() {
    let mut report = fixture::report(vec![fixture::variant("", Verdict::Pass, &AUTO)]);
    let history = "message 9: published 2.1 ms, confirmed 3.0 ms, delivered to worker-1 3.2 ms, \
                   never begun";
    report.scenarios[0].variants[0].histories = vec![history.into()];
    assert!(!shown(&report, Style::plain(80, 1)).contains("message 9"));
    let shown = shown(&report, Style::plain(80, 2));
    let expected = "
   message 9: published 2.1 ms, confirmed 3.0 ms, delivered to worker-1
     3.2 ms, never begun
";
    assert!(shown.contains(expected), "{shown}");
}

/// Everything a variant can say, with text that nobody should trust.
fn nasty() -> Report {
    let mut report = fixture::full();
    let evil = "\x1b]0;title\x07 世界\u{202e} \t\r\n".repeat(9) + &"x".repeat(200);
    report.scenarios[0].scenario = evil.clone();
    report.scenarios[0].file = evil.clone();
    let variant = &mut report.scenarios[0].variants[0];
    variant.name = evil.clone();
    variant.reason = Some(evil.clone());
    variant.notes = vec![evil.clone()];
    variant.histories = vec![evil.clone()];
    variant.causes[0].text = evil.clone();
    variant.errors[0].text = evil.clone();
    variant.faults[0].effect = evil.clone();
    variant.vars.push((evil.clone(), crate::plan::pattern::Scalar::Text(evil.clone())));
    variant.queues[0].name = evil.clone();
    variant.workers[0].name = evil.clone();
    variant.observations[0].name = evil.clone();
    variant.observations[0].queues[0].name = evil.clone();
    variant.expectations[0].actual = evil.into();
    report
}

#[test]
fn nothing_steers_the_terminal_and_everything_fits_at_every_width() {
    for report in [passing(), nasty(), fixture::full(), fixture::report(Vec::new())] {
        for verbosity in 0..3 {
            for columns in [30, 40, 50, 59, 60, 61, 79, 80, 100] {
                let style = Style::plain(columns, verbosity);
                let scenarios = &report.scenarios;
                assert_fits(
                    &scenarios.iter().map(|s| scenario(s, style)).collect::<String>(),
                    columns,
                );
            }
        }
    }
}

#[test]
fn colour_adds_and_changes_no_word() {
    let mut report = passing();
    report.scenarios[0].variants[0].verdict = Verdict::Fail;
    let plain = shown(&report, Style::plain(80, 2));
    let colored = shown(&report, Style { color: true, ..Style::plain(80, 2) });
    assert!(
        colored.contains("\x1b[32mpass\x1b[0m\n") && colored.contains("\x1b[1;31mFAIL\x1b[0m\n")
    );
    let words = ["0", "1", "32", "1;31"]
        .iter()
        .fold(colored, |text, code| text.replace(&format!("\x1b[{code}m"), ""));
    assert_eq!(words, plain);
}

#[test]
fn a_run_that_was_interrupted_before_its_first_variant_ended() {
    let shown = shown(&fixture::report(Vec::new()), Style::plain(80, 0));
    let expected = "
work-queue                                             scenarios/work_queue.yaml

nothing was run in 1.4 s · seed 1
";
    assert_eq!(shown, expected);
}

#[test]
fn the_last_line_tells_the_worst_first() {
    use Verdict::{Error, Fail, Inconclusive, Pass, Skipped};
    for (verdicts, text) in [
        (&[][..], "nothing was run"),
        (&[Pass], "1 variant passed"),
        (&[Pass, Pass, Fail], "1 failed, 2 passed of 3 variants"),
        (
            &[Skipped, Inconclusive, Error, Pass],
            "1 could not run, 1 inconclusive, 1 skipped, 1 passed of 4 variants",
        ),
        (&[Skipped, Skipped], "NOTHING WAS RUN: 2 variants skipped"),
    ] {
        assert_eq!(tally(verdicts), text);
    }
    let report = fixture::report(vec![fixture::variant("", Pass, &AUTO)]);
    let last = "\ninterrupted; 1 variant passed in 1.4 s · seed 1\n";
    assert_eq!(summary(&report, ELAPSED, true, Style::plain(80, 0)), last);
}

#[test]
fn a_column_of_zeros_makes_room_for_what_became_of_copies() {
    let full = [(Count::Published, 20), (Count::Dropped, 15), (Count::Remaining, 5)];
    let other = [(Count::Published, 20), (Count::Remaining, 20), (Count::DeadLettered, 3)];
    let named = |name: &str, counts: &[(Count, u64)]| fixture::variant(name, Verdict::Pass, counts);
    let mut variants = vec![named("reject-publish, no confirms", &full), named("other", &other)];
    let heads = |variants: &[crate::verdict::model::VariantReport]| {
        let text = scenario(&fixture::report(variants.to_vec()).scenarios[0], Style::plain(80, 0));
        let line = text.lines().find(|line| line.contains("published")).expect("a head").to_owned();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    // What both have comes first; zeros of `redelivered` are given up for it.
    assert_eq!(heads(&variants), ["published", "delivered", "lost", "remaining"]);
    variants[0] = named(
        "reject-publish, no confirms",
        &[(Count::Published, 20), (Count::Remaining, 5), (Count::Redelivered, 1)],
    );
    assert_eq!(heads(&variants), ["published", "delivered", "lost", "redelivered"]);
}
