//! `rmq-scenario run`: files in, a table out, and an exit code that a pipeline can use.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::broker::{Broker, Hands};
use crate::cli::args::RunArgs;
use crate::cli::brokers::{Brokers, Wanted};
use crate::cli::loading::{self, counted};
use crate::cli::schedule::{Board, add};
use crate::cli::session::{Manner, NOT_RUN, Session};
use crate::cli::{USAGE, WORLD, allowance, baseline, blessing, opening, pipeline, watching};
use crate::compare::reading::Reading;
use crate::diagnostic::Diagnostic;
use crate::plan::model::Scenario;
use crate::report::output::{Output, Target};
use crate::report::progress::Display;
use crate::report::sinks::Sinks;
use crate::report::style::{ColorChoice, Style, use_color};
use crate::report::{BrokerInfo, FORMAT, Report, ScenarioReport, brief, table};
use crate::verdict::model::{VariantReport, Verdict};

/// The exit codes beside those of a verdict, [`USAGE`] and [`WORLD`].
const OURS: u8 = 70;
pub const INTERRUPTED: u8 = 130;

/// Runs the files and says how it went.
pub fn main(args: &RunArgs) -> ExitCode {
    let started = Instant::now();
    let mut console = Console::new(args);
    if args.watch {
        return watch(args, console);
    }
    let loading::Loaded { scenarios, mut watched, files } = loading::all(args);
    let scenarios = match scenarios {
        Ok(scenarios) => scenarios,
        Err(mistakes) => return console.mistakes(&mistakes, files),
    };
    let hands = match allowance::hands(args, &scenarios) {
        Ok(hands) => hands,
        Err(refused) => return console.mistakes(&refused, files),
    };
    let baseline = match baseline::read(args, &scenarios) {
        Ok(baseline) => baseline,
        Err(refused) => return console.stop(&refused, USAGE),
    };
    watched.extend(args.baseline.iter().map(PathBuf::from));
    let sinks = match pipeline::open(&args.reports, &watched) {
        Ok(sinks) => sinks,
        Err((error, code)) => return console.stop(&error, code),
    };
    console.report_to_stdout(sinks.use_stdout());
    console.warnings(&scenarios);
    let round = Round { args, scenarios: &scenarios, baseline: baseline.as_ref(), started };
    on_runtime(&mut console, async |console| whole(round, hands, sinks, console).await)
}

/// The same with `--watch`, where the files are read again and again.
fn watch(args: &RunArgs, mut console: Console) -> ExitCode {
    // What is wrong with the files is told in each round.
    let files = loading::all(args).watched;
    let sinks = match pipeline::open(&args.reports, &files) {
        Ok(sinks) => sinks,
        Err((error, code)) => return console.stop(&error, code),
    };
    console.report_to_stdout(sinks.use_stdout());
    on_runtime(&mut console, async |console| watching::watch(args, sinks, console).await)
}

fn on_runtime(console: &mut Console, work: impl AsyncFnOnce(&mut Console) -> ExitCode) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = Diagnostic::error(format!("starting the runtime failed: {error}"));
            return console.stop(&error, WORLD);
        }
    };
    let code = runtime.block_on(work(console));
    // Nothing is left to wait for: what may still run belongs to connections that are closed.
    runtime.shutdown_background();
    code
}

/// From the broker's start to its end.
async fn whole(
    round: Round<'_>,
    hands: Option<Hands>,
    mut sinks: Sinks,
    console: &mut Console,
) -> ExitCode {
    let Round { args, scenarios, .. } = round;
    let mut interrupted = listen();
    let keeper = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rmq-scenario"));
    let mut report = blank(args, scenarios);
    console.warn(args);
    let wanted = Wanted::by_all(scenarios);
    let board = Board::new(console);
    let mut note = |said: &str| board.now().display.note(said);
    let opened = tokio::select! {
        opened = opening::open(args, &wanted, hands, &keeper, &mut note) => opened,
        never = board.beat() => match never {},
        Ok(_) = interrupted.wait_for(|stop| *stop) => {
            console.display.note("interrupted; nothing was run");
            let ended = (Verdict::Inconclusive, NOT_RUN);
            let _ = nothing_ran(&mut report, scenarios, ended, &mut sinks, console);
            return ExitCode::from(INTERRUPTED);
        }
    };
    let broker = match opened {
        Ok(broker) => broker,
        Err(error) => {
            let code = if error.is_usage() { USAGE } else { WORLD };
            let ended = (Verdict::Error, error.message.as_str());
            let written = nothing_ran(&mut report, scenarios, ended, &mut sinks, console);
            return console.stop(&error.diagnostic(), worse(code, written));
        }
    };
    console.greet(&broker);
    let brokers = Brokers::new(broker, wanted, args, &keeper);
    let mut code = round.play(&brokers, &mut sinks, console, &interrupted).await;
    if let Err(error) = brokers.close().await {
        console.complain(&error.diagnostic());
        code = worse(code, WORLD);
    }
    ExitCode::from(code)
}

