use std::process::ExitCode;

use rmq_scenario::broker;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == broker::KEEPER_WORD) {
        return broker::keep_node();
    }
    ExitCode::from(2)
}
