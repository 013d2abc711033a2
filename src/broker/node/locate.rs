//! Finding the script that starts RabbitMQ on this machine.
//!
//! It must be the one beside `rabbitmq-env`: the wrapper that packages put in `sbin` switches to
//! another user, or refuses, and drops the environment that makes a node private.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::container::{Container, IMAGE_PREFIX};
use crate::broker::error::{BrokerError, Kind};

/// The environment variable that names the server script.
pub const SERVER_VARIABLE: &str = "RMQ_SCENARIO_SERVER";

const SCRIPT: &str = "rabbitmq-server";

/// What starts a private node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    Script(PathBuf),
    Container(Container),
}

impl Server {
    /// What [`locate`] finds, or an image where one was named; where nothing was named and no
    /// server is installed, a container, if an engine answers.
    ///
    /// # Errors
    /// When what was named cannot be run, or there is none.
    pub async fn choose(server: Option<&Path>) -> Result<Self, BrokerError> {
        let name = server.map(Path::to_owned).or_else(by_environment);
        let image = name.as_ref().and_then(|it| it.to_str()?.strip_prefix(IMAGE_PREFIX));
        if let Some(image) = image {
            return Container::named(image).await.map(Self::Container);
        }
        match locate(server) {
            Ok(script) => Ok(Self::Script(script)),
            Err(error) if name.is_none() => Container::instead(error).await.map(Self::Container),
            Err(error) => Err(error),
        }
    }

    /// The same from whatever directory.
    pub fn whole(self) -> Self {
        match self {
            Self::Script(path) => Self::Script(std::path::absolute(&path).unwrap_or(path)),
            container => container,
        }
    }

    /// As `--server` names it.
    pub fn name(&self) -> PathBuf {
        match self {
            Self::Script(path) => path.clone(),
            Self::Container(it) => PathBuf::from(format!("{IMAGE_PREFIX}{}", it.image)),
        }
    }

    /// What the keeper is told of it on its command line.
    pub fn words(&self) -> Vec<OsString> {
        match self {
            Self::Script(path) => vec![path.into()],
            Self::Container(Container { engine, image }) => vec![engine.into(), image.into()],
        }
    }

    /// The same from there.
    pub fn from_words(mut words: impl Iterator<Item = OsString>) -> Option<Self> {
        let first = PathBuf::from(words.next()?);
        Some(match words.next().and_then(|image| image.into_string().ok()) {
            None => Self::Script(first),
            Some(image) => Self::Container(Container { engine: first, image }),
        })
    }
}

/// What the environment says, unless that is nothing.
fn by_environment() -> Option<PathBuf> {
    env::var_os(SERVER_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Where packages put the script; `*` stands for anything in one component.
const USUAL: [&str; 12] = [
    "/usr/lib/rabbitmq/bin",
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/usr/lib64/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/opt/homebrew/sbin",
    "/opt/homebrew/opt/rabbitmq/sbin",
    "/usr/local/sbin",
    "/usr/local/opt/rabbitmq/sbin",
    "/home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin",
    "/opt/rabbitmq*/sbin",
    "/usr/local/rabbitmq*/sbin",
    "/usr/local/lib/rabbitmq*/sbin",
    "/usr/local/lib/erlang/lib/rabbitmq_server-*/sbin",
];

/// The script to run: `server` if given, else [`SERVER_VARIABLE`], else the first in `PATH`,
/// else the first in the usual places.
///
/// # Errors
/// When what was named cannot be run, or there is none.
pub fn locate(server: Option<&Path>) -> Result<PathBuf, BrokerError> {
    if let Some(path) = server {
        return named(path, "--server");
    }
    if let Some(path) = by_environment() {
        return named(&path, SERVER_VARIABLE);
    }
    search(&env::var_os("PATH").unwrap_or_default(), &USUAL)
}

fn search(path: &OsStr, places: &[&str]) -> Result<PathBuf, BrokerError> {
    in_path(path).or_else(|| in_places(places)).ok_or_else(none)
}

/// What the user named must run; a mistake there is never passed over for another server.
fn named(path: &Path, by: &str) -> Result<PathBuf, BrokerError> {
    let wrong = |what: &str| {
        BrokerError::new(Kind::NoServer, format!("{by} {} {what}", path.display())).help(
            "name the server script itself, for example \
             /usr/lib/rabbitmq/lib/rabbitmq_server-VERSION/sbin/rabbitmq-server, \
             or an image, as docker:rabbitmq:4-management",
        )
    };
    let about = fs::metadata(path).map_err(|error| wrong(&format!("cannot be used: {error}")))?;
    if about.is_dir() {
        return Err(wrong("is a directory"));
    }
    if !is_program(path) {
        return Err(wrong("is not executable"));
    }
    unwrapped(path).ok_or_else(|| wrong("is a wrapper that switches users, not the server"))
}

fn in_path(path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path).find_map(|dir| usable(&dir.join(SCRIPT)))
}

fn in_places(places: &[&str]) -> Option<PathBuf> {
    let dirs = places.iter().flat_map(|place| matching(Path::new(place)));
    dirs.into_iter().find_map(|dir| usable(&dir.join(SCRIPT)))
}

fn usable(path: &Path) -> Option<PathBuf> {
    if is_program(path) { unwrapped(path) } else { None }
}

pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

/// The script itself where `path` is, or links to, a package's wrapper. A program that is no
/// such wrapper is taken as it is: somebody may have one of their own.
fn unwrapped(path: &Path) -> Option<PathBuf> {
    let real = fs::canonicalize(path).ok()?;
    if !switches_users(&real) {
        return Some(real);
    }
    let beside = real.parent().map(|dir| dir.join(SCRIPT)).into_iter();
    let packaged = USUAL.iter().flat_map(|place| matching(Path::new(place)));
    beside
        .chain(packaged.map(|dir| dir.join(SCRIPT)))
        .filter(|script| is_program(script))
        .filter_map(|script| fs::canonicalize(script).ok())
        .find(|script| !switches_users(script))
}

/// The wrappers of Debian and of the RPM packages run the server through `su` or `runuser`.
fn switches_users(path: &Path) -> bool {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.starts_with("#!") && (text.contains("runuser -u") || text.contains("su rabbitmq"))
}

/// The directories that a pattern of [`USUAL`] stands for, newest version first.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let part = part.as_os_str().to_string_lossy();
        found = match part.split_once('*') {
            None => found.iter().map(|dir| dir.join(&*part)).collect(),
            Some((prefix, _)) => found.iter().flat_map(|dir| beginning(dir, prefix)).collect(),
        };
    }
    found
}

