//! `rmq-scenario doctor`: what this machine has for running scenarios, what is missing, and the
//! command that mends it. What can be tried is tried: a private node is started and ended.

mod finding;
mod look;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::broker::{Broker, BrokerError, Choice, SERVER_VARIABLE, Settings, Tls, locate};
use crate::cli::WORLD;
use crate::cli::args::{DoctorArgs, joined};
use crate::cli::doctor::finding::{Finding, State, page};
use crate::cli::doctor::look as at;
use crate::cli::telling::print;
use crate::diagnostic::Diagnostic;
use crate::report::output::{Output, Target};
use crate::report::style::{ColorChoice, Style, use_color};

/// Nothing can be run here.
const SICK: u8 = 1;

/// Looks at everything, prints what was found, and says whether a scenario can be run.
pub fn main(args: &DoctorArgs) -> ExitCode {
    let choice = ColorChoice::from(args.color);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = Diagnostic::error(format!("starting the runtime failed: {error}"));
            let color = use_color(Target::Stderr, choice);
            let _ = Output::new(Target::Stderr).write(&error.render(color));
            return ExitCode::from(WORLD);
        }
    };
    let (findings, runs) = runtime.block_on(examine(args));
    let style = Style::detect(Target::Stdout, choice, 0);
    let printed = print(&page(&findings, runs, style), choice);
    if printed != ExitCode::SUCCESS || runs { printed } else { ExitCode::from(SICK) }
}

/// All findings, and whether there is a broker to run on.
async fn examine(args: &DoctorArgs) -> (Vec<Finding>, bool) {
    let mut findings = vec![at::program()];
    let (server, starts) = private(args).await;
    findings.extend(server);
    let engine = at::engine(starts).await;
    let contained = engine.state == State::Good;
    findings.push(engine);
    findings.push(at::warm_broker());
    let named = joined(&args.broker).filter(|url| !url.is_empty());
    let mut reached = None;
    if let Some(url) = named {
        let (finding, reaches) = external(args, url).await;
        findings.push(finding);
        reached = Some(reaches);
    }
    findings.extend([at::loopback(), at::folder(), at::open_files()]);
    // Where a broker is named, runs use that one alone; a server that was named and does not start
    // is not replaced by a container.
    let own = starts || (contained && !is_named(args));
    let held_up = findings.iter().any(|it| it.state == State::Bad && it.blocks);
    (findings, reached.unwrap_or(own) && !held_up)
}

fn is_named(args: &DoctorArgs) -> bool {
    args.server.as_ref().is_some_and(|server| !server.is_empty())
}

/// The server on this machine, and how it starts; whether it does.
async fn private(args: &DoctorArgs) -> (Vec<Finding>, bool) {
    let server = args.server.as_ref().filter(|it| !it.is_empty()).map(PathBuf::from);
    let image = server.as_ref().is_some_and(|it| it.to_string_lossy().starts_with("docker:"));
    let mut findings = Vec::new();
    if !image {
        match locate(server.as_deref()) {
            Ok(path) => {
                let by = match &server {
                    Some(_) => format!("; named by --server or {SERVER_VARIABLE}"),
                    None => String::new(),
                };
                findings.push(Finding::good("server", format!("{}{by}", path.display())));
            }
            Err(error) => return (vec![failed("server", &error)], false),
        }
    }
    let _ = Output::new(Target::Stderr).write("starting a private RabbitMQ for a moment …\n");
    let keeper = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rmq-scenario"));
    let choice = Choice::Private { server, settings: Settings::default() };
    let (finding, starts) = match Broker::open(choice, &keeper).await {
        Ok(broker) => tried(broker).await,
        Err(error) => (failed("private node", &error), false),
    };
    findings.push(finding);
    (findings, starts)
}

/// What a private node is like, which is ended.
async fn tried(broker: Broker) -> (Finding, bool) {
    let took = broker.ready_after().unwrap_or_default().as_secs_f64();
    let found = format!("RabbitMQ {}, ready in {took:.1} s, and gone again", broker.version());
    match broker.close().await {
        Ok(()) => (Finding::good("private node", found), true),
        Err(error) => (failed("private node", &error), false),
    }
}

/// The broker that was named, and whether runs can use it.
async fn external(args: &DoctorArgs, url: String) -> (Finding, bool) {
    let management = joined(&args.management).filter(|url| !url.is_empty());
    let choice = Choice::External { url, management, tls: Tls::from(&args.tls) };
    let keeper = PathBuf::from("rmq-scenario");
    match Broker::open(choice, &keeper).await {
        Ok(broker) => {
            let management = if broker.has_management() { "with" } else { "without" };
            let found = format!("RabbitMQ {}, {management} its management API", broker.version());
            let finding = match broker.has_management() {
                true => Finding::good("your broker", found),
                false => Finding::odd("your broker", found)
                    .mend("rabbitmq-plugins enable rabbitmq_management")
                    .note("without it `observe`, `expires` and virtual hosts for each run are not to be had"),
            };
            match broker.close().await {
                Ok(()) => (finding, true),
                Err(error) => (failed("your broker", &error), false),
            }
        }
        Err(error) => (failed("your broker", &error), false),
    }
}

fn failed(what: &'static str, error: &BrokerError) -> Finding {
    let finding = Finding::bad(what, error.message.clone());
    let finding = error.notes.iter().fold(finding, Finding::note);
    match &error.help {
        Some(help) => finding.mend(help),
        None => finding,
    }
}
