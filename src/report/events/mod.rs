//! The report `ndjson`: everything that happened, each thing with its time, while it happens.
//!
//! One JSON object a line, in the layout [`FORMAT`]. Lines are made where the ledger takes events
//! in ([`lines`]) and written by a thread of their own ([`Writer`]), which takes a bounded number
//! of chunks: on a disk that is slower than the run, the run waits. Runs that go on at the same
//! time share the file, in chunks of whole lines; each line says which run it is of.

mod lines;

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use serde::Serialize;
use serde_json::json;

use crate::ledger::counts::Counts;
use crate::ledger::history::Listener;
use crate::plan::model::Variant;
use crate::verdict::model::{VariantReport, Verdict};
use lines::Lines;

/// The version of the layout.
pub const FORMAT: &str = "rmq-scenario.events/1";

/// How many chunks may wait for the disk.
const QUEUE: usize = 64;

/// Where lines go: cheap to clone, and all clones write to the same files.
#[derive(Clone, Default)]
pub struct Events {
    to: Vec<SyncSender<Chunk>>,
    runs: Arc<AtomicU32>,
}

/// The first line of a run.
#[derive(Serialize)]
struct Begun<'a> {
    run: u32,
    event: &'a str,
    scenario: &'a str,
    file: &'a str,
    variant: &'a str,
    rabbitmq: &'a str,
    seed: u64,
}

/// The last line of a run.
#[derive(Serialize)]
struct Ended<'a> {
    run: u32,
    event: &'a str,
    duration_ms: u64,
    verdict: Verdict,
    reason: &'a Option<String>,
    counts: &'a Counts,
}

/// Whole lines; `None` is the end, whoever may still have something to say.
type Chunk = Option<Vec<u8>>;

/// A file, and the thread that writes to it.
pub struct Writer {
    /// `None` once it is over.
    thread: Option<(SyncSender<Chunk>, JoinHandle<()>)>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl Events {
    /// Whether nobody wants to hear anything.
    pub fn is_empty(&self) -> bool {
        self.to.is_empty()
    }

    /// One more file gets every line from now on.
    pub fn add(&mut self, file: Box<dyn Write + Send>) -> Writer {
        let (sender, chunks) = sync_channel(QUEUE);
        let failure = Arc::new(Mutex::new(None));
        let kept = Arc::clone(&failure);
        let thread = thread::spawn(move || write(file, &chunks, &kept));
        let begin =
            json!({ "event": "begin", "format": FORMAT, "tool": env!("CARGO_PKG_VERSION") });
        // A thread that ended says why when it is joined.
        let _ = sender.send(Some(format!("{begin}\n").into_bytes()));
        self.to.push(sender.clone());
        Writer { thread: Some((sender, thread)), failure }
    }

    /// A run begins: its number, and whoever is to hear of it; `None` where nobody wants to.
    pub fn begin(
        &self,
        (scenario, file): (&str, &str),
        variant: &Arc<Variant>,
        rabbitmq: &str,
    ) -> Option<(u32, Box<dyn Listener>)> {
        if self.is_empty() {
            return None;
        }
        let run = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        let (event, variant_name, seed) = ("run", &variant.name, variant.seed);
        self.say(&Begun { run, event, scenario, file, variant: variant_name, rabbitmq, seed });
        Some((run, Box::new(Lines::new(run, Arc::clone(variant), self.clone()))))
    }

    /// A run is over, and judged.
    pub fn end(&self, run: u32, outcome: &VariantReport) {
        let VariantReport { duration_ms, verdict, reason, counts, .. } = outcome;
        let (event, verdict) = ("end", *verdict);
        self.say(&Ended { run, event, duration_ms: *duration_ms, verdict, reason, counts });
    }

    fn say(&self, line: &impl Serialize) {
        let text = serde_json::to_string(line).expect("text keys and numbers that JSON can say");
        self.send(format!("{text}\n").into_bytes());
    }

    /// Whole lines; waits while too many are waiting.
    fn send(&self, lines: Vec<u8>) {
        if let Some((last, others)) = self.to.split_last() {
            for to in others {
                let _ = to.send(Some(lines.clone()));
            }
            // A thread that ended has left why.
            let _ = last.send(Some(lines));
        }
    }
}

impl Writer {
    /// Waits until everything is written that was sent before.
    ///
    /// # Errors
    /// The first time that something could not be written. A reader of a pipe that left is none.
    pub fn close(&mut self) -> io::Result<()> {
        if let Some((sender, thread)) = self.thread.take() {
            // A thread that ended has left why.
            let _ = sender.send(None);
            drop(sender);
            if thread.join().is_err() {
                return Err(io::Error::other("its writer panicked"));
            }
        }
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

/// Until the end; or until writing fails, and then whoever sends goes on alone.
fn write(
    mut file: Box<dyn Write + Send>,
    chunks: &Receiver<Chunk>,
    kept: &Mutex<Option<io::Error>>,
) {
    while let Ok(Some(chunk)) = chunks.recv() {
        if let Err(error) = file.write_all(&chunk).and_then(|()| file.flush()) {
            if error.kind() != ErrorKind::BrokenPipe {
                *kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
            return;
        }
    }
}
