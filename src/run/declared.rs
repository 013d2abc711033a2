//! What stands when the run begins, for whoever wants to see it.

use crate::broker::Inspection;
use crate::ledger::facts::Declared;
use crate::run::stage::{Stage, lock};

/// Asks the broker, and where it cannot be asked takes what the plan says.
pub async fn inspect(stage: &Stage) {
    let (seen, asked) = match stage.space.inspect().await {
        Ok(seen) => (seen, true),
        Err(_) => (stage.space.as_planned(&stage.plan.topology), false),
    };
    let named = |name: &str| {
        let slots = stage.queues.iter().zip(&stage.plan.topology.queues);
        let mut real = slots.filter(|(slot, _)| lock(&slot.real).as_deref() == Some(name));
        let known = real.next().map(|(_, queue)| queue.name.clone());
        known.unwrap_or_else(|| stage.space.as_the_file_says(name))
    };
    let Inspection { exchanges, queues, bindings } = seen;
    // What a server has named and no worker of this run owns is somebody else's.
    let ours = |name: &String| !name.starts_with("amq.gen-");
    let mut lines = Vec::new();
    for (name, words) in exchanges {
        lines.push(format!("exchange {}: {words}", named(&name)));
    }
    let queues = queues.into_iter().map(|(name, words)| (named(&name), words));
    for (name, words) in queues.filter(|(name, _)| ours(name)) {
        lines.push(format!("queue {name}: {}", stage.space.as_the_file_says(&words)));
    }
    let bindings = bindings.into_iter().map(|it| (named(&it.from), named(&it.to), it.words));
    for (from, to, words) in bindings.filter(|(_, to, _)| ours(to)) {
        lines.push(format!("binding from {from} to {to}: {words}"));
    }
    *lock(&stage.declared) = Some(Declared { asked, lines });
}
