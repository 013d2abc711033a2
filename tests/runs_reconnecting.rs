//! Producers whose connection dies on the way: somebody in between cuts it.

mod scenes;
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use scenes::{Run, Scene, await_ready, facts, find_queue, management};

const YAML: &str = "
scenario: reconnecting
topology: { queues: [{ name: QUEUE }] }
producers:
  - { name: NAME, to: { queue: QUEUE }, messages: 300, rate: 100/s, confirms: { in_flight: 50 },
      reconnect: RECONNECT }
workers: [{ name: w, queue: QUEUE, start: { at: 4s } }]
expect: { errors: [{ who: NAME, text: 'the connection was lost' }] }
";

/// Stands between the program and the broker, and knows the first connection of one producer by
/// the name that it tells the broker.
struct Between {
    port: u16,
    victim: Arc<Mutex<Vec<TcpStream>>>,
}

impl Between {
    fn listen(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it has one").port();
        let victim: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let found = Arc::clone(&victim);
        let known = Arc::new(AtomicBool::new(false));
        let broker = facts().amqp;
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", broker)) else { break };
                let (found, known) = (Arc::clone(&found), Arc::clone(&known));
                let pair = [&client, &server].map(|it| it.try_clone().expect("it lives"));
                let look = move |bytes: &[u8]| {
                    let told = bytes.windows(name.len()).any(|part| part == name.as_bytes());
                    if told && !known.swap(true, Ordering::SeqCst) {
                        let mut found = found.lock().expect("nobody panics with it");
                        found.extend(pair.each_ref().map(|it| it.try_clone().expect("it lives")));
                    }
                };
                let (back, forth) = (server.try_clone(), client.try_clone());
                let (back, forth) = (back.expect("it lives"), forth.expect("it lives"));
                thread::spawn(move || pass_on(client, server, look));
                thread::spawn(move || pass_on(back, forth, |_| {}));
            }
        });
        Self { port, victim }
    }

    fn cut(&self) {
        let victim = self.victim.lock().expect("nobody panics with it");
        assert_eq!(victim.len(), 2, "the producer told its name");
        for end in victim.iter() {
            // One of the two may have learnt of the other's end already.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, look: impl Fn(&[u8])) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        look(&bytes[..count]);
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    // Whoever is still there learns that the other has gone.
    let _ = to.shutdown(Shutdown::Both);
}

/// Runs it, and cuts the producer's connection on the way.
fn cut_short(name: &'static str, reconnect: &str) -> Run {
    let between = Between::listen(name);
    // Whoever names the queue must not be taken for the producer.
    let queue_name = name.replace("producer", "queue");
    let yaml = YAML.replace("NAME", name).replace("QUEUE", &queue_name);
    let scene = Scene::new(&yaml.replace("RECONNECT", reconnect));
    let began = Instant::now();
    let mut command = scene.bare();
    let (user, password) = (&facts().user, &facts().password);
    let broker = format!("amqp://{user}:{password}@127.0.0.1:{}/%2F", between.port);
    command.args(["--broker", &broker, "--management", &management()]);
    command.arg("--report").arg(format!("json={}", scene.report().display()));
    let running = command.spawn().expect("the program starts");
    let (vhost, queue) = find_queue(&queue_name);
    await_ready(&vhost, &queue, 20);
    between.cut();
    scene.read(running.wait_with_output().expect("it ends"), began.elapsed())
}

#[test]
fn what_was_unanswered_stays_so_unless_it_is_published_again() {
    let run = cut_short("producer-that-drops", "{ after: 50ms }");
    run.exits(0).has("published 300, republished 0, refused 0, lost 0");
    let (confirmed, unconfirmed) = (run.number(0, "confirmed"), run.number(0, "unconfirmed"));
    assert_eq!(confirmed + unconfirmed, 300, "{run}");
}

#[test]
fn what_is_published_again_arrives() {
    let run = cut_short("producer-that-repeats", "{ after: 50ms, unconfirmed: republish }");
    run.exits(0).has("published 300, confirmed 300, unconfirmed 0, delivered 300, lost 0");
    // What had arrived although its answer was lost is there twice, and nothing else is.
    assert!(run.number(0, "duplicates") <= run.number(0, "republished"), "{run}");
    assert!(run.causes(0).iter().all(|cause| cause.ends_with(" republished")), "{run}");
}

#[test]
fn one_that_does_not_connect_again_leaves_the_rest_unpublished() {
    let run = cut_short("producer-that-stays-away", "false");
    run.exits(0);
    assert!(run.number(0, "published") < 300, "{run}");
}
