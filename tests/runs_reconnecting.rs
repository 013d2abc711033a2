//! Producers whose connection is taken away by somebody else.

mod scenes;
mod support;

use std::time::{Duration, Instant};

use reqwest::Method;
use scenes::{Scene, api, await_ready, find_queue};
use serde_json::Value;

const YAML: &str = "
scenario: reconnecting
topology: { queues: [{ name: NAME-q }] }
producers:
  - { name: NAME, to: { queue: NAME-q }, messages: 400, rate: 100/s, confirms: { in_flight: 50 },
      reconnect: RECONNECT }
workers: [{ name: w, queue: NAME-q, start: { at: 5s } }]
expect: { errors: [{ code: 320, who: NAME }] }
";

/// Runs it and has an administrator close the producer's connection on the way.
fn cut_short(name: &str, reconnect: &str) -> scenes::Run {
    let scene = Scene::new(&YAML.replace("NAME", name).replace("RECONNECT", reconnect));
    let began = Instant::now();
    let running = scene.command().spawn().expect("the program starts");
    let (vhost, queue) = find_queue(&format!("{name}-q"));
    await_ready(&vhost, &queue, 20);
    let deadline = Instant::now() + Duration::from_secs(20);
    let real = loop {
        assert!(Instant::now() < deadline, "the broker never showed the connection");
        let all = api(Method::GET, "connections", &Value::Null);
        let all = all.as_array().expect("a list");
        if let Some(found) = all.iter().find(|it| it["user_provided_name"] == name) {
            break found["name"].as_str().expect("a name").to_owned();
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let path: String = real.bytes().map(|byte| format!("%{byte:02X}")).collect();
    api(Method::DELETE, &format!("connections/{path}"), &Value::Null);
    scene.read(running.wait_with_output().expect("it ends"), began.elapsed())
}

#[test]
fn what_was_unanswered_stays_so_unless_it_is_published_again() {
    let run = cut_short("drops", "{ after: 50ms }");
    run.exits(0).has("published 400, republished 0, refused 0, lost 0");
    let (confirmed, unconfirmed) = (run.number(0, "confirmed"), run.number(0, "unconfirmed"));
    assert_eq!(confirmed + unconfirmed, 400, "{run}");
}

#[test]
fn what_is_published_again_arrives() {
    let run = cut_short("repeats", "{ after: 50ms, unconfirmed: republish }");
    run.exits(0).has("published 400, confirmed 400, unconfirmed 0, delivered 400, lost 0");
    // What had arrived although its answer was lost is there twice, and nothing else is.
    assert!(run.number(0, "duplicates") <= run.number(0, "republished"), "{run}");
    assert!(run.causes(0).iter().all(|cause| cause.ends_with(" republished")), "{run}");
}

#[test]
fn one_that_does_not_connect_again_leaves_the_rest_unpublished() {
    let run = cut_short("stays", "false");
    run.exits(0);
    assert!(run.number(0, "published") < 400, "{run}");
}
