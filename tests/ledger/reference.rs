//! The reference table of the documentation: 20 messages, two workers attached first, no
//! prefetch, the first killed in its 4th work; in each of the four ways to acknowledge.

use rmq_scenario::ledger::facts::Facts;
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{AckMode, ExchangeId, QueueId, WorkerId};
use rmq_scenario::verdict::model::{VariantReport, Verdict};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script};

const WORK: u64 = 50_000;

/// Round robin: worker-1 gets the odd numbers, worker-2 the even ones. `back` come to
/// worker-2 behind what it holds; `left` are still in the queue at the end.
fn run(ack: AckMode, back: &[u32], left: &[u32]) -> Script {
    let mut draft = Draft::new();
    let queue = draft.queue("task_queue");
    draft.producer("new_task", ExchangeId(0), &["task_queue"], 20, WINDOW);
    draft.worker("worker-1", queue, ack);
    draft.worker("worker-2", queue, ack);
    let mut script = Script::new(&draft);
    let first = script.subscribe(WorkerId(0));
    let second = script.subscribe(WorkerId(1));
    script.publish_all(P, 20, true);
    for n in 1..=20 {
        script.read(if n % 2 == 1 { first } else { second }, n);
    }
    for _ in 0..3 {
        script.begin(first);
        ack_early(&mut script, first, ack);
        script.begin(second);
        ack_early(&mut script, second, ack);
        script.wait(WORK);
        for life in [first, second] {
            script.finish(life);
            if matches!(ack, AckMode::Manual { .. }) {
                script.ack(life);
            }
        }
    }
    script.begin(first);
    ack_early(&mut script, first, ack);
    script.wait(10_000);
    script.end_life(first, CRASH);
    for n in back {
        script.reread(second, *n);
    }
    for _ in 0..7 + back.len() {
        script.complete(second);
    }
    let over = script.is_final();
    assert!(over, "nothing can change any more under {ack:?}");
    script.end_life(second, rmq_scenario::ledger::event::LifeEnd::Stopped);
    script.life_read(second);
    script.drain(queue, left);
    script
}

fn ack_early(script: &mut Script, life: rmq_scenario::ledger::event::LifeId, ack: AckMode) {
    if ack == AckMode::Early {
        script.ack(life);
    }
}

/// The columns of the table: delivered, lost, redelivered, deliveries, begun, duplicates,
/// and the finished ones of both workers.
fn columns(report: &VariantReport) -> [u64; 8] {
    use Count::{Begun, Delivered, Deliveries, Duplicates, Lost, Redelivered};
    let counts = &report.counts;
    [
        counts[Delivered],
        counts[Lost],
        counts[Redelivered],
        counts[Deliveries],
        counts[Begun],
        counts[Duplicates],
        report.workers[0].finished,
        report.workers[1].finished,
    ]
}

fn judged(script: &Script) -> VariantReport {
    let report = script.report(&Facts::default());
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.reason);
    assert_eq!(report.counts[Count::Confirmed], 20);
    assert_eq!(report.counts[Count::Repeats], report.counts[Count::Redelivered]);
    assert!(report.workers[0].died && !report.workers[1].died);
    report
}

/// Outcome, count, causes, sentence.
fn why(report: &VariantReport) -> Vec<(&str, u64, Vec<&str>, &str)> {
    let rows = report.causes.iter();
    rows.map(|row| {
        let causes = row.causes.iter().map(String::as_str).collect();
        (row.outcome.as_str(), row.count, causes, row.text.as_str())
    })
    .collect()
}

#[test]
fn automatic_acks_lose_what_the_killed_worker_held() {
    let report = judged(&run(AckMode::Auto, &[], &[]));
    assert_eq!(columns(&report), [13, 7, 0, 20, 14, 0, 3, 10]);
    let sentence = "under automatic acks RabbitMQ forgets a message when it sends it; worker-1 \
                    had been sent 10, finished 3, and was killed in its 4th (160 ms)";
    assert_eq!(why(&report), [("lost", 7, vec!["auto_ack"], sentence)]);
    assert_eq!(report.notes, Vec::<String>::new());
}

#[test]
fn manual_acks_lose_nothing() {
    let report = judged(&run(AckMode::Manual { every: 1 }, &[7, 9, 11, 13, 15, 17, 19], &[]));
    assert_eq!(columns(&report), [20, 0, 7, 27, 21, 0, 3, 17]);
    assert_eq!(why(&report), []);
    let note = "7 redelivered: worker-1 held 7 unacked when it was killed; worker-2 got them";
    assert_eq!(report.notes, [note]);
    assert_eq!((report.workers[0].acked, report.workers[1].acked), (3, 17));
}

#[test]
fn early_acks_lose_the_message_in_work() {
    let report = judged(&run(AckMode::Early, &[9, 11, 13, 15, 17, 19], &[]));
    assert_eq!(columns(&report), [19, 1, 6, 26, 20, 0, 3, 16]);
    let sentence = "acked when the work began, so RabbitMQ forgot it before the work was done; \
                    worker-1 had been sent 10, finished 3, and was killed in its 4th (160 ms)";
    assert_eq!(why(&report), [("lost", 1, vec!["early_ack"], sentence)]);
    assert_eq!((report.workers[0].acked, report.workers[1].acked), (4, 16));
}

#[test]
fn acks_that_never_come_leave_everything_in_the_queue() {
    let back = [1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
    let all: Vec<u32> = (1..=20).collect();
    let report = judged(&run(AckMode::Never, &back, &all));
    assert_eq!(columns(&report), [20, 0, 10, 30, 24, 3, 3, 20]);
    assert_eq!(report.counts[Count::StillQueued], 20);
    assert_eq!(report.counts[Count::Remaining], 0);
    let sentence = "finished and never acked, so RabbitMQ handed them out again when the worker \
                    was gone";
    assert_eq!(why(&report), [("duplicates", 3, vec!["forgotten_ack"], sentence)]);
}

#[test]
fn with_the_backlog_in_place_the_killed_worker_had_it_all() {
    let mut draft = Draft::new();
    let queue = draft.queue("task_queue");
    draft.producer("new_task", ExchangeId(0), &["task_queue"], 20, WINDOW);
    draft.worker("worker-1", queue, AckMode::Auto);
    draft.worker("worker-2", queue, AckMode::Auto);
    let mut script = Script::new(&draft);
    script.publish_all(P, 20, true);
    let first = script.subscribe(WorkerId(0));
    (1..=20).for_each(|n| script.read(first, n));
    (0..3).for_each(|_| script.complete(first));
    script.begin(first);
    script.end_life(first, CRASH);
    let second = script.subscribe(WorkerId(1));
    script.end_life(second, rmq_scenario::ledger::event::LifeEnd::Stopped);
    script.life_read(second);
    let books = script.sound_books();
    let queue = &books.queues[QueueId(0).index()];
    assert_eq!((queue[Count::Delivered], queue[Count::Lost]), (3, 17));
}
