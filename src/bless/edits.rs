//! Single changes of a text, each of which leaves every other byte as it was.

use crate::bless::layout::{Layout, Path, Spot, Step, What};
use crate::scenario::node::Value;
use crate::scenario::yaml;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// Another scalar in the place of the one at a path; `value` is YAML.
    Replace { path: Path, value: String },
    /// A value where there is none; maps that are missing on the way come with it.
    Insert { path: Path, value: String },
    /// Another entry of a list; `value` is YAML on one line.
    Append { list: Path, value: String },
}

impl Edit {
    /// The text after the change.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn apply(&self, text: &str) -> Result<String, String> {
        let layout = Layout::read(text)?;
        let (at, until, new) = match self {
            Edit::Replace { path, value } => replace(text, &layout, path, value)?,
            Edit::Insert { path, value } => insert(text, &layout, path, value)?,
            Edit::Append { list, value } => append(text, &layout, list, value)?,
        };
        Ok(format!("{}{new}{}", &text[..at], &text[until..]))
    }
}

/// From where to where, and what comes there.
type Splice = (usize, usize, String);

fn replace(text: &str, layout: &Layout, path: &[Step], value: &str) -> Result<Splice, String> {
    let spot = layout.at(path).ok_or_else(|| format!("{} is not there", shown(path)))?;
    match &spot.what {
        What::Scalar { simple: true, .. } => Ok((spot.start, spot.end, value.to_owned())),
        What::Nothing => {
            let room = text[spot.end..].len() - text[spot.end..].trim_start_matches(' ').len();
            let until = spot.end + room;
            // Space before a comma was the value's.
            let end = if text[until..].starts_with(',') { until } else { spot.end };
            Ok((spot.start, end, format!(" {value}")))
        }
        _ => Err(format!("the value of {} is not on one line", shown(path))),
    }
}

fn insert(text: &str, layout: &Layout, path: &[Step], value: &str) -> Result<Splice, String> {
    // The deepest map that is there.
    let there = (0..path.len()).rev().find(|length| layout.at(&path[..*length]).is_some());
    let length = there.unwrap_or(0);
    let (above, below) = path.split_at(length);
    let map = layout.at(above).ok_or("it has no map at its top")?;
    let new = nested(below, value)?;
    match &map.what {
        What::Map { flow: true, entries } => Ok(into_flow(map, entries, &new)),
        What::Map { flow: false, entries } => into_block(text, map, entries, &new),
        _ if map.is_null() => Ok(if map.start == map.end {
            (map.start, map.end, format!(" {{ {new} }}"))
        } else {
            (map.start, map.end, format!("{{ {new} }}"))
        }),
        What::Alias => Err(format!("{} is the alias of what stands elsewhere", shown(above))),
        _ => Err(format!("{} is no map", shown(above))),
    }
}

/// `queues: { q: { lost: 0 } }`
fn nested(keys: &[Step], value: &str) -> Result<String, String> {
    let (Step::Key(key), rest) = keys.split_first().ok_or("there is nothing to write")? else {
        return Err("a list has no such entry".to_owned());
    };
    let key = scalar(key);
    match rest {
        // A list that begins on a line of its own.
        [] if value.starts_with('\n') => Ok(format!("{key}:{value}")),
        [] => Ok(format!("{key}: {value}")),
        rest => Ok(format!("{key}: {{ {} }}", nested(rest, value)?)),
    }
}

/// Text as YAML: plain where that means the same.
pub fn scalar(text: &str) -> String {
    let quoted = || serde_json::to_string(text).unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || "_-./ ".contains(c);
    let simple = text.chars().all(plain) && text.trim() == text && !text.starts_with(['-', '.']);
    let same = yaml::scalar(text) == Some(Value::Text(text.to_owned()));
    if simple && same { text.to_owned() } else { quoted() }
}

fn into_flow(map: &Spot, entries: &[(Spot, Spot)], new: &str) -> Splice {
    match entries.last() {
        Some((key, value)) => {
            let at = value.end.max(key.end);
            (at, at, format!(", {new}"))
        }
        None => (map.end - 1, map.end - 1, format!(" {new} ")),
    }
}

/// Behind the line on which the map ends, under its first key.
fn into_block(
    text: &str,
    map: &Spot,
    entries: &[(Spot, Spot)],
    new: &str,
) -> Result<Splice, String> {
    let (first, _) = entries.first().ok_or("a map has no entries")?;
    let indentation = column(text, first.start);
    Ok(behind_line(text, map.end, &format!("{}{new}", " ".repeat(indentation))))
}

fn append(text: &str, layout: &Layout, path: &[Step], value: &str) -> Result<Splice, String> {
    let list = layout.at(path).ok_or_else(|| format!("{} is not there", shown(path)))?;
    let What::List { flow, items } = &list.what else {
        return Err(format!("{} is not a list that stands there", shown(path)));
    };
    let Some(last) = items.last() else { return Err(format!("{} is empty", shown(path))) };
    if *flow {
        return Ok((last.end, last.end, format!(", {value}")));
    }
    let line = text[..last.start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let dash = text[line..last.start].rfind("- ").ok_or("an entry begins on a line of its own")?;
    let indentation = column(text, line + dash);
    Ok(behind_line(text, list.end, &format!("{}- {value}", " ".repeat(indentation))))
}

/// Characters before a byte on its line.
fn column(text: &str, offset: usize) -> usize {
    let line = text[..offset].rfind(['\n', '\r']).map_or(0, |at| at + 1);
    text[line..offset].chars().count()
}

/// A new line behind the one that holds `offset`, with the line ends of the file.
fn behind_line(text: &str, offset: usize, line: &str) -> Splice {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let line = line.replace('\n', end);
    match text[offset..].find('\n') {
        Some(at) => (offset + at + 1, offset + at + 1, format!("{line}{end}")),
        None => (text.len(), text.len(), format!("{end}{line}{end}")),
    }
}

/// A path as people write it.
pub fn shown(path: &[Step]) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Item(index) => (index + 1).to_string(),
    };
    path.iter().map(step).collect::<Vec<_>>().join(".")
}
