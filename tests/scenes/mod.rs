//! Runs the real program on a scenario against the test file's node and reads its report.
//!
//! Whatever a test asserts, the books of every report are added up here, from the JSON alone.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{block_on, node, program};

const COPY_OUTCOMES: [&str; 10] = [
    "delivered",
    "dead_lettered",
    "rejected",
    "over_limit",
    "expired",
    "dropped",
    "remaining",
    "turned_away",
    "in_doubt",
    "lost",
];
const PUBLISH_OUTCOMES: [&str; 4] = ["confirmed", "refused", "unconfirmed", "unchecked"];

/// Where the shared node of this test program is, and its administrator.
pub struct Facts {
    pub user: String,
    pub password: String,
    pub amqp: u16,
    pub management: u16,
}

pub fn facts() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| {
        let node = block_on(node()).facts().expect("it is private");
        Facts {
            user: node.user.clone(),
            password: node.password.clone(),
            amqp: node.amqp,
            management: node.management,
        }
    })
}

/// How a user of the shared node names it.
pub fn broker(user: &str, password: &str, vhost: &str) -> String {
    format!("amqp://{user}:{password}@127.0.0.1:{}/{vhost}", facts().amqp)
}

/// Where the management API of the shared node is.
pub fn management() -> String {
    format!("http://127.0.0.1:{}", facts().management)
}

/// A scenario file in a directory of its own.
pub struct Scene {
    dir: TempDir,
    args: Vec<String>,
}

