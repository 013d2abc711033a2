//! What a private node is told: its directory, its configuration and its environment.
//!
//! Everything it opens is on 127.0.0.1, everything it writes is below one directory that only
//! its user can read, and nothing of the machine's own RabbitMQ is read.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::container;
use crate::broker::settings::Settings;

/// A started node: where it is, and how to enter it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// For the Erlang distribution: `rmq@localhost`.
    #[serde(default = "only")]
    pub name: String,
    /// Holds everything the node writes.
    pub dir: PathBuf,
    /// What was started first: the Erlang machine or a script around it, and the process group of
    /// all that; of a container, its client.
    pub pid: u32,
    /// The name of its container, if the node is in one.
    pub container: Option<String>,
    /// The name service of the Erlang distribution, if it is a child of the keeper.
    pub epmd_pid: Option<u32>,
    pub amqp: u16,
    pub management: u16,
    pub distribution: u16,
    pub epmd: u16,
    pub user: String,
    pub password: String,
}

fn only() -> String {
    "rmq@localhost".to_owned()
}

pub(crate) fn random_bytes(into: &mut [u8]) -> io::Result<()> {
    fs::File::open("/dev/urandom")?.read_exact(into)
}

/// 16 random bytes as 32 hexadecimal digits.
pub(crate) fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    random_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes what shows the nodes to one another, and us to them.
pub(crate) fn write_cookie(home: &Path) -> io::Result<()> {
    let cookie = home.join(".erlang.cookie");
    fs::write(&cookie, secret()?)?;
    fs::set_permissions(cookie, fs::Permissions::from_mode(0o400))
}

/// Writes what the node reads at its start.
pub(crate) fn write(facts: &Facts, settings: &Settings) -> io::Result<()> {
    let dir = &facts.dir;
    fs::create_dir_all(dir)?;
    fs::write(dir.join("rabbitmq.conf"), configuration(facts, settings))?;
    fs::write(dir.join("advanced.config"), settings.advanced())?;
    fs::write(dir.join("enabled_plugins"), PLUGINS)
}

pub(crate) const PLUGINS: &str = "[rabbitmq_management].\n";

fn configuration(facts: &Facts, settings: &Settings) -> String {
    let Facts { amqp, management, .. } = facts;
    let listeners = format!(
        "listeners.tcp.local = 127.0.0.1:{amqp}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {management}\n"
    );
    listeners + &formation(facts) + &anywhere(facts, settings)
}

/// How a node becomes one of a cluster: it joins the first one, however long that needs to boot.
/// That one waits for nobody; on 3.10 each would else wait 5 s for the others. (Measured.)
fn formation(facts: &Facts) -> String {
    let (first, name) = (node_name(0, 2), &facts.name);
    if *name == only() || *name == first {
        return String::new();
    }
    format!(
        "cluster_formation.peer_discovery_backend = classic_config\n\
         cluster_formation.classic_config.nodes.1 = {first}\n\
         cluster_formation.classic_config.nodes.2 = {name}\n\
         cluster_formation.discovery_retry_interval = 100\n\
         cluster_formation.discovery_retry_limit = 900\n"
    )
}

/// The configuration without the addresses to listen on, which a container has of its own.
pub(crate) fn anywhere(facts: &Facts, settings: &Settings) -> String {
    let Facts { epmd, user, password, .. } = facts;
    // Without a name for the cluster, each greeting and some answers wait for the name service
    // to tell the machine's name; where that is out of order, 5 s.
    let own = format!(
        "cluster_name = rmq-scenario-{epmd}\n\
         default_user = {user}\n\
         default_pass = {password}\n"
    );
    own + &settings.configuration()
}

