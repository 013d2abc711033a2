//! Included files: which there are, in which order, and what is wrong with that.
//!
//! Files are read by whoever calls, so that nothing here knows a disk: a [`Shelf`] hands out texts.
//! Each part is taken once, where it is included first, however many ways lead to it.

mod join;

use std::collections::BTreeSet;

use crate::diagnostic::Diagnostic;
use crate::scenario::collect::Collector;
use crate::scenario::mistake::Mistake;
use crate::scenario::node::{At, Node, Value};
use crate::scenario::part::{self, Includes, Including, says};
use crate::scenario::source::Link;
use crate::scenario::{Source, keys, yaml};

/// No more includes than these are followed for one scenario.
const MAX_INCLUDES: usize = 200;
/// All parts of one scenario are no longer than this, in bytes.
const MAX_LENGTH: usize = 4 << 20;

/// Where included files come from.
pub struct Shelf<'r> {
    /// What tells the file itself from all others, as for [`Found::identity`].
    pub identity: String,
    /// The file that a path leads to, from the file that has the path where the second says.
    pub read: &'r mut dyn FnMut(&str, &str) -> Result<Found, Trouble>,
}

/// A file that was found.
pub struct Found {
    pub source: Source,
    /// The same for every path that leads to this file, and for no other file.
    pub identity: String,
}

/// Why there is no text.
pub enum Trouble {
    /// It cannot be read: why, in a few words, and what to do.
    Unreadable(String, String),
    /// It is no text; the place is in the file itself.
    NoText(Diagnostic),
}

/// A file with all that it includes.
pub struct Whole {
    /// As if all had been written in one file.
    pub tree: Node,
    pub parts: Vec<Source>,
    pub links: Vec<Link>,
    /// What is wrong with texts that could not be read as YAML, by the first node of each.
    pub unread: Vec<(At, Diagnostic)>,
}

/// The file with the entries of all files that it includes before its own.
pub fn gather(root: Node, source: &Source, shelf: Shelf, found: &mut Collector) -> Whole {
    let own = Known {
        identity: shelf.identity.clone(),
        path: source.path.clone(),
        below: BTreeSet::new(),
    };
    let values = yaml::MAX_NODES.saturating_sub(root.last() - root.at.node);
    let mut gathering = Gathering {
        shelf,
        found,
        top: root.at,
        known: vec![own],
        open: vec![0],
        parts: Vec::new(),
        links: Vec::new(),
        unread: Vec::new(),
        followed: 0,
        length: 0,
        values,
    };
    let tree = gathering.whole(root, 0);
    let Gathering { parts, links, unread, .. } = gathering;
    Whole { tree, parts, links, unread }
}

struct Known {
    identity: String,
    path: String,
    /// The numbers of all files below it.
    below: BTreeSet<usize>,
}

struct Gathering<'r, 'c> {
    shelf: Shelf<'r>,
    found: &'c mut Collector,
    /// The top of the file that includes all others.
    top: At,
    /// Every file, by its number.
    known: Vec<Known>,
    /// The files that lead to the one that is looked at, and that one.
    open: Vec<usize>,
    parts: Vec<Source>,
    links: Vec<Link>,
    unread: Vec<(At, Diagnostic)>,
    followed: usize,
    /// How long all parts are, in bytes.
    length: usize,
    /// How many values there may still be.
    values: u32,
}

impl Gathering<'_, '_> {
    /// A file with what it includes.
    fn whole(&mut self, root: Node, file: usize) -> Node {
        let mut layers = Vec::new();
        let mut here: Vec<(usize, At)> = Vec::new();
        for (at, path) in self.includes(&root) {
            let before = self.found.count() + self.unread.len();
            let number = self.include(at, &path, &mut layers);
            if let Some(number) = number {
                let from = self.known[file].path.clone();
                self.links.push(Link { from, path: path.clone(), part: number - 1 });
                let first = here.iter().find(|(known, _)| *known == number);
                if let Some((_, first)) = first {
                    let text = format!("`{path}` is included here a second time");
                    let mistake =
                        Mistake::new(at, text).note("it stands first in this list", *first);
                    self.found.push(mistake.help("keep one of them"));
                }
                here.push((number, at));
                let below: Vec<usize> = self.known[number].below.iter().copied().collect();
                self.known[file].below.extend(below.into_iter().chain([number]));
            }
            // What is not read may hold any name.
            if self.found.count() + self.unread.len() > before {
                self.found.removed(self.top, at, Some("include".to_owned()));
            }
        }
        let below = |one: usize, other: usize| self.known[one].below.contains(&other);
        let joined = join::join(root, layers, &below, self.found);
        if !joined.complete {
            self.found.removed(self.top, joined.tree.at, Some("include".to_owned()));
        }
        joined.tree
    }

