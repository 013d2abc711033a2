//! The name service of the Erlang distribution, one for each private broker.
//!
//! Left alone, a node starts it as a daemon that outlives it, and looks once a minute whether it
//! is still there. A child of the keeper in the foreground has neither fault: the node finds it
//! running, and its end is certain.

use std::io;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::erlang;
use super::files;

const STEP: Duration = Duration::from_millis(5);

/// Starts it in the foreground; `None` where its program is not found, and the node starts it.
pub(crate) fn start(home: &Path, port: u16) -> io::Result<Option<Child>> {
    let Some(program) = erlang::find("epmd") else { return Ok(None) };
    let child = Command::new(program)
        .args(["-port", &port.to_string(), "-address", "127.0.0.1"])
        .env_clear()
        .envs([("PATH", files::search_path()), ("HOME", home.into())])
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    Ok(Some(child))
}

/// Waits until it answers; false when it ended instead, its port being taken.
pub(crate) async fn answers(child: &mut Child, port: u16) -> io::Result<bool> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
            return Ok(true);
        }
        sleep(STEP).await;
    }
    Err(io::Error::other("epmd does not answer on its port"))
}

/// Asks a daemon that the node started to end, until nobody listens any more. It refuses while
/// a node is registered, which ends with the node's connection.
pub(crate) async fn end_daemon(port: u16) {
    const KILL_REQUEST: [u8; 3] = [0, 1, b'k'];
    let asking = async {
        while let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            let _ = stream.write_all(&KILL_REQUEST).await;
            sleep(STEP).await;
        }
    };
    // Bounded, because somebody else's program may listen there.
    let _ = timeout(Duration::from_secs(2), asking).await;
}
