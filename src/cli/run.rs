//! `rmq-scenario run`: files in, a table out, and an exit code that a pipeline can use.

use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::broker::{Broker, BrokerError, Choice};
use crate::cli::args::RunArgs;
use crate::diagnostic::Diagnostic;
use crate::ledger::facts::Cut;
use crate::plan::model::{Scenario, Variant};
use crate::report::output::{Output, Target};
use crate::report::progress::{Display, Mode};
use crate::report::sinks::Sinks;
use crate::report::style::{ColorChoice, Style, use_color};
use crate::report::{BrokerInfo, FORMAT, Report, ScenarioReport, table};
use crate::run::{Audience, Played};
use crate::scenario::Source;
use crate::verdict::model::{VariantReport, Verdict};
use crate::{plan, verdict};

/// The exit codes beside those of a verdict.
const USAGE: u8 = 2;
const WORLD: u8 = 3;
const OURS: u8 = 70;
const INTERRUPTED: u8 = 130;
/// Why a variant has no numbers when somebody wanted the program to end.
const NOT_RUN: &str = "interrupted, not run";
/// How long cleaning up after one variant may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the progress display learns something new.
const TICK: Duration = Duration::from_millis(100);

/// Runs the files and says how it went.
pub fn main(args: &RunArgs) -> ExitCode {
    let started = Instant::now();
    let mut console = Console::new(args);
    let scenarios = match load(args) {
        Ok(scenarios) => scenarios,
        Err(mistakes) => return console.mistakes(&mistakes, args.files.len()),
    };
    let sinks = match Sinks::open(&args.reports) {
        Ok(sinks) => sinks,
        Err(error) => return console.stop(&error, WORLD),
    };
    console.report_to_stdout(sinks.use_stdout());
    console.warnings(&scenarios);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = Diagnostic::error(format!("starting the runtime failed: {error}"));
            return console.stop(&error, WORLD);
        }
    };
    let code = runtime.block_on(whole(args, &scenarios, sinks, &mut console, started));
    // Nothing is left to wait for: what may still run belongs to connections that are closed.
    runtime.shutdown_background();
    code
}

/// All scenario files, or all mistakes in them.
fn load(args: &RunArgs) -> Result<Vec<Scenario>, Vec<Diagnostic>> {
    let sets = args.settings.iter().map(|set| (set.name.clone(), set.value.clone())).collect();
    let options = plan::Options { sets, seed: args.seed };
    let mut scenarios = Vec::new();
    let mut mistakes = Vec::new();
    for file in &args.files {
        let loaded = Source::read(Path::new(file)).map_err(|mistake| vec![mistake]);
        match loaded.and_then(|source| plan::load(source, &options)) {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => mistakes.extend(found),
        }
    }
    if mistakes.is_empty() { Ok(scenarios) } else { Err(mistakes) }
}

/// From the broker's start to its end.
async fn whole(
    args: &RunArgs,
    scenarios: &[Scenario],
    mut sinks: Sinks,
    console: &mut Console,
    started: Instant,
) -> ExitCode {
    let mut interrupted = listen();
    let keeper = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rmq-scenario"));
    let mut report = blank(args, scenarios);
    console.announce(args);
    let opened = tokio::select! {
        opened = Broker::open(choice(args), &keeper) => opened,
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
    report.broker.version = broker.version().to_owned();
    let session = Session { broker: &broker, interrupted: interrupted.clone() };
    let run = session.run_all(scenarios, &mut report, &mut sinks, console);
    // A panic is a bug of ours; what stands on the broker goes all the same.
    let panicked = AssertUnwindSafe(run).catch_unwind().await.is_err();
    let closed = broker.close().await;
    let interrupted = *interrupted.borrow();
    console.finish(&report, started.elapsed(), interrupted);
    let mut code = if interrupted { INTERRUPTED } else { report.verdict.exit_code() };
    if let Err(error) = sinks.write(&report) {
        console.complain(&error);
        code = worse(code, WORLD);
    }
    if let Err(error) = closed {
        console.complain(&error.diagnostic());
        code = worse(code, WORLD);
    }
    ExitCode::from(if panicked { OURS } else { code })
}

/// The exit code that wins.
fn worse(one: u8, other: u8) -> u8 {
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
    match sinks.write(report) {
        Ok(()) => 0,
        Err(error) => {
            console.complain(&error);
            WORLD
        }
    }
}

fn choice(args: &RunArgs) -> Choice {
    match &args.broker {
        Some(url) => Choice::External { url: url.clone(), management: args.management.clone() },
        None => Choice::Private { server: args.server.as_ref().map(PathBuf::from) },
    }
}

/// Turns true at the first SIGINT, SIGTERM or SIGHUP (unless that is ignored). A second one ends the program at once:
/// its private node goes all the same, what it made on an external broker may stay.
fn listen() -> watch::Receiver<bool> {
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
            kind: if args.broker.is_some() { "external" } else { "private" },
        },
        seed: scenarios.first().map_or(1, |scenario| scenario.seed),
        scenarios: Vec::new(),
    }
}

