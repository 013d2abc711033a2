//! What must hold at the end.

use crate::plan::count::Count;
use crate::plan::matcher::{DurationMatcher, Matcher, Share};
use crate::plan::model::{QueueId, Scope, WorkerId};
use crate::scenario::At;

/// One thing that must hold at the end.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Joined by dots: `queues.task_queue.lost`.
    pub path: String,
    /// The matcher as the file says it.
    pub expected: String,
    pub what: Expected,
    pub at: At,
}

#[derive(Debug, Clone)]
pub enum Expected {
    Count {
        scope: Scope,
        count: Count,
        matcher: Matcher,
    },
    Cause {
        cause: String,
        matcher: Matcher,
    },
    /// No instance of the group has more of the group's time at work.
    Fairness {
        workers: Vec<WorkerId>,
        max_share: Share,
    },
    /// Per producer, queue and worker the numbers rise.
    Fifo,
    Duration(DurationMatcher),
    /// Every count is within what [`crate::plan::guarantees`] foretells.
    Guarantees,
    /// Somebody met an error like this.
    Error(ExpectedError),
    /// Nobody met an error that is like none of these.
    NoOtherErrors(Vec<ExpectedError>),
    /// What a probe is told: an error like this, or that all is well.
    Told {
        /// An index into the variant's probes.
        probe: usize,
        error: Option<ExpectedError>,
    },
    /// From the scheduled publish, at this quantile: 0.99 is `p99`, 1 is `max`.
    Latency {
        until: Until,
        quantile: f64,
        matcher: DurationMatcher,
    },
    /// So many in a second, from the first to the last.
    Throughput {
        of: Flow,
        matcher: Matcher,
    },
    /// The longest time between two deliveries of one queue.
    LongestGap(DurationMatcher),
    /// From each fault that acts to the first delivery after it.
    Recovery(DurationMatcher),
    Observed {
        observation: usize,
        queue: QueueId,
        number: ObservedNumber,
        matcher: Matcher,
    },
}

/// To when a latency is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// The end of the work.
    Finished,
    /// The broker's confirm.
    Confirmed,
}

/// Of what there are so many in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Published,
    Finished,
}

/// What is known of an AMQP error before it comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExpectedError {
    /// Instances that may have seen it; `None` is anybody.
    pub who: Option<Vec<String>>,
    /// `consumer`, `channel` or `connection`.
    pub scope: Option<&'static str>,
    pub code: Option<u16>,
    /// A part of its text.
    pub text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObservedNumber {
    Ready,
    Unacked,
    Consumers,
}
