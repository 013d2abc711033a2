//! Which copies a publish makes, on a real broker: every exchange type against the pure
//! routing function of the program, which would say `unexpected` or `lost` if they differed.

mod scenes;
mod support;

use scenes::run;

#[test]
fn the_default_exchange_and_unroutable_keys() {
    run("
scenario: default
topology: { queues: [{ name: a }, { name: b }] }
producers: [{ name: p, to: { exchange: '', routing_key: [a, b, nobody] }, messages: 9 }]
")
    .exits(0)
    .has(
        "published 9, confirmed 9, expected 6, remaining 6, unroutable 3, returned 0, \
         queues.a.remaining 3, queues.b.remaining 3",
    );
}

#[test]
fn direct_fanout_and_double_bindings() {
    run("
scenario: direct
topology:
  exchanges: [{ name: d, type: direct }, { name: f, type: fanout }]
  queues: [{ name: a }, { name: b }, { name: c }]
  bindings:
    - { from: d, to: a, routing_key: x }
    - { from: d, to: a, routing_key: y }
    - { from: d, to: b, routing_key: y }
    - { from: f, to: a, routing_key: ignored }
    - { from: f, to: a }
    - { from: f, to: c }
producers:
  - { name: p, to: { exchange: d, routing_key: [x, y, z] }, messages: 30 }
  - { name: q, to: { exchange: f, routing_key: nobody }, messages: 10 }
workers: [{ name: w, queue: a }]
")
    .exits(0)
    .has(
        "expected 50, delivered 30, queues.a.delivered 30, queues.b.remaining 10, \
         queues.c.remaining 10, unroutable 10, producers.p.unroutable 10, unexpected 0, lost 0",
    );
}

#[test]
fn topics_with_stars_hashes_and_empty_words() {
    // One round of the keys; `''` is a key without any word.
    run("
scenario: topic
topology:
  exchanges: [{ name: t, type: topic }]
  queues: [{ name: all }, { name: star }, { name: hash }, { name: mid }, { name: two }, { name: end }]
  bindings:
    - { from: t, to: all, routing_key: '#' }
    - { from: t, to: star, routing_key: 'a.*.c' }
    - { from: t, to: hash, routing_key: 'a.#' }
    - { from: t, to: mid, routing_key: '#.b.#' }
    - { from: t, to: two, routing_key: '*.*' }
    - { from: t, to: end, routing_key: '#.c' }
producers:
  - name: p
    to: { exchange: t, routing_key: ['', a, a.b, a.b.c, a.c, a..c, b, b.c, x.b.y, .c, a., 'a.*.c', c] }
    messages: 13
")
    .exits(0)
    .has(
        "expected 40, remaining 40, lost 0, unexpected 0, queues.all.remaining 13, \
         queues.star.remaining 3, queues.hash.remaining 7, queues.mid.remaining 5, \
         queues.two.remaining 5, queues.end.remaining 7",
    );
}

#[test]
fn headers_match_all_or_any_with_types() {
    run("
scenario: headers
topology:
  exchanges: [{ name: h, type: headers }]
  queues: [{ name: both }, { name: either }, { name: text }, { name: flag }, { name: nothing }, { name: float }]
  bindings:
    - { from: h, to: both, headers: { n: 1, kind: a } }
    - { from: h, to: either, headers: { n: 1, kind: a }, match: any }
    - { from: h, to: text, headers: { n: '1' } }
    - { from: h, to: flag, headers: { on: true } }
    - { from: h, to: nothing }
    - { from: h, to: float, headers: { n: 1.5 } }
producers:
  - name: p
    to: { exchange: h }
    messages: 12
    headers: { n: [1, '1', 2, 1.5], kind: [a, b, null], 'on': [true, 'true'] }
")
    .exits(0)
    .has("published 12, unexpected 0, lost 0, queues.both.remaining 1, queues.either.remaining 6, \
          queues.text.remaining 3, queues.flag.remaining 6, queues.nothing.remaining 12, \
          queues.float.remaining 3");
}

#[test]
fn mandatory_messages_without_a_queue_are_returned_and_confirmed() {
    run("
scenario: returned
topology: { queues: [{ name: a }] }
producers:
  - { name: p, to: { exchange: '', routing_key: [a, nobody] }, messages: 200, mandatory: true }
workers: [{ name: w, queue: a }]
")
    .exits(0)
    .has("confirmed 200, returned 100, unroutable 100, delivered 100, expected 100, lost 0");
}

#[test]
fn returns_are_read_without_confirms_too() {
    run("
scenario: returned
topology: { queues: [{ name: a }] }
producers:
  - { name: p, to: { exchange: '', routing_key: [a, nobody] }, messages: 200, mandatory: true,
      confirms: false }
  - { name: only, to: { exchange: '', routing_key: nobody }, messages: 3, mandatory: true,
      confirms: { batch: 2 } }
")
    .exits(0)
    .has(
        "unchecked 200, producers.p.returned 100, producers.p.unroutable 100, remaining 100, \
         producers.only.confirmed 3, producers.only.returned 3, lost 0",
    );
}

#[test]
fn a_missing_exchange_ends_the_channel_with_404() {
    for confirms in ["true", "false", "{ batch: 2 }"] {
        let run = run(&format!(
            "
scenario: missing
topology: {{ queues: [{{ name: q }}] }}
producers:
  - {{ name: p, to: {{ exchange: nope, missing: true }}, messages: 5, confirms: {confirms} }}
  - {{ name: fine, to: {{ queue: q }}, messages: 5 }}
"
        ));
        run.exits(1)
            .has("producers.fine.confirmed 5, queues.q.remaining 5, confirmed 5, returned 0");
        let error = run.row("errors", 0);
        let seen = (&error["who"], &error["scope"], &error["code"]);
        assert_eq!(seen, (&"p".into(), &"channel".into(), &404.into()), "{run}");
        run.says("p met a channel error 404: NOT_FOUND - no exchange 'nope'");
    }
}

#[test]
fn a_late_subscriber_misses_what_came_before_it() {
    // One at a time, so that the 11th is not on its way when the 10th is confirmed.
    for confirms in ["{ in_flight: 1 }", "{ batch: 1 }"] {
        let run = run(&format!(
            "
scenario: late
topology: {{ exchanges: [{{ name: e, type: fanout }}] }}
producers: [{{ name: p, to: {{ exchange: e }}, messages: 20, confirms: {confirms}, rate: 200/s }}]
workers:
  - {{ name: first, temporary_queue: {{ bindings: [{{ exchange: e }}] }} }}
  - {{ name: late, temporary_queue: {{ bindings: [{{ exchange: e }}] }},
      start: {{ after: {{ confirmed: 10, of: p }} }} }}
"
        ));
        run.exits(0).has(
            "queues.first.delivered 20, queues.late.expected 10, queues.late.delivered 10, \
             lost 0, unexpected 0, unroutable 0",
        );
    }
}

#[test]
fn copies_made_while_a_queue_comes_are_optional() {
    // The producer does not stand still: at the edge a copy may be made or not, and both are
    // fine. From then on all must come.
    for round in 0..4 {
        let run = run("
scenario: edge
topology: { exchanges: [{ name: e, type: fanout }] }
producers: [{ name: p, to: { exchange: e }, messages: 2000, rate: 4000/s }]
workers:
  - { name: first, temporary_queue: { bindings: [{ exchange: e }] }, ack: auto }
  - { name: late, temporary_queue: { bindings: [{ exchange: e }] }, ack: auto,
      start: { after: { finished: 300, of: first } } }
");
        run.exits(0).has("queues.first.delivered 2000, lost 0, unexpected 0, in_doubt 0");
        let late = run.number(0, "queues.late.delivered");
        assert!(late > 0 && late <= 1700, "round {round}{run}");
        assert_eq!(run.number(0, "queues.late.expected"), late, "{run}");
    }
}
