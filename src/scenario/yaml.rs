//! Text to tree, and back from a node's number to its place.
//!
//! There is one YAML parser, and it tells a position only with an error. So the place of a node
//! is found by reading the text again and failing at that node.

use serde::de::DeserializeSeed as _;
use serde_yaml::Deserializer;

use crate::diagnostic::Diagnostic;
use crate::scenario::Source;
use crate::scenario::node::{Node, Step, Stop, Value, Walk};

/// A document has at most this many nodes once aliases are followed.
pub const MAX_NODES: u32 = 200_000;
/// Lists and maps are nested at most this deep; the format needs a dozen levels.
const MAX_DEPTH: u32 = 50;
/// More brackets than this are never open at a time, not even in texts.
const MAX_OPEN: usize = 1000;

/// The tree of the text of a scenario.
///
/// # Errors
/// When it is not one YAML document, or no map, with the place.
pub fn read(source: &Source) -> Result<Node, Diagnostic> {
    match document(source, 0)? {
        root @ Node { value: Value::Map(_), .. } => Ok(root),
        Node { value: Value::Null, .. } => Err(empty(source)),
        root => Err(Diagnostic::error("a scenario is a map of keys and values")
            .at(source.place(root.at))
            .help("begin with a key, such as `scenario: my-first`")),
    }
}

/// The tree of any text, which is the file with this number; of an empty one it is null. What a
/// text alone can tell of a place counts as if it were the only file.
///
/// # Errors
/// When it is not one YAML document, with the place.
pub fn document(source: &Source, file: usize) -> Result<Node, Diagnostic> {
    if let Some(offset) = source.text.find(control) {
        return Err(control_character(source, offset));
    }
    if let Some(offset) = open_brackets(&source.text) {
        return Err(nested().at(Some(source.place_of(offset, 1))));
    }
    let mut documents = Deserializer::from_str(&source.text);
    let walk = Walk::whole(file, MAX_NODES, MAX_DEPTH);
    let Some(document) = documents.next() else {
        return Ok(Node { at: walk.start(), value: Value::Null });
    };
    let root =
        Step::first(&walk).deserialize(document).map_err(|error| stopped(source, &walk, &error))?;
    match documents.next() {
        Some(second) => Err(second_document(source, second)),
        None => Ok(root),
    }
}

/// The value of a text that is one YAML scalar, such as the value of an argument.
pub fn scalar(text: &str) -> Option<Value> {
    let walk = Walk::whole(0, 1, 0);
    let node = Step::first(&walk).deserialize(Deserializer::from_str(text)).ok()?;
    (!matches!(node.value, Value::List(_) | Value::Map(_))).then_some(node.value)
}

/// The byte at which a node stands, and how many characters it covers on its line.
pub fn locate(text: &str, node: u32) -> Option<(usize, usize)> {
    let walk = Walk::to(node);
    let document = Deserializer::from_str(text).next()?;
    let error = Step::first(&walk).deserialize(document).err()?;
    let offset = error.location()?.index();
    let found = match walk.stop() {
        Some(Stop::Found(found)) => found,
        _ => None,
    };
    Some((offset, width(text.get(offset..)?, found.as_deref())))
}

/// How many characters of its first line a node covers; `value` is what it says if it is text.
fn width(rest: &str, value: Option<&str>) -> usize {
    let line = &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())];
    match (line.chars().next(), value) {
        (Some(quote @ ('"' | '\'')), _) => quoted(line, quote),
        (Some('|' | '>'), Some(_)) => 1,
        (_, Some(value)) if !value.is_empty() && line.starts_with(value) => value.chars().count(),
        (_, Some(_)) => line.trim_end().chars().count(),
        _ => line.chars().take_while(|c| c.is_alphanumeric() || "+-._~".contains(*c)).count(),
    }
    .max(1)
}

fn quoted(line: &str, quote: char) -> usize {
    let mut characters = line.chars().enumerate().skip(1).peekable();
    while let Some((position, c)) = characters.next() {
        let next = characters.peek().map(|(_, next)| *next);
        if (c == '\\' && quote == '"') || (c == '\'' && quote == '\'' && next == Some('\'')) {
            characters.next();
        } else if c == quote {
            return position + 1;
        }
    }
    line.chars().count()
}

/// Where more brackets stand open than any scenario needs. The parser takes quadratic time for
/// them, so that they are counted before, roughly: brackets in texts and comments count too.
fn open_brackets(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_OPEN {
            return Some(offset);
        }
    }
    None
}

fn control(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}'))
        || matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn control_character(source: &Source, offset: usize) -> Diagnostic {
    let c = source.text[offset..].chars().next().expect("it was found there");
    let code = u32::from(c);
    Diagnostic::error(format!("the character U+{code:04X} is not allowed in YAML"))
        .at(Some(source.place_of(offset, 1)))
        .help(format!("remove it, or write it in double quotes as \"\\u{code:04X}\""))
}

