//! Files that are broken at random, or on purpose: always an answer, and always a place.

use std::time::{Duration, Instant};

use rmq_scenario::diagnostic::Diagnostic;
use rmq_scenario::plan::random::Stream;
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

/// A file that uses most of the format.
const FILE: &str = r##"# A file that uses most of the format.
scenario: everything
format: 1
description: "A description, with ünïcode"
tags: [one, two]
requires: { rabbitmq: ">=3.10", management: false }
seed: 7
vars: { ack: manual, durable: true, text: hello, none: null }
matrix:
  ack: [auto, manual]
  durable: [true, false]
variants:
  - when: { ack: auto }
    expect: { lost: "> 0" }
topology:
  exchanges:
    - name: logs
      type: topic
      durable: $durable
  queues:
    - name: tasks
      durable: $durable
    - name: mine
      exclusive: true
  bindings:
    - from: logs
      to: mine
      routing_key: "a.#"
producers:
  - name: sender
    count: 2
    to: { queue: tasks }
    messages: 20
    rate: 50/s
    confirms: { in_flight: 10, timeout: 1s }
    body: "{text} #{n} {dots}"
    dots: [1, 2, 3]
    size: 64B
    headers:
      kind: { weighted: { a: 9, b: 1 } }
      nothing: null
  - name: logger
    to: { exchange: logs, routing_key: [a.b, c.d] }
    messages: 5
    start: { after: { published: 3, of: sender } }
workers:
  - name: worker
    count: 2
    queue: tasks
    ack: $ack
    work: { per_dot: 20ms }
  - name: owner
    queue: mine
    work: { range: [1ms, 5ms] }
    reconnect: { after: 1s }
  - name: listener
    temporary_queue: { bindings: [{ exchange: logs, routing_key: "#" }] }
faults:
  - name: first
    kill: worker-1
    during: 4
  - kill: sender-2
    after: { fault: first }
    restart_after: 200ms
observe:
  - name: mid
    when: { at: 500ms }
    expect: { tasks: { ready: 0, consumers: "> 0" } }
settle: { idle: 200ms, deadline: 30s }
expect:
  lost: 0
  queues: { tasks: { delivered: ">= 90%" } }
  workers: { worker: { finished: any } }
  causes: { unexplained: 0 }
  fairness: { workers: worker, max_share: 60% }
  duration: "< 20s"
"##;

fn mistakes(text: &str) -> Vec<Diagnostic> {
    load(Source::new("f.yaml", text), &Options::default()).err().unwrap_or_default()
}

#[test]
fn the_file_that_is_broken_below_is_right() {
    let mistakes: Vec<String> = mistakes(FILE).iter().map(|it| it.render(false)).collect();
    assert!(mistakes.is_empty(), "{}", mistakes.join("\n"));
}

/// Every diagnostic has a place, and the place is in the text.
fn assert_placed(text: &str, what: &str) {
    for diagnostic in mistakes(text) {
        let shown = diagnostic.render(false);
        let place = diagnostic.place.unwrap_or_else(|| panic!("{what}: no place: {shown}\n{text}"));
        let lines: Vec<&str> = text.split('\n').collect();
        let line = lines.get(place.line - 1);
        let line = line.unwrap_or_else(|| panic!("{what}: no such line: {shown}\n{text}"));
        assert_eq!(line.trim_end_matches('\r'), place.text, "{what}: {shown}");
        let room = place.text.chars().count() + 1;
        assert!((1..=room).contains(&place.column), "{what}: {shown}");
        assert!(place.width >= 1 && place.column + place.width <= room + 1, "{what}: {shown}");
    }
}

/// A change to a text, decided by a number.
fn broken(text: &str, stream: Stream, round: u64) -> String {
    let mut draw = 0;
    let mut below = |bound: usize| {
        draw += 1;
        usize::try_from(stream.below(round * 16 + draw, bound.max(1) as u64)).unwrap()
    };
    let characters: Vec<char> = text.chars().collect();
    let lines: Vec<&str> = text.lines().collect();
    match below(7) {
        0 => {
            let (start, length) = (below(characters.len()), below(12));
            let end = (start + length).min(characters.len());
            characters[..start].iter().chain(&characters[end..]).collect()
        }
        1 => {
            let (start, length) = (below(characters.len()), below(40));
            let end = (start + length).min(characters.len());
            characters[..end].iter().chain(&characters[start..]).collect()
        }
        2 => {
            let odd = [
                '\t', '"', '\'', '{', '}', '[', ']', ':', '-', '#', '&', '*', '!', '|', '$',
                '\u{2028}', '\u{85}', 'é', '\0',
            ];
            let (position, odd) = (below(characters.len()), odd[below(odd.len())]);
            characters[..position].iter().chain([&odd]).chain(&characters[position..]).collect()
        }
        3 => {
            let (a, b) = (below(lines.len()), below(lines.len()));
            let mut lines = lines;
            lines.swap(a, b);
            lines.join("\n")
        }
        4 => {
            let gone = below(lines.len());
            let kept = lines.iter().enumerate().filter(|(position, _)| *position != gone);
            kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
        }
        5 => {
            let words = [
                "null",
                "7",
                "-1",
                "true",
                "[]",
                "{}",
                "$none",
                "$what",
                "\"\"",
                "99999999999999999999999",
            ];
            let (position, word) = (below(lines.len()), words[below(words.len())]);
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            if let Some((key, _)) = lines[position].clone().split_once(": ") {
                lines[position] = format!("{key}: {word}");
            }
            lines.join("\n")
        }
        _ => characters[..below(characters.len())].iter().collect(),
    }
}

