//! Every fault again and again, in surroundings that are drawn anew each time, on private nodes;
//! and the accounts of each run are compared with what its file alone allows.
//!
//! By default each fault of the broker has one file, always the same, which takes seconds. `scripts/stress` is the
//! long form: `RMQ_SCENARIO_STRESS_TIMES=20` draws as many of each fault, of programs and queues
//! too, `RMQ_SCENARIO_STRESS_SEED=…` begins at that seed, and `RMQ_SCENARIO_STRESS_ABOUT=pause`
//! takes the faults whose name has this in it, and `RMQ_SCENARIO_STRESS_PROGRAM=…` another build of
//! the program. What fails is kept, and its place is told.
//!
//! One version of RabbitMQ is enough for this.

mod calls;
mod demands;
#[path = "ledger/dice.rs"]
mod dice;
mod drawn;
mod support;
mod tally;

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use calls::Called;
use drawn::blows::{SUBJECTS, Subject};
use drawn::{Drawn, draw_about};
use tally::Tally;

/// How many files one call of the program gets: they share a node.
const TOGETHER: usize = 10;
/// How long the broker may be away in one run beyond its deadline, in milliseconds.
const RETURN: u64 = 30_000;
/// How often a file that failed is run again, to see how often it does.
const AGAIN: usize = 3;

fn variable(name: &str) -> Option<String> {
    std::env::var(format!("RMQ_SCENARIO_STRESS_{name}")).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().expect("a number"))
}

fn call(files: &[Drawn]) -> Called {
    let other = variable("PROGRAM").map(PathBuf::from);
    let program = other.as_deref().unwrap_or(support::program());
    calls::call(program, files, RETURN, |command| {
        for name in ["BROKER", "MANAGEMENT"] {
            command.env_remove(format!("RMQ_SCENARIO_{name}"));
        }
        // Whoever runs the tests may keep a broker warm.
        command.env("XDG_RUNTIME_DIR", "/nonexistent");
    })
}

/// Runs the files of one call and counts. A file that fails is run again alone.
fn examine(subjects: &[(Subject, u64)], tally: &mut Tally) {
    let files: Vec<Drawn> = subjects.iter().map(|(it, seed)| draw_about(*it, *seed)).collect();
    let called = call(&files);
    if variable("TELL").is_some() {
        called.scenarios().iter().for_each(|scenario| println!("{}", demands::line(scenario)));
    }
    let mut wrong = 0;
    let complaints = called.complaints(&files).zip(subjects);
    for ((drawn, scenario, complaints), (subject, _)) in complaints {
        tally.count(*subject, &scenario);
        if !complaints.is_empty() {
            wrong += 1;
            let again = (0..AGAIN).map(|_| call(std::slice::from_ref(drawn)));
            let again = again.filter(|it| is_wrong(it, drawn)).count();
            tally.wrong(*subject, drawn, &complaints, &called, again);
        }
    }
    if let Some(text) = called.contradiction(files.len()).filter(|_| wrong == 0) {
        tally.broken(&files, &text, &called);
    }
}

fn is_wrong(called: &Called, drawn: &Drawn) -> bool {
    let files = std::slice::from_ref(drawn);
    called.contradiction(1).is_some() || called.complaints(files).any(|(_, _, it)| !it.is_empty())
}

/// A seed that nobody has drawn a moment before.
fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::from(now.subsec_nanos()) % 1_000_000 * 100
}

/// The faults of the broker once each; by hand whatever is asked for.
#[test]
fn no_fault_makes_the_accounts_wrong() {
    let times = number("TIMES");
    let about = variable("ABOUT").unwrap_or_default();
    let asked = times.is_some() || !about.is_empty();
    // Always the same, unless somebody looks for something new.
    let usual = if asked { random_seed } else { || 1 };
    let first = number("SEED").unwrap_or_else(usual);
    let meant = |subject: &&Subject| {
        subject.to_string().contains(&about) && (asked || subject.whom == "broker")
    };
    let subjects: Vec<Subject> = SUBJECTS.iter().filter(meant).copied().collect();
    println!("from seed {first}");
    let rounds = first..first + times.unwrap_or(1);
    let all = rounds.flat_map(|seed| subjects.iter().map(move |subject| (*subject, seed)));
    let all: Vec<(Subject, u64)> = all.collect();
    let mut tally = Tally::default();
    for batch in all.chunks(TOGETHER) {
        examine(batch, &mut tally);
    }
    println!("{tally}");
    assert!(tally.is_clean(), "from seed {first}: {tally}");
}
