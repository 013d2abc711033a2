//! Random scenarios against a real broker, in search of a counter-example to the ledger.
//!
//! Each file is drawn from a seed of its own, so one that fails can be drawn and run again:
//! `RMQ_SCENARIO_RANDOM_SEED=… RMQ_SCENARIO_RANDOM_FILES=1 cargo test --test random_runs --
//! --nocapture`. Without a seed, the test goes on for as many seconds as
//! `RMQ_SCENARIO_RANDOM_SECONDS` says; `RMQ_SCENARIO_RANDOM_TELL=1` shows what became of each.

mod calls;
mod demands;
#[path = "ledger/dice.rs"]
mod dice;
mod drawn;
mod scenes;
mod support;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use calls::Called;
use drawn::{Drawn, draw};

/// How many files one call of the program gets.
const TOGETHER: u64 = 8;
/// Runs all files on the shared node, with one call.
fn call(files: &[Drawn]) -> Called {
    calls::call(support::program(), files, 0, |command| {
        let facts = scenes::facts();
        command.arg("--broker").arg(scenes::broker(&facts.user, &facts.password, "%2F"));
        command.arg("--management").arg(scenes::management());
    })
}

/// Runs the files and says everything that must not be.
fn examine(files: &[Drawn]) -> Vec<String> {
    let called = call(files);
    let mut found = Vec::new();
    for (drawn, scenario, complaints) in called.complaints(files) {
        if !complaints.is_empty() {
            let list = complaints.join("\n  ");
            found.push(format!("seed {}\n  {list}\n{}\n{scenario:#}", drawn.seed, drawn.yaml));
        }
    }
    if variable("TELL").is_some() {
        called.scenarios().iter().for_each(|scenario| println!("{}", demands::line(scenario)));
    }
    if let Some(text) = called.contradiction(files.len()) {
        let seeds: Vec<u64> = files.iter().map(|drawn| drawn.seed).collect();
        found.push(format!("{seeds:?} {text}"));
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
