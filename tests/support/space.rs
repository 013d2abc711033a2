//! What must work in every space, whether it is a virtual host or a prefix.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel};
use rmq_scenario::broker::{Space, header};
use rmq_scenario::plan::model::{
    Binding, BoundTo, Exchange, ExchangeId, ExchangeKind, Queue, QueueId, Topology, WorkerId,
};
use rmq_scenario::plan::pattern::Scalar;

pub fn queue(name: &str) -> Queue {
    Queue::named(name)
}

pub fn exchange(name: &str, kind: ExchangeKind) -> Exchange {
    Exchange::named(name, kind)
}

pub fn binding(from: u16, to: u16, key: &str) -> Binding {
    Binding {
        from: ExchangeId(from),
        to: BoundTo::Queue(QueueId(to)),
        routing_key: key.to_owned(),
        headers: Vec::new(),
        match_any: false,
    }
}

/// Two queues of everybody, one exclusive and one temporary; one exchange of each kind.
pub fn topology() -> Topology {
    let owned = Some(WorkerId(0));
    let mut matching = binding(4, 0, "");
    matching.headers = vec![
        ("n".to_owned(), Scalar::Int(1)),
        ("on".to_owned(), Scalar::Bool(true)),
        ("x".to_owned(), Scalar::Float(0.5)),
        ("t".to_owned(), Scalar::Text("a".to_owned())),
    ];
    let mut any = matching.clone();
    (any.to, any.match_any) = (BoundTo::Queue(QueueId(1)), true);
    Topology {
        exchanges: vec![
            exchange("", ExchangeKind::Direct),
            exchange("direct", ExchangeKind::Direct),
            exchange("fanout", ExchangeKind::Fanout),
            exchange("topic", ExchangeKind::Topic),
            Exchange {
                durable: false,
                auto_delete: true,
                ..exchange("headers", ExchangeKind::Headers)
            },
        ],
        queues: vec![
            queue("kept"),
            Queue { durable: false, auto_delete: true, ..queue("passing") },
            Queue { durable: false, exclusive: true, owner: owned, ..queue("own") },
            Queue {
                exclusive: true,
                temporary: true,
                durable: false,
                owner: owned,
                ..queue("worker")
            },
        ],
        bindings: vec![
            binding(1, 0, "k"),
            binding(2, 0, ""),
            binding(2, 2, ""),
            binding(2, 3, ""),
            binding(3, 1, "a.*.c"),
            binding(3, 3, "#"),
            matching,
            any,
        ],
    }
}

pub async fn ready(channel: &Channel, queue: &str) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let answer = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
    answer.unwrap().message_count()
}

pub async fn publish(channel: &Channel, exchange: &str, key: &str, headers: FieldTable) {
    let properties = BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange.into(), key.into(), options, b"x", properties).await;
    sent.unwrap().await.unwrap();
}

pub fn headers(entries: &[(&str, Scalar)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), header(value));
    }
    table
}

/// Declares the whole topology, and sees that each binding leads where it should.
pub async fn routes(space: &Space) {
    let topology = topology();
    let link = space.connect("routes", None).await.unwrap();
    let channel = link.connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    space.declare(&channel, &topology).await.unwrap();
    let own = space.declare_owned(&channel, &topology, QueueId(2)).await.unwrap();
    let temporary = space.declare_owned(&channel, &topology, QueueId(3)).await.unwrap();
    assert_eq!(own, space.name("own"));
    assert!(temporary.starts_with("amq.gen-"), "{temporary}");
    let (kept, passing) = (space.name("kept"), space.name("passing"));
    let all = [&kept, &passing, &own, &temporary];

    let right = [
        ("n", Scalar::Int(1)),
        ("on", Scalar::Bool(true)),
        ("x", Scalar::Float(0.5)),
        ("t", Scalar::Text("a".to_owned())),
    ];
    let of_another_type = [("n", Scalar::Text("1".to_owned()))];
    let none = FieldTable::default;
    for (exchange, key, table, expected) in [
        ("", &*kept, none(), [1, 0, 0, 0]),
        ("direct", "k", none(), [1, 0, 0, 0]),
        ("direct", "other", none(), [0, 0, 0, 0]),
        ("fanout", "", none(), [1, 0, 1, 1]),
        ("topic", "a.b.c", none(), [0, 1, 0, 1]),
        ("topic", "a.c", none(), [0, 0, 0, 1]),
        ("headers", "", headers(&right), [1, 1, 0, 0]),
        ("headers", "", headers(&right[..1]), [0, 1, 0, 0]),
        ("headers", "", headers(&of_another_type), [0, 0, 0, 0]),
    ] {
        let real = if exchange.is_empty() { String::new() } else { space.name(exchange) };
        publish(&channel, &real, key, table).await;
        let mut found = Vec::new();
        for queue in all {
            found.push(ready(&channel, queue).await);
            channel.queue_purge(queue.as_str().into(), Default::default()).await.unwrap();
        }
        assert_eq!(found, expected, "{exchange:?} {key:?}");
    }
    link.close().await.unwrap();
}

/// Takes `count` messages without acking, cuts the connection, and watches the numbers.
pub async fn unacked_is_live(space: &Space) {
    let topology = Topology { queues: vec![queue("held")], ..Topology::default() };
    let held = space.name("held");
    let link = space.connect("publisher", None).await.unwrap();
    let channel = link.connection.create_channel().await.unwrap();
    space.declare(&channel, &topology).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for _ in 0..20 {
        publish(&channel, "", &held, FieldTable::default()).await;
    }
    assert_eq!(space.unacked(&held).await.unwrap().count, 0);
    for count in [3, 7, 5] {
        let worker = space.connect("worker", None).await.unwrap();
        let own = worker.connection.create_channel().await.unwrap();
        own.basic_qos(count, Default::default()).await.unwrap();
        let options = BasicConsumeOptions::default();
        let consumer =
            own.basic_consume(held.as_str().into(), "".into(), options, FieldTable::default());
        let taken: Vec<_> = consumer.await.unwrap().take(count.into()).collect().await;
        assert_eq!(taken.len(), usize::from(count));
        let seen = space.unacked(&held).await.unwrap();
        assert_eq!(seen.count, u64::from(count), "the first answer is right");
        assert!(seen.age_at_most < Duration::from_secs(1), "{seen:?}");
        assert_eq!(ready(&channel, &held).await, 20 - u32::from(count));

        let cut = Instant::now();
        worker.cut();
        while ready(&channel, &held).await != 20 {
            assert!(cut.elapsed() < Duration::from_secs(5), "what it held does not come back");
        }
        assert_eq!(space.unacked(&held).await.unwrap().count, 0);
        let late = taken[0].as_ref().unwrap().ack(BasicAckOptions::default()).await;
        assert!(!late.is_ok_and(|written| written), "nothing is written after the cut");
        worker.cut();
    }
    link.close().await.unwrap();
    let error = space.unacked("absent").await.unwrap_err();
    assert!(error.message.contains("no such queue"), "{}", error.message);
}
