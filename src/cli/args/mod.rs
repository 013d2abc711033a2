//! The command line, and nothing but: what may be written, and what it means.

mod choosing;
mod comparing;
mod help;
mod values;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

pub use comparing::{CompareArgs, CompareFormat};
pub use values::{Color, Setting, Shown};

use crate::broker::Tls;
use crate::cli::args::help::{
    BROKER_HELP, CHECK_HELP, COMPARE_HELP, DOCTOR_HELP, HELP, NEW_HELP, PLAN_HELP, RUN_HELP,
    SCHEMA_HELP,
};
use crate::report::sinks::ReportArg;

/// Run scenarios against a real RabbitMQ, and know what became of every message.
#[derive(Debug, Parser)]
#[command(name = "rmq-scenario", version, max_term_width = 80, after_help = HELP)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenario files and print what was published, delivered and lost, and why.
    ///
    /// Without --broker it uses the RabbitMQ that `broker up` keeps warm, or else starts a
    /// private one of its own, which is gone afterwards.
    #[command(after_help = RUN_HELP)]
    Run(Box<RunArgs>),
    /// Say what is wrong with scenario files, without a broker.
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Show what scenario files will do and what they guarantee, without a broker.
    #[command(after_help = PLAN_HELP)]
    Plan(PlanArgs),
    /// Say what differs between reports of `run`, and whether anything is worse than it was.
    ///
    /// The first report is what the others are compared with.
    #[command(after_help = COMPARE_HELP)]
    Compare(CompareArgs),
    /// Write a scenario file to begin with, full of comments; an existing one is never touched.
    #[command(after_help = NEW_HELP)]
    New(NewArgs),
    /// Print the JSON Schema of scenario files, from which editors complete and explain.
    #[command(after_help = SCHEMA_HELP)]
    Schema(SchemaArgs),
    /// Keep a private RabbitMQ warm between runs, which then need not wait for one to boot.
    #[command(subcommand, after_help = BROKER_HELP)]
    Broker(BrokerCommand),
    /// Say what this machine has for running scenarios, what is missing, and what mends it.
    ///
    /// A private RabbitMQ is started for a moment, and a broker that is named is looked at.
    #[command(after_help = DOCTOR_HELP)]
    Doctor(DoctorArgs),
    /// Print what a shell needs to complete the commands and options of this program.
    ///
    /// For bash: rmq-scenario completions bash > ~/.local/share/bash-completion/completions/rmq-scenario
    Completions {
        #[arg(value_name = "SHELL", value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page: rmq-scenario man | man -l -
    Man,
    /// Keeps a private node; started by `run`, never by hand.
    #[command(hide = true)]
    KeepNode,
}

/// The arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Scenario files, directories of them, or patterns such as 'scenarios/*.yaml'
    ///
    /// Of a directory all .yaml and .yml files in it and below.
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,

    /// Set a variable of the files, for every variant; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<Setting>,

    /// For people, or for machines
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// What is as bad as a mistake
    #[arg(long, value_name = "WHAT", value_enum)]
    pub deny: Option<Deny>,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

impl CheckArgs {
    pub fn denies_warnings(&self) -> bool {
        matches!(self.deny, Some(Deny::Warnings))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Each finding with its line; where GITHUB_ACTIONS is `true` also as annotations
    Text,
    /// One document
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deny {
    Warnings,
}

/// The arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// For editors, or for people
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = SchemaFormat::Json)]
    pub format: SchemaFormat,

    /// The schema of the JSON report of `run`, instead of that of scenario files
    #[arg(long, conflicts_with = "format")]
    pub report: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// A JSON Schema of draft 7
    Json,
    /// A page with every key, its values, its default and what it means
    Markdown,
}

/// The arguments of `new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The name of the scenario, or the path of its file; .yaml is added where it is missing
    #[arg(value_name = "NAME", required_unless_present = "list", conflicts_with = "list")]
    pub name: Option<String>,

    /// What to begin with; --list tells what there is
    #[arg(long, value_name = "TEMPLATE", default_value = "work-queue")]
    pub from: String,

    /// List the templates, and write nothing
    #[arg(long)]
    pub list: bool,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// The arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Scenario files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,

    /// Set a variable of the files, for every variant; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<Setting>,

    /// Where all randomness flows from, instead of the seed of the file
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// For people, for machines, or a drawing of the topology
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// The topology, what happens when, and the guarantees with their rules
    Text,
    /// The same as one document
    Json,
    /// The topology for Graphviz: dot -Tsvg
    Dot,
    /// The topology as a Mermaid flowchart
    Mermaid,
}

