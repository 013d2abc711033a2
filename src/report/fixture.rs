//! Reports to test the printers with.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Place};
use crate::ledger::counts::Counts;
use crate::plan::count::Count;
use crate::plan::pattern::Scalar;
use crate::report::{BrokerInfo, FORMAT, Report, ScenarioReport};
use crate::verdict::model::{
    CauseRow, ErrorRow, ExpectationRow, FaultRow, GuaranteeRow, ObservationRow, ObservedQueue,
    ProbeRow, Row, ToleranceRow, VariantReport, Verdict, WorkerRow,
};
use crate::verdict::timings::{Quantiles, Timings};

/// How long the runs of the fixtures took.
pub const ELAPSED: Duration = Duration::from_millis(1420);

pub fn counts(numbers: &[(Count, u64)]) -> Counts {
    let mut counts = Counts::default();
    for &(count, n) in numbers {
        counts[count] = n;
    }
    counts
}

/// A variant of which only the name and the totals are known.
pub fn variant(name: &str, verdict: Verdict, numbers: &[(Count, u64)]) -> VariantReport {
    VariantReport {
        name: name.to_owned(),
        vars: Vec::new(),
        verdict,
        reason: None,
        duration_ms: 812,
        counts: counts(numbers),
        queues: Vec::new(),
        producers: Vec::new(),
        workers: Vec::new(),
        faults: Vec::new(),
        causes: Vec::new(),
        errors: Vec::new(),
        observations: Vec::new(),
        probes: Vec::new(),
        expectations: Vec::new(),
        guarantees: Vec::new(),
        timings: None,
        tolerances: Vec::new(),
        notes: Vec::new(),
        diagnostics: Vec::new(),
        declared: Vec::new(),
        histories: Vec::new(),
        picture: None,
    }
}

/// A run of one scenario.
pub fn report(variants: Vec<VariantReport>) -> Report {
    let verdict = variants.iter().map(|v| v.verdict).max().unwrap_or(Verdict::Skipped);
    let scenario = ScenarioReport {
        scenario: "work-queue".to_owned(),
        file: "scenarios/work_queue.yaml".to_owned(),
        verdict,
        variants,
    };
    Report {
        format: FORMAT,
        tool: "0.1.0",
        verdict,
        broker: BrokerInfo { version: "4.3.6".to_owned(), kind: "private" },
        seed: 1,
        scenarios: vec![scenario],
    }
}

/// The totals of 20 messages under auto ack with a killed worker, measured.
pub const AUTO: [(Count, u64); 7] = [
    (Count::Published, 20),
    (Count::Confirmed, 20),
    (Count::Expected, 20),
    (Count::Delivered, 13),
    (Count::Lost, 7),
    (Count::Deliveries, 20),
    (Count::Finished, 13),
];

/// One of everything.
pub fn full() -> Report {
    let mut variant = variant("auto ack", Verdict::Fail, &AUTO);
    variant.vars = vec![
        ("ack".into(), Scalar::Text("auto".into())),
        ("durable".into(), Scalar::Bool(false)),
        ("n".into(), Scalar::Int(3)),
        ("nothing".into(), Scalar::Null),
    ];
    let row = |name: &str, knows| Row { name: name.into(), counts: counts(&AUTO), knows };
    variant.queues = vec![row("task_queue", Count::in_queues)];
    variant.producers = vec![row("new_task", Count::in_producers)];
    variant.workers = vec![worker("worker-1", [10, 4, 3, 0, 0, 0, 0], true)];
    variant.faults = vec![fault(Some(163), "held 7", true)];
    variant.causes = vec![CauseRow {
        outcome: "lost".into(),
        count: 7,
        causes: vec!["auto_ack".into()],
        text: "worker-1 was killed in its 4th work".into(),
    }];
    variant.errors = vec![ErrorRow {
        who: "worker-1".into(),
        scope: "channel",
        code: 406,
        text: "PRECONDITION_FAILED".into(),
        explained: true,
    }];
    variant.observations = vec![ObservationRow {
        name: "mid".into(),
        at_ms: 500,
        queues: vec![ObservedQueue {
            name: "task_queue".into(),
            ready: 0,
            unacked: 8,
            consumers: 2,
            unacked_age_ms: 100,
        }],
    }];
    variant.probes = vec![ProbeRow {
        probe: "declare_queue",
        about: "task_queue".into(),
        ok: Some(false),
        code: Some(406),
        text: "PRECONDITION_FAILED - inequivalent arg 'durable'".into(),
    }];
    variant.expectations = vec![ExpectationRow {
        path: "lost".into(),
        expected: "0".into(),
        actual: 7.into(),
        held: Some(false),
        line: 38,
        complaint: None,
    }];
    variant.guarantees = vec![GuaranteeRow {
        count: "lost",
        low: 0,
        high: Some(7),
        rule: "auto-ack-death",
        actual: 7,
        held: Some(true),
    }];
    variant.timings = Some(timings());
    variant.tolerances = vec![
        ToleranceRow { of: "redelivered", by: 5.into(), unit: "number" },
        ToleranceRow { of: "duration", by: serde_json::Value::Null, unit: "any" },
    ];
    variant.declared = vec!["queue task_queue: durable, x-queue-type classic".into()];
    variant.notes = vec!["worker-2 got the rest".into()];
    report(vec![variant])
}

