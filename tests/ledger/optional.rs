//! Copies around a queue that comes or goes, and what is counted of a publish beside them.

use std::collections::BTreeMap;

use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::ChangeKind::{Comes, Goes};
use rmq_scenario::ledger::event::LifeEnd;
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::StopHow::Graceful;
use rmq_scenario::plan::model::{AckMode, Confirms, ExchangeId, ExchangeKind, QueueId, WorkerId};
use rmq_scenario::plan::pattern::{Pattern, Scalar};

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script, causes, message};

const MANUAL: AckMode = AckMode::Manual { every: 1 };
const Q: QueueId = QueueId(0);

/// A producer on an exchange with the keys `a` and `b` in turn, and a subscriber whose
/// temporary queue is bound with `a`.
fn script(kind: ExchangeKind, confirms: Confirms, mandatory: bool) -> Script {
    let mut draft = Draft::new();
    let exchange = draft.exchange("logs", kind);
    let queue = draft.owned("late", true);
    draft.worker("late", queue, MANUAL);
    draft.bind(exchange, queue, "a");
    draft.producer("p", exchange, &["a", "b"], 10, confirms);
    draft.0.producers[0].mandatory = mandatory;
    Script::new(&draft)
}

/// Publishes the next message; with an answer it is not on its way any more.
fn publish(script: &mut Script, n: u32, answered: bool) {
    script.publish(P, n, 1);
    if answered {
        script.answer(P, n, 1, true);
    }
}

/// Message 1 before a subscriber comes, 2 on its way when it does, 3 while it does, 4 after.
/// It reads `seen`.
fn late_subscriber(seen: &[u32]) -> Books {
    let mut script = script(ExchangeKind::Fanout, WINDOW, false);
    script.start(P);
    publish(&mut script, 1, true);
    publish(&mut script, 2, false);
    let change = script.begin_change(Q, Comes);
    publish(&mut script, 3, true);
    script.answer(P, 2, 1, true);
    script.end_change(change);
    let life = script.subscribe(WorkerId(0));
    publish(&mut script, 4, true);
    script.end(P, true);
    for n in seen {
        script.read(life, *n);
        script.complete(life);
    }
    script.end_life(life, LifeEnd::Stopped);
    script.life_read(life);
    script.sound_books()
}

#[test]
fn around_a_late_subscriber_only_what_came_after_it_must_arrive() {
    for (seen, expected, delivered, lost, unexpected) in [
        (vec![4], 1, 1, 0, 0),
        (vec![3, 4], 2, 2, 0, 0),
        (vec![2, 3, 4], 3, 3, 0, 0),
        (vec![1, 4], 1, 1, 0, 1),
        (vec![3], 2, 1, 1, 0),
    ] {
        let books = late_subscriber(&seen);
        let counts = [Count::Expected, Count::Delivered, Count::Lost, Count::Unexpected];
        let found = counts.map(|count| books.totals[count]);
        assert_eq!(found, [expected, delivered, lost, unexpected], "{seen:?}");
    }
}

#[test]
fn a_message_on_its_way_gets_into_a_new_queue_only_through_a_binding() {
    let mut script = script(ExchangeKind::Direct, WINDOW, false);
    script.start(P);
    script.publish(P, 1, 2);
    script.change(Q, Comes);
    let life = script.subscribe(WorkerId(0));
    script.answer(P, 1, 2, true);
    script.end(P, true);
    for n in [1, 2] {
        script.read(life, n);
        script.complete(life);
    }
    script.end_life(life, LifeEnd::Stopped);
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Expected], books.totals[Count::Unexpected]), (1, 1));
    assert_eq!(books.strays, [(message(2), Q)]);
}

#[test]
fn without_confirms_a_message_is_on_its_way_until_seen_or_its_channel_closes() {
    for (closed_first, unexpected) in [(false, 0), (true, 1)] {
        let mut script = script(ExchangeKind::Fanout, Confirms::Off, false);
        script.start(P);
        script.publish(P, 1, 1);
        if closed_first {
            script.end(P, true);
        }
        script.change(Q, Comes);
        let life = script.subscribe(WorkerId(0));
        script.read(life, 1);
        script.complete(life);
        if !closed_first {
            script.end(P, true);
        }
        script.end_life(life, LifeEnd::Stopped);
        let books = script.sound_books();
        assert_eq!(books.totals[Count::Unexpected], unexpected, "closed first: {closed_first}");
    }
}

/// Message 1 is answered before its queue goes, 2 is on its way, 3 published while it goes,
/// 4 when it is gone. The worker has read `read`.
fn going(read: &[u32]) -> Books {
    let mut script = script(ExchangeKind::Fanout, WINDOW, false);
    script.change(Q, Comes);
    let life = script.subscribe(WorkerId(0));
    script.start(P);
    publish(&mut script, 1, true);
    publish(&mut script, 2, false);
    read.iter().for_each(|n| script.read(life, *n));
    let change = script.begin_change(Q, Goes);
    script.end_life(life, CRASH);
    publish(&mut script, 3, true);
    script.answer(P, 2, 1, true);
    script.end_change(change);
    publish(&mut script, 4, true);
    script.end(P, true);
    script.sound_books()
}

#[test]
fn around_a_queue_that_goes_only_what_was_there_is_lost() {
    let books = going(&[]);
    assert_eq!((books.totals[Count::Expected], books.totals[Count::Lost]), (1, 1));
    assert_eq!(books.totals[Count::Unroutable], 1, "the last one found no queue");
    assert_eq!(causes(&books, 1, Q), ["queue_gone"]);
    let books = going(&[1, 2]);
    assert_eq!((books.totals[Count::Expected], books.totals[Count::Lost]), (2, 2));
    assert_eq!(causes(&books, 2, Q), ["queue_gone"]);
}

