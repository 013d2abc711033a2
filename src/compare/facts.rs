//! One variant as a list of what can be compared, each under a path such as `queues.orders.lost`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::compare::reading::{Expectation, Guarantee, Variant, Word};
use crate::plan::count::{ALL, Count};

/// One thing that is known of a variant.
#[derive(Debug, Clone)]
pub enum Fact {
    Verdict {
        word: Word,
        reason: Option<String>,
    },
    Expectation(Expectation),
    /// A count of the whole run.
    Count(u64),
    /// Of a queue, a producer or a worker.
    PartOfCount {
        scope: Scope,
        count: String,
        number: u64,
    },
    /// That a queue, a producer or a worker is there.
    Presence,
    /// Copies with this outcome and this cause.
    Cause {
        outcome: String,
        cause: String,
        number: u64,
    },
    Guarantee(Guarantee),
    /// AMQP errors of one kind that somebody met.
    Errors(u64),
    /// Milliseconds, or per second.
    Timing(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Queue,
    Producer,
    Worker,
}

impl Fact {
    /// What a report shows of it.
    pub fn shown(&self) -> Value {
        match self {
            Fact::Verdict { word, .. } => word.name().into(),
            Fact::Expectation(it) => expectation(it).into(),
            Fact::Count(number)
            | Fact::PartOfCount { number, .. }
            | Fact::Cause { number, .. }
            | Fact::Errors(number) => (*number).into(),
            Fact::Presence => "there".into(),
            Fact::Guarantee(it) => guarantee(it).into(),
            Fact::Timing(number) if number.fract() == 0.0 && *number >= 0.0 => {
                (*number as u64).into()
            }
            Fact::Timing(number) => (*number).into(),
        }
    }

    /// What a fact that is not there counts as: what happened no time is not listed.
    pub fn absent(&self) -> Option<Fact> {
        match self {
            Fact::Cause { outcome, cause, .. } => {
                Some(Fact::Cause { outcome: outcome.clone(), cause: cause.clone(), number: 0 })
            }
            Fact::Errors(_) => Some(Fact::Errors(0)),
            _ => None,
        }
    }
}

fn expectation(it: &Expectation) -> String {
    let actual = match &it.actual {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match it.held {
        Some(true) => format!("{}: held", it.expected),
        Some(false) => format!("{}: NOT held, {actual}", it.expected),
        None => format!("{}: not judged", it.expected),
    }
}

/// `7`, `0..7`, `>= 7`.
pub fn guarantee(it: &Guarantee) -> String {
    let range = match it.high {
        Some(high) if high == it.low => high.to_string(),
        Some(high) => format!("{}..{high}", it.low),
        None => format!(">= {}", it.low),
    };
    if it.held == Some(false) { format!("{range}: NOT held") } else { range }
}

/// Everything of a variant, what matters most first. Of one that was not measured only the verdict.
pub fn of(variant: &Variant) -> Vec<(String, Fact)> {
    let reason = variant.reason.clone();
    let mut all = vec![("verdict".to_owned(), Fact::Verdict { word: variant.verdict, reason })];
    if !variant.is_measured() {
        return all;
    }
    expectations(variant, &mut all);
    let counts = sorted(&variant.counts);
    all.extend(counts.map(|(name, number)| (name.clone(), Fact::Count(*number))));
    causes(variant, &mut all);
    rows("queues", Scope::Queue, &variant.queues, &mut all);
    rows("producers", Scope::Producer, &variant.producers, &mut all);
    rows("workers", Scope::Worker, &variant.workers, &mut all);
    let guarantees = variant.guarantees.iter();
    all.extend(
        guarantees.map(|it| (format!("guarantees.{}", it.count), Fact::Guarantee(it.clone()))),
    );
    errors(variant, &mut all);
    all.push(("duration_ms".to_owned(), Fact::Timing(variant.duration_ms)));
    timings("timings", &variant.timings, &mut all);
    all
}

/// In the order of reports; what this program does not know comes last.
fn sorted(counts: &BTreeMap<String, u64>) -> impl Iterator<Item = (&String, &u64)> {
    let place = |name: &str| ALL.iter().position(|count| count.name() == name);
    let mut all: Vec<_> = counts.iter().collect();
    all.sort_by_key(|(name, _)| place(name).unwrap_or(ALL.len()));
    all.into_iter()
}

/// A path that comes again has a number behind it.
fn expectations(variant: &Variant, all: &mut Vec<(String, Fact)>) {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for it in &variant.expectations {
        let times = seen.entry(&it.path).or_default();
        *times += 1;
        let again = if *times > 1 { format!(" ({times})") } else { String::new() };
        all.push((format!("expect {}{again}", it.path), Fact::Expectation(it.clone())));
    }
}

fn causes(variant: &Variant, all: &mut Vec<(String, Fact)>) {
    let mut sums: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in &variant.causes {
        for cause in &row.causes {
            *sums.entry((&row.outcome, cause)).or_default() += row.count;
        }
    }
    for ((outcome, cause), number) in sums {
        let fact = Fact::Cause { outcome: outcome.to_owned(), cause: cause.to_owned(), number };
        all.push((format!("causes.{outcome}.{cause}"), fact));
    }
}

fn rows(key: &str, scope: Scope, rows: &[Map<String, Value>], all: &mut Vec<(String, Fact)>) {
    for row in rows {
        let Some(name) = row.get("name").and_then(Value::as_str) else { continue };
        let path = format!("{key}.{name}");
        all.push((path.clone(), Fact::Presence));
        let counts = row.iter().filter_map(|(name, value)| Some((name.clone(), value.as_u64()?)));
        let counts: BTreeMap<String, u64> = counts.collect();
        all.extend(sorted(&counts).map(|(count, number)| {
            let fact = Fact::PartOfCount { scope, count: count.clone(), number: *number };
            (format!("{path}.{count}"), fact)
        }));
    }
}

fn errors(variant: &Variant, all: &mut Vec<(String, Fact)>) {
    let mut sums: BTreeMap<String, u64> = BTreeMap::new();
    for error in &variant.errors {
        *sums.entry(format!("errors.{}.{}", error.who, error.code)).or_default() += 1;
    }
    all.extend(sums.into_iter().map(|(path, number)| (path, Fact::Errors(number))));
}

/// Every number below, under the names that lead to it; of a list the entries are told by their
/// `name` or, without one, by their order.
fn timings(path: &str, value: &Value, all: &mut Vec<(String, Fact)>) {
    match value {
        Value::Number(number) => {
            all.extend(number.as_f64().map(|number| (path.to_owned(), Fact::Timing(number))));
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| timings(&format!("{path}.{key}"), value, all));
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(index, value)| {
            let name = value.get("name").and_then(Value::as_str);
            let name = name.map_or_else(|| (index + 1).to_string(), str::to_owned);
            timings(&format!("{path}.{name}"), value, all);
        }),
        _ => {}
    }
}

/// What more of a count means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More of it is worse.
    Bad,
    /// Less of it is worse.
    Good,
    /// It depends.
    Plain,
}

/// What more of the count of this name means.
pub fn direction(name: &str) -> Direction {
    use Count::*;
    match Count::from_name(name) {
        Some(Delivered | Confirmed | Replied) => Direction::Good,
        Some(
            Lost | InDoubt | Unexpected | Duplicates | Unconfirmed | Refused | Returned
            | Unroutable | Unanswered | OverLimit | Expired | Dropped | TurnedAway,
        ) => Direction::Bad,
        _ => Direction::Plain,
    }
}
