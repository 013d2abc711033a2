//! What files mean, one small file for each rule.

use rmq_scenario::plan::model::Scenario;
use rmq_scenario::plan::{Options, load};
use rmq_scenario::scenario::Source;

fn plan(text: &str) -> Scenario {
    load(Source::new("f.yaml", text), &Options::default()).unwrap_or_else(|diagnostics| {
        let all: Vec<String> = diagnostics.iter().map(|it| it.render(false)).collect();
        panic!("{}\n{text}", all.join("\n"))
    })
}

const EXAMPLE: &str = r##"# yaml-language-server: $schema=../schema/scenario.schema.json
scenario: work-queue
description: Two workers share a queue and one is killed while it works. What is lost, what comes back?
tags: [tutorial-2]
vars: { ack: manual, durable: true }

topology:
  queues:
    - name: task_queue
      durable: $durable

producers:
  - name: new_task
    to: { queue: task_queue }
    messages: 20
    persistent: $durable
    body: "Hello World! #{n} {dots}"
    dots: [1, 2, 3]

workers:
  - name: worker
    count: 2
    queue: task_queue
    ack: $ack
    work: { per_dot: 20ms }

faults:
  - kill: worker-1
    during: 4

variants:
  - name: auto ack, nothing durable
    vars: { ack: auto, durable: false }
    expect: { delivered: 13, lost: 7, redelivered: 0 }
  - name: manual ack, durable
    expect: { delivered: 20, lost: 0, redelivered: ">= 1" }
"##;

#[test]
fn show() {
    println!("{:#?}", plan(EXAMPLE));
}
