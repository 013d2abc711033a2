//! Workers and producers that live through a fault, and what is read, worked and acked on a
//! connection that the broker has given up.

use std::time::Duration;

use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::Hindrance::{CutOff, Frozen};
use rmq_scenario::ledger::event::{ChangeKind, LifeEnd, LifeId};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::StopHow::{Graceful, Sigkill};
use rmq_scenario::plan::model::{
    AckMode, Confirms, ExchangeId, FaultId, KillHow, NodeId, QueueId, Unconfirmed, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script, causes, message};

const Q: QueueId = QueueId(0);
const MANUAL: AckMode = AckMode::Manual { every: 1 };
const LOST: LifeEnd = LifeEnd::Lost;

/// A queue `q`, a producer of up to 100 messages that publishes again what had no answer, and a
/// worker for each ack mode.
fn draft(acks: &[AckMode]) -> Draft {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 100, WINDOW);
    draft.0.producers[0].unconfirmed = Unconfirmed::Republish;
    for (index, ack) in acks.iter().enumerate() {
        draft.worker(&format!("w-{}", index + 1), queue, *ack);
    }
    draft
}

/// Two workers that are subscribed, and messages `1..=count`.
fn script(acks: [AckMode; 2], count: u32) -> (Script, LifeId, LifeId) {
    let mut script = Script::new(&draft(&acks));
    let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.publish_all(P, count, true);
    (script, first, second)
}

fn close(script: &mut Script, life: LifeId) {
    script.end_life(life, LifeEnd::Stopped);
    script.life_read(life);
}

#[test]
fn what_a_worker_held_that_was_given_up_unseen_comes_to_others_however_it_ends() {
    for by in [Frozen, CutOff] {
        for how in [LifeEnd::Frozen, LOST, CRASH, LifeEnd::Stopped, LifeEnd::Cut] {
            let (mut script, first, second) = script([MANUAL, MANUAL], 1);
            script.read(first, 1);
            script.hinder(first, Some(by));
            script.reread(second, 1);
            script.complete(second);
            script.hinder(first, None);
            script.end_life(first, how);
            close(&mut script, second);
            let books = script.sound_books();
            assert_eq!(books.totals[Count::Delivered], 1, "{by:?} {how:?}");
        }
    }
}

#[test]
fn what_a_worker_held_that_is_killed_before_it_learns_of_its_loss() {
    let end = |script: &mut Script, _| script.restart(Graceful);
    let disconnect = |script: &mut Script, life| script.strike(life);
    for befall in [end, disconnect] as [fn(&mut Script, LifeId); 2] {
        let (mut script, first, second) = script([MANUAL, MANUAL], 1);
        script.read(first, 1);
        script.begin(first);
        befall(&mut script, first);
        script.reread(second, 1);
        script.complete(second);
        script.end_life(first, CRASH);
        script.end_life(second, LOST);
        script.sound_books();
    }
}

/// Message 1 waits in the first worker's silent network, is given to the second, and is read by
/// the first when that hears again. Whether it bears the flag of an earlier return.
#[test]
fn what_is_read_late_is_older_than_what_others_read() {
    for (flagged, second_acks) in [(false, MANUAL), (false, AckMode::Auto), (true, MANUAL)] {
        let (mut script, first, second) = script([MANUAL, second_acks], 1);
        script.hinder(first, Some(CutOff));
        script.reread(second, 1);
        script.complete(second);
        script.read_from(first, Some(message(1)), flagged);
        script.end_life(first, LOST);
        close(&mut script, second);
        let books = script.sound_books();
        let names = [Count::Deliveries, Count::Repeats, Count::Delivered, Count::Duplicates];
        assert_eq!(names.map(|count| books.totals[count]), [2, 1, 1, 0]);
    }
}

#[test]
fn work_on_what_was_read_late_makes_a_duplicate_with_a_cause() {
    let (mut script, first, second) = script([MANUAL, MANUAL], 1);
    script.hinder(first, Some(CutOff));
    script.reread(second, 1);
    script.complete(second);
    script.read(first, 1);
    script.begin(first);
    script.finish(first);
    script.end_life(first, LOST);
    close(&mut script, second);
    assert_eq!(causes(&script.sound_books(), 1, Q), ["requeued"]);
}

