//! Whether a process stands still. A signal that stops it is only the beginning: each of its
//! threads stops when it comes to notice, and until then one of them may still answer somebody.

use std::fs;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Pid;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

const STEP: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until all of a process that was told to stop has stopped. False when it does not.
pub(super) async fn reached(process: Pid) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while !stopped(process).await {
        if Instant::now() > deadline {
            return false;
        }
        sleep(STEP).await;
    }
    true
}

async fn stopped(process: Pid) -> bool {
    match cfg!(target_os = "linux") {
        true => threads(process).unwrap_or(false),
        false => by_ps(process).await,
    }
}

/// proc_pid_stat(5): the state is the first field behind the name in brackets; `T` is stopped.
fn threads(process: Pid) -> io::Result<bool> {
    for thread in fs::read_dir(format!("/proc/{}/task", process.as_raw_nonzero()))? {
        // One that has ended meanwhile does nothing any more, either.
        let stat = fs::read_to_string(thread?.path().join("stat")).unwrap_or_default();
        let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start().starts_with('T'));
        if state == Some(false) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn by_ps(process: Pid) -> bool {
    let mut command = Command::new("ps");
    command.args(["-o", "state=", "-p", &process.as_raw_nonzero().to_string()]);
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    output.is_ok_and(|output| output.stdout.trim_ascii().starts_with(b"T"))
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, kill_process};

    use super::*;

    #[test]
    fn a_process_stands_still_when_it_was_told_to() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process = Pid::from_child(&child);
        runtime.block_on(async {
            assert!(!stopped(process).await && !by_ps(process).await);
            kill_process(process, Signal::STOP).unwrap();
            assert!(reached(process).await);
            assert!(by_ps(process).await);
            kill_process(process, Signal::CONT).unwrap();
            while stopped(process).await {}
        });
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
