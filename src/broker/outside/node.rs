//! One node, and what must be remembered about it from one act to the next.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::erlang::ALREADY;
use super::tool::Tool;
use super::{Act, Why};
use crate::plan::model::{Alarm, StopHow};

/// How long a node may take to be gone once its tool is done.
const PATIENCE: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub struct Node {
    tool: Tool,
    /// Of the process that stands still, which cannot be asked any more.
    paused: Option<String>,
    /// How it was stopped by us, or may have been.
    stopped: Option<StopHow>,
    /// The alarms that we have raised: what the broker itself complains about is not ours to
    /// clear.
    raised: Vec<Alarm>,
}

impl Node {
    pub fn new(tool: Tool) -> Self {
        Self { tool, paused: None, stopped: None, raised: Vec::new() }
    }

    pub async fn act(&mut self, act: Act) -> Result<String, Why> {
        match act {
            Act::Stop(how) => self.stop(how).await,
            Act::Start => self.start().await,
            Act::Pause => self.pause().await,
            Act::Resume => self.resume().await,
            Act::Alarm(alarm, on) => self.alarm(alarm, on).await,
            Act::Who | Act::Part | Act::Heal | Act::IsSplit | Act::Rejoin => {
                self.run(act, "").await
            }
        }
    }

    async fn run(&self, act: Act, pid: &str) -> Result<String, Why> {
        let mut said = String::new();
        for line in self.tool.lines(act, pid) {
            said = line.run().await?;
        }
        Ok(said)
    }

    /// The node's process, where the tool needs it for that.
    async fn process(&self, act: Act) -> Result<String, Why> {
        match self.tool.asks_process(act) {
            Some(question) => self.tool.process(&question.run().await?),
            None => Ok(String::new()),
        }
    }

    /// The life that was, once it is over.
    async fn stop(&mut self, how: StopHow) -> Result<String, Why> {
        let act = Act::Stop(how);
        if self.tool.lines(act, "").is_empty() {
            return Err("this tool cannot".to_owned());
        }
        let was = self.run(Act::Who, "").await?;
        let pid = self.process(act).await?;
        self.stopped = Some(how);
        // Whatever else was done to it ends with it.
        self.raised.clear();
        self.run(act, &pid).await?;
        let since = Instant::now();
        // Who cannot be asked is not there.
        while self.run(Act::Who, "").await.as_ref() == Ok(&was) {
            if since.elapsed() > PATIENCE {
                return Err(format!("{was} has not ended after {} s", PATIENCE.as_secs()));
            }
            sleep(STEP).await;
        }
        self.paused = None;
        Ok(was)
    }

    async fn start(&mut self) -> Result<String, Why> {
        let Some(how) = self.stopped else { return Ok(String::new()) };
        let said = match self.tool.waits_for_start().filter(|_| how == StopHow::Sigkill) {
            Some(line) => line.run().await?,
            None => self.run(Act::Start, "").await?,
        };
        self.stopped = None;
        Ok(said)
    }

    async fn pause(&mut self) -> Result<String, Why> {
        let pid = self.process(Act::Pause).await?;
        // Noted first: it may stand still although the tool says that it failed.
        self.paused = Some(pid.clone());
        self.run(Act::Pause, &pid).await
    }

    async fn resume(&mut self) -> Result<String, Why> {
        let Some(pid) = self.paused.clone() else { return Ok(String::new()) };
        let said = self.run(Act::Resume, &pid).await?;
        self.paused = None;
        Ok(said)
    }

    async fn alarm(&mut self, alarm: Alarm, on: bool) -> Result<String, Why> {
        let known = self.raised.iter().position(|raised| *raised == alarm);
        let act = Act::Alarm(alarm, on);
        match (known, on) {
            (None, true) => {
                self.raised.push(alarm);
                let said = self.run(act, "").await?;
                match said.as_str() {
                    ALREADY => {
                        self.raised.retain(|raised| *raised != alarm);
                        Err("it has raised that alarm itself".to_owned())
                    }
                    "ok" => Ok(said),
                    // What a template of the user's says is its own affair.
                    _ if matches!(self.tool, Tool::Shell { .. }) => Ok(said),
                    _ => Err(format!("it says {said}")),
                }
            }
            (Some(at), false) => {
                let said = self.run(act, "").await?;
                self.raised.remove(at);
                Ok(said)
            }
            _ => Ok(String::new()),
        }
    }
}
