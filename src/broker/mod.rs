//! The world outside: a RabbitMQ to work with, and what we do there.
//!
//! A [`Broker`] is either a private node, which lives and dies with the program, or one of ours
//! that was left standing, or somebody else's. Each variant gets a [`Space`] on it, which is empty at first and leaves nothing
//! behind. Knows a plan's topology, and nothing of producers, workers, ledgers or verdicts.

mod address;
mod connections;
mod control;
mod entrances;
mod error;
mod external;
mod greeting;
mod inspect;
mod link;
mod management;
mod node;
mod outside;
mod probe;
mod remains;
mod route;
mod settings;
mod space;
mod tls;
mod topology;
mod warm;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use entrances::Entrances;
use greeting::{Greeting, greet};
use management::Management;
use node::{Nodes, Server};
use route::Route;
use space::Home;

pub use control::{Control, ProcessId};
pub use error::{BrokerError, Kind};
pub use external::external_nodes;
pub use inspect::Inspection;
pub use link::{Link, Way};
pub use management::{Contents, Unacked};
pub use node::{
    Engine, Facts, KEEPER_WORD, SERVER_VARIABLE, container_engine, install_command, keep_node,
    locate, raise_open_files,
};
pub use outside::Hands;
pub use settings::{Advanced, Settings, Term};
pub use space::Space;
pub use tls::Tls;
pub use topology::header;
pub use warm::{Standing, Warm, warm, warm_down, warm_file, warm_up};
pub use wire::Wire;

/// Which broker to use.
#[derive(Clone)]
pub enum Choice {
    /// One of our own, from this server script or from the first that is found. `docker:IMAGE`
    /// is a container of that image.
    Private { server: Option<PathBuf>, settings: Settings },
    /// One of our own that was left standing, see [`warm`].
    Warm(Standing),
    /// One that runs already, at an AMQP address, or at those of a cluster's nodes with commas
    /// between them; the management API is on the same hosts at 15672 (15671 with TLS) unless
    /// its address is given: one for all, or with commas one for each.
    External { url: String, management: Option<String>, tls: Tls },
}

