//! AMQP errors that producers and workers meet: what the broker said, and on which level.

use std::time::Duration;

use futures_util::StreamExt;
use lapin::protocol::AMQPErrorKind;
use lapin::{Connection, Error, ErrorKind, Event};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::ledger::facts::ErrorFact;
use crate::run::stage::{FORCED, INTERNAL};

/// How long the reason of a failure may come after the failure itself.
const REASON: Duration = Duration::from_millis(500);
const LAST_WORDS: Duration = Duration::from_millis(50);

/// Listens for the errors of one connection and its channels. lapin reports a close to
/// whoever uses the channel next only as a wrong state; the reason comes here.
///
/// There is one for each connection: two would share its events between them.
pub struct Listener {
    errors: mpsc::UnboundedReceiver<Error>,
    task: JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listener {
    /// `blocked` is called when the broker says that it takes nothing more.
    pub fn new(connection: &Connection, blocked: impl Fn() + Send + 'static) -> Self {
        let mut events = Box::pin(connection.events_listener());
        let (sender, errors) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    // Nobody may be listening any more.
                    Event::Error(error) => drop(sender.send(error)),
                    Event::ConnectionBlocked(_) => blocked(),
                    _ => {}
                }
            }
        });
        Self { errors, task }
    }

    /// The next error of the connection or of any of its channels.
    pub async fn error(&mut self) -> Error {
        match self.errors.recv().await {
            Some(error) => error,
            // The connection is gone, and whoever uses it learns that from it.
            None => std::future::pending().await,
        }
    }

    /// What the broker said, given what an operation failed with.
    pub async fn reason(&mut self, met: &Error) -> Error {
        let patience = match met.kind() {
            ErrorKind::ProtocolError(_) | ErrorKind::MissingHeartbeatError => return met.clone(),
            // A dead socket has said all that it will, but for what was read of it already.
            ErrorKind::IOError(_) => LAST_WORDS,
            _ => REASON,
        };
        timeout(patience, self.error()).await.unwrap_or_else(|_| met.clone())
    }
}

/// The fact that `who` met this error.
pub fn fact(who: &str, error: &Error) -> ErrorFact {
    let (scope, code, text) = match error.kind() {
        ErrorKind::ProtocolError(said) => {
            let scope = match said.kind() {
                AMQPErrorKind::Soft(_) => "channel",
                AMQPErrorKind::Hard(_) => "connection",
            };
            (scope, said.get_id(), said.get_message().to_string())
        }
        _ => ("connection", 0, format!("the connection was lost: {error}")),
    };
    ErrorFact { who: who.to_owned(), scope, code, text, explained: false }
}

/// Whether the connection was lost, by the network or because the broker let everybody go, and
/// not by a mistake of whoever used it.
pub fn is_loss(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::ProtocolError(said) => said.get_id() == FORCED,
        _ => true,
    }
}

/// Whether the broker failed, and not who asked.
pub fn is_internal(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if said.get_id() == INTERNAL)
}

/// Whether the broker says that a queue exists, and its node cannot be reached. Of a stream that is
/// not back with its node yet, 4.3 says it in other words.
pub fn is_away(error: &Error) -> bool {
    let ErrorKind::ProtocolError(said) = error.kind() else { return false };
    let text = said.get_message().as_str();
    match said.get_id() {
        404 => text.contains("down or inaccessible"),
        406 => text.contains("does not have a running replica"),
        _ => false,
    }
}

/// The fact that the server ended a subscription.
pub fn cancelled(who: &str) -> ErrorFact {
    ErrorFact {
        who: who.to_owned(),
        scope: "consumer",
        code: 0,
        text: "cancelled".to_owned(),
        explained: false,
    }
}
