//! All that one keeper holds: the nodes of a broker and the name service that they share, in one
//! directory, which is the home of all of them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::process::Child;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::held::Held;
use super::{Exit, Program, Said, say};
use crate::broker::node::files::{self, Facts};
use crate::broker::node::locate::Server;
use crate::broker::node::ports::{Claim, Reserved, ReservedNode};
use crate::broker::node::{container, end, epmd};
use crate::broker::settings::Settings;

/// The processes, as far as they have been started.
pub(super) struct House {
    home: PathBuf,
    server: Server,
    epmd: Option<Child>,
    /// Of the name service.
    port: u16,
    nodes: Vec<Held>,
    /// A node that is stopped is to find its ports again.
    claims: Vec<Claim>,
}

impl House {
    pub fn new(home: PathBuf, server: Server) -> Self {
        Self { home, server, epmd: None, port: 0, nodes: Vec::new(), claims: Vec::new() }
    }

    /// From the start of the nodes to the end of the program.
    pub async fn live(&mut self, settings: &Settings, program: &mut Program) -> io::Result<()> {
        let started = tokio::select! {
            () = program.ended() => return Ok(()),
            started = self.start(settings) => started?,
        };
        if !started {
            say(&Said::Exited(Exit { node: 0, unlucky: true, log: Vec::new() }));
            program.ended().await;
            return Ok(());
        }
        self.serve(program).await;
        Ok(())
    }

    /// False when somebody else has taken a port meanwhile.
    async fn start(&mut self, settings: &Settings) -> io::Result<bool> {
        let facts = self.facts(usize::try_from(settings.nodes).unwrap_or(1))?;
        if let Server::Script(_) = &self.server
            && !self.start_epmd(facts[0].epmd).await?
        {
            return Ok(false);
        }
        let epmd_pid = self.epmd.as_ref().and_then(Child::id);
        for facts in facts {
            let facts = Facts { epmd_pid, ..facts };
            let held = Held::new(&self.home, &self.server, facts, settings)?;
            self.nodes.push(held);
        }
        let (first, others) = self.nodes.split_first_mut().expect("there is at least one");
        first.start(settings)?;
        if !others.is_empty() && first.is_within_reach().await? {
            for node in others {
                node.start(settings)?;
            }
        }
        say(&Said::Started(self.nodes.iter().map(|node| node.facts.clone()).collect()));
        Ok(true)
    }

    /// The name service and the cookie; false when the port is taken.
    async fn start_epmd(&mut self, port: u16) -> io::Result<bool> {
        self.port = port;
        files::write_cookie(&self.home)?;
        self.epmd = epmd::start(&self.home, port)?;
        match &mut self.epmd {
            Some(epmd) => epmd::answers(epmd, port).await,
            None => Ok(true),
        }
    }

    /// Where the nodes will be, once they are there: a single one in the home itself.
    fn facts(&mut self, count: usize) -> io::Result<Vec<Facts>> {
        let reserved = Reserved::new(count)?;
        let (epmd, password) = (reserved.epmd.number, files::secret()?);
        let facts = |(index, node): (usize, &ReservedNode)| {
            let name = files::node_name(index, count);
            let dir = match count {
                1 => self.home.clone(),
                _ => self.home.join(name.trim_end_matches("@localhost")),
            };
            let container = match &self.server {
                Server::Script(_) => None,
                Server::Container(_) => Some(container::fresh_name()?),
            };
            Ok(Facts {
                name,
                dir,
                pid: 0,
                container,
                epmd_pid: None,
                amqp: node.amqp.number,
                management: node.management.number,
                distribution: node.distribution.number,
                epmd,
                user: "rmq-scenario".to_owned(),
                password: password.clone(),
            })
        };
        let facts = reserved.nodes.iter().enumerate().map(facts).collect();
        self.claims = reserved.release();
        facts
    }

    /// Hands on what the program says to the nodes, each of which obeys at its own pace.
    async fn serve(&mut self, program: &mut Program) {
        let (over, fell) = (watch::Sender::new(false), Arc::new(Notify::new()));
        let mut serving = JoinSet::new();
        let mut ways = Vec::new();
        for (index, node) in self.nodes.drain(..).enumerate() {
            let (way, acts) = mpsc::unbounded_channel();
            ways.push(way);
            serving.spawn(node.serve(index, acts, over.subscribe(), Arc::clone(&fell)));
        }
        while let Some((number, node, act)) = program.told().await {
            let sent = ways.get(node).is_some_and(|way| way.send((number, act)).is_ok());
            if !sent {
                let answer = Err("there is no such node".to_owned());
                say(&Said::Answer { number, answer });
            }
        }
        // Nodes that were left standing and fall have nobody who would want them back.
        tokio::select! {
            () = program.dismissed() => {}
            () = fell.notified() => {}
        }
        over.send_replace(true);
        while let Some(held) = serving.join_next().await {
            // One that panicked has dropped its process, which killed it.
            self.nodes.extend(held);
        }
    }

    /// Ends every process of the nodes.
    pub async fn end(&mut self) -> io::Result<()> {
        let mut ended = Ok(());
        for node in &mut self.nodes {
            ended = ended.and(node.end().await);
        }
        if let Server::Container(_) = self.server {
            return ended;
        }
        // What RabbitMQ started beside itself may start the name service anew: it goes first.
        let keep = self.epmd.as_ref().and_then(Child::id);
        end::strays(&self.home, keep).await;
        match &mut self.epmd {
            Some(epmd) => {
                let _ = epmd.kill().await;
            }
            None => epmd::end_daemon(self.port).await,
        }
        end::strays(&self.home, None).await;
        ended
    }
}
