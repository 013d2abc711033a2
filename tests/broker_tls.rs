//! A broker under TLS, with certificates made on the spot: who is let in, who is not, and what
//! both are told.
//!
//! One version of RabbitMQ is enough for this.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, SanType, date_time_ymd,
};
use rmq_scenario::broker::{Broker, BrokerError, Choice, Kind, Settings, Tls, Way, Wire, locate};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use support::api::refused;
use support::space::{routes, unacked_is_live};
use support::{block_on, program};
use tokio::sync::OnceCell;

/// Two authorities; the broker's certificate and a client's are of the first, a stranger's is of
/// the second.
struct Papers {
    dir: PathBuf,
}

static PAPERS: LazyLock<Papers> = LazyLock::new(Papers::new);

impl Papers {
    fn new() -> Self {
        let dir = build_directory();
        let papers = Self { dir };
        let (ours, theirs) = (authority("ours"), authority("theirs"));
        papers.write("ca", &ours.pem());
        papers.write("other-ca", &theirs.pem());
        papers.sign("server", &ours, server());
        papers.sign("client", &ours, client());
        papers.sign("stranger", &theirs, client());
        let mut expired = server();
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2021, 1, 1);
        papers.sign("expired", &ours, expired);
        papers
    }

    fn sign(&self, name: &str, by: &CertifiedIssuer<'_, KeyPair>, params: CertificateParams) {
        let key = KeyPair::generate().unwrap();
        self.write(name, &params.signed_by(&key, by).unwrap().pem());
        self.write(&format!("{name}-key"), &key.serialize_pem());
    }

    fn write(&self, name: &str, pem: &str) {
        fs::write(self.path(name), pem).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.pem"))
    }

    /// Trusting this authority, showing this certificate.
    fn tls(&self, ca: &str, certificate: Option<&str>) -> Tls {
        Tls {
            ca: Some(self.path(ca)),
            certificate: certificate.map(|name| self.path(name)),
            key: certificate.map(|name| self.path(&format!("{name}-key"))),
            insecure: false,
        }
    }
}

