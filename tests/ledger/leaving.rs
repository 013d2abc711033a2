//! Refusals and changes around dead letters, as random runs hit them rarely.

use rmq_scenario::ledger::event::ChangeKind::{Comes, Goes, Purged};
use rmq_scenario::ledger::event::{LifeEnd, LifeId};
use rmq_scenario::ledger::paths::Reason::{Expired, Rejected};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{AckMode, ExchangeId, ExchangeKind, QueueId, WorkerId};

use crate::build::{Draft, WINDOW};
use crate::rounds::{MANUAL, death, gives_up_to, stop};
use crate::script::{CRASH, P, Script, causes};

const WORK: QueueId = QueueId(0);
const DEAD: QueueId = QueueId(1);

/// `work` sends what it gives up to `dead`; two workers on one, one on the other.
fn script(ack: AckMode) -> Script {
    let mut draft = Draft::new();
    let (work, dead) = (draft.queue("work"), draft.queue("dead"));
    gives_up_to(&mut draft, work, ExchangeId(0), Some("dead"));
    draft.producer("p", ExchangeId(0), &["work"], 10, WINDOW);
    draft.worker("w-1", work, ack);
    draft.worker("w-2", work, ack);
    draft.worker("u", dead, MANUAL);
    Script::new(&draft)
}

/// Message 1 was refused by the first worker.
fn refused() -> (Script, LifeId) {
    let mut script = script(MANUAL);
    script.publish_all(P, 1, true);
    let life = script.subscribe(WorkerId(0));
    script.read(life, 1);
    script.reject(life, false);
    (script, life)
}

#[test]
fn a_refusal_that_is_lost_with_its_connection_lets_the_message_come_again() {
    let (mut script, first) = refused();
    assert!(script.ledger().awaits_dead_letters());
    let second = script.subscribe(WorkerId(1));
    script.end_life(first, CRASH);
    assert!(!script.is_final(), "it may come as a dead letter, or again");
    script.reread(second, 1);
    assert!(!script.ledger().awaits_dead_letters());
    script.complete(second);
    stop(&mut script, second);
    let books = script.sound_books();
    let found = [Count::Delivered, Count::Rejected, Count::DeadLettered, Count::Repeats];
    assert_eq!(found.map(|count| books.totals[count]), [1, 0, 0, 1]);
}

#[test]
fn a_refusal_that_the_broker_has_read_lets_nothing_come_again() {
    let (mut script, first) = refused();
    stop(&mut script, first);
    script.drain(WORK, &[1]);
    assert!(script.violation().contains("came again after the broker had read"));
    let (mut script, first) = refused();
    script.end_life(first, CRASH);
    script.drain(WORK, &[1]);
    let books = script.sound_books();
    // It was refused, whatever the broker knows of that; and it is still there.
    assert_eq!((books.totals[Count::Rejected], books.totals[Count::StillQueued]), (1, 1));
}

#[test]
fn a_dead_letter_may_be_told_before_its_refusal() {
    let mut script = script(MANUAL);
    let (worker, undertaker) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(2)));
    script.publish_all(P, 1, true);
    script.read(worker, 1);
    script.read_dead(undertaker, 1, &[death(WORK, Rejected, 1)]);
    script.reject(worker, false);
    assert!(!script.ledger().awaits_dead_letters(), "it was seen already");
    script.complete(undertaker);
    assert!(script.is_final());
    stop(&mut script, worker);
    stop(&mut script, undertaker);
    let books = script.sound_books();
    let found = [Count::Expected, Count::DeadLettered, Count::Delivered, Count::Rejected];
    assert_eq!(found.map(|count| books.totals[count]), [2, 1, 1, 0]);
}

#[test]
fn who_needs_no_acks_cannot_refuse() {
    for ack in [AckMode::Auto, AckMode::Early] {
        for requeue in [false, true] {
            let mut script = script(ack);
            script.publish_all(P, 1, true);
            let life = script.subscribe(WorkerId(0));
            script.read(life, 1);
            script.reject(life, requeue);
            script.end_life(life, CRASH);
            assert!(script.violation().contains("had nothing to reject"), "{ack:?}");
        }
    }
}

#[test]
fn a_dead_letter_for_two_queues_is_waited_for_in_both() {
    let mut draft = Draft::new();
    let exchange = draft.exchange("dlx", ExchangeKind::Fanout);
    let queues = ["work", "left", "right"].map(|name| draft.queue(name));
    draft.bind(exchange, queues[1], "");
    draft.bind(exchange, queues[2], "");
    gives_up_to(&mut draft, queues[0], exchange, None);
    draft.producer("p", ExchangeId(0), &["work"], 1, WINDOW);
    for (name, queue) in ["w", "l", "r"].into_iter().zip(queues) {
        draft.worker(name, queue, MANUAL);
    }
    let mut script = Script::new(&draft);
    let lives = [0, 1, 2].map(|n| script.subscribe(WorkerId(n)));
    script.publish_all(P, 1, true);
    script.read(lives[0], 1);
    script.reject(lives[0], false);
    let way = [death(queues[0], Rejected, 1)];
    assert!(!script.is_final(), "nobody has read it");
    script.read_dead(lives[1], 1, &way);
    script.complete(lives[1]);
    assert!(!script.is_final(), "one has read it");
    script.read_dead(lives[2], 1, &way);
    script.complete(lives[2]);
    lives.iter().for_each(|&life| stop(&mut script, life));
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Delivered], books.totals[Count::DeadLettered]), (2, 1));
    assert_eq!(books.deaths()[&(queues[0], Rejected)], 1, "one copy died, though two came");
}

