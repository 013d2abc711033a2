//! Runs lessons and keeps what the program reports of each.

use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::lessons::Lesson;
use crate::scenes::{broker, facts, management};
use crate::support::program;

/// How many processes share the node. Most of a lesson is waiting, but what one of them counts
/// on to be quick must not wait for many others.
const AT_ONCE: usize = 2;
/// And how many start nodes of their own: they wait for much longer.
const ON_THEIR_OWN: usize = 3;

/// What became of one lesson.
#[derive(Clone)]
pub struct Outcome {
    pub lesson: String,
    /// Its part of the JSON report.
    pub report: Value,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}: {}", self.lesson, self.verdict())?;
        for variant in self.variants() {
            writeln!(f, "  {}: {}, {}", variant["name"], variant["verdict"], variant["reason"])?;
            broken(variant).try_for_each(|row| writeln!(f, "    {row}"))?;
            let rows = ["errors", "faults", "probes", "causes"].map(|list| &variant[list]);
            rows.iter().try_for_each(|rows| writeln!(f, "    {rows}"))?;
        }
        Ok(())
    }
}

/// The expectations of a variant that do not hold.
fn broken(variant: &Value) -> impl Iterator<Item = &Value> {
    let rows = variant["expectations"].as_array().map_or(&[][..], Vec::as_slice);
    rows.iter().filter(|row| row["held"] == false)
}

impl Outcome {
    pub fn verdict(&self) -> &str {
        self.report["verdict"].as_str().unwrap_or("not run")
    }

    pub fn variants(&self) -> &[Value] {
        self.report["variants"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The expectations that do not hold, of all variants.
    pub fn broken(&self) -> impl Iterator<Item = &Value> {
        self.variants().iter().flat_map(broken)
    }
}

/// Runs lessons and gives what became of each, in the same order. Those that want no broker of
/// their own run on the node of this test program.
pub fn run(lessons: &[Lesson]) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = vec![None; lessons.len()];
    let own = lessons.first().is_some_and(Lesson::wants_own_broker);
    let hands = if own { ON_THEIR_OWN } else { AT_ONCE };
    let hands: Vec<Vec<usize>> =
        (0..hands).map(|hand| (hand..lessons.len()).step_by(hands).collect()).collect();
    let done: Vec<Vec<(usize, Outcome)>> = thread::scope(|scope| {
        let run = |hand: Vec<usize>| {
            let dealt: Vec<&Lesson> = hand.iter().map(|&index| &lessons[index]).collect();
            scope.spawn(move || hand.into_iter().zip(run_in_one_process(&dealt)).collect())
        };
        let threads: Vec<_> = hands.into_iter().map(run).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    for (index, outcome) in done.into_iter().flatten() {
        outcomes[index] = Some(outcome);
    }
    outcomes.into_iter().map(|outcome| outcome.expect("each was dealt")).collect()
}

fn run_in_one_process(lessons: &[&Lesson]) -> Vec<Outcome> {
    let Some(first) = lessons.first() else { return Vec::new() };
    let dir = tempfile::Builder::new().prefix("lessons-").tempdir().expect("there is room");
    let mut command = Command::new(program());
    command.arg("run").current_dir(dir.path()).stdin(Stdio::null());
    // Whoever runs the tests may keep a broker warm.
    command.env("XDG_RUNTIME_DIR", dir.path());
    for name in ["BROKER", "MANAGEMENT"] {
        command.env_remove(format!("RMQ_SCENARIO_{name}"));
    }
    for (index, lesson) in lessons.iter().enumerate() {
        // A lesson may be here several times, altered in different ways.
        let name = format!("{index}-{}.yaml", lesson.name);
        std::fs::write(dir.path().join(&name), &lesson.text).expect("there is room");
        command.arg(name);
    }
    if !first.wants_own_broker() {
        command.env_remove("RMQ_SCENARIO_SERVER");
        command.arg("--broker").arg(broker(&facts().user, &facts().password, "%2F"));
        command.arg("--management").arg(management());
    }
    command.args(["--report", "json=report.json"]);
    let output = command.output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(dir.path().join("report.json")).unwrap_or_default();
    let report: Value =
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("there is no report\n{said}"));
    assert_ne!(output.status.code(), Some(70), "the books must balance\n{said}");
    let told = lessons.iter().enumerate();
    told.map(|(index, lesson)| Outcome {
        lesson: lesson.name.clone(),
        report: report["scenarios"][index].clone(),
    })
    .collect()
}