impl Scene {
    pub fn new(yaml: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("scene-").tempdir().unwrap();
        std::fs::write(dir.path().join("scene.yaml"), yaml).unwrap();
        Self { dir, args: Vec::new() }
    }

    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    pub fn report(&self) -> PathBuf {
        self.dir.path().join("report.json")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The program on this file, without a broker and without a report.
    pub fn bare(&self) -> Command {
        let mut command = Command::new(program());
        for name in ["BROKER", "MANAGEMENT", "SERVER"] {
            command.env_remove(format!("RMQ_SCENARIO_{name}"));
        }
        // Where the tests are run by a pipeline, it is not to be told of these runs.
        for name in ["GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"] {
            command.env_remove(name);
        }
        // Whoever runs the tests may keep a broker warm.
        command.env("XDG_RUNTIME_DIR", self.dir.path());
        command.arg("run").arg(self.dir.path().join("scene.yaml")).args(&self.args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The program on this file with a report, as somebody on the shared node who has nothing
    /// to say to its management API.
    pub fn command_as(&self, user: &str, password: &str, vhost: &str) -> Command {
        let mut command = self.bare();
        command.arg("--broker").arg(broker(user, password, vhost));
        command.arg("--report").arg(format!("json={}", self.report().display()));
        command
    }

    /// The same as the administrator, who gets a virtual host for each variant.
    pub fn command(&self) -> Command {
        let mut command = self.command_as(&facts().user, &facts().password, "%2F");
        command.arg("--management").arg(management());
        command
    }

    /// Runs it to the end.
    #[track_caller]
    pub fn run(&self) -> Run {
        self.run_command(self.command())
    }

    #[track_caller]
    pub fn run_command(&self, mut command: Command) -> Run {
        let began = Instant::now();
        let output = command.output().expect("the program starts");
        self.read(output, began.elapsed())
    }

    /// What the program left behind.
    #[track_caller]
    pub fn read(&self, output: Output, took: Duration) -> Run {
        let text = std::fs::read_to_string(self.report()).unwrap_or_default();
        let run = Run {
            code: output.status.code(),
            report: serde_json::from_str(&text).unwrap_or(Value::Null),
            out: String::from_utf8(output.stdout).expect("standard output is text"),
            err: String::from_utf8(output.stderr).expect("standard error is text"),
            took,
        };
        assert_ne!(run.code, Some(70), "the books must balance{run}");
        run.each_variant(|index| run.add_up(index));
        run
    }
}

/// Runs a scenario as the administrator of the shared node.
#[track_caller]
pub fn run(yaml: &str) -> Run {
    Scene::new(yaml).run()
}

/// What one call of the program came to.
pub struct Run {
    pub code: Option<i32>,
    pub report: Value,
    pub out: String,
    pub err: String,
    pub took: Duration,
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\nexit {:?}\n{}\n{}", self.code, self.out, self.err)
    }
}

impl Run {
    /// The variant's report.
    #[track_caller]
    pub fn variant(&self, index: usize) -> &Value {
        let variant = &self.report["scenarios"][0]["variants"][index];
        assert!(!variant.is_null(), "there is no report on variant {index}{self}");
        variant
    }

    fn each_variant(&self, mut look: impl FnMut(usize)) {
        let variants = self.report["scenarios"][0]["variants"].as_array();
        (0..variants.map_or(0, Vec::len)).for_each(&mut look);
    }

    /// A number: `lost`, `queues.q.lost`, `workers.w-1.finished`, `producers.p.confirmed`.
    #[track_caller]
    pub fn number(&self, variant: usize, path: &str) -> u64 {
        let report = self.variant(variant);
        let found = match path.split_once('.') {
            None => &report["counts"][path],
            Some((scope, rest)) => {
                let (name, count) = rest.rsplit_once('.').expect("scope.name.count");
                &row(report, scope, name)[count]
            }
        };
        found.as_u64().unwrap_or_else(|| panic!("the report has no number {path}{self}"))
    }

    /// Several numbers of the first variant: `delivered 13, workers.worker-1.finished 3`.
    #[track_caller]
    pub fn has(&self, numbers: &str) -> &Self {
        self.variant_has(0, numbers)
    }

    #[track_caller]
    pub fn variant_has(&self, variant: usize, numbers: &str) -> &Self {
        for wanted in numbers.split(',') {
            let (path, number) = wanted.trim().rsplit_once(' ').expect("a path and a number");
            let found = self.number(variant, path);
            assert_eq!(found.to_string(), number, "{path} of variant {variant}{self}");
        }
        self
    }

    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Everything that people are told contains this, wherever its lines were broken.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        let all = format!("{}\n{}", self.out, self.err);
        let all: Vec<&str> = all.split_whitespace().collect();
        let wanted: Vec<&str> = text.split_whitespace().collect();
        assert!(all.join(" ").contains(&wanted.join(" ")), "it never says {text:?}{self}");
        self
    }

    /// Rows of causes of a variant, as `lost 7 auto_ack`.
    pub fn causes(&self, variant: usize) -> Vec<String> {
        let rows = self.variant(variant)["causes"].as_array().unwrap();
        let row = |row: &Value| {
            let causes = row["causes"].as_array().unwrap().iter();
            let causes: Vec<&str> = causes.map(|cause| cause.as_str().unwrap()).collect();
            format!("{} {} {}", row["outcome"].as_str().unwrap(), row["count"], causes.join("+"))
        };
        rows.iter().map(row).collect()
    }

    #[track_caller]
    pub fn because(&self, causes: &[&str]) -> &Self {
        assert_eq!(self.causes(0), causes, "{self}");
        self
    }

    /// One row of a list of the first variant, such as `faults` or `observations`.
    #[track_caller]
    pub fn row(&self, list: &str, index: usize) -> &Value {
        let row = &self.variant(0)[list][index];
        assert!(!row.is_null(), "{list} has no row {index}{self}");
        row
    }

    /// The numbers of a queue in an observation: ready, unacked, consumers.
    #[track_caller]
    pub fn observed(&self, index: usize, queue: &str) -> [u64; 3] {
        let seen = row(self.row("observations", index), "queues", queue);
        ["ready", "unacked", "consumers"].map(|name| {
            seen[name].as_u64().unwrap_or_else(|| panic!("{queue} was not observed{self}"))
        })
    }

    pub fn died(&self, worker: &str) -> bool {
        row(self.variant(0), "workers", worker)["died"].as_bool().unwrap()
    }

    /// In every scope each copy and each publish has exactly one outcome, and totals are sums.
    #[track_caller]
    fn add_up(&self, index: usize) {
        let variant = self.variant(index);
        let number = |row: &Value, name: &str| row[name].as_u64().unwrap_or(0);
        let sum = |row: &Value, names: &[&str]| names.iter().map(|n| number(row, n)).sum::<u64>();
        let rows = |list: &str| variant[list].as_array().expect("a list").clone();
        for queue in rows("queues") {
            let copies = sum(&queue, &COPY_OUTCOMES);
            assert_eq!(number(&queue, "expected"), copies, "{queue}{self}");
        }
        for producer in rows("producers") {
            let publishes = sum(&producer, &PUBLISH_OUTCOMES);
            assert_eq!(number(&producer, "published"), publishes, "{producer}{self}");
        }
        let counts = &variant["counts"];
        let total = |list: &str, name: &str| -> u64 {
            rows(list).iter().map(|row| number(row, name)).sum()
        };
        for name in COPY_OUTCOMES.iter().chain(&["expected", "still_queued", "duplicates"]) {
            assert_eq!(number(counts, name), total("queues", name), "{name}{self}");
        }
        for name in COPY_OUTCOMES {
            assert_eq!(number(counts, name), total("producers", name), "{name}{self}");
        }
        for name in PUBLISH_OUTCOMES.iter().chain(&["published", "returned", "unroutable"]) {
            assert_eq!(number(counts, name), total("producers", name), "{name}{self}");
        }
        for name in ["deliveries", "begun", "finished", "redelivered", "repeats", "acked"] {
            assert_eq!(number(counts, name), total("workers", name), "{name}{self}");
        }
        for name in ["deliveries", "begun", "finished", "redelivered", "repeats"] {
            assert_eq!(number(counts, name), total("queues", name), "{name}{self}");
        }
    }
}

fn row<'a>(report: &'a Value, list: &str, name: &str) -> &'a Value {
    let rows = report[list].as_array().expect("a list");
    let found = rows.iter().find(|row| row["name"] == name);
    found.unwrap_or_else(|| panic!("{list} has no {name}: {rows:?}"))
}

