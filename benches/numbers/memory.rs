//! What a copy costs in resident memory, at ten million copies: the ledger takes the events
//! that the engine would send for them, in the engine's batches.

use std::sync::Arc;

use rmq_scenario::ledger::Ledger;
use rmq_scenario::ledger::event::{Answer, Event, LifeId, MessageKey, Stamped, WorkEvent};
use rmq_scenario::plan::model::{ProducerId, WorkerId};
use rmq_scenario::plan::{self, Options};
use rmq_scenario::scenario::Source;

const COPIES: u32 = 10_000_000;
const BATCH: u32 = 64;

/// Ten million confirmed messages, each delivered, finished and acked.
pub fn per_copy() {
    let text = format!(
        "scenario: memory\ntopology: {{ queues: [{{ name: q }}] }}\n\
         producers: [{{ name: p, to: {{ queue: q }}, messages: {COPIES} }}]\n\
         workers: [{{ name: w, queue: q }}]\n"
    );
    let planned = plan::load(Source::new("memory.yaml", text), &Options::default());
    let scenario = planned.unwrap_or_else(|mistakes| panic!("{}", mistakes[0].render(false)));
    let (producer, worker, life) = (ProducerId(0), WorkerId(0), LifeId(0));
    let before = resident();
    let mut ledger = Ledger::new(Arc::new(scenario.variants[0].clone()), Arc::default(), "4.3.6");
    ledger.record(Event::LifeStarted { life, worker, at: 0 });
    ledger.record(Event::ProducerStarted { producer, reconnected: false, at: 0 });
    for first in (1..=COPIES).step_by(BATCH as usize) {
        let count = BATCH.min(COPIES + 1 - first);
        let at = u64::from(first);
        ledger.record(Event::Published { producer, first, count, at });
        let answers = vec![Answer { first, count, ack: true }];
        ledger.record(Event::Answered { producer, answers, at });
        let mut events = Vec::new();
        for n in first..first + count {
            let message = Some(MessageKey { producer, n }.into());
            let tag = u64::from(n);
            for what in [
                WorkEvent::Read { tag, message, redelivered: false },
                WorkEvent::Begun { tag },
                WorkEvent::Finished { tag },
            ] {
                events.push(Stamped { at, what });
            }
        }
        let tag = u64::from(first + count - 1);
        events.push(Stamped { at, what: WorkEvent::Acked { tag, multiple: true } });
        ledger.record(Event::Worked { life, events });
    }
    let grown = resident() - before;
    assert_eq!(ledger.progress().delivered, u64::from(COPIES));
    println!(
        "memory: {:.1} bytes per copy at {COPIES} copies (at most 16)",
        grown as f64 * 1024.0 / f64::from(COPIES)
    );
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    status(std::process::id(), "VmRSS:").expect("Linux tells")
}

/// The most that a process ever had resident, in KiB.
pub fn peak(process: u32) -> Option<u64> {
    status(process, "VmHWM:")
}

fn status(process: u32, field: &str) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
