//! How to draw: colour or not, how wide, how much.

use std::env;
use std::io::{self, IsTerminal as _};

use crate::report::output::Target;

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// On a terminal, unless the environment says no.
    #[default]
    Auto,
    Always,
    Never,
}

/// How text is drawn. Colour only adds; nothing is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Columns; lines of ours are at most this wide.
    pub width: usize,
    pub color: bool,
    /// 0: the answer and the reason. 1: rows and proofs. 2: histories.
    pub verbosity: u8,
}

/// When it is unknown, or nobody looks at a terminal.
const USUAL_WIDTH: usize = 80;
/// Longer lines are hard to read.
const MOST_WIDTH: usize = 100;
/// Narrower than this nothing is readable, so lines may be broken by the terminal.
const LEAST_WIDTH: usize = 30;

impl Style {
    /// The style that suits where `target` goes.
    pub fn detect(target: Target, choice: ColorChoice, verbosity: u8) -> Self {
        let width =
            terminal_width(target).map_or(USUAL_WIDTH, |w| w.clamp(LEAST_WIDTH, MOST_WIDTH));
        Self { width, color: use_color(target, choice), verbosity }
    }

    /// Without colour, for tests and files.
    pub fn plain(width: usize, verbosity: u8) -> Self {
        Self { width, color: false, verbosity }
    }

    /// `text` in bold where there is colour.
    pub fn bold(self, text: &str) -> String {
        self.code("1", text)
    }

    /// `text` in the colour of its meaning, which the text tells as well.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Plain => text.to_owned(),
            Tone::Good => self.code("32", text),
            Tone::Odd => self.code("1;33", text),
            Tone::Bad => self.code("1;31", text),
        }
    }

    fn code(self, code: &str, text: &str) -> String {
        if self.color { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// What a word means, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Odd,
    Bad,
}

/// Whether to colour what goes to `target`.
pub fn use_color(target: Target, choice: ColorChoice) -> bool {
    decide_color(choice, is_terminal(target), |name| env::var(name).ok())
}

/// `NO_COLOR` counts with any value but the empty one (no-color.org).
fn decide_color(
    choice: ColorChoice,
    terminal: bool,
    variable: impl Fn(&str) -> Option<String>,
) -> bool {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR").is_some() => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        ColorChoice::Auto => {
            let dumb = set("TERM").is_some_and(|value| value == "dumb");
            let unwanted = set("CLICOLOR").is_some_and(|value| value == "0");
            terminal && !dumb && !unwanted
        }
    }
}

/// Whether a person looks at `target`.
pub fn is_terminal(target: Target) -> bool {
    match target {
        Target::Stdout => io::stdout().is_terminal(),
        Target::Stderr => io::stderr().is_terminal(),
    }
}

/// The columns of the terminal that `target` is, if it is one.
pub fn terminal_width(target: Target) -> Option<usize> {
    if !is_terminal(target) {
        return None;
    }
    let size = match target {
        Target::Stdout => rustix::termios::tcgetwinsize(io::stdout()),
        Target::Stderr => rustix::termios::tcgetwinsize(io::stderr()),
    };
    // A terminal that does not know its size says 0.
    size.ok().map(|size| usize::from(size.ws_col)).filter(|&columns| columns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(choice: ColorChoice, terminal: bool, set: &[(&str, &str)]) -> bool {
        let find = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        decide_color(choice, terminal, find)
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        use ColorChoice::{Always, Auto, Never};
        for (choice, terminal, set, expected) in [
            (Auto, true, &[][..], true),
            (Auto, false, &[], false),
            (Auto, true, &[("NO_COLOR", "1")], false),
            (Auto, true, &[("NO_COLOR", "0")], false),
            (Auto, true, &[("NO_COLOR", "")], true),
            (Auto, true, &[("TERM", "dumb")], false),
            (Auto, true, &[("CLICOLOR", "0")], false),
            (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Auto, true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
            (Always, false, &[("NO_COLOR", "1")], true),
            (Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ] {
            assert_eq!(decided(choice, terminal, set), expected, "{choice:?} {terminal} {set:?}");
        }
    }
}
