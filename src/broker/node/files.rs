//! What a private node is told: its directory, its configuration and its environment.
//!
//! Everything it opens is on 127.0.0.1, everything it writes is below one directory that only
//! its user can read, and nothing of the machine's own RabbitMQ is read.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How often connections, channels and queues report to the management API. Its default of 5 s
/// keeps a new connection invisible for as long; far below a second it costs under load.
const STATISTICS_INTERVAL_MS: u64 = 1000;

/// A started node: where it is, and how to enter it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Holds everything the node writes.
    pub dir: PathBuf,
    /// The Erlang machine, and the process group of what it starts.
    pub pid: u32,
    /// The name service of the Erlang distribution, if it is a child of the keeper.
    pub epmd_pid: Option<u32>,
    pub amqp: u16,
    pub management: u16,
    pub distribution: u16,
    pub epmd: u16,
    pub user: String,
    pub password: String,
}

/// Ports that nobody else listens on, held until the node is started.
///
/// They are drawn from below the range that Linux and macOS give to outgoing connections, so
/// that none of those can take one while the node boots.
pub(crate) struct Reserved {
    pub amqp: TcpListener,
    pub management: TcpListener,
    pub distribution: TcpListener,
    pub epmd: TcpListener,
}

impl Reserved {
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            amqp: free_port()?,
            management: free_port()?,
            distribution: free_port()?,
            epmd: free_port()?,
        })
    }
}

fn free_port() -> io::Result<TcpListener> {
    const FIRST: u16 = 20_000;
    const HOW_MANY: u16 = 12_000;
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..100 {
        let mut draw = [0; 2];
        random_bytes(&mut draw)?;
        let port = FIRST + u16::from_ne_bytes(draw) % HOW_MANY;
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return Ok(listener),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn random_bytes(into: &mut [u8]) -> io::Result<()> {
    fs::File::open("/dev/urandom")?.read_exact(into)
}

/// 16 random bytes as 32 hexadecimal digits.
pub(crate) fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    random_bytes(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes what the node reads at its start.
pub(crate) fn write(facts: &Facts) -> io::Result<()> {
    let dir = &facts.dir;
    fs::write(dir.join("rabbitmq.conf"), configuration(facts))?;
    fs::write(dir.join("advanced.config"), advanced())?;
    fs::write(dir.join("enabled_plugins"), "[rabbitmq_management].\n")?;
    let cookie = dir.join(".erlang.cookie");
    fs::write(&cookie, secret()?)?;
    fs::set_permissions(cookie, fs::Permissions::from_mode(0o400))
}

fn configuration(facts: &Facts) -> String {
    let Facts { amqp, management, distribution, user, password, .. } = facts;
    // The alarms block publishers, which in a scenario looks like a fault. On a private node
    // they would speak of the machine, not of the scenario: they fire only when it is exhausted.
    // Without a name for the cluster, each greeting and some answers wait for the name service
    // to tell the machine's name; where that is out of order, 5 s.
    format!(
        "cluster_name = rmq-scenario-{distribution}\n\
         listeners.tcp.local = 127.0.0.1:{amqp}\n\
         management.tcp.ip = 127.0.0.1\n\
         management.tcp.port = {management}\n\
         default_user = {user}\n\
         default_pass = {password}\n\
         collect_statistics_interval = {STATISTICS_INTERVAL_MS}\n\
         vm_memory_high_watermark.relative = 0.8\n\
         disk_free_limit.absolute = 10MB\n"
    )
}

/// Versions that deny transient queues, or will, are asked to permit them; as terms rather than
/// as keys of `rabbitmq.conf`, because a version that does not know such a key does not start.
/// The ticks are how stale the numbers of quorum queues and of streams may be.
fn advanced() -> String {
    format!(
        "[{{rabbit, [{{permit_deprecated_features, #{{transient_nonexcl_queues => true,
                                          management_metrics_collection => true}}}},
           {{quorum_tick_interval, {TICK_MS}}},
           {{stream_tick_interval, {TICK_MS}}}]}}].
"
    )
}

/// How often those numbers are refreshed; the broker's default is 5 s.
pub(crate) const TICK_MS: u64 = 100;

/// The whole environment of the node, and of everything it starts.
pub(crate) fn environment(facts: &Facts) -> Vec<(&'static str, OsString)> {
    let in_dir = |name: &str| facts.dir.join(name).into_os_string();
    vec![
        ("PATH", search_path()),
        ("HOME", facts.dir.clone().into_os_string()),
        ("LANG", "C.UTF-8".into()),
        ("TMPDIR", facts.dir.clone().into_os_string()),
        // The script then becomes the Erlang machine instead of waiting for it, so that the
        // process that was started is the one to end.
        ("RUNNING_UNDER_SYSTEMD", "true".into()),
        ("RABBITMQ_NODENAME", NODE_NAME.into()),
        ("RABBITMQ_CONF_ENV_FILE", "/dev/null".into()),
        ("RABBITMQ_CONFIG_FILE", in_dir("rabbitmq.conf")),
        ("RABBITMQ_ADVANCED_CONFIG_FILE", in_dir("advanced.config")),
        ("RABBITMQ_GENERATED_CONFIG_DIR", in_dir("generated")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", in_dir("enabled_plugins")),
        ("RABBITMQ_MNESIA_BASE", in_dir("data")),
        ("RABBITMQ_LOG_BASE", in_dir("log")),
        ("RABBITMQ_LOGS", "-".into()),
        ("RABBITMQ_PID_FILE", in_dir("pid")),
        ("RABBITMQ_DIST_PORT", facts.distribution.to_string().into()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang_arguments(facts).into()),
        ("ERL_EPMD_PORT", facts.epmd.to_string().into()),
        ("ERL_EPMD_ADDRESS", "127.0.0.1".into()),
        ("ERL_CRASH_DUMP", "/dev/null".into()),
    ]
}

/// The node's name for the Erlang distribution; its name service is its own, too.
pub(crate) const NODE_NAME: &str = "rmq@localhost";

/// The distribution is started by the Erlang machine itself rather than by RabbitMQ's boot,
/// which would first run a second Erlang machine to start the name service.
fn erlang_arguments(facts: &Facts) -> String {
    let port = facts.distribution;
    let own = if facts.epmd_pid.is_some() { " -start_epmd false" } else { "" };
    format!(
        "-sname {NODE_NAME} -kernel inet_dist_use_interface {{127,0,0,1}} \
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

/// The last lines of the node's log that say something.
pub(crate) fn log_tail(dir: &Path) -> Vec<String> {
    const LINES: usize = 12;
    let log = fs::read(dir.join(CONSOLE)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let said: Vec<&str> = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    said[said.len().saturating_sub(LINES)..].iter().map(|&line| line.to_owned()).collect()
}

/// Where the node's output and its log go, below its directory.
pub(crate) const CONSOLE: &str = "console.log";

/// Whether the node stopped because another program had taken one of its ports meanwhile.
pub(crate) fn port_was_taken(dir: &Path) -> bool {
    let log = fs::read(dir.join(CONSOLE)).unwrap_or_default();
    String::from_utf8_lossy(&log).contains("eaddrinuse")
}

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
