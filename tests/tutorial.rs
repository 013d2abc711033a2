//! The tutorial is done as it is written: its files are saved and changed as it says, its commands
//! are run, and what they print is compared with what it shows. So are the pages on how to do
//! something, as far as they show what is printed. A line that is `…` stands for any
//! lines. Lengths of time and versions of RabbitMQ may differ.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use pages::{Page, page, pages, same};

mod pages;

/// One thing that a reader does.
#[derive(Debug)]
enum Step {
    Save {
        file: String,
        text: String,
    },
    Append {
        file: String,
        text: String,
    },
    Change {
        file: String,
        from: String,
        to: String,
    },
    /// What stands between two fences: commands, each with what it prints.
    Run {
        place: String,
        text: String,
    },
}

/// What stands in backticks behind some words, and the rest.
fn named<'a>(text: &'a str, words: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(words)?.1.split_once('`')
}

/// The changes that a stretch of prose asks for.
fn changes(prose: &str) -> Vec<Step> {
    let one = |part: &str| {
        let (file, rest) = part.split_once("`, change `")?;
        let (from, rest) = rest.split_once("` to `")?;
        let (to, _) = rest.split_once('`')?;
        let [file, from, to] = [file, from, to].map(str::to_owned);
        Some(Step::Change { file, from, to })
    };
    prose.split("In `").skip(1).filter_map(one).collect()
}

/// All steps of a page, in order.
fn steps(page: &Page) -> Vec<Step> {
    let mut steps = Vec::new();
    // Prose and blocks take turns: what is between two fences is a block.
    let parts: Vec<&str> = page.text.split("```").collect();
    for (prose, block) in parts.chunks(2).map(|part| (part[0], part.get(1))) {
        let prose = prose.split_whitespace().collect::<Vec<_>>().join(" ");
        steps.extend(changes(&prose));
        let Some((kind, text)) = block.and_then(|block| block.split_once('\n')) else { continue };
        let text = text.to_owned();
        let save = named(&prose, "Save this as `");
        let append = named(&prose, "this to the end of `");
        steps.extend(match (kind, save, append) {
            ("yaml" | "yaml mistaken", Some((file, _)), None) => {
                Some(Step::Save { file: file.to_owned(), text })
            }
            ("yaml fragment", None, Some((file, _))) => {
                Some(Step::Append { file: file.to_owned(), text })
            }
            ("console", None, None) | ("console", Some(_), _) => {
                Some(Step::Run { place: prose, text })
            }
            // Not to be saved, or not to be run.
            ("" | "sh" | "yaml" | "yaml fragment", None, None) => None,
            // For other programs: `scripts/pipelines` checks them.
            ("yaml github" | "yaml gitlab" | "yaml compose" | "yaml pre-commit", _, None) => None,
            other => panic!("what is a reader to do with {other:?}?"),
        });
    }
    steps
}

/// A reader, with a directory to work in and a warm broker of its own, which ends with it.
struct Reader {
    folder: tempfile::TempDir,
    /// The exit code of the last command.
    code: Option<i32>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        // A test that failed half-way has not come to the end of the page.
        let _ = program(self.folder.path()).args(["broker", "down"]).output();
    }
}

fn program(folder: &Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_rmq-scenario"));
    for variable in ["RMQ_SCENARIO_BROKER", "RMQ_SCENARIO_MANAGEMENT", "NO_COLOR", "GITHUB_ACTIONS"]
    {
        program.env_remove(variable);
    }
    // Whoever runs the tests may keep a broker warm.
    program.env("XDG_RUNTIME_DIR", folder).current_dir(folder);
    program
}

impl Reader {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("there is room"), code: None }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn rewrite(&self, name: &str, change: impl FnOnce(String) -> String) {
        let text = fs::read_to_string(self.file(name)).expect("it was saved before");
        fs::write(self.file(name), change(text)).expect("there is room");
    }

    /// What a command prints: its report, else what it says about going wrong.
    fn prints(&mut self, line: &str) -> String {
        if line == "echo $?" {
            return self.code.expect("a command was run before").to_string();
        }
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("rmq-scenario"), "{line}");
        let output = program(self.folder.path()).args(words).output().expect("it runs");
        let Output { status, stdout, stderr } = output;
        self.code = status.code();
        let told = if stdout.is_empty() { stderr } else { stdout };
        String::from_utf8(told).expect("it is text")
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Save { file, text } => {
                fs::write(self.file(&file), text).expect("there is room");
            }
            Step::Append { file, text } => self.rewrite(&file, |before| before + &text),
            Step::Change { file, from, to } => self.rewrite(&file, |before| {
                assert_eq!(before.matches(&from).count(), 1, "{file}: `{from}`");
                before.replace(&from, &to)
            }),
            Step::Run { place, text } => {
                for command in format!("\n{text}").split("\n$ ").skip(1) {
                    let (line, shown) = command.split_once('\n').unwrap_or((command, ""));
                    let printed = self.prints(line);
                    assert!(same(shown, &printed), "{place}\n$ {line}\n{shown}\n---\n{printed}");
                }
            }
        }
    }
}

#[test]
fn everything_happens_as_the_tutorial_says() {
    let steps = steps(&page("docs/tutorial.md"));
    let count = |what: fn(&Step) -> bool| steps.iter().filter(|step| what(step)).count();
    assert!(count(|step| matches!(step, Step::Run { .. })) >= 10, "{steps:?}");
    assert!(count(|step| matches!(step, Step::Change { .. })) >= 1, "{steps:?}");
    let mut reader = Reader::new();
    steps.into_iter().for_each(|step| reader.take(step));
}

/// The pages that show what is printed; they share a broker that is up.
#[test]
fn everything_happens_as_the_pages_on_how_to_do_it_say() {
    let mut reader = Reader::new();
    reader.prints("rmq-scenario broker up");
    let mut shown = 0;
    for page in pages().iter().filter(|page| page.path.starts_with("docs/how-to")) {
        for step in steps(page) {
            shown += usize::from(matches!(step, Step::Run { .. }));
            reader.take(step);
        }
    }
    assert!(shown >= 5, "only {shown} outputs are shown");
}

#[test]
fn lines_that_are_left_out_may_be_any_and_others_must_be_there() {
    assert!(same("a 1 ms\n…\nd\n", "a 2 ms\nb\nc\nd\n"));
    assert!(same("…\nb\n…\n", "a\nb\nc\n"));
    for (shown, printed) in [("a\n", "a\nb\n"), ("…\nb\n", "b\nc\n"), ("a\n…\nb\n", "a\nc\n")] {
        assert!(!same(shown, printed), "{shown} {printed}");
    }
}
