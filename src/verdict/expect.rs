//! Whether each expectation held.

use std::time::Duration;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::ledger::books::Books;
use crate::ledger::counts::Counts;
use crate::ledger::event::{MessageKey, Micros};
use crate::ledger::facts::Facts;
use crate::plan::count::{COPY_OUTCOMES, Count};
use crate::plan::matcher::DurationMatcher;
use crate::plan::matcher::{Matcher, Op, Share};
use crate::plan::model::{Expectation, Expected, Flow, ObservedNumber, Scope, Until, WorkerId};
use crate::verdict::answers;
use crate::verdict::causes::Causes;
use crate::verdict::model::{CauseRow, GuaranteeRow};
use crate::verdict::story;
use crate::verdict::timings;
use crate::verdict::words::{self, list};

/// How many example messages a failed expectation names, and of how many it tells the way.
const NAMED: usize = 5;
const TOLD: usize = 2;

/// What was found where something was expected.
pub struct Finding {
    pub actual: Value,
    pub held: bool,
}

/// Compares one expectation with the books. `None` when nothing was measured.
pub fn find(
    books: &Books,
    facts: &Facts,
    causes: &Causes,
    guarantees: &[GuaranteeRow],
    expectation: &Expectation,
) -> Option<Finding> {
    match &expectation.what {
        Expected::Count { scope, count, matcher } => {
            let counts = scoped(books, scope);
            // Workers know no outcomes of copies: what they rejected is a part of their
            // deliveries.
            let base = match scope {
                Scope::Workers(_) => Count::Deliveries,
                _ => count.base(),
            };
            Some(number(*matcher, counts[*count], counts[base]))
        }
        Expected::Cause { cause, matcher } => {
            Some(number(*matcher, causes.count(cause), books.totals[Count::Expected]))
        }
        Expected::Fairness { workers, max_share } => Some(fairness(books, workers, *max_share)),
        Expected::Fifo => {
            let breaches = books.disorder_count;
            Some(Finding { actual: breaches.into(), held: breaches == 0 })
        }
        Expected::Guarantees => crate::verdict::guarantees::find(guarantees),
        Expected::Duration(matcher) => {
            let took = Duration::from_micros(facts.duration);
            let held = matcher.op.holds(&took, &matcher.bound);
            Some(Finding { actual: format!("{} ms", took.as_millis()).into(), held })
        }
        Expected::Latency { until, quantile, matcher } => {
            let measured = match until {
                Until::Finished => books.latency(),
                Until::Confirmed => books.confirming(),
            };
            Some(took(measured?.value_at_quantile(*quantile), matcher))
        }
        Expected::LongestGap(matcher) => Some(took(timings::longest_gap(books)?, matcher)),
        Expected::Recovery(matcher) => recovery(books, facts, matcher),
        Expected::Throughput { of, matcher } => {
            let rate = timings::rate(books, *of);
            // Two a second are two a second, even if the last came a millisecond late.
            rate.map(|rate| rate.round() as u64).map(|rate| number(*matcher, rate, rate))
        }
        Expected::Error(_) | Expected::NoOtherErrors(_) | Expected::Told { .. } => {
            answers::find(facts, &expectation.what)
        }
        Expected::Observed { observation, queue, number: which, matcher } => {
            let fact = facts.observations.iter().find(|fact| fact.observation == *observation)?;
            let numbers = fact.queues.iter().find(|numbers| numbers.queue == *queue)?;
            let actual = match which {
                ObservedNumber::Ready => numbers.ready,
                ObservedNumber::Unacked => numbers.unacked,
                ObservedNumber::Consumers => numbers.consumers,
            };
            Some(number(*matcher, actual, numbers.ready + numbers.unacked))
        }
    }
}

fn number(matcher: Matcher, actual: u64, base: u64) -> Finding {
    Finding { actual: actual.into(), held: matcher.holds(actual, base) }
}

/// The counts of a scope: of a group, the sum of its instances.
fn scoped(books: &Books, scope: &Scope) -> Counts {
    let mut sum = Counts::default();
    match scope {
        Scope::All => return books.totals,
        Scope::Queue(queue) => return books.queues[queue.index()],
        Scope::Queues(ids) => ids.iter().for_each(|id| sum.add(&books.queues[id.index()])),
        Scope::Producers(ids) => ids.iter().for_each(|id| sum.add(&books.producers[id.index()])),
        Scope::Workers(ids) => ids.iter().for_each(|id| sum.add(&books.workers[id.index()])),
    }
    sum
}

/// The largest part of the group's time at work that one instance has.
fn fairness(books: &Books, workers: &[WorkerId], max_share: Share) -> Finding {
    let total: u64 = workers.iter().map(|id| books.busy[id.index()]).sum();
    let most = workers.iter().map(|id| books.busy[id.index()]).max().unwrap_or(0);
    let percent = if total == 0 { 0.0 } else { most as f64 * 100.0 / total as f64 };
    Finding {
        actual: format!("{percent:.1}%").into(),
        held: max_share.compare(Op::LessOrEqual, most, total),
    }
}

