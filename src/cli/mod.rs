//! The command line: arguments in, exit code out.

mod allowance;
pub mod args;
mod baseline;
mod blessing;
mod broker;
mod brokers;
mod check;
mod compare;
mod doctor;
mod files;
mod including;
mod loading;
mod manual;
mod new;
mod opening;
mod pipeline;
mod plan;
mod run;
mod schedule;
mod schema;
mod selection;
mod session;
mod telling;
mod watching;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::broker::{KEEPER_WORD, keep_node};
use crate::cli::args::{Cli, Command};

/// Something is worse than it was in the report that it is compared with.
const REGRESSION: u8 = 1;
/// The command line or a file is wrong.
const USAGE: u8 = 2;
/// The world failed.
const WORLD: u8 = 3;

/// Everything that `main` does.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    // The keeper of a private node must not fail over anything that concerns a run.
    if args.get(1).is_some_and(|word| word == KEEPER_WORD) {
        return keep_node();
    }
    match Cli::read(args) {
        Ok(Cli { command: Command::Run(args) }) => run::main(&args),
        Ok(Cli { command: Command::Check(args) }) => check::main(&args),
        Ok(Cli { command: Command::New(args) }) => new::main(&args),
        Ok(Cli { command: Command::Plan(args) }) => plan::main(&args),
        Ok(Cli { command: Command::Compare(args) }) => compare::main(&args),
        Ok(Cli { command: Command::Doctor(args) }) => doctor::main(&args),
        Ok(Cli { command: Command::Schema(args) }) => schema::main(&args),
        Ok(Cli { command: Command::Broker(command) }) => broker::main(&command),
        Ok(Cli { command: Command::Completions { shell } }) => manual::completions(shell),
        Ok(Cli { command: Command::Man }) => manual::man(),
        Ok(Cli { command: Command::KeepNode }) => keep_node(),
        Err(error) => error.exit(),
    }
}
