//! Every way in which a worker's subscription ends, and how the broker is seen to know.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lapin::Channel;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::broker::Link;
use crate::ledger::event::{Event, LifeEnd, LifeId};
use crate::ledger::facts::{Effect, ErrorFact};
use crate::plan::model::{KillHow, Queue, WorkerId};
use crate::run::departure::Departure;
use crate::run::drain::{Drain, drain_all};
use crate::run::staff::lend;
use crate::run::stage::{Command, Stage, lock};
use crate::run::worker::{Ending, Life, PATIENCE};
use crate::run::{acting, asking, rejoining, stranded, trouble};

/// How long the broker may take to notice that a socket is dead; on loopback it takes
/// milliseconds unless the machine is overloaded.
const NOTICE: Duration = Duration::from_secs(20);
/// How often it is asked.
const STEP: Duration = Duration::from_millis(3);

/// One subscription from its beginning to its end.
pub async fn run(mut life: Life) {
    let ending = life.live().await;
    match ending {
        Ending::Killed { how, done } => killed(life, how, done).await,
        Ending::Stopped { done } => {
            stopped(life).await;
            // Whoever stopped it may not wait.
            let _ = done.send(());
        }
        Ending::Finished { cut, left } => finished(life, cut, left).await,
        Ending::Failed(error) => {
            let error = life.listener.reason(&error).await;
            let name = life.stage.plan.workers[life.worker.index()].name.clone();
            let fact = trouble::fact(&name, &error);
            match life.has_lost(&error) {
                true => rejoining::lost(life, fact).await,
                false => failed(life, fact).await,
            }
        }
        Ending::Cancelled => {
            let name = life.stage.plan.workers[life.worker.index()].name.clone();
            failed(life, trouble::cancelled(&name)).await;
        }
    }
}

/// From here on nothing that the worker does counts.
pub async fn end(life: &mut Life, how: LifeEnd) {
    life.stage.workers[life.worker.index()].frozen.store(false, Ordering::SeqCst);
    life.flush().await;
    let at = life.stage.clock.now();
    let ended = Event::LifeEnded { life: life.id, how, totals: life.totals, at };
    life.stage.scribe.record(ended).await;
}

pub fn unreachable_from_now(life: &Life) {
    lock(&life.stage.workers[life.worker.index()].control).take();
}

async fn killed(mut life: Life, how: KillHow, done: oneshot::Sender<Effect>) {
    let hangs_up = matches!(how, KillHow::Crash | KillHow::CloseConnection);
    // Recorded first: whatever the broker does about it comes after it in the ledger.
    life.leave(hangs_up).await;
    if life.departure.is_some() {
        let queue = life.stage.plan.workers[life.worker.index()].queue;
        life.stage.queues[queue.index()].taken.store(true, Ordering::SeqCst);
    }
    end(&mut life, LifeEnd::Killed(how)).await;
    // A stop that had begun is over as well.
    life.stopping = None;
    let mut noticed = match how {
        KillHow::Crash => {
            life.link.cut();
            false
        }
        KillHow::CloseConnection => close(&life.link).await,
        KillHow::CloseChannel => close_channel(&life.channel).await,
        KillHow::Cancel => life.cancel_silently().await,
    };
    if how == KillHow::Cancel && life.holds_something() {
        let queue = life.stage.plan.workers[life.worker.index()].queue;
        life.stage.queues[queue.index()].holding.fetch_add(1, Ordering::SeqCst);
    }
    if noticed {
        // A cancel is no proof that the acks before it were read for good: its channel lives.
        tell_noticed(&life, how != KillHow::Cancel).await;
    }
    if hangs_up {
        unreachable_from_now(&life);
    }
    // What the broker still believes in can move: the run is not over before it knows.
    let hold = life.stage.hold();
    // The fault's task may have been cut off.
    let _ = done.send(Effect::Worker(life.id));
    if let Some(departure) = life.departure.take() {
        let gone = departure.complete(&life.stage).await;
        if gone && !noticed {
            tell_noticed(&life, false).await;
        }
        noticed |= gone;
    }
    if !noticed {
        await_noticed(&life.stage, life.worker, life.id).await;
    }
    drop(hold);
    if !hangs_up {
        let stage = Arc::clone(&life.stage);
        let task = tokio::spawn(linger(life));
        lock(&stage.lingering).push(task);
    }
}

/// The broker was seen to have given up the consumer, and to have `read` all that was written
/// on its channel. Acks that went to another one it never took for what they were.
async fn tell_noticed(life: &Life, read: bool) {
    let read = read && !life.acks_in_vain();
    let (life_id, at) = (life.id, life.stage.clock.now());
    life.stage
        .scribe
        .record(match read {
            true => Event::LifeRead { life: life_id, at },
            false => Event::LifeNoticed { life: life_id, at },
        })
        .await;
}

