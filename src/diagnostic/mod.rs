//! A message about the input or the outcome: what, where, why, and what to do.
//!
//! Knows nothing of YAML: whoever finds a mistake gives its place.

mod render;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in a text file. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file as the user named it.
    pub file: String,
    pub line: usize,
    pub column: usize,
    /// How many characters to underline, at least 1.
    pub width: usize,
    /// The whole line.
    pub text: String,
}

impl Place {
    /// Its line, as a message about the file `home` mentions it.
    pub fn from(&self, home: &str) -> String {
        match self.file == home {
            true => format!("line {}", self.line),
            false => format!("{}:{}", self.file, self.line),
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Diagnostic {
    pub severity: Severity,
    /// The name of the rule that a warning comes from, if it has one.
    pub lint: Option<&'static str>,
    /// One sentence without a full stop.
    pub message: String,
    pub place: Option<Place>,
    /// Beside the carets.
    pub label: String,
    /// Further lines: `why: …`, `message 9: …`.
    pub notes: Vec<String>,
    /// What to do next.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place yet.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            lint: None,
            message: message.into(),
            place: None,
            label: String::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A warning without a place yet.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// Says where.
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// Says what to do.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds a line below.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}
