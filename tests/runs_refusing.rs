//! What workers refuse: how often, by which method, and what becomes of it.

mod scenes;
mod support;

use scenes::run;

/// Twenty messages to two workers who refuse something.
fn refused(kind: &str, keys: &str, reject: &str) -> scenes::Run {
    run(&format!(
        "
scenario: refused
topology: {{ queues: [{{ name: q, type: {kind} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers: [{{ name: w, count: 2, queue: q, {keys} reject: [{reject}] }}]
"
    ))
}

const KINDS: [&str; 2] = ["classic", "quorum"];

#[test]
fn what_is_refused_for_good_is_gone() {
    for kind in KINDS {
        for using in ["nack", "reject"] {
            let rule = format!("{{ messages: [3, 7, 20], using: {using} }}");
            refused(kind, "", &rule).exits(0).because(&["rejected 3 worker_rejected"]).has(
                "rejected 3, delivered 17, lost 0, begun 20, finished 17, acked 17, deliveries 20, \
                 still_queued 0, redelivered 0",
            );
        }
        let run = refused(kind, "work: 1ms,", "{ every: 5 }");
        run.exits(0).has("rejected 4, delivered 16, finished 16");
    }
}

#[test]
fn what_is_refused_a_few_times_is_worked_on_in_the_end() {
    for kind in KINDS {
        for using in ["nack", "reject"] {
            let rule = format!("{{ every: 10, requeue: true, times: 3, using: {using} }}");
            let run = refused(kind, "", &rule);
            run.exits(0).because(&[]).has(
                "rejected 0, delivered 20, begun 26, finished 20, deliveries 26, redelivered 6, \
                 repeats 6, duplicates 0, lost 0",
            );
            let rejected = ["w-1", "w-2"].map(|w| run.number(0, &format!("workers.{w}.rejected")));
            assert_eq!(rejected.iter().sum::<u64>(), 6, "the two count together{run}");
        }
    }
}

/// The first rule that applies now decides: twice back to the queue, then out of it.
#[test]
fn rules_follow_one_another() {
    for kind in KINDS {
        let rules = "{ messages: [4], requeue: true, times: 2 }, { every: 2 }";
        let run = refused(kind, "", rules);
        run.exits(0).has("rejected 10, delivered 10, begun 22, finished 10, redelivered 2");
    }
}

/// A multiple ack names a delivery that the broker knows, whatever was refused in between.
#[test]
fn acks_of_many_skip_what_was_refused() {
    for kind in KINDS {
        for every in [2, 3, 7, 50] {
            for work in ["0ms", "1ms"] {
                let run = run(&format!(
                    "
scenario: many
topology: {{ queues: [{{ name: q, type: {kind} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 100 }}]
workers:
  - {{ name: w, queue: q, ack_every: {every}, work: {work}, start: {{ after: {{ confirmed: 100 }} }},
      reject: [{{ every: 3 }}, {{ messages: [1, 2, 4, 5, 98], requeue: true, times: 1 }}] }}
"
                ));
                run.exits(0).has(
                    "rejected 33, delivered 67, acked 67, finished 67, begun 105, still_queued 0, \
                     redelivered 5, duplicates 0",
                );
                assert!(!run.died("w"), "{run}");
            }
        }
    }
}

/// The same messages, whoever works on them and however many they are.
#[test]
fn a_share_is_drawn_from_the_seed_and_the_message() {
    let share = |count: u32, seed: u64, share: &str| {
        let run = run(&format!(
            "
scenario: share
seed: {seed}
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 1000 }}]
workers: [{{ name: w, count: {count}, queue: q, reject: [{{ share: {share} }}] }}]
"
        ));
        run.exits(0);
        assert_eq!(run.number(0, "rejected") + run.number(0, "delivered"), 1000);
        run.number(0, "rejected")
    };
    let one = share(1, 1, "10%");
    assert_eq!(one, share(3, 1, "10%"));
    assert!((70..=130).contains(&one), "{one} of 1000 are not a tenth");
    assert_ne!(one, share(1, 2, "10%"), "another seed draws others");
    assert_eq!((share(1, 1, "0%"), share(1, 1, "100%")), (0, 1000));
}

#[test]
fn a_kill_in_the_middle_of_a_refused_work_and_before_an_ack() {
    for kind in KINDS {
        let run = run(&format!(
            "
scenario: killed
topology: {{ queues: [{{ name: q, type: {kind} }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 10 }}]
workers:
  - {{ name: w, queue: q, prefetch: 1, work: 5ms, reject: [{{ every: 2 }}] }}
  - {{ name: rest, queue: q, start: {{ after: {{ fault: second }} }}, reject: [{{ every: 2 }}] }}
faults:
  - {{ name: first, kill: w, during: 4, restart_after: 10ms }}
  - {{ name: second, kill: w, before_ack: 4 }}
"
        ));
        // Numbers 1 and 3 are finished and 2 refused when it dies in the work on 4; then 4 and 6
        // are refused, 5 and 7 finished, and the ack of 7 is never written.
        run.exits(0).because(&["rejected 5 worker_rejected", "duplicates 1 requeued"]).has(
            "workers.w.begun 8, workers.w.finished 4, workers.w.rejected 3, workers.w.acked 3, \
             delivered 5, rejected 5, workers.rest.finished 2, workers.rest.rejected 2",
        );
    }
}

#[test]
fn refusing_without_acking_leaves_the_rest_in_the_queue() {
    for kind in KINDS {
        refused(kind, "ack: never,", "{ every: 4 }")
            .exits(0)
            .has("rejected 5, delivered 15, still_queued 15, acked 0, remaining 0, duplicates 0");
    }
}

#[test]
fn a_refused_request_gets_no_answer() {
    let run = run("
scenario: refused-request
topology: { queues: [{ name: q }] }
producers: [{ name: c, to: { queue: q }, messages: 6, rpc: { timeout: 2s } }]
workers: [{ name: w, queue: q, reply: '{n}', reject: [{ messages: [2] }] }]
");
    run.exits(0).has("replied 5, unanswered 1, rejected 1, delivered 5");
}
