//! A broker of ours and somebody else's: the real thing, on one private node.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel};
use reqwest::Method;
use serde_json::{Value, json};

use rmq_scenario::broker::{Broker, BrokerError, Choice, Kind, Space, header};
use rmq_scenario::plan::model::{
    Binding, Exchange, ExchangeId, ExchangeKind, Queue, QueueId, Topology, WorkerId,
};
use rmq_scenario::plan::pattern::Scalar;
use support::{as_external, block_on, node, program};

/// The management API of the shared node, as its administrator.
async fn api(method: Method, path: &str, body: Value) -> Value {
    let facts = node().await.facts().unwrap();
    let url = format!("{}/api/{path}", support::management().await);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, url).basic_auth(&facts.user, Some(&facts.password));
    let answer = request.json(&body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The names of all `kind` (`vhosts`, `queues`, `exchanges`) that contain `part`.
async fn names(kind: &str, part: &str) -> Vec<String> {
    let all = api(Method::GET, &format!("{kind}?disable_stats=true"), json!({})).await;
    let names = all.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap());
    names.filter(|name| name.contains(part)).map(str::to_owned).collect()
}

/// Makes a user with a tag (or none) and one pattern as all three permissions in `/`.
async fn make_user(name: &str, tags: &str, pattern: Option<&str>) {
    let body = json!({ "password": "s3cret-word", "tags": tags });
    api(Method::PUT, &format!("users/{name}"), body).await;
    if let Some(it) = pattern {
        let body = json!({ "configure": it, "write": it, "read": it });
        api(Method::PUT, &format!("permissions/%2F/{name}"), body).await;
    }
}

async fn administrator() -> Choice {
    let facts = node().await.facts().unwrap();
    as_external(&facts.user, &facts.password, "%2F").await
}

fn queue(name: &str) -> Queue {
    Queue {
        name: name.to_owned(),
        durable: true,
        auto_delete: false,
        exclusive: false,
        temporary: false,
        owner: None,
    }
}

fn exchange(name: &str, kind: ExchangeKind) -> Exchange {
    let name = name.to_owned();
    Exchange { name, kind, durable: true, auto_delete: false, internal: false }
}

fn binding(from: u16, to: u16, key: &str) -> Binding {
    Binding {
        from: ExchangeId(from),
        to: QueueId(to),
        routing_key: key.to_owned(),
        headers: Vec::new(),
        match_any: false,
    }
}

/// Two queues of everybody, one exclusive and one temporary; one exchange of each kind.
fn topology() -> Topology {
    let owned = Some(WorkerId(0));
    let mut matching = binding(4, 0, "");
    matching.headers = vec![
        ("n".to_owned(), Scalar::Int(1)),
        ("on".to_owned(), Scalar::Bool(true)),
        ("x".to_owned(), Scalar::Float(0.5)),
        ("t".to_owned(), Scalar::Text("a".to_owned())),
    ];
    let mut any = matching.clone();
    (any.to, any.match_any) = (QueueId(1), true);
    Topology {
        exchanges: vec![
            exchange("", ExchangeKind::Direct),
            exchange("direct", ExchangeKind::Direct),
            exchange("fanout", ExchangeKind::Fanout),
            exchange("topic", ExchangeKind::Topic),
            Exchange {
                durable: false,
                auto_delete: true,
                ..exchange("headers", ExchangeKind::Headers)
            },
        ],
        queues: vec![
            queue("kept"),
            Queue { durable: false, auto_delete: true, ..queue("passing") },
            Queue { durable: false, exclusive: true, owner: owned, ..queue("own") },
            Queue {
                exclusive: true,
                temporary: true,
                durable: false,
                owner: owned,
                ..queue("worker")
            },
        ],
        bindings: vec![
            binding(1, 0, "k"),
            binding(2, 0, ""),
            binding(2, 2, ""),
            binding(2, 3, ""),
            binding(3, 1, "a.*.c"),
            binding(3, 3, "#"),
            matching,
            any,
        ],
    }
}

