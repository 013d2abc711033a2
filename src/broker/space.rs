//! The home of one variant's topology on a broker: a virtual host of its own, or a prefix of its
//! own for all names in the virtual host that was given.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use tokio::sync::Mutex;

use super::control::Control;
use super::entrances::Entrances;
use super::error::{BrokerError, Kind};
use super::link::{Link, Way};
use super::management::{Management, Unacked};
use super::remains::Remains;
use super::route::Route;
use super::topology::{Names, bind, declare_exchange, declare_queue};
use crate::plan::model::{Binding, BoundTo, Exchange, Queue, QueueId, Topology};

/// A handle to it, and the heartbeat that its connections ask for; clones share what is in it.
/// [`Space::close`] removes that.
#[derive(Debug, Clone)]
pub struct Space(Arc<Inner>, Option<Duration>);

#[derive(Debug)]
struct Inner {
    /// With the virtual host to work in.
    entrances: Entrances,
    home: Home,
    management: Option<Management>,
    version: String,
    control: Option<Control>,
    /// What [`Space::close`] has to do; `None` once it is done.
    remains: Mutex<Option<Remains>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// The virtual host is ours.
    Vhost,
    /// Ours is what begins with this.
    Prefix(String),
}

impl Space {
    pub(super) fn new(
        entrances: Entrances,
        home: Home,
        management: Option<Management>,
        version: String,
        control: Option<Control>,
    ) -> Self {
        let remains = Mutex::new(Some(Remains::default()));
        let heartbeat = entrances.first().heartbeat;
        Self(Arc::new(Inner { entrances, home, management, version, control, remains }), heartbeat)
    }

    /// The same space, connections to which ask for this heartbeat: in whole seconds, rounded
    /// up. Where the broker proposes a shorter one, that counts.
    #[must_use]
    pub fn beating(&self, heartbeat: Duration) -> Self {
        Self(Arc::clone(&self.0), Some(heartbeat))
    }

    /// Makes the virtual host, if it is to have one, with all permissions for `user`.
    pub(super) async fn make(&self, user: &str) -> Result<(), BrokerError> {
        match (&self.0.home, &self.0.management) {
            (Home::Vhost, Some(management)) => management.make_vhost(self.vhost(), user).await,
            _ => Ok(()),
        }
    }

    /// Opens a connection to the first node that answers; the last one has 10 s for that.
    /// `frame_max` is 8192 unless given: large bodies want
    /// more, many connections do not.
    ///
    /// # Errors
    /// When the broker does not answer, or does not let us in.
    pub async fn connect(
        &self,
        client_name: &str,
        frame_max: Option<u32>,
    ) -> Result<Link, BrokerError> {
        self.connect_by(&Way::default(), client_name, frame_max).await
    }

    /// The same by a way of its own: to a node of a cluster, or when that does not answer to the
    /// first other one; through a network that can be cut. [`Link::node`] says where it leads.
    ///
    /// # Errors
    /// When no node answers, or none lets us in.
    pub async fn connect_by(
        &self,
        way: &Way,
        client_name: &str,
        frame_max: Option<u32>,
    ) -> Result<Link, BrokerError> {
        let beating = |route: &Route| Route { heartbeat: self.1, ..route.clone() };
        self.0.entrances.map(beating).connect(way, client_name, frame_max).await
    }

    /// Hands on the broker's nodes, see [`super::Broker::control`].
    pub fn control(&self) -> Option<Control> {
        self.0.control.clone()
    }

    /// How many nodes the broker has.
    pub fn nodes(&self) -> usize {
        self.0.entrances.count()
    }

    /// The broker's, as it says it: `4.3.6`.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The virtual host that it is in.
    pub fn vhost(&self) -> &str {
        &self.0.entrances.first().address.vhost
    }

    /// The name of a queue on the broker; empty for one that the broker names.
    pub fn queue_name(&self, queue: &Queue) -> String {
        match (queue.temporary, queue.predeclared) {
            (true, _) => String::new(),
            (false, true) => queue.name.clone(),
            (false, false) => self.name(&queue.name),
        }
    }

    /// The name of an exchange on the broker; the default exchange's is empty.
    pub fn exchange_name(&self, exchange: &Exchange) -> String {
        match exchange.name.is_empty() || exchange.predeclared {
            true => exchange.name.clone(),
            false => self.name(&exchange.name),
        }
    }

