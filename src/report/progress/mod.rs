//! What people see while it runs: a picture redrawn in place on a terminal, lines elsewhere.
//!
//! Everything goes to the standard error, and nothing that goes wrong there stops a run.

use std::env;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ledger::progress::Progress;
use crate::report::output::{Output, Target};
use crate::report::style::{is_terminal, terminal_width};
use crate::report::text::visible;

mod picture;
mod plain;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Redrawn in place, gone at the end.
    Terminal,
    /// A line when something happens, and one each ten seconds.
    Plain,
}

impl Mode {
    /// What suits the standard error. A log of CI keeps every redrawing, so it gets lines.
    pub fn detect() -> Self {
        decide_mode(is_terminal(Target::Stderr), |name| env::var(name).ok())
    }
}

fn decide_mode(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Mode {
    let dumb = variable("TERM").is_some_and(|term| term == "dumb");
    let ci = variable("CI").is_some_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    if terminal && !dumb && !ci { Mode::Terminal } else { Mode::Plain }
}

/// Shows how far a run is.
pub struct Display {
    mode: Mode,
    output: Output,
    /// On the screen now; only on a terminal.
    bar: Option<ProgressBar>,
    /// In the order in which they began.
    now: Vec<(RunId, Now)>,
    last: RunId,
}

/// One of the runs that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunId(u64);

/// What is running.
#[derive(Debug, Default)]
struct Now {
    /// `work-queue · manual ack, durable`
    what: String,
    progress: Progress,
    faults: Vec<String>,
    /// When the last line was written, since the run began; only in lines.
    told: Duration,
}

/// Between two lines when nothing happens.
const PATIENCE: Duration = Duration::from_secs(10);
/// Times a second that a terminal is redrawn at most.
const REDRAWS_HZ: u8 = 12;
/// A terminal that does not tell its width.
const USUAL_WIDTH: usize = 80;

impl Display {
    /// Shows on the standard error.
    pub fn new(mode: Mode) -> Self {
        Self::on(mode, Output::new(Target::Stderr))
    }

    fn on(mode: Mode, output: Output) -> Self {
        Self { mode, output, bar: None, now: Vec::new(), last: RunId::default() }
    }

    /// A variant begins. The name of the variant may be empty.
    pub fn variant_started(&mut self, scenario: &str, variant: &str) -> RunId {
        let (scenario, variant) = (visible(scenario), visible(variant));
        let what = if variant.is_empty() { scenario } else { format!("{scenario} · {variant}") };
        self.last = RunId(self.last.0 + 1);
        match self.mode {
            Mode::Terminal => {}
            Mode::Plain => self.line(&plain::started(&what)),
        }
        self.now.push((self.last, Now { what, ..Now::default() }));
        self.draw();
        self.last
    }

    /// How far it is now; may be called as often as it changes.
    pub fn tick(&mut self, run: RunId, progress: &Progress) {
        let mode = self.mode;
        let Some(now) = self.of(run) else { return };
        now.progress = *progress;
        if mode == Mode::Plain && progress.elapsed.saturating_sub(now.told) >= PATIENCE {
            now.told = progress.elapsed;
            let line = plain::progress(&now.what, progress);
            self.line(&line);
        }
        self.draw();
    }

    /// A fault has fired: `kill worker-1 at 163 ms: held 7`.
    pub fn fault(&mut self, run: RunId, text: &str) {
        let text = visible(text);
        let Some(now) = self.of(run) else { return };
        now.told = now.progress.elapsed;
        let line = plain::said(&now.what, &text);
        now.faults.push(text);
        match self.mode {
            Mode::Terminal => self.draw(),
            Mode::Plain => self.line(&line),
        }
    }

    /// The variant is over: `pass in 812 ms`. On a terminal its picture goes; the table follows.
    pub fn variant_ended(&mut self, run: RunId, text: &str) {
        let Some(place) = self.now.iter().position(|(id, _)| *id == run) else { return };
        let (_, now) = self.now.remove(place);
        match self.mode {
            Mode::Terminal => {
                self.clear();
                self.draw();
            }
            Mode::Plain => self.line(&plain::said(&now.what, &visible(text))),
        }
    }

    fn of(&mut self, run: RunId) -> Option<&mut Now> {
        self.now.iter_mut().find(|(id, _)| *id == run).map(|(_, now)| now)
    }

    /// Something about the world, in its own line that stays: `private RabbitMQ 4.3.6, ready in
    /// 2.6 s`.
    pub fn note(&mut self, text: &str) {
        self.clear();
        self.line(&format!("{}\n", visible(text)));
    }

    /// Takes the picture off the screen, so that others can write. The next [`Display::tick`]
    /// draws it again.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self) {
        if self.mode == Mode::Plain || self.now.is_empty() {
            return;
        }
        let columns = terminal_width(Target::Stderr).unwrap_or(USUAL_WIDTH);
        let picture = match &*self.now {
            [(_, now)] => picture::draw(now, columns),
            several => picture::several(several.iter().map(|(_, now)| now), columns),
        };
        self.bar.get_or_insert_with(bar).set_message(picture);
    }

    fn line(&mut self, text: &str) {
        // There is nowhere left to say that the standard error fails.
        let _ = self.output.write(text);
    }
}

