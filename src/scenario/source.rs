//! The texts of a scenario: the only place of this stage that touches the disk.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use crate::diagnostic::{Diagnostic, Place};
use crate::scenario::node::At;
use crate::scenario::yaml;

/// A file may be this long, in bytes.
pub const MAX_BYTES: usize = 1 << 20;

/// The text of a scenario file, and of the parts that it includes.
#[derive(Debug)]
pub struct Source {
    /// As the user named it.
    pub path: String,
    /// Without a byte order mark.
    pub text: String,
    /// All parts that it includes and that these include, in the order in which they were read;
    /// they have none of their own.
    pub parts: Vec<Source>,
    /// Where its paths and those of its parts led, so that it can be read again without a disk.
    pub links: Vec<Link>,
}

/// An `include`, and the part that it led to.
#[derive(Debug, Clone)]
pub struct Link {
    /// The file that has it.
    pub from: String,
    pub path: String,
    /// The position of the part among all of them.
    pub part: usize,
}

impl Source {
    /// A text that was not read from a file.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
        Self { path: path.into(), text, parts: Vec::new(), links: Vec::new() }
    }

    /// Reads a file, at most one byte more than it may have.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let bytes = bytes(path).map_err(|(why, help)| {
            Diagnostic::error(format!("cannot read `{name}`: {why}")).help(help)
        })?;
        Self::decoded(name, bytes)
    }

    /// Reads a file that another includes, and which messages call `name`.
    ///
    /// # Errors
    /// When it cannot be read: why, in a few words; or when it is not UTF-8: where.
    pub fn read_part(path: &Path, name: String) -> Result<Result<Self, Diagnostic>, String> {
        Ok(Self::decoded(name, bytes(path).map_err(|(why, _)| why)?))
    }

    fn decoded(name: String, bytes: Vec<u8>) -> Result<Self, Diagnostic> {
        String::from_utf8(bytes)
            .map(|text| Self::new(&*name, text))
            .map_err(|error| not_utf8(name, error.as_bytes(), error.utf8_error().valid_up_to()))
    }

    /// The text that a node stands in; `None` only for what came from the command line.
    pub fn text_with(&self, at: At) -> Option<&Source> {
        match at.file() {
            _ if at.is_from_command_line() => None,
            0 => Some(self),
            part => self.parts.get(part - 1),
        }
    }

    /// The part that a path leads to from a file, if that was read.
    pub fn part(&self, path: &str, from: &str) -> Option<&Source> {
        let link = self.links.iter().find(|link| link.path == path && link.from == from)?;
        self.parts.get(link.part)
    }

    /// The paths of all texts: its own, and those of its parts.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self).chain(&self.parts).map(|source| source.path.as_str())
    }

    /// Where a node stands; `None` only for what came from the command line.
    pub fn place(&self, at: At) -> Option<Place> {
        let source = self.text_with(at)?;
        let (offset, width) = yaml::locate(&source.text, at.in_file())?;
        Some(source.place_of(offset, width))
    }

    /// The line of the scenario's own file that a value stands in, or that uses it where it comes
    /// from elsewhere; 0 where there is none.
    pub fn line(&self, at: At) -> usize {
        let used = At::node(at.position());
        let own = [at, used].into_iter().filter(|at| at.file() == 0);
        own.filter_map(|at| self.place(at)).map(|place| place.line).next().unwrap_or(0)
    }

    /// The place of a byte of the text, and of `width` characters from there on.
    pub fn place_of(&self, offset: usize, width: usize) -> Place {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let (line, start) = line_of(&self.text, offset);
        let text = line_at(&self.text, start);
        let column = self.text[start..offset].chars().count() + 1;
        let room = (text.chars().count() + 1).saturating_sub(column);
        let width = width.min(room).max(1);
        Place { file: self.path.clone(), line, column, width, text: text.to_owned() }
    }
}

