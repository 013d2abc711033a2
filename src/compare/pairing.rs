//! Which scenario of one report is which of another, and which variant.
//!
//! A scenario is known by its name. Of several with one name the file decides, as it was named, then
//! its last part, then the order; one that has another name is known by its file. A variant is known
//! by its name alone.

use crate::compare::reading::{Scenario, Variant};

type Rule = fn(&Scenario, &Scenario) -> bool;

/// From the surest to the last resort.
const RULES: [Rule; 4] = [
    |one, other| one.scenario == other.scenario && one.file == other.file,
    |one, other| one.scenario == other.scenario && last(&one.file) == last(&other.file),
    |one, other| one.scenario == other.scenario,
    |one, other| one.file == other.file,
];

fn last(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// For each scenario of `base` which of `other` it is, if any; none is taken twice.
pub fn scenarios(base: &[Scenario], other: &[Scenario]) -> Vec<Option<usize>> {
    let mut found = vec![None; base.len()];
    let mut free = vec![true; other.len()];
    for rule in RULES {
        for (scenario, found) in base.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
            let fitting = |index: &usize| free[*index] && rule(scenario, &other[*index]);
            *found = (0..other.len()).find(fitting);
            if let Some(index) = *found {
                free[index] = false;
            }
        }
    }
    found
}

/// For each variant of `base` which of `other` it is, if any.
pub fn variants(base: &[Variant], other: &[Variant]) -> Vec<Option<usize>> {
    let mut free = vec![true; other.len()];
    let pair = |variant: &Variant| {
        let fitting = |index: &usize| free[*index] && other[*index].name == variant.name;
        let found = (0..other.len()).find(fitting)?;
        free[found] = false;
        Some(found)
    };
    base.iter().map(pair).collect()
}

/// Whether a variant that is gone and one that is new are perhaps the same, under another name.
pub fn alike(gone: &Variant, new: &Variant) -> bool {
    !gone.vars.is_empty() && gone.vars == new.vars
}
