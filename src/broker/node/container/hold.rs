//! What an engine does with a container that is there: the words for docker and podman are the
//! same.

use std::fs::File;
use std::io;

use tokio::process::{Child, Command};

use super::{Container, command};
use crate::broker::node::call::call;
use crate::broker::node::files::Facts;
use crate::broker::node::keeper::{Push, launch};

impl Container {
    /// Starts it again with what it has written; the client stays until it ends, as the first did.
    pub fn start_again(&self, facts: &Facts, console: File) -> io::Result<Child> {
        let name = facts.container.clone().unwrap_or_default();
        let mut client = Command::new(&self.engine);
        client.args(["start", "--attach", &name]);
        launch(&mut client, facts, console)
    }

    /// The id of its first process, as the engine's machine counts.
    pub async fn process(&self, name: &str) -> Result<String, String> {
        let id = self.ask(&["inspect", "--format", "{{.State.Pid}}", name]).await?;
        if id == "0" { Err("it does not run".to_owned()) } else { Ok(id) }
    }

    /// Its first process passes SIGTERM on to the Erlang machine, and takes it along when it is
    /// killed.
    pub async fn push(&self, name: &str, push: Push) -> Result<(), String> {
        let words: &[&str] = match push {
            Push::End => &["kill", "--signal=TERM", name],
            Push::Kill => &["kill", "--signal=KILL", name],
            Push::Pause => &["pause", name],
            Push::Resume => &["unpause", name],
        };
        self.ask(words).await.map(drop)
    }

    /// What an Erlang expression comes to in its node.
    pub async fn evaluate(&self, name: &str, expression: &str) -> Result<String, String> {
        self.ask(&["exec", name, "rabbitmqctl", "eval", expression]).await
    }

    async fn ask(&self, words: &[&str]) -> Result<String, String> {
        call(command(&self.engine, words), "").await
    }
}
