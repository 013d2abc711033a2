//! One node in its keeper's hands: its process or its container, and what is done with that.

use std::fs;
use std::io;
use std::mem;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::machine::{self, Push};
use super::{Act, Exit, Said, say};
use crate::broker::node::end;
use crate::broker::node::erlang;
use crate::broker::node::files::{self, Facts};
use crate::broker::node::locate::Server;
use crate::broker::settings::Settings;

/// How long a node may take to write what it has, and how long a dead one to be gone.
const GRACEFUL: Duration = Duration::from_secs(60);
const AT_ONCE: Duration = Duration::from_secs(10);
const STEP: Duration = Duration::from_millis(10);

/// A node, whether its process runs or not.
pub(super) struct Held {
    pub facts: Facts,
    home: PathBuf,
    server: Server,
    /// While it runs.
    child: Option<Child>,
    /// Whether it was told to end: then its end is no news.
    ending: bool,
    /// Whether it may fall once before that is news: until it is asked who it is, which is when it
    /// answers.
    spared: bool,
}

/// What came of an act, or the end of a sentence that says why nothing did.
type Answer = Result<String, String>;

impl Held {
    /// Everything but the process: that comes with [`Held::start`].
    pub fn new(
        home: &Path,
        server: &Server,
        facts: Facts,
        settings: &Settings,
    ) -> io::Result<Self> {
        if let Server::Script(_) = server {
            files::write(&facts, settings)?;
        }
        let (home, server) = (home.to_owned(), server.clone());
        Ok(Self { facts, home, server, child: None, ending: false, spared: false })
    }

    /// For the first time.
    pub fn start(&mut self, settings: &Settings) -> io::Result<()> {
        let child = match &self.server {
            Server::Script(script) => self.spawn(script)?,
            Server::Container(container) => {
                container.start(&self.facts, settings, self.console()?)?
            }
        };
        self.facts.pid = child.id().unwrap_or_default();
        self.child = Some(child);
        Ok(())
    }

    /// Waits until other nodes could speak with it; false when it has ended instead. What that
    /// means for the others is found out as the end of any node is.
    pub async fn is_within_reach(&mut self) -> io::Result<bool> {
        let deadline = Instant::now() + GRACEFUL;
        let address = (Ipv4Addr::LOCALHOST, self.facts.distribution);
        while TcpStream::connect(address).await.is_err() {
            let ended = match &mut self.child {
                Some(child) => child.try_wait()?.is_some(),
                None => true,
            };
            if ended {
                return Ok(false);
            }
            if Instant::now() > deadline {
                return Err(io::Error::other("the first node does not begin to listen"));
            }
            sleep(STEP).await;
        }
        Ok(true)
    }

    fn spawn(&self, script: &Path) -> io::Result<Child> {
        let mut command = Command::new(script);
        command.env_clear().envs(files::environment(&self.home, &self.facts));
        launch(&mut command, &self.facts, self.console()?)
    }

    /// What an earlier life said goes: what matters is why this one ends.
    fn console(&self) -> io::Result<fs::File> {
        fs::File::create(self.facts.dir.join(files::CONSOLE))
    }

    /// Does what it is told, one thing after another, until all is `over`. That it fell is told to
    /// the program and to the house.
    pub async fn serve(
        mut self,
        node: usize,
        mut acts: mpsc::UnboundedReceiver<(u64, Act)>,
        mut over: watch::Receiver<bool>,
        fell: Arc<Notify>,
    ) -> Self {
        loop {
            let act = tokio::select! {
                // The sender outlives this.
                _ = over.wait_for(|over| *over) => return self,
                () = gone(&mut self.child) => None,
                act = acts.recv() => match act {
                    Some(act) => Some(act),
                    None => return self,
                },
            };
            let Some((number, act)) = act else {
                self.fell(node, &fell);
                continue;
            };
            let answer = tokio::select! {
                _ = over.wait_for(|over| *over) => return self,
                answer = self.obey(act) => answer,
            };
            say(&Said::Answer { number, answer });
        }
    }

    /// Its process is no more.
    fn fell(&mut self, node: usize, fell: &Notify) {
        self.child = None;
        if self.ending {
            return;
        }
        let dir = &self.facts.dir;
        let (unlucky, log) = (files::was_unlucky(dir), files::log_tail(dir));
        // Nodes of a cluster that were all stopped meet in the middle of their boots again.
        if mem::take(&mut self.spared) && unlucky && self.launch_again().is_ok() {
            return;
        }
        say(&Said::Exited(Exit { node, unlucky, log }));
        fell.notify_one();
    }

