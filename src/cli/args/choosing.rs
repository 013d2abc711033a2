//! Which broker the command line of `run` means, where it and the environment say several things.

use crate::cli::args::{BROKER_ENV, RunArgs, SERVER_ENV};

/// Settles what the environment and the command line say about the broker. An empty variable
/// is as if not set; what is `written` on the command line wins over the environment.
pub fn broker(run: &mut RunArgs, written: impl Fn(&str) -> bool) -> Result<(), String> {
    drop_empty(&mut run.broker, "broker", &written)?;
    drop_empty(&mut run.management, "management", &written)?;
    let mut server = Vec::from_iter(run.server.take());
    drop_empty(&mut server, "server", &written)?;
    run.server = server.pop();
    if !run.broker.is_empty() && run.server.is_some() {
        match (written("broker"), written("server")) {
            (true, false) => run.server = None,
            (false, true) => run.broker.clear(),
            (true, true) => {
                return Err("--broker uses a running broker and --server starts one: \
                            give one of them"
                    .to_owned());
            }
            (false, false) => {
                return Err(format!(
                    "{BROKER_ENV} and {SERVER_ENV} are both set: unset one of them, \
                     or give --broker or --server"
                ));
            }
        }
    }
    if run.broker.is_empty() { without_broker(run, written) } else { Ok(()) }
}

/// What goes with a broker alone.
fn without_broker(run: &mut RunArgs, written: impl Fn(&str) -> bool) -> Result<(), String> {
    let had_management = !std::mem::take(&mut run.management).is_empty();
    if had_management && written("management") {
        return Err("--management goes with --broker: a private broker brings its own".to_owned());
    }
    if !run.tls.is_empty() {
        return Err(
            "--tls-… goes with --broker: a private broker is reached without TLS".to_owned()
        );
    }
    if run.allow_faults || !run.broker_control.is_empty() {
        return Err("--allow-faults and --broker-control go with --broker: \
                    to a private broker, every fault may be done"
            .to_owned());
    }
    Ok(())
}

fn drop_empty(
    values: &mut Vec<String>,
    name: &str,
    written: impl Fn(&str) -> bool,
) -> Result<(), String> {
    if values.iter().any(String::is_empty) {
        if written(name) {
            return Err(format!("the value of --{name} is empty"));
        }
        values.clear();
    }
    Ok(())
}