/// Nobody tells when the broker gives up a consumer that is dead. It is seen when the queue has
/// no more consumers than there are live ones, or is gone. Without that the ledger goes on
/// believing that it may be sent something.
pub async fn await_noticed(stage: &Arc<Stage>, worker: WorkerId, id: LifeId) {
    let queue = stage.plan.workers[worker.index()].queue;
    // Behind a dead one another becomes active, and the number stays as it is.
    if !stage.shows_waiting(queue) {
        return;
    }
    let mut deadline = Instant::now() + NOTICE;
    while Instant::now() < deadline {
        if stranded::for_good(stage, queue) {
            // The number will not tell.
            return;
        }
        if stage.is_held_up(queue) || stranded::count(stage, queue) > 0 {
            deadline = Instant::now() + NOTICE;
        }
        let Some(real) = stage.real_name(queue) else { break };
        if stage.is_away(queue) {
            // It has no consumers any more.
            break;
        }
        let shown = stage.consumers_shown(queue);
        match stage.asker.ask(&real).await {
            Ok(asking::Answer::There(numbers)) if numbers.consumers > shown => sleep(STEP).await,
            Ok(asking::Answer::Locked) => sleep(STEP).await,
            Ok(_) => break,
            Err(_) => return,
        }
    }
    if Instant::now() < deadline {
        let at = stage.clock.now();
        stage.scribe.record(Event::LifeNoticed { life: id, at }).await;
    }
}

/// The connection of a life that only held deliveries is gone, with its node or its network: what
/// it held returns to its queue.
async fn drop_held(life: &Life) {
    let at = life.stage.clock.now();
    life.stage.scribe.record(Event::LifeDropped { life: life.id, at }).await;
    let queue = life.stage.plan.workers[life.worker.index()].queue;
    let holding = &life.stage.queues[queue.index()].holding;
    // An end of the whole broker has set it to none.
    let _ = holding.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |held| held.checked_sub(1));
}

/// A subscription ended and its connection stays open, silent, until all workers have left:
/// what it holds must not come to any of them. A restart does not end it, unless it needs the
/// queue that this connection owns.
async fn linger(mut life: Life) {
    let mut curtain = life.stage.curtain.subscribe();
    let mut dropped = false;
    loop {
        let command = tokio::select! {
            biased;
            _ = curtain.wait_for(|down| *down) => break,
            Some(command) = life.control.recv() => Some(command),
            _ = life.listener.error(), if !dropped => None,
        };
        let Some(command) = command else {
            dropped = !life.link.connection.status().connected();
            if dropped {
                drop_held(&life).await;
            }
            continue;
        };
        match command {
            Command::Kill { done, .. } | Command::Strike { done, .. } => {
                drop(done.send(Effect::Nothing));
            }
            Command::Recover { .. } => {}
            Command::Catch { up } => drop(up.send(())),
            Command::Stop { done } => {
                // It may be restarted.
                let slot = &life.stage.workers[life.worker.index()];
                slot.stop_due.store(true, Ordering::SeqCst);
                // The run may be over for whoever stopped it.
                let _ = done.send(());
            }
            Command::Vacate { done } => {
                let departure = Departure::vacate(&life.stage, life.worker).await;
                life.link.cut();
                if let Some(departure) = departure {
                    departure.complete(&life.stage).await;
                }
                // Whoever restarts it may have been cut off.
                let _ = done.send(());
                return;
            }
            Command::Lend { reply } => lend(&life.link, reply).await,
            Command::Ask { reply } => {
                let numbers = acting::own_numbers(&life.stage, &life.link, life.worker).await;
                // Whoever asked may have been cut off.
                let _ = reply.send(numbers);
            }
            Command::Finish { .. } => {}
        }
    }
    // What it holds returns to the queue when its channel goes.
    close_channel(&life.channel).await;
    if owns(&life) {
        drain_own(&life).await;
    }
    close(&life.link).await;
}

async fn stopped(mut life: Life) {
    if life.is_out_of_reach() {
        // Nobody would hear a goodbye.
        return abandoned(life).await;
    }
    let had_left = life.has_left();
    life.leave(true).await;
    if !had_left {
        life.cancel().await;
    }
    let due = life.ack_rest().await;
    let how = last_word(&mut life, LifeEnd::Stopped).await;
    end(&mut life, how).await;
    unreachable_from_now(&life);
    acting::act_all(&life.stage, due).await;
    if close_channel(&life.channel).await {
        tell_noticed(&life, true).await;
    }
    close(&life.link).await;
    if let Some(departure) = life.departure.take() {
        departure.complete(&life.stage).await;
    }
}

