//! Who had to wait because the broker ran out of something.

use crate::ledger::books::Books;
use crate::ledger::facts::{Effect, Facts, FaultFact};
use crate::plan::model::{Alarm, BrokerAct, Fault, FaultAction};
use crate::verdict::notes::NAMES;
use crate::verdict::words::{list, millis};

/// A sentence for each alarm that somebody was told of.
pub fn sentences(books: &Books, facts: &Facts) -> Vec<String> {
    let faults = books.plan.faults.iter().zip(&facts.faults);
    faults.filter_map(|(fault, fact)| sentence(fault, fact)).collect()
}

fn sentence(fault: &Fault, fact: &FaultFact) -> Option<String> {
    let FaultAction::Broker { act: BrokerAct::Block { alarm, .. }, .. } = fault.action else {
        return None;
    };
    let (Effect::Broker(effect), Some(at)) = (&fact.effect, fact.at) else { return None };
    let what = match alarm {
        Alarm::Memory => "memory",
        Alarm::Disk => "disk",
    };
    let until = match fact.restarted {
        Some(over) => format!("for {}", millis(over.saturating_sub(at))),
        None => "to the end".to_owned(),
    };
    (!effect.blocked.is_empty()).then(|| {
        format!(
            "RabbitMQ raised its {what} alarm, and took nothing from {} {until}",
            list(&effect.blocked, NAMES)
        )
    })
}
