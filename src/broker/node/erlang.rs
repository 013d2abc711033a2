//! Asking a running node to evaluate an Erlang expression: by `erl_call`, which is part of Erlang
//! and takes some 20 ms, or where that is not found by the `rabbitmqctl` that belongs to the
//! server, which takes half a second.
//!
//! Both enter with the node's own cookie, which they read from its home: no secret is on a
//! command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::call::call;
use super::files;
use super::locate::is_program;

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
    read(&call(command, &input).await?)
}

/// `erl_call` says `{ok, value}` or `{error, why}`, both with success; `rabbitmqctl` says the
/// value, or fails.
fn read(said: &str) -> Result<String, String> {
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
    use super::*;

    #[test]
    fn both_ways_to_ask_are_understood() {
        assert_eq!(read("{ok, [{a, 'b c'}]}"), Ok("[{a, 'b c'}]".to_owned()));
        assert_eq!(read("[{a,'b c'}]"), Ok("[{a,'b c'}]".to_owned()));
        let error = read("{error, \"*** eval: {'EXIT',{undef,[]}}\"}").unwrap_err();
        assert!(error.contains("undef"), "{error}");
    }
}
