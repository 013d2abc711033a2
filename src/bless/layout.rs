//! Where everything stands in the text of a file, to the byte.
//!
//! Aliases are not followed: what an alias stands for belongs to whoever wrote the anchor.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

/// The way to a value: keys of maps, positions in lists.
pub type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(String),
    Item(usize),
}

/// A path of keys.
pub fn keys<S: Into<String>>(keys: impl IntoIterator<Item = S>) -> Path {
    keys.into_iter().map(|key| Step::Key(key.into())).collect()
}

/// A value of the text and the bytes that it covers, without space or comments behind it.
#[derive(Debug)]
pub struct Spot {
    pub start: usize,
    pub end: usize,
    pub what: What,
}

#[derive(Debug)]
pub enum What {
    /// `simple` is one that stands on one line, plain or in quotes.
    Scalar {
        text: String,
        simple: bool,
    },
    /// Nothing stands there: `key:`.
    Nothing,
    Map {
        flow: bool,
        entries: Vec<(Spot, Spot)>,
    },
    List {
        flow: bool,
        items: Vec<Spot>,
    },
    Alias,
}

/// The tree of a text.
#[derive(Debug)]
pub struct Layout {
    pub root: Spot,
}

impl Layout {
    /// Reads it.
    ///
    /// # Errors
    /// When this reader of YAML does not take what the other one took.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, bytes: offsets(text), events: Parser::new_from_str(text) };
        loop {
            match reader.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (event, span) => return Ok(Self { root: reader.spot(event, span)? }),
            }
        }
    }

    /// The value at a path.
    pub fn at(&self, path: &[Step]) -> Option<&Spot> {
        path.iter().try_fold(&self.root, |spot, step| spot.below(step))
    }

    /// The way to the scalar that covers a byte.
    pub fn path_to(&self, offset: usize) -> Option<Path> {
        let mut path = Vec::new();
        self.root.find(offset, &mut path).then_some(path)
    }
}

impl Spot {
    /// The value one step further.
    pub fn below(&self, step: &Step) -> Option<&Spot> {
        match (&self.what, step) {
            (What::Map { entries, .. }, Step::Key(wanted)) => {
                let is = |(key, _): &&(Spot, Spot)| key.text() == Some(wanted);
                entries.iter().find(is).map(|(_, value)| value)
            }
            (What::List { items, .. }, Step::Item(index)) => items.get(*index),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match &self.what {
            What::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Entries of a map; none of anything else.
    pub fn entries(&self) -> &[(Spot, Spot)] {
        match &self.what {
            What::Map { entries, .. } => entries,
            _ => &[],
        }
    }

    /// Whether the value is missing, or written as null.
    pub fn is_null(&self) -> bool {
        match &self.what {
            What::Nothing => true,
            What::Scalar { text, simple } => *simple && matches!(text.as_str(), "null" | "~"),
            _ => false,
        }
    }

    fn find(&self, offset: usize, path: &mut Path) -> bool {
        let mut into = |step: Step, spot: &Spot| {
            path.push(step);
            let found = spot.find(offset, path);
            if !found {
                path.pop();
            }
            found
        };
        match &self.what {
            What::Scalar { .. } => (self.start..self.end).contains(&offset),
            What::Map { entries, .. } => entries.iter().any(|(key, value)| {
                key.text().is_some_and(|key| into(Step::Key(key.to_owned()), value))
            }),
            What::List { items, .. } => {
                items.iter().enumerate().any(|(index, item)| into(Step::Item(index), item))
            }
            What::Nothing | What::Alias => false,
        }
    }
}

/// The byte at which each character begins, and the end.
fn offsets(text: &str) -> Vec<usize> {
    text.char_indices().map(|(offset, _)| offset).chain([text.len()]).collect()
}

struct Reader<'t> {
    text: &'t str,
    bytes: Vec<usize>,
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, (usize, usize)), String> {
        let event = self.events.next().ok_or("its YAML ends too early")?;
        let (event, span) = event.map_err(|error| format!("its YAML is not plain: {error}"))?;
        let span = self.range(span)?;
        Ok((event, span))
    }

    fn range(&self, span: Span) -> Result<(usize, usize), String> {
        let byte = |index: usize| {
            self.bytes.get(index).copied().ok_or_else(|| "its YAML ends too early".to_owned())
        };
        Ok((byte(span.start.index())?, byte(span.end.index())?))
    }

    fn spot(&mut self, event: Event<'t>, (start, end): (usize, usize)) -> Result<Spot, String> {
        match event {
            Event::Scalar(text, style, ..) => Ok(self.scalar(text.into_owned(), style, start, end)),
            Event::Alias(_) => Ok(Spot { start, end, what: What::Alias }),
            Event::MappingStart(..) => self.map(start, end),
            Event::SequenceStart(..) => self.list(start, end),
            other => Err(format!("its YAML is not plain: {other:?}")),
        }
    }

    fn scalar(&self, text: String, style: ScalarStyle, start: usize, end: usize) -> Spot {
        // An anchor before it stays.
        let covered = self.text[start..end].trim_end();
        let start = start + after_properties(covered);
        let covered = &self.text[start..end.max(start)];
        let end = start + covered.trim_end().len();
        let one_line = !covered.trim_end().contains(['\n', '\r']);
        let simple = one_line && !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let what = match start == end {
            true => What::Nothing,
            false => What::Scalar { text, simple },
        };
        Spot { start, end, what }
    }

    fn map(&mut self, start: usize, opened: usize) -> Result<Spot, String> {
        let flow = self.opens(start, opened, '{');
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                let last = entries.last().map(|(key, value): &(Spot, Spot)| value.end.max(key.end));
                let end = if flow { span.0 + 1 } else { last.unwrap_or(start) };
                return Ok(Spot { start, end, what: What::Map { flow, entries } });
            }
            let key = self.spot(event, span)?;
            let (event, span) = self.next()?;
            let mut value = self.spot(event, span)?;
            if matches!(value.what, What::Nothing) {
                // It stands behind the colon.
                let colon = self.text[key.end..].find(':').map_or(key.end, |at| key.end + at + 1);
                (value.start, value.end) = (colon, colon);
            }
            entries.push((key, value));
        }
    }

    fn list(&mut self, start: usize, opened: usize) -> Result<Spot, String> {
        let flow = self.opens(start, opened, '[');
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                let last = items.last().map(|item: &Spot| item.end);
                let end = if flow { span.0 + 1 } else { last.unwrap_or(start) };
                return Ok(Spot { start, end, what: What::List { flow, items } });
            }
            items.push(self.spot(event, span)?);
        }
    }

    /// Whether a map or list begins with its bracket, behind its anchor.
    fn opens(&self, start: usize, end: usize, bracket: char) -> bool {
        let begins = &self.text[start..end];
        begins[after_properties(begins)..].starts_with(bracket)
    }
}

