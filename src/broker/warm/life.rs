//! Which process a process id stands for.

use std::process::{Command, Stdio};

/// When the process began, in words that another process of the same id would not have; `None`
/// when there is none. A dead process that nobody has waited for counts as none.
pub(super) fn born(id: u32) -> Option<String> {
    if cfg!(target_os = "linux") { by_proc(id) } else { by_ps(id) }
}

/// proc_pid_stat(5): the state is the first field behind the name in brackets, which may
/// contain anything; the start, in ticks since the machine's boot, is the 20th.
fn by_proc(id: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if ["Z", "X"].contains(fields.first()?) {
        return None;
    }
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Some(format!("{} {}", boot.trim(), fields.get(19)?))
}

fn by_ps(id: u32) -> Option<String> {
    let mut command = Command::new("ps");
    command.args(["-o", "state=,lstart=", "-p", &id.to_string()]).env("LC_ALL", "C");
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let line = String::from_utf8_lossy(&output.stdout);
    let (state, start) = line.trim().split_once(' ')?;
    (!state.starts_with('Z')).then(|| start.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_told_from_others_and_from_none() {
        let own = std::process::id();
        for look in [born, by_ps] {
            let me = look(own).expect("it lives");
            assert_eq!(look(own), Some(me));
            assert_eq!(look(u32::MAX / 4), None);
        }
        let mut child = Command::new("sleep").arg("60").spawn().expect("there is sleep");
        assert!(born(child.id()).is_some());
        child.kill().expect("it is ours");
        // Dead but not waited for, as soon as the signal has arrived.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while born(child.id()).is_some() {
            assert!(std::time::Instant::now() < deadline, "it is still there");
            std::thread::yield_now();
        }
        child.wait().expect("it is ours");
    }
}