/// The arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The rabbitmq-server to try, as in `run`
    #[arg(long, value_name = "PATH", env = SERVER_ENV, hide_env_values = true)]
    pub server: Option<String>,

    /// A running broker to look at, as in `run`
    #[arg(long, value_name = "URL", env = BROKER_ENV, hide_env_values = true)]
    pub broker: Vec<String>,

    /// Where the management API of that broker is, as in `run`
    #[arg(long, value_name = "URL", env = MANAGEMENT_ENV, hide_env_values = true)]
    pub management: Vec<String>,

    #[command(flatten)]
    pub tls: TlsArgs,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// What to do about the warm broker.
#[derive(Debug, Subcommand)]
pub enum BrokerCommand {
    /// Start one, unless it is up already; every `run` uses it from then on
    ///
    /// Not a `run` with --broker or --server, and not for a file with a private broker's
    /// settings of its own.
    Up(UpArgs),
    /// Tell where it is and what is on it; exit code 0 when it is up, 1 when it is not
    Status,
    /// End it; nothing of it is left
    Down,
}

/// The arguments of `broker up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// The rabbitmq-server to start
    ///
    /// Without it, PATH and the usual places are searched.
    #[arg(long, value_name = "PATH", env = SERVER_ENV, hide_env_values = true)]
    pub server: Option<String>,
}

/// The arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// Scenario files, directories of them, or patterns such as 'scenarios/*.yaml'
    ///
    /// Of a directory all .yaml and .yml files in it and below, but for parts.
    #[arg(value_name = "PATH", required = true)]
    pub files: Vec<String>,

    /// Run only files with this tag; of several, one is enough
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,

    /// Leave out files with this tag; may be repeated
    #[arg(long = "skip-tag", value_name = "TAG")]
    pub skipped_tags: Vec<String>,

    /// Run only scenarios with this in their name or path; of several, one is enough
    #[arg(long = "filter", value_name = "TEXT")]
    pub filters: Vec<String>,

    /// Run only variants with this in their name; of several, one is enough
    #[arg(long = "variant", value_name = "TEXT", conflicts_with = "bless")]
    pub variants: Vec<String>,

    /// Use this running broker instead of a private one
    ///
    /// For example amqp://user:password@host/vhost, or amqps:// for TLS. Everything happens in
    /// a temporary virtual host where the user may make one, else under names that no other
    /// program uses. Of a cluster, give the address of each node, by repeating the option or
    /// with commas; user, password and vhost of the first hold for the others.
    #[arg(long, value_name = "URL", env = BROKER_ENV, hide_env_values = true)]
    pub broker: Vec<String>,

    /// Where the management API of that broker is
    ///
    /// For example http://host:15672, which is also what is tried without this option; of a
    /// broker at amqps:// it is https://host:15671. Of a cluster, once for all nodes or once
    /// for each.
    #[arg(long, value_name = "URL", env = MANAGEMENT_ENV, hide_env_values = true)]
    pub management: Vec<String>,

    /// Let faults stop, pause, block or part the nodes of that broker
    ///
    /// What was done to them is undone at the end, also after Ctrl-C.
    #[arg(long)]
    pub allow_faults: bool,

    /// By what that is done, such as docker:CONTAINER
    ///
    /// One of docker:CONTAINER, podman:CONTAINER, systemd:UNIT, kubectl:NAMESPACE/POD,
    /// rabbitmqctl:NODE and command:LINE; once for each node, or once for all with {node} (1,
    /// 2 …), {index} (0, 1 …) or {name} (rabbit@host) to tell them apart.
    #[arg(long, value_name = "KIND:…")]
    pub broker_control: Vec<String>,

    #[command(flatten)]
    pub tls: TlsArgs,

    /// The rabbitmq-server to start for a private broker
    ///
    /// Without it, PATH and the usual places are searched. docker:IMAGE is a container of that
    /// image, in docker or podman; docker:rabbitmq:4-management is one where nothing is found.
    #[arg(long, value_name = "PATH", env = SERVER_ENV, hide_env_values = true)]
    pub server: Option<String>,

    /// Where all randomness flows from, instead of the seed of the file
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// Give a variable of the file another value, in every variant; may be repeated
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<Setting>,

    /// Also write a report: json, junit, markdown, csv, html or ndjson; such as html=page.html
    ///
    /// May be repeated. The path `-` is the standard output; the table goes to the standard error
    /// then.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub reports: Vec<ReportArg>,

    /// Say what differs from this JSON report of an earlier run; a regression is exit code 1
    #[arg(long, value_name = "FILE", conflicts_with_all = ["bless", "watch"])]
    pub baseline: Option<String>,

    /// Run so many variants at a time; what is told stays in the order of the files
    ///
    /// They share one broker, each in a virtual host of its own. Whoever breaks the broker or has
    /// settings for it gets one of its own, and a file that expects something of time (duration,
    /// latency, fairness) runs alone.
    #[arg(short, long, value_name = "N", default_value = "1")]
    pub jobs: NonZeroUsize,

    /// Begin nothing any more after a variant that did not pass
    #[arg(long)]
    pub fail_fast: bool,

    /// Run a variant that is inconclusive again, so many times at most
    #[arg(long, value_name = "N", default_value = "0")]
    pub retry_inconclusive: u32,

    /// Make the files expect what happened; --bless=diff only shows how they would change
    ///
    /// Numbers are written where the plan guarantees just that number, ranges where it guarantees
    /// a range. A file with a variant that has no clean result stays as it is, and so does
    /// everything but the values of counts under `expect`.
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "write",
        conflicts_with_all = ["settings", "seed"]
    )]
    pub bless: Option<Bless>,

    /// Run the files again whenever one of them changes, on a broker that stays
    ///
    /// Ctrl-C ends it; the exit code is that of the last run.
    #[arg(long, conflicts_with = "bless")]
    pub watch: bool,

    /// Print one line for each file: its verdict, what was counted, and why it did not pass
    ///
    /// Mistakes and warnings still go to the standard error.
    #[arg(short, long, conflicts_with_all = ["verbose", "bless"])]
    pub quiet: bool,

    /// How to show how far it is, on the standard error
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Shown::Auto)]
    pub progress: Shown,

    /// Tell more: -v rows and proofs, -vv also the histories of messages
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

