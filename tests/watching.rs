//! `rmq-scenario run --watch`: the files are run again when they change, on one broker, until
//! somebody wants it to end; then nothing of it is left.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// How long anything that is waited for may take; a node that boots on a busy machine is slowest.
const PATIENCE: Duration = Duration::from_secs(60);

const RIGHT: &str = "scenario: watched
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 3 }]
workers: [{ name: w, queue: q }]
expect: { delivered: 3 }
";

/// A program that watches, and what it says.
struct Watching {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    /// What was said and not waited for yet: its two streams come in any order.
    unheard: Vec<String>,
}

impl Watching {
    fn command(folder: &Path, words: &[&str]) -> Command {
        let mut command = Command::new(support::program());
        for name in ["BROKER", "MANAGEMENT"] {
            command.env_remove(format!("RMQ_SCENARIO_{name}"));
        }
        // Whoever runs the tests may keep a broker warm.
        command.env("XDG_RUNTIME_DIR", "/nonexistent").env("TMPDIR", folder);
        command.args(["run", "--watch"]).args(words).current_dir(folder);
        command
    }

    fn start(folder: &Path, words: &[&str]) -> Self {
        let mut command = Self::command(folder, words);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, said: Vec::new(), unheard: Vec::new() }
    }

    /// Waits for a line that holds these words, and that was not waited for before.
    fn wait_for(&mut self, words: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(heard) = self.unheard.iter().position(|line| line.contains(words)) {
                self.unheard.remove(heard);
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("`{words}` never came: {:#?}", self.said));
            self.said.push(line.clone());
            self.unheard.push(line);
        }
    }

    /// Asks it to end.
    fn interrupt(&self) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        let _ = kill_process(pid, Signal::INT);
    }

    /// Asks it to end; its exit code.
    fn end(mut self) -> Option<i32> {
        self.interrupt();
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_change_runs_the_files_again_on_the_same_broker_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("watched.yaml");
    let write = |text: &str| fs::write(&file, text).unwrap();
    write(RIGHT);
    let mut watching = Watching::start(folder.path(), &["watched.yaml"]);
    watching.wait_for("1 variant passed");
    watching.wait_for("waiting for a change");

    write(&RIGHT.replace("delivered: 3", "delivered: 4"));
    watching.wait_for("watched.yaml has changed");
    watching.wait_for("1 variant failed");
    watching.wait_for("waiting for a change");

    write(&RIGHT.replace("queue: q }]", "queue: other }]"));
    watching.wait_for("nothing was run");
    watching.wait_for("waiting for a change");

    // As editors do it: another file takes the place of the first.
    let new = folder.path().join("new");
    fs::write(&new, RIGHT.replace("messages: 3", "messages: 5")).unwrap();
    fs::rename(&new, &file).unwrap();
    watching.wait_for("1 variant failed");
    watching.wait_for("waiting for a change");

    let boots = watching.said.iter().filter(|line| line.contains("ready in")).count();
    assert_eq!(boots, 1, "one broker for all runs: {:#?}", watching.said);
    assert_eq!(watching.end(), Some(1), "the exit code of the last run");
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(left, [file], "nothing of the node is left");
    assert!(support::traces::ids(folder.path()).is_empty(), "no process either");
}

#[test]
fn what_is_included_is_watched_also_before_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let part = folder.path().join("part.yaml");
    let queue = "part: p\ntopology: { queues: [{ name: q }] }\n";
    let including = RIGHT.replace("topology: { queues: [{ name: q }] }", "include: part.yaml");
    fs::write(folder.path().join("watched.yaml"), including).unwrap();
    let mut watching = Watching::start(folder.path(), &["watched.yaml"]);
    watching.wait_for("nothing was run");
    watching.wait_for("waiting for a change");

    fs::write(&part, queue).unwrap();
    watching.wait_for("part.yaml has changed");
    watching.wait_for("1 variant passed");
    watching.wait_for("waiting for a change");

    fs::write(&part, queue.replace("name: q", "name: other")).unwrap();
    watching.wait_for("part.yaml has changed");
    watching.wait_for("nothing was run");
    watching.wait_for("waiting for a change");
    let changes = watching.said.iter().filter(|line| line.contains("has changed")).count();
    assert_eq!(changes, 2, "{:#?}", watching.said);
    assert_eq!(watching.end(), Some(2));
}

#[test]
fn a_file_that_comes_into_a_directory_is_run_also_where_none_was_left() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("all");
    fs::create_dir(&inside).unwrap();
    let (one, two) = (inside.join("one.yaml"), inside.join("two.yaml"));
    fs::write(&one, RIGHT).unwrap();
    let mut watching = Watching::start(folder.path(), &["all"]);
    watching.wait_for("1 variant passed");
    watching.wait_for("waiting for a change");

    fs::remove_file(&one).unwrap();
    watching.wait_for("no scenario files in all");
    watching.wait_for("waiting for a change");

    fs::write(&one, RIGHT).unwrap();
    watching.wait_for("all/one.yaml has changed");
    watching.wait_for("1 variant passed");
    watching.wait_for("waiting for a change");

    fs::write(&two, RIGHT).unwrap();
    watching.wait_for("all/two.yaml has changed");
    watching.wait_for("2 variants passed");
    watching.wait_for("waiting for a change");
    assert_eq!(watching.end(), Some(0));
}

#[test]
fn an_interruption_in_the_middle_of_a_run_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let slow = RIGHT.replace("queue: q }]\nexpect", "queue: q, work: 20s }]\nexpect");
    assert!(slow.contains("20s"));
    fs::write(folder.path().join("slow.yaml"), slow).unwrap();
    let mut watching = Watching::start(folder.path(), &["slow.yaml"]);
    watching.wait_for("watched: started");
    assert_eq!(watching.end(), Some(130));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing of the node is left");
    assert!(support::traces::ids(folder.path()).is_empty(), "no process either");
}

/// However a test ends, nothing stays: asked to, the program ends with its node.
impl Drop for Watching {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.interrupt();
            let _ = self.child.wait();
        }
    }
}

#[test]
fn it_ends_when_nobody_reads_any_more() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("watched.yaml"), RIGHT).unwrap();
    let mut command = Watching::command(folder.path(), &["watched.yaml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // As `head` does.
    let first = BufReader::new(child.stdout.take().unwrap()).lines().next();
    assert!(first.is_some_and(|line| line.is_ok()));
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("it still watches");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(status.code(), Some(0), "that of the last run");
    assert!(support::traces::ids(folder.path()).is_empty(), "no process is left");
}

#[test]
fn a_file_that_is_watched_is_not_blessed() {
    let output = Command::new(support::program())
        .args(["run", "--watch", "--bless", "x.yaml"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with"));
}
