//! What `-v` and `-vv` add for one variant: rows of workers, queues and producers, proofs of
//! faults, expectations, errors, histories. And observations, which are always shown.

use crate::plan::count::ALL;
use crate::plan::pattern::Scalar;
use crate::report::style::{Style, Tone};
use crate::report::table::INDENT;
use crate::report::table::grid::{Grid, Line};
use crate::report::text::paragraph;
use crate::report::times;
use crate::verdict::model::{
    ErrorRow, ExpectationRow, FaultRow, ObservationRow, ProbeRow, Row, VariantReport, WorkerRow,
    json,
};

/// What is as old as this is said to be.
const OLD_MS: u64 = 50;

/// Everything that the style asks for, as lines; a blank line before each table.
pub fn render(variant: &VariantReport, style: Style) -> String {
    let mut parts: Vec<_> =
        variant.observations.iter().map(|row| observation(row, style)).collect();
    parts.push(list(&variant.probes.iter().map(probe).collect::<Vec<_>>(), style));
    if style.verbosity > 0 {
        parts.extend(rows(variant, style));
    }
    if style.verbosity > 1 {
        parts.push(list(&variant.histories, style));
    }
    parts.iter().filter(|part| !part.is_empty()).map(|part| format!("\n{part}")).collect()
}

fn rows(variant: &VariantReport, style: Style) -> [String; 5] {
    let facts = variables(&variant.vars)
        .into_iter()
        .chain(variant.faults.iter().map(fault))
        .chain(variant.errors.iter().map(error))
        .chain(variant.expectations.iter().map(expectation))
        .chain(variant.timings.iter().flat_map(times::lines));
    [
        list(&variant.declared, style),
        workers(&variant.workers, style),
        counted("queue", &variant.queues, style),
        counted("producer", &variant.producers, style),
        list(&facts.collect::<Vec<_>>(), style),
    ]
}

fn list(lines: &[String], style: Style) -> String {
    lines.iter().map(|line| paragraph(line, style.width, INDENT, INDENT + 2)).collect()
}

fn observation(row: &ObservationRow, style: Style) -> String {
    let heads = ["ready", "unacked", "consumers"].map(str::to_owned).to_vec();
    let rows = row.queues.iter().map(|queue| Line {
        name: queue.name.clone(),
        numbers: [queue.ready, queue.unacked, queue.consumers].map(Some).to_vec(),
        word: String::new(),
        tone: Tone::Plain,
    });
    let grid = Grid { title: "queue".to_owned(), heads, rows: rows.collect(), indent: INDENT - 1 };
    let when = format!("observed {} at {} ms:", row.name, row.at_ms);
    let mut text = paragraph(&when, style.width, INDENT, INDENT + 2) + &grid.draw(style);
    let oldest = row.queues.iter().map(|queue| queue.unacked_age_ms).max().unwrap_or(0);
    if oldest >= OLD_MS {
        let age = format!("(unacked: the broker's number within {oldest} ms of that moment)");
        text.push_str(&paragraph(&age, style.width, INDENT, INDENT + 2));
    }
    text
}

fn probe(row: &ProbeRow) -> String {
    let what = match row.about.as_str() {
        "" => format!("probe {}", row.probe),
        about => format!("probe {} {about}", row.probe),
    };
    match (row.ok, row.code, row.text.as_str()) {
        (Some(true), _, "") => format!("{what}: ok"),
        (Some(true), _, came) => format!("{what}: ok, {came}"),
        (Some(false), Some(code), text) => format!("{what}: {code} {text}"),
        (_, _, text) => format!("{what}: {text}"),
    }
}

fn workers(rows: &[WorkerRow], style: Style) -> String {
    let rejected = rows.iter().any(|row| row.rejected > 0);
    let mut heads: Vec<_> =
        ["deliveries", "begun", "finished", "redelivered", "repeats", "acked"].into();
    if rejected {
        heads.push("rejected");
    }
    let rows = rows.iter().map(|row| {
        let mut numbers =
            vec![row.deliveries, row.begun, row.finished, row.redelivered, row.repeats, row.acked];
        if rejected {
            numbers.push(row.rejected);
        }
        let word = if row.died { "died" } else { "" };
        line(&row.name, &numbers, word)
    });
    let rows = rows.collect();
    let heads = heads.into_iter().map(str::to_owned).collect();
    Grid { title: "worker".to_owned(), heads, rows, indent: INDENT - 1 }.draw(style)
}

/// Queues or producers, with the counts that are not zero in one of them.
fn counted(title: &str, rows: &[Row], style: Style) -> String {
    let told = |count| rows.iter().any(|row| (row.knows)(count) && row.counts[count] > 0);
    let counts: Vec<_> = ALL.into_iter().filter(|&count| told(count)).collect();
    let heads = counts.iter().map(|count| count.name().to_owned()).collect();
    let rows = rows.iter().map(|row| {
        let numbers: Vec<_> = counts.iter().map(|&count| row.counts[count]).collect();
        line(&row.name, &numbers, "")
    });
    let rows = rows.collect();
    Grid { title: title.to_owned(), heads, rows, indent: INDENT - 1 }.draw(style)
}

fn line(name: &str, numbers: &[u64], word: &str) -> Line {
    let numbers = numbers.iter().copied().map(Some).collect();
    Line { name: name.to_owned(), numbers, word: word.to_owned(), tone: Tone::Plain }
}

fn variables(vars: &[(String, Scalar)]) -> Option<String> {
    let vars: Vec<_> =
        vars.iter().map(|(name, value)| format!("{name} = {}", json(value))).collect();
    (!vars.is_empty()).then(|| format!("vars: {}", vars.join(", ")))
}

fn fault(row: &FaultRow) -> String {
    if !row.fired {
        return format!("fault {}: {}", row.fault, row.effect);
    }
    let when = row.at_ms.map_or("fired".to_owned(), |ms| format!("fired at {ms} ms"));
    let bit = if row.bit { "bit" } else { "did not bite" };
    let effect = if row.effect.is_empty() { String::new() } else { format!(": {}", row.effect) };
    let recovered = row.recovered_ms.map(|ms| format!("; first delivery after it {ms} ms later"));
    format!("fault {}: {when}, {bit}{effect}{}", row.fault, recovered.unwrap_or_default())
}

fn error(row: &ErrorRow) -> String {
    let explained = if row.explained { " (explained by a fault)" } else { "" };
    let ErrorRow { who, scope, code, text, .. } = row;
    match code {
        0 => format!("error of {who}, {scope}: {text}{explained}"),
        code => format!("error of {who}, {scope}: {code} {text}{explained}"),
    }
}

fn expectation(row: &ExpectationRow) -> String {
    let held = match row.held {
        Some(true) => "held",
        Some(false) => "NOT HELD",
        None => "not judged",
    };
    let actual = match &row.actual {
        serde_json::Value::Null => "nothing measured".to_owned(),
        serde_json::Value::String(text) => format!("actual {text}"),
        value => format!("actual {value}"),
    };
    format!("expected {}: {} {held}, {actual} (line {})", row.path, row.expected, row.line)
}