async fn ready(channel: &Channel, queue: &str) -> u32 {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let answer = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
    answer.unwrap().message_count()
}

async fn publish(channel: &Channel, exchange: &str, key: &str, headers: FieldTable) {
    let properties = BasicProperties::default().with_headers(headers);
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange.into(), key.into(), options, b"x", properties).await;
    sent.unwrap().await.unwrap();
}

fn headers(entries: &[(&str, Scalar)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert((*name).into(), header(value));
    }
    table
}

/// Declares the whole topology, and sees that each binding leads where it should.
async fn routes(space: &Space) {
    let topology = topology();
    let link = space.connect("routes", None).await.unwrap();
    let channel = link.connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    space.declare(&channel, &topology).await.unwrap();
    let own = space.declare_owned(&channel, &topology, QueueId(2)).await.unwrap();
    let temporary = space.declare_owned(&channel, &topology, QueueId(3)).await.unwrap();
    assert_eq!(own, space.name("own"));
    assert!(temporary.starts_with("amq.gen-"), "{temporary}");
    let (kept, passing) = (space.name("kept"), space.name("passing"));
    let all = [&kept, &passing, &own, &temporary];

    let right = [
        ("n", Scalar::Int(1)),
        ("on", Scalar::Bool(true)),
        ("x", Scalar::Float(0.5)),
        ("t", Scalar::Text("a".to_owned())),
    ];
    let of_another_type = [("n", Scalar::Text("1".to_owned()))];
    let none = FieldTable::default;
    for (exchange, key, table, expected) in [
        ("", &*kept, none(), [1, 0, 0, 0]),
        ("direct", "k", none(), [1, 0, 0, 0]),
        ("direct", "other", none(), [0, 0, 0, 0]),
        ("fanout", "", none(), [1, 0, 1, 1]),
        ("topic", "a.b.c", none(), [0, 1, 0, 1]),
        ("topic", "a.c", none(), [0, 0, 0, 1]),
        ("headers", "", headers(&right), [1, 1, 0, 0]),
        ("headers", "", headers(&right[..1]), [0, 1, 0, 0]),
        ("headers", "", headers(&of_another_type), [0, 0, 0, 0]),
    ] {
        let real = if exchange.is_empty() { String::new() } else { space.name(exchange) };
        publish(&channel, &real, key, table).await;
        let mut found = Vec::new();
        for queue in all {
            found.push(ready(&channel, queue).await);
            channel.queue_purge(queue.as_str().into(), Default::default()).await.unwrap();
        }
        assert_eq!(found, expected, "{exchange:?} {key:?}");
    }
    link.close().await.unwrap();
}

#[test]
fn a_private_node_answers_and_says_who_it_is() {
    block_on(async {
        let broker = node().await;
        assert_eq!(broker.kind(), "private");
        assert!(broker.has_management());
        assert!(broker.ready_after().unwrap() > Duration::from_millis(100));
        let opened = Instant::now();
        let said = api(Method::GET, "overview", json!({})).await;
        assert!(opened.elapsed() < Duration::from_secs(1), "it waits for something");
        assert_eq!(said["rabbitmq_version"], broker.version());
    });
}

