//! A plan's topology in the words of AMQP.

use std::time::Duration;

use lapin::options::{
    ExchangeBindOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::error::{BrokerError, Kind};
use super::space::Space;
use crate::plan::model::{
    self, Binding, BoundTo, Exchange, ExchangeId, ExchangeRef, Overflow, Queue, QueueKind, Topology,
};
use crate::plan::pattern::Scalar;

/// How the broker calls what the file names.
pub(super) struct Names<'a> {
    pub space: &'a Space,
    pub topology: &'a Topology,
}

impl Names<'_> {
    fn exchange(&self, exchange: &ExchangeRef) -> String {
        match exchange {
            ExchangeRef::Declared(id) => {
                self.space.exchange_name(&self.topology.exchanges[id.index()])
            }
            ExchangeRef::Missing(name) => self.space.name(name),
        }
    }

    /// A key that goes to the default exchange is the name of a queue.
    fn key(&self, exchange: &ExchangeRef, key: &str) -> String {
        let by_name = *exchange == ExchangeRef::Declared(ExchangeId(0));
        let mut queues = self.topology.queues.iter().filter(|queue| by_name && queue.name == key);
        queues.next().map_or_else(|| key.to_owned(), |queue| self.space.queue_name(queue))
    }
}

pub(super) async fn declare_exchange(
    channel: &Channel,
    exchange: &Exchange,
    names: &Names<'_>,
) -> Result<(), BrokerError> {
    let name = names.space.exchange_name(exchange);
    let (kind, arguments) = form(exchange, names);
    let options = ExchangeDeclareOptions {
        passive: exchange.predeclared,
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        ..ExchangeDeclareOptions::default()
    };
    let declared = channel.exchange_declare(name.as_str().into(), kind, options, arguments);
    let doing = || format!("declaring exchange {:?}", exchange.name);
    declared.await.map_err(|error| BrokerError::amqp(&doing(), &error))
}

/// The type and the arguments of an exchange.
pub(super) fn form(exchange: &Exchange, names: &Names<'_>) -> (ExchangeKind, FieldTable) {
    let kind = match exchange.kind {
        model::ExchangeKind::Direct => ExchangeKind::Direct,
        model::ExchangeKind::Fanout => ExchangeKind::Fanout,
        model::ExchangeKind::Topic => ExchangeKind::Topic,
        model::ExchangeKind::Headers => ExchangeKind::Headers,
    };
    let mut arguments = raw(&exchange.arguments);
    if let Some(alternate) = &exchange.alternate {
        insert(&mut arguments, "alternate-exchange", text(&names.exchange(alternate)));
    }
    (kind, arguments)
}

/// Declares a queue; returns its name, which the broker chooses for a temporary one. One that
/// is there already must be empty.
pub(super) async fn declare_queue(
    channel: &Channel,
    queue: &Queue,
    names: &Names<'_>,
) -> Result<String, BrokerError> {
    let name = names.space.queue_name(queue);
    let options = QueueDeclareOptions {
        passive: queue.predeclared,
        durable: queue.durable,
        exclusive: queue.exclusive,
        auto_delete: queue.auto_delete,
        ..QueueDeclareOptions::default()
    };
    let arguments = queue_arguments(queue, names);
    let declared = channel.queue_declare(name.as_str().into(), options, arguments).await;
    let doing = match queue.predeclared {
        true => format!("looking for the predeclared queue {:?}", queue.name),
        false => format!("declaring queue {:?}", queue.name),
    };
    let declared = declared.map_err(|error| BrokerError::amqp(&doing, &error))?;
    match declared.message_count() {
        held if queue.predeclared && held > 0 => Err(BrokerError::new(
            Kind::Protocol,
            format!("the predeclared queue {:?} is not empty: it holds {held}", queue.name),
        )
        .help("empty it first, or use another queue; what is in it would be told from nothing")),
        _ => Ok(declared.name().to_string()),
    }
}

