//! The command line: arguments in, exit code out.

pub mod args;
mod run;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::broker;
use crate::cli::args::{Cli, Command};

/// Everything that `main` does.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.collect();
    // The keeper of a private node must not fail over anything that concerns a run.
    if args.get(1).is_some_and(|word| word == broker::KEEPER_WORD) {
        return broker::keep_node();
    }
    match Cli::read(args) {
        Ok(Cli { command: Command::Run(args) }) => run::main(&args),
        Ok(Cli { command: Command::KeepNode }) => broker::keep_node(),
        Err(error) => error.exit(),
    }
}
