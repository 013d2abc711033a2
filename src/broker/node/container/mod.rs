//! RabbitMQ from an image, in a container of docker or podman: how it is found, and the commands
//! that start and end it.
//!
//! The engine's client runs in the foreground under the keeper, as a server's script would. But
//! the container is not its child: it goes by its name, and only the engine can end it. It stays
//! when what runs in it ends, so that it can be started again with what it has written. Nothing
//! of the machine's files is shown to it; what the node reads comes through its environment.

mod hold;

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::files::{self, Facts};
use super::keeper::launch;
use crate::broker::error::{BrokerError, Kind};
use crate::broker::settings::Settings;

/// What `--server` begins with when it names an image instead of a script.
pub(crate) const IMAGE_PREFIX: &str = "docker:";
/// What runs where no server is installed.
pub(crate) const DEFAULT_IMAGE: &str = "rabbitmq:4-management";
/// Narrows the engines to one; any other word, such as `none`, leaves none.
const ENGINE_VARIABLE: &str = "RMQ_SCENARIO_ENGINE";
const ENGINES: [&str; 2] = ["docker", "podman"];
/// An engine whose daemon is there answers at once; one behind a dead network never does.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the engine may take to end and remove a container.
const END_PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(50);
const WORDS: usize = 12;

/// An image, and the engine that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Container {
    pub engine: PathBuf,
    pub image: String,
}

/// Why there is no engine to use.
enum Without {
    /// None is installed.
    Engine,
    /// The first that is installed does not answer; its name and words.
    Answer(String, Vec<String>),
}

/// What there is to run containers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// The name of the one that is used.
    Answers(String),
    /// It is installed and does not answer; its words.
    Silent(String, Vec<String>),
    /// None is there; why.
    Absent(String),
}

/// Which engine would run a container now.
pub async fn container_engine() -> Engine {
    let path = env::var_os("PATH").unwrap_or_default();
    let engines = allowed();
    match answering(&path, &engines).await {
        Ok(engine) => Engine::Answers(name(&engine)),
        Err(Without::Engine) => Engine::Absent(absent(&engines)),
        Err(Without::Answer(name, words)) => Engine::Silent(name, words),
    }
}

impl Container {
    /// The image that the user named, on the machine when this returns.
    ///
    /// # Errors
    /// When it is no name of an image, no engine answers, or the image cannot be had.
    pub async fn named(image: &str) -> Result<Self, BrokerError> {
        let path = env::var_os("PATH").unwrap_or_default();
        Self::with(image, &path, &allowed()).await
    }

    async fn with(image: &str, path: &OsStr, engines: &[String]) -> Result<Self, BrokerError> {
        // It becomes an argument of the engine, where a hyphen would make it an option.
        let is_name = image.starts_with(|first: char| first.is_ascii_alphanumeric())
            && image.chars().all(|it| it.is_ascii_alphanumeric() || "._-/:@".contains(it));
        if !is_name {
            let message = format!("{IMAGE_PREFIX}{image} does not name an image");
            return Err(BrokerError::new(Kind::NoServer, message)
                .help(format!("for example {IMAGE_PREFIX}{DEFAULT_IMAGE}")));
        }
        let engine = answering(path, engines).await.map_err(|without| match without {
            Without::Engine => {
                let message = format!("the image {image} cannot be run: {}", absent(engines));
                BrokerError::new(Kind::NoServer, message)
                    .help("install docker or podman, or name a server script")
            }
            Without::Answer(name, words) => {
                let mut error = BrokerError::new(Kind::NoServer, silent(&name))
                    .help("start it, for example with `sudo systemctl start docker`");
                error.notes = words;
                error
            }
        })?;
        let it = Self { engine, image: image.to_owned() };
        it.bring().await?;
        Ok(it)
    }

    /// The way out when no server was found, which `error` tells: [`DEFAULT_IMAGE`], if an
    /// engine answers.
    ///
    /// # Errors
    /// `error`, with what keeps a container from being the way out.
    pub async fn instead(error: BrokerError) -> Result<Self, BrokerError> {
        let path = env::var_os("PATH").unwrap_or_default();
        Self::instead_with(error, &path, &allowed()).await
    }

