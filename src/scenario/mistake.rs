//! A mistake in a file, by the numbers of nodes; it becomes a [`Diagnostic`] once all are known.

use crate::diagnostic::{Diagnostic, Severity};
use crate::scenario::Source;
use crate::scenario::lint::Lint;
use crate::scenario::node::At;

/// A part of the file that must have been read whole for a mistake to be one: what is missing
/// may be missing only because another mistake took it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// A node and all below it.
    Node(At),
    /// The names that the entries of a list declare: the keys that lead to the list.
    Names(&'static [&'static str]),
    /// Everything below the keys that lead there.
    All(&'static [&'static str]),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub at: At,
    pub message: String,
    pub label: String,
    pub notes: Vec<Line>,
    pub help: Option<Line>,
    pub needs: Vec<Whole>,
}

/// A line below the excerpt, and the node whose line number it mentions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    text: String,
    at: Option<At>,
    /// What follows the number of the line.
    tail: &'static str,
}

impl Mistake {
    pub fn new(at: At, message: impl Into<String>) -> Self {
        let (label, notes, help, needs) = (String::new(), Vec::new(), None, Vec::new());
        Self { at, message: message.into(), label, notes, help, needs }
    }

    /// Says something beside the carets.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a line below, with the line number of another node.
    pub fn note(mut self, text: impl Into<String>, at: At) -> Self {
        self.notes.push(Line { text: text.into(), at: Some(at), tail: "" });
        self
    }

    /// Adds a line below.
    pub fn remark(&mut self, text: &str) {
        self.notes.push(Line { text: text.to_owned(), at: None, tail: "" });
    }

    /// Says what to do.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(Line { text: text.into(), at: None, tail: "" });
        self
    }

    /// Asks whether something that stands elsewhere was meant.
    pub fn did_you_mean(mut self, name: &str, at: At) -> Self {
        let text = format!("did you mean `{name}`");
        self.help = Some(Line { text, at: Some(at), tail: "?" });
        self
    }

    /// Is a mistake only if nothing was taken away from there.
    pub fn needs(mut self, whole: Whole) -> Self {
        self.needs.push(whole);
        self
    }

    /// The mistake with places instead of numbers; `set` says where a node of the command line
    /// comes from, as `--set ack=auto`.
    pub fn diagnostic(self, source: &Source, set: impl Fn(At) -> Option<String>) -> Diagnostic {
        let home = source.text_with(self.at).unwrap_or(source).path.as_str();
        let line = |line: Line| match line.at.and_then(|at| source.place(at)) {
            Some(place) => format!("{} ({}){}", line.text, place.from(home), line.tail),
            None => line.text + line.tail,
        };
        let mut diagnostic = Diagnostic::error(self.message).at(source.place(self.at));
        diagnostic.label = self.label;
        if let Some(argument) = set(self.at).filter(|set| !diagnostic.message.contains(set)) {
            diagnostic = diagnostic.note(format!("the value comes from `{argument}`"));
        }
        if let Some(used) = self.at.used.and_then(|used| source.place(At::node(used))) {
            let (line, text) = (used.from(home), shortened(used.text.trim()));
            diagnostic = diagnostic.note(format!("used in {line}: {text}"));
        }
        diagnostic.notes.extend(self.notes.into_iter().map(line));
        diagnostic.help = self.help.map(line);
        diagnostic
    }
}

/// The warning that a mistake's words make when they are about something allowed.
pub fn warning(
    lint: Lint,
    words: Mistake,
    source: &Source,
    set: impl Fn(At) -> Option<String>,
) -> Diagnostic {
    let (severity, lint) = (Severity::Warning, Some(lint.name()));
    Diagnostic { severity, lint, ..words.diagnostic(source, set) }
}

/// The known word that `word` was probably meant to be.
pub fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let fold = |text: &str| text.to_lowercase().replace(['-', ' ', '.'], "_");
    let word = fold(word);
    let limit = (word.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(&word, &fold(known)), known))
        .filter(|(distance, known)| *distance <= limit && *distance < known.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// `a, b or c`, each in backquotes.
pub fn list<'a>(words: impl IntoIterator<Item = &'a str>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// A text of the file as a message quotes it: whole unless it is long.
pub fn shortened(text: &str) -> String {
    const SHOWN: usize = 70;
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    text.chars().take(SHOWN - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_meant_and_a_far_one_is_not() {
        for (word, known, expected) in [
            ("prefech", &["prefetch", "queue"][..], Some("prefetch")),
            ("taks", &["tasks", "logs"], Some("tasks")),
            ("Queue", &["queue"], Some("queue")),
            ("ack-every", &["ack_every"], Some("ack_every")),
            ("colour", &["queue"], None),
            ("x", &["y"], None),
        ] {
            assert_eq!(meant(word, known.iter().copied()), expected, "{word}");
        }
    }
}
