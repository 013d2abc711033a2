//! The files that `--report` names: looked at before the run, so that a bad path fails early, and
//! written whenever there is something to say, so that a failure or an interruption loses nothing.

mod asked;
mod place;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

pub use asked::{ReportArg, ReportFormat};
pub use place::Place;

use crate::diagnostic::Diagnostic;
use crate::report::Report;
use crate::report::events::{Events, Writer};
use crate::report::sinks::place::Identity;

/// Every report that was asked for, open.
#[derive(Default)]
pub struct Sinks {
    sinks: Vec<Sink>,
}

struct Sink {
    path: String,
    format: ReportFormat,
    place: Place,
    /// While events are streamed there.
    writer: Option<Writer>,
}

/// Whether each report has a place of its own, which no scenario file has; `inputs` are all files
/// that the run depends on. Paths that cannot be looked at are left to [`Sinks::open`].
///
/// # Errors
/// When two would overwrite each other, or one a file of the run; the command line is wrong.
pub fn distinct(args: &[ReportArg], inputs: &[PathBuf]) -> Result<(), Diagnostic> {
    let identity = |path: &str| Identity::of(path).ok().filter(|it| *it != Identity::Device);
    let inputs = inputs.iter().filter_map(|input| {
        let seen = identity(input.to_str()?)?;
        matches!(seen, Identity::Present(..)).then_some((seen, input))
    });
    let inputs: Vec<_> = inputs.collect();
    let mut known: Vec<(Identity, &ReportArg)> = Vec::new();
    for arg in args {
        let Some(seen) = identity(&arg.path) else { continue };
        if let Some((_, input)) = inputs.iter().find(|(of, _)| *of == seen) {
            return Err(overwrites(arg, input));
        }
        if let Some((_, other)) = known.iter().find(|(of, _)| *of == seen) {
            return Err(meet(other, arg));
        }
        known.push((seen, arg));
    }
    Ok(())
}

fn overwrites(arg: &ReportArg, input: &Path) -> Diagnostic {
    let input = input.display();
    Diagnostic::error(format!("`--report {arg}` would overwrite `{input}`, which this run reads"))
        .help("give the report a path of its own; nothing was run")
}

fn meet(one: &ReportArg, other: &ReportArg) -> Diagnostic {
    Diagnostic::error(format!("`--report {one}` and `--report {other}` go to one place"))
        .help("give each report a path of its own; nothing was run")
}

impl Sinks {
    /// Opens them all. What a file holds stays until the first report is written.
    ///
    /// # Errors
    /// When one cannot be written; the world failed, exit 3.
    pub fn open(args: &[ReportArg]) -> Result<Self, Diagnostic> {
        let sinks = args.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { sinks })
    }

    /// Whether a report goes to the standard output; what people read belongs on the standard
    /// error then.
    pub fn use_stdout(&self) -> bool {
        self.sinks.iter().any(|sink| matches!(sink.place, Place::Stdout(_)))
    }

    /// Whether somebody wants a page with pictures.
    pub fn want_pictures(&self) -> bool {
        self.sinks.iter().any(|sink| sink.format == ReportFormat::Html)
    }

    /// Begins to stream events where that was asked for, until [`Sinks::write`].
    ///
    /// # Errors
    /// When a file cannot be opened. The others get their events all the same.
    pub fn stream(&mut self) -> (Events, Result<(), Diagnostic>) {
        let mut events = Events::default();
        let streams = self.sinks.iter_mut().filter(|sink| sink.format == ReportFormat::Ndjson);
        let opened = all(streams.map(|sink| {
            let stream = sink.place.stream();
            let stream = stream.map_err(|error| cannot_open(&sink.path, &error))?;
            sink.writer = Some(events.add(stream));
            Ok(())
        }));
        (events, opened)
    }

    /// Writes what is known so far to those that can be rewritten.
    ///
    /// # Errors
    /// When a file cannot be written. The others are written all the same.
    pub fn save(&mut self, report: &Report) -> Result<(), Diagnostic> {
        let files = |sink: &&mut Sink| {
            sink.format.is_kept_up() && matches!(sink.place, Place::Whole(..) | Place::File(_))
        };
        all(self.sinks.iter_mut().filter(files).map(|sink| sink.write(report)))
    }

    /// Writes the last word to all.
    ///
    /// Each that cannot be written is told. The others are written all the same.
    pub fn write(&mut self, report: &Report) -> Vec<Diagnostic> {
        self.sinks.iter_mut().filter_map(|sink| sink.write(report).err()).collect()
    }

    /// Whether a report goes to this file.
    pub fn go_to(&self, path: &str) -> bool {
        let wanted = Identity::of(path).ok();
        wanted.is_some() && self.sinks.iter().any(|sink| Identity::of(&sink.path).ok() == wanted)
    }
}

/// The first error, after everything was tried.
fn all(results: impl Iterator<Item = Result<(), Diagnostic>>) -> Result<(), Diagnostic> {
    results.fold(Ok(()), Result::and)
}

fn open(arg: &ReportArg) -> Result<Sink, Diagnostic> {
    let place = Place::open(&arg.path).map_err(|error| cannot_open(&arg.path, &error))?;
    Ok(Sink { path: arg.path.clone(), format: arg.format, place, writer: None })
}

fn cannot_open(path: &str, error: &io::Error) -> Diagnostic {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "its directory must exist; nothing was run",
        io::ErrorKind::IsADirectory => "name a file in this directory; nothing was run",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "make room there, or choose another place; nothing was run"
        }
        _ => "choose a path that you may write to; nothing was run",
    };
    Diagnostic::error(format!("cannot open the report `{path}` for writing: {error}")).help(help)
}

impl Sink {
    fn write(&mut self, report: &Report) -> Result<(), Diagnostic> {
        let path = &self.path;
        let written = match (self.format.render(report), &mut self.writer) {
            (Some(text), _) => self.place.write(&text),
            (None, Some(writer)) => writer.close(),
            // The program ended before there was anything to tell: what an earlier run left is not
            // of this one.
            (None, None) => {
                self.place.stream().and_then(|stream| Events::default().add(stream).close())
            }
        };
        self.writer = None;
        written.map_err(|error| match self.place {
            // It says itself that it is the standard output.
            Place::Stdout(_) => Diagnostic::error(error.to_string()),
            _ => Diagnostic::error(format!("cannot write the report `{path}`: {error}")),
        })
    }
}
