//! Where text goes. A reader that leaves early (`| head`) ends the writing, not the run.

use std::io::{self, ErrorKind, Write};

use crate::diagnostic::Diagnostic;

/// One of the two streams of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Stdout,
    Stderr,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Stdout => "the standard output",
            Target::Stderr => "the standard error",
        }
    }

    fn stream(self) -> Box<dyn Write + Send> {
        match self {
            Target::Stdout => Box::new(io::stdout()),
            Target::Stderr => Box::new(io::stderr()),
        }
    }
}

/// The one way to write to a stream. `println!` panics where this stays quiet.
pub struct Output {
    stream: Box<dyn Write + Send>,
    name: &'static str,
    /// Nobody reads any more, or writing failed: nothing else is tried.
    over: bool,
}

impl Output {
    /// Writes to a stream of the program.
    pub fn new(target: Target) -> Self {
        Self { stream: target.stream(), name: target.name(), over: false }
    }

    /// Writes to anything else; `name` is for the message when that fails.
    pub fn to(stream: Box<dyn Write + Send>, name: &'static str) -> Self {
        Self { stream, name, over: false }
    }

    /// Writes `text` now. A closed pipe is no error.
    ///
    /// # Errors
    /// When the stream fails otherwise, such as a full disk; once, then it is quiet.
    pub fn write(&mut self, text: &str) -> Result<(), Diagnostic> {
        if self.over {
            return Ok(());
        }
        let written = self.stream.write_all(text.as_bytes()).and_then(|()| self.stream.flush());
        written.or_else(|error| {
            self.over = true;
            match error.kind() {
                ErrorKind::BrokenPipe => Ok(()),
                _ => Err(Diagnostic::error(format!("cannot write to {}: {error}", self.name))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Fails always, and counts how often it was asked.
    struct Broken(ErrorKind, &'static AtomicUsize);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_error_and_is_not_bothered_again() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let mut output = Output::to(Box::new(Broken(ErrorKind::BrokenPipe, &ASKED)), "a pipe");
        assert_eq!(output.write("one"), Ok(()));
        assert_eq!(output.write("two"), Ok(()));
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn any_other_failure_is_told_once() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        let mut output = Output::to(Box::new(Broken(ErrorKind::StorageFull, &ASKED)), "a file");
        let error = output.write("one").expect_err("the disk is full");
        assert!(error.message.starts_with("cannot write to a file: "), "{}", error.message);
        assert_eq!(output.write("two"), Ok(()));
        assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    }
}
