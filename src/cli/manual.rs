//! `rmq-scenario completions` and `man`: the command line, told to shells and to `man`.

use std::io;
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::cli::WORLD;
use crate::cli::args::Cli;
use crate::cli::telling::print;
use crate::report::style::ColorChoice;

/// Prints the completions for a shell.
pub fn completions(shell: Shell) -> ExitCode {
    let mut text = Vec::new();
    // Shells are told of hidden commands as well; nobody shall be offered one.
    let whole = Cli::command();
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set());
    let program = Command::new("rmq-scenario").version(env!("CARGO_PKG_VERSION"));
    let mut program = program.subcommands(shown.cloned());
    clap_complete::generate(shell, &mut program, "rmq-scenario", &mut text);
    print(&String::from_utf8_lossy(&text), ColorChoice::Auto)
}

/// Prints the manual page: the program and then each of its commands.
pub fn man() -> ExitCode {
    let mut text = Vec::new();
    match page(&mut text) {
        Ok(()) => print(&String::from_utf8_lossy(&text), ColorChoice::Auto),
        Err(_) => ExitCode::from(WORLD),
    }
}

fn page(text: &mut Vec<u8>) -> io::Result<()> {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let man = clap_mangen::Man::new(program.clone());
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)?;
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        section(command, &format!("rmq-scenario {}", command.get_name()), text)?;
    }
    man.render_extra_section(text)?;
    man.render_version_section(text)
}

/// One command, and the commands that it has itself.
fn section(command: &Command, name: &str, text: &mut Vec<u8>) -> io::Result<()> {
    let heading = name.to_uppercase();
    text.extend(format!(".SH \"{heading}\"\n").bytes());
    let man = clap_mangen::Man::new(command.clone().bin_name(name.to_owned()));
    let mut body = Vec::new();
    man.render_description_section(&mut body)?;
    man.render_options_section(&mut body)?;
    // What stands in sections of its own on a page of its own stands in parts of this one.
    let body = String::from_utf8_lossy(&body).replace("\n.SH ", "\n.SS ");
    text.extend(body.strip_prefix(".SH ").map_or(body.clone(), |it| format!(".SS {it}")).bytes());
    for below in command.get_subcommands().filter(|it| it.get_name() != "help") {
        section(below, &format!("{name} {}", below.get_name()), text)?;
    }
    Ok(())
}
