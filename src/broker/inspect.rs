//! What stands in a space: asked of the broker, as `rabbitmqctl list_exchanges`, `list_queues`
//! and `list_bindings` would, or taken from the plan where nobody can be asked.

use lapin::types::{AMQPValue, FieldTable};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::BrokerError;
use super::space::Space;
use super::topology::{Names, arguments, form, queue_arguments};
use crate::plan::model::{BoundTo, ExchangeKind, Topology};

/// Names are those on the broker; everything else is in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    pub exchanges: Vec<(String, String)>,
    pub queues: Vec<(String, String)>,
    pub bindings: Vec<Bond>,
}

/// A binding from an exchange to a queue or to another exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bond {
    pub from: String,
    pub to: String,
    /// The routing key and the arguments.
    pub words: String,
}

#[derive(Deserialize)]
struct ExchangeSeen {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    durable: bool,
    auto_delete: bool,
    internal: bool,
    arguments: Map<String, Value>,
}

#[derive(Deserialize)]
struct QueueSeen {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    durable: bool,
    auto_delete: bool,
    exclusive: bool,
    arguments: Map<String, Value>,
}

#[derive(Deserialize)]
struct BindingSeen {
    source: String,
    destination: String,
    routing_key: String,
    arguments: Map<String, Value>,
}

impl Space {
    /// What of ours the broker has.
    ///
    /// # Errors
    /// When there is no management API, or it does not answer.
    pub async fn inspect(&self) -> Result<Inspection, BrokerError> {
        let exchanges: Vec<ExchangeSeen> = self.list("exchanges", "").await?;
        let queues: Vec<QueueSeen> = self.list("queues", "?disable_stats=true").await?;
        let bindings: Vec<BindingSeen> = self.list("bindings", "").await?;
        let ours = |name: &str| self.is_ours(name);
        let exchanges = exchanges.into_iter().filter(|it| ours(&it.name) && !reserved(&it.name));
        let queues = queues.into_iter().filter(|it| ours(&it.name) || reserved(&it.name));
        // Every queue is bound to the default exchange by itself.
        let bindings = bindings
            .into_iter()
            .filter(|it| !it.source.is_empty() && (ours(&it.source) || ours(&it.destination)));
        Ok(Inspection {
            exchanges: exchanges.map(exchange_seen).collect(),
            queues: queues.map(queue_seen).collect(),
            bindings: bindings.map(binding_seen).collect(),
        })
    }

    async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        query: &str,
    ) -> Result<Vec<T>, BrokerError> {
        self.management()?.list(self.vhost(), what, query).await
    }

    /// What the plan says that stands, but for the temporary queues, which the broker names.
    pub fn as_planned(&self, topology: &Topology) -> Inspection {
        let names = Names { space: self, topology };
        let mut seen = Inspection::default();
        for exchange in topology.exchanges.iter().filter(|exchange| !exchange.name.is_empty()) {
            let (_, table) = form(exchange, &names);
            let flags = [
                (exchange.durable, "durable"),
                (exchange.auto_delete, "auto_delete"),
                (exchange.internal, "internal"),
            ];
            seen.exchanges.push((
                exchange.name.clone(),
                words(kind_word(exchange.kind), &flags, &told(&table)),
            ));
        }
        for queue in &topology.queues {
            let table = queue_arguments(queue, &names);
            let flags = [
                (queue.durable, "durable"),
                (queue.auto_delete, "auto_delete"),
                (queue.exclusive, "exclusive"),
            ];
            seen.queues.push((queue.name.clone(), words("", &flags, &told(&table))));
        }
        for binding in &topology.bindings {
            let from = &topology.exchanges[binding.from.index()];
            let to = match binding.to {
                BoundTo::Queue(id) => &topology.queues[id.index()].name,
                BoundTo::Exchange(id) => &topology.exchanges[id.index()].name,
            };
            let words = bond_words(&binding.routing_key, &told(&arguments(binding, from.kind)));
            seen.bindings.push(Bond { from: from.name.clone(), to: to.clone(), words });
        }
        seen
    }
}

fn kind_word(kind: ExchangeKind) -> &'static str {
    match kind {
        ExchangeKind::Direct => "direct",
        ExchangeKind::Fanout => "fanout",
        ExchangeKind::Topic => "topic",
        ExchangeKind::Headers => "headers",
    }
}

fn reserved(name: &str) -> bool {
    name.is_empty() || name.starts_with("amq.")
}

fn exchange_seen(it: ExchangeSeen) -> (String, String) {
    let flags =
        [(it.durable, "durable"), (it.auto_delete, "auto_delete"), (it.internal, "internal")];
    (it.name, words(&it.kind, &flags, &listed(&it.arguments)))
}

fn queue_seen(it: QueueSeen) -> (String, String) {
    let flags =
        [(it.durable, "durable"), (it.auto_delete, "auto_delete"), (it.exclusive, "exclusive")];
    // The type is among the arguments wherever it was said, and it always is.
    let kind = if it.arguments.contains_key("x-queue-type") { "" } else { &it.kind };
    (it.name, words(kind, &flags, &listed(&it.arguments)))
}

fn binding_seen(it: BindingSeen) -> Bond {
    let words = bond_words(&it.routing_key, &listed(&it.arguments));
    Bond { from: it.source, to: it.destination, words }
}

/// `fanout, durable, alternate-exchange rest`.
fn words(kind: &str, flags: &[(bool, &str)], arguments: &[String]) -> String {
    let flags = flags.iter().filter(|(is, _)| *is).map(|(_, word)| (*word).to_owned());
    let kind = Some(kind.to_owned()).filter(|kind| !kind.is_empty());
    let all: Vec<String> = kind.into_iter().chain(flags).chain(arguments.iter().cloned()).collect();
    all.join(", ")
}

fn bond_words(key: &str, arguments: &[String]) -> String {
    let key = if key.is_empty() { "empty key".to_owned() } else { format!("key {key}") };
    [vec![key], arguments.to_vec()].concat().join(", ")
}

fn listed(arguments: &Map<String, Value>) -> Vec<String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    arguments.iter().map(|(name, value)| format!("{name} {}", text(value))).collect()
}

fn told(arguments: &FieldTable) -> Vec<String> {
    let text = |value: &AMQPValue| match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        AMQPValue::Double(number) => number.to_string(),
        AMQPValue::Boolean(value) => value.to_string(),
        AMQPValue::Void => "null".to_owned(),
        other => format!("{other:?}"),
    };
    arguments.inner().iter().map(|(name, value)| format!("{name} {}", text(value))).collect()
}
