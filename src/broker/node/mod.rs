//! A private node, as its owner sees it: started through its keeper, ready when it answers,
//! gone when this value is.

mod end;
mod epmd;
mod files;
mod keeper;
mod locate;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::{Instant, sleep, timeout};

use super::error::{BrokerError, Kind};
use super::greeting::greet;
use super::management::Management;
use keeper::Said;

pub(super) use files::TICK_MS;
pub use files::{Facts, raise_open_files};
pub use keeper::{KEEPER_WORD, keep_node};
pub use locate::{SERVER_VARIABLE, install_command, locate};

/// How long a node may take to answer.
const BOOT_DEADLINE: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(50);
/// How long the keeper may take to end a node; it takes some 20 ms.
const END_DEADLINE: Duration = Duration::from_secs(10);

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
    /// Starts the script `server` under a keeper, which is the program `keeper` run with
    /// [`KEEPER_WORD`]. When another program takes one of its ports meanwhile, it tries again.
    pub async fn start(server: &Path, keeper: &Path) -> Result<Self, BrokerError> {
        const TRIES: usize = 3;
        let started = Instant::now();
        let mut last = None;
        for _ in 0..TRIES {
            match Self::attempt(server, keeper, started).await? {
                Attempt::Ready(node) => return Ok(*node),
                Attempt::PortTaken(error) => last = Some(error),
            }
        }
        Err(last.expect("there was a try"))
    }

    async fn attempt(
        server: &Path,
        keeper: &Path,
        started: Instant,
    ) -> Result<Attempt, BrokerError> {
        let mut keeper = Keeper::start(server, keeper)?;
        let facts = match keeper.listen().await {
            Said::Started(facts) => facts,
            said => return failure(said, keeper).await,
        };
        let management = Management::private(&facts)?;
        tokio::select! {
            said = keeper.listen() => return failure(said, keeper).await,
            answered = timeout(BOOT_DEADLINE, answers(&facts, &management)) => {
                if answered.is_err() {
                    return Err(too_slow(&facts));
                }
            }
        }
        let ready_after = started.elapsed();
        Ok(Attempt::Ready(Box::new(Self { facts, management, ready_after, keeper })))
    }

    /// Ends the node and waits until nothing of it is left.
    pub async fn close(self) -> Result<(), BrokerError> {
        self.keeper.close().await
    }
}

enum Attempt {
    Ready(Box<Node>),
    PortTaken(BrokerError),
}

/// Waits until the node answers AMQP and, with our password, HTTP: somebody else's node on one
/// of its ports is not taken for it.
async fn answers(facts: &Facts, management: &Management) {
    let once = Duration::from_secs(2);
    while greet("127.0.0.1", facts.amqp, once).await.is_err() {
        sleep(STEP).await;
    }
    while !management.is_ready().await {
        sleep(STEP).await;
    }
}

async fn failure(said: Said, keeper: Keeper) -> Result<Attempt, BrokerError> {
    // The node is tidied away before the error is told, whatever becomes of that.
    let _ = keeper.close().await;
    let (port_was_taken, log) = match said {
        Said::Exited { port_was_taken, log } => (port_was_taken, log),
        Said::Failed { message } => return Err(not_started(&message)),
        Said::Started(_) => return Err(not_started("its keeper started a second one")),
    };
    let mut error = BrokerError::new(Kind::Boot, "the private RabbitMQ ended while it booted")
        .help("the lines above are the end of its log; `--server` names another installation");
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
        .help("the lines above are the end of its log; is the machine overloaded?");
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
    fn start(server: &Path, program: &Path) -> Result<Self, BrokerError> {
        let mut child = Command::new(program)
            .arg(KEEPER_WORD)
            .arg(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Whoever reads our output to its end must not wait for the keeper's.
            .stderr(Stdio::null())
            // A terminal's Ctrl-C goes to the program alone.
            .process_group(0)
            .spawn()
            .map_err(|error| not_started(&format!("cannot run {}: {error}", program.display())))?;
        let life = child.stdin.take();
        let stdout = child.stdout.take().expect("standard output was asked for");
        Ok(Self { child, life, lines: BufReader::new(stdout).lines() })
    }

    /// The next thing it says; its silent end is a failure, too.
    async fn listen(&mut self) -> Said {
        let line = self.lines.next_line().await.ok().flatten().unwrap_or_default();
        let silent = || Said::Failed { message: "its keeper ended without a word".to_owned() };
        serde_json::from_str(&line).unwrap_or_else(|_| silent())
    }

    async fn close(mut self) -> Result<(), BrokerError> {
        drop(self.life.take());
        match timeout(END_DEADLINE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(BrokerError::new(
                Kind::Boot,
                format!("the keeper of the private RabbitMQ could not tidy up ({status})"),
            )),
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
