//! What became of all runs, fault by fault; and what failed, in a place where it can be read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::calls::Called;
use crate::drawn::Drawn;
use crate::drawn::blows::{SUBJECTS, Subject};

#[derive(Default)]
struct Row {
    runs: u32,
    fired: u32,
    bit: u32,
    wrong: u32,
    slowest_ms: u64,
}

/// One row for each fault.
#[derive(Default)]
pub struct Tally {
    rows: BTreeMap<usize, Row>,
    /// Calls that ended as they should not, whatever the reports say.
    broken: u32,
}

impl Tally {
    fn row(&mut self, subject: Subject) -> &mut Row {
        let index = SUBJECTS.iter().position(|it| *it == subject).expect("one of all");
        self.rows.entry(index).or_default()
    }

    /// A run about this fault is over.
    pub fn count(&mut self, subject: Subject, scenario: &Value) {
        let variant = &scenario["variants"][0];
        let faults = variant["faults"].as_array().cloned().unwrap_or_default();
        let mine = |fault: &&Value| {
            fault["fault"].as_str().is_some_and(|label| label.starts_with(subject.word))
        };
        let any = |key: &str| faults.iter().filter(mine).any(|fault| fault[key] == true);
        let (fired, bit) = (any("fired"), any("bit"));
        let row = self.row(subject);
        row.runs += 1;
        row.fired += u32::from(fired);
        row.bit += u32::from(bit);
        row.slowest_ms = row.slowest_ms.max(variant["duration_ms"].as_u64().unwrap_or(0));
    }

    /// Its accounts are wrong; `again` is how often they were when it was repeated.
    pub fn wrong(
        &mut self,
        subject: Subject,
        drawn: &Drawn,
        complaints: &[String],
        called: &Called,
        again: usize,
    ) {
        self.row(subject).wrong += 1;
        let name = format!("{subject} {}", drawn.seed).replace(' ', "-");
        let place = keep(&name, std::slice::from_ref(drawn), called);
        println!("WRONG {name} (again {again} times)\n  {}", complaints.join("\n  "));
        println!("  kept in {}", place.display());
    }

    /// A call ended as it should not.
    pub fn broken(&mut self, files: &[Drawn], text: &str, called: &Called) {
        self.broken += 1;
        let place = keep(&format!("call-{}", files[0].seed), files, called);
        println!("WRONG {text}\n  kept in {}", place.display());
    }

    pub fn is_clean(&self) -> bool {
        self.broken == 0 && self.rows.values().all(|row| row.wrong == 0)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, row) in &self.rows {
            let Row { runs, fired, bit, wrong, slowest_ms } = row;
            let subject = SUBJECTS[*index];
            writeln!(
                f,
                "{subject:<24} {runs:>4} runs {fired:>4} fired {bit:>4} bit {wrong:>3} wrong  \
                 slowest {slowest_ms} ms"
            )?;
        }
        let runs: u32 = self.rows.values().map(|row| row.runs).sum();
        let wrong: u32 = self.rows.values().map(|row| row.wrong).sum();
        write!(f, "{runs} runs, {} wrong", wrong + self.broken)
    }
}

/// Writes down the files, what was reported and what was said.
fn keep(name: &str, files: &[Drawn], called: &Called) -> PathBuf {
    let number = std::process::id();
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let place = root.join(format!("stress-{number}")).join(name);
    std::fs::create_dir_all(&place).expect("a place to keep it");
    for (index, drawn) in files.iter().enumerate() {
        let file = |end| place.join(format!("{index}-{}.{end}", drawn.seed));
        std::fs::write(file("yaml"), &drawn.yaml).expect("it is written");
        std::fs::write(file("txt"), format!("{drawn:#?}")).expect("it is written");
    }
    std::fs::write(place.join("output.txt"), &called.output).expect("it is written");
    let report = format!("{:#}", called.report);
    std::fs::write(place.join("report.json"), report).expect("it is written");
    place
}