/// All files, run once.
pub struct Round<'a> {
    pub args: &'a RunArgs,
    pub scenarios: &'a [Scenario],
    /// What the run is compared with.
    pub baseline: Option<&'a Reading>,
    pub started: Instant,
}

impl Round<'_> {
    /// Runs them, tells how it went, and says with which exit code.
    pub async fn play(
        &self,
        brokers: &Brokers<'_>,
        sinks: &mut Sinks,
        console: &mut Console,
        interrupted: &watch::Receiver<bool>,
    ) -> u8 {
        let mut report = blank(self.args, self.scenarios);
        let BrokerInfo { version, kind } = &mut report.broker;
        (*version, *kind) = (brokers.world.version.clone(), brokers.world.kind);
        let manner = Manner {
            jobs: self.args.jobs.get(),
            fail_fast: self.args.fail_fast,
            retries: self.args.retry_inconclusive,
            pictures: sinks.want_pictures(),
        };
        let (events, streams) = sinks.stream();
        if let Err(error) = &streams {
            console.complain(error);
        }
        let session = Session { brokers, interrupted: interrupted.clone(), manner, events };
        let run = session.run_all(self.scenarios, &mut report, sinks, console);
        // A panic is a bug of ours; what stands on the broker goes all the same.
        let panicked = AssertUnwindSafe(run).catch_unwind().await.is_err();
        let interrupted = *interrupted.borrow();
        console.finish(&report, self.started.elapsed(), interrupted);
        let mut code = match self.args.bless {
            _ if interrupted => INTERRUPTED,
            Some(how) => blessing::files(how, self.scenarios, &report, console),
            None => report.verdict.exit_code(),
        };
        code = worse(code, pipeline::hand_over(&report, sinks, console));
        if streams.is_err() {
            code = worse(code, WORLD);
        }
        if let Some(baseline) = self.baseline.filter(|_| !interrupted && !panicked) {
            code = worse(code, baseline::tell(baseline, &report, self.args, console));
        }
        if let Some(error) = console.unwritten.take() {
            console.complain(&error);
            code = worse(code, WORLD);
        }
        if panicked { OURS } else { code }
    }
}

/// The exit code that wins.
pub fn worse(one: u8, other: u8) -> u8 {
    const RANK: [u8; 7] = [INTERRUPTED, OURS, USAGE, WORLD, 1, 4, 0];
    let rank = |code: u8| RANK.iter().position(|known| *known == code);
    if rank(one) <= rank(other) { one } else { other }
}

/// No variant was run; the reports say so, and why. The exit code of writing them.
fn nothing_ran(
    report: &mut Report,
    scenarios: &[Scenario],
    (verdict, reason): (Verdict, &str),
    sinks: &mut Sinks,
    console: &mut Console,
) -> u8 {
    for scenario in scenarios {
        report.scenarios.push(ScenarioReport {
            scenario: scenario.name.clone(),
            file: scenario.source.path.clone(),
            verdict,
            variants: Vec::new(),
        });
        for variant in &scenario.variants {
            add(report, VariantReport::unknown(variant, verdict, reason));
        }
    }
    pipeline::hand_over(report, sinks, console)
}

/// Turns true at the first SIGINT, SIGTERM or SIGHUP (unless that is ignored). A second one ends the program at once:
/// its private node goes all the same, what it made on an external broker may stay.
pub fn listen() -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !ignores_hangup() {
        kinds.push(SignalKind::hangup());
    }
    for kind in kinds {
        let sender = sender.clone();
        tokio::spawn(async move {
            let Ok(mut signals) = signal(kind) else { return };
            while signals.recv().await.is_some() {
                if sender.send_replace(true) {
                    std::process::exit(i32::from(INTERRUPTED));
                }
                // Nobody may be reading any more.
                let _ = writeln!(std::io::stderr(), "interrupted; cleaning up …");
            }
        });
    }
    receiver
}

/// Whether whoever started the program wants it to outlive its terminal, as nohup does. Linux
/// tells; elsewhere it ends with its terminal.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    mask.is_some_and(|mask| mask & 1 != 0)
}

