//! Whether a run is one that its plan foretold.

use crate::diagnostic::Diagnostic;
use crate::ledger::books::Books;
use crate::ledger::facts::Facts;
use crate::plan::guarantees::rules::Rule;
use crate::plan::guarantees::{Guarantee, guarantees};
use crate::plan::model::{Expected, Variant};
use crate::verdict::expect::Finding;
use crate::verdict::model::GuaranteeRow;

/// Each count beside what the plan foretold of it; judged only where the run came to rest, every
/// queue could be looked into, and no program was ended by an error that the plan knows nothing of.
pub fn rows(variant: &Variant, books: &Books, facts: &Facts) -> Vec<GuaranteeRow> {
    let judged = is_judged(books, facts);
    let row = |Guarantee { count, range, rule }| {
        let actual = books.totals[count];
        GuaranteeRow {
            count: count.name(),
            low: range.low,
            high: range.high,
            rule: rule.name(),
            actual,
            held: judged.then(|| range.contains(actual)),
        }
    };
    guarantees(variant).into_iter().map(row).collect()
}

fn is_judged(books: &Books, facts: &Facts) -> bool {
    let of_connection = |scope: &str| scope == "connection";
    facts.cut.is_none()
        && books.undrained.is_empty()
        && facts.errors.iter().all(|error| of_connection(error.scope) && error.explained)
}

/// What `expect: { guarantees: true }` finds: how many were broken.
pub fn find(rows: &[GuaranteeRow]) -> Option<Finding> {
    let broken = broken(rows).len();
    let judged = rows.iter().all(|row| row.held.is_some());
    judged.then(|| Finding { actual: broken.into(), held: broken == 0 })
}

fn broken(rows: &[GuaranteeRow]) -> Vec<&GuaranteeRow> {
    rows.iter().filter(|row| row.held == Some(false)).collect()
}

/// Said loudly where a run is not what was foretold, and nobody asked.
pub fn complaint(variant: &Variant, rows: &[GuaranteeRow]) -> Option<Diagnostic> {
    let asked = |it: &crate::plan::model::Expectation| matches!(it.what, Expected::Guarantees);
    if variant.expectations.iter().any(asked) {
        return None;
    }
    let broken = broken(rows);
    let names: Vec<&str> = broken.iter().map(|row| row.count).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    let message =
        format!("{} {are} not what the plan of this variant guarantees", names.join(", "));
    let diagnostic = Diagnostic::warning(message).help(HELP);
    (!broken.is_empty()).then(|| notes(diagnostic, &broken))
}

/// The same where the file expects it.
pub fn failure(rows: &[GuaranteeRow]) -> Diagnostic {
    let broken = broken(rows);
    let count = broken.len();
    let plural = if count == 1 { "" } else { "s" };
    let message = format!("{count} guarantee{plural} of the plan did not hold");
    notes(Diagnostic::error(message).help(HELP), &broken)
}

const HELP: &str =
    "RabbitMQ, this program or the rule is wrong: `rmq-scenario plan` shows them; please report it";

fn notes(diagnostic: Diagnostic, broken: &[&GuaranteeRow]) -> Diagnostic {
    broken.iter().fold(diagnostic, |diagnostic, row| {
        let range = match row.high {
            Some(high) if high == row.low => high.to_string(),
            Some(high) => format!("{}..{high}", row.low),
            None => format!("at least {}", row.low),
        };
        let says = Rule::named(row.rule).map_or("", Rule::says);
        let (count, actual, rule) = (row.count, row.actual, row.rule);
        diagnostic.note(format!("{count}: {actual}, not {range}, by the rule {rule}: {says}"))
    })
}
