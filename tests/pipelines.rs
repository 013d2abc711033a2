//! What the repository has for pipelines: linters find nothing in it nor in the examples of the
//! pages, and what can run without a pipeline is run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use tempfile::TempDir;

mod pages;

const FILE: &str = "
scenario: small
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 3 }]
workers: [{ name: w, queue: q }]
expect: { delivered: 3 }
";

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room")
}

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rmq-scenario"))
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    let text = format!("{out}{err}");
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// Where the linters are, brought by the first who asks: two at a time would tread on each other.
static TOOLS: LazyLock<PathBuf> = LazyLock::new(|| {
    let script = pages::root().join("scripts/pipelines");
    let output = Command::new(script).arg("--tools").output().expect("it starts");
    PathBuf::from(said(&output, 0).trim_end())
});

fn linters() -> Command {
    LazyLock::force(&TOOLS);
    Command::new(pages::root().join("scripts/pipelines"))
}

/// Everything that is for pipelines on the pages, as files: `KIND=FILE` for each.
fn examples(folder: &Path) -> Vec<String> {
    let mut examples = Vec::new();
    for block in pages::pages().iter().flat_map(|page| page.blocks()) {
        let Some(kind) = block.kind.strip_prefix("yaml ") else { continue };
        if !["github", "gitlab", "compose", "pre-commit"].contains(&kind) {
            continue;
        }
        // A page leaves out when a workflow runs.
        let on = block.text.contains("\non:") || block.text.starts_with("on:");
        let head = if kind == "github" && !on { "on: push\n" } else { "" };
        let path = folder.join(block.place.replace(['/', ':', '.'], "-") + ".yaml");
        fs::write(&path, head.to_owned() + &block.text).expect("there is room");
        examples.push(format!("{kind}={}", path.display()));
    }
    examples
}

#[test]
fn linters_find_nothing() {
    let folder = folder();
    let examples = examples(folder.path());
    for kind in ["github=", "gitlab=", "compose=", "pre-commit="] {
        assert!(examples.iter().any(|it| it.starts_with(kind)), "no page shows {kind}");
    }
    said(&linters().args(examples).output().expect("it starts"), 0);
}

/// The linters look, and would find: a wrong key is told with its file.
#[test]
fn linters_find_what_is_wrong() {
    let folder = folder();
    let wrong = folder.path().join("wrong.yaml");
    fs::write(&wrong, "on: push\njobs: { a: { steps: [{ uses: x/y@v1 }] } }\n").expect("room");
    let output = linters().arg(format!("github={}", wrong.display())).output().expect("it starts");
    assert!(said(&output, 1).contains("wrong.yaml"));
}

/// The step of the action, with the program under test.
fn step(folder: &Path, inputs: &[(&str, &str)]) -> Output {
    let mut command = Command::new(pages::root().join("ci/github.sh"));
    for name in ["BROKER", "MANAGEMENT"] {
        command.env_remove(format!("RMQ_SCENARIO_{name}"));
    }
    command.current_dir(folder).envs(inputs.iter().copied()).env("IN_BINARY", program());
    command.env("GITHUB_ACTIONS", "true").env("XDG_RUNTIME_DIR", folder);
    for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        command.env(name, folder.join(name));
    }
    command.output().expect("bash starts")
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn the_step_of_the_action_runs_the_files_and_says_how_it_ended() {
    let folder = folder();
    fs::create_dir(folder.path().join("my files")).expect("there is room");
    for name in ["a.yaml", "b.yaml"] {
        fs::write(folder.path().join(name), FILE).expect("there is room");
    }
    let inputs = [
        ("IN_FILES", "[ab].yaml\n"),
        ("IN_ARGS", "--quiet\n  --set unused=1 --filter small"),
        ("IN_JSON", "my files/report.json"),
        ("IN_JUNIT", "junit.xml"),
    ];
    // A variable that no file has is a mistake, so that the words are seen to arrive.
    assert!(said(&step(folder.path(), &inputs), 2).contains("unused"));
    assert_eq!(read(folder.path(), "GITHUB_OUTPUT"), "exit-code=2\n");
    let inputs = inputs.map(|(name, value)| (name, value.trim_end()));
    let inputs = inputs.map(|(name, value)| match name {
        "IN_ARGS" => (name, "--quiet\n  --filter small"),
        _ => (name, value),
    });
    let text = said(&step(folder.path(), &inputs), 0);
    assert!(text.contains("pass a.yaml: ") && text.contains("pass b.yaml: "), "{text}");
    assert_eq!(read(folder.path(), "GITHUB_OUTPUT"), "exit-code=2\nexit-code=0\n");
    assert!(read(folder.path(), "GITHUB_STEP_SUMMARY").contains("small"));
    assert!(read(folder.path(), "my files/report.json").contains("rmq-scenario.report/1"));
    assert!(read(folder.path(), "junit.xml").contains("<testsuites"));
}

