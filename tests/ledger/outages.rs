//! Brokers that end and come back, and connections that are lost: what became of copies, and why,
//! each in a little run of its own.

use std::time::Duration;

use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::{ChangeKind, Hindrance, LifeEnd, LifeId};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::StopHow::{Graceful, Sigkill};
use rmq_scenario::plan::model::{
    AckMode, BoundTo, Confirms, ExchangeId, ExchangeKind, KillHow, NodeId, QueueId, QueueKind,
    StopHow, Unconfirmed, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script, causes, message};

const Q: QueueId = QueueId(0);
const MANUAL: AckMode = AckMode::Manual { every: 1 };
const LOST: LifeEnd = LifeEnd::Lost;

/// A queue `q`, a producer of up to 100 messages, and a worker for each ack mode.
fn draft(confirms: Confirms, acks: &[AckMode]) -> Draft {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 100, confirms);
    for (index, ack) in acks.iter().enumerate() {
        draft.worker(&format!("w-{}", index + 1), queue, *ack);
    }
    draft
}

fn script(confirms: Confirms, acks: &[AckMode]) -> Script {
    Script::new(&draft(confirms, acks))
}

/// The outcome of message `n` in the queue, and its causes.
fn became(books: &Books, n: u32) -> (Count, Vec<&'static str>) {
    let view = books.copies().find(|view| view.message == message(n)).expect("it was published");
    (view.outcome, causes(books, n, Q))
}

fn close(script: &mut Script, life: LifeId) {
    script.end_life(life, LifeEnd::Stopped);
    script.life_read(life);
}

/// A queue of this type and durability with one message, persistent or not, confirmed or not,
/// which is gone when its broker has ended in this way.
fn gone(
    kind: QueueKind,
    durable: bool,
    persistent: bool,
    confirms: Confirms,
    how: StopHow,
) -> Books {
    let mut draft = draft(confirms, &[]);
    draft.0.topology.queues[0].kind = kind;
    draft.0.topology.queues[0].durable = durable;
    draft.0.producers[0].persistent = persistent;
    let mut script = Script::new(&draft);
    script.publish_all(P, 1, confirms == WINDOW);
    let change = (!durable).then(|| script.begin_change(Q, ChangeKind::Perishes));
    script.restart(how);
    change.into_iter().for_each(|change| script.end_change(change));
    script.sound_books()
}

#[test]
fn what_a_broker_takes_along_by_type_persistence_confirms_and_way_of_ending() {
    use QueueKind::{Classic, Quorum};
    let off = Confirms::Off;
    for (kind, durable, persistent, confirms, how, expected) in [
        (Classic, true, true, WINDOW, Graceful, "unexplained"),
        (Classic, true, true, off, Graceful, "unexplained"),
        (Classic, true, true, WINDOW, Sigkill, "unexplained"),
        (Classic, true, true, off, Sigkill, "unflushed"),
        (Classic, true, false, WINDOW, Graceful, "transient"),
        (Classic, true, false, off, Graceful, "transient"),
        (Classic, true, false, WINDOW, Sigkill, "transient"),
        (Classic, true, false, off, Sigkill, "transient"),
        (Classic, false, true, WINDOW, Graceful, "transient"),
        (Classic, false, false, WINDOW, Sigkill, "transient"),
        (Quorum, true, false, WINDOW, Graceful, "unexplained"),
        (Quorum, true, false, WINDOW, Sigkill, "unexplained"),
        (Quorum, true, true, off, Graceful, "unexplained"),
        (Quorum, true, true, off, Sigkill, "unflushed"),
    ] {
        let books = gone(kind, durable, persistent, confirms, how);
        let case = format!("{kind:?} {durable} {persistent} {confirms:?} {how:?}");
        assert_eq!(became(&books, 1), (Count::Lost, vec![expected]), "{case}");
    }
}

#[test]
fn young_queue_only_where_it_was_young_and_killed() {
    for (how, young, expected) in [
        (Sigkill, &[Q][..], "young_queue"),
        (Sigkill, &[], "unexplained"),
        (Graceful, &[Q], "unexplained"),
    ] {
        let mut draft = draft(WINDOW, &[]);
        draft.0.topology.queues[0].kind = QueueKind::Quorum;
        let mut script = Script::new(&draft);
        script.publish_all(P, 1, true);
        script.fall(how, young);
        script.down();
        script.rise();
        let books = script.sound_books();
        assert_eq!(became(&books, 1), (Count::Lost, vec![expected]), "{how:?} {young:?}");
    }
}

#[test]
fn an_end_takes_nothing_that_is_published_after_it() {
    let mut draft = draft(WINDOW, &[]);
    draft.0.producers[0].persistent = false;
    let mut script = Script::new(&draft);
    script.restart(Graceful);
    script.publish_all(P, 1, true);
    assert_eq!(became(&script.sound_books(), 1), (Count::Lost, vec!["unexplained"]));
}