/// A worker's own queue, bound to what the producer publishes to, with a grave.
fn temporary() -> (Script, QueueId) {
    let mut draft = Draft::new();
    let exchange = draft.exchange("x", ExchangeKind::Fanout);
    let queue = draft.owned("own", true);
    draft.worker("own", queue, MANUAL);
    let dead = draft.queue("dead");
    draft.bind(exchange, queue, "");
    gives_up_to(&mut draft, queue, ExchangeId(0), Some("dead"));
    draft.producer("p", exchange, &[""], 10, WINDOW);
    let mut script = Script::new(&draft);
    script.start(P);
    (script, dead)
}

#[test]
fn an_optional_copy_must_have_been_if_its_dead_letter_is() {
    // 1 is on its way when the queue comes, 2 is published while it comes, 3 while it goes.
    for arrived in [&[1, 2, 3][..], &[2], &[]] {
        let (mut script, dead) = temporary();
        let own = QueueId(0);
        script.publish(P, 1, 1);
        let comes = script.begin_change(own, Comes);
        script.publish(P, 2, 1);
        script.end_change(comes);
        let goes = script.begin_change(own, Goes);
        script.publish(P, 3, 1);
        script.answer(P, 1, 3, true);
        script.end(P, true);
        script.end_change(goes);
        let way = [death(own, Expired, 1)];
        let found: Vec<_> = arrived.iter().map(|n| (*n, &way[..])).collect();
        script.drain_dead(dead, &found);
        let books = script.sound_books();
        let count = arrived.len() as u64;
        assert_eq!(books.queues[own.index()][Count::DeadLettered], count);
        assert_eq!(books.queues[dead.index()][Count::Remaining], count);
        let sums = (books.totals[Count::Expected], books.totals[Count::Unexpected]);
        assert_eq!(sums, (2 * count, 0), "{arrived:?}");
    }
}

#[test]
fn what_is_published_under_a_purge_may_be_purged() {
    let mut script = script(MANUAL);
    script.start(P);
    script.publish(P, 1, 1);
    script.answer(P, 1, 1, true);
    let purge = script.begin_change(WORK, Purged);
    script.publish(P, 2, 2);
    script.answer(P, 2, 2, true);
    script.end_change(purge);
    script.publish(P, 4, 1);
    script.answer(P, 4, 1, true);
    script.end(P, true);
    script.drain(WORK, &[3]);
    let books = script.sound_books();
    let found = [Count::Expected, Count::Remaining, Count::Lost];
    assert_eq!(found.map(|count| books.totals[count]), [3, 1, 2]);
    assert_eq!(causes(&books, 1, WORK), ["queue_gone"]);
    assert_eq!(causes(&books, 4, WORK), ["unexplained"]);
}

#[test]
fn a_purge_that_ends_before_its_queue_goes_does_not_keep_the_queue() {
    let mut script = script(MANUAL);
    let goes = script.begin_change(WORK, Goes);
    script.change(WORK, Purged);
    script.end_change(goes);
    script.publish_all(P, 2, true);
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Unroutable], books.totals[Count::Lost]), (2, 0));
}

#[test]
fn a_change_that_did_not_happen_changes_nothing_that_is_published_later() {
    let mut script = script(MANUAL);
    let goes = script.begin_change(WORK, Goes);
    let at = script.at;
    script.events.push(rmq_scenario::ledger::event::Event::ChangeDropped { change: goes, at });
    script.publish_all(P, 1, true);
    let books = script.sound_books();
    assert_eq!(causes(&books, 1, WORK), ["unexplained"]);
    assert_eq!(books.queues[DEAD.index()][Count::Expected], 0);
}

#[test]
fn an_ack_that_was_lost_lets_a_message_expire_into_another_queue() {
    let mut draft = Draft::new();
    let (work, dead) = (draft.queue("work"), draft.queue("dead"));
    gives_up_to(&mut draft, work, ExchangeId(0), Some("dead"));
    draft.0.topology.queues[work.index()].message_ttl = Some(std::time::Duration::from_secs(1));
    draft.producer("p", ExchangeId(0), &["work"], 1, WINDOW);
    draft.worker("w", work, MANUAL);
    draft.worker("u", dead, MANUAL);
    for how in [CRASH, LifeEnd::Stopped] {
        let mut script = Script::new(&draft);
        let (worker, undertaker) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
        script.publish_all(P, 1, true);
        script.read(worker, 1);
        script.complete(worker);
        assert!(script.is_final(), "its worker lives");
        script.end_life(worker, how);
        assert!(!script.is_final(), "nobody knows whether the broker has read the ack");
        if how == CRASH {
            script.read_dead(undertaker, 1, &[death(work, Expired, 1)]);
            script.complete(undertaker);
        } else {
            script.life_read(worker);
        }
        assert!(script.is_final(), "{how:?}");
    }
}
