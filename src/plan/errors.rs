//! The errors that a file lists, as meant: each at least once, and no other.

use crate::plan::context::Context;
use crate::plan::model::{Expectation, Expected, ExpectedError};
use crate::plan::names::{Kind, Thing, instances};
use crate::scenario::collect::Collector;
use crate::scenario::decode::Located;
use crate::scenario::expect::{ErrorScope, ExpectedError as Written};
use crate::scenario::mistake::{Mistake, shortened};
use crate::scenario::scalar::Name;

/// The reply codes of AMQP 0-9-1 that report an error, and 0 for what has none.
const CODES: [u16; 20] = [
    0, 311, 312, 313, 320, 402, 403, 404, 405, 406, 501, 502, 503, 504, 505, 506, 530, 540, 541,
    542,
];

/// An expectation for each entry of `errors`, and one that nothing else came.
pub fn plan(context: &Context, out: &mut Vec<Expectation>, found: &mut Collector) {
    let Some(written) = &context.file.expect.errors else { return };
    let Some(entries) = written.value.some() else { return };
    let mut list = Vec::new();
    for (number, entry) in (1..).zip(entries) {
        let Some(error) = error(entry, context, found) else { continue };
        let who = entry.who.as_ref().map(|who| who.value.0.as_str());
        out.push(Expectation {
            path: format!("errors.{number}"),
            expected: text(&error, who),
            what: Expected::Error(error.clone()),
            at: entry.at,
        });
        list.push(error);
    }
    let expected = if entries.is_empty() { "none" } else { "no other" };
    out.push(Expectation {
        path: "errors".to_owned(),
        expected: expected.to_owned(),
        what: Expected::NoOtherErrors(list),
        at: written.at,
    });
}

fn error(
    entry: &Located<Written>,
    context: &Context,
    found: &mut Collector,
) -> Option<ExpectedError> {
    let code = code(entry.code, found);
    let who = match &entry.who {
        Some(who) => Some(programs(who, context, found)?),
        None => None,
    };
    let scope = entry.scope.map(|scope| match scope {
        ErrorScope::Consumer => "consumer",
        ErrorScope::Channel => "channel",
        ErrorScope::Connection => "connection",
    });
    Some(ExpectedError { who, scope, code: code?, text: entry.text.clone() })
}

/// A code that can come; `None` when it cannot, `Some(None)` when any will do.
pub fn code(written: Option<Located<u64>>, found: &mut Collector) -> Option<Option<u16>> {
    let Some(written) = written else { return Some(None) };
    let known = CODES.into_iter().find(|code| u64::from(*code) == written.value);
    if known.is_none() {
        let text = format!("AMQP has no error with the code {}", written.value);
        let help = "the usual ones: 403 refused, 404 not found, 405 locked by another connection, \
                    406 precondition failed, 530 not allowed, 540 not implemented; 0 is none";
        found.push(Mistake::new(written.at, text).help(help));
    }
    known.map(Some)
}

/// The instances that a name stands for.
fn programs(name: &Located<Name>, context: &Context, found: &mut Collector) -> Option<Vec<String>> {
    let count = match context.names.get(&name.value) {
        Some(Thing::Producers(ids)) => ids.len(),
        Some(Thing::Workers(ids)) => ids.len(),
        _ => {
            let who = "an error is expected of the";
            found.push(context.names.unknown(&name.value, name.at, who, Kind::Program));
            return None;
        }
    };
    Some(instances(&name.value, count))
}

/// `channel 406 "unknown delivery tag" of worker-1`.
pub fn text(error: &ExpectedError, who: Option<&str>) -> String {
    let parts = [
        error.scope.map(str::to_owned),
        error.code.map(|code| code.to_string()),
        error.text.as_ref().map(|text| format!("\"{}\"", shortened(text))),
        who.map(|who| format!("of {who}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "any".to_owned() } else { parts.join(" ") }
}
