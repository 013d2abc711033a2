//! A table of named rows of numbers that always fits: as columns where they have room, as
//! sentences (`worker-1: finished 3, acked 3`) where they have not.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::report::style::{Style, Tone};
use crate::report::text::{cut, fact, paragraph, visible, width, wrap};

/// A name is never squeezed into less, unless it is shorter.
const NAME_ROOM: usize = 16;
/// A name takes at most this many lines, and what is longer is cut.
const NAME_LINES: usize = 5;

/// A table.
#[derive(Debug, Default)]
pub struct Grid {
    /// Above the names.
    pub title: String,
    /// Above the numbers.
    pub heads: Vec<String>,
    pub rows: Vec<Line>,
    /// Columns left empty at the left of everything.
    pub indent: usize,
}

/// A row.
#[derive(Debug, Clone)]
pub struct Line {
    pub name: String,
    /// One for each head; `None` is a number that nobody knows.
    pub numbers: Vec<Option<u64>>,
    /// Behind the numbers, without a head; may be empty.
    pub word: String,
    pub tone: Tone,
}

impl Grid {
    /// The lines of the table, with their ends; nothing when there is no row or no number.
    pub fn draw(&self, style: Style) -> String {
        if self.rows.is_empty() || self.heads.is_empty() {
            return String::new();
        }
        match self.name_room(style.width) {
            Some(room) => self.columns(room, style),
            None => self.sentences(style),
        }
    }

    /// Whether the table fits in `columns` while names have all the room they may ask for.
    pub fn fits(&self, columns: usize) -> bool {
        self.room(columns).is_some_and(|room| room >= self.longest_name().min(NAME_ROOM + 8))
    }

    /// The columns a name gets, or `None` when the numbers leave too few.
    fn name_room(&self, columns: usize) -> Option<usize> {
        let longest = self.longest_name();
        let room = self.room(columns)?;
        (room >= longest.min(NAME_ROOM)).then_some(room.min(longest))
    }

    /// What the numbers and the word leave over.
    fn room(&self, columns: usize) -> Option<usize> {
        let numbers: usize = (0..self.heads.len()).map(|at| self.number_width(at) + 2).sum();
        let word = self.rows.iter().map(|row| width(&row.word)).max().unwrap_or(0);
        let word = if word == 0 { 0 } else { word + WORD_GAP };
        let name = if self.named() { 2 } else { 0 };
        columns.checked_sub(self.indent + numbers + word + name)
    }

    fn longest_name(&self) -> usize {
        let names = self.rows.iter().map(|row| width(&visible(&row.name)));
        let title = if self.named() { width(&self.title) } else { 0 };
        names.max().unwrap_or(0).max(title)
    }

    fn named(&self) -> bool {
        self.rows.iter().any(|row| !row.name.is_empty())
    }

    fn number_width(&self, at: usize) -> usize {
        let numbers = self.rows.iter().map(|row| number(row.numbers[at]).len());
        numbers.max().unwrap_or(0).max(width(&self.heads[at]))
    }

