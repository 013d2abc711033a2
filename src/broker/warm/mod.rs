//! A private node that stays up between runs: one for each user, started and ended by hand, and
//! found by every run.
//!
//! Its keeper is told to stay when the starter ends. What it is and where it is stands in a file
//! of the user's; that the file speaks of something that still lives is seen by the keeper's
//! process id and the moment that process was born, since ids are used again.

mod life;
mod place;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::error::{BrokerError, Kind};
use super::greeting::greet;
use super::management::{Contents, Management};
use super::node::{Facts, Nodes, Server, clear};
use super::route::Route;
use super::settings::Settings;
use place::Place;

const STEP: Duration = Duration::from_millis(50);
/// How long the keeper may take to end the node; it takes some 20 ms.
const PATIENCE: Duration = Duration::from_secs(15);

/// A node that was left standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    keeper: u32,
    /// When the keeper's process began, in the system's own words.
    born: String,
    /// Since the epoch.
    since_s: u64,
    pub version: String,
    /// The script that it runs, or `docker:IMAGE`.
    pub server: PathBuf,
    pub facts: Facts,
}

/// What the user's file says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warm {
    /// Nothing, or nothing that can be believed.
    Absent,
    Standing(Standing),
    /// It was not ended by `down`, and is no more.
    Fallen(Standing),
}

/// Looks whether there is one.
pub fn warm() -> Warm {
    Place::of_user().read().map_or(Warm::Absent, |standing| {
        if standing.lives() { Warm::Standing(standing) } else { Warm::Fallen(standing) }
    })
}

/// The file that says where it is, which only its user may read.
pub fn warm_file() -> PathBuf {
    Place::of_user().file()
}

/// Starts one, unless it stands already; whether it was started, and how long that took, is
/// told beside it. Two at the same time end with the same one.
///
/// # Errors
/// When it does not come up, when its file cannot be written, and when one of another `server`
/// stands.
pub async fn warm_up(
    server: Option<&Path>,
    keeper: &Path,
) -> Result<(Standing, Option<Duration>), BrokerError> {
    let place = Place::of_user();
    let _locked = place.lock()?;
    let wanted = match server {
        Some(server) => Some(Server::choose(Some(server)).await?.whole()),
        None => None,
    };
    let found = place.read();
    if let Some(standing) = found.clone().filter(Standing::lives) {
        if wanted.is_some_and(|wanted| wanted.name() != standing.server) {
            return Err(another(&standing));
        }
        return Ok((standing, None));
    }
    if let Some(fallen) = found {
        clear(&fallen.facts.dir).await;
    }
    let server = match wanted {
        Some(server) => server,
        None => Server::choose(None).await?.whole(),
    };
    let node = Nodes::start(&server, keeper, &Settings::default()).await?;
    let ready_after = node.ready_after;
    let standing = standing(&node, server.name()).await?;
    // Known before it is left alone: whatever ends us in between ends the node, too.
    place.write(&standing)?;
    node.leave()?;
    Ok((standing, Some(ready_after)))
}

async fn standing(node: &Nodes, server: PathBuf) -> Result<Standing, BrokerError> {
    let facts = node.facts[0].clone();
    let route = Route::private(&facts);
    let greeting = greet(&route, Duration::from_secs(10)).await;
    let version = greeting.map_err(|error| route.unreachable(&error))?.version;
    let keeper = node.keeper_id();
    let born = life::born(keeper).ok_or_else(|| {
        BrokerError::new(Kind::Boot, "the keeper of the warm RabbitMQ is out of sight")
            .help("`ps` must be able to show it")
    })?;
    let since_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(Standing { keeper, born, since_s, version, server, facts })
}

fn another(standing: &Standing) -> BrokerError {
    let Standing { version, server, .. } = standing;
    let server = server.display();
    let message = format!("RabbitMQ {version} of another server is up already: {server}");
    BrokerError::new(Kind::Usage, message).help("end it first: rmq-scenario broker down")
}

/// Ends it and waits until nothing of it is left. What was there is told.
///
/// # Errors
/// When it does not end.
pub async fn warm_down() -> Result<Option<Standing>, BrokerError> {
    let place = Place::of_user();
    if !place.exists() {
        return Ok(None);
    }
    let locked = place.lock()?;
    let found = place.read();
    let mut ended = None;
    if let Some(standing) = found {
        if standing.lives() {
            standing.end().await?;
            ended = Some(standing);
        } else {
            clear(&standing.facts.dir).await;
        }
    }
    place.remove(locked)?;
    Ok(ended)
}

impl Standing {
    /// Whether its keeper lives. The node does, too, or is just being tidied away.
    pub fn lives(&self) -> bool {
        life::born(self.keeper).is_some_and(|born| born == self.born)
    }

    /// Whether it has ended, or is ending: while its keeper tidies up nobody listens any more.
    pub(super) fn has_fallen(&self) -> bool {
        const PATIENCE: Duration = Duration::from_secs(1);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.facts.amqp));
        !self.lives() || TcpStream::connect_timeout(&address, PATIENCE).is_err()
    }

    pub fn since(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.since_s)
    }

    /// What is on it.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn contents(&self) -> Result<Contents, BrokerError> {
        Management::private(std::slice::from_ref(&self.facts))?.contents().await
    }

    /// Forgets one that has fallen, and removes what its keeper may have left.
    pub async fn forget(&self) {
        let place = Place::of_user();
        // Somebody may have started another meanwhile; what cannot be removed is harmless.
        if let Ok(locked) = place.lock()
            && place.read().as_ref() == Some(self)
            && !self.lives()
        {
            clear(&self.facts.dir).await;
            let _ = place.remove(locked);
        }
    }

    async fn end(&self) -> Result<(), BrokerError> {
        let deadline = Instant::now() + PATIENCE;
        let pid = i32::try_from(self.keeper).ok().and_then(Pid::from_raw);
        while self.lives() {
            if Instant::now() > deadline {
                let seconds = PATIENCE.as_secs();
                let message = format!("the warm RabbitMQ has not ended after {seconds} s");
                return Err(BrokerError::new(Kind::Boot, message).help(format!(
                    "its keeper is process {}, its directory {}",
                    self.keeper,
                    self.facts.dir.display()
                )));
            }
            // Again, because a keeper that was only just told to stay may not have heard it yet.
            if let Some(pid) = pid {
                let _ = kill_process(pid, Signal::TERM);
            }
            sleep(STEP).await;
        }
        Ok(())
    }
}
