//! Running a tool to its end, in bounded time.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;
use tokio::time::timeout;

use super::Why;

/// How long a tool may take; the slowest wait for a node to end or to boot.
const PATIENCE: Duration = Duration::from_secs(120);

/// A program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line(pub Vec<String>);

impl Line {
    pub fn new(words: &[&str]) -> Self {
        Self(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// What it writes to its standard output, trimmed.
    pub async fn run(&self) -> Result<String, Why> {
        let mut command = Command::new(&self.0[0]);
        command
            .args(&self.0[1..])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A terminal's Ctrl-C is for us: what has begun must not be broken off by it.
            .process_group(0)
            .kill_on_drop(true);
        let child =
            command.spawn().map_err(|error| format!("cannot run `{}`: {error}", self.0[0]))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        let Ok(ended) = timeout(PATIENCE, child.wait_with_output()).await else {
            // What it has started goes with it.
            let _ = group.map(|group| kill_process_group(group, Signal::KILL));
            return Err(format!("`{self}` has not ended after {} s", PATIENCE.as_secs()));
        };
        let ended = ended.map_err(|error| format!("`{self}` is out of sight: {error}"))?;
        let said = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
        if ended.status.success() {
            return Ok(said);
        }
        let complaint = String::from_utf8_lossy(&ended.stderr);
        let complaint = last_line(&complaint).or(last_line(&said)).unwrap_or("it says no more");
        Err(format!("`{self}` ended with {}: {complaint}", ended.status))
    }
}

fn last_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// As a shell reads it.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.0.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// One word for a shell.
pub fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        let line = Line::new(&["a", "", "b c", "it's", "rabbit@host-1", "{x}"]);
        assert_eq!(line.to_string(), r"a '' 'b c' 'it'\''s' rabbit@host-1 '{x}'");
    }

    #[tokio::test]
    async fn what_a_tool_says_is_told_and_its_failure_too() {
        let said = Line::new(&["sh", "-c", "echo one; echo two"]).run().await;
        assert_eq!(said.as_deref(), Ok("one\ntwo"));
        let failed = Line::new(&["sh", "-c", "echo no >&2; exit 3"]).run().await.unwrap_err();
        assert_eq!(failed, "`sh -c 'echo no >&2; exit 3'` ended with exit status: 3: no");
        let absent = Line::new(&["there-is-no-such-tool"]).run().await.unwrap_err();
        assert!(absent.starts_with("cannot run `there-is-no-such-tool`: No such file"), "{absent}");
    }
}
