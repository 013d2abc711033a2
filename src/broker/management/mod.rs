//! The management API: virtual hosts made and removed, and queues looked at.

mod question;
mod vhosts;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::address::{Address, decoded, encoded};
use super::error::{BrokerError, Kind};
use super::node::Facts;
use super::settings::TICK;
use super::tls::{Tls, Trust};
use question::Question;

/// The same, where another node can be asked instead.
const OTHERS_PATIENCE: Duration = Duration::from_secs(3);
/// Long enough for a broker under load, short enough for somebody waiting.
const PATIENCE: Duration = Duration::from_secs(10);
/// To find out whether there is one at all: a firewall may swallow what we send.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);

/// How often the numbers of quorum queues and streams are refreshed, unless a broker is told
/// otherwise: every 5 s, and they were seen to come up to a second later.
const USUAL_TICK: Duration = Duration::from_secs(6);

/// A client of one broker's management API. `Debug` does not show the password.
#[derive(Clone)]
pub(crate) struct Management {
    client: Client,
    trust: Option<Trust>,
    /// Of each node of the broker, at least one.
    bases: Vec<String>,
    /// Which of them answered last: the next question goes there first.
    asked: Arc<AtomicUsize>,
    user: String,
    password: String,
    tick: Duration,
}

impl std::fmt::Debug for Management {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Management({})", self.base())
    }
}

/// The user as the management API sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// May make virtual hosts.
    pub administrator: bool,
}

/// Messages sent to consumers and not yet acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unacked {
    pub count: u64,
    /// How long ago the queue may have been asked.
    pub age_at_most: Duration,
}

/// What is on a broker, as its statistics say it: a few seconds old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Of the node's process.
    pub memory_bytes: u64,
    /// Those that runs have made.
    pub vhosts: Vec<String>,
    pub connections: u64,
    pub queues: u64,
    pub messages: u64,
}

#[derive(Deserialize)]
struct Overview {
    node: String,
    object_totals: ObjectTotals,
    #[serde(default)]
    queue_totals: MessageTotals,
}

#[derive(Deserialize)]
struct ObjectTotals {
    connections: u64,
    queues: u64,
}

/// Absent while there is no queue.
#[derive(Default, Deserialize)]
struct MessageTotals {
    #[serde(default)]
    messages: u64,
}

/// Of the overview, the node that was asked, and whose ports are open.
#[derive(Deserialize)]
struct Listening {
    node: String,
    #[serde(default)]
    listeners: Vec<Listener>,
}

#[derive(Deserialize)]
struct Listener {
    node: String,
}

/// Asked of the node at once, where its statistics need a while to come.
#[derive(Deserialize)]
struct Memory {
    memory: MemoryParts,
}

#[derive(Deserialize)]
struct MemoryParts {
    total: MemoryTotals,
}

#[derive(Deserialize)]
struct MemoryTotals {
    rss: u64,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct NodeSeen {
    name: String,
    /// Absent while that is not known.
    #[serde(default)]
    running: bool,
}

/// A feature flag: `stable`, `required` or `experimental`, and `enabled` or not.
#[derive(Deserialize)]
struct Flag {
    name: String,
    stability: String,
    state: String,
}

#[derive(Deserialize)]
struct WhoAmI {
    /// A list, or in old versions words with commas between them.
    tags: serde_json::Value,
}

#[derive(Deserialize)]
struct QueueTotals {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    messages_unacknowledged: Option<u64>,
}

impl Management {
    /// That of private nodes of one broker, at least one.
    pub fn private(facts: &[Facts]) -> Result<Self, BrokerError> {
        let bases = facts.iter().map(|facts| format!("http://127.0.0.1:{}", facts.management));
        let (user, password) = (facts[0].user.clone(), facts[0].password.clone());
        let new = Self::new(bases.collect(), user, password, None)?;
        Ok(Self { tick: TICK, ..new })
    }