/// The first worker is in the midst of its work, and the connection is lost to it unseen.
fn superseded(ack: AckMode) -> (Script, LifeId, LifeId) {
    let mut script = script(WINDOW, &[ack, MANUAL]);
    let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.publish_all(P, 1, true);
    script.read(first, 1);
    script.begin(first);
    if ack == AckMode::Early {
        script.ack(first);
    }
    script.hinder(first, Some(Hindrance::CutOff));
    script.reread(second, 1);
    (script, first, second)
}

#[test]
fn a_work_that_outlives_its_connection_makes_a_duplicate_with_a_cause() {
    for (ack, acked, expected) in [
        (MANUAL, false, "requeued"),
        (MANUAL, true, "ack_lost"),
        (AckMode::Never, false, "forgotten_ack"),
        (AckMode::Early, false, "ack_lost"),
    ] {
        for first_ends_first in [false, true] {
            let (mut script, first, second) = superseded(ack);
            if !first_ends_first {
                script.complete(second);
            }
            script.finish(first);
            if acked {
                script.ack(first);
            }
            script.end_life(first, LOST);
            if first_ends_first {
                script.complete(second);
            }
            close(&mut script, second);
            let books = script.sound_books();
            let counts = (books.totals[Count::Duplicates], books.totals[Count::Delivered]);
            assert_eq!(counts, (1, 1));
            assert_eq!(causes(&books, 1, Q), [expected], "{ack:?} {acked}");
        }
    }
}

#[test]
fn what_a_lost_worker_does_says_nothing_of_the_delivery_after_it() {
    // It acks what the second worker holds, and that one gives back.
    let (mut script, first, second) = superseded(MANUAL);
    script.finish(first);
    script.ack(first);
    script.end_life(first, LOST);
    script.end_life(second, LifeEnd::Stopped);
    script.life_read(second);
    script.drain(Q, &[1]);
    let books = script.sound_books();
    assert_eq!(became(&books, 1), (Count::Delivered, vec![]));
    assert_eq!(books.totals[Count::StillQueued], 1);
    // It refuses it.
    let (mut script, first, second) = superseded(MANUAL);
    script.reject_begun(first, false);
    script.end_life(first, LOST);
    script.complete(second);
    close(&mut script, second);
    let books = script.sound_books();
    assert_eq!(became(&books, 1), (Count::Delivered, vec![]));
}

#[test]
fn a_late_ack_decides_why_a_copy_came_again() {
    for (acked, expected) in [(true, "ack_lost"), (false, "requeued")] {
        let mut script = script(WINDOW, &[MANUAL, MANUAL]);
        let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
        script.publish_all(P, 1, true);
        script.read(first, 1);
        script.begin(first);
        script.finish(first);
        script.hinder(first, Some(Hindrance::CutOff));
        script.reread(second, 1);
        script.complete(second);
        if acked {
            script.ack(first);
        }
        script.end_life(first, LOST);
        close(&mut script, second);
        assert_eq!(causes(&script.sound_books(), 1, Q), [expected]);
    }
}

/// An early worker began message 1, its ack was read for sure, and then the broker was killed;
/// perhaps a consumer under automatic acks dies later.
#[test]
fn a_killed_broker_may_bring_back_what_was_acked_and_lose_it_in_another_way() {
    for (how, another, expected) in [
        (Sigkill, true, vec!["auto_ack", "early_ack"]),
        (Sigkill, false, vec!["early_ack"]),
        (Graceful, true, vec!["early_ack"]),
    ] {
        let mut script = script(WINDOW, &[AckMode::Early, AckMode::Auto]);
        let first = script.subscribe(WorkerId(0));
        script.publish_all(P, 1, true);
        script.read(first, 1);
        script.begin(first);
        script.ack(first);
        script.end_life(first, LifeEnd::Killed(KillHow::CloseChannel));
        script.life_read(first);
        script.wait(1_000);
        script.restart(how);
        script.wait(1_000);
        if another {
            let second = script.subscribe(WorkerId(1));
            script.wait(1_000);
            script.end_life(second, CRASH);
        }
        let (outcome, mut found) = became(&script.sound_books(), 1);
        found.sort_unstable();
        assert_eq!((outcome, found), (Count::Lost, expected), "{how:?} {another}");
    }
}

#[test]
fn what_a_killed_broker_brings_back_may_expire() {
    for (how, expected) in [(Sigkill, vec!["auto_ack", "ttl"]), (Graceful, vec!["auto_ack"])] {
        let mut draft = draft(WINDOW, &[AckMode::Auto]);
        draft.0.topology.queues[0].message_ttl = Some(Duration::from_secs(1));
        let mut script = Script::new(&draft);
        let life = script.subscribe(WorkerId(0));
        script.publish_all(P, 1, true);
        script.read(life, 1);
        script.end_life(life, CRASH);
        script.restart(how);
        script.wait(5_000_000);
        assert_eq!(became(&script.sound_books(), 1), (Count::Lost, expected), "{how:?}");
    }
}

