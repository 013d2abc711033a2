//! A private cluster of three nodes: how it forms, where queues and connections go, and what is
//! left when nodes of it stop.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel};
use reqwest::Method;
use rmq_scenario::broker::{Broker, Choice, Facts, Kind, Link, Settings, Space, Way};
use rmq_scenario::plan::model::{Alarm, NodeId, Queue, QueueKind, StopHow, Topology};
use serde_json::Value;
use support::block_on;
use support::space::queue;
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::timeout;

const NODES: [NodeId; 3] = [NodeId(0), NodeId(1), NodeId(2)];

/// A cluster that one test at a time may do something to.
async fn cluster() -> MutexGuard<'static, Broker> {
    static BROKER: OnceCell<Mutex<Broker>> = OnceCell::const_new();
    let start = async || {
        let settings = Settings { nodes: 3, ..Settings::default() };
        let opened = Broker::open(Choice::Private { server: None, settings }, support::program());
        let broker = opened.await.unwrap_or_else(|error| panic!("{error} {:?}", error.notes));
        println!("three nodes, ready after {:?}", broker.ready_after().unwrap());
        Mutex::new(broker)
    };
    let broker = BROKER.get_or_init(start).await.lock().await;
    // The test before may have failed half-way.
    broker.control().unwrap().mend().await.unwrap();
    broker
}

/// The management API of one node.
async fn api(facts: &Facts, path: &str) -> Value {
    let url = format!("http://127.0.0.1:{}/api/{path}", facts.management);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(Method::GET, url).basic_auth(&facts.user, Some(&facts.password));
    let answer = request.timeout(Duration::from_secs(10)).send().await.unwrap();
    assert!(answer.status().is_success(), "{path}: {}", answer.status());
    answer.json().await.unwrap()
}

/// The nodes that run, as this one knows.
async fn running(facts: &Facts) -> BTreeSet<String> {
    let all = api(facts, "nodes?columns=name,running").await;
    let running = all.as_array().unwrap().iter().filter(|node| node["running"] == true);
    running.map(|node| node["name"].as_str().unwrap().to_owned()).collect()
}

fn names(broker: &Broker) -> BTreeSet<String> {
    broker.all_facts().iter().map(|facts| facts.name.clone()).collect()
}

/// The node that a queue, or its leader, is on.
async fn place(broker: &Broker, space: &Space, queue: &str) -> String {
    let facts = broker.facts().unwrap();
    let found = api(facts, &format!("queues/{}/{queue}", space.vhost())).await;
    found.get("leader").unwrap_or(&found["node"]).as_str().unwrap().to_owned()
}

async fn connect(space: &Space, node: NodeId) -> Link {
    let way = Way { node: Some(node), wire: None };
    space.connect_by(&way, "client", None).await.unwrap()
}

/// A channel with confirms.
async fn channel(link: &Link) -> Channel {
    let channel = link.open_channel("opening a channel").await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    channel
}

async fn publish(channel: &Channel, queue: &str) -> lapin::Result<()> {
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let options = BasicPublishOptions::default();
    channel.basic_publish("".into(), queue.into(), options, b"x", persistent).await?.await.map(drop)
}

fn queues() -> Vec<Queue> {
    let kinds = [(QueueKind::Classic, "c"), (QueueKind::Quorum, "q"), (QueueKind::Stream, "s")];
    let queue = |kind, name: String, node| Queue { kind, node, ..queue(&name) };
    let of = |(kind, name): (QueueKind, &str)| {
        let placed = NODES.map(|node| queue(kind, format!("{name}{}", node.0 + 1), Some(node)));
        placed.into_iter().chain([queue(kind, format!("{name}0"), None)])
    };
    kinds.into_iter().flat_map(of).collect()
}

#[test]
fn three_nodes_form_a_cluster_of_their_own() {
    block_on(async {
        let broker = cluster().await;
        assert_eq!((broker.nodes(), broker.all_facts().len()), (3, 3));
        assert_eq!(broker.control().unwrap().nodes(), 3);
        for facts in broker.all_facts() {
            assert_eq!(running(facts).await, names(&broker), "as {} knows", facts.name);
        }
        let all = broker.all_facts().iter();
        let ports = all.flat_map(|it| [it.amqp, it.management, it.distribution]);
        assert_eq!(ports.collect::<BTreeSet<_>>().len(), 9, "each has its own");
    });
}

