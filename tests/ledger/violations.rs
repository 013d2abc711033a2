//! What cannot be is a violation, each with the run that is only just possible beside it.

use rmq_scenario::ledger::event::{
    Answer, ChangeId, ChangeKind, Event, LifeEnd, LifeId, LifeTotals, MessageKey, ProducerEnd,
    WorkEvent,
};
use rmq_scenario::ledger::facts::Facts;
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::StopHow::Graceful;
use rmq_scenario::plan::model::{
    AckMode, Confirms, ExchangeId, KillHow, ProducerId, QueueId, WorkerId,
};
use rmq_scenario::verdict::model::Verdict;

use crate::build::{Draft, WINDOW};
use crate::script::{CRASH, P, Script, message};

const MANUAL: AckMode = AckMode::Manual { every: 1 };
const Q: QueueId = QueueId(0);
const STOPPED: LifeEnd = LifeEnd::Stopped;

/// A confirming producer that published three messages, and a worker that subscribed.
fn started(ack: AckMode) -> (Script, LifeId) {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 10, WINDOW);
    draft.worker("w-1", queue, ack);
    draft.worker("w-2", queue, ack);
    let mut script = Script::new(&draft);
    script.publish_all(P, 3, true);
    let life = script.subscribe(WorkerId(0));
    (script, life)
}

fn says(script: &Script, part: &str) {
    let what = script.violation();
    assert!(what.contains(part), "{what:?} does not say {part:?}");
}

#[test]
fn a_violation_outweighs_everything_and_tells_the_history() {
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    script.read(life, 1);
    script.end_life(life, CRASH);
    let report = script.report(&Facts::default());
    assert_eq!((report.verdict, report.verdict.exit_code()), (Verdict::Unbalanced, 70));
    let first = &report.diagnostics[0];
    assert!(first.message.contains("the books do not balance"), "{first:?}");
    assert!(first.notes[0].starts_with("message 1: published"), "{first:?}");
}

/// The broker gives what it takes from a consumer to another, and who reads first is open. A
/// worker that leaves by itself has what it holds until then.
#[test]
fn what_another_consumer_holds() {
    for (how, sound) in [(LifeEnd::Failed, true), (STOPPED, false), (CRASH, false)] {
        let (mut script, life) = started(MANUAL);
        script.read(life, 1);
        let other = script.subscribe(WorkerId(1));
        script.reread(other, 1);
        script.complete(other);
        script.end_life(life, how);
        script.end_life(other, STOPPED);
        script.drain(Q, &[2, 3]);
        match sound {
            true => drop(script.sound_books()),
            false => says(&script, "while another consumer holds it"),
        }
    }
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    script.reread(life, 1);
    script.end_life(life, LifeEnd::Failed);
    says(&script, "while another consumer holds it");
}

#[test]
fn work_and_acks_of_what_was_not_delivered() {
    for (what, part) in [
        (WorkEvent::Begun { tag: 1 }, "not waiting for work"),
        (WorkEvent::Begun { tag: 2 }, "began where 1 was due"),
        (WorkEvent::Finished { tag: 1 }, "not in work"),
        (WorkEvent::Acked { tag: 1, multiple: false }, "not held"),
        (WorkEvent::Acked { tag: 1, multiple: true }, "not held"),
    ] {
        let (mut script, life) = started(MANUAL);
        script.work(life, what);
        script.end_life(life, CRASH);
        says(&script, part);
    }
}

#[test]
fn acks_that_the_worker_cannot_write() {
    let ack = WorkEvent::Acked { tag: 1, multiple: false };
    for (mode, begun, finished, part) in [
        (MANUAL, false, false, "out of order"),
        (MANUAL, true, false, "out of order"),
        (AckMode::Early, false, false, "out of order"),
        (AckMode::Early, true, true, "out of order"),
        (AckMode::Auto, true, false, "never acks"),
        (AckMode::Never, true, true, "never acks"),
    ] {
        let (mut script, life) = started(mode);
        script.read(life, 1);
        if begun {
            script.begin(life);
        }
        if finished {
            script.finish(life);
        }
        script.work(life, ack);
        script.end_life(life, CRASH);
        says(&script, part);
    }
}

