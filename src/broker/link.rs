//! One connection to the broker, and the way to cut it as a dying program would.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lapin::uri::{
    AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism,
};
use lapin::{Channel, Connection, ConnectionProperties, ErrorKind};
use tokio::time::timeout;

use super::address::Address;
use super::error::{BrokerError, Kind, words};
use super::route::{Opened, Route};
use super::wire::Wire;
use crate::plan::model::NodeId;

/// What 4.1 and later accept at least; a connection costs a hundredth of the memory that it
/// costs with the client library's default.
const FRAME_MAX: u32 = 8192;
/// The client property by which a connection can be found when addresses are translated.
pub(super) const MARK: &str = "rmq_scenario_connection";
/// How long connecting may take: the client library bounds it nowhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which way a connection goes.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// The node to connect to; another one when that does not answer.
    pub node: Option<NodeId>,
    /// A network of its own, which can be cut.
    pub wire: Option<Wire>,
}

/// A connection and its socket.
#[derive(Debug)]
pub struct Link {
    pub connection: Connection,
    /// The node that it leads to.
    pub node: NodeId,
    socket: TcpStream,
    ends: [SocketAddr; 2],
    mark: String,
}

impl Link {
    /// The socket dies without a word of AMQP, as it does when a program gets SIGKILL. What the
    /// kernel already holds for the broker is still sent. Harmless when it is closed already.
    pub fn cut(&self) {
        // The only error is that the socket is dead already, which is what was asked for.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// The addresses of the connection as the broker sees it, where nobody translates them: ours,
    /// and its own. Its name at the broker is made of them.
    pub(super) fn ends(&self) -> [SocketAddr; 2] {
        self.ends
    }

    /// Nobody else's client property [`MARK`] has this value.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Opens a channel; `doing` is what an error says of that: `opening a channel for worker-1`.
    ///
    /// # Errors
    /// When the broker refuses, or does not answer.
    pub async fn open_channel(&self, doing: &str) -> Result<Channel, BrokerError> {
        let opened = timeout(PATIENCE, self.connection.create_channel()).await;
        let opened = opened.map_err(|_| BrokerError::silent(doing))?;
        opened.map_err(|error| BrokerError::amqp(doing, &error))
    }

    /// Says goodbye, and waits for the answer.
    pub async fn close(&self) -> lapin::Result<()> {
        self.connection.close(200, "done".into()).await
    }
}

/// Opens a connection that shows `name` to whoever looks at the broker.
pub(crate) async fn connect(
    route: &Route,
    wire: Option<&Wire>,
    name: &str,
    frame_max: Option<u32>,
) -> Result<Link, BrokerError> {
    let address = &route.address;
    let opening = async {
        let opened = route.open(wire).await.map_err(|error| route.unreachable(&error))?;
        let uri = uri(route, frame_max.unwrap_or(FRAME_MAX));
        handshake(uri, opened, name).await.map_err(|error| refused(route, &error))
    };
    let patience = PATIENCE + wire.map_or(Duration::ZERO, delay);
    timeout(patience, opening).await.unwrap_or_else(|_| {
        let seconds = patience.as_secs();
        let message = format!("connecting to {address} failed: no answer in {seconds} s");
        let help = if address.secure {
            "is it RabbitMQ that listens there, with TLS, and is it alive?"
        } else {
            "is it RabbitMQ that listens there, and is it alive?"
        };
        Err(BrokerError::new(Kind::Unreachable, message).help(help))
    })
}

/// A slow network is no silent broker: TCP, TLS and AMQP go back and forth 7 times.
pub(crate) fn delay(wire: &Wire) -> Duration {
    wire.latency() * 14
}

async fn handshake(uri: AMQPUri, opened: Opened, name: &str) -> lapin::Result<Link> {
    let Opened { stream, socket, ends } = opened;
    // The library may ask for a stream once; a second time would be a recovery, which is off.
    let stream = Arc::new(Mutex::new(Some(stream)));
    let mark = fresh_mark(ends);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connection = Connection::connector(
        uri,
        lapin::runtime::default_runtime()?,
        async move |_, _| {
            let taken = stream.lock().ok().and_then(|mut stream| stream.take());
            Ok(taken.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?)
        },
        properties.with_client_property(MARK.into(), mark.as_str().into()),
    );
    Ok(Link { connection: connection.await?, node: NodeId(0), socket, ends, mark })
}

/// The standard library's hasher is keyed from the system's randomness.
fn fresh_mark(ends: [SocketAddr; 2]) -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("{:016x}", RandomState::new().hash_one(ends))
}

fn uri(route: &Route, frame_max: u32) -> AMQPUri {
    let address = &route.address;
    AMQPUri {
        scheme: AMQPScheme::AMQP,
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: address.user.clone(),
                password: address.password.clone(),
            },
            host: address.host.clone(),
            port: address.port,
        },
        vhost: address.vhost.clone(),
        query: AMQPQueryString {
            frame_max: Some(frame_max),
            heartbeat: route.heartbeat.map(heartbeat_s),
            auth_mechanism: Some(SASLMechanism::Plain),
            ..AMQPQueryString::default()
        },
    }
}

/// The protocol counts whole seconds, and takes 0 for none at all: what is asked for is
/// rounded up.
pub(crate) fn heartbeat_s(heartbeat: Duration) -> u16 {
    u16::try_from(heartbeat.as_millis().div_ceil(1000)).unwrap_or(u16::MAX)
}

/// Why the broker did not let us in, and what to do about it.
fn refused(route: &Route, error: &lapin::Error) -> BrokerError {
    let (code, words) = words(error);
    let address = &route.address;
    let Address { user, vhost, .. } = address;
    match code {
        Some(403) => BrokerError::new(
            Kind::Login,
            format!("{address} refused the user {user:?} or its password: {words}"),
        )
        .help("give them in the address: --broker amqp://user:password@host"),
        Some(530) if words.contains("not found") => BrokerError::new(
            Kind::Vhost,
            format!("{address} has no virtual host {vhost:?}: {words}"),
        )
        .help("the end of the address names it: --broker amqp://user:password@host/vhost"),
        Some(530) => BrokerError::new(
            Kind::Vhost,
            format!("{address} does not let {user:?} into the virtual host {vhost:?}: {words}"),
        )
        .help(format!("rabbitmqctl set_permissions -p {vhost} {user} '.*' '.*' '.*'")),
        Some(_) => {
            BrokerError::new(Kind::Protocol, format!("{address} refused the connection: {words}"))
        }
        None => match error.kind() {
            ErrorKind::IOError(error) => route.unreachable(&**error),
            _ => route.unreachable(error),
        },
    }
}
