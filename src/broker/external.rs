//! Somebody else's broker: one node, or those of a cluster that are named.
//!
//! Nothing of it is touched here: it is looked at, so that what is wrong is told before anything
//! is done.

use std::sync::Mutex;

use super::address::Address;
use super::control::{Control, Known};
use super::entrances::Entrances;
use super::error::{BrokerError, Kind};
use super::link;
use super::management::{Identity, Management};
use super::outside::Hands;
use super::route::Route;
use super::tls::{Tls, Trust};
use super::{Broker, ask};

/// A node of it.
struct Node {
    route: Route,
    /// If it answers.
    management: Option<(Management, Identity)>,
    /// In the cluster, where a management API tells.
    name: Option<String>,
}

/// How many nodes the addresses of an external broker name.
///
/// # Errors
/// A malformed address is a mistake of the command line.
pub fn external_nodes(url: &str) -> Result<usize, BrokerError> {
    Address::parse_all(url).map(|all| all.len())
}

impl Broker {
    /// The first of the addresses says where spaces are made.
    pub(super) async fn external(
        url: &str,
        management: Option<&str>,
        tls: &Tls,
    ) -> Result<Self, BrokerError> {
        let addresses = Address::parse_all(url)?;
        let managements = managements(&addresses, management, tls)?;
        let secure = addresses.iter().any(|address| address.secure);
        let trust = if secure { Some(Trust::new(tls)?) } else { None };
        if trust.is_none()
            && !managements.iter().any(Management::is_secure)
            && *tls != Tls::default()
        {
            return Err(BrokerError::new(Kind::Usage, "there is no TLS to configure")
                .help("`--tls-…` goes with an address that begins with amqps:// or https://"));
        }
        let several = addresses.len() > 1;
        let mut nodes: Vec<Node> = Vec::new();
        let (mut version, mut cluster) = (String::new(), String::new());
        for (address, api) in addresses.into_iter().zip(managements) {
            let trust = trust.clone().filter(|_| address.secure);
            let route = Route { address, trust, heartbeat: None };
            let greeting = ask(&route).await?;
            if let Some(first) = nodes.first() {
                same_cluster(
                    (&first.route.address, &cluster),
                    (&route.address, &greeting.cluster),
                )?;
            } else {
                (version, cluster) = (greeting.version, greeting.cluster);
            }
            let mut node = look(route, api, &cluster, management.is_some()).await?;
            if several {
                // Without an answer they are taken for what they are said to be.
                node.name = node.ask_name().await.ok();
            }
            if let Some(known) = nodes.iter().find(|it| it.name.is_some() && it.name == node.name) {
                return Err(same_node(&known.route.address, &node));
            }
            nodes.push(node);
        }
        let mut broker = Self::of(nodes, version);
        if let Some(management) = &broker.management {
            // Without an answer, those that are named are all that is known.
            broker.running = management.running().await.map_or(0, |names| names.len());
        }
        Ok(broker)
    }

    fn of(nodes: Vec<Node>, version: String) -> Self {
        let answering = nodes.iter().filter_map(|node| node.management.clone());
        let all = answering.reduce(|(first, me), (next, _)| (first.or_ask(&next), me));
        let (management, me) = all.unzip();
        let apis = nodes.iter().map(|node| Some(node.management.as_ref()?.0.clone())).collect();
        Self {
            entrances: Entrances::new(nodes.iter().map(|node| node.route.clone()).collect()),
            version,
            management,
            may_make_vhosts: me.is_some_and(|me| me.administrator),
            nodes: None,
            control: None,
            standing: None,
            spaces: Mutex::default(),
            names: nodes.into_iter().map(|node| node.name).collect(),
            apis,
            running: 0,
        }
    }