fn timings() -> Timings {
    let quantiles = Quantiles { p50: 1.5, p90: 2.25, p99: 3.0, p999: 3.0, max: 3.125 };
    Timings {
        latency_ms: Some(quantiles),
        confirm_ms: None,
        published_per_s: Some(9000.0),
        finished_per_s: Some(24.5),
        longest_gap_ms: BTreeMap::from([("task_queue".to_owned(), 41.5)]),
    }
}

/// Every verdict, with names and texts that mean something to XML, Markdown, CSV and terminals.
pub fn mixed() -> Report {
    let mut failed = variant("auto, \"a|b\" <x> & `y`", Verdict::Fail, &AUTO);
    failed.causes = full().scenarios[0].variants[0].causes.clone();
    failed.reason = Some("expected lost: 0, but 7 copies were lost".into());
    failed.diagnostics = vec![
        Diagnostic::error("expected lost: 0, but 7 copies were lost")
            .at(Some(place()))
            .note("why: auto_ack: \u{1b}[31m ]]> </failure>")
            .help("with `ack: manual` they would be redelivered"),
    ];
    failed.expectations = vec![
        expectation("lost", "0", Some(false), Some(0)),
        expectation("queues.q.lost", "7", Some(true), None),
        expectation("lost", "<=9", Some(true), None),
        expectation("duration", "<1s", None, None),
    ];
    let mut missed = variant("", Verdict::Inconclusive, &AUTO);
    missed.reason = Some("kill worker-1 never fired".into());
    missed.diagnostics =
        vec![Diagnostic::warning("kill worker-1 never fired: it began 3").at(Some(place()))];
    let mut skipped = variant("on 4.x", Verdict::Skipped, &[]);
    skipped.reason = Some("requires RabbitMQ >=4.0, this is 3.10.8".into());
    let mut broken = variant("gone", Verdict::Error, &[]);
    broken.reason = Some("connecting to 127.0.0.1:5672 failed".into());
    broken.diagnostics = vec![Diagnostic::error("connecting to 127.0.0.1:5672 failed")];
    let mut passed = variant("=plain\u{0}\nname", Verdict::Pass, &AUTO);
    passed.notes = vec!["7 redelivered: worker-2 got them".into()];
    report(vec![failed, missed, skipped, broken, passed])
}

fn place() -> Place {
    Place {
        file: "scenarios/work_queue.yaml".into(),
        line: 41,
        column: 21,
        width: 1,
        text: "    expect: { lost: 0 }".into(),
    }
}

fn expectation(
    path: &str,
    expected: &str,
    held: Option<bool>,
    complaint: Option<usize>,
) -> ExpectationRow {
    ExpectationRow {
        path: path.into(),
        expected: expected.into(),
        actual: 7.into(),
        held,
        line: 41,
        complaint,
    }
}

/// Deliveries, begun, finished, redelivered, repeats, acked, rejected.
pub fn worker(name: &str, numbers: [u64; 7], died: bool) -> WorkerRow {
    let [deliveries, begun, finished, redelivered, repeats, acked, rejected] = numbers;
    WorkerRow {
        name: name.to_owned(),
        deliveries,
        begun,
        finished,
        redelivered,
        repeats,
        acked,
        rejected,
        died,
    }
}

pub fn fault(at_ms: Option<u64>, effect: &str, bit: bool) -> FaultRow {
    FaultRow {
        fault: "kill worker-1".into(),
        fired: at_ms.is_some(),
        at_ms,
        effect: effect.into(),
        bit,
        recovered_ms: at_ms.map(|_| 45),
    }
}
