//! What RabbitMQ does with the messages of a case.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation};
use rmq_scenario::broker::{Link, Space, header};
use rmq_scenario::plan::model::{ExchangeId, QueueId, Topology};

use crate::draw::{Case, Message};

/// What became of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// A queue for each copy, in the order of the ids.
    pub copies: Vec<QueueId>,
    pub returned: bool,
}

/// Declares the topology of a case, publishes its messages, and collects their copies. What it
/// makes on the broker is named after `label`, which nothing else is.
pub async fn run(case: &Case, label: &str, space: &Space, link: &Link) -> Vec<Seen> {
    let channel = link.connection.create_channel().await.expect("a channel");
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let topology = named(&case.topology, label);
    space.declare(&channel, &topology).await.unwrap_or_else(|error| panic!("{error}: {case:?}"));
    let sent = case.messages.iter().enumerate();
    let answers = sent.map(|(n, message)| publish(&channel, n, message, case, &topology, space));
    let mut seen = vec![Seen::default(); case.messages.len()];
    for returned in join_all(answers).await.into_iter().flatten() {
        seen[returned].returned = true;
    }
    for (index, queue) in topology.queues.iter().enumerate() {
        let name = space.queue_name(queue);
        for n in drained(&channel, &name).await {
            seen[n].copies.push(QueueId::from_index(index));
        }
        channel.queue_delete(name.as_str().into(), Default::default()).await.expect("it goes");
    }
    for exchange in &topology.exchanges[1..] {
        let name = space.exchange_name(exchange);
        channel.exchange_delete(name.as_str().into(), Default::default()).await.expect("it goes");
    }
    channel.close(200, "done".into()).await.expect("it closes");
    seen
}

/// The same topology under names of its own.
fn named(topology: &Topology, label: &str) -> Topology {
    let mut named = topology.clone();
    for exchange in &mut named.exchanges[1..] {
        exchange.name = format!("{label}-{}", exchange.name);
    }
    for queue in &mut named.queues {
        queue.name = format!("{label}-{}", queue.name);
    }
    named
}

/// The key as published: the name of a queue is the one it has on the broker.
fn real_key(key: &str, case: &Case, topology: &Topology, space: &Space) -> String {
    let position = case.topology.queues.iter().position(|queue| queue.name == key);
    position.map_or_else(|| key.to_owned(), |index| space.queue_name(&topology.queues[index]))
}

/// Publishes message `n`; its number, or another's, when the answer brings a returned message.
async fn publish(
    channel: &Channel,
    n: usize,
    message: &Message,
    case: &Case,
    topology: &Topology,
    space: &Space,
) -> Option<usize> {
    let mut table = FieldTable::default();
    for (name, value) in &message.headers {
        table.insert(name.as_str().into(), header(value));
    }
    let properties =
        BasicProperties::default().with_headers(table).with_message_id(n.to_string().into());
    let exchange = match message.exchange {
        ExchangeId(0) => String::new(),
        id => space.exchange_name(&topology.exchanges[id.index()]),
    };
    let key = real_key(&message.key, case, topology, space);
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let (exchange, key) = (exchange.as_str().into(), key.as_str().into());
    let sent = channel.basic_publish(exchange, key, options, b"", properties).await;
    match sent.expect("it is written").await.expect("it is answered") {
        Confirmation::Ack(Some(returned)) => Some(number(&returned.properties)),
        Confirmation::Ack(None) => None,
        other => panic!("message {n} of {case:?}: {other:?}"),
    }
}

fn number(properties: &BasicProperties) -> usize {
    let id = properties.message_id().as_ref().expect("every message has an id");
    id.as_str().parse().expect("the id is a number")
}

/// The numbers of all messages in a queue. All of them are there: they were confirmed.
async fn drained(channel: &Channel, queue: &str) -> Vec<usize> {
    let mut numbers = Vec::new();
    let options = BasicGetOptions { no_ack: true };
    while let Some(got) = channel.basic_get(queue.into(), options).await.expect("it answers") {
        numbers.push(number(&got.delivery.properties));
    }
    numbers
}

/// Everything that a case declares, and a message, as a person reads it.
pub fn told(topology: &Topology, message: &Message) -> String {
    let mut lines: BTreeMap<usize, String> = BTreeMap::new();
    for (index, exchange) in topology.exchanges.iter().enumerate() {
        let from = topology.bindings.iter().filter(|binding| binding.from.index() == index);
        let bindings: Vec<String> = from.map(|binding| format!("\n    {binding:?}")).collect();
        if !bindings.is_empty() || exchange.alternate.is_some() || message.exchange.index() == index
        {
            let (kind, alternate) = (exchange.kind, &exchange.alternate);
            let text = format!("  exchange {index}: {kind:?}, alternate {alternate:?}");
            lines.insert(index, text + &bindings.concat());
        }
    }
    let lines: Vec<String> = lines.into_values().collect();
    format!("{message:?}\n{}", lines.join("\n"))
}
