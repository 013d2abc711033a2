//! Hands on a broker's nodes from outside of AMQP: ending, starting, holding and parting them.
//!
//! Whatever was done is undone by [`Control::mend`]. Nodes count from 0. What is to be done is
//! written down before it is done, so that what was interrupted half-way is undone as well.

pub(super) mod erlang;
mod means;
mod parting;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::error::{BrokerError, Kind};
use super::management::Management;
use super::node::{Facts, Hand, answers};
use super::outside::Outside;
use super::route::Route;
use crate::plan::model::{Alarm, NodeId, StopHow};
use means::{Means, Why};

/// How long a node may take to come up again. One that had much to write, or that waits for the
/// others of its cluster, takes longer than a new one.
const BOOT_DEADLINE: Duration = Duration::from_secs(90);

const STEP: Duration = Duration::from_millis(20);

/// A handle to the nodes of one broker; clones reach the same.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    means: Means,
    nodes: Vec<Place>,
    /// By node.
    done: Mutex<Vec<Done>>,
}

/// Where a node is asked whether it works.
#[derive(Debug)]
struct Place {
    route: Route,
    /// Where it has one that answers.
    management: Option<Management>,
    /// What it is called in messages.
    title: String,
    /// What the cluster calls it, if anybody has said so.
    name: Option<String>,
}

/// A node of somebody else's, as far as it is known.
pub(super) struct Known {
    pub route: Route,
    /// Where it has one that answers.
    pub management: Option<Management>,
    /// What the cluster calls it.
    pub name: Option<String>,
}

/// What was done to a node and not undone yet.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Done {
    stopped: bool,
    paused: bool,
    memory: bool,
    disk: bool,
    parted: bool,
}

impl Done {
    fn alarm(&mut self, alarm: Alarm) -> &mut bool {
        match alarm {
            Alarm::Memory => &mut self.memory,
            Alarm::Disk => &mut self.disk,
        }
    }
}

/// What tells one life of a node's process from the next: its process id where that is seen,
/// else whatever the tool in between says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessId(pub String);

impl Control {
    /// That of nodes of our own.
    pub(super) fn private(hand: Hand, facts: &[Facts]) -> Result<Self, BrokerError> {
        let place = |(index, one): (usize, &[Facts])| {
            let title = match facts.len() {
                1 => "the private RabbitMQ".to_owned(),
                // As the file counts.
                _ => format!("node {} of the private RabbitMQ", index + 1),
            };
            let (management, name) = (Some(Management::private(one)?), Some(one[0].name.clone()));
            Ok(Place { route: Route::private(&one[0]), management, title, name })
        };
        let places = facts.chunks(1).enumerate().map(place).collect::<Result<_, BrokerError>>()?;
        Ok(Self::new(Means::Keeper(hand), places))
    }

    /// That of somebody else's nodes, each with its management API if that answers.
    pub(super) fn external(outside: Outside, nodes: Vec<Known>) -> Self {
        let count = nodes.len();
        let place = |(index, Known { route, management, name }): (usize, Known)| {
            let title = match count {
                1 => format!("the RabbitMQ at {}", route.address),
                _ => format!("node {} of the cluster, at {},", index + 1, route.address),
            };
            Place { route, management, title, name }
        };
        let places = nodes.into_iter().enumerate().map(place).collect();
        Self::new(Means::Outside(outside), places)
    }

    fn new(means: Means, nodes: Vec<Place>) -> Self {
        let done = Mutex::new(vec![Done::default(); nodes.len()]);
        Self(Arc::new(Inner { means, nodes, done }))
    }

    /// How many nodes there are.
    pub fn nodes(&self) -> usize {
        self.0.nodes.len()
    }

    /// Ends a node's process and waits until it is gone. The process that was.
    ///
    /// # Errors
    /// When it does not end, or did not run.
    pub async fn stop(&self, node: NodeId, how: StopHow) -> Result<ProcessId, BrokerError> {
        let known = self.done(node);
        if known.paused && how == StopHow::Graceful {
            let why = "it is paused, and could not hear that it shall end".to_owned();
            return Err(self.failed("stopping", node, why));
        }
        self.note(node, |done| done.stopped = true);
        let stopped = self.0.means.stop(node.index(), how).await;
        let was = stopped.map_err(|why| self.failed("stopping", node, why))?;
        // Whatever else was done to it has ended with it.
        self.note(node, |done| *done = Done { stopped: true, ..Done::default() });
        Ok(was)
    }

