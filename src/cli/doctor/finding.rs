//! One thing that was looked at, and the page of all.

use crate::report::style::{Style, Tone};

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Good,
    /// It works without.
    Odd,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub state: State,
    pub what: &'static str,
    pub found: String,
    /// Further lines.
    pub notes: Vec<String>,
    /// What to do, most often a command.
    pub remedy: Option<String>,
    /// Nothing runs without it, whatever broker there is.
    pub blocks: bool,
}

impl Finding {
    pub fn good(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(State::Good, what, found)
    }

    pub fn odd(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(State::Odd, what, found)
    }

    pub fn bad(what: &'static str, found: impl Into<String>) -> Self {
        Self::new(State::Bad, what, found)
    }

    fn new(state: State, what: &'static str, found: impl Into<String>) -> Self {
        let (notes, remedy, blocks) = (Vec::new(), None, false);
        Self { state, what, found: found.into(), notes, remedy, blocks }
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub fn mend(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub fn blocking(mut self) -> Self {
        self.blocks = true;
        self
    }
}

/// What people read: a line for each finding, the remedies below, and the answer.
pub fn page(findings: &[Finding], runs: bool, style: Style) -> String {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or_default();
    let indentation = " ".repeat(width + 10);
    let mut text = String::new();
    for finding in findings {
        let (tone, word) = match finding.state {
            State::Good => (Tone::Good, "ok"),
            State::Odd => (Tone::Odd, "note"),
            State::Bad => (Tone::Bad, "FAIL"),
        };
        let what = finding.what;
        let mark = style.paint(tone, &format!("{word:<5}"));
        text.push_str(&format!("  {mark} {what:<width$}  {}\n", finding.found));
        for note in &finding.notes {
            text.push_str(&format!("{indentation}{note}\n"));
        }
        if let Some(remedy) = &finding.remedy {
            text.push_str(&format!("{indentation}to mend it: {remedy}\n"));
        }
    }
    let answer = match runs {
        true => "scenarios can be run here: rmq-scenario run FILE",
        false => "no scenario can be run here; what to do stands above",
    };
    text.push_str(&format!("\n{answer}\n"));
    text
}
