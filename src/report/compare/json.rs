//! The comparison for programs, in the layout `rmq-scenario.comparison/1`. It has every change, also
//! those of parts that only repeat one of the whole.

use serde_json::{Value, json};

use crate::compare::judging::Grade;
use crate::compare::{Change, Compared, Comparison, Head, Only};

/// The version of the layout.
const FORMAT: &str = "rmq-scenario.comparison/1";

/// Pretty JSON with a line end.
pub fn render(comparison: &Comparison) -> String {
    let document = json!({
        "format": FORMAT,
        "regression": comparison.is_regression(),
        "counts": {
            "regression": comparison.count(Grade::Regression),
            "differs": comparison.count(Grade::Differs),
            "better": comparison.count(Grade::Better),
            "allowed": comparison.count(Grade::Allowed),
        },
        "reports": comparison.reports.iter().map(head).collect::<Vec<_>>(),
        "remarks": comparison.remarks,
        "variants": comparison.variants.iter().map(variant).collect::<Vec<_>>(),
        "only": comparison.only.iter().map(only).collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&document).expect("it has only text keys");
    text + "\n"
}

fn head(head: &Head) -> Value {
    let Head { path, version, tool, seed, verdict } = head;
    json!({ "path": path, "rabbitmq": version, "tool": tool, "seed": seed, "verdict": verdict })
}

fn variant(it: &Compared) -> Value {
    json!({
        "scenario": it.scenario,
        "file": it.file,
        "variant": it.variant,
        "changes": it.changes.iter().map(change).collect::<Vec<_>>(),
    })
}

fn change(it: &Change) -> Value {
    json!({
        "path": it.path,
        "values": it.values,
        "grade": grade(it.grade),
        "why": it.why,
        "repeats": it.is_echo,
    })
}

fn grade(grade: Grade) -> &'static str {
    match grade {
        Grade::Same => "same",
        Grade::Better => "better",
        Grade::Allowed => "allowed",
        Grade::Differs => "differs",
        Grade::Regression => "regression",
    }
}

fn only(it: &Only) -> Value {
    let Only { scenario, variant, there, perhaps } = it;
    json!({ "scenario": scenario, "variant": variant, "there": there, "perhaps": perhaps })
}