    /// The name on the broker of something that the file calls `name`.
    pub fn name(&self, name: &str) -> String {
        match &self.0.home {
            Home::Vhost => name.to_owned(),
            Home::Prefix(prefix) => format!("{prefix}{name}"),
        }
    }

    /// Whether something with this name on the broker was declared here.
    pub(super) fn is_ours(&self, name: &str) -> bool {
        match &self.0.home {
            Home::Vhost => true,
            Home::Prefix(prefix) => name.starts_with(prefix),
        }
    }

    /// What the broker said, in the words of the file: without our prefix, and with the name of
    /// the virtual host that every file believes in.
    pub fn as_the_file_says(&self, text: &str) -> String {
        match &self.0.home {
            Home::Vhost => text.replace(self.vhost(), "/"),
            Home::Prefix(prefix) => text.replace(prefix, ""),
        }
    }

    /// Declares the exchanges, the queues without an owner, and the bindings to those. What is
    /// predeclared is only looked at, and so are bindings between two such.
    ///
    /// A queue lives, or its leader does, on the node that it is declared through: what wants
    /// another one than the first is declared through a connection to that, all others on
    /// `channel`, which leads to the first.
    ///
    /// # Errors
    /// When the broker refuses one; the channel is closed then. When a node does not answer that
    /// a queue is to be on.
    pub async fn declare(&self, channel: &Channel, topology: &Topology) -> Result<(), BrokerError> {
        let names = Names { space: self, topology };
        let exchanges = topology.exchanges.iter().filter(|exchange| !exchange.name.is_empty());
        let unowned = topology.queues.iter().enumerate().filter(|(_, it)| it.owner.is_none());
        let ours = unowned.clone().filter(|(_, queue)| !queue.predeclared);
        let queue_names = ours.map(|(_, queue)| self.queue_name(queue)).collect();
        let ours = exchanges.clone().filter(|exchange| !exchange.predeclared);
        let exchange_names = ours.map(|exchange| self.exchange_name(exchange)).collect();
        self.remember(queue_names, exchange_names).await;
        for exchange in exchanges {
            declare_exchange(channel, exchange, &names).await?;
        }
        for binding in &topology.bindings {
            if let BoundTo::Exchange(to) = binding.to {
                let exchange = &topology.exchanges[to.index()];
                let known = exchange.predeclared;
                self.bind(channel, &names, binding, (&self.exchange_name(exchange), known)).await?;
            }
        }
        for (index, queue) in unowned {
            let name = match self.elsewhere(queue).await? {
                None => declare_queue(channel, queue, &names).await?,
                Some((link, there)) => {
                    let name = declare_queue(&there, queue, &names).await?;
                    // What counts is declared; a goodbye that fails changes nothing.
                    let _ = link.close().await;
                    name
                }
            };
            self.bind_queue(channel, &names, QueueId::from_index(index), &name).await?;
        }
        Ok(())
    }

    /// A connection to the node that a queue is to be on, if that is not the first.
    async fn elsewhere(&self, queue: &Queue) -> Result<Option<(Link, Channel)>, BrokerError> {
        let node = queue.node.filter(|node| node.index() > 0 && !queue.predeclared);
        let Some(node) = node.filter(|node| node.index() < self.nodes()) else { return Ok(None) };
        let way = Way { node: Some(node), wire: None };
        let link = self.connect_by(&way, "rmq-scenario", None).await?;
        if link.node != node {
            let (queue, node) = (&queue.name, node.index() + 1);
            let message = format!("declaring queue {queue:?} failed: node {node} does not answer");
            return Err(BrokerError::new(Kind::Unreachable, message)
                .help("a queue is placed on a node by declaring it there"));
        }
        let channel = link.open_channel(&format!("declaring queue {:?}", queue.name)).await?;
        Ok(Some((link, channel)))
    }

    /// Declares one exclusive or temporary queue and its bindings, on its owner's channel, and
    /// returns its name on the broker. Its connection takes it along when it ends.
    ///
    /// # Errors
    /// When the broker refuses; the channel is closed then.
    pub async fn declare_owned(
        &self,
        channel: &Channel,
        topology: &Topology,
        queue: QueueId,
    ) -> Result<String, BrokerError> {
        let names = Names { space: self, topology };
        let name = declare_queue(channel, &topology.queues[queue.index()], &names).await?;
        // The broker deletes it when its connection ends, and `close` sees to it that it has.
        self.remember(vec![name.clone()], Vec::new()).await;
        self.bind_queue(channel, &names, queue, &name).await?;
        Ok(name)
    }