#[test]
fn a_queue_is_on_the_node_that_it_wants() {
    block_on(async {
        let broker = cluster().await;
        let space = broker.space("placed").await.unwrap();
        assert_eq!(space.nodes(), 3);
        let link = space.connect("placed", None).await.unwrap();
        assert_eq!(link.node, NodeId(0));
        let channel = link.open_channel("opening a channel").await.unwrap();
        let topology = Topology { queues: queues(), ..Topology::default() };
        // What is there already makes the broker choose others, if it chooses.
        space.declare(&channel, &topology).await.unwrap();
        for queue in &topology.queues {
            let wanted = queue.node.unwrap_or(NodeId(0)).index();
            let wanted = &broker.all_facts()[wanted].name;
            assert_eq!(place(&broker, &space, &queue.name).await, *wanted, "{}", queue.name);
        }
        link.close().await.unwrap();
        space.close().await.unwrap();
    });
}

#[test]
fn a_connection_goes_to_the_node_that_it_wants_or_to_the_next() {
    block_on(async {
        let broker = cluster().await;
        let control = broker.control().unwrap();
        let space = broker.space("ways").await.unwrap();
        for node in NODES {
            let link = connect(&space, node).await;
            assert_eq!(link.node, node);
            link.close().await.unwrap();
        }
        for (stopped, wanted, found) in
            [(&NODES[1..2], NODES[1], NODES[0]), (&NODES[..1], NODES[0], NODES[2])]
        {
            for node in stopped {
                control.stop(*node, StopHow::Sigkill).await.unwrap();
            }
            let called = Instant::now();
            let link = connect(&space, wanted).await;
            assert!(called.elapsed() < Duration::from_secs(1), "it hangs on the dead one");
            assert_eq!(link.node, found);
            link.close().await.unwrap();
        }
        // Where all management was asked of the first node so far.
        assert!(!space.has_queue("absent").await.unwrap());
        control.stop(NODES[2], StopHow::Sigkill).await.unwrap();
        let error = space.connect("nobody", None).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unreachable);
        control.mend().await.unwrap();
        for facts in broker.all_facts() {
            assert_eq!(running(facts).await.len(), 3, "as {} knows", facts.name);
        }
        space.close().await.unwrap();
    });
}

#[test]
fn a_node_that_is_silent_is_passed_over() {
    block_on(async {
        let broker = cluster().await;
        let control = broker.control().unwrap();
        let space = broker.space("silent").await.unwrap();
        control.pause(NODES[0]).await.unwrap();
        let called = Instant::now();
        let link = space.connect("client", None).await.unwrap();
        assert_eq!(link.node, NodeId(1));
        assert!(!space.has_queue("absent").await.unwrap(), "the management goes on as well");
        assert!(called.elapsed() < Duration::from_secs(9), "it waits too long");
        control.resume(NODES[0]).await.unwrap();
        link.close().await.unwrap();
        space.close().await.unwrap();
    });
}

/// Nothing that was confirmed is lost with the leader, and the client's node is no other.
#[test]
fn a_quorum_queue_outlives_its_leader() {
    const COUNT: usize = 50;
    block_on(async {
        let broker = cluster().await;
        let control = broker.control().unwrap();
        let space = broker.space("leader").await.unwrap();
        let queue = Queue { kind: QueueKind::Quorum, node: Some(NODES[1]), ..queue("q") };
        let topology = Topology { queues: vec![queue], ..Topology::default() };
        let link = space.connect("client", None).await.unwrap();
        let own = channel(&link).await;
        space.declare(&own, &topology).await.unwrap();
        for how in [StopHow::Sigkill, StopHow::Graceful] {
            for _ in 0..COUNT {
                publish(&own, "q").await.unwrap();
            }
            let leader = place(&broker, &space, "q").await;
            let index = broker.all_facts().iter().position(|it| it.name == leader).unwrap();
            if index == 0 {
                // The client's own node is for another test.
                control.stop(NODES[2], how).await.unwrap();
            } else {
                control.stop(NODES[index], how).await.unwrap();
            }
            let goes_on = timeout(Duration::from_secs(20), publish(&own, "q")).await;
            goes_on.expect("no new leader").unwrap();
            control.mend().await.unwrap();
        }
        let held = support::space::ready(&own, "q").await;
        assert_eq!(held as usize, 2 * COUNT + 2);
        link.close().await.unwrap();
        space.close().await.unwrap();
    });
}