/// A running broker that we may use.
#[derive(Debug)]
pub struct Broker {
    entrances: Entrances,
    version: String,
    management: Option<Management>,
    /// Whether each space gets a virtual host of its own.
    may_make_vhosts: bool,
    nodes: Option<Nodes>,
    /// That of nodes of our own.
    control: Option<Control>,
    standing: Option<Standing>,
    /// All that were opened: none may stay behind.
    spaces: Mutex<Vec<Space>>,
    /// What the cluster calls the nodes of somebody else's broker, where that is known.
    names: Vec<Option<String>>,
    /// Their management APIs, where they answer.
    apis: Vec<Option<Management>>,
    /// How many nodes of somebody else's broker run, as far as it tells.
    running: usize,
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
            Choice::Private { server, settings } => {
                settings.check()?;
                let server = Server::choose(server.as_deref()).await?;
                if settings.nodes > 1 && matches!(server, Server::Container(_)) {
                    let message = "a cluster cannot be made of containers";
                    return Err(BrokerError::new(Kind::NoServer, message)
                        .help("name a server script with `--server`, or leave `nodes` out"));
                }
                let nodes = Nodes::start(&server, keeper, &settings).await?;
                Self::private(nodes, settings.heartbeat).await
            }
            Choice::Warm(standing) => Self::warm(standing).await,
            Choice::External { url, management, tls } => {
                Self::external(&url, management.as_deref(), &tls).await
            }
        }
    }

    async fn private(nodes: Nodes, heartbeat: Option<Duration>) -> Result<Self, BrokerError> {
        let routes = nodes.facts.iter().map(|facts| Route { heartbeat, ..Route::private(facts) });
        let entrances = Entrances::new(routes.collect());
        let version = ask(entrances.first()).await?.version;
        let management = Some(Management::private(&nodes.facts)?);
        let control = Some(Control::private(nodes.hand().clone(), &nodes.facts)?);
        let (nodes, standing, spaces) = (Some(nodes), None, Mutex::default());
        let (may_make_vhosts, names) = (true, Vec::new());
        Ok(Self {
            entrances,
            version,
            management,
            may_make_vhosts,
            nodes,
            control,
            standing,
            spaces,
            names,
            apis: Vec::new(),
            running: 0,
        })
    }

    async fn warm(standing: Standing) -> Result<Self, BrokerError> {
        let route = Route::private(&standing.facts);
        let version = ask(&route).await?.version;
        let management = Some(Management::private(std::slice::from_ref(&standing.facts))?);
        let (nodes, control, standing) = (None, None, Some(standing));
        let (may_make_vhosts, spaces, names) = (true, Mutex::default(), Vec::new());
        Ok(Self {
            entrances: Entrances::new(vec![route]),
            version,
            management,
            may_make_vhosts,
            nodes,
            control,
            standing,
            spaces,
            names,
            apis: Vec::new(),
            running: 0,
        })
    }

    /// As the broker says it: `4.3.6`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// `private` or `external`; a warm one is a private one that outlives its runs.
    pub fn kind(&self) -> &'static str {
        if self.nodes.is_some() || self.is_warm() { "private" } else { "external" }
    }

    /// Whether it was left standing for runs to come.
    pub fn is_warm(&self) -> bool {
        self.standing.is_some()
    }

    /// Whether it is one of ours that has ended meanwhile, without a run having wanted that.
    pub fn has_fallen(&self) -> bool {
        self.fallen().is_some()
    }

    /// What an operation on it met, with the reason where that can be found out.
    #[must_use]
    pub async fn explain(&self, error: BrokerError) -> BrokerError {
        if let Some(control) = self.control.as_ref().filter(|_| self.nodes.is_some()) {
            control.look().await;
        }
        match self.fallen() {
            Some(fallen) => fallen.note(error.message),
            None => error,
        }
    }

    /// That a broker of ours is no more, as an error.
    pub fn fallen(&self) -> Option<BrokerError> {
        if let Some(control) = &self.control {
            return control.fallen();
        }
        self.standing.as_ref().filter(|standing| standing.has_fallen()).map(|_| {
            let message = "the warm RabbitMQ was ended while the run was on";
            BrokerError::new(Kind::Unreachable, message).help(
                "was that `rmq-scenario broker down`? Run it again: without a warm one, a run \
                 starts its own",
            )
        })
    }

    /// How many of its nodes can be named, by their numbers.
    pub fn nodes(&self) -> usize {
        self.entrances.count()
    }

    /// How many nodes it has: of somebody else's broker perhaps more than were named.
    pub fn size(&self) -> usize {
        self.running.max(self.nodes())
    }

    /// Hands on its nodes; `None` where it is not this program's alone and nobody said how.
    pub fn control(&self) -> Option<Control> {
        self.control.clone()
    }

    /// Whether [`Space::unacked`] can answer.
    pub fn has_management(&self) -> bool {
        self.management.is_some()
    }

    /// How long a private node took to boot.
    pub fn ready_after(&self) -> Option<Duration> {
        self.nodes.as_ref().map(|nodes| nodes.ready_after)
    }

    /// Where a private broker is, or its first node. A warm one is not this program's alone, so
    /// not for it to stop.
    pub fn facts(&self) -> Option<&Facts> {
        self.all_facts().first()
    }

    /// Where all nodes of a private broker are, in the order of their numbers; of any other, none.
    pub fn all_facts(&self) -> &[Facts] {
        self.nodes.as_ref().map_or(&[], |nodes| &nodes.facts)
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
        let vhost = format!("rmq-scenario-{run}");
        let space =
            self.space_in(self.entrances.map(|route| route.with_vhost(&vhost)), Home::Vhost);
        // Listed before anything is made: a failure half-way leaves nothing behind, either.
        self.list(&space);
        space.make(&self.entrances.first().address.user).await?;
        Ok(space)
    }

    /// The same in the virtual host of the broker's address, beside what is there already.
    pub fn shared_space(&self, run: &str) -> Space {
        let home = Home::Prefix(format!("rmq-scenario-{run}."));
        let space = self.space_in(self.entrances.clone(), home);
        self.list(&space);
        space
    }

    fn space_in(&self, entrances: Entrances, home: Home) -> Space {
        let (management, version) = (self.management.clone(), self.version.clone());
        Space::new(entrances, home, management, version, self.control())
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
        if let Some(nodes) = self.nodes {
            return nodes.close().await;
        }
        if self.has_fallen() {
            // It took everything along.
            return Ok(());
        }
        // What was done to somebody else's nodes first: only a broker that works lets go of spaces.
        let mended = match &self.control {
            Some(control) => control.mend().await,
            None => Ok(()),
        };
        let spaces = self.spaces.into_inner().expect("nothing panics while holding it");
        let mut first = mended;
        for space in spaces {
            first = first.and(space.close().await);
        }
        first
    }
}

async fn ask(route: &Route) -> Result<Greeting, BrokerError> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let greeting = greet(route, PATIENCE).await.map_err(|error| route.unreachable(&error))?;
    if greeting.product != "RabbitMQ" {
        let error = std::io::Error::other(format!("it is {}", greeting.product));
        return Err(route.unreachable(&error));
    }
    Ok(greeting)
}
