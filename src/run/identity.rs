//! The `message_id` of every message: which run, which producer, which number.

use lapin::types::ShortString;

use crate::ledger::event::MessageKey;
use crate::plan::model::ProducerId;

/// `RUN-PRODUCER-NUMBER`, all but the run in decimal.
pub fn write(run: &str, message: MessageKey) -> ShortString {
    format!("{run}-{}-{}", message.producer.0, message.n).into()
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
pub fn is_probe(run: &str, id: &str) -> bool {
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
