//! An exchange as meant.

use crate::plan::context::Context;
use crate::plan::meaning;
use crate::plan::model::{Exchange, ExchangeKind, ExchangeRef};
use crate::plan::names::Other;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::lint::Lint;
use crate::scenario::mistake::Mistake;
use crate::scenario::scalar::Scalar;
use crate::scenario::topology as written;

const ALTERNATE: &str = "alternate-exchange";

/// The exchange of one entry; all mistakes are recorded.
pub fn plan(
    entry: &Located<written::Exchange>,
    context: &Context,
    found: &mut Collector,
) -> Exchange {
    let kind = match entry.kind {
        written::ExchangeKind::Direct => ExchangeKind::Direct,
        written::ExchangeKind::Fanout => ExchangeKind::Fanout,
        written::ExchangeKind::Topic => ExchangeKind::Topic,
        written::ExchangeKind::Headers => ExchangeKind::Headers,
    };
    let mut exchange = Exchange {
        durable: entry.durable.unwrap_or(true),
        auto_delete: entry.auto_delete.unwrap_or(false),
        internal: entry.internal.unwrap_or(false),
        predeclared: entry.predeclared.unwrap_or(false),
        ..Exchange::named(&entry.name.value.0, kind)
    };
    let mut name = entry.alternate_exchange.clone();
    for (key, value) in entry.arguments.iter().flat_map(|table| &table.0) {
        match (key.as_str(), &value.value) {
            (ALTERNATE, _) if entry.alternate_exchange.is_some() => {
                let text = format!("`{ALTERNATE}` says what `alternate_exchange` says already");
                found.push(Mistake::new(value.at, text).help("keep one of them"));
            }
            (ALTERNATE, Scalar::Text(text)) => {
                name = Some(Located { at: value.at, value: text.clone() });
            }
            (ALTERNATE, _) => {
                let text = format!("`{ALTERNATE}` must be the name of an exchange");
                let help = "write `alternate_exchange: NAME` beside the other keys";
                found.push(Mistake::new(value.at, text).help(help));
            }
            _ => exchange.arguments.push((key.clone(), meaning::scalar(&value.value))),
        }
    }
    exchange.alternate = name.map(|name| alternate(&exchange.name, &name, context, found));
    exchange
}

fn alternate(
    exchange: &str,
    name: &Located<String>,
    context: &Context,
    found: &mut Collector,
) -> ExchangeRef {
    if name.value.is_empty() {
        let text = "the default exchange leads nowhere as an alternate";
        let mut warning = Mistake::new(name.at, text);
        warning.remark("RabbitMQ looks up its queues only for what is published to it");
        let help = "name an exchange of type `fanout`, and bind a queue to it";
        found.warn(Lint::AlternateToNowhere, warning.help(help));
    }
    let who = format!("what `{exchange}` has no queue for goes to the");
    let help = "name an exchange of type `fanout`, and bind the queue to it";
    let other = Other { who: &who, reach_a_queue: help, lint: Lint::AlternateToNowhere };
    context.names.exchange_or_missing(name, other, found)
}
