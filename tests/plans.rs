//! `rmq-scenario plan`: what it shows, in each form, and when it refuses.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const FILE: &str = "scenarios/acknowledgements.yaml";

fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    command.arg("plan").args(words).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn plan(words: &[&str]) -> Output {
    command(words).output().unwrap()
}

/// What it says, all being well.
fn said(words: &[&str]) -> String {
    let output = plan(words);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
    assert_eq!(output.status.code(), Some(0), "{words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A file of a test's own.
fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::with_suffix(".yaml").unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn path(file: &tempfile::NamedTempFile) -> &str {
    file.path().to_str().unwrap()
}

#[test]
fn a_variant_is_drawn_with_what_breaks_and_what_it_guarantees() {
    let text = said(&[FILE]);
    let auto = "
auto
  new_task · 20 messages, confirms
  └─ task_queue · classic queue
     └─ worker-1 … worker-2 · 2 workers, automatic acks
  new_task reaches: task_queue 20
  ! kill worker-1: during its work number 4
  guaranteed, once it comes to rest:
    published      20           published
    confirmed      20           confirmed
    expected       20           routing
    delivered      13..19       auto-ack-death
    lost           1..7         auto-ack-death
    deliveries     13..20       auto-ack-death
    begun          14..20       auto-ack-death
    finished       13..19       auto-ack-death
    all others     0
";
    assert!(text.contains(auto), "{text}");
    assert!(text.contains("  auto-ack-death: under automatic acks"), "rules are explained: {text}");
    assert!(!text.contains("  queue-goes:"), "only those that are used: {text}");
}

#[test]
fn variants_that_look_alike_are_drawn_once() {
    let text = said(&["scenarios/exchanges_discard.yaml"]);
    assert_eq!(text.matches("  as ").count(), 0, "each has its own way: {text}");
    let twice = file(
        "scenario: twice
vars: { x: 1 }
variants: [{ name: one }, { name: other, vars: { x: 2 } }]
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5, body: '{x}' }]
",
    );
    let text = said(&[path(&twice)]);
    assert!(text.contains("other\n  as one\n"), "{text}");
}

#[test]
fn a_cycle_and_what_nobody_publishes_to_are_drawn_too() {
    let cycle = file(
        "scenario: cycle
topology:
  exchanges: [{ name: e, type: topic, alternate_exchange: rest }, { name: rest, type: fanout }]
  queues:
    - { name: q, dead_letter: { exchange: e, routing_key: a.b } }
    - { name: alone }
  bindings:
    - { from: e, to: q, routing_key: 'a.#' }
producers: [{ name: p, to: { exchange: e, routing_key: [a, b] }, messages: 4 }]
workers: [{ name: w, queue: q, reject: [{ messages: [1] }] }]
",
    );
    let text = said(&[path(&cycle)]);
    let drawn = "  p · 4 messages, confirms
  └─ a, b → e · topic exchange
     ├─ a.# → q · classic queue
     │  ├─ dead letters, a.b → e (above)
     │  └─ w · manual acks, refuses some
     └─ else → rest · fanout exchange
  alone · classic queue
  p reaches: q 2, no queue 2
";
    assert!(text.contains(drawn), "{text}");
}

#[test]
fn the_document_has_everything_and_says_why() {
    let plan: Value = serde_json::from_str(&said(&[FILE, "--format", "json"])).unwrap();
    assert_eq!(plan["format"], "rmq-scenario.plan/1");
    let scenario = &plan["scenarios"][0];
    assert_eq!(scenario["file"], FILE);
    let variant = &scenario["variants"][0];
    assert_eq!(variant["vars"]["ack"], "auto");
    assert_eq!(variant["topology"]["nodes"][1]["name"], "task_queue");
    assert_eq!(variant["reaches"][0]["low"], 20);
    assert_eq!(variant["timeline"][0]["what"], "kill worker-1");
    let guarantees = variant["guarantees"].as_array().unwrap();
    assert_eq!(guarantees.len(), 30, "one for each count");
    let lost = guarantees.iter().find(|row| row["count"] == "lost").unwrap();
    assert_eq!((&lost["low"], &lost["high"]), (&1.into(), &7.into()));
    assert!(lost["source"].as_str().unwrap().starts_with("https://www.rabbitmq.com/"), "{lost}");
}

#[test]
fn a_drawing_program_can_read_the_topology() {
    let dot = said(&["scenarios/dead_letters.yaml", "--format", "dot"]);
    assert!(dot.starts_with("digraph \"dead-letters rejected, no dead letters\" {\n"), "{dot}");
    assert!(dot.contains("[style=dashed, label=\"dead letters\"]"), "{dot}");
    let mermaid = said(&["scenarios/dead_letters.yaml", "--format", "mermaid"]);
    assert!(mermaid.contains("flowchart LR\n"), "{mermaid}");
    assert!(mermaid.contains("-.->|\"dead letters\"|"), "{mermaid}");
}

#[test]
fn variables_and_the_seed_of_the_command_line_count() {
    let text = said(&[FILE, "--set", "ack=auto", "--seed", "7"]);
    assert!(text.contains("seed 7"), "{text}");
    assert!(!text.contains("manual acks"), "{text}");
}