/// The type is said explicitly, because a virtual host may have another default.
pub(super) fn queue_arguments(queue: &Queue, names: &Names<'_>) -> FieldTable {
    let mut table = raw(&queue.arguments);
    let kind = match queue.kind {
        QueueKind::Classic => "classic",
        QueueKind::Quorum => "quorum",
        QueueKind::Stream => "stream",
    };
    insert(&mut table, "x-queue-type", text(kind));
    let numbers = [
        ("x-message-ttl", queue.message_ttl.map(millis)),
        ("x-expires", queue.expires.map(millis)),
        ("x-max-length", queue.max_length.map(long)),
        ("x-max-length-bytes", queue.max_length_bytes.map(long)),
        ("x-delivery-limit", queue.delivery_limit),
        ("x-max-priority", queue.max_priority.map(i64::from)),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            insert(&mut table, name, AMQPValue::LongLongInt(number));
        }
    }
    match queue.overflow {
        Overflow::DropHead => {}
        Overflow::RejectPublish => insert(&mut table, "x-overflow", text("reject-publish")),
        Overflow::RejectPublishDlx => insert(&mut table, "x-overflow", text("reject-publish-dlx")),
    }
    if queue.single_active_consumer {
        insert(&mut table, "x-single-active-consumer", AMQPValue::Boolean(true));
    }
    if let Some(dead) = &queue.dead_letter {
        let exchange = names.exchange(&dead.exchange);
        insert(&mut table, "x-dead-letter-exchange", text(&exchange));
        if let Some(key) = &dead.routing_key {
            let key = names.key(&dead.exchange, key);
            insert(&mut table, "x-dead-letter-routing-key", text(&key));
        }
        if dead.at_least_once {
            insert(&mut table, "x-dead-letter-strategy", text("at-least-once"));
        }
    }
    table
}

fn insert(table: &mut FieldTable, name: &str, value: AMQPValue) {
    table.insert(name.into(), value);
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn raw(arguments: &[(String, Scalar)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in arguments {
        insert(&mut table, name, header(value));
    }
    table
}

/// Binds a queue, by its name on the broker, or an exchange.
pub(super) async fn bind(
    channel: &Channel,
    to: &str,
    binding: &Binding,
    names: &Names<'_>,
) -> Result<(), BrokerError> {
    let exchange = &names.topology.exchanges[binding.from.index()];
    let from = names.space.exchange_name(exchange);
    let key = binding.routing_key.as_str();
    let arguments = arguments(binding, exchange.kind);
    let (kind, bound) = match binding.to {
        BoundTo::Queue(_) => {
            let options = QueueBindOptions::default();
            let bind =
                channel.queue_bind(to.into(), from.as_str().into(), key.into(), options, arguments);
            ("queue", bind.await)
        }
        BoundTo::Exchange(_) => {
            let (to, from) = (to.into(), from.as_str().into());
            let options = ExchangeBindOptions::default();
            let bind = channel.exchange_bind(to, from, key.into(), options, arguments);
            ("exchange", bind.await)
        }
    };
    let doing = || format!("binding {kind} {to:?} to exchange {from:?}");
    bound.map_err(|error| BrokerError::amqp(&doing(), &error))
}

/// What a headers exchange compares; other exchanges compare no arguments.
pub(super) fn arguments(binding: &Binding, kind: model::ExchangeKind) -> FieldTable {
    let mut table = FieldTable::default();
    if kind == model::ExchangeKind::Headers {
        let how = if binding.match_any { "any" } else { "all" };
        table.insert("x-match".into(), AMQPValue::LongString(how.into()));
    }
    for (name, value) in &binding.headers {
        table.insert(name.as_str().into(), header(value));
    }
    table
}

/// A header's value with the type it has in the file: the broker compares types, too.
pub fn header(value: &Scalar) -> AMQPValue {
    match value {
        Scalar::Null => AMQPValue::Void,
        Scalar::Bool(value) => AMQPValue::Boolean(*value),
        Scalar::Int(value) => AMQPValue::LongLongInt(*value),
        Scalar::Float(value) => AMQPValue::Double(*value),
        Scalar::Text(value) => AMQPValue::LongString(value.as_str().into()),
    }
}
