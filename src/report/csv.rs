//! The counts as a table for spreadsheets and databases: RFC 4180, with a header.
//!
//! One row for the whole of each variant, and one for each queue, producer and worker. The columns
//! are the same in every file, in the same order. A cell is empty where its count has no meaning,
//! and in the rows of what was skipped: nothing was counted there, which is not zero.

use crate::plan::count::{ALL, Count};
use crate::report::{Report, ScenarioReport, times};
use crate::verdict::model::{VariantReport, Verdict, WorkerRow};

/// What comes before the counts.
const HEAD: [&str; 8] =
    ["broker", "file", "scenario", "variant", "verdict", "duration_ms", "scope", "name"];

/// The whole table; lines end as the RFC wants them, with CR and LF.
pub fn render(report: &Report) -> String {
    let head = HEAD.into_iter().chain(ALL.map(Count::name)).chain(times::CELLS).map(str::to_owned);
    let mut text = line(head);
    for scenario in &report.scenarios {
        for variant in &scenario.variants {
            let head = head_of(report, scenario, variant);
            for (scope, name, numbers) in rows(variant) {
                let own = [scope.to_owned(), name.to_owned()];
                text += &line(head.iter().cloned().chain(own).chain(numbers));
            }
        }
    }
    text
}

fn head_of(report: &Report, scenario: &ScenarioReport, variant: &VariantReport) -> [String; 6] {
    [
        report.broker.version.clone(),
        scenario.file.clone(),
        scenario.scenario.clone(),
        variant.name.clone(),
        variant.verdict.name().to_owned(),
        variant.duration_ms.to_string(),
    ]
}

/// Scope, name and cells of each row of a variant.
fn rows(variant: &VariantReport) -> Vec<(&'static str, &str, Vec<String>)> {
    let cells = |number: &dyn Fn(Count) -> Option<u64>| {
        let known = ALL.map(|count| number(count).filter(|_| variant.verdict != Verdict::Skipped));
        known.map(|number| number.map(|n| n.to_string()).unwrap_or_default())
    };
    let whole = cells(&|count| Some(variant.counts[count]));
    let whole = whole.into_iter().chain(times::cells(variant.timings.as_ref())).collect();
    let mut rows = vec![("run", "", whole)];
    for (scope, list) in [("queue", &variant.queues), ("producer", &variant.producers)] {
        rows.extend(list.iter().map(|row| {
            let number = |count| (row.knows)(count).then(|| row.counts[count]);
            (scope, row.name.as_str(), untimed(cells(&number)))
        }));
    }
    rows.extend(variant.workers.iter().map(|row| {
        let number = |count| of_worker(row, count);
        ("worker", row.name.as_str(), untimed(cells(&number)))
    }));
    rows
}

/// Times are those of the whole run.
fn untimed<const N: usize>(counts: [String; N]) -> Vec<String> {
    counts.into_iter().chain(times::cells(None)).collect()
}

fn of_worker(row: &WorkerRow, count: Count) -> Option<u64> {
    Some(match count {
        Count::Deliveries => row.deliveries,
        Count::Begun => row.begun,
        Count::Finished => row.finished,
        Count::Redelivered => row.redelivered,
        Count::Repeats => row.repeats,
        Count::Acked => row.acked,
        Count::Rejected => row.rejected,
        _ => return None,
    })
}

fn line(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|cell| quoted(&cell)).collect();
    cells.join(",") + "\r\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    /// What somebody else's reader makes of it: the header, and each row by its names.
    fn read(text: &str) -> (Vec<String>, Vec<csv::StringRecord>) {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let head = reader.headers().expect("a header").iter().map(str::to_owned).collect();
        (head, reader.records().collect::<Result<_, _>>().expect("rows of one length"))
    }

    #[test]
    fn the_text_is_this() {
        let mut report = fixture::full();
        report.scenarios[0].variants[0].name = "auto, \"so\"".into();
        assert_eq!(
            render(&report).replace("\r\n", "\n"),
            "\
broker,file,scenario,variant,verdict,duration_ms,scope,name,published,confirmed,refused,\
unconfirmed,unchecked,republished,returned,unroutable,replied,unanswered,expected,delivered,\
dead_lettered,rejected,over_limit,expired,dropped,remaining,turned_away,in_doubt,lost,\
still_queued,unexpected,deliveries,begun,finished,redelivered,repeats,duplicates,acked,\
latency_p50_ms,latency_p99_ms,latency_max_ms,confirm_p50_ms,confirm_p99_ms,confirm_max_ms,\
published_per_s,finished_per_s
4.3.6,scenarios/work_queue.yaml,work-queue,\"auto, \"\"so\"\"\",fail,812,run,,\
20,20,0,0,0,0,0,0,0,0,20,13,0,0,0,0,0,0,0,0,7,0,0,20,0,13,0,0,0,0,1.5,3,3.125,,,,9000,24.5
4.3.6,scenarios/work_queue.yaml,work-queue,\"auto, \"\"so\"\"\",fail,812,queue,task_queue,\
,,,,,,,,,,20,13,0,0,0,0,0,0,0,0,7,0,,20,0,13,0,0,0,,,,,,,,,
4.3.6,scenarios/work_queue.yaml,work-queue,\"auto, \"\"so\"\"\",fail,812,producer,new_task,\
20,20,0,0,0,0,0,0,0,0,,13,0,0,0,0,0,0,0,0,7,,,,,,,,,,,,,,,,,
4.3.6,scenarios/work_queue.yaml,work-queue,\"auto, \"\"so\"\"\",fail,812,worker,worker-1,\
,,,,,,,,,,,,,0,,,,,,,,,,10,4,3,0,0,,0,,,,,,,,
"
        );
    }

    #[test]
    fn every_name_comes_back_and_what_was_skipped_was_not_counted() {
        let report = fixture::mixed();
        let (head, rows) = read(&render(&report));
        assert_eq!(head.len(), HEAD.len() + ALL.len() + times::CELLS.len());
        let names: Vec<_> = report.scenarios[0].variants.iter().map(|v| v.name.as_str()).collect();
        assert_eq!(rows.iter().map(|row| &row[3]).collect::<Vec<_>>(), names);
        for (row, variant) in rows.iter().zip(&report.scenarios[0].variants) {
            let lost = head.iter().position(|name| name == "lost").expect("a column");
            let expected = match variant.verdict {
                Verdict::Skipped => String::new(),
                _ => variant.counts[Count::Lost].to_string(),
            };
            assert_eq!(row[lost], expected);
        }
    }

    #[test]
    fn a_report_of_nothing_is_a_header() {
        let (head, rows) = read(&render(&fixture::report(Vec::new())));
        assert_eq!((head.len(), rows.len()), (HEAD.len() + ALL.len() + times::CELLS.len(), 0));
    }
}
