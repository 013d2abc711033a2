//! Somebody else's broker: what we get there, that we leave nothing, and who does not let us in.

mod support;

use rmq_scenario::broker::{Broker, Choice, Kind, Tls};
use support::api::{administrator, make_user, names, open, refused};
use support::space::{routes, topology, unacked_is_live};
use support::{as_external, block_on, node, program};

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
        let broker = Broker::open(
            Choice::External { url, management: None, tls: Tls::default() },
            program(),
        )
        .await;
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
        let opened = open(Choice::External { url, management, tls: Tls::default() }).await;
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
        let opened =
            open(Choice::External { url: url.clone(), management, tls: Tls::default() }).await;
        refused(opened, Kind::Management, "Connection refused", "rabbitmq-plugins enable");
        make_user("untagged", "", Some(".*")).await;
        let choice = as_external("untagged", "s3cret-word", "%2F").await;
        refused(open(choice).await, Kind::Management, "401", "set_user_tags untagged");
        let management = Some("ftp://u:s3cret-word@h".to_owned());
        let opened = open(Choice::External { url, management, tls: Tls::default() }).await;
        refused(opened, Kind::Usage, "malformed", "http://host:15672");
    });
}

#[test]
fn where_nobody_listens_the_connection_is_refused() {
    block_on(async {
        let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("amqp://u:s3cret-word@{unused}");
        let opened = open(Choice::External { url, management: None, tls: Tls::default() }).await;
        refused(opened, Kind::Unreachable, "Connection refused", "is RabbitMQ running there");
    });
}

#[test]
fn what_is_no_broker_is_told() {
    block_on(async {
        let facts = node().await.facts().unwrap();
        let url = format!("amqp://u:s3cret-word@127.0.0.1:{}", facts.management);
        let opened = open(Choice::External { url, management: None, tls: Tls::default() }).await;
        refused(opened, Kind::Unreachable, "does not speak AMQP", "AMQP port");
    });
}

#[test]
fn a_malformed_address_is_a_usage_error() {
    block_on(async {
        for url in ["http://u:s3cret-word@h", "amqps://u:s3cret-word@", "s3cret-word"] {
            let choice =
                Choice::External { url: url.to_owned(), management: None, tls: Tls::default() };
            let error = open(choice).await.expect_err(url);
            assert!(error.is_usage() && error.help.is_some(), "{error:?}");
            assert!(!format!("{error:?}").contains("s3cret-word"), "{error:?}");
        }
    });
}
