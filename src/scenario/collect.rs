//! Finding all mistakes at once: what is wrong is recorded, taken out, and the rest read again.
//!
//! What was taken out is remembered, so that nothing is reported as missing that the file has.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use crate::scenario::decode::{Decoder, Inner, Kind, Part};
use crate::scenario::lint::Lint;
use crate::scenario::mistake::{Mistake, Whole, list, meant};
use crate::scenario::node::{At, Node, Value};

/// No more mistakes than these are told of a file.
const MAX_MISTAKES: usize = 100;
/// No more warnings than these are kept of one variant, the silenced ones too.
const MAX_WARNINGS: usize = 1000;
/// Each mistake reads the text again: all of them together read no more than this.
const MAX_READ: usize = 10 << 20;

#[derive(Debug)]
pub struct Collector {
    /// How many mistakes are looked for.
    limit: usize,
    mistakes: Vec<Mistake>,
    /// What is allowed and probably not meant, in the variant that is looked at.
    warnings: Vec<Warning>,
    /// Which mistakes are told already, by node and text: several variants find the same ones.
    told: HashSet<(u32, String)>,
    removed: Vec<Removed>,
}

/// What is allowed and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub lint: Lint,
    /// The entry of the file that it is about; where there is none, its place says enough.
    pub about: Option<At>,
    pub words: Mistake,
}

/// Something that was taken out of the tree.
#[derive(Debug)]
struct Removed {
    /// The map or list that held it.
    container: At,
    /// Its own node: the key of an unknown key, else the value.
    at: At,
    /// The key it had, or that it was probably meant to have; none in a list.
    key: Option<String>,
    /// A key that no struct knows and that resembles none: nothing is missing without it.
    needless: bool,
}

impl Collector {
    /// A collector for a text of `length` bytes: of a long one fewer mistakes are told.
    pub fn new(length: usize) -> Self {
        let limit = limit(length);
        let (mistakes, warnings, removed) = (Vec::new(), Vec::new(), Vec::new());
        Self { limit, mistakes, warnings, told: HashSet::new(), removed }
    }

    /// Says that there is another text, of `length` bytes, that mistakes may be in.
    pub fn also(&mut self, length: usize) {
        self.limit = self.limit.min(limit(length));
    }

    pub fn push(&mut self, mistake: Mistake) {
        if self.told.insert((mistake.at.node, mistake.message.clone())) {
            self.mistakes.push(mistake);
        }
    }

    /// Records what is allowed and probably not meant.
    pub fn warn(&mut self, lint: Lint, words: Mistake) {
        self.doubt(Warning { lint, about: None, words });
    }

    /// The same, about an entry of the file.
    pub fn doubt(&mut self, warning: Warning) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(warning);
        }
    }

    /// The warnings since the last time.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        std::mem::take(&mut self.warnings)
    }

    /// How many messages about a file are told at most.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// How many mistakes there are.
    pub fn count(&self) -> usize {
        self.mistakes.len()
    }

    /// Whether there is no mistake.
    pub fn is_empty(&self) -> bool {
        self.mistakes.is_empty()
    }

    /// Says that an entry of a map or list was taken out of the tree elsewhere.
    pub fn removed(&mut self, container: At, at: At, key: Option<String>) {
        self.removed.push(Removed { container, at, key, needless: false });
    }

    /// A struct out of a tree without its wrong parts; `None` when too little is left.
    pub fn decode<T: DeserializeOwned>(&mut self, tree: &mut Node) -> Option<T> {
        loop {
            let wrong = match T::deserialize(Decoder(tree)) {
                Ok(value) => return Some(value),
                Err(wrong) => wrong.into_inner(),
            };
            let at = wrong.at?;
            if !self.follows(tree, &wrong, at) {
                self.push(words(&wrong, at));
            }
            if self.mistakes.len() >= self.limit || !self.remove(tree, &wrong, at) {
                return None;
            }
        }
    }

    /// Whether a key is missing, or a value is not whole, only because something was taken out.
    fn follows(&self, tree: &Node, wrong: &Inner, at: At) -> bool {
        match &wrong.kind {
            Kind::MissingKey(missing) => self
                .removed
                .iter()
                .any(|removed| removed.container == at && removed.key.as_deref() == Some(*missing)),
            Kind::Other(_) => tree.find(at).is_some_and(|node| {
                let inside = |removed: &&Removed| node.covers(removed.container.node);
                self.removed.iter().filter(inside).any(|removed| !removed.needless)
            }),
            _ => false,
        }
    }

    fn remove(&mut self, tree: &mut Node, wrong: &Inner, at: At) -> bool {
        let suggested = match &wrong.kind {
            Kind::UnknownKey { found, known } => Some(meant(found, known.iter().copied())),
            _ => None,
        };
        let Some((container, key)) = take(tree, at) else { return false };
        let needless = suggested == Some(None);
        let key = match suggested {
            Some(suggested) => suggested.map(str::to_owned),
            None => key,
        };
        self.removed.push(Removed { container, at, key, needless });
        true
    }

    /// The mistakes that stand when the whole file is considered, in its order; `original` is
    /// the tree before anything was taken out.
    pub fn finish(self, original: &Node) -> Vec<Mistake> {
        let Self { limit, mut mistakes, removed, .. } = self;
        mistakes.retain(|mistake| {
            !mistake.needs.iter().any(|whole| missing(&removed, original, *whole))
        });
        // The command line comes first, then what the file has, in its order, then its parts.
        mistakes.sort_by_key(|mistake| {
            (!mistake.at.is_from_command_line(), mistake.at.node, mistake.at.used)
        });
        if mistakes.len() >= limit {
            mistakes.truncate(limit);
            if let Some(last) = mistakes.last_mut() {
                last.remark("more mistakes may follow; these come first");
            }
        }
        mistakes
    }
}