#[test]
fn the_step_of_the_action_runs_nothing_that_is_wrong() {
    let folder = folder();
    fs::write(folder.path().join("a.yaml"), FILE.replace("queue: q }]", "queue: p }]"))
        .expect("there is room");
    let text = said(&step(folder.path(), &[("IN_FILES", "a.yaml")]), 2);
    assert!(text.contains("::error file=a.yaml,line=5"), "{text}");
    let both = [("IN_VERSION", "4"), ("IN_SERVER", "x")];
    assert!(said(&step(folder.path(), &both), 2).contains("contradict each other"));
    let text = said(&step(folder.path(), &[("IN_FILES", "$(touch seen)")]), 2);
    assert!(!folder.path().join("seen").exists(), "an input is no command: {text}");
}

/// Every input of the action reaches its step, and the step reads no other.
#[test]
fn the_inputs_of_the_action_are_those_of_its_step() {
    let root = pages::root();
    let action = read(root, "action.yml");
    let inputs =
        action.split_once("\ninputs:\n").and_then(|(_, rest)| rest.split_once("\noutputs"));
    let lines = inputs.expect("it has inputs").0.lines();
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let names: Vec<_> = names.filter(|name| !name.starts_with(' ')).collect();
    assert_eq!(names.len(), 9, "{names:?}");
    let script = read(root, "ci/github.sh");
    for name in &names {
        let variable = format!("IN_{}", name.to_uppercase());
        let passed = format!("{variable}: ${{{{ inputs.{name} }}}}\n");
        assert!(action.contains(&passed), "{passed} is missing");
        assert!(script.contains(&format!("${{{variable}:-")), "{variable} is not read");
    }
    assert_eq!(action.matches("        IN_").count(), names.len());
}

fn git(folder: &Path, words: &[&str]) {
    let identity = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"];
    let mut command = Command::new("git");
    command.args(identity).args(words).current_dir(folder);
    said(&command.output().expect("git starts"), 0);
}

fn repository(folder: &Path) {
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "."]);
    git(folder, &["commit", "--quiet", "--no-verify", "-m", "all"]);
}

#[test]
fn the_hook_checks_the_scenarios_of_a_repository() {
    let (hooks, user) = (folder(), folder());
    let name = ".pre-commit-hooks.yaml";
    fs::copy(pages::root().join(name), hooks.path().join(name)).expect("there is room");
    repository(hooks.path());
    let scenarios = user.path().join("scenarios");
    fs::create_dir(&scenarios).expect("there is room");
    fs::write(user.path().join("other.yaml"), "no: scenario").expect("there is room");
    fs::write(scenarios.join("a.yaml"), FILE).expect("there is room");
    repository(user.path());
    let path = std::env::var("PATH").expect("there is a path");
    let path = format!("{}:{path}", program().parent().expect("a folder").display());
    let check = || {
        let mut command = Command::new(TOOLS.join("bin/pre-commit"));
        command
            .arg("try-repo")
            .arg(hooks.path())
            .args(["rmq-scenario-check-system", "--all-files"]);
        command.current_dir(user.path()).env("PATH", &path);
        // It is not to find what whoever runs the tests has, nor a pipeline that runs them.
        command.env("PRE_COMMIT_HOME", hooks.path().join(".cache")).env_remove("GITHUB_ACTIONS");
        command.output().expect("it starts")
    };
    said(&check(), 0);
    fs::write(scenarios.join("a.yaml"), FILE.replace("queue: q }]", "queue: p }]"))
        .expect("there is room");
    assert!(said(&check(), 1).contains("scenarios/a.yaml:5:"));
}
