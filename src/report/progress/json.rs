//! Progress as objects of JSON, one on each line, for programs. Names are as the file says them: what
//! would steer a terminal is escaped by JSON.

use std::time::Duration;

use serde::Serialize;

use crate::report::progress::{Now, RunId};

/// One line. What an event does not have is left out.
#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    /// Which of the runs of this call, from 1; one that is run again is another one.
    run: u64,
    scenario: &'a str,
    /// Empty where the file has no variants.
    variant: &'a str,
    /// Since the variant was begun.
    elapsed_ms: u64,
    /// As last known.
    counts: Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'a str>,
}

#[derive(Serialize)]
struct Counts {
    messages: u64,
    published: u64,
    /// `null` where no producer asks for confirms.
    confirmed: Option<u64>,
    expected: u64,
    finished: u64,
    in_hand: u64,
}

/// What is about no run.
#[derive(Serialize)]
struct Note<'a> {
    event: &'static str,
    text: &'a str,
}

pub fn note(text: &str) -> String {
    written(&Note { event: "note", text })
}

pub fn started(run: RunId, now: &Now) -> String {
    written(&line("started", run, now))
}

pub fn progress(run: RunId, now: &Now) -> String {
    written(&line("progress", run, now))
}

pub fn fault(run: RunId, now: &Now, text: &str) -> String {
    written(&Line { text: Some(text), ..line("fault", run, now) })
}

pub fn ended(run: RunId, now: &Now, verdict: &str) -> String {
    written(&Line { verdict: Some(verdict), ..line("ended", run, now) })
}

fn line<'a>(event: &'static str, run: RunId, now: &'a Now) -> Line<'a> {
    Line {
        event,
        run: run.0,
        scenario: &now.scenario,
        variant: &now.variant,
        elapsed_ms: ms(now.began.elapsed()),
        counts: Counts::of(now),
        text: None,
        verdict: None,
    }
}

impl Counts {
    fn of(now: &Now) -> Self {
        let it = &now.progress;
        Self {
            messages: it.messages,
            published: it.published,
            confirmed: it.confirms.then_some(it.confirmed),
            expected: it.expected,
            finished: it.delivered,
            in_hand: it.in_hand,
        }
    }
}

fn ms(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

fn written(line: &impl Serialize) -> String {
    let text = serde_json::to_string(line).expect("text and numbers are JSON");
    text + "\n"
}