/// The run is over. An auto-delete queue would go with its last consumer, so the drain of one
/// subscribes before this worker leaves.
async fn finished(mut life: Life, cut: bool, left: oneshot::Sender<()>) {
    if life.is_out_of_reach() {
        life.leave(true).await;
        drop(left);
        let mut retired = life.stage.retired.subscribe();
        let _ = timeout(PATIENCE, retired.wait_for(|all| *all)).await;
        return abandoned(life).await;
    }
    let early = match owns(&life) && plan_queue(&life).auto_delete {
        true => start_own_drain(&life).await,
        false => None,
    };
    life.cancel().await;
    life.ack_rest().await;
    let how = last_word(&mut life, if cut { LifeEnd::Cut } else { LifeEnd::Stopped }).await;
    end(&mut life, how).await;
    // What it holds must come to nobody, so its channel stays until nobody is subscribed.
    drop(left);
    let mut retired = life.stage.retired.subscribe();
    let _ = timeout(PATIENCE, retired.wait_for(|all| *all)).await;
    if close_channel(&life.channel).await {
        tell_noticed(&life, true).await;
    }
    match early {
        Some(drain) => drain_all(&life.stage, vec![drain]).await,
        None if owns(&life) => drain_own(&life).await,
        None => {}
    }
    close(&life.link).await;
}

/// The end of one that is frozen, or whose network is silent: nothing more is read or written, and
/// its connection dies.
async fn abandoned(mut life: Life) {
    life.leave(true).await;
    let how = if life.is_frozen() { LifeEnd::Frozen } else { LifeEnd::Lost };
    end(&mut life, how).await;
    unreachable_from_now(&life);
    let slot = &life.stage.workers[life.worker.index()];
    if !slot.network.is_silent() {
        // The connection of one that is frozen lives, and its queue can be looked into.
        close_channel(&life.channel).await;
        if owns(&life) {
            drain_own(&life).await;
        }
    }
    life.link.cut();
    // What the dead socket says must reach the broker.
    slot.network.mend();
    if let Some(departure) = life.departure.take() {
        departure.complete(&life.stage).await;
    }
    await_noticed(&life.stage, life.worker, life.id).await;
}

/// What the broker holds against the last that a worker did may come when that is leaving
/// already: then it ends by that error.
async fn last_word(life: &mut Life, how: LifeEnd) -> LifeEnd {
    let Some(error) = life.complaint().await else { return how };
    let error = life.listener.reason(&error).await;
    let plan = &life.stage.plan.workers[life.worker.index()];
    note_error(life, trouble::fact(&plan.name, &error));
    LifeEnd::Failed
}

/// What it met, and whether a fault accounts for it.
pub fn note_error(life: &Life, fact: ErrorFact) {
    let stage = &life.stage;
    let queue = stage.plan.workers[life.worker.index()].queue;
    let network = &stage.workers[life.worker.index()].network;
    let explained = stage.explains(network, Some(queue), &fact);
    stage.note_error(ErrorFact { explained, ..fact });
}

/// An error ends the program for good.
async fn failed(mut life: Life, fact: ErrorFact) {
    note_error(&life, fact);
    life.leave(true).await;
    end(&mut life, LifeEnd::Failed).await;
    unreachable_from_now(&life);
    let hold = life.stage.hold();
    close(&life.link).await;
    let mut noticed = false;
    if let Some(departure) = life.departure.take() {
        noticed = departure.complete(&life.stage).await;
    }
    match noticed {
        true => tell_noticed(&life, false).await,
        false => await_noticed(&life.stage, life.worker, life.id).await,
    }
    drop(hold);
}

fn plan_queue(life: &Life) -> &Queue {
    let queue = life.stage.plan.workers[life.worker.index()].queue;
    &life.stage.plan.topology.queues[queue.index()]
}

fn owns(life: &Life) -> bool {
    plan_queue(life).owner == Some(life.worker)
}

async fn start_own_drain(life: &Life) -> Option<Drain> {
    let queue = life.stage.plan.workers[life.worker.index()].queue;
    let real = life.stage.real_name(queue)?;
    let channel = life.link.open_channel("opening a channel").await.ok()?;
    Some(Drain::start(&life.stage, queue, real, channel).await)
}

async fn drain_own(life: &Life) {
    // Without a name it is gone, and without a channel nobody sees it empty: the end of the
    // run writes down either.
    if let Some(drain) = start_own_drain(life).await {
        drain_all(&life.stage, vec![drain]).await;
    }
}

/// Whether the broker answered.
async fn close(link: &Link) -> bool {
    matches!(timeout(PATIENCE, link.close()).await, Ok(Ok(())))
}

/// Whether the broker answered: then it has read everything written before.
pub async fn close_channel(channel: &Channel) -> bool {
    matches!(timeout(PATIENCE, channel.close(200, "OK".into())).await, Ok(Ok(())))
}
