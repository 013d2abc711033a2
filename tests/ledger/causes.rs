//! Each cause in its own little run, and beside it the run that looks alike and must not
//! have that cause.

use rmq_scenario::ledger::event::{ChangeKind, LifeEnd, LifeId};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{
    AckMode, Confirms, ExchangeId, ExchangeKind, KillHow, QueueId, QueueKind, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script, causes};

const Q: QueueId = QueueId(0);
const MANUAL: AckMode = AckMode::Manual { every: 1 };

/// One queue, one producer of up to 100 messages, one worker for each ack mode.
fn script(confirms: Confirms, acks: &[AckMode]) -> Script {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 100, confirms);
    for (index, ack) in acks.iter().enumerate() {
        draft.worker(&format!("w-{}", index + 1), queue, *ack);
    }
    Script::new(&draft)
}

/// A worker subscribes and is killed when it has read some of the three messages.
fn killed(ack: AckMode, read: &[u32]) -> (Script, LifeId) {
    let mut script = script(WINDOW, &[ack, ack]);
    let life = script.subscribe(WorkerId(0));
    script.publish_all(P, 3, true);
    read.iter().for_each(|n| script.read(life, *n));
    script.end_life(life, CRASH);
    (script, life)
}

#[test]
fn auto_ack_for_what_a_dead_consumer_held_or_was_being_sent() {
    let books = killed(AckMode::Auto, &[1]).0.sound_books();
    assert_eq!(books.totals[Count::Lost], 3);
    for n in 1..=3 {
        assert_eq!(causes(&books, n, Q), ["auto_ack"], "message {n}");
    }
}

#[test]
fn no_auto_ack_for_what_cannot_have_been_sent_last() {
    // It read the third, so the second was not on its way to it.
    let books = killed(AckMode::Auto, &[1, 3]).0.sound_books();
    assert_eq!(causes(&books, 2, Q), ["unexplained"]);
    assert_eq!(causes(&books, 3, Q), ["auto_ack"]);
}

#[test]
fn auto_ack_for_what_a_restarted_producer_overtook() {
    // Only a channel keeps its order: the new one was quicker than what was left of the old.
    let mut script = script(Confirms::Off, &[AckMode::Auto]);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 2);
    script.end(P, false);
    script.start(P);
    script.publish(P, 3, 1);
    script.end(P, true);
    script.read(life, 3);
    script.end_life(life, CRASH);
    let books = script.sound_books();
    assert_eq!(causes(&books, 2, Q), ["auto_ack", "not_sent"]);
    assert_eq!(causes(&books, 3, Q), ["auto_ack"]);
}

#[test]
fn no_auto_ack_under_manual_acks() {
    let books = killed(MANUAL, &[1]).0.sound_books();
    assert_eq!(books.totals[Count::Lost], 3);
    assert_eq!(causes(&books, 1, Q), ["unexplained"]);
}

#[test]
fn auto_ack_for_what_came_back_and_was_sent_behind_later_ones() {
    let mut script = script(WINDOW, &[MANUAL, AckMode::Auto]);
    let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.publish_all(P, 2, true);
    script.read(second, 2);
    // The first message was sent to the first worker, who never read it, and came back.
    script.end_life(first, CRASH);
    script.wait(1_000);
    script.end_life(second, CRASH);
    assert_eq!(causes(&script.sound_books(), 1, Q), ["auto_ack"]);
}

/// An auto worker dies; when the broker was seen to know it or not, a message is published,
/// and is gone.
fn published_after_a_death(noticed: bool, clean: bool) -> Vec<&'static str> {
    let mut script = script(WINDOW, &[AckMode::Auto]);
    let life = script.subscribe(WorkerId(0));
    script.end_life(life, if clean { LifeEnd::Stopped } else { CRASH });
    script.wait(3_000);
    match (noticed, clean) {
        (false, _) => {}
        (true, true) => script.life_read(life),
        (true, false) => script.life_noticed(life),
    }
    script.wait(1_000);
    script.publish_all(P, 1, true);
    causes(&script.sound_books(), 1, Q)
}

#[test]
fn auto_ack_until_the_broker_was_seen_to_know_of_the_death() {
    assert_eq!(published_after_a_death(false, false), ["auto_ack"]);
    assert_eq!(published_after_a_death(true, false), ["unexplained"]);
    assert_eq!(published_after_a_death(true, true), ["unexplained"]);
}