    async fn instead_with(
        mut error: BrokerError,
        path: &OsStr,
        engines: &[String],
    ) -> Result<Self, BrokerError> {
        let engine = match answering(path, engines).await {
            Ok(engine) => engine,
            Err(Without::Engine) => {
                let way = format!("or in a container:    {}; its image", absent(engines));
                let way = format!("{way} would be {DEFAULT_IMAGE}");
                return Err(error.note(way));
            }
            Err(Without::Answer(name, words)) => {
                error.notes.push(format!("or in a container:    {}:", silent(&name)));
                error.notes.extend(words.into_iter().map(|line| format!("  {line}")));
                return Err(error);
            }
        };
        let it = Self { engine, image: DEFAULT_IMAGE.to_owned() };
        match it.bring().await {
            Ok(()) => Ok(it),
            Err(failed) => {
                error.notes.push(format!("or in a container:    {}:", failed.message));
                error.notes.extend(failed.notes.into_iter().map(|line| format!("  {line}")));
                Err(error)
            }
        }
    }

    /// Loads the image, if the machine does not have it. That may take minutes, so it is not
    /// part of the boot, which has a deadline.
    async fn bring(&self) -> Result<(), BrokerError> {
        let Self { engine, image } = self;
        let here = command(engine, &["image", "inspect", image]).output().await;
        if here.is_ok_and(|it| it.status.success()) {
            return Ok(());
        }
        let pulled = command(engine, &["pull", image]).output().await;
        let words = match pulled {
            Ok(it) if it.status.success() => return Ok(()),
            Ok(it) => last_words(&it.stderr),
            Err(error) => vec![error.to_string()],
        };
        let message = format!("{} cannot pull the image {image}", self.engine_name());
        let mut error = BrokerError::new(Kind::NoServer, message)
            .help("see whether the name is right and its registry can be reached");
        error.notes = words;
        Err(error)
    }

    /// `docker` or `podman`.
    pub fn engine_name(&self) -> String {
        name(&self.engine)
    }

    /// Starts the container for the node that the facts describe. The client stays until the
    /// container ends, and says what the node says.
    pub fn start(
        &self,
        facts: &Facts,
        settings: &Settings,
        console: std::fs::File,
    ) -> io::Result<Child> {
        let mut client = Command::new(&self.engine);
        client.args(self.arguments(facts)).envs(environment(facts, settings));
        launch(&mut client, facts, console)
    }

    /// What the client is told. Values that are nobody's business are named here and taken from
    /// its environment, because everybody can read its arguments.
    fn arguments(&self, facts: &Facts) -> Vec<String> {
        let name = facts.container.clone().unwrap_or_default();
        let published = |port: u16, inside: u16| format!("--publish=127.0.0.1:{port}:{inside}");
        let mut arguments = vec![
            "run".to_owned(),
            format!("--name={name}"),
            format!("--label={LABEL}"),
            // Erlang prepares for as many files as it may open; some engines allow a billion.
            "--ulimit=nofile=65536:65536".to_owned(),
            published(facts.amqp, 5672),
            published(facts.management, 15672),
        ];
        arguments.extend(VARIABLES.map(|name| format!("--env={name}")));
        arguments.push(self.image.clone());
        arguments.extend(["sh", "-c", PREPARE].map(str::to_owned));
        arguments
    }

    /// Ends the container and the client, if that still runs. A container that is only just being
    /// made can not be removed yet, so removing is repeated until the client, whom its end ends, is
    /// gone.
    ///
    /// # Errors
    /// When the container is still there after 20 s, with the engine's words.
    pub async fn end(&self, name: &str, client: Option<&mut Child>) -> io::Result<()> {
        let deadline = Instant::now() + END_PATIENCE;
        if let Some(client) = client {
            while Instant::now() < deadline {
                let _ = self.remove(name).await;
                if timeout(STEP, client.wait()).await.is_ok() {
                    break;
                }
            }
            super::end::group(client).await;
        }
        loop {
            let said = self.remove(name).await;
            if !self.knows(name).await? {
                return Ok(());
            }
            if Instant::now() > deadline {
                let why = format!("the container {name} cannot be removed: {}", said.join("; "));
                return Err(io::Error::other(why));
            }
            sleep(STEP).await;
        }
    }

    /// Asks the engine to end it and to forget it, with what it has written.
    async fn remove(&self, name: &str) -> Vec<String> {
        let mut removing = command(&self.engine, &["rm", "--force", "--volumes", name]);
        match timeout(PATIENCE, removing.output()).await {
            Ok(Ok(output)) => last_words(&output.stderr),
            Ok(Err(error)) => vec![error.to_string()],
            Err(_) => vec!["no answer in time".to_owned()],
        }
    }

