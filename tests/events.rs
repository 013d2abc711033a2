//! The lines of the report `ndjson`, without a broker: what each event and each step becomes, and what
//! happens to them on a full disk.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use rmq_scenario::ledger::event::{
    Event, LifeEnd, LifeId, LifeTotals, MessageKey, Micros, ProducerEnd,
};
use rmq_scenario::ledger::history::Listener;
use rmq_scenario::ledger::history::{Step, StepKind};
use rmq_scenario::plan::model::{FaultId, NodeId, ProducerId, QueueId, StopHow, Variant, WorkerId};
use rmq_scenario::plan::{self, Options};
use rmq_scenario::report::events::Events;
use rmq_scenario::scenario::Source;
use rmq_scenario::verdict::model::{VariantReport, Verdict};

/// A file that others can read.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn variant() -> Arc<Variant> {
    let text = "
scenario: told
topology: { queues: [{ name: q }] }
producers: [{ name: p-1, to: { queue: q }, messages: 3 }]
workers: [{ name: w, queue: q }]
faults: [{ kill: w, during: 1 }]
";
    let scenario = plan::load(Source::new("told.yaml", text), &Options::default()).unwrap();
    Arc::new(scenario.variants[0].clone())
}

fn tell(listener: &mut Box<dyn Listener>) {
    let (producer, worker, life) = (ProducerId(0), WorkerId(0), LifeId(0));
    let message = |n| MessageKey { producer, n };
    let mut step = |n, at, kind| listener.step(&Step { message: message(n), at, kind });
    let read = StepKind::Read { life, redelivered: true };
    step(1, 0, StepKind::Published);
    step(1, 3, StepKind::Confirmed);
    listener.event(&Event::LifeStarted { life, worker, at: 4 });
    let mut step = |n, at, kind| listener.step(&Step { message: message(n), at, kind });
    step(1, 5, read);
    step(1, 6, StepKind::Begun(life));
    step(1, 7, StepKind::Rejected { life, requeue: true });
    step(2, 8, StepKind::Republished);
    step(2, Micros::MAX, StepKind::Found(QueueId(0)));
    let end = ProducerEnd { closed: true, published: 3, republished: 0, answered: 1, returned: 0 };
    for event in [
        Event::LifeEnded { life, how: LifeEnd::Frozen, totals: LifeTotals::default(), at: 10 },
        Event::Acted { fault: FaultId(0), at: 10, done: 12 },
        Event::BrokerFell { how: StopHow::Sigkill, node: None, young: Vec::new(), at: 13 },
        Event::BrokerDown { at: 14 },
        Event::BrokerRose { node: Some(NodeId(1)), at: 15 },
        Event::ProducerEnded { producer, end, at: 16 },
    ] {
        listener.event(&event);
    }
}

#[test]
fn the_lines_are_these() {
    let file = Shared::default();
    let mut events = Events::default();
    let mut writer = events.add(Box::new(file.clone()));
    let variant = variant();
    let (run, mut listener) = events.begin(("told", "told.yaml"), &variant, "4.0.5").unwrap();
    tell(&mut listener);
    drop(listener);
    let outcome = VariantReport::unknown(&variant, Verdict::Fail, "so");
    events.end(run, &outcome);
    writer.close().unwrap();
    // Whoever still has a way to it says nothing any more, and does not wait.
    events.end(run, &outcome);

    let text = file.text();
    let (begin, rest) = text.split_once('\n').unwrap();
    assert!(begin.contains("\"format\":\"rmq-scenario.events/1\""), "{begin}");
    let (lines, end) = rest.trim_end().rsplit_once('\n').unwrap();
    assert!(
        end.starts_with("{\"run\":1,\"event\":\"end\",\"duration_ms\":0,\"verdict\":\"fail\""),
        "{end}"
    );
    assert_eq!(
        lines,
        r#"{"run":1,"event":"run","scenario":"told","file":"told.yaml","variant":"","rabbitmq":"4.0.5","seed":1}
{"run":1,"at_us":0,"event":"publish","producer":"p-1","n":1}
{"run":1,"at_us":3,"event":"confirm","producer":"p-1","n":1}
{"run":1,"at_us":4,"event":"consumer_started","consumer":0,"queue":"q","worker":"w"}
{"run":1,"at_us":5,"event":"deliver","producer":"p-1","n":1,"worker":"w","consumer":0,"queue":"q","redelivered":true}
{"run":1,"at_us":6,"event":"begin","producer":"p-1","n":1,"worker":"w","consumer":0,"queue":"q"}
{"run":1,"at_us":7,"event":"reject","producer":"p-1","n":1,"worker":"w","consumer":0,"queue":"q","requeue":true}
{"run":1,"at_us":8,"event":"publish","producer":"p-1","n":2,"again":true}
{"run":1,"at_us":8,"event":"found","producer":"p-1","n":2,"queue":"q"}
{"run":1,"at_us":10,"event":"consumer_ended","consumer":0,"how":"frozen","worker":"w"}
{"run":1,"at_us":10,"event":"fault","done_us":12,"fault":"kill w"}
{"run":1,"at_us":13,"event":"broker_ending","how":"sigkill","node":null}
{"run":1,"at_us":14,"event":"broker_down"}
{"run":1,"at_us":15,"event":"broker_up","node":2}
{"run":1,"at_us":16,"event":"producer_disconnected","closed":true,"producer":"p-1"}"#
    );
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

/// A disk that is full from the first line on.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_at_the_end_and_keeps_nobody_waiting() {
    let mut events = Events::default();
    let mut writer = events.add(Box::new(Full));
    let (_, mut listener) = events.begin(("told", "told.yaml"), &variant(), "4.0.5").unwrap();
    for _ in 0..20_000 {
        tell(&mut listener);
    }
    assert_eq!(writer.close().unwrap_err().kind(), io::ErrorKind::StorageFull);
}
