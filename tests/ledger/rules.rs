//! Copies that a rule of their queue has taken, or may have taken where a fault may have too.

use std::time::Duration;

use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::ChangeKind::Comes;
use rmq_scenario::ledger::event::LifeEnd;
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{
    AckMode, Confirms, ExchangeId, ExchangeKind, KillHow, QueueId, QueueKind, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::rounds::{MANUAL, stop};
use crate::script::{CRASH, P, Script, causes};

const Q: QueueId = QueueId(0);

/// A queue `q` with three workers.
fn draft(ack: AckMode) -> Draft {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 100_000, WINDOW);
    for name in ["w-1", "w-2", "w-3"] {
        draft.worker(name, queue, ack);
    }
    draft
}

fn became(books: &Books, n: u32) -> (Count, Vec<&'static str>) {
    let view = books.copies().find(|view| view.message.n == n).expect("it was published");
    (view.outcome, causes(books, n, Q))
}

/// A TTL of a second, long over at the end.
fn mortal(ack: AckMode) -> Script {
    let mut draft = draft(ack);
    draft.0.topology.queues[0].message_ttl = Some(Duration::from_secs(1));
    let mut script = Script::new(&draft);
    script.publish_all(P, 2, true);
    script
}

#[test]
fn what_a_rule_and_a_fault_can_have_taken_is_lost_to_both() {
    // Sent to a worker that died, or expired: nobody read it.
    let mut script = mortal(AckMode::Auto);
    let life = script.subscribe(WorkerId(0));
    script.read(life, 1);
    script.end_life(life, CRASH);
    script.wait(5_000_000);
    let books = script.sound_books();
    assert_eq!(became(&books, 1), (Count::Lost, vec!["auto_ack"]), "it was read");
    assert_eq!(became(&books, 2), (Count::Lost, vec!["auto_ack", "ttl"]));
    // Without a fault it is the rule; before its time it is neither.
    let mut script = mortal(AckMode::Auto);
    script.wait(5_000_000);
    assert_eq!(became(&script.sound_books(), 1), (Count::Expired, vec!["ttl"]));
    let mut script = mortal(AckMode::Auto);
    script.wait(900_000);
    assert_eq!(became(&script.sound_books(), 1), (Count::Lost, vec!["unexplained"]));
}

#[test]
fn an_early_ack_that_was_lost_leaves_the_message_to_its_time() {
    for (read, causes) in [(false, vec!["early_ack", "ttl"]), (true, vec!["early_ack"])] {
        let mut script = mortal(AckMode::Early);
        let life = script.subscribe(WorkerId(0));
        script.read(life, 1);
        script.begin(life);
        script.ack(life);
        script.end_life(life, CRASH);
        if read {
            script.life_read(life);
        }
        script.wait(5_000_000);
        assert_eq!(became(&script.sound_books(), 1), (Count::Lost, causes), "{read}");
    }
}

#[test]
fn where_two_rules_can_have_acted_both_are_named() {
    let mut draft = draft(MANUAL);
    let queue = &mut draft.0.topology.queues[0];
    (queue.message_ttl, queue.max_length) = (Some(Duration::from_secs(1)), Some(1));
    let mut script = Script::new(&draft);
    script.publish_all(P, 2, true);
    script.wait(5_000_000);
    let books = script.sound_books();
    assert_eq!(became(&books, 1), (Count::Expired, vec!["ttl", "max_length"]));
}

/// A quorum queue with this limit.
fn limited(limit: i64) -> Script {
    let mut draft = draft(MANUAL);
    let queue = &mut draft.0.topology.queues[0];
    (queue.kind, queue.delivery_limit) = (QueueKind::Quorum, Some(limit));
    let mut script = Script::new(&draft);
    script.publish_all(P, 1, true);
    script
}

#[test]
fn deliveries_that_nobody_read_count_towards_the_limit() {
    for (deaths, expected) in
        [(2, (Count::OverLimit, vec!["delivery_limit"])), (1, (Count::Lost, vec!["unexplained"]))]
    {
        let mut script = limited(1);
        for worker in 0..deaths {
            let life = script.subscribe(WorkerId(worker));
            script.end_life(life, CRASH);
        }
        let stopped = script.subscribe(WorkerId(2));
        stop(&mut script, stopped);
        assert_eq!(became(&script.sound_books(), 1), expected, "{deaths}");
    }
}

#[test]
fn a_limit_beyond_what_a_copy_counts_is_still_reached() {
    let mut script = limited(70_000);
    let life = script.subscribe(WorkerId(0));
    script.read(life, 1);
    script.reject(life, true);
    for _ in 0..70_000 {
        script.reread(life, 1);
        script.reject(life, true);
    }
    stop(&mut script, life);
    let books = script.sound_books();
    assert_eq!(became(&books, 1), (Count::OverLimit, vec!["worker_rejected", "delivery_limit"]));
    assert_eq!(books.workers[0][Count::Rejected], 70_001);
}

#[test]
fn what_comes_back_with_a_lost_ack_fills_its_queue() {
    let mut draft = draft(MANUAL);
    draft.0.topology.queues[0].max_length = Some(2);
    for (how, expected) in [
        (CRASH, (Count::Dropped, vec!["max_length"])),
        (LifeEnd::Stopped, (Count::Lost, vec!["unexplained"])),
    ] {
        let mut script = Script::new(&draft);
        script.start(P);
        script.publish(P, 1, 2);
        script.answer(P, 1, 2, true);
        let life = script.subscribe(WorkerId(0));
        for n in [1, 2] {
            script.read(life, n);
            script.complete(life);
        }
        script.publish(P, 3, 2);
        script.answer(P, 3, 2, true);
        script.end(P, true);
        script.end_life(life, how);
        if how == LifeEnd::Stopped {
            script.life_read(life);
        }
        script.drain(Q, &[4]);
        assert_eq!(became(&script.sound_books(), 3), expected, "{how:?}");
    }
}

#[test]
fn what_was_on_its_way_when_its_queue_came_counts_for_its_length() {
    let mut draft = Draft::new();
    let exchange = draft.exchange("x", ExchangeKind::Fanout);
    let queue = draft.owned("own", true);
    draft.0.topology.queues[queue.index()].max_length = Some(2);
    draft.worker("own", queue, MANUAL);
    draft.bind(exchange, queue, "");
    draft.producer("p", exchange, &[""], 10, Confirms::Off);
    let mut script = Script::new(&draft);
    script.start(P);
    script.publish(P, 1, 2);
    script.change(queue, Comes);
    script.publish(P, 3, 2);
    script.end(P, true);
    let life = script.subscribe(WorkerId(0));
    // 1 and 2 were there as well: 3 and 4 pushed them out, or 3 was pushed out behind them.
    script.read(life, 1);
    script.complete(life);
    stop(&mut script, life);
    script.drain(queue, &[4]);
    let books = script.sound_books();
    let dropped = books.copies().find(|view| view.message.n == 3).unwrap();
    assert_eq!((dropped.outcome, books.totals[Count::Unexpected]), (Count::Dropped, 0));
}

#[test]
fn what_a_cancelled_channel_holds_unread_counts_towards_the_limit() {
    for (limit, expected) in
        [(0, (Count::OverLimit, vec!["delivery_limit"])), (1, (Count::Lost, vec!["unexplained"]))]
    {
        let mut script = limited(limit);
        let life = script.subscribe(WorkerId(0));
        script.end_life(life, LifeEnd::Killed(KillHow::Cancel));
        assert_eq!(became(&script.sound_books(), 1), expected, "{limit}");
    }
}
