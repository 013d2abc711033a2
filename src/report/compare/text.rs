//! The comparison on a terminal: of each variant only what changed, and one line for all the rest.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use crate::compare::{Change, Compared, Comparison};
use crate::report::compare::{labels, only, origin, sentence, shown, summary, tone, word};
use crate::report::style::{Style, Tone};
use crate::report::text::{cut, paragraph, visible, width, wrap};

/// A value takes at most so many columns.
const VALUE: usize = 24;
/// A name is never squeezed into less.
const NAME: usize = 16;
/// Between columns.
const GAP: usize = 2;
const INDENT: usize = 3;

/// Everything, its line ends included.
pub fn render(comparison: &Comparison, style: Style) -> String {
    let labels = labels(&comparison.reports);
    let mut text = heads(comparison, &labels, style);
    let mut last = None;
    for variant in comparison.variants.iter().filter(|it| it.told().next().is_some()) {
        if last != Some((&variant.scenario, &variant.file)) {
            text += &format!("\n{}", header(variant, style));
            last = Some((&variant.scenario, &variant.file));
        }
        text += &block(variant, &labels, style);
    }
    if !comparison.only.is_empty() {
        text.push('\n');
    }
    for it in &comparison.only {
        text += &paragraph(&only(it, &comparison.reports), style.width, 0, 2);
    }
    let end = paragraph(&summary(comparison), style.width, 0, 0);
    let tone = if comparison.is_regression() { Tone::Bad } else { Tone::Plain };
    let end = end.lines().map(|line| style.paint(tone, line) + "\n").collect::<String>();
    format!("{text}\n{end}")
}

fn heads(comparison: &Comparison, labels: &[String], style: Style) -> String {
    let widest = labels.iter().map(|label| width(&visible(label))).max().unwrap_or(0);
    let mut text = String::new();
    for (label, head) in labels.iter().zip(&comparison.reports) {
        let label = visible(label);
        let gap = " ".repeat(widest - width(&label));
        let line = format!("{} · {}", visible(&head.path), origin(head));
        let lines = paragraph(&line, style.width, widest + GAP, widest + GAP);
        text += &format!("{label}{gap}  {}", lines.trim_start());
    }
    for remark in &comparison.remarks {
        text += &paragraph(remark, style.width, 0, 0);
    }
    text
}

/// The scenario's name at the left, its file at the right.
fn header(variant: &Compared, style: Style) -> String {
    let (name, file) = (visible(&variant.scenario), visible(&variant.file));
    match style.width.checked_sub(width(&name) + width(&file) + GAP) {
        Some(gap) => format!("{}{}{file}\n", style.bold(&name), " ".repeat(gap + GAP)),
        None => paragraph(&name, style.width, 0, 0) + &paragraph(&file, style.width, 2, 2),
    }
}

fn block(variant: &Compared, labels: &[String], style: Style) -> String {
    let name = match variant.variant.as_str() {
        "" => String::new(),
        name => paragraph(name, style.width, 1, 1),
    };
    let changes: Vec<&Change> = variant.told().collect();
    let rows = match name_room(&changes, labels, style.width) {
        Some(room) => table(&changes, labels, room, style),
        None => changes.iter().map(|change| line(change, labels, style)).collect(),
    };
    let sentences = changes.iter().filter_map(|change| sentence(change));
    let sentences = sentences.map(|it| paragraph(&it, style.width, INDENT, INDENT + 2));
    name + &rows + &sentences.collect::<String>()
}

/// What the values leave for the names, if that is enough.
fn name_room(changes: &[&Change], labels: &[String], columns: usize) -> Option<usize> {
    let value = |at: usize| {
        let widths = changes.iter().map(|change| width(&cell(change, at)));
        widths.max().unwrap_or(0).max(width(&labels[at]))
    };
    let values: usize = (0..labels.len()).map(|at| value(at) + GAP).sum();
    let words = changes.iter().map(|change| width(word(change))).max().unwrap_or(0);
    let room = columns.checked_sub(INDENT + values + GAP + words)?;
    let longest = changes.iter().map(|change| width(&visible(&change.path))).max().unwrap_or(0);
    (room >= longest.min(NAME)).then_some(room.min(longest.max(NAME)))
}

fn cell(change: &Change, at: usize) -> String {
    cut(&visible(&shown(&change.values[at])), VALUE)
}

fn table(changes: &[&Change], labels: &[String], room: usize, style: Style) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    let heads = labels.iter().map(|label| Cell::new(visible(label)));
    table.set_header(
        std::iter::once(Cell::new(" ".repeat(room))).chain(heads).chain([Cell::new("")]),
    );
    for change in changes {
        let mut lines = wrap(&change.path, room);
        let pad = room.saturating_sub(width(&lines[0]));
        lines[0] += &" ".repeat(pad);
        let values = (0..labels.len()).map(|at| Cell::new(cell(change, at)));
        // Nothing stands behind the word, so that its colour cannot move anything.
        let word = Cell::new(style.paint(tone(change.grade), word(change)));
        let name = std::iter::once(Cell::new(lines.join("\n")));
        table.add_row(name.chain(values).chain([word]));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for column in table.column_iter_mut().skip(1).take(labels.len()) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let indent = " ".repeat(INDENT);
    table.trim_fmt().lines().map(|line| format!("{indent}{}\n", line.trim_end())).collect()
}

/// A change where there is no room for columns.
fn line(change: &Change, labels: &[String], style: Style) -> String {
    let values =
        labels.iter().enumerate().map(|(at, label)| format!("{label} {}", cell(change, at)));
    let values: Vec<String> = values.collect();
    let text = format!("{}: {}, {}", change.path, word(change), values.join(", "));
    paragraph(&text, style.width, INDENT, INDENT + 2)
}