    /// The paths that a file includes.
    fn includes(&mut self, root: &Node) -> Vec<(At, String)> {
        let entry = root.entries().iter().find(|(key, _)| key.text() == Some("include"));
        let Some(entry) = entry else { return Vec::new() };
        let before = self.found.count();
        let mut alone = Node { at: root.at, value: Value::Map(vec![entry.clone()]) };
        let read: Option<Including> = self.found.decode(&mut alone);
        if self.found.count() > before {
            self.found.removed(self.top, entry.1.at, Some("include".to_owned()));
        }
        match read.and_then(|read| read.include) {
            None => Vec::new(),
            Some(only) => match only.value {
                Includes::One(path) => vec![(only.at, path.0)],
                Includes::List(list) => {
                    list.into_iter().map(|path| (path.at, path.value.0)).collect()
                }
            },
        }
    }

    /// Adds what one include brings; the number of its file, if that is a part.
    fn include(&mut self, at: At, path: &str, layers: &mut Vec<Node>) -> Option<usize> {
        self.followed += 1;
        if self.followed > MAX_INCLUDES {
            // Said once, where it begins to be too much.
            if self.followed == MAX_INCLUDES + 1 {
                let text = format!("this is include {} of one scenario", self.followed);
                let help = format!("{MAX_INCLUDES} are the most; put several parts into one");
                self.found.push(Mistake::new(at, text).help(help));
            }
            return None;
        }
        let from = self.known[*self.open.last()?].path.clone();
        let read = (self.shelf.read)(path, &from);
        let Found { source, identity } = match read {
            Ok(found) => found,
            Err(Trouble::Unreadable(why, help)) => {
                let text = format!("cannot include `{path}`: {why}");
                self.found.push(Mistake::new(at, text).help(help));
                return None;
            }
            Err(Trouble::NoText(diagnostic)) => {
                self.unread.push((at, diagnostic.note(format!("included by {from}"))));
                return None;
            }
        };
        if let Some(number) = self.known.iter().position(|known| known.identity == identity) {
            let closes = self.open.contains(&number);
            if closes {
                self.circle(at, number);
            }
            return (!closes).then_some(number);
        }
        self.part(at, path, source, identity, layers)
    }

    /// Reads a file that is included for the first time.
    fn part(
        &mut self,
        at: At,
        path: &str,
        source: Source,
        identity: String,
        layers: &mut Vec<Node>,
    ) -> Option<usize> {
        let from = self.known[*self.open.last()?].path.clone();
        self.length += source.text.len();
        if self.length > MAX_LENGTH {
            let text = format!("with `{path}` the parts of this scenario are too long");
            let help = format!("they are at most {} MiB in all", MAX_LENGTH >> 20);
            self.found.push(Mistake::new(at, text).help(help));
            return None;
        }
        let number = self.known.len();
        self.known.push(Known { identity, path: source.path.clone(), below: BTreeSet::new() });
        let read = yaml::document(&source, number);
        self.parts.push(source);
        let root = match read {
            Ok(root) => root,
            Err(diagnostic) => {
                let diagnostic = diagnostic.note(format!("included by {from}"));
                self.unread.push((At::first_of(number), diagnostic));
                return None;
            }
        };
        let Some(left) = self.values.checked_sub(root.last() - root.at.node) else {
            let text = format!("with `{path}` there are too many values");
            let help = format!("all files of a scenario have at most {} in all", yaml::MAX_NODES);
            self.found.push(Mistake::new(at, text).help(help));
            return None;
        };
        self.values = left;
        let mut root = keys::check(self.proven(at, path, root)?, self.found);
        part::check(&mut root, self.found);
        self.open.push(number);
        let whole = self.whole(root, number);
        self.open.pop();
        layers.push(whole);
        Some(number)
    }

    /// The tree of a file, if that is a part with something in it.
    fn proven(&mut self, at: At, path: &str, root: Node) -> Option<Node> {
        let (text, help) = match root.value {
            Value::Null => ("is empty", "a part begins with `part: NAME`"),
            Value::Map(_) if says(&root, "part") => {
                if part::brings_something(&root) {
                    return Some(root);
                }
                ("brings nothing", "give it a `topology`, `producers` or `workers`")
            }
            Value::Map(_) if says(&root, "scenario") => (
                "is a scenario, not a part",
                "move what both need to a file that begins with `part: NAME`, and include that",
            ),
            _ => ("is not a part", "a part begins with `part: NAME`"),
        };
        self.found.push(Mistake::new(at, format!("`{path}` {text}")).help(help));
        None
    }

    /// The mistake of including a file that leads here.
    fn circle(&mut self, at: At, number: usize) {
        let from = self.open.iter().position(|open| *open == number).unwrap_or_default();
        let path = |file: &usize| self.known[*file].path.as_str();
        let chain: Vec<&str> = self.open[from..].iter().map(path).collect();
        let mut mistake = match chain.as_slice() {
            [_] => Mistake::new(at, "this file includes itself"),
            [first, ..] => {
                let mut mistake = Mistake::new(at, "these files include each other in a circle");
                let way = format!("{}, which includes {first}", chain.join(", which includes "));
                mistake.remark(&way.replacen(", which includes", " includes", 1));
                mistake
            }
            [] => return,
        };
        mistake = mistake.help("leave this include out, or put what both need into a third file");
        self.found.push(mistake);
    }
}
