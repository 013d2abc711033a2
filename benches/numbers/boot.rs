//! How long a broker of our own takes until it can be used, beside the bare server: the same
//! script with the same plugins, started by hand and asked until it answers AMQP and HTTP.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rmq_scenario::broker::{Broker, Choice, SERVER_VARIABLE, Settings, locate};
use rustix::process::{Pid, Signal, kill_process};

use crate::{PROGRAM, median, millis};

const PAIRS: usize = 5;
const CLUSTERS: usize = 3;
/// How often the bare server is asked.
const STEP: Duration = Duration::from_millis(10);
const AT_MOST: Duration = Duration::from_secs(120);

/// From the start of the program to its first publish, and from the start of the bare server to
/// its first answers, alternating.
pub fn boot() {
    let Ok(script) = locate(None) else {
        println!("boot: no server script is installed, nothing to compare with");
        return;
    };
    let (mut beyond, mut took) = (Vec::new(), Vec::new());
    // The first pair warms the disk's cache up and is not counted.
    for pair in 0..=PAIRS {
        let (bare, ours) = if pair % 2 == 0 {
            let bare = bare(&script);
            (bare, ours(&script))
        } else {
            let ours = ours(&script);
            (self::bare(&script), ours)
        };
        if pair > 0 {
            beyond.push(millis(ours) - millis(bare));
            took.push(millis(ours));
        }
    }
    println!(
        "boot: {:.0} ms more to the first publish than the bare server to its first answers \
         (at most 300 ms; {:.1} s in all)  pairs {}",
        median(&mut beyond.clone()),
        median(&mut took) / 1000.0,
        beyond.iter().map(|it| format!("{it:.0}")).collect::<Vec<_>>().join(" ")
    );
}

/// Until three nodes have found each other.
pub async fn cluster() {
    let mut took = Vec::new();
    for _ in 0..CLUSTERS {
        let began = Instant::now();
        let settings = Settings { nodes: 3, ..Settings::default() };
        let choice = Choice::Private { server: None, settings };
        let opened = Broker::open(choice, Path::new(PROGRAM)).await;
        took.push(began.elapsed().as_secs_f64());
        opened.expect("three nodes find each other").close().await.expect("they end");
    }
    println!(
        "cluster: three nodes ready in {:.1} s (under 15 s)  runs {}",
        median(&mut took.clone()),
        took.iter().map(|it| format!("{it:.1}")).collect::<Vec<_>>().join(" ")
    );
}

/// The whole program, until it says that the fault has acted which its first publish sets off.
fn ours(script: &Path) -> Duration {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("scenario.yaml");
    let text = "scenario: first\ntopology: { queues: [{ name: q }] }\n\
        producers: [{ name: p, to: { queue: q }, messages: 10, rate: 1/s }]\n\
        faults: [{ kill: p, after: { published: 1 } }]\n";
    fs::write(&file, text).expect("a file is written");
    let began = Instant::now();
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg(&file).env(SERVER_VARIABLE, script);
    // Whoever measures may keep a broker warm.
    command.env("XDG_RUNTIME_DIR", folder.path());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let acted = lines.any(|line| line.expect("it is text").contains("kill p at"));
    let took = began.elapsed();
    assert!(acted, "it never published");
    // What else it says is read, or it could not end.
    lines.for_each(drop);
    assert!(child.wait().expect("it is ours").code().is_some());
    took
}

/// The script with what any private node needs, until it answers.
fn bare(script: &Path) -> Duration {
    let node = Bare::prepare();
    let began = Instant::now();
    let mut child = node.start(script);
    while !(node.answers_amqp() && node.answers_http()) {
        assert!(began.elapsed() < AT_MOST, "the bare server does not come up");
        assert!(child.try_wait().expect("it is ours").is_none(), "the bare server ended");
        std::thread::sleep(STEP);
    }
    let took = began.elapsed();
    node.end(child);
    took
}

/// A node that nobody keeps.
struct Bare {
    dir: tempfile::TempDir,
    amqp: u16,
    management: u16,
    distribution: u16,
    epmd: u16,
}

