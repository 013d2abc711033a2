//! The wire between a client and a plain TCP server, which answers with what it was sent.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use super::*;
use crate::broker::address::Address;
use crate::broker::route::Route;
use crate::broker::tls::{Tls, Trust};

/// Whatever shall happen at once: generous, because the machine may be busy.
const SOON: Duration = Duration::from_secs(5);
/// Whatever shall not happen is looked for so long.
const A_WHILE: Duration = Duration::from_millis(150);

/// What a server got, and when the connection ended for it.
#[derive(Default)]
struct Heard {
    bytes: Vec<u8>,
    ended: Option<Instant>,
}

/// Accepts any number of connections and answers each byte with itself; closes when it hears a 0.
struct Server {
    address: SocketAddr,
    heard: Arc<Mutex<Heard>>,
}

impl Server {
    async fn start(address: impl Into<std::net::IpAddr>) -> Self {
        let listener = TcpListener::bind((address.into(), 0)).await.unwrap();
        let (address, heard) = (listener.local_addr().unwrap(), Arc::default());
        let server = Self { address, heard: Arc::clone(&heard) };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(echo(socket, Arc::clone(&heard)));
            }
        });
        server
    }

    fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().bytes.clone()
    }

    fn ended(&self) -> Option<Instant> {
        self.heard.lock().unwrap().ended
    }

    async fn connect(&self, wire: &Wire) -> TcpStream {
        wire.connect((&self.address.ip().to_string(), self.address.port())).await.unwrap().0
    }
}

async fn echo(mut socket: TcpStream, heard: Arc<Mutex<Heard>>) {
    let mut chunk = vec![0; 1 << 16];
    while let Ok(count @ 1..) = socket.read(&mut chunk).await {
        heard.lock().unwrap().bytes.extend(&chunk[..count]);
        if chunk[..count].contains(&0) || socket.write_all(&chunk[..count]).await.is_err() {
            break;
        }
    }
    heard.lock().unwrap().ended = Some(Instant::now());
}

async fn exchange(client: &mut TcpStream, word: &[u8]) {
    client.write_all(word).await.unwrap();
    let mut answer = vec![0; word.len()];
    timeout(SOON, client.read_exact(&mut answer)).await.expect("no answer").unwrap();
    assert_eq!(answer, word);
}

