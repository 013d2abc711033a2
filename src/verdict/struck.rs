//! What faults did that a worker or a producer lived through.

use crate::ledger::books::Books;
use crate::ledger::event::Micros;
use crate::ledger::facts::FaultFact;
use crate::ledger::outages::Strike;
use crate::plan::model::{AckMode, Fault, FaultAction, FaultId, ProducerId};
use crate::verdict::words::millis;

/// It held an unacked or unworked delivery, or its queue got another copy afterwards.
pub fn worker(
    books: &Books,
    id: FaultId,
    fault: &Fault,
    (at, fact): (Micros, &FaultFact),
) -> (String, bool) {
    let Some(strike) = books.strike(id) else {
        return ("nothing is known of it".to_owned(), false);
    };
    let life = books.life(strike.life);
    let later = got_more(books, strike);
    let mut parts = vec![format!("had read {}", strike.read)];
    parts.push(format!("finished {}", strike.finished));
    if strike.unworked > 0 {
        parts.push(format!("{} unworked", strike.unworked));
    }
    if life.ack != AckMode::Auto {
        parts.push(format!("held {} unacked", strike.unacked));
    }
    if later {
        parts.push("its queue got more afterwards".to_owned());
    }
    let mut text = parts.join(", ");
    if matches!(fault.action, FaultAction::Cut { .. }) {
        // Once its network carries again, it is the worker itself that goes.
        let silent = at..=fact.restarted.unwrap_or(Micros::MAX);
        text += &match life.noticed.filter(|noticed| silent.contains(noticed)) {
            Some(noticed) => format!("; the broker gave it up after {}", millis(noticed - at)),
            None => "; the broker did not give it up".to_owned(),
        };
    }
    text += &learned(fault, (at, fact));
    (text, strike.unworked > 0 || strike.unacked > 0 || later)
}

fn got_more(books: &Books, strike: &Strike) -> bool {
    let queue = books.life(strike.life).queue;
    let producers = (0..books.plan.producers.len()).map(ProducerId::from_index);
    let published = |producer: ProducerId| strike.published[producer.index()];
    producers.into_iter().any(|producer| books.last_for(queue, producer) > published(producer))
        || books.arrived(queue) > strike.arrived
}

/// When the program itself learned that its connection was lost, of faults that cost it one.
pub fn learned(fault: &Fault, (at, fact): (Micros, &FaultFact)) -> String {
    let costs = matches!(fault.action, FaultAction::Cut { .. } | FaultAction::Disconnect { .. });
    match fact.learned {
        Some(learned) if costs => format!("; it learned of it after {}", millis(learned - at)),
        None if costs => "; it did not learn of it".to_owned(),
        _ => String::new(),
    }
}