    /// Whether the engine lists the container. An engine that has gone meanwhile knows nothing,
    /// and that is an error: the container may still be there.
    async fn knows(&self, name: &str) -> io::Result<bool> {
        let filter = format!("name={name}");
        let mut asking = command(&self.engine, &["ps", "--all", "--quiet", "--filter", &filter]);
        let gone = || io::Error::other(format!("{} does not answer", self.engine_name()));
        let listed = timeout(PATIENCE, asking.output()).await.map_err(|_| gone())??;
        if listed.status.success() { Ok(!listed.stdout.is_empty()) } else { Err(gone()) }
    }
}

/// All our containers bear it: `docker ps --filter label=rmq-scenario`.
const LABEL: &str = "rmq-scenario";

/// Runs as root inside, before the image's own beginning, which changes to another user.
/// Images without the management in their name lack its plugin and switch its numbers off.
const PREPARE: &str = "\
set -e; umask 022; cd /etc/rabbitmq; mkdir -p conf.d; \
rm -f conf.d/*disable_metrics_collector.conf; \
printf %s \"$RMQ_SCENARIO_CONF\" >conf.d/90-rmq-scenario.conf; \
printf %s \"$RMQ_SCENARIO_ADVANCED\" >advanced.config; \
printf %s \"$RMQ_SCENARIO_PLUGINS\" >enabled_plugins; \
unset RMQ_SCENARIO_CONF RMQ_SCENARIO_ADVANCED RMQ_SCENARIO_PLUGINS; cd /; \
exec docker-entrypoint.sh rabbitmq-server";

/// What the script reads.
const VARIABLES: [&str; 3] = ["RMQ_SCENARIO_CONF", "RMQ_SCENARIO_ADVANCED", "RMQ_SCENARIO_PLUGINS"];

fn environment(facts: &Facts, settings: &Settings) -> impl Iterator<Item = (&'static str, String)> {
    let plugins = files::PLUGINS.to_owned();
    VARIABLES.into_iter().zip([files::anywhere(facts, settings), settings.advanced(), plugins])
}

/// A name that no other container has.
pub(crate) fn fresh_name() -> io::Result<String> {
    Ok(format!("rmq-scenario-{}", &files::secret()?[..12]))
}

/// Whether the engine could not publish a port because another program had it.
pub(crate) fn port_was_taken(log: &str) -> bool {
    ["port is already allocated", "address already in use"].iter().any(|it| log.contains(it))
}

fn allowed() -> Vec<String> {
    let only = env::var(ENGINE_VARIABLE).unwrap_or_default();
    let all = ENGINES.iter().filter(|name| only.is_empty() || only == **name);
    all.map(|&name| name.to_owned()).collect()
}

/// The first engine in the path that answers; where none does, what the first says.
async fn answering(path: &OsStr, engines: &[String]) -> Result<PathBuf, Without> {
    let mut first = None;
    for engine in engines {
        let Some(program) = find(path, engine) else { continue };
        let mut asking = command(&program, &["ps", "--quiet"]);
        let words = match timeout(PATIENCE, asking.output()).await {
            Ok(Ok(answer)) if answer.status.success() => return Ok(program),
            Ok(Ok(answer)) => last_words(&answer.stderr),
            Ok(Err(error)) => vec![error.to_string()],
            Err(_) => vec![format!("no answer after {} s", PATIENCE.as_secs())],
        };
        first.get_or_insert((engine.clone(), words));
    }
    Err(first.map_or(Without::Engine, |(name, words)| Without::Answer(name, words)))
}

fn find(path: &OsStr, engine: &str) -> Option<PathBuf> {
    env::split_paths(path).map(|dir| dir.join(engine)).find(|it| super::locate::is_program(it))
}

/// Why no engine was found.
fn absent(engines: &[String]) -> String {
    if engines.is_empty() {
        format!("{ENGINE_VARIABLE} allows no engine")
    } else {
        format!("there is no {} in PATH", engines.join(" or "))
    }
}

fn silent(engine: &str) -> String {
    format!("{engine} is installed, but does not answer")
}

fn name(engine: &Path) -> String {
    engine.file_name().unwrap_or(engine.as_os_str()).to_string_lossy().into_owned()
}

fn command(engine: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(engine);
    command.args(arguments.iter().map(OsString::from)).stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn last_words(said: &[u8]) -> Vec<String> {
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().map(str::trim_end).filter(|it| !it.is_empty()).collect();
    lines[lines.len().saturating_sub(WORDS)..].iter().map(|&line| line.to_owned()).collect()
}

#[cfg(test)]
mod tests;
