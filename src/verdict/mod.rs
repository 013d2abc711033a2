//! What the books prove: expectations, causes, proofs of faults.

mod answers;
mod broker;
pub mod causes;
mod expect;
mod explain;
mod guarantees;
mod notes;
pub mod model;
pub mod picture;
mod proof;
mod story;
mod struck;
pub mod timings;
mod words;

use crate::diagnostic::Diagnostic;
use crate::ledger::books::Books;
use crate::ledger::facts::{Cut, ErrorFact, Facts};
use crate::ledger::lives::Life;
use crate::plan::count::Count;
use crate::plan::matcher::Matcher;
use crate::plan::model::{Expected, FaultId, Scenario, Variant, WorkerId};
use crate::verdict::causes::Causes;
use crate::verdict::model::{
    CauseRow, ErrorRow, ExpectationRow, FaultRow, GuaranteeRow, ObservationRow, ObservedQueue, Row,
    VariantReport, Verdict, WorkerRow, tolerance_rows,
};
use crate::verdict::timings::Timings;

/// Judges one run of a variant.
pub fn judge(
    scenario: &Scenario,
    variant: &Variant,
    books: &Books,
    facts: &Facts,
) -> VariantReport {
    let causes = Causes::find(books);
    let faults: Vec<FaultRow> = variant
        .faults
        .iter()
        .zip(&facts.faults)
        .enumerate()
        .map(|(index, (fault, fact))| proof::row(books, (FaultId::from_index(index), fault), fact))
        .collect();
    let rows = explain::rows(books, &causes);
    let mut judgement = Judgement::default();
    // Of a run that the world broke off nothing is judged: its books were closed half-way.
    let whole = facts.cut != Some(Cut::Failed);
    if whole {
        judgement.balance(books);
        judgement.surprises(variant, books, facts, &causes);
        judgement.refusals(scenario, variant, facts);
    }
    let guarantees = guarantees::rows(variant, books, facts);
    let known = (&causes, &*rows, &*guarantees);
    let expectations = judgement.expectations(scenario, variant, books, facts, known);
    if whole {
        judgement.proofs(scenario, variant, &faults);
        judgement.doubts(variant, books, facts);
    }
    judgement.diagnostics.extend(guarantees::complaint(variant, &guarantees));
    VariantReport {
        name: variant.name.clone(),
        vars: variant.vars.clone(),
        verdict: judgement.verdict,
        reason: judgement.reason,
        duration_ms: facts.duration / 1000,
        counts: books.totals,
        queues: queue_rows(variant, books),
        producers: producer_rows(variant, books),
        workers: worker_rows(variant, books, facts),
        faults,
        causes: rows,
        errors: facts.errors.iter().map(error_row).collect(),
        observations: observation_rows(variant, facts),
        probes: answers::rows(variant, facts),
        expectations,
        guarantees,
        tolerances: tolerance_rows(variant),
        notes: notes::notes(books, facts),
        diagnostics: judgement.diagnostics,
        declared: answers::declared(facts),
        histories: story::all(books),
        timings: Some(Timings::of(books)),
        picture: None,
    }
}

/// The verdict as it forms: the worst of all findings, and the first reason of that rank.
struct Judgement {
    verdict: Verdict,
    reason: Option<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Default for Judgement {
    fn default() -> Self {
        Self { verdict: Verdict::Pass, reason: None, diagnostics: Vec::new() }
    }
}

impl Judgement {
    fn worsen(&mut self, verdict: Verdict, reason: impl Into<String>) {
        if verdict > self.verdict {
            self.verdict = verdict;
            self.reason = Some(reason.into());
        }
    }

    /// Violations are bugs of this program or of the broker.
    fn balance(&mut self, books: &Books) {
        if books.violation_count == 0 {
            return;
        }
        self.worsen(Verdict::Unbalanced, "the books do not balance");
        for violation in &books.violations {
            let mut diagnostic =
                Diagnostic::error(format!("the books do not balance: {}", violation.what));
            if let Some(message) = violation.message {
                diagnostic = diagnostic.note(story::tell(books, message));
            }
            self.diagnostics.push(diagnostic.help(
                "this is a bug of rmq-scenario, or of the broker: please report it with this text",
            ));
        }
    }

