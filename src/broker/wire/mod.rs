//! The network between one program and the broker, where a scenario cuts or slows it: a proxy on
//! the loopback interface, which only that program's connections go through. All others lead to
//! the broker directly, so what goes on here costs them nothing.
//!
//! It carries bytes and knows nothing of what they say, so TLS goes through it unopened: who
//! speaks it verifies the real host. Order is kept, nothing is dropped, and no byte leaves it
//! between the return of [`Wire::cut`] and [`Wire::mend`]. Each connection is one task, which
//! ends with the connection; the port it was accepted on is closed at once.

mod carry;
mod delay;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

/// A handle to it; clones are the same network. It outlives connections: whoever connects again
/// while it is cut meets silence. A connection that is cut when the last handle goes ends, since
/// nobody can mend it any more; others live on.
#[derive(Debug, Clone, Default)]
pub struct Wire(watch::Sender<Weather>);

/// What it is like out there.
#[derive(Debug, Clone, Copy, Default)]
struct Weather {
    cut: bool,
    /// In each direction.
    latency: Duration,
}

impl Wire {
    /// Silent in both directions from now on; nothing is closed, and nothing is lost: what is sent
    /// meanwhile arrives when it is mended, as TCP does it. So does the end of a connection.
    pub fn cut(&self) {
        self.0.send_modify(|weather| weather.cut = true);
    }

    /// It carries again, at once: TCP would first wait for the next of its ever rarer attempts.
    pub fn mend(&self) {
        self.0.send_modify(|weather| weather.cut = false);
    }

    /// Everything comes so much later from now on, by up to 2 ms more than that; zero is as fast
    /// as it can. What is on its way keeps its time, and its order. At most 16 MiB are on their
    /// way in each direction, which is all that limits the rate.
    pub fn slow(&self, latency: Duration) {
        self.0.send_modify(|weather| weather.latency = latency);
    }

    /// How much later everything comes.
    pub(super) fn latency(&self) -> Duration {
        self.0.borrow().latency
    }

    /// A connection through it, and the addresses of its far half, which are those that the other
    /// end sees: ours, and its own. No answer while it is cut.
    pub(super) async fn connect(
        &self,
        to: (&str, u16),
    ) -> io::Result<(TcpStream, [SocketAddr; 2])> {
        let mut weather = self.0.subscribe();
        // As long as the two segments take that open a connection.
        while let Some(latency) = carrying(&mut weather).await {
            tokio::select! {
                () = sleep(latency * 2) => break,
                Ok(_) = weather.wait_for(|weather| weather.cut) => {}
            }
        }
        let far = TcpStream::connect(to).await?;
        far.set_nodelay(true)?;
        let ends = [far.local_addr()?, far.peer_addr()?];
        let (ours, near) = pair().await?;
        tokio::spawn(carry::both(near, far, weather));
        Ok((ours, ends))
    }
}

/// Waits until it is not cut: the latency then. `None` when it is, and nobody can mend it.
async fn carrying(weather: &mut watch::Receiver<Weather>) -> Option<Duration> {
    weather.wait_for(|weather| !weather.cut).await.ok().map(|weather| weather.latency)
}

/// Two ends of one connection on the loopback interface.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let one = TcpStream::connect(listener.local_addr()?).await?;
    one.set_nodelay(true)?;
    let own = one.local_addr()?;
    loop {
        let (other, from) = listener.accept().await?;
        // Whoever else found the port in this moment is not meant.
        if from == own {
            other.set_nodelay(true)?;
            return Ok((one, other));
        }
    }
}