#[test]
fn a_loss_is_older_than_the_moment_it_is_learned_of() {
    // The second worker is sent what the first one held, and dies; all that before the first,
    // who works on, learns that its connection was lost.
    for unread in [true, false] {
        let (mut script, first, second) = script([MANUAL, AckMode::Auto], 2);
        if !unread {
            script.read(first, 1);
        }
        script.read(second, 2);
        script.wait(1_000);
        script.strike(first);
        script.wait(1_000);
        script.end_life(second, CRASH);
        script.wait(1_000);
        script.life_noticed(second);
        script.wait(1_000);
        script.end_life(first, LOST);
        assert_eq!(causes(&script.sound_books(), 1, Q), ["auto_ack"], "{unread}");
    }
}

#[test]
fn nothing_is_final_as_long_as_somebody_is_cut_off() {
    let (mut script, first, _) = script([MANUAL, MANUAL], 1);
    script.read(first, 1);
    script.complete(first);
    assert!(script.is_final());
    script.hinder(first, Some(CutOff));
    assert!(!script.is_final(), "its ack may come too late");
    script.hinder(first, None);
    assert!(script.is_final(), "it was not given up");
    script.end_life(first, LOST);
    assert!(!script.is_final(), "it was given up, and perhaps before its ack was read");
}

#[test]
fn who_was_given_up_early_gave_back_to_those_who_lived_then() {
    // Both messages of the first came back unacked: 1 went to the third, who never read it.
    let mut script = Script::new(&draft(&[MANUAL, MANUAL, MANUAL]));
    let lives = [0, 1, 2].map(|n| script.subscribe(WorkerId(n)));
    script.publish_all(P, 2, true);
    for n in [1, 2] {
        script.read(lives[0], n);
        script.complete(lives[0]);
    }
    script.wait(1_000);
    script.strike(lives[0]);
    script.wait(1_000);
    script.end_life(lives[2], CRASH);
    script.life_noticed(lives[2]);
    script.reread(lives[1], 2);
    script.complete(lives[1]);
    script.wait(1_000);
    script.end_life(lives[0], LOST);
    script.life_noticed(lives[0]);
    assert!(!script.is_final(), "1 may be on its way to the second worker");
}

/// Message 1 is published twice, and both come to the first worker before it has done either.
#[test]
fn both_of_two_in_the_same_hands_are_one_published_again() {
    let mut script = Script::new(&draft(&[MANUAL]));
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 1);
    script.reconnect(P);
    script.republish(P, &[1]);
    script.answer(P, 1, 1, true);
    script.end(P, true);
    script.read(life, 1);
    script.read(life, 1);
    script.complete(life);
    script.complete(life);
    close(&mut script, life);
    let books = script.sound_books();
    let names = [Count::Expected, Count::Finished, Count::Duplicates, Count::Republished];
    assert_eq!(names.map(|count| books.totals[count]), [1, 2, 1, 1]);
    assert_eq!(causes(&books, 1, Q), ["republished"]);
}