/// Every listening socket of the node, the distribution's and its name service's included.
#[cfg(target_os = "linux")]
#[test]
fn a_private_node_listens_on_loopback_only() {
    fn sockets(pid: u32) -> Vec<String> {
        let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        let named = targets.filter_map(|target| Some(target.to_str()?.to_owned()));
        named
            .filter_map(|it| Some(it.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
            .collect()
    }
    /// The address as the kernel writes it, and the port, of what these processes listen on.
    fn listening(pids: &[u32]) -> Vec<(String, u16)> {
        let ours: Vec<String> = pids.iter().flat_map(|&pid| sockets(pid)).collect();
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
            .map(|table| fs::read_to_string(table).unwrap_or_default());
        let rows = tables.iter().flat_map(|table| table.lines().skip(1));
        let rows = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row[3] == "0A" && ours.iter().any(|inode| inode == row[9]))
            .map(|row| {
                let (address, port) = row[1].split_once(':').unwrap();
                (address.to_owned(), u16::from_str_radix(port, 16).unwrap())
            })
            .collect()
    }
    /// 127.0.0.1 and ::1.
    const LOOPBACK: [&str; 2] = ["0100007F", "00000000000000000000000001000000"];

    block_on(async {
        let facts = node().await.facts().unwrap();
        // A server that somebody's own script starts has the Erlang machine further down.
        let mark = facts.dir.to_str().unwrap().as_bytes();
        let ids = fs::read_dir("/proc").unwrap().flatten();
        let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let pids: Vec<u32> = ids
            .filter(|id| {
                let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
                environment.windows(mark.len()).any(|window| window == mark)
            })
            .collect();
        assert!(pids.contains(&facts.pid), "{pids:?}");
        let found = listening(&pids);
        let ports: BTreeSet<u16> = found.iter().map(|(_, port)| *port).collect();
        let expected = [facts.amqp, facts.management, facts.distribution, facts.epmd];
        assert_eq!(ports, BTreeSet::from(expected), "{found:?}");
        for (address, port) in found {
            assert!(LOOPBACK.contains(&&*address), "{address} port {port}");
        }
    });
}

#[test]
fn a_private_node_permits_transient_queues() {
    block_on(async {
        let version = node().await.version();
        if version.starts_with("3.") || version.starts_with("4.0.") {
            // 3.10 has no such list; that of 4.0 does not tell the state. The queue does.
            let space = node().await.space("transient").await.unwrap();
            routes(&space).await;
            return space.close().await.unwrap();
        }
        let features = api(Method::GET, "deprecated-features", json!({})).await;
        let features = features.as_array().unwrap().clone();
        let it = features.iter().find(|it| it["name"] == "transient_nonexcl_queues").unwrap();
        assert_eq!(it["state"], "permitted");
    });
}

#[test]
fn on_a_private_node_each_variant_has_a_virtual_host_of_its_own() {
    block_on(async {
        let space = node().await.space("private").await.unwrap();
        assert_eq!(space.vhost(), "rmq-scenario-private");
        assert_eq!(space.name("q"), "q");
        routes(&space).await;
        assert_eq!(names("vhosts", "rmq-scenario-private").await.len(), 1);
        space.close().await.unwrap();
        assert_eq!(names("vhosts", "rmq-scenario-private").await.len(), 0);
        space.close().await.expect("a second time is fine");
    });
}

/// What an administrator of somebody else's broker gets, and that it is gone afterwards.
#[test]
fn an_administrator_gets_a_virtual_host() {
    block_on(async {
        let broker = Broker::open(administrator().await, program()).await.unwrap();
        assert_eq!((broker.kind(), broker.ready_after()), ("external", None));
        assert_eq!(broker.version(), node().await.version());
        let space = broker.space("admin-1").await.unwrap();
        let forgotten = broker.space("admin-2").await.unwrap();
        routes(&space).await;
        routes(&forgotten).await;
        assert_eq!(names("vhosts", "admin-").await.len(), 2);
        space.close().await.unwrap();
        assert_eq!(names("vhosts", "admin-").await, ["rmq-scenario-admin-2"]);
        broker.close().await.unwrap();
        assert_eq!(names("vhosts", "admin-").await.len(), 0);
    });
}

#[test]
fn anybody_else_gets_a_prefix() {
    block_on(async {
        make_user("plain", "", Some(".*")).await;
        let Choice::External { url, .. } = as_external("plain", "s3cret-word", "%2F").await else {
            unreachable!("it is external")
        };
        // Where the management API is is not said, and there is none at the usual place.
        let broker = Broker::open(Choice::External { url, management: None }, program()).await;
        let broker = broker.unwrap();
        assert!(!broker.has_management());
        let space = broker.space("plain").await.unwrap();
        assert_eq!((space.vhost(), &*space.name("q")), ("/", "rmq-scenario-plain.q"));
        routes(&space).await;
        let queues = names("queues", "plain.").await;
        assert!(queues.contains(&"rmq-scenario-plain.kept".to_owned()), "{queues:?}");
        let error = space.unacked("q").await.unwrap_err();
        assert_eq!(error.kind, Kind::Management);
        assert!(error.help.unwrap().contains("rabbitmq_management"));
        broker.close().await.unwrap();
        assert_eq!(names("queues", "plain.").await.len(), 0);
        assert_eq!(names("exchanges", "plain.").await.len(), 0);
    });
}

/// What another broker's management API would answer to an administrator.
fn another_management() -> std::net::SocketAddr {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let first = lines.next().unwrap().unwrap();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let body = match first.split_whitespace().nth(1).unwrap() {
                "/api/whoami" => r#"{"tags":["administrator"]}"#,
                "/api/cluster-name" => r#"{"name":"rabbit@elsewhere"}"#,
                other => panic!("nobody should ask it for {other}"),
            };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
            );
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    address
}