#[test]
fn a_cluster_whose_nodes_were_all_stopped_comes_back_together() {
    block_on(async {
        let broker = cluster().await;
        let control = broker.control().unwrap();
        let space = broker.space("together").await.unwrap();
        let topology = Topology { queues: vec![queue("kept")], ..Topology::default() };
        let link = space.connect("client", None).await.unwrap();
        space.declare(&channel(&link).await, &topology).await.unwrap();
        for (node, how) in
            NODES.into_iter().zip([StopHow::Graceful, StopHow::Sigkill, StopHow::Graceful])
        {
            control.stop(node, how).await.unwrap();
        }
        control.mend().await.unwrap();
        for facts in broker.all_facts() {
            assert_eq!(running(facts).await, names(&broker), "as {} knows", facts.name);
        }
        assert!(space.has_queue("kept").await.unwrap());
        space.close().await.unwrap();
    });
}

/// What a partition is here: two nodes go on without the third, whose clients stay with it.
#[test]
fn a_parted_node_is_down_for_the_others_and_comes_back() {
    block_on(async {
        let broker = cluster().await;
        let control = broker.control().unwrap();
        let space = broker.space("parted").await.unwrap();
        let quorum = Queue { kind: QueueKind::Quorum, ..queue("q") };
        let topology = Topology { queues: vec![quorum], ..Topology::default() };
        let (many, few) = (connect(&space, NODES[0]).await, connect(&space, NODES[2]).await);
        let (majority, minority) = (channel(&many).await, channel(&few).await);
        space.declare(&majority, &topology).await.unwrap();
        publish(&minority, "q").await.unwrap();

        let called = Instant::now();
        assert!(control.part(NODES[2]).await.unwrap(), "nobody reports it down");
        println!("parted after {:?}", called.elapsed());
        let [one, two, three] = [0, 1, 2].map(|index| &broker.all_facts()[index]);
        let both = BTreeSet::from([one.name.clone(), two.name.clone()]);
        assert_eq!([running(one).await, running(two).await], [both.clone(), both]);
        assert_eq!(running(three).await, BTreeSet::from([three.name.clone()]));
        publish(&majority, "q").await.unwrap();
        let mut publishing = Box::pin(publish(&minority, "q"));
        let waited = timeout(Duration::from_secs(3), &mut publishing).await;
        assert!(waited.is_err(), "one of three confirms: {waited:?}");
        assert!(few.connection.status().connected(), "its clients stay");

        let called = Instant::now();
        control.heal(NODES[2]).await.unwrap();
        println!("healed after {:?}", called.elapsed());
        for facts in broker.all_facts() {
            assert_eq!(running(facts).await, names(&broker), "as {} knows", facts.name);
        }
        let waiting = timeout(Duration::from_secs(20), publishing).await.expect("no end of it");
        println!("what waited: {waiting:?}");
        // Where the node had to be restarted its clients were told to go.
        let khepri = !broker.version().starts_with("3.") && !broker.version().starts_with("4.0.");
        assert_eq!(waiting.is_ok(), khepri, "{waiting:?}");
        assert_eq!(few.connection.status().connected(), khepri);
        let again = connect(&space, NODES[2]).await;
        assert_eq!(again.node, NODES[2]);
        publish(&channel(&again).await, "q").await.unwrap();
        space.close().await.unwrap();
    });
}

#[test]
fn mending_brings_a_cluster_together() {
    block_on(async {
        let broker = cluster().await;
        let control = broker.control().unwrap();
        // All at once, and left to others.
        assert!(control.part(NODES[2]).await.unwrap());
        control.alarm(NODES[2], Alarm::Memory, true).await.unwrap();
        control.stop(NODES[1], StopHow::Sigkill).await.unwrap();
        control.pause(NODES[0]).await.unwrap();
        control.mend().await.unwrap();
        for facts in broker.all_facts() {
            assert_eq!(running(facts).await, names(&broker), "as {} knows", facts.name);
        }
        let space = broker.space("mended").await.unwrap();
        let topology = Topology { queues: vec![queue("c")], ..Topology::default() };
        let link = connect(&space, NODES[2]).await;
        let channel = channel(&link).await;
        space.declare(&channel, &topology).await.unwrap();
        let confirmed = timeout(Duration::from_secs(5), publish(&channel, "c")).await;
        confirmed.expect("it is blocked").unwrap();
        space.close().await.unwrap();
        let quick = Instant::now();
        control.mend().await.unwrap();
        assert!(quick.elapsed() < Duration::from_millis(10), "there was nothing to do");
    });
}

#[test]
fn one_node_cannot_be_parted() {
    block_on(async {
        let choice = Choice::Private { server: None, settings: Settings::default() };
        let broker = Broker::open(choice, support::program()).await.unwrap();
        let error = broker.control().unwrap().part(NODES[0]).await.unwrap_err();
        assert_eq!(error.kind, Kind::Control);
        assert!(error.message.ends_with("there is no other node"), "{}", error.message);
        broker.close().await.unwrap();
    });
}
