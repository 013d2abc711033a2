//! Random scenarios against a real broker, in search of a counter-example to the ledger.
//!
//! Each file is drawn from a seed of its own, so one that fails can be drawn and run again:
//! `RMQ_SCENARIO_RANDOM_SEED=… RMQ_SCENARIO_RANDOM_FILES=1 cargo test --test random_runs --
//! --nocapture`. Without a seed, the test goes on for as many seconds as
//! `RMQ_SCENARIO_RANDOM_SECONDS` says; `RMQ_SCENARIO_RANDOM_TELL=1` shows what became of each.

mod demands;
#[path = "ledger/dice.rs"]
mod dice;
mod drawn;
mod scenes;
mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use drawn::{Drawn, draw};
use serde_json::Value;

/// How many files one call of the program gets.
const TOGETHER: u64 = 8;
/// What a run may take beyond its deadline: its topology, its end, its drain.
const BEYOND: u64 = 5_000;

/// What became of one call of the program.
struct Called {
    code: Option<i32>,
    report: Value,
    output: String,
}

/// Runs all files with one call, which must end by itself.
fn call(files: &[Drawn]) -> Called {
    let dir = tempfile::Builder::new().prefix("random-").tempdir().unwrap();
    let mut command = Command::new(support::program());
    command.arg("run").current_dir(dir.path());
    for drawn in files {
        let name = format!("{}.yaml", drawn.seed);
        std::fs::write(dir.path().join(&name), &drawn.yaml).unwrap();
        command.arg(name);
    }
    let facts = scenes::facts();
    command.arg("--broker").arg(scenes::broker(&facts.user, &facts.password, "%2F"));
    command.arg("--management").arg(scenes::management());
    command.args(["--report", "json=report.json", "-vv"]);
    // In files, since a pipe that nobody empties would hold the program up.
    let output = std::fs::File::create(dir.path().join("output")).unwrap();
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = command.spawn().expect("the program starts");
    let at_most = files.iter().map(|drawn| drawn.deadline + BEYOND).sum();
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

/// Runs the files and says everything that must not be.
fn examine(files: &[Drawn]) -> Vec<String> {
    let called = call(files);
    let mut found = Vec::new();
    let scenarios = called.report["scenarios"].as_array().cloned().unwrap_or_default();
    for (drawn, scenario) in files.iter().zip(&scenarios) {
        let complaints = demands::complaints(drawn, scenario);
        if !complaints.is_empty() {
            let list = complaints.join("\n  ");
            found.push(format!("seed {}\n  {list}\n{}\n{scenario:#}", drawn.seed, drawn.yaml));
        }
    }
    if variable("TELL").is_some() {
        scenarios.iter().for_each(|scenario| println!("{}", demands::line(scenario)));
    }
    let any = |word: &str| scenarios.iter().any(|scenario| scenario["verdict"] == word);
    let expected = match (any("fail"), any("inconclusive")) {
        (true, _) => 1,
        (_, true) => 4,
        _ => 0,
    };
    if called.code != Some(expected) || scenarios.len() != files.len() {
        let seeds: Vec<u64> = files.iter().map(|drawn| drawn.seed).collect();
        let code = called.code;
        let reports = scenarios.len();
        found.push(format!("{seeds:?} exit with {code:?} and not {expected}, {reports} reports"));
        if files.len() == 1 {
            found.push(files[0].yaml.clone());
        }
    }
    if !found.is_empty() {
        found.push(called.output);
    }
    found
}

/// Runs a batch; of one that fails, each file alone, to see which it is.
fn batch(first: u64) -> Vec<String> {
    let files: Vec<Drawn> = (first..first + TOGETHER).map(draw).collect();
    let found = examine(&files);
    if found.is_empty() {
        return found;
    }
    let each = files.iter().map(|drawn| examine(std::slice::from_ref(drawn)));
    let again: Vec<String> = each.flatten().collect();
    [found, vec!["ALONE".to_owned()], again].concat()
}

fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    // Readable, and far from one that was drawn a moment before.
    u64::from(now.subsec_nanos()) % 1_000_000_000 / 8 * 8
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(format!("RMQ_SCENARIO_RANDOM_{name}")).ok()?.parse().ok()
}

/// Two batches that are always the same, and a random one. By hand `RMQ_SCENARIO_RANDOM_SECONDS`
/// makes it go on for as long as one likes, and `RMQ_SCENARIO_RANDOM_SEED` (with
/// `RMQ_SCENARIO_RANDOM_FILES`) runs just that file (and those after it) and shows it.
#[test]
fn no_random_scenario_is_a_counter_example() {
    if let (Some(seed), files) = (variable("SEED"), variable("FILES").unwrap_or(1)) {
        let files: Vec<Drawn> = (seed..seed + files).map(draw).collect();
        files.iter().for_each(|drawn| println!("{}", drawn.yaml));
        let found = examine(&files);
        assert!(found.is_empty(), "{}", found.join("\n"));
        return;
    }
    let random = random_seed();
    println!("a random seed: {random}");
    let until = Instant::now() + Duration::from_secs(variable("SECONDS").unwrap_or(0));
    let more = (random + TOGETHER..).step_by(TOGETHER as usize);
    let more = more.take_while(|_| Instant::now() < until);
    let mut failed = Vec::new();
    for first in [8, 16, random].into_iter().chain(more) {
        let found = batch(first);
        if !found.is_empty() {
            println!("FROM SEED {first}:\n{}", found.join("\n"));
            failed.push(first);
        }
    }
    assert!(failed.is_empty(), "batches from these seeds failed: {failed:?}");
    assert_eq!(scenes::leftovers(), [""; 0]);
}
