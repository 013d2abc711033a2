//! Engines that are scripts: which is taken, what is told when none can be, and the command line.

use std::fs;

use super::*;

/// A directory with engines that do what these scripts say.
fn engines(scripts: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, script) in scripts {
        // Another process writes it: a child that some other test forks meanwhile would hold our
        // file open, and what is open for writing cannot be run.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$2\" >\"$1\" && chmod 755 \"$1\"";
        let mut shell = std::process::Command::new("sh");
        let status =
            shell.args(["-c", write, "sh"]).arg(dir.path().join(name)).arg(script).status();
        assert!(status.unwrap().success());
    }
    dir
}

fn both() -> Vec<String> {
    ENGINES.map(str::to_owned).to_vec()
}

fn block_on<F: Future>(it: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(it)
}

fn named(image: &str, dir: &Path) -> Result<Container, BrokerError> {
    block_on(Container::with(image, dir.as_os_str(), &both()))
}

#[test]
fn engines_may_be_ruled_out() {
    let dir = engines(&[("docker", "true")]);
    for (allowed, why) in [
        (vec![], "RMQ_SCENARIO_ENGINE allows no engine"),
        (vec!["podman".to_owned()], "there is no podman in PATH"),
    ] {
        let error = block_on(Container::with("r:4", dir.path().as_os_str(), &allowed));
        assert_eq!(error.unwrap_err().message, format!("the image r:4 cannot be run: {why}"));
    }
}

fn instead(dir: &Path) -> Result<Container, BrokerError> {
    let error = BrokerError::new(Kind::NoServer, "no RabbitMQ server found");
    block_on(Container::instead_with(error, dir.as_os_str(), &both()))
}

const DOWN: &str = "echo 'Cannot connect to the daemon. Is it running?' >&2; exit 1";
const UNKNOWN: &str = "case $1 in ps) ;; image) exit 1 ;; pull) echo loading >&2; \
                       echo \"no such image: $2\" >&2; exit 1 ;; esac";

#[test]
fn the_first_engine_that_answers_is_taken() {
    for (docker, podman, taken) in
        [("true", "true", "docker"), (DOWN, "true", "podman"), ("true", DOWN, "docker")]
    {
        let dir = engines(&[("docker", docker), ("podman", podman)]);
        let image = "rabbitmq:4.3-management".to_owned();
        let expected = Container { engine: dir.path().join(taken), image };
        assert_eq!(named("rabbitmq:4.3-management", dir.path()).unwrap(), expected);
        assert_eq!(instead(dir.path()).unwrap().engine_name(), taken);
    }
    let dir = engines(&[("podman", "true")]);
    assert_eq!(instead(dir.path()).unwrap().image, DEFAULT_IMAGE);
}

#[test]
fn an_image_is_pulled_only_if_it_is_not_here() {
    let dir = tempfile::tempdir().unwrap();
    let calls = dir.path().join("calls");
    for (here, expected) in [
        ("true", "ps --quiet\nimage inspect a/b:1\n"),
        ("false", "ps --quiet\nimage inspect a/b:1\npull a/b:1\n"),
    ] {
        let script = format!("echo \"$*\" >>{}; [ $1 != image ] || {here}", calls.display());
        named("a/b:1", engines(&[("docker", &script)]).path()).unwrap();
        assert_eq!(fs::read_to_string(&calls).unwrap(), expected);
        fs::remove_file(&calls).unwrap();
    }
}

#[test]
fn what_keeps_a_named_image_from_running_is_told() {
    let none: &[(&str, &str)] = &[];
    for (image, scripts, message, words) in [
        ("r:4", none, "there is no docker or podman in PATH", ""),
        ("r:4", &[("docker", DOWN)], "docker is installed, but does not answer", "Cannot con"),
        ("r:4", &[("podman", UNKNOWN)], "podman cannot pull the image r:4", "no such image"),
        ("", &[("docker", "true")], "docker: does not name an image", ""),
        ("--rm", &[("docker", "true")], "does not name an image", ""),
        ("a b", &[("docker", "true")], "does not name an image", ""),
    ] {
        let error = named(image, engines(scripts).path()).unwrap_err();
        assert_eq!(error.kind, Kind::NoServer);
        assert!(error.message.contains(message), "{message:?} in {error:?}");
        assert!(error.notes.join("\n").contains(words), "{words:?} in {error:?}");
        assert!(error.help.is_some(), "{error:?}");
    }
}

#[test]
fn without_a_server_the_error_tells_why_there_is_no_container_either() {
    let none: &[(&str, &str)] = &[];
    for (scripts, note) in [
        (none, "there is no docker or podman in PATH"),
        (&[("docker", DOWN)], "docker is installed, but does not answer:\n  Cannot connect"),
        (
            &[("docker", UNKNOWN)],
            "docker cannot pull the image rabbitmq:4-management:\n  loading\n  no such image",
        ),
    ] {
        let error = instead(engines(scripts).path()).unwrap_err();
        assert_eq!(error.message, "no RabbitMQ server found");
        let notes = error.notes.join("\n");
        assert!(notes.contains(note), "{note:?} in {notes}");
        assert!(notes.starts_with("or in a container:"), "{notes}");
    }
}

fn facts() -> Facts {
    Facts {
        name: "rmq@localhost".to_owned(),
        dir: PathBuf::from("/"),
        pid: 0,
        container: Some("rmq-scenario-1".to_owned()),
        epmd_pid: None,
        amqp: 1000,
        management: 2000,
        distribution: 3000,
        epmd: 4000,
        user: "u".to_owned(),
        password: "s3cret-word".to_owned(),
    }
}

#[test]
fn the_command_line_publishes_on_loopback_and_tells_no_password() {
    let it = Container { engine: "docker".into(), image: "r:4".to_owned() };
    let arguments = it.arguments(&facts()).join(" ");
    let expected = format!(
        "run --name=rmq-scenario-1 --label=rmq-scenario \
         --ulimit=nofile=65536:65536 --publish=127.0.0.1:1000:5672 \
         --publish=127.0.0.1:2000:15672 --env=RMQ_SCENARIO_CONF \
         --env=RMQ_SCENARIO_ADVANCED --env=RMQ_SCENARIO_PLUGINS r:4 sh -c {PREPARE}"
    );
    assert_eq!(arguments, expected);
    let told: Vec<(&str, String)> = environment(&facts(), &Settings::default()).collect();
    assert!(told[0].1.contains("default_pass = s3cret-word\n"), "{told:?}");
    assert!(!told[0].1.contains("listeners"), "the image has its own: {told:?}");
}

#[test]
fn a_taken_port_is_known_by_the_words_of_each_engine() {
    for words in [
        "docker: Error response from daemon: driver failed programming external connectivity \
         on endpoint x: Bind for 127.0.0.1:5 failed: port is already allocated",
        "Error: rootlessport listen tcp 127.0.0.1:5: bind: address already in use",
    ] {
        assert!(port_was_taken(words));
    }
    assert!(!port_was_taken("Error: no such image"));
}
