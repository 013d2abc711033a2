//! The file as written.

use crate::diagnostic::Place;

/// A node of the file, by its number in reading order, and where a variable brought it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    pub node: u32,
    pub used: Option<u32>,
}

/// The text of a scenario file.
#[derive(Debug)]
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// Where a node stands; `None` only for what came from the command line.
    pub fn place(&self, at: At) -> Option<Place> {
        let _ = at;
        None
    }
}
impl Source {
    pub fn read(_: &std::path::Path) -> Result<Self, crate::diagnostic::Diagnostic> {
        Err(crate::diagnostic::Diagnostic::error("stub"))
    }
    pub fn path(&self) -> &str {
        &self.path
    }
}