#[test]
fn an_ack_twice() {
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    script.read(life, 2);
    script.begin(life);
    script.finish(life);
    script.ack(life);
    script.work(life, WorkEvent::Acked { tag: 1, multiple: false });
    script.end_life(life, CRASH);
    says(&script, "not held");
}

#[test]
fn delivery_tags_have_no_gap_and_no_double() {
    for (tags, sound) in [(vec![1, 2, 3], true), (vec![1, 3], false), (vec![1, 1], false)] {
        let (mut script, life) = started(MANUAL);
        for (n, tag) in (1..).zip(&tags) {
            let read =
                WorkEvent::Read { tag: *tag, message: Some(message(n).into()), redelivered: false };
            script.work(life, read);
        }
        let totals = LifeTotals { read: tags.len() as u64, ..LifeTotals::default() };
        script.events.push(Event::LifeEnded { life, how: CRASH, totals, at: 0 });
        script.drain(Q, &[1, 2, 3][..3 - tags.len().min(3)]);
        let books = script.books();
        assert_eq!(books.violations.is_empty(), sound, "{tags:?}: {:?}", books.violations);
    }
}

#[test]
fn a_repeat_bears_the_redelivered_flag() {
    for redelivered in [true, false] {
        let (mut script, life) = started(MANUAL);
        script.read(life, 1);
        script.end_life(life, CRASH);
        let second = script.subscribe(WorkerId(1));
        script.read_from(second, Some(message(1)), redelivered);
        script.end_life(second, CRASH);
        assert_eq!(script.books().violations.is_empty(), redelivered);
    }
}

#[test]
fn the_flag_on_a_first_delivery_is_only_a_claim() {
    let (mut script, life) = started(MANUAL);
    script.reread(life, 1);
    script.end_life(life, CRASH);
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Redelivered], books.totals[Count::Repeats]), (1, 0));
}

/// A message is finished and acked by a worker that ends in some way, and comes again.
fn acked_and_again(how: LifeEnd, answered: bool) -> Script {
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    script.complete(life);
    script.end_life(life, how);
    let second = script.subscribe(WorkerId(1));
    script.reread(second, 1);
    if answered {
        script.life_read(life);
    }
    script.end_life(second, CRASH);
    script
}

#[test]
fn what_was_acked_for_good_does_not_come_again() {
    acked_and_again(CRASH, false).sound_books();
    acked_and_again(STOPPED, false).sound_books();
    says(&acked_and_again(STOPPED, true), "after the broker had read w-1's ack");
    let close = LifeEnd::Killed(KillHow::CloseChannel);
    says(&acked_and_again(close, true), "after the broker had read w-1's ack");
    says(&acked_and_again(LifeEnd::Killed(KillHow::Cancel), false), "another consumer holds it");
}

#[test]
fn an_ack_counts_for_the_delivery_that_it_was_written_for() {
    // The first worker's ack was lost; the second one's close says nothing of it.
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    script.complete(life);
    script.end_life(life, CRASH);
    for (worker, how) in [(1, STOPPED), (0, CRASH)] {
        let life = script.subscribe(WorkerId(worker));
        script.reread(life, 1);
        script.end_life(life, how);
        if how == STOPPED {
            script.life_read(life);
        }
    }
    script.sound_books();
}

#[test]
fn what_was_acked_for_good_is_not_found_in_its_queue() {
    for answered in [false, true] {
        let (mut script, life) = started(MANUAL);
        script.read(life, 1);
        script.complete(life);
        script.end_life(life, CRASH);
        if answered {
            script.life_read(life);
        }
        script.drain(Q, &[1]);
        assert_eq!(script.books().violations.is_empty(), !answered);
    }
}

#[test]
fn thousands_of_honest_returns_hide_no_false_one() {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 2000, WINDOW);
    for n in 0..3 {
        draft.worker(&format!("w-{n}"), queue, MANUAL);
    }
    let mut script = Script::new(&draft);
    script.publish_all(P, 2000, true);
    let (crashed, closed) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    for n in 1..=2000 {
        let life = if n <= 1993 { crashed } else { closed };
        script.read(life, n);
        script.complete(life);
    }
    script.end_life(crashed, CRASH);
    script.end_life(closed, STOPPED);
    script.life_read(closed);
    let third = script.subscribe(WorkerId(2));
    (1..=2000).for_each(|n| script.reread(third, n));
    script.end_life(third, CRASH);
    assert_eq!(script.books().violation_count, 7);
}

