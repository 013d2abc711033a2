//! The way to a broker: its address, the TLS on it, the heartbeat to ask for, and the stream
//! that all of them lead to.

use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use async_compat::{Compat, CompatExt};
use lapin::AsyncTcpStream;
use lapin::tcp::RustlsConnector;

use super::address::Address;
use super::error::{BrokerError, Kind};
use super::node::Facts;
use super::tls::Trust;
use super::wire::Wire;

/// Everything it takes to open a connection.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    pub address: Address,
    /// There exactly when the address asks for TLS.
    pub trust: Option<Trust>,
    /// What to ask the broker for; without it, what it proposes.
    pub heartbeat: Option<Duration>,
}

/// What AMQP is spoken on.
pub(crate) type Stream = AsyncTcpStream<Compat<tokio::net::TcpStream>>;

/// An open stream.
pub(crate) struct Opened {
    /// With TLS where the address asks for it.
    pub stream: Stream,
    /// The socket below: cutting that cuts the stream without a word of either protocol.
    pub socket: TcpStream,
    /// The addresses of the connection as the broker sees it: ours, and its own.
    pub ends: [SocketAddr; 2],
}

impl Route {
    /// To a node of ours.
    pub fn private(facts: &Facts) -> Self {
        let address = Address {
            secure: false,
            host: "127.0.0.1".to_owned(),
            port: facts.amqp,
            user: facts.user.clone(),
            password: facts.password.clone(),
            vhost: "/".to_owned(),
        };
        Self { address, trust: None, heartbeat: None }
    }

    /// The same way into another virtual host.
    pub fn with_vhost(&self, vhost: &str) -> Self {
        Self { address: self.address.with_vhost(vhost), ..self.clone() }
    }

    /// Opens a stream, through a network of its own if there is one.
    pub async fn open(&self, wire: Option<&Wire>) -> io::Result<Opened> {
        let to = (&*self.address.host, self.address.port);
        let (socket, ends) = match wire {
            Some(wire) => wire.connect(to).await?,
            None => {
                let socket = tokio::net::TcpStream::connect(to).await?;
                socket.set_nodelay(true)?;
                let ends = [socket.local_addr()?, socket.peer_addr()?];
                (socket, ends)
            }
        };
        let socket = socket.into_std()?;
        let below = socket.try_clone()?;
        let plain = tokio::net::TcpStream::from_std(socket)?.compat();
        let stream = AsyncTcpStream::Plain(plain);
        let stream = match &self.trust {
            None => stream,
            Some(trust) => {
                let connector = RustlsConnector::from(trust.config.clone());
                stream.into_rustls(&connector, &self.address.host).await?
            }
        };
        Ok(Opened { stream, socket: below, ends })
    }

    /// Nobody answers there, or not in a way that we understand.
    pub fn unreachable(&self, error: &(dyn Error + 'static)) -> BrokerError {
        let Self { address, trust, .. } = self;
        if let Some((why, help)) = trust.as_ref().and_then(|trust| trust.explain(error)) {
            return BrokerError::new(Kind::Tls, format!("connecting to {address} failed: {why}"))
                .help(help);
        }
        let failed =
            BrokerError::new(Kind::Unreachable, format!("connecting to {address} failed: {error}"));
        let usual = if address.secure { 5671 } else { 5672 };
        failed.help(format!(
            "is RabbitMQ running there, and is this its AMQP port ({usual} unless changed)?"
        ))
    }
}