fn empty(source: &Source) -> Diagnostic {
    Diagnostic::error("this file is empty")
        .at(Some(source.place_of(0, 1)))
        .help("begin with a key, such as `scenario: my-first`")
}

fn second_document(source: &Source, document: Deserializer) -> Diagnostic {
    let walk = Walk::to(0);
    match Step::first(&walk).deserialize(document) {
        Err(error) if walk.stop().is_none() => stopped(source, &walk, &error),
        result => {
            let offset = result.err().and_then(|error| error.location()).map_or(0, |at| at.index());
            Diagnostic::error("a file holds one scenario, and here begins a second document")
                .at(Some(source.place_of(offset, 1)))
                .help("remove the line `---`, or put what follows into a file of its own")
        }
    }
}

/// Why a walk over the whole document failed.
fn stopped(source: &Source, walk: &Walk, error: &serde_yaml::Error) -> Diagnostic {
    let place = match error.location() {
        Some(location) => {
            let offset = location.index();
            let rest = source.text.get(offset..).unwrap_or("");
            Some(source.place_of(offset, width(rest, None)))
        }
        // The last node may be an alias that is not followed any more: then the one before.
        None => locate(&source.text, walk.last())
            .or_else(|| locate(&source.text, walk.last().saturating_sub(1)))
            .map(|(offset, width)| source.place_of(offset, width))
            .or_else(|| Some(source.place_of(0, 1))),
    };
    match walk.stop() {
        Some(Stop::Tag(tag)) => Diagnostic::error(format!("the tag `!{tag}` means nothing here"))
            .help("remove it; a text that begins with `!` goes into quotes"),
        Some(Stop::TooDeep) => nested(),
        Some(Stop::TooMany) => Diagnostic::error(format!(
            "this file has more than {MAX_NODES} values once its aliases are followed"
        ))
        .help("use fewer aliases (`*name`)"),
        Some(Stop::Found(_)) | None => syntax(&error.to_string()),
    }
    .at(place)
}

fn nested() -> Diagnostic {
    Diagnostic::error(format!("lists and maps are nested more than {MAX_DEPTH} deep here"))
        .help("a scenario needs no more than a dozen levels; is a bracket left open?")
}

/// The YAML library's words, and what they usually mean.
fn syntax(words: &str) -> Diagnostic {
    if words.starts_with("recursion limit") {
        return nested();
    }
    if words.starts_with("repetition limit") {
        return Diagnostic::error("this file follows too many aliases")
            .help("use fewer aliases (`*name`)");
    }
    if words.starts_with("unknown anchor") {
        return Diagnostic::error("this alias names no anchor of the file")
            .help("an alias `*name` repeats what stands at `&name` above it; a text that begins with `*` goes into quotes");
    }
    let problem = words.split(" at line ").next().unwrap_or(words);
    let problem = problem.split(", while ").next().unwrap_or(problem);
    let diagnostic =
        Diagnostic::error(format!("this is not YAML: {problem}")).help(remedy(problem));
    match words.split_once(", while ") {
        Some((_, context)) => diagnostic.note(format!("while {context}")),
        None => diagnostic,
    }
}

fn remedy(problem: &str) -> &'static str {
    let cases = [
        (
            "cannot start any token",
            "indent with spaces, not tabs; a comparison such as \"> 0\", and a text that begins with \
             @, ` or %, goes into quotes",
        ),
        (
            "comment or line break",
            "a comparison goes into quotes, as in \"> 0\": a bare `>` or `|` begins a text of lines",
        ),
        ("tab character", "indent with spaces, not tabs"),
        (
            "mapping values are not allowed",
            "is the line indented too far, or has a text with `: ` in it no quotes?",
        ),
        (
            "could not find expected ':'",
            "a key is followed by `:` and a space; is a quote left open above?",
        ),
        ("expected key", "keys of one map begin in the same column"),
        ("expected '-' indicator", "entries of one list begin with `- ` in the same column"),
        ("expected ',' or ']'", "is a comma or the closing `]` missing?"),
        ("expected ',' or '}'", "is a comma or the closing `}` missing?"),
        ("end of stream", "is a closing quote missing?"),
        ("escape", "in double quotes `\\` begins an escape; write `\\\\` or use single quotes"),
        ("sequence entries are not allowed", "begin the list on a line of its own"),
        ("unexpected ':'", "put the text into quotes"),
        ("alphabetic or numeric", "a text that begins with `&` or `*` goes into quotes"),
    ];
    let found = cases.into_iter().find(|(words, _)| problem.contains(words));
    found.map_or("look for a missing quote, bracket or indentation here or just above", |case| {
        case.1
    })
}
