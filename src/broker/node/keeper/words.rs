//! What a keeper and its program say to each other: one JSON value a line, each way.

use serde::{Deserialize, Serialize};

use crate::broker::node::files::Facts;
use crate::broker::settings::Settings;

/// The first line that the program says. Not arguments, which others can read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub settings: Settings,
}

/// What the program says later.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Told {
    /// Its end is not the nodes', which stay until SIGTERM ends their keeper.
    Stay,
    /// Something to do with a node, which is answered once under this number.
    Do { number: u64, node: usize, act: Act },
}

/// What can be done with a node.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Act {
    /// Ends its process, and waits for that; answered with what [`Act::Who`] would have said.
    Stop {
        kill: bool,
    },
    /// Starts it again, with all that it had. Whether it answers is for the program to find out.
    Start,
    /// What tells this life of its process from the next: its process id.
    Who,
    Pause,
    Resume,
    /// Evaluates an Erlang expression; answered with what it comes to.
    Evaluate(String),
}

/// What the keeper says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Said {
    /// The nodes' processes run; whether they answer is for the program to find out.
    Started(Vec<Facts>),
    /// A node ended, and nobody had told it to.
    Exited(Exit),
    /// They could not be started, or the keeper has a bug.
    Failed { message: String },
    /// What came of an act, or why nothing did: the end of a sentence.
    Answer { number: u64, answer: Result<String, String> },
}

/// The end of a node that nobody had told to end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub node: usize,
    /// Whether another try may go better, as far as its log tells.
    pub unlucky: bool,
    /// The last words of its log.
    pub log: Vec<String>,
}
