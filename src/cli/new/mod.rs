//! `rmq-scenario new`: a file to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::cli::args::NewArgs;
use crate::cli::{USAGE, WORLD};
use crate::diagnostic::Diagnostic;
use crate::report::output::{Output, Target};
use crate::report::style::{ColorChoice, use_color};

/// A file to begin with, and what it is about.
struct Template {
    name: &'static str,
    about: &'static str,
    text: &'static str,
}

macro_rules! templates {
    ($($name:literal $about:literal;)*) => {
        const TEMPLATES: &[Template] = &[$(Template {
            name: $name,
            about: $about,
            text: include_str!(concat!("templates/", $name, ".yaml")),
        },)*];
    };
}

templates! {
    "work-queue" "two workers share a queue, and one of them dies";
    "pubsub" "everybody who listens gets everything";
    "routing" "who gets what, by keys";
    "durability" "the broker restarts";
    "dead-letter" "what is refused goes to another queue";
    "quorum" "one of three nodes dies";
    "blank" "one message, one queue, and room";
}

/// What the name of the scenario is in a template.
const NAME: &str = "NAME";

/// Writes a file, or lists what there is.
pub fn main(args: &NewArgs) -> ExitCode {
    let done = match &args.name {
        None => Ok(list()),
        Some(name) => write(name, &args.from),
    };
    let (code, target, text) = match done {
        Ok(text) => (ExitCode::SUCCESS, Target::Stdout, text),
        Err((code, error)) => {
            let color = use_color(Target::Stderr, ColorChoice::from(args.color));
            (ExitCode::from(code), Target::Stderr, error.render(color))
        }
    };
    match Output::new(target).write(&text) {
        Ok(()) => code,
        Err(_) => ExitCode::from(WORLD),
    }
}

fn list() -> String {
    let width = TEMPLATES.iter().map(|it| it.name.len()).max().unwrap_or(0);
    let line = |it: &Template| format!("{:width$}  {}\n", it.name, it.about);
    TEMPLATES.iter().map(line).collect()
}

fn write(name: &str, from: &str) -> Result<String, (u8, Diagnostic)> {
    let template = find(from).map_err(|error| (USAGE, error))?;
    let path = place(name).map_err(|error| (USAGE, error))?;
    let scenario = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let text = template.text.replacen(NAME, scenario, 1);
    let shown = path.display();
    // A file that is there is somebody's work.
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            let message = format!("`{shown}` is there already");
            (USAGE, Diagnostic::error(message).help("choose another name; nothing was written"))
        }
        ErrorKind::NotFound => {
            let message = format!("cannot write `{shown}`: there is no such folder");
            (WORLD, Diagnostic::error(message).help("make the folder first"))
        }
        _ => (WORLD, Diagnostic::error(format!("cannot write `{shown}`: {error}"))),
    })?;
    Ok(format!(
        "wrote {shown}: {}\n\nwhat it is going to do:  rmq-scenario plan {shown}\n\
         run it:                  rmq-scenario run {shown}\n",
        template.about
    ))
}

fn find(name: &str) -> Result<&'static Template, Diagnostic> {
    TEMPLATES.iter().find(|it| it.name == name).ok_or_else(|| {
        let names: Vec<&str> = TEMPLATES.iter().map(|it| it.name).collect();
        let known = names.join(", ");
        Diagnostic::error(format!("there is no template `{name}`"))
            .help(format!("there are {known}; `rmq-scenario new --list` says what they are about"))
    })
}

/// Where the file goes: the name as it is, with an ending.
fn place(name: &str) -> Result<PathBuf, Diagnostic> {
    let path = Path::new(name);
    let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let path = if is_yaml { path.to_owned() } else { PathBuf::from(format!("{name}.yaml")) };
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let letter = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    if (1..=64).contains(&stem.len()) && stem.chars().all(letter) {
        return Ok(path);
    }
    let message = format!("`{stem}` cannot be the name of a scenario");
    Err(Diagnostic::error(message).help("1 to 64 of letters, digits, `_`, `.` and `-`"))
}
