//! What the user says about hands on the nodes: `--broker-control KIND:…`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::Outside;
use super::node::Node;
use super::running::quoted;
use super::tool::Tool;
use crate::broker::error::{BrokerError, Kind};
use crate::plan::model::{BrokerAct, StopHow};

/// One pattern for all nodes, or one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hands(Vec<Pattern>);

/// `KIND:…`, with places to fill in: `{node}` is the node's number, `{index}` the same from 0,
/// `{name}` its name in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    kind: Word,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Docker,
    Podman,
    Systemd,
    Kubectl,
    Rabbitmqctl,
    Command,
}

const KINDS: [(&str, Word); 6] = [
    ("docker", Word::Docker),
    ("podman", Word::Podman),
    ("systemd", Word::Systemd),
    ("kubectl", Word::Kubectl),
    ("rabbitmqctl", Word::Rabbitmqctl),
    ("command", Word::Command),
];

impl Hands {
    /// Reads what was given for a broker of so many nodes.
    ///
    /// # Errors
    /// A mistake of the command line.
    pub fn parse(given: &[String], nodes: usize) -> Result<Self, BrokerError> {
        let patterns: Vec<Pattern> =
            given.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        match patterns.as_slice() {
            [one] if nodes > 1 && !one.tells_nodes_apart() => Err(usage(&format!(
                "`--broker-control {one}` means the same for all {nodes} nodes"
            ))
            .help(
                "give it once for each node, in the order of `--broker`, or let it tell them \
                 apart: {node} is the node's number, {index} the same from 0, {name} its name",
            )),
            [_] => Ok(Self(patterns)),
            several if several.len() == nodes => Ok(Self(patterns)),
            several => Err(usage(&format!(
                "`--broker-control` is given {} times for {nodes} node{}",
                several.len(),
                if nodes == 1 { "" } else { "s" }
            ))
            .help("give it once for each node, in the order of `--broker`, or once for all")),
        }
    }

    /// Why this cannot be done to a node, or without `node` to each: a sentence without a full
    /// stop.
    pub fn refusal(&self, act: &BrokerAct, node: Option<usize>) -> Option<String> {
        match node {
            Some(node) => self.pattern(node).refusal(act),
            None => self.0.iter().find_map(|pattern| pattern.refusal(act)),
        }
    }

    /// Whether the nodes' names must be known.
    pub(in crate::broker) fn need_names(&self) -> bool {
        self.0.iter().any(|pattern| pattern.text.contains("{name}"))
    }

    /// The hands on the nodes of these names, which may be empty unless they are needed.
    pub(in crate::broker) fn on(&self, names: &[String]) -> Outside {
        let node = |(index, name): (usize, &String)| {
            Arc::new(Mutex::new(Node::new(self.tool(index, name))))
        };
        Outside(names.iter().enumerate().map(node).collect())
    }

    pub(super) fn tool(&self, index: usize, name: &str) -> Tool {
        self.pattern(index).tool(index, name)
    }

    fn pattern(&self, node: usize) -> &Pattern {
        self.0.get(node).unwrap_or(&self.0[0])
    }
}

impl Pattern {
    fn tells_nodes_apart(&self) -> bool {
        ["{node}", "{index}", "{name}"].iter().any(|place| self.text.contains(place))
    }

    fn refusal(&self, act: &BrokerAct) -> Option<String> {
        let killed = match act {
            BrokerAct::Restart { how, .. } | BrokerAct::Stop { how } => *how == StopHow::Sigkill,
            BrokerAct::Pause { .. } | BrokerAct::Block { .. } | BrokerAct::Partition { .. } => {
                false
            }
        };
        let for_good = matches!(act, BrokerAct::Stop { .. });
        match self.kind {
            Word::Rabbitmqctl if killed => Some(
                "`--broker-control rabbitmqctl:…` cannot start a process again that was killed"
                    .to_owned(),
            ),
            Word::Kubectl if killed && for_good => Some(
                "`--broker-control kubectl:…` cannot keep a pod away that was killed: Kubernetes \
                 starts it again"
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn tool(&self, index: usize, name: &str) -> Tool {
        let (number, index) = ((index + 1).to_string(), index.to_string());
        let fill = |text: &str, name: &str| {
            text.replace("{node}", &number).replace("{index}", &index).replace("{name}", name)
        };
        let text = fill(&self.text, name);
        match self.kind {
            Word::Docker => Tool::Engine { program: "docker", container: text },
            Word::Podman => Tool::Engine { program: "podman", container: text },
            Word::Systemd => Tool::Systemd { unit: text },
            Word::Rabbitmqctl => Tool::Ctl { node: text },
            Word::Command => Tool::Shell { template: fill(&self.text, &quoted(name)) },
            Word::Kubectl => match text.split_once('/') {
                Some((namespace, pod)) => {
                    Tool::Kubectl { namespace: Some(namespace.to_owned()), pod: pod.to_owned() }
                }
                None => Tool::Kubectl { namespace: None, pod: text },
            },
        }
    }
}

impl FromStr for Pattern {
    type Err = BrokerError;

    fn from_str(given: &str) -> Result<Self, BrokerError> {
        let (word, text) = given.split_once(':').unwrap_or((given, ""));
        let known = KINDS.iter().find(|(known, _)| *known == word);
        let (_, kind) = *known.ok_or_else(|| {
            let words = KINDS.map(|(word, _)| word).join(", ");
            malformed(given, &format!("there is no kind {word:?}; there are: {words}"))
        })?;
        let (space, name) = match text.split_once('/').filter(|_| kind == Word::Kubectl) {
            Some((space, name)) => (Some(space), name),
            None => (None, text),
        };
        for name in space.into_iter().chain([name]) {
            if name.is_empty() {
                return Err(malformed(given, "it does not say what"));
            }
            // It would be taken for an option of the tool.
            if kind != Word::Command && name.starts_with('-') {
                return Err(malformed(given, "a name does not begin with a hyphen"));
            }
        }
        if kind == Word::Command && !text.contains("{action}") {
            return Err(malformed(
                given,
                "a command needs the place `{action}`, to know what to do",
            ));
        }
        Ok(Self { kind, text: text.to_owned() })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, _) = KINDS.iter().find(|(_, kind)| *kind == self.kind).expect("all have one");
        write!(f, "{word}:{}", self.text)
    }
}

fn malformed(given: &str, why: &str) -> BrokerError {
    usage(&format!("`--broker-control {given}` is malformed: {why}")).help(
        "write docker:CONTAINER, podman:CONTAINER, systemd:UNIT, kubectl:NAMESPACE/POD, \
         rabbitmqctl:NODE or command:LINE",
    )
}

fn usage(message: &str) -> BrokerError {
    BrokerError::new(Kind::Usage, message)
}
