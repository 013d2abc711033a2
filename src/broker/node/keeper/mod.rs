//! The keeper: a process of its own that holds the nodes of one private broker, and ends them
//! when told.
//!
//! It is told by the end of its standard input, a pipe whose other end the program holds. The
//! kernel closes that end however the program ends, so the nodes go with it after a normal
//! end, a panic or a SIGKILL alike, and nobody has to look whether the program still lives.
//! The first line that comes through that pipe are its orders; the lines after it are acts, as
//! [`words`] has them. On its standard output it says what became of the nodes and of the acts.

mod held;
mod house;
mod machine;
mod stillness;
mod words;

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::unix::pipe;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::end;
use super::files;
use super::locate::Server;
use house::House;

pub(crate) use held::launch;
pub(crate) use machine::Push;
pub(crate) use words::{Act, Exit, Orders, Said, Told};

/// The first argument that makes this program a keeper; the others are the words of a
/// [`Server`].
pub const KEEPER_WORD: &str = "keep-node";

/// The life of a keeper; for `main` when the first argument is [`KEEPER_WORD`].
pub fn keep_node() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| say(&Said::Failed { message: panic.to_string() })));
    let Some(server) = Server::from_words(std::env::args_os().skip(2)) else {
        say(&Said::Failed { message: format!("{KEEPER_WORD} needs the server") });
        return ExitCode::from(70);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let kept = runtime.and_then(|runtime| runtime.block_on(keep(server)));
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

async fn keep(server: Server) -> io::Result<()> {
    let _deaf = deaf()?;
    let mut program = Program::new()?;
    let Some(orders) = program.orders().await? else { return Ok(()) };
    files::raise_open_files();
    let closed = fs::Permissions::from_mode(0o700);
    let dir = tempfile::Builder::new().prefix(files::DIRECTORY).permissions(closed).tempdir()?;
    // A link in the path of the temporary directory would hide it from a look at processes.
    let home = dir.path().canonicalize()?;
    let mut house = House::new(home, server);
    let kept = house.live(&orders.settings, &mut program).await;
    let ended = house.end().await;
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
struct Program {
    lines: Lines<BufReader<pipe::Receiver>>,
    stay: bool,
}

impl Program {
    fn new() -> io::Result<Self> {
        use std::os::fd::AsFd;
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        let lines = BufReader::new(pipe::Receiver::from_owned_fd(stdin)?).lines();
        Ok(Self { lines, stay: false })
    }

    /// `None` when the program has ended before it gave any.
    async fn orders(&mut self) -> io::Result<Option<Orders>> {
        match self.line().await {
            None => Ok(None),
            Some(line) => serde_json::from_str(&line).map(Some).map_err(io::Error::other),
        }
    }

    /// The next act. `None` when the program has closed its end or is no more.
    async fn told(&mut self) -> Option<(u64, usize, Act)> {
        while let Some(line) = self.line().await {
            match serde_json::from_str(&line) {
                Ok(Told::Do { number, node, act }) => return Some((number, node, act)),
                Ok(Told::Stay) => self.stay = true,
                Err(error) => say(&Said::Failed { message: error.to_string() }),
            }
        }
        None
    }

    /// After the end of what it says: returns when the nodes shall end, which is at once, or, if
    /// it wanted them to stay, when somebody says so.
    async fn dismissed(&self) {
        if self.stay {
            // Only what comes from now on counts. Without a way to hear it, nothing may stay.
            if let Ok(mut told) = signal(SignalKind::terminate()) {
                told.recv().await;
            }
        }
    }

    /// Returns when the nodes shall end, whatever else is said.
    async fn ended(&mut self) {
        while self.told().await.is_some() {}
        self.dismissed().await;
    }

    /// What cannot be read is the end as well.
    async fn line(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }
}
