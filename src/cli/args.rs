//! The command line, and nothing but: what may be written, and what it means.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::broker::Tls;
use crate::report::sinks::ReportArg;
use crate::report::style::ColorChoice;

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
    /// Keep a private RabbitMQ warm between runs, which then need not wait for one to boot.
    #[command(subcommand, after_help = BROKER_HELP)]
    Broker(BrokerCommand),
    /// Keeps a private node; started by `run`, never by hand.
    #[command(hide = true)]
    KeepNode,
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
    /// Scenario files, run one after another
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<String>,

    /// Use this running broker instead of a private one
    ///
    /// For example amqp://user:password@host/vhost, or amqps:// for TLS. Everything happens in a temporary virtual
    /// host where the user may make one, else under names that no other program uses.
    #[arg(long, value_name = "URL", env = BROKER_ENV, hide_env_values = true)]
    pub broker: Option<String>,

    /// Where the management API of that broker is
    ///
    /// For example http://host:15672, which is also what is tried without this option; of a
    /// broker at amqps:// it is https://host:15671.
    #[arg(long, value_name = "URL", env = MANAGEMENT_ENV, hide_env_values = true)]
    pub management: Option<String>,

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

    /// Also write the report to a file, such as json=report.json; may be repeated
    ///
    /// The path `-` is the standard output; the table goes to the standard error then.
    #[arg(long = "report", value_name = "FORMAT=PATH")]
    pub reports: Vec<ReportArg>,

    /// Tell more: -v rows and proofs, -vv also the histories of messages
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,

    /// Colour the output
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    pub color: Color,
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

/// `NAME=VALUE`. The value is read as a scalar of YAML, as it would be in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("write NAME=VALUE, such as ack=auto")?;
        if name.is_empty() {
            return Err("the name of the variable is missing before `=`".to_owned());
        }
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

impl From<Color> for ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }
}

pub const BROKER_ENV: &str = "RMQ_SCENARIO_BROKER";
pub const MANAGEMENT_ENV: &str = "RMQ_SCENARIO_MANAGEMENT";
pub const SERVER_ENV: &str = "RMQ_SCENARIO_SERVER";

macro_rules! with_exit_codes {
    ($before:literal) => {
        concat!(
            $before,
            "\
Exit codes:
    0  every expectation held (or everything was skipped)
    1  an expectation did not hold, or something unexplained was seen
    2  the command line or a file is wrong; nothing was run
    3  the world failed: no broker, or a report could not be written
    4  inconclusive: nothing failed, but a fault did not bite or time was up
   70  the books do not balance: a bug of this program or of the broker
  130  interrupted; everything was cleaned up first"
        )
    };
}

const HELP: &str = with_exit_codes!("");

const BROKER_HELP: &str = "\
Exit codes:
    0  done; of `status`: it is up
    1  of `status`: none is up
    2  the command line is wrong, or another server's is up already
    3  the world failed: it does not come up, or does not answer";

const RUN_HELP: &str = with_exit_codes!(
    "\
Examples:
  rmq-scenario run scenarios/work_queue.yaml
      Start a private RabbitMQ, run every variant of the file, end it again.
  rmq-scenario run --broker amqp://guest:guest@localhost --set ack=auto FILE
      Use a running broker, with another value for the file's variable `ack`.

"
);

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
            choose_broker(run, written).map_err(|message| usage(&message))?;
        }
        Ok(cli)
    }
}

/// Settles what the environment and the command line say about the broker. An empty variable
/// is as if not set; what is `written` on the command line wins over the environment.
fn choose_broker(run: &mut RunArgs, written: impl Fn(&str) -> bool) -> Result<(), String> {
    drop_empty(&mut run.broker, "broker", &written)?;
    drop_empty(&mut run.management, "management", &written)?;
    drop_empty(&mut run.server, "server", &written)?;
    if run.broker.is_some() && run.server.is_some() {
        match (written("broker"), written("server")) {
            (true, false) => run.server = None,
            (false, true) => run.broker = None,
            (true, true) => {
                return Err("--broker uses a running broker and --server starts one: \
                            give one of them"
                    .to_owned());
            }
            (false, false) => {
                return Err(format!(
                    "{BROKER_ENV} and {SERVER_ENV} are both set: unset one of them, \
                     or give --broker or --server"
                ));
            }
        }
    }
    if run.broker.is_none() && run.management.take().is_some() && written("management") {
        return Err("--management goes with --broker: a private broker brings its own".to_owned());
    }
    if run.broker.is_none() && !run.tls.is_empty() {
        return Err(
            "--tls-… goes with --broker: a private broker is reached without TLS".to_owned()
        );
    }
    Ok(())
}

fn drop_empty(
    value: &mut Option<String>,
    name: &str,
    written: impl Fn(&str) -> bool,
) -> Result<(), String> {
    if value.as_deref() == Some("") {
        if written(name) {
            return Err(format!("the value of --{name} is empty"));
        }
        *value = None;
    }
    Ok(())
}

