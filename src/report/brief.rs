//! What is left of a scenario for `--quiet`: one line. It begins with the verdict and the file, so that
//! a line can be found in a log, and has no columns that a longer name would move.

use crate::ledger::counts::Counts;
use crate::plan::count::Count::{self, Delivered, Lost, Published};
use crate::plan::count::{ALL, COPY_OUTCOMES};
use crate::report::ScenarioReport;
use crate::report::table::{columns, tally};
use crate::report::text::visible;
use crate::verdict::model::{VariantReport, Verdict};

/// `pass scenarios/work_queue.yaml: 2 variants passed; published 40, delivered 33, lost 7`, and why
/// it did not pass where it did not. The counts are the sums of the variants that were run.
pub fn scenario(report: &ScenarioReport) -> String {
    let verdicts: Vec<_> = report.variants.iter().map(|variant| variant.verdict).collect();
    let (word, file) = (columns::word(report.verdict), visible(&report.file));
    let mut line = format!("{word} {file}: {}", tally(&verdicts));
    if let Some(counts) = counts(&report.variants) {
        line = format!("{line}; {counts}");
    }
    if let Some(why) = why(report) {
        line = format!("{line}; {why}");
    }
    line + "\n"
}

/// What was published, delivered and lost, and what else became of copies; nothing where nothing ran.
fn counts(variants: &[VariantReport]) -> Option<String> {
    let ran = variants.iter().filter(|variant| variant.verdict != Verdict::Skipped);
    let ran: Vec<&Counts> = ran.map(|variant| &variant.counts).collect();
    let sum = |count: Count| ran.iter().map(|counts| counts[count]).sum::<u64>();
    let always = |count: &Count| matches!(count, Published | Delivered | Lost);
    let told = |count: &Count| always(count) || COPY_OUTCOMES.contains(count) && sum(*count) > 0;
    let told: Vec<_> = ALL.into_iter().filter(told).collect();
    let told: Vec<_> = told.iter().map(|it| format!("{} {}", it.name(), sum(*it))).collect();
    (!ran.is_empty()).then(|| told.join(", "))
}

/// Why the first of the worst variants did not pass, with its name and where in the file that is.
fn why(report: &ScenarioReport) -> Option<String> {
    if report.verdict == Verdict::Pass {
        return None;
    }
    let mut worst = report.variants.iter().filter(|variant| variant.verdict == report.verdict);
    let first = worst.next()?;
    let found = first.diagnostics.first();
    let place = found.and_then(|found| found.place.as_ref());
    let line = place.map(|place| format!("line {}: ", place.line)).unwrap_or_default();
    let said = found.map(|found| &found.message).or(first.reason.as_ref())?;
    let name = match first.name.as_str() {
        "" => String::new(),
        name => format!("{name}: "),
    };
    let more = match first.diagnostics.len() {
        0 | 1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    Some(visible(&format!("{name}{line}{said}{more}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostic;
    use crate::plan::count::Count::DeadLettered;
    use crate::report::fixture::{report, variant};

    fn told(variants: Vec<VariantReport>) -> String {
        scenario(&report(variants).scenarios[0])
    }

    fn ran(name: &str, verdict: Verdict) -> VariantReport {
        variant(name, verdict, &[(Published, 20), (Delivered, 13), (DeadLettered, 7)])
    }

    #[test]
    fn what_passes_is_told_with_the_sums_of_its_variants() {
        assert_eq!(
            told(vec![ran("auto ack", Verdict::Pass), ran("manual ack", Verdict::Pass)]),
            "pass scenarios/work_queue.yaml: 2 variants passed; published 40, delivered 26, \
             dead_lettered 14, lost 0\n"
        );
    }

    #[test]
    fn what_does_not_pass_is_told_with_its_reason_on_the_same_line() {
        let mut failed = ran("manual\nack", Verdict::Fail);
        let complaint = Diagnostic::error("expected lost: 0, but\n7 copies were lost");
        failed.diagnostics = vec![complaint.clone(), complaint];
        let line = told(vec![ran("auto ack", Verdict::Pass), failed]);
        assert_eq!(
            line,
            "FAIL scenarios/work_queue.yaml: 1 failed, 1 passed of 2 variants; published 40, \
             delivered 26, dead_lettered 14, lost 0; manual␊ack: expected lost: 0, but␊7 copies \
             were lost (and 1 more)\n"
        );
    }

    #[test]
    fn what_was_not_run_has_no_counts() {
        let mut skipped = variant("", Verdict::Skipped, &[]);
        skipped.reason = Some("requires RabbitMQ 4, this is 3.10.8".to_owned());
        assert_eq!(
            told(vec![skipped]),
            "skipped scenarios/work_queue.yaml: NOTHING WAS RUN: 1 variant skipped; requires \
             RabbitMQ 4, this is 3.10.8\n"
        );
    }
}
