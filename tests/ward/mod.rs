//! Private nodes that are addressed as if they were somebody else's, and tools on the search path
//! that stand for those of their owner: each writes down how it was called and then really does to
//! a node what the tool would do.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use rmq_scenario::broker::{Broker, Choice, Control, Facts, Settings, locate};
use rmq_scenario::plan::model::{Alarm, NodeId, StopHow};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::scenes::{Run, Scene};
use crate::support::{block_on, program};

/// The nodes, and the tools.
pub struct Ward {
    broker: Broker,
    tools: PathBuf,
    /// One at a time does something to it.
    turn: Mutex<()>,
}

static WARD: OnceLock<Ward> = OnceLock::new();

/// A ward of one node, for one test at a time.
pub fn ward() -> Turn {
    ward_of(1)
}

/// The ward of this test program, which has so many nodes.
pub fn ward_of(nodes: u64) -> Turn {
    let ward = WARD.get_or_init(|| block_on(Ward::new(nodes)));
    let turn = ward.turn.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // A test that failed may have left anything.
    for action in ["resume", "start", "memory-alarm-off", "heal"] {
        let nodes = 1..=ward.broker.nodes();
        let tools = nodes.map(|node| {
            let mut tool = Command::new(ward.tools.join("ward"));
            tool.args([action, &node.to_string()]).stdout(Stdio::null()).spawn()
        });
        for mut tool in tools.collect::<Vec<_>>().into_iter().flatten() {
            tool.wait().expect("it ends");
        }
    }
    let _ = fs::remove_file(ward.tools.join("calls"));
    Turn { ward, _turn: turn }
}

pub struct Turn {
    ward: &'static Ward,
    _turn: MutexGuard<'static, ()>,
}

impl Ward {
    async fn new(nodes: u64) -> Self {
        let settings = Settings { nodes, ..Settings::default() };
        let broker = Broker::open(Choice::Private { server: None, settings }, program()).await;
        let broker = broker.unwrap_or_else(|error| panic!("{error} {:?}", error.notes));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, broker.control().expect("it is ours")));
        let tools = tools();
        write_tools(&tools, port, broker.facts().unwrap());
        Self { broker, tools, turn: Mutex::default() }
    }
}

impl Turn {
    /// Of the first node.
    pub fn facts(&self) -> &'static Facts {
        self.ward.broker.facts().expect("it is ours")
    }

    pub fn version(&self) -> &str {
        self.ward.broker.version()
    }

    /// Of each node.
    pub fn all_facts(&self) -> &'static [Facts] {
        self.ward.broker.all_facts()
    }

    /// The addresses of these nodes, as somebody else's.
    pub fn addresses(&self, nodes: &[usize]) -> String {
        let facts = self.facts();
        let address = |(at, node): (usize, &usize)| {
            let port = self.all_facts()[*node - 1].amqp;
            // What the first says holds for the others.
            let user = format!("{}:{}@", facts.user, facts.password);
            format!("amqp://{}127.0.0.1:{port}", if at == 0 { &user } else { "" })
        };
        nodes.iter().enumerate().map(address).collect::<Vec<_>>().join(",")
    }

    /// The program on this file, with all nodes as somebody else's broker and the tools in its
    /// path.
    pub fn command(&self, scene: &Scene) -> Command {
        let all: Vec<usize> = (1..=self.all_facts().len()).collect();
        self.command_on(scene, &all)
    }

    /// The same with these nodes only.
    pub fn command_on(&self, scene: &Scene, nodes: &[usize]) -> Command {
        let mut command = scene.bare();
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.ward.tools.display()));
        command.arg("--broker").arg(self.addresses(nodes));
        for node in nodes {
            let port = self.all_facts()[*node - 1].management;
            command.arg("--management").arg(format!("http://127.0.0.1:{port}"));
        }
        command.arg("--report").arg(format!("json={}", scene.report().display()));
        command
    }

    #[track_caller]
    pub fn run(&self, yaml: &str, args: &[&str]) -> Run {
        let scene = Scene::new(yaml);
        let mut command = self.command(&scene);
        command.args(args);
        scene.run_command(command)
    }

    /// The same, allowed to do what it wants, by this.
    #[track_caller]
    pub fn run_by(&self, control: &str, yaml: &str) -> Run {
        self.run(yaml, &["--allow-faults", "--broker-control", control])
    }

    /// How the tools were called.
    pub fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.ward.tools.join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// The path of a tool that is no other program's.
    pub fn tool(&self, name: &str) -> String {
        self.ward.tools.join(name).display().to_string()
    }

    /// The names of the nodes that run, as each node says.
    pub fn running(&self) -> Vec<BTreeSet<String>> {
        let ask = |facts: &Facts| {
            let url = format!("http://127.0.0.1:{}/api/nodes", facts.management);
            block_on(async {
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let request = client.get(url).basic_auth(&facts.user, Some(&facts.password));
                let nodes: Value = request.send().await.unwrap().json().await.unwrap();
                let nodes = nodes.as_array().unwrap().iter();
                let running = nodes.filter(|node| node["running"] == true);
                running.map(|node| node["name"].as_str().unwrap().to_owned()).collect()
            })
        };
        self.all_facts().iter().map(ask).collect()
    }

    /// Whether the node does what a healthy one does: answer and take messages.
    pub fn works(&self) -> bool {
        use lapin::options::ConfirmSelectOptions;
        use std::time::Duration;
        block_on(async {
            let trying = async {
                let space = self.ward.broker.space("works").await.ok()?;
                let link = space.connect("works", None).await.ok()?;
                let channel = link.open_channel("opening a channel").await.ok()?;
                channel.confirm_select(ConfirmSelectOptions::default()).await.ok()?;
                let sent = channel.basic_publish(
                    "".into(),
                    "nowhere".into(),
                    Default::default(),
                    b"x",
                    Default::default(),
                );
                sent.await.ok()?.await.ok()?;
                link.close().await.ok()?;
                space.close().await.ok()
            };
            tokio::time::timeout(Duration::from_secs(5), trying).await.ok().flatten().is_some()
        })
    }
}

