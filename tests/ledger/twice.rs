//! Messages that are published again: what is known of each send, and of which of the two that it
//! makes something is told.

use std::time::Duration;

use rmq_scenario::ledger::event::{ChangeKind, LifeEnd, LifeId, Sighting};
use rmq_scenario::ledger::paths::Reason::Expired;
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::StopHow::Sigkill;
use rmq_scenario::plan::model::{
    AckMode, Confirms, ExchangeId, ExchangeKind, Offset, QueueId, QueueKind, Unconfirmed, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::rounds::{MANUAL, death, gives_up_to, stop};
use crate::script::{CRASH, P, Script, causes, message};

const Q: QueueId = QueueId(0);

/// A queue `q` with three workers, and a producer that publishes again, with this key.
fn draft(key: &str, acks: [AckMode; 3]) -> Draft {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &[key], 10, WINDOW);
    draft.0.producers[0].unconfirmed = Unconfirmed::Republish;
    for (index, ack) in acks.into_iter().enumerate() {
        draft.worker(&format!("w-{}", index + 1), queue, ack);
    }
    draft
}

/// Message 1 is published, and once more after a lost connection.
fn twice(draft: &Draft) -> Script {
    let mut script = Script::new(draft);
    script.start(P);
    script.publish(P, 1, 1);
    script.reconnect(P);
    script.republish(P, &[1]);
    script.answer(P, 1, 1, true);
    script.end(P, true);
    script
}

#[test]
fn what_finds_no_queue_comes_back_once_for_each_send() {
    for (times, sound) in [(1, true), (2, false)] {
        let mut draft = draft("nobody", [MANUAL; 3]);
        draft.0.producers[0].mandatory = true;
        let mut script = Script::new(&draft);
        script.start(P);
        script.publish(P, 1, 1);
        script.give_back(message(1));
        script.reconnect(P);
        script.republish(P, &[1]);
        for _ in 0..times {
            script.give_back(message(1));
        }
        script.answer(P, 1, 1, true);
        script.end(P, true);
        let books = script.books();
        assert_eq!(books.violations.is_empty(), sound, "{:?}", books.violations);
        let names = [Count::Published, Count::Returned, Count::Unroutable, Count::Republished];
        assert_eq!(names.map(|count| books.totals[count]), [1; 4]);
    }
}

/// A subscriber to a fanout holds message 1 in a queue of its own when that goes; published again,
/// the message finds no queue.
#[test]
fn a_send_that_finds_no_queue_says_nothing_of_the_first() {
    let mut draft = Draft::new();
    let exchange = draft.exchange("x", ExchangeKind::Fanout);
    let queue = draft.owned("own", true);
    draft.worker("own", queue, MANUAL);
    draft.bind(exchange, queue, "");
    draft.producer("p", exchange, &[""], 1, WINDOW);
    draft.0.producers[0].unconfirmed = Unconfirmed::Republish;
    let mut script = Script::new(&draft);
    script.change(queue, ChangeKind::Comes);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 1);
    script.read(life, 1);
    let change = script.begin_change(queue, ChangeKind::Goes);
    script.end_life(life, CRASH);
    script.end_change(change);
    script.reconnect(P);
    script.republish(P, &[1]);
    script.answer(P, 1, 1, true);
    script.end(P, true);
    assert_eq!(causes(&script.sound_books(), 1, queue), ["queue_gone"]);
}

/// The same with a broker that is killed under what it has not confirmed: it confirms the second.
#[test]
fn an_answer_to_the_second_send_is_none_to_the_first() {
    let mut draft = Draft::new();
    let exchange = draft.exchange("x", ExchangeKind::Fanout);
    let queue = draft.auto_delete("q");
    draft.bind(exchange, queue, "");
    draft.worker("w", queue, MANUAL);
    draft.producer("p", exchange, &[""], 1, WINDOW);
    draft.0.producers[0].unconfirmed = Unconfirmed::Republish;
    let mut script = Script::new(&draft);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 1);
    script.read(life, 1);
    let change = script.begin_change(queue, ChangeKind::Goes);
    script.restart(Sigkill);
    script.end_life(life, LifeEnd::Lost);
    script.end_change(change);
    script.reconnect(P);
    script.republish(P, &[1]);
    script.answer(P, 1, 1, true);
    script.end(P, true);
    let mut found = causes(&script.sound_books(), 1, queue);
    found.sort_unstable();
    assert_eq!(found, ["queue_gone", "unflushed"]);
}

/// Two workers have one of the two each, and finish it; then the first one dies, and what it held
/// comes to the third.
fn thrice(acked: bool) -> Vec<&'static str> {
    let mut script = twice(&draft("q", [MANUAL; 3]));
    let lives: Vec<LifeId> = (0..3).map(|it| script.subscribe(WorkerId(it))).collect();
    script.read(lives[0], 1);
    script.begin(lives[0]);
    script.finish(lives[0]);
    script.read(lives[1], 1);
    script.complete(lives[1]);
    if acked {
        script.ack(lives[0]);
    }
    script.end_life(lives[0], CRASH);
    script.reread(lives[2], 1);
    script.complete(lives[2]);
    stop(&mut script, lives[1]);
    stop(&mut script, lives[2]);
    let books = script.sound_books();
    assert_eq!(books.totals[Count::Finished], 3);
    let mut found = causes(&books, 1, Q);
    found.sort_unstable();
    found
}