/// A report of nothing yet; the broker's version is not known.
fn blank(args: &RunArgs, scenarios: &[Scenario]) -> Report {
    Report {
        format: FORMAT,
        tool: env!("CARGO_PKG_VERSION"),
        verdict: Verdict::Skipped,
        broker: BrokerInfo {
            version: String::new(),
            kind: if args.broker_url().is_some() { "external" } else { "private" },
        },
        seed: scenarios.first().map_or(1, |scenario| scenario.seed),
        scenarios: Vec::new(),
    }
}

/// Where people read.
pub struct Console {
    pub display: Display,
    stdout: Output,
    stderr: Output,
    style: Style,
    choice: ColorChoice,
    pub verbosity: u8,
    /// One line for each file, and no more.
    quiet: bool,
    /// Standard output carries a report; people read the other one.
    taken: bool,
    /// What people were to read and could not be written.
    unwritten: Option<Diagnostic>,
}

impl Console {
    fn new(args: &RunArgs) -> Self {
        let choice = ColorChoice::from(args.color);
        Self {
            display: Display::new(args.progress.mode(args.quiet)),
            stdout: Output::new(Target::Stdout),
            stderr: Output::new(Target::Stderr),
            style: Style::detect(Target::Stdout, choice, args.verbose),
            choice,
            verbosity: args.verbose,
            quiet: args.quiet,
            taken: false,
            unwritten: None,
        }
    }

    fn report_to_stdout(&mut self, taken: bool) {
        self.taken = taken;
        if taken {
            self.style = Style::detect(Target::Stderr, self.choice, self.verbosity);
        }
    }

    /// How what people read is drawn.
    pub fn style(&self) -> Style {
        self.style
    }

    pub fn say(&mut self, text: &str) {
        let output = if self.taken { &mut self.stderr } else { &mut self.stdout };
        // A reader that has left is no failure; a full disk is.
        if let Err(error) = output.write(text) {
            self.unwritten.get_or_insert(error);
        }
    }

    /// What a runner of GitHub takes for commands, on either stream.
    pub fn annotate(&mut self, text: &str) {
        match self.quiet {
            true => drop(self.stderr.write(text)),
            false => self.say(text),
        }
    }

    pub fn complain(&mut self, diagnostic: &Diagnostic) {
        let color = use_color(Target::Stderr, self.choice);
        let _ = self.stderr.write(&format!("{}\n", diagnostic.render(color).trim_end()));
    }

    fn stop(&mut self, error: &Diagnostic, code: u8) -> ExitCode {
        self.complain(error);
        ExitCode::from(code)
    }

    pub fn mistakes(&mut self, mistakes: &[Diagnostic], files: usize) -> ExitCode {
        for mistake in mistakes {
            self.complain(mistake);
            let _ = self.stderr.write("\n");
        }
        let (mistakes, files) = (counted(mistakes.len(), "mistake"), counted(files, "file"));
        let summary = format!("{mistakes} in {files}; nothing was run\n");
        let _ = self.stderr.write(&summary);
        ExitCode::from(USAGE)
    }

    /// What the files allow and probably do not mean, before anything is started.
    pub fn warnings(&mut self, scenarios: &[Scenario]) {
        let warnings = || scenarios.iter().flat_map(|scenario| &scenario.warnings);
        for warning in warnings() {
            self.complain(warning);
            let _ = self.stderr.write("\n");
        }
        if let Some(about) = loading::about_lints(warnings()) {
            let _ = self.stderr.write(&format!("{about}\n\n"));
        }
    }

    fn warn(&mut self, args: &RunArgs) {
        if args.tls.insecure {
            let warning = "the broker's certificate is not verified: whoever stands between can \
                           read and change everything, the password too";
            self.complain(&Diagnostic::warning(warning).help("`--tls-ca FILE` verifies it"));
        }
    }

    pub fn greet(&mut self, broker: &Broker) {
        let version = broker.version();
        self.display.note(&match broker.ready_after() {
            Some(took) => {
                format!("private RabbitMQ {version}, ready in {:.1} s", took.as_secs_f64())
            }
            None if broker.is_warm() => format!("warm RabbitMQ {version}"),
            None => format!("external RabbitMQ {version}"),
        });
    }

    pub fn scenario(&mut self, scenario: Option<&ScenarioReport>) {
        self.display.clear();
        if let Some(scenario) = scenario {
            let text = match self.quiet {
                true => brief::scenario(scenario),
                false => table::scenario(scenario, self.style),
            };
            self.say(&text);
        }
    }

    fn finish(&mut self, report: &Report, elapsed: Duration, interrupted: bool) {
        self.display.clear();
        if self.quiet {
            return;
        }
        let text = table::summary(report, elapsed, interrupted, self.style);
        self.say(&text);
    }
}
