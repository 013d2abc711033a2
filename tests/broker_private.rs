//! A node of our own: what it is, what it listens on, and how it fails to start.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use reqwest::Method;
use rmq_scenario::broker::{Choice, Kind, Settings};
use serde_json::{Value, json};
use support::api::{api, names, open, refused};
use support::space::{routes, unacked_is_live};
use support::{block_on, contained, node};

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
    /// The address as the kernel writes it, and the port, of what these processes listen on, or
    /// anybody.
    fn listening(pids: Option<&[u32]>) -> Vec<(String, u16)> {
        let ours: Option<Vec<String>> =
            pids.map(|pids| pids.iter().flat_map(|&pid| sockets(pid)).collect());
        let is_ours = |socket: &str| match &ours {
            Some(ours) => ours.iter().any(|inode| inode == socket),
            None => true,
        };
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
            .map(|table| fs::read_to_string(table).unwrap_or_default());
        let rows = tables.iter().flat_map(|table| table.lines().skip(1));
        let rows = rows.map(|row| row.split_whitespace().collect::<Vec<_>>());
        rows.filter(|row| row[3] == "0A" && is_ours(row[9]))
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
        if contained() {
            // Who listens there is the engine's affair, and so are the other two ports.
            for (address, port) in listening(None) {
                let ours = port == facts.amqp || port == facts.management;
                assert!(!ours || LOOPBACK.contains(&&*address), "{address} port {port}");
            }
            return;
        }
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
        let found = listening(Some(&pids));
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

/// A server that does what this script says.
fn server(dir: &Path, script: &str) -> Choice {
    let path: PathBuf = dir.join("server");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    Choice::Private { server: Some(path), settings: Settings::default() }
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
fn nodes_that_disagreed_are_started_anew() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let tries = dir.path().join("tries");
        for said in [
            "{error,{schema_integrity_check_failed,[]}}",
            "    rabbit_feature_flags:try_to_read_enabled_feature_flags_list/0, line 1409",
        ] {
            let script = format!("echo try >> {}; echo '{said}'", tries.display());
            let opened = open(server(dir.path(), &script)).await;
            refused(opened, Kind::Boot, "ended while it booted", "--server");
            assert_eq!(fs::read_to_string(&tries).unwrap(), "try\n".repeat(3));
            fs::remove_file(&tries).unwrap();
        }
    });
}

#[test]
fn a_server_that_cannot_be_run_is_told() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let choice =
            Choice::Private { server: Some(dir.path().to_owned()), settings: Settings::default() };
        refused(open(choice).await, Kind::NoServer, "is a directory", "server script itself");
        let choice = server(dir.path(), "");
        fs::write(dir.path().join("server"), "#!/nonexistent/interpreter\n").unwrap();
        refused(open(choice).await, Kind::Boot, "cannot run", "--broker");
    });
}
