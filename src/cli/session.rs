//! The variants of all files, one after another, each in a space of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::broker::{Broker, BrokerError};
use crate::cli::brokers::Brokers;
use crate::cli::run::Console;
use crate::diagnostic::Diagnostic;
use crate::ledger::facts::Cut;
use crate::plan::model::{FaultAction, Scenario, Variant};
use crate::report::sinks::Sinks;
use crate::report::{Report, ScenarioReport};
use crate::run::{Audience, Played};
use crate::verdict::model::{VariantReport, Verdict};
use crate::{plan, verdict};

/// Why a variant has no numbers when somebody wanted the program to end.
pub const NOT_RUN: &str = "interrupted, not run";
/// How long cleaning up after one variant may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What connections ask for unless the file says otherwise: a broker's own default is a minute.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often the progress display learns something new.
const TICK: Duration = Duration::from_millis(100);

/// The brokers, and the wish to end.
pub struct Session<'a, 'b> {
    pub brokers: &'a mut Brokers<'b>,
    pub interrupted: watch::Receiver<bool>,
}

impl Session<'_, '_> {
    pub async fn run_all(
        mut self,
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
        &mut self,
        scenario: &Scenario,
        variant: &Variant,
        console: &mut Console,
    ) -> VariantReport {
        if let Some(reason) = unmet(variant, self.brokers) {
            return VariantReport::unknown(variant, Verdict::Skipped, reason);
        }
        let mut note = |said: &str| console.display.note(said);
        let mut interrupted = self.interrupted.clone();
        let prepared = tokio::select! {
            prepared = self.brokers.prepare(variant, &mut note) => prepared,
            Ok(_) = interrupted.wait_for(|stop| *stop) => {
                return VariantReport::unknown(variant, Verdict::Inconclusive, NOT_RUN);
            }
        };
        if let Err(error) = prepared {
            let outcome = VariantReport::unknown(variant, Verdict::Error, &error.message);
            return broken(outcome, &error);
        }
        if let Some((reason, help)) = hopeless(variant, self.broker(variant)) {
            let mut outcome = VariantReport::unknown(variant, Verdict::Error, reason);
            outcome.diagnostics.push(Diagnostic::error(reason).help(help));
            return outcome;
        }
        console.display.variant_started(&scenario.name, &variant.name);
        let played = self.play(variant, console).await;
        let broker = self.broker(variant);
        let outcome = match played {
            Ok(Some(played)) => {
                let mut outcome = verdict::judge(scenario, variant, &played.books, &played.facts);
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
        console.display.variant_ended(outcome.verdict.name());
        outcome
    }

    /// The broker that a variant is run on.
    fn broker(&self, variant: &Variant) -> &Broker {
        self.brokers.of(variant)
    }

    /// Runs a variant in a space of its own, which is removed however that goes.
    async fn play(
        &mut self,
        variant: &Variant,
        console: &mut Console,
    ) -> Result<Option<Played>, BrokerError> {
        let (id, broker) = (fresh_id(), self.broker(variant));
        // What exists already exists in the virtual host that was given.
        let space = match variant.topology.has_predeclared() {
            true => broker.shared_space(&id),
            false => broker.space(&id).await?,
        };
        let space = space.beating(variant.broker.heartbeat.unwrap_or(HEARTBEAT));
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
        let audience = Audience {
            interrupted: self.interrupted.clone(),
            progress: &mut progress,
            notices,
            inspects: console.verbosity > 0,
        };
        let result = crate::run::run(plan, id, space.clone(), audience).await;
        while let Ok(notice) = heard.try_recv() {
            console.display.fault(&notice);
        }
        let mut mended = Ok(());
        if variant.befalls_broker() {
            match self.mend(variant, console).await {
                // It goes as a whole, with all that is on it.
                Ok(false) => return result,
                done => mended = done.map(drop),
            }
        }
        let broker = self.broker(variant);
        let closed = timeout(PATIENCE, space.close()).await;
        let mut result = result?;
        if broker.has_fallen() {
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

    /// Brings back what faults did to the broker of a variant; false when that is given up,
    /// because another one of ours takes its place.
    async fn mend(
        &mut self,
        variant: &Variant,
        console: &mut Console,
    ) -> Result<bool, BrokerError> {
        let broker = self.broker(variant);
        let Some(control) = broker.control() else { return Ok(true) };
        let mut interrupted = self.interrupted.clone();
        let mended = match broker.kind() {
            "external" => control.mend().await,
            _ => tokio::select! {
                biased;
                // Nobody waits for what goes anyway.
                Ok(_) = interrupted.wait_for(|stop| *stop) => {
                    self.brokers.spoil(variant);
                    return Ok(false);
                }
                mended = control.mend() => mended,
            },
        };
        match mended {
            Err(error) if broker.kind() != "external" => {
                console.display.note(&format!("it does not come back, and is ended: {error}"));
                self.brokers.spoil(variant);
                Ok(false)
            }
            mended => mended.map(|()| true),
        }
    }
}

/// The worst of everything so far.
pub fn add(report: &mut Report, outcome: VariantReport) {
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
    let (requires, broker) = (&variant.requires, brokers.usual());
    if let Some(wanted) = &requires.rabbitmq
        && !plan::version_matches(wanted, broker.version())
    {
        return Some(format!("requires RabbitMQ {wanted}, this is {}", broker.version()));
    }
    let count = |nodes| if nodes == 1 { "one".to_owned() } else { format!("{nodes}") };
    let (nodes, nameable) = brokers.nodes(variant);
    let wanted = requires.nodes.and_then(|wanted| usize::try_from(wanted).ok()).unwrap_or(1);
    if wanted > nodes {
        return Some(format!("requires {wanted} nodes, this is {}", count(nodes)));
    }
    let named = last_node(variant);
    if named > nameable && broker.kind() == "external" {
        let (known, all) = (count(nameable), count(nodes));
        return Some(format!(
            "names node {named}, and `--broker` gives the address of {known} of {all}"
        ));
    }
    let own = variant.broker.nodes.is_some() || Brokers::sets(variant);
    if own && broker.kind() == "external" {
        return Some(
            "its `broker` settings need a private broker, this one is not ours".to_owned(),
        );
    }
    let missing = requires.management && !broker.has_management();
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