/// A worker of this kind finished message 1, acked it if it acks, and ended in good order; then
/// the broker ends, and the message is there again.
fn resurrected(ack: AckMode, how: StopHow) -> Script {
    let mut script = script(WINDOW, &[ack, MANUAL]);
    let first = script.subscribe(WorkerId(0));
    script.publish_all(P, 1, true);
    script.read(first, 1);
    script.complete(first);
    close(&mut script, first);
    script.restart(how);
    let second = script.subscribe(WorkerId(1));
    script.reread(second, 1);
    script.complete(second);
    close(&mut script, second);
    script
}

#[test]
fn only_a_killed_broker_forgets_acks_that_it_had_read() {
    for ack in [MANUAL, AckMode::Early, AckMode::Auto] {
        let books = resurrected(ack, Sigkill).sound_books();
        assert_eq!(books.totals[Count::Duplicates], 1);
        assert_eq!(causes(&books, 1, Q), ["ack_lost"], "{ack:?}");
        let violation = resurrected(ack, Graceful).violation();
        assert!(violation.contains("it came again"), "{violation}");
    }
    let books = resurrected(AckMode::Never, Graceful).sound_books();
    assert_eq!(causes(&books, 1, Q), ["forgotten_ack"]);
}

#[test]
fn an_end_that_is_never_seen_to_be_over_is_a_violation() {
    let mut script = script(WINDOW, &[]);
    script.fall(Graceful, &[]);
    assert!(script.violation().contains("never seen to have ended"));
    script.fall(Graceful, &[]);
    assert!(script.violation().contains("while it was being ended"));
    let mut script = self::script(WINDOW, &[]);
    script.down();
    assert!(script.violation().contains("nobody had ended"));
    let mut script = self::script(WINDOW, &[]);
    script.rise();
    assert!(script.violation().contains("that had not ended"));
}

/// A worker had cancelled and holds message 1 on its silent channel when a node of the broker
/// ends, or nothing does; then the message comes to another worker.
#[test]
fn a_node_that_ends_gives_back_what_a_silent_channel_holds() {
    for node in [false, true] {
        let mut script = script(WINDOW, &[MANUAL, MANUAL]);
        let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
        script.publish_all(P, 1, true);
        script.read(first, 1);
        script.end_life(first, LifeEnd::Killed(KillHow::Cancel));
        if node {
            script.restart_node(Graceful, NodeId(1));
        }
        script.reread(second, 1);
        script.complete(second);
        script.end_life(second, LOST);
        assert_eq!(script.books().violations.is_empty(), node);
    }
}

#[test]
fn an_exchange_that_goes_leaves_optional_what_is_published_again() {
    // p publishes to `stays`, which passes on to `goes`, which passes on to `q`.
    for republish in [true, false] {
        let mut draft = Draft::new();
        let stays = draft.exchange("stays", ExchangeKind::Fanout);
        let goes = draft.exchange("goes", ExchangeKind::Fanout);
        draft.0.topology.exchanges[goes.index()].durable = false;
        let queue = draft.queue("q");
        draft.bind(stays, queue, "");
        draft.0.topology.bindings[0].to = BoundTo::Exchange(goes);
        draft.bind(goes, queue, "");
        draft.producer("p", stays, &[""], 2, WINDOW);
        draft.0.producers[0].mandatory = true;
        if republish {
            draft.0.producers[0].unconfirmed = Unconfirmed::Republish;
        }
        let mut script = Script::new(&draft);
        script.start(P);
        script.publish(P, 1, 2);
        script.answer(P, 1, 1, true);
        script.restart(Graceful);
        script.reconnect(P);
        if republish {
            script.republish(P, &[2]);
            script.give_back(message(2));
            script.answer(P, 2, 1, true);
        }
        script.end(P, true);
        script.drain(queue, &[1]);
        let books = script.sound_books();
        let names = [Count::Expected, Count::Remaining, Count::InDoubt, Count::Unroutable];
        let expected = if republish { [1, 1, 0, 1] } else { [2, 1, 1, 0] };
        assert_eq!(names.map(|count| books.totals[count]), expected, "{republish}");
    }
}

/// Message 1 was published, and once more after the broker had ended in this way.
fn published_again(how: StopHow, confirmed: bool) -> Script {
    let mut draft = draft(WINDOW, &[]);
    draft.0.producers[0].unconfirmed = Unconfirmed::Republish;
    draft.0.producers[0].persistent = false;
    let mut script = Script::new(&draft);
    script.start(P);
    script.publish(P, 1, 1);
    script.restart(how);
    script.reconnect(P);
    script.republish(P, &[1]);
    if confirmed {
        script.answer(P, 1, 1, true);
    }
    script.end(P, confirmed);
    script
}

#[test]
fn an_end_takes_nothing_that_was_published_again_and_confirmed_after_it() {
    let mut script = published_again(Graceful, true);
    assert_eq!(became(&script.sound_books(), 1), (Count::Lost, vec!["unexplained"]));
    script.restart(Graceful);
    assert_eq!(became(&script.sound_books(), 1), (Count::Lost, vec!["transient"]));
    assert_eq!(
        became(&published_again(Graceful, false).sound_books(), 1),
        (Count::InDoubt, vec![])
    );
}