/// Whoever drops the display leaves a clean screen, also when it panics.
impl Drop for Display {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The bar only keeps the picture in its place; the picture brings its own bars.
fn bar() -> ProgressBar {
    let target = ProgressDrawTarget::stderr_with_hz(REDRAWS_HZ);
    let style = ProgressStyle::with_template("{msg}").expect("a template without mistakes");
    ProgressBar::with_draw_target(None, target).with_style(style)
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no writer panics").write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Closed;

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn at(elapsed_ms: u64) -> Progress {
        Progress {
            elapsed: Duration::from_millis(elapsed_ms),
            messages: 20,
            published: 18,
            expected: 18,
            delivered: 9,
            ..Progress::default()
        }
    }

    fn play(display: &mut Display) {
        display.note("private RabbitMQ 4.3.6, ready in 2.6 s");
        let run = display.variant_started("work-queue", "auto\x1b[2J ack");
        for ms in [0, 100, 9_999, 10_000, 10_100, 19_900] {
            display.tick(run, &at(ms));
        }
        display.fault(run, "kill worker-1 at 19900 ms: held 7");
        display.tick(run, &at(20_100));
        display.tick(run, &at(29_950));
        display.variant_ended(run, "pass in 30.0 s");
        display.clear();
    }

    #[test]
    fn lines_come_when_something_happens_and_each_ten_seconds_otherwise() {
        let paper = Paper::default();
        let mut display = Display::on(Mode::Plain, Output::to(Box::new(paper.clone()), "paper"));
        play(&mut display);
        let text = String::from_utf8(paper.0.lock().expect("no writer panics").clone());
        assert_eq!(
            text.expect("text"),
            "private RabbitMQ 4.3.6, ready in 2.6 s
work-queue · auto␛[2J ack: started
work-queue · auto␛[2J ack: 10.0 s: published 18 of 20, finished 9 of 18, in hand 0
work-queue · auto␛[2J ack: kill worker-1 at 19900 ms: held 7
work-queue · auto␛[2J ack: 29.9 s: published 18 of 20, finished 9 of 18, in hand 0
work-queue · auto␛[2J ack: pass in 30.0 s
"
        );
    }

    #[test]
    fn a_closed_standard_error_stops_nothing() {
        for mode in [Mode::Plain, Mode::Terminal] {
            play(&mut Display::on(mode, Output::to(Box::new(Closed), "a pipe")));
        }
    }

    #[test]
    fn only_a_real_terminal_is_redrawn() {
        for (terminal, set, mode) in [
            (true, None, Mode::Terminal),
            (false, None, Mode::Plain),
            (true, Some(("TERM", "dumb")), Mode::Plain),
            (true, Some(("TERM", "xterm")), Mode::Terminal),
            (true, Some(("CI", "true")), Mode::Plain),
            (true, Some(("CI", "false")), Mode::Terminal),
        ] {
            let find = |name: &str| set.filter(|(n, _)| *n == name).map(|(_, v)| v.to_owned());
            assert_eq!(decide_mode(terminal, find), mode, "{terminal} {set:?}");
        }
    }
}
