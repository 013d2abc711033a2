//! The report `html`: one file that a browser shows without any network.
//!
//! The text is a frame, a style and a script, which stand beside this file, and the report as JSON
//! with a [`Picture`](crate::verdict::picture::Picture) of each variant. The script draws; nothing
//! is computed here that is not in the report.

use serde::Serialize;

use crate::report::Report;
use crate::report::plan::tree;
use crate::verdict::model::VariantReport;
use crate::verdict::picture::Picture;

const FRAME: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
/// How wide the drawing of a topology may be, in columns.
const DRAWING: usize = 100;

/// The whole page.
pub fn render(report: &Report) -> String {
    let scenarios = report.scenarios.iter();
    let pictures =
        scenarios.map(|scenario| scenario.variants.iter().map(Drawn::of).collect()).collect();
    let data = serde_json::to_string(&Data { report, pictures })
        .expect("a report has only text keys and numbers that JSON can say");
    let title = match &*report.scenarios {
        [one] => format!("{}: {}", one.scenario, report.verdict.name()),
        many => format!("{} scenarios: {}", many.len(), report.verdict.name()),
    };
    let parts = [
        ("{{title}}", escape(&title)),
        ("{{style}}", STYLE.to_owned()),
        ("{{script}}", SCRIPT.to_owned()),
        ("{{data}}", embedded(&data)),
    ];
    fill(FRAME, &parts)
}

/// What the script reads.
#[derive(Serialize)]
struct Data<'a> {
    report: &'a Report,
    /// By scenario and variant; `null` where nothing ran.
    pictures: Vec<Vec<Option<Drawn<'a>>>>,
}

#[derive(Serialize)]
struct Drawn<'a> {
    #[serde(flatten)]
    picture: &'a Picture,
    topology: String,
}

impl<'a> Drawn<'a> {
    fn of(variant: &'a VariantReport) -> Option<Self> {
        let picture = variant.picture.as_deref()?;
        Some(Self { picture, topology: tree(&picture.plan, DRAWING) })
    }
}

/// What a script element may hold: nothing in it ends the element, or begins a comment.
fn embedded(data: &str) -> String {
    data.replace('<', "\\u003c")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Each part once: what stands in one of them is not looked at again.
fn fill(frame: &str, parts: &[(&str, String)]) -> String {
    let mut rest = frame;
    let mut page =
        String::with_capacity(frame.len() + parts.iter().map(|it| it.1.len()).sum::<usize>());
    while let Some((start, mark, text)) = parts
        .iter()
        .filter_map(|(mark, text)| rest.find(mark).map(|start| (start, mark, text)))
        .min_by_key(|(start, ..)| *start)
    {
        page.push_str(&rest[..start]);
        page.push_str(text);
        rest = &rest[start + mark.len()..];
    }
    page + rest
}