/// Which life of a node it is, and whether it is between two.
struct Life {
    number: u64,
    down: bool,
}

/// Does what the tools ask for: an action and a node a connection, one line there and one back.
async fn serve(listener: TcpListener, control: Control) {
    let life = || tokio::sync::Mutex::new(Life { number: 1, down: false });
    let lives: Arc<Vec<_>> = Arc::new((0..control.nodes()).map(|_| life()).collect());
    while let Ok((mut stream, _)) = listener.accept().await {
        let (control, lives) = (control.clone(), Arc::clone(&lives));
        // Nodes that are started together wait for one another.
        tokio::spawn(async move {
            let mut asked = String::new();
            let _ = BufReader::new(&mut stream).read_line(&mut asked).await;
            let (action, node) = asked.trim().split_once(' ').unwrap_or((asked.trim(), "1"));
            let node: usize = node.parse().expect("a node's number");
            let mut life = lives[node - 1].lock().await;
            let told = match act(action, NodeId::from_index(node - 1), &control, &mut life).await {
                Ok(said) => format!("ok {said}\n"),
                Err(why) => format!("no {why}\n"),
            };
            let _ = stream.write_all(told.as_bytes()).await;
        });
    }
}

async fn act(
    action: &str,
    node: NodeId,
    control: &Control,
    life: &mut Life,
) -> Result<String, String> {
    let done = match action {
        "stop" | "kill" if life.down => Ok(()),
        "stop" => control.stop(node, StopHow::Graceful).await.map(drop),
        "kill" => control.stop(node, StopHow::Sigkill).await.map(drop),
        "start" if !life.down => Ok(()),
        "start" => control.start(node).await.map(drop),
        "pause" => control.pause(node).await,
        "resume" => control.resume(node).await,
        "memory-alarm-on" => control.alarm(node, Alarm::Memory, true).await,
        "memory-alarm-off" => control.alarm(node, Alarm::Memory, false).await,
        // Whether anybody misses it is for whoever asked to find out.
        "part" => control.part(node).await.map(drop),
        "heal" => control.heal(node).await,
        "id" if life.down => return Err("it does not run".to_owned()),
        "id" => Ok(()),
        other => return Err(format!("what is {other}?")),
    };
    done.map_err(|error| error.to_string())?;
    match action {
        "stop" | "kill" => life.down = true,
        "start" if life.down => *life = Life { number: life.number + 1, down: false },
        _ => {}
    }
    Ok(format!("life-{}", life.number))
}

