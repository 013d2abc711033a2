//! A node with settings of a scenario's own: what it heeds, what it refuses, and how fresh its
//! numbers are.

mod support;

use std::time::{Duration, Instant};

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use reqwest::Method;
use rmq_scenario::broker::{Advanced, Broker, BrokerError, Choice, Kind, Settings, Term};
use serde_json::{Value, json};
use support::api::{api, refused};
use support::{administrator_of, block_on, node, program};

async fn open(settings: Settings) -> Result<Broker, BrokerError> {
    Broker::open(Choice::Private { server: None, settings }, program()).await
}

fn config(key: &str, value: &str) -> Settings {
    Settings { config: vec![(key.to_owned(), value.to_owned())], ..Settings::default() }
}

/// All three ways at once, on one node.
#[test]
fn a_node_heeds_its_settings() {
    block_on(async {
        let tick = Term::Map(vec![("channel_tick_interval".to_owned(), Term::Int(1000))]);
        let broker = open(Settings {
            heartbeat: Some(Duration::from_millis(6500)),
            advanced: Advanced(vec![("rabbit".to_owned(), tick)]),
            ..config("channel_max", "77")
        });
        let broker = broker.await.unwrap_or_else(|error| panic!("{error} {:?}", error.notes));
        let space = broker.space("settings").await.unwrap();
        let link = space.connect("settings", None).await.unwrap();
        let agreed = link.connection.configuration();
        assert_eq!((agreed.heartbeat(), agreed.channel_max()), (7, 77));
        link.close().await.unwrap();
        space.close().await.unwrap();
        // Somebody who asks for a shorter one gets it, on somebody else's broker too.
        let choice = administrator_of(&broker);
        let external = Broker::open(choice, program()).await.unwrap();
        for (asked, agreed) in [(Some(3), 3), (Some(9), 7), (None, 7)] {
            let space = external.space("beating").await.unwrap();
            let asked = asked.map(Duration::from_secs).map(|asked| space.beating(asked));
            let link = asked.as_ref().unwrap_or(&space).connect("beating", None).await.unwrap();
            assert_eq!(link.connection.configuration().heartbeat(), agreed, "{asked:?}");
            link.close().await.unwrap();
            space.close().await.unwrap();
        }
        external.close().await.unwrap();
        broker.close().await.unwrap();
    });
}

#[test]
fn advanced_settings_reach_the_broker() {
    block_on(async {
        let rabbit = |name: &str, value| {
            Advanced(vec![("rabbit".to_owned(), Term::Map(vec![(name.to_owned(), value)]))])
        };
        let text = Term::Text("\"/of our own\"".to_owned());
        let settings = Settings { advanced: rabbit("product_name", text), ..Settings::default() };
        let broker = open(settings).await.unwrap_or_else(|error| panic!("{:?}", error.notes));
        let facts = broker.facts().unwrap();
        let url = format!("http://127.0.0.1:{}/api/overview", facts.management);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(url).basic_auth(&facts.user, Some(&facts.password));
        let said: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(said["product_name"], "/of our own");
        broker.close().await.unwrap();
    });
}

#[test]
fn a_node_that_refuses_its_settings_says_why() {
    block_on(async {
        for (key, value, says) in [
            ("consumer_timout", "5000", "consumer_timout"),
            ("channel_max", "many", "\"many\" cannot be converted"),
        ] {
            let opened = open(config(key, value)).await;
            let error = opened.as_ref().expect_err(key);
            let notes = error.notes.join("\n");
            assert!(notes.contains(says), "{key}: {notes}");
            refused(opened, Kind::Boot, "ended while it booted", "lines above");
        }
        let opened = open(config("listeners.tcp.default", "5672")).await;
        refused(opened, Kind::Usage, "`listeners.tcp.default` cannot be set", "leave these out");
    });
}

async fn quorum_queue(channel: &Channel, name: &str) {
    let mut table = FieldTable::default();
    table.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.into(), options, table).await.unwrap();
}

async fn publish(channel: &Channel, queue: &str, count: usize) {
    for _ in 0..count {
        let options = BasicPublishOptions::default();
        let properties = BasicProperties::default();
        let sent = channel.basic_publish("".into(), queue.into(), options, b"x", properties).await;
        sent.unwrap().await.unwrap();
    }
}

/// What the list of queues says of ready messages. Unlike a passive declare, it reads what the
/// queue last told of itself.
async fn told(vhost: &str, queue: &str) -> Option<u64> {
    let path = format!("queues/{vhost}?disable_stats=true&enable_queue_totals=true");
    let all = api(Method::GET, &path, json!({})).await;
    let found = all.as_array().unwrap().iter().find(|it| it["name"] == queue).cloned();
    found.and_then(|it| it["messages_ready"].as_u64())
}

/// The default of the broker is 5 s; a private node says it ten times a second.
#[test]
fn the_numbers_of_a_quorum_queue_are_fresh() {
    const ROUNDS: u64 = 10;
    block_on(async {
        let space = node().await.space("fresh").await.unwrap();
        let link = space.connect("fresh", None).await.unwrap();
        let channel = link.connection.create_channel().await.unwrap();
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        quorum_queue(&channel, "q").await;
        let mut waited = Vec::new();
        for round in 1..=ROUNDS {
            publish(&channel, "q", 3).await;
            let published = Instant::now();
            while told(space.vhost(), "q").await != Some(3 * round) {
                assert!(published.elapsed() < Duration::from_secs(4), "as stale as by default");
            }
            waited.push(published.elapsed().as_millis());
        }
        println!("{} ms: {waited:?}", node().await.version());
        waited.sort_unstable();
        assert!(waited[waited.len() / 2] < 1000, "{waited:?}");
        link.close().await.unwrap();
        space.close().await.unwrap();
    });
}
