//! The comparison as Markdown, for the comment on a pull request or the page of a job.
//!
//! It is bounded: a comment on GitHub has at most 65 536 characters, and is refused as a whole when it
//! is longer. Variants with a regression come first where there is not room for all.

use std::cmp::Reverse;
use std::iter::once;

use crate::compare::judging::Grade;
use crate::compare::{Compared, Comparison};
use crate::report::compare::{labels, only, origin, sentence, shown, summary, word};
use crate::report::markdown::{code, escaped, row};
use crate::report::text::counted;

/// So many bytes of tables at most.
const ROOM: usize = 56 * 1024;
/// So many lines of what is not in all reports.
const MOST_ONLY: usize = 20;

/// The whole text.
pub fn render(comparison: &Comparison) -> String {
    let labels = labels(&comparison.reports);
    let head = if comparison.is_regression() { "REGRESSION" } else { "no regression" };
    let mut text = format!("## rmq-scenario: {head}\n\n**{}**\n\n", summary(comparison));
    for (label, head) in labels.iter().zip(&comparison.reports) {
        text +=
            &format!("- {}: {} · {}\n", escaped(label), code(&head.path), escaped(&origin(head)));
    }
    text.extend(comparison.remarks.iter().map(|remark| format!("\n{}\n", escaped(remark))));
    let told: Vec<&Compared> =
        comparison.variants.iter().filter(|it| it.told().next().is_some()).collect();
    let sections: Vec<String> = told.iter().map(|variant| section(variant, &labels)).collect();
    let fitting = fitting(&told, &sections);
    text.extend(
        sections
            .iter()
            .zip(&fitting)
            .filter(|(_, fits)| **fits)
            .map(|(section, _)| section.as_str()),
    );
    let left = fitting.iter().filter(|fits| !**fits).count();
    if left > 0 {
        text += &format!("\n{} had no room here.\n", counted(left, "variant"));
    }
    text + &rest(comparison)
}

/// Which sections are shown.
fn fitting(variants: &[&Compared], sections: &[String]) -> Vec<bool> {
    let worst = |variant: &Compared| variant.told().map(|change| change.grade).max();
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|&index| Reverse(worst(variants[index])));
    let mut fits = vec![false; sections.len()];
    let mut room = ROOM;
    for index in order {
        if let Some(rest) = room.checked_sub(sections[index].len()) {
            room = rest;
            fits[index] = true;
        }
    }
    fits
}

fn section(variant: &Compared, labels: &[String]) -> String {
    let name = match variant.variant.as_str() {
        "" => String::new(),
        name => format!(" · {}", escaped(name)),
    };
    let (scenario, file) = (escaped(&variant.scenario), code(&variant.file));
    let mut text = format!("\n### {scenario}{name}\n\n{file}\n\n");
    let heads = labels.iter().map(|label| escaped(label));
    text += &row(once("what".to_owned()).chain(heads).chain([String::new()]));
    text += &format!("|---|{}---|\n", "---:|".repeat(labels.len()));
    for change in variant.told() {
        let values = change.values.iter().map(|value| escaped(&shown(value)));
        let word = match change.grade {
            Grade::Regression => format!("**{}**", word(change)),
            _ => escaped(word(change)),
        };
        text += &row(once(escaped(&change.path)).chain(values).chain([word]));
    }
    let sentences: Vec<String> = variant.told().filter_map(sentence).collect();
    if !sentences.is_empty() {
        text.push('\n');
        text.extend(sentences.iter().map(|it| format!("- {}\n", escaped(it))));
    }
    text
}

/// What is not in all reports.
fn rest(comparison: &Comparison) -> String {
    let mut text = String::new();
    if !comparison.only.is_empty() {
        text += "\n**Not in all reports**\n\n";
    }
    for it in comparison.only.iter().take(MOST_ONLY) {
        text += &format!("- {}\n", escaped(&only(it, &comparison.reports)));
    }
    if let Some(more @ 1..) = comparison.only.len().checked_sub(MOST_ONLY) {
        text += &format!("- and {more} more\n");
    }
    text
}