/// An early worker is killed: in its work or before it, its ack read for sure or not.
fn early(begun: bool, how: LifeEnd) -> Script {
    let mut script = script(WINDOW, &[AckMode::Early, AckMode::Auto]);
    let life = script.subscribe(WorkerId(0));
    script.publish_all(P, 1, true);
    script.read(life, 1);
    if begun {
        script.begin(life);
        script.ack(life);
    }
    script.end_life(life, how);
    if how != CRASH {
        script.life_read(life);
    }
    script
}

#[test]
fn early_ack_only_for_what_was_begun() {
    let books = early(true, CRASH).sound_books();
    assert_eq!((causes(&books, 1, Q), books.totals[Count::Lost]), (vec!["early_ack"], 1));
    assert_eq!(causes(&early(false, CRASH).sound_books(), 1, Q), ["unexplained"]);
}

#[test]
fn early_ack_and_another_cause_where_the_ack_may_not_have_been_read() {
    for (how, expected) in [
        (CRASH, vec!["auto_ack", "early_ack"]),
        (LifeEnd::Killed(KillHow::CloseConnection), vec!["early_ack"]),
    ] {
        let mut script = early(true, how);
        let second = script.subscribe(WorkerId(1));
        script.end_life(second, CRASH);
        let mut found = causes(&script.sound_books(), 1, Q);
        found.sort_unstable();
        assert_eq!(found, expected, "{how:?}");
    }
}

#[test]
fn queue_gone_only_for_what_was_published_before() {
    let mut draft = Draft::new();
    let logs = draft.exchange("logs", ExchangeKind::Fanout);
    let queue = draft.owned("subscriber", true);
    draft.worker("subscriber", queue, MANUAL);
    draft.bind(logs, queue, "");
    draft.producer("p", logs, &[""], 2, WINDOW);
    let mut script = Script::new(&draft);
    script.change(queue, ChangeKind::Comes);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 1);
    script.answer(P, 1, 1, true);
    let change = script.begin_change(queue, ChangeKind::Goes);
    script.end_life(life, CRASH);
    script.end_change(change);
    script.change(queue, ChangeKind::Comes);
    script.publish(P, 2, 1);
    script.answer(P, 2, 1, true);
    script.end(P, true);
    let books = script.sound_books();
    assert_eq!(books.totals[Count::Lost], 2);
    assert_eq!(causes(&books, 1, queue), ["queue_gone"]);
    assert_eq!(causes(&books, 2, queue), ["unexplained"]);
}

/// Five messages, of which the numbers in `arrived` came to a worker; then the end.
fn unsent(confirms: Confirms, arrived: &[u32], closed: bool) -> Script {
    let mut script = script(confirms, &[MANUAL]);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 5);
    for n in arrived {
        script.read(life, *n);
        script.complete(life);
    }
    script.end(P, closed);
    script.end_life(life, LifeEnd::Stopped);
    script.life_read(life);
    script
}

#[test]
fn not_sent_only_for_what_no_later_publish_of_the_channel_overtook() {
    let books = unsent(Confirms::Off, &[1, 2, 4], false).sound_books();
    assert_eq!((books.totals[Count::Lost], books.totals[Count::Unchecked]), (2, 5));
    assert_eq!(causes(&books, 3, Q), ["unexplained"]);
    assert_eq!(causes(&books, 5, Q), ["not_sent"]);
}

#[test]
fn not_sent_neither_after_a_close_in_good_order_nor_with_confirms() {
    let books = unsent(Confirms::Off, &[1], true).sound_books();
    assert_eq!(causes(&books, 5, Q), ["unexplained"]);
    let books = unsent(WINDOW, &[1], false).sound_books();
    assert_eq!((books.totals[Count::InDoubt], books.totals[Count::Lost]), (4, 0));
}

#[test]
fn not_sent_for_the_end_of_a_burst_that_a_quorum_queue_of_old_brokers_forgot() {
    let burst = |version, kind| {
        let mut draft = Draft::new();
        let queue = draft.queue("q");
        draft.0.topology.queues[queue.index()].kind = kind;
        draft.producer("p", ExchangeId(0), &["q"], 5, Confirms::Off);
        let mut script = Script::new(&draft).on(version);
        script.start(P);
        script.publish(P, 1, 5);
        script.end(P, true);
        script.drain(queue, &[1, 3]);
        let books = script.sound_books();
        assert_eq!(causes(&books, 2, Q), ["unexplained"], "a later one came");
        causes(&books, 5, Q)
    };
    assert_eq!(burst("3.10.8", QueueKind::Quorum), ["not_sent"]);
    assert_eq!(burst("3.10.8", QueueKind::Classic), ["unexplained"]);
    assert_eq!(burst("4.0.5", QueueKind::Quorum), ["unexplained"]);
}

