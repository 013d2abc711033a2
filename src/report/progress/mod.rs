//! What is seen while it runs: a picture redrawn in place on a terminal, lines for people elsewhere,
//! objects for programs that ask for them, or nothing.
//!
//! Everything goes to the standard error, and nothing that goes wrong there stops a run.

use std::env;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::ledger::progress::Progress;
use crate::report::output::{Output, Target};
use crate::report::style::{is_terminal, terminal_width};
use crate::report::text::visible;

mod json;
mod picture;
mod plain;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Redrawn in place, gone at the end.
    Terminal,
    /// A line when something happens, and one each ten seconds.
    Plain,
    /// The same as objects of JSON, each on its own line; how far it is, once a second.
    Json,
    /// Nothing at all.
    Silent,
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
    /// When the last line was written; only in lines.
    told: Instant,
}

/// One of the runs that are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunId(u64);

/// What is running.
#[derive(Debug)]
struct Now {
    /// `work-queue · manual ack, durable`
    what: String,
    scenario: String,
    /// May be empty.
    variant: String,
    began: Instant,
    progress: Progress,
    faults: Vec<String>,
    /// When the last line was written, since the run began; only in lines.
    told: Duration,
}

/// Between two lines when nothing happens.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two objects that say how far a run is.
const PACE: Duration = Duration::from_secs(1);
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
        let (now, last, told) = (Vec::new(), RunId::default(), Instant::now());
        Self { mode, output, bar: None, now, last, told }
    }

    /// A variant begins. The name of the variant may be empty.
    pub fn variant_started(&mut self, scenario: &str, variant: &str) -> RunId {
        self.last = RunId(self.last.0 + 1);
        let now = Now::new(scenario, variant);
        match self.mode {
            Mode::Terminal | Mode::Silent => {}
            Mode::Plain => self.line(&plain::started(&now.what)),
            Mode::Json => self.line(&json::started(self.last, &now)),
        }
        self.now.push((self.last, now));
        self.draw();
        self.last
    }

    /// How far it is now; may be called as often as it changes.
    pub fn tick(&mut self, run: RunId, progress: &Progress) {
        let mode = self.mode;
        let Some(now) = self.of(run) else { return };
        now.progress = *progress;
        let pace = if mode == Mode::Json { PACE } else { PATIENCE };
        if progress.elapsed.saturating_sub(now.told) >= pace {
            now.told = progress.elapsed;
            match mode {
                Mode::Terminal | Mode::Silent => {}
                Mode::Plain => {
                    let line = plain::progress(&now.what, progress);
                    self.line(&line);
                }
                Mode::Json => {
                    let line = json::progress(run, now);
                    self.line(&line);
                }
            }
        }
        self.draw();
    }

    /// A fault has fired: `kill worker-1 at 163 ms: held 7`.
    pub fn fault(&mut self, run: RunId, text: &str) {
        let mode = self.mode;
        let Some(now) = self.of(run) else { return };
        let line = match mode {
            Mode::Terminal | Mode::Silent => None,
            Mode::Plain => {
                now.told = now.progress.elapsed;
                Some(plain::said(&now.what, &visible(text)))
            }
            Mode::Json => Some(json::fault(run, now, text)),
        };
        now.faults.push(visible(text));
        line.iter().for_each(|line| self.line(line));
        self.draw();
    }

    /// The variant is over: `pass`. On a terminal its picture goes; the table follows.
    pub fn variant_ended(&mut self, run: RunId, text: &str) {
        let Some(place) = self.now.iter().position(|(id, _)| *id == run) else { return };
        let (_, now) = self.now.remove(place);
        match self.mode {
            Mode::Terminal => {
                self.clear();
                self.draw();
            }
            Mode::Silent => {}
            Mode::Plain => self.line(&plain::said(&now.what, &visible(text))),
            Mode::Json => self.line(&json::ended(run, &now, text)),
        }
    }

    /// Time passes. Where lines are written and none was for ten seconds, because a broker boots or
    /// is brought back, so much is said; may be called as often as one likes.
    pub fn beat(&mut self) {
        // What is told of a run that goes on comes first, if it comes at all.
        if self.told.elapsed() >= PATIENCE + PACE {
            self.beat_now();
        }
    }

    fn beat_now(&mut self) {
        let runs = self.now.iter();
        let lines: Vec<String> = match self.mode {
            Mode::Terminal | Mode::Silent => return,
            Mode::Plain => runs.map(|(_, it)| plain::lasts(&it.what, it.began.elapsed())).collect(),
            Mode::Json => runs.map(|(run, now)| json::progress(*run, now)).collect(),
        };
        if lines.is_empty() {
            self.note("no variant runs yet; waiting for a RabbitMQ");
        }
        lines.iter().for_each(|line| self.line(line));
    }

    fn of(&mut self, run: RunId) -> Option<&mut Now> {
        self.now.iter_mut().find(|(id, _)| *id == run).map(|(_, now)| now)
    }

    /// Something about the world, in its own line that stays: `private RabbitMQ 4.3.6, ready in
    /// 2.6 s`.
    pub fn note(&mut self, text: &str) {
        self.clear();
        let line = match self.mode {
            Mode::Json => json::note(text),
            _ => format!("{}\n", visible(text)),
        };
        self.line(&line);
    }

    /// Takes the picture off the screen, so that others can write. The next [`Display::tick`]
    /// draws it again.
    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    fn draw(&mut self) {
        if self.mode != Mode::Terminal || self.now.is_empty() {
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
        if self.mode == Mode::Silent {
            return;
        }
        self.told = Instant::now();
        // There is nowhere left to say that the standard error fails.
        let _ = self.output.write(text);
    }
}

