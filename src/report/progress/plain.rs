//! Progress as lines, for pipes and CI. Each line says which run it is about.

use std::time::Duration;

use crate::ledger::progress::Progress;
use crate::report::text::duration;

pub fn started(what: &str) -> String {
    said(what, "started")
}

pub fn said(what: &str, text: &str) -> String {
    format!("{what}: {text}\n")
}

/// A run of which nothing else is known now.
pub fn lasts(what: &str, elapsed: Duration) -> String {
    said(what, &format!("{}: goes on", duration(elapsed)))
}

pub fn progress(what: &str, now: &Progress) -> String {
    let Progress { messages, published, confirmed, expected, delivered, in_hand, .. } = now;
    let confirmed = if now.confirms { format!(", confirmed {confirmed}") } else { String::new() };
    let elapsed = duration(now.elapsed);
    said(
        what,
        &format!(
            "{elapsed}: published {published} of {messages}{confirmed}, \
             finished {delivered} of {expected}, in hand {in_hand}"
        ),
    )
}
