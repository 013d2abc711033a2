//! How far a number may be from that of an earlier run, as meant.
//!
//! Nothing of a run depends on it: it goes into the report, where a comparison finds it.

use std::time::Duration;

use crate::plan::matcher::Share;
use crate::scenario::tolerance::{Slack as Written, TimeSlack, Tolerance as Tolerances};

/// How far one number may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tolerance {
    /// The name of a count, or `duration`.
    pub name: &'static str,
    pub slack: Slack,
}

/// The most that is no regression; the end is included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slack {
    Number(u64),
    Time(Duration),
    /// Of what the number was.
    Share(Share),
    /// As far as it likes.
    Any,
}

/// The tolerances of a variant, those of counts in the order of the file.
pub fn plan(written: &Tolerances) -> Vec<Tolerance> {
    let counts = written.counts.iter().map(|(name, slack)| {
        let slack = match *slack {
            Written::Number(number) => Slack::Number(number),
            Written::Percent(percent) => Slack::Share(Share(percent.0)),
            Written::Any => Slack::Any,
        };
        Tolerance { name, slack }
    });
    let duration = written.duration.map(|slack| {
        let slack = match slack {
            TimeSlack::Time(time) => Slack::Time(time),
            TimeSlack::Percent(percent) => Slack::Share(Share(percent.0)),
            TimeSlack::Any => Slack::Any,
        };
        Tolerance { name: "duration", slack }
    });
    counts.chain(duration).collect()
}
