//! One node in its keeper's hands: its process, and what is done with that.
//!
//! The process that was started need not be the Erlang machine: a script may have that further
//! down. Signals are for the machine itself, which writes down its process id. It is believed
//! only while it is in the group of the process that was started.

use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgid, kill_process};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use super::{Act, Exit, Said, say, stillness};
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
        Ok(Self { facts, home, server, child: None, ending: false })
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
        if !self.ending {
            let dir = &self.facts.dir;
            let (port_was_taken, log) = (files::port_was_taken(dir), files::log_tail(dir));
            say(&Said::Exited(Exit { node, port_was_taken, log }));
            fell.notify_one();
        }
    }

    async fn obey(&mut self, act: Act) -> Answer {
        match act {
            Act::Stop { kill } => self.stop(kill).await,
            Act::Start => self.start_again(),
            Act::Who => self.machine().map(word),
            Act::Pause => self.pause().await,
            Act::Resume => self.signal(Signal::CONT).map(word),
            Act::Evaluate(expression) => self.evaluate(&expression).await,
        }
    }

    async fn stop(&mut self, kill: bool) -> Answer {
        let (signal, patience) =
            if kill { (Signal::KILL, AT_ONCE) } else { (Signal::TERM, GRACEFUL) };
        let machine = self.signal(signal)?;
        self.ending = true;
        let seconds = patience.as_secs();
        let late = |_| format!("its process {} has not ended after {seconds} s", word(machine));
        timeout(patience, gone(&mut self.child)).await.map_err(late)?;
        self.child = None;
        Ok(word(machine))
    }

    fn start_again(&mut self) -> Answer {
        match &self.child {
            Some(_) if self.ending => return Err("it has not ended yet".to_owned()),
            Some(_) => return Ok(String::new()),
            None => {}
        }
        // Nobody shall read the id of a process that is no more.
        let _ = fs::remove_file(self.pid_file());
        self.ending = false;
        let Server::Script(script) = &self.server else {
            return Err("it is in a container".into());
        };
        let child = self.spawn(script).map_err(|error| error.to_string())?;
        self.facts.pid = child.id().unwrap_or_default();
        self.child = Some(child);
        Ok(String::new())
    }

    async fn pause(&self) -> Answer {
        let machine = self.signal(Signal::STOP)?;
        match stillness::reached(machine).await {
            true => Ok(word(machine)),
            false => Err(format!("its process {} goes on", word(machine))),
        }
    }

    /// The Erlang machine, which was sent it.
    fn signal(&self, signal: Signal) -> Result<Pid, String> {
        let machine = self.machine()?;
        kill_process(machine, signal).map_err(|error| error.to_string())?;
        Ok(machine)
    }

    async fn evaluate(&self, expression: &str) -> Answer {
        let Server::Script(script) = &self.server else {
            return Err("it is in a container".into());
        };
        let environment = files::environment(&self.home, &self.facts);
        erlang::evaluate(&self.facts.name, environment, script, expression).await
    }

    /// The Erlang machine.
    fn machine(&self) -> Result<Pid, String> {
        let Some(child) = &self.child else { return Err("it does not run".to_owned()) };
        let told = fs::read_to_string(self.pid_file()).ok();
        let machine = told.and_then(|text| Pid::from_raw(text.trim().parse().ok()?));
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        machine
            .filter(|machine| group.is_some() && getpgid(Some(*machine)).ok() == group)
            .ok_or_else(|| "which process it is cannot be told".to_owned())
    }

    fn pid_file(&self) -> PathBuf {
        self.facts.dir.join(files::PID)
    }

    /// Ends every process of the node.
    pub async fn end(&mut self) -> io::Result<()> {
        if let (Server::Container(container), Some(name)) = (&self.server, &self.facts.container)
            && let Some(client) = &mut self.child
        {
            return container.end(name, client).await;
        }
        if let Some(child) = &mut self.child {
            end::group(child).await;
        }
        Ok(())
    }
}

fn word(pid: Pid) -> String {
    pid.as_raw_nonzero().to_string()
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