    fn columns(&self, room: usize, style: Style) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        let heads = self.named().then(|| Cell::new(name_lines(&self.title, room))).into_iter();
        table.set_header(heads.chain(self.heads.iter().map(Cell::new)).chain([Cell::new("")]));
        for row in &self.rows {
            table.add_row(self.cells(row, room, style));
        }
        self.align(&mut table);
        let indent = " ".repeat(self.indent);
        table.trim_fmt().lines().map(|line| format!("{indent}{}\n", line.trim_end())).collect()
    }

    fn cells(&self, row: &Line, room: usize, style: Style) -> Vec<Cell> {
        let name = self.named().then(|| Cell::new(name_lines(&row.name, room)));
        let numbers = row.numbers.iter().map(|&n| Cell::new(number(n)));
        // The table takes the codes of a colour for text. It cannot matter: nothing stands
        // behind the last column, and the blanks at the end of a line are cut.
        let word = Cell::new(style.paint(row.tone, &row.word));
        name.into_iter().chain(numbers).chain([word]).collect()
    }

    fn align(&self, table: &mut Table) {
        let first = usize::from(self.named());
        for column in table.column_iter_mut().skip(first).take(self.heads.len()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if let Some(word) = table.column_mut(first + self.heads.len()) {
            word.set_padding((u16::try_from(WORD_GAP).expect("a small number") - 1, 0));
        }
    }

    fn sentences(&self, style: Style) -> String {
        self.rows.iter().map(|row| self.sentence(row, style)).collect()
    }

    fn sentence(&self, row: &Line, style: Style) -> String {
        let numbers = self.heads.iter().zip(&row.numbers);
        let mut facts: Vec<_> = numbers.map(|(head, &n)| fact(head, number(n))).collect();
        if !row.word.is_empty() {
            facts.insert(0, row.word.clone());
        }
        let name = if row.name.is_empty() { String::new() } else { format!("{}: ", row.name) };
        let indent = self.indent + 1;
        paragraph(&format!("{name}{}", facts.join(", ")), style.width, indent, indent + 2)
    }
}

/// Columns between the numbers and the word, and the margin of the last number.
const WORD_GAP: usize = 4;

fn number(n: Option<u64>) -> String {
    n.map_or_else(|| "-".to_owned(), |n| n.to_string())
}

fn name_lines(name: &str, room: usize) -> String {
    let mut lines = wrap(name, room);
    if lines.len() > NAME_LINES {
        let rest = lines.split_off(NAME_LINES - 1).join(" ");
        lines.push(cut(&rest, room));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, numbers: &[u64], word: &str) -> Line {
        let numbers = numbers.iter().copied().map(Some).collect();
        Line { name: name.into(), numbers, word: word.into(), tone: Tone::Plain }
    }

    fn grid(rows: Vec<Line>) -> Grid {
        let heads = vec!["ready".into(), "unacked".into()];
        Grid { title: "queue".into(), heads, rows, indent: 2 }
    }

    #[test]
    fn numbers_stand_under_their_heads() {
        let grid = grid(vec![line("tasks", &[0, 8], ""), line("logs", &[12_345_678, 0], "died")]);
        assert_eq!(
            grid.draw(Style::plain(80, 0)),
            "   queue     ready  unacked
   tasks         0        8
   logs   12345678        0    died
"
        );
    }

    #[test]
    fn without_room_the_numbers_become_sentences() {
        let grid = grid(vec![line("a queue with a name", &[0, 8], "died")]);
        assert_eq!(
            grid.draw(Style::plain(34, 0)),
            "   a queue with a name: died,
     ready 0, unacked 8
"
        );
    }

    #[test]
    fn long_names_break_and_then_are_cut() {
        let name = "ack=auto durable=false ".repeat(6);
        let grid = grid(vec![line(&name, &[0, 8], "")]);
        assert_eq!(
            grid.draw(Style::plain(44, 0)),
            "   queue                    ready  unacked
   ack=auto durable=false       0        8
   ack=auto durable=false
   ack=auto durable=false
   ack=auto durable=false
   ack=auto durable=false…
"
        );
    }

    #[test]
    fn no_line_is_ever_wider_than_the_terminal() {
        let names =
            ["", "x", "世界世界世界世界世界世界世界", &"long".repeat(40), "a\x1b[2Jb\u{202e}"];
        for columns in 30..100 {
            let rows = names.iter().map(|name| line(name, &[u64::MAX, 1], "INCONCLUSIVE"));
            let drawn = grid(rows.collect()).draw(Style::plain(columns, 0));
            for row in drawn.lines() {
                assert!(width(row) <= columns, "{columns}: {row}");
                assert!(!row.chars().any(char::is_control), "{row:?}");
            }
        }
    }
}
