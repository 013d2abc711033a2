//! Running a program that does one thing and says how it went.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

/// Longer than it takes to restart what runs in a node, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it with this as its input. What it says, if it succeeds.
///
/// # Errors
/// The end of a sentence: what it says of its failure, or that it has no answer in 60 s.
pub(crate) async fn call(mut command: Command, input: &str) -> Result<String, String> {
    let program = Path::new(command.as_std().get_program()).display().to_string();
    let running = async {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that does not listen says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let late = |_| format!("{program} had no answer in {} s", PATIENCE.as_secs());
    let output = timeout(PATIENCE, running).await.map_err(late)?;
    read(&program, &output.map_err(|error| format!("{program} cannot be run: {error}"))?)
}

fn read(program: &str, output: &Output) -> Result<String, String> {
    let [said, why] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    if output.status.success() {
        return Ok(said.trim().to_owned());
    }
    let why = if why.trim().is_empty() { said } else { why };
    let why: Vec<&str> = why.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(format!("{program}: {}: {}", output.status, why.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_what_it_came_to() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let shell = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            runtime.block_on(call(command, "given"))
        };
        assert_eq!(shell("cat"), Ok("given".to_owned()));
        assert_eq!(shell("echo Error:; echo no >&2; exit 3"), Err("sh: exit status: 3: no".into()));
        assert_eq!(shell("echo no; exit 3"), Err("sh: exit status: 3: no".into()));
        let absent = runtime.block_on(call(Command::new("/absent"), "")).unwrap_err();
        assert!(absent.starts_with("/absent cannot be run: "), "{absent}");
    }
}
