//! Nodes that do not hear each other for a while: what one holds comes to consumers of the others,
//! and what is acked there is heard by nobody.

use rmq_scenario::ledger::books::Books;
use rmq_scenario::ledger::event::{ChangeKind, LifeEnd, LifeId};
use rmq_scenario::plan::count::Count;
use rmq_scenario::plan::model::{
    AckMode, Confirms, ExchangeId, NodeId, QueueId, QueueKind, WorkerId,
};

use crate::build::{Draft, WINDOW};
use crate::rounds::{MANUAL, stop};
use crate::script::{CRASH, P, Script, causes};

const Q: QueueId = QueueId(0);
const NODE: NodeId = NodeId(2);

/// A quorum queue with messages `1..=2`, and two workers.
fn script(confirms: Confirms, ack: AckMode) -> Script {
    let mut draft = Draft::new();
    let queue = draft.queue("q");
    draft.0.topology.queues[0].kind = QueueKind::Quorum;
    draft.producer("p", ExchangeId(0), &["q"], 10, confirms);
    draft.worker("w-1", queue, ack);
    draft.worker("w-2", queue, MANUAL);
    let mut script = Script::new(&draft);
    script.publish_all(P, 2, confirms == WINDOW);
    script
}

/// The first worker holds message 1, is parted, and acks it at some time; the second one works on
/// it meanwhile. Whether it began when they were parted already.
fn acked_in_vain(parted: bool, early: bool, came_later: bool) -> Script {
    let mut script = script(WINDOW, MANUAL);
    let first = script.subscribe(WorkerId(0));
    let soon = (!came_later).then(|| script.subscribe(WorkerId(1)));
    script.read(first, 1);
    script.begin(first);
    if parted {
        script.part(NODE);
    }
    script.wait(1_000);
    let second = soon.unwrap_or_else(|| script.subscribe(WorkerId(1)));
    if early {
        script.finish(first);
        script.ack(first);
    }
    script.reread(second, 1);
    script.complete(second);
    if !early {
        script.finish(first);
        script.ack(first);
    }
    if parted {
        script.rejoin(NODE);
    }
    script.read(first, 2);
    script.complete(first);
    stop(&mut script, first);
    stop(&mut script, second);
    script
}

#[test]
fn what_a_parted_worker_holds_comes_to_another_and_its_ack_is_lost() {
    for (early, came_later) in [(false, false), (false, true), (true, false), (true, true)] {
        let books = acked_in_vain(true, early, came_later).sound_books();
        let names = [Count::Delivered, Count::Duplicates, Count::Redelivered, Count::Repeats];
        assert_eq!(names.map(|count| books.totals[count]), [2, 1, 1, 1]);
        assert_eq!(causes(&books, 1, Q), ["ack_lost"], "{early} {came_later}");
        // Nothing else can explain it.
        let violations = acked_in_vain(false, early, came_later).books().violations;
        assert!(!violations.is_empty(), "{early} {came_later}");
    }
}

#[test]
fn what_a_parted_worker_gave_up_unfinished_is_no_duplicate() {
    let mut script = script(WINDOW, MANUAL);
    let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
    script.read(first, 1);
    script.read(second, 2);
    script.part(NODE);
    script.reread(second, 1);
    script.complete(second);
    script.complete(second);
    script.end_life(first, LifeEnd::Lost);
    script.rejoin(NODE);
    stop(&mut script, second);
    let books = script.sound_books();
    let names = [Count::Delivered, Count::Duplicates, Count::Repeats, Count::Lost];
    assert_eq!(names.map(|count| books.totals[count]), [2, 0, 1, 0]);
}

#[test]
fn what_begins_after_a_partition_is_sure_of_what_it_holds() {
    for over in [true, false] {
        let mut script = script(WINDOW, MANUAL);
        script.part(NODE);
        if over {
            script.rejoin(NODE);
        }
        script.wait(1_000);
        let (first, second) = (script.subscribe(WorkerId(0)), script.subscribe(WorkerId(1)));
        script.read(first, 1);
        script.reread(second, 1);
        script.complete(second);
        script.end_life(first, LifeEnd::Stopped);
        stop(&mut script, second);
        script.drain(Q, &[2]);
        assert_eq!(script.books().violations.is_empty(), !over);
    }
}

/// Message 2 is on its way to a worker under automatic acks that reads on to its end.
fn skipped(parted: bool) -> Books {
    let mut script = script(WINDOW, AckMode::Auto);
    let life: LifeId = script.subscribe(WorkerId(0));
    script.read(life, 1);
    script.complete(life);
    if parted {
        script.part(NODE);
        script.rejoin(NODE);
    }
    stop(&mut script, life);
    script.sound_books()
}

