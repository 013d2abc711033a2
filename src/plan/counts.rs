//! The counts of a whole run, each with what is expected of it.

use crate::plan::count::{ALL, Count};
use crate::scenario::decode::Located;
use crate::scenario::expect::Expect;
use crate::scenario::matcher::Matcher;

/// What is expected of each count of the run, in the order of reports.
pub fn of_the_run(expect: &Expect) -> impl Iterator<Item = (Count, &Option<Located<Matcher>>)> {
    ALL.into_iter().map(|count| (count, field(expect, count)))
}

fn field(expect: &Expect, count: Count) -> &Option<Located<Matcher>> {
    match count {
        Count::Published => &expect.published,
        Count::Confirmed => &expect.confirmed,
        Count::Refused => &expect.refused,
        Count::Unconfirmed => &expect.unconfirmed,
        Count::Unchecked => &expect.unchecked,
        Count::Republished => &expect.republished,
        Count::Returned => &expect.returned,
        Count::Unroutable => &expect.unroutable,
        Count::Replied => &expect.replied,
        Count::Unanswered => &expect.unanswered,
        Count::Expected => &expect.expected,
        Count::Delivered => &expect.delivered,
        Count::DeadLettered => &expect.dead_lettered,
        Count::Rejected => &expect.rejected,
        Count::OverLimit => &expect.over_limit,
        Count::Expired => &expect.expired,
        Count::Dropped => &expect.dropped,
        Count::Remaining => &expect.remaining,
        Count::TurnedAway => &expect.turned_away,
        Count::InDoubt => &expect.in_doubt,
        Count::Lost => &expect.lost,
        Count::StillQueued => &expect.still_queued,
        Count::Unexpected => &expect.unexpected,
        Count::Deliveries => &expect.deliveries,
        Count::Begun => &expect.begun,
        Count::Finished => &expect.finished,
        Count::Redelivered => &expect.redelivered,
        Count::Repeats => &expect.repeats,
        Count::Duplicates => &expect.duplicates,
        Count::Acked => &expect.acked,
    }
}
