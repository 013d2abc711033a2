//! The tables in `scenarios/README.md`: a row for each variant, a column for each number.

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
            sections.push(Section {
                lesson: name.to_owned(),
                heads: Vec::new(),
                rows: Vec::new(),
            });
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
    /// Fails where a row says something else than the report. Variants that the broker is too
    /// old or too new for have no numbers to compare.
    #[track_caller]
    pub fn compare(&self, outcome: &Outcome) {
        let variants = outcome.variants();
        let names: Vec<&str> = variants.iter().map(name).collect();
        let told: Vec<&str> = self.rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(told, names, "the variants of {}", self.lesson);
        for (row, variant) in self.rows.iter().zip(variants) {
            if variant["verdict"] == "skipped" {
                continue;
            }
            let real = self.heads[1..].iter().map(|head| number(variant, head));
            let real: Vec<u64> = real.collect();
            let holds = row[1..].iter().zip(&real).all(|(cell, &real)| covers(cell, real));
            let same_width = row.len() == self.heads.len();
            assert!(holds && same_width, "{}: {row:?} is really {real:?}", self.lesson);
        }
    }
}

/// The only variant of a file without variants has no name.
fn name(variant: &Value) -> &str {
    variant["name"].as_str().filter(|name| !name.is_empty()).unwrap_or("–")
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

/// `7`, `6–20` with both ends, or `≥ 1`.
fn covers(cell: &str, real: u64) -> bool {
    let read = |text: &str| text.trim().parse::<u64>().unwrap_or_else(|_| panic!("`{cell}`"));
    match (cell.split_once('–'), cell.strip_prefix('≥')) {
        (Some((low, high)), _) => (read(low)..=read(high)).contains(&real),
        (None, Some(low)) => real >= read(low),
        (None, None) => real == read(cell),
    }
}