    /// What is a failure whatever the file expects, unless it expects just that.
    fn surprises(&mut self, variant: &Variant, books: &Books, facts: &Facts, causes: &Causes) {
        let unexplained = causes.count("unexplained");
        // What is taken back is not expected, and what is not judged excuses only what it says.
        let copies = books.totals[Count::Expected];
        let expected = variant.expectations.iter().any(|expectation| match &expectation.what {
            Expected::Cause { cause, matcher } if cause == "unexplained" => {
                let excuses = facts.cut.is_none() || matcher.holds(unexplained, copies);
                *matcher != Matcher::Any && excuses
            }
            _ => false,
        });
        if unexplained > 0 && !expected {
            self.fail(format!("{unexplained} copies were lost or doubled and nothing explains it"));
        }
        if books.totals[Count::Unexpected] > 0 {
            let mut diagnostic = Diagnostic::error(format!(
                "{} messages were seen where they must not be",
                books.totals[Count::Unexpected]
            ));
            for (message, queue) in &books.strays {
                let queue = &books.plan.topology.queues[queue.index()].name;
                diagnostic =
                    diagnostic.note(format!("in {queue}: {}", story::tell(books, *message)));
            }
            if books.foreign > 0 {
                diagnostic = diagnostic
                    .note(format!("{} were published by nobody of this run", books.foreign));
            }
            self.worsen(Verdict::Fail, diagnostic.message.clone());
            self.diagnostics.push(diagnostic);
        }
        for error in answers::unexplained(variant, facts) {
            let text = answers::error_text(error);
            self.fail(format!("{text}, which nothing in the file explains"));
        }
    }

    /// A probe shows an answer; one that is an error must be expected.
    fn refusals(&mut self, scenario: &Scenario, variant: &Variant, facts: &Facts) {
        for (probe, diagnostic) in answers::refusals(variant, facts) {
            self.worsen(Verdict::Fail, diagnostic.message.clone());
            let place = scenario.source.place(variant.probes[probe].at);
            self.diagnostics.push(diagnostic.at(place));
        }
    }

    fn fail(&mut self, message: String) {
        self.worsen(Verdict::Fail, message.clone());
        self.diagnostics.push(Diagnostic::error(message));
    }

    fn expectations(
        &mut self,
        scenario: &Scenario,
        variant: &Variant,
        books: &Books,
        facts: &Facts,
        (causes, rows_of_causes, guarantees): (&Causes, &[CauseRow], &[GuaranteeRow]),
    ) -> Vec<ExpectationRow> {
        let judged = facts.cut.is_none();
        let mut rows = Vec::new();
        for expectation in &variant.expectations {
            let place = scenario.source.place(expectation.at);
            let finding = expect::find(books, facts, causes, guarantees, expectation);
            let held = finding.as_ref().filter(|_| judged).map(|finding| finding.held);
            rows.push(ExpectationRow {
                path: expectation.path.clone(),
                expected: expectation.expected.clone(),
                actual: finding.as_ref().map_or(serde_json::Value::Null, |f| f.actual.clone()),
                held,
                line: scenario.source.line(expectation.at) as u64,
                complaint: None,
            });
            let before = self.diagnostics.len();
            match finding {
                Some(finding) if held == Some(false) => {
                    let of_answers = answers::complaint(variant, facts, expectation);
                    let diagnostic = match (&expectation.what, of_answers) {
                        (Expected::Guarantees, _) => guarantees::failure(guarantees),
                        (_, Some(diagnostic)) => diagnostic,
                        (_, None) => {
                            expect::complaint(books, causes, rows_of_causes, expectation, &finding)
                        }
                    };
                    self.worsen(Verdict::Fail, diagnostic.message.clone());
                    self.diagnostics.push(diagnostic.at(place));
                }
                None if judged => {
                    let message = format!("{} could not be measured", expectation.path);
                    self.worsen(Verdict::Inconclusive, message.clone());
                    self.diagnostics.push(Diagnostic::warning(message).at(place));
                }
                _ => {}
            }
            let row = rows.last_mut().expect("it was pushed above");
            row.complaint = (self.diagnostics.len() > before).then_some(before);
        }
        rows
    }

    fn proofs(&mut self, scenario: &Scenario, variant: &Variant, rows: &[FaultRow]) {
        for (fault, row) in variant.faults.iter().zip(rows) {
            if let Some(diagnostic) = proof::complaint(fault, row) {
                self.worsen(Verdict::Inconclusive, diagnostic.message.clone());
                self.diagnostics.push(diagnostic.at(scenario.source.place(fault.at)));
            }
        }
    }

