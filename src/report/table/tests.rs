//! Whole outputs, as people see them.

use super::*;
use crate::diagnostic::{Diagnostic, Place};
use crate::plan::count::Count;
use crate::report::fixture::{self, AUTO, ELAPSED};
use crate::verdict::model::Verdict;

fn shown(report: &Report, style: Style) -> String {
    let scenarios = report.scenarios.iter().map(|s| scenario(s, style)).collect::<String>();
    scenarios + &summary(report, ELAPSED, false)
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
fn print_all() {
    for verbosity in 0..3 {
        for width in [80, 60] {
            println!(
                "-----{verbosity} {width}\n{}",
                shown(&passing(), Style::plain(width, verbosity))
            );
            println!(
                "-----{verbosity} {width}\n{}",
                shown(&fixture::full(), Style::plain(width, verbosity))
            );
        }
    }
}
