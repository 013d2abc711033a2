//! How a private broker shall be set up, as meant.

use std::time::Duration;

use crate::plan::meaning;
use crate::plan::model::{Tree, Wishes};
use crate::plan::pattern::Scalar;
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::file::{File, Tree as Written};
use crate::scenario::mistake::Mistake;
use crate::scenario::scalar::{Scalar as WrittenScalar, Time};
use crate::scenario::topology::Table;

/// AMQP has 16 bits for the seconds.
const LONGEST: Duration = Duration::from_secs(65_535);

/// What the file wishes; all mistakes are recorded.
pub fn plan(file: &File, found: &mut Collector) -> Wishes {
    let Some(broker) = &file.broker else { return Wishes::default() };
    let advanced = broker.advanced.iter().flat_map(|table| &table.0);
    Wishes {
        nodes: broker.nodes.map(|nodes| nodes.value.0),
        heartbeat: broker.heartbeat.and_then(|time| heartbeat(time, found)),
        config: broker.config.as_ref().map_or_else(Vec::new, |table| config(table, found)),
        advanced: advanced.map(|(key, value)| (key.clone(), tree(value))).collect(),
    }
}

fn heartbeat(time: Located<Time>, found: &mut Collector) -> Option<Duration> {
    let whole = time.value.0.subsec_nanos() == 0;
    if whole && time.value.0 <= LONGEST {
        return Some(time.value.0);
    }
    let text = format!("a `heartbeat` of {} cannot be agreed upon", time.value);
    let help = "AMQP counts it in whole seconds, up to 65535s; 0s turns heartbeats off";
    found.push(Mistake::new(time.at, text).help(help));
    None
}

/// The lines of `rabbitmq.conf`: what has a line of its own cannot be broken over two.
fn config(table: &Table<Located<WrittenScalar>>, found: &mut Collector) -> Vec<(String, Scalar)> {
    let mut entries = Vec::new();
    for (key, value) in &table.0 {
        let word = |c: char| c.is_ascii_alphanumeric() || "_.-$".contains(c);
        if key.is_empty() || !key.chars().all(word) {
            let text = format!("{key:?} is not a key of `rabbitmq.conf`");
            let help = "write one as RabbitMQ's documentation does: `vm_memory_high_watermark.relative`; other settings go into `advanced`";
            found.push(Mistake::new(value.at, text).help(help));
            continue;
        }
        if let WrittenScalar::Text(text) = &value.value
            && (text.contains(['\n', '\r']) || text.trim().is_empty())
        {
            let text = format!("the value of `{key}` is not one line of `rabbitmq.conf`");
            found.push(Mistake::new(value.at, text).help("write a value of one line"));
            continue;
        }
        entries.push((key.clone(), meaning::scalar(&value.value)));
    }
    entries
}

fn tree(written: &Written) -> Tree {
    match written {
        Written::Scalar(scalar) => Tree::Scalar(meaning::scalar(scalar)),
        Written::List(items) => Tree::List(items.iter().map(tree).collect()),
        Written::Map(table) => {
            Tree::Map(table.0.iter().map(|(key, value)| (key.clone(), tree(value))).collect())
        }
    }
}
