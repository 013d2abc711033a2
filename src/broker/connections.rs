//! Connections as the management API knows them: which node one leads to, and closing one from
//! the broker's side.
//!
//! The broker names a connection by the addresses of its two ends. Where these are translated on
//! the way (by a container's engine, or a load balancer), we see others than the broker does: then
//! the connection is found by a mark that we gave it when it was opened.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::address::encoded;
use super::error::{BrokerError, Kind};
use super::link::{Link, MARK};
use super::management::Management;
use super::space::Space;

/// How long the broker may take to know a connection. By its name it is known within
/// milliseconds; what its client said comes with the statistics, every 5 s and up to a second
/// later.
const PATIENCE: Duration = Duration::from_secs(12);
/// From then on, the name that we see may not be the one that the broker knows.
const DOUBT: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(10);

/// A connection, as far as it interests us.
#[derive(Deserialize)]
struct Known {
    name: String,
    node: String,
    #[serde(default)]
    client_properties: serde_json::Map<String, serde_json::Value>,
}

impl Space {
    /// The broker closes a connection, as an administrator would have it do, and tells the client
    /// so: 320 CONNECTION_FORCED. One that has ended already is left alone.
    ///
    /// # Errors
    /// When there is no management API, it refuses, or it does not know the connection.
    pub async fn disconnect(&self, link: &Link) -> Result<(), BrokerError> {
        let management = self.management()?;
        let name = name_of(link);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if !link.connection.status().connected() || management.close_connection(&name).await? {
                return Ok(());
            }
            if begun.elapsed() > DOUBT
                && let Some(known) = management.marked_connection(link.mark()).await?
            {
                management.close_connection(&known.name).await?;
                return Ok(());
            }
            sleep(STEP).await;
        }
        Err(unknown(&format!("closing the connection {name}")))
    }
}

/// What the broker calls it, unless addresses are translated.
fn name_of(link: &Link) -> String {
    let [ours, its] = link.ends();
    format!("{ours} -> {its}")
}

impl Management {
    /// The name of the node that a connection of ours, as `user`, leads to.
    ///
    /// # Errors
    /// When the API does not answer, or does not know the connection.
    pub(super) async fn node_of(&self, link: &Link, user: &str) -> Result<String, BrokerError> {
        let (name, begun) = (name_of(link), Instant::now());
        while begun.elapsed() < PATIENCE {
            let path = format!("connections/username/{}", encoded(user));
            let own = self.known_connections(&path).await?.into_iter().find(|it| it.name == name);
            let known = match own {
                None if begun.elapsed() > DOUBT => self.marked_connection(link.mark()).await?,
                own => own,
            };
            if let Some(known) = known {
                return Ok(known.node);
            }
            sleep(STEP).await;
        }
        Err(unknown(&format!("asking for the node of the connection {name}")))
    }

    async fn known_connections(&self, path: &str) -> Result<Vec<Known>, BrokerError> {
        let doing = "asking for the connections";
        let answer = self.send(doing, self.request(Method::GET, path)).await?;
        answer.json().await.map_err(|error| self.unreachable(doing, error))
    }

    /// Has a connection closed; false when there is none of that name yet. It is looked for among
    /// the connections that the broker keeps track of, not in its statistics, which know it
    /// seconds later. (Measured on 3.10.8, 4.0.5 and 4.3.6.)
    async fn close_connection(&self, name: &str) -> Result<bool, BrokerError> {
        let doing = format!("closing the connection {name}");
        let path = format!("connections/{}?disable_stats=true", encoded(name));
        let request = self.request(Method::DELETE, &path);
        let answer = self.ask(&doing, request.header("X-Reason", "closed by rmq-scenario")).await?;
        // Of a connection that is young, 4.0.5 fails to tell whose it is: to a user who is no
        // administrator it answers 500 then, until it can.
        if [StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR].contains(&answer.status()) {
            return Ok(false);
        }
        self.checked(&doing, answer).await.map(|_| true)
    }

    /// The connection whose client bears this mark, once the statistics know it.
    async fn marked_connection(&self, mark: &str) -> Result<Option<Known>, BrokerError> {
        let all = self.known_connections("connections?columns=name,node,client_properties").await?;
        let marked = |it: &Known| it.client_properties.get(MARK).is_some_and(|own| own == mark);
        Ok(all.into_iter().find(marked))
    }
}

fn unknown(doing: &str) -> BrokerError {
    let message = format!("{doing} failed: the management API does not know it");
    BrokerError::new(Kind::Management, message)
        .help("is that the management API of the node that the connection leads to?")
}
