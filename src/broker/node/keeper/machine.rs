//! The Erlang machine of a node as a process.
//!
//! The process that was started need not be it: a script may have it further down. Signals are
//! for the machine itself, which writes down its process id. That is believed only while it is in
//! the group of the process that was started.

use std::fs;
use std::path::Path;

use rustix::process::{Pid, Signal, getpgid, kill_process};
use tokio::process::Child;

use super::stillness;

/// What is done to a running node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// It may write what it has.
    End,
    Kill,
    Pause,
    Resume,
}

/// The machine that `child` is, or has further down.
///
/// # Errors
/// The end of a sentence.
pub(super) fn of(child: &Child, pid_file: &Path) -> Result<Pid, String> {
    let told = fs::read_to_string(pid_file).ok();
    let machine = told.and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    machine
        .filter(|machine| group.is_some() && getpgid(Some(*machine)).ok() == group)
        .ok_or_else(|| "which process it is cannot be told".to_owned())
}

/// Sends it a signal; returns when that has had its effect, but for its end.
pub(super) async fn push(machine: Pid, push: Push) -> Result<(), String> {
    let signal = match push {
        Push::End => Signal::TERM,
        Push::Kill => Signal::KILL,
        Push::Pause => Signal::STOP,
        Push::Resume => Signal::CONT,
    };
    kill_process(machine, signal).map_err(|error| error.to_string())?;
    if push == Push::Pause && !stillness::reached(machine).await {
        return Err(format!("its process {} goes on", word(machine)));
    }
    Ok(())
}

pub(super) fn word(pid: Pid) -> String {
    pid.as_raw_nonzero().to_string()
}