#[test]
fn what_a_consumer_holds_or_was_sent_for_good_goes_to_nobody_else() {
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    let second = script.subscribe(WorkerId(1));
    script.reread(second, 1);
    script.end_life(life, CRASH);
    script.end_life(second, CRASH);
    says(&script, "another consumer holds it");

    let (mut script, life) = started(AckMode::Auto);
    script.read(life, 1);
    script.end_life(life, CRASH);
    script.drain(Q, &[1]);
    says(&script, "automatic acknowledgement");
}

#[test]
fn what_a_cancelled_worker_holds_is_found_by_the_drain_alone() {
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    script.end_life(life, LifeEnd::Killed(KillHow::Cancel));
    script.drain(Q, &[1, 2, 3]);
    assert_eq!(script.sound_books().totals[Count::Remaining], 3);
}

#[test]
fn a_message_is_not_seen_before_it_is_published() {
    for (key, part) in [
        (message(4), "before it was published"),
        (message(0), "before it was published"),
        (MessageKey { producer: ProducerId(7), n: 1 }, "unknown producer"),
    ] {
        let (mut script, life) = started(MANUAL);
        script.read_from(life, Some(key), false);
        script.end_life(life, CRASH);
        says(&script, part);
    }
}

#[test]
fn a_mandatory_unroutable_message_is_not_confirmed_without_its_return() {
    for returned in [true, false] {
        let mut draft = Draft::new();
        draft.producer("p", ExchangeId(0), &["nobody"], 1, WINDOW);
        draft.0.producers[0].mandatory = true;
        let mut script = Script::new(&draft);
        script.start(P);
        script.publish(P, 1, 1);
        if returned {
            script.give_back(message(1));
        }
        script.answer(P, 1, 1, true);
        script.end(P, true);
        assert_eq!(script.books().violations.is_empty(), returned);
    }
}

/// The events of a sound producer with three messages, for tampering.
fn producer(confirms: Confirms) -> Script {
    let mut draft = Draft::new();
    draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 10, confirms);
    Script::new(&draft)
}

#[test]
fn answers_come_once_and_only_to_those_who_asked() {
    let answer = |first, count, ack| Event::Answered {
        producer: P,
        answers: vec![Answer { first, count, ack }],
        at: 0,
    };
    for (confirms, extra, part) in [
        (WINDOW, answer(1, 1, true), "answered twice"),
        (WINDOW, answer(3, 1, false), "answered twice"),
        (WINDOW, answer(4, 1, true), "nothing of it asked"),
        (Confirms::Off, answer(1, 1, true), "nothing of it asked"),
        (WINDOW, Event::Returned { message: message(1), at: 0 }, "was returned"),
    ] {
        let mut script = producer(confirms);
        script.start(P);
        script.publish(P, 1, 3);
        if confirms == WINDOW {
            script.answer(P, 1, 3, true);
        }
        script.events.push(extra);
        script.end(P, true);
        says(&script, part);
    }
}

#[test]
fn an_answer_does_not_come_on_another_channel() {
    let mut script = producer(WINDOW);
    script.start(P);
    script.publish(P, 1, 1);
    script.end(P, false);
    script.start(P);
    script.answer(P, 1, 1, true);
    script.end(P, true);
    says(&script, "nothing of it asked");
}

#[test]
fn a_producer_that_counted_otherwise_was_not_heard_in_full() {
    let right =
        ProducerEnd { closed: true, published: 3, republished: 0, answered: 3, returned: 0 };
    for (end, sound) in [
        (right, true),
        (ProducerEnd { published: 4, ..right }, false),
        (ProducerEnd { republished: 1, ..right }, false),
        (ProducerEnd { answered: 2, ..right }, false),
        (ProducerEnd { returned: 1, ..right }, false),
    ] {
        let mut script = producer(WINDOW);
        script.start(P);
        script.publish(P, 1, 3);
        script.answer(P, 1, 3, true);
        script.events.push(Event::ProducerEnded { producer: P, end, at: 0 });
        script.drain(Q, &[1, 2, 3]);
        assert_eq!(script.books().violations.is_empty(), sound, "{end:?}");
    }
}

