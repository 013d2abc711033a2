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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is() {
        let message = MessageKey { producer: ProducerId(7), n: 4_000_000_000 };
        let id = write("a1b2", message);
        assert_eq!(read("a1b2", id.as_str()), Some(message));
        for other in ["", "a1b2", "a1b2-7", "a1b3-7-1", "a1b2-7-x", "a1b2-99999-1", "xa1b2-7-1"] {
            assert_eq!(read("a1b2", other), None, "{other}");
        }
    }
}