/// One broker, and the wish to end.
struct Session<'a> {
    broker: &'a Broker,
    interrupted: watch::Receiver<bool>,
}

impl Session<'_> {
    async fn run_all(
        &self,
        scenarios: &[Scenario],
        report: &mut Report,
        sinks: &mut Sinks,
        console: &mut Console,
    ) {
        for scenario in scenarios {
            report.scenarios.push(ScenarioReport {
                scenario: scenario.name.clone(),
                file: scenario.source.path.clone(),
                verdict: Verdict::Skipped,
                variants: Vec::new(),
            });
            for variant in &scenario.variants {
                if *self.interrupted.borrow() {
                    add(report, VariantReport::unknown(variant, Verdict::Inconclusive, NOT_RUN));
                    continue;
                }
                let outcome = self.run_one(scenario, variant, console).await;
                add(report, outcome);
                // The final write tells if the file cannot be written.
                let _ = sinks.save(report);
            }
            console.scenario(report.scenarios.last());
        }
    }

    async fn run_one(
        &self,
        scenario: &Scenario,
        variant: &Variant,
        console: &mut Console,
    ) -> VariantReport {
        if let Some(reason) = unmet(variant, self.broker) {
            return VariantReport::unknown(variant, Verdict::Skipped, reason);
        }
        if !variant.observations.is_empty() && !self.broker.has_management() {
            let reason = "`observe` needs the management API, which does not answer";
            let help = "rabbitmq-plugins enable rabbitmq_management, or leave `observe` out";
            let mut outcome = VariantReport::unknown(variant, Verdict::Error, reason);
            outcome.diagnostics.push(Diagnostic::error(reason).help(help));
            return outcome;
        }
        console.display.variant_started(&scenario.name, &variant.name);
        let outcome = match self.play(variant, console).await {
            Ok(Some(played)) => {
                let mut outcome = verdict::judge(scenario, variant, &played.books, &played.facts);
                if played.facts.cut == Some(Cut::Interrupted) {
                    outcome.reason = Some("interrupted".to_owned());
                }
                match played.failure {
                    Some(error) => broken(outcome, &error),
                    None => outcome,
                }
            }
            Ok(None) => VariantReport::unknown(variant, Verdict::Inconclusive, NOT_RUN),
            Err(error) => {
                broken(VariantReport::unknown(variant, Verdict::Error, &error.message), &error)
            }
        };
        console.display.variant_ended(outcome.verdict.name());
        outcome
    }

    /// Runs a variant in a space of its own, which is removed however that goes.
    async fn play(
        &self,
        variant: &Variant,
        console: &mut Console,
    ) -> Result<Option<Played>, BrokerError> {
        let id = fresh_id();
        // What exists already exists in the virtual host that was given.
        let space = match variant.topology.has_predeclared() {
            true => self.broker.shared_space(&id),
            false => self.broker.space(&id).await?,
        };
        let plan = Arc::new(variant.clone());
        let (notices, mut heard) = mpsc::unbounded_channel::<String>();
        let display = &mut console.display;
        let mut ticked = Instant::now();
        let mut progress = |progress| {
            while let Ok(notice) = heard.try_recv() {
                display.fault(&notice);
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                display.tick(&progress);
            }
        };
        let audience =
            Audience { interrupted: self.interrupted.clone(), progress: &mut progress, notices };
        let result = crate::run::run(plan, id, space.clone(), audience).await;
        while let Ok(notice) = heard.try_recv() {
            console.display.fault(&notice);
        }
        let closed = timeout(PATIENCE, space.close()).await;
        let result = result?;
        closed.unwrap_or_else(|_| Err(BrokerError::silent("cleaning up")))?;
        Ok(result)
    }
}

/// The worst of everything so far.
fn add(report: &mut Report, outcome: VariantReport) {
    let scenario = report.scenarios.last_mut().expect("a scenario was added before its variants");
    scenario.verdict = scenario.verdict.max(outcome.verdict);
    report.verdict = report.verdict.max(outcome.verdict);
    scenario.variants.push(outcome);
}