#[test]
fn a_third_delivery_of_one_of_two_says_why_it_came() {
    assert!(thrice(false).contains(&"requeued"), "{:?}", thrice(false));
    assert!(thrice(true).contains(&"ack_lost"), "{:?}", thrice(true));
    assert!(thrice(false).contains(&"republished"));
}

#[test]
fn both_of_two_in_a_stream_are_one_published_again() {
    let mut draft = draft("q", [MANUAL; 3]);
    draft.0.topology.queues[0].kind = QueueKind::Stream;
    draft.0.workers.iter_mut().for_each(|worker| worker.offset = Some(Offset::First));
    let mut script = twice(&draft);
    let life = script.subscribe(WorkerId(0));
    for _ in 0..2 {
        script.read(life, 1);
        script.complete(life);
    }
    stop(&mut script, life);
    script.drain(Q, &[1, 1]);
    let books = script.sound_books();
    assert_eq!(books.totals[Count::Duplicates], 1);
    assert_eq!(causes(&books, 1, Q), ["republished"]);
}

#[test]
fn with_confirms_off_nothing_is_published_again() {
    let mut draft = draft("q", [MANUAL; 3]);
    draft.0.producers[0].confirms = Confirms::Off;
    let mut script = Script::new(&draft);
    script.start(P);
    script.publish(P, 1, 1);
    script.end(P, true);
    script.start(P);
    script.republish(P, &[1, 2]);
    script.end(P, true);
    assert!(script.violation().contains("published again, which cannot be"));
}

/// Under automatic acks a worker dies that had read message 2; 1 was on its way to it, in order or
/// published again.
#[test]
fn what_is_published_again_may_be_sent_behind_later_ones() {
    for again in [true, false] {
        let mut script = Script::new(&draft("q", [AckMode::Auto; 3]));
        let life = script.subscribe(WorkerId(0));
        script.start(P);
        script.publish(P, 1, 2);
        if again {
            script.answer(P, 2, 1, true);
            script.reconnect(P);
            script.republish(P, &[1]);
            script.answer(P, 1, 1, true);
        } else {
            script.answer(P, 1, 2, true);
        }
        script.end(P, true);
        script.read(life, 2);
        script.complete(life);
        script.end_life(life, CRASH);
        let expected = if again { "auto_ack" } else { "unexplained" };
        assert_eq!(causes(&script.sound_books(), 1, Q), [expected]);
    }
    // Whoever is over by then is sent nothing more.
    let mut script = Script::new(&draft("q", [AckMode::Auto; 3]));
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    script.publish(P, 1, 2);
    script.answer(P, 2, 1, true);
    script.read(life, 2);
    script.end_life(life, CRASH);
    script.life_noticed(life);
    script.wait(1_000);
    script.reconnect(P);
    script.republish(P, &[1]);
    script.answer(P, 1, 1, true);
    script.end(P, true);
    assert_eq!(causes(&script.sound_books(), 1, Q), ["unexplained"]);
}

/// A queue gave message 1 up to `dead`, and when its broker was killed it forgot that and did so
/// again. The first worker had finished the first of the two and never acked it; the second one
/// reads the second, and the first comes back to the third.
#[test]
fn a_third_delivery_of_a_dead_letter_that_came_twice_says_why() {
    let mut draft = Draft::new();
    let (queue, dead) = (draft.queue("q"), draft.queue("dead"));
    gives_up_to(&mut draft, queue, ExchangeId(0), Some("dead"));
    draft.0.topology.queues[queue.index()].message_ttl = Some(Duration::from_micros(10));
    draft.producer("p", ExchangeId(0), &["q"], 1, WINDOW);
    for name in ["w-1", "w-2", "w-3"] {
        draft.worker(name, dead, MANUAL);
    }
    let mut script = Script::new(&draft);
    let way = [death(queue, Expired, 1)];
    let first = script.subscribe(WorkerId(0));
    script.publish_all(P, 1, true);
    script.read_dead(first, 1, &way);
    script.begin(first);
    script.finish(first);
    script.restart(Sigkill);
    script.end_life(first, LifeEnd::Lost);
    let (second, third) = (script.subscribe(WorkerId(1)), script.subscribe(WorkerId(2)));
    script.read_dead(second, 1, &way);
    script.complete(second);
    let seen = Sighting { message: message(1), path: script.paths.read(&way) };
    script.reread_sighting(third, seen);
    script.complete(third);
    stop(&mut script, second);
    stop(&mut script, third);
    let mut found = causes(&script.sound_books(), 1, dead);
    found.sort_unstable();
    assert_eq!(found, ["ack_lost", "requeued"]);
}
