//! The variants of all files, one after another or several at a time, each in a space of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::broker::{Broker, BrokerError};
use crate::cli::brokers::{Brokers, Lease};
use crate::cli::run::Console;
use crate::cli::schedule::{Board, Job, Telling, schedule};
use crate::diagnostic::Diagnostic;
use crate::ledger::facts::Cut;
use crate::ledger::history::Listener;
use crate::plan::model::{FaultAction, Scenario, Variant};
use crate::report::Report;
use crate::report::events::Events;
use crate::report::progress::RunId;
use crate::report::sinks::Sinks;
use crate::run::{Audience, Played};
use crate::verdict::model::{VariantReport, Verdict};
use crate::verdict::picture::Picture;
use crate::{plan, verdict};

/// Why a variant has no numbers when somebody wanted the program to end.
pub const NOT_RUN: &str = "interrupted, not run";
/// Why one has none after another one failed.
const FAILED_BEFORE: &str = "not run: another one did not pass before, and --fail-fast";
/// How long cleaning up after one variant may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What connections ask for unless the file says otherwise: a broker's own default is a minute.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often the progress display learns something new.
const TICK: Duration = Duration::from_millis(100);

/// The brokers, the wish to end, and how it is to be done.
pub struct Session<'a, 'b> {
    pub brokers: &'a Brokers<'b>,
    pub interrupted: watch::Receiver<bool>,
    pub manner: Manner,
    /// Where everything is told that happens.
    pub events: Events,
}

/// How the variants are run.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// So many at a time.
    pub jobs: usize,
    /// Nothing is begun any more after one that did not pass.
    pub fail_fast: bool,
    /// How often one that is inconclusive is run again.
    pub retries: u32,
    /// Whether somebody wants to look at them.
    pub pictures: bool,
}

impl Session<'_, '_> {
    /// Runs every variant. What is told comes in the order of the files, however they are run.
    pub async fn run_all(
        self,
        scenarios: &[Scenario],
        report: &mut Report,
        sinks: &mut Sinks,
        console: &mut Console,
    ) {
        let console = Board::new(console);
        let mut telling = Telling::new(scenarios, report);
        let mut waiting = schedule(scenarios, self.brokers, self.manner.jobs);
        let mut free = self.manner.jobs;
        let mut running = FuturesUnordered::new();
        loop {
            let fits = |job: &Job| job.weight <= free;
            if let Some(next) = waiting.iter().position(fits) {
                let job = waiting.remove(next);
                free -= job.weight;
                running.push(self.job(scenarios, job, &console));
                continue;
            }
            let ended = tokio::select! {
                ended = running.next() => ended,
                never = console.beat() => match never {},
            };
            let Some((job, outcome)) = ended else { break };
            free += job.weight;
            if self.manner.fail_fast && outcome.verdict > Verdict::Pass {
                for job in waiting.drain(..) {
                    let variant = job.of(scenarios).1;
                    let skipped = VariantReport::unknown(variant, Verdict::Skipped, FAILED_BEFORE);
                    telling.add(job.index, skipped, &console);
                }
            }
            telling.add(job.index, outcome, &console);
            // The final write tells if the file cannot be written.
            let _ = sinks.save(telling.report);
        }
    }

    async fn job(
        &self,
        scenarios: &[Scenario],
        job: Job,
        console: &Board<'_>,
    ) -> (Job, VariantReport) {
        let (scenario, variant) = job.of(scenarios);
        let mut outcome = self.once(scenario, variant, console).await;
        for attempt in 1..=self.manner.retries {
            if outcome.verdict != Verdict::Inconclusive || *self.interrupted.borrow() {
                break;
            }
            let reason = outcome.reason.take().unwrap_or_default();
            outcome = self.once(scenario, variant, console).await;
            let again = format!("attempt {}; before it was inconclusive: {reason}", attempt + 1);
            outcome.notes.push(again);
        }
        (job, outcome)
    }

    /// Runs a variant, unless it cannot be.
    async fn once(
        &self,
        scenario: &Scenario,
        variant: &Variant,
        console: &Board<'_>,
    ) -> VariantReport {
        if *self.interrupted.borrow() {
            return VariantReport::unknown(variant, Verdict::Inconclusive, NOT_RUN);
        }
        if let Some(reason) = unmet(variant, self.brokers) {
            return VariantReport::unknown(variant, Verdict::Skipped, reason);
        }
        let mut note = |said: &str| console.now().display.note(said);
        let mut interrupted = self.interrupted.clone();
        let lent = tokio::select! {
            lent = self.brokers.lend(variant, &mut note) => lent,
            Ok(_) = interrupted.wait_for(|stop| *stop) => {
                return VariantReport::unknown(variant, Verdict::Inconclusive, NOT_RUN);
            }
        };
        let mut lease = match lent {
            Ok(lease) => lease,
            Err(error) => {
                let outcome = VariantReport::unknown(variant, Verdict::Error, &error.message);
                return broken(outcome, &error);
            }
        };
        let outcome = match hopeless(variant, lease.broker()) {
            None => self.on(&mut lease, scenario, variant, console).await,
            Some((reason, help)) => {
                let mut outcome = VariantReport::unknown(variant, Verdict::Error, reason);
                outcome.diagnostics.push(Diagnostic::error(reason).help(help));
                outcome
            }
        };
        self.brokers.give_back(lease);
        outcome
    }

