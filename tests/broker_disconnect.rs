//! Connections that the broker closes on request: how soon, what the client is told, and how one
//! is found whose addresses are translated on the way.

mod support;

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::BasicConsumeOptions;
use lapin::types::FieldTable;
use lapin::{Consumer, ErrorKind};
use rmq_scenario::broker::{Broker, Choice, Kind, Link, Space, Tls, Way, Wire};
use rmq_scenario::plan::model::Topology;
use support::api::{make_user, open};
use support::space::{publish, queue, ready};
use support::{administrator_of, as_external, block_on, node, program};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(5);

/// What a consumer on a lost connection is told.
async fn told(consumer: &mut Consumer) -> (u16, String) {
    let told = timeout(SOON, consumer.next()).await.expect("it is not told").expect("it ends");
    let error = told.expect_err("nothing was published");
    let ErrorKind::ProtocolError(said) = error.kind() else { panic!("{error:?}") };
    (said.get_id(), said.get_message().to_string())
}

/// A consumer on a connection of its own.
async fn consumer(space: &Space, way: &Way) -> (Link, Consumer) {
    let link = space.connect_by(way, "through", None).await.unwrap();
    let channel = link.open_channel("opening a channel").await.unwrap();
    let topology = Topology { queues: vec![queue("q")], ..Topology::default() };
    space.declare(&channel, &topology).await.unwrap();
    let (name, options) = (space.name("q"), BasicConsumeOptions::default());
    let consumer =
        channel.basic_consume(name.as_str().into(), "".into(), options, FieldTable::default());
    (link, consumer.await.unwrap())
}

async fn disconnects(space: &Space, way: &Way) -> Duration {
    let (link, mut consumer) = consumer(space, way).await;
    let asked = Instant::now();
    space.disconnect(&link).await.unwrap();
    let (code, text) = told(&mut consumer).await;
    let took = asked.elapsed();
    assert_eq!((code, &*text), (320, "CONNECTION_FORCED - closed by rmq-scenario"));
    assert!(!link.connection.status().connected());
    took
}

#[test]
fn a_connection_that_is_milliseconds_old_is_closed_at_once() {
    block_on(async {
        let space = node().await.space("young").await.unwrap();
        let through = Way { wire: Some(Wire::default()), ..Way::default() };
        let mut all = Vec::new();
        for way in [Way::default(), through] {
            for _ in 0..10 {
                all.push(disconnects(&space, &way).await);
            }
        }
        // One that has done nothing yet but connect.
        for _ in 0..10 {
            let link = space.connect("newborn", None).await.unwrap();
            let asked = Instant::now();
            space.disconnect(&link).await.unwrap();
            all.push(asked.elapsed());
        }
        all.sort();
        println!("closed within {:?} to {:?}", all[0], all[all.len() - 1]);
        assert!(all[all.len() / 2] < Duration::from_millis(200), "{all:?}");
        space.close().await.unwrap();
    });
}

#[test]
fn what_it_held_comes_back_at_once() {
    block_on(async {
        let space = node().await.space("returning").await.unwrap();
        let (link, mut consumer) = consumer(&space, &Way::default()).await;
        let outside = space.connect("outside", None).await.unwrap();
        let look = outside.open_channel("opening a channel").await.unwrap();
        look.confirm_select(Default::default()).await.unwrap();
        for _ in 0..3 {
            publish(&look, "", &space.name("q"), FieldTable::default()).await;
        }
        for _ in 0..3 {
            timeout(SOON, consumer.next()).await.expect("a delivery").unwrap().unwrap();
        }
        space.disconnect(&link).await.unwrap();
        let since = Instant::now();
        while ready(&look, &space.name("q")).await != 3 {
            assert!(since.elapsed() < SOON, "it does not come back");
        }
        outside.close().await.unwrap();
        space.close().await.unwrap();
    });
}

/// Ports on the way to the shared node, which then sees other addresses than the client does.
fn translating(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let far = TcpStream::connect(("127.0.0.1", to)).unwrap();
            for (mut from, mut to) in [
                (near.try_clone().unwrap(), far.try_clone().unwrap()),
                (far.try_clone().unwrap(), near.try_clone().unwrap()),
            ] {
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    port
}

#[test]
fn one_whose_addresses_are_translated_is_found_by_its_mark() {
    block_on(async {
        let facts = node().await.facts().unwrap();
        let Choice::External { management, .. } = administrator_of(node().await) else {
            unreachable!("it is external")
        };
        let port = translating(facts.amqp);
        let url = format!("amqp://{}:{}@127.0.0.1:{port}", facts.user, facts.password);
        let broker = open(Choice::External { url, management, tls: Tls::default() }).await.unwrap();
        let space = broker.space("translated").await.unwrap();
        // Another one of the same name, which must live.
        let (bystander, _) = consumer(&space, &Way::default()).await;
        let took = disconnects(&space, &Way::default()).await;
        println!("found by its mark within {took:?}");
        assert!(bystander.connection.status().connected());
        bystander.close().await.unwrap();
        broker.close().await.unwrap();
    });
}

/// Who may look at the API may close what is theirs.
#[test]
fn it_takes_no_administrator() {
    block_on(async {
        make_user("closer", "management", Some(".*")).await;
        let choice = as_external("closer", "s3cret-word", "%2F").await;
        let broker = Broker::open(choice, program()).await.unwrap();
        let space = broker.space("closer").await.unwrap();
        disconnects(&space, &Way::default()).await;
        broker.close().await.unwrap();
    });
}

#[test]
fn one_that_has_ended_is_left_alone_and_without_the_api_nothing_is_closed() {
    block_on(async {
        let space = node().await.space("ended").await.unwrap();
        let link = space.connect("ended", None).await.unwrap();
        link.close().await.unwrap();
        let asked = Instant::now();
        space.disconnect(&link).await.unwrap();
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        space.close().await.unwrap();

        make_user("apart", "", Some(".*")).await;
        let Choice::External { url, .. } = as_external("apart", "s3cret-word", "%2F").await else {
            unreachable!("it is external")
        };
        let choice = Choice::External { url, management: None, tls: Tls::default() };
        let broker = open(choice).await.unwrap();
        let space = broker.space("apart").await.unwrap();
        let link = space.connect("apart", None).await.unwrap();
        let error = space.disconnect(&link).await.unwrap_err();
        assert_eq!(error.kind, Kind::Management);
        assert!(error.help.unwrap().contains("rabbitmq_management"));
        link.close().await.unwrap();
        broker.close().await.unwrap();
    });
}
