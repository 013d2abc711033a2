//! What differs between reports, and whether that is a regression.
//!
//! The first report is the base, and every other one is compared with it. All that is known of them
//! stands in the reports: no file, no broker and no clock is asked. [`reading`] reads them, `pairing`
//! says which variant is which, `facts` makes a list of each, and `judging` says what a difference
//! means.

pub mod facts;
pub mod judging;
mod pairing;
pub mod reading;

use std::collections::HashMap;

use serde_json::Value;

use crate::compare::facts::Fact;
use crate::compare::judging::{Grade, Judgement, Pair};
use crate::compare::reading::{Reading, Scenario, Variant};
use crate::diagnostic::Diagnostic;

/// Reports, compared.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The base first.
    pub reports: Vec<Head>,
    /// Those that are in the base and in another report, in the order of the base.
    pub variants: Vec<Compared>,
    /// What is not in all reports.
    pub only: Vec<Only>,
    /// What makes the reports differ as a whole.
    pub remarks: Vec<String>,
}

/// Where a column comes from.
#[derive(Debug, Clone)]
pub struct Head {
    pub path: String,
    /// Of RabbitMQ; may be empty.
    pub version: String,
    pub tool: String,
    pub seed: u64,
    pub verdict: &'static str,
}

#[derive(Debug, Clone)]
pub struct Compared {
    pub scenario: String,
    /// As the base names it.
    pub file: String,
    /// Empty when the file names none.
    pub variant: String,
    pub changes: Vec<Change>,
}

/// Something that is not the same in all reports.
#[derive(Debug, Clone)]
pub struct Change {
    /// `lost`, `queues.orders.lost`, `causes.lost.auto_ack`, `expect lost`.
    pub path: String,
    /// One for each report; `null` where it is not there.
    pub values: Vec<Value>,
    /// The worst of all reports.
    pub grade: Grade,
    pub why: Option<String>,
    /// It says of a part what is said of the whole with the same numbers.
    pub is_echo: bool,
}

/// A scenario or a variant that is not in all reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    pub scenario: String,
    /// `None` is the whole scenario.
    pub variant: Option<String>,
    /// Whether it is in each of the reports.
    pub there: Vec<bool>,
    /// What it is perhaps called now.
    pub perhaps: Option<String>,
}

impl Comparison {
    /// How many differences there are of this grade, without echoes.
    pub fn count(&self, grade: Grade) -> usize {
        let changes = self.variants.iter().flat_map(Compared::told);
        changes.filter(|change| change.grade == grade).count()
    }

    /// Whether anything is worse than it was.
    pub fn is_regression(&self) -> bool {
        self.count(Grade::Regression) > 0
    }
}

impl Compared {
    /// The changes that say something of their own.
    pub fn told(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| !change.is_echo)
    }
}

/// Compares reports with the first of them.
///
/// # Errors
/// When one of them has none of the scenarios of the first.
pub fn compare(reports: &[Reading]) -> Result<Comparison, Diagnostic> {
    let (base, others) = reports.split_first().expect("there are two reports or more");
    let pairs: Vec<Vec<Option<usize>>> = others
        .iter()
        .map(|other| pairing::scenarios(&base.report.scenarios, &other.report.scenarios))
        .collect();
    for (other, pairs) in others.iter().zip(&pairs) {
        if pairs.iter().all(Option::is_none) {
            return Err(strangers(base, other));
        }
    }
    let mut comparison = Comparison {
        reports: reports.iter().map(head).collect(),
        variants: Vec::new(),
        only: Vec::new(),
        remarks: remarks(base, others),
    };
    let versions = versions(base, others);
    for (index, scenario) in base.report.scenarios.iter().enumerate() {
        let partners = others.iter().zip(&pairs);
        let partners =
            partners.map(|(other, pairs)| pairs[index].map(|at| &other.report.scenarios[at]));
        let row = Row { base: scenario, partners: partners.collect(), same_version: &versions };
        row.compare(&mut comparison);
    }
    for (at, (other, pairs)) in others.iter().zip(&pairs).enumerate() {
        let new = other.report.scenarios.iter().enumerate();
        let new = new.filter(|(index, _)| !pairs.contains(&Some(*index)));
        for (_, scenario) in new {
            note(&mut comparison, &scenario.scenario, None, at + 1, None);
        }
    }
    Ok(comparison)
}

fn head(reading: &Reading) -> Head {
    let report = &reading.report;
    Head {
        path: reading.path.clone(),
        version: report.broker.version.clone(),
        tool: report.tool.clone(),
        seed: report.seed,
        verdict: report.verdict.name(),
    }
}

