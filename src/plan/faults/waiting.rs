//! Which fault waits for which, and that none waits for itself.
//!
//! Each waits for at most one, so that whoever follows them comes to an end or goes in a circle.

use std::collections::HashMap;

use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::mistake::Mistake;
use crate::scenario::trigger::Fault;

/// No more faults of a circle are shown than these.
const SHOWN: usize = 8;

/// For each entry the one that it waits for, if there is one.
pub fn next(entries: &[&Located<Fault>]) -> Vec<Option<usize>> {
    let named = named(entries);
    let wanted = |entry: &&Located<Fault>| {
        let fault = entry.after.as_ref()?.fault.as_ref()?;
        named.get(&*fault.value).copied()
    };
    entries.iter().map(wanted).collect()
}

/// The entry of each name; of one that is used twice the first.
pub fn named<'f>(entries: &[&'f Located<Fault>]) -> HashMap<&'f str, usize> {
    let mut named = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(name) = &entry.name {
            named.entry(&*name.value.0).or_insert(index);
        }
    }
    named
}

/// The entries, whoever is waited for first; without those that wait for a circle.
pub fn order(next: &[Option<usize>]) -> Vec<usize> {
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); next.len()];
    for (index, waited) in next.iter().enumerate() {
        if let Some(waited) = waited {
            behind[*waited].push(index);
        }
    }
    let mut order: Vec<usize> = (0..next.len()).filter(|index| next[*index].is_none()).collect();
    let mut done = 0;
    while let Some(index) = order.get(done).copied() {
        order.append(&mut behind[index]);
        done += 1;
    }
    order
}

/// Records each circle of faults, which never act.
pub fn cycles(entries: &[&Located<Fault>], next: &[Option<usize>], found: &mut Collector) {
    let mut passed = vec![false; entries.len()];
    order(next).into_iter().for_each(|index| passed[index] = true);
    for start in 0..entries.len() {
        let mut walk = Vec::new();
        let mut at = start;
        while !passed[at] {
            passed[at] = true;
            walk.push(at);
            // Whoever is not in the order waits for somebody.
            at = next[at].unwrap_or(at);
        }
        if let Some(begin) = walk.iter().position(|index| *index == at) {
            report(entries, &walk[begin..], found);
        }
    }
}

/// A circle is told at the first of its faults in the file.
fn report(entries: &[&Located<Fault>], circle: &[usize], found: &mut Collector) {
    let mut circle = circle.to_vec();
    let first = (0..circle.len()).min_by_key(|place| circle[*place]);
    circle.rotate_left(first.unwrap_or(0));
    let name = |entry: &usize| entries[*entry].name.as_ref().map_or("…", |name| &name.value);
    let at = entries[circle[0]].after.as_ref().and_then(|after| after.fault.as_ref());
    let at = at.map_or(entries[circle[0]].at, |fault| fault.at);
    let text = format!("fault `{}` waits for itself, so it never acts", name(&circle[0]));
    let around = circle.iter().chain(&circle[..1]).map(|entry| format!("`{}`", name(entry)));
    let mut around: Vec<String> = around.collect();
    if around.len() > SHOWN {
        around.splice(SHOWN - 2..around.len() - 1, ["…".to_owned()]);
    }
    let help = format!("give one of them another trigger: {}", around.join(" waits for "));
    found.push(Mistake::new(at, text).help(help));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_waited_for_comes_first() {
        for (next, expected) in [
            (&[None, Some(0), None, Some(1)][..], &[0, 2, 1, 3][..]),
            (&[Some(1), Some(0), Some(0), None], &[3]),
            (&[Some(0)], &[]),
            (&[Some(2), Some(0), None], &[2, 0, 1]),
        ] {
            assert_eq!(order(next), expected, "{next:?}");
        }
    }
}
