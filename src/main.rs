use std::process::ExitCode;

fn main() -> ExitCode {
    rmq_scenario::cli::main(std::env::args_os())
}