/// Waits until it holds.
#[track_caller]
fn soon(what: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let place = std::panic::Location::caller();
    let (what, since) = (what.to_owned(), Instant::now());
    async move {
        while !holds() {
            assert!(since.elapsed() < SOON, "{place}: {what}");
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[tokio::test]
async fn it_carries_to_any_address_and_tells_what_the_other_end_sees() {
    for server in
        [Server::start(Ipv4Addr::LOCALHOST).await, Server::start(Ipv6Addr::LOCALHOST).await]
    {
        let (host, port) = (server.address.ip().to_string(), server.address.port());
        let (mut client, ends) = Wire::default().connect((&host, port)).await.unwrap();
        exchange(&mut client, b"hello").await;
        assert_eq!(ends[1], server.address);
        assert!(ends[0].ip() == server.address.ip() && ends[0] != client.local_addr().unwrap());
        // Nobody else gets in: the port of the proxy is closed already.
        let refused = TcpStream::connect(client.peer_addr().unwrap()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    let refused = Wire::default().connect(("127.0.0.1", nobody.port())).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_after_a_cut_arrives_after_it_and_in_order() {
    let (server, wire) = (Server::start(Ipv4Addr::LOCALHOST).await, Wire::default());
    let mut client = server.connect(&wire).await;
    let mut expected = Vec::new();
    for round in 1..=100_u8 {
        // Something is on its way at the moment of the cut, and may or may not arrive before.
        client.write_all(&[round]).await.unwrap();
        wire.cut();
        client.write_all(&[200]).await.unwrap();
        sleep(Duration::from_millis(2)).await;
        expected.push(round);
        assert!(expected.starts_with(&server.heard()), "round {round}: it leaked");
        wire.mend();
        expected.push(200);
        soon("the rest is lost", || server.heard() == expected).await;
    }
    let mut answers = vec![0; expected.len()];
    timeout(SOON, client.read_exact(&mut answers)).await.expect("answers are lost").unwrap();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn the_way_back_is_silent_too() {
    let (server, wire) = (Server::start(Ipv4Addr::LOCALHOST).await, Wire::default());
    let mut client = server.connect(&wire).await;
    // The answer is on its way while the network fails.
    wire.slow(Duration::from_millis(100));
    client.write_all(b"x").await.unwrap();
    soon("it does not arrive", || server.heard() == b"x").await;
    wire.cut();
    let silence = timeout(A_WHILE, client.read_u8()).await;
    assert!(silence.is_err(), "{silence:?}");
    wire.mend();
    let answer = timeout(SOON, client.read_u8()).await.expect("no answer");
    assert_eq!(answer.unwrap(), b'x');
}

#[tokio::test]
async fn an_end_is_not_seen_before_the_cut_is_mended() {
    let (server, wire) = (Server::start(Ipv4Addr::LOCALHOST).await, Wire::default());
    let mut client = server.connect(&wire).await;
    exchange(&mut client, b"x").await;
    wire.cut();
    client.write_all(b"last words").await.unwrap();
    drop(client);
    sleep(A_WHILE).await;
    assert!(server.ended().is_none() && server.heard() == b"x");
    wire.mend();
    soon("the end does not arrive", || server.ended().is_some()).await;
    assert_eq!(server.heard(), b"xlast words");

    let mut client = server.connect(&wire).await;
    wire.slow(Duration::from_millis(50));
    client.write_all(&[0]).await.unwrap();
    soon("it does not close", || server.heard().ends_with(&[0])).await;
    wire.cut();
    let silence = timeout(A_WHILE, client.read(&mut [0])).await;
    assert!(silence.is_err(), "{silence:?}");
    wire.mend();
    let end = timeout(SOON, client.read(&mut [0])).await.expect("it is not told of the end");
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn an_attempt_to_connect_meets_silence_until_it_is_mended() {
    let (server, wire) = (Server::start(Ipv4Addr::LOCALHOST).await, Wire::default());
    wire.cut();
    let attempt = timeout(A_WHILE, server.connect(&wire)).await;
    assert!(attempt.is_err(), "{attempt:?}");
    let (mut client, ()) = tokio::join!(server.connect(&wire), async {
        sleep(Duration::from_millis(50)).await;
        wire.mend();
    });
    exchange(&mut client, b"back").await;
}

#[tokio::test]
async fn a_slow_one_delays_each_way_and_each_step_of_connecting() {
    let latency = Duration::from_millis(60);
    let (server, wire) = (Server::start(Ipv4Addr::LOCALHOST).await, Wire::default());
    wire.slow(latency);
    let begun = Instant::now();
    let mut client = server.connect(&wire).await;
    let connected = begun.elapsed();
    let begun = Instant::now();
    exchange(&mut client, b"x").await;
    let took = begun.elapsed();
    let begun = Instant::now();
    drop(client);
    soon("the end does not arrive", || server.ended().is_some()).await;
    let ended = server.ended().unwrap() - begun;
    assert!(
        connected >= 2 * latency && took >= 2 * latency && ended >= latency && took < SOON,
        "connected in {connected:?}, answered in {took:?}, ended in {ended:?}"
    );
    wire.slow(Duration::ZERO);
    let mut client = server.connect(&wire).await;
    let begun = Instant::now();
    exchange(&mut client, b"y").await;
    assert!(begun.elapsed() < 2 * latency, "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_one_carries_as_much_as_a_fast_one_and_keeps_the_order() {
    const BYTES: usize = 48 << 20;
    let (server, wire) = (Server::start(Ipv4Addr::LOCALHOST).await, Wire::default());
    wire.slow(Duration::from_millis(100));
    let (mut from, mut to) = server.connect(&wire).await.into_split();
    // No two places that are less than 251 bytes apart look the same.
    let row: Vec<u8> = (1..=251).collect::<Vec<u8>>().repeat(300);
    let pieces = row.clone();
    let begun = Instant::now();
    let sending = tokio::spawn(async move {
        for part in 0..BYTES / pieces.len() {
            to.write_all(&pieces).await.unwrap();
            // A latency that changes on the way, down and up.
            let millis = [30, 100, 60][part / 10 % 3];
            wire.slow(Duration::from_millis(millis));
        }
        to
    });
    let (mut chunk, mut seen) = (vec![0; 1 << 16], 0);
    while seen < BYTES / row.len() * row.len() {
        let count = timeout(SOON, from.read(&mut chunk)).await.expect("it stalls").unwrap();
        assert!(count > 0, "it ended after {seen} bytes");
        assert!(chunk[..count] == row[seen % 251..][..count], "out of order after {seen}");
        seen += count;
    }
    drop(sending.await.unwrap());
    // One piece of 16 KiB for each delay would take minutes.
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_death_is_known_at_once_and_what_was_sent_before_it_arrives() {
    let (server, wire) = (Server::start(Ipv4Addr::LOCALHOST).await, Wire::default());
    let mut fastest = SOON;
    for round in 0..20 {
        *server.heard.lock().unwrap() = Heard::default();
        let mut client = server.connect(&wire).await.into_std().unwrap();
        client.set_nonblocking(false).unwrap();
        let words = vec![7; 100_000];
        // It does not read the answers: the dead refuse them.
        std::io::Write::write_all(&mut client, &words).unwrap();
        let died = Instant::now();
        client.shutdown(std::net::Shutdown::Both).unwrap();
        soon("its death is not known", || server.ended().is_some()).await;
        let took = server.ended().unwrap() - died;
        assert_eq!(server.heard().len(), words.len(), "round {round}, after {took:?}");
        fastest = fastest.min(took);
    }
    assert!(fastest < Duration::from_millis(50), "{fastest:?}");
    let mut client = server.connect(&wire).await;
    client.write_all(&[0]).await.unwrap();
    let end = timeout(SOON, client.read(&mut [0])).await.expect("it is not told of the end");
    assert_eq!(end.unwrap(), 0);
}

#[tokio::test]
async fn when_wire_and_connections_are_gone_nothing_is_left() {
    let server = Server::start(Ipv4Addr::LOCALHOST).await;
    let before = Handle::current().metrics().num_alive_tasks();
    type Trouble = fn(&Wire);
    let troubles: [Trouble; 3] =
        [|_| {}, |wire| wire.slow(Duration::from_millis(20)), |wire| wire.cut()];
    for trouble in troubles {
        let wire = Wire::default();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = server.connect(&wire).await;
            exchange(&mut client, b"x").await;
            clients.push(client);
        }
        trouble(&wire);
        clients[0].write_all(b"unanswered").await.unwrap();
        drop((clients, wire));
        let alive = || Handle::current().metrics().num_alive_tasks();
        soon("there are tasks left", || alive() == before).await;
    }
}

#[tokio::test]
async fn a_connection_outlives_its_wire_unless_it_is_cut() {
    let server = Server::start(Ipv4Addr::LOCALHOST).await;
    let wire = Wire::default();
    let mut client = server.connect(&wire).await;
    drop(wire);
    exchange(&mut client, b"still").await;
    drop(client);
    soon("its end does not arrive", || server.ended().is_some()).await;

    let wire = Wire::default();
    let mut client = server.connect(&wire).await;
    let other = wire.clone();
    wire.cut();
    drop(wire);
    let silence = timeout(A_WHILE, client.read(&mut [0])).await;
    assert!(silence.is_err(), "{silence:?}");
    drop(other);
    let end = timeout(SOON, client.read(&mut [0])).await.expect("it stays cut for ever");
    assert_eq!(end.unwrap(), 0);
}

/// Speaks TLS with a certificate for the name `localhost`, and no address; says one byte under it.
fn secured(dir: &std::path::Path) -> (u16, Trust) {
    let paper = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let ca = dir.join("ca");
    std::fs::write(&ca, paper.cert.pem()).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(paper.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = config.with_single_cert(vec![paper.cert.der().clone()], key.into()).unwrap();
    let config = Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut socket in listener.incoming().flatten() {
            let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = rustls::Stream::new(&mut session, &mut socket);
            // One that does not trust us hangs up.
            let _ = std::io::Write::write_all(&mut stream, b"x");
        }
    });
    let tls = Tls { ca: Some(ca), ..Tls::default() };
    (port, Trust::new(&tls).unwrap())
}

/// The proxy is at 127.0.0.1, whatever the broker's name is.
#[tokio::test]
async fn tls_below_it_is_verified_for_the_real_host() {
    let dir = tempfile::tempdir().unwrap();
    let (port, trust) = secured(dir.path());
    let route = |host: &str| {
        let address = Address::parse(&format!("amqps://{host}:{port}")).unwrap();
        Route { address, trust: Some(trust.clone()), heartbeat: None }
    };
    let wire = Wire::default();
    let mut stream =
        async_compat::Compat::new(route("localhost").open(Some(&wire)).await.unwrap().stream);
    assert_eq!(timeout(SOON, stream.read_u8()).await.expect("no answer").unwrap(), b'x');
    let (by_name, by_address) = (route("localhost"), route("127.0.0.1"));
    let error = by_address.open(Some(&wire)).await.err().expect("it trusts a name not asked for");
    let error = by_address.unreachable(&error).message;
    assert!(error.contains("not valid for name \"127.0.0.1\""), "{error}");
    assert!(by_name.open(Some(&Wire::default())).await.is_ok());
}