/// The world failed: what is known stands, and nothing is judged.
fn broken(mut outcome: VariantReport, error: &BrokerError) -> VariantReport {
    let diagnostic = error.diagnostic();
    outcome.verdict = outcome.verdict.max(Verdict::Error);
    outcome.reason = Some(diagnostic.message.clone());
    outcome.diagnostics.push(diagnostic);
    outcome
}

/// What the variant requires and the world does not offer.
fn unmet(variant: &Variant, broker: &Broker) -> Option<String> {
    let requires = &variant.requires;
    if let Some(wanted) = &requires.rabbitmq
        && !plan::version_matches(wanted, broker.version())
    {
        return Some(format!("requires RabbitMQ {wanted}, this is {}", broker.version()));
    }
    if let Some(nodes) = requires.nodes.filter(|nodes| *nodes > 1) {
        return Some(format!("requires {nodes} nodes, this is one"));
    }
    let missing = requires.management && !broker.has_management();
    missing.then(|| "requires the management API, which does not answer".to_owned())
}

/// A word that no other run on this broker uses: the standard library's hasher is keyed from
/// the system's randomness. Runs must differ even under one seed, so it is not drawn from it.
fn fresh_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    format!("{:08x}", random & 0xffff_ffff)
}

/// Where people read.
struct Console {
    display: Display,
    stdout: Output,
    stderr: Output,
    style: Style,
    choice: ColorChoice,
    verbosity: u8,
    /// Standard output carries a report; people read the other one.
    taken: bool,
}

impl Console {
    fn new(args: &RunArgs) -> Self {
        let choice = ColorChoice::from(args.color);
        Self {
            display: Display::new(Mode::detect()),
            stdout: Output::new(Target::Stdout),
            stderr: Output::new(Target::Stderr),
            style: Style::detect(Target::Stdout, choice, args.verbose),
            choice,
            verbosity: args.verbose,
            taken: false,
        }
    }

    fn report_to_stdout(&mut self, taken: bool) {
        self.taken = taken;
        if taken {
            self.style = Style::detect(Target::Stderr, self.choice, self.verbosity);
        }
    }

    fn say(&mut self, text: &str) {
        let output = if self.taken { &mut self.stderr } else { &mut self.stdout };
        // Without anybody to read there is nothing to do about it; the exit code tells.
        let _ = output.write(text);
    }

    fn complain(&mut self, diagnostic: &Diagnostic) {
        let color = use_color(Target::Stderr, self.choice);
        let _ = self.stderr.write(&format!("{}\n", diagnostic.render(color).trim_end()));
    }

    fn stop(&mut self, error: &Diagnostic, code: u8) -> ExitCode {
        self.complain(error);
        ExitCode::from(code)
    }

    fn mistakes(&mut self, mistakes: &[Diagnostic], files: usize) -> ExitCode {
        for mistake in mistakes {
            self.complain(mistake);
            let _ = self.stderr.write("\n");
        }
        let mistake = if mistakes.len() == 1 { "mistake" } else { "mistakes" };
        let file = if files == 1 { "file" } else { "files" };
        let count = mistakes.len();
        let summary = format!("{count} {mistake} in {files} {file}; nothing was run\n");
        let _ = self.stderr.write(&summary);
        ExitCode::from(USAGE)
    }

    /// What the files allow and probably do not mean, before anything is started.
    fn warnings(&mut self, scenarios: &[Scenario]) {
        for warning in scenarios.iter().flat_map(|scenario| &scenario.warnings) {
            self.complain(warning);
            let _ = self.stderr.write("\n");
        }
    }

    /// A private node takes seconds to boot; silence would look like a hang.
    fn announce(&mut self, args: &RunArgs) {
        if args.broker.is_none() {
            self.display.note("starting a private RabbitMQ …");
        }
    }

    fn greet(&mut self, broker: &Broker) {
        let version = broker.version();
        self.display.note(&match broker.ready_after() {
            Some(took) => {
                format!("private RabbitMQ {version}, ready in {:.1} s", took.as_secs_f64())
            }
            None => format!("external RabbitMQ {version}"),
        });
    }

    fn scenario(&mut self, scenario: Option<&ScenarioReport>) {
        self.display.clear();
        if let Some(scenario) = scenario {
            let text = table::scenario(scenario, self.style);
            self.say(&text);
        }
    }

    fn finish(&mut self, report: &Report, elapsed: Duration, interrupted: bool) {
        self.display.clear();
        let text = table::summary(report, elapsed, interrupted, self.style);
        self.say(&text);
    }
}