/// The whole environment of the node, and of everything it starts. Its home is where the cookie
/// is, and what all that belongs to one keeper is known by.
pub(crate) fn environment(home: &Path, facts: &Facts) -> Vec<(&'static str, OsString)> {
    let in_dir = |name: &str| facts.dir.join(name).into_os_string();
    vec![
        ("PATH", search_path()),
        ("HOME", home.into()),
        ("LANG", "C.UTF-8".into()),
        ("TMPDIR", facts.dir.clone().into_os_string()),
        // The script then becomes the Erlang machine instead of waiting for it, so that the
        // process that was started is the one to end.
        ("RUNNING_UNDER_SYSTEMD", "true".into()),
        ("RABBITMQ_NODENAME", facts.name.clone().into()),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
        ("RABBITMQ_CONFIG_FILE", in_dir("rabbitmq.conf")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", in_dir("advanced.config")),
        ("RABBITMQ_GENERATED_CONFIG_DIR", in_dir("generated")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", in_dir("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", in_dir("data")),
        ("RABBITMQ_LOG_BASE", in_dir("log")),
        ("RABBITMQ_LOGS", "-".into()),
        ("RABBITMQ_PID_FILE", in_dir(PID)),
        ("RABBITMQ_DIST_PORT", facts.distribution.to_string().into()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang_arguments(facts).into()),
        ("ERL_EPMD_PORT", facts.epmd.to_string().into()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
        ("ERL_CRASH_DUMP", "/dev/null".into()),
    ]
}

/// Where the Erlang machine writes its process id, below the node's directory.
pub(crate) const PID: &str = "pid";

/// What a node is called for the Erlang distribution, whose name service is ours alone.
pub(crate) fn node_name(index: usize, count: usize) -> String {
    match count {
        1 => only(),
        _ => format!("rmq-{}@localhost", index + 1),
    }
}

/// The distribution is started by the Erlang machine itself rather than by RabbitMQ's boot,
/// which would first run a second Erlang machine to start the name service.
fn erlang_arguments(facts: &Facts) -> String {
    let (name, port) = (&facts.name, facts.distribution);
    let own = if facts.epmd_pid.is_some() { " -start_epmd false" } else { "" };
    format!(
        "-sname {name} -kernel inet_dist_use_interface {{127,0,0,1}} \
         -kernel inet_dist_listen_min {port} -kernel inet_dist_listen_max {port}{own}"
    )
}

/// `PATH`, and behind it where Erlang usually is.
pub(crate) fn search_path() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/local/bin", "/usr/bin", "/bin", "/opt/homebrew/bin", "/usr/sbin", "/sbin"];
    let dirs = std::env::split_paths(&path).chain(usual.map(PathBuf::from));
    std::env::join_paths(dirs).unwrap_or(path)
}

/// The lines of the node's log that say why it failed: what it called an error before it
/// reported how its processes fell, or where there is none such, the last lines.
pub(crate) fn log_tail(dir: &Path) -> Vec<String> {
    const LINES: usize = 12;
    let log = fs::read(dir.join(CONSOLE)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let mut said = errors(&log);
    if said.is_empty() {
        said = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    }
    said[said.len().saturating_sub(LINES)..].iter().map(|&line| line.to_owned()).collect()
}

/// `2026-11-20 18:46:18.458391+00:00 [error] <0.138.0> You've tried to set …`, without what
/// stands before the words.
fn errors(log: &str) -> Vec<&str> {
    let words = |line| {
        let (_, rest) = str::split_once(line, " [error] <")?;
        rest.split_once("> ").map(|(_, words)| words.trim_end())
    };
    let report = |words: &&str| {
        ["supervisor:", "crasher:"]
            .contains(&words.trim_start().split(' ').next().unwrap_or_default())
    };
    let noise =
        |words: &&str| words.is_empty() || *words == "BOOT FAILED" || words.starts_with("====");
    let said = log.lines().filter_map(words).take_while(|words| !report(words));
    said.filter(|words| !noise(words)).collect()
}

/// How the names of nodes' directories begin.
pub(crate) const DIRECTORY: &str = "rmq-scenario-";

/// Where the node's output and its log go, below its directory.
pub(crate) const CONSOLE: &str = "console.log";

/// Whether the node stopped because another program had taken one of its ports meanwhile, or another
/// node was at the wrong point of its boot: the next try may well succeed.
pub(crate) fn was_unlucky(dir: &Path) -> bool {
    let log = fs::read(dir.join(CONSOLE)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let disagreed = DISAGREED.iter().any(|words| log.contains(words));
    disagreed || log.contains("eaddrinuse") || container::port_was_taken(&log)
}

/// What a node of 3.10 says that has met another one in the middle of its boot. (Each seen on a busy
/// machine, once in some twenty clusters or less.)
const DISAGREED: [&str; 3] = [
    // It has seen the tables of the first node before that had enabled its features, and after that.
    "schema_integrity_check_failed",
    // It has seen features of a plugin enabled that it had not heard of a moment before.
    "do_sync_feature_flags_with_node",
    // It has read the list of its own features while somebody else wrote it.
    "try_to_read_enabled_feature_flags_list",
];

/// Lets this process, and what it starts, open as many files as the system allows it: each
/// client of a node is a socket, and the usual limit of 1024 is soon reached.
pub fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Not unlimited: Erlang, and macOS, take that for a mistake.
    const ENOUGH: u64 = 65_536;
    let now = getrlimit(Resource::Nofile);
    let wanted = now.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    if now.current.is_some_and(|current| current < wanted) {
        // It is an improvement, not a need: without it a large scenario fails by itself, and says so.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: now.maximum });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_above_the_reports_of_a_fall() {
        let log = "booting\n\
                   2026-11-20 18:46:18.45+00:00 [error] <0.138.0> no setting of that name\n\
                   2026-11-20 18:46:18.45+00:00 [error] <0.138.0>   Did you mean this?\n\
                   \n\
                   2026-11-20 18:46:18.45+00:00 [error] <0.138.0> \n\
                   2026-11-20 18:46:18.45+00:00 [error] <0.138.0> BOOT FAILED\n\
                   2026-11-20 18:46:18.45+00:00 [error] <0.138.0> ===========\n\
                   2026-11-20 18:46:18.45+00:00 [notice] <0.44.0> going on\n\
                   2026-11-20 18:46:19.45+00:00 [error] <0.138.0>     supervisor: {local,x}\n\
                   2026-11-20 18:46:19.45+00:00 [error] <0.138.0>     reason: y\n";
        assert_eq!(errors(log), ["no setting of that name", "  Did you mean this?"]);
    }
}