    /// Starts a node that was stopped, with its data, and waits until it answers AMQP. The process
    /// that is. Nodes of a cluster that were all stopped may wait for one another: start them
    /// together.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(&self, node: NodeId) -> Result<ProcessId, BrokerError> {
        let means = &self.0.means;
        let failed = |why| self.failed("starting", node, why);
        let place = self.place(node);
        let starting = async {
            means.start(node.index()).await?;
            answers(&place.route, place.management.as_ref()).await;
            means.who(node.index()).await
        };
        let is = tokio::select! {
            // It listens first: a node that cannot start ends at once.
            biased;
            log = means.falls(node.index()) => {
                let mut error = failed("it ended while it booted".to_owned());
                error.notes = log;
                return Err(error);
            }
            started = timeout(BOOT_DEADLINE, starting) => match started {
                Ok(started) => started.map_err(failed)?,
                Err(_) => {
                    let seconds = BOOT_DEADLINE.as_secs();
                    return Err(failed(format!("it does not answer after {seconds} s")));
                }
            },
        };
        // A new life: nothing else was done to that.
        self.note(node, |done| *done = Done::default());
        Ok(is)
    }

    /// The node's process stands still.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn pause(&self, node: NodeId) -> Result<(), BrokerError> {
        self.note(node, |done| done.paused = true);
        let paused = self.0.means.pause(node.index()).await;
        paused.map_err(|why| self.failed("pausing", node, why))
    }

    /// And goes on.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn resume(&self, node: NodeId) -> Result<(), BrokerError> {
        let resumed = self.0.means.resume(node.index()).await;
        resumed.map_err(|why| self.failed("resuming", node, why))?;
        self.note(node, |done| done.paused = false);
        Ok(())
    }

    /// Raises (`on`) or clears a resource alarm.
    ///
    /// # Errors
    /// When the node does not obey.
    pub async fn alarm(&self, node: NodeId, alarm: Alarm, on: bool) -> Result<(), BrokerError> {
        if on {
            self.note(node, |done| *done.alarm(alarm) = true);
        }
        let doing = if on { "raising an alarm on" } else { "clearing an alarm on" };
        let failed = |why| self.failed(doing, node, why);
        self.obeys(node).map_err(failed)?;
        self.0.means.alarm(node.index(), alarm, on).await.map_err(failed)?;
        self.note(node, |done| *done.alarm(alarm) = on);
        Ok(())
    }

    /// Brings back all that was stopped, paused, alarmed or parted. Does nothing where nothing
    /// was.
    ///
    /// # Errors
    /// The first that does not come back. A node that ended by itself does not.
    pub async fn mend(&self) -> Result<(), BrokerError> {
        if let Some(fallen) = self.fallen() {
            return Err(fallen);
        }
        // A node that stood still for long has been given up by the others, as a parted one has.
        let apart = self.those(|done| (done.paused || done.parted) && !done.stopped);
        let broken = !self.those(|done| done.stopped).is_empty() || !apart.is_empty();
        let paused = self.those(|done| done.paused && !done.stopped);
        let resumed = join_all(paused.into_iter().map(|node| self.resume(node))).await;
        // First: what starts may need those that do not hear it.
        let parted = self.those(|done| done.parted && !done.stopped);
        let joined = join_all(parted.iter().map(|node| self.join(*node))).await;
        // Together: nodes of a cluster wait for one another.
        let stopped = self.those(|done| done.stopped);
        let started = join_all(stopped.into_iter().map(|node| self.start(node))).await;
        let started = started.into_iter().map(|started| started.map(drop));
        let mut done: Vec<_> = resumed.into_iter().chain(joined).chain(started).collect();
        for alarm in [Alarm::Memory, Alarm::Disk] {
            for node in self.those(|mut done| *done.alarm(alarm)) {
                done.push(self.alarm(node, alarm, false).await);
            }
        }
        if broken {
            done.push(self.reunite(&apart).await);
        }
        done.into_iter().collect()
    }

    /// That a node has ended without having been told to, as an error.
    pub(super) fn fallen(&self) -> Option<BrokerError> {
        let (node, log) = self.0.means.fallen()?;
        let title = self.title(NodeId::from_index(node));
        let message = format!("{title} ended by itself while the run was on");
        let help = "the lines above are from its log; was it killed, by hand or for its memory?";
        let mut error = BrokerError::new(Kind::Unreachable, message).help(help);
        error.notes = log;
        Some(error)
    }

    /// After something failed: looks whether all nodes that should listen do. Of one that does not
    /// it will be heard in a moment that it has ended.
    pub(super) async fn look(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        for (index, place) in self.0.nodes.iter().enumerate() {
            let known = self.done(NodeId::from_index(index));
            let address = (&*place.route.address.host, place.route.address.port);
            if !known.stopped && TcpStream::connect(address).await.is_err() {
                let heard = async {
                    while self.fallen().is_none() {
                        sleep(STEP).await;
                    }
                };
                // Without a word of it, nobody knows more than before.
                let _ = timeout(PATIENCE, heard).await;
            }
        }
    }

    /// The nodes to which that was done.
    fn those(&self, is: impl Fn(Done) -> bool) -> Vec<NodeId> {
        let done = self.all_done();
        (0..done.len()).filter(|index| is(done[*index])).map(NodeId::from_index).collect()
    }

    fn place(&self, node: NodeId) -> &Place {
        &self.0.nodes[node.index()]
    }

    fn done(&self, node: NodeId) -> Done {
        self.all_done()[node.index()]
    }

    fn note(&self, node: NodeId, change: impl FnOnce(&mut Done)) {
        change(&mut self.all_done()[node.index()]);
    }

    fn all_done(&self) -> MutexGuard<'_, Vec<Done>> {
        self.0.done.lock().expect("nothing panics while holding it")
    }

    fn title(&self, node: NodeId) -> &str {
        &self.place(node).title
    }

    fn failed(&self, doing: &str, node: NodeId, why: Why) -> BrokerError {
        let message = format!("{doing} {} failed: {why}", self.title(node));
        BrokerError::new(Kind::Control, message)
            .help("see whether its process still runs, and what else acts on it")
    }
}
