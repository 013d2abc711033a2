//! Where dead letters came from: rounds, ways that cross, and ways that cannot be.

use rmq_scenario::ledger::event::{LifeEnd, LifeId, Sighting};
use rmq_scenario::ledger::paths::Reason::{Expired, Rejected};
use rmq_scenario::ledger::paths::{Death, PathId, Reason};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{
    AckMode, DeadLetter, ExchangeId, ExchangeKind, ExchangeRef, QueueId, QueueKind, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::script::{P, Script, message};

pub const MANUAL: AckMode = AckMode::Manual { every: 1 };

pub fn death(queue: QueueId, reason: Reason, count: u32) -> Death {
    Death { queue, reason, count }
}

/// What the queue gives up goes to an exchange, with a key.
pub fn gives_up_to(draft: &mut Draft, queue: QueueId, exchange: ExchangeId, key: Option<&str>) {
    draft.0.topology.queues[queue.index()].dead_letter = Some(DeadLetter {
        exchange: ExchangeRef::Declared(exchange),
        routing_key: key.map(str::to_owned),
        at_least_once: false,
    });
}

/// Stops a worker in good order.
pub fn stop(script: &mut Script, life: LifeId) {
    script.end_life(life, LifeEnd::Stopped);
    script.life_read(life);
}

/// `work` sends to `retry` and `retry` back, whichever was declared first.
fn round(names: [&str; 2]) -> (Draft, QueueId, QueueId) {
    let mut draft = Draft::new();
    let ids = names.map(|name| draft.queue(name));
    let of = |name| ids[usize::from(names[1] == name)];
    let (work, retry) = (of("work"), of("retry"));
    gives_up_to(&mut draft, work, ExchangeId(0), Some("retry"));
    gives_up_to(&mut draft, retry, ExchangeId(0), Some("work"));
    draft.0.topology.queues[retry.index()].message_ttl = Some(std::time::Duration::from_micros(10));
    draft.worker("w", work, MANUAL);
    (draft, work, retry)
}

#[test]
fn rounds_are_traced_back_whichever_queue_was_declared_first() {
    for names in [["work", "retry"], ["retry", "work"]] {
        let (mut draft, work, retry) = round(names);
        draft.producer("p", ExchangeId(0), &["work"], 1, WINDOW);
        let mut script = Script::new(&draft);
        let life = script.subscribe(WorkerId(0));
        script.publish_all(P, 1, true);
        script.read(life, 1);
        script.reject(life, false);
        for times in 1..=3 {
            script.read_dead(
                life,
                1,
                &[death(retry, Expired, times), death(work, Rejected, times)],
            );
            if times < 3 {
                script.reject(life, false);
            }
        }
        script.complete(life);
        assert!(!script.ledger().awaits_dead_letters());
        stop(&mut script, life);
        let books = script.sound_books();
        let found = [Count::Expected, Count::DeadLettered, Count::Delivered, Count::Unexpected];
        assert_eq!(found.map(|count| books.totals[count]), [7, 6, 1, 0], "{names:?}");
        assert_eq!(books.queues[retry.index()][Count::DeadLettered], 3);
        let deaths = books.deaths();
        assert_eq!((deaths[&(retry, Expired)], deaths[&(work, Rejected)]), (3, 3));
    }
}

#[test]
fn two_messages_may_go_the_same_round_from_different_sides() {
    let (mut draft, work, retry) = round(["work", "retry"]);
    draft.producer("p", ExchangeId(0), &["work", "retry"], 2, WINDOW);
    let mut script = Script::new(&draft);
    script.publish_all(P, 2, true);
    // Both were given up by each queue once; the last step differs.
    let (worked, waited) = (death(work, Expired, 1), death(retry, Expired, 1));
    script.drain_dead(work, &[(1, &[waited, worked])]);
    script.drain_dead(retry, &[(2, &[worked, waited])]);
    let books = script.sound_books();
    let found = [Count::Expected, Count::DeadLettered, Count::Remaining, Count::Unexpected];
    assert_eq!(found.map(|count| books.totals[count]), [6, 4, 2, 0]);
}

#[test]
fn a_step_that_was_seen_is_believed_before_one_that_nobody_saw() {
    let (mut draft, work, retry) = round(["work", "retry"]);
    draft.producer("p", ExchangeId(0), &["work"], 1, WINDOW);
    draft.worker("r", retry, MANUAL);
    let mut script = Script::new(&draft);
    let (worker, waiter) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.publish_all(P, 1, true);
    script.read(worker, 1);
    script.reject(worker, false);
    // The first wait was seen, the next stay in `work` expired unseen, and so did the next wait.
    script.read_dead(waiter, 1, &[death(work, Rejected, 1)]);
    script.end_life(waiter, LifeEnd::Failed);
    script.life_noticed(waiter);
    let all = [death(retry, Expired, 2), death(work, Rejected, 1), death(work, Expired, 1)];
    script.read_dead(worker, 1, &all);
    script.complete(worker);
    stop(&mut script, worker);
    let books = script.sound_books();
    let found = [Count::Expected, Count::DeadLettered, Count::Delivered, Count::Lost];
    assert_eq!(found.map(|count| books.totals[count]), [5, 4, 1, 0]);
}

#[test]
fn a_way_that_cannot_be_is_unexpected_and_proves_nothing() {
    let (mut draft, work, retry) = round(["work", "retry"]);
    let other = draft.queue("other");
    draft.producer("p", ExchangeId(0), &["work"], 1, WINDOW);
    draft.worker("o", other, MANUAL);
    let strange = Sighting { message: message(1), path: PathId::STRANGE };
    let ways: [&[Death]; 4] = [
        // `work` sends nothing to `other`, nor has `other` anywhere to send it.
        &[death(work, Rejected, 1)],
        &[death(other, Expired, 1)],
        // It was never published to `retry`.
        &[death(work, Expired, 1), death(retry, Expired, 1)],
        &[death(retry, Expired, 7)],
    ];
    for way in [None].into_iter().chain(ways.map(Some)) {
        let mut script = Script::new(&draft);
        script.publish_all(P, 1, true);
        let life = script.subscribe(WorkerId(1));
        match way {
            Some(way) => script.read_dead(life, 1, way),
            None => script.read_sighting(life, strange),
        }
        script.complete(life);
        stop(&mut script, life);
        script.drain(work, &[1]);
        let books = script.sound_books();
        let found = [Count::Unexpected, Count::Expected, Count::Remaining, Count::DeadLettered];
        assert_eq!(found.map(|count| books.totals[count]), [1, 1, 1, 0], "{way:?}");
    }
}

#[test]
fn a_dead_letter_on_a_stream_is_another_copy_for_each_of_its_workers() {
    let mut draft = Draft::new();
    let exchange = draft.exchange("x", ExchangeKind::Fanout);
    let (work, log) = (draft.queue("work"), draft.queue("log"));
    draft.0.topology.queues[log.index()].kind = QueueKind::Stream;
    draft.bind(exchange, work, "");
    draft.bind(exchange, log, "");
    gives_up_to(&mut draft, work, ExchangeId(0), Some("log"));
    draft.producer("p", exchange, &[""], 1, WINDOW);
    draft.worker("w", work, MANUAL);
    draft.worker("a", log, MANUAL);
    draft.worker("b", log, MANUAL);
    let mut script = Script::new(&draft);
    let lives = [0, 1, 2].map(|n| script.subscribe(WorkerId(n)));
    script.publish_all(P, 1, true);
    script.read(lives[0], 1);
    script.reject(lives[0], false);
    let dead = [death(work, Rejected, 1)];
    for (reader, other) in [(1, 2), (2, 1)] {
        assert!(!script.is_final(), "before {reader} has read all");
        script.read(lives[reader], 1);
        script.complete(lives[reader]);
        script.read_dead(lives[reader], 1, &dead);
        script.complete(lives[reader]);
        assert_eq!(script.is_final(), reader == 2, "{other} has not read it");
    }
    lives.iter().for_each(|&life| stop(&mut script, life));
    script.drain_dead(log, &[(1, &[]), (1, &dead)]);
    let books = script.sound_books();
    let found = [Count::Expected, Count::Delivered, Count::Repeats, Count::Duplicates];
    assert_eq!(found.map(|count| books.totals[count]), [3, 2, 0, 0]);
}

#[test]
fn a_worker_that_reads_a_stream_again_breaks_no_order() {
    let mut draft = Draft::new();
    let log = draft.queue("log");
    draft.0.topology.queues[log.index()].kind = QueueKind::Stream;
    draft.producer("p", ExchangeId(0), &["log"], 3, WINDOW);
    draft.worker("a", log, MANUAL);
    let mut script = Script::new(&draft);
    script.publish_all(P, 3, true);
    for _ in 0..2 {
        let life = script.subscribe(WorkerId(0));
        for n in 1..=3 {
            script.read(life, n);
            script.complete(life);
        }
        stop(&mut script, life);
    }
    script.drain(log, &[1, 2, 3]);
    let books = script.sound_books();
    let found = [Count::Delivered, Count::Repeats, Count::Duplicates];
    assert_eq!((found.map(|count| books.totals[count]), books.disorder_count), ([3, 3, 3], 0));
}

/// Two messages, each in two queues that give up to each other and to a third, went there by the
/// same deaths in opposite orders.
#[test]
fn what_was_last_is_asked_of_each_message_and_not_of_the_way() {
    let mut draft = Draft::new();
    let publish = draft.exchange("publish", ExchangeKind::Fanout);
    let dead = draft.exchange("dead", ExchangeKind::Direct);
    let (a, b, end) = (draft.queue("a"), draft.queue("b"), draft.queue("end"));
    for (queue, other, key) in [(a, b, "from-a"), (b, a, "from-b")] {
        draft.bind(publish, queue, "");
        draft.bind(dead, other, key);
        draft.bind(dead, end, key);
        gives_up_to(&mut draft, queue, dead, Some(key));
        draft.0.topology.queues[queue.index()].max_length = Some(2);
        draft.0.topology.queues[queue.index()].message_ttl =
            Some(std::time::Duration::from_micros(10));
    }
    draft.producer("p", publish, &[""], 2, WINDOW);
    let mut script = Script::new(&draft);
    script.publish_all(P, 2, true);
    let (of_a, of_b) = (death(a, Expired, 1), death(b, Reason::MaxLength, 1));
    script.drain_dead(end, &[(1, &[of_b, of_a]), (2, &[of_a, of_b])]);
    script.drain_dead(a, &[(2, &[])]);
    script.drain_dead(b, &[(1, &[])]);
    let books = script.sound_books();
    let left = |n, queue| {
        let mut of = books.copies().filter(|it| it.message == message(n) && it.queue == queue);
        of.find(|it| it.path == PathId::NONE).expect("it was published").outcome
    };
    assert_eq!([left(1, a), left(1, b)], [Count::DeadLettered, Count::Remaining]);
    assert_eq!([left(2, a), left(2, b)], [Count::Remaining, Count::DeadLettered]);
}

/// Two queues give up to each other and to a third, or one to the other and that to the third. A
/// message is found twice in the third with the same deaths.
#[test]
fn two_that_took_the_same_steps_in_other_orders_may_meet() {
    for both in [true, false] {
        let mut draft = Draft::new();
        let publish = draft.exchange("publish", ExchangeKind::Fanout);
        let dead = draft.exchange("dead", ExchangeKind::Direct);
        let (a, b, end) = (draft.queue("a"), draft.queue("b"), draft.queue("end"));
        for (queue, other, key) in [(a, b, "from-a"), (b, a, "from-b")] {
            if both || queue == a {
                draft.bind(publish, queue, "");
                draft.bind(dead, other, key);
            }
            if both || queue == b {
                draft.bind(dead, end, key);
            }
            gives_up_to(&mut draft, queue, dead, Some(key));
            let ttl = Some(std::time::Duration::from_micros(10));
            draft.0.topology.queues[queue.index()].message_ttl = ttl;
        }
        draft.producer("p", publish, &[""], 1, WINDOW);
        draft.worker("w", end, MANUAL);
        let mut script = Script::new(&draft);
        script.publish_all(P, 1, true);
        let (of_a, of_b) = (death(a, Expired, 1), death(b, Expired, 1));
        let other = if both { [of_a, of_b] } else { [of_b, of_a] };
        script.drain_dead(end, &[(1, &[of_b, of_a]), (1, &other)]);
        let violations = script.books().violations;
        assert_eq!(violations.is_empty(), both, "{violations:?}");
    }
}