#[test]
fn with_a_mistake_nothing_is_planned_and_all_mistakes_are_told() {
    let wrong = file("scenario: wrong\ntopologie: {}\nproducer: []\n");
    let output = plan(&[FILE, path(&wrong)]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(errors.contains("topologie") && errors.contains("producer"), "{errors}");
    assert!(errors.ends_with("2 mistakes; nothing is planned\n"), "{errors}");
    let output = plan(&["there/is/none.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

#[test]
fn a_reader_that_leaves_is_no_mistake() {
    let mut child = command(&["scenarios/durability.yaml"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// What there is in the folder of lessons can all be planned, within 80 columns.
#[test]
fn every_lesson_has_a_plan_that_fits_a_terminal() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "yaml") {
            for line in said(&[path.to_str().unwrap()]).lines() {
                assert!(line.chars().count() <= 80, "{}: {line}", path.display());
            }
        }
    }
}

/// Whoever waits for all waits for itself as well.
#[test]
fn programs_that_wait_for_each_other_have_a_plan() {
    let circle = file(
        "scenario: circle
topology: { queues: [{ name: q }] }
producers:
  - { name: p, to: { queue: q }, messages: 9, start: { after: { finished: 1 } } }
  - { name: r, to: { queue: q }, messages: 9 }
workers:
  - { name: a, queue: q, start: { after: { finished: 3 } } }
  - { name: b, queue: q, start: { after: { consuming: 1, of: a } } }
  - { name: c, queue: q, stop: { after: { acked: 4 } } }
faults:
  - { name: f, restart: broker, how: sigkill, after: { acked: 6 } }
  - { kill: c, after: { fault: f }, restart_after: 1s }
",
    );
    let text = said(&[path(&circle)]);
    assert!(text.contains("    all others     0\n"), "{text}");
}

/// The page on the plan has the table of rules as the program has it.
#[test]
fn the_documentation_has_every_rule() {
    use rmq_scenario::plan::guarantees::rules::ALL;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/plan.md");
    let text = std::fs::read_to_string(page).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
    let wanted = ALL.iter().map(|rule| {
        let source = rule.source();
        let link = match source.strip_prefix("docs/") {
            Some(page) => format!("[{source}]({page})"),
            None => format!("<{source}>"),
        };
        format!("| `{}` | {} | {link} |", rule.name(), rule.says())
    });
    assert_eq!(rows, wanted.collect::<Vec<_>>());
}

/// Files whose runs were once outside of what was foretold, and what these runs came to.
const ONCE_WRONG: [(&str, &str, u64); 12] = [
    // A dead letter that nobody sees again is none.
    (
        "queues: [{ name: q, dead_letter: { exchange: '', routing_key: d } }, { name: d, max_length: 1 }]|w: 'every: 4'",
        "expected",
        21,
    ),
    (
        "queues: [{ name: q, dead_letter: { exchange: '', routing_key: d } }, { name: d, max_length: 1 }]|w: 'every: 4'",
        "dropped",
        0,
    ),
    (
        "queues: [{ name: q, dead_letter: { exchange: '', routing_key: d } }, { name: d, message_ttl: 50ms }]|w: 'every: 4'",
        "expired",
        0,
    ),
    (
        "queues: [{ name: q, dead_letter: { exchange: '', routing_key: d } }, { name: d, expires: 200ms }]|w: 'every: 4'",
        "expected",
        20,
    ),
    // On 3.10 none comes into a stream.
    (
        "queues: [{ name: q, dead_letter: { exchange: '', routing_key: d } }, { name: d, type: stream }]|w: 'every: 4'",
        "rejected",
        5,
    ),
    (
        "queues: [{ name: q, dead_letter: { exchange: '', routing_key: d } }, { name: d, type: stream }]|w: 'every: 4'",
        "dead_lettered",
        0,
    ),
    // What comes back to a full queue is dropped, or was never in it.
    (
        "queues: [{ name: q, max_length: 5 }]|w: 'every: 2, requeue: true, times: 1'",
        "redelivered",
        5,
    ),
    (
        "queues: [{ name: q, max_length: 5 }]|w: 'every: 2, requeue: true, times: 1'",
        "deliveries",
        14,
    ),
    (
        "queues: [{ name: q, max_length_bytes: 50 }]|w: 'every: 10, requeue: true, times: 1'",
        "redelivered",
        0,
    ),
    (
        "queues: [{ name: q, max_length: 2, overflow: reject-publish }]|w: 'every: 9, requeue: true, times: 1'",
        "redelivered",
        0,
    ),
    ("queues: [{ name: q, max_length: 1 }]|kill", "redelivered", 0),
    ("queues: [{ name: q, max_length: 1 }]|kill", "repeats", 0),
];

#[test]
fn what_was_once_foretold_wrongly_is_foretold_rightly() {
    for (what, count, seen) in ONCE_WRONG {
        let (topology, worker) = what.split_once('|').unwrap();
        let reject = worker.strip_prefix("w: '").and_then(|it| it.strip_suffix('\''));
        let (reject, faults) = match reject {
            Some(rule) => (format!("reject: [{{ {rule} }}]"), ""),
            None => (
                "prefetch: 1".to_owned(),
                "faults: [{ kill: w, during: 1, restart_after: 200ms }]\n",
            ),
        };
        let file = file(&format!(
            "scenario: once-wrong
topology: {{ {topology} }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers: [{{ name: w, queue: q, {reject} }}]
{faults}"
        ));
        let plan: Value = serde_json::from_str(&said(&[path(&file), "--format", "json"])).unwrap();
        let rows = plan["scenarios"][0]["variants"][0]["guarantees"].as_array().unwrap();
        let row = rows.iter().find(|row| row["count"] == count).unwrap();
        let (low, high) = (row["low"].as_u64().unwrap(), row["high"].as_u64());
        assert!(low <= seen && high.is_none_or(|high| seen <= high), "{what} {seen}: {row}");
    }
}

/// Whole files whose runs were once outside of what was foretold, and what these runs came to.
const ONCE_WRONG_FILES: [(&str, &str, u64); 8] = [
    // Who leaves at a work of somebody else has done as much as it came to by then.
    (OTHERS, "delivered", 40),
    // The node of the producers was the leader's, too: what they sent on new channels was refused.
    (LEADER_LOST, "refused", 2996),
    (LEADER_LOST, "turned_away", 2921),
    (LEADER_LOST, "delivered", 679),
    // What expires makes room for what comes later.
    (ROOM, "refused", 0),
    (ROOM, "confirmed", 20),
    // In a second life, works and acks are not counted from the same beginning.
    (LIVES, "finished", 19),
    (LIVES, "begun", 21),
];

const OTHERS: &str = "scenario: others
topology: { queues: [{ name: q }, { name: r }] }
producers:
  - { name: p, to: { queue: q }, messages: 20 }
  - { name: o, to: { queue: r }, messages: 20 }
workers:
  - { name: w, queue: q, stop: { after: { finished: 5, of: v } } }
  - { name: v, queue: r, work: 50ms }
";

const LIVES: &str = "scenario: lives
topology: { queues: [{ name: q, type: quorum }] }
producers: [{ name: p, to: { queue: q }, messages: 8 }]
workers: [{ name: w, queue: q, ack_every: 4, work: 5ms }]
faults:
  - { kill: w, during: 3, restart_after: 20ms }
  - { kill: w, before_ack: 5, restart_after: 20ms }
  - { kill: w, during: 9, restart_after: 20ms }
  - { kill: w, before_ack: 11, restart_after: 20ms }
";

const LEADER_LOST: &str = "scenario: leader-lost
broker: { nodes: 3 }
topology: { queues: [{ name: q, type: quorum, node: 1 }] }
producers:
  - name: p
    count: 12
    to: { queue: q }
    messages: 300
    rate: 100/s
    node: 1
    start: { at: 1500ms }
    reconnect: { after: 10ms, unconfirmed: republish }
workers: [{ name: w, queue: q, node: 2, prefetch: 50 }]
faults: [{ stop: broker, how: sigkill, node: 1, after: { confirmed: 600 } }]
";

const ROOM: &str = "scenario: room
topology:
  queues: [{ name: q, max_length: 5, overflow: reject-publish, message_ttl: 10ms }]
producers: [{ name: p, to: { queue: q }, messages: 20, rate: 10/s }]
";

#[test]
fn whole_files_that_were_once_foretold_wrongly_are_foretold_rightly() {
    for (text, count, seen) in ONCE_WRONG_FILES {
        let file = file(text);
        let plan: Value = serde_json::from_str(&said(&[path(&file), "--format", "json"])).unwrap();
        let rows = plan["scenarios"][0]["variants"][0]["guarantees"].as_array().unwrap();
        let row = rows.iter().find(|row| row["count"] == count).unwrap();
        let (low, high) = (row["low"].as_u64().unwrap(), row["high"].as_u64());
        assert!(low <= seen && high.is_none_or(|high| seen <= high), "{seen}: {row}");
    }
}

#[test]
fn what_a_reader_of_a_stream_refuses_for_good_is_rejected() {
    let file = file(
        "scenario: refused
requires: { rabbitmq: '>=4.0' }
topology: { queues: [{ name: q, type: stream }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, offset: first, prefetch: 5, reject: [{ messages: [5] }] }]
",
    );
    let plan: Value = serde_json::from_str(&said(&[path(&file), "--format", "json"])).unwrap();
    let rows = plan["scenarios"][0]["variants"][0]["guarantees"].as_array().unwrap();
    for (count, seen) in [("rejected", 1), ("delivered", 9), ("remaining", 0), ("still_queued", 10)]
    {
        let row = rows.iter().find(|row| row["count"] == count).unwrap();
        let (low, high) = (row["low"].as_u64().unwrap(), row["high"].as_u64());
        assert!(low <= seen && high.is_none_or(|high| seen <= high), "{seen}: {row}");
    }
}