    fn doubts(&mut self, variant: &Variant, books: &Books, facts: &Facts) {
        // Whoever waits for a count may wait in vain on purpose; silence would hide a mistake.
        for sentence in facts.unfired.iter().filter(|_| facts.cut.is_none()) {
            let help = "what it waits for did not happen often enough";
            self.diagnostics.push(Diagnostic::warning(sentence).help(help));
        }
        match facts.cut {
            Some(Cut::Deadline) => {
                let deadline = variant.settle.deadline;
                let message = format!("the run was cut at its deadline of {deadline:?}");
                self.worsen(Verdict::Inconclusive, message.clone());
                self.diagnostics.push(Diagnostic::warning(message).help(
                    "a longer `settle: { deadline: … }`, or less work; expectations were not judged",
                ));
            }
            Some(Cut::Interrupted) => self.worsen(Verdict::Inconclusive, "interrupted"),
            Some(Cut::Failed) | None => {}
        }
        let expects_doubt = variant.expectations.iter().any(|expectation| {
            matches!(&expectation.what, Expected::Count { count: Count::InDoubt, matcher, .. }
                if *matcher != Matcher::Any)
        });
        if !books.undrained.is_empty() && !expects_doubt {
            let name =
                |id: &crate::plan::model::QueueId| variant.topology.queues[id.index()].name.clone();
            let names: Vec<String> = books.undrained.iter().map(name).collect();
            let message = format!("{} could not be drained", words::list(&names, 5));
            self.worsen(Verdict::Inconclusive, message.clone());
            self.diagnostics.push(Diagnostic::warning(message));
        }
    }
}

fn error_row(error: &ErrorFact) -> ErrorRow {
    ErrorRow {
        who: error.who.clone(),
        scope: error.scope,
        code: error.code,
        text: error.text.clone(),
        explained: error.explained,
    }
}

fn queue_rows(variant: &Variant, books: &Books) -> Vec<Row> {
    let rows = variant.topology.queues.iter().zip(&books.queues);
    let row = |(queue, counts): (&crate::plan::model::Queue, &_)| Row {
        name: queue.name.clone(),
        counts: *counts,
        knows: Count::in_queues,
    };
    rows.map(row).collect()
}

fn producer_rows(variant: &Variant, books: &Books) -> Vec<Row> {
    let rows = variant.producers.iter().zip(&books.producers);
    let row = |(producer, counts): (&crate::plan::model::Producer, &_)| Row {
        name: producer.name.clone(),
        counts: *counts,
        knows: Count::in_producers,
    };
    rows.map(row).collect()
}

fn worker_rows(variant: &Variant, books: &Books, facts: &Facts) -> Vec<WorkerRow> {
    let rows = variant.workers.iter().zip(&books.workers).enumerate();
    rows.map(|(index, (worker, counts))| WorkerRow {
        name: worker.name.clone(),
        deliveries: counts[Count::Deliveries],
        begun: counts[Count::Begun],
        finished: counts[Count::Finished],
        redelivered: counts[Count::Redelivered],
        repeats: counts[Count::Repeats],
        acked: counts[Count::Acked],
        rejected: counts[Count::Rejected],
        died: died(books, facts, WorkerId::from_index(index)),
    })
    .collect()
}

/// Killed, or ended by an error, and not back at the end.
fn died(books: &Books, facts: &Facts, worker: WorkerId) -> bool {
    use crate::ledger::event::LifeEnd::{Failed, Killed, Lost};
    if facts.refused.contains(&worker) {
        return true;
    }
    let last = books.lives().iter().rev().find(|life: &&Life| life.worker == worker);
    let end = last.and_then(|life| life.end.as_ref());
    end.is_some_and(|end| matches!(end.how, Killed(_) | Failed | Lost))
}

fn observation_rows(variant: &Variant, facts: &Facts) -> Vec<ObservationRow> {
    let queue = |numbers: &crate::ledger::facts::QueueNumbers| ObservedQueue {
        name: variant.topology.queues[numbers.queue.index()].name.clone(),
        ready: numbers.ready,
        unacked: numbers.unacked,
        consumers: numbers.consumers,
        unacked_age_ms: numbers.unacked_age_ms,
    };
    let row = |fact: &crate::ledger::facts::ObservationFact| ObservationRow {
        name: variant.observations[fact.observation].name.clone(),
        at_ms: fact.at / 1000,
        queues: fact.queues.iter().map(queue).collect(),
    };
    facts.observations.iter().map(row).collect()
}
