//! Triggers: every kind, exact, in the order of the file, once.

mod scenes;
mod support;

use scenes::run;

/// What everybody does at the 5th publish, answer, finish, ack: seen by an observer.
#[test]
fn a_count_of_publishes_stops_its_producer_there() {
    for of in ["", ", of: p", ", of: q"] {
        let run = run(&format!(
            "
scenario: published
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 300 }}]
faults: [{{ kill: p, after: {{ published: 77{of} }}, how: close_channel }}]
"
        ));
        run.exits(0).has("published 77, unexpected 0");
    }
}

#[test]
fn a_count_of_answers_starts_a_worker() {
    for of in ["", ", of: p", ", of: q"] {
        let run = run(&format!(
            "
scenario: confirmed
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20, confirms: {{ batch: 5 }} }}]
workers: [{{ name: w, queue: q, start: {{ after: {{ confirmed: 20{of} }} }} }}]
observe: [{{ name: o, when: {{ after: {{ confirmed: 5{of} }} }},
            expect: {{ q: {{ ready: 5, unacked: 0, consumers: 0 }} }} }}]
"
        ));
        run.exits(0).has("delivered 20, lost 0");
        assert_eq!(run.observed(0, "q"), [5, 0, 0], "{run}");
    }
}

#[test]
fn a_count_of_publishes_to_a_queue_counts_only_those() {
    // Every second message goes to `odd`: its 10th is the 19th of all.
    run("
scenario: queues
topology:
  exchanges: [{ name: e, type: direct }]
  queues: [{ name: odd }, { name: even }]
  bindings: [{ from: e, to: odd, routing_key: a }, { from: e, to: even, routing_key: b }]
producers: [{ name: p, to: { exchange: e, routing_key: [a, b] }, messages: 300 }]
faults: [{ kill: p, after: { published: 10, of: odd }, how: close_channel }]
")
    .exits(0)
    .has("published 19");
}

#[test]
fn finished_and_acked_of_an_instance_a_group_a_queue_and_all() {
    for of in ["", ", of: w", ", of: q", ", of: w-1"] {
        for event in ["finished", "acked"] {
            let run = run(&format!(
                "
scenario: worked
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 20 }}]
workers: [{{ name: w, count: 2, queue: q, ack: manual, prefetch: 1, work: 10ms }}]
faults: [{{ kill: w-2, after: {{ {event}: 5{of} }}, how: close_channel, may_miss: true }}]
"
            ));
            // Between two works it may hold nothing that it has read.
            run.exits(0).has("delivered 20, lost 0, acked 20");
            // The 5th finish may be the victim's own: then it dies before the ack.
            let doubled = run.number(0, "duplicates");
            assert!(doubled == 0 || doubled == 1 && event == "finished", "{run}");
            assert_eq!(run.number(0, "finished"), 20 + doubled, "{run}");
            let victim = run.number(0, "workers.w-2.finished");
            assert!(victim <= 5 || of == ", of: w-1", "{run}");
        }
    }
}

#[test]
fn a_refused_subscription_does_not_count_as_consuming() {
    let run = run("
scenario: refused
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 5 }]
workers:
  - { name: a, queue: q, exclusive: true }
  - { name: b, queue: q }
observe:
  - { name: one, when: { after: { consuming: 1, of: q } } }
  - { name: two, when: { after: { consuming: 2, of: q } } }
settle: { idle: 100ms }
");
    run.exits(1).has("delivered 5, workers.a.finished 5, workers.b.deliveries 0");
    let observed = run.variant(0)["observations"].as_array().unwrap();
    assert_eq!(observed.len(), 1, "{run}");
    assert!(run.died("b") && !run.died("a"), "{run}");
    let error = run.row("errors", 0);
    assert_eq!((&error["who"], &error["code"]), (&"b".into(), &403.into()), "{run}");
    assert_eq!((&error["scope"], &error["explained"]), (&"channel".into(), &false.into()), "{run}");
    run.says("b met a channel error 403");
}