/// It would make virtual hosts where the scenario does not run.
#[test]
fn another_brokers_management_api_is_noticed() {
    block_on(async {
        let Choice::External { url, .. } = administrator().await else { unreachable!() };
        let management = Some(format!("http://{}", another_management()));
        let opened = open(Choice::External { url, management }).await;
        refused(opened, Kind::Management, "the cluster \"rabbit@elsewhere\"", "--management");
    });
}

/// A user who may look at the management API, and no more.
#[test]
fn one_who_may_look_gets_a_prefix_and_the_numbers() {
    block_on(async {
        make_user("looker", "management", Some(".*")).await;
        let choice = as_external("looker", "s3cret-word", "%2F").await;
        let broker = Broker::open(choice, program()).await.unwrap();
        assert!(broker.has_management());
        let space = broker.space("looker").await.unwrap();
        assert_eq!(space.vhost(), "/");
        unacked_is_live(&space).await;
        broker.close().await.unwrap();
        assert_eq!(names("queues", "looker.").await.len(), 0);
    });
}

/// Takes `count` messages without acking, cuts the connection, and watches the numbers.
async fn unacked_is_live(space: &Space) {
    let topology = Topology { queues: vec![queue("held")], ..Topology::default() };
    let held = space.name("held");
    let link = space.connect("publisher", None).await.unwrap();
    let channel = link.connection.create_channel().await.unwrap();
    space.declare(&channel, &topology).await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for _ in 0..20 {
        publish(&channel, "", &held, FieldTable::default()).await;
    }
    assert_eq!(space.unacked(&held).await.unwrap().count, 0);
    for count in [3, 7, 5] {
        let worker = space.connect("worker", None).await.unwrap();
        let own = worker.connection.create_channel().await.unwrap();
        own.basic_qos(count, Default::default()).await.unwrap();
        let options = BasicConsumeOptions::default();
        let consumer =
            own.basic_consume(held.as_str().into(), "".into(), options, FieldTable::default());
        let taken: Vec<_> = consumer.await.unwrap().take(count.into()).collect().await;
        assert_eq!(taken.len(), usize::from(count));
        let seen = space.unacked(&held).await.unwrap();
        assert_eq!(seen.count, u64::from(count), "the first answer is right");
        assert!(seen.age_at_most < Duration::from_secs(1), "{seen:?}");
        assert_eq!(ready(&channel, &held).await, 20 - u32::from(count));

        let cut = Instant::now();
        worker.cut();
        while ready(&channel, &held).await != 20 {
            assert!(cut.elapsed() < Duration::from_secs(5), "what it held does not come back");
        }
        assert_eq!(space.unacked(&held).await.unwrap().count, 0);
        let late = taken[0].as_ref().unwrap().ack(BasicAckOptions::default()).await;
        assert!(!late.is_ok_and(|written| written), "nothing is written after the cut");
        worker.cut();
    }
    link.close().await.unwrap();
    let error = space.unacked("absent").await.unwrap_err();
    assert!(error.message.contains("no such queue"), "{}", error.message);
}

