//! How long things took, and how many there were in a second.
//!
//! Latencies count from the moment at which a message was scheduled, by its producer's rate, not from
//! when it could be written: a producer that was kept waiting makes them longer, as its users would
//! see it. Without a rate a message is scheduled when it is written.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::ledger::books::Books;
use crate::ledger::event::Micros;
use crate::ledger::facts::{Effect, Facts};
use crate::ledger::series::Span;
use crate::plan::model::{FaultId, Flow};

/// All that is measured of one run; `None` is what was not.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Timings {
    /// From the scheduled publish to the end of the work.
    pub latency_ms: Option<Quantiles>,
    /// From the scheduled publish to the broker's confirm.
    pub confirm_ms: Option<Quantiles>,
    /// Messages in a second, from the first publish to the last.
    pub published_per_s: Option<f64>,
    /// Works finished in a second, from the first end of one to the last.
    pub finished_per_s: Option<f64>,
    /// The longest time between two deliveries, by queue.
    pub longest_gap_ms: BTreeMap<String, f64>,
}

/// Milliseconds, to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

impl Quantiles {
    fn of(all: &Histogram<u64>) -> Self {
        let at = |quantile| millis(all.value_at_quantile(quantile));
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }
}

impl Timings {
    /// Of a run that is over.
    pub fn of(books: &Books) -> Self {
        let series = books.series();
        let queues = books.plan.topology.queues.iter().zip(&series.queues);
        let gaps = queues.filter_map(|(queue, over_time)| {
            Some((queue.name.clone(), millis(over_time.longest_gap()?.length())))
        });
        Self {
            latency_ms: books.latency().as_ref().map(Quantiles::of),
            confirm_ms: books.confirming().as_ref().map(Quantiles::of),
            published_per_s: rate(books, Flow::Published),
            finished_per_s: rate(books, Flow::Finished),
            longest_gap_ms: gaps.collect(),
        }
    }
}

/// How many there were in a second, from the first to the last.
pub fn rate(books: &Books, of: Flow) -> Option<f64> {
    let span = match of {
        Flow::Published => books.series().publishing(),
        Flow::Finished => books.series().finishing(),
    };
    span.and_then(per_second)
}

/// The longest time between two deliveries of one queue.
pub fn longest_gap(books: &Books) -> Option<Micros> {
    let gaps = books.series().queues.iter().filter_map(|queue| queue.longest_gap());
    gaps.map(|gap| gap.length()).max()
}

/// How long the slowest recovery took, from a fault that acted to the first delivery after it;
/// the error is a fault after which none came.
pub fn recovery<'a>(books: &'a Books, facts: &Facts) -> Option<Result<Micros, &'a str>> {
    let faults = books.plan.faults.iter().zip(&facts.faults).enumerate();
    let acted = faults.filter(|(_, (_, fact))| fact.at.is_some() && fact.effect != Effect::Nothing);
    let recoveries = acted.map(|(index, (fault, _))| {
        books.series().recovery(FaultId::from_index(index)).ok_or(&*fault.label)
    });
    recoveries.reduce(|one, other| Ok(one?.max(other?)))
}

/// To a hundredth. Over a shorter time it would say nothing.
fn per_second(span: Span) -> Option<f64> {
    const SHORTEST: Micros = 100_000;
    let took = span.to.saturating_sub(span.from);
    // The first of them took no part of that time.
    let others = span.count.saturating_sub(1);
    let rate = others as f64 * 1_000_000.0 / took as f64;
    (took >= SHORTEST && others > 0).then_some((rate * 100.0).round() / 100.0)
}

fn millis(micros: Micros) -> f64 {
    micros as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_what_came_after_the_first() {
        let span = |count, to| Span { count, from: 1_000_000, to };
        assert_eq!(per_second(span(11, 2_000_000)), Some(10.0));
        assert_eq!(per_second(span(3, 4_000_000)), Some(0.67));
        assert_eq!(per_second(span(1, 2_000_000)), None);
        assert_eq!(per_second(span(5, 1_050_000)), None, "all in one moment");
    }
}
