//! `rmq-scenario broker`: a warm broker for many runs, started, looked at and ended by hand.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::broker::{BrokerError, Contents, Standing, Warm, warm, warm_down, warm_file, warm_up};
use crate::cli::args::{BrokerCommand, UpArgs};
use crate::cli::{USAGE, WORLD};
use crate::diagnostic::Diagnostic;
use crate::report::output::{Output, Target};
use crate::report::style::{ColorChoice, use_color};

/// Of `status`: there is none.
const DOWN: u8 = 1;

/// Does what the command says.
pub fn main(command: &BrokerCommand) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&Diagnostic::error(format!("starting the runtime failed: {error}")));
            return ExitCode::from(WORLD);
        }
    };
    let done = match command {
        BrokerCommand::Up(args) => runtime.block_on(up(args)),
        BrokerCommand::Status => runtime.block_on(status()),
        BrokerCommand::Down => runtime.block_on(down()),
    };
    ExitCode::from(done.unwrap_or_else(|error| {
        complain(&error.diagnostic());
        if error.is_usage() { USAGE } else { WORLD }
    }))
}

async fn up(args: &UpArgs) -> Result<u8, BrokerError> {
    let keeper = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rmq-scenario"));
    let server = args.server.as_deref().filter(|server| !server.is_empty());
    let (standing, booted) = warm_up(server.map(Path::new), &keeper).await?;
    let how = booted.map_or_else(
        || "is up already".to_owned(),
        |took| format!("is up, ready in {:.1} s", took.as_secs_f64()),
    );
    say(&format!(
        "RabbitMQ {} {how}; `run` uses it from now on\n{}",
        standing.version,
        places(&standing)
    ));
    Ok(0)
}

async fn status() -> Result<u8, BrokerError> {
    let standing = match warm() {
        Warm::Standing(standing) => standing,
        Warm::Absent => {
            say("no warm RabbitMQ; `rmq-scenario broker up` starts one\n");
            return Ok(DOWN);
        }
        Warm::Fallen(standing) => {
            let since = date(standing.since());
            say(&format!(
                "the warm RabbitMQ {} of {since} has died; `rmq-scenario broker up` starts another\n",
                standing.version
            ));
            return Ok(DOWN);
        }
    };
    let contents = standing.contents().await?;
    let age = standing.since().elapsed().unwrap_or_default();
    say(&format!(
        "RabbitMQ {} is up since {}, for {}\n  memory      {} MB\n  holds       {}\n{}",
        standing.version,
        date(standing.since()),
        duration(age),
        contents.memory_bytes / 1_000_000,
        holds(&contents),
        places(&standing)
    ));
    Ok(0)
}

async fn down() -> Result<u8, BrokerError> {
    say(&match warm_down().await? {
        Some(standing) => format!("RabbitMQ {} is down; nothing of it is left\n", standing.version),
        None => "no warm RabbitMQ was up\n".to_owned(),
    });
    Ok(0)
}

/// Where it is, and how to end it. The password stands where only the user can read it.
fn places(standing: &Standing) -> String {
    let facts = &standing.facts;
    format!(
        "  AMQP        amqp://127.0.0.1:{}\n  management  http://127.0.0.1:{}\n  \
         user        {}; its password is in {}\n  server      {}\n  \
         to end it   rmq-scenario broker down\n",
        facts.amqp,
        facts.management,
        facts.user,
        warm_file().display(),
        standing.server.display()
    )
}

fn holds(contents: &Contents) -> String {
    let Contents { vhosts, connections, queues, messages, .. } = contents;
    let number = |count: u64, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let hosts = match vhosts.len() {
        1 => "1 virtual host of a run".to_owned(),
        count => format!("{count} virtual hosts of runs"),
    };
    let mut text = [
        hosts,
        number(*queues, "queue"),
        number(*messages, "message"),
        number(*connections, "connection"),
    ]
    .join(", ");
    for vhost in vhosts {
        text += &format!("\n              {vhost}");
    }
    text
}

/// `2 h 5 min`, `3 min`, `12 s`.
fn duration(age: Duration) -> String {
    let seconds = age.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// `2026-11-20 18:30:01 UTC`. The day is counted in eras of 400 years that begin in March, so
/// that the day that comes and goes is the last one.
fn date(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (days, second) = (since / 86_400 + 719_468, since % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02} UTC", second % 60)
}

fn say(text: &str) {
    // Without anybody to read there is nothing to do about it; the exit code tells.
    let _ = Output::new(Target::Stdout).write(text);
}

fn complain(diagnostic: &Diagnostic) {
    let color = use_color(Target::Stderr, ColorChoice::Auto);
    let text = format!("{}\n", diagnostic.render(color).trim_end());
    let _ = Output::new(Target::Stderr).write(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_ages_are_readable() {
        let at = |seconds| date(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(at(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(at(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(at(1_795_199_401), "2026-11-20 18:30:01 UTC");
        let age = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([age(59), age(60), age(7500)], ["59 s", "1 min", "2 h 5 min"]);
    }

    #[test]
    fn what_it_holds_is_counted() {
        let mut contents =
            Contents { memory_bytes: 1, vhosts: vec![], connections: 1, queues: 0, messages: 2 };
        assert_eq!(holds(&contents), "0 virtual hosts of runs, 0 queues, 2 messages, 1 connection");
        contents.vhosts.push("rmq-scenario-1".to_owned());
        assert_eq!(
            holds(&contents),
            "1 virtual host of a run, 0 queues, 2 messages, 1 connection\n              rmq-scenario-1"
        );
    }
}
