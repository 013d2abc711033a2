//! In which order variants are run, which of them at the same time, and how what came of them is
//! told in the order of the files.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::cli::brokers::{Brokers, Wanted};
use crate::cli::run::Console;
use crate::plan::model::{Expected, Scenario, Variant};
use crate::report::{Report, ScenarioReport};
use crate::verdict::model::{VariantReport, Verdict};

/// How often it is looked whether nothing was told for long.
const BEAT: Duration = Duration::from_secs(1);

/// One variant to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// Among all variants of all files.
    pub index: usize,
    scenario: usize,
    variant: usize,
    /// How many of the runs at a time it stands for: a node of its own is one, and whoever must be
    /// alone is all of them.
    pub weight: usize,
}

impl Job {
    /// What it runs.
    pub fn of(self, scenarios: &[Scenario]) -> (&Scenario, &Variant) {
        let scenario = &scenarios[self.scenario];
        (scenario, &scenario.variants[self.variant])
    }
}

/// All variants in the order in which they are to be begun. One at a time that is the order of the
/// files; else those first that need brokers of their own, which take long to start, and last those
/// that must be alone.
pub fn schedule(scenarios: &[Scenario], brokers: &Brokers<'_>, jobs: usize) -> Vec<Job> {
    let mut all = Vec::new();
    for (scenario, file) in scenarios.iter().enumerate() {
        let timed = file.variants.iter().any(is_timed);
        for (variant, it) in file.variants.iter().enumerate() {
            let external = brokers.world.kind == "external" && it.befalls_broker();
            let weight = if timed || external || it.topology.has_predeclared() {
                jobs
            } else if brokers.wants_usual(it) {
                1
            } else {
                Wanted::of(it).settings.nodes.try_into().unwrap_or(jobs).clamp(1, jobs)
            };
            all.push(Job { index: all.len(), scenario, variant, weight });
        }
    }
    if jobs > 1 {
        let own = |job: &Job| !brokers.wants_usual(job.of(scenarios).1);
        all.sort_by_key(|job| (job.weight == jobs && !own(job), !own(job)));
    }
    all
}

/// Whether somebody expects something of time, which others would take.
fn is_timed(variant: &Variant) -> bool {
    variant.expectations.iter().any(|expectation| {
        matches!(
            expectation.what,
            Expected::Duration(_)
                | Expected::Latency { .. }
                | Expected::Throughput { .. }
                | Expected::LongestGap(_)
                | Expected::Recovery(_)
                | Expected::Fairness { .. }
        )
    })
}

/// Where people read, for several runs at a time; nobody has it while they wait for something.
pub struct Board<'c>(Mutex<&'c mut Console>);

impl<'c> Board<'c> {
    pub fn new(console: &'c mut Console) -> Self {
        Self(Mutex::new(console))
    }

    /// To write on it now.
    pub fn now(&self) -> MutexGuard<'_, &'c mut Console> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps telling that time passes, for as long as it is polled.
    pub async fn beat(&self) -> Infallible {
        loop {
            sleep(BEAT).await;
            self.now().display.beat();
        }
    }
}

/// What came of the variants, told in the order of the files.
pub struct Telling<'r> {
    pub report: &'r mut Report,
    /// In order; those that are told have left.
    outcomes: Vec<Option<VariantReport>>,
    /// How many variants each file has, and its head.
    files: Vec<(usize, ScenarioReport)>,
    told: usize,
}

impl<'r> Telling<'r> {
    pub fn new(scenarios: &[Scenario], report: &'r mut Report) -> Self {
        let head = |scenario: &Scenario| ScenarioReport {
            scenario: scenario.name.clone(),
            file: scenario.source.path.clone(),
            verdict: Verdict::Skipped,
            variants: Vec::new(),
        };
        let files: Vec<_> = scenarios.iter().map(|it| (it.variants.len(), head(it))).collect();
        let variants = files.iter().map(|(count, _)| count).sum();
        Self { report, outcomes: vec![None; variants], files, told: 0 }
    }

    /// One more is known; all are told whose turn it is.
    pub fn add(&mut self, index: usize, outcome: VariantReport, console: &Board<'_>) {
        self.outcomes[index] = Some(outcome);
        while let Some(outcome) = self.outcomes.get_mut(self.told).and_then(Option::take) {
            self.told += 1;
            let begun = self.report.scenarios.last().map(|last| last.variants.len());
            let files = self.report.scenarios.len();
            if files == 0 || begun == Some(self.files[files - 1].0) {
                self.report.scenarios.push(self.files[files].1.clone());
            }
            add(self.report, outcome);
            let last = self.report.scenarios.last();
            let whole = self.files[self.report.scenarios.len() - 1].0;
            if last.is_some_and(|last| last.variants.len() == whole) {
                console.now().scenario(last);
            }
        }
    }
}

/// The worst of everything so far.
pub fn add(report: &mut Report, outcome: VariantReport) {
    let scenario = report.scenarios.last_mut().expect("a scenario was added before its variants");
    scenario.verdict = scenario.verdict.max(outcome.verdict);
    report.verdict = report.verdict.max(outcome.verdict);
    scenario.variants.push(outcome);
}
