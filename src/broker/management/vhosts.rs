//! Virtual hosts, made and removed through the management API.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use tokio::time::sleep;

use super::Management;
use crate::broker::address::encoded;
use crate::broker::error::{BrokerError, Kind};

/// Until a virtual host is up everywhere. A node that has just joined, or come back, is busy for a
/// while.
const PATIENCE: Duration = Duration::from_secs(30);
/// From then on, a node on which it is not may never have heard of it.
const OVERDUE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
struct VhostSeen {
    /// By the names of nodes.
    cluster_state: HashMap<String, String>,
}

impl Management {
    /// Makes a virtual host, with all permissions for `user`.
    pub async fn make_vhost(&self, vhost: &str, user: &str) -> Result<(), BrokerError> {
        let doing = format!("making the virtual host {vhost:?}");
        let path = format!("vhosts/{}", encoded(vhost));
        self.send(&doing, self.request(Method::PUT, &path).json(serde_json::json!({}))).await?;
        let doing = format!("giving {user:?} permissions in the virtual host {vhost:?}");
        let path = format!("permissions/{}/{}", encoded(vhost), encoded(user));
        let all = serde_json::json!({ "configure": ".*", "write": ".*", "read": ".*" });
        self.send(&doing, self.request(Method::PUT, &path).json(all)).await?;
        self.everywhere(vhost).await
    }

    /// Waits until a virtual host is up on each node that we know: on the others than the one that
    /// was asked it starts a moment later, and until then they let nobody in. One that is just
    /// joining may miss it for good: it is told, as an administrator would.
    async fn everywhere(&self, vhost: &str) -> Result<(), BrokerError> {
        let deadline = Instant::now() + PATIENCE;
        let mut overdue = Instant::now() + OVERDUE;
        let path = format!("vhosts/{}", encoded(vhost));
        while self.bases.len() > 1 {
            let seen: VhostSeen = self.get(&path).await?;
            let up = seen.cluster_state.values().filter(|state| *state == "running").count();
            if up >= self.bases.len() {
                break;
            }
            if Instant::now() > overdue {
                self.start_vhost(&path, &seen).await;
                overdue = deadline;
            }
            if Instant::now() > deadline {
                let message = format!("the virtual host {vhost:?} does not come up on all nodes");
                return Err(BrokerError::new(Kind::Management, message)
                    .help("see whether all nodes run, and their logs"));
            }
            sleep(STEP).await;
        }
        Ok(())
    }

    /// Whether that helped shows in the state of the virtual host, not in the answer.
    async fn start_vhost(&self, path: &str, seen: &VhostSeen) {
        for (node, _) in seen.cluster_state.iter().filter(|(_, state)| *state != "running") {
            let path = format!("{path}/start/{}", encoded(node));
            let _ = self.ask("starting a virtual host", self.request(Method::POST, &path)).await;
        }
    }

    /// Removes a virtual host and all that is in it. That there is none is fine.
    pub async fn remove_vhost(&self, vhost: &str) -> Result<(), BrokerError> {
        let doing = format!("removing the virtual host {vhost:?}");
        let path = format!("vhosts/{}", encoded(vhost));
        let removed = self.ask(&doing, self.request(Method::DELETE, &path)).await?;
        if removed.status() == StatusCode::NOT_FOUND {
            return Ok(());
        }
        self.checked(&doing, removed).await.map(drop)
    }
}
