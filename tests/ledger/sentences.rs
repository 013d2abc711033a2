//! What the report says of what happened, in whole sentences.

use rmq_scenario::ledger::event::{LifeEnd, LifeId};
use rmq_scenario::ledger::facts::Facts;
use rmq_scenario::plan::model::StopHow::{Graceful, Sigkill};
use rmq_scenario::plan::model::{AckMode, Confirms, ExchangeId, QueueId, QueueKind, WorkerId};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script};

const Q: QueueId = QueueId(0);
const MANUAL: AckMode = AckMode::Manual { every: 1 };

/// A queue `q` of this kind, a producer, and two workers with manual acks.
fn script(kind: QueueKind, confirms: Confirms) -> Script {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.0.topology.queues[0].kind = kind;
    draft.producer("p", ExchangeId(0), &["q"], 100, confirms);
    draft.worker("w-1", queue, MANUAL);
    draft.worker("w-2", queue, MANUAL);
    Script::new(&draft)
}

/// The second worker is given message 1 once more, does it, and ends in good order.
fn done_by_the_second(script: &mut Script, numbers: &[u32]) {
    let second = script.subscribe(WorkerId(1));
    for n in numbers {
        script.reread(second, *n);
        script.complete(second);
    }
    script.end_life(second, LifeEnd::Stopped);
    script.life_read(second);
}

fn held(script: &mut Script, n: u32) -> LifeId {
    let first = script.subscribe(WorkerId(0));
    script.publish_all(P, n, true);
    (1..=n).for_each(|n| script.read(first, n));
    first
}

#[track_caller]
fn says(script: &Script, notes: &[&str]) {
    assert_eq!(script.report(&Facts::default()).notes, notes);
}

#[test]
fn who_flags_what_nobody_had() {
    let flags = "1 redelivered: RabbitMQ was killed, and flags all that a classic queue has left \
                 after that, because it no longer knows what it had sent; w-2 got it";
    let unread = "1 redelivered: sent before to somebody who never read it; w-2 got it";
    for (kind, how, note) in [
        (QueueKind::Classic, Sigkill, flags),
        (QueueKind::Classic, Graceful, unread),
        (QueueKind::Quorum, Sigkill, unread),
    ] {
        let mut script = script(kind, WINDOW);
        script.publish_all(P, 1, true);
        script.restart(how);
        done_by_the_second(&mut script, &[1]);
        says(&script, &[note]);
    }
}

#[test]
fn who_had_what_comes_again() {
    for (how, note) in [
        (
            Sigkill,
            "2 redelivered: RabbitMQ had kept no ack of them by w-1 when it was killed; w-2 got them",
        ),
        (
            Graceful,
            "2 redelivered: RabbitMQ had no ack of them when w-1 lost its connection; w-2 got them",
        ),
    ] {
        let mut script = script(QueueKind::Quorum, WINDOW);
        let first = held(&mut script, 2);
        script.restart(how);
        script.end_life(first, LifeEnd::Lost);
        done_by_the_second(&mut script, &[1, 2]);
        says(&script, &[note]);
    }
}

#[test]
fn who_was_killed_again_and_again_is_told_of_once() {
    let mut script = script(QueueKind::Classic, WINDOW);
    let first = held(&mut script, 2);
    script.end_life(first, CRASH);
    let again = script.subscribe(WorkerId(0));
    script.reread(again, 1);
    script.reread(again, 2);
    script.end_life(again, CRASH);
    done_by_the_second(&mut script, &[1, 2]);
    says(
        &script,
        &["4 redelivered: w-1 was killed 2 times, holding 4 unacked in all; w-1 and w-2 got them"],
    );
}

#[test]
fn why_nobody_took_what_remains() {
    let still = "1 remaining: still in queue q at the end";
    for (end, why) in [
        (LifeEnd::Frozen, "; w-1 was frozen to the end and held 1"),
        (CRASH, "; no worker was left to take it"),
        (LifeEnd::Lost, "; no worker was left to take it"),
        (LifeEnd::Stopped, ""),
    ] {
        let mut script = script(QueueKind::Classic, WINDOW);
        let first = held(&mut script, 1);
        script.end_life(first, end);
        script.drain(Q, &[1]);
        says(&script, &[&format!("{still}{why}")]);
    }
}

#[test]
fn what_a_publisher_without_an_answer_knows() {
    let mut script = script(QueueKind::Classic, WINDOW);
    script.start(P);
    script.publish(P, 1, 2);
    script.end(P, false);
    script.drain(Q, &[1]);
    says(
        &script,
        &[
            "1 remaining: still in queue q at the end",
            "2 unconfirmed: no answer came, so the publisher cannot know whether they arrived; 1 \
             was never seen",
        ],
    );
}
