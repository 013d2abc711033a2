//! The pages of the documentation: their blocks of code, their tables, their headings and links.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};

/// One file of Markdown.
pub struct Page {
    /// From the root of the package.
    pub path: PathBuf,
    pub text: String,
}

/// What stands between two fences.
pub struct Block {
    /// The words behind the first fence: `yaml fragment`.
    pub kind: String,
    pub text: String,
    /// Where it is, for messages.
    pub place: String,
}

/// What a part of a file is completed with, so that all of it is checked.
const REST: [(&str, &str); 4] = [
    ("scenario", "scenario: rest\n"),
    (
        "topology",
        "topology: { queues: [{ name: task_queue }], exchanges: [{ name: logs, type: fanout }] }\n",
    ),
    ("producers", "producers: [{ name: new_task, to: { queue: task_queue }, messages: 20 }]\n"),
    ("workers", "workers: [{ name: worker, count: 2, queue: task_queue }]\n"),
];

/// The book's table of contents.
pub const CONTENTS: &str = "docs/SUMMARY.md";

/// The root of the package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README, that of the lessons, and everything in `docs` but the book's table of contents.
pub fn pages() -> Vec<Page> {
    let mut paths = [PathBuf::from("README.md"), PathBuf::from("scenarios/README.md")].to_vec();
    for folder in ["docs", "docs/how-to"].map(Path::new) {
        let entries = fs::read_dir(root().join(folder)).expect("there is such a folder");
        paths.extend(entries.map(|it| folder.join(it.expect("it can be read").file_name())));
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.retain(|path| path != Path::new(CONTENTS));
    paths.sort();
    assert!(paths.len() >= 4, "pages are missing: {paths:?}");
    paths.into_iter().map(Page::read).collect()
}

/// The page of that path.
pub fn page(path: &str) -> Page {
    Page::read(PathBuf::from(path))
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(root().join(&path));
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { path, text }
    }

    /// Its blocks of code, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut lines = (1..).zip(self.text.lines());
        while let Some((number, line)) = lines.next() {
            let Some(kind) = line.strip_prefix("```") else { continue };
            let inner = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            let text: Vec<&str> = inner.collect();
            blocks.push(Block {
                kind: kind.to_owned(),
                text: text.join("\n") + "\n",
                place: format!("{}:{number}", self.path.display()),
            });
        }
        blocks
    }

    /// The lines outside of its blocks of code.
    pub fn prose(&self) -> Vec<&str> {
        let mut inside = false;
        let outside = |line: &&str| {
            let fence = line.starts_with("```");
            inside ^= fence;
            !inside && !fence
        };
        self.text.lines().filter(outside).collect()
    }

    /// The rows of all tables whose first column has this heading, cell by cell.
    pub fn rows(&self, heading: &str) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        let mut wanted = None;
        for line in self.prose() {
            let Some(cells) = Self::cells(line) else {
                wanted = None;
                continue;
            };
            match wanted {
                None => wanted = Some(cells[0] == heading),
                Some(true) if !cells[0].starts_with("---") => rows.push(cells),
                Some(_) => {}
            }
        }
        assert!(!rows.is_empty(), "{} has no table of `{heading}`", self.path.display());
        rows
    }

    /// The cells of a line, where it is one of a table.
    pub fn cells(line: &str) -> Option<Vec<String>> {
        let cells = line.strip_prefix('|')?.trim_end_matches('|').split('|');
        Some(cells.map(|cell| cell.trim().to_owned()).collect())
    }

    /// What stands in backticks in the first cells of those tables.
    pub fn names(&self, heading: &str) -> Vec<String> {
        self.rows(heading).iter().flat_map(|row| quoted(&row[0])).collect()
    }

    /// The anchors of its headings, as GitHub makes them.
    pub fn anchors(&self) -> Vec<String> {
        let headings = self.prose().into_iter().filter(|line| line.starts_with('#'));
        let kept = |c: char| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
            _ => None,
        };
        headings
            .map(|line| line.trim_start_matches('#').trim().chars().filter_map(kept).collect())
            .collect()
    }

    /// The targets of its links.
    pub fn links(&self) -> Vec<String> {
        let target = |rest: &str| rest.split_once(')').map(|(target, _)| target.to_owned());
        let lines = self.prose().into_iter();
        lines.flat_map(|line| line.split("](").skip(1).filter_map(target)).collect()
    }
}

/// What stands in backticks.
pub fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A part of a file with all that it needs to be read.
pub fn completed(part: &str) -> String {
    let has = |key: &str| part.lines().any(|line| line.starts_with(&format!("{key}:")));
    let rest = REST.iter().filter(|(key, _)| !has(key)).map(|(_, text)| *text);
    rest.collect::<String>() + part
}

/// The words of an output, with every length of time replaced: it differs from run to run.
pub fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    for word in words.iter_mut().filter(|word| word.contains('%')) {
        // Shares of time differ like the times themselves.
        *word = "share".to_owned();
    }
    for index in 1..words.len() {
        if words[index - 1] == "RabbitMQ" && words[index].starts_with(|c: char| c.is_ascii_digit())
        {
            words[index] = "version".to_owned();
        }
        let unit = words[index].trim_end_matches([')', ';', ',']);
        if unit == "ms" || unit == "s" {
            words[index] = words[index].replacen(unit, "time", 1);
            let number = words[index - 1].trim_start_matches('(').to_owned();
            words[index - 1] = words[index - 1].replace(&number, "some");
        }
    }
    words
}

/// Whether an output is as it is shown, but for times and versions. A shown line that is `…` stands
/// for any lines, also for none.
pub fn same(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let printed: Vec<&str> =
        printed.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    alike(&shown, &printed)
}

fn alike(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skipped| alike(rest, &printed[skipped..])),
        Some((line, rest)) => printed
            .split_first()
            .is_some_and(|(first, below)| words(line) == words(first) && alike(rest, below)),
    }
}
