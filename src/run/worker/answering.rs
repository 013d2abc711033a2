//! Answers to requests.

use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;

use crate::run::worker::{Ending, Item, Life};

/// Where an answer is wanted, and what it must bear.
#[derive(Debug)]
pub struct Request {
    reply_to: ShortString,
    correlation_id: Option<ShortString>,
}

impl Request {
    /// What a message with these properties asks for; nothing without a `reply_to`.
    pub fn of(properties: &BasicProperties) -> Option<Box<Self>> {
        let reply_to = properties.reply_to().clone()?;
        Some(Box::new(Self { reply_to, correlation_id: properties.correlation_id().clone() }))
    }
}

impl Life {
    /// Publishes the answer, on the channel that the request came on: it reaches the broker
    /// before the ack does.
    pub(super) async fn answer(&mut self, item: &Item) -> Result<(), Ending> {
        let asked = self.replies.as_ref().zip(item.request.as_ref()).zip(item.message);
        let Some(((replies, request), message)) = asked else { return Ok(()) };
        let mut body = Vec::new();
        replies.body(message.producer, u64::from(message.n), &mut body);
        let mut properties = BasicProperties::default();
        if let Some(id) = &request.correlation_id {
            properties = properties.with_correlation_id(id.clone());
        }
        let (to, channel) = (request.reply_to.clone(), self.channel.clone());
        // Recorded before it is written: the answer may be read at once.
        self.flush().await;
        let options = BasicPublishOptions::default();
        let written = channel.basic_publish("".into(), to, options, &body, properties).await;
        written.map(drop).map_err(Ending::Failed)
    }
}
