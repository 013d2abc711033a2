//! Which settings the types of queues know.
//!
//! Only what RabbitMQ 3.10, 4.0 and 4.3 all refuse is a mistake of the file; where they differ
//! it is the broker's to refuse.

use crate::plan::model::{Overflow, Queue, QueueKind};
use crate::plan::topology::arguments::{Setting, Settings};
use crate::scenario::collect::Collector;
use crate::scenario::mistake::Mistake;

/// Records every setting that no version knows for a queue of this type.
pub fn check(queue: &Queue, settings: &Settings, found: &mut Collector) {
    let whole = settings.place(Setting::DeadLetter).is_some();
    let part = |setting| whole && matches!(setting, Setting::DeadLetterKey | Setting::Strategy);
    for (setting, at, word) in settings.said.iter().filter(|(setting, ..)| !part(*setting)) {
        if let Some(remedy) = unknown(queue.kind, *setting) {
            let text = format!("a {} has no `{word}`", name(queue.kind));
            found.push(Mistake::new(*at, text).help(remedy));
        }
    }
    at_least_once(queue, settings, found);
}

fn name(kind: QueueKind) -> &'static str {
    match kind {
        QueueKind::Classic => "classic queue",
        QueueKind::Quorum => "quorum queue",
        QueueKind::Stream => "stream",
    }
}

/// What to do instead of a setting that the type does not know.
fn unknown(kind: QueueKind, setting: Setting) -> Option<&'static str> {
    use QueueKind::{Classic, Quorum, Stream};
    match (kind, setting) {
        (Classic, Setting::DeliveryLimit) => Some("use `type: quorum`, or leave it out"),
        (Quorum, Setting::MaxPriority) => Some("use `type: classic`, or leave it out"),
        (Stream, Setting::MaxLengthBytes) => None,
        (Stream, Setting::MaxLength) => {
            Some("a stream is bounded by `max_length_bytes`, or by the argument `x-max-age`")
        }
        (Stream, Setting::MessageTtl) => {
            Some("a stream keeps its messages; the argument `x-max-age` lets old ones go")
        }
        (Stream, Setting::DeadLetter) => {
            Some("nothing leaves a stream for another queue; use `type: classic` or `type: quorum`")
        }
        (Stream, _) => Some("use `type: classic` or `type: quorum`, or leave it out"),
        _ => None,
    }
}

/// At-least-once dead-lettering is a thing of quorum queues, and only where a full queue refuses:
/// otherwise the broker falls back to at-most-once without telling anybody but its log.
fn at_least_once(queue: &Queue, settings: &Settings, found: &mut Collector) {
    let Some((at, _)) = settings.place(Setting::Strategy).filter(|_| settings.at_least_once) else {
        return;
    };
    if queue.kind == QueueKind::Classic {
        let text = "a classic queue cannot dead-letter at least once";
        let help = "use `type: quorum` with `overflow: reject-publish`, or leave `strategy` out";
        found.push(Mistake::new(at, text).help(help));
    } else if queue.kind == QueueKind::Quorum && queue.overflow != Overflow::RejectPublish {
        let text = "dead-lettering at least once needs `overflow: reject-publish`";
        let help =
            "add it to the queue; without it RabbitMQ dead-letters at most once all the same";
        found.push(Mistake::new(at, text).help(help));
    }
}
