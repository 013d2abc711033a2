//! The files that `--report` names: opened before the run, so that a bad path fails early, and
//! written whenever there is something to say, so that a failure or an interruption loses nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek as _, Write as _};
use std::str::FromStr;

use crate::diagnostic::Diagnostic;
use crate::report::output::{Output, Target};
use crate::report::{Report, json};

/// `FORMAT=PATH` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportArg {
    pub format: ReportFormat,
    /// `-` is the standard output.
    pub path: String,
}

/// The layouts that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    Json,
}

impl FromStr for ReportArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text
            .split_once('=')
            .ok_or("a report is asked for as FORMAT=PATH, such as json=report.json")?;
        let format = match format {
            "json" => ReportFormat::Json,
            other => return Err(format!("there is no report format `{other}`; there is: json")),
        };
        match path {
            "" => Err("the path is missing; `-` is the standard output".to_owned()),
            path => Ok(Self { format, path: path.to_owned() }),
        }
    }
}

/// Every report that was asked for, open.
#[derive(Default)]
pub struct Sinks {
    sinks: Vec<Sink>,
}

struct Sink {
    path: String,
    format: ReportFormat,
    place: Place,
}

enum Place {
    /// Can be rewritten from its beginning.
    File(File),
    /// A pipe or a device: what was written stays, so only the last report goes there.
    Stream(File),
    Stdout(Output),
}

impl Sinks {
    /// Opens them all. What a file holds stays until the first report is written.
    ///
    /// # Errors
    /// When one cannot be opened for writing; the world failed, exit 3.
    pub fn open(args: &[ReportArg]) -> Result<Self, Diagnostic> {
        let sinks = args.iter().map(open).collect::<Result<_, _>>()?;
        Ok(Self { sinks })
    }

    /// Whether a report goes to the standard output; what people read belongs on the standard
    /// error then.
    pub fn use_stdout(&self) -> bool {
        self.sinks.iter().any(|sink| matches!(sink.place, Place::Stdout(_)))
    }

    /// Writes what is known so far to those that can be rewritten.
    ///
    /// # Errors
    /// When a file cannot be written. The others are written all the same.
    pub fn save(&mut self, report: &Report) -> Result<(), Diagnostic> {
        let files = |sink: &&mut Sink| matches!(sink.place, Place::File(_));
        all(self.sinks.iter_mut().filter(files).map(|sink| sink.write(report)))
    }

    /// Writes the last word to all.
    ///
    /// # Errors
    /// When one cannot be written. The others are written all the same.
    pub fn write(&mut self, report: &Report) -> Result<(), Diagnostic> {
        all(self.sinks.iter_mut().map(|sink| sink.write(report)))
    }
}

/// The first error, after everything was tried.
fn all(results: impl Iterator<Item = Result<(), Diagnostic>>) -> Result<(), Diagnostic> {
    results.fold(Ok(()), Result::and)
}

fn open(arg: &ReportArg) -> Result<Sink, Diagnostic> {
    let place = match arg.path.as_str() {
        "-" | "/dev/stdout" => Place::Stdout(Output::new(Target::Stdout)),
        path => open_path(path).map_err(|error| cannot_open(path, &error))?,
    };
    Ok(Sink { path: arg.path.clone(), format: arg.format, place })
}

fn open_path(path: &str) -> io::Result<Place> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    let regular = file.metadata()?.is_file();
    Ok(if regular { Place::File(file) } else { Place::Stream(file) })
}

fn cannot_open(path: &str, error: &io::Error) -> Diagnostic {
    let help = match error.kind() {
        io::ErrorKind::NotFound => "its directory must exist; nothing was run",
        io::ErrorKind::IsADirectory => "name a file in this directory; nothing was run",
        _ => "choose a path that you may write to; nothing was run",
    };
    Diagnostic::error(format!("cannot open the report `{path}` for writing: {error}")).help(help)
}

impl Sink {
    fn write(&mut self, report: &Report) -> Result<(), Diagnostic> {
        let text = match self.format {
            ReportFormat::Json => json::render(report),
        };
        let written = match &mut self.place {
            Place::File(file) => rewrite(file, &text),
            Place::Stream(file) => deliver(file, &text),
            Place::Stdout(output) => return output.write(&text),
        };
        let path = &self.path;
        written.map_err(|e| Diagnostic::error(format!("cannot write the report `{path}`: {e}")))
    }
}

fn rewrite(file: &mut File, text: &str) -> io::Result<()> {
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(u64::try_from(text.len()).expect("a text fits in memory"))?;
    file.flush()
}

/// A reader that left has seen what it wanted.
fn deliver(file: &mut File, text: &str) -> io::Result<()> {
    match file.write_all(text.as_bytes()).and_then(|()| file.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::report::fixture;

    fn arg(path: &str) -> ReportArg {
        ReportArg { format: ReportFormat::Json, path: path.to_owned() }
    }

    #[test]
    fn the_argument_is_checked() {
        assert_eq!("json=a=b".parse(), Ok(arg("a=b")));
        for (text, message) in [
            ("out.json", "a report is asked for as FORMAT=PATH, such as json=report.json"),
            ("xml=x", "there is no report format `xml`; there is: json"),
            ("json=", "the path is missing; `-` is the standard output"),
        ] {
            assert_eq!(text.parse::<ReportArg>(), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_longer_report_leaves_nothing_behind_a_shorter_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("report.json");
        fs::write(&path, "old".repeat(10_000)).expect("written");
        let mut sinks = Sinks::open(&[arg(path.to_str().expect("a name"))]).expect("opened");
        assert_eq!(fs::read_to_string(&path).expect("read"), "old".repeat(10_000));
        let (full, empty) = (fixture::full(), fixture::report(Vec::new()));
        for report in [&full, &empty] {
            sinks.save(report).expect("saved");
            assert_eq!(fs::read_to_string(&path).expect("read"), json::render(report));
        }
        sinks.write(&full).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), json::render(&full));
        assert!(!sinks.use_stdout());
    }

    #[test]
    fn a_bad_path_fails_when_it_is_opened() {
        let dir = tempfile::tempdir().expect("a directory");
        for (path, help) in [
            (dir.path().join("none/report.json"), "its directory must exist; nothing was run"),
            (dir.path().to_owned(), "name a file in this directory; nothing was run"),
        ] {
            let path = path.to_str().expect("a name");
            let error = Sinks::open(&[arg(path)]).err().expect("refused");
            let start = format!("cannot open the report `{path}` for writing: ");
            assert!(error.message.starts_with(&start), "{}", error.message);
            assert_eq!(error.help.as_deref(), Some(help));
        }
    }

    #[test]
    fn a_device_gets_the_last_report_only() {
        let mut sinks = Sinks::open(&[arg("/dev/full"), arg("/dev/null")]).expect("opened");
        let report = fixture::full();
        assert_eq!(sinks.save(&report), Ok(()));
        let error = sinks.write(&report).expect_err("the device is full");
        assert!(error.message.starts_with("cannot write the report `/dev/full`: "));
    }

    #[test]
    fn the_standard_output_is_known_by_both_names() {
        for path in ["-", "/dev/stdout"] {
            assert!(Sinks::open(&[arg(path)]).expect("opened").use_stdout());
        }
    }
}