#[test]
fn the_numbers_of_a_private_node_are_live() {
    block_on(async {
        let space = node().await.space("live").await.unwrap();
        unacked_is_live(&space).await;
        space.close().await.unwrap();
    });
}

#[test]
fn a_connection_shows_its_name_and_has_the_frame_size_asked_for() {
    block_on(async {
        let space = node().await.space("names").await.unwrap();
        let small = space.connect("worker-1", None).await.unwrap();
        let large = space.connect("producer", Some(131_072)).await.unwrap();
        assert_eq!(small.connection.configuration().frame_max(), 8192);
        assert_eq!(large.connection.configuration().frame_max(), 131_072);
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            assert!(Instant::now() < deadline, "{seen:?}");
            let all = api(Method::GET, "vhosts/rmq-scenario-names/connections", json!({})).await;
            let all = all.as_array().unwrap().clone();
            let name =
                |it: &Value| Some(it["client_properties"]["connection_name"].as_str()?.to_owned());
            seen = all.iter().filter_map(name).collect();
        }
        seen.sort();
        assert_eq!(seen, ["producer", "worker-1"]);
        small.close().await.unwrap();
        large.close().await.unwrap();
        space.close().await.unwrap();
    });
}

/// Opens, expects an error of this kind that says and advises this, and shows no password.
#[track_caller]
fn refused(opened: Result<Broker, BrokerError>, kind: Kind, says: &str, advises: &str) {
    let error = opened.expect_err("it opened");
    let shown = format!("{error:?} {:?}", error.diagnostic());
    assert_eq!(error.kind, kind, "{shown}");
    assert!(error.message.contains(says), "{says:?} in {shown}");
    assert!(
        error.help.as_ref().is_some_and(|help| help.contains(advises)),
        "{advises:?} in {shown}"
    );
    assert!(!shown.contains("s3cret-word"), "{shown}");
    assert!(!error.message.contains('\n'), "{shown}");
    assert_eq!(error.is_usage(), kind == Kind::Usage);
}

async fn open(choice: Choice) -> Result<Broker, BrokerError> {
    Broker::open(choice, program()).await
}

#[test]
fn a_wrong_password_is_told_without_it() {
    block_on(async {
        let choice = as_external("nobody", "s3cret-word", "%2F").await;
        refused(open(choice).await, Kind::Login, "refused the user \"nobody\"", "amqp://user:");
    });
}

#[test]
fn a_missing_virtual_host_is_told() {
    block_on(async {
        let facts = node().await.facts().unwrap();
        let choice = as_external(&facts.user, &facts.password, "absent").await;
        refused(open(choice).await, Kind::Vhost, "no virtual host \"absent\"", "names it");
    });
}

#[test]
fn a_virtual_host_that_is_closed_to_the_user_is_told() {
    block_on(async {
        make_user("outsider", "", None).await;
        let choice = as_external("outsider", "s3cret-word", "%2F").await;
        refused(open(choice).await, Kind::Vhost, "does not let \"outsider\"", "set_permissions");
    });
}

#[test]
fn a_user_who_may_not_declare_is_told() {
    block_on(async {
        make_user("reader", "management", Some("^$")).await;
        let choice = as_external("reader", "s3cret-word", "%2F").await;
        let broker = open(choice).await.unwrap();
        let space = broker.space("reader").await.unwrap();
        let link = space.connect("reader", None).await.unwrap();
        let channel = link.connection.create_channel().await.unwrap();
        let error = space.declare(&channel, &topology()).await.unwrap_err();
        assert_eq!(error.kind, Kind::Permission, "{error:?}");
        assert!(
            error.message.starts_with("declaring exchange \"direct\" failed: 403 ACCESS_REFUSED"),
            "{error}"
        );
        assert!(error.help.unwrap().contains("set_permissions"));
        // Nothing was made, but nobody could know: the clean-up is refused as well, and says so.
        let error = broker.close().await.unwrap_err();
        assert!(error.message.contains("rmq-scenario-reader.kept"), "{error}");
    });
}