/// How many bytes of a value are its anchor and its tag.
fn after_properties(value: &str) -> usize {
    let mut rest = value;
    while rest.starts_with(['&', '!']) {
        let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[word..].trim_start();
    }
    value.len() - rest.len()
}

#[cfg(test)]
mod tests {
    use std::path::Path as Folder;

    use super::*;
    use crate::scenario::node::{Node, Value};
    use crate::scenario::{Source, yaml};

    /// Every scalar of the tree, and the way to it.
    fn scalars(node: &Node, path: &mut Path, found: &mut Vec<(u32, Path)>) {
        let mut below = |step: Step, node: &Node| {
            path.push(step);
            scalars(node, path, found);
            path.pop();
        };
        match &node.value {
            Value::Map(entries) => entries.iter().for_each(|(key, value)| {
                below(Step::Key(key.text().unwrap_or_default().to_owned()), value);
            }),
            Value::List(items) => {
                items.iter().enumerate().for_each(|(index, item)| below(Step::Item(index), item));
            }
            _ => found.push((node.at.node, path.clone())),
        }
    }

    #[test]
    fn both_readers_of_yaml_see_every_value_at_the_same_place() {
        let root = Folder::new(env!("CARGO_MANIFEST_DIR"));
        let mut compared = 0;
        for folder in ["scenarios", "tests/warnings", "tests/bless"] {
            let pattern = root.join(folder).join("*.yaml");
            for file in glob::glob(pattern.to_str().unwrap()).unwrap() {
                let file = file.unwrap();
                let source = Source::read(&file).unwrap();
                let layout = Layout::read(&source.text).unwrap();
                let mut found = Vec::new();
                scalars(&yaml::read(&source).unwrap(), &mut Vec::new(), &mut found);
                for (node, path) in found {
                    let Some(spot) = layout.at(&path) else { continue };
                    let (offset, width) = yaml::locate(&source.text, node).unwrap();
                    // A text of lines begins at its sign for one, and behind it for the other.
                    let What::Scalar { simple: true, .. } = spot.what else { continue };
                    let anchored = source.text[offset..].starts_with('&');
                    let same = anchored || (spot.start == offset && spot.end >= offset + width);
                    assert!(same, "{}: {path:?}: {spot:?}, {offset}", file.display());
                    compared += 1;
                }
            }
        }
        assert!(compared > 2500, "only {compared} values were compared");
    }

    #[test]
    fn an_empty_value_is_behind_its_colon_and_an_anchor_before_its_value() {
        let layout = Layout::read("a:\nb: &x 7 # c\nc: { d: , e: ~ }\n").unwrap();
        let at = |path: &[&str]| {
            let spot = layout.at(&keys(path.iter().copied())).unwrap();
            (spot.start, spot.end, spot.is_null())
        };
        assert_eq!(at(&["a"]), (2, 2, true));
        assert_eq!(at(&["b"]), (9, 10, false));
        assert_eq!(at(&["c", "d"]), (22, 22, true));
        assert_eq!(at(&["c", "e"]), (28, 29, true));
    }
}
