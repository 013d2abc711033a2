//! Connections through a network of their own, against a real broker: what both ends notice when
//! it is cut, and that nothing is lost when it is mended in time.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions};
use lapin::options::{ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Consumer};
use rmq_scenario::broker::{Kind, Link, Space, Way, Wire};
use rmq_scenario::plan::model::Topology;
use support::space::{publish, queue, ready};
use support::{block_on, node};
use tokio::time::{sleep, timeout};

const HEARTBEAT: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(5);

/// A space with one queue, and somebody outside who looks at it.
struct Scene {
    space: Space,
    outside: Link,
    look: Channel,
    queue: String,
}

impl Scene {
    async fn new(run: &str) -> Self {
        let space = node().await.space(run).await.unwrap().beating(HEARTBEAT);
        let topology = Topology { queues: vec![queue("held")], ..Topology::default() };
        let outside = space.connect("outside", None).await.unwrap();
        let look = outside.open_channel("opening a channel").await.unwrap();
        space.declare(&look, &topology).await.unwrap();
        look.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let queue = space.name("held");
        Self { space, outside, look, queue }
    }

    async fn fill(&self, count: usize) {
        for _ in 0..count {
            publish(&self.look, "", &self.queue, FieldTable::default()).await;
        }
    }

    async fn through(&self, wire: &Wire) -> (Link, Channel) {
        let way = Way { wire: Some(wire.clone()), ..Way::default() };
        let link = self.space.connect_by(&way, "through", None).await.unwrap();
        let channel = link.open_channel("opening a channel").await.unwrap();
        (link, channel)
    }

    async fn consume(&self, channel: &Channel, prefetch: u16) -> Consumer {
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.unwrap();
        let options = BasicConsumeOptions::default();
        let queue = self.queue.as_str().into();
        channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.unwrap()
    }

