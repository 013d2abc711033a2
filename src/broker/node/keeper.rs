//! The keeper: a process of its own that holds one private node, and ends it when told.
//!
//! It is told by the end of its standard input, a pipe whose other end the program holds. The
//! kernel closes that end however the program ends, so the node goes with it after a normal
//! end, a panic or a SIGKILL alike, and nobody has to look whether the program still lives.
//! The first line that comes through that pipe are its orders.
//! On its standard output it says, in one JSON object a line, what became of the node.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::container::{self, Container};
use super::end;
use super::epmd;
use super::files::{self, Facts, Reserved};
use super::locate::Server;
use crate::broker::settings::Settings;

/// The first argument that makes this program a keeper; the others are the words of a
/// [`Server`].
pub const KEEPER_WORD: &str = "keep-node";

/// What the program may say after its orders: its end is not the node's, which stays until
/// SIGTERM ends its keeper.
pub(crate) const STAY: &str = "stay\n";

/// What the keeper tells the program.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// The node's process runs; whether it answers is for the program to find out.
    Started(Facts),
    /// The node ended by itself.
    Exited { port_was_taken: bool, log: Vec<String> },
    /// The node could not be started, or the keeper has a bug.
    Failed { message: String },
}

/// What the program tells the keeper, in one line. Not as arguments, which others can read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub settings: Settings,
}

/// The life of a keeper; for `main` when the first argument is [`KEEPER_WORD`].
pub fn keep_node() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| say(&Said::Failed { message: panic.to_string() })));
    let Some(server) = Server::from_words(std::env::args_os().skip(2)) else {
        say(&Said::Failed { message: format!("{KEEPER_WORD} needs the server") });
        return ExitCode::from(70);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let kept = runtime.and_then(|runtime| runtime.block_on(keep(&server)));
    match kept {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&Said::Failed { message: error.to_string() });
            ExitCode::from(3)
        }
    }
}

/// Nobody may be there to read it any more, which is no reason to stop tidying up.
fn say(said: &Said) {
    if let Ok(mut line) = serde_json::to_vec(said) {
        line.push(b'\n');
        let mut out = io::stdout().lock();
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}

async fn keep(server: &Server) -> io::Result<()> {
    let _deaf = deaf()?;
    let mut program = Program::new()?;
    let Some(orders) = program.orders().await? else { return Ok(()) };
    files::raise_open_files();
    let closed = fs::Permissions::from_mode(0o700);
    let dir = tempfile::Builder::new().prefix(files::DIRECTORY).permissions(closed).tempdir()?;
    // A link in the path of the temporary directory would hide it from a look at processes.
    let path = dir.path().canonicalize()?;
    let mut node = Node { child: None, container: None, epmd: None, port: 0, dir: path };
    let kept = node.live(server, &orders, &mut program).await;
    let ended = node.end().await;
    end::remove(dir).await?;
    kept.and(ended)
}

/// Signals meant for the program, sent to a whole group or by name, must not end the keeper:
/// the program reacts to them in its own order, and its end is all that counts here. They are
/// caught rather than ignored, because children would inherit that.
fn deaf() -> io::Result<Vec<Signal>> {
    use SignalKind as Kind;
    [Kind::interrupt(), Kind::terminate(), Kind::hangup(), Kind::quit()]
        .map(signal)
        .into_iter()
        .collect()
}

/// The program that this keeper serves, at the other end of standard input.
struct Program(BufReader<pipe::Receiver>);

impl Program {
    fn new() -> io::Result<Self> {
        use std::os::fd::AsFd;
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self(BufReader::new(pipe::Receiver::from_owned_fd(stdin)?)))
    }

    /// `None` when the program has ended before it gave any.
    async fn orders(&mut self) -> io::Result<Option<Orders>> {
        let mut line = String::new();
        if self.0.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        serde_json::from_str(&line).map(Some).map_err(io::Error::other)
    }

    /// Returns when the node shall end: when the program has closed its end or is no more, or,
    /// if it wanted the node to stay, when somebody says so.
    async fn ended(&mut self) {
        let mut said = String::new();
        let mut stay = false;
        while self.0.read_line(&mut said).await.is_ok_and(|count| count > 0) {
            stay |= said == STAY;
            said.clear();
        }
        if stay {
            // Only what comes from now on counts. Without a way to hear it, nothing may stay.
            if let Ok(mut told) = signal(SignalKind::terminate()) {
                told.recv().await;
            }
        }
    }
}