    /// That of an external broker: where `given` says, or on the same host at 15672 (15671 with
    /// TLS). A user and password in `given` go before those of the broker's address.
    pub fn external(
        address: &Address,
        given: Option<&str>,
        tls: &Tls,
    ) -> Result<Self, BrokerError> {
        let usual = address.usual_management();
        let malformed = |why: &str| {
            BrokerError::new(Kind::Usage, format!("the management address is malformed: {why}"))
                .help("write it as http://host:15672")
        };
        let mut url =
            Url::parse(given.unwrap_or(&usual)).map_err(|error| malformed(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(malformed("it does not begin with http:// or https://"));
        }
        let (user, password) = if url.username().is_empty() {
            (address.user.clone(), address.password.clone())
        } else {
            let part = |text| decoded(text, "").map_err(|_| malformed("a %-escape is wrong"));
            (part(url.username())?, part(url.password().unwrap_or_default())?)
        };
        // Both succeed on any URL with a host, which http has.
        let _ = (url.set_username(""), url.set_password(None));
        url.set_query(None);
        url.set_fragment(None);
        let trust = if url.scheme() == "https" { Some(Trust::new(tls)?) } else { None };
        Self::new(vec![url.as_str().trim_end_matches('/').to_owned()], user, password, trust)
    }

    fn new(
        bases: Vec<String>,
        user: String,
        password: String,
        trust: Option<Trust>,
    ) -> Result<Self, BrokerError> {
        let builder = match &trust {
            Some(trust) => Client::builder().use_preconfigured_tls((*trust.config).clone()),
            None => Client::builder(),
        };
        let client = builder
            .timeout(PATIENCE)
            .connect_timeout(CONNECT_PATIENCE)
            // The broker is a neighbour: what stands for the way to the web is not asked.
            .no_proxy()
            .build()
            .map_err(|error| BrokerError::new(Kind::Management, error.to_string()))?;
        let asked = Arc::default();
        Ok(Self { client, trust, bases, asked, user, password, tick: USUAL_TICK })
    }

    /// The same, which asks at the other's place, too, when nobody answers at its own. One that is
    /// entered in another way is not asked.
    #[must_use]
    pub fn or_ask(mut self, other: &Self) -> Self {
        if (&self.user, &self.password) == (&other.user, &other.password) {
            self.bases.extend(other.bases.iter().cloned());
        }
        self
    }

    /// Where the last answer came from.
    fn base(&self) -> &str {
        &self.bases[self.asked.load(Ordering::Relaxed)]
    }

    /// Whether it is asked under TLS.
    pub fn is_secure(&self) -> bool {
        self.trust.is_some()
    }

    /// Who the API takes us for.
    ///
    /// # Errors
    /// When there is no such API, or the user may not use it.
    pub async fn who_am_i(&self) -> Result<Identity, BrokerError> {
        let doing = format!("asking the management API at {}", self.base());
        let request = self.request(Method::GET, "whoami");
        let answer = self.send(&doing, request).await?;
        let me: WhoAmI = answer.json().await.map_err(|error| self.unreachable(&doing, error))?;
        let tags = me.tags.to_string();
        let mut words = tags.split(|letter: char| !letter.is_alphanumeric());
        Ok(Identity { administrator: words.any(|word| word == "administrator") })
    }

    /// The same, once it is sure that this API is that of the cluster named: on a machine with
    /// several brokers, another one's may be at the usual place.
    pub async fn identify(&self, cluster: &str) -> Result<Identity, BrokerError> {
        let me = self.who_am_i().await?;
        let doing = format!("asking the management API at {}", self.base());
        let request = self.request(Method::GET, "cluster-name");
        let answer = self.send(&doing, request).await?;
        let it: Named = answer.json().await.map_err(|error| self.unreachable(&doing, error))?;
        if it.name != cluster {
            return Err(BrokerError::new(
                Kind::Management,
                format!(
                    "the management API at {} is that of the cluster {:?}, \
                     but the broker belongs to {cluster:?}",
                    self.base(),
                    it.name
                ),
            )
            .help("`--management http://host:15672` says where the broker's own is"));
        }
        Ok(me)
    }

    /// Whether the broker is up as far as this API can tell. It is served before the boot is
    /// over, and fails for the questions that need more than itself (4.3.6: with 500). At the
    /// very end of its boot a node already takes clients, but does not yet find itself among the
    /// nodes that run, and so drops what is published to `amq.rabbitmq.reply-to` (measured on
    /// 4.0.5). Of all answers only the listeners tell: they are those of the nodes that run.
    pub async fn is_ready(&self) -> bool {
        let once = Duration::from_secs(2);
        let path = "overview?columns=node,listeners.node";
        let request = self.request(Method::GET, path).timeout(once);
        let Ok(answer) = self.send("asking for the overview", request).await else { return false };
        let listening: Result<Listening, _> = answer.json().await;
        listening.is_ok_and(|it| it.listeners.iter().any(|one| one.node == it.node))
    }

    /// What this version can do and has not enabled, but for experiments, and for Khepri, which
    /// is another place for what the cluster knows and no other behaviour.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn disabled_features(&self) -> Result<Vec<String>, BrokerError> {
        let flags: Vec<Flag> = self.get("feature-flags").await?;
        let off = |flag: &Flag| {
            flag.stability == "stable" && flag.state != "enabled" && flag.name != "khepri_db"
        };
        Ok(flags.into_iter().filter(off).map(|flag| flag.name).collect())
    }