    async fn bind_queue(
        &self,
        channel: &Channel,
        names: &Names<'_>,
        queue: QueueId,
        name: &str,
    ) -> Result<(), BrokerError> {
        let known = names.topology.queues[queue.index()].predeclared;
        let to = BoundTo::Queue(queue);
        for binding in names.topology.bindings.iter().filter(|binding| binding.to == to) {
            self.bind(channel, names, binding, (name, known)).await?;
        }
        Ok(())
    }

    /// `to` is the far end's name on the broker, and whether it is predeclared.
    async fn bind(
        &self,
        channel: &Channel,
        names: &Names<'_>,
        binding: &Binding,
        to: (&str, bool),
    ) -> Result<(), BrokerError> {
        let (name, known) = to;
        if known && names.topology.exchanges[binding.from.index()].predeclared {
            return Ok(());
        }
        bind(channel, name, binding, names).await
    }

    /// Whether a queue (by its name on the broker) exists, asked without using it.
    ///
    /// # Errors
    /// When there is no management API, or it does not answer.
    pub async fn has_queue(&self, queue: &str) -> Result<bool, BrokerError> {
        let management = self.0.management.as_ref().ok_or_else(|| {
            BrokerError::new(
                Kind::Management,
                "watching a queue with `expires` needs the management API, which this broker \
                 does not offer",
            )
            .help("enable it with: rabbitmq-plugins enable rabbitmq_management")
        })?;
        management.has_queue(self.vhost(), queue).await
    }

    /// Messages of a queue (by its name on the broker) that consumers hold, asked just now.
    ///
    /// # Errors
    /// When there is no management API, it does not answer, or there is no such queue.
    pub async fn unacked(&self, queue: &str) -> Result<Unacked, BrokerError> {
        let found = self.all_unacked().await?.into_iter().find(|(name, _)| name == queue);
        found.map(|(_, unacked)| unacked).ok_or_else(|| {
            let doing = format!("asking for the unacked messages of queue {queue:?}");
            BrokerError::new(Kind::Protocol, format!("{doing} failed: there is no such queue"))
        })
    }

    /// The same of every queue in the virtual host, by their names on the broker.
    ///
    /// # Errors
    /// When there is no management API, or it does not answer.
    pub async fn all_unacked(&self) -> Result<Vec<(String, Unacked)>, BrokerError> {
        self.management()?.unacked(self.vhost()).await
    }

    /// How old the numbers of quorum queues and streams may be.
    ///
    /// # Errors
    /// When there is no management API, whose numbers they are.
    pub fn tick(&self) -> Result<Duration, BrokerError> {
        self.management().map(Management::tick)
    }

    pub(super) fn management(&self) -> Result<&Management, BrokerError> {
        self.0.management.as_ref().ok_or_else(no_management)
    }

    /// Removes the virtual host, or what was declared under the prefix. Done once; what failed
    /// is tried again by the next call.
    ///
    /// # Errors
    /// When something of it is left behind, with its name.
    pub async fn close(&self) -> Result<(), BrokerError> {
        let mut remains = self.0.remains.lock().await;
        if let Some(left) = remains.as_ref() {
            match (&self.0.home, &self.0.management) {
                (Home::Vhost, Some(management)) => management.remove_vhost(self.vhost()).await?,
                _ => self.delete(left).await?,
            }
            *remains = None;
        }
        Ok(())
    }

    /// Before it is declared: if that is cut half-way, nobody knows how far it came.
    pub(super) async fn remember(&self, queues: Vec<String>, exchanges: Vec<String>) {
        if self.0.home == Home::Vhost {
            return;
        }
        if let Some(remains) = self.0.remains.lock().await.as_mut() {
            remains.queues.extend(queues);
            remains.exchanges.extend(exchanges);
        }
    }

    async fn delete(&self, remains: &Remains) -> Result<(), BrokerError> {
        if remains.is_empty() {
            return Ok(());
        }
        let link = self.connect("rmq-scenario clean-up", None).await?;
        let deleted = remains.delete(&link).await;
        // What counts is deleted, or told as left; a goodbye that fails changes neither.
        let _ = link.close().await;
        deleted
    }
}

fn no_management() -> BrokerError {
    BrokerError::new(
        Kind::Management,
        "counting unacked messages needs the management API, which this broker does not offer",
    )
    .help("enable it with: rabbitmq-plugins enable rabbitmq_management; `--management URL` says where it is")
}
