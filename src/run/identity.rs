//! Which message a delivery is: its `message_id` says which run, which producer, which number,
//! and its `x-death` by which way it came.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::ledger::event::{MessageKey, Sighting};
use crate::ledger::paths::{Death, PathId, Reason};
use crate::plan::model::ProducerId;
use crate::run::stage::Stage;

/// The message of this run that the properties name; `None` for anything else.
pub fn sighting(stage: &Stage, properties: &BasicProperties) -> Option<Sighting> {
    let id = properties.message_id().as_ref()?;
    let message = read(&stage.run, id.as_str())?;
    let headers = properties.headers().as_ref();
    let died = headers.and_then(|headers| headers.inner().get("x-death"));
    let path = match died {
        None => PathId::NONE,
        Some(AMQPValue::FieldArray(entries)) => {
            let deaths = entries.as_slice().iter().map(|entry| death(stage, entry));
            let deaths: Option<Vec<Death>> = deaths.collect();
            deaths.map_or(PathId::STRANGE, |deaths| stage.paths.read(&deaths))
        }
        Some(_) => PathId::STRANGE,
    };
    Some(Sighting { message, path })
}

/// An entry of `x-death`, if its queue is one of the plan's.
fn death(stage: &Stage, entry: &AMQPValue) -> Option<Death> {
    let AMQPValue::FieldTable(entry) = entry else { return None };
    let queue = stage.queue_called(&text(entry, "queue")?)?;
    let reason = Reason::of(&text(entry, "reason")?)?;
    let count = match entry.inner().get("count")? {
        AMQPValue::LongLongInt(count) => u32::try_from(*count).ok()?,
        AMQPValue::LongInt(count) => u32::try_from(*count).ok()?,
        AMQPValue::LongUInt(count) => *count,
        _ => return None,
    };
    Some(Death { queue, reason, count })
}

fn text(table: &FieldTable, name: &str) -> Option<String> {
    match table.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

/// `RUN-PRODUCER-NUMBER`, all but the run in decimal.
pub fn write(run: &str, message: MessageKey) -> ShortString {
    format!("{run}-{}-{}", message.producer.0, message.n).into()
}

/// The id of a mark that is no message.
pub fn mark(run: &str, number: u32) -> String {
    format!("{run}-mark-{number}")
}

/// Whether it is the id of a mark of this run.
pub fn is_mark(run: &str, id: &str) -> bool {
    id.strip_prefix(run).is_some_and(|rest| rest.starts_with("-mark-"))
}

/// The message of this run that the id names; `None` for anything else.
pub fn read(run: &str, id: &str) -> Option<MessageKey> {
    let rest = id.strip_prefix(run)?.strip_prefix('-')?;
    let (producer, n) = rest.split_once('-')?;
    Some(MessageKey { producer: ProducerId(producer.parse().ok()?), n: n.parse().ok()? })
}

/// The id of what a probe publishes: no producer's, and known all the same.
pub fn of_probe(run: &str, probe: usize) -> ShortString {
    format!("{run}-probe-{probe}").into()
}

/// Whether a probe of this run published it.
pub fn is_of_probe(run: &str, properties: &BasicProperties) -> bool {
    properties.message_id().as_ref().is_some_and(|id| is_probe(run, id.as_str()))
}

fn is_probe(run: &str, id: &str) -> bool {
    let rest = id.strip_prefix(run).and_then(|rest| rest.strip_prefix("-probe-"));
    rest.is_some_and(|probe| probe.parse::<usize>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is() {
        let message = MessageKey { producer: ProducerId(7), n: 4_000_000_000 };
        let id = write("a1b2", message);
        assert_eq!(read("a1b2", id.as_str()), Some(message));
        let probe = of_probe("a1b2", 3);
        assert!(is_probe("a1b2", probe.as_str()) && !is_probe("a1b3", probe.as_str()));
        assert!(!is_probe("a1b2", id.as_str()) && !is_probe("a1b2", "a1b2-probe-x"));
        assert_eq!(read("a1b2", probe.as_str()), None);
        for other in ["", "a1b2", "a1b2-7", "a1b3-7-1", "a1b2-7-x", "a1b2-99999-1", "xa1b2-7-1"] {
            assert_eq!(read("a1b2", other), None, "{other}");
        }
    }
}
