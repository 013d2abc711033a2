//! Hands on a broker's nodes from outside of AMQP: ending, starting, holding and parting them.
//!
//! Whatever was done is undone by [`Control::mend`]. Nodes count from 0. What is to be done is
//! written down before it is done, so that what was interrupted half-way is undone as well.

mod erlang;
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
    /// For the Erlang distribution.
    name: String,
    route: Route,
    management: Management,
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
    fn has(mut self, alarm: Alarm) -> bool {
        *self.alarm(alarm)
    }

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
        let place = |one: &[Facts]| {
            let management = Management::private(one)?;
            Ok(Place { name: one[0].name.clone(), route: Route::private(&one[0]), management })
        };
        let nodes = facts.chunks(1).map(place).collect::<Result<Vec<_>, BrokerError>>()?;
        let done = Mutex::new(vec![Done::default(); nodes.len()]);
        Ok(Self(Arc::new(Inner { means: Means::Keeper(hand), nodes, done })))
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
            answers(&place.route, &place.management).await;
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
        self.have(node, doing, erlang::alarm(alarm, on)).await?;
        self.note(node, |done| *done.alarm(alarm) = on);
        Ok(())
    }

    /// Has a node do something whose answer is `ok`.
    async fn have(&self, node: NodeId, doing: &str, what: String) -> Result<(), BrokerError> {
        let known = self.done(node);
        let answer = match () {
            () if known.stopped => Err("it does not run".to_owned()),
            () if known.paused => Err("it is paused".to_owned()),
            () => self.0.means.evaluate(node.index(), what).await,
        };
        match answer {
            Ok(answer) if answer == "ok" => Ok(()),
            Ok(answer) => Err(self.failed(doing, node, format!("it says {answer}"))),
            Err(why) => Err(self.failed(doing, node, why)),
        }
    }

    fn those(&self, is: impl Fn(&Done) -> bool) -> Vec<NodeId> {
        let done = self.all_done();
        let indices = (0..done.len()).filter(|index| is(&done[*index]));
        indices.map(NodeId::from_index).collect()
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
        if self.those(|done| *done != Done::default()).is_empty() {
            return Ok(());
        }
        let paused = self.those(|done| done.paused && !done.stopped);
        for resumed in join_all(paused.into_iter().map(|node| self.resume(node))).await {
            resumed?;
        }
        let parted = self.those(|done| done.parted && !done.stopped);
        for node in &parted {
            self.join(*node).await?;
        }
        // Together: nodes of a cluster wait for one another.
        let stopped = self.those(|done| done.stopped);
        for started in join_all(stopped.into_iter().map(|node| self.start(node))).await {
            started?;
        }
        for alarm in [Alarm::Memory, Alarm::Disk] {
            for node in self.those(|done| done.has(alarm)) {
                self.alarm(node, alarm, false).await?;
            }
        }
        match self.nodes() {
            1 => Ok(()),
            _ => self.reunite(&parted).await,
        }
    }

    /// That a node has ended without having been told to, as an error.
    pub(super) fn fallen(&self) -> Option<BrokerError> {
        let (node, log) = self.0.means.fallen()?;
        let name = self.name(NodeId::from_index(node));
        let message = format!("{name} ended by itself while the run was on");
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

    /// As the file counts.
    fn name(&self, node: NodeId) -> String {
        match self.nodes() {
            1 => "the private RabbitMQ".to_owned(),
            _ => format!("node {} of the private RabbitMQ", node.index() + 1),
        }
    }

    fn failed(&self, doing: &str, node: NodeId, why: Why) -> BrokerError {
        let message = format!("{doing} {} failed: {why}", self.name(node));
        BrokerError::new(Kind::Control, message)
            .help("see whether its process still runs, and what else acts on it")
    }
}