#[test]
fn not_sent_only_on_the_channel_that_died() {
    let mut script = script(Confirms::Off, &[]);
    script.start(P);
    script.publish(P, 1, 1);
    script.end(P, false);
    script.start(P);
    script.publish(P, 2, 1);
    script.end(P, true);
    let books = script.sound_books();
    assert_eq!(causes(&books, 1, Q), ["not_sent"]);
    assert_eq!(causes(&books, 2, Q), ["unexplained"]);
}

/// The first worker finishes a message under `ack`, perhaps acks it, and dies; the second
/// finishes it again.
fn doubled(ack: AckMode, acked: bool) -> Vec<&'static str> {
    let mut script = script(WINDOW, &[ack, MANUAL]);
    let first = script.subscribe(WorkerId(0));
    script.publish_all(P, 1, true);
    script.read(first, 1);
    script.begin(first);
    if acked && ack == AckMode::Early {
        script.ack(first);
    }
    script.finish(first);
    if acked && ack != AckMode::Early {
        script.ack(first);
    }
    script.end_life(first, CRASH);
    let second = script.subscribe(WorkerId(1));
    script.reread(second, 1);
    script.complete(second);
    script.end_life(second, LifeEnd::Stopped);
    script.life_read(second);
    let books = script.sound_books();
    let counts = books.totals;
    assert_eq!((counts[Count::Delivered], counts[Count::Duplicates]), (1, 1));
    assert_eq!((counts[Count::Repeats], counts[Count::Finished]), (1, 2));
    causes(&books, 1, Q)
}

#[test]
fn duplicates_by_what_became_of_the_first_ack() {
    assert_eq!(doubled(AckMode::Never, false), ["forgotten_ack"]);
    assert_eq!(doubled(MANUAL, false), ["requeued"]);
    assert_eq!(doubled(MANUAL, true), ["ack_lost"]);
    assert_eq!(doubled(AckMode::Early, true), ["ack_lost"]);
}

#[test]
fn what_was_not_finished_before_is_no_duplicate() {
    let (mut script, _) = killed(MANUAL, &[1]);
    let second = script.subscribe(WorkerId(1));
    script.reread(second, 1);
    script.complete(second);
    script.end_life(second, LifeEnd::Stopped);
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Repeats], books.totals[Count::Duplicates]), (1, 0));
    assert_eq!(causes(&books, 1, Q), Vec::<&str>::new());
}

#[test]
fn each_return_adds_its_cause_to_a_duplicate() {
    let mut script = script(WINDOW, &[AckMode::Never, MANUAL, MANUAL]);
    script.publish_all(P, 1, true);
    for (index, redelivered) in [(0, false), (1, true), (2, true)] {
        let life = script.subscribe(WorkerId(index));
        script.read_from(life, Some(crate::script::message(1)), redelivered);
        script.begin(life);
        script.finish(life);
        script.end_life(life, CRASH);
    }
    script.drain(Q, &[1]);
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Duplicates], books.totals[Count::StillQueued]), (1, 1));
    assert_eq!(causes(&books, 1, Q), ["forgotten_ack", "requeued"]);
}

#[test]
fn who_did_not_finish_it_adds_no_cause_to_a_duplicate() {
    let mut script = script(WINDOW, &[MANUAL, AckMode::Never, MANUAL]);
    script.publish_all(P, 1, true);
    for (index, redelivered, works) in [(0, false, true), (1, true, false), (2, true, true)] {
        let life = script.subscribe(WorkerId(index));
        script.read_from(life, Some(crate::script::message(1)), redelivered);
        if works {
            script.begin(life);
            script.finish(life);
        }
        script.end_life(life, CRASH);
    }
    script.drain(Q, &[1]);
    assert_eq!(causes(&script.sound_books(), 1, Q), ["requeued"]);
}

#[test]
fn a_refused_message_that_was_seen_is_lost_like_any_other() {
    for (seen, outcome) in [(false, Count::TurnedAway), (true, Count::Lost)] {
        let mut script = script(WINDOW, &[AckMode::Auto]);
        let life = script.subscribe(WorkerId(0));
        script.start(P);
        script.publish(P, 1, 1);
        script.answer(P, 1, 1, false);
        script.end(P, true);
        if seen {
            script.read(life, 1);
        }
        script.end_life(life, CRASH);
        let books = script.sound_books();
        assert_eq!((books.totals[outcome], books.totals[Count::Refused]), (1, 1));
        assert_eq!(causes(&books, 1, Q).contains(&"auto_ack"), seen);
    }
}
