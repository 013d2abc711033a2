//! The nodes of a private broker, as their owner sees them: started through their keeper, ready
//! when they answer, gone when this value is.

mod call;
mod container;
mod end;
mod epmd;
mod erlang;
mod files;
mod hand;
mod keeper;
mod locate;
mod ports;

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use super::error::{BrokerError, Kind};
use super::greeting::greet;
use super::management::Management;
use super::route::Route;
use super::settings::Settings;
use container::Container;
use hand::Keeper;
use keeper::{Exit, Orders, Said, Told};

pub use container::{Engine, container_engine};
pub use files::{Facts, raise_open_files};
pub(crate) use hand::Hand;
pub(crate) use keeper::Act;
pub use keeper::{KEEPER_WORD, keep_node};
pub(crate) use locate::Server;
pub use locate::{SERVER_VARIABLE, install_command, locate};

/// How long a node may take to answer.
const BOOT_DEADLINE: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(20);
/// What is not enabled by then is not going to be.
const AGREEMENT: Duration = Duration::from_secs(5);

/// Running private nodes of one broker. Dropping this ends them, a moment later;
/// [`Nodes::close`] waits.
#[derive(Debug)]
pub(crate) struct Nodes {
    /// At least one.
    pub facts: Vec<Facts>,
    /// From the start of the keeper to the last answer.
    pub ready_after: Duration,
    keeper: Keeper,
}

impl Nodes {
    /// Starts the `server` under a keeper, which is the program `keeper` run with
    /// [`KEEPER_WORD`]. When another program takes one of its ports meanwhile, it tries again.
    pub async fn start(
        server: &Server,
        keeper: &Path,
        settings: &Settings,
    ) -> Result<Self, BrokerError> {
        let orders = Orders { settings: settings.clone() };
        const TRIES: usize = 3;
        let started = Instant::now();
        let mut last = None;
        for _ in 0..TRIES {
            match Self::attempt(server, keeper, &orders, started).await? {
                Attempt::Ready(nodes) => return Ok(*nodes),
                Attempt::Unlucky(error) => last = Some(error),
            }
        }
        Err(last.expect("there was a try"))
    }

    async fn attempt(
        server: &Server,
        keeper: &Path,
        orders: &Orders,
        started: Instant,
    ) -> Result<Attempt, BrokerError> {
        let mut keeper = Keeper::start(server, keeper, orders).await?;
        let facts = match keeper.listen().await {
            Said::Started(facts) => facts,
            said => return failure(said, keeper, server).await,
        };
        let ready = async {
            for one in facts.chunks(1) {
                answers(&Route::private(&one[0]), Some(&Management::private(one)?)).await;
            }
            formed(&facts).await
        };
        tokio::select! {
            said = keeper.listen() => return failure(said, keeper, server).await,
            answered = timeout(BOOT_DEADLINE, ready) => match answered {
                Ok(answered) => answered?,
                Err(_) => return Err(too_slow(&facts)),
            }
        }
        let ready_after = started.elapsed();
        Ok(Attempt::Ready(Box::new(Self { facts, ready_after, keeper })))
    }

    /// The process that keeps them.
    pub fn keeper_id(&self) -> u32 {
        self.keeper.id()
    }

    /// The way to have their keeper do something with them.
    pub fn hand(&self) -> &Hand {
        self.keeper.hand()
    }

    /// Leaves them standing: their keeper no longer ends them with us, but when it is told.
    pub fn leave(self) -> Result<(), BrokerError> {
        self.hand().tell(&Told::Stay).map_err(|error| not_started(&error))
    }

    /// Ends them and waits until nothing of them is left.
    pub async fn close(self) -> Result<(), BrokerError> {
        self.keeper.close().await
    }
}

/// Removes what is left of a node whose keeper was killed: its processes, as far as the system
/// shows them, and its directory.
pub(crate) async fn clear(dir: &Path) {
    let ours = dir.file_name().and_then(|name| name.to_str());
    if !ours.is_some_and(|name| name.starts_with(files::DIRECTORY)) || !dir.is_dir() {
        return;
    }
    end::strays(dir, None).await;
    // What cannot be removed is of no consequence to whatever comes next.
    let _ = fs::remove_dir_all(dir);
}