#[test]
fn no_broken_file_panics_and_every_mistake_has_a_place_in_it() {
    let seed = 1;
    let stream = Stream::new(seed, "broken files");
    for round in 0..1500 {
        let once = broken(FILE, stream, round);
        assert_placed(&once, &format!("seed {seed}, round {round}"));
        if round % 3 == 0 {
            let twice = broken(&once, stream, round + 1_000_000);
            assert_placed(&twice, &format!("seed {seed}, round {round}, twice"));
        }
    }
}

#[test]
fn an_unknown_key_is_found_at_any_depth_with_its_line() {
    for (position, line) in FILE.lines().enumerate() {
        let Some((key, _)) = line.split_once(": ").or(line.split_once(':')) else { continue };
        let key = key.trim_start_matches([' ', '-']);
        let free = ["tasks", "kind", "nothing", "ack", "durable"];
        if line.starts_with('#') || free.contains(&key) {
            continue;
        }
        let indent = line.len() - line.trim_start_matches([' ', '-']).len();
        let mut lines: Vec<String> = FILE.lines().map(str::to_owned).collect();
        // In front of a key that begins an entry the unknown one would not be in the same map.
        let at = if line.trim_start().starts_with('-') { position + 1 } else { position };
        lines.insert(at, format!("{}zzunknown: 1", " ".repeat(indent)));
        let text = lines.join("\n");
        let found = mistakes(&text);
        // Below `headers` any name is a header.
        if text
            .lines()
            .take(at)
            .collect::<Vec<_>>()
            .last()
            .is_some_and(|line| line.contains("headers:"))
        {
            continue;
        }
        let [only] = found.as_slice() else { panic!("{} mistakes in\n{text}", found.len()) };
        let place = only.place.as_ref().expect("it has a place");
        assert!(only.message.contains("`zzunknown`"), "{}", only.message);
        assert_eq!((place.line, place.column, place.width), (at + 1, indent + 1, 9), "{text}");
    }
}

#[test]
fn a_hostile_file_is_refused_in_moderate_time() {
    let mib = (1 << 20) - 100;
    let repeated =
        |head: &str, part: &str| head.to_owned() + &part.repeat((mib - head.len()) / part.len());
    let keys: String = (0..60_000).map(|n| format!("unknown_{n}: 1\n")).collect();
    let queues = format!("scenario: t\ntopology:\n queues:\n{}", " - {name: q}\n".repeat(40_000));
    let faults = |line: fn(usize) -> String| {
        let head = "scenario: t\ntopology: { queues: [{ name: q }] }\nworkers: [{ name: w, queue: q }]\nfaults:\n";
        head.to_owned() + &(0..20_000).map(line).collect::<String>()
    };
    let ring =
        |n: usize| format!("- {{name: f{n}, kill: w, after: {{fault: f{}}}}}\n", (n + 1) % 20_000);
    let chain = |n: usize| match n {
        0 => "- {name: f0, pause: broker, at: 1s}\n".to_owned(),
        n => format!("- {{name: f{n}, stop: broker, after: {{fault: f{}}}}}\n", n - 1),
    };
    let at = |n: usize| format!("- {{pause: broker, at: {n}ms, for: 1s}}\n");
    for (name, text) in [
        ("a ring of faults", faults(ring)),
        ("a chain of faults", faults(chain)),
        ("faults at a time", faults(at)),
        ("open lists", repeated("tags: ", "[")),
        ("open maps", repeated("vars: ", "{")),
        ("nested maps", repeated("vars: ", "{a: ")),
        ("dashes", repeated("tags:\n", "- ")),
        ("questions", repeated("", "? ")),
        ("one text", repeated("scenario: ", "a")),
        ("one quoted text", repeated("scenario: \"", "a")),
        ("one line of words", repeated("scenario: ", "a ")),
        ("anchors", repeated("tags:\n", "- &a b\n")),
        ("aliases", repeated("tags:\n- &a b\n", "- *a\n")),
        ("a cycle", "tags: &a [*a]".to_owned()),
        ("comments", repeated("", "#\n")),
        ("unknown keys", keys),
        ("many queues", queues),
        ("many entries", repeated("workers:\n", "- {}\n")),
        ("many workers", repeated("scenario: t\nworkers:\n", "- { name: w, queue: nowhere }\n")),
        ("colons", repeated("", ":")),
        ("tags", repeated("scenario: ", "!")),
        ("line breaks", repeated("scenario: ", "\n")),
    ] {
        let start = Instant::now();
        let mistakes = mistakes(&text);
        let took = start.elapsed();
        assert!(!mistakes.is_empty(), "{name} is no error");
        assert!(mistakes.len() <= 100, "{name}: {} mistakes", mistakes.len());
        let cut = mistakes.len() >= 10;
        let told = mistakes.last().is_some_and(|last| last.render(false).contains("more mistakes"));
        assert_eq!(cut, told, "{name}: {} mistakes", mistakes.len());
        assert!(mistakes.iter().all(|mistake| mistake.place.is_some()), "{name}: no place");
        assert!(took < Duration::from_secs(60), "{name} took {took:?}");
        println!("{name}: {took:?}: {} {}", mistakes.len(), mistakes[0].message);
    }
}
