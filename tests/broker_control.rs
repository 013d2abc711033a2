//! Hands on a private node: each act with the effect that a client sees, and with what the
//! system shows of the node's process.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt};
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Event};
use rmq_scenario::broker::{
    Broker, Choice, Control, Kind, Link, ProcessId, Settings, Space, locate,
};
use rmq_scenario::plan::model::{Alarm, NodeId, StopHow, Topology};
use rustix::process::{Pid, Signal, kill_process};
use support::block_on;
use support::space::{queue, ready};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::{sleep, timeout};

const NODE: NodeId = NodeId(0);

async fn start() -> Broker {
    let choice = Choice::Private { server: None, settings: Settings::default() };
    let opened = Broker::open(choice, support::program()).await;
    opened.unwrap_or_else(|error| panic!("{error} {:?}", error.notes))
}

/// A node that one test at a time may do something to.
async fn node() -> MutexGuard<'static, Broker> {
    static BROKER: OnceCell<Mutex<Broker>> = OnceCell::const_new();
    let broker = BROKER.get_or_init(|| async { Mutex::new(start().await) }).await.lock().await;
    // The test before may have failed half-way.
    broker.control().unwrap().mend().await.unwrap();
    broker
}

/// A space with a durable queue, and a client that publishes to it with confirms.
struct Client {
    space: Space,
    link: Link,
    channel: Channel,
}

impl Client {
    async fn new(broker: &Broker, name: &str) -> Self {
        let space = broker.space(name).await.unwrap();
        let (link, channel) = Self::connect(&space).await;
        let topology = Topology { queues: vec![queue("kept")], ..Topology::default() };
        space.declare(&channel, &topology).await.unwrap();
        Self { space, link, channel }
    }

    async fn connect(space: &Space) -> (Link, Channel) {
        let link = space.connect("client", None).await.unwrap();
        let channel = link.connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        (link, channel)
    }

    async fn again(&mut self) {
        (self.link, self.channel) = Self::connect(&self.space).await;
    }

    /// Publishes a persistent message and waits for its confirm.
    async fn publish(&self) -> lapin::Result<()> {
        let persistent = BasicProperties::default().with_delivery_mode(2);
        let options = BasicPublishOptions::default();
        let sent = self.channel.basic_publish("".into(), "kept".into(), options, b"x", persistent);
        sent.await?.await.map(drop)
    }

    async fn held(&self) -> u32 {
        ready(&self.channel, "kept").await
    }

    /// Takes the one message out, and returns whether the broker claims to have sent it before.
    /// A classic queue does so of all that it finds after a crash, and only then.
    async fn is_flagged(&self) -> bool {
        let options = BasicGetOptions { no_ack: true };
        let message = self.channel.basic_get("kept".into(), options).await.unwrap();
        message.expect("it is lost").delivery.redelivered
    }

    /// Waits until its connection is lost, and returns what it is told.
    async fn lost(&self) -> String {
        let mut events = Box::pin(self.link.connection.events_listener());
        let lost = async {
            while let Some(event) = events.next().await {
                if let Event::Error(error) = event {
                    return error.to_string();
                }
            }
            panic!("it ended without a word");
        };
        timeout(Duration::from_secs(30), lost).await.expect("the connection lives")
    }

    async fn close(&self) {
        self.link.close().await.unwrap();
        self.space.close().await.unwrap();
    }
}

/// Whether the system still has this process, where its processes are seen.
fn lives(process: &ProcessId) -> bool {
    PathBuf::from(format!("/proc/{}", process.0)).exists()
}

#[test]
fn a_killed_node_is_gone_at_once_and_comes_back_with_its_data() {
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        let mut client = Client::new(&broker, "killed").await;
        client.publish().await.unwrap();
        // A queue that was declared just before a crash may be gone: on 4.0 the broker tells of it
        // before it has written it down.
        sleep(Duration::from_millis(1500)).await;

        let called = Instant::now();
        let stop = async {
            let was = control.stop(NODE, StopHow::Sigkill).await.unwrap();
            (was, called.elapsed())
        };
        let (_, (was, took)) = tokio::join!(client.lost(), stop);
        println!("killed after {took:?}");
        assert!(!lives(&was), "{was:?} is still there");
        assert!(!broker.has_fallen(), "it was told to end");

        let is = control.start(NODE).await.unwrap();
        assert_ne!(was, is);
        assert!(support::contained() || lives(&is), "{is:?} is not there");
        client.again().await;
        assert!(client.is_flagged().await, "the broker knows of no crash");
        client.close().await;
    });
}

