//! What is left of the warnings of all variants: each once, without those that an `allow` silences.
//!
//! Some lints are right about a file if they are right in one of its variants. The others must be
//! right in all that have the entry: what varies there is what the file shows.

use std::collections::HashMap;

use crate::plan::variants::Cell;
use crate::scenario::collect::Warning;
use crate::scenario::lint::{Allow, Lint, Reach, Told, allows};
use crate::scenario::mistake::{Mistake, shortened};
use crate::scenario::node::{At, Node};

/// A warning by its lint, its entry, its place and its words.
type Key = (Lint, Option<u32>, u32, String);

/// The warnings of the variants that were looked at.
pub struct Tally {
    allows: Vec<Allow>,
    /// The names of the variants.
    names: Vec<String>,
    /// In how many variants an entry stands, by its node.
    standing: HashMap<u32, usize>,
    kept: Vec<Kept>,
    index: HashMap<Key, usize>,
}

struct Kept {
    warning: Warning,
    /// The variants in which it is right, by their numbers.
    variants: Vec<usize>,
    /// Whether one of them does not silence it.
    told: bool,
    /// Which `allow` are about it.
    allows: Vec<usize>,
}

impl Tally {
    /// Nothing yet; every `allow` is one of the file.
    pub fn new(tree: &Node) -> Self {
        let (names, kept) = (Vec::new(), Vec::new());
        let (standing, index) = (HashMap::new(), HashMap::new());
        Self { allows: allows(tree), names, standing, kept, index }
    }

    /// Adds what was said about one variant, which has the entries `standing`.
    pub fn add(&mut self, cell: &Cell, standing: Vec<At>, warnings: Vec<Warning>) {
        let variant = self.names.len();
        self.names.push(cell.name.clone());
        let mut nodes: Vec<u32> = standing.into_iter().map(|at| at.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            *self.standing.entry(node).or_default() += 1;
        }
        for warning in warnings {
            self.keep(warning, variant, &cell.made_of);
        }
    }

    /// Adds what is right whatever the variant.
    pub fn whole(&mut self, warnings: Vec<Warning>) {
        for warning in warnings {
            for variant in 0..self.names.len() {
                self.keep(warning.clone(), variant, &[]);
            }
        }
    }

    fn keep(&mut self, warning: Warning, variant: usize, made_of: &[At]) {
        let reaches = |allow: &Allow| reaches(allow, &warning, made_of);
        let allows = self.allows.iter().enumerate().filter(|(_, allow)| reaches(allow));
        let allows: Vec<usize> = allows.map(|(index, _)| index).collect();
        let index = *self.index.entry(key(&warning)).or_insert_with(|| {
            let (variants, allows) = (Vec::new(), Vec::new());
            self.kept.push(Kept { warning, variants, told: false, allows });
            self.kept.len() - 1
        });
        let kept = &mut self.kept[index];
        kept.told |= allows.is_empty();
        kept.allows.extend(allows);
        if kept.variants.last() != Some(&variant) {
            kept.variants.push(variant);
        }
    }

    /// All that is to be told, in the order of the file, no more than `limit`. Whether each
    /// `allow` is of use can be said only where the file was read as it is: `judged`.
    pub fn finish(self, limit: usize, judged: bool) -> Vec<(Lint, Mistake)> {
        let Self { allows, names, standing, kept, .. } = self;
        let mut used = vec![false; allows.len()];
        let mut told = Vec::new();
        for kept in kept {
            let about = kept
                .warning
                .about
                .map_or(names.len(), |at| standing.get(&at.node).copied().unwrap_or(names.len()));
            let lint = kept.warning.lint;
            if lint.told() == Told::InAll && kept.variants.len() < about {
                continue;
            }
            kept.allows.iter().for_each(|allow| used[*allow] = true);
            if kept.told && !may_go_unused(&kept.warning) {
                let words = kept.warning.words;
                told.push((lint, said_where(words, &kept.variants, about, &names)));
            }
        }
        let unused = allows.iter().zip(used).filter(|(_, used)| judged && !used);
        // What is allowed in a part may be of use to other scenarios.
        let unused = unused.filter(|(allow, _)| allow.at.file() == 0);
        told.extend(unused.filter_map(|(allow, _)| unused_allow(allow, &allows)));
        told.sort_by_key(|(_, words)| words.at.position());
        told.truncate(limit);
        told
    }
}

/// Whether it is only about something unused that an included file has: others use it.
fn may_go_unused(warning: &Warning) -> bool {
    warning.lint.is_about_use() && At::node(warning.words.at.position()).file() != 0
}

/// Where variants differ in an entry's values, it is still one warning about it.
fn key(warning: &Warning) -> Key {
    let Warning { lint, about, words } = warning;
    let place = match lint.told() {
        Told::InAny => words.at.node,
        Told::InAll => words.at.position(),
    };
    (*lint, about.map(|at| at.node), place, words.message.clone())
}

fn reaches(allow: &Allow, warning: &Warning, made_of: &[At]) -> bool {
    if allow.lint != warning.lint {
        return false;
    }
    let within = |at: At, from: u32, to: u32| (from..=to).contains(&at.position());
    match allow.reach {
        Reach::File => true,
        _ if allow.variant.is_some_and(|at| made_of.contains(&at)) => true,
        Reach::Entry(from, to) => {
            within(warning.words.at, from, to)
                || warning.about.is_some_and(|about| within(about, from, to))
        }
    }
}

/// Says in which variants it is so, unless it is so in all of them.
fn said_where(mut words: Mistake, variants: &[usize], of: usize, names: &[String]) -> Mistake {
    if names.len() > 1 && variants.len() < of {
        let first = shortened(&names[variants[0]]);
        words.remark(&match variants.len() {
            1 => format!("in the variant `{first}`"),
            some => format!("in {some} of {of} variants, first in `{first}`"),
        });
    }
    words
}

/// The warning about an `allow` that is of no use, unless that is allowed.
fn unused_allow(allow: &Allow, all: &[Allow]) -> Option<(Lint, Mistake)> {
    let lint = Lint::UnusedAllow;
    let here = allow.at.node;
    let covers = |other: &Allow| match other.reach {
        Reach::File => true,
        Reach::Entry(from, to) => (from..=to).contains(&here),
    };
    let silenced = all.iter().any(|other| other.lint == lint && covers(other));
    let text = format!("nothing here gives rise to `{}`", allow.lint.name());
    let words = Mistake::new(allow.at, text).help("leave it out");
    (allow.lint != lint && !silenced).then_some((lint, words))
}