#[test]
fn a_temporary_queue_may_be_back_before_the_last_one_is_verified_gone() {
    let mut script = script(ExchangeKind::Fanout, WINDOW, false);
    script.change(Q, Comes);
    let first = script.subscribe(WorkerId(0));
    script.start(P);
    let goes = script.begin_change(Q, Goes);
    script.end_life(first, CRASH);
    let comes = script.begin_change(Q, Comes);
    publish(&mut script, 1, true);
    script.end_change(comes);
    let second = script.subscribe(WorkerId(0));
    script.end_change(goes);
    publish(&mut script, 2, true);
    script.end(P, true);
    script.read(second, 2);
    script.complete(second);
    script.end_life(second, LifeEnd::Stopped);
    let books = script.sound_books();
    let only = [((message(2), Q), Count::Delivered)].into();
    let outcomes: BTreeMap<_, _> =
        books.copies().map(|view| ((view.message, view.queue), view.outcome)).collect();
    assert_eq!((outcomes, books.totals[Count::Unexpected]), (only, 0));
}

#[test]
fn a_subscription_that_ends_while_its_queue_is_declared_leaves_copies_optional() {
    let mut script = script(ExchangeKind::Fanout, WINDOW, false);
    script.start(P);
    let comes = script.begin_change(Q, Comes);
    let goes = script.begin_change(Q, Goes);
    publish(&mut script, 1, true);
    script.end_change(comes);
    publish(&mut script, 2, true);
    script.end_change(goes);
    script.end(P, true);
    script.drain(Q, &[1]);
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Expected], books.totals[Count::Unexpected]), (1, 0));
}

#[test]
fn a_mandatory_message_without_a_queue_is_returned_and_confirmed() {
    let mut script = script(ExchangeKind::Fanout, WINDOW, true);
    script.start(P);
    script.publish(P, 1, 1);
    script.give_back(message(1));
    script.answer(P, 1, 1, true);
    script.end(P, true);
    let counts = script.sound_books().producers[0];
    let names = [Count::Returned, Count::Unroutable, Count::Confirmed, Count::Expected];
    assert_eq!(names.map(|count| counts[count]), [1, 1, 1, 0]);
}

#[test]
fn while_a_queue_changes_the_broker_alone_knows_what_is_unroutable() {
    for (returned, seen, unroutable) in [(true, false, 1), (false, false, 0), (false, true, 0)] {
        let mut script = script(ExchangeKind::Fanout, WINDOW, true);
        script.start(P);
        let change = script.begin_change(Q, Comes);
        script.publish(P, 1, 1);
        if returned {
            script.give_back(message(1));
        }
        script.answer(P, 1, 1, true);
        script.end_change(change);
        script.end(P, true);
        script.drain(Q, if seen { &[1] } else { &[] });
        let books = script.sound_books();
        let found = [Count::Returned, Count::Unroutable, Count::Remaining];
        let expected = [u64::from(returned), unroutable, u64::from(seen)];
        assert_eq!(found.map(|count| books.totals[count]), expected);
    }
}

#[test]
fn a_routing_key_that_looks_like_headers_is_none() {
    let mut draft = Draft::new();
    let direct = draft.exchange("x", ExchangeKind::Direct);
    let queue = draft.queue("q");
    draft.bind(direct, queue, "k");
    let looks_alike = r#"k [("h", Int(1))]"#;
    draft.producer("p", direct, &["k", looks_alike], 2, WINDOW);
    let header = Pattern::Cycle(vec![Scalar::Int(1), Scalar::Null]);
    draft.0.producers[0].headers = vec![("h".to_owned(), header)];
    let mut script = Script::new(&draft);
    script.publish_all(P, 2, true);
    script.drain(queue, &[1]);
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Expected], books.totals[Count::Unroutable]), (1, 1));
}

#[test]
fn strays_are_named_in_the_order_of_their_numbers() {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["nobody"], 100, WINDOW);
    let mut script = Script::new(&draft);
    script.publish_all(P, 100, true);
    let found: Vec<u32> = (1..=100).rev().collect();
    script.drain(queue, &found);
    let books = script.sound_books();
    assert_eq!(books.strays, [1, 2, 3, 4, 5].map(|n| (message(n), queue)));
    assert_eq!(books.totals[Count::Unexpected], 100);
}

#[test]
fn a_way_that_is_lost_later_was_one_when_the_queue_came() {
    let mut draft = Draft::new();
    let exchange = draft.exchange("logs", ExchangeKind::Fanout);
    draft.0.topology.exchanges[exchange.index()].durable = false;
    let queue = draft.owned("late", true);
    draft.worker("late", queue, AckMode::Auto);
    draft.bind(exchange, queue, "");
    draft.producer("p", exchange, &[""], 1, Confirms::Off);
    let mut script = Script::new(&draft);
    script.start(P);
    script.publish(P, 1, 1);
    script.change(queue, Comes);
    let life = script.subscribe(WorkerId(0));
    let change = script.begin_change(queue, Goes);
    script.restart(Graceful);
    script.end_change(change);
    script.end(P, false);
    // It tells late of what it had read before.
    script.read(life, 1);
    script.complete(life);
    script.end_life(life, LifeEnd::Lost);
    let books = script.sound_books();
    let names = [Count::Unexpected, Count::Expected, Count::Delivered];
    assert_eq!(names.map(|count| books.totals[count]), [0, 1, 1]);
}