/// What to do with a file that expects something else than what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bless {
    /// Change it in place
    Write,
    /// Print what would change
    Diff,
}

impl RunArgs {
    /// The addresses of the broker, with commas between them.
    pub fn broker_url(&self) -> Option<String> {
        joined(&self.broker)
    }

    /// Those of its management API.
    pub fn management_url(&self) -> Option<String> {
        joined(&self.management)
    }
}

/// Several values as one, with commas between them.
pub fn joined(values: &[String]) -> Option<String> {
    (!values.is_empty()).then(|| values.join(","))
}

/// How to trust a broker at amqps://, and its management API at https://.
#[derive(Debug, Default, Args)]
pub struct TlsArgs {
    /// Trust the authorities in this PEM file, instead of those of the machine
    #[arg(long = "tls-ca", value_name = "FILE")]
    pub ca: Option<PathBuf>,

    /// Show the broker this certificate (PEM), which needs its key
    #[arg(long = "tls-cert", value_name = "FILE")]
    pub certificate: Option<PathBuf>,

    /// The key of that certificate (PEM)
    #[arg(long = "tls-key", value_name = "FILE")]
    pub key: Option<PathBuf>,

    /// Do not verify who answers: anybody on the way can read and change all
    #[arg(long = "tls-insecure")]
    pub insecure: bool,
}

impl TlsArgs {
    fn is_empty(&self) -> bool {
        !self.insecure && self.ca.is_none() && self.certificate.is_none() && self.key.is_none()
    }
}

impl From<&TlsArgs> for Tls {
    fn from(args: &TlsArgs) -> Self {
        Self {
            ca: args.ca.clone(),
            certificate: args.certificate.clone(),
            key: args.key.clone(),
            insecure: args.insecure,
        }
    }
}

pub const BROKER_ENV: &str = "RMQ_SCENARIO_BROKER";
pub const MANAGEMENT_ENV: &str = "RMQ_SCENARIO_MANAGEMENT";
pub const SERVER_ENV: &str = "RMQ_SCENARIO_SERVER";

impl Cli {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    /// When it is wrong (its exit code is 2), and for `--help` and `--version` (0):
    /// `error.exit()` does what is right for each.
    pub fn read(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let matches = Self::command().try_get_matches_from(args)?;
        let mut cli = Self::from_arg_matches(&matches)?;
        if let Command::Run(run) = &mut cli.command {
            let matches = matches.subcommand_matches("run");
            let source = |name: &str| matches.and_then(|matches| matches.value_source(name));
            let written = |name: &str| source(name) == Some(ValueSource::CommandLine);
            choosing::broker(run, written).map_err(|message| usage(&message))?;
        }
        Ok(cli)
    }
}

/// A mistake on the command line of `run`, told as clap tells its own.
fn usage(message: &str) -> clap::Error {
    let mut command = Cli::command();
    command.build();
    let run = command.find_subcommand_mut("run").expect("there is a subcommand `run`");
    run.error(ErrorKind::ArgumentConflict, message)
}
