//! A private node, as its owner sees it: started through its keeper, ready when it answers,
//! gone when this value is.

mod container;
mod end;
mod epmd;
mod files;
mod keeper;
mod locate;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use super::error::{BrokerError, Kind};
use super::greeting::greet;
use super::management::Management;
use super::route::Route;
use super::settings::Settings;
use container::Container;
use keeper::{Orders, STAY, Said};

pub use files::{Facts, raise_open_files};
pub use keeper::{KEEPER_WORD, keep_node};
pub(crate) use locate::Server;
pub use locate::{SERVER_VARIABLE, install_command, locate};

/// How long a node may take to answer.
const BOOT_DEADLINE: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(50);
/// How long the keeper may take to end a node; it takes some 20 ms, a container's engine seconds.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// A running private node. Dropping it ends the node, a moment later; [`Node::close`] waits.
#[derive(Debug)]
pub(crate) struct Node {
    pub facts: Facts,
    pub management: Management,
    /// From the start of the keeper to the last answer.
    pub ready_after: Duration,
    keeper: Keeper,
}

impl Node {
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
                Attempt::Ready(node) => return Ok(*node),
                Attempt::PortTaken(error) => last = Some(error),
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
        let management = Management::private(&facts)?;
        tokio::select! {
            said = keeper.listen() => return failure(said, keeper, server).await,
            answered = timeout(BOOT_DEADLINE, answers(&facts, &management)) => {
                if answered.is_err() {
                    return Err(too_slow(&facts));
                }
            }
        }
        let ready_after = started.elapsed();
        Ok(Attempt::Ready(Box::new(Self { facts, management, ready_after, keeper })))
    }

    /// The process that keeps it.
    pub fn keeper_id(&self) -> u32 {
        self.keeper.child.id().unwrap_or_default()
    }

    /// Leaves the node standing: its keeper no longer ends it with us, but when it is told.
    pub async fn leave(mut self) -> Result<(), BrokerError> {
        let life = self.keeper.life.as_mut().expect("it is taken only when the keeper is closed");
        let told = life.write_all(STAY.as_bytes()).await;
        told.map_err(|error| not_started(&format!("its keeper does not listen: {error}")))
    }

    /// Ends the node and waits until nothing of it is left.
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
    Ready(Box<Node>),
    PortTaken(BrokerError),
}

/// Waits until the node answers AMQP and, with our password, HTTP: somebody else's node on one
/// of its ports is not taken for it.
async fn answers(facts: &Facts, management: &Management) {
    let once = Duration::from_secs(2);
    let route = Route::private(facts);
    while greet(&route, once).await.is_err() {
        sleep(STEP).await;
    }
    while !management.is_ready().await {
        sleep(STEP).await;
    }
}

async fn failure(said: Said, keeper: Keeper, server: &Server) -> Result<Attempt, BrokerError> {
    // The node is tidied away before the error is told, whatever becomes of that.
    let _ = keeper.close().await;
    let (port_was_taken, log) = match said {
        Said::Exited { port_was_taken, log } => (port_was_taken, log),
        Said::Failed { message } => return Err(not_started(&message)),
        Said::Started(_) => return Err(not_started("its keeper started a second one")),
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
    if port_was_taken { Ok(Attempt::PortTaken(error)) } else { Err(error) }
}

fn not_started(why: &str) -> BrokerError {
    BrokerError::new(Kind::Boot, format!("the private RabbitMQ could not be started: {why}"))
        .help("`--server` names another installation, `--broker` a running one")
}

fn too_slow(facts: &Facts) -> BrokerError {
    let seconds = BOOT_DEADLINE.as_secs();
    let message = format!("the private RabbitMQ does not answer after {seconds} s");
    let mut error = BrokerError::new(Kind::Boot, message)
        .help("the lines above are from its log; is the machine overloaded?");
    error.notes = files::log_tail(&facts.dir);
    error
}

/// The keeper's process, as its owner sees it. The pipe closes with this value.
#[derive(Debug)]
struct Keeper {
    child: Child,
    life: Option<ChildStdin>,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Keeper {
    async fn start(server: &Server, program: &Path, orders: &Orders) -> Result<Self, BrokerError> {
        let mut child = Command::new(program)
            .arg(KEEPER_WORD)
            .args(server.words())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Whoever reads our output to its end must not wait for the keeper's.
            .stderr(Stdio::null())
            // A terminal's Ctrl-C goes to the program alone.
            .process_group(0)
            .spawn()
            .map_err(|error| not_started(&format!("cannot run {}: {error}", program.display())))?;
        let mut life = child.stdin.take().expect("standard input was asked for");
        let mut line =
            serde_json::to_vec(orders).map_err(|error| not_started(&error.to_string()))?;
        line.push(b'\n');
        // A keeper that cannot read its orders says why on the other pipe.
        let _ = life.write_all(&line).await;
        let stdout = child.stdout.take().expect("standard output was asked for");
        Ok(Self { child, life: Some(life), lines: BufReader::new(stdout).lines() })
    }

    /// The next thing it says; its silent end is a failure, too.
    async fn listen(&mut self) -> Said {
        let line = self.lines.next_line().await.ok().flatten().unwrap_or_default();
        let silent = || Said::Failed { message: "its keeper ended without a word".to_owned() };
        serde_json::from_str(&line).unwrap_or_else(|_| silent())
    }

    /// The last thing it has said that nobody listened to.
    async fn last_words(&mut self) -> Option<Said> {
        let mut last = None;
        while let Ok(Some(line)) = self.lines.next_line().await {
            last = serde_json::from_str(&line).ok();
        }
        last
    }

    async fn close(mut self) -> Result<(), BrokerError> {
        drop(self.life.take());
        match timeout(END_DEADLINE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                let why = match self.last_words().await {
                    Some(Said::Failed { message }) => message,
                    _ => status.to_string(),
                };
                Err(BrokerError::new(
                    Kind::Boot,
                    format!("the keeper of the private RabbitMQ could not tidy up: {why}"),
                ))
            }
            Ok(Err(error)) => Err(BrokerError::new(
                Kind::Boot,
                format!("the keeper of the private RabbitMQ is out of sight: {error}"),
            )),
            Err(_) => Err(BrokerError::new(
                Kind::Boot,
                format!("the private RabbitMQ has not ended after {} s", END_DEADLINE.as_secs()),
            )),
        }
    }
}
