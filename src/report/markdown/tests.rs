//! Whole pages, and what is escaped in them.

use super::*;
use crate::report::fixture;

const MIXED: &str = include_str!("mixed.md");

#[test]
fn every_verdict_has_its_place() {
    let text = render(&fixture::mixed());
    assert_eq!(text, MIXED, "\n{text}");
}

#[test]
fn nothing_of_a_file_means_anything_to_markdown() {
    for (text, expected) in [
        ("a|b", "a\\|b"),
        ("<img> & [x](y)", "&lt;img&gt; &amp; \\[x\\](y)"),
        ("# head", "\\# head"),
        ("-x- *y*", "\\-x- \\*y\\*"),
        ("two\nlines\u{1b}", "two␊lines␛"),
        ("a`b_c\\d", "a\\`b\\_c\\\\d"),
    ] {
        assert_eq!(escaped(text), expected);
    }
    assert_eq!(code("a`b"), "``a`b``");
    assert_eq!(code("`a``"), "``` `a`` ```");
    assert_eq!(fence("x ```` y"), "`````");
    assert_eq!(fence("x"), "```");
}

#[test]
fn every_row_of_a_table_has_as_many_cells_as_its_head() {
    let text = render(&fixture::mixed());
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let table: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table.len(), 7);
    assert!(table.iter().all(|line| cells(line) == cells(table[0])), "{table:#?}");
}

#[test]
fn what_failed_is_shown_when_there_is_not_room_for_all() {
    let mut report = fixture::mixed();
    let mut passed = report.scenarios[0].clone();
    passed.scenario = "passed".into();
    passed.verdict = Verdict::Pass;
    passed.variants = vec![report.scenarios[0].variants[4].clone(); 2000];
    report.scenarios = [vec![passed; 9], report.scenarios].concat();
    let text = render(&report);
    assert!(text.len() < 2 * ROOM, "{}", text.len());
    assert!(text.contains("### work-queue\n"), "what failed is left out");
    let shown = text.matches("### passed").count();
    assert!(
        shown < 9
            && text.ends_with(&format!("\n{} had no room here.\n", counted(9 - shown, "scenario")))
    );
}