/// A directory below the build's for this process: whoever comes next removes it.
fn tools() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ward");
    fs::create_dir_all(&all).unwrap();
    for earlier in fs::read_dir(&all).unwrap().flatten() {
        let pid = earlier.file_name().to_str().and_then(|name| name.parse().ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        if pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) {
            let _ = fs::remove_dir_all(earlier.path());
        }
    }
    let own = all.join(std::process::id().to_string());
    let _ = fs::remove_dir_all(&own);
    fs::create_dir(&own).unwrap();
    own
}

fn write_tools(tools: &Path, port: u16, facts: &Facts) {
    let write = |name: &str, text: String| {
        let path = tools.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let here = tools.display();
    // What really does it.
    write(
        "ward",
        format!(
            "#!/usr/bin/env bash\nexec 3<>/dev/tcp/127.0.0.1/{port} || exit 9\necho \"$1 ${{2:-1}}\" >&3\n\
             read -r verdict said <&3\n[ \"$verdict\" = ok ] && echo \"$said\" && exit 0\n\
             echo \"$said\" >&2\nexit 1\n"
        ),
    );
    let log = format!("#!/usr/bin/env bash\necho \"${{0##*/}} $*\" >> {here}/calls\n");
    for engine in ["docker", "podman"] {
        write(engine, format!("{log}{}", ENGINE.replace("HERE", &here.to_string())));
    }
    write("systemctl", format!("{log}{}", SYSTEMCTL.replace("HERE", &here.to_string())));
    write("kubectl", format!("{log}{}", KUBECTL.replace("HERE", &here.to_string())));
    write("rabbitmqctl", format!("{log}{}", rabbitmqctl(facts)));
}

const ENGINE: &str = "
case $1 in
    stop) HERE/ward stop ;;
    kill) HERE/ward kill ;;
    start) HERE/ward start ;;
    inspect) HERE/ward id ;;
    pause) HERE/ward pause ;;
    unpause) HERE/ward resume ;;
    exec) shift 2; HERE/\"$@\" ;;
    *) exit 64 ;;
esac
";

const SYSTEMCTL: &str = "
[ \"$1\" = --no-ask-password ] && shift
case \"$1 $2\" in
    'kill --signal=SIGKILL') HERE/ward kill ;;
    'kill --signal=SIGSTOP') HERE/ward pause ;;
    'kill --signal=SIGCONT') HERE/ward resume ;;
    'stop '*) HERE/ward stop ;;
    'start '*) HERE/ward start ;;
    'show '*) HERE/ward id ;;
    *) exit 64 ;;
esac
";

/// Whoever kills the process of a pod sees it come back by itself.
const KUBECTL: &str = "
[ \"$1\" = --namespace ] && shift 2
case $1 in
    wait) exit 0 ;;
    exec) shift 5 ;;
    *) exit 64 ;;
esac
case $* in
    'sh -c kill -KILL '*) HERE/ward kill && HERE/ward start ;;
    'sh -c kill -STOP '*) HERE/ward pause ;;
    'sh -c kill -CONT '*) HERE/ward resume ;;
    *) HERE/\"$@\" ;;
esac
";

/// The real one, for this node.
fn rabbitmqctl(facts: &Facts) -> String {
    let server = locate(None).expect("a server is installed").canonicalize().unwrap();
    let real = server.with_file_name("rabbitmqctl");
    let homes = [facts.dir.clone(), facts.dir.parent().unwrap().to_owned()];
    let home = homes.iter().find(|home| home.join(".erlang.cookie").exists()).expect("a home");
    format!(
        "case $1 in --node | -n) ;; *) set -- --node {} \"$@\" ;; esac\n\
         exec env -i PATH=\"$PATH\" HOME={} LANG=C.UTF-8 ERL_EPMD_PORT={} \
         RABBITMQ_CONF_ENV_FILE=/dev/null {} \"$@\"\n",
        facts.name,
        home.display(),
        facts.epmd,
        real.display()
    )
}