#[test]
fn what_was_published_again_may_have_come_back_instead() {
    // Who acked it may not have been heard.
    for (heard, expected) in [(true, vec!["republished"]), (false, vec!["ack_lost", "republished"])]
    {
        let mut script = Script::new(&draft(&[MANUAL, MANUAL]));
        let first = script.subscribe(WorkerId(0));
        script.start(P);
        script.publish(P, 1, 1);
        script.reconnect(P);
        script.republish(P, &[1]);
        script.answer(P, 1, 1, true);
        script.end(P, true);
        script.read(first, 1);
        script.complete(first);
        script.end_life(first, if heard { LifeEnd::Stopped } else { CRASH });
        if heard {
            script.life_read(first);
        }
        let second = script.subscribe(WorkerId(1));
        script.reread(second, 1);
        script.complete(second);
        close(&mut script, second);
        let mut found = causes(&script.sound_books(), 1, Q);
        found.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_published_again_fills_its_queue_and_lives_anew() {
    let mut draft = draft(&[]);
    draft.producer("other", ExchangeId(0), &["q"], 1, Confirms::Off);
    let queue = &mut draft.0.topology.queues[0];
    queue.max_length = Some(3);
    queue.message_ttl = Some(Duration::from_secs(1));
    let mut script = Script::new(&draft);
    let other = rmq_scenario::plan::model::ProducerId(1);
    script.publish_all(other, 1, false);
    script.start(P);
    script.publish(P, 1, 2);
    script.reconnect(P);
    script.wait(800_000);
    script.republish(P, &[1, 2]);
    script.answer(P, 1, 2, true);
    script.end(P, true);
    script.wait(800_000);
    // Of five the first two had no room; the last one has time left and is gone all the same.
    script.drain(Q, &[1]);
    let books = script.sound_books();
    let became = |producer, n| {
        let view =
            books.copies().find(|view| view.message.producer == producer && view.message.n == n);
        view.expect("it was published").outcome
    };
    assert_eq!(became(P, 1), Count::Remaining);
    assert_eq!(became(other, 1), Count::Expired);
    assert_eq!(causes(&books, 2, Q), ["max_length"]);
}

#[test]
fn a_strike_tells_how_its_worker_stood() {
    let (mut script, first, second) = script([MANUAL, AckMode::Auto], 5);
    [1, 2, 3].into_iter().for_each(|n| script.read(first, n));
    [4, 5].into_iter().for_each(|n| script.read(second, n));
    script.complete(first);
    script.begin(first);
    script.complete(second);
    script.strike(first);
    script.end_life(first, LOST);
    close(&mut script, second);
    let books: Books = script.books();
    let strike = books.strike(FaultId(0)).expect("it was struck");
    assert_eq!((strike.read, strike.finished, strike.unworked, strike.unacked), (3, 1, 2, 2));
    assert_eq!(strike.published, [5]);
}

/// The second worker's connection is lost unseen, too, when it has finished message 1; the first one
/// reads that then, and acks it.
#[test]
fn two_that_may_have_been_given_up_both_say_why_a_copy_came_again() {
    let (mut script, first, second) = script([MANUAL, MANUAL], 1);
    script.hinder(first, Some(Frozen));
    script.read(second, 1);
    script.begin(second);
    script.finish(second);
    script.hinder(second, Some(CutOff));
    script.hinder(first, None);
    script.reread(first, 1);
    script.complete(first);
    script.end_life(second, LOST);
    close(&mut script, first);
    let books = script.sound_books();
    assert_eq!(books.totals[Count::Duplicates], 1);
    assert!(causes(&books, 1, Q).contains(&"requeued"), "{:?}", causes(&books, 1, Q));
}

/// Message 1 was acked for good before the broker, or a node of it, was killed. Then it comes again,
/// to a worker that began after that and whose network is cut, or to one that lives on at another
/// node; and that one dies when it has finished it.
#[test]
fn what_a_killed_broker_brings_back_is_not_late() {
    for node in [None, Some(NodeId(1))] {
        let (mut script, first, second) = script([MANUAL, MANUAL], 1);
        script.read(first, 1);
        script.complete(first);
        close(&mut script, first);
        script.wait(1_000);
        let reader = if let Some(node) = node {
            script.restart_node(Sigkill, node);
            second
        } else {
            script.end_life(second, LOST);
            script.restart(Sigkill);
            let third = script.subscribe(WorkerId(1));
            script.hinder(third, Some(CutOff));
            third
        };
        script.reread(reader, 1);
        script.begin(reader);
        script.finish(reader);
        script.end_life(reader, CRASH);
        let found = causes(&script.sound_books(), 1, Q);
        assert!(found.contains(&"ack_lost"), "{node:?} {found:?}");
        // Whoever began after that cannot have had it before.
        assert!(node.is_some() || found == ["ack_lost"], "{found:?}");
    }
}

/// An early worker acked message 1 on a connection that had been given up, or not, and cancelled; then
/// its queue goes.
#[test]
fn an_early_ack_that_nobody_heard_leaves_the_message_to_its_queue() {
    for (struck, expected) in [(true, vec!["early_ack", "queue_gone"]), (false, vec!["early_ack"])]
    {
        let (mut script, first, second) = script([AckMode::Early, MANUAL], 1);
        script.read(first, 1);
        script.begin(first);
        if struck {
            script.strike(first);
        }
        script.ack(first);
        script.end_life(first, LifeEnd::Killed(KillHow::Cancel));
        script.change(Q, ChangeKind::Goes);
        script.end_life(second, LifeEnd::Failed);
        assert_eq!(causes(&script.sound_books(), 1, Q), expected, "{struck}");
    }
}