/// How many mistakes are told of a text of `length` bytes.
fn limit(length: usize) -> usize {
    (MAX_READ / length.max(1)).clamp(10, MAX_MISTAKES)
}

fn missing(removed: &[Removed], original: &Node, whole: Whole) -> bool {
    match whole {
        Whole::Node(at) => {
            let Some(node) = original.find(at) else { return false };
            let within = |removed: &Removed| node.covers(removed.at.position());
            removed.iter().any(|removed| !removed.needless && within(removed))
        }
        Whole::Names(path) => names_missing(removed, original, path, false),
        Whole::All(path) => names_missing(removed, original, path, true),
    }
}

/// Whether a name may be missing from a list: the list itself, an entry, or an entry's `name`
/// or `count` was taken out; or, when `all` of it matters, anything in it. What an `include` would
/// have brought may be anything.
fn names_missing(removed: &[Removed], original: &Node, path: &[&str], all: bool) -> bool {
    let mut node = original;
    let gone = |node: &Node, key: &str| {
        let from = removed.iter().filter(|removed| removed.container == node.at);
        from.into_iter().any(|removed| removed.key.as_deref() == Some(key))
    };
    if gone(original, "include") {
        return true;
    }
    for key in path {
        if gone(node, key) {
            return true;
        }
        let Some(next) = node.get(key) else { return false };
        node = next;
    }
    removed.iter().any(|removed| {
        let entry = removed.container == node.at;
        !removed.needless
            && (all || entry || matches!(removed.key.as_deref(), Some("name" | "count" | "if")))
            && node.covers(removed.at.position())
    })
}

/// Takes the entry out that a node is or belongs to; tells the container and the entry's key.
fn take(tree: &mut Node, at: At) -> Option<(At, Option<String>)> {
    let container = tree.at;
    match &mut tree.value {
        Value::List(items) => {
            if let Some(position) = items.iter().position(|item| item.at == at) {
                items.remove(position);
                return Some((container, None));
            }
            items.iter_mut().find_map(|item| take(item, at))
        }
        Value::Map(entries) => {
            let position = entries.iter().position(|(key, value)| key.at == at || value.at == at);
            if let Some(position) = position {
                let (key, _) = entries.remove(position);
                return Some((container, key.text().map(str::to_owned)));
            }
            entries.iter_mut().find_map(|(_, value)| take(value, at))
        }
        _ => None,
    }
}

/// What is wrong, in the words of the file.
fn words(wrong: &Inner, at: At) -> Mistake {
    let owner = match (wrong.owner, &wrong.key) {
        (Some(owner), _) => owner.to_owned(),
        (None, Some(key)) => format!("`{key}`"),
        (None, None) => "the file".to_owned(),
    };
    match &wrong.kind {
        Kind::UnknownKey { found, known } => {
            let mistake = Mistake::new(at, format!("unknown key `{found}` in {owner}"));
            mistake.help(match meant(found, known.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None if known.len() > 24 => "look it up in the description of the format".into(),
                None => format!("the keys of {owner} are {}", list(known.iter().copied(), "and")),
            })
        }
        Kind::MissingKey(key) => Mistake::new(at, format!("{owner} needs the key `{key}`")),
        Kind::Choice { found, known } => {
            let what = subject(wrong);
            let choice = list(known.iter().copied(), "or");
            let mistake = Mistake::new(at, format!("{what} must be {choice}, not `{found}`"));
            match meant(found, known.iter().copied()) {
                Some(meant) => mistake.help(format!("did you mean `{meant}`?")),
                None => mistake,
            }
        }
        Kind::Type { found, expected } => {
            let what = subject(wrong);
            let mistake = Mistake::new(at, format!("{what} must be {expected}, not {found}"));
            match advice(found, expected) {
                Some(advice) => mistake.help(advice),
                None => mistake,
            }
        }
        Kind::Other(text) => match text.split_once('\n') {
            Some((message, help)) => Mistake::new(at, message).help(help),
            None => Mistake::new(at, text),
        },
    }
}

fn subject(wrong: &Inner) -> String {
    match (&wrong.key, wrong.part) {
        (Some(key), Part::Entry) => format!("an entry of `{key}`"),
        (Some(key), Part::Key) => format!("a key of `{key}`"),
        (Some(key), Part::Whole) => format!("`{key}`"),
        (None, _) => "this".to_owned(),
    }
}

fn advice(found: &str, expected: &str) -> Option<String> {
    let text = found.strip_prefix("the text \"").and_then(|text| text.strip_suffix('"'));
    let boolean = |text: &str| match text.to_lowercase().as_str() {
        "true" | "yes" | "on" => Some("true"),
        "false" | "no" | "off" => Some("false"),
        _ => None,
    };
    if let (Some(word), true) = (text.and_then(boolean), expected.contains("`true`")) {
        return Some(format!("write {word} without quotes"));
    }
    let number = text.is_some_and(|text| text.parse::<u64>().is_ok());
    if number && expected.contains("number") {
        return Some(format!("write {} without quotes", text.unwrap_or_default()));
    }
    let scalar = found.strip_prefix("the number ").or(found.strip_prefix('`'));
    match (scalar, expected) {
        (Some(scalar), "text") => {
            Some(format!("put it into quotes: \"{}\"", scalar.trim_end_matches('`')))
        }
        (_, "a list") => Some("write a list as `- a` on lines of its own, or as `[a, b]`".into()),
        _ => None,
    }
}