    /// How long from now until the broker knows no consumer any more.
    async fn noticed(&self) -> Duration {
        let since = Instant::now();
        loop {
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let name = self.queue.as_str().into();
            let asked = self.look.queue_declare(name, options, FieldTable::default()).await;
            if asked.unwrap().consumer_count() == 0 {
                return since.elapsed();
            }
            assert!(since.elapsed() < 4 * SOON, "the broker never notices");
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn close(self) {
        self.outside.close().await.unwrap();
        self.space.close().await.unwrap();
    }
}

async fn take(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let taken = timeout(SOON, consumer.take(count).collect::<Vec<_>>()).await;
    let taken = taken.expect("deliveries are missing");
    taken.into_iter().map(|delivery| delivery.expect("a delivery")).collect()
}

async fn lost(link: &Link) -> Duration {
    let since = Instant::now();
    while link.connection.status().connected() {
        assert!(since.elapsed() < 4 * SOON, "the client never notices");
        sleep(Duration::from_millis(1)).await;
    }
    since.elapsed()
}

/// Both look every half interval, and the last word may be half an interval old.
#[test]
fn both_ends_notice_a_cut_after_two_to_three_heartbeats() {
    block_on(async {
        let (scene, wire) = (Scene::new("wire-cut").await, Wire::default());
        scene.fill(3).await;
        let (link, channel) = scene.through(&wire).await;
        let mut consumer = scene.consume(&channel, 2).await;
        let held = take(&mut consumer, 2).await;
        wire.cut();
        let (broker, client) = tokio::join!(scene.noticed(), lost(&link));
        let told = format!("heartbeats of {HEARTBEAT:?}: broker {broker:?}, client {client:?}");
        println!("{told}");
        let expected = HEARTBEAT * 3 / 2..HEARTBEAT * 7 / 2;
        assert!(expected.contains(&broker) && expected.contains(&client), "{told}");
        assert_eq!(ready(&scene.look, &scene.queue).await, 3, "what it held is back");
        // Whoever was cut can say what they like.
        let late = held[0].ack(BasicAckOptions::default()).await;
        assert!(!late.is_ok_and(|written| written), "written to a lost connection");
        wire.mend();
        let (_, channel) = scene.through(&wire).await;
        let mut consumer = scene.consume(&channel, 0).await;
        let again = take(&mut consumer, 3).await;
        assert_eq!(again.iter().map(|it| it.redelivered).collect::<Vec<_>>(), [true, true, false]);
        scene.close().await;
    });
}

#[test]
fn nothing_is_lost_when_it_is_mended_in_time() {
    block_on(async {
        let (scene, wire) = (Scene::new("wire-mended").await, Wire::default());
        scene.fill(10).await;
        let (link, channel) = scene.through(&wire).await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        let mut consumer = scene.consume(&channel, 10).await;
        let held = take(&mut consumer, 10).await;
        wire.cut();
        for delivery in &held {
            assert!(delivery.ack(BasicAckOptions::default()).await.unwrap(), "it goes nowhere");
        }
        let mut confirms = Vec::new();
        for _ in 0..20 {
            let (name, options) = (scene.queue.as_str().into(), BasicPublishOptions::default());
            let sent = channel.basic_publish("".into(), name, options, b"x", Default::default());
            confirms.push(sent.await.unwrap());
        }
        // Somebody else's messages wait at the broker's end.
        scene.fill(5).await;
        let silence = timeout(HEARTBEAT, consumer.next()).await;
        assert!(silence.is_err(), "{silence:?}");
        wire.mend();
        for confirm in confirms {
            let answer = timeout(SOON, confirm).await.expect("no answer").unwrap();
            assert!(answer.is_ack(), "{answer:?}");
        }
        let mut rest = take(&mut consumer, 10).await;
        // The acks have arrived: the prefetch has room for these. Now those make room.
        for delivery in &rest {
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
        rest.append(&mut take(&mut consumer, 10).await);
        for delivery in &rest[10..] {
            delivery.ack(BasicAckOptions::default()).await.unwrap();
        }
        rest.append(&mut take(&mut consumer, 5).await);
        assert!(rest.iter().all(|delivery| !delivery.redelivered));
        assert!(link.connection.status().connected());
        link.close().await.unwrap();
        assert_eq!(ready(&scene.look, &scene.queue).await, 5, "the last five come back");
        scene.close().await;
    });
}

#[test]
fn whoever_connects_during_a_cut_gets_no_answer() {
    block_on(async {
        let (scene, wire) = (Scene::new("wire-silent").await, Wire::default());
        wire.cut();
        let way = Way { wire: Some(wire.clone()), ..Way::default() };
        let begun = Instant::now();
        let error = scene.space.connect_by(&way, "through", None).await.unwrap_err();
        assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(error.kind, Kind::Unreachable);
        assert!(error.message.ends_with("failed: no answer in 10 s"), "{error}");
        let (link, ()) = tokio::join!(scene.space.connect_by(&way, "through", None), async {
            sleep(Duration::from_millis(100)).await;
            wire.mend();
        });
        link.unwrap().close().await.unwrap();
        scene.close().await;
    });
}

#[test]
fn a_slow_network_costs_every_round_trip_its_latency_twice() {
    block_on(async {
        const LATENCY: Duration = Duration::from_millis(80);
        let (scene, wire) = (Scene::new("wire-slow").await, Wire::default());
        let (link, channel) = scene.through(&wire).await;
        channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        wire.slow(LATENCY);
        let asked = Instant::now();
        ready(&channel, &scene.queue).await;
        let took = asked.elapsed();
        assert!(took >= 2 * LATENCY && took < SOON, "{took:?}");
        // What is on its way together takes no longer than one.
        let sent = Instant::now();
        let mut confirms = Vec::new();
        for _ in 0..500 {
            let (name, options) = (scene.queue.as_str().into(), BasicPublishOptions::default());
            let properties = BasicProperties::default();
            let sent = channel.basic_publish("".into(), name, options, b"x", properties).await;
            confirms.push(sent.unwrap());
        }
        for confirm in confirms {
            assert!(confirm.await.unwrap().is_ack());
        }
        let took = sent.elapsed();
        assert!(took >= 2 * LATENCY && took < 20 * LATENCY, "500 confirms took {took:?}");
        wire.slow(Duration::ZERO);
        let asked = Instant::now();
        ready(&channel, &scene.queue).await;
        assert!(asked.elapsed() < LATENCY, "{:?}", asked.elapsed());
        link.close().await.unwrap();
        scene.close().await;
    });
}

/// So slow that a connection takes longer to open than a broker may be silent. The heartbeats are
/// the usual ones: between tune-ok and the first of the client lie a round trip and more.
#[test]
fn a_network_may_be_slower_than_a_broker_may_be_silent() {
    block_on(async {
        let (space, wire) = (node().await.space("wire-slowest").await.unwrap(), Wire::default());
        wire.slow(Duration::from_millis(1500));
        let begun = Instant::now();
        let way = Way { wire: Some(wire.clone()), ..Way::default() };
        let link = space.connect_by(&way, "through", None).await.unwrap();
        assert!(begun.elapsed() > Duration::from_secs(10), "{:?}", begun.elapsed());
        link.close().await.unwrap();
        space.close().await.unwrap();
    });
}

#[test]
fn a_crash_is_known_within_milliseconds_unless_it_is_cut() {
    block_on(async {
        let (scene, wire) = (Scene::new("wire-crash").await, Wire::default());
        scene.fill(2).await;
        let mut fastest = SOON;
        for _ in 0..5 {
            let (link, channel) = scene.through(&wire).await;
            let mut consumer = scene.consume(&channel, 0).await;
            take(&mut consumer, 2).await;
            link.cut();
            fastest = fastest.min(scene.noticed().await);
        }
        assert!(fastest < Duration::from_millis(100), "the broker notices after {fastest:?}");
        let (link, channel) = scene.through(&wire).await;
        let mut consumer = scene.consume(&channel, 0).await;
        take(&mut consumer, 2).await;
        wire.cut();
        link.cut();
        let took = scene.noticed().await;
        assert!(took > HEARTBEAT, "through a cut network, after {took:?}");
        assert_eq!(ready(&scene.look, &scene.queue).await, 2);
        scene.close().await;
    });
}
