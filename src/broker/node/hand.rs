//! The keeper's process, as its owner sees it: what is said to it, and what it says.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::keeper::{Act, Exit, KEEPER_WORD, Orders, Said, Told};
use super::locate::Server;
use super::not_started;
use crate::broker::error::{BrokerError, Kind};

/// How long the keeper may take to end its nodes; it takes some 20 ms, a container's engine
/// seconds.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// The process. Its pipe closes with this value, whoever still has a [`Hand`].
#[derive(Debug)]
pub(super) struct Keeper {
    child: Child,
    said: mpsc::UnboundedReceiver<Said>,
    hand: Hand,
}

/// A way to say something to it; clones reach the same.
#[derive(Debug, Clone)]
pub(crate) struct Hand(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` once it was told to end. Lines are short, so that writing one never waits.
    life: Mutex<Option<File>>,
    /// Who waits for an answer, by the number of what was asked; `None` when none can come.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    next: AtomicU64,
    /// A node that ended and had not been told to: the last one.
    fallen: watch::Sender<Option<Exit>>,
}

/// What came of an act, or the end of a sentence that says why nothing did.
type Answer = Result<String, String>;

impl Keeper {
    pub async fn start(
        server: &Server,
        program: &Path,
        orders: &Orders,
    ) -> Result<Self, BrokerError> {
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
        let life = life.into_owned_fd().map_err(|error| not_started(&error.to_string()))?;
        let hand = Hand(Arc::new(Inner {
            life: Mutex::new(Some(File::from(life))),
            waiting: Mutex::new(Some(HashMap::new())),
            next: AtomicU64::new(0),
            fallen: watch::Sender::new(None),
        }));
        let stdout = child.stdout.take().expect("standard output was asked for");
        let (sender, said) = mpsc::unbounded_channel();
        tokio::spawn(read(stdout, hand.clone(), sender));
        Ok(Self { child, said, hand })
    }

    pub fn hand(&self) -> &Hand {
        &self.hand
    }

    pub fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// The next thing it says that is no answer; its silent end is a failure, too.
    pub async fn listen(&mut self) -> Said {
        let silent = || Said::Failed { message: "its keeper ended without a word".to_owned() };
        self.said.recv().await.unwrap_or_else(silent)
    }

    /// The last thing it has said that nobody listened to.
    async fn last_words(&mut self) -> Option<Said> {
        let mut last = None;
        while let Some(said) = self.said.recv().await {
            last = Some(said);
        }
        last
    }

    pub async fn close(mut self) -> Result<(), BrokerError> {
        self.hand.close();
        let failed = |why: String| Err(BrokerError::new(Kind::Boot, why));
        match timeout(END_DEADLINE, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => {
                let why = match self.last_words().await {
                    Some(Said::Failed { message }) => message,
                    _ => status.to_string(),
                };
                failed(format!("the keeper of the private RabbitMQ could not tidy up: {why}"))
            }
            Ok(Err(error)) => {
                failed(format!("the keeper of the private RabbitMQ is out of sight: {error}"))
            }
            Err(_) => {
                let seconds = END_DEADLINE.as_secs();
                failed(format!("the private RabbitMQ has not ended after {seconds} s"))
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.hand.close();
    }
}

impl Hand {
    /// Has it do something with a node. What came of it, or the end of a sentence that says why
    /// nothing did.
    pub async fn ask(&self, node: usize, act: Act, patience: Duration) -> Answer {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        match &mut *lock(&self.0.waiting) {
            Some(waiting) => drop(waiting.insert(number, sender)),
            None => return Err(GONE.to_owned()),
        }
        let told = self.tell(&Told::Do { number, node, act });
        let answered = match told {
            Ok(()) => timeout(patience, answer).await,
            Err(error) => Ok(Ok(Err(error))),
        };
        if let Some(waiting) = &mut *lock(&self.0.waiting) {
            waiting.remove(&number);
        }
        let late = || Err(format!("no answer in {} s", patience.as_secs()));
        answered.map_or_else(|_| late(), |answer| answer.unwrap_or_else(|_| Err(GONE.to_owned())))
    }

    pub fn tell(&self, told: &Told) -> Result<(), String> {
        let mut line = serde_json::to_vec(told).map_err(|error| error.to_string())?;
        line.push(b'\n');
        match &mut *lock(&self.0.life) {
            Some(life) => life
                .write_all(&line)
                .map_err(|error| format!("its keeper does not listen: {error}")),
            None => Err(GONE.to_owned()),
        }
    }

    /// The last node that ended without having been told to.
    pub fn fallen(&self) -> Option<Exit> {
        self.0.fallen.borrow().clone()
    }

    /// Waits until this node ends without having been told to. An end from before counts not:
    /// that is what a second start is there for.
    pub async fn falls(&self, node: usize) -> Exit {
        let mut fallen = self.0.fallen.subscribe();
        loop {
            // The sender lives as long as this handle.
            if fallen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            let exit = fallen.borrow_and_update().clone();
            if let Some(exit) = exit.filter(|exit| exit.node == node) {
                return exit;
            }
        }
    }

    /// The pipe ends, and the nodes with it.
    fn close(&self) {
        lock(&self.0.life).take();
    }
}

const GONE: &str = "its keeper is gone";

/// Hands on all it says, until it ends.
async fn read(stdout: ChildStdout, hand: Hand, said: mpsc::UnboundedSender<Said>) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Said::Answer { number, answer }) => {
                let asker = lock(&hand.0.waiting).as_mut().and_then(|it| it.remove(&number));
                // Whoever gave up does not want it any more.
                asker.map(|asker| asker.send(answer));
            }
            Ok(other) => {
                if let Said::Exited(exit) = &other {
                    hand.0.fallen.send_replace(Some(exit.clone()));
                }
                let _ = said.send(other);
            }
            // A line that is no such value was cut short by its end.
            Err(_) => {}
        }
    }
    lock(&hand.0.waiting).take();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while holding it")
}
