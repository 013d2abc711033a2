//! Ending a node: its process group, what it started beside it, and its directory.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{Instant, sleep};

const STEP: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(1);

/// Kills the process and its group, and waits for the process.
pub(crate) async fn group(child: &mut Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    let _ = child.wait().await;
}

/// Kills what bears the node's directory in its environment, except `keep`: port programs and
/// short-lived Erlang machines that have left the group. Where the system does not show
/// environments, they are left to notice the end of their pipes.
pub(crate) async fn strays(dir: &Path, keep: Option<u32>) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = belonging_to(dir, keep);
        if found.is_empty() || Instant::now() > deadline {
            return;
        }
        for pid in found {
            let _ = kill_process(pid, Signal::KILL);
        }
        sleep(STEP).await;
    }
}

fn belonging_to(dir: &Path, keep: Option<u32>) -> Vec<Pid> {
    let mark = [b"HOME=", dir.as_os_str().as_encoded_bytes()].concat();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|&id| Some(id) != keep && id != std::process::id())
        .filter(|id| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|&byte| byte == 0).any(|entry| entry == mark)
        })
        .filter_map(|id| Pid::from_raw(i32::try_from(id).ok()?))
        .collect()
}

/// Removes the directory; something dying may still have written into it during the removal.
pub(crate) async fn remove(dir: TempDir) -> io::Result<()> {
    let path = dir.keep();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound && Instant::now() < deadline => {
                sleep(STEP).await;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            done => return done,
        }
    }
}