    /// Has the whole cluster do this from now on.
    pub async fn enable_feature(&self, name: &str) -> Result<(), BrokerError> {
        let path = format!("feature-flags/{}/enable", encoded(name));
        let request = self.request(Method::PUT, &path).json(serde_json::json!({ "name": name }));
        self.send(&format!("enabling the feature {name}"), request).await.map(drop)
    }

    /// The names of the nodes that run, as the node knows that is asked.
    pub async fn running(&self) -> Result<Vec<String>, BrokerError> {
        let nodes: Vec<NodeSeen> = self.get("nodes?columns=name,running").await?;
        Ok(nodes.into_iter().filter(|node| node.running).map(|node| node.name).collect())
    }

    /// Asks all queues of a virtual host through their list: without statistics but with totals
    /// the broker asks classic queues themselves, as `rabbitmqctl list_queues` does, and quorum
    /// queues' last ticks. (Measured on 3.10.8, 4.0.5 and 4.3.6. With statistics, numbers are up
    /// to 5 s old whatever the interval; for one queue alone, 3.10 gives no totals.) A stream
    /// has no such number: nothing that was read from it is ever taken out.
    pub async fn unacked(&self, vhost: &str) -> Result<Vec<(String, Unacked)>, BrokerError> {
        let doing = format!("asking for the unacked messages in the virtual host {vhost:?}");
        let path = format!("queues/{}?disable_stats=true&enable_queue_totals=true", encoded(vhost));
        let asked = Instant::now();
        let answer = self.send(&doing, self.request(Method::GET, &path)).await?;
        let queues: Vec<QueueTotals> =
            answer.json().await.map_err(|error| self.unreachable(&doing, error))?;
        let took = asked.elapsed();
        let unacked = |queue: QueueTotals| {
            let (ticks, is_stream) = (queue.kind == "quorum", queue.kind == "stream");
            let count = queue.messages_unacknowledged.or(is_stream.then_some(0));
            let age_at_most = if ticks { took + self.tick } else { took };
            count.map(|count| (queue.name, Unacked { count, age_at_most }))
        };
        let some = !queues.is_empty();
        let all: Vec<_> = queues.into_iter().filter_map(unacked).collect();
        if some && all.is_empty() {
            let message = format!("{doing} failed: the API does not tell");
            let help = "RabbitMQ 3.10 and later do";
            return Err(BrokerError::new(Kind::Management, message).help(help));
        }
        Ok(all)
    }

    /// A list of a virtual host: `exchanges`, `queues` or `bindings`.
    pub async fn list<T: DeserializeOwned>(
        &self,
        vhost: &str,
        what: &str,
        query: &str,
    ) -> Result<Vec<T>, BrokerError> {
        let doing = format!("asking for the {what} in the virtual host {vhost:?}");
        let path = format!("{what}/{}{query}", encoded(vhost));
        let answer = self.send(&doing, self.request(Method::GET, &path)).await?;
        answer.json().await.map_err(|error| self.unreachable(&doing, error))
    }

    /// How old the numbers of a quorum queue or of a stream may be.
    pub fn tick(&self) -> Duration {
        self.tick
    }

