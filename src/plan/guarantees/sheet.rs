//! A bound for every count.

use crate::plan::count::{ALL, Count};
use crate::plan::guarantees::range::{Bound, Range};
use crate::plan::guarantees::rules::Rule;

/// The bounds of one queue, of one producer or of all together; what nothing was said of never
/// happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet([Bound; ALL.len()]);

impl Default for Sheet {
    fn default() -> Self {
        Self([Bound::never(); ALL.len()])
    }
}

impl Sheet {
    pub fn set(&mut self, count: Count, bound: Bound) {
        self.0[place(count)] = bound;
    }

    pub fn get(&self, count: Count) -> Bound {
        self.0[place(count)]
    }

    pub fn range(&self, count: Count) -> Range {
        self.get(count).range
    }

    /// Adds another one's bounds, count by count.
    pub fn add(&mut self, other: &Sheet) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = *mine + *theirs;
        }
    }
}

impl Bound {
    /// What cannot happen happens never, whatever rule would have let it.
    pub fn or_never(self) -> Self {
        if self.range.is_zero() { Self::new(self.range, Rule::Never) } else { self }
    }
}

fn place(count: Count) -> usize {
    ALL.iter().position(|it| *it == count).expect("every count is listed")
}
