//! Carrying the bytes of one connection in both directions, as the weather is.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::select;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::delay::Line;
use super::{Weather, carrying};

const CHUNK: usize = 16 * 1024;
/// When one direction has ended, the other ends soon: both ends are programs that then close.
/// Only one that stands still does not, and it is not waited for.
const LINGER: Duration = Duration::from_secs(5);

/// Carries until both directions have ended. Then nothing of it is left.
pub async fn both(near: TcpStream, far: TcpStream, weather: watch::Receiver<Weather>) {
    let (near_in, near_out) = near.into_split();
    let (far_in, far_out) = far.into_split();
    let out = pin!(one_way(near_in, far_out, weather.clone()));
    let back = pin!(one_way(far_in, near_out, weather.clone()));
    // What one could no longer deliver does not keep the other from delivering.
    let (_, other) = select(out, back).await.factor_first();
    tokio::select! {
        () = other => {}
        () = lingered(weather) => {}
    }
}

/// Returns when what came before the end of `from` has been delivered, when `to` takes nothing
/// more, or when it is cut and nobody can mend it. Dropping `to` tells the other end.
async fn one_way(from: OwnedReadHalf, to: OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let (mut line, mut chunk) = (Line::default(), vec![0; CHUNK]);
    let mut may_change = true;
    loop {
        if carrying(&mut weather).await.is_none() {
            return;
        }
        let (now, due) = (Instant::now(), line.due());
        tokio::select! {
            changed = weather.changed(), if may_change => may_change = changed.is_ok(),
            _ = from.readable(), if line.has_room() => {
                read(&from, &mut chunk, &mut line, &weather);
            }
            () = sleep_until(due.unwrap_or(now)), if due.is_some_and(|due| due > now) => {}
            _ = to.writable(), if due.is_some_and(|due| due <= now) => {
                // Held while it is written: once `cut` has returned, nothing goes any more.
                let weather = weather.borrow();
                if !weather.cut && !write(&to, &mut line) {
                    drop(to);
                    return;
                }
            }
        }
    }
}

/// Takes what there is. That the connection is dead is an end like any other.
fn read(
    from: &OwnedReadHalf,
    chunk: &mut [u8],
    line: &mut Line,
    weather: &watch::Receiver<Weather>,
) {
    let read = from.try_read(chunk);
    // Asked now: what was sent after `slow` has returned is late.
    let due = Instant::now() + weather.borrow().latency;
    match read {
        Ok(count) if count > 0 => line.push(&chunk[..count], due),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
        Ok(_) | Err(_) => line.end(due),
    }
}

/// Delivers what is due; false when that was all, or nobody takes it.
fn write(to: &OwnedWriteHalf, line: &mut Line) -> bool {
    if line.next().is_empty() {
        return false;
    }
    match to.try_write(line.next()) {
        Ok(count) => line.arrived(count),
        Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
    }
    true
}

/// Returns when it has carried for a while, without a cut in between.
async fn lingered(mut weather: watch::Receiver<Weather>) {
    while let Some(latency) = carrying(&mut weather).await {
        let long = LINGER + latency;
        let cut = timeout(long, weather.wait_for(|weather| weather.cut)).await;
        let Ok(cut) = cut.map(|cut| cut.is_ok()) else { return };
        if !cut {
            // Nobody can cut it any more.
            return sleep(long).await;
        }
    }
}