/// From the call until the system has no such process. Under load the system itself may need a
/// while, but not each time.
#[test]
fn a_node_is_killed_in_less_than_50_ms() {
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        let mut all = Vec::new();
        while all.iter().all(|took| *took > Duration::from_millis(50)) {
            assert!(all.len() < 5, "they took {all:?}");
            let called = Instant::now();
            let was = control.stop(NODE, StopHow::Sigkill).await.unwrap();
            all.push(called.elapsed());
            assert!(!lives(&was), "{was:?} is still there");
            control.mend().await.unwrap();
            if support::contained() {
                // An engine takes its time.
                return;
            }
        }
        println!("killed after {all:?}");
    });
}

#[test]
fn a_node_that_is_told_to_end_writes_what_it_has_and_comes_back_with_it() {
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        let mut client = Client::new(&broker, "ended").await;
        client.publish().await.unwrap();

        let stop = control.stop(NODE, StopHow::Graceful);
        let (said, stopped) = tokio::join!(client.lost(), stop);
        let was = stopped.unwrap();
        // The goodbye; or, where the broker does not wait for the answer to that, its end.
        let known = ["CONNECTION_FORCED", "reset by peer", "Broken pipe"];
        assert!(known.iter().any(|known| said.contains(known)), "{said}");
        assert!(!lives(&was), "{was:?} is still there");
        let facts = broker.facts().unwrap();
        let refused = tokio::net::TcpStream::connect(("127.0.0.1", facts.amqp)).await;
        assert!(refused.is_err(), "somebody listens");

        control.start(NODE).await.unwrap();
        assert!(!broker.has_fallen(), "it was told to end");
        client.again().await;
        assert!(!client.is_flagged().await, "it had no time to write what it has");
        client.close().await;
    });
}

#[test]
fn a_paused_node_answers_when_it_is_resumed() {
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        let client = Client::new(&broker, "paused").await;
        control.pause(NODE).await.unwrap();
        let publishing = client.publish();
        let mut publishing = Box::pin(publishing);
        let waited = timeout(Duration::from_secs(1), &mut publishing).await;
        assert!(waited.is_err(), "it answers: {waited:?}");
        control.resume(NODE).await.unwrap();
        let answered = timeout(Duration::from_secs(10), publishing).await;
        answered.expect("it does not answer").unwrap();
        assert_eq!(client.held().await, 1);
        client.close().await;
    });
}

#[test]
fn a_paused_node_can_be_killed_but_not_asked_to_end() {
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        control.pause(NODE).await.unwrap();
        let error = control.stop(NODE, StopHow::Graceful).await.unwrap_err();
        assert_eq!(error.kind, Kind::Control);
        assert!(error.message.contains("it is paused"), "{}", error.message);
        control.stop(NODE, StopHow::Sigkill).await.unwrap();
        control.start(NODE).await.unwrap();
        Client::new(&broker, "after-pause").await.close().await;
    });
}

/// Whether the next word about it is that the connection is blocked.
async fn is_blocked(events: &mut (impl Stream<Item = Event> + Unpin)) -> bool {
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(_) => return true,
            Event::ConnectionUnblocked => return false,
            _ => {}
        }
    }
    panic!("the connection is lost");
}

#[test]
fn an_alarm_blocks_publishers_until_it_is_cleared() {
    const SOON: Duration = Duration::from_secs(5);
    /// The broker looks at its memory every 2.5 s, and at its disk every 10 s.
    const LONG: Duration = Duration::from_secs(11);
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        for alarm in [Alarm::Memory, Alarm::Disk] {
            let client = Client::new(&broker, &format!("{alarm:?}").to_lowercase()).await;
            let mut events = Box::pin(client.link.connection.events_listener());
            client.publish().await.unwrap();
            let called = Instant::now();
            control.alarm(NODE, alarm, true).await.unwrap();
            println!("{alarm:?} raised after {:?}", called.elapsed());
            // Who publishes is told, and waits from then on.
            let mut publishing = Box::pin(client.publish());
            tokio::select! {
                answered = &mut publishing => panic!("it was confirmed: {answered:?}"),
                blocked = timeout(SOON, is_blocked(&mut events)) => assert!(blocked.unwrap()),
                () = sleep(SOON) => panic!("it was not told"),
            }
            let unblocked = timeout(LONG, is_blocked(&mut events)).await;
            assert!(unblocked.is_err(), "it went by itself");
            control.alarm(NODE, alarm, false).await.unwrap();
            assert!(!timeout(SOON, is_blocked(&mut events)).await.unwrap());
            timeout(SOON, publishing).await.expect("it is still blocked").unwrap();
            client.close().await;
        }
    });
}

