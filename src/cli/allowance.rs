//! What may be done to a broker that this program has not started: nothing that breaks it, unless
//! the command line allows that and says by what.

use crate::broker::{Hands, external_nodes};
use crate::cli::args::RunArgs;
use crate::cli::brokers::Brokers;
use crate::diagnostic::Diagnostic;
use crate::plan::model::{BrokerAct, Fault, FaultAction, Scenario, Variant};

/// The hands on an external broker's nodes, if a file needs any; or all that may not be done.
pub fn hands(args: &RunArgs, scenarios: &[Scenario]) -> Result<Option<Hands>, Vec<Diagnostic>> {
    // What is wrong with the address is told by whoever opens it.
    let Some(nodes) = args.broker_url().and_then(|url| external_nodes(&url).ok()) else {
        return Ok(None);
    };
    let hands = match args.broker_control.as_slice() {
        [] => None,
        given => Some(Hands::parse(given, nodes).map_err(|error| vec![error.diagnostic()])?),
    };
    let hands = hands.filter(|_| args.allow_faults);
    let mut refused: Vec<Diagnostic> = Vec::new();
    let mut needed = false;
    for scenario in scenarios {
        for (fault, act, node) in scenario.variants.iter().filter(runs_there).flat_map(faults) {
            needed = true;
            let Some(refusal) = refusal(args, hands.as_ref(), fault, act, node) else { continue };
            let refusal = refusal.at(scenario.source.place(fault.at));
            // Variants share their faults.
            if !refused.contains(&refusal) {
                refused.push(refusal);
            }
        }
    }
    if refused.is_empty() { Ok(hands.filter(|_| needed)) } else { Err(refused) }
}

/// Others are skipped on a broker that is not private.
fn runs_there(variant: &&Variant) -> bool {
    variant.broker.nodes.is_none() && !Brokers::sets(variant)
}

fn faults(variant: &Variant) -> impl Iterator<Item = (&Fault, &BrokerAct, Option<usize>)> {
    variant.faults.iter().filter_map(|fault| match &fault.action {
        FaultAction::Broker { act, node } => Some((fault, act, node.map(|node| node.index()))),
        _ => None,
    })
}

fn refusal(
    args: &RunArgs,
    hands: Option<&Hands>,
    fault: &Fault,
    act: &BrokerAct,
    node: Option<usize>,
) -> Option<Diagnostic> {
    let label = &fault.label;
    let Some(hands) = hands else {
        let error = Diagnostic::error(format!(
            "`{label}` is refused: this program has not started that broker, and others may use it"
        ));
        return Some(error.help(if args.allow_faults {
            "`--broker-control KIND:…` says how it is done, for example \
             `--broker-control docker:CONTAINER`"
        } else {
            "`--allow-faults` allows it, and `--broker-control KIND:…` says how it is done; \
             without `--broker`, it is done to a private one"
        }));
    };
    let why = hands.refusal(act, node)?;
    Some(
        Diagnostic::error(format!("`{label}` cannot be done: {why}")).help(
            "choose another kind of `--broker-control`, such as `command:…`, or another `how`",
        ),
    )
}
