//! Requests and replies.

mod scenes;
mod support;

use std::time::Duration;

use scenes::run;

/// Twenty requests to two servers, with these keys of the servers and one fault.
fn served(servers: &str, fault: &str) -> scenes::Run {
    run(&format!(
        "
scenario: rpc
topology: {{ queues: [{{ name: rpc_queue }}] }}
producers:
  - {{ name: client, to: {{ queue: rpc_queue }}, messages: 20, dots: [1, 2], body: '{{n}}{{dots}}',
      rpc: {{ timeout: 5s }} }}
workers:
  - {{ name: server, count: 2, queue: rpc_queue, prefetch: 1, work: 5ms, {servers} }}
faults: [{fault}]
"
    ))
}

#[test]
fn a_killed_server_leaves_its_request_to_the_other() {
    let run = served("reply: 'fib({n}) for {producer} {dots}'", "{ kill: server-1, during: 4 }");
    run.exits(0).because(&[]).has(
        "producers.client.replied 20, producers.client.unanswered 0, delivered 20, redelivered 1, \
         duplicates 0, unexpected 0, workers.server-1.finished 3, workers.server-2.finished 17, \
         queues.rpc_queue.expected 20",
    );
    assert!(run.took < Duration::from_secs(5), "no request waited for its timeout{run}");
}

#[test]
fn an_answer_that_was_sent_before_the_ack_was_not_comes_twice_and_counts_once() {
    let run = served("reply: '{n}'", "{ kill: server-1, before_ack: 4 }");
    run.exits(0)
        .because(&["duplicates 1 requeued"])
        .has("replied 20, unanswered 0, delivered 20, redelivered 1, duplicates 1, finished 21");
}

#[test]
fn a_client_that_nobody_answers_goes_on_after_its_timeout() {
    for servers in ["ack: manual", "if: false"] {
        let run = run(&format!(
            "
scenario: unanswered
topology: {{ queues: [{{ name: q }}] }}
producers:
  - {{ name: client, to: {{ queue: q }}, messages: 4, rpc: {{ timeout: 150ms }} }}
workers: [{{ name: server, queue: q, {servers} }}]
settle: {{ idle: 100ms }}
"
        ));
        run.exits(0).has("published 4, confirmed 4, replied 0, unanswered 4, expected 4");
        let last = run.variant(0)["duration_ms"].as_u64().unwrap();
        assert!((450..2000).contains(&last), "three timeouts lie between the four{run}");
    }
}

#[test]
fn a_late_answer_still_counts() {
    let run = run("
scenario: late
topology: { queues: [{ name: q }] }
producers:
  - { name: client, to: { queue: q }, messages: 4, rpc: { timeout: 20ms } }
workers: [{ name: server, queue: q, work: 100ms, reply: '{n}' }]
");
    run.exits(0).has("replied 4, unanswered 0, delivered 4");
}

#[test]
fn requests_without_confirms_and_at_a_rate_are_answered_one_by_one() {
    let run = run("
scenario: quiet
topology: { queues: [{ name: q }] }
producers:
  - { name: client, to: { queue: q }, messages: 20, rate: 100/s, confirms: false, rpc: {} }
  - { name: other, to: { queue: q }, messages: 5 }
workers: [{ name: server, queue: q, ack: auto, reply: '{n}' }]
");
    run.exits(0).has(
        "producers.client.replied 20, unanswered 0, unchecked 20, producers.other.replied 0, \
         producers.other.unanswered 0, delivered 25",
    );
}

#[test]
fn a_restarted_client_has_forgotten_what_it_asked() {
    let run = run("
scenario: forgetful
topology: { queues: [{ name: q }] }
producers: [{ name: client, to: { queue: q }, messages: 6, rpc: { timeout: 5s } }]
workers: [{ name: server, queue: q, work: 50ms, reply: '{n}' }]
faults: [{ kill: client, after: { confirmed: 3 }, restart_after: 200ms }]
");
    run.exits(0).has("published 6, replied 5, unanswered 1, delivered 6");
}
