//! What faults did to a broker, and whether they bit.

use crate::ledger::facts::BrokerEffect;
use crate::plan::model::{BrokerAct, Fault, FaultAction};
use crate::verdict::words::{list, millis, plural};

/// How many names a sentence lists.
const NAMES: usize = 3;

/// What it did, and whether somebody or something felt it.
pub fn effect(fault: &Fault, effect: &BrokerEffect) -> (String, bool) {
    let FaultAction::Broker { act, .. } = fault.action else {
        return (String::new(), false);
    };
    match act {
        BrokerAct::Restart { .. } | BrokerAct::Stop { .. } => ended(effect),
        BrokerAct::Pause { .. } if effect.waited => {
            (format!("{}; somebody waited for an answer", clients(effect)), true)
        }
        BrokerAct::Pause { .. } => {
            (format!("{}; nobody waited for an answer", clients(effect)), false)
        }
        BrokerAct::Block { .. } if effect.blocked.is_empty() => {
            ("nobody was told to stop publishing".to_owned(), false)
        }
        BrokerAct::Block { .. } => (format!("blocked {}", list(&effect.blocked, NAMES)), true),
        BrokerAct::Partition { .. } if effect.reported => {
            (format!("another node reported it down after {}", millis(effect.ending)), true)
        }
        BrokerAct::Partition { .. } => ("no other node reported it down".to_owned(), false),
    }
}

/// The process ended, and a copy or a client was there.
fn ended(effect: &BrokerEffect) -> (String, bool) {
    let BrokerEffect { ended, began, copies, .. } = effect;
    let same = !began.is_empty() && began == ended;
    if ended.is_empty() || same {
        return ("no process was seen to end".to_owned(), false);
    }
    let word = plural(ended.len() as u64, "process", "processes");
    let mut text = format!("{word} {} ended after {}", list(ended, NAMES), millis(effect.ending));
    if !began.is_empty() {
        text += &format!(", {} came instead", list(began, NAMES));
    }
    let copy = plural(*copies, "copy", "copies");
    text += &format!("; {}, {copies} {copy} published by then", clients(effect));
    (text, effect.clients > 0 || *copies > 0)
}

fn clients(effect: &BrokerEffect) -> String {
    let clients = effect.clients;
    format!("{clients} {} connected", plural(clients, "client", "clients"))
}

/// How to make it bite.
pub fn remedy(fault: &Fault) -> String {
    let change = match fault.action {
        FaultAction::Broker { act: BrokerAct::Pause { .. }, .. } => {
            "pause it while a producer with confirms still publishes"
        }
        FaultAction::Broker { act: BrokerAct::Block { .. }, .. } => {
            "block it while a producer still publishes"
        }
        FaultAction::Broker { act: BrokerAct::Partition { .. }, .. } => {
            "part it while another node runs that can miss it, or give the broker more `nodes`"
        }
        _ => "let it act while somebody is connected, or something was published",
    };
    format!("{change}, or `may_miss: true` if this is meant")
}