/// The message for an expectation that did not hold, still without its place.
pub fn complaint(
    books: &Books,
    causes: &Causes,
    rows: &[CauseRow],
    expectation: &Expectation,
    finding: &Finding,
) -> Diagnostic {
    let actual = match &finding.actual {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let path = &expectation.path;
    let mut diagnostic = Diagnostic::error(format!(
        "expected {path}: {}, but {}",
        expectation.expected,
        came(expectation, &actual)
    ));
    let examples = examples(books, expectation);
    let names: Vec<String> = examples.iter().map(|message| message.n.to_string()).collect();
    diagnostic.label = match names.len() {
        0 => actual,
        1 => format!("{actual}: message {}", names[0]),
        _ => format!("{actual}: messages {}", list(&names, NAMED)),
    };
    for text in why(rows, expectation) {
        diagnostic = diagnostic.note(format!("why: {text}"));
    }
    for message in examples.iter().take(TOLD) {
        diagnostic = diagnostic.note(story::tell(books, *message));
    }
    match help(books, expectation, causes) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

fn came(expectation: &Expectation, actual: &str) -> String {
    let one = actual == "1";
    match &expectation.what {
        Expected::Count { count, .. } if COPY_OUTCOMES.contains(count) => {
            let copies = if one { "copy was" } else { "copies were" };
            format!("{actual} {copies} {}", count.name().replace('_', " "))
        }
        Expected::Count { .. } => format!("there {} {actual}", if one { "is" } else { "are" }),
        Expected::Cause { .. } => {
            format!("{actual} {} this cause", if one { "copy has" } else { "copies have" })
        }
        Expected::Fairness { .. } => format!("one worker had {actual} of the time at work"),
        Expected::Fifo => {
            format!(
                "{actual} {} out of order",
                if one { "delivery was" } else { "deliveries were" }
            )
        }
        Expected::Guarantees => format!("{actual} did not hold"),
        Expected::Duration(_) => format!("the run took {actual}"),
        Expected::Throughput { of: Flow::Published, .. } => {
            format!("{actual} messages were published in a second")
        }
        Expected::Throughput { of: Flow::Finished, .. } => {
            format!("{actual} works were finished in a second")
        }
        Expected::Recovery(_)
        | Expected::LongestGap(_)
        | Expected::Latency { .. }
        | Expected::Observed { .. }
        | Expected::Error(_)
        | Expected::NoOtherErrors(_)
        | Expected::Told { .. } => format!("it was {actual}"),
    }
}

fn recovery(books: &Books, facts: &Facts, matcher: &DurationMatcher) -> Option<Finding> {
    Some(match timings::recovery(books, facts)? {
        Ok(micros) => took(micros, matcher),
        Err(fault) => {
            let actual = format!("nothing was delivered after {fault}");
            Finding { actual: actual.into(), held: false }
        }
    })
}

fn took(micros: Micros, matcher: &DurationMatcher) -> Finding {
    let held = matcher.op.holds(&Duration::from_micros(micros), &matcher.bound);
    Finding { actual: words::millis(micros).into(), held }
}

fn examples(books: &Books, expectation: &Expectation) -> Vec<MessageKey> {
    match &expectation.what {
        Expected::Count { scope, count, .. } if is_trouble(*count) => {
            let within = |message: MessageKey, queue| match scope {
                Scope::Queue(wanted) => *wanted == queue,
                Scope::Queues(wanted) => wanted.contains(&queue),
                Scope::Producers(ids) => ids.contains(&message.producer),
                Scope::All | Scope::Workers(_) => true,
            };
            let has = |view: &crate::ledger::books::CopyView| match count {
                Count::Duplicates => view.copy.finished() > 1,
                _ => view.outcome == *count,
            };
            let found = books.copies().filter(has).filter(|v| within(v.message, v.queue));
            found.map(|view| view.message).collect()
        }
        Expected::Fifo => books.disorder.iter().map(|(message, _)| *message).collect(),
        _ => Vec::new(),
    }
}

/// Counts whose single messages are worth naming.
fn is_trouble(count: Count) -> bool {
    count == Count::Duplicates || (COPY_OUTCOMES.contains(&count) && count != Count::Delivered)
}

fn why(rows: &[CauseRow], expectation: &Expectation) -> Vec<String> {
    let outcome = match &expectation.what {
        Expected::Count { count: Count::Delivered, .. } => Count::Lost,
        Expected::Count { count, .. } => *count,
        _ => return Vec::new(),
    };
    let of = rows.iter().filter(|row| row.outcome == outcome.name());
    of.map(|row| format!("{}: {}", row.causes.join(", "), row.text)).collect()
}

fn help(books: &Books, expectation: &Expectation, causes: &Causes) -> Option<String> {
    let Expected::Count { count: Count::Lost | Count::Delivered, .. } = &expectation.what else {
        return None;
    };
    let cause = |name: &str| causes.count(name) > 0;
    // A queue that was purged, was deleted or expired was lost on purpose.
    let bound = books.plan.topology.queues.iter().any(|it| it.exclusive || it.auto_delete);
    let remedy = if cause("auto_ack") {
        "with `ack: manual` what a worker had not finished would be redelivered"
    } else if cause("early_ack") {
        "with `ack: manual` the ack comes after the work"
    } else if cause("queue_gone") && bound {
        "a queue that is neither exclusive nor auto-delete outlives its consumers"
    } else if cause("not_sent") {
        "with `confirms: true` a producer knows what arrived"
    } else {
        return None;
    };
    Some(format!("{remedy}; if the loss is the lesson, expect it"))
}