impl Now {
    fn new(scenario: &str, variant: &str) -> Self {
        let [shown, of] = [scenario, variant].map(visible);
        Self {
            what: if of.is_empty() { shown } else { format!("{shown} · {of}") },
            scenario: scenario.to_owned(),
            variant: variant.to_owned(),
            began: Instant::now(),
            progress: Progress::default(),
            faults: Vec::new(),
            told: Duration::ZERO,
        }
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

    use serde_json::{Value, json};

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

    /// What is written of the run that is played.
    fn played(mode: Mode, play: impl Fn(&mut Display)) -> String {
        let paper = Paper::default();
        play(&mut Display::on(mode, Output::to(Box::new(paper.clone()), "paper")));
        let bytes = paper.0.lock().expect("no writer panics").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn objects_say_what_runs_how_far_it_is_and_how_it_ended() {
        let text = played(Mode::Json, play);
        let read = |line| serde_json::from_str::<Value>(line).expect("an object on each line");
        let lines: Vec<Value> = text.lines().map(read).collect();
        let events: Vec<_> = lines.iter().map(|it| it["event"].as_str().expect("text")).collect();
        let far = "progress";
        assert_eq!(
            events,
            ["note", "started", far, far, "fault", far, "ended"],
            "once a second at most: {text}"
        );
        assert_eq!(lines[0]["text"], "private RabbitMQ 4.3.6, ready in 2.6 s");
        for line in &lines[1..] {
            assert_eq!(line["run"], 1);
            assert_eq!(line["scenario"], "work-queue");
            assert_eq!(line["variant"], "auto\u{1b}[2J ack", "a program gets the name as it is");
            assert!(line["elapsed_ms"].is_u64());
        }
        assert_eq!(lines[1]["counts"]["published"], 0);
        let counts = json!({
            "messages": 20, "published": 18, "confirmed": null, "expected": 18, "finished": 9,
            "in_hand": 0,
        });
        assert!(lines[2..].iter().all(|line| line["counts"] == counts), "{text}");
        assert_eq!(lines[4]["text"], "kill worker-1 at 19900 ms: held 7");
        assert_eq!(lines[6]["verdict"], "pass in 30.0 s");
        assert!(!text.contains('\u{1b}'), "a terminal that shows it is not steered: {text}");
    }

    #[test]
    fn where_nothing_is_wanted_nothing_is_written() {
        assert_eq!(played(Mode::Silent, play), "");
        assert_eq!(played(Mode::Silent, Display::beat_now), "");
    }

    #[test]
    fn a_long_silence_is_broken_whatever_it_waits_for() {
        let silent = |display: &mut Display| {
            display.beat();
            display.beat_now();
            display.variant_started("work-queue", "");
            display.beat_now();
        };
        assert_eq!(
            played(Mode::Plain, silent),
            "no variant runs yet; waiting for a RabbitMQ
work-queue: started
work-queue: 0 ms: goes on
"
        );
        let text = played(Mode::Json, silent);
        let event = |line| serde_json::from_str::<Value>(line).expect("JSON")["event"].clone();
        assert_eq!(text.lines().map(event).collect::<Vec<_>>(), ["note", "started", "progress"]);
    }

    #[test]
    fn lines_come_when_something_happens_and_each_ten_seconds_otherwise() {
        assert_eq!(
            played(Mode::Plain, play),
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
        for mode in [Mode::Plain, Mode::Json, Mode::Silent, Mode::Terminal] {
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
