//! The world outside: a RabbitMQ to work with, and what we do there.
//!
//! A [`Broker`] is either a private node, which lives and dies with the program, or somebody
//! else's. Each variant gets a [`Space`] on it, which is empty at first and leaves nothing
//! behind. Knows a plan's topology, and nothing of producers, workers, ledgers or verdicts.

mod address;
mod error;
mod greeting;
mod link;
mod management;
mod node;
mod remains;
mod space;
mod topology;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use address::Address;
use greeting::{Greeting, greet};
use management::Management;
use node::Node;
use space::Home;

pub use error::{BrokerError, Kind};
pub use link::Link;
pub use management::Unacked;
pub use node::{
    Facts, KEEPER_WORD, SERVER_VARIABLE, install_command, keep_node, locate, raise_open_files,
};
pub use space::Space;
pub use topology::header;

/// Which broker to use.
#[derive(Clone)]
pub enum Choice {
    /// One of our own, from this server script or from the first that is found.
    Private { server: Option<PathBuf> },
    /// One that runs already, at an AMQP address; the management API is on the same host at
    /// 15672 unless its address is given.
    External { url: String, management: Option<String> },
}

/// A running broker that we may use.
#[derive(Debug)]
pub struct Broker {
    address: Address,
    version: String,
    management: Option<Management>,
    /// Whether each space gets a virtual host of its own.
    may_make_vhosts: bool,
    node: Option<Node>,
    /// All that were opened: none may stay behind.
    spaces: Mutex<Vec<Space>>,
}

impl Broker {
    /// Starts a private node and waits until it answers, or looks at the one given. `keeper` is
    /// the program that hands [`KEEPER_WORD`] to [`keep_node`]: our own executable.
    ///
    /// # Errors
    /// When there is no server to start, it does not come up, or the one given does not answer
    /// or does not let us in. A malformed address is a usage error.
    pub async fn open(choice: Choice, keeper: &Path) -> Result<Self, BrokerError> {
        raise_open_files();
        match choice {
            Choice::Private { server } => {
                let server = locate(server.as_deref())?;
                Self::private(Node::start(&server, keeper).await?).await
            }
            Choice::External { url, management } => {
                Self::external(Address::parse(&url)?, management.as_deref()).await
            }
        }
    }

    async fn private(node: Node) -> Result<Self, BrokerError> {
        let address = Address {
            host: "127.0.0.1".to_owned(),
            port: node.facts.amqp,
            user: node.facts.user.clone(),
            password: node.facts.password.clone(),
            vhost: "/".to_owned(),
        };
        let version = ask(&address).await?.version;
        let management = Some(node.management.clone());
        let spaces = Mutex::default();
        Ok(Self { address, version, management, may_make_vhosts: true, node: Some(node), spaces })
    }

    async fn external(address: Address, given: Option<&str>) -> Result<Self, BrokerError> {
        let management = Management::external(&address, given)?;
        let greeting = ask(&address).await?;
        // A wrong password, or a missing virtual host, is told before anything is done.
        let link = link::connect(&address, "rmq-scenario", None).await?;
        // The answer to the question is known; how the goodbye goes is of no importance.
        let _ = link.close().await;
        let (management, may_make_vhosts) = match management.identify(&greeting.cluster).await {
            Ok(me) => (Some(management), me.administrator),
            Err(error) if given.is_some() => return Err(error),
            Err(_) => (None, false),
        };
        let (version, spaces) = (greeting.version, Mutex::default());
        Ok(Self { address, version, management, may_make_vhosts, node: None, spaces })
    }

    /// As the broker says it: `4.3.6`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `private` or `external`.
    pub fn kind(&self) -> &'static str {
        if self.node.is_some() { "private" } else { "external" }
    }

    /// Whether [`Space::unacked`] can answer.
    pub fn has_management(&self) -> bool {
        self.management.is_some()
    }

    /// How long a private node took to boot.
    pub fn ready_after(&self) -> Option<Duration> {
        self.node.as_ref().map(|node| node.ready_after)
    }

    /// Where a private node is.
    pub fn facts(&self) -> Option<&Facts> {
        self.node.as_ref().map(|node| &node.facts)
    }

    /// An empty home for one variant. `run` is a short word that nobody else uses on this
    /// broker, of letters, digits and hyphens.
    ///
    /// # Errors
    /// When the broker does not answer, or refuses what it allowed before.
    pub async fn space(&self, run: &str) -> Result<Space, BrokerError> {
        if !self.may_make_vhosts {
            return Ok(self.shared_space(run));
        }
        let address = self.address.with_vhost(&format!("rmq-scenario-{run}"));
        let (management, version) = (self.management.clone(), self.version.clone());
        let space = Space::new(address, Home::Vhost, management, version);
        // Listed before anything is made: a failure half-way leaves nothing behind, either.
        self.list(&space);
        space.make(&self.address.user).await?;
        Ok(space)
    }

    /// The same in the virtual host of the broker's address, beside what is there already.
    pub fn shared_space(&self, run: &str) -> Space {
        let home = Home::Prefix(format!("rmq-scenario-{run}."));
        let (management, version) = (self.management.clone(), self.version.clone());
        let space = Space::new(self.address.clone(), home, management, version);
        self.list(&space);
        space
    }

    fn list(&self, space: &Space) {
        self.spaces.lock().expect("nothing panics while holding it").push(space.clone());
    }

    /// Removes what is left of every space, and ends a private node. To be called however the
    /// run went; without it, a private node still goes with the program, but what is on an
    /// external broker stays.
    ///
    /// # Errors
    /// When something is left behind, with its name.
    pub async fn close(self) -> Result<(), BrokerError> {
        if let Some(node) = self.node {
            return node.close().await;
        }
        let spaces = self.spaces.into_inner().expect("nothing panics while holding it");
        let mut first = Ok(());
        for space in spaces {
            first = first.and(space.close().await);
        }
        first
    }
}

async fn ask(address: &Address) -> Result<Greeting, BrokerError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let greeting = greet(&address.host, address.port, PATIENCE).await;
    let greeting = greeting.map_err(|error| link::unreachable(address, &error.to_string()))?;
    if greeting.product != "RabbitMQ" {
        return Err(link::unreachable(address, &format!("it is {}", greeting.product)));
    }
    Ok(greeting)
}
