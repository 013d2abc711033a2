//! What was declared in a virtual host that is not ours, and its deletion.

use std::time::Duration;

use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Channel, ErrorKind};
use tokio::time::{Instant, sleep};

use super::error::BrokerError;
use super::link::Link;

/// An exclusive queue goes with its connection, but the broker says goodbye before it is gone.
const PATIENCE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(20);
const RESOURCE_LOCKED: u16 = 405;

/// Names on the broker of what was, or may have been, declared.
#[derive(Debug, Default)]
pub(super) struct Remains {
    pub queues: Vec<String>,
    pub exchanges: Vec<String>,
}

#[derive(Clone, Copy)]
enum Thing {
    Queue,
    Exchange,
}

impl Remains {
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty() && self.exchanges.is_empty()
    }

    /// Deletes all it can, and then tells what it could not. Deleting what is not there is fine.
    pub async fn delete(&self, link: &Link) -> Result<(), BrokerError> {
        let failed = |error| BrokerError::amqp("opening a channel for the clean-up", &error);
        let mut channel = link.connection.create_channel().await.map_err(failed)?;
        let queues = self.queues.iter().map(|name| (Thing::Queue, name));
        let exchanges = self.exchanges.iter().map(|name| (Thing::Exchange, name));
        let mut left = Vec::new();
        for (thing, name) in queues.chain(exchanges) {
            let deadline = Instant::now() + PATIENCE;
            while let Err(error) = delete(&channel, thing, name).await {
                // A refusal has closed the channel.
                channel = link.connection.create_channel().await.map_err(failed)?;
                if !is_locked(&error) || Instant::now() > deadline {
                    left.push((name.as_str(), error));
                    break;
                }
                sleep(STEP).await;
            }
        }
        let Some((_, first)) = left.first() else { return Ok(()) };
        let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
        Err(BrokerError::amqp(&format!("deleting {}", names.join(", ")), first)
            .help("delete them by hand: rabbitmqctl delete_queue, or the management pages"))
    }
}

async fn delete(channel: &Channel, thing: Thing, name: &str) -> lapin::Result<()> {
    match thing {
        Thing::Queue => {
            channel.queue_delete(name.into(), QueueDeleteOptions::default()).await.map(drop)
        }
        Thing::Exchange => {
            channel.exchange_delete(name.into(), ExchangeDeleteOptions::default()).await
        }
    }
}

fn is_locked(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if said.get_id() == RESOURCE_LOCKED)
}
