//! Draws a diagnostic: headline, place, the line with carets, notes, the remedy, the lint's name.
//!
//! Nothing of the file reaches the terminal raw: control characters are written as escapes,
//! tabs as spaces, and of a long line only the part around the carets is shown.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar as _;

use super::{Diagnostic, Place, Severity};

/// How many columns of a line of the file are shown, so that it fits in 80 with its gutter.
const SHOWN: usize = 70;
/// How many columns are shown in front of the carets at least, where there are so many.
const LEAD: usize = 24;
const TAB: &str = "    ";

impl Diagnostic {
    /// The message as people read it; ends with a line break. Colour only repeats what the
    /// words say.
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { color };
        let mut out = String::new();
        let (word, style) = match self.severity {
            Severity::Error => ("error", "1;31"),
            Severity::Warning => ("warning", "1;33"),
        };
        let headline = paint.text("1", &escape(&self.message));
        let _ = writeln!(out, "{}: {headline}", paint.text(style, word));
        let gutter = self.place.as_ref().map_or(2, |place| place.line.to_string().len());
        if let Some(place) = &self.place {
            excerpt(&mut out, paint, place, &self.label, style);
        }
        let help = self.help.iter().map(|help| format!("help: {help}"));
        let lint = self.lint.iter().map(|lint| format!("lint: {lint}"));
        for line in self.notes.iter().cloned().chain(help).chain(lint) {
            let sign = paint.text("1;34", "=");
            let _ = writeln!(out, "{:gutter$} {sign} {}", "", escape(&line));
        }
        out
    }
}

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn text(self, style: &str, text: &str) -> String {
        if self.color { format!("\x1b[{style}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn excerpt(out: &mut String, paint: Paint, place: &Place, label: &str, style: &str) {
    let number = place.line.to_string();
    let gutter = number.len();
    let blue = |text: &str| paint.text("1;34", text);
    let at = format!("{}:{}:{}", escape(&place.file), place.line, place.column);
    let _ = writeln!(out, "{:gutter$}{} {at}", "", blue("-->"));
    let _ = writeln!(out, "{:gutter$} {}", "", blue("|"));
    let shown = Shown::of(place);
    let _ =
        writeln!(out, "{}", format!("{} {} {}", blue(&number), blue("|"), shown.text).trim_end());
    let carets = format!("{} {}", "^".repeat(shown.width), escape(label));
    let carets = paint.text(style, carets.trim_end());
    let _ =
        writeln!(out, "{:gutter$} {} {:indent$}{carets}", "", blue("|"), "", indent = shown.indent);
}

/// The visible part of a line: its text, and where the carets stand under it, in columns.
struct Shown {
    text: String,
    indent: usize,
    width: usize,
}

impl Shown {
    fn of(place: &Place) -> Self {
        let cells: Vec<(String, usize)> = place.text.chars().map(cell).collect();
        let columns =
            |range: &[(String, usize)]| range.iter().map(|(_, width)| width).sum::<usize>();
        let first = (place.column - 1).min(cells.len());
        let last = (first + place.width).min(cells.len());
        let start = if columns(&cells) <= SHOWN { 0 } else { start(&cells, first) };
        let (end, cut) = end(&cells, start);
        let ahead = if start > 0 { "… " } else { "" };
        let mut text = ahead.to_owned();
        text.extend(cells[start..end].iter().map(|(cell, _)| cell.as_str()));
        if cut {
            text.push_str(" …");
        }
        let indent = ahead.chars().count() + columns(&cells[start..first]);
        let width = columns(&cells[first..last.min(end).max(first)]).max(1);
        Self { text, indent, width }
    }
}

/// The first character to show, so that there is some of what stands before the carets.
fn start(cells: &[(String, usize)], first: usize) -> usize {
    let before: usize = cells[..first].iter().map(|(_, width)| width).sum();
    if before + LEAD <= SHOWN {
        return 0;
    }
    let mut columns = 0;
    let mut start = first;
    while start > 0 && columns < LEAD {
        start -= 1;
        columns += cells[start].1;
    }
    start
}

/// The end of what fits, and whether something is left out there.
fn end(cells: &[(String, usize)], start: usize) -> (usize, bool) {
    let mut columns = 0;
    for (position, (_, width)) in cells.iter().enumerate().skip(start) {
        columns += width;
        if columns > SHOWN {
            return (position, true);
        }
    }
    (cells.len(), false)
}

/// A character as it is shown, and how many columns it takes.
fn cell(c: char) -> (String, usize) {
    if c == '\t' {
        return (TAB.to_owned(), TAB.len());
    }
    if hidden(c) {
        let text = c.escape_unicode().to_string();
        let width = text.len();
        return (text, width);
    }
    (c.to_string(), c.width().unwrap_or(0))
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        if hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
        out
    })
}

/// Control characters, and those that turn the direction of what follows.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, column: usize, width: usize) -> String {
        let place = Place { file: "f.yaml".into(), line: 7, column, width, text: text.into() };
        Diagnostic { label: "here".into(), ..Diagnostic::error("wrong").at(Some(place)) }
            .help("right")
            .render(false)
    }

    #[test]
    fn the_line_the_carets_and_the_help_stand_below_the_message() {
        let expected =
            "error: wrong\n --> f.yaml:7:4\n  |\n7 | a: bcd\n  |    ^^^ here\n  = help: right\n";
        assert_eq!(render("a: bcd", 4, 3), expected);
    }

    #[test]
    fn carets_stand_under_their_text_behind_tabs_wide_and_control_characters() {
        assert!(render("\ta: b", 5, 1).contains("7 |     a: b\n  |        ^ here\n"));
        assert!(render("日本: b", 5, 1).contains("7 | 日本: b\n  |       ^ here\n"));
        assert!(render("\u{1b}x", 2, 1).contains("7 | \\u{1b}x\n  |       ^ here\n"));
        assert!(!render("\u{1b}x", 1, 1).contains('\u{1b}'));
    }

    #[test]
    fn a_place_behind_the_end_of_its_line_has_a_caret() {
        assert!(render("a:", 3, 1).contains("7 | a:\n  |   ^ here\n"));
        assert!(render("", 1, 1).contains("7 |\n  | ^ here\n"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_carets() {
        let long = format!("{}BAD{}", "a".repeat(500), "z".repeat(500));
        let text = render(&long, 501, 3);
        let line = text.lines().nth(3).unwrap();
        assert!(line.starts_with("7 | … aaa") && line.ends_with("zzz …"), "{line}");
        let carets = text.lines().nth(4).unwrap();
        let column = |text: &str, part: &str| text[..text.find(part).unwrap()].chars().count();
        assert_eq!(column(line, "BAD"), column(carets, "^^^"));
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(render(&"^".repeat(5000), 1, 5000).lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn colour_adds_codes_and_no_words() {
        let diagnostic = Diagnostic::warning("careful").note("why: so");
        let plain = diagnostic.render(false);
        assert_eq!(plain, "warning: careful\n   = why: so\n");
        let named = Diagnostic { lint: Some("care"), ..diagnostic.clone() };
        assert_eq!(named.render(false), plain + "   = lint: care\n");
        let colored = diagnostic.render(true);
        assert!(colored.contains("\x1b[1;33mwarning\x1b[0m: "), "{colored:?}");
    }
}