#[test]
fn a_producer_starts_when_the_last_worker_consumes() {
    run("
scenario: consuming
topology: { exchanges: [{ name: e, type: fanout }] }
producers:
  - { name: p, to: { exchange: e }, messages: 10, start: { after: { consuming: 3, of: w } } }
workers:
  - { name: w, count: 2, temporary_queue: { bindings: [{ exchange: e }] }, ack: auto }
  - { name: late, temporary_queue: { bindings: [{ exchange: e }] }, start: { at: 100ms } }
faults: [{ kill: w-1, after: { consuming: 1, of: late }, restart_after: 50ms, may_miss: true }]
")
    .exits(0)
    .has("published 10, expected 30, delivered 30, lost 0, unroutable 0");
}

#[test]
fn a_fault_that_is_over_sets_off_others() {
    let run = run("
scenario: chain
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 20 }]
workers:
  - { name: a, queue: q, work: 10ms, prefetch: 1 }
  - { name: b, queue: q, work: 10ms, prefetch: 1, start: { after: { fault: first } } }
faults:
  - { name: second, kill: b, after: { finished: 3, of: b } }
  - { name: first, kill: a, during: 3, restart_after: 200ms }
observe: [{ name: o, when: { after: { fault: second } } }]
");
    run.exits(0).has("delivered 20, workers.b.finished 3, lost 0");
    let first = run.row("faults", 1);
    assert!(first["effect"].as_str().unwrap().contains("back at"), "{run}");
    let (began, after) = (first["at_ms"].as_u64().unwrap(), run.row("faults", 0)["at_ms"].as_u64());
    // `second` waits for b, which waits until a is back.
    assert!(after.unwrap() >= began + 200, "{run}");
}

#[test]
fn during_hits_a_work_that_takes_no_time_before_it_ends() {
    for _ in 0..5 {
        run("
scenario: instant
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 500 }]
workers:
  - { name: w, queue: q, ack: auto, start: { after: { confirmed: 500 } } }
faults: [{ kill: w, during: 300 }]
")
        .exits(0)
        .because(&["lost 201 auto_ack"])
        .has("delivered 299, begun 300, finished 299, lost 201");
    }
}

#[test]
fn before_ack_makes_a_duplicate() {
    run("
scenario: duplicate
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, count: 2, queue: q, work: 10ms, prefetch: 1 }]
faults: [{ kill: w-1, before_ack: 3 }]
")
    .exits(0)
    .because(&["duplicates 1 requeued"])
    .has(
        "delivered 10, duplicates 1, finished 11, redelivered 1, repeats 1, acked 10, \
         workers.w-1.finished 3, workers.w-1.acked 2, lost 0",
    );
}

#[test]
fn before_ack_with_ack_every_makes_all_that_the_ack_would_have_covered() {
    run("
scenario: duplicates
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, queue: q, ack_every: 4 }]
faults: [{ kill: w, before_ack: 8, restart_after: 10ms }]
")
    .exits(0)
    .because(&["duplicates 4 requeued"])
    .has("delivered 10, duplicates 4, finished 14, acked 10, deliveries 16, redelivered 6");
}

#[test]
fn faults_of_one_event_act_in_the_order_of_the_file() {
    // The event is the 3rd finish of `a` for both, seen by different counters. Whoever dies
    // first hands what it holds to the other, which then loses it together with its own.
    let file = |order: [&str; 2]| {
        format!(
            "
scenario: order
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 30 }}]
workers:
  - {{ name: a, queue: q, work: 20ms }}
  - {{ name: b, queue: q, work: 10s }}
  - {{ name: c, queue: q, work: 10s }}
faults: [{}, {}]
observe: [{{ name: o, when: {{ after: {{ fault: second }} }} }}]
settle: {{ deadline: 1s }}
",
            order[0], order[1]
        )
    };
    let b = |name: &str| format!("{{ name: {name}, kill: b, after: {{ finished: 3, of: a }} }}");
    let c = |name: &str| format!("{{ name: {name}, kill: c, after: {{ finished: 3, of: q }} }}");
    for (first, second, labels) in [
        (b("first"), c("second"), ["kill b", "kill c"]),
        (c("first"), b("second"), ["kill c", "kill b"]),
    ] {
        let run = run(&file([&first, &second]));
        let faults = run.variant(0)["faults"].as_array().unwrap();
        let rows: Vec<_> = faults.iter().map(|f| f["fault"].as_str().unwrap()).collect();
        assert_eq!(rows, labels, "{run}");
        let at: Vec<_> = faults.iter().map(|f| f["at_ms"].as_u64().unwrap()).collect();
        assert!(at[0] <= at[1], "{at:?}{run}");
        let told = run.err.find(labels[0]).unwrap() < run.err.find(labels[1]).unwrap();
        assert!(told, "they acted in another order{run}");
        run.has("workers.b.finished 0, workers.c.finished 0");
    }
}

