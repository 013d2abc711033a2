//! The schema of reports: the committed one is that of the program.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use rmq_scenario::report::schema;

const COMMITTED: &str = "schema/report.schema.json";

#[test]
fn the_committed_schema_of_reports_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(COMMITTED);
    let committed = fs::read_to_string(path).unwrap_or_default();
    // Not assert_eq, which would print both.
    assert!(
        committed == schema::text(),
        "{COMMITTED} is not current; write it anew: cargo run -- schema --report > {COMMITTED}"
    );
    let mut program = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    program.args(["schema", "--report"]).assert().code(0).stdout(committed).stderr("");
    let mut program = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    program.args(["schema", "--report", "--format", "markdown"]).assert().code(2);
}
