//! A plan's topology in the words of AMQP.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::error::BrokerError;
use crate::plan::model::{self, Binding, Exchange, Queue};
use crate::plan::pattern::Scalar;

pub(crate) async fn declare_exchange(
    channel: &Channel,
    name: &str,
    exchange: &Exchange,
) -> Result<(), BrokerError> {
    let options = ExchangeDeclareOptions {
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        internal: exchange.internal,
        ..ExchangeDeclareOptions::default()
    };
    let kind = match exchange.kind {
        model::ExchangeKind::Direct => ExchangeKind::Direct,
        model::ExchangeKind::Fanout => ExchangeKind::Fanout,
        model::ExchangeKind::Topic => ExchangeKind::Topic,
        model::ExchangeKind::Headers => ExchangeKind::Headers,
    };
    let declared = channel.exchange_declare(name.into(), kind, options, FieldTable::default());
    let doing = || format!("declaring exchange {:?}", exchange.name);
    declared.await.map_err(|error| BrokerError::amqp(&doing(), &error))
}

/// Declares a queue; returns its name, which the broker chooses where `name` is empty.
pub(crate) async fn declare_queue(
    channel: &Channel,
    name: &str,
    queue: &Queue,
) -> Result<String, BrokerError> {
    let options = QueueDeclareOptions {
        durable: queue.durable,
        exclusive: queue.exclusive,
        auto_delete: queue.auto_delete,
        ..QueueDeclareOptions::default()
    };
    // Said explicitly, because a virtual host may have another default.
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("classic".into()));
    let declared = channel.queue_declare(name.into(), options, arguments).await;
    let doing = || format!("declaring queue {:?}", queue.name);
    let declared = declared.map_err(|error| BrokerError::amqp(&doing(), &error))?;
    Ok(declared.name().to_string())
}

pub(crate) async fn bind(
    channel: &Channel,
    exchange: &str,
    queue: &str,
    binding: &Binding,
    kind: model::ExchangeKind,
) -> Result<(), BrokerError> {
    let bound = channel.queue_bind(
        queue.into(),
        exchange.into(),
        binding.routing_key.as_str().into(),
        QueueBindOptions::default(),
        arguments(binding, kind),
    );
    let doing = || format!("binding queue {queue:?} to exchange {exchange:?}");
    bound.await.map_err(|error| BrokerError::amqp(&doing(), &error))
}

/// What a headers exchange compares; other exchanges compare no arguments.
fn arguments(binding: &Binding, kind: model::ExchangeKind) -> FieldTable {
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
