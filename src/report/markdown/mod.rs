//! The report for people who read it on a page: Markdown, as GitHub and GitLab draw it.
//!
//! The verdict first; then for each file its table and why lines, and what failed, drawn as on the
//! terminal. All of it is bounded: GitHub refuses a summary of more than a MiB as a whole.

#[cfg(test)]
mod tests;

use std::iter::once;

use crate::diagnostic::Diagnostic;
use crate::report::style::Style;
use crate::report::table::{self, columns};
use crate::report::text::{counted, visible};
use crate::report::{Report, ScenarioReport};
use crate::verdict::model::{VariantReport, Verdict};

/// So many bytes of sections at most; the summary of a step may have 1 MiB, which other programs
/// share.
const ROOM: usize = 512 * 1024;

/// So many columns that every count has one: a page scrolls.
const WIDE: usize = 100_000;

/// The whole text.
pub fn render(report: &Report) -> String {
    let mut text = headline(report);
    let sections: Vec<String> = report.scenarios.iter().map(section).collect();
    let shown = fitting(report, &sections);
    for (section, shown) in sections.iter().zip(&shown) {
        if *shown {
            text.push('\n');
            text += section;
        }
    }
    let left = shown.iter().filter(|shown| !**shown).count();
    if left > 0 {
        text += &format!("\n{} had no room here.\n", counted(left, "scenario"));
    }
    text
}

fn headline(report: &Report) -> String {
    let variants = report.scenarios.iter().flat_map(|scenario| &scenario.variants);
    let verdicts: Vec<Verdict> = variants.map(|variant| variant.verdict).collect();
    let word = columns::word(report.verdict);
    let tally = table::tally(&verdicts);
    let broker = match report.broker.version.as_str() {
        "" => String::new(),
        version => format!(" · RabbitMQ {}", escaped(version)),
    };
    format!("## rmq-scenario: {word}\n\n**{tally}**{broker} · seed {}\n", report.seed)
}

/// Which sections are shown: what needs attention goes first where there is not room for all.
fn fitting(report: &Report, sections: &[String]) -> Vec<bool> {
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(report.scenarios[index].verdict));
    let mut shown = vec![false; sections.len()];
    let mut room = ROOM;
    for index in order {
        if let Some(rest) = room.checked_sub(sections[index].len()) {
            room = rest;
            shown[index] = true;
        }
    }
    shown
}

fn section(scenario: &ScenarioReport) -> String {
    let (name, file) = (escaped(&scenario.scenario), code(&scenario.file));
    let mut text = format!("### {name}\n\n{file}\n\n");
    let style = Style::plain(WIDE, 0);
    let columns::Choice { grid, also } = columns::choose(&scenario.variants, style);
    let heads = grid.heads.iter().map(|head| escaped(head));
    text += &row(once("variant".to_owned()).chain(heads).chain(["verdict".to_owned()]));
    text += &format!("|---|{}---|\n", "---:|".repeat(grid.heads.len()));
    for line in &grid.rows {
        let numbers = line.numbers.iter().map(|n| n.map_or("-".to_owned(), |n| n.to_string()));
        let cells = once(escaped(&line.name)).chain(numbers).chain([line.word.clone()]);
        text += &row(cells);
    }
    for variant in &scenario.variants {
        let sentences = table::sentences(variant, &also, style);
        if !sentences.is_empty() {
            text += &format!("\n{}\n", heading(variant));
            text.extend(sentences.iter().map(|sentence| format!("- {}\n", escaped(sentence))));
        }
    }
    for variant in &scenario.variants {
        text.extend(variant.diagnostics.iter().map(|found| complaint(variant, found)));
    }
    text
}

/// A name to stand above its lines; a list needs a line before it to begin after.
fn heading(variant: &VariantReport) -> String {
    match variant.name.as_str() {
        "" => String::new(),
        name => format!("**{}**\n", escaped(name)),
    }
}

/// Where, in whose run; and then what the terminal shows.
fn complaint(variant: &VariantReport, found: &Diagnostic) -> String {
    let place = found.place.as_ref().map(|it| code(&format!("{}:{}", it.file, it.line)));
    let name = Some(&variant.name).filter(|name| !name.is_empty());
    let name = name.map(|name| format!("**{}**", escaped(name)));
    let parts: Vec<String> = name.into_iter().chain(place).collect();
    let drawn = found.render(false);
    let fence = fence(&drawn);
    let lead = if parts.is_empty() { String::new() } else { parts.join(" · ") + "\n\n" };
    format!("\n{lead}{fence}text\n{}\n{fence}\n", drawn.trim_end())
}

/// A row of a table; the cells are Markdown already.
pub fn row(cells: impl Iterator<Item = impl AsRef<str>>) -> String {
    cells.fold(String::from("|"), |row, cell| row + " " + cell.as_ref() + " |") + "\n"
}

/// `text` so that it reads as it is: on one line, and with nothing that Markdown or HTML means.
pub fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in visible(text).chars() {
        if matches!(c, '<' | '>' | '&') {
            out += match c {
                '<' => "&lt;",
                '>' => "&gt;",
                _ => "&amp;",
            };
            continue;
        }
        let special = matches!(c, '\\' | '`' | '*' | '_' | '|' | '[' | ']' | '~' | '$' | '@');
        // At the beginning of a line these make a heading or a list.
        if special || out.is_empty() && matches!(c, '#' | '+' | '-' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// `text` as code, in as many backticks as it needs.
pub fn code(text: &str) -> String {
    let text = visible(text);
    let ticks = "`".repeat(longest_run(&text) + 1);
    // A space each keeps backticks of the text apart from ours; it is not shown.
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// A fence that nothing inside can close.
fn fence(text: &str) -> String {
    "`".repeat(longest_run(text).max(2) + 1)
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