/// A mistake on the command line of `run`, told as clap tells its own.
fn usage(message: &str) -> clap::Error {
    let mut command = Cli::command();
    command.build();
    let run = command.find_subcommand_mut("run").expect("there is a subcommand `run`");
    run.error(ErrorKind::ArgumentConflict, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sinks::ReportFormat;

    fn read(line: &str) -> Result<RunArgs, clap::Error> {
        let words = ["rmq-scenario", "run"].into_iter().chain(line.split_whitespace());
        match Cli::read(words)?.command {
            Command::Run(run) => Ok(*run),
            other => unreachable!("the line says run, not {other:?}"),
        }
    }

    fn refusal(line: &str) -> String {
        let error = read(line).expect_err("a mistake");
        assert_eq!(error.exit_code(), 2, "{line}");
        error.to_string().lines().next().expect("a message").to_owned()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_arrives() {
        let run = read(
            "a.yaml b.yaml --broker amqp://h --management http://h:1 --seed 7 --set ack=auto \
             --set x== --report json=out.json --report json=- -vv --color never",
        )
        .expect("right");
        assert_eq!(run.files, ["a.yaml", "b.yaml"]);
        assert_eq!(run.broker.as_deref(), Some("amqp://h"));
        assert_eq!(run.management.as_deref(), Some("http://h:1"));
        assert_eq!(Tls::from(&run.tls), Tls::default());
        assert_eq!((run.server, run.seed, run.verbose), (None, Some(7), 2));
        let settings: Vec<_> =
            run.settings.iter().map(|s| (s.name.as_str(), s.value.as_str())).collect();
        assert_eq!(settings, [("ack", "auto"), ("x", "=")]);
        let reports = ["out.json", "-"]
            .map(|path| ReportArg { format: ReportFormat::Json, path: path.to_owned() });
        assert_eq!(run.reports, reports);
        assert_eq!(ColorChoice::from(run.color), ColorChoice::Never);
        let keep = Cli::read(["rmq-scenario", "keep-node"]).expect("right");
        assert!(matches!(keep.command, Command::KeepNode));
    }

    #[test]
    fn the_warm_broker_has_three_commands() {
        let up = Cli::read(["rmq-scenario", "broker", "up", "--server", "s"]).expect("right");
        let Command::Broker(BrokerCommand::Up(up)) = up.command else { panic!("{up:?}") };
        assert_eq!(up.server.as_deref(), Some("s"));
        for word in ["status", "down"] {
            assert!(Cli::read(["rmq-scenario", "broker", word]).is_ok(), "{word}");
        }
        let error = Cli::read(["rmq-scenario", "broker", "sideways"]).expect_err("a mistake");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn tls_is_verified_unless_a_word_says_otherwise() {
        let run = read("f --broker amqps://h --tls-ca ca --tls-cert c --tls-key k").expect("right");
        let [ca, certificate, key] = ["ca", "c", "k"].map(|file| Some(PathBuf::from(file)));
        assert_eq!(Tls::from(&run.tls), Tls { ca, certificate, key, insecure: false });
        let run = read("f --broker amqps://h --tls-insecure").expect("right");
        assert_eq!(Tls::from(&run.tls), Tls { insecure: true, ..Tls::default() });
    }

    #[test]
    fn mistakes_are_refused_with_a_remedy() {
        for (line, message) in [
            ("", "error: the following required arguments were not provided:"),
            (
                "f --set ack",
                "error: invalid value 'ack' for '--set <NAME=VALUE>': \
                 write NAME=VALUE, such as ack=auto",
            ),
            (
                "f --set =1",
                "error: invalid value '=1' for '--set <NAME=VALUE>': \
                 the name of the variable is missing before `=`",
            ),
            (
                "f --report xml=x",
                "error: invalid value 'xml=x' for '--report <FORMAT=PATH>': \
                 there is no report format `xml`; there is: json",
            ),
            (
                "f --seed many",
                "error: invalid value 'many' for '--seed <N>': invalid digit found in string",
            ),
            (
                "f --broker amqp://h --server s",
                "error: --broker uses a running broker and --server starts one: give one of them",
            ),
            (
                "f --tls-insecure",
                "error: --tls-… goes with --broker: a private broker is reached without TLS",
            ),
            ("f --broker=", "error: the value of --broker is empty"),
        ] {
            assert_eq!(refusal(line), message, "{line}");
        }
    }

    /// What remains of broker, management and server when all come from the environment but
    /// those that are `written`.
    fn chosen(given: [&str; 3], written: &[&str]) -> Result<[Option<String>; 3], String> {
        let mut run = read("f").expect("right");
        [run.broker, run.management, run.server] = given.map(|value| Some(value.to_owned()));
        choose_broker(&mut run, |name| written.contains(&name))?;
        Ok([run.broker, run.management, run.server])
    }

    #[test]
    fn the_command_line_wins_over_the_environment() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(chosen(["", "", ""], &[]), Ok([None, None, None]));
        assert_eq!(chosen(["b", "m", ""], &[]), Ok([some("b"), some("m"), None]));
        assert_eq!(chosen(["b", "m", "s"], &["broker"]), Ok([some("b"), some("m"), None]));
        assert_eq!(chosen(["b", "m", "s"], &["server"]), Ok([None, None, some("s")]));
        assert_eq!(
            chosen(["b", "m", "s"], &[]),
            Err("RMQ_SCENARIO_BROKER and RMQ_SCENARIO_SERVER are both set: unset one of them, \
                 or give --broker or --server"
                .to_owned())
        );
        assert_eq!(
            chosen(["", "m", ""], &["management"]),
            Err("--management goes with --broker: a private broker brings its own".to_owned())
        );
    }

    #[test]
    fn help_is_for_beginners_and_fits() {
        let mut command = Cli::command();
        command.build();
        let run = command.find_subcommand_mut("run").expect("there is a subcommand `run`");
        for text in [run.render_help().to_string(), run.render_long_help().to_string()] {
            for part in ["Examples:", "Exit codes:", "RMQ_SCENARIO_BROKER", "--report"] {
                assert!(text.contains(part), "{part} is missing in\n{text}");
            }
            assert!(!text.contains("keep-node") && !text.contains("RMQ_SCENARIO_BROKER="));
            for line in text.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
        }
        assert!(!command.render_long_help().to_string().contains("keep-node"));
    }
}
