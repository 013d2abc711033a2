//! The page about lints says of each what it is, when it is given and when it is not: its examples
//! are tried.

use std::time::{Duration, Instant};

use pages::{Block, page};
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;
use rmq_scenario::scenario::lint::{ALL, Lint, PAGE};

mod pages;

/// The chapters, each with its name and its examples.
fn chapters() -> Vec<(String, String, Vec<Block>)> {
    let page = page(PAGE);
    let mut chapters = Vec::new();
    for part in page.text.split("\n### `").skip(1) {
        let (name, rest) = part.split_once("`\n").expect("a heading is a name");
        let rest = rest.split("\n## ").next().expect("there is a first part");
        let chapter = pages::Page { path: page.path.clone(), text: rest.to_owned() };
        chapters.push((name.to_owned(), rest.trim().to_owned(), chapter.blocks()));
    }
    chapters
}

/// The lints of a part of a file, with the rest that every example of the pages has.
fn given(part: &str) -> Vec<&'static str> {
    let text = pages::completed(part);
    let scenario = load(Source::new("f.yaml", &*text), &Options::default());
    let scenario = scenario.unwrap_or_else(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(|it| it.render(false)).collect();
        panic!("{}\n{text}", all.join("\n"))
    });
    scenario.warnings.iter().filter_map(|warning| warning.lint).collect()
}

#[test]
fn every_lint_has_a_chapter_that_begins_with_what_it_is() {
    let chapters = chapters();
    let mut told: Vec<&str> = chapters.iter().map(|(name, ..)| name.as_str()).collect();
    let mut known: Vec<&str> = ALL.iter().map(|lint| lint.name()).collect();
    told.sort_unstable();
    known.sort_unstable();
    assert_eq!(told, known);
    for (name, text, _) in &chapters {
        let what = Lint::from_name(name).expect("it is known").what().to_lowercase();
        let begins = text.replace('\n', " ").to_lowercase().starts_with(&what);
        assert!(begins, "the chapter of `{name}` begins otherwise than: {what}\n{text}");
    }
}

#[test]
fn the_first_example_of_a_chapter_gives_rise_to_the_lint_and_the_second_does_not() {
    for (name, _, blocks) in chapters() {
        let [before, after] = blocks.as_slice() else {
            panic!("{name} has {} examples", blocks.len());
        };
        assert!(given(&before.text).contains(&name.as_str()), "{}", before.text);
        assert!(!given(&after.text).contains(&name.as_str()), "{}", after.text);
    }
}

/// Files that are right, doubtful in every line, and long.
#[test]
fn doubts_about_a_large_file_take_moderate_time() {
    let lines = |n: usize, line: fn(usize) -> String| (0..n).map(line).collect::<String>();
    let head = "scenario: t\nproducers: [{ name: p, to: { queue: q0 }, messages: 20 }]\n";
    let queues = |n| lines(n, |n| format!("    - {{ name: q{n} }}\n"));
    let worker = "workers: [{ name: w, queue: q0, count: 10000 }]\n";
    let topology = |n| format!("topology:\n  queues:\n{}", queues(n));
    let keys = lines(1500, |n| format!("    - {{ from: e, to: q0, routing_key: 'a.#.b.{n}' }}\n"));
    let producers = lines(1500, |n| {
        let to = "{ exchange: e, routing_key: index }";
        format!("  - {{ name: p{n}, to: {to}, messages: 1000 }}\n")
    });
    let observations =
        lines(4_000, |n| format!("  - {{ name: o{n}, when: {{ after: {{ finished: 400 }} }} }}\n"));
    let expectations = lines(4_000, |n| format!("    q{n}: {{ finished: 3, delivered: 30 }}\n"));
    let exclusive = lines(4_000, |n| {
        format!("  - {{ name: w{n}, queue: q0, exclusive: true, ack: auto, prefetch: 3 }}\n")
    });
    for (name, text) in [
        ("queues", format!("{head}{}", topology(8_000))),
        ("observations", format!("{head}{}{worker}observe:\n{observations}", topology(1))),
        ("expectations", {
            let expect = format!("expect:\n  queues:\n{expectations}");
            format!("{head}{}{worker}{expect}", topology(4_000))
        }),
        ("workers", format!("{head}{}workers:\n{exclusive}", topology(1))),
        ("keys", {
            let exchange = "  exchanges: [{ name: e, type: topic }]\n";
            let bindings = format!("{}{exchange}  bindings:\n{keys}", topology(1));
            format!("scenario: t\n{bindings}producers:\n{producers}")
        }),
    ] {
        let start = Instant::now();
        let scenario = load(Source::new("f.yaml", &*text), &Options::default());
        let warnings = scenario.expect("the file is right").warnings;
        let took = start.elapsed();
        assert!(warnings.len() <= 100, "{name}: {} warnings", warnings.len());
        assert!(name == "keys" || !warnings.is_empty(), "{name}: nothing is said");
        assert!(took < Duration::from_secs(60), "{name} took {took:?}");
        println!("{name}: {took:?}: {} warnings", warnings.len());
    }
}

/// What one instance of a group draws says nothing of the others.
#[test]
fn nothing_is_concluded_from_what_the_first_of_a_group_draws() {
    for seed in 1..=12 {
        let lints = given(&format!(
            "scenario: drawn
seed: {seed}
topology:
  exchanges: [{{ name: e, type: direct }}]
  queues: [{{ name: q }}]
  bindings: [{{ from: e, to: q, routing_key: a }}]
producers:
  - {{ name: p, count: 2, to: {{ exchange: e, routing_key: {{ random: [a, b] }} }}, messages: 1 }}
workers: [{{ name: w, queue: q }}]
expect: {{ delivered: 2 }}
"
        ));
        let wrong = ["never-holds", "unfilled-queue", "unused-queue"];
        assert!(!lints.iter().any(|lint| wrong.contains(lint)), "seed {seed}: {lints:?}");
    }
}
