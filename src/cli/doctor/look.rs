//! Looking at one thing after another, without changing any.

use std::env;
use std::net::TcpListener;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

use crate::broker::{Engine, Warm, container_engine, raise_open_files, warm};
use crate::cli::doctor::finding::Finding;

/// A node writes little, but stops its publishers when less than this is free (bytes).
const ROOM: u64 = 200 << 20;
/// Each client is a socket, and a node keeps hundreds of files of its own.
const FILES: u64 = 4096;

pub fn program() -> Finding {
    let (version, system) = (env!("CARGO_PKG_VERSION"), env::consts::OS);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let found = format!("{version} on {system} {}, {cores} cores", env::consts::ARCH);
    Finding::good("rmq-scenario", found)
}

/// Containers are one way to a broker; where another is there, `served`, none is needed.
pub async fn engine(served: bool) -> Finding {
    let need = if served { "; none is needed" } else { "" };
    match container_engine().await {
        Engine::Answers(name) => {
            Finding::good("containers", format!("{name} answers; use it as --server docker:IMAGE"))
        }
        Engine::Silent(name, words) => {
            let found = format!("{name} is there and does not answer{need}");
            let finding = words.into_iter().fold(Finding::odd("containers", found), Finding::note);
            finding.mend(format!("sudo systemctl start {name}"))
        }
        Engine::Absent(why) => Finding::odd("containers", format!("{why}{need}")),
    }
}

pub fn warm_broker() -> Finding {
    match warm() {
        Warm::Standing(standing) => {
            let version = &standing.version;
            Finding::good("warm broker", format!("RabbitMQ {version} is up, `run` uses it"))
        }
        Warm::Absent => {
            Finding::good("warm broker", "none is up; `rmq-scenario broker up` starts one")
        }
        Warm::Fallen(standing) => {
            let version = &standing.version;
            Finding::odd("warm broker", format!("RabbitMQ {version} has died"))
                .mend("rmq-scenario broker up")
        }
    }
}

/// Private nodes listen on free ports there.
pub fn loopback() -> Finding {
    match TcpListener::bind(("127.0.0.1", 0)) {
        Ok(_) => Finding::good("ports", "free ones of 127.0.0.1 can be used"),
        Err(error) => Finding::bad("ports", format!("no port of 127.0.0.1 can be used: {error}"))
            .mend("sudo ip link set lo up")
            .blocking(),
    }
}

/// Where private nodes write.
pub fn folder() -> Finding {
    folder_at(&env::temp_dir())
}

fn folder_at(path: &Path) -> Finding {
    let name = path.display();
    if let Err(error) = tempfile::tempdir_in(path) {
        return Finding::bad("files", format!("{name} cannot be written: {error}"))
            .mend("name another folder: export TMPDIR=…");
    }
    let Ok(room) = rustix::fs::statvfs(path) else {
        return Finding::good("files", format!("{name} can be written"));
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let found = format!("{name} can be written, {} MB are free", free >> 20);
    if free < ROOM {
        return Finding::odd("files", found)
            .note("a broker that has little room blocks its publishers")
            .mend("make room, or name another folder: export TMPDIR=…");
    }
    Finding::good("files", found)
}

pub fn open_files() -> Finding {
    raise_open_files();
    match getrlimit(Resource::Nofile).current {
        Some(most) if most < FILES => {
            Finding::odd("open files", format!("{most} at once, few for many clients"))
                .mend("sudo sh -c 'ulimit -Hn 65536; exec su - YOU', or the limits of your session")
        }
        Some(most) => Finding::good("open files", format!("{most} at once")),
        None => Finding::good("open files", "as many as there may be"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::State;

    #[test]
    fn a_folder_that_cannot_be_written_is_told_with_its_remedy() {
        let found = folder_at(Path::new("/nonexistent"));
        assert_eq!(found.state, State::Bad);
        assert!(found.remedy.is_some_and(|it| it.contains("TMPDIR")));
        assert_eq!(folder().state, State::Good);
    }
}
