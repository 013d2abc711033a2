//! Calls of the program on drawn files, and everything about them that must not be.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::demands;
use crate::drawn::Drawn;

/// What a run may take beyond its deadline: its topology, its end, its drain.
const BEYOND: u64 = 5_000;

/// What became of one call of the program.
pub struct Called {
    pub code: Option<i32>,
    pub report: Value,
    pub output: String,
}

impl Called {
    /// The reports, in the order of the files.
    pub fn scenarios(&self) -> Vec<Value> {
        self.report["scenarios"].as_array().cloned().unwrap_or_default()
    }

    /// What is wrong with the report on each file, if something is.
    pub fn complaints<'c>(
        &'c self,
        files: &'c [Drawn],
    ) -> impl Iterator<Item = (&'c Drawn, Value, Vec<String>)> {
        let pairs = files.iter().zip(self.scenarios());
        pairs.map(|(drawn, scenario)| {
            let complaints = demands::complaints(drawn, &scenario);
            (drawn, scenario, complaints)
        })
    }

    /// Whether the exit code is another than what the reports amount to, or one of them lacks.
    pub fn contradiction(&self, files: usize) -> Option<String> {
        let scenarios = self.scenarios();
        let any = |word: &str| scenarios.iter().any(|scenario| scenario["verdict"] == word);
        let expected = match (any("fail"), any("inconclusive")) {
            (true, _) => 1,
            (_, true) => 4,
            _ => 0,
        };
        let (code, reports) = (self.code, scenarios.len());
        let text = format!("exit with {code:?} and not {expected}, {reports} reports");
        (code != Some(expected) || reports != files).then_some(text)
    }
}

/// Runs all files with one call of a program, which must end by itself: `beside` what its files
/// may take it may have so many milliseconds more for each. `prepare` says on which broker.
pub fn call(
    program: &Path,
    files: &[Drawn],
    beside: u64,
    prepare: impl FnOnce(&mut Command),
) -> Called {
    let dir = tempfile::Builder::new().prefix("random-").tempdir().unwrap();
    let mut command = Command::new(program);
    command.arg("run").current_dir(dir.path());
    for (index, drawn) in files.iter().enumerate() {
        let name = format!("{index}-{}.yaml", drawn.seed);
        std::fs::write(dir.path().join(&name), &drawn.yaml).unwrap();
        command.arg(name);
    }
    command.args(["--report", "json=report.json", "-vv"]);
    prepare(&mut command);
    // In files, since a pipe that nobody empties would hold the program up.
    let output = std::fs::File::create(dir.path().join("output")).unwrap();
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = command.spawn().expect("the program starts");
    let at_most: u64 = files.iter().map(|drawn| drawn.deadline + BEYOND + beside).sum();
    let deadline = Instant::now() + Duration::from_millis(at_most);
    let mut code = None;
    while Instant::now() < deadline && code.is_none() {
        code = child.try_wait().unwrap().map(|status| status.code());
        std::thread::sleep(Duration::from_millis(10));
    }
    if code.is_none() {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    let read = |name| std::fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    let report = serde_json::from_str(&read("report.json")).unwrap_or(Value::Null);
    Called { code: code.flatten(), report, output: read("output") }
}
