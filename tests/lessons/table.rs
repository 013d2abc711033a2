//! The tables in `scenarios/README.md`: a row for each variant, a column for each number, and
//! some for what the broker said: the codes of `errors`, and the `answers` to probes.

use serde_json::Value;

use crate::lessons::outcome::Outcome;
use crate::pages::{Page, page};

/// What the page says of one lesson.
pub struct Section {
    pub lesson: String,
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// The sections of the page: a heading that links to the file, and a table below it.
pub fn sections() -> Vec<Section> {
    let page = page("scenarios/README.md");
    let mut sections: Vec<Section> = Vec::new();
    for line in page.prose() {
        if let Some(name) = line.strip_prefix("### [").and_then(|rest| rest.split(']').next()) {
            sections.push(Section { lesson: name.to_owned(), heads: Vec::new(), rows: Vec::new() });
        }
        let Some(section) = sections.last_mut() else { continue };
        let Some(cells) = Page::cells(line) else { continue };
        match section.heads.is_empty() {
            true => section.heads = cells,
            false if cells[0].starts_with("---") => {}
            false => section.rows.push(cells),
        }
    }
    sections
}

impl Section {
    /// Where a row says something else than the report. Variants that the broker is too old or
    /// too new for have no numbers to compare.
    pub fn complaints(&self, outcome: &Outcome) -> Vec<String> {
        let variants = outcome.variants();
        let names: Vec<&str> = variants.iter().map(name).collect();
        let told: Vec<&str> = self.rows.iter().map(|row| row[0].as_str()).collect();
        if told != names {
            return vec![format!("{} has the variants {names:?}, not {told:?}", self.lesson)];
        }
        let pairs = self.rows.iter().zip(variants);
        let ran = pairs.filter(|(_, variant)| variant["verdict"] != "skipped");
        ran.flat_map(|(row, variant)| self.wrong_cells(row, variant)).collect()
    }

    fn wrong_cells(&self, row: &[String], variant: &Value) -> Vec<String> {
        if row.len() != self.heads.len() {
            return vec![format!("{}: {row:?} is not as wide as its table", self.lesson)];
        }
        let cells = self.heads.iter().zip(row).skip(1);
        let cells = cells.map(|(head, cell)| (head, cell, real(variant, head)));
        let wrong = cells.filter(|(_, cell, real)| !covers(cell, real));
        let told = |(head, cell, real)| {
            format!("{}, {}: {head} is {real}, not {cell}", self.lesson, row[0])
        };
        wrong.map(told).collect()
    }
}

/// The only variant of a file without variants has no name.
fn name(variant: &Value) -> &str {
    variant["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("–")
}

/// What a cell in this column has to say.
fn real(variant: &Value, head: &str) -> String {
    match head {
        "answers" => codes(variant, "probes"),
        "errors" => codes(variant, "errors"),
        _ => number(variant, head).to_string(),
    }
}

/// A number of the report: `lost`, or `worker-1 finished` of that worker, queue or producer.
fn number(variant: &Value, head: &str) -> u64 {
    let found = match head.split_once(' ') {
        None => variant["counts"][head].as_u64(),
        Some((scope, count)) => ["workers", "queues", "producers"].iter().find_map(|list| {
            let rows = variant[list].as_array()?;
            rows.iter().find(|row| row["name"] == scope)?[count].as_u64()
        }),
    };
    // Whoever has no part in a variant has no row in its report.
    found.unwrap_or(0)
}

/// What the broker said, each by its code: `ok 406 404`; `–` where it said nothing.
fn codes(variant: &Value, list: &str) -> String {
    let rows = variant[list].as_array().map_or(&[][..], Vec::as_slice);
    let code = |row: &Value| match row["ok"] == true {
        true => "ok".to_owned(),
        false => row["code"].to_string(),
    };
    let codes: Vec<String> = rows.iter().map(code).collect();
    if codes.is_empty() { "–".to_owned() } else { codes.join(" ") }
}

/// Whether a cell is so, or is a range around it: `6–20` with both ends.
fn covers(cell: &str, real: &str) -> bool {
    let read = |text: &str| text.trim().parse::<u64>().ok();
    let within = || {
        let (low, high) = cell.split_once('–')?;
        Some((read(low)?..=read(high)?).contains(&read(real)?))
    };
    cell == real || within() == Some(true)
}