fn strangers(base: &Reading, other: &Reading) -> Diagnostic {
    /// So many names are told of each.
    const MOST: usize = 5;
    let names = |reading: &Reading| {
        let all = &reading.report.scenarios;
        let told: Vec<&str> = all.iter().take(MOST).map(|it| it.scenario.as_str()).collect();
        let more = if all.len() > MOST { ", …" } else { "" };
        format!("`{}` has {}{more}", reading.path, told.join(", "))
    };
    let (base_path, path) = (&base.path, &other.path);
    Diagnostic::error(format!("`{path}` has none of the scenarios of `{base_path}`"))
        .note(names(base))
        .note(names(other))
        .help("compare two reports of the same files")
}

/// Whether each report but the first is of the first one's version of RabbitMQ: `4.0.5` and `4.0.9`
/// are one.
fn versions(base: &Reading, others: &[Reading]) -> Vec<bool> {
    let series = |reading: &Reading| {
        let version = &reading.report.broker.version;
        version.split('.').take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    others.iter().map(|other| series(other) == series(base)).collect()
}

fn remarks(base: &Reading, others: &[Reading]) -> Vec<String> {
    let mut remarks = Vec::new();
    let differ = |of: &dyn Fn(&Reading) -> String| others.iter().any(|it| of(it) != of(base));
    if differ(&|it| it.report.seed.to_string()) {
        remarks.push("The seeds differ: what is drawn at random is not the same.".to_owned());
    }
    if differ(&|it| it.report.tool.clone()) {
        remarks.push("The reports are of different versions of rmq-scenario.".to_owned());
    }
    if versions(base, others).contains(&false) {
        remarks.push(
            "The versions of RabbitMQ differ: other numbers are differences between them; \
             regressions are only verdicts, expectations, guarantees and tolerances."
                .to_owned(),
        );
    }
    remarks
}

/// Notes that something is in one more report, and not in all.
fn note(
    comparison: &mut Comparison,
    scenario: &str,
    variant: Option<&str>,
    report: usize,
    perhaps: Option<String>,
) {
    let reports = comparison.reports.len();
    let known = comparison.only.iter_mut().find(|only| {
        // What is in the base is noted once, with all the reports that have it.
        !only.there[0]
            && only.scenario == scenario
            && only.variant.as_deref() == variant
            && !only.there[report]
    });
    match known {
        Some(only) => only.there[report] = true,
        None => {
            let mut there = vec![false; reports];
            there[report] = true;
            let (scenario, variant) = (scenario.to_owned(), variant.map(str::to_owned));
            comparison.only.push(Only { scenario, variant, there, perhaps });
        }
    }
}

/// A scenario of the base, and what it is in the other reports.
struct Row<'r> {
    base: &'r Scenario,
    partners: Vec<Option<&'r Scenario>>,
    same_version: &'r [bool],
}

impl Row<'_> {
    fn compare(&self, to: &mut Comparison) {
        let name = &self.base.scenario;
        if self.partners.iter().any(Option::is_none) {
            let there = std::iter::once(true).chain(self.partners.iter().map(Option::is_some));
            let there = there.collect();
            to.only.push(Only { scenario: name.clone(), variant: None, there, perhaps: None });
        }
        let renamed = self.partners.iter().flatten().find(|partner| partner.scenario != *name);
        if let Some(partner) = renamed {
            let (file, now) = (&partner.file, &partner.scenario);
            to.remarks.push(format!("The scenario of {file} was called {name} and is {now} now."));
        }
        let pairs: Vec<Vec<Option<usize>>> = self
            .partners
            .iter()
            .map(|it| {
                it.map_or(Vec::new(), |it| pairing::variants(&self.base.variants, &it.variants))
            })
            .collect();
        for (index, variant) in self.base.variants.iter().enumerate() {
            let partner = |at: usize| {
                let index = pairs[at].get(index).copied().flatten()?;
                Some(&self.partners[at]?.variants[index])
            };
            let partners: Vec<Option<&Variant>> = (0..pairs.len()).map(partner).collect();
            self.variant(variant, &partners, to);
        }
        for (at, partner) in self.partners.iter().enumerate() {
            let Some(partner) = partner else { continue };
            let new = partner.variants.iter().enumerate();
            for (_, variant) in new.filter(|(index, _)| !pairs[at].contains(&Some(*index))) {
                note(to, name, Some(&variant.name), at + 1, None);
            }
        }
    }

    fn variant(&self, base: &Variant, partners: &[Option<&Variant>], to: &mut Comparison) {
        let missing = partners.iter().zip(&self.partners);
        let missing = missing.filter(|(variant, scenario)| variant.is_none() && scenario.is_some());
        if missing.count() > 0 {
            let there = std::iter::once(true).chain(partners.iter().map(Option::is_some)).collect();
            let all = self.partners.iter().flatten().flat_map(|it| &it.variants);
            let mut new = all.filter(|it| self.base.variants.iter().all(|old| old.name != it.name));
            let perhaps = new.find(|it| pairing::alike(base, it)).map(|it| it.name.clone());
            let (scenario, variant) = (self.base.scenario.clone(), Some(base.name.clone()));
            to.only.push(Only { scenario, variant, there, perhaps });
        }
        if partners.iter().all(Option::is_none) {
            return;
        }
        to.variants.push(Compared {
            scenario: self.base.scenario.clone(),
            file: self.base.file.clone(),
            variant: base.name.clone(),
            changes: changes(base, partners, self.same_version),
        });
    }
}