fn beginning(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries.filter(|it| it.file_name().to_string_lossy().starts_with(prefix));
    let mut found: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    found.sort();
    found.reverse();
    found
}

fn none() -> BrokerError {
    let looked = format!(
        "looked for: --server, {SERVER_VARIABLE}, {SCRIPT} in PATH and {} usual places",
        USUAL.len()
    );
    BrokerError::new(Kind::NoServer, "no RabbitMQ server found")
        .note(looked)
        .note(format!("to install it here:   {}", install_command()))
        .note("or use a running one: rmq-scenario run FILE --broker amqp://user:password@host")
}

/// How this platform installs RabbitMQ.
pub fn install_command() -> &'static str {
    const BY_TOOL: [(&str, &str); 6] = [
        ("apt-get", "sudo apt-get install rabbitmq-server"),
        ("dnf", "sudo dnf install rabbitmq-server"),
        ("pacman", "sudo pacman -S rabbitmq"),
        ("zypper", "sudo zypper install rabbitmq-server"),
        ("apk", "sudo apk add rabbitmq-server"),
        ("brew", "brew install rabbitmq"),
    ];
    let path = env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = env::split_paths(&path)
        .chain(["/usr/bin", "/opt/homebrew/bin", "/usr/local/bin"].map(PathBuf::from))
        .collect();
    let found = BY_TOOL.iter().find(|(tool, _)| dirs.iter().any(|dir| is_program(&dir.join(tool))));
    found.map_or("see https://www.rabbitmq.com/docs/download", |(_, command)| command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_wrapper_leads_to_the_script_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let script = root.join("lib/rabbitmq_server-1.2.3/sbin/rabbitmq-server");
        program(&script, "#!/bin/sh\n. rabbitmq-env\n");
        program(&root.join("bin/rabbitmq-script-wrapper"), "#!/bin/sh\nrunuser -u rabbitmq -- x\n");
        std::os::unix::fs::symlink(&script, root.join("bin/rabbitmq-server")).unwrap();
        fs::create_dir(root.join("sbin")).unwrap();
        let wrapper = root.join("sbin/rabbitmq-server");
        std::os::unix::fs::symlink("../bin/rabbitmq-script-wrapper", &wrapper).unwrap();
        assert_eq!(in_path(root.join("sbin").as_os_str()), Some(script.clone()));
        assert_eq!(named(&wrapper, "--server").unwrap(), script);
    }

    #[test]
    fn a_program_of_ones_own_is_taken_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let own = fs::canonicalize(dir.path()).unwrap().join("start-it");
        program(&own, "#!/bin/sh\nexec something else\n");
        assert_eq!(named(&own, "--server").unwrap(), own);
    }

    #[test]
    fn the_newest_of_several_versions_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        for version in ["3.1.0", "4.0.0"] {
            let script = format!("rabbitmq_server-{version}/sbin/rabbitmq-server");
            program(&dir.path().join(script), "#!/bin/sh\n");
        }
        let pattern = dir.path().join("rabbitmq_server-*/sbin");
        let found = in_places(&[pattern.to_str().unwrap()]).unwrap();
        assert!(found.to_string_lossy().contains("4.0.0"), "{}", found.display());
    }

    #[test]
    fn without_any_server_the_error_says_where_it_looked_and_how_to_get_one() {
        let error = search(OsStr::new("/nonexistent"), &["/nonexistent/*/sbin"]).unwrap_err();
        assert_eq!((error.kind, &*error.message), (Kind::NoServer, "no RabbitMQ server found"));
        let notes = error.notes.join("\n");
        for needed in ["--server", SERVER_VARIABLE, "to install it here:", "--broker amqp://"] {
            assert!(notes.contains(needed), "{needed} in {notes}");
        }
    }

    #[test]
    fn what_was_named_and_cannot_run_is_an_error_with_its_reason() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        for (path, reason) in [
            (dir.path().to_owned(), "is a directory"),
            (plain, "is not executable"),
            (dir.path().join("absent"), "cannot be used: No such file"),
        ] {
            let error = named(&path, "--server").unwrap_err();
            assert_eq!(error.kind, Kind::NoServer);
            assert!(error.message.contains(reason), "{}", error.message);
        }
    }
}