/// A directory below the build's for this process, which has no end of its own to tidy up at:
/// whoever comes next removes it.
fn build_directory() -> PathBuf {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker_tls");
    fs::create_dir_all(&all).unwrap();
    for earlier in fs::read_dir(&all).unwrap().flatten() {
        let pid = earlier.file_name().to_str().and_then(|name| name.parse().ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw);
        if pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_err()) {
            let _ = fs::remove_dir_all(earlier.path());
        }
    }
    let own = all.join(std::process::id().to_string());
    let _ = fs::remove_dir_all(&own);
    fs::create_dir(&own).unwrap();
    own
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// For 127.0.0.1, and not for `localhost`.
fn server() -> CertificateParams {
    let mut params = CertificateParams::new(["broker.test".to_owned()]).unwrap();
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn client() -> CertificateParams {
    let mut params = CertificateParams::new(["client.test".to_owned()]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A node that also listens under TLS, and there demands a certificate of every client.
struct Secured {
    broker: Broker,
    amqps: u16,
    https: u16,
}

static NODE: OnceCell<Secured> = OnceCell::const_new();

async fn node() -> &'static Secured {
    NODE.get_or_init(async || {
        let (amqps, https) = (free_port(), free_port());
        let mut lines = format!(
            "listeners.ssl.local = 127.0.0.1:{amqps}\nmanagement.ssl.port = {https}\n\
             management.ssl.ip = 127.0.0.1\nssl_options.verify = verify_peer\n\
             ssl_options.fail_if_no_peer_cert = true\n"
        );
        for part in ["ssl_options", "management.ssl"] {
            for (key, name) in
                [("cacertfile", "ca"), ("certfile", "server"), ("keyfile", "server-key")]
            {
                lines += &format!("{part}.{key} = @HOME@/{name}.pem\n");
            }
        }
        let more = PAPERS.dir.join("more");
        fs::write(&more, lines).unwrap();
        let real = locate(None).unwrap();
        let server = PAPERS.dir.join("server");
        // A server in a root file system of its own sees nothing but the directory of its node.
        let copy = |name: &str| {
            format!("cp '{}' \"$HOME/{name}.pem\"\n", PAPERS.path(name).display())
        };
        let script = format!(
            "#!/bin/sh\n{}sed \"s|@HOME@|$HOME|\" {} >> \"$RABBITMQ_CONFIG_FILE\"\nexec {} \"$@\"\n",
            ["ca", "server", "server-key"].map(copy).concat(),
            more.display(),
            real.display()
        );
        fs::write(&server, script).unwrap();
        fs::set_permissions(&server, fs::Permissions::from_mode(0o755)).unwrap();
        let choice = Choice::Private { server: Some(server), settings: Settings::default() };
        let broker = Broker::open(choice, program()).await;
        let broker = broker.unwrap_or_else(|error| panic!("{error} {:?}", error.notes));
        Secured { broker, amqps, https }
    })
    .await
}

/// Of the range that no outgoing connection takes.
fn free_port() -> u16 {
    let first = 30_000 + u16::try_from(std::process::id() % 2000).unwrap();
    let bound = (first..32_700).find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    let port = bound.expect("one of thousands is free").local_addr().unwrap().port();
    // A second call must not find it.
    static LAST: std::sync::Mutex<u16> = std::sync::Mutex::new(0);
    let mut last = LAST.lock().unwrap();
    *last = if port <= *last { *last + 1 } else { port };
    *last
}

impl Secured {
    fn url(&self, scheme: &str, host: &str, port: u16) -> String {
        let facts = self.broker.facts().unwrap();
        format!("{scheme}://{}:{}@{host}:{port}", facts.user, facts.password)
    }

    fn choice(&self, host: &str, tls: Tls) -> Choice {
        let management = Some(format!("https://127.0.0.1:{}", self.https));
        Choice::External { url: self.url("amqps", host, self.amqps), management, tls }
    }
}

async fn open(choice: Choice) -> Result<Broker, BrokerError> {
    Broker::open(choice, program()).await
}

#[test]
fn one_who_shows_the_right_papers_gets_everything() {
    block_on(async {
        let node = node().await;
        let tls = PAPERS.tls("ca", Some("client"));
        let broker = open(node.choice("127.0.0.1", tls)).await.unwrap();
        assert_eq!(broker.version(), node.broker.version());
        assert!(broker.has_management());
        let space = broker.space("tls").await.unwrap();
        assert_eq!(space.vhost(), "rmq-scenario-tls");
        routes(&space).await;
        // Cuts connections below TLS, and sees that their messages return at once.
        unacked_is_live(&space).await;
        // A network of its own lies below TLS and carries it as it is.
        let way = Way { wire: Some(Wire::default()), ..Way::default() };
        let link = space.connect_by(&way, "through", None).await.unwrap();
        let _open = link.open_channel("opening a channel").await.unwrap();
        link.close().await.unwrap();
        broker.close().await.unwrap();
    });
}

#[test]
fn whoever_trusts_everybody_gets_in_too() {
    block_on(async {
        let node = node().await;
        let tls = Tls { insecure: true, ca: None, ..PAPERS.tls("ca", Some("client")) };
        let broker = open(node.choice("localhost", tls)).await.unwrap();
        broker.close().await.unwrap();
    });
}

#[test]
fn a_broker_of_an_unknown_authority_is_not_trusted() {
    block_on(async {
        let node = node().await;
        let says = "nobody we trust has signed its certificate";
        let opened = open(node.choice("127.0.0.1", PAPERS.tls("other-ca", Some("client")))).await;
        refused(opened, Kind::Tls, says, "--tls-ca FILE");
        // The authorities of the machine do not know it either.
        let tls = Tls { ca: None, ..PAPERS.tls("ca", Some("client")) };
        if let Err(error) = open(node.choice("127.0.0.1", tls)).await {
            let no_list = error.message.contains("no list of authorities");
            assert!(no_list || error.message.contains(says), "{error}");
        } else {
            panic!("it opened");
        }
    });
}

#[test]
fn a_certificate_for_another_host_is_not_trusted() {
    block_on(async {
        let tls = PAPERS.tls("ca", Some("client"));
        let opened = open(node().await.choice("localhost", tls)).await;
        let error = opened.as_ref().expect_err("it opened").message.clone();
        assert!(error.contains("localhost") && error.contains("127.0.0.1"), "{error}");
        refused(opened, Kind::Tls, "certificate does not do", "a host name that the certificate");
    });
}

#[test]
fn one_without_papers_is_told_to_bring_some() {
    block_on(async {
        let opened = open(node().await.choice("127.0.0.1", PAPERS.tls("ca", None))).await;
        refused(opened, Kind::Tls, "connecting to 127.0.0.1", "--tls-cert FILE --tls-key FILE");
        let tls = PAPERS.tls("ca", Some("stranger"));
        let opened = open(node().await.choice("127.0.0.1", tls)).await;
        refused(opened, Kind::Tls, "the TLS handshake", "may not accept our certificate");
    });
}

#[test]
fn tls_to_a_plain_port_and_the_other_way_round_are_told_apart() {
    block_on(async {
        let node = node().await;
        let plain = node.broker.facts().unwrap().amqp;
        let url = node.url("amqps", "127.0.0.1", plain);
        let tls = PAPERS.tls("ca", None);
        let opened = open(Choice::External { url, management: None, tls }).await;
        refused(opened, Kind::Tls, "does not speak TLS", "use amqp://");
        let url = node.url("amqp", "127.0.0.1", node.amqps);
        let opened = open(Choice::External { url, management: None, tls: Tls::default() }).await;
        refused(opened, Kind::Unreachable, "speaks TLS; use amqps://", "5672");
    });
}

#[test]
fn the_management_api_is_verified_as_well() {
    block_on(async {
        let node = node().await;
        let url = node.url("amqp", "127.0.0.1", node.broker.facts().unwrap().amqp);
        let management = Some(format!("https://127.0.0.1:{}", node.https));
        let tls = PAPERS.tls("other-ca", None);
        let choice = Choice::External { url: url.clone(), management: management.clone(), tls };
        refused(open(choice).await, Kind::Tls, "nobody we trust", "--tls-ca FILE");
        let tls = PAPERS.tls("ca", None);
        let broker = open(Choice::External { url, management, tls }).await.unwrap();
        assert!(broker.has_management());
        broker.close().await.unwrap();
    });
}

/// Somebody with a certificate that is no longer valid, who would say nothing after it.
fn expired() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let chain = vec![CertificateDer::from_pem_file(PAPERS.path("expired")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(PAPERS.path("expired-key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(chain, key).unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(connection, socket);
            let _ = stream.read(&mut [0; 64]);
            let _ = stream.flush();
        }
    });
    port
}

#[test]
fn an_expired_certificate_is_not_trusted() {
    block_on(async {
        let url = format!("amqps://u:s3cret-word@127.0.0.1:{}", expired());
        let tls = PAPERS.tls("ca", None);
        let opened = open(Choice::External { url, management: None, tls }).await;
        refused(opened, Kind::Tls, "expired", "a new certificate");
    });
}

#[test]
fn files_that_are_no_papers_are_a_mistake_of_the_command_line() {
    block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty");
        fs::write(&empty, "nothing here").unwrap();
        let external = |tls| {
            let url = "amqps://u:s3cret-word@127.0.0.1:1".to_owned();
            open(Choice::External { url, management: None, tls })
        };
        let absent = dir.path().join("absent");
        let (ca, certificate) = (Some(empty), Some(PAPERS.path("client")));
        let tls = Tls { ca, certificate, key: Some(absent), insecure: false };
        let opened = external(tls).await;
        let notes = opened.as_ref().expect_err("it opened").notes.join("\n");
        assert!(notes.contains("--tls-key") && notes.contains("No such file"), "{notes}");
        refused(opened, Kind::Usage, "there is no certificate in PEM in it", "PEM files");
        let tls = Tls { key: None, ..PAPERS.tls("ca", Some("client")) };
        refused(external(tls).await, Kind::Usage, "--tls-cert needs", "PEM files");
        let other = Some(PAPERS.path("stranger-key"));
        let tls = Tls { key: other, ..PAPERS.tls("ca", Some("client")) };
        refused(external(tls).await, Kind::Usage, "of no use", "belong together");
        let url = "amqp://u:s3cret-word@127.0.0.1:1".to_owned();
        let tls = PAPERS.tls("ca", None);
        let opened = open(Choice::External { url, management: None, tls }).await;
        refused(opened, Kind::Usage, "no TLS to configure", "amqps://");
    });
}

fn run(node: &Secured, ca: &str) -> Output {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/work_queue.yaml");
    std::process::Command::new(program())
        .args(["run", "--color", "never", "--broker"])
        .arg(node.url("amqps", "127.0.0.1", node.amqps))
        .arg(format!("--management=https://127.0.0.1:{}", node.https))
        .args([format!("--tls-ca={}", PAPERS.path(ca).display())])
        .args([format!("--tls-cert={}", PAPERS.path("client").display())])
        .args([format!("--tls-key={}", PAPERS.path("client-key").display())])
        .arg(file)
        .output()
        .unwrap()
}

#[test]
fn a_whole_run_works_under_tls_and_ends_with_3_when_it_cannot_be_trusted() {
    block_on(async {
        let node = node().await;
        let ran = run(node, "ca");
        let shown = String::from_utf8_lossy(&ran.stdout);
        assert_eq!(ran.status.code(), Some(0), "{shown} {}", String::from_utf8_lossy(&ran.stderr));
        assert!(shown.contains("5 variants passed"), "{shown}");
        let ran = run(node, "other-ca");
        let shown = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(3), "{shown}");
        assert!(shown.contains("help: `--tls-ca FILE` names"), "{shown}");
    });
}