impl Bare {
    fn prepare() -> Self {
        let dir = tempfile::Builder::new().prefix("bare-").tempdir().expect("a folder");
        // Held together, so that all are different.
        let free = [(); 4].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
        let [amqp, management, distribution, epmd] =
            free.map(|free| free.local_addr().expect("it is bound").port());
        let node = Self { dir, amqp, management, distribution, epmd };
        let write = |name: &str, text: &str| {
            fs::write(node.path(name), text).expect("a file is written");
        };
        write(
            "rabbitmq.conf",
            &format!(
                "listeners.tcp.local = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\n\
                 management.tcp.port = {management}\n"
            ),
        );
        write("advanced.config", "[].\n");
        write("enabled_plugins", "[rabbitmq_management].\n");
        write(".erlang.cookie", "bare");
        let mode = fs::Permissions::from_mode(0o400);
        fs::set_permissions(node.path(".erlang.cookie"), mode).expect("it is ours");
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&self, script: &Path) -> Child {
        let port = self.distribution;
        let erlang = format!(
            "-kernel inet_dist_use_interface {{127,0,0,1}} -kernel inet_dist_listen_min {port} \
             -kernel inet_dist_listen_max {port}"
        );
        let text = OsString::from;
        let in_dir = |name: &str| self.path(name).into_os_string();
        let environment = [
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("HOME", self.dir.path().into()),
            ("TMPDIR", self.dir.path().into()),
            ("LANG", text("C.UTF-8")),
            ("RABBITMQ_NODENAME", text("bare@localhost")),
            ("RABBITMQ_CONF_ENV_FILE", text("/dev/null")),
            ("RABBITMQ_CONFIG_FILE", in_dir("rabbitmq.conf")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", in_dir("advanced.config")),
            ("RABBITMQ_GENERATED_CONFIG_DIR", in_dir("generated")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", in_dir("enabled_plugins")),
            ("RABBITMQ_MNESIA_BASE", in_dir("data")),
            ("RABBITMQ_LOG_BASE", in_dir("log")),
            ("RABBITMQ_LOGS", text("-")),
            ("RABBITMQ_PID_FILE", in_dir("pid")),
            ("RABBITMQ_DIST_PORT", port.to_string().into()),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", erlang.into()),
            ("ERL_EPMD_PORT", self.epmd.to_string().into()),
            ("ERL_EPMD_ADDRESS", text("127.0.0.1")),
        ];
        let mut command = Command::new(script);
        command.env_clear().envs(environment).current_dir(self.dir.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().expect("the script starts")
    }

    fn answers_amqp(&self) -> bool {
        self.answer(self.amqp, b"AMQP\0\0\x09\x01").is_some_and(|answer| answer.contains(&1))
    }

    fn answers_http(&self) -> bool {
        // The words are guest:guest, the user that every new node has.
        let request = "GET /api/overview HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
            authorization: Basic Z3Vlc3Q6Z3Vlc3Q=\r\n\r\n";
        let answer = self.answer(self.management, request.as_bytes());
        answer.is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200"))
    }

    /// The first bytes that come back.
    fn answer(&self, port: u16, question: &[u8]) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        stream.write_all(question).ok()?;
        let mut bytes = vec![0; 64];
        let count = stream.read(&mut bytes).ok().filter(|count| *count > 0)?;
        bytes.truncate(count);
        Some(bytes)
    }

    /// Ends everything that was started for it: the script, the Erlang machine, the name service.
    fn end(&self, mut child: Child) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut last = BTreeSet::new();
        while Instant::now() < deadline {
            let processes = self.processes();
            for id in &processes {
                let id = i32::try_from(*id).ok().and_then(Pid::from_raw);
                // One may have ended with another.
                let _ = id.map(|id| kill_process(id, Signal::KILL));
            }
            // The script is ours to wait for.
            let _ = child.try_wait();
            last = processes;
            if last.is_empty() {
                break;
            }
            std::thread::sleep(STEP);
        }
        assert!(last.is_empty(), "processes of the bare server do not end: {last:?}");
        let _ = child.wait();
    }

    /// Those that have its directory in their environment.
    fn processes(&self) -> BTreeSet<u32> {
        let mark = self.dir.path().to_str().expect("it is text").as_bytes();
        let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark)
        })
        .collect()
    }
}