#[test]
fn what_was_between_two_nodes_never_comes_under_automatic_acks() {
    assert_eq!(causes(&skipped(true), 2, Q), ["auto_ack"]);
    assert_eq!(causes(&skipped(false), 2, Q), ["unexplained"]);
}

/// A consumer that died was sent message 1 before a partition, and after it once more.
#[test]
fn what_comes_back_in_a_partition_counts_towards_the_limit() {
    for (partings, expected) in [(1, "delivery_limit"), (0, "unexplained")] {
        let mut script = script(WINDOW, MANUAL);
        let plan = std::sync::Arc::make_mut(&mut script.plan);
        plan.topology.queues[0].delivery_limit = Some(1);
        let life = script.subscribe(WorkerId(0));
        script.end_life(life, CRASH);
        for _ in 0..partings {
            script.part(NODE);
            script.rejoin(NODE);
        }
        script.drain(Q, &[2]);
        assert_eq!(causes(&script.sound_books(), 1, Q), [expected], "{partings}");
    }
}

#[test]
fn what_is_published_without_confirms_may_never_reach_its_queue() {
    for (parted, expected) in [(true, "unflushed"), (false, "unexplained")] {
        let mut script = script(Confirms::Off, MANUAL);
        // What was published before may be lost with it.
        if parted {
            script.part(NODE);
            script.rejoin(NODE);
        }
        script.drain(Q, &[2]);
        assert_eq!(causes(&script.sound_books(), 1, Q), [expected]);
    }
    let mut script = script(Confirms::Off, MANUAL);
    script.events.splice(
        0..0,
        [
            rmq_scenario::ledger::event::Event::Parted { node: NODE, at: 0 },
            rmq_scenario::ledger::event::Event::Rejoined { node: NODE, at: 0 },
        ],
    );
    script.drain(Q, &[2]);
    assert_eq!(causes(&script.sound_books(), 1, Q), ["unexplained"], "it was over");
}

#[test]
fn a_run_is_not_over_early_when_nodes_were_parted() {
    let mut script = script(WINDOW, MANUAL);
    let life = script.subscribe(WorkerId(0));
    for n in [1, 2] {
        script.read(life, n);
        script.complete(life);
    }
    assert!(script.is_final());
    script.part(NODE);
    assert!(!script.is_final());
    script.rejoin(NODE);
    assert!(!script.is_final(), "what it acked may come again");
}

#[test]
fn a_node_is_parted_and_joined_in_turn() {
    let mut script = script(WINDOW, MANUAL);
    script.drain(Q, &[1, 2]);
    script.part(NODE);
    script.part(NodeId(1));
    drop(script.sound_books());
    script.rejoin(NODE);
    script.part(NODE);
    drop(script.sound_books());
    script.part(NODE);
    assert!(script.violation().contains("that was parted"));
    script.events.pop();
    script.rejoin(NODE);
    script.rejoin(NODE);
    assert!(script.violation().contains("that was not parted"));
}

/// A transient message in a classic queue on the parted node, which gives its history up at the end.
#[test]
fn what_is_not_durable_may_go_when_a_parted_node_is_restarted() {
    for (version, node, expected) in [
        ("4.0.5", NodeId(0), "transient"),
        ("3.10.8", NodeId(0), "transient"),
        ("4.3.6", NodeId(0), "unexplained"),
        ("4.0.5", NODE, "unexplained"),
    ] {
        let mut draft = Draft::new();
        draft.queue("q");
        draft.producer("p", ExchangeId(0), &["q"], 10, WINDOW);
        draft.0.producers[0].persistent = false;
        let mut script = Script::new(&draft).on(version);
        script.publish_all(P, 1, true);
        script.part(node);
        script.rejoin(node);
        assert_eq!(causes(&script.sound_books(), 1, Q), [expected], "{version} {node:?}");
    }
}

#[test]
fn a_queue_perishes_when_a_parted_node_hears_the_others_and_not_before() {
    for early in [true, false] {
        let mut draft = Draft::new();
        draft.queue("q");
        draft.0.topology.queues[0].durable = false;
        let mut script = Script::new(&draft).on("4.0.5");
        script.part(NodeId(0));
        let change = script.begin_change(Q, ChangeKind::Perishes);
        if early {
            script.end_change(change);
        }
        script.rejoin(NodeId(0));
        if !early {
            script.end_change(change);
        }
        assert_eq!(script.books().violations.is_empty(), !early);
    }
}
