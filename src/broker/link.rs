//! One connection to the broker, and the way to cut it as a dying program would.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_compat::CompatExt;
use lapin::uri::{
    AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism,
};
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};
use tokio::time::timeout;

use super::address::Address;
use super::error::{BrokerError, Kind, words};

/// What 4.1 and later accept at least; a connection costs a hundredth of the memory that it
/// costs with the client library's default.
const FRAME_MAX: u32 = 8192;
/// How long connecting may take: the client library bounds it nowhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection and its socket.
#[derive(Debug)]
pub struct Link {
    pub connection: Connection,
    socket: TcpStream,
}

impl Link {
    /// The socket dies without a word of AMQP, as it does when a program gets SIGKILL. What the
    /// kernel already holds for the broker is still sent. Harmless when it is closed already.
    pub fn cut(&self) {
        // The only error is that the socket is dead already, which is what was asked for.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Says goodbye, and waits for the answer.
    pub async fn close(&self) -> lapin::Result<()> {
        self.connection.close(200, "done".into()).await
    }
}

/// Opens a connection that shows `name` to whoever looks at the broker.
pub(crate) async fn connect(
    address: &Address,
    name: &str,
    frame_max: Option<u32>,
) -> Result<Link, BrokerError> {
    let opening = async {
        let socket = open(&address.host, address.port).await?;
        handshake(address, socket, name, frame_max.unwrap_or(FRAME_MAX)).await
    };
    match timeout(PATIENCE, opening).await {
        Ok(Ok(link)) => Ok(link),
        Ok(Err(error)) => Err(refused(address, &error)),
        Err(_) => Err(BrokerError::new(
            Kind::Unreachable,
            format!("connecting to {address} failed: no answer in {} s", PATIENCE.as_secs()),
        )
        .help("is it RabbitMQ that listens there, and is it alive?")),
    }
}

async fn open(host: &str, port: u16) -> lapin::Result<TcpStream> {
    let stream = tokio::net::TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream.into_std()?)
}

async fn handshake(
    address: &Address,
    socket: TcpStream,
    name: &str,
    frame_max: u32,
) -> lapin::Result<Link> {
    // The library may ask for a stream once; a second time would be a recovery, which is off.
    let stream = Arc::new(Mutex::new(Some(socket.try_clone()?)));
    let connection = Connection::connector(
        uri(address, frame_max),
        lapin::runtime::default_runtime()?,
        async move |_, _| {
            let taken = stream.lock().ok().and_then(|mut stream| stream.take());
            let stream = taken.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
            Ok(AsyncTcpStream::Plain(tokio::net::TcpStream::from_std(stream)?.compat()))
        },
        ConnectionProperties::default().with_connection_name(name.into()),
    );
    Ok(Link { connection: connection.await?, socket })
}

fn uri(address: &Address, frame_max: u32) -> AMQPUri {
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
            auth_mechanism: Some(SASLMechanism::Plain),
            ..AMQPQueryString::default()
        },
    }
}

/// Why the broker did not let us in, and what to do about it.
fn refused(address: &Address, error: &lapin::Error) -> BrokerError {
    let (code, words) = words(error);
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
        None => unreachable(address, &words),
    }
}

/// Nobody answers there.
pub(crate) fn unreachable(address: &Address, words: &str) -> BrokerError {
    BrokerError::new(Kind::Unreachable, format!("connecting to {address} failed: {words}"))
        .help("is RabbitMQ running there, and is this its AMQP port (5672 unless changed)?")
}
