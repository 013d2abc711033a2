//! What the tests against a real RabbitMQ share: one private node for each test program, and a
//! runtime that outlives the single test. The node goes with the program, through its keeper.

// Each test program uses a part of this.
#![allow(dead_code)]

pub mod api;
pub mod space;
pub mod traces;

use std::future::Future;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;

use rmq_scenario::broker::{Broker, Choice, Settings, Tls, locate};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static NODE: OnceCell<Broker> = OnceCell::const_new();

/// Runs a test on the runtime that the shared node belongs to.
pub fn block_on<F: Future>(test: F) -> F::Output {
    RUNTIME.block_on(test)
}

/// The program under test, which is its own keeper.
pub fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_rmq-scenario"))
}

/// Runs the program in a folder, on no broker but one of its own.
pub fn call(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(program());
    for name in ["BROKER", "MANAGEMENT"] {
        command.env_remove(format!("RMQ_SCENARIO_{name}"));
    }
    // Whoever runs the tests may keep a broker warm.
    command.env("XDG_RUNTIME_DIR", "/nonexistent");
    command.args(words).current_dir(folder).output().expect("the program starts")
}

/// Whether private nodes are in containers here, because an image was named or no server is
/// installed. Their processes belong to the engine, and are not seen as those of a script are.
pub fn contained() -> bool {
    locate(None).is_err()
}

/// The private node of this test program, started by the first who asks.
///
/// # Panics
/// When there is none to start: these tests fail rather than pass without a broker.
pub async fn node() -> &'static Broker {
    NODE.get_or_init(|| async {
        let opened = Broker::open(
            Choice::Private { server: None, settings: Settings::default() },
            program(),
        )
        .await;
        opened.unwrap_or_else(|error| {
            panic!("{error} {:?}; scripts/test installs a RabbitMQ where it may", error.notes)
        })
    })
    .await
}

/// Any private node, entered as somebody else's broker by its administrator.
pub fn administrator_of(broker: &Broker) -> Choice {
    let facts = broker.facts().expect("it is private");
    Choice::External {
        url: format!("amqp://{}:{}@127.0.0.1:{}", facts.user, facts.password, facts.amqp),
        management: Some(format!("http://127.0.0.1:{}", facts.management)),
        tls: Tls::default(),
    }
}

/// The address of the shared node as somebody else's broker: AMQP and management.
pub async fn as_external(user: &str, password: &str, vhost: &str) -> Choice {
    let facts = node().await.facts().expect("it is private");
    Choice::External {
        url: format!("amqp://{user}:{password}@127.0.0.1:{}/{vhost}", facts.amqp),
        management: Some(management().await),
        tls: Tls::default(),
    }
}

/// Where the shared node's management API is.
pub async fn management() -> String {
    let facts = node().await.facts().expect("it is private");
    format!("http://127.0.0.1:{}", facts.management)
}