/// Everything that is not the same in all runs of one variant.
fn changes(base: &Variant, others: &[Option<&Variant>], same_version: &[bool]) -> Vec<Change> {
    let all = || std::iter::once(Some(base)).chain(others.iter().copied());
    let listed: Vec<Vec<(String, Fact)>> =
        all().map(|it| it.map_or(Vec::new(), facts::of)).collect();
    // What one run did not count is compared with nothing.
    let measured: Vec<bool> = all().map(|it| it.is_some_and(Variant::is_measured)).collect();
    let found: Vec<HashMap<&str, &Fact>> = listed.iter().map(|facts| by_path(facts)).collect();
    let mut changes: Vec<Change> = Vec::new();
    for path in paths(&listed, &measured) {
        let fact = |at: usize| found[at].get(path).copied();
        let example = (0..found.len()).find_map(fact);
        let absent = example.and_then(Fact::absent);
        let counted = |at: usize| fact(at).or(absent.as_ref().filter(|_| measured[at]));
        let told = path == "verdict" || measured[0];
        let judged = others.iter().enumerate().filter_map(|(at, new)| {
            let counts = path == "verdict" || measured[at + 1];
            let pair = Pair { base, new: (*new)?, same_version: same_version[at] };
            (told && counts).then(|| judge(&pair, path, counted(0), counted(at + 1)))
        });
        let worst = judged.max_by_key(|judged| judged.grade);
        let Some(Judgement { grade, why }) = worst.filter(|it| it.grade != Grade::Same) else {
            continue;
        };
        let shown = |at: usize| counted(at).map_or(Value::Null, Fact::shown);
        let values: Vec<Value> = (0..found.len()).map(shown).collect();
        let is_echo = example.is_some_and(|fact| is_echo(fact, path, &values, &changes));
        changes.push(Change { path: path.to_owned(), values, grade, why, is_echo });
    }
    changes
}

fn judge(pair: &Pair, path: &str, base: Option<&Fact>, new: Option<&Fact>) -> Judgement {
    match (base, new) {
        (Some(Fact::Count(was)), Some(Fact::Count(is))) => pair.count(path, *was, *is),
        (Some(Fact::Timing(was)), Some(Fact::Timing(is))) => pair.timing(path, *was, *is),
        _ => pair.judge(base, new),
    }
}

fn by_path(facts: &[(String, Fact)]) -> HashMap<&str, &Fact> {
    facts.iter().map(|(path, fact)| (path.as_str(), fact)).collect()
}

/// All paths, those of the base first; of a queue or program that is not in all runs only itself.
fn paths<'f>(listed: &'f [Vec<(String, Fact)>], measured: &[bool]) -> Vec<&'f str> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut order = Vec::new();
    for (path, _) in listed.iter().flatten() {
        let times = seen.entry(path).or_insert(0);
        if *times == 0 {
            order.push(path.as_str());
        }
        *times += 1;
    }
    let runs = measured.iter().filter(|measured| **measured).count();
    let parts = listed.iter().flatten().filter(|(_, fact)| matches!(fact, Fact::Presence));
    let mut gone: Vec<String> = parts
        .filter(|(path, _)| seen[path.as_str()] < runs)
        .map(|(path, _)| format!("{path}."))
        .collect();
    gone.dedup();
    order.retain(|path| !gone.iter().any(|gone| path.starts_with(gone.as_str())));
    order
}

/// Whether a number of a queue or producer, or a guarantee, only repeats a change of the whole run.
fn is_echo(fact: &Fact, path: &str, values: &[Value], before: &[Change]) -> bool {
    let whole = |name: &str| before.iter().find(|change| change.path == name);
    match fact {
        Fact::PartOfCount { count, .. } => whole(count).is_some_and(|whole| whole.values == values),
        Fact::Guarantee(it) => {
            let broken = values.iter().any(|it| it.as_str().is_some_and(|it| it.contains("NOT")));
            !broken && path.starts_with("guarantees.") && whole(&it.count).is_some()
        }
        _ => false,
    }
}
