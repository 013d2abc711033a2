//! The counterpart: lapin and nothing else. It publishes the same bytes in the same chunks and
//! acks in the same way, and it keeps no account.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Consumer, ExchangeKind, PublisherConfirm};
use rmq_scenario::broker::{Broker, Link, Space};

use crate::Case;

const CHUNK: u32 = 64;
const READ: u32 = 256;

/// From the first publish to the last message read and acked.
pub async fn run(broker: &Broker, case: Case) -> Duration {
    let space = broker.space(&format!("bare{:x}", std::process::id())).await.expect("a space");
    let publisher = Publisher::connect(&space, case).await;
    let mut readers = Vec::new();
    for queue in 0..case.queues {
        readers.push(Reader::connect(&space, &format!("q{queue}"), case).await);
    }
    let began = Instant::now();
    let reading: Vec<_> =
        readers.into_iter().map(|reader| tokio::spawn(reader.read(case))).collect();
    let publishing = tokio::spawn(publisher.publish(case));
    let mut links = vec![publishing.await.expect("publishing goes well")];
    for reading in reading {
        links.push(reading.await.expect("reading goes well"));
    }
    let took = began.elapsed();
    for link in links {
        // The channel may be closing already, for its owner is gone.
        let _ = link.close().await;
    }
    space.close().await.expect("the space goes");
    took
}

struct Publisher {
    link: Link,
    channel: Channel,
}

impl Publisher {
    async fn connect(space: &Space, case: Case) -> Self {
        let link = space.connect("bare-publisher", None).await.expect("it connects");
        let channel = link.connection.create_channel().await.expect("a channel");
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let declared = channel.exchange_declare(
            "e".into(),
            ExchangeKind::Fanout,
            durable,
            FieldTable::default(),
        );
        declared.await.expect("an exchange");
        for queue in 0..case.queues {
            let name = format!("q{queue}");
            let durable = QueueDeclareOptions { durable: true, ..Default::default() };
            let declared =
                channel.queue_declare(name.as_str().into(), durable, FieldTable::default());
            declared.await.expect("a queue");
            let bound = channel.queue_bind(
                name.as_str().into(),
                "e".into(),
                "".into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            );
            bound.await.expect("a binding");
        }
        if case.window.is_some() {
            channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        }
        Self { link, channel }
    }

    async fn publish(self, case: Case) -> Link {
        let mut waiting: VecDeque<PublisherConfirm> = VecDeque::new();
        let mut left = case.messages;
        while left > 0 {
            let room = case.window.map_or(CHUNK, |window| {
                let outstanding = u32::try_from(waiting.len()).expect("a window is small");
                let half = outstanding * 2 <= u32::from(window);
                if half { u32::from(window) - outstanding } else { 0 }
            });
            let count = room.min(left).min(CHUNK);
            if count == 0 {
                answered(&mut waiting).await;
                continue;
            }
            let publishes = (0..count).map(|_| {
                self.channel.basic_publish(
                    "e".into(),
                    "".into(),
                    BasicPublishOptions::default(),
                    b"Hello World!",
                    BasicProperties::default()
                        .with_delivery_mode(2)
                        .with_message_id("a1b2c3d4-0-123456".into()),
                )
            });
            let written = join_all(publishes).await;
            if case.window.is_some() {
                waiting.extend(written.into_iter().map(|confirm| confirm.expect("it is written")));
            }
            left -= count;
        }
        while !waiting.is_empty() {
            answered(&mut waiting).await;
        }
        self.link
    }
}

async fn answered(waiting: &mut VecDeque<PublisherConfirm>) {
    poll_fn(|context| {
        let before = waiting.len();
        while let Some(front) = waiting.front_mut() {
            match Pin::new(front).poll(context) {
                Poll::Ready(confirmation) => {
                    assert!(confirmation.expect("an answer").is_ack());
                    waiting.pop_front();
                }
                Poll::Pending => break,
            }
        }
        if waiting.len() < before { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

struct Reader {
    link: Link,
    channel: Channel,
    consumer: Consumer,
}

impl Reader {
    async fn connect(space: &Space, queue: &str, case: Case) -> Self {
        let link = space.connect("bare-reader", None).await.expect("it connects");
        let channel = link.connection.create_channel().await.expect("a channel");
        if let Some(window) = case.window {
            channel.basic_qos(window, BasicQosOptions::default()).await.expect("a prefetch");
        }
        let options = BasicConsumeOptions { no_ack: case.window.is_none(), ..Default::default() };
        let consumer =
            channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let consumer = consumer.await.expect("a consumer");
        Self { link, channel, consumer }
    }

    async fn read(mut self, case: Case) -> Link {
        let mut left = case.messages;
        while left > 0 {
            let delivery = self.consumer.next().await.expect("it goes on").expect("a delivery");
            let mut last = delivery.delivery_tag;
            left -= 1;
            for _ in 1..READ {
                let Some(next) = self.consumer.next().now_or_never() else { break };
                last = next.expect("it goes on").expect("a delivery").delivery_tag;
                left -= 1;
            }
            if case.window.is_some() {
                let multiple = BasicAckOptions { multiple: true };
                self.channel.basic_ack(last, multiple).await.expect("an ack is written");
            }
        }
        self.link
    }
}
