//! When a run may end at once: as soon as nothing can change, and never before.

use rmq_scenario::ledger::event::{ChangeKind, LifeEnd, LifeId};
use rmq_scenario::plan::model::{
    AckMode, Confirms, ExchangeId, ExchangeKind, KillHow, QueueId, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script, message};

const MANUAL: AckMode = AckMode::Manual { every: 1 };

/// A queue `q`, up to ten messages, two workers.
fn script(confirms: Confirms, ack: AckMode) -> Script {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 10, confirms);
    draft.worker("w-1", queue, ack);
    draft.worker("w-2", queue, ack);
    Script::new(&draft)
}

fn wait_for(script: &Script, now: bool, why: &str) {
    assert_eq!(script.is_final(), now, "{why}");
}

#[test]
fn from_the_first_publish_to_the_last_work() {
    for ack in [MANUAL, AckMode::Auto, AckMode::Early, AckMode::Never] {
        let mut script = script(WINDOW, ack);
        let life = script.subscribe(WorkerId(0));
        wait_for(&script, true, "nothing was published");
        script.start(P);
        script.publish(P, 1, 1);
        wait_for(&script, false, "no answer");
        script.answer(P, 1, 1, true);
        wait_for(&script, false, "on its way to the worker");
        script.end(P, true);
        script.read(life, 1);
        wait_for(&script, false, "waiting for work");
        script.begin(life);
        if ack == AckMode::Early {
            script.ack(life);
        }
        wait_for(&script, false, "in work");
        script.finish(life);
        wait_for(&script, true, "finished, and with a worker that lives");
        if ack == MANUAL {
            script.ack(life);
        }
        wait_for(&script, true, "finished and acked");
    }
}

#[test]
fn without_a_worker_what_has_arrived_stays() {
    let mut confirmed = script(WINDOW, MANUAL);
    confirmed.start(P);
    confirmed.publish(P, 1, 1);
    wait_for(&confirmed, false, "it may not have arrived");
    confirmed.answer(P, 1, 1, true);
    wait_for(&confirmed, true, "it has arrived");
    let mut unchecked = script(Confirms::Off, MANUAL);
    unchecked.start(P);
    unchecked.publish(P, 1, 1);
    wait_for(&unchecked, false, "it may not have arrived");
    unchecked.end(P, true);
    wait_for(&unchecked, true, "the close was answered after it");
}

/// The first worker has read two messages, finished and acked one, and dies.
fn after_a_death(how: LifeEnd) -> (Script, LifeId) {
    let mut script = script(WINDOW, MANUAL);
    let first = script.subscribe(WorkerId(0));
    let second = script.subscribe(WorkerId(1));
    script.publish_all(P, 2, true);
    script.read(first, 1);
    script.read(first, 2);
    script.complete(first);
    script.end_life(first, how);
    (script, second)
}

#[test]
fn after_a_crash_what_it_held_must_come_again() {
    let (mut script, second) = after_a_death(CRASH);
    wait_for(&script, false, "the second message comes back");
    script.reread(second, 2);
    script.complete(second);
    wait_for(&script, true, "the first would have come before the second");
}

#[test]
fn after_a_crash_an_ack_may_not_have_been_read() {
    let mut script = script(WINDOW, MANUAL);
    let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.publish_all(P, 1, true);
    script.read(first, 1);
    script.complete(first);
    wait_for(&script, true, "its connection lives");
    script.end_life(first, CRASH);
    wait_for(&script, false, "it may come again to the second worker");
    script.end_life(second, LifeEnd::Stopped);
    wait_for(&script, true, "nobody is there to get it");
}

#[test]
fn another_consumer_may_still_get_what_came_back() {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 2, WINDOW);
    for n in 1..=3 {
        draft.worker(&format!("w-{n}"), queue, MANUAL);
    }
    let mut script = Script::new(&draft);
    let lives = [0, 1, 2].map(|n| script.subscribe(WorkerId(n)));
    script.publish_all(P, 2, true);
    script.read(lives[0], 1);
    script.read(lives[0], 2);
    script.complete(lives[0]);
    script.end_life(lives[0], CRASH);
    script.reread(lives[1], 2);
    script.complete(lives[1]);
    wait_for(&script, false, "the first may be on its way to the third worker");
}

#[test]
fn after_an_answered_close_every_ack_was_read() {
    let mut script = script(WINDOW, MANUAL);
    let (first, _) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.publish_all(P, 1, true);
    script.read(first, 1);
    script.complete(first);
    script.end_life(first, LifeEnd::Killed(KillHow::CloseChannel));
    wait_for(&script, false, "the close is not answered");
    script.life_read(first);
    wait_for(&script, true, "it is");
}

#[test]
fn what_a_cancelled_worker_holds_is_not_waited_for() {
    let (script, _) = after_a_death(LifeEnd::Killed(KillHow::Cancel));
    wait_for(&script, true, "its channel keeps the second message to the end");
}

#[test]
fn under_automatic_acks_what_a_dead_worker_had_never_comes() {
    let mut script = script(WINDOW, AckMode::Auto);
    let (first, _) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.publish_all(P, 1, true);
    script.read(first, 1);
    script.end_life(first, CRASH);
    wait_for(&script, true, "it is lost for good");
}

/// A fanout to a shared queue, and to another.
fn refused(queues: &[&str]) -> Script {
    let mut draft = Draft::new();
    let exchange = draft.exchange("x", ExchangeKind::Fanout);
    for name in queues {
        let queue = draft.queue(name);
        draft.bind(exchange, queue, "");
    }
    draft.producer("p", exchange, &[""], 1, WINDOW);
    draft.worker("w", QueueId(0), MANUAL);
    let mut script = Script::new(&draft);
    script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 1);
    script.answer(P, 1, 1, false);
    script
}

#[test]
fn a_refused_message_may_be_in_another_queue() {
    wait_for(&refused(&["only"]), true, "its only queue refused it");
    wait_for(&refused(&["one", "two"]), false, "either may have taken it");
}

#[test]
fn returns_are_waited_for_until_the_channel_is_closed() {
    let mut draft = Draft::new();
    draft.producer("p", ExchangeId(0), &["nobody"], 1, Confirms::Off);
    draft.0.producers[0].mandatory = true;
    let mut script = Script::new(&draft);
    script.start(P);
    script.publish(P, 1, 1);
    wait_for(&script, false, "its return may come");
    script.give_back(message(1));
    script.end(P, true);
    wait_for(&script, true, "everything that came back was read");
}

#[test]
fn a_queue_that_goes_is_waited_for_and_then_keeps_nothing() {
    let mut draft = Draft::new();
    let exchange = draft.exchange("x", ExchangeKind::Fanout);
    let queue = draft.owned("w", true);
    draft.worker("w", queue, MANUAL);
    draft.bind(exchange, queue, "");
    draft.producer("p", exchange, &[""], 2, WINDOW);
    let mut script = Script::new(&draft);
    script.change(queue, ChangeKind::Comes);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 2);
    script.answer(P, 1, 1, true);
    let change = script.begin_change(queue, ChangeKind::Goes);
    script.end_life(life, CRASH);
    script.answer(P, 2, 1, true);
    wait_for(&script, false, "the queue is not gone yet");
    script.end_change(change);
    wait_for(&script, true, "nothing can be seen of either message any more");
}