#[test]
fn what_cannot_be_done_is_told() {
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        control.stop(NODE, StopHow::Sigkill).await.unwrap();
        for error in [
            control.stop(NODE, StopHow::Sigkill).await.unwrap_err(),
            control.pause(NODE).await.unwrap_err(),
            control.resume(NODE).await.unwrap_err(),
            control.alarm(NODE, Alarm::Memory, true).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, Kind::Control);
            assert!(error.message.ends_with("failed: it does not run"), "{}", error.message);
            assert!(error.help.is_some());
        }
        control.mend().await.unwrap();
    });
}

#[test]
fn mending_brings_everything_back() {
    block_on(async {
        let broker = node().await;
        let control = broker.control().unwrap();
        let quick = Instant::now();
        control.mend().await.unwrap();
        assert!(quick.elapsed() < Duration::from_millis(10), "there was nothing to do");

        control.pause(NODE).await.unwrap();
        control.mend().await.unwrap();
        Client::new(&broker, "mended-pause").await.close().await;

        control.stop(NODE, StopHow::Sigkill).await.unwrap();
        control.mend().await.unwrap();
        Client::new(&broker, "mended-stop").await.close().await;

        control.alarm(NODE, Alarm::Memory, true).await.unwrap();
        control.alarm(NODE, Alarm::Disk, true).await.unwrap();
        control.mend().await.unwrap();
        let client = Client::new(&broker, "mended-alarm").await;
        timeout(Duration::from_secs(5), client.publish()).await.expect("it is blocked").unwrap();
        client.close().await;

        // Interrupted half-way: nobody waits for the end, or for the answer.
        let stop = control.stop(NODE, StopHow::Graceful);
        assert!(timeout(Duration::from_millis(20), stop).await.is_err(), "it ended at once");
        control.mend().await.unwrap();
        Client::new(&broker, "mended-half").await.close().await;
    });
}

/// Killed by somebody else, as the system does it when memory runs out.
#[test]
fn an_end_that_nobody_asked_for_is_told() {
    if support::contained() {
        // The engine's processes are not for us to kill.
        return;
    }
    block_on(async {
        let broker = start().await;
        let control: Control = broker.control().unwrap();
        assert!(!broker.has_fallen());
        let id = fs::read_to_string(broker.facts().unwrap().dir.join("pid")).unwrap();
        let id = Pid::from_raw(id.trim().parse().unwrap()).unwrap();
        kill_process(id, Signal::KILL).unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while !broker.has_fallen() {
            assert!(Instant::now() < deadline, "nobody noticed");
            sleep(Duration::from_millis(5)).await;
        }
        let error = broker.fallen().unwrap();
        assert!(error.message.contains("ended by itself"), "{}", error.message);
        assert_eq!(control.mend().await.unwrap_err().message, error.message);
        broker.close().await.unwrap();
    });
}

/// As nodes of 3.10 do that meet in the middle of their boots.
#[test]
fn a_node_that_met_another_one_in_its_boot_is_started_once_more() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let (path, starts) = (dir.path().join("server"), dir.path().join("starts"));
        let script = format!(
            "#!/bin/sh\necho start >> '{starts}'\ncase $(wc -l < '{starts}') in\n2|4|5) echo \
             '{{rabbit_feature_flags,do_sync_feature_flags_with_node,1,[]}}'; exit 1;;\n*) exec '{}' \
             \"$@\";;\nesac\n",
            locate(None).unwrap().display(),
            starts = starts.display(),
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let choice = Choice::Private { server: Some(path), settings: Settings::default() };
        let broker = Broker::open(choice, support::program()).await.unwrap();
        let control = broker.control().unwrap();

        control.stop(NODE, StopHow::Sigkill).await.unwrap();
        control.start(NODE).await.unwrap();
        assert!(!broker.has_fallen());
        Client::new(&broker, "once-more").await.close().await;

        // Not for ever.
        control.stop(NODE, StopHow::Sigkill).await.unwrap();
        let error = control.start(NODE).await.unwrap_err();
        assert!(error.message.contains("it ended while it booted"), "{}", error.message);
        assert_eq!(fs::read_to_string(&starts).unwrap(), "start\n".repeat(5));
        broker.close().await.unwrap();
    });
}