enum Attempt {
    Ready(Box<Nodes>),
    /// What kept it from booting may be gone with other ports, or at another moment.
    Unlucky(BrokerError),
}

/// Waits until a node answers AMQP and, with our password, HTTP: somebody else's node on one of
/// its ports is not taken for it. One without a management API is taken at its word.
pub(crate) async fn answers(route: &Route, management: Option<&Management>) {
    let once = Duration::from_secs(2);
    while greet(route, once).await.is_err() {
        sleep(STEP).await;
    }
    let Some(management) = management else { return };
    while !management.is_ready().await {
        sleep(STEP).await;
    }
}

/// Waits until each node of a cluster reports all of them running, and can do what each of them can:
/// on 3.10 whoever joins agrees with the others about that a moment later, and declares no quorum
/// queue until then.
async fn formed(facts: &[Facts]) -> Result<(), BrokerError> {
    for one in facts.chunks(1).filter(|_| facts.len() > 1) {
        let management = Management::private(one)?;
        while management.running().await.map_or(0, |running| running.len()) < facts.len() {
            sleep(STEP).await;
        }
        agreed(&management).await?;
    }
    Ok(())
}

/// Waits until a node does all that its version can; of what it does not begin by itself (seen on
/// 3.10.8 when three nodes joined on a busy machine: no quorum queues for ever) it is told to.
async fn agreed(management: &Management) -> Result<(), BrokerError> {
    let started = Instant::now();
    loop {
        let disabled = management.disabled_features().await;
        if disabled.as_ref().is_ok_and(Vec::is_empty) {
            return Ok(());
        }
        if started.elapsed() > 4 * AGREEMENT {
            let names = disabled?.join(", ");
            let message = format!("the private RabbitMQ does not enable its features {names}");
            let help = "its nodes do not agree; another try may do, on a machine with less to do";
            return Err(BrokerError::new(Kind::Boot, message).help(help));
        }
        if started.elapsed() > AGREEMENT {
            for name in disabled.into_iter().flatten() {
                // Whatever fails now is tried again, or told.
                let _ = management.enable_feature(&name).await;
            }
        }
        sleep(STEP).await;
    }
}

async fn failure(said: Said, keeper: Keeper, server: &Server) -> Result<Attempt, BrokerError> {
    // The node is tidied away before the error is told, whatever becomes of that.
    let _ = keeper.close().await;
    let (unlucky, log) = match said {
        Said::Exited(Exit { unlucky, log, .. }) => (unlucky, log),
        Said::Failed { message } => return Err(not_started(&message)),
        Said::Started(_) | Said::Answer { .. } => {
            return Err(not_started("its keeper said what nobody had asked"));
        }
    };
    let error = BrokerError::new(Kind::Boot, "the private RabbitMQ ended while it booted");
    let mut error = error.help(match server {
        Server::Script(_) => {
            "the lines above are from its log; `--server` names another installation".into()
        }
        Server::Container(Container { image, .. }) => format!(
            "the lines above are the last words of its container, from the image {image}; \
             `--server` names another one, or an installation"
        ),
    });
    error.notes = log;
    if unlucky { Ok(Attempt::Unlucky(error)) } else { Err(error) }
}

fn not_started(why: &str) -> BrokerError {
    BrokerError::new(Kind::Boot, format!("the private RabbitMQ could not be started: {why}"))
        .help("`--server` names another installation, `--broker` a running one")
}

fn too_slow(facts: &[Facts]) -> BrokerError {
    let seconds = BOOT_DEADLINE.as_secs();
    let message = format!("the private RabbitMQ does not answer after {seconds} s");
    let mut error = BrokerError::new(Kind::Boot, message)
        .help("the lines above are from its log; is the machine overloaded?");
    error.notes = facts.iter().flat_map(|facts| files::log_tail(&facts.dir)).collect();
    error
}
