//! Text for a terminal: what is visible, how wide it is, where it breaks.
//!
//! Names and bodies come from files and brokers, so no control character of theirs may reach
//! the terminal. Widths are columns of a terminal, not bytes and not characters.

use std::fmt::Display;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The columns that `text` takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` with a visible picture in the place of each character that would steer the terminal
/// or reorder the line. Each picture is one column wide.
pub fn visible(text: &str) -> String {
    text.chars().map(picture).collect()
}

/// What stands for `c` where it would steer; itself for most.
pub fn picture(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).expect("control pictures"),
        '\x7f' => '\u{2421}',
        // The controls of Latin 1, line separators, and the marks that turn the direction.
        '\u{80}'..='\u{9f}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => '\u{fffd}',
        other => other,
    }
}

/// `text` in at most `limit` columns; what is cut off is marked by `…`.
pub fn cut(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let (mut head, _) = split(text, limit.saturating_sub(1));
    if head.width() > limit.saturating_sub(1) {
        head.clear();
    }
    head.truncate(head.trim_end().len());
    head.push('…');
    head
}

/// The lines of a paragraph, each at most `limit` columns wide: broken between words, and
/// within a word only when the word alone is too wide. Line ends in `text` are spaces; a
/// no-break space keeps what it joins on one line.
pub fn wrap(text: &str, limit: usize) -> Vec<String> {
    let limit = limit.max(1);
    let mut lines = vec![String::new()];
    for word in words(text) {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(&word);
        } else if width(line) + 1 + width(&word) <= limit {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word);
        }
        break_last(&mut lines, limit);
    }
    lines.iter().map(|line| line.replace(NO_BREAK, " ")).collect()
}

/// The words of a text, visible; a number and its unit are one.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split_ascii_whitespace().map(visible) {
        let unit = matches!(word.trim_end_matches([',', ';', ':', '.', ')']), "ms" | "s" | "min");
        match words.last_mut() {
            Some(last) if unit && last.ends_with(|c: char| c.is_ascii_digit()) => {
                last.push(NO_BREAK);
                last.push_str(&word);
            }
            _ => words.push(word),
        }
    }
    words
}

const NO_BREAK: char = '\u{a0}';

/// `lost 7`, kept on one line: a number never stands without its name.
pub fn fact(name: &str, number: impl Display) -> String {
    format!("{name}{NO_BREAK}{number}")
}

/// Breaks the last line until it fits.
fn break_last(lines: &mut Vec<String>, limit: usize) {
    while let Some(last) = lines.pop_if(|last| width(last) > limit) {
        let (head, tail) = split(&last, limit);
        lines.push(head);
        if tail.is_empty() {
            return;
        }
        lines.push(tail);
    }
}

/// The longest beginning that fits, at least one character so that breaking always ends.
fn split(text: &str, limit: usize) -> (String, String) {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > limit && at > 0 {
            return (text[..at].to_owned(), text[at..].to_owned());
        }
    }
    (text.to_owned(), String::new())
}

/// A paragraph with its line ends: the first line indented by `first`, the others by `rest`.
pub fn paragraph(text: &str, limit: usize, first: usize, rest: usize) -> String {
    let room = limit.saturating_sub(first.max(rest)).max(10);
    let mut out = String::new();
    for (number, line) in wrap(text, room).iter().enumerate() {
        let indent = if number == 0 { first } else { rest };
        out.push_str(&" ".repeat(indent));
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// `1 variant`, `2 variants`.
pub fn counted(n: usize, noun: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {noun}{plural}")
}

/// A duration for people: `812 ms`, `1.4 s`, `2 min 5 s`.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0..1000 => format!("{ms} ms"),
        // Cut and not rounded, so that 59.99 s never becomes 60.0 s.
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(visible("a\x1b[31mb\x07\x7f\u{9b}\u{202e}c\n"), "a␛[31mb␇␡��c␊");
        let every: String = ('\0'..='\u{9f}').collect();
        assert!(!visible(&every).chars().any(char::is_control));
    }

    #[test]
    fn words_break_at_the_width_and_long_words_inside() {
        assert_eq!(wrap("one two  three\nfour", 9), ["one two", "three", "four"]);
        assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(wrap("", 9), [""]);
        assert_eq!(wrap("世界世界", 5), ["世界", "世界"]);
        assert_eq!(wrap("世", 1), ["世"], "a character wider than the line stands alone");
    }

    #[test]
    fn a_number_stays_with_its_name_and_its_unit() {
        assert_eq!(wrap("after 12 ms, 3", 9), ["after", "12 ms, 3"]);
        assert_eq!(wrap(&format!("of 9 {}", fact("lost", 7)), 9), ["of 9", "lost 7"]);
    }

    #[test]
    fn a_cut_is_marked_and_fits() {
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("abcd", 3), "ab…");
        assert_eq!(cut("世界世", 4), "世…");
        assert_eq!(cut("世界", 2), "…");
        assert_eq!(cut("世界", 1), "…");
    }

    #[test]
    fn paragraphs_are_indented() {
        assert_eq!(paragraph("one two three", 12, 1, 3), " one two\n   three\n");
    }

    #[test]
    fn durations_read_well() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1400, "1.4 s"),
            (59_999, "59.9 s"),
            (125_000, "2 min 5 s"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
        assert_eq!(counted(1, "variant"), "1 variant");
        assert_eq!(counted(0, "variant"), "0 variants");
    }
}