/// The node's processes, as far as they have been started.
struct Node {
    child: Option<Child>,
    /// If it is in one: the name of the container.
    container: Option<(Container, String)>,
    epmd: Option<Child>,
    /// Of the name service.
    port: u16,
    dir: PathBuf,
}

impl Node {
    /// From the start of the node to the end of the program.
    async fn live(
        &mut self,
        server: &Server,
        orders: &Orders,
        program: &mut Program,
    ) -> io::Result<()> {
        if !self.start(server, &orders.settings).await? {
            say(&self.exited(true));
            program.ended().await;
            return Ok(());
        }
        let child = self.child.as_mut().expect("a started node has a process");
        tokio::select! {
            () = program.ended() => return Ok(()),
            status = child.wait() => status?,
        };
        say(&self.exited(files::port_was_taken(&self.dir)));
        program.ended().await;
        Ok(())
    }

    fn exited(&self, port_was_taken: bool) -> Said {
        Said::Exited { port_was_taken, log: files::log_tail(&self.dir) }
    }

    /// False when somebody else has taken a port meanwhile.
    async fn start(&mut self, server: &Server, settings: &Settings) -> io::Result<bool> {
        let reserved = Reserved::new()?;
        let facts = Facts {
            dir: self.dir.clone(),
            pid: 0,
            container: None,
            epmd_pid: None,
            amqp: reserved.amqp.local_addr()?.port(),
            management: reserved.management.local_addr()?.port(),
            distribution: reserved.distribution.local_addr()?.port(),
            epmd: reserved.epmd.local_addr()?.port(),
            user: "rmq-scenario".to_owned(),
            password: files::secret()?,
        };
        drop(reserved);
        match server {
            Server::Script(script) => self.start_script(script, facts, settings).await,
            Server::Container(container) => self.start_container(container, facts, settings),
        }
    }

    fn start_container(
        &mut self,
        container: &Container,
        mut facts: Facts,
        settings: &Settings,
    ) -> io::Result<bool> {
        let name = container::fresh_name()?;
        facts.container = Some(name.clone());
        let console = fs::File::create(facts.dir.join(files::CONSOLE))?;
        // Known before it is made: nothing that happens in between may leave it behind.
        self.container = Some((container.clone(), name));
        let child = container.start(&facts, settings, console)?;
        facts.pid = child.id().unwrap_or_default();
        self.child = Some(child);
        say(&Said::Started(facts));
        Ok(true)
    }

    async fn start_script(
        &mut self,
        script: &Path,
        mut facts: Facts,
        settings: &Settings,
    ) -> io::Result<bool> {
        self.port = facts.epmd;
        self.epmd = epmd::start(&facts)?;
        if let Some(epmd) = &mut self.epmd {
            if !epmd::answers(epmd, facts.epmd).await? {
                return Ok(false);
            }
            facts.epmd_pid = epmd.id();
        }
        files::write(&facts, settings)?;
        let child = spawn(script, &facts)?;
        facts.pid = child.id().unwrap_or_default();
        self.child = Some(child);
        say(&Said::Started(facts));
        Ok(true)
    }

    /// Ends every process of the node.
    async fn end(&mut self) -> io::Result<()> {
        if let (Some((container, name)), Some(client)) = (&self.container, &mut self.child) {
            return container.end(name, client).await;
        }
        if let Some(child) = &mut self.child {
            end::group(child).await;
        }
        // What RabbitMQ started beside itself may start the name service anew: it goes first.
        let keep = self.epmd.as_ref().and_then(Child::id);
        end::strays(&self.dir, keep).await;
        match &mut self.epmd {
            Some(epmd) => {
                let _ = epmd.kill().await;
            }
            None => epmd::end_daemon(self.port).await,
        }
        end::strays(&self.dir, None).await;
        Ok(())
    }
}

fn spawn(server: &Path, facts: &Facts) -> io::Result<Child> {
    let console = fs::File::create(facts.dir.join(files::CONSOLE))?;
    let mut script = Command::new(server);
    script.env_clear().envs(files::environment(facts));
    launch(&mut script, facts, console)
}

/// Starts a node's program in its directory and in a process group of its own; what it says goes
/// to `console`.
pub(super) fn launch(program: &mut Command, facts: &Facts, console: fs::File) -> io::Result<Child> {
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