    /// The same, with hands on its nodes.
    ///
    /// # Errors
    /// When these hands need to know what the nodes are called, and nobody tells.
    pub async fn controlled_by(mut self, hands: &Hands) -> Result<Self, BrokerError> {
        if hands.need_names() && self.names.contains(&None) {
            let mut names = Vec::new();
            for (route, api) in self.entrances.each().zip(&self.apis) {
                names.push(Some(name(route, api.as_ref()).await?));
            }
            self.names = names;
        }
        let names: Vec<String> =
            self.names.iter().map(|it| it.clone().unwrap_or_default()).collect();
        let known = self.entrances.each().zip(&self.apis).zip(&self.names);
        let known = known.map(|((route, management), name)| Known {
            route: route.clone(),
            management: management.clone(),
            name: name.clone(),
        });
        self.control = Some(Control::external(hands.on(&names), known.collect()));
        Ok(self)
    }
}

/// One for each address: as they are given, the one for all that is given, or at the usual place.
fn managements(
    addresses: &[Address],
    given: Option<&str>,
    tls: &Tls,
) -> Result<Vec<Management>, BrokerError> {
    let given: Vec<&str> = given.map(split).unwrap_or_default();
    if given.len() > 1 && given.len() != addresses.len() {
        let (apis, nodes) = (given.len(), addresses.len());
        let message = format!("{apis} management addresses are given for {nodes} of the broker");
        return Err(BrokerError::new(Kind::Usage, message).help(
            "`--management` is given once for all nodes, or once for each in the order of \
             `--broker`",
        ));
    }
    let one = |(index, address)| {
        let given = given.get(index).or(given.first()).copied();
        Management::external(address, given, tls)
    };
    addresses.iter().enumerate().map(one).collect()
}

/// At the commas before a scheme.
fn split(text: &str) -> Vec<&str> {
    let commas = text.match_indices(',').map(|(at, _)| at);
    let mut ends: Vec<usize> =
        commas.filter(|at| text[at + 1..].trim_start().starts_with("http")).collect();
    ends.push(text.len());
    let begins = std::iter::once(0).chain(ends.iter().map(|end| end + 1));
    begins.zip(&ends).map(|(begin, &end)| text[begin..end].trim()).collect()
}

/// A wrong password, or a missing virtual host, is told before anything is done.
async fn look(
    route: Route,
    management: Management,
    cluster: &str,
    must_answer: bool,
) -> Result<Node, BrokerError> {
    let link = link::connect(&route, None, "rmq-scenario", None).await?;
    // The answer to the question is known; how the goodbye goes is of no importance.
    let _ = link.close().await;
    let identified = match management.identify(cluster).await {
        Ok(me) => Some((management, me)),
        Err(error) if must_answer => return Err(error),
        Err(_) => None,
    };
    Ok(Node { route, management: identified, name: None })
}

impl Node {
    async fn ask_name(&self) -> Result<String, BrokerError> {
        let management = self.management.as_ref().map(|(management, _)| management);
        name(&self.route, management).await
    }
}

/// What the cluster calls the node that a connection by this route leads to.
async fn name(route: &Route, management: Option<&Management>) -> Result<String, BrokerError> {
    let Some(management) = management else {
        let message = "the management API, which tells what the nodes are called, does not answer";
        return Err(BrokerError::new(Kind::Management, message).help(
            "write the names out instead of `{name}`, or say where the API is with \
             `--management URL`",
        ));
    };
    let link = link::connect(route, None, "rmq-scenario", None).await?;
    let name = management.node_of(&link, &route.address.user).await;
    let _ = link.close().await;
    name
}

fn same_cluster(
    (first, its): (&Address, &str),
    (other, others): (&Address, &str),
) -> Result<(), BrokerError> {
    if its == others {
        return Ok(());
    }
    let message = format!(
        "the addresses are not of one cluster: {first} belongs to {its:?}, {other} to {others:?}"
    );
    Err(BrokerError::new(Kind::Usage, message)
        .help("name nodes of one cluster, or run the file once for each broker"))
}

fn same_node(first: &Address, other: &Node) -> BrokerError {
    let name = other.name.as_deref().unwrap_or_default();
    let message = format!("{first} and {} lead to the same node, {name}", other.route.address);
    BrokerError::new(Kind::Usage, message).help(
        "give each node its own address; one that leads now to this node and now to that, as a \
         load balancer's does, stands alone",
    )
}
