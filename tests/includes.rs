//! Scenarios that include parts: what comes of them, and what the commands say of parts.

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use rmq_scenario::plan::model::Scenario;
use rmq_scenario::plan::pattern::Scalar;
use rmq_scenario::plan::{Options, load_again, look};
use rmq_scenario::scenario::Source;
use rmq_scenario::scenario::include::{Found, Shelf, Trouble};
use serde_json::Value;
use shelf::load_in;
use tempfile::TempDir;

mod shelf;

const ORDERS: &str = "\
part: orders
vars: { durable: true, spare: 3 }
topology:
  exchanges: [{ name: orders, type: direct }, { name: idle, type: fanout }]
  queues: [{ name: billing, durable: $durable }, { name: nobodys }, { name: audit }]
  bindings: [{ from: orders, to: billing, routing_key: paid }]
";
const HANDS: &str = "\
part: hands
include: orders.yaml
workers: [{ name: hand, queue: billing }]
";
const SHOP: &str = "\
scenario: shop
include: [parts/hands.yaml, parts/orders.yaml]
vars: { durable: false }
producers: [{ name: shop, to: { exchange: orders, routing_key: paid }, messages: 5, persistent: $durable }]
";

/// A folder with the files of the shop and these.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let usual = [("parts/orders.yaml", ORDERS), ("parts/hands.yaml", HANDS), ("shop.yaml", SHOP)];
    for (name, text) in usual.iter().chain(files) {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// What a file of the folder means.
#[track_caller]
fn loaded(folder: &TempDir, name: &str) -> Scenario {
    let text = fs::read_to_string(folder.path().join(name)).unwrap();
    load_in(folder.path(), Source::new(name, text), &Options::default()).unwrap_or_else(|found| {
        let all: Vec<String> = found.iter().map(|it| it.render(false)).collect();
        panic!("{}", all.join("\n"))
    })
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

/// What the program says in this folder.
fn program(folder: &Path, words: &[&str], github: bool) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    command.args(words).current_dir(folder).env_remove("GITHUB_ACTIONS").env("NO_COLOR", "1");
    command.env("XDG_RUNTIME_DIR", folder).env_remove("RMQ_SCENARIO_BROKER");
    if github {
        command.env("GITHUB_ACTIONS", "true");
    }
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn it_is_as_if_the_entries_of_parts_stood_first() {
    let more = "\nworkers: [{ name: last, queue: own }]\ntopology: { queues: [{ name: own }] }\n";
    let folder = folder(&[("more.yaml", &format!("{SHOP}{more}"))]);
    let together = loaded(&folder, "more.yaml");
    let variant = &together.variants[0];
    let queues: Vec<&str> = variant.topology.queues.iter().map(|it| it.name.as_str()).collect();
    let workers: Vec<&str> = variant.workers.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(queues, ["billing", "nobodys", "audit", "own"]);
    assert_eq!(workers, ["hand", "last"]);
    assert!(!variant.topology.queues[0].durable, "the file's own value counts");
    let vars: Vec<&str> = variant.vars.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(vars, ["durable", "spare"]);
    let paths: Vec<&str> = together.source.paths().collect();
    assert_eq!(paths, ["more.yaml", "parts/hands.yaml", "parts/orders.yaml"]);
}

/// Written into one file, in the same order, it is the same plan.
#[test]
fn the_plan_is_that_of_one_file() {
    let whole = "\
scenario: shop
vars: { durable: false, spare: 3 }
topology:
  exchanges: [{ name: orders, type: direct }, { name: idle, type: fanout }]
  queues: [{ name: billing, durable: $durable }, { name: nobodys }, { name: audit }]
  bindings: [{ from: orders, to: billing, routing_key: paid }]
producers: [{ name: shop, to: { exchange: orders, routing_key: paid }, messages: 5, persistent: $durable }]
workers: [{ name: hand, queue: billing }]
";
    let folder = folder(&[("whole.yaml", whole)]);
    let plan = |file: &str| {
        let said = program(folder.path(), &["plan", "--format", "json", file], false);
        assert_eq!(said.code, 0, "{}", said.err);
        said.out.replace(file, "FILE")
    };
    assert_eq!(plan("shop.yaml"), plan("whole.yaml"));
}

#[test]
fn the_command_line_and_variants_go_before_parts() {
    let variants = "variants: [{ name: kept, vars: { durable: true } }, { name: not }]\n";
    let folder = folder(&[("more.yaml", &format!("{SHOP}{variants}"))]);
    let durable = |scenario: &Scenario| -> Vec<bool> {
        scenario.variants.iter().map(|it| it.topology.queues[0].durable).collect()
    };
    assert_eq!(durable(&loaded(&folder, "more.yaml")), [true, false]);
    let set = Options { sets: vec![("spare".to_owned(), "x".to_owned())], seed: None };
    let source = Source::new("shop.yaml", SHOP);
    let scenario = load_in(folder.path(), source, &set).expect("a part's variable can be set");
    assert_eq!(scenario.variants[0].vars[1].1, Scalar::Text("x".to_owned()));
}

/// The links lead to the parts that were read, though nothing is there any more.
#[test]
fn another_text_of_a_scenario_has_the_same_parts() {
    let folder = folder(&[]);
    let before = loaded(&folder, "shop.yaml");
    drop(folder);
    let text = format!("{SHOP}expect: {{ delivered: 5 }}\n");
    let after = load_again(&before.source, &text, &Options::default()).expect("it is right");
    let names = |scenario: &Scenario| -> Vec<String> {
        scenario.variants[0].topology.queues.iter().map(|it| it.name.clone()).collect()
    };
    assert_eq!((names(&after), after.variants[0].expectations.len()), (names(&before), 1));
    let other = text.replace("parts/orders", "parts/others");
    let refused = load_again(&before.source, &other, &Options::default()).expect_err("unknown");
    assert!(refused[0].message.contains("it was not included before"));
}

/// Others may use what this one does not; what a scenario has of its own is another matter.
#[test]
fn what_a_part_has_may_go_unused() {
    let own = "topology: { queues: [{ name: own }] }\n";
    let folder = folder(&[("more.yaml", &format!("{SHOP}{own}"))]);
    assert!(loaded(&folder, "shop.yaml").warnings.is_empty());
    let warnings = loaded(&folder, "more.yaml").warnings;
    let told: Vec<_> = warnings.iter().map(|it| it.lint).collect();
    assert_eq!(told, [Some("unused-queue")]);
    assert_eq!(warnings[0].place.as_ref().unwrap().file, "more.yaml");
}

#[test]
fn allow_at_the_top_reaches_into_parts() {
    let auto = "part: auto\nworkers: [{ name: clerk, queue: billing, ack: auto, prefetch: 5 }]\n";
    let include = SHOP.replace("[parts/hands.yaml", "[parts/auto.yaml");
    let allowed = format!("{include}allow: [prefetch-with-auto-ack]\n");
    let files = [("parts/auto.yaml", auto), ("more.yaml", &*include), ("allowed.yaml", &*allowed)];
    let folder = folder(&files);
    let warnings = loaded(&folder, "more.yaml").warnings;
    assert_eq!(warnings[0].lint, Some("prefetch-with-auto-ack"));
    let place = warnings[0].place.as_ref().unwrap();
    assert_eq!((place.file.as_str(), place.line), ("parts/auto.yaml", 2));
    assert!(loaded(&folder, "allowed.yaml").warnings.is_empty());
}

/// `hands` includes `orders` and changes its variable; `others` is about the same one.
#[test]
fn a_part_adjusts_what_it_includes_whatever_the_order() {
    let hands = format!("{HANDS}vars: {{ durable: false }}\n");
    let first = "scenario: t\ninclude: [orders.yaml, hands.yaml]\n";
    let last = "scenario: t\ninclude: [hands.yaml, orders.yaml]\n";
    let folder = folder(&[("hands.yaml", &hands), ("first.yaml", first), ("last.yaml", last)]);
    fs::write(folder.path().join("orders.yaml"), ORDERS).unwrap();
    for name in ["first.yaml", "last.yaml"] {
        let variant = &loaded(&folder, name).variants[0];
        assert!(!variant.topology.queues[0].durable, "{name}");
        assert_eq!(variant.topology.queues.len(), 3, "{name}: taken once");
    }
}

#[test]
fn a_part_alone_is_checked_and_never_run() {
    let folder = folder(&[]);
    let checked = program(folder.path(), &["check", ".", "--deny", "warnings"], false);
    assert_eq!((checked.code, &*checked.out), (0, "3 files checked, nothing wrong\n"));
    for command in ["run", "plan"] {
        let said = program(folder.path(), &[command, "parts/hands.yaml"], false);
        assert_eq!((said.code, &*said.out), (2, ""));
        assert!(said.err.contains("this is a part of scenarios, and not run by itself"));
        assert!(said.err.contains("parts/hands.yaml:1:7"), "{}", said.err);
        assert!(said.err.contains("include: hands.yaml"), "{}", said.err);
    }
}

/// Which variables there are, and what they hold, is known to the scenario.
#[test]
fn what_a_part_leaves_to_the_scenario_is_no_mistake_of_its_own() {
    let part = "\
part: p
topology: { queues: [{ name: q }, { name: $one }, { name: $two }] }
workers:
  - { name: w, queue: q, if: $first }
  - { name: w, queue: q, if: $second, count: $many }
";
    let scenario =
        "scenario: t\ninclude: p.yaml\nvars: { first: true, second: false, one: a, two: b }\n";
    let folder = folder(&[("p.yaml", part), ("t.yaml", scenario)]);
    let checked = program(folder.path(), &["check", "p.yaml", "t.yaml"], false);
    assert_eq!(checked.out.matches("error: ").count(), 1, "{}", checked.out);
    assert!(checked.out.contains("variable `$many` is not declared"), "{}", checked.out);
    assert!(checked.out.contains("--> p.yaml:5:46"), "{}", checked.out);
    assert!(checked.out.contains("in 1 of 2 files"), "{}", checked.out);
}

#[test]
fn a_mistake_in_a_part_is_told_once_with_its_own_file() {
    let wrong = ORDERS.replace("durable: $durable", "durabel: $durable");
    let folder = folder(&[("parts/orders.yaml", &wrong), ("other.yaml", SHOP)]);
    let said = program(folder.path(), &["check", "."], true);
    assert_eq!(said.code, 2);
    assert_eq!(
        said.out.matches("unknown key `durabel` in a queue\n --> ").count(),
        1,
        "{}",
        said.out
    );
    assert!(said.out.contains("5 |   queues: [{ name: billing, durabel"), "{}", said.out);
    assert!(said.out.contains("::error file=parts/orders.yaml,line=5,col=29,"), "{}", said.out);
    let said = program(folder.path(), &["check", "shop.yaml", "--format", "json"], false);
    let found: Value = serde_json::from_str(&said.out).unwrap();
    let first = &found["diagnostics"][0];
    assert_eq!((&first["file"], &first["line"]), (&"parts/orders.yaml".into(), &5.into()));
}

#[test]
fn a_file_that_is_not_there_is_asked_for_by_a_better_name() {
    let include = |path: &str| format!("scenario: t\ninclude: {path}\n");
    let folder = folder(&[]);
    std::os::unix::fs::symlink("b.yaml", folder.path().join("a.yaml")).unwrap();
    std::os::unix::fs::symlink("a.yaml", folder.path().join("b.yaml")).unwrap();
    for (path, said) in [
        ("parts/ordres.yaml", "did you mean `orders.yaml`?"),
        ("parts/*.yaml", "patterns mean nothing here"),
        ("parts\\orders.yaml", "write `/` between folders"),
        ("prats/orders.yaml", "there is no folder prats"),
        ("parts", "it is a directory"),
        ("a.yaml", "symbolic links"),
        ("../nowhere-at-all.yaml", "it is looked for as ../nowhere-at-all.yaml"),
    ] {
        fs::write(folder.path().join("t.yaml"), include(path)).unwrap();
        let out = program(folder.path(), &["check", "t.yaml"], false).out;
        assert!(out.contains(said) && out.contains("--> t.yaml:2:10"), "{path}: {out}");
    }
}

/// A link and a way around lead to the same file.
#[test]
fn a_file_is_the_same_by_any_name() {
    let around =
        "scenario: t\ninclude: [parts/hands.yaml, link.yaml, parts/../parts/orders.yaml]\n";
    let folder = folder(&[("t.yaml", around)]);
    std::os::unix::fs::symlink("parts/hands.yaml", folder.path().join("link.yaml")).unwrap();
    let out = program(folder.path(), &["check", "t.yaml"], false).out;
    assert!(out.contains("`link.yaml` is included here a second time"), "{out}");
    assert!(out.contains("1 mistake in 1 file"), "{out}");
}

#[test]
fn a_line_of_the_report_is_one_of_the_scenario() {
    let part = "part: p\n\n\nvars: { wanted: 4 }\ntopology: { queues: [{ name: q }] }\n";
    let scenario = "scenario: t\ninclude: p.yaml\nproducers: [{ name: p, to: { queue: q }, messages: 5 }]\n\
                    expect: { remaining: $wanted }\n";
    let folder = folder(&[("p.yaml", part), ("t.yaml", scenario)]);
    let words = ["run", "t.yaml", "--report", "json=report.json"];
    let said = program(folder.path(), &words, false);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("--> p.yaml:4:17"), "{}", said.out);
    assert!(said.out.contains("4 | vars: { wanted: 4 }"), "{}", said.out);
    let report = fs::read_to_string(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let expectation = &report["scenarios"][0]["variants"][0]["expectations"][0];
    assert_eq!((&expectation["path"], &expectation["line"]), (&"remaining".into(), &4.into()));
}

/// Parts that each have many values, and many parts: neither fills the memory.
#[test]
fn there_is_an_end_to_includes() {
    let mut number = 0;
    let mut said = |text: &dyn Fn(usize) -> String| {
        let mut read = |_: &str, _: &str| -> Result<Found, Trouble> {
            number += 1;
            let name = format!("{number}.yaml");
            Ok(Found { source: Source::new(&*name, text(number)), identity: name })
        };
        let main = Source::new("t.yaml", "scenario: t\ninclude: 0.yaml\n");
        let shelf = Shelf { identity: "t.yaml".to_owned(), read: &mut read };
        look(main, &Options::default(), shelf)
    };
    let chain = said(&|number| format!("part: p\ninclude: {number}.yaml\n"));
    assert_eq!(chain.len(), 1);
    assert_eq!(chain[0].message, "this is include 201 of one scenario");
    let values = format!("{{ x: &a [{}], y: [{}] }}", ["1"; 100].join(", "), ["*a"; 30].join(", "));
    let bombs = said(&|number| format!("part: p\nvars: {values}\ninclude: {number}.yaml\n"));
    assert!(bombs.iter().any(|it| it.message.contains("too many values")), "{}", bombs.len());
    let comment = "#".repeat(100_000);
    let long = said(&|number| format!("part: p\ninclude: {number}.yaml\n{comment}\n"));
    assert_eq!(long.len(), 1);
    assert!(long[0].message.ends_with("the parts of this scenario are too long"));
}
