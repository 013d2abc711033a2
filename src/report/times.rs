//! Times and rates of a run, in sentences and in cells.

use crate::verdict::timings::{Quantiles, Timings};

/// The names of the cells: [`cells`] in the same order.
pub const CELLS: [&str; 8] = [
    "latency_p50_ms",
    "latency_p99_ms",
    "latency_max_ms",
    "confirm_p50_ms",
    "confirm_p99_ms",
    "confirm_max_ms",
    "published_per_s",
    "finished_per_s",
];

/// Empty where nothing was measured.
pub fn cells(timings: Option<&Timings>) -> [String; 8] {
    let of = |all: Option<Quantiles>, which: fn(Quantiles) -> f64| {
        all.map(|all| which(all).to_string()).unwrap_or_default()
    };
    let latency = timings.and_then(|it| it.latency_ms);
    let confirm = timings.and_then(|it| it.confirm_ms);
    let rate = |rate: Option<f64>| rate.map(|rate| rate.to_string()).unwrap_or_default();
    [
        of(latency, |it| it.p50),
        of(latency, |it| it.p99),
        of(latency, |it| it.max),
        of(confirm, |it| it.p50),
        of(confirm, |it| it.p99),
        of(confirm, |it| it.max),
        rate(timings.and_then(|it| it.published_per_s)),
        rate(timings.and_then(|it| it.finished_per_s)),
    ]
}

/// A line for each thing that was measured.
pub fn lines(timings: &Timings) -> Vec<String> {
    let quantiles = |what: &str, all: Option<Quantiles>| {
        all.map(|Quantiles { p50, p90, p99, max, .. }| {
            format!("{what} p50 {p50} ms, p90 {p90} ms, p99 {p99} ms, max {max} ms")
        })
    };
    let rate = |what: &str, rate: Option<f64>| rate.map(|rate| format!("{rate} {what} per second"));
    let rates: Vec<String> =
        [rate("published", timings.published_per_s), rate("finished", timings.finished_per_s)]
            .into_iter()
            .flatten()
            .collect();
    let longest = timings.longest_gap_ms.iter().max_by(|one, other| one.1.total_cmp(other.1));
    let gap =
        longest.map(|(queue, gap)| format!("longest time without a delivery {gap} ms, of {queue}"));
    [
        quantiles("latency", timings.latency_ms),
        quantiles("confirms", timings.confirm_ms),
        Some(rates.join(", ")).filter(|rates| !rates.is_empty()),
        gap,
    ]
    .into_iter()
    .flatten()
    .collect()
}
