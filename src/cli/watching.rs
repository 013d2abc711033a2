//! `run --watch`: the files are run again whenever one of them changes, on a broker that stays.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::watch;

use crate::broker::{BrokerError, Hands};
use crate::cli::args::RunArgs;
use crate::cli::brokers::{Brokers, Wanted};
use crate::cli::loading::{self, Loaded};
use crate::cli::run::{Console, INTERRUPTED, Round, listen, worse};
use crate::cli::{USAGE, WORLD, allowance, files, opening};
use crate::diagnostic::Diagnostic;
use crate::plan::model::Scenario;
use crate::report::sinks::Sinks;

/// How often the files are looked at. An editor writes a file in several steps, so that a change
/// counts once two looks see the same.
const LOOK: Duration = Duration::from_millis(50);
/// Directories may be deep: what they hold is listed anew once in so many looks.
const LOOKS_A_LISTING: u32 = 10;

/// The scenarios of all files, or the exit code.
type Read = Result<(Vec<Scenario>, Option<Hands>), u8>;

/// Runs the files, and again after each change, until somebody wants it to end. The exit code is
/// that of the last run.
pub async fn watch(args: &RunArgs, mut sinks: Sinks, console: &mut Console) -> ExitCode {
    let mut interrupted = listen();
    let keeper = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rmq-scenario"));
    let mut brokers: Option<Brokers> = None;
    let mut files: Vec<PathBuf> = args.files.iter().map(PathBuf::from).collect();
    let code = loop {
        let mut seen = Seen { listed: listed(args), stamps: stamps(&files) };
        let (read, watched) = scenarios(args, console);
        // What is included for the first time was read just now.
        files = watched;
        seen.stamps.retain(|file, _| files.contains(file));
        let new = files.iter().filter(|file| !seen.stamps.contains_key(*file)).cloned();
        seen.stamps.append(&mut stamps(&new.collect::<Vec<_>>()));
        let code = match read {
            Err(code) => code,
            Ok((scenarios, hands)) => {
                let to_end = interrupted.clone();
                match ready(&mut brokers, args, (&scenarios, hands), &keeper, console, to_end).await
                {
                    Err(code) => code,
                    Ok(brokers) => {
                        let started = Instant::now();
                        // It goes with no `--watch`.
                        let baseline = None;
                        let round = Round { args, scenarios: &scenarios, baseline, started };
                        round.play(brokers, &mut sinks, console, &interrupted).await
                    }
                }
            }
        };
        if *interrupted.borrow() || !changed(args, &files, &seen, console, &mut interrupted).await {
            break code;
        }
    };
    if let Some(brokers) = brokers
        && let Err(error) = brokers.close().await
    {
        console.complain(&error.diagnostic());
        return ExitCode::from(worse(code, WORLD));
    }
    ExitCode::from(code)
}

/// What the files say now, or the exit code for what is wrong with them; and every file that they
/// depend on.
fn scenarios(args: &RunArgs, console: &mut Console) -> (Read, Vec<PathBuf>) {
    let Loaded { scenarios, watched, files } = loading::all(args);
    let scenarios = scenarios.and_then(|scenarios| {
        let hands = allowance::hands(args, &scenarios)?;
        Ok((scenarios, hands))
    });
    let read = match scenarios {
        Ok((scenarios, hands)) => {
            console.warnings(&scenarios);
            Ok((scenarios, hands))
        }
        Err(mistakes) => {
            let _ = console.mistakes(&mistakes, files);
            Err(USAGE)
        }
    };
    (read, watched)
}

/// The broker, which is opened for the first files that are right.
async fn ready<'b, 'a>(
    brokers: &'b mut Option<Brokers<'a>>,
    args: &'a RunArgs,
    (scenarios, hands): (&[Scenario], Option<Hands>),
    keeper: &'a Path,
    console: &mut Console,
    mut interrupted: watch::Receiver<bool>,
) -> Result<&'b Brokers<'a>, u8> {
    if brokers.is_none() {
        let wanted = Wanted::by_all(scenarios);
        let mut note = |said: &str| console.display.note(said);
        let opened = tokio::select! {
            opened = opening::open(args, &wanted, hands, keeper, &mut note) => opened,
            Ok(_) = interrupted.wait_for(|stop| *stop) => return Err(INTERRUPTED),
        };
        match opened {
            Ok(broker) => {
                console.greet(&broker);
                *brokers = Some(Brokers::new(broker, wanted, args, keeper));
            }
            Err(error) => return Err(refused(&error, console)),
        }
    } else if hands.is_some() && brokers.as_ref().is_some_and(|it| !it.world.has_control) {
        let error = Diagnostic::error("that broker was opened for files without faults of its own");
        console.complain(&error.help("begin again, and these faults may befall it"));
        return Err(USAGE);
    }
    Ok(brokers.as_ref().expect("one was opened"))
}

fn refused(error: &BrokerError, console: &mut Console) -> u8 {
    console.complain(&error.diagnostic());
    if error.is_usage() { USAGE } else { WORLD }
}

/// Whether whoever was to read what is printed has gone: then nobody waits for another run.
fn nobody_reads() -> bool {
    let stdout = std::io::stdout();
    let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Of a pipe without a reader the system tells an error; a file or a terminal has none.
    poll(&mut asked, Some(&now)).is_ok() && asked[0].revents().contains(PollFlags::ERR)
}

/// Waits until a file is another one than was `seen`; false when somebody wants to end, or nobody is
/// left who reads.
async fn changed(
    args: &RunArgs,
    files: &[PathBuf],
    seen: &Seen,
    console: &mut Console,
    interrupted: &mut watch::Receiver<bool>,
) -> bool {
    console.display.note("waiting for a change; Ctrl-C ends");
    let mut last = seen.clone();
    let mut looks = 0_u32;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            Ok(_) = interrupted.wait_for(|stop| *stop) => return false,
        }
        if nobody_reads() {
            return false;
        }
        looks += 1;
        let listed =
            if looks.is_multiple_of(LOOKS_A_LISTING) { listed(args) } else { last.listed.clone() };
        let now = Seen { listed, stamps: stamps(files) };
        if now == last && now != *seen {
            let other = |file: &&PathBuf| now.stamps.get(*file) != seen.stamps.get(*file);
            let come = |file: &&PathBuf| !seen.listed.contains(*file);
            let name = now.listed.iter().find(come).or_else(|| files.iter().find(other));
            console.display.note(&format!(
                "{} has changed",
                name.map_or("a file".into(), |it| it.display().to_string())
            ));
            return true;
        }
        last = now;
    }
}

/// What one look at the files finds.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    /// What the command line's directories and patterns hold: a file may come.
    listed: Vec<PathBuf>,
    stamps: Stamps,
}

fn listed(args: &RunArgs) -> Vec<PathBuf> {
    files::expand(&args.files).0
}

/// By what one tells that a file has changed; nothing of a file that is not there.
type Stamps = BTreeMap<PathBuf, Option<(u64, u64, i64, i64)>>;

fn stamps(files: &[PathBuf]) -> Stamps {
    let stamp = |it: Metadata| (it.ino(), it.len(), it.mtime(), it.mtime_nsec());
    let of = |file: &PathBuf| (file.clone(), std::fs::metadata(file).ok().map(stamp));
    files.iter().map(of).collect()
}