#[test]
fn workers_and_producers_start_and_stop_at_moments_and_counts() {
    let run = run("
scenario: shifts
topology: { queues: [{ name: q }] }
producers:
  - { name: early, to: { queue: q }, messages: 10 }
  - { name: late, to: { queue: q }, messages: 10, start: { after: { finished: 10 } } }
workers:
  - { name: first, queue: q, work: 5ms, stop: { after: { finished: 10, of: first } } }
  - { name: second, queue: q, start: { after: { published: 1, of: late } } }
observe: [{ name: o, when: { at: 1500ms } }]
");
    run.exits(0).has(
        "delivered 20, lost 0, duplicates 0, workers.first.finished 10, workers.first.acked 10, \
         workers.second.finished 10",
    );
    assert!(!run.died("first"), "a stop is no death{run}");
    assert_eq!(run.observed(0, "q"), [0, 0, 1], "{run}");
    assert!(run.row("observations", 0)["at_ms"].as_u64().unwrap() >= 1500, "{run}");
}

#[test]
fn a_stop_in_the_middle_of_a_work_finishes_and_acks_it() {
    let run = run("
scenario: stop
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 6 }]
workers:
  - { name: slow, queue: q, work: 400ms, stop: { at: 600ms } }
settle: { idle: 200ms }
");
    run.exits(0).has(
        "delivered 2, remaining 4, begun 2, finished 2, acked 2, still_queued 4, deliveries 6",
    );
}

#[test]
fn the_same_numbers_twenty_times() {
    let yaml = "
scenario: exact
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 40 }]
workers:
  - { name: a, queue: q, ack: manual, ack_every: 3 }
  - { name: b, queue: q, ack: auto, start: { after: { fault: end } } }
faults:
  - { kill: a, how: close_connection, during: 5, restart_after: 0ms }
  - { kill: a, how: close_connection, before_ack: 12, restart_after: 0ms }
  - { name: end, kill: a, how: close_connection, during: 24 }
";
    for round in 0..20 {
        let run = run(yaml);
        // Three lives of a: 5 begun, 4 finished, 3 acked; then 8 begun and finished, 6 acked;
        // then 11 begun, 10 finished, 9 acked. What each finished and did not ack is done
        // again, in the last case by b. How much of what was sent to a dying worker it has
        // read by then is not exact.
        run.exits(0).because(&["duplicates 4 requeued"]).has(
            "workers.a.begun 24, workers.a.finished 22, workers.a.acked 18, delivered 40, \
             workers.b.finished 22, lost 0",
        );
        assert!(run.died("a"), "round {round}{run}");
    }
}

#[test]
fn a_fault_upon_a_worker_that_has_not_begun_finds_nobody() {
    let run = run("
scenario: early
topology: { queues: [{ name: q }] }
producers: [{ name: p, to: { queue: q }, messages: 10 }]
workers: [{ name: w, count: 2, queue: q }]
faults: [{ kill: w-2, after: { consuming: 1, of: w-1 } }]
settle: { idle: 100ms }
");
    run.exits(4).has("delivered 10, workers.w-1.finished 5, workers.w-2.finished 5");
    assert_eq!(run.row("faults", 0)["effect"], "w-2 was not running", "{run}");
}

#[test]
fn a_stop_that_comes_before_the_beginning_is_not_forgotten() {
    for how in ["crash", "cancel"] {
        run(&format!(
            "
scenario: early
topology: {{ queues: [{{ name: q }}] }}
producers: [{{ name: p, to: {{ queue: q }}, messages: 10, start: {{ after: {{ fault: f }} }} }}]
workers:
  - {{ name: w, count: 2, queue: q, stop: {{ after: {{ consuming: 1 }} }} }}
  - {{ name: late, queue: q, start: {{ at: 80ms }}, stop: {{ at: 40ms }} }}
  - {{ name: back, queue: q, stop: {{ at: 200ms }} }}
faults: [{{ kill: back, name: f, at: 100ms, how: {how}, restart_after: 300ms, may_miss: true }}]
settle: {{ idle: 100ms, at_least: 500ms }}
"
        ))
        .exits(0)
        .has("delivered 0, deliveries 0, remaining 10");
    }
}