    async fn obey(&mut self, act: Act) -> Answer {
        match act {
            Act::Stop { kill } => self.stop(kill).await,
            Act::Start => self.start_again(),
            Act::Who => self.who().await,
            Act::Pause => self.send(Push::Pause).await,
            Act::Resume => self.send(Push::Resume).await,
            Act::Evaluate(expression) => self.evaluate(&expression).await,
        }
    }

    async fn stop(&mut self, kill: bool) -> Answer {
        let (push, patience) = if kill { (Push::Kill, AT_ONCE) } else { (Push::End, GRACEFUL) };
        let was = self.send(push).await?;
        self.ending = true;
        let seconds = patience.as_secs();
        let late = |_| format!("its process {was} has not ended after {seconds} s");
        timeout(patience, gone(&mut self.child)).await.map_err(late)?;
        self.child = None;
        Ok(was)
    }

    fn start_again(&mut self) -> Answer {
        match &self.child {
            Some(_) if self.ending => return Err("it has not ended yet".to_owned()),
            Some(_) => return Ok(String::new()),
            None => {}
        }
        self.spared = true;
        self.launch_again()?;
        Ok(String::new())
    }

    /// Its process anew, with its data.
    fn launch_again(&mut self) -> Result<(), String> {
        self.ending = false;
        let child = match &self.server {
            Server::Script(script) => {
                // Nobody shall read the id of a process that is no more.
                let _ = fs::remove_file(self.pid_file());
                self.spawn(script)
            }
            Server::Container(container) => {
                self.console().and_then(|console| container.start_again(&self.facts, console))
            }
        };
        let child = child.map_err(|error| error.to_string())?;
        self.facts.pid = child.id().unwrap_or_default();
        self.child = Some(child);
        Ok(())
    }

    /// The process that runs.
    async fn who(&mut self) -> Answer {
        self.spared = false;
        let child = self.child.as_ref().ok_or("it does not run")?;
        match &self.server {
            Server::Script(_) => machine::of(child, &self.pid_file()).map(machine::word),
            Server::Container(container) => container.process(self.name()).await,
        }
    }

    /// Which process was pushed. Before the signal nothing is looked for.
    async fn send(&self, push: Push) -> Answer {
        let child = self.child.as_ref().ok_or("it does not run")?;
        match &self.server {
            Server::Script(_) => {
                let process = machine::of(child, &self.pid_file())?;
                machine::push(process, push).await?;
                Ok(machine::word(process))
            }
            Server::Container(container) => {
                let was = container.process(self.name()).await?;
                container.push(self.name(), push).await?;
                Ok(was)
            }
        }
    }

    async fn evaluate(&self, expression: &str) -> Answer {
        match &self.server {
            Server::Script(script) => {
                let environment = files::environment(&self.home, &self.facts);
                erlang::evaluate(&self.facts.name, environment, script, expression).await
            }
            Server::Container(container) => container.evaluate(self.name(), expression).await,
        }
    }

    fn pid_file(&self) -> PathBuf {
        self.facts.dir.join(files::PID)
    }

    /// Of its container.
    fn name(&self) -> &str {
        self.facts.container.as_deref().unwrap_or_default()
    }

    /// Ends every process of the node.
    pub async fn end(&mut self) -> io::Result<()> {
        if let (Server::Container(container), Some(name)) = (&self.server, &self.facts.container) {
            return container.end(name, self.child.as_mut()).await;
        }
        if let Some(child) = &mut self.child {
            end::group(child).await;
        }
        Ok(())
    }
}

/// Returns when the process is no more; where there is none, never.
async fn gone(child: &mut Option<Child>) {
    match child {
        // What cannot be waited for is not ours any more.
        Some(child) => drop(child.wait().await),
        None => std::future::pending().await,
    }
}

/// Starts a node's program in its directory and in a process group of its own; what it says goes
/// to `console`.
pub(crate) fn launch(program: &mut Command, facts: &Facts, console: fs::File) -> io::Result<Child> {
    let name = PathBuf::from(program.as_std().get_program());
    program
        .current_dir(&facts.dir)
        .stdin(Stdio::null())
        .stdout(console.try_clone()?)
        .stderr(console)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| io::Error::other(format!("cannot run {}: {error}", name.display())))
}
