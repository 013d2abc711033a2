//! Command lines, right and wrong.

use super::*;
use crate::report::sinks::ReportFormat;
use crate::report::style::ColorChoice;

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
    assert_eq!(run.broker_url().as_deref(), Some("amqp://h"));
    assert_eq!(run.management_url().as_deref(), Some("http://h:1"));
    assert!(!run.allow_faults && run.broker_control.is_empty());
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
fn the_nodes_of_a_cluster_are_given_one_by_one_or_with_commas() {
    let run = read(
        "f --broker amqp://a,amqp://b --broker amqp://c --management http://a:1 \
         --management http://b:1 --allow-faults --broker-control docker:a \
         --broker-control docker:b",
    )
    .expect("right");
    assert_eq!(run.broker_url().as_deref(), Some("amqp://a,amqp://b,amqp://c"));
    assert_eq!(run.management_url().as_deref(), Some("http://a:1,http://b:1"));
    assert!(run.allow_faults);
    assert_eq!(run.broker_control, ["docker:a", "docker:b"]);
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
             there is no report format `xml`; there are: json, junit, markdown, csv, html, ndjson; did you \
             mean `junit`?",
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
        ("f --broker amqp://h --broker=", "error: the value of --broker is empty"),
        (
            "f --allow-faults",
            "error: --allow-faults and --broker-control go with --broker: \
             to a private broker, every fault may be done",
        ),
    ] {
        assert_eq!(refusal(line), message, "{line}");
    }
}

/// What remains of broker, management and server when all come from the environment but
/// those that are `written`.
fn chosen(given: [&str; 3], written: &[&str]) -> Result<[Option<String>; 3], String> {
    let mut run = read("f").expect("right");
    let [broker, management, server] = given.map(str::to_owned);
    (run.broker, run.management, run.server) = (vec![broker], vec![management], Some(server));
    choosing::broker(&mut run, |name| written.contains(&name))?;
    Ok([run.broker_url(), run.management_url(), run.server])
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
