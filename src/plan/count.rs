//! The names of every count, and the scopes in which each has a meaning.

/// A number of the books. The words are those of the documentation and of the reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Count {
    Published,
    Confirmed,
    Refused,
    Unconfirmed,
    Unchecked,
    Republished,
    Returned,
    Unroutable,
    Replied,
    Unanswered,
    Expected,
    Delivered,
    DeadLettered,
    Rejected,
    OverLimit,
    Expired,
    Dropped,
    Remaining,
    TurnedAway,
    InDoubt,
    Lost,
    StillQueued,
    Unexpected,
    Deliveries,
    Begun,
    Finished,
    Redelivered,
    Repeats,
    Duplicates,
    Acked,
}

/// The outcomes of a publish; each message has exactly one.
pub const PUBLISH_OUTCOMES: [Count; 4] =
    [Count::Confirmed, Count::Refused, Count::Unconfirmed, Count::Unchecked];

/// The outcomes of a copy, in the order in which they are decided; each copy has exactly one.
pub const COPY_OUTCOMES: [Count; 10] = [
    Count::Delivered,
    Count::DeadLettered,
    Count::Rejected,
    Count::OverLimit,
    Count::Expired,
    Count::Dropped,
    Count::Remaining,
    Count::TurnedAway,
    Count::InDoubt,
    Count::Lost,
];

/// Every count, in the order in which reports list them.
pub const ALL: [Count; 30] = [
    Count::Published,
    Count::Confirmed,
    Count::Refused,
    Count::Unconfirmed,
    Count::Unchecked,
    Count::Republished,
    Count::Returned,
    Count::Unroutable,
    Count::Replied,
    Count::Unanswered,
    Count::Expected,
    Count::Delivered,
    Count::DeadLettered,
    Count::Rejected,
    Count::OverLimit,
    Count::Expired,
    Count::Dropped,
    Count::Remaining,
    Count::TurnedAway,
    Count::InDoubt,
    Count::Lost,
    Count::StillQueued,
    Count::Unexpected,
    Count::Deliveries,
    Count::Begun,
    Count::Finished,
    Count::Redelivered,
    Count::Repeats,
    Count::Duplicates,
    Count::Acked,
];

impl Count {
    /// The word used in files and reports.
    pub fn name(self) -> &'static str {
        match self {
            Count::Published => "published",
            Count::Confirmed => "confirmed",
            Count::Refused => "refused",
            Count::Unconfirmed => "unconfirmed",
            Count::Unchecked => "unchecked",
            Count::Republished => "republished",
            Count::Returned => "returned",
            Count::Unroutable => "unroutable",
            Count::Replied => "replied",
            Count::Unanswered => "unanswered",
            Count::Expected => "expected",
            Count::Delivered => "delivered",
            Count::DeadLettered => "dead_lettered",
            Count::Rejected => "rejected",
            Count::OverLimit => "over_limit",
            Count::Expired => "expired",
            Count::Dropped => "dropped",
            Count::Remaining => "remaining",
            Count::TurnedAway => "turned_away",
            Count::InDoubt => "in_doubt",
            Count::Lost => "lost",
            Count::StillQueued => "still_queued",
            Count::Unexpected => "unexpected",
            Count::Deliveries => "deliveries",
            Count::Begun => "begun",
            Count::Finished => "finished",
            Count::Redelivered => "redelivered",
            Count::Repeats => "repeats",
            Count::Duplicates => "duplicates",
            Count::Acked => "acked",
        }
    }

    /// The count of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.into_iter().find(|count| count.name() == name)
    }

    /// What a percentage of this count is a percentage of: expected copies for the outcomes
    /// of copies, published messages for what concerns a publish, deliveries for the rest.
    pub fn base(self) -> Count {
        use Count::*;
        match self {
            Published | Confirmed | Refused | Unconfirmed | Unchecked | Republished | Returned
            | Unroutable | Replied | Unanswered => Published,
            count if COPY_OUTCOMES.contains(&count) => Expected,
            _ => Deliveries,
        }
    }

    /// Whether `queues: { q: … }` knows it.
    pub fn in_queues(self) -> bool {
        use Count::*;
        COPY_OUTCOMES.contains(&self)
            || matches!(
                self,
                Expected
                    | StillQueued
                    | Deliveries
                    | Begun
                    | Finished
                    | Redelivered
                    | Repeats
                    | Duplicates
            )
    }

    /// Whether `producers: { p: … }` knows it.
    pub fn in_producers(self) -> bool {
        use Count::*;
        PUBLISH_OUTCOMES.contains(&self)
            || COPY_OUTCOMES.contains(&self)
            || matches!(
                self,
                Published | Republished | Returned | Unroutable | Replied | Unanswered
            )
    }

    /// Whether `workers: { w: … }` knows it.
    pub fn in_workers(self) -> bool {
        use Count::*;
        matches!(self, Deliveries | Begun | Finished | Redelivered | Repeats | Acked | Rejected)
    }
}