    /// Runs a variant on a broker, and judges it.
    async fn on(
        &self,
        lease: &mut Lease<'_>,
        scenario: &Scenario,
        variant: &Variant,
        console: &Board<'_>,
    ) -> VariantReport {
        let run = console.now().display.variant_started(&scenario.name, &variant.name);
        let plan = Arc::new(variant.clone());
        let about = (&*scenario.name, &*scenario.source.path);
        let told = self.events.begin(about, &plan, lease.broker().version());
        let (number, listener) = told.unzip();
        let played = self.play(lease, plan, (run, listener), console).await;
        let broker = lease.broker();
        let outcome = match played {
            Ok(Some(played)) => {
                let mut outcome = verdict::judge(scenario, variant, &played.books, &played.facts);
                if self.manner.pictures {
                    let picture = Picture::of(&played.books, &played.facts);
                    outcome.picture = Some(Arc::new(picture));
                }
                if played.facts.cut == Some(Cut::Interrupted) {
                    outcome.reason = Some("interrupted".to_owned());
                }
                let failure = match played.failure {
                    Some(error) => Some(broker.explain(error).await),
                    None => broker.fallen(),
                };
                match failure {
                    Some(error) => broken(outcome, &error),
                    None => outcome,
                }
            }
            Ok(None) => VariantReport::unknown(variant, Verdict::Inconclusive, NOT_RUN),
            Err(error) => {
                let error = broker.explain(error).await;
                broken(VariantReport::unknown(variant, Verdict::Error, &error.message), &error)
            }
        };
        if let Some(number) = number {
            self.events.end(number, &outcome);
        }
        console.now().display.variant_ended(run, outcome.verdict.name());
        outcome
    }

    /// Runs a variant in a space of its own, which is removed however that goes.
    async fn play(
        &self,
        lease: &mut Lease<'_>,
        plan: Arc<Variant>,
        (run, listener): (RunId, Option<Box<dyn Listener>>),
        console: &Board<'_>,
    ) -> Result<Option<Played>, BrokerError> {
        let (id, broker) = (fresh_id(), lease.broker());
        // What exists already exists in the virtual host that was given.
        let space = match plan.topology.has_predeclared() {
            true => broker.shared_space(&id),
            false => broker.space(&id).await?,
        };
        let space = space.beating(plan.broker.heartbeat.unwrap_or(HEARTBEAT));
        let befalls = plan.befalls_broker();
        let (notices, mut heard) = mpsc::unbounded_channel::<String>();
        let mut ticked = Instant::now();
        let mut progress = |progress| {
            let display = &mut console.now().display;
            while let Ok(notice) = heard.try_recv() {
                display.fault(run, &notice);
            }
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                display.tick(run, &progress);
            }
        };
        let inspects = console.now().verbosity > 0;
        let audience = Audience {
            interrupted: self.interrupted.clone(),
            progress: &mut progress,
            notices,
            inspects,
            listener,
        };
        let result = crate::run::run(plan, id, space.clone(), audience).await;
        while let Ok(notice) = heard.try_recv() {
            console.now().display.fault(run, &notice);
        }
        let mut mended = Ok(());
        if befalls {
            match self.mend(lease, console).await {
                // It goes as a whole, with all that is on it.
                Ok(false) => return result,
                done => mended = done.map(drop),
            }
        }
        let closed = timeout(PATIENCE, space.close()).await;
        let mut result = result?;
        if lease.broker().has_fallen() {
            // It took everything along; what is known of the run stands.
            return Ok(result);
        }
        match (mended, &mut result) {
            // What the run itself met came first.
            (Err(error), Some(played)) => drop(played.failure.get_or_insert(error)),
            (mended, _) => mended?,
        }
        closed.unwrap_or_else(|_| Err(BrokerError::silent("cleaning up")))?;
        Ok(result)
    }

    /// Brings back what faults did to a broker; false when that is given up, because another one
    /// of ours takes its place.
    async fn mend(&self, lease: &mut Lease<'_>, console: &Board<'_>) -> Result<bool, BrokerError> {
        let broker = lease.broker();
        let Some(control) = broker.control() else { return Ok(true) };
        let external = broker.kind() == "external";
        let mut interrupted = self.interrupted.clone();
        let mended = match external {
            true => control.mend().await,
            false => tokio::select! {
                biased;
                // Nobody waits for what goes anyway.
                Ok(_) = interrupted.wait_for(|stop| *stop) => {
                    lease.spoil();
                    return Ok(false);
                }
                mended = control.mend() => mended,
            },
        };
        match mended {
            Err(error) if !external => {
                let said = format!("it does not come back, and is ended: {error}");
                console.now().display.note(&said);
                lease.spoil();
                Ok(false)
            }
            mended => mended.map(|()| true),
        }
    }
}

