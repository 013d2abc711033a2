//! The scripts that bring a RabbitMQ: what they answer without making anything. That they make
//! what they promise is seen by whoever tests on all versions.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts")
}

/// `scripts/rabbitmq` with the root file systems of `dir`, without an engine.
fn rabbitmq(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(scripts().join("rabbitmq"));
    command.args(arguments).env("RMQ_SCENARIO_ROOTS", dir).env("RMQ_SCENARIO_ENGINE", "none");
    command
}

/// What it says on standard output and on standard error.
#[track_caller]
fn said(output: Output, code: i32) -> (String, String) {
    let [out, err] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert_eq!(output.status.code(), Some(code), "{out}{err}");
    (out, err)
}

/// A version that no package has put here: the answer then depends on nothing else.
fn not_installed() -> &'static str {
    let installed = |version: &str| {
        let places = ["/usr/lib/rabbitmq/lib", "/usr/lib64/rabbitmq/lib", "/opt", "/usr/local"];
        let places = places.iter().chain(&["/usr/local/lib"]);
        let names = places.filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
        let names: Vec<_> = names.map(|it| it.file_name().into_string().unwrap()).collect();
        names.iter().any(|it| it.starts_with(&format!("rabbitmq_server-{version}.")))
    };
    ["4.3", "4.0", "3.10"].into_iter().find(|version| !installed(version)).expect("not all of them")
}

/// A directory that looks like a root of `named` with a server of version `holds`.
fn root(dir: &Path, named: &str, holds: &str) {
    let lib = format!("{named}/root/usr/lib/rabbitmq/lib/rabbitmq_server-{holds}");
    fs::create_dir_all(dir.join(lib)).unwrap();
    let script = dir.join(named).join("rabbitmq-server");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_wrong_command_line_is_told_with_the_versions_that_there_are() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["5.0"][..], &[], &["4.0", "4.3"], &["4.3.6"], &["3.1"]] {
        let (out, err) = said(rabbitmq(dir.path(), arguments).output().unwrap(), 2);
        assert_eq!(out, "", "{arguments:?}");
        assert!(err.contains("3.10, 4.0, 4.3"), "{arguments:?} {err}");
    }
    let (help, err) = said(rabbitmq(dir.path(), &["--help"]).output().unwrap(), 0);
    assert!(help.contains("RMQ_SCENARIO_ROOTS") && err.is_empty(), "{help}{err}");
}

#[test]
fn what_has_been_made_is_used_again_and_nothing_else_is_printed() {
    let (dir, version) = (tempfile::tempdir().unwrap(), not_installed());
    root(dir.path(), version, &format!("{version}.1"));
    let answer = said(rabbitmq(dir.path(), &[version]).output().unwrap(), 0);
    let script = dir.path().join(version).join("rabbitmq-server");
    assert_eq!(answer, (format!("{}\n", script.display()), String::new()));
}

#[test]
fn an_engine_that_answers_is_asked_for_the_image() {
    let (dir, version) = (tempfile::tempdir().unwrap(), not_installed());
    symlink(scripts().join("../tests/engine/docker"), dir.path().join("docker")).unwrap();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let mut command = rabbitmq(dir.path(), &[version]);
    command.env("PATH", path).env("FAKE_DIR", dir.path()).env("RMQ_SCENARIO_ENGINE", "docker");
    let (out, _) = said(command.output().unwrap(), 0);
    assert_eq!(out, format!("docker:rabbitmq:{version}-management\n"));
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    assert!(calls.ends_with(&format!("pull rabbitmq:{version}-management\n")), "{calls}");
}

#[test]
fn a_server_of_another_version_is_never_taken_for_the_one_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    // The release that has 4.0 today, with what it might have one day.
    root(dir.path(), "4.0", "4.1.2");
    let script = "set -eu; here=$1; . \"$1/machine.sh\"; . \"$1/roots.sh\"; \
                  complete \"$2\" && exit 9; enter 4.0 \"$2\" rabbitmq-server";
    let mut bash = Command::new("bash");
    bash.args(["-c", script, "bash"]).arg(scripts()).arg(dir.path().join("4.0"));
    let (out, err) = said(bash.output().unwrap(), 1);
    assert_eq!(out, "");
    assert!(err.contains("has RabbitMQ 4.1.2 now, and 4.0 no more"), "{err}");
}
