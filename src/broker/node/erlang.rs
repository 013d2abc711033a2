//! Asking a running node to evaluate an Erlang expression: by `erl_call`, which is part of Erlang
//! and takes some 20 ms, or where that is not found by the `rabbitmqctl` that belongs to the
//! server, which takes half a second.
//!
//! Both enter with the node's own cookie, which they read from its home: no secret is on a
//! command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use super::files;
use super::locate::is_program;

/// Longer than it takes to restart what runs in a node, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the expression, which ends with a full stop, comes to: in Erlang's own words.
///
/// # Errors
/// The end of a sentence: why it comes to nothing.
pub(crate) async fn evaluate(
    name: &str,
    environment: Vec<(&'static str, OsString)>,
    server: &Path,
    expression: &str,
) -> Result<String, String> {
    let (mut command, input) = match find("erl_call") {
        Some(program) => {
            let mut command = Command::new(program);
            command.args(["-sname", name, "-e"]);
            (command, format!("{expression}\n"))
        }
        None => {
            let program = beside(server).ok_or_else(|| {
                let place = server.display();
                format!("there is no erl_call in PATH, and no rabbitmqctl beside {place}")
            })?;
            let mut command = Command::new(program);
            command.args(["-n", name, "eval", expression]);
            (command, String::new())
        }
    };
    command.env_clear().envs(environment);
    run(command, &input).await
}

/// Runs it with this as its input. What it says, if that means success.
///
/// # Errors
/// The end of a sentence.
pub(crate) async fn run(mut command: Command, input: &str) -> Result<String, String> {
    let program = Path::new(command.as_std().get_program()).display().to_string();
    let running = async {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not listen says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let late = |_| format!("{program} had no answer in {} s", PATIENCE.as_secs());
    let output = timeout(PATIENCE, running).await.map_err(late)?;
    read(&output.map_err(|error| format!("{program} cannot be run: {error}"))?)
}

/// `erl_call` says `{ok, value}` or `{error, why}`, both with success; `rabbitmqctl` says the
/// value, or why and fails.
fn read(output: &Output) -> Result<String, String> {
    let [said, why] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    let said = said.trim();
    if !output.status.success() {
        let why = if why.trim().is_empty() { said } else { why.trim() };
        return Err(format!("{}: {why}", output.status));
    }
    if said.starts_with("{error,") {
        return Err(said.to_owned());
    }
    let value = said.strip_prefix("{ok, ").and_then(|rest| rest.strip_suffix('}'));
    Ok(value.unwrap_or(said).to_owned())
}

/// A program of Erlang's: in the search path, or beside the program `erl` that a link in the path
/// leads to.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = files::search_path();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let in_path = dirs.iter().map(|dir| dir.join(name));
    let real = dirs.iter().filter_map(|dir| dir.join("erl").canonicalize().ok());
    let beside = real.map(|erl| erl.with_file_name(name));
    in_path.chain(beside).find(|program| is_program(program))
}

/// The `rabbitmqctl` of a server script: another one may not understand the node.
fn beside(server: &Path) -> Option<PathBuf> {
    let dir = server.parent()?;
    let places = [dir.to_owned(), dir.join("../sbin"), dir.join("../bin")];
    places.into_iter().map(|place| place.join("rabbitmqctl")).find(|it| is_program(it))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn said(code: i32, out: &str, err: &str) -> Result<String, String> {
        let status = ExitStatus::from_raw(code << 8);
        read(&Output { status, stdout: out.into(), stderr: err.into() })
    }

    #[test]
    fn both_ways_to_ask_are_understood() {
        assert_eq!(said(0, "{ok, [{a, 'b c'}]}", ""), Ok("[{a, 'b c'}]".to_owned()));
        assert_eq!(said(0, "[{a,'b c'}]\n", ""), Ok("[{a,'b c'}]".to_owned()));
        let error = said(0, "{error, \"*** eval: {'EXIT',{undef,[]}}\"}", "").unwrap_err();
        assert!(error.contains("undef"), "{error}");
        let error = said(69, "", "Error:\n{:undef, []}\n").unwrap_err();
        assert!(error.starts_with("exit status: 69: Error:"), "{error}");
        let error = said(1, "", "erl_call: failed to connect to node rmq@localhost").unwrap_err();
        assert!(error.contains("failed to connect"), "{error}");
    }
}