/// The management API of the shared node, as its administrator.
pub fn api(method: reqwest::Method, path: &str, body: &Value) -> Value {
    // The first who asks starts the node, which no task may wait for.
    let (facts, url) = (facts(), format!("{}/api/{path}", management()));
    block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.request(method, url).basic_auth(&facts.user, Some(&facts.password));
        let answer = request.json(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or(Value::Null)
    })
}

/// The virtual host and the real name of a queue whose name in the file nobody else uses, once
/// the run has declared it.
pub fn find_queue(name: &str) -> (String, String) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        let queues = api(reqwest::Method::GET, "queues?disable_stats=true", &Value::Null);
        let found = queues.as_array().unwrap().iter().find_map(|queue| {
            let real = queue["name"].as_str()?;
            real.ends_with(name)
                .then(|| (queue["vhost"].as_str().unwrap().to_owned(), real.to_owned()))
        });
        if let Some(found) = found {
            return found;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("queue {name} never came");
}

/// Waits until the broker says that so many messages are ready in a queue.
pub fn await_ready(vhost: &str, queue: &str, at_least: u64) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let body = json!({ "count": at_least, "ackmode": "ack_requeue_true", "encoding": "auto" });
    while Instant::now() < deadline {
        let got = api(reqwest::Method::POST, &format!("queues/{vhost}/{queue}/get"), &body);
        if got.as_array().unwrap().len() as u64 >= at_least {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("{queue} never had {at_least} messages");
}

/// Publishes as somebody else.
pub fn publish(vhost: &str, queue: &str, message_id: Option<&str>) {
    let properties = match message_id {
        Some(id) => json!({ "message_id": id }),
        None => json!({}),
    };
    let body = json!({
        "properties": properties, "routing_key": queue, "payload": "boo",
        "payload_encoding": "string",
    });
    let vhost = vhost.replace('/', "%2F");
    let answer =
        api(reqwest::Method::POST, &format!("exchanges/{vhost}/amq.default/publish"), &body);
    assert_eq!(answer["routed"], true, "{queue} in {vhost}");
}

/// What runs have left on the shared node: virtual hosts, queues and exchanges of theirs.
pub fn leftovers() -> Vec<String> {
    let kinds = ["vhosts", "queues", "exchanges"].into_iter();
    kinds
        .flat_map(|kind| {
            let all =
                api(reqwest::Method::GET, &format!("{kind}?disable_stats=true"), &Value::Null);
            let names = all.as_array().unwrap().iter();
            names.map(|entry| entry["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        })
        .filter(|name| name.contains("rmq-scenario-"))
        .collect()
}