/// The world failed: what is known stands, and nothing is judged.
fn broken(mut outcome: VariantReport, error: &BrokerError) -> VariantReport {
    let diagnostic = error.diagnostic();
    outcome.verdict = outcome.verdict.max(Verdict::Error);
    outcome.reason = Some(diagnostic.message.clone());
    outcome.diagnostics.push(diagnostic);
    outcome
}

/// What the variant cannot do without, and this broker does not have: why, and what to do.
fn hopeless(variant: &Variant, broker: &Broker) -> Option<(&'static str, &'static str)> {
    const ENABLE: &str = "rabbitmq-plugins enable rabbitmq_management, or leave it out";
    let expires = variant.topology.queues.iter().any(|queue| queue.expires.is_some());
    match (broker.has_management(), broker.kind()) {
        (false, _) if !variant.observations.is_empty() => {
            Some(("`observe` needs the management API, which does not answer", ENABLE))
        }
        (false, _) if expires => {
            Some(("`expires` needs the management API, which does not answer", ENABLE))
        }
        (false, _) if variant.parts_broker() => Some((
            "`partition` needs the management API, which does not answer: without it nobody can \
             tell whether the nodes miss each other",
            ENABLE,
        )),
        (_, "external") if variant.parts_broker() && broker.nodes() == 1 => Some((
            "`partition` needs the addresses of several nodes: what the others say tells whether \
             the node is parted",
            "name them all, with commas between: `--broker amqp://one,amqp://two`",
        )),
        (_, "private") if variant.topology.has_predeclared() => Some((
            "nothing is `predeclared` on a private broker, which is new",
            "name the broker where it is with `--broker URL`, or leave `predeclared` out",
        )),
        _ => None,
    }
}

/// What the variant requires and the world does not offer.
fn unmet(variant: &Variant, brokers: &Brokers) -> Option<String> {
    let (requires, world) = (&variant.requires, &brokers.world);
    if let Some(wanted) = &requires.rabbitmq
        && !plan::version_matches(wanted, &world.version)
    {
        return Some(format!("requires RabbitMQ {wanted}, this is {}", world.version));
    }
    let count = |nodes| if nodes == 1 { "one".to_owned() } else { format!("{nodes}") };
    let (nodes, nameable) = brokers.nodes(variant);
    let wanted = requires.nodes.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(1);
    if wanted > nodes {
        return Some(format!("requires {wanted} nodes, this is {}", count(nodes)));
    }
    let named = last_node(variant);
    if named > nameable && world.kind == "external" {
        let (known, all) = (count(nameable), count(nodes));
        return Some(format!(
            "names node {named}, and `--broker` gives the address of {known} of {all}"
        ));
    }
    let own = variant.broker.nodes.is_some() || Brokers::sets(variant);
    if own && world.kind == "external" {
        return Some(
            "its `broker` settings need a private broker, this one is not ours".to_owned(),
        );
    }
    let missing = requires.management && !world.has_management;
    missing.then(|| "requires the management API, which does not answer".to_owned())
}

/// The highest number of a node that the variant names; 0 when it names none.
fn last_node(variant: &Variant) -> usize {
    let producers = variant.producers.iter().map(|it| it.node);
    let workers = variant.workers.iter().map(|it| it.node);
    let queues = variant.topology.queues.iter().map(|it| it.node);
    let faults = variant.faults.iter().map(|it| match it.action {
        FaultAction::Broker { node, .. } => node,
        _ => None,
    });
    let all = producers.chain(workers).chain(queues).chain(faults).flatten();
    all.map(|node| node.index() + 1).max().unwrap_or_default()
}

/// A word that no other run on this broker uses: the standard library's hasher is keyed from
/// the system's randomness. Runs must differ even under one seed, so it is not drawn from it.
fn fresh_id() -> String {
    use std::hash::{BuildHasher, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    format!("{:08x}", random & 0xffff_ffff)
}