#[test]
fn a_worker_that_counted_otherwise_was_not_heard_in_full() {
    let right = LifeTotals { read: 1, begun: 1, finished: 1, rejected: 0, acks: 1 };
    for (totals, sound) in [
        (right, true),
        (LifeTotals { read: 2, ..right }, false),
        (LifeTotals { begun: 0, ..right }, false),
        (LifeTotals { finished: 2, ..right }, false),
        (LifeTotals { acks: 0, ..right }, false),
    ] {
        let (mut script, life) = started(MANUAL);
        script.read(life, 1);
        script.complete(life);
        script.events.push(Event::LifeEnded { life, how: STOPPED, totals, at: 0 });
        script.drain(Q, &[2, 3]);
        assert_eq!(script.books().violations.is_empty(), sound, "{totals:?}");
    }
}

#[test]
fn nothing_is_left_open_at_the_end() {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.producer("p", ExchangeId(0), &["q"], 1, WINDOW);
    draft.worker("w", queue, MANUAL);
    let mut script = Script::new(&draft);
    script.subscribe(WorkerId(0));
    says(&script, "still subscribed");
    let mut script = Script::new(&draft);
    script.start(P);
    says(&script, "still open");
    let mut script = Script::new(&draft);
    script.begin_change(queue, ChangeKind::Goes);
    says(&script, "never ended");
    let mut script = Script::new(&draft);
    script.end_change(ChangeId(3));
    says(&script, "never began");
    let violations = Script::new(&draft).ledger().close().violations;
    assert!(violations[0].what.contains("never drained"), "{violations:?}");
}

#[test]
fn nobody_works_before_or_after_a_life() {
    let (mut script, life) = started(MANUAL);
    script.end_life(life, CRASH);
    script.read(life, 1);
    says(&script, "is no more");
    let (mut script, life) = started(MANUAL);
    script.end_life(life, CRASH);
    script.end_life(life, CRASH);
    says(&script, "not subscribed");
    let (mut script, life) = started(MANUAL);
    let second = script.subscribe(WorkerId(0));
    script.end_life(life, CRASH);
    script.end_life(second, CRASH);
    says(&script, "while it was subscribed");
    let (mut script, life) = started(MANUAL);
    script.read(life, 1);
    script.begin(life);
    script.end_life(life, STOPPED);
    says(&script, "with work in hand");
}

#[test]
fn the_drain_finds_each_copy_once_and_counts_what_it_found() {
    let mut script = producer(WINDOW);
    script.publish_all(P, 1, true);
    script.drain(Q, &[1, 1]);
    says(&script, "found twice");
    let mut script = producer(WINDOW);
    script.publish_all(P, 1, true);
    script.drain(Q, &[1]);
    script.events.push(Event::DrainEnded { queue: Q, complete: true, total: 2, at: 0 });
    says(&script, "the drain counted 2");
}

#[test]
fn foreign_messages_are_unexpected_and_no_violation() {
    let (mut script, life) = started(MANUAL);
    script.read_from(life, None, false);
    script.complete(life);
    script.end_life(life, CRASH);
    script.events.push(Event::Drained { queue: Q, messages: vec![None] });
    script.events.push(Event::DrainEnded { queue: Q, complete: true, total: 1, at: 0 });
    let books = script.sound_books();
    assert_eq!((books.totals[Count::Unexpected], books.foreign), (2, 2));
    assert_eq!((books.totals[Count::Acked], books.totals[Count::StillQueued]), (1, 0));
}

#[test]
fn nothing_perishes_with_a_broker_and_none_comes_back_before_it_has_ended() {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.0.topology.queues[0].durable = false;
    for early in [true, false] {
        let mut script = Script::new(&draft);
        let change = script.begin_change(queue, ChangeKind::Perishes);
        script.fall(Graceful, &[]);
        if early {
            script.end_change(change);
        }
        script.down();
        if !early {
            script.end_change(change);
            drop(script.sound_books());
        }
        script.rise();
        match early {
            true => says(&script, "a queue went with a broker that had not ended"),
            false => drop(script.sound_books()),
        }
    }
    let mut script = Script::new(&draft);
    script.fall(Graceful, &[]);
    script.rise();
    script.down();
    says(&script, "a broker came back that had not ended");
}
