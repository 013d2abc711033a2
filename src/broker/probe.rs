//! What a probe declares, and what it calls the things that a file names.
//!
//! Unlike the topology, a probe may name what does not exist, and its declarations may be
//! refused: the refusal is the answer that it is after.

use lapin::Channel;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};

use super::space::Space;
use super::topology::{Names, form, queue_arguments};
use crate::plan::model::{Exchange, Queue, Topology};

/// What the broker keeps for itself: a name that begins with this is never made ours.
const RESERVED: &str = "amq.";

impl Space {
    /// What the broker calls a queue that the file, or a probe alone, calls `name`.
    pub fn queue_called(&self, topology: &Topology, name: &str) -> String {
        match topology.queues.iter().find(|queue| queue.name == name && !queue.temporary) {
            Some(queue) => self.queue_name(queue),
            None => self.anything_called(name),
        }
    }

    /// The same of an exchange.
    pub fn exchange_called(&self, topology: &Topology, name: &str) -> String {
        match topology.exchanges.iter().find(|exchange| exchange.name == name) {
            Some(exchange) => self.exchange_name(exchange),
            None => self.anything_called(name),
        }
    }

    fn anything_called(&self, name: &str) -> String {
        if name.starts_with(RESERVED) { name.to_owned() } else { self.name(name) }
    }

    /// Declares a queue for a probe, or with `passive` only looks for it.
    ///
    /// # Errors
    /// The broker's refusal; the channel or the connection is closed then.
    pub async fn probe_queue(
        &self,
        channel: &Channel,
        topology: &Topology,
        queue: &Queue,
        passive: bool,
    ) -> lapin::Result<lapin::Queue> {
        let name = self.queue_called(topology, &queue.name);
        // What the file declares is remembered already, and what exists without us is not ours.
        if !passive && !topology.queues.iter().any(|known| known.name == queue.name) {
            self.remember(vec![name.clone()], Vec::new()).await;
        }
        let options = QueueDeclareOptions {
            passive,
            durable: queue.durable,
            exclusive: queue.exclusive,
            auto_delete: queue.auto_delete,
            ..QueueDeclareOptions::default()
        };
        let arguments = queue_arguments(queue, &Names { space: self, topology });
        channel.queue_declare(name.as_str().into(), options, arguments).await
    }

    /// The same for an exchange.
    ///
    /// # Errors
    /// As [`Space::probe_queue`].
    pub async fn probe_exchange(
        &self,
        channel: &Channel,
        topology: &Topology,
        exchange: &Exchange,
        passive: bool,
    ) -> lapin::Result<()> {
        let name = self.exchange_called(topology, &exchange.name);
        if !passive && !topology.exchanges.iter().any(|known| known.name == exchange.name) {
            self.remember(Vec::new(), vec![name.clone()]).await;
        }
        let options = ExchangeDeclareOptions {
            passive,
            durable: exchange.durable,
            auto_delete: exchange.auto_delete,
            internal: exchange.internal,
            ..ExchangeDeclareOptions::default()
        };
        let (kind, arguments) = form(exchange, &Names { space: self, topology });
        channel.exchange_declare(name.as_str().into(), kind, options, arguments).await
    }
}
