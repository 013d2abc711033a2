//! A private node that is addressed as if it were somebody else's, and tools on the search path
//! that stand for those of its owner: each writes down how it was called and then really does to
//! the node what the tool would do.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard};

use rmq_scenario::broker::{Broker, Choice, Control, Facts, Settings, locate};
use rmq_scenario::plan::model::{Alarm, NodeId, StopHow};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::scenes::{Run, Scene};
use crate::support::{block_on, program};

const NODE: NodeId = NodeId(0);

/// The node, and the tools.
pub struct Ward {
    broker: Broker,
    tools: PathBuf,
    /// One at a time does something to it.
    turn: Mutex<()>,
}

static WARD: LazyLock<Ward> = LazyLock::new(|| block_on(Ward::new()));

/// The ward of this test program, for one test at a time.
pub fn ward() -> Turn {
    let turn = WARD.turn.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // A test that failed may have left anything.
    for action in ["resume", "start", "memory-alarm-off"] {
        let _ = Command::new(WARD.tools.join("ward")).arg(action).output().expect("a shell");
    }
    let _ = fs::remove_file(WARD.tools.join("calls"));
    Turn(turn)
}

pub struct Turn(#[allow(dead_code)] MutexGuard<'static, ()>);

impl Ward {
    async fn new() -> Self {
        let choice = Choice::Private { server: None, settings: Settings::default() };
        let broker = Broker::open(choice, program()).await.expect("a node");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(serve(listener, broker.control().expect("it is ours")));
        let tools = tools();
        write_tools(&tools, port, broker.facts().unwrap());
        Self { broker, tools, turn: Mutex::default() }
    }
}

impl Turn {
    pub fn facts(&self) -> &'static Facts {
        WARD.broker.facts().expect("it is ours")
    }

    /// The program on this file, with the node as somebody else's broker and the tools in its
    /// path.
    pub fn command(&self, scene: &Scene) -> Command {
        let facts = self.facts();
        let mut command = scene.bare();
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", WARD.tools.display()));
        command
            .arg("--broker")
            .arg(format!("amqp://{}:{}@127.0.0.1:{}", facts.user, facts.password, facts.amqp));
        command.arg("--management").arg(format!("http://127.0.0.1:{}", facts.management));
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
        let calls = fs::read_to_string(WARD.tools.join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// The path of a tool that is no other program's.
    pub fn tool(&self, name: &str) -> String {
        WARD.tools.join(name).display().to_string()
    }

    /// Whether the node does what a healthy one does: answer and take messages.
    pub fn works(&self) -> bool {
        use lapin::options::ConfirmSelectOptions;
        use std::time::Duration;
        block_on(async {
            let trying = async {
                let space = WARD.broker.space("works").await.ok()?;
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

/// Which life of the node it is, and whether it is between two.
#[derive(Default)]
struct Life {
    number: u64,
    down: bool,
}

/// Does what the tools ask for: an action a connection, one line there and one back.
async fn serve(listener: TcpListener, control: Control) {
    let mut life = Life { number: 1, down: false };
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut action = String::new();
        let _ = BufReader::new(&mut stream).read_line(&mut action).await;
        let told = match act(action.trim(), &control, &mut life).await {
            Ok(said) => format!("ok {said}\n"),
            Err(why) => format!("no {why}\n"),
        };
        let _ = stream.write_all(told.as_bytes()).await;
    }
}

async fn act(action: &str, control: &Control, life: &mut Life) -> Result<String, String> {
    let done = match action {
        "stop" | "kill" if life.down => Ok(()),
        "stop" => control.stop(NODE, StopHow::Graceful).await.map(drop),
        "kill" => control.stop(NODE, StopHow::Sigkill).await.map(drop),
        "start" if !life.down => Ok(()),
        "start" => control.start(NODE).await.map(drop),
        "pause" => control.pause(NODE).await,
        "resume" => control.resume(NODE).await,
        "memory-alarm-on" => control.alarm(NODE, Alarm::Memory, true).await,
        "memory-alarm-off" => control.alarm(NODE, Alarm::Memory, false).await,
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
            "#!/usr/bin/env bash\nexec 3<>/dev/tcp/127.0.0.1/{port} || exit 9\necho \"$1\" >&3\n\
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
