//! The picture of a run on a terminal, as lines. Pure: the same moment gives the same picture.

use crate::ledger::progress::Progress;
use crate::report::progress::Now;
use crate::report::text::{cut, duration};

/// Columns of a bar at most.
const BAR: usize = 24;
/// A shorter bar says nothing.
const LEAST_BAR: usize = 6;
/// Columns of ` published  `, the longest label with its margins.
const LABEL: usize = 12;
/// The last faults that are shown.
const FAULTS: usize = 3;

/// A line with a bar: how many of how many.
struct Part {
    name: &'static str,
    done: u64,
    of: u64,
    /// Behind the numbers.
    tail: String,
}

/// The lines, without an end of the last one; none reaches the terminal's last column, where
/// some terminals would break it.
pub fn draw(now: &Now, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    let elapsed = format!("   {}", duration(now.progress.elapsed));
    let head = cut(&now.what, room.saturating_sub(elapsed.len())) + &elapsed;
    let parts = parts(&now.progress);
    let skipped = now.faults.len().saturating_sub(FAULTS);
    let faults = now.faults.iter().skip(skipped).map(|fault| format!(" ✗ {fault}"));
    let lines = [head].into_iter().chain(bars(&parts, room)).chain(faults);
    lines.map(|line| cut(&line, room)).collect::<Vec<_>>().join("\n")
}

/// Several runs, a line for each: how long, how far, and the last that befell it.
pub fn several<'n>(runs: impl Iterator<Item = &'n Now>, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    let line = |now: &Now| {
        let Progress { elapsed, expected, delivered, .. } = now.progress;
        let far = format!("   {}   finished {delivered}/{expected}", duration(elapsed));
        let head = cut(&now.what, room.saturating_sub(far.len())) + &far;
        let fault = now.faults.last().map(|fault| format!("   ✗ {fault}"));
        cut(&(head + &fault.unwrap_or_default()), room)
    };
    runs.map(line).collect::<Vec<_>>().join("\n")
}

fn parts(progress: &Progress) -> Vec<Part> {
    let part = |name, done, of| Part { name, done, of, tail: String::new() };
    let mut parts = vec![part("published", progress.published, progress.messages)];
    if progress.confirms {
        parts.push(part("confirmed", progress.confirmed, progress.messages));
    }
    let tail = format!("    in hand {}", progress.in_hand);
    parts.push(Part { tail, ..part("finished", progress.delivered, progress.expected) });
    parts
}

fn bars(parts: &[Part], room: usize) -> Vec<String> {
    let longest = |text: fn(&Part) -> usize| parts.iter().map(text).max().unwrap_or(0);
    let numbers = longest(|part| part.numbers().len());
    let tail = longest(|part| part.tail.len());
    let bar = room.saturating_sub(LABEL + numbers + 2 + tail).min(BAR);
    let bar = if bar < LEAST_BAR { 0 } else { bar };
    parts.iter().map(|part| part.draw(bar, numbers)).collect()
}

impl Part {
    fn numbers(&self) -> String {
        format!("{}/{}", self.done, self.of)
    }

    fn draw(&self, bar: usize, numbers: usize) -> String {
        let gap = if bar == 0 { "" } else { "  " };
        let label = format!(" {:<11}", self.name);
        format!("{label}{}{gap}{:>numbers$}{}", self.bar(bar), self.numbers(), self.tail)
    }

    fn bar(&self, columns: usize) -> String {
        let wide = u128::try_from(columns).expect("columns are few");
        let full = (u128::from(self.done) * wide).checked_div(u128::from(self.of)).unwrap_or(0);
        let full = usize::try_from(full).unwrap_or(columns).min(columns);
        "█".repeat(full) + &"░".repeat(columns - full)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::report::text::width;

    fn now() -> Now {
        let progress = Progress {
            elapsed: Duration::from_millis(1234),
            messages: 20,
            published: 20,
            confirmed: 10,
            confirms: true,
            expected: 20,
            delivered: 9,
            in_hand: 7,
        };
        let faults = (1..=4).map(|n| format!("kill worker-{n} at 163 ms: held 7")).collect();
        let what = "work-queue · manual ack, durable".into();
        Now { what, progress, faults, ..Now::new("", "") }
    }

    #[test]
    fn a_run_at_80_columns() {
        assert_eq!(
            draw(&now(), 80),
            "work-queue · manual ack, durable   1.2 s
 published  ████████████████████████  20/20
 confirmed  ████████████░░░░░░░░░░░░  10/20
 finished   ██████████░░░░░░░░░░░░░░   9/20    in hand 7
 ✗ kill worker-2 at 163 ms: held 7
 ✗ kill worker-3 at 163 ms: held 7
 ✗ kill worker-4 at 163 ms: held 7"
        );
    }

    #[test]
    fn several_runs_have_a_line_each() {
        let mut other = now();
        other.what = "pubsub".into();
        other.faults.clear();
        assert_eq!(
            several([&now(), &other].into_iter(), 80),
            "work-queue · manual ack, durable   1.2 s   finished 9/20   ✗ kill worker-4 at…
pubsub   1.2 s   finished 9/20"
        );
        for columns in 0..120 {
            for line in several([&now(), &other].into_iter(), columns).lines() {
                assert!(width(line) <= columns.saturating_sub(1).max(1), "{columns}: {line}");
            }
        }
    }

    #[test]
    fn without_confirms_or_faults_less_is_shown() {
        let mut now = now();
        now.progress = Progress { messages: 20, ..Progress::default() };
        now.faults.clear();
        assert_eq!(
            draw(&now, 80),
            "work-queue · manual ack, durable   0 ms
 published  ░░░░░░░░░░░░░░░░░░░░░░░░  0/20
 finished   ░░░░░░░░░░░░░░░░░░░░░░░░   0/0    in hand 0"
        );
    }

    #[test]
    fn narrow_terminals_fit() {
        assert_eq!(
            draw(&now(), 40),
            "work-queue · manual ack, durab…   1.2 s
 published  ███████  20/20
 confirmed  ███░░░░  10/20
 finished   ███░░░░   9/20    in hand 7
 ✗ kill worker-2 at 163 ms: held 7
 ✗ kill worker-3 at 163 ms: held 7
 ✗ kill worker-4 at 163 ms: held 7"
        );
        let mut now = now();
        now.progress.published = u64::MAX;
        now.what = "世界".repeat(40);
        for columns in 0..120 {
            for line in draw(&now, columns).lines() {
                assert!(width(line) <= columns.saturating_sub(1).max(1), "{columns}: {line}");
            }
        }
    }
}