/// The number of the line that holds `offset`, and where that line begins.
fn line_of(text: &str, offset: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let mut line = 1;
    let mut start = 0;
    for position in 0..offset {
        let ends = match bytes[position] {
            b'\n' => true,
            b'\r' => bytes.get(position + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            line += 1;
            start = position + 1;
        }
    }
    (line, start)
}

fn line_at(text: &str, start: usize) -> &str {
    let rest = &text[start..];
    &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())]
}

/// Why a file cannot be read, and what to do.
type Trouble = (String, &'static str);

fn bytes(path: &Path) -> Result<Vec<u8>, Trouble> {
    let trouble = |error: std::io::Error| {
        let help = match error.kind() {
            ErrorKind::NotFound => "check the path; it is looked for from the current directory",
            ErrorKind::PermissionDenied => "give yourself the right to read it",
            _ => "a scenario is a YAML file of at most 1 MiB",
        };
        (words(&error), help)
    };
    // Asked before it is opened: to open a named pipe would wait for a writer.
    let kind = std::fs::metadata(path).map_err(trouble)?.file_type();
    if kind.is_dir() {
        return Err(("it is a directory".into(), "name the files in it: DIRECTORY/*.yaml"));
    }
    if !kind.is_file() {
        return Err(("it is not a regular file".into(), "copy its text into a file first"));
    }
    let file = File::open(path).map_err(trouble)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_BYTES).expect("a small number fits") + 1;
    file.take(limit).read_to_end(&mut bytes).map_err(trouble)?;
    if bytes.len() > MAX_BYTES {
        return Err((
            "it is longer than 1 MiB".into(),
            "a scenario is short text; is this the right file?",
        ));
    }
    Ok(bytes)
}

fn words(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "there is no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        _ => error.to_string(),
    }
}

fn not_utf8(path: String, bytes: &[u8], valid: usize) -> Diagnostic {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let help = if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        "it looks like UTF-16; save it as UTF-8"
    } else {
        "save it as UTF-8"
    };
    // What stands before the first wrong byte is as long in the text as in the file.
    let source = Source { path, text, parts: Vec::new(), links: Vec::new() };
    let place = source.place_of(valid, 1);
    Diagnostic::error("this file is not UTF-8 text").at(Some(place)).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, offset: usize) -> (usize, usize, String) {
        let place = Source::new("f", text).place_of(offset, 1);
        (place.line, place.column, place.text)
    }

    #[test]
    fn lines_end_with_any_line_end_and_columns_count_characters() {
        assert_eq!(place("a\r\nbc\nd", 4), (2, 2, "bc".into()));
        assert_eq!(place("a\r\nbc\nd", 6), (3, 1, "d".into()));
        assert_eq!(place("a\rb", 2), (2, 1, "b".into()));
        assert_eq!(place("äö: x", 6), (1, 5, "äö: x".into()));
        assert_eq!(place("a\n", 2), (2, 1, String::new()));
        assert_eq!(place("", 9), (1, 1, String::new()));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(Source::new("f", "\u{feff}a: 1").text, "a: 1");
    }

    fn refused(path: &Path) -> String {
        Source::read(path).expect_err("it cannot be a scenario").render(false)
    }

    #[test]
    fn what_is_no_readable_file_is_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refused(dir.path()).contains("it is a directory"));
        assert!(refused(&dir.path().join("x")).contains("there is no such file"));
        assert!(refused(Path::new("/dev/zero")).contains("not a regular file"));
        let long = dir.path().join("long");
        File::create(&long).unwrap().set_len(100 << 20).unwrap();
        assert!(refused(&long).contains("longer than 1 MiB"));
        let latin = dir.path().join("latin");
        std::fs::write(&latin, b"a: 1\nb: caf\xe9\n").unwrap();
        assert!(refused(&latin).contains(":2:7"), "{}", refused(&latin));
    }

    #[test]
    fn the_longest_allowed_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        std::fs::write(&path, "#".repeat(MAX_BYTES)).unwrap();
        assert_eq!(Source::read(&path).unwrap().text.len(), MAX_BYTES);
    }
}