    /// What is on the broker, and how much memory it has.
    pub async fn contents(&self) -> Result<Contents, BrokerError> {
        let overview: Overview = self.get("overview").await?;
        let memory: Memory = self.get(&format!("nodes/{}/memory", overview.node)).await?;
        let vhosts: Vec<Named> = self.get("vhosts?disable_stats=true").await?;
        let names = vhosts.into_iter().map(|vhost| vhost.name);
        Ok(Contents {
            memory_bytes: memory.memory.total.rss,
            vhosts: names.filter(|name| name.starts_with("rmq-scenario-")).collect(),
            connections: overview.object_totals.connections,
            queues: overview.object_totals.queues,
            messages: overview.queue_totals.messages,
        })
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, BrokerError> {
        let doing = format!("asking the management API at {} for its {path}", self.base());
        let answer = self.send(&doing, self.request(Method::GET, path)).await?;
        answer.json().await.map_err(|error| self.unreachable(&doing, error))
    }

    /// Whether a queue exists.
    pub async fn has_queue(&self, vhost: &str, queue: &str) -> Result<bool, BrokerError> {
        let doing = format!("looking for queue {queue:?}");
        let path = format!("queues/{}/{}?disable_stats=true", encoded(vhost), encoded(queue));
        let found = self.ask(&doing, self.request(Method::GET, &path)).await?;
        if found.status() == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.checked(&doing, found).await.map(|_| true)
    }

    pub(super) fn request(&self, method: Method, path: &str) -> Question {
        Question::new(method, path)
    }

    pub(super) async fn send(
        &self,
        doing: &str,
        question: Question,
    ) -> Result<Response, BrokerError> {
        let answer = self.ask(doing, question).await?;
        self.checked(doing, answer).await
    }

    /// Asks the node that answered last, and the others in their order if it does not any more.
    /// Whatever is asked may be asked twice.
    pub(super) async fn ask(
        &self,
        doing: &str,
        question: Question,
    ) -> Result<Response, BrokerError> {
        let count = self.bases.len();
        let last = self.asked.load(Ordering::Relaxed);
        let order = std::iter::once(last).chain((0..count).filter(|node| *node != last));
        let mut first = None;
        for (tried, node) in order.enumerate() {
            let patience = (tried + 1 < count).then_some(OTHERS_PATIENCE);
            let url = format!("{}/api/{}", self.bases[node], question.path());
            let request = question.request(&self.client, &url, patience);
            match request.basic_auth(&self.user, Some(&self.password)).send().await {
                // One that is ending, or not up yet, speaks for itself only.
                Ok(answer) if answer.status().is_server_error() && patience.is_some() => {}
                Ok(answer) => {
                    self.asked.store(node, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(self.unreachable(doing, first.expect("the last one did not answer")))
    }

    /// The answer, if it is a yes.
    pub(super) async fn checked(
        &self,
        doing: &str,
        answer: Response,
    ) -> Result<Response, BrokerError> {
        if answer.status().is_success() {
            return Ok(answer);
        }
        let status = answer.status();
        let said = reason(&answer.text().await.unwrap_or_default());
        let failed = BrokerError::new(Kind::Management, format!("{doing} failed: {status}{said}"));
        Err(match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => failed.help(format!(
                "give {:?} the tag it needs: rabbitmqctl set_user_tags {} administrator",
                self.user, self.user
            )),
            StatusCode::NOT_FOUND => {
                failed.help("is that the management API? `--management http://host:15672` names it")
            }
            _ => failed,
        })
    }

    /// No answer, or one that is not understood. The URL is left out: our sentence names the
    /// place.
    pub(super) fn unreachable(&self, doing: &str, error: reqwest::Error) -> BrokerError {
        let error = error.without_url();
        if let Some((why, help)) = self.trust.as_ref().and_then(|trust| trust.explain(&error)) {
            return BrokerError::new(Kind::Tls, format!("{doing} failed: {why}")).help(help);
        }
        // The innermost cause is the one that says something: `Connection refused`.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        BrokerError::new(Kind::Management, format!("{doing} failed: {cause}")).help(
            "is the broker still alive? If it is, enable the API with: rabbitmq-plugins enable \
             rabbitmq_management; `--management http://host:15672` says where it is",
        )
    }
}

/// What the API says beside the status: `{"error":"not_authorised","reason":"Login failed"}`.
fn reason(body: &str) -> String {
    #[derive(Deserialize)]
    struct Said {
        reason: serde_json::Value,
    }
    match serde_json::from_str(body) {
        Ok(Said { reason: serde_json::Value::String(reason) }) => format!(" ({reason})"),
        _ => String::new(),
    }
}
