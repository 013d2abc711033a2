//! The true numbers of queues at a moment.
//!
//! Ready messages and consumers are asked of the queue itself. How many messages are unacked a
//! classic queue says when it is asked through the management API; of a quorum queue, and of a
//! stream, the broker knows only what they said at their last tick. So those are asked again
//! after another one, where that is soon or something is expected of the numbers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::broker::{BrokerError, Unacked};
use crate::ledger::facts::{ObservationFact, QueueNumbers};
use crate::plan::model::{Expected, QueueId, QueueKind};
use crate::run::acting;
use crate::run::stage::{Numbers, Stage, lock};

/// A tick as short as this is waited for in any case.
const SOON: Duration = Duration::from_secs(1);
const MARGIN: Duration = Duration::from_millis(100);
/// How long a list is asked for again that lacks a queue: one that has gone meanwhile never comes.
const PATIENCE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(20);

/// Notes the numbers of every queue that stands.
pub async fn observe(stage: &Arc<Stage>, index: usize) {
    let (at, began) = (stage.clock.now(), Instant::now());
    if !stage.nodes.can_be_reached() {
        // Nobody can say what is in the queues of a broker that is away.
        lock(&stage.observations).push(ObservationFact { observation: index, at, queues: vec![] });
        return;
    }
    let standing = standing(stage).await;
    match numbers(stage, index, standing, began).await {
        Ok(queues) => {
            let fact = ObservationFact { observation: index, at, queues };
            lock(&stage.observations).push(fact);
        }
        Err(error) => stage.blame(error),
    }
}

/// Every queue that answers, its name on the broker and what it says of itself.
async fn standing(stage: &Arc<Stage>) -> Vec<(QueueId, String, Numbers)> {
    let mut standing = Vec::new();
    for position in 0..stage.plan.topology.queues.len() {
        let queue = QueueId::from_index(position);
        if let Some(numbers) = acting::numbers(stage, queue).await
            && let Some(real) = stage.real_name(queue)
        {
            standing.push((queue, real, numbers));
        }
    }
    standing
}

async fn numbers(
    stage: &Arc<Stage>,
    index: usize,
    standing: Vec<(QueueId, String, Numbers)>,
    began: Instant,
) -> Result<Vec<QueueNumbers>, BrokerError> {
    let names: Vec<&str> = standing.iter().map(|(_, real, _)| &**real).collect();
    let now = unacked(stage, &names).await?;
    let late = began.elapsed() > SOON;
    let kind = |queue: QueueId| stage.plan.topology.queues[queue.index()].kind;
    let ticks = standing.iter().any(|(queue, ..)| kind(*queue) != QueueKind::Classic);
    let tick = stage.space.tick()?;
    let later = if ticks && (tick <= SOON || is_expected(stage, index)) {
        // A tick takes a moment itself.
        sleep(tick + tick.min(MARGIN)).await;
        Some(unacked(stage, &names).await?)
    } else {
        None
    };
    let mut all = Vec::new();
    for (queue, real, mut said) in standing {
        let later = later.as_ref().filter(|_| kind(queue) != QueueKind::Classic);
        if kind(queue) == QueueKind::Stream {
            said = of_stream(stage, queue, said, later.is_some()).await;
        }
        // One that is not in the list has gone meanwhile.
        let Some(unacked) = later.unwrap_or(&now).get(&real) else { continue };
        let asked_later = late || later.is_some();
        let age = if asked_later { began.elapsed() } else { unacked.age_at_most };
        all.push(QueueNumbers {
            queue,
            ready: said.ready,
            unacked: unacked.count,
            consumers: said.consumers,
            unacked_age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        });
    }
    Ok(all)
}

/// A busy broker leaves out the queues of a node that does not answer it within a second, and
/// says so to nobody (measured on 4.0.5): then it is asked again.
async fn unacked(
    stage: &Stage,
    standing: &[&str],
) -> Result<HashMap<String, Unacked>, BrokerError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let all: HashMap<_, _> = stage.space.all_unacked().await?.into_iter().collect();
        if standing.iter().all(|name| all.contains_key(*name)) || Instant::now() > deadline {
            return Ok(all);
        }
        sleep(STEP).await;
    }
}

/// A stream says how many messages it had at its last tick, and never who reads it: that is
/// known of the workers.
async fn of_stream(stage: &Arc<Stage>, queue: QueueId, said: Numbers, has_ticked: bool) -> Numbers {
    let fresh = if has_ticked { acting::numbers(stage, queue).await } else { None };
    let consumers = stage.queues[queue.index()].consumers.load(Ordering::SeqCst);
    Numbers { consumers, ..fresh.unwrap_or(said) }
}

fn is_expected(stage: &Stage, index: usize) -> bool {
    stage.plan.expectations.iter().any(|expectation| {
        matches!(&expectation.what, Expected::Observed { observation, .. } if *observation == index)
    })
}