#[test]
fn a_management_api_that_was_named_must_answer() {
    block_on(async {
        let Choice::External { url, .. } = administrator().await else { unreachable!() };
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let management = Some(format!("http://{unused}"));
        let opened = open(Choice::External { url: url.clone(), management }).await;
        refused(opened, Kind::Management, "Connection refused", "rabbitmq-plugins enable");
        make_user("untagged", "", Some(".*")).await;
        let choice = as_external("untagged", "s3cret-word", "%2F").await;
        refused(open(choice).await, Kind::Management, "401", "set_user_tags untagged");
        let management = Some("ftp://u:s3cret-word@h".to_owned());
        let opened = open(Choice::External { url, management }).await;
        refused(opened, Kind::Usage, "malformed", "http://host:15672");
    });
}

#[test]
fn where_nobody_listens_the_connection_is_refused() {
    block_on(async {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("amqp://u:s3cret-word@{unused}");
        let opened = open(Choice::External { url, management: None }).await;
        refused(opened, Kind::Unreachable, "Connection refused", "is RabbitMQ running there");
    });
}

#[test]
fn what_is_no_broker_is_told() {
    block_on(async {
        let facts = node().await.facts().unwrap();
        let url = format!("amqp://u:s3cret-word@127.0.0.1:{}", facts.management);
        let opened = open(Choice::External { url, management: None }).await;
        refused(opened, Kind::Unreachable, "does not speak AMQP", "AMQP port");
    });
}

#[test]
fn a_malformed_address_is_a_usage_error() {
    block_on(async {
        for url in ["http://u:s3cret-word@h", "amqps://u:s3cret-word@h", "s3cret-word"] {
            let choice = Choice::External { url: url.to_owned(), management: None };
            let error = open(choice).await.expect_err(url);
            assert!(error.is_usage() && error.help.is_some(), "{error:?}");
            assert!(!format!("{error:?}").contains("s3cret-word"), "{error:?}");
        }
    });
}

/// A server that does what this script says.
fn server(dir: &Path, script: &str) -> Choice {
    let path: PathBuf = dir.join("server");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Choice::Private { server: Some(path) }
}

#[test]
fn a_server_that_ends_while_it_boots_is_told_at_once_with_its_words() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let opened = open(server(dir.path(), "echo BOOT FAILED: no reason; exit 1")).await;
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        let notes = opened.as_ref().unwrap_err().notes.clone();
        assert_eq!(notes, ["BOOT FAILED: no reason"]);
        refused(opened, Kind::Boot, "ended while it booted", "--server");
    });
}

#[test]
fn a_port_that_was_taken_meanwhile_is_tried_again_with_others() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let tries = dir.path().join("tries");
        let script = format!("echo $ERL_EPMD_PORT >> {}; echo eaddrinuse", tries.display());
        let opened = open(server(dir.path(), &script)).await;
        refused(opened, Kind::Boot, "ended while it booted", "--server");
        let tries = fs::read_to_string(tries).unwrap();
        let ports: BTreeSet<&str> = tries.lines().collect();
        assert_eq!((tries.lines().count(), ports.len()), (3, 3), "{tries}");
    });
}

#[test]
fn a_server_that_cannot_be_run_is_told() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let choice = Choice::Private { server: Some(dir.path().to_owned()) };
        refused(open(choice).await, Kind::NoServer, "is a directory", "server script itself");
        let choice = server(dir.path(), "");
        fs::write(dir.path().join("server"), "#!/nonexistent/interpreter\n").unwrap();
        refused(open(choice).await, Kind::Boot, "cannot run", "--broker");
    });
}
