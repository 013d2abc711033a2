//! How far numbers may be from those of an earlier run.

use rmq_scenario::verdict::model::tolerance_rows;

use crate::{check, plan, with};

#[test]
fn what_a_variant_says_is_laid_over_what_the_file_says() {
    let scenario = plan(&with(
        "vars: { most: 5 }
tolerance: { redelivered: $most, lost: 12.5%, duration: 1.5s }
variants:
- { name: plain }
- { name: other, tolerance: { redelivered: any, lost: null, acked: 0, duration: 50% } }",
    ));
    let told = |index: usize| {
        let rows = tolerance_rows(&scenario.variants[index]);
        let row = rows.iter().map(|row| format!("{} {} {}", row.of, row.by, row.unit));
        row.collect::<Vec<_>>()
    };
    assert_eq!(told(0), ["redelivered 5 number", "lost 12.5 percent", "duration 1500 ms"]);
    assert_eq!(
        told(1),
        ["redelivered null any", "lost 12.5 percent", "acked 0 number", "duration 50 percent"]
    );
}

#[test]
fn without_the_key_there_is_none() {
    check("nothing", &plan(&with("")).variants[0].tolerances, "[]");
}
